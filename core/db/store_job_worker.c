/*
 * The worker's side of a job: claim, keep, save, deliver, settle. Every write is fenced by
 * (job, attempt, worker).
 */
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_job.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_ledger.h"
#include "core/db/store_util.h"

/* Conditions of the fence, as $1 to $3. */
#define FENCE " id = $1 and attempt = $2::int and worker = $3"
#define FENCE_LIVE FENCE " and state in ('running', 'delivering')"

static bool lease_lost(const struct job *j, struct err *e)
{
    return err_set(e, ERR_CONFLICT, "error.lease_lost", "job %s, attempt %d is not ours any more",
                   j->id, j->attempt);
}

bool job_claim(struct db_tx *tx, const char *worker, struct job *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *found = NULL;
    /* Nothing rests for longer: a time beyond that was set before the clock went back. */
    struct num longest = num_make(2 * JOB_BACKOFF_MAX_MS / 1000);
    const char *most[] = {longest.text};
    *ret = (struct job){0};
    if (!db_exec(tx,
                 "select id from jobs where state = 'ready' and (run_at <= clock_timestamp()"
                 "   or run_at > clock_timestamp() + $1::int * interval '1 s')"
                 " order by fair_at, id limit 1 for update skip locked",
                 most, 1, &found, e))
        return false;
    if (db_count(found) == 0)
        return true;
    struct num lease = num_make(JOB_LEASE_SECONDS);
    const char *params[] = {row_text(found, 0, 0), worker, lease.text};
    /* The try counts now, not when it fails: a job that kills its worker runs out of tries too. */
    if (!db_exec(tx,
                 "update jobs set attempt = attempt + 1, tries = tries + 1, worker = $2,"
                 " stage = '', percent = 0,"
                 " lease_until = clock_timestamp() + make_interval(secs => $3::int) where id = $1",
                 params, 3, NULL, e) ||
        !job_move(tx, params[0], JOB_READY, JOB_RUNNING, e))
        return false;
    DB_CRASH(tx, "job_claim");
    return job_get(tx, params[0], ret, e);
}

bool job_heartbeat(struct db_tx *tx, const struct job *j, const char *worker, const char *stage,
                   int percent, bool *ret_cancel_asked, struct err *e)
{
    struct num attempt = num_make(j->attempt), lease = num_make(JOB_LEASE_SECONDS),
               part = num_make(CLAMP(percent, 0, 100));
    const char *params[] = {j->id, attempt.text, worker, lease.text, stage, part.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "update jobs set lease_until = clock_timestamp() +"
                 " make_interval(secs => $4::int), stage = $5, percent = $6::int where" FENCE_LIVE
                 " returning cancel_at is not null and state = 'running'",
                 params, COUNT(params), &rows, e))
        return false;
    if (db_count(rows) == 0)
        return lease_lost(j, e);
    *ret_cancel_asked = db_bool(rows, 0, 0);
    return true;
}

bool job_save_story(struct db_tx *tx, const struct job *j, const char *worker, const char *story,
                    struct err *e)
{
    struct num attempt = num_make(j->attempt);
    const char *params[] = {j->id, attempt.text, worker, story};
    int64_t rows;
    if (!exec_change(tx, "update jobs set story = $4 where" FENCE_LIVE, params, 4, &rows, e))
        return false;
    return rows == 1 || lease_lost(j, e);
}

/* Wallets, then job: the order of everything that ends a job. */
static bool lock_fenced(struct db_tx *tx, const struct job *j, const char *worker,
                        struct job_head *ret, struct err *e)
{
    struct wallet w;
    if (!job_lock_paid(tx, j->id, ret, &w, e))
        return false;
    bool live = ret->state == JOB_RUNNING || ret->state == JOB_DELIVERING;
    return (live && ret->attempt == j->attempt && strcmp(ret->worker, worker) == 0) ||
           lease_lost(j, e);
}

bool job_delivering(struct db_tx *tx, const struct job *j, const char *worker,
                    const char *video_path, int64_t video_ms, int64_t video_bytes, struct err *e)
{
    struct job_head h = {0};
    if (!lock_fenced(tx, j, worker, &h, e))
        return false;
    struct num attempt = num_make(j->attempt), ms = num_make(video_ms),
               bytes = num_make(video_bytes);
    const char *params[] = {j->id, attempt.text, video_path, ms.text, bytes.text};
    if (!db_exec(tx,
                 "insert into deliveries(job_id, state, attempt, path, duration_ms, bytes)"
                 " values ($1, 'sending', $2, $3, $4, $5) on conflict (job_id) do update set"
                 " attempt = excluded.attempt, path = excluded.path,"
                 " duration_ms = excluded.duration_ms, bytes = excluded.bytes,"
                 " at = clock_timestamp()",
                 params, COUNT(params), NULL, e))
        return false;
    DB_CRASH(tx, "job_delivering");
    return h.state == JOB_DELIVERING || job_move(tx, j->id, JOB_RUNNING, JOB_DELIVERING, e);
}

static bool record_video(struct db_tx *tx, const struct job *j, const char *remote_ref,
                         const char *title, struct err *e)
{
    AUTO(free_ptr) char *ref = seal_ref(remote_ref);
    const char *delivered[] = {j->id, ref};
    const char *video[] = {j->id, title ? title : ""};
    int64_t rows;
    if (!exec_change(tx,
                     "update deliveries set state = 'delivered', remote_ref = $2,"
                     " at = clock_timestamp() where job_id = $1",
                     delivered, 2, &rows, e))
        return false;
    if (rows != 1)
        return err_set(e, ERR_INTERNAL, "error.internal", "job %s has no delivery", j->id);
    return db_exec(tx,
                   "insert into videos(job_id, user_id, title, path, duration_ms, bytes)"
                   " select j.id, j.user_id, $2, d.path, d.duration_ms, d.bytes"
                   " from jobs j join deliveries d on d.job_id = j.id where j.id = $1",
                   video, 2, NULL, e);
}

bool job_done(struct db_tx *tx, const struct job *j, const char *worker, const char *remote_ref,
              int64_t credits, const char *title, struct err *e)
{
    struct job_head h = {0};
    enum ledger_result r;
    if (!lock_fenced(tx, j, worker, &h, e))
        return false;
    struct num charged = num_make(CLAMP(credits, 0, h.price));
    const char *params[] = {j->id, charged.text};
    if (!record_video(tx, j, remote_ref, title, e) ||
        !ledger_capture(tx, j->id, CLAMP(credits, 0, h.price), &r, e) ||
        !db_exec(tx, "update jobs set charged = $2, percent = 100 where id = $1", params, 2, NULL,
                 e) ||
        !job_move(tx, j->id, h.state, JOB_DONE, e))
        return false;
    DB_CRASH(tx, "job_done");
    return job_promote(tx, j->account, e);
}

bool job_fail(struct db_tx *tx, const struct job *j, const char *worker, bool cancelled,
              const char *fail_key, const char *fail_arg, struct err *e)
{
    struct job_head h = {0};
    if (!lock_fenced(tx, j, worker, &h, e))
        return false;
    /* Once it was being delivered it cannot be called cancelled: the person may have it. */
    enum job_state to = cancelled && h.state == JOB_RUNNING ? JOB_CANCELLED : JOB_FAILED;
    return job_end_unpaid(tx, j->id, &h, to, fail_key, fail_arg, e);
}

bool job_keep(struct db_tx *tx, const struct job *j, const char *worker, int days,
              const char *fail_key, const char *fail_arg, struct err *e)
{
    struct job_head h = {0};
    struct num for_days = num_make(days);
    if (!lock_fenced(tx, j, worker, &h, e))
        return false;
    const char *params[] = {j->id, for_days.text, fail_key, fail_arg ? fail_arg : ""};
    if (!job_move(tx, j->id, h.state, JOB_KEPT, e) ||
        !db_exec(tx,
                 "update jobs set kept_until = clock_timestamp() + make_interval(days => $2::int),"
                 " worker = null, lease_until = null, offered_at = null, fail_key = $3,"
                 " fail_arg = $4 where id = $1",
                 params, COUNT(params), NULL, e))
        return false;
    DB_CRASH(tx, "job_keep");
    return job_promote(tx, j->account, e); /* it makes room; its credits stay held */
}

bool job_retry(struct db_tx *tx, const struct job *j, const char *worker, bool keep_attempt,
               int delay_ms, const char *fail_key, const char *fail_arg, bool *ret_failed,
               struct err *e)
{
    struct job_head h = {0};
    if (!lock_fenced(tx, j, worker, &h, e))
        return false;
    *ret_failed = !keep_attempt && h.tries >= JOB_ATTEMPTS_MAX;
    if (*ret_failed)
        return job_end_unpaid(tx, j->id, &h, JOB_FAILED, fail_key, fail_arg, e);
    struct num delay = num_make(delay_ms < 0 ? job_backoff_ms(h.tries) : delay_ms);
    const char *params[] = {j->id, keep_attempt ? "1" : "0", delay.text};
    DB_CRASH(tx, "job_retry");
    /* A wish to cancel does not wait for the back-off. */
    return job_move(tx, j->id, h.state, JOB_READY, e) &&
           db_exec(tx,
                   "update jobs set tries = tries - $2::int, worker = null, lease_until = null,"
                   " run_at = clock_timestamp() + case when cancel_at is null then $3::bigint"
                   " else 0 end * interval '1 ms' where id = $1",
                   params, 3, NULL, e);
}
