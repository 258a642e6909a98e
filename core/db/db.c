#include "core/db/db.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/db/db_internal.h"

#define LOG_MODULE "db"

enum { RERUNS_MAX = 20, LOST_MAX = 18 };

struct db {
    struct db_params params; /* fixed at open */
    const struct cancel *cancel;
    size_t max;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    /* --- below: only with lock held --- */
    uint64_t generation; /* rises when a connection was lost: the idle ones are old then */
    bool down;           /* the log was told that the server is away */
    struct db_conn slots[];
};

struct db_rows {
    PGresult *res;
};

bool db_open(const char *url, size_t connections, struct db **ret, struct err *e)
{
    assert(connections > 0);
    struct db_params params;
    if (!db_params_make(url, &params, e))
        return false;
    struct db *db = calloc(1, sizeof(*db) + connections * sizeof(db->slots[0]));
    if (!db)
        abort();
    db->params = params;
    db->max = connections;
    pthread_mutex_init(&db->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&db->freed, &attr);
    pthread_condattr_destroy(&attr);
    *ret = db;
    return true;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->max; i++) {
        assert(!db->slots[i].busy);
        conn_close(&db->slots[i]);
    }
    db_params_free(&db->params);
    pthread_cond_destroy(&db->freed);
    pthread_mutex_destroy(&db->lock);
    free(db);
}

void db_set_cancel(struct db *db, const struct cancel *cancel)
{
    db->cancel = cancel;
}

const struct db_params *db_conn_params(const struct db *db)
{
    return &db->params;
}

const struct cancel *db_cancel(const struct db *db)
{
    return db->cancel;
}

/* --- the pool --- */

/* A free slot, one with a live connection first. */
static struct db_conn *free_slot(struct db *db)
{
    struct db_conn *found = NULL;
    for (size_t i = 0; i < db->max; i++) {
        struct db_conn *c = &db->slots[i];
        if (c->busy)
            continue;
        if (c->pg && c->generation == db->generation)
            return c;
        if (!found)
            found = c;
    }
    return found;
}

static struct db_conn *take_slot(struct db *db, int64_t deadline, struct err *e)
{
    struct db_conn *c = NULL;
    pthread_mutex_lock(&db->lock);
    while (!(c = free_slot(db))) {
        if (cancel_fired(db->cancel)) {
            err_set(e, ERR_CANCELLED, "error.stopping", "waiting for a connection: stopped");
            break;
        }
        if (db_now_ms() >= deadline) {
            err_set(e, ERR_RETRY, "error.database", "all %zu connections are in use", db->max);
            e->told = db->down;
            break;
        }
        struct timespec until = clock_until(100);
        pthread_cond_timedwait(&db->freed, &db->lock, &until);
    }
    if (c) {
        c->busy = true;
        if (c->generation != db->generation)
            conn_close(c);
        c->generation = db->generation;
    }
    pthread_mutex_unlock(&db->lock);
    return c;
}

static void give_slot(struct db *db, struct db_conn *c, bool was_lost)
{
    if (was_lost)
        conn_close(c);
    pthread_mutex_lock(&db->lock);
    if (was_lost && c->generation == db->generation)
        db->generation++;
    c->busy = false;
    pthread_cond_signal(&db->freed);
    pthread_mutex_unlock(&db->lock);
}

/* One line in the log when it goes away and one when it is back, however many threads wait for it. */
static void tell_state(struct db *db, bool down, struct err *why)
{
    pthread_mutex_lock(&db->lock);
    bool changed = db->down != down;
    db->down = down;
    pthread_mutex_unlock(&db->lock);
    if (changed && down)
        log_err(LOG_WARN, LOG_MODULE, why);
    else if (changed)
        log_warn("the database is back"); /* whoever reads of the one reads of the other */
    if (down)
        why->told = true;
}

/* --- transactions --- */

static bool tx_note(struct db_tx *tx, enum tx_state state, struct err *e)
{
    if (state == TX_GOOD)
        return true;
    tx->state = state;
    tx->err = *e;
    return false;
}

static bool tx_begin(struct db_tx *tx, bool soft, struct err *e)
{
    const char *sql = soft ? "begin; set local synchronous_commit=off" : "begin";
    return tx_note(tx, conn_simple(tx->conn, sql, DB_STATEMENT_MS, tx->cancel, NULL, e), e);
}

static void tx_rollback(struct db_tx *tx)
{
    struct err ignored = {0};
    if (tx->conn->pg &&
        conn_simple(tx->conn, "rollback", DB_STATEMENT_MS, NULL, NULL, &ignored) != TX_GOOD)
        conn_close(tx->conn);
}

/* The one statement whose lost answer leaves the result open. */
static bool tx_commit(struct db_tx *tx, struct err *e)
{
    for (size_t i = 0; i < tx->crash_count; i++)
        crash_at(tx->crash[i].before);
    PGresult *res = NULL;
    enum tx_state state = conn_simple(tx->conn, "commit", DB_STATEMENT_MS, NULL, &res, e);
    if (state == TX_LOST) {
        struct err why = *e;
        err_set(e, ERR_RETRY, "error.database", "result of a commit unknown: %s", why.detail);
        tx_note(tx, TX_FAILED, e);
        conn_close(tx->conn);
        return false;
    }
    if (state == TX_GOOD && strcmp(PQcmdStatus(res), "COMMIT") != 0) {
        PQclear(res);
        err_set(e, ERR_INTERNAL, "error.internal", "a failed transaction was to be committed");
        return tx_note(tx, TX_FAILED, e);
    }
    PQclear(res);
    for (size_t i = 0; state == TX_GOOD && i < tx->crash_count; i++)
        crash_at(tx->crash[i].after);
    return tx_note(tx, state, e);
}

/* One try on one connection. */
static enum tx_state run_once(struct db *db, struct db_conn *conn, bool soft, db_body *body,
                              void *ctx, struct err *e)
{
    struct db_tx tx = {.conn = conn, .cancel = db->cancel};
    if (!conn->pg && !conn_open(conn, &db->params, db->cancel, e))
        return e->code == ERR_CANCELLED ? TX_FAILED : TX_LOST;
    if (!tx_begin(&tx, soft, e)) {
        if (tx.state != TX_LOST)
            tx_rollback(&tx);
        return tx.state;
    }
    tell_state(db, false, NULL);
    bool good = body(&tx, ctx, e);
    if (good && tx.state == TX_GOOD && tx_commit(&tx, e))
        return TX_GOOD;
    if (good && tx.state != TX_GOOD)
        *e = tx.err; /* the body overlooked it, or the commit failed */
    if (tx.state != TX_LOST)
        tx_rollback(&tx);
    return tx.state == TX_GOOD ? TX_FAILED : tx.state;
}

/* Sleeps a little, longer each time and not in step with others. */
static bool pause_before_retry(struct db *db, int tries, int base_ms, struct err *e)
{
    unsigned char r;
    random_bytes(&r, 1);
    int ms = MIN(base_ms << CLAMP(tries, 0, 6), 1000);
    if (!cancel_wait(db->cancel, ms / 2 + ms * r / 255))
        return true;
    return err_set(e, ERR_CANCELLED, "error.stopping", "database retry: stopped");
}

/* How often one call was tried. */
struct patience {
    int64_t deadline;
    int reruns, losses;
};

/* Another try? If so, after a pause. */
static bool once_more(struct db *db, enum tx_state s, struct patience *p, struct err *e)
{
    if (s == TX_RERUN)
        return ++p->reruns <= RERUNS_MAX && pause_before_retry(db, p->reruns - 1, 4, e);
    if (s != TX_LOST)
        return false;
    if (db_now_ms() > p->deadline || ++p->losses > LOST_MAX) {
        tell_state(db, true, e);
        return false;
    }
    return pause_before_retry(db, p->losses - 1, 20, e);
}

static bool run(struct db *db, bool soft, db_body *body, void *ctx, struct err *e)
{
    struct patience p = {.deadline = db_now_ms() + DB_PATIENCE_MS};
    enum tx_state s;
    do {
        /* A busy pool is waited for longer than an absent server: its transactions are short. */
        struct db_conn *c = take_slot(db, db_now_ms() + DB_STATEMENT_MS, e);
        if (!c)
            return false;
        s = run_once(db, c, soft, body, ctx, e);
        give_slot(db, c, s == TX_LOST || !c->pg);
        if (s == TX_GOOD)
            return true;
    } while (once_more(db, s, &p, e));
    return false;
}

bool db_run(struct db *db, db_body *body, void *ctx, struct err *e)
{
    return run(db, false, body, ctx, e);
}

bool db_run_soft(struct db *db, db_body *body, void *ctx, struct err *e)
{
    return run(db, true, body, ctx, e);
}

static bool ping_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return db_exec(tx, "select 1", NULL, 0, NULL, e);
}

bool db_ping(struct db *db, struct err *e)
{
    return db_run(db, ping_body, NULL, e);
}

void db_crash_names(struct db_tx *tx, const char *before, const char *after)
{
    if (tx->crash_count == DB_CRASH_NAMES)
        return;
    tx->crash[tx->crash_count].before = before;
    tx->crash[tx->crash_count++].after = after;
}

/* --- statements and rows --- */

bool db_exec(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
             struct db_rows **ret_rows, struct err *e)
{
    if (tx->state != TX_GOOD) { /* a failed transaction stays failed */
        *e = tx->err;
        return false;
    }
    PGresult *res = NULL;
    enum tx_state s = conn_query(tx->conn, sql, params, count, tx->cancel, &res, e);
    if (!tx_note(tx, s, e))
        return false;
    if (!ret_rows) {
        PQclear(res);
        return true;
    }
    struct db_rows *rows = malloc(sizeof(*rows));
    if (!rows)
        abort();
    rows->res = res;
    *ret_rows = rows;
    return true;
}

bool db_exec_script(struct db_tx *tx, const char *sql, struct err *e)
{
    enum { SCRIPT_MS = 10 * 60 * 1000 };
    if (tx->state != TX_GOOD) {
        *e = tx->err;
        return false;
    }
    return tx_note(tx, conn_simple(tx->conn, sql, SCRIPT_MS, tx->cancel, NULL, e), e);
}

size_t db_count(const struct db_rows *r)
{
    return (size_t)PQntuples(r->res);
}

int64_t db_affected(const struct db_rows *r)
{
    return strtoll(PQcmdTuples(r->res), NULL, 10);
}

const char *db_text(const struct db_rows *r, size_t row, size_t column)
{
    assert(row < db_count(r) && column < (size_t)PQnfields(r->res));
    if (PQgetisnull(r->res, (int)row, (int)column))
        return NULL;
    return PQgetvalue(r->res, (int)row, (int)column);
}

int64_t db_int(const struct db_rows *r, size_t row, size_t column)
{
    const char *text = db_text(r, row, column);
    return text ? strtoll(text, NULL, 10) : 0;
}

bool db_bool(const struct db_rows *r, size_t row, size_t column)
{
    const char *text = db_text(r, row, column);
    return text && *text == 't';
}

void db_rows_free(struct db_rows **r)
{
    if (!*r)
        return;
    PQclear((*r)->res);
    free(*r);
    *r = NULL;
}
