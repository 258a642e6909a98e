/*
 * `nanotik grant`, `nanotik pardon` and `nanotik migrate`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bot/cli.h"
#include "bot/signals.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_guard.h"
#include "core/db/store_ledger.h"

enum { GRANT_MAX = 1000000, WHY_MAX = 500, KEY_MAX = 100, CONNECTIONS = 2 };

/* One transaction on the database, with the key by which its people are found. */
static bool run(struct cli *cli, db_body *body, void *data, struct err *e)
{
    struct cli_db d = {0};
    struct signals *signals = NULL;
    bool ok = cli_load_config(cli, e) && signals_start(&cli->stop, 0, NULL, &signals, e) &&
              cli_db_open(cli, true, CONNECTIONS, &d, NULL, e) && cli_load_id_key(cli, d.db, e) &&
              db_run(d.db, body, data, e);
    cli_db_close(&d);
    signals_stop(signals);
    return ok;
}

struct grant {
    const char *account, *why;
    char key[KEY_MAX + 8];
    int64_t credits;
    struct account found;
    enum ledger_result result;
    struct balance balance;
};

static bool grant_body(struct db_tx *tx, void *data, struct err *e)
{
    struct grant *g = data;
    return account_lookup(tx, g->account, &g->found, e) &&
           ledger_grant(tx, g->key, g->found.id, g->credits, "cli", g->why, &g->result, e) &&
           ledger_balance(tx, g->found.id, &g->balance, e);
}

static bool read_grant(struct cli *cli, struct grant *g)
{
    static const struct cli_option options[] = {
        {"why", 'w', true, 0},
        {"key", 'k', true, 0},
        CLI_CONFIG_OPTION, {0    }
    };
    struct cli_args args = {0};
    const char *key = NULL;
    char uuid[UUID_TEXT];
    bool parsed = true;
    int option = 0;
    while ((option = cli_option(cli, &args, options, &parsed)) != CLI_END)
        *(option == 'w' ? &g->why : &key) = args.value;
    if (!parsed || !cli_words_ok(cli, &args, 2))
        return false;
    bool ok = args.word_count == 2 && g->why && g->why[0] && strlen(g->why) <= WHY_MAX &&
              (!key || (key[0] && strlen(key) <= KEY_MAX)) &&
              str_to_int(args.words[1], 1, GRANT_MAX, &g->credits);
    if (!ok) {
        cli_usage(cli, "cli.need_grant", NULL);
        return false;
    }
    g->account = args.words[0];
    uuid_make(uuid);
    str_copy(g->key, sizeof(g->key), key ? key : uuid);
    return true;
}

int cli_grant(struct cli *cli)
{
    struct grant g = {0};
    struct err e = {0};
    if (!read_grant(cli, &g))
        return CLI_USAGE;
    if (!run(cli, grant_body, &g, &e))
        return cli_fail(cli, &e);
    AUTO(free_ptr)
    char *balance = i18n_text(cli->lang, "unit.credits", I18N_NUM("count", g.balance.available));
    AUTO(free_ptr)
    char *text =
        i18n_text(cli->lang, g.result == LEDGER_REPEATED ? "cli.grant_repeated" : "cli.granted",
                  I18N_NUM("count", g.credits), I18N_TEXT("account", g.found.id),
                  I18N_TEXT("balance", balance));
    printf("%s\n", text);
    return CLI_OK;
}

struct pardon {
    const char *account, *why;
    struct account found;
    int count;
};

static bool pardon_body(struct db_tx *tx, void *data, struct err *e)
{
    struct pardon *p = data;
    return account_lookup(tx, p->account, &p->found, e) &&
           strike_clear(tx, p->found.id, "cli", p->why, &p->count, e);
}

static bool read_pardon(struct cli *cli, struct pardon *p)
{
    static const struct cli_option options[] = {
        {"why", 'w', true, 0},
        CLI_CONFIG_OPTION, {0}
    };
    struct cli_args args = {0};
    bool parsed = true;
    while (cli_option(cli, &args, options, &parsed) != CLI_END)
        p->why = args.value;
    if (!parsed || !cli_words_ok(cli, &args, 1))
        return false;
    if (args.word_count != 1 || !p->why || !p->why[0] || strlen(p->why) > WHY_MAX) {
        cli_usage(cli, "cli.need_pardon", NULL);
        return false;
    }
    p->account = args.words[0];
    return true;
}

int cli_pardon(struct cli *cli)
{
    struct pardon p = {0};
    struct err e = {0};
    if (!read_pardon(cli, &p))
        return CLI_USAGE;
    if (!run(cli, pardon_body, &p, &e))
        return cli_fail(cli, &e);
    AUTO(free_ptr)
    char *text = i18n_text(cli->lang, "cli.pardoned", I18N_NUM("count", p.count),
                           I18N_TEXT("account", p.found.id));
    printf("%s\n", text);
    return CLI_OK;
}

int cli_migrate(struct cli *cli)
{
    struct cli_db d = {0};
    struct signals *signals = NULL;
    struct err e = {0};
    int code = CLI_FAILED, applied = 0;
    if (!cli_only_config(cli))
        return CLI_USAGE;
    if (cli_load_config(cli, &e) && signals_start(&cli->stop, 0, NULL, &signals, &e) &&
        cli_db_open(cli, true, CONNECTIONS, &d, &applied, &e)) {
        AUTO(free_ptr)
        char *text = i18n_text(cli->lang, "cli.migrated", I18N_NUM("count", applied));
        printf("%s\n", text);
        code = CLI_OK;
    } else {
        cli_fail(cli, &e);
    }
    cli_db_close(&d);
    signals_stop(signals);
    return code;
}
