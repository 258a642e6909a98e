/*
 * The janitor's side of a job: whatever nobody looks after any more comes to an end or goes on.
 * Each function is bounded and may run in any number of processes at once.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_job.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_util.h"

enum { RESCUE_ROWS = 50, BACKOFF_FIRST_MS = 5000 };

typedef bool on_failed_fn(struct db_tx *tx, void *ctx, const struct job *j, struct err *e);

int64_t job_backoff_ms(int tries)
{
    unsigned char r;
    random_bytes(&r, 1);
    int64_t ms = MIN((int64_t)BACKOFF_FIRST_MS << CLAMP(tries, 0, 10), JOB_BACKOFF_MAX_MS);
    return ms * (70 + 60 * r / 255) / 100; /* 30 % either way */
}

static bool tell_failed(struct db_tx *tx, const char *id, on_failed_fn *on_failed, void *ctx,
                        struct err *e)
{
    AUTO(job_free) struct job j = {0};
    return !on_failed || (job_get(tx, id, &j, e) && on_failed(tx, ctx, &j, e));
}

/* The first loss is taken up at once; a job that loses its worker again and again waits. */
static bool put_back(struct db_tx *tx, const char *id, const struct job_head *h, struct err *e)
{
    struct num delay = num_make(h->tries <= 1 ? 0 : job_backoff_ms(h->tries - 1));
    const char *params[] = {id, delay.text};
    return job_move(tx, id, h->state, JOB_READY, e) &&
           db_exec(tx,
                   "update jobs set worker = null, lease_until = null,"
                   " run_at = clock_timestamp() + case when cancel_at is null then $2::bigint"
                   " else 0 end * interval '1 ms' where id = $1",
                   params, 2, NULL, e);
}

/* Locks in the usual order and looks again: meanwhile the job may have moved. */
static bool still_so(struct db_tx *tx, const char *id, const char *condition, bool *ret,
                     struct job_head *ret_head, struct err *e)
{
    struct wallet w;
    char sql[320];
    const char *params[] = {id};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    snprintf(sql, sizeof(sql), "select 1 from jobs where id = $1 and %s", condition);
    if (!job_lock_paid(tx, id, ret_head, &w, e) || !db_exec(tx, sql, params, 1, &rows, e))
        return false;
    *ret = db_count(rows) > 0;
    return true;
}

/* The wallets of all of them, of groups that pay too, are locked at once and by id: that is the order
   in which everybody takes them. */
static bool lock_wallets(struct db_tx *tx, const struct db_rows *jobs, struct err *e)
{
    struct strbuf list = STRBUF(65536);
    for (size_t i = 0; i < db_count(jobs); i++)
        strbuf_addf(&list, "%s%s", i ? "," : "{", row_text(jobs, i, 0));
    strbuf_addc(&list, '}');
    AUTO(free_ptr) char *ids = strbuf_take(&list);
    const char *params[] = {ids};
    return db_exec(tx,
                   "select 1 from wallets where user_id in (select unnest(array[user_id, payer_id])"
                   " from jobs where id = any($1::uuid[])) order by user_id for update",
                   params, 1, NULL, e);
}

static bool candidates(struct db_tx *tx, const char *condition, struct db_rows **ret, struct err *e)
{
    char sql[400];
    struct num limit = num_make(RESCUE_ROWS);
    const char *params[] = {limit.text};
    snprintf(sql, sizeof(sql), "select id from jobs where %s order by user_id, id limit $1",
             condition);
    return db_exec(tx, sql, params, 1, ret, e) &&
           (db_count(*ret) == 0 || lock_wallets(tx, *ret, e));
}

#define LEASE_ENDED "state in ('running', 'delivering') and lease_until <= clock_timestamp()"

static bool rescue_leased(struct db_tx *tx, on_failed_fn *on_failed, void *ctx, int *count,
                          struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!candidates(tx, LEASE_ENDED, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        const char *id = row_text(rows, i, 0);
        struct job_head h = {0};
        bool so;
        if (!still_so(tx, id, LEASE_ENDED, &so, &h, e))
            return false;
        if (!so)
            continue;
        ++*count;
        if (h.tries < JOB_ATTEMPTS_MAX) {
            if (!put_back(tx, id, &h, e))
                return false;
        } else if (!job_end_unpaid(tx, id, &h, JOB_FAILED, "fail.worker_lost", NULL, e) ||
                   !tell_failed(tx, id, on_failed, ctx, e)) {
            return false;
        }
    }
    return true;
}

static bool rescue_late(struct db_tx *tx, on_failed_fn *on_failed, void *ctx, int *count,
                        struct err *e)
{
    char late[200];
    snprintf(late, sizeof(late),
             "state in ('waiting', 'ready') and started_at <="
             " clock_timestamp() - interval '%d hours'",
             JOB_QUEUE_HOURS);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!candidates(tx, late, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        const char *id = row_text(rows, i, 0);
        struct job_head h = {0};
        bool so;
        if (!still_so(tx, id, late, &so, &h, e))
            return false;
        if (!so)
            continue;
        ++*count;
        if (!job_end_unpaid(tx, id, &h, JOB_FAILED, "fail.too_late", NULL, e) ||
            !tell_failed(tx, id, on_failed, ctx, e))
            return false;
    }
    return true;
}

/* Nobody came for it: the credits go back. */
static bool expire_kept(struct db_tx *tx, on_failed_fn *on_failed, void *ctx, struct err *e)
{
    static const char over[] = "state = 'kept' and kept_until <= clock_timestamp()";
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!candidates(tx, over, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        const char *id = row_text(rows, i, 0);
        struct job_head h = {0};
        bool so;
        if (!still_so(tx, id, over, &so, &h, e))
            return false;
        if (so && (!job_end_unpaid(tx, id, &h, JOB_FAILED, "fail.kept_too_long", NULL, e) ||
                   !tell_failed(tx, id, on_failed, ctx, e)))
            return false;
    }
    return true;
}

static bool expire_quotes(struct db_tx *tx, struct err *e)
{
    struct num hours = num_make(JOB_QUOTE_HOURS), limit = num_make(RESCUE_ROWS);
    const char *params[] = {hours.text, limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select id from jobs where state = 'quoted' and created_at <="
                 " clock_timestamp() - make_interval(hours => $1::int) and not " JOB_IN_CHECK
                 " order by created_at limit $2 for update skip locked",
                 params, 2, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        if (!job_move(tx, row_text(rows, i, 0), JOB_QUOTED, JOB_CANCELLED, e))
            return false;
    return true;
}

/* Counted again under the wallet's lock: only then nobody moves a job of this account. */
static bool recount(struct db_tx *tx, const char *account, struct err *e)
{
    struct wallet w;
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!wallet_lock(tx, account, &w, e) ||
        !db_exec(tx,
                 "update wallets set active = (select count(*) from jobs where user_id = $1"
                 " and state in ('ready', 'running', 'delivering')) where user_id = $1"
                 " returning active",
                 params, 1, &rows, e))
        return false;
    if (db_int(rows, 0, 0) >= JOB_RUNNING_MAX)
        return true;
    /* A free place counts as taken; promoting fills it or gives it back. */
    return db_exec(tx, "update wallets set active = active + 1 where user_id = $1", params, 1, NULL,
                   e) &&
           job_promote(tx, account, e);
}

/* A counter that does not fit is our bug (ledger_check tells), but must not block a person. */
static bool repair_counters(struct db_tx *tx, struct err *e)
{
    struct num cap = num_make(JOB_RUNNING_MAX), limit = num_make(RESCUE_ROWS);
    const char *params[] = {cap.text, limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select user_id from (select user_id, active from wallets where active <> 0) w"
                 " full join (select user_id,"
                 "   count(*) filter (where state in ('ready', 'running', 'delivering')) active,"
                 "   count(*) filter (where state = 'waiting') waiting from jobs"
                 "   where state in ('waiting', 'ready', 'running', 'delivering')"
                 "   group by user_id) k using (user_id)"
                 " where coalesce(w.active, 0) <> coalesce(k.active, 0)"
                 " or (k.waiting > 0 and k.active < $1::int) order by user_id limit $2",
                 params, 2, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        if (!recount(tx, row_text(rows, i, 0), e))
            return false;
    return true;
}

static bool forget_addresses(struct db_tx *tx, struct err *e)
{
    static const char *const steps[] = {
        "update deliveries set remote_ref = '' where job_id in (select id from jobs"
        " where ended_at < clock_timestamp() - interval '1 day' and addr <> ''"
        " order by id limit $1::int)",
        "update jobs set addr = '', media = '', card_ref = '' where id in (select id from jobs"
        " where ended_at < clock_timestamp() - interval '1 day' and addr <> ''"
        " order by id limit $1::int for update skip locked)",
        "update jobs set lane = null where id in (select id from jobs"
        " where ended_at < clock_timestamp() - interval '90 days' and lane is not null"
        " order by id limit $1::int for update skip locked)",
    };
    struct num limit = num_make(RESCUE_ROWS);
    const char *params[] = {limit.text};
    for (size_t i = 0; i < COUNT(steps); i++)
        if (!db_exec(tx, steps[i], params, 1, NULL, e))
            return false;
    return true;
}

bool job_rescue(struct db_tx *tx,
                bool (*on_failed)(struct db_tx *tx, void *ctx, const struct job *j, struct err *e),
                void *ctx, int *ret_rescued, struct err *e)
{
    int count = 0;
    if (!rescue_leased(tx, on_failed, ctx, &count, e) ||
        !rescue_late(tx, on_failed, ctx, &count, e) || !expire_kept(tx, on_failed, ctx, e) ||
        !expire_quotes(tx, e) || !repair_counters(tx, e) || !forget_addresses(tx, e))
        return false;
    if (count > 0)
        DB_CRASH(tx, "job_rescue");
    if (ret_rescued)
        *ret_rescued = count;
    return true;
}

bool job_expire_leases(struct db_tx *tx, const char *worker, struct err *e)
{
    const char *params[] = {worker};
    return db_exec(tx,
                   "update jobs set lease_until = clock_timestamp() where worker <> $1"
                   " and state in ('running', 'delivering')",
                   params, 1, NULL, e);
}
