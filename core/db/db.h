/*
 * db - PostgreSQL through libpq: a bounded pool, bound parameters, transactions that may be run
 * again.
 *
 * What:    db_run takes a connection, opens a transaction, calls the body, commits. On 40001/40P01
 *          the body runs again (so it must only touch the database and plain memory); on a
 *          connection lost before COMMIT it runs again on a new one, for about three seconds. A
 *          connection lost DURING COMMIT is ERR_RETRY with the result unknown: the caller's keys
 *          make the repeat harmless.
 * Owner:   db_close after all threads were joined.
 * Threads: db_* from any thread; a db_tx belongs to the body's thread for the call only.
 * Errors:  ERR_RETRY "error.database" (server away, full, slow: intake pauses), ERR_CONFLICT
 *          "error.database" (a unique rule was hit), ERR_CANCELLED, ERR_INTERNAL "error.internal"
 *          (our SQL); SQLSTATE in detail.
 * Bounds:  a statement may take 10 s, an idle transaction 15 s.
 * Source:  facts sheet "jobs and ledger", section 7.
 */
#ifndef NANOTIK_DB_H
#define NANOTIK_DB_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

struct db;
struct db_tx;
struct db_rows; /* one result */

/* url: postgres://... or libpq keywords. Does not need the server to be there yet. */
bool db_open(const char *url, size_t connections, struct db **ret, struct err *e);
void db_close(struct db *db); /* NULL is fine */
/* Once it fires, waits for a connection or an answer end with ERR_CANCELLED (a COMMIT is waited
 * for). Fire it only when nothing needs the database any more: a drain still does. */
void db_set_cancel(struct db *db, const struct cancel *cancel);
bool db_ping(struct db *db, struct err *e);

typedef bool db_body(struct db_tx *tx, void *ctx, struct err *e);
/* Commits when body returns true, else rolls back and passes the body's error on. */
bool db_run(struct db *db, db_body *body, void *ctx, struct err *e);
/* The same with synchronous_commit off: for leases and progress only, never money or delivery. */
bool db_run_soft(struct db *db, db_body *body, void *ctx, struct err *e);

/* Parameters are texts (NULL = SQL null); server side prepared once per connection under the SQL's
 * hash. */
bool db_exec(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
             struct db_rows **ret_rows, struct err *e); /* ret_rows may be NULL */
size_t db_count(const struct db_rows *r);
int64_t db_affected(const struct db_rows *r); /* rows inserted, updated, deleted */
const char *db_text(const struct db_rows *r, size_t row,
                    size_t column); /* NULL for SQL null; lives as long as r */
int64_t db_int(const struct db_rows *r, size_t row, size_t column); /* 0 for null */
bool db_bool(const struct db_rows *r, size_t row, size_t column);
void db_rows_free(struct db_rows **r); /* for AUTO */

/* LISTEN on its own connection in its own thread; on_hint is called for each notification AND after
   every reconnect AND at least each poll_ms: a hint to look, nothing more. Reconnects for ever. */
struct db_listener;
bool db_listen(struct db *db, const char *channel, int poll_ms, void (*on_hint)(void *ctx),
               void *ctx, struct db_listener **ret, struct err *e);
void db_listen_stop(struct db_listener *l); /* joins; NULL is fine */

/* Applies schema/NNNN_*.sql (embedded) that are missing, in order, each in one transaction, under
   an advisory transaction lock. Refuses a database that is newer than the program, and a changed
   checksum. */
bool db_migrate(struct db *db, int *ret_applied, struct err *e);
int db_schema_newest(void);

#endif
