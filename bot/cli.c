#define LOG_MODULE "start"
#include "bot/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_restore.h"

enum { KEY_TEXT_MIN = 16, KEY_BYTES = 32, READY_TRIES = 30 };

void cli_complain(const struct cli *cli, const char *key, const char *what)
{
    AUTO(free_ptr) char *text = i18n_text(cli->lang, key, I18N_TEXT("what", what ? what : ""));
    fprintf(stderr, "nanotik: %s\n", text);
}

int cli_usage(const struct cli *cli, const char *key, const char *what)
{
    cli_complain(cli, key, what);
    AUTO(free_ptr) char *help = i18n_text(cli->lang, "cli.try_help");
    fprintf(stderr, "%s\n", help);
    return CLI_USAGE;
}

int cli_fail(const struct cli *cli, const struct err *e)
{
    cli_complain(cli, e->user_key ? e->user_key : "error.internal", e->arg);
    bool says_all = e->user_key && strcmp(e->user_key, "start.bad_config") == 0;
    if (e->detail[0] && !says_all) {
        char detail[sizeof(e->detail)];
        str_copy(detail, sizeof(detail), e->detail);
        log_redact(detail);
        fprintf(stderr, "  (%s)\n", detail);
    }
    return CLI_FAILED;
}

int cli_option(struct cli *cli, struct cli_args *a, const struct cli_option *options, bool *ret_ok)
{
    *ret_ok = true;
    a->argc = cli->argc;
    a->argv = cli->argv;
    for (;;) {
        int option = cli_next(a, options);
        if (option == CLI_WRONG) {
            cli_usage(cli, "cli.bad_option", a->wrong);
            *ret_ok = false;
            return CLI_END;
        }
        if (option != 'c')
            return option;
        cli->config_path = a->value;
    }
}

bool cli_words_ok(const struct cli *cli, const struct cli_args *a, size_t most)
{
    if (a->word_count <= most)
        return true;
    cli_usage(cli, "cli.extra_argument", a->words[most]);
    return false;
}

bool cli_only_config(struct cli *cli)
{
    static const struct cli_option options[] = {CLI_CONFIG_OPTION, {0}};
    struct cli_args args = {0};
    bool ok = true;
    cli_option(cli, &args, options, &ok);
    return ok && cli_words_ok(cli, &args, 0);
}

bool cli_load_config(struct cli *cli, struct err *e)
{
    if (cli->config)
        return true;
    if (!config_load(cli->config_path, &cli->config, e))
        return false;
    const char *level = config_text(cli->config, "NANOTIK_LOG");
    bool json = strcmp(level, "json") == 0;
    log_init(strcmp(level, "debug") == 0          ? LOG_DEBUG
             : json || strcmp(level, "info") == 0 ? LOG_INFO
                                                  : LOG_WARN,
             json);
    return true;
}

const char *cli_data(const struct cli *cli)
{
    return config_text(cli->config, "NANOTIK_DATA");
}

/* Absolute: paths of films outlive this start, and people read them. */
void cli_out_dir(const struct cli *cli, char ret[static 1024])
{
    char here[512];
    const char *set = config_text(cli->config, "VIDEO_OUTPUT_DIR");
    const char *folder = set[0] ? set : cli_data(cli);
    bool relative = folder[0] != '/' && getcwd(here, sizeof(here));
    folder += relative && str_starts(folder, "./") ? 2 : 0;
    snprintf(ret, 1024, "%s%s%s%s", relative ? here : "", relative ? "/" : "", folder,
             set[0] ? "" : "/videos");
}

void cli_cache_dir(const struct cli *cli, char ret[static 1024])
{
    const char *set = config_text(cli->config, "VIDEO_TEMP_DIR");
    snprintf(ret, 1024, "%s/cache", set[0] ? set : cli_data(cli));
}

/* --- the database --- */

static const char *step_lang = "en";

static void tell_step(const char *step)
{
    char key[48];
    snprintf(key, sizeof(key), "start.step.%s", step);
    log_info("private database: %s", step);
    if (!isatty(STDERR_FILENO) || !i18n_has("en", key))
        return;
    AUTO(free_ptr) char *text = i18n_text(step_lang, key);
    fprintf(stderr, "%s\n", text);
}

bool cli_make_data(const struct cli *cli, struct err *e)
{
    struct err why;
    if (fs_mkdirs(cli_data(cli), geteuid() == 0 ? 0711 : 0700, &why))
        return true;
    return err_set_arg(e, ERR_DISK, "start.data_unusable", cli_data(cli), "%s", why.detail);
}

static bool db_url(struct cli *cli, bool may_join, struct cli_db *d, char **ret_url, struct err *e)
{
    const char *set = config_text(cli->config, "DATABASE_URL");
    if (set[0]) {
        *ret_url = str_dup(set);
        return true;
    }
    if (may_join && private_cluster_join(cli_data(cli), ret_url, e))
        return true;
    if (may_join && e->code != ERR_NOT_FOUND)
        return false;
    step_lang = cli->lang;
    if (!cli_make_data(cli, e) ||
        !private_cluster_start(cli_data(cli), &cli->stop, tell_step, &d->cluster, e))
        return false;
    *ret_url = str_dup(private_cluster_url(d->cluster));
    return true;
}

bool cli_db_connect(struct cli *cli, bool may_join, size_t connections, struct cli_db *ret,
                    struct err *e)
{
    struct cli_db d = {0};
    if (!db_url(cli, may_join, &d, &d.url, e) || !db_open(d.url, connections, &d.db, e)) {
        cli_db_close(&d);
        return false;
    }
    *ret = d;
    return true;
}

static bool refuse_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return restore_refuse_open(tx, e);
}

/* The server may come later than we do, as with the migrations behind this. */
static bool refuse_half_restored(struct db *db, const struct cancel *stop, struct err *e)
{
    for (int tries = 1; !db_run(db, refuse_body, NULL, e); tries++) {
        if (cancel_fired(stop))
            return err_set(e, ERR_CANCELLED, "error.stopping", "start stopped");
        if (e->code != ERR_RETRY || tries == READY_TRIES)
            return false;
        cancel_wait(stop, 100);
    }
    return true;
}

bool cli_db_open(struct cli *cli, bool may_join, size_t connections, struct cli_db *ret,
                 int *ret_applied, struct err *e)
{
    struct cli_db d = {0};
    int applied = 0;
    if (!cli_db_connect(cli, may_join, connections, &d, e))
        return false;
    /* Only while starting: at the end, jobs are given back although the stop has fired. */
    db_set_cancel(d.db, &cli->stop);
    bool ok = refuse_half_restored(d.db, &cli->stop, e) && db_migrate(d.db, &applied, e);
    db_set_cancel(d.db, NULL);
    if (!ok) {
        cli_db_close(&d);
        return false;
    }
    if (ret_applied)
        *ret_applied = applied;
    *ret = d;
    return true;
}

void cli_db_close(struct cli_db *d)
{
    db_close(TAKE(d->db));
    private_cluster_stop(TAKE(d->cluster));
    free(TAKE(d->url));
}

/* --- the key of identities --- */

bool cli_has_id_key(const struct cli *cli)
{
    AUTO(free_ptr) char *path = str_printf("%s/id.key", cli_data(cli));
    return config_text(cli->config, "NANOTIK_ID_KEY")[0] || fs_exists(path);
}

/* Made once: two programs that start together agree on the first one's. */
static bool make_key_file(const char *path, struct err *e)
{
    unsigned char key[KEY_BYTES];
    char text[2 * KEY_BYTES + 2];
    random_bytes(key, sizeof(key));
    sodium_bin2hex(text, sizeof(text), key, sizeof(key));
    text[sizeof(text) - 2] = '\n';
    AUTO(free_ptr) char *part = str_printf("%s.%d", path, (int)getpid());
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_io(e, errno, part, "open");
    bool ok = write(fd, text, sizeof(text) - 1) == sizeof(text) - 1 && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (ok && link(part, path) != 0 && errno != EEXIST)
        ok = false, error = errno;
    unlink(part);
    return ok || err_set_io(e, error, path, "write");
}

bool cli_load_id_key(const struct cli *cli, struct db *db, struct err *e)
{
    static const unsigned char salt[32] = "nanotik identity key of a text";
    unsigned char key[KEY_BYTES];
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    AUTO(free_ptr) char *path = str_printf("%s/id.key", cli_data(cli));
    const char *set = config_text(cli->config, "NANOTIK_ID_KEY");
    if (set[0]) {
        text = str_dup(set);
    } else {
        if (!cli_make_data(cli, e) || (!fs_exists(path) && !make_key_file(path, e)) ||
            !fs_read(path, 4096, &text, &len, e))
            return false;
        text[strcspn(text, "\r\n")] = '\0';
        log_secret(text);
    }
    if (strlen(text) < KEY_TEXT_MIN)
        return err_set_arg(e, ERR_CONFIG, "start.bad_id_key", set[0] ? "NANOTIK_ID_KEY" : path,
                           "under %d characters", KEY_TEXT_MIN);
    hash_mac(salt, text, key);
    account_set_key(key);
    return account_check_key(db, e);
}
