/* FIND: pictures for each scene. Several scenes are searched and downloaded at once; choosing goes
 * in scene order, so that the same seed chooses the same pictures whatever is slow today. A scene
 * whose pictures turn out broken later is put back.
 *
 * A finder thread and its scene: prepare (outside calls) -> its turn: choose and claim -> its turn:
 * download, so that the first scene is not kept waiting by those that share its link -> probe ->
 * once all scenes before it are settled: does it look like one of theirs? -> settled. */
#include "core/job/pipeline_find.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "find"

enum {
    THREADS = 4, /* scenes at once: so many downloads of one job */
    FIRST_SCENES = 2,
    HEAD_MS = 800,     /* each of the first scenes has the link for itself so long */
    LOOK_AT_MS = 1000, /* in a clip that begins with nothing */
    ALIKE_MAX = 2,     /* hits of a scene that are passed over for their look */
    SECOND_MS = 8000,  /* slots as long as this change their picture half way */
    TWO_MS = 4000,     /* shorter ones never */
    CALLS_MIN = 12,    /* to services, of one film; or two a scene */
    MOOD_CALLS = 4,    /* besides: all scenes ask the same then */
};

void footage_name(const struct footage *f, char ret[static FOOTAGE_NAME_MAX])
{
    snprintf(ret, FOOTAGE_NAME_MAX, "%s:%s", f->provider, f->id);
}

static bool is_there(const struct run_state *r, const struct footage *f)
{
    if (f->kind == FOOTAGE_NONE || f->kind == FOOTAGE_BACKDROP)
        return true;
    return cache_holds(r->tools->cache, f->path) ? cache_touch(f->path)
                                                 : access(f->path, R_OK) == 0;
}

bool find_still_there(const struct run_state *r, const struct scene *s)
{
    return s->footage.kind != FOOTAGE_NONE && is_there(r, &s->footage) && is_there(r, &s->second);
}

void find_choose_in_point(struct footage *f, uint64_t seed, size_t scene, int need_ms)
{
    if (f->kind != FOOTAGE_CLIP)
        return;
    int64_t spare = f->duration_ms - need_ms;
    if (spare <= 0) {
        f->in_ms = 0;
        return;
    }
    if (f->in_ms > 0 && f->in_ms <= spare)
        return; /* chosen before */
    struct rng rng = rng_make(seed, 0x696e0000u + scene);
    /* Not the very end: clips fade out there. */
    f->in_ms = (int64_t)rng_range(&rng, 0, (double)spare * 0.9);
}

/* --- turns --- */

static bool stopped_locked(const struct run_state *r)
{
    return r->closing || r->failed || cancel_fired(&r->stop);
}

/* Waits until all scenes before this one have passed a mark (finder.chosen or .settled); *first is
   the lowest that has not. False: stopped. */
static bool wait_for(struct finder *f, const bool *mark, size_t *first, size_t scene)
{
    struct run_state *r = f->r;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (*first < r->count && mark[*first])
            (*first)++;
        if (*first >= scene || stopped_locked(r))
            break;
        run_wait_locked(r, WAKE_EVERY_MS);
    }
    bool go_on = !stopped_locked(r);
    pthread_mutex_unlock(&r->lock);
    return go_on;
}

/* The link is for the first scenes alone, one after another, as long as they do not take their time:
   nothing is encoded before they are there. False: stopped. */
static bool wait_for_link(struct finder *f, size_t scene)
{
    struct run_state *r = f->r;
    size_t before = MIN(scene, (size_t)FIRST_SCENES);
    pthread_mutex_lock(&r->lock);
    while (!stopped_locked(r)) {
        size_t begun = 0, loaded = 0;
        for (size_t i = 0; i < before; i++) {
            begun += f->loading[i];
            loaded += f->loaded[i];
        }
        int64_t left = begun < before ? WAKE_EVERY_MS : f->loading_ms + HEAD_MS - clock_mono_ms();
        if (loaded == before || left <= 0)
            break;
        run_wait_locked(r, (int)MIN(left, (int64_t)WAKE_EVERY_MS));
    }
    if (scene < FIRST_SCENES) {
        f->loading[scene] = true;
        f->loading_ms = clock_mono_ms();
        pthread_cond_broadcast(&r->changed);
    }
    bool go_on = !stopped_locked(r);
    pthread_mutex_unlock(&r->lock);
    return go_on;
}

static void pass(struct finder *f, bool *mark, size_t scene)
{
    pthread_mutex_lock(&f->r->lock);
    mark[scene] = true;
    pthread_cond_broadcast(&f->r->changed);
    pthread_mutex_unlock(&f->r->lock);
}

/* --- looks --- */

/* 0: unknown. Only pictures that somebody else made: a person's own may look alike on purpose. */
static uint64_t look_of(const struct run_state *r, const struct footage *f)
{
    struct err e = {0};
    uint64_t look = 0;
    if (!r->video->look || !f->author[0] || f->kind == FOOTAGE_BACKDROP || !f->path[0] ||
        !r->video->look(f->path, 0, &r->stop, &look, &e))
        return 0;
    int64_t at_ms = f->kind == FOOTAGE_CLIP ? MIN((int64_t)LOOK_AT_MS, f->duration_ms / 2) : 0;
    if (look == 0 && at_ms > 0 && !r->video->look(f->path, at_ms, &r->stop, &look, &e))
        return 0;
    return look;
}

static bool looks_used(struct finder *f, uint64_t look)
{
    bool found = false;
    pthread_mutex_lock(&f->r->lock);
    for (size_t i = 0; i < f->look_count && !found; i++)
        found = video_looks_alike(look, f->looks[i]);
    pthread_mutex_unlock(&f->r->lock);
    return found;
}

static void keep_look(struct finder *f, uint64_t look)
{
    pthread_mutex_lock(&f->r->lock);
    if (look && f->look_count < COUNT(f->looks))
        f->looks[f->look_count++] = look;
    pthread_mutex_unlock(&f->r->lock);
}

/* --- one scene --- */

static bool nothing_found(struct hunt *h, struct err *e)
{
    if (cancel_fired(&h->f->r->stop))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped while searching");
    return err_set(e, ERR_NOT_FOUND, "make.no_pictures", "no source has pictures for scene %zu",
                   h->scene + 1);
}

/* The first good hit; one that looks like another scene's only when its source has no other. */
static bool find_first(struct hunt *h, struct footage *ret)
{
    struct finder *f = h->f;
    struct footage hit, spare = {0};
    size_t spare_rung = 0;
    bool my_turn = false; /* all scenes before this one are settled */
    for (int alike = 0; hunt_usable(h, &hit);) {
        uint64_t look = look_of(f->r, &hit);
        if (look && !my_turn && !wait_for(f, f->settled, &f->settled_first, h->scene))
            return false;
        my_turn = my_turn || look;
        bool passed_over = spare.kind != FOOTAGE_NONE;
        if (passed_over && h->rung != spare_rung)
            break;
        if (look && looks_used(f, look)) {
            if (!passed_over)
                spare = hit;
            spare_rung = h->rung;
            if (alike++ < ALIKE_MAX && hunt_has_more(h))
                continue;
            break;
        }
        keep_look(f, look);
        *ret = hit;
        return true;
    }
    *ret = spare;
    return spare.kind != FOOTAGE_NONE && !cancel_fired(&f->r->stop);
}

/* Best effort: a scene may do with one. */
static void find_second(struct hunt *h, struct footage *hit)
{
    struct finder *f = h->f;
    if (hit->kind == FOOTAGE_NONE)
        return;
    bool ok = hunt_probe(h, hit) &&
              (!hit->author[0] || wait_for(f, f->settled, &f->settled_first, h->scene));
    uint64_t look = ok ? look_of(f->r, hit) : 0;
    if (!ok || (look && looks_used(f, look)))
        *hit = (struct footage){0};
    else
        keep_look(f, look);
}

/* Another clip is better than the same one over again. */
static bool ends_early(const struct footage *hit, int need_ms)
{
    return hit->kind == FOOTAGE_CLIP && hit->duration_ms > 0 && hit->duration_ms < need_ms &&
           need_ms >= TWO_MS;
}

static bool find_scene(struct finder *f, size_t scene, struct err *e)
{
    struct scene_work *w = &f->r->scenes[scene];
    AUTO(free_ptr) struct hunt *h = calloc(1, sizeof *h);
    struct footage second = {0};
    if (!h)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    hunt_begin(h, f, scene);
    hunt_prepare(h);
    if (!wait_for(f, f->chosen, &f->chosen_first, scene))
        return nothing_found(h, e);
    bool any = hunt_choose(h);
    if (any && (w->need_ms >= SECOND_MS || ends_early(&h->first, w->need_ms)))
        hunt_choose_second(h, &second);
    pass(f, f->chosen, scene);
    if (!any || !wait_for_link(f, scene))
        return nothing_found(h, e);
    hunt_load(h, &second);
    pass(f, f->loaded, scene);
    if (!find_first(h, &w->found))
        return nothing_found(h, e);
    find_second(h, &second);
    w->second = second;
    pass(f, f->settled, scene);
    return true;
}

/* --- threads --- */

/* The next scene that wants pictures; false when there will be none. */
static bool next_wish(struct run_state *r, size_t *ret_scene)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    while (!found && !stopped_locked(r)) {
        for (size_t i = 0; i < r->count && !found; i++)
            if (r->scenes[i].find_wanted) {
                r->scenes[i].find_wanted = false;
                *ret_scene = i;
                found = true;
            }
        if (!found)
            run_wait_locked(r, WAKE_EVERY_MS);
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

static void *finder_main(void *finder)
{
    struct finder *f = finder;
    struct run_state *r = f->r;
    struct err e = {0};
    size_t scene;
    log_job(r->job_id);
    while (next_wish(r, &scene)) {
        if (!find_scene(f, scene, &e)) {
            run_fail(r, &e);
            break;
        }
        pthread_mutex_lock(&r->lock);
        r->scenes[scene].found_ready = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    log_job(NULL);
    return NULL;
}

/* What an earlier attempt found stands. Looking at all of it takes a while: only when a scene is to
   be held against it. */
static void take_over(struct finder *f, size_t scene, bool looks)
{
    const struct scene_work *w = &f->r->scenes[scene];
    const struct footage *found[] = {&w->found, &w->second};
    f->chosen[scene] = f->loading[scene] = f->loaded[scene] = f->settled[scene] = true;
    for (size_t i = 0; i < COUNT(found); i++)
        if (found[i]->kind != FOOTAGE_NONE) {
            hunt_claim(f, found[i]);
            if (looks)
                keep_look(f, look_of(f->r, found[i]));
        }
}

bool find_start(struct run_state *r, struct err *e)
{
    size_t wanted = 0;
    struct finder *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    f->r = r;
    atomic_init(&f->calls_left, (int)MAX((size_t)CALLS_MIN, 2 * r->count));
    atomic_init(&f->mood_calls_left, MOOD_CALLS);
    hunt_rungs(f);
    for (size_t i = 0; i < r->count; i++)
        wanted += !r->scenes[i].pictured;
    for (size_t i = 0; i < r->count; i++)
        if (r->scenes[i].pictured)
            take_over(f, i, wanted > 0);
    r->finder = f;
    /* One at least: a scene may be put back later. */
    for (size_t i = 0; i < CLAMP(wanted, 1, THREADS); i++) {
        int error = pthread_create(&f->threads[i], NULL, finder_main, f);
        if (error != 0) {
            errno = error;
            return i > 0 || err_set(e, ERR_RETRY, "error.busy", "thread finder: %m");
        }
        pthread_setname_np(f->threads[i], "finder");
        f->thread_count = i + 1;
    }
    return true;
}

void find_stop(struct run_state *r)
{
    struct finder *f = TAKE(r->finder);
    for (size_t i = 0; f && i < f->thread_count; i++)
        pthread_join(f->threads[i], NULL);
    free(f);
}
