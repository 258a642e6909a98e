/* The keeper: heartbeats of all jobs at hand, and the local deadline after which a job that might
 * belong to somebody else by now is dropped. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/job/worker_internal.h"

#define LOG_MODULE "lease"

enum { KEEPER_LOOK_MS = 250, RETRY_MS = 1000 };

void lease_begin(struct slot *s, const struct job *j, int64_t claimed_ms)
{
    struct workers *w = s->w;
    pthread_mutex_lock(&w->lock);
    cancel_init(&s->stop, &w->drain);
    s->phase = SLOT_RUNNING;
    s->turn++;
    str_copy(s->job, sizeof s->job, j->id);
    s->attempt = j->attempt;
    str_copy(s->stage, sizeof s->stage, pipeline_stage_name(PIPE_WRITE));
    s->percent = 0;
    s->good_ms = claimed_ms;
    s->next_ms = claimed_ms + w->o.heartbeat_ms;
    s->lost = false;
    s->cancel_asked = false;
    pthread_mutex_unlock(&w->lock);
}

void lease_end(struct slot *s)
{
    lease_phase(s, SLOT_IDLE);
}

void lease_phase(struct slot *s, enum slot_phase phase)
{
    pthread_mutex_lock(&s->w->lock);
    s->phase = phase;
    pthread_mutex_unlock(&s->w->lock);
}

static void lose_locked(struct slot *s, const char *why)
{
    if (s->lost)
        return;
    s->lost = true;
    cancel_fire(&s->stop);
    log_warn("job %s attempt %d is not ours any more: %s", s->job, s->attempt, why);
}

static bool trusted_locked(struct slot *s, int64_t now)
{
    if (s->phase != SLOT_IDLE && !s->lost && now > s->good_ms + s->w->o.trust_ms)
        lose_locked(s, "no heartbeat was answered in time");
    return !s->lost;
}

bool lease_trusted(struct slot *s)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&s->w->lock);
    bool ok = trusted_locked(s, now);
    pthread_mutex_unlock(&s->w->lock);
    return ok;
}

void lease_lost(struct slot *s)
{
    pthread_mutex_lock(&s->w->lock);
    lose_locked(s, "the database says so");
    pthread_mutex_unlock(&s->w->lock);
}

void lease_stage(struct slot *s, const char *stage, int percent)
{
    pthread_mutex_lock(&s->w->lock);
    str_copy(s->stage, sizeof s->stage, stage);
    s->percent = percent;
    pthread_mutex_unlock(&s->w->lock);
}

static void cancel_seen_locked(struct slot *s)
{
    if (s->phase != SLOT_RUNNING)
        return; /* the upload is under way: the person was told that it is too late */
    s->cancel_asked = true;
    cancel_fire(&s->stop);
}

void lease_cancel_seen(struct slot *s)
{
    pthread_mutex_lock(&s->w->lock);
    cancel_seen_locked(s);
    pthread_mutex_unlock(&s->w->lock);
}

struct lease_view lease_look(struct slot *s)
{
    pthread_mutex_lock(&s->w->lock);
    struct lease_view v = {s->lost, s->cancel_asked, s->w->stopping, s->phase == SLOT_DELIVERING};
    pthread_mutex_unlock(&s->w->lock);
    return v;
}

struct beat {
    const char *worker;
    struct job job; /* id and attempt only: the fence */
    char stage[16];
    int percent;
    unsigned turn;
    bool cancel_asked;
};

static bool beat_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct beat *b = ctx;
    return job_heartbeat(tx, &b->job, b->worker, b->stage, b->percent, &b->cancel_asked, e);
}

static bool beat_due(struct slot *s, int64_t now, struct beat *b)
{
    pthread_mutex_lock(&s->w->lock);
    bool due = s->phase != SLOT_IDLE && !s->lost && now >= s->next_ms;
    if (due) {
        *b = (struct beat){.worker = s->w->o.name, .percent = s->percent, .turn = s->turn};
        str_copy(b->job.id, sizeof b->job.id, s->job);
        b->job.attempt = s->attempt;
        str_copy(b->stage, sizeof b->stage, s->stage);
    }
    pthread_mutex_unlock(&s->w->lock);
    return due;
}

static void beat_answer(struct slot *s, const struct beat *b, int64_t sent, bool ok,
                        const struct err *e)
{
    pthread_mutex_lock(&s->w->lock);
    if (s->turn == b->turn && s->phase != SLOT_IDLE) {
        s->next_ms = ok ? sent + s->w->o.heartbeat_ms
                        : clock_mono_ms() + MIN(RETRY_MS, s->w->o.heartbeat_ms);
        if (ok)
            s->good_ms = sent;
        if (ok && b->cancel_asked)
            cancel_seen_locked(s);
        if (!ok && e->code == ERR_CONFLICT)
            lose_locked(s, "somebody else has it");
    }
    pthread_mutex_unlock(&s->w->lock);
}

static void keep_slot(struct slot *s)
{
    struct beat b;
    struct err e = {0};
    int64_t now = clock_mono_ms();
    if (beat_due(s, now, &b)) {
        bool ok = db_run_soft(s->w->o.db, beat_body, &b, &e);
        if (!ok)
            log_err(LOG_WARN, LOG_MODULE, &e);
        beat_answer(s, &b, now, ok, &e);
    }
    lease_trusted(s);
}

/* Heartbeats go on during a drain until the last job is given back. */
static bool keeper_needed(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    bool needed = !w->stopping;
    for (size_t i = 0; i < w->slot_count; i++)
        needed |= w->slots[i].phase != SLOT_IDLE;
    if (needed)
        workers_wait_locked(w, MIN(KEEPER_LOOK_MS, w->o.heartbeat_ms));
    pthread_mutex_unlock(&w->lock);
    return needed;
}

void *keeper_main(void *workers)
{
    struct workers *w = workers;
    while (keeper_needed(w))
        for (size_t i = 0; i < w->slot_count; i++)
            keep_slot(&w->slots[i]);
    return NULL;
}
