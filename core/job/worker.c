#include "core/job/worker.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/job/worker_internal.h"

#define LOG_MODULE "worker"

enum { DEFAULT_THREADS = 2, DEFAULT_POLL_MS = 1000, OUTAGE_WAIT_MS = 1000 };

void workers_wait_locked(struct workers *w, int ms)
{
    struct timespec until = clock_until(ms);
    pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

void workers_wake(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->hints++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void workers_check(struct workers *w, const char *job)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->slot_count; i++)
        if (strcmp(w->slots[i].job, job) == 0)
            w->slots[i].next_ms = 0;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void on_hint(void *ctx)
{
    workers_wake(ctx);
}

struct claim {
    const char *worker;
    struct job job;
};

static bool claim_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct claim *c = ctx;
    job_free(&c->job);
    c->job = (struct job){0};
    return job_claim(tx, c->worker, &c->job, e);
}

/* *ret_job with id "" when there is nothing to do. */
static bool claim(struct workers *w, struct job *ret_job, struct err *e)
{
    struct claim c = {.worker = w->o.name};
    if (!db_run(w->o.db, claim_body, &c, e)) {
        /* A claim whose commit is in doubt comes back by its lease. */
        job_free(&c.job);
        return false;
    }
    *ret_job = c.job;
    return true;
}

/* Until a hint, the poll interval, or the end. False at the end. */
static bool wait_for_work(struct workers *w, unsigned seen, int ms)
{
    pthread_mutex_lock(&w->lock);
    if (!w->stopping && w->hints == seen)
        workers_wait_locked(w, ms);
    bool go_on = !w->stopping;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static unsigned hints_now(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    unsigned hints = w->hints;
    pthread_mutex_unlock(&w->lock);
    return hints;
}

static void *slot_main(void *slot)
{
    struct slot *s = slot;
    struct workers *w = s->w;
    bool away = false;
    int wait_ms = 0;
    unsigned seen = 0;
    while (wait_for_work(w, seen, wait_ms)) {
        struct job j = {0};
        struct err e = {0};
        seen = hints_now(w); /* a hint during the claim makes us look again */
        int64_t now = clock_mono_ms();
        if (!claim(w, &j, &e)) {
            if (!away)
                log_err(LOG_WARN, LOG_MODULE, &e);
            away = true;
            wait_ms = OUTAGE_WAIT_MS;
            seen = hints_now(w);
            continue;
        }
        away = false;
        wait_ms = w->o.poll_ms;
        if (j.id[0]) {
            worker_run_job(s, &j, now);
            wait_ms = 0;
            seen = hints_now(w) - 1; /* look for the next one at once */
        }
        job_free(&j);
    }
    return NULL;
}

static struct workers *workers_new(const struct worker_options *o)
{
    size_t count = o->threads ? o->threads : DEFAULT_THREADS;
    struct workers *w = calloc(1, sizeof *w + count * sizeof w->slots[0]);
    pthread_condattr_t attr;
    if (!w)
        return NULL;
    w->o = *o;
    w->o.name = str_dup(o->name);
    w->o.out_dir = str_dup(o->out_dir);
    w->o.poll_ms = o->poll_ms ? o->poll_ms : DEFAULT_POLL_MS;
    w->o.heartbeat_ms = o->heartbeat_ms ? o->heartbeat_ms : JOB_HEARTBEAT_SECONDS * 1000;
    w->o.trust_ms = o->trust_ms ? o->trust_ms : (JOB_LEASE_SECONDS - JOB_HEARTBEAT_SECONDS) * 1000;
    w->slot_count = count;
    cancel_init(&w->drain, NULL);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    for (size_t i = 0; i < count; i++) {
        w->slots[i].w = w;
        cancel_init(&w->slots[i].stop, &w->drain);
    }
    return w;
}

static bool start_threads(struct workers *w, struct err *e)
{
    if (pthread_create(&w->keeper, NULL, keeper_main, w) != 0)
        return err_set(e, ERR_RETRY, "error.busy", "no thread for the keeper");
    w->keeper_started = true;
    pthread_setname_np(w->keeper, "keeper");
    for (size_t i = 0; i < w->slot_count; i++) {
        struct slot *s = &w->slots[i];
        char name[16];
        if (pthread_create(&s->thread, NULL, slot_main, s) != 0)
            return err_set(e, ERR_RETRY, "error.busy", "no thread for a worker");
        s->started = true;
        snprintf(name, sizeof name, "worker %u", (unsigned)(i + 1) % 1000);
        pthread_setname_np(s->thread, name);
    }
    return true;
}

bool workers_start(const struct worker_options *o, struct workers **ret, struct err *e)
{
    if (!fs_mkdirs(o->out_dir, 0700, e))
        return false;
    struct workers *w = workers_new(o);
    if (!w)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    cache_sweep_temp(w->o.out_dir);
    if (!db_listen(o->db, "nanotik_jobs", w->o.poll_ms, on_hint, w, &w->listener, e) ||
        !start_threads(w, e)) {
        workers_stop(w);
        return false;
    }
    *ret = w;
    return true;
}

void workers_stop(struct workers *w)
{
    if (!w)
        return;
    db_listen_stop(w->listener);
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    cancel_fire(&w->drain);
    for (size_t i = 0; i < w->slot_count; i++)
        if (w->slots[i].started)
            pthread_join(w->slots[i].thread, NULL);
    if (w->keeper_started)
        pthread_join(w->keeper, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free((char *)w->o.name);
    free((char *)w->o.out_dir);
    free(w);
}
