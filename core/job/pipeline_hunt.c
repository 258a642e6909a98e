/* One scene's way down the sources. */
#include "core/job/pipeline_find.h"

#include <limits.h>

#include "core/base/strbuf.h"

#define LOG_MODULE "find"

/* --- the order of sources --- */

static void add_rung(struct finder *f, const struct footage_source *source, enum rung_how how)
{
    if (f->rung_count < RUNGS_MAX)
        f->rungs[f->rung_count++] = (struct rung){source, how};
}

static void add_services(struct finder *f, enum rung_how how)
{
    const struct toolbox *tools = f->r->tools;
    for (size_t i = 0; i + 1 < tools->source_count; i++)
        if (tools->sources[i].ops->prepare) /* others do not go by words alone */
            add_rung(f, &tools->sources[i], how);
}

/* The person's own files, each once; what is configured; the own files again; what the chat saw in
   an earlier film; what fits the mood; what never fails. */
void hunt_rungs(struct finder *f)
{
    const struct toolbox *tools = f->r->tools;
    const struct footage_source *own = f->r->run->own;
    size_t last = tools->source_count - 1;
    if (own)
        add_rung(f, own, RUNG_TERMS);
    for (size_t i = 0; i < last; i++)
        add_rung(f, &tools->sources[i], RUNG_TERMS);
    if (own)
        add_rung(f, own, RUNG_AGAIN);
    if (f->r->run->recent_count > 0)
        add_services(f, RUNG_SEEN);
    add_services(f, RUNG_MOOD);
    add_rung(f, &tools->sources[last], RUNG_TERMS);
}

/* Search terms of the services, in their language. */
static const char *mood_term(const struct storyboard *s)
{
    static const struct {
        const char *mood, *term;
    } terms[] = {
        {"calm",       "calm nature"        },
        {"upbeat",     "city people walking"},
        {"dramatic",   "storm clouds"       },
        {"inspiring",  "sunrise mountains"  },
        {"mysterious", "forest fog"         },
        {"playful",    "colorful confetti"  },
    };
    for (size_t i = 0; i < COUNT(terms); i++)
        if (strcmp(terms[i].mood, s->mood) == 0 || strcmp(terms[i].mood, s->settings.music) == 0)
            return terms[i].term;
    return "clouds sky";
}

/* --- claims --- */

void hunt_claim(struct finder *f, const struct footage *hit)
{
    pthread_mutex_lock(&f->r->lock);
    if (f->used_count < CLAIMS_MAX) {
        footage_name(hit, f->used_text[f->used_count]);
        f->used[f->used_count] = f->used_text[f->used_count];
        f->used_count++;
    }
    pthread_mutex_unlock(&f->r->lock);
}

/* Somebody else took it since this scene searched. */
static bool taken_since(struct hunt *h, const char *name)
{
    struct finder *f = h->f;
    bool taken = false;
    pthread_mutex_lock(&f->r->lock);
    for (size_t i = h->seen; i < f->used_count && !taken; i++)
        taken = strcmp(f->used[i], name) == 0;
    pthread_mutex_unlock(&f->r->lock);
    return taken;
}

/* --- what cannot be used --- */

static bool is_lost(struct run_state *r, const struct footage *hit)
{
    bool known = false;
    if (strcmp(hit->provider, FOOTAGE_OWN) != 0)
        return false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->lost_count && !known; i++)
        known = strcmp(r->lost[i], hit->id) == 0;
    pthread_mutex_unlock(&r->lock);
    return known;
}

void find_lost(struct run_state *r, const struct footage *hit)
{
    if (strcmp(hit->provider, FOOTAGE_OWN) != 0 || cancel_fired(&r->stop) || is_lost(r, hit))
        return;
    pthread_mutex_lock(&r->lock);
    if (r->lost_count < OWN_LOST_MAX)
        str_copy(r->lost[r->lost_count++], sizeof r->lost[0], hit->id);
    pthread_mutex_unlock(&r->lock);
}

static bool is_banned(const struct scene_work *w, const char *name)
{
    for (int i = 0; i < w->find_tries && i < FIND_TRIES_MAX; i++)
        if (strcmp(w->banned[i], name) == 0)
            return true;
    return false;
}

/* --- searching --- */

void hunt_begin(struct hunt *h, struct finder *f, size_t scene)
{
    struct run_state *r = f->r;
    const struct scene *s = &r->story->scenes[scene];
    h->f = f;
    h->scene = scene;
    h->mood[0] = mood_term(r->story);
    h->query = (struct footage_query){
        .narration = s->narration,
        .lang = r->story->settings.lang,
        .width = r->width,
        .height = r->height,
        .need_ms = r->scenes[scene].need_ms,
        .seed = r->story->settings.seed,
        .scene = scene,
        .scene_total = r->count,
        .style = r->story->settings.style,
        .recent = r->run->recent,
        .recent_count = r->run->recent_count,
        .calls_left = &h->granted,
    };
}

static void aim(struct hunt *h, enum rung_how how)
{
    const struct scene *s = &h->f->r->story->scenes[h->scene];
    struct footage_query *q = &h->query;
    q->terms = how == RUNG_MOOD ? h->mood : (const char *const *)s->terms;
    q->term_count = how == RUNG_MOOD ? 1 : s->term_count;
    q->narration = how == RUNG_MOOD ? "" : s->narration;
    pthread_mutex_lock(&h->f->r->lock);
    h->seen = h->f->used_count;
    pthread_mutex_unlock(&h->f->r->lock);
    q->used = h->f->used;
    q->used_count = how == RUNG_AGAIN ? 0 : h->seen;
    q->again = how == RUNG_SEEN || how == RUNG_MOOD; /* rather than paint */
}

/* --- calls: a scene without luck at one service goes to the next, and leaves some for the others --- */

enum { RUNG_CALLS = 2 /* of a scene to one service: its first and its second term */ };

static atomic_int *purse(struct hunt *h, size_t rung)
{
    return h->f->rungs[rung].how == RUNG_MOOD ? &h->f->mood_calls_left : &h->f->calls_left;
}

/* Takes what this search may spend out of the film's purse. */
static int grant_calls(struct hunt *h, size_t rung)
{
    atomic_int *left = purse(h, rung);
    enum rung_how how = h->f->rungs[rung].how;
    int most = how == RUNG_MOOD ? INT_MAX : how == RUNG_SEEN ? 0 : RUNG_CALLS - h->spent[rung];
    int seen = atomic_load(left), taken;
    do
        taken = MIN(MAX(most, 0), seen);
    while (!atomic_compare_exchange_weak(left, &seen, seen - taken));
    atomic_store(&h->granted, taken);
    return taken;
}

static void return_calls(struct hunt *h, size_t rung, int granted)
{
    int rest = atomic_exchange(&h->granted, 0);
    h->spent[rung] += granted - rest;
    atomic_fetch_add(purse(h, rung), rest);
}

/* Fills hits from the present rung. */
static void search(struct hunt *h)
{
    struct run_state *r = h->f->r;
    const struct rung *rung = &h->f->rungs[h->rung];
    struct err e = {0};
    aim(h, rung->how);
    h->next = h->count = 0;
    int granted = grant_calls(h, h->rung);
    if (!rung->source->ops->search(rung->source->self, &h->query, h->hits, FIND_HITS, &h->count,
                                   &r->stop, &e)) {
        h->count = 0;
        if (!cancel_fired(&r->stop))
            log_err(LOG_WARN, LOG_MODULE, &e);
    }
    return_calls(h, h->rung, granted);
}

static bool services_below(const struct finder *f, size_t rung)
{
    for (size_t i = rung + 1; i < f->rung_count; i++)
        if (f->rungs[i].source->ops->prepare)
            return true;
    return false;
}

void hunt_prepare(struct hunt *h)
{
    struct run_state *r = h->f->r;
    for (size_t i = 0; i < h->f->rung_count && !cancel_fired(&r->stop); i++) {
        const struct rung *rung = &h->f->rungs[i];
        bool any = false;
        struct err e = {0};
        if (rung->how == RUNG_AGAIN)
            break; /* it will do */
        aim(h, rung->how);
        h->query.used_count = 0;
        if (rung->source->ops->prepare) {
            int granted = grant_calls(h, i);
            if (!rung->source->ops->prepare(rung->source->self, &h->query, &any, &r->stop, &e) &&
                !cancel_fired(&r->stop))
                log_err(LOG_WARN, LOG_MODULE, &e);
            return_calls(h, i, granted);
        } else if (services_below(h->f, i)) {
            /* Will this scene need what the services have? Own files go to the first scenes. */
            size_t enough = rung->source == r->run->own ? h->scene : 0;
            any = rung->source->ops->search(rung->source->self, &h->query, h->hits, FIND_HITS,
                                            &h->count, &r->stop, &e) &&
                  h->count > enough;
        }
        if (any)
            break;
    }
    h->count = 0;
}

/* --- hits --- */

/* The next hit that may be tried, claimed. */
static bool next_hit(struct hunt *h, struct footage *ret)
{
    struct run_state *r = h->f->r;
    const struct scene_work *w = &r->scenes[h->scene];
    while (!cancel_fired(&r->stop)) {
        while (h->next < h->count) {
            const struct footage *hit = &h->hits[h->next++];
            char name[FOOTAGE_NAME_MAX];
            footage_name(hit, name);
            if (is_banned(w, name) || is_lost(r, hit) || taken_since(h, name))
                continue;
            hunt_claim(h->f, hit);
            *ret = *hit;
            return true;
        }
        if (h->rung + 1 >= h->f->rung_count)
            return false;
        h->rung++;
        search(h);
    }
    return false;
}

bool hunt_choose(struct hunt *h)
{
    h->rung = 0;
    search(h);
    return next_hit(h, &h->first);
}

void hunt_choose_second(struct hunt *h, struct footage *ret)
{
    struct run_state *r = h->f->r;
    const struct rung *rung = &h->f->rungs[h->rung];
    size_t left = h->count - h->next, others = r->count - 1 - h->scene;
    *ret = (struct footage){0};
    /* Own files: only what the scenes to come do not need. Painted ones move enough. */
    if (left == 0 || h->first.kind == FOOTAGE_BACKDROP || rung->how == RUNG_AGAIN ||
        (rung->source == r->run->own && left <= others))
        return;
    for (size_t i = h->next; i < h->count; i++) {
        char name[FOOTAGE_NAME_MAX];
        footage_name(&h->hits[i], name);
        bool used = false;
        for (size_t k = 0; k < h->query.used_count && !used; k++)
            used = strcmp(h->query.used[k], name) == 0;
        if (used || is_banned(&r->scenes[h->scene], name) || is_lost(r, &h->hits[i]))
            continue;
        hunt_claim(h->f, &h->hits[i]);
        *ret = h->hits[i];
        h->second_source = rung->source;
        return;
    }
}

static void cannot_use(struct run_state *r, struct footage *hit, const struct err *why)
{
    find_lost(r, hit);
    if (!cancel_fired(&r->stop))
        log_err(LOG_INFO, LOG_MODULE, why);
    *hit = (struct footage){0};
}

static bool fetch_hit(struct hunt *h, const struct footage_source *source, struct footage *hit)
{
    struct run_state *r = h->f->r;
    struct err e = {0};
    if (source->ops->fetch(source->self, hit, &r->stop, &e))
        return true;
    cannot_use(r, hit, &e);
    return false;
}

/* What the file really is, is only known now. */
static bool take_probed(struct run_state *r, struct footage *hit, struct err *e)
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

bool hunt_probe(struct hunt *h, struct footage *hit)
{
    struct run_state *r = h->f->r;
    struct err e = {0};
    if (hit->kind == FOOTAGE_BACKDROP || take_probed(r, hit, &e))
        return true;
    cannot_use(r, hit, &e);
    return false;
}

void hunt_load(struct hunt *h, struct footage *second)
{
    fetch_hit(h, h->f->rungs[h->rung].source, &h->first);
    if (second->kind != FOOTAGE_NONE)
        fetch_hit(h, h->second_source, second);
}

bool hunt_has_more(const struct hunt *h)
{
    return h->next < h->count;
}

bool hunt_usable(struct hunt *h, struct footage *ret)
{
    struct footage hit = h->first;
    h->first = (struct footage){0};
    while (hit.kind == FOOTAGE_NONE || !hunt_probe(h, &hit)) {
        if (!next_hit(h, &hit))
            return false;
        fetch_hit(h, h->f->rungs[h->rung].source, &hit);
    }
    *ret = hit;
    return !cancel_fired(&h->f->r->stop);
}
