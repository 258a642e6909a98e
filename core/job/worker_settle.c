/* How a job ends when it does not end well. Every write is fenced by (job, attempt, worker), so
 * that writing late is harmless. */
#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/job/worker_internal.h"

#define LOG_MODULE "settle"

enum {
    KEEP_DAYS = 14,
    BACKOFF_MIN_MS = 200,
    BACKOFF_MAX_MS = 2000,
    DRAIN_PATIENCE_MS = 3000, /* for the database, at shutdown; afterwards the lease decides */
};

static int64_t pause_before_retry(struct slot *s, int *backoff)
{
    /* Not cancel_wait on the job: it may have been cancelled, and that is what we want to write. */
    struct workers *w = s->w;
    int64_t begun = clock_mono_ms();
    pthread_mutex_lock(&w->lock);
    workers_wait_locked(w, *backoff);
    pthread_mutex_unlock(&w->lock);
    *backoff = MIN(*backoff * 2, BACKOFF_MAX_MS);
    return clock_mono_ms() - begun;
}

bool settle_write(struct slot *s, db_body *body, void *ctx, struct err *e)
{
    int backoff = BACKOFF_MIN_MS;
    int64_t drained_ms = 0;
    for (;;) {
        if (db_run(s->w->o.db, body, ctx, e))
            return true;
        if (e->code == ERR_CONFLICT)
            lease_lost(s);
        if (e->code != ERR_RETRY)
            return false;
        log_err(LOG_WARN, LOG_MODULE, e);
        int64_t waited = pause_before_retry(s, &backoff);
        if (lease_look(s).stopping)
            drained_ms += MAX(waited, 1);
        if (drained_ms > DRAIN_PATIENCE_MS)
            return false;
    }
}

struct ending {
    struct slot *s;
    const struct job *job;
    const struct err *why;
    bool cancelled;
    bool keep_attempt;
    int delay_ms;
    bool failed;   /* tries were used up */
    bool may_keep; /* the film is made and was on its way: better kept than lost */
    bool kept;
};

/* The message to the person belongs to the same transaction. `job` as stored now. */
static bool tell(struct db_tx *tx, const struct ending *end, struct err *e)
{
    const struct worker_calls *calls = &end->s->w->o.calls;
    struct job now AUTO(job_free) = {0};
    if (!job_get(tx, end->job->id, &now, e))
        return false;
    now.state = end->cancelled ? JOB_CANCELLED : JOB_FAILED;
    str_copy(now.fail_key, sizeof now.fail_key, end->why->user_key);
    str_copy(now.fail_arg, sizeof now.fail_arg, end->why->arg);
    return calls->on_failed(tx, calls->ctx, &now, e);
}

/* A commit in doubt had worked: the message is stored already. */
static bool ended_before(struct db_tx *tx, const struct ending *end, bool *ret, struct err *e)
{
    struct job now AUTO(job_free) = {0};
    if (!job_get(tx, end->job->id, &now, e))
        return false;
    *ret = now.attempt == end->job->attempt &&
           (now.state == JOB_FAILED || now.state == JOB_CANCELLED || now.state == JOB_KEPT);
    return true;
}

/* Kept instead of failed, with a word to the person where words still arrive. */
static bool keep(struct db_tx *tx, struct ending *end, struct err *e)
{
    const struct worker_options *o = &end->s->w->o;
    struct job now AUTO(job_free) = {0};
    end->kept = true;
    if (!job_keep(tx, end->job, o->name, o->keep_days ? o->keep_days : KEEP_DAYS,
                  end->why->user_key, end->why->arg, e))
        return false;
    return !o->calls.on_kept ||
           (job_get(tx, end->job->id, &now, e) && o->calls.on_kept(tx, o->calls.ctx, &now, e));
}

static bool keep_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ending *end = ctx;
    bool before;
    crash_at("worker.keeping");
    if (!ended_before(tx, end, &before, e))
        return false;
    return before || keep(tx, end, e);
}

static bool fail_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ending *end = ctx;
    bool before;
    if (!ended_before(tx, end, &before, e))
        return false;
    return before || (job_fail(tx, end->job, end->s->w->o.name, end->cancelled, end->why->user_key,
                               end->why->arg, e) &&
                      tell(tx, end, e));
}

static bool retry_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ending *end = ctx;
    bool before;
    if (!ended_before(tx, end, &before, e))
        return false;
    if (before)
        return true;
    end->failed = end->kept = false;
    if (end->may_keep && !end->keep_attempt) {
        struct job now AUTO(job_free) = {0};
        if (!job_get(tx, end->job->id, &now, e))
            return false;
        if (now.tries >= JOB_ATTEMPTS_MAX)
            return keep(tx, end, e);
    }
    if (!job_retry(tx, end->job, end->s->w->o.name, end->keep_attempt, end->delay_ms,
                   end->why->user_key, end->why->arg, &end->failed, e))
        return false;
    return !end->failed || tell(tx, end, e);
}

/* Worth another try of the whole job: what failed may work in a minute. */
static bool may_work_later(const struct err *why, int attempt)
{
    switch (why->code) {
    case ERR_RETRY:
    case ERR_DISK:
    case ERR_CANCELLED: /* neither the person nor the drain: something below gave up */
        return true;
    case ERR_INTERNAL:
        return attempt <= 1;
    default:
        return false;
    }
}

void settle_error(struct slot *s, const struct job *j, const struct err *why)
{
    struct lease_view now = lease_look(s);
    struct ending end = {.s = s, .job = j, .why = why, .delay_ms = -1};
    struct err cancelled, e = {0};
    db_body *body = fail_body;
    if (now.lost)
        return; /* whoever owns it now decides */
    end.may_keep = now.delivering && !j->is_resend;
    bool later = may_work_later(why, j->attempt);
    if (now.cancel_asked && later) {
        err_set(&cancelled, ERR_CANCELLED, "make.cancelled", "the person asked");
        end.why = &cancelled;
        end.cancelled = true;
    } else if (now.stopping && later) {
        end.keep_attempt = true;
        end.delay_ms = 0;
        body = retry_body;
    } else if (later) {
        body = retry_body;
    } else if (end.may_keep && why->code == ERR_REFUSED) {
        body = keep_body;
    }
    log_err(end.cancelled || end.keep_attempt ? LOG_INFO : LOG_WARN, LOG_MODULE, why);
    if (!settle_write(s, body, &end, &e))
        log_err(LOG_ERROR, LOG_MODULE, &e);
    else if (end.kept)
        log_info("kept for its person: nobody can be reached");
    else if (body == retry_body && !end.failed)
        log_info("given back%s", end.keep_attempt ? " at shutdown" : "");
}
