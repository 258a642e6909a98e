#include "core/job/pipeline.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/strbuf.h"
#include "core/job/pipeline_internal.h"

#define LOG_MODULE "pipeline"

const struct pipeline_video pipeline_video = {
    .probe = video_probe,
    .segment = segment_render,
    .sound = sound_render,
    .join = video_join,
    .fit = video_fit,
    .check = video_check,
    .poster = video_poster,
    .look = video_look,
};

const char *pipeline_stage_name(enum pipeline_stage s)
{
    static const char *const names[PIPE_STAGES] = {"write", "speak", "find", "compose", "join"};
    return names[s];
}

/* --- what all threads use --- */

void run_fail(struct run_state *r, const struct err *e)
{
    pthread_mutex_lock(&r->lock);
    if (!r->failed) {
        r->failed = true;
        r->err = *e;
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    cancel_fire(&r->stop);
}

void run_wait_locked(struct run_state *r, int ms)
{
    struct timespec until = clock_until(ms);
    pthread_cond_timedwait(&r->changed, &r->lock, &until);
}

bool run_error(struct run_state *r, struct err *e)
{
    pthread_mutex_lock(&r->lock);
    bool failed = r->failed;
    if (failed)
        *e = r->err;
    pthread_mutex_unlock(&r->lock);
    return failed;
}

bool run_save(struct run_state *r, struct err *e)
{
    if (!r->dirty)
        return true;
    r->dirty = false;
    return !r->run->on_save || r->run->on_save(r->run->ctx, r->story, e);
}

/* --- one run --- */

static struct run_state *run_new(const struct pipeline_run *run)
{
    struct run_state *r = calloc(1, sizeof *r);
    pthread_condattr_t attr;
    if (!r)
        return NULL;
    r->run = run;
    r->tools = run->tools;
    r->video = run->tools->video ? run->tools->video : &pipeline_video;
    r->story = run->story;
    cancel_init(&r->stop, run->cancel);
    str_copy(r->job_id, sizeof r->job_id, log_job_current());
    story_size(run->story->settings.aspect, run->story->settings.tier, &r->width, &r->height);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    return r;
}

static void run_free(struct run_state *r)
{
    for (size_t i = 0; i < r->count; i++) {
        compose_release(r, &r->scenes[i].segment);
        free(r->scenes[i].spoken.words);
    }
    compose_release(r, &r->sound);
    free(r->scenes);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void forget_speech(struct scene *s)
{
    free(TAKE(s->speech.file));
    free(TAKE(s->speech.words));
    s->speech.word_count = 0;
    s->speech.duration_ms = 0;
    s->cut.frames = 0;
}

/* What an earlier attempt found stands; what it spoke comes back from the cache. */
static bool open_scenes(struct run_state *r, struct err *e)
{
    size_t count = r->story->scene_count;
    speak_prepare(r, count);
    r->scenes = calloc(count, sizeof *r->scenes);
    if (!r->scenes)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    r->count = count;
    plan_needs(r);
    r->target_ms = plan_target_ms(r->tools, r->story, r->is_new);
    for (size_t i = 0; i < count; i++) {
        struct scene *s = &r->story->scenes[i];
        struct scene_work *w = &r->scenes[i];
        forget_speech(s);
        w->pace = s->pace;
        if (find_still_there(r, s)) {
            w->found = s->footage;
            w->second = s->second;
            w->stood = w->pictured = true;
            r->pictured++;
        } else {
            s->footage = s->second = (struct footage){0};
            w->find_wanted = true;
        }
    }
    return true;
}

static bool too_long(const struct run_state *r, struct err *e)
{
    if (r->cut == 0 || r->tools->seconds_max <= 0)
        return false;
    const struct scene *last = &r->story->scenes[r->cut - 1];
    int64_t frames = (int64_t)last->cut.first_frame + last->cut.frames;
    if (frames <= (int64_t)r->tools->seconds_max * STORY_FPS)
        return false;
    char arg[16];
    snprintf(arg, sizeof arg, "%d", r->tools->seconds_max);
    err_set_arg(e, ERR_LIMIT, "make.too_long", arg, "%zu scenes take %lld frames", r->cut,
                (long long)frames);
    return true;
}

static void take_spoken(struct run_state *r, size_t i)
{
    struct scene *s = &r->story->scenes[i];
    struct scene_work *w = &r->scenes[i];
    s->speech.file = str_dup(w->wav);
    str_copy(s->speech.engine, sizeof s->speech.engine, w->engine);
    s->speech.duration_ms = w->spoken.duration_ms;
    s->pace = w->pace;
    s->speech.words = TAKE(w->spoken.words);
    s->speech.word_count = w->spoken.word_count;
    w->spoken.word_count = 0;
    w->spoken_taken = true;
    r->spoken++;
    r->dirty = true;
}

static void note_lost(struct run_state *r)
{
    pthread_mutex_lock(&r->lock);
    r->story->own_lost = MAX(r->story->own_lost, (int)r->lost_count);
    pthread_mutex_unlock(&r->lock);
}

static void take_found(struct run_state *r, size_t i)
{
    note_lost(r);
    r->story->scenes[i].footage = r->scenes[i].found;
    r->story->scenes[i].second = r->scenes[i].second;
    r->scenes[i].pictured = true;
    r->pictured++;
    r->dirty = true;
}

/* The encoder found out that the pictures are broken: other ones, a few times. */
static bool find_again(struct run_state *r, size_t i)
{
    struct scene_work *w = &r->scenes[i];
    struct scene *s = &r->story->scenes[i];
    const struct err *why = &w->segment->err;
    if (why->code != ERR_INPUT || s->footage.kind == FOOTAGE_BACKDROP ||
        w->find_tries == FIND_TRIES_MAX)
        return false;
    log_err(LOG_WARN, LOG_MODULE, why);
    /* Which of two it was, is not known. */
    find_lost(r, &s->footage);
    compose_release(r, &w->segment);
    footage_name(&s->footage, w->banned[w->find_tries++]);
    if (s->second.kind != FOOTAGE_NONE && w->find_tries < FIND_TRIES_MAX)
        footage_name(&s->second, w->banned[w->find_tries++]);
    s->footage = s->second = (struct footage){0};
    w->stood = w->pictured = false;
    r->pictured--;
    pthread_mutex_lock(&r->lock);
    w->found_ready = false;
    w->find_wanted = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return true;
}

static void take_task(struct run_state *r, struct render_task *t)
{
    r->outstanding--;
    if (t->err.code != ERR_NONE) {
        if (t->is_sound || !find_again(r, t->scene))
            run_fail(r, &t->err);
    } else if (t->is_sound) {
        r->sound_composed = true;
    } else {
        r->scenes[t->scene].composed = true;
        r->composed++;
        r->made++;
    }
}

struct arrivals {
    bool spoken, found, composed;
};

static struct arrivals arrived(struct run_state *r, size_t i)
{
    const struct scene_work *w = &r->scenes[i];
    pthread_mutex_lock(&r->lock);
    struct arrivals a = {
        .spoken = w->spoken_ready && !w->spoken_taken,
        .found = w->found_ready && !w->pictured,
        .composed = w->segment && w->segment->finished && !w->composed,
    };
    pthread_mutex_unlock(&r->lock);
    return a;
}

static void take_arrivals(struct run_state *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct arrivals a = arrived(r, i);
        if (a.spoken)
            take_spoken(r, i);
        if (a.found)
            take_found(r, i);
        if (a.composed)
            take_task(r, r->scenes[i].segment);
    }
    pthread_mutex_lock(&r->lock);
    bool sound = r->sound && r->sound->finished && !r->sound_composed;
    pthread_mutex_unlock(&r->lock);
    if (sound)
        take_task(r, r->sound);
}

static bool prepare_scene(struct run_state *r, size_t i, struct err *e)
{
    struct scene_work *w = &r->scenes[i];
    struct scene *s = &r->story->scenes[i];
    int64_t in_ms = s->footage.in_ms + s->second.in_ms;
    int need_ms = s->cut.frames * 1000 / STORY_FPS / (s->second.kind != FOOTAGE_NONE ? 2 : 1);
    find_choose_in_point(&s->footage, r->story->settings.seed, i, need_ms);
    find_choose_in_point(&s->second, r->story->settings.seed, i + STORY_SCENES_MAX, need_ms);
    r->dirty |= in_ms != s->footage.in_ms + s->second.in_ms;
    if (!compose_segment(r, i, &w->segment, e))
        return false;
    if (w->segment->cached) {
        progress_free_segment(r, i);
        w->composed = true;
        r->composed++;
        r->cached++;
    }
    return true;
}

/* Makes ready what has all it needs. */
static bool prepare(struct run_state *r, struct err *e)
{
    r->cut = storyboard_cut(r->story);
    if (too_long(r, e))
        return false;
    for (size_t i = 0; i < r->cut; i++)
        if (r->scenes[i].pictured && !r->scenes[i].segment && !prepare_scene(r, i, e))
            return false;
    if (r->cut == r->count && !r->sound) {
        if (!compose_sound(r, &r->sound, e))
            return false;
        r->sound_composed = r->sound->cached;
    }
    return run_save(r, e);
}

static struct render_task *heaviest(struct run_state *r)
{
    struct render_task *best = NULL;
    if (r->sound && !r->sound->submitted && !r->sound->cached)
        return r->sound; /* short, and nothing can be joined without it */
    for (size_t i = 0; i < r->count; i++) {
        struct render_task *t = r->scenes[i].segment;
        if (t && !t->submitted && !t->cached && (!best || t->frames > best->frames))
            best = t;
    }
    return best;
}

/* A small window only: the pool's queue is bounded and shared. */
static void submit(struct run_state *r)
{
    size_t window = 2 * pool_threads(r->tools->render);
    struct render_task *t;
    compose_share(r);
    while (r->outstanding < window && (t = heaviest(r)))
        compose_submit(r, t);
}

static void wait_change(struct run_state *r)
{
    pthread_mutex_lock(&r->lock);
    bool pending = r->failed || (r->sound && r->sound->finished && !r->sound_composed);
    for (size_t i = 0; i < r->count && !pending; i++) {
        const struct scene_work *w = &r->scenes[i];
        pending = (w->spoken_ready && !w->spoken_taken) || (w->found_ready && !w->pictured) ||
                  (w->segment && w->segment->finished && !w->composed);
    }
    if (!pending)
        run_wait_locked(r, WAKE_EVERY_MS);
    pthread_mutex_unlock(&r->lock);
}

static void work_scenes(struct run_state *r)
{
    struct err e = {0};
    while (!run_error(r, &e) && (r->composed < r->count || !r->sound_composed)) {
        take_arrivals(r);
        if (cancel_fired(&r->stop)) {
            err_set(&e, ERR_CANCELLED, "make.cancelled", "stopped while working");
            run_fail(r, &e);
        } else if (!prepare(r, &e)) {
            run_fail(r, &e);
        } else {
            submit(r);
            progress_show(r, false);
            if (r->composed < r->count || !r->sound_composed)
                wait_change(r);
        }
    }
}

static bool start_thread(pthread_t *thread, void *(*main)(void *), struct run_state *r,
                         const char *name)
{
    struct err e;
    int error = pthread_create(thread, NULL, main, r);
    if (error != 0) {
        errno = error;
        err_set(&e, ERR_RETRY, "error.busy", "thread %s: %m", name);
        run_fail(r, &e);
        return false;
    }
    pthread_setname_np(*thread, name);
    return true;
}

static bool make_scenes(struct run_state *r, struct err *e)
{
    pthread_t speaker;
    struct err why = {0};
    bool speaking = start_thread(&speaker, speaker_main, r, "speaker");
    if (!find_start(r, &why))
        run_fail(r, &why);
    work_scenes(r);
    pthread_mutex_lock(&r->lock);
    r->closing = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (speaking)
        pthread_join(speaker, NULL);
    find_stop(r);
    return !run_error(r, e);
}

static bool run_all(struct run_state *r, struct pipeline_result *ret, struct err *e)
{
    progress_begin(r);
    progress_show(r, true);
    if (r->story->scene_count == 0 || r->story->dub) {
        if (r->story->dub ? !dub_story(r, e) : !write_story(r, e))
            return false;
        if (!run_save(r, e))
            return false;
        r->is_new = true;
        crash_at("pipeline.written");
    } else if (!pipeline_check(r->tools, r->run->topic, r->story, &r->stop, e)) {
        return false;
    }
    if (!open_scenes(r, e))
        return false;
    progress_show(r, true);
    if (!make_scenes(r, e))
        return false;
    return finish_film(r, ret, e);
}

bool pipeline_run(const struct pipeline_run *run, struct pipeline_result *ret, struct err *e)
{
    struct run_state *r = run_new(run);
    if (!r)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    bool ok = run_all(r, ret, e);
    if (!ok) {
        cancel_fire(&r->stop); /* whatever still runs on the pool */
        /* Whoever noticed the user's wish first may have called it something else. */
        if (cancel_fired(run->cancel) && e->code != ERR_CONFLICT)
            err_set(e, ERR_CANCELLED, "make.cancelled", "stopped");
    }
    run_free(r);
    return ok;
}
