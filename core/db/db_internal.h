/*
 * db_internal - what the files of core/db share about one connection; nobody else includes it.
 *
 * What:    a connection is driven without blocking calls: every wait is a poll() of at most 100 ms,
 *          so that cancel and deadlines work.
 * Threads: a db_conn belongs to the thread that took it from the pool.
 */
#ifndef NANOTIK_DB_INTERNAL_H
#define NANOTIK_DB_INTERNAL_H

#include <libpq-fe.h>

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/db/db.h"

enum {
    DB_CONNECT_MS = 4000,
    DB_STATEMENT_MS = 15000, /* our own patience; the server gives up after 10 s */
    DB_PATIENCE_MS = 3000,   /* how long db_run looks for a server before it says ERR_RETRY */
    DB_STATEMENTS_MAX = 256, /* prepared per connection; more are sent unprepared */
    DB_CRASH_NAMES = 4,
};

struct db_params { /* for PQconnectStartParams; NULL-terminated, owned */
    char **keys, **values;
    size_t count;
};

struct db_conn {
    PGconn *pg; /* NULL: not connected */
    uint64_t generation;
    bool busy;
    struct db_statement {
        uint64_t hash;
        char *sql;
    } * statements;
    size_t statement_count;
};

/* What became of a transaction so far. */
enum tx_state { TX_GOOD, TX_FAILED, TX_RERUN, TX_LOST };

struct db_tx {
    struct db_conn *conn;
    const struct cancel *cancel;
    enum tx_state state;
    struct err err; /* why state is no longer TX_GOOD */
    struct {
        const char *before, *after;
    } crash[DB_CRASH_NAMES];
    size_t crash_count;
};

/* Real time, never the clock that tests set: these are network deadlines. */
int64_t db_now_ms(void);

bool db_params_make(const char *url, struct db_params *ret, struct err *e);
void db_params_free(struct db_params *p);

bool conn_open(struct db_conn *c, const struct db_params *p, const struct cancel *cancel,
               struct err *e);
void conn_close(struct db_conn *c);
/* One or more statements without parameters. Fills *ret_result (may be NULL) and the SQLSTATE
 * class. cancel NULL: waits for the answer whatever happens, up to wait_ms. */
enum tx_state conn_simple(struct db_conn *c, const char *sql, int wait_ms,
                          const struct cancel *cancel, PGresult **ret_result, struct err *e);
enum tx_state conn_query(struct db_conn *c, const char *sql, const char *const *params,
                         size_t count, const struct cancel *cancel, PGresult **ret_result,
                         struct err *e);

/* A script of many statements inside the transaction (migrations), without the usual time limit. */
/* db_migrate up to this version at most: for tests of upgrades. */
bool db_migrate_upto(struct db *db, int newest, int *ret_applied, struct err *e);
bool db_exec_script(struct db_tx *tx, const char *sql, struct err *e);
const struct db_params *db_conn_params(const struct db *db);
const struct cancel *db_cancel(const struct db *db);

/* Names the crash points around the commit of this transaction (core/base/crash.h). */
void db_crash_names(struct db_tx *tx, const char *before, const char *after);
#define DB_CRASH(tx, name) db_crash_names((tx), name ".precommit", name ".commit")

#endif
