/*
 * cli - what every subcommand of the program shares.
 *
 * What:    messages go to standard error as "nanotik: text" in the language of the environment,
 *          results to standard output.
 * Threads: main only.
 */
#ifndef NANOTIK_BOT_CLI_H
#define NANOTIK_BOT_CLI_H

#include "bot/cli_options.h"
#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/config.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/db/private_cluster.h"
#include "core/i18n/i18n.h"

#define NANOTIK_VERSION "0.1.0"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_CONFIG = 78, /* of run: a setting is wrong, starting again does not help (EX_CONFIG) */
    CLI_INTERRUPTED = 130
};

struct cli {
    const char *lang;        /* of messages: from LC_ALL, LC_MESSAGES, LANG */
    const char *config_path; /* --config, or NULL */
    struct config *config;   /* after cli_load_config */
    struct cancel stop;      /* fired by SIGINT, SIGTERM, SIGHUP */
    int argc;                /* of the subcommand; argv[0] is its name */
    char **argv;
};

/* Each returns an exit code. */
int cli_run(struct cli *cli);  /* runner.c */
int cli_make(struct cli *cli); /* cli_make.c */
int cli_render(struct cli *cli);
int cli_grant(struct cli *cli); /* cli_admin.c */
int cli_pardon(struct cli *cli);
int cli_migrate(struct cli *cli);
int cli_backup(struct cli *cli); /* cli_backup.c */
int cli_restore(struct cli *cli);
int cli_reconcile(struct cli *cli); /* cli_pay.c */
int cli_sweep(struct cli *cli);
int cli_address(struct cli *cli);
int cli_doctor(struct cli *cli); /* cli_doctor.c */

/* "nanotik: text"; what may be NULL. */
void cli_complain(const struct cli *cli, const char *key, const char *what);
/* The same for wrong usage, with a pointer to --help; returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *key, const char *what);
/* The user's text of an error, with the operator's detail behind it: at a shell they are one
   person. Returns CLI_FAILED. */
int cli_fail(const struct cli *cli, const struct err *e);
/* The options of this subcommand from the start; --config is taken care of: add CLI_CONFIG_OPTION
   to the table and call cli_option instead of cli_next. False in *ret_ok: usage was told. */
#define CLI_CONFIG_OPTION         \
    {                             \
        "config", 'c', true, '\0' \
    }
int cli_option(struct cli *cli, struct cli_args *a, const struct cli_option *options, bool *ret_ok);
bool cli_load_config(struct cli *cli, struct err *e);
/* For subcommands without options of their own. */
bool cli_only_config(struct cli *cli);
/* No more than `most` words. */
bool cli_words_ok(const struct cli *cli, const struct cli_args *a, size_t most);

/* Folders; ret of 1024 bytes. */
const char *cli_data(const struct cli *cli);
/* Makes it when missing: for us alone, but as root others may pass through it, because the private
   database inside runs as another user. */
bool cli_make_data(const struct cli *cli, struct err *e);
void cli_out_dir(const struct cli *cli, char ret[static 1024]);
void cli_cache_dir(const struct cli *cli, char ret[static 1024]);

/* The database: the configured server, else the private one (joined when another process runs it
   and may_join). */
struct cli_db {
    struct db *db;
    struct private_cluster *cluster; /* NULL: not ours */
    char *url;                       /* may hold a password */
};
/* As it is, whatever is in it. */
bool cli_db_connect(struct cli *cli, bool may_join, size_t connections, struct cli_db *ret,
                    struct err *e);
/* Ready for work: migrated; refused (ERR_CONFIG "start.restore_open") before the end of a restore. */
bool cli_db_open(struct cli *cli, bool may_join, size_t connections, struct cli_db *ret,
                 int *ret_applied, struct err *e);
void cli_db_close(struct cli_db *d);
/* It was set or made before. */
bool cli_has_id_key(const struct cli *cli);
/* NANOTIK_ID_KEY, or DATA/id.key, which is made when it is missing; refused when the database knows
   its people by another one. */
bool cli_load_id_key(const struct cli *cli, struct db *db, struct err *e);

#endif
