/* FIND: pictures for each scene, in scene order, so that the same seed chooses the same pictures
 * whatever is slow today. A scene whose pictures turn out broken later is put back. */
#include "core/job/pipeline_internal.h"

#include <unistd.h>

#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/story/text.h"

#define LOG_MODULE "find"

enum { LOOK_AT_MS = 1000, ALIKE_MAX = 2 /* hits of a scene that are passed over for their look */ };

struct finder {
    struct run_state *r;
    size_t used_count, look_count;
    uint64_t looks[STORY_SCENES_MAX]; /* of the pictures in use */
    char used_text[STORY_SCENES_MAX][FOOTAGE_NAME_MAX];
    const char *used[STORY_SCENES_MAX];
};

void footage_name(const struct footage *f, char ret[static FOOTAGE_NAME_MAX])
{
    snprintf(ret, FOOTAGE_NAME_MAX, "%s:%s", f->provider, f->id);
}

bool find_still_there(const struct footage *f)
{
    if (f->kind == FOOTAGE_NONE)
        return false;
    return f->kind == FOOTAGE_BACKDROP || access(f->path, R_OK) == 0;
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

static bool is_banned(const struct scene_work *w, const char *name)
{
    for (int i = 0; i < w->find_tries && i < FIND_TRIES_MAX; i++)
        if (strcmp(w->banned[i], name) == 0)
            return true;
    return false;
}

/* What the file really is, is only known now. */
static bool probe_hit(struct run_state *r, struct footage *hit, struct err *e)
{
    struct media_info info;
    if (!r->video->probe(hit->path, &r->stop, &info, e))
        return false;
    if (info.kind == FOOTAGE_NONE)
        return err_set_arg(e, ERR_INPUT, "footage.broken", hit->id, "no pictures in %s", hit->path);
    hit->kind = info.kind;
    hit->width = info.width;
    hit->height = info.height;
    hit->duration_ms = info.duration_ms;
    return true;
}

void find_lost(struct run_state *r, const struct footage *hit)
{
    if (strcmp(hit->provider, FOOTAGE_OWN) != 0 || cancel_fired(&r->stop))
        return;
    pthread_mutex_lock(&r->lock);
    bool known = false;
    for (size_t i = 0; i < r->lost_count && !known; i++)
        known = strcmp(r->lost[i], hit->id) == 0;
    if (!known && r->lost_count < OWN_LOST_MAX)
        str_copy(r->lost[r->lost_count++], sizeof r->lost[0], hit->id);
    pthread_mutex_unlock(&r->lock);
}

static bool is_lost(struct run_state *r, const struct footage *hit)
{
    bool known = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->lost_count && !known; i++)
        known = strcmp(r->lost[i], hit->id) == 0;
    pthread_mutex_unlock(&r->lock);
    return known;
}

static bool try_hit(struct run_state *r, const struct footage_source *source,
                    const struct scene_work *w, struct footage *hit, struct err *e)
{
    char name[FOOTAGE_NAME_MAX];
    footage_name(hit, name);
    if (is_banned(w, name) || is_lost(r, hit))
        return err_set_arg(e, ERR_INPUT, "footage.broken", hit->id, "%s was broken before", name);
    if (source->ops->fetch(source->self, hit, &r->stop, e) &&
        (hit->kind == FOOTAGE_BACKDROP || probe_hit(r, hit, e)))
        return true;
    find_lost(r, hit);
    return false;
}

/* 0: unknown. Only pictures that somebody else made: a person's own may look alike on purpose. */
static uint64_t look_of(const struct run_state *r, const struct footage *f)
{
    struct err e = {0};
    uint64_t look = 0;
    if (!r->video->look || !f->author[0] || f->kind == FOOTAGE_BACKDROP || !f->path[0])
        return 0;
    int64_t at_ms = f->kind == FOOTAGE_CLIP ? MIN((int64_t)LOOK_AT_MS, f->duration_ms / 2) : 0;
    return r->video->look(f->path, at_ms, &r->stop, &look, &e) ? look : 0;
}

static bool looks_used(const struct finder *f, const struct footage *hit)
{
    uint64_t look = look_of(f->r, hit);
    for (size_t i = 0; i < f->look_count; i++)
        if (video_looks_alike(look, f->looks[i]))
            return true;
    return false;
}

/* The first good hit; one that looks like another scene's only when there is no other. *ret_found
   false: this source has nothing usable. Returns false only when stopped. */
static bool try_source(struct finder *f, const struct footage_source *source,
                       const struct footage_query *query, struct scene_work *w, bool *ret_found)
{
    struct run_state *r = f->r;
    int alike = 0;
    struct err e = {0};
    struct footage *hits AUTO(free_ptr) = calloc(FIND_HITS, sizeof *hits);
    size_t count = 0;
    *ret_found = false;
    if (!hits)
        return true;
    if (!source->ops->search(source->self, query, hits, FIND_HITS, &count, &r->stop, &e)) {
        if (!cancel_fired(&r->stop))
            log_err(LOG_WARN, LOG_MODULE, &e);
        return !cancel_fired(&r->stop);
    }
    for (size_t i = 0; i < count && i < FIND_HITS; i++) {
        if (cancel_fired(&r->stop))
            return false;
        if (!try_hit(r, source, w, &hits[i], &e)) {
            if (!cancel_fired(&r->stop))
                log_err(LOG_INFO, LOG_MODULE, &e);
            continue;
        }
        bool pass_over = alike < ALIKE_MAX && looks_used(f, &hits[i]);
        if (!pass_over || alike == 0)
            w->found = hits[i];
        *ret_found = true;
        if (!pass_over)
            break;
        alike++;
    }
    return !cancel_fired(&r->stop);
}

/* The order of sources: the person's own files, each once; what is configured; the own files
   again; what never fails. */
static size_t rung_count(const struct run_state *r)
{
    return r->tools->source_count + (r->run->own ? 2 : 0);
}

static const struct footage_source *rung(const struct finder *f, size_t i,
                                         struct footage_query *query)
{
    const struct run_state *r = f->r;
    const size_t last = r->tools->source_count - 1;
    query->used_count = f->used_count;
    if (!r->run->own)
        return &r->tools->sources[i];
    if (i == last + 1)
        query->used_count = 0;
    if (i == 0 || i == last + 1)
        return r->run->own;
    return &r->tools->sources[MIN(i - 1, last)];
}

static bool find_scene(struct finder *f, size_t scene, struct err *e)
{
    struct run_state *r = f->r;
    const struct scene *s = &r->story->scenes[scene];
    struct footage_query query = {
        .terms = (const char *const *)s->terms,
        .term_count = s->term_count,
        .narration = s->narration,
        .lang = r->story->settings.lang,
        .width = r->width,
        .height = r->height,
        .need_ms = r->scenes[scene].need_ms,
        .seed = r->story->settings.seed,
        .scene = scene,
        .scene_total = r->count,
        .style = r->story->settings.style,
        .used = f->used,
        .used_count = f->used_count,
        .recent = r->run->recent,
        .recent_count = r->run->recent_count,
    };
    bool found = false;
    for (size_t i = 0; i < rung_count(r); i++) {
        if (!try_source(f, rung(f, i, &query), &query, &r->scenes[scene], &found))
            return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped while searching");
        if (found)
            return true;
    }
    return err_set(e, ERR_NOT_FOUND, "make.no_pictures", "no source has pictures for scene %zu",
                   scene + 1);
}

static void mark_used(struct finder *f, const struct footage *footage)
{
    if (footage->kind == FOOTAGE_NONE || f->used_count == STORY_SCENES_MAX)
        return;
    footage_name(footage, f->used_text[f->used_count]);
    f->used[f->used_count] = f->used_text[f->used_count];
    f->used_count++;
    uint64_t look = look_of(f->r, footage);
    if (look)
        f->looks[f->look_count++] = look;
}

/* The next scene that wants pictures; false when there will be none. */
static bool next_wish(struct run_state *r, size_t *ret_scene)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    while (!found && !r->closing && !r->failed && !cancel_fired(&r->stop)) {
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

void *finder_main(void *run_state)
{
    struct run_state *r = run_state;
    log_job(r->job_id);
    struct finder *f = calloc(1, sizeof *f);
    struct err e = {0};
    if (!f) {
        err_set(&e, ERR_INTERNAL, "error.internal", "out of memory");
        run_fail(r, &e);
        return NULL;
    }
    f->r = r;
    for (size_t i = 0; i < r->count; i++)
        mark_used(f, &r->scenes[i].found); /* of an earlier attempt; set before we started */
    size_t scene;
    while (next_wish(r, &scene)) {
        if (!find_scene(f, scene, &e)) {
            run_fail(r, &e);
            break;
        }
        mark_used(f, &r->scenes[scene].found);
        pthread_mutex_lock(&r->lock);
        r->scenes[scene].found_ready = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    free(f);
    log_job(NULL);
    return NULL;
}
