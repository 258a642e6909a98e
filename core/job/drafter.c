#include "core/job/drafter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "drafter"

enum {
    THREADS = 3, /* the last one only checks */
    POLL_MS = 1000,
    SWEEP_MS = 10 * 60 * 1000,
    KEEP_DAYS = 14,
};

struct hand {
    struct drafter *d;
    pthread_t thread;
    bool checks_only;
};

struct drafter {
    struct drafter_options o; /* name is ours */
    struct cancel stop;
    struct hand hands[THREADS];
    pthread_t keeper;
    size_t started;
    bool keeper_started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned wakes; /* with lock held */
};

/* One order from claimed to stored. */
struct turn {
    struct drafter *d;
    bool checks_only;
    struct draft draft;
    struct job job;
    struct storyboard story;
    const struct err *why; /* NULL: it was written, it may be made */
};

static bool claim_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct turn *t = ctx;
    job_free(&t->job);
    if (!draft_claim(tx, t->d->o.name, t->checks_only, &t->draft, e))
        return false;
    return t->draft.job[0] == '\0' || job_get(tx, t->draft.job, &t->job, e);
}

static bool store_check(struct db_tx *tx, struct turn *t, struct err *e)
{
    const struct drafter_calls *calls = &t->d->o.calls;
    AUTO(job_free) struct job now = {0}; /* its payer and its card may be others by now */
    bool before = false;
    if (!draft_checked(tx, &t->draft, t->d->o.name, &before, e))
        return false;
    return before ||
           (job_get(tx, t->draft.job, &now, e) && calls->checked(tx, calls->ctx, &now, t->why, e));
}

static bool store_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct turn *t = ctx;
    const struct drafter_calls *calls = &t->d->o.calls;
    bool before = false;
    if (t->draft.is_check)
        return store_check(tx, t, e);
    if (t->why ? !draft_fail(tx, &t->draft, t->d->o.name, &before, e)
               : !draft_done(tx, &t->draft, t->d->o.name, &before, e))
        return false;
    if (before)
        return true;
    return t->why ? calls->failed(tx, calls->ctx, &t->job, t->why, e)
                  : calls->written(tx, calls->ctx, &t->job, &t->story, e);
}

static bool give_back_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct turn *t = ctx;
    return draft_give_back(tx, &t->draft, t->d->o.name, e);
}

/* Until the database has answered: as long as this thread lives, its leases are kept. */
static bool store_once(struct turn *t, struct err *e)
{
    while (!db_run(t->d->o.db, store_body, t, e))
        if (e->code != ERR_RETRY || cancel_wait(&t->d->stop, POLL_MS))
            return false;
    return true;
}

/* What cannot be stored as it is (a script that is too long) ends as a failure, not as a turn without
   end. */
static void store(struct turn *t)
{
    struct err e = {0}, why;
    const struct drafter_calls *calls = &t->d->o.calls;
    bool ok = store_once(t, &e);
    if (!ok && e.code != ERR_CONFLICT && !cancel_fired(&t->d->stop)) {
        log_err(LOG_ERROR, LOG_MODULE, &e);
        why = e;
        t->why = &why;
        ok = store_once(t, &e);
    }
    if (!ok) { /* after a conflict, cancelled or begun meanwhile, nobody waits for it */
        log_err(e.code == ERR_CONFLICT ? LOG_INFO : LOG_WARN, LOG_MODULE, &e);
        return;
    }
    crash_at("drafter.stored");
    if (calls->stored)
        calls->stored(calls->ctx);
}

struct call {
    const struct job *job;
    const struct script_call *call;
};

static bool call_body(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct call *c = ctx;
    return script_call_add(tx, c->job->id, c->job->account, c->call, e);
}

void drafter_keep_call(struct db *db, const struct job *job, const struct script_call *call)
{
    struct call c = {job, call};
    struct err e = {0};
    if (!db_run_soft(db, call_body, &c, &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
}

static void on_call(void *ctx, const struct script_call *call)
{
    struct turn *t = ctx;
    drafter_keep_call(t->d->o.db, &t->job, call);
}

static bool read_story(struct turn *t, struct err *e)
{
    return storyboard_from_json(t->job.story, strlen(t->job.story), &t->story, e);
}

/* Nobody waits longer for a judge than that: the rules decide, and the job asks once more when it
   begins. */
static bool check_words(struct turn *t, struct err *e)
{
    struct toolbox tools = *t->d->o.tools;
    bool lost = t->draft.tries > DRAFT_TRIES_MAX;
    if (!read_story(t, e))
        return false;
    if ((lost || t->draft.is_late) && !tools.guard_strict) {
        log_warn("Go waited %s: the rules alone decide",
                 lost ? "for judges that died" : "too long for a judge");
        tools.guard.ops = NULL;
    } else if (lost) {
        return err_set(e, ERR_RETRY, "guard.down", "its judges died %d times", DRAFT_TRIES_MAX);
    }
    return pipeline_check(&tools, t->job.topic, &t->story, &t->d->stop, e);
}

static bool write_script(struct turn *t, struct err *e)
{
    struct story_settings *s = &t->story.settings;
    char person[PERSON_TEXT];
    struct pipeline_order order = {.topic = t->job.topic,
                                   .person = person,
                                   .cancel = &t->d->stop,
                                   .on_call = on_call,
                                   .ctx = t};
    person_name(t->job.account, person);
    if (t->draft.tries > DRAFT_TRIES_MAX)
        return err_set(e, ERR_INTERNAL, "fail.worker_lost", "its writers died %d times",
                       DRAFT_TRIES_MAX);
    if (!read_story(t, e))
        return false;
    if (t->draft.wish[0])
        str_copy(s->wish, sizeof(s->wish), t->draft.wish);
    return pipeline_write(t->d->o.tools, &order, &t->story, e);
}

static void run_turn(struct turn *t)
{
    struct err why = {0}, e = {0};
    log_job(t->job.id);
    crash_at("drafter.claimed");
    int64_t begun = clock_mono_ms();
    bool ok = t->draft.is_check ? check_words(t, &why) : write_script(t, &why);
    crash_at("drafter.written");
    if (!ok && cancel_fired(&t->d->stop)) {
        if (!db_run(t->d->o.db, give_back_body, t, &e))
            log_err(LOG_WARN, LOG_MODULE, &e);
    } else {
        if (ok && t->draft.is_check)
            log_info("words judged in %lld ms", (long long)(clock_mono_ms() - begun));
        else if (ok)
            log_info("script written: %zu scenes in %lld ms", t->story.scene_count,
                     (long long)(clock_mono_ms() - begun));
        else
            log_err(LOG_WARN, LOG_MODULE, &why);
        t->why = ok ? NULL : &why;
        store(t);
    }
    log_job(NULL);
}

/* Until a hint or a second has passed. */
static void wait_for_orders(struct drafter *d, unsigned *seen)
{
    struct timespec until = clock_until(POLL_MS);
    pthread_mutex_lock(&d->lock);
    if (d->wakes == *seen && !cancel_fired(&d->stop))
        pthread_cond_timedwait(&d->changed, &d->lock, &until);
    *seen = d->wakes;
    pthread_mutex_unlock(&d->lock);
}

static void *hand_main(void *data)
{
    const struct hand *h = data;
    struct drafter *d = h->d;
    unsigned seen = 0;
    bool away = false;
    while (!cancel_fired(&d->stop)) {
        struct turn t = {.d = d, .checks_only = h->checks_only};
        struct err e = {0};
        bool ok = db_run(d->o.db, claim_body, &t, &e);
        if (!ok && !away)
            log_err(LOG_WARN, LOG_MODULE, &e);
        away = !ok;
        if (ok && t.draft.job[0])
            run_turn(&t);
        else
            wait_for_orders(d, &seen);
        storyboard_free(&t.story);
        job_free(&t.job);
    }
    return NULL;
}

static bool renew_body(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct drafter *d = ctx;
    return draft_renew(tx, d->o.name, e);
}

static bool sweep_body(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct drafter *d = ctx;
    return draft_sweep(tx, e) && guard_sweep(tx, d->o.keep_days ? d->o.keep_days : KEEP_DAYS, e);
}

static void *keeper_main(void *data)
{
    struct drafter *d = data;
    int renew_ms = d->o.renew_ms ? d->o.renew_ms : DRAFT_LEASE_SECONDS * 1000 / 3;
    int64_t sweep_at = clock_mono_ms();
    do {
        struct err e = {0};
        bool ok = db_run_soft(d->o.db, renew_body, d, &e);
        if (ok && clock_mono_ms() >= sweep_at) {
            sweep_at = clock_mono_ms() + SWEEP_MS;
            ok = db_run_soft(d->o.db, sweep_body, d, &e);
        }
        if (!ok && e.code != ERR_CANCELLED)
            log_err(LOG_WARN, LOG_MODULE, &e);
    } while (!cancel_wait(&d->stop, renew_ms));
    return NULL;
}

static bool start_threads(struct drafter *d, struct err *e)
{
    for (size_t i = 0; i < THREADS; i++) {
        d->hands[i] = (struct hand){.d = d, .checks_only = i + 1 == THREADS};
        if (pthread_create(&d->hands[i].thread, NULL, hand_main, &d->hands[i]) != 0)
            return err_set(e, ERR_RETRY, "error.busy", "no thread for a script");
        pthread_setname_np(d->hands[i].thread, "drafter");
        d->started++;
    }
    if (pthread_create(&d->keeper, NULL, keeper_main, d) != 0)
        return err_set(e, ERR_RETRY, "error.busy", "no thread for the scripts' leases");
    pthread_setname_np(d->keeper, "draft keeper");
    d->keeper_started = true;
    return true;
}

bool drafter_start(const struct drafter_options *o, struct drafter **ret, struct err *e)
{
    struct drafter *d = calloc(1, sizeof(*d));
    pthread_condattr_t attr;
    if (!d)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    d->o = *o;
    d->o.name = str_dup(o->name);
    cancel_init(&d->stop, NULL);
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (!start_threads(d, e)) {
        drafter_stop(d);
        return false;
    }
    *ret = d;
    return true;
}

void drafter_stop(struct drafter *d)
{
    if (!d)
        return;
    cancel_fire(&d->stop);
    drafter_wake(d);
    for (size_t i = 0; i < d->started; i++)
        pthread_join(d->hands[i].thread, NULL);
    if (d->keeper_started)
        pthread_join(d->keeper, NULL);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free((char *)d->o.name);
    free(d);
}

void drafter_wake(struct drafter *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->wakes++;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}
