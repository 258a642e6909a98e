/*
 * `nanotik backup` and `nanotik restore`: the database in a file, and back without doing anything twice.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bot/bot.h"
#include "bot/cli.h"
#include "bot/signals.h"
#include "bot/worker_calls.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/db/dump.h"
#include "core/db/store_restore.h"

enum { CONNECTIONS = 2, LOADED = 100, OPEN_REFUNDS };

struct copy {
    struct cli *cli;
    const char *path;
    bool loaded;       /* somebody else has loaded it */
    bool open_refunds; /* nothing but that */
    bool found;
    struct cli_db db;
    struct signals *signals;
    enum restore_state state;
    struct bot bot; /* enough of it to tell people */
    struct restore_done done;
};

static bool look_body(struct db_tx *tx, void *data, struct err *e)
{
    struct copy *c = data;
    return restore_look(tx, &c->state, e);
}

static bool copy_open(struct copy *c, bool may_join, struct err *e)
{
    return cli_load_config(c->cli, e) && signals_start(&c->cli->stop, 0, NULL, &c->signals, e) &&
           cli_db_connect(c->cli, may_join, CONNECTIONS, &c->db, e) &&
           db_run(c->db.db, look_body, c, e);
}

static int copy_end(struct copy *c, bool ok, const struct err *e)
{
    if (!ok)
        cli_fail(c->cli, e);
    cli_db_close(&c->db);
    signals_stop(c->signals);
    return ok ? CLI_OK : CLI_FAILED;
}

/* The file, or of a restore an option instead of it. */
static bool read_arguments(struct copy *c, bool is_restore)
{
    static const struct cli_option options[] = {
        CLI_CONFIG_OPTION,
        {.name = "loaded",    .id = LOADED},
        {.name = "open-refunds",                   .id = OPEN_REFUNDS},
        {0}
    };
    struct cli_args args = {0};
    bool parsed = true;
    int option;
    while ((option = cli_option(c->cli, &args, options, &parsed)) != CLI_END)
        *(option == LOADED ? &c->loaded : &c->open_refunds) = true;
    if (!parsed || !cli_words_ok(c->cli, &args, 1))
        return false;
    c->path = args.words[0];
    size_t said = args.word_count + c->loaded + c->open_refunds;
    if (said != 1 || (!is_restore && !c->path)) {
        cli_usage(c->cli, "cli.need_file", c->cli->argv[0]);
        return false;
    }
    return true;
}

/* --- backup --- */

int cli_backup(struct cli *cli)
{
    struct copy c = {.cli = cli};
    struct err e = {0};
    if (!read_arguments(&c, false))
        return CLI_USAGE;
    bool ok = copy_open(&c, true, &e);
    if (ok && c.state == RESTORE_LOADED)
        ok = err_set(&e, ERR_CONFIG, "start.restore_open", "%s", "");
    else if (ok && c.state != RESTORE_SETTLED)
        ok = err_set(&e, ERR_NOT_FOUND, "cli.backup_nothing", "%s", "");
    ok = ok && dump_write(c.db.url, c.path, &cli->stop, &e);
    if (ok) {
        AUTO(free_ptr)
        char *text = i18n_text(cli->lang, "cli.backed_up", I18N_TEXT("file", c.path),
                               I18N_NUM("kb", (fs_size(c.path) + 1023) / 1024),
                               I18N_TEXT("data", cli_data(cli)));
        printf("%s\n", text);
    }
    return copy_end(&c, ok, &e);
}

/* --- restore --- */

static bool begin_body(struct db_tx *tx, void *data, struct err *e)
{
    struct copy *c = data;
    bool in_use = false;
    /* Of a private database the data folder's lock says it. */
    if (c->state == RESTORE_SETTLED && !c->db.cluster && !restore_in_use(tx, &in_use, e))
        return false;
    if (in_use)
        return err_set(e, ERR_CONFLICT, "cli.restore_in_use", "%s", "");
    return restore_begin(tx, e);
}

static bool settle_body(struct db_tx *tx, void *data, struct err *e)
{
    struct copy *c = data;
    const struct worker_calls calls = bot_worker_calls(&c->bot);
    return restore_settle(tx, calls.on_failed, calls.ctx, "cli", &c->done, e);
}

static bool load(struct copy *c, struct err *e)
{
    switch (c->state) {
    case RESTORE_LOADED: /* an earlier try came that far */
        return true;
    case RESTORE_SETTLED:
        if (c->loaded)
            return db_run(c->db.db, begin_body, c, e);
        return err_set(e, ERR_CONFLICT, "cli.restore_not_empty", "%s", "");
    case RESTORE_FOREIGN:
        return err_set(e, ERR_CONFLICT, "cli.restore_not_empty", "%s", "");
    case RESTORE_NOTHING:
    case RESTORE_BEGUN:
        break;
    }
    if (c->loaded)
        return err_set(e, ERR_NOT_FOUND, "cli.restore_empty", "%s", "");
    return db_run(c->db.db, begin_body, c, e) && dump_load(c->db.url, c->path, &c->cli->stop, e);
}

static bool restore(struct copy *c, struct err *e)
{
    /* A new key would be made, and people found by none. */
    if (!cli_has_id_key(c->cli))
        return err_set_arg(e, ERR_CONFIG, "cli.restore_no_key", cli_data(c->cli), "%s", "");
    return load(c, e) && db_migrate(c->db.db, NULL, e) && cli_load_id_key(c->cli, c->db.db, e) &&
           db_run(c->db.db, settle_body, c, e);
}

static void tell_restored(const struct copy *c)
{
    AUTO(free_ptr)
    char *text = i18n_text(c->cli->lang, "cli.restored", I18N_NUM("jobs", c->done.jobs),
                           I18N_NUM("cards", c->done.cards), I18N_NUM("events", c->done.events));
    printf("%s\n", text);
}

/* --- refunds that the backup did not know of --- */

static bool open_body(struct db_tx *tx, void *data, struct err *e)
{
    struct copy *c = data;
    return restore_open_refunds(tx, "cli", &c->found, e);
}

static bool open_refunds(struct copy *c, struct err *e)
{
    if (!cli_load_config(c->cli, e) || !signals_start(&c->cli->stop, 0, NULL, &c->signals, e) ||
        !cli_db_open(c->cli, true, CONNECTIONS, &c->db, NULL, e) ||
        !db_run(c->db.db, open_body, c, e))
        return false;
    AUTO(free_ptr)
    char *text = i18n_text(c->cli->lang, c->found ? "cli.refunds_opened" : "cli.refunds_were_open");
    printf("%s\n", text);
    return true;
}

int cli_restore(struct cli *cli)
{
    struct err e = {0};
    struct copy *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->cli = cli;
    int code = CLI_USAGE;
    if (read_arguments(c, true)) {
        bool ok = c->open_refunds ? open_refunds(c, &e) : copy_open(c, false, &e) && restore(c, &e);
        if (ok && !c->open_refunds)
            tell_restored(c);
        code = copy_end(c, ok, &e);
    }
    free(c);
    return code;
}
