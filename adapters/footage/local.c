#include "adapters/footage/local.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include "adapters/footage/listed.h"
#include "adapters/footage/local_parts.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"

enum { LOOK_AGAIN_MS = 60000 };

struct local {
    char *root; /* real path */
    pthread_mutex_t lock;
    /* --- below: only with lock held --- */
    struct local_catalog catalog;
    int64_t looked_ms;
};

/* A clip and why it comes where it comes. */
struct ranked {
    const struct local_clip *clip;
    int times_used, score;
    size_t age; /* since the chat saw it; the most for what it did not see */
    uint64_t shuffle;
};

/* --- the order --- */

static int times_used(const struct footage_query *q, const char *id)
{
    int times = 0;
    for (size_t i = 0; i < q->used_count; i++)
        times += strncmp(q->used[i], "local:", 6) == 0 && strcmp(q->used[i] + 6, id) == 0;
    return times;
}

/* The same seed and file give the same place, whatever else is in the folder. */
static uint64_t shuffle_of(uint64_t seed, const char *id)
{
    uint64_t hash = 14695981039346656037u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211u;
    struct rng r = rng_make(seed, hash);
    return rng_next(&r);
}

static int compare(const void *va, const void *vb)
{
    const struct ranked *a = va, *b = vb;
    if (a->times_used != b->times_used)
        return a->times_used < b->times_used ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->age != b->age)
        return a->age > b->age ? -1 : 1;
    if (a->shuffle != b->shuffle)
        return a->shuffle < b->shuffle ? -1 : 1;
    return strcmp(a->clip->id, b->clip->id);
}

static void fill(struct footage *ret, const struct local_clip *clip, uint64_t seed)
{
    *ret = (struct footage){.kind = clip->kind, .seed = seed};
    str_copy(ret->provider, sizeof(ret->provider), "local");
    str_copy(ret->id, sizeof(ret->id), clip->id);
    str_copy(ret->path, sizeof(ret->path), clip->path);
}

/* --- the slots --- */

static void look_again(struct local *l)
{
    struct local_catalog fresh;
    int64_t now = clock_mono_ms();
    if (now - l->looked_ms < LOOK_AGAIN_MS && !local_changed(&l->catalog))
        return;
    local_scan(l->root, &l->catalog, &fresh);
    local_catalog_free(&l->catalog);
    l->catalog = fresh;
    l->looked_ms = now;
}

static bool local_search(void *self, const struct footage_query *query, struct footage *ret_hits,
                         size_t max, size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    struct local *l = self;
    AUTO(local_scene_free) struct local_scene scene = {0};
    *ret_count = 0;
    if (cancel_fired(cancel))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "cancelled before searching");
    local_scene_make(&scene, query);
    pthread_mutex_lock(&l->lock);
    look_again(l);
    size_t count = l->catalog.count;
    struct ranked *ranked = calloc(count + 1, sizeof(*ranked));
    for (size_t i = 0; ranked && i < count; i++) {
        const struct local_clip *clip = &l->catalog.clips[i];
        ranked[i] = (struct ranked){
            .clip = clip,
            .times_used = times_used(query, clip->id),
            .score = local_score(&scene, clip->words, clip->word_count),
            .age = footage_place(query->recent, query->recent_count, "local", clip->id),
            .shuffle = shuffle_of(query->seed, clip->id),
        };
    }
    if (ranked)
        qsort(ranked, count, sizeof(*ranked), compare);
    for (size_t i = 0; ranked && i < count && *ret_count < max; i++)
        fill(&ret_hits[(*ret_count)++], ranked[i].clip, ranked[i].shuffle);
    pthread_mutex_unlock(&l->lock);
    if (!ranked)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory for %zu clips", count);
    free(ranked);
    return true;
}

static bool local_fetch(void *self, struct footage *hit, const struct cancel *cancel, struct err *e)
{
    const struct local *l = self;
    (void)cancel;
    if (local_inside(l->root, hit->path) && access(hit->path, R_OK) == 0)
        return true;
    return err_set_arg(e, ERR_NOT_FOUND, "footage.gone", hit->id, "%s went away", hit->path);
}

static void local_destroy(void *self)
{
    struct local *l = self;
    if (!l)
        return;
    local_catalog_free(&l->catalog);
    pthread_mutex_destroy(&l->lock);
    free(l->root);
    free(l);
}

bool local_footage_create(const char *dir, struct footage_source *ret, struct err *e)
{
    static const struct footage_source_ops ops = {
        .name = "local",
        .search = local_search,
        .fetch = local_fetch,
        .destroy = local_destroy,
    };
    char real[PATH_MAX];
    struct stat st;
    errno = ENOTDIR;
    if (!realpath(dir, real) || stat(real, &st) != 0 || !S_ISDIR(st.st_mode) ||
        access(real, R_OK | X_OK) != 0)
        return err_set_arg(e, ERR_CONFIG, "start.footage_dir", dir, "footage folder %s: %m", dir);
    struct local *l = calloc(1, sizeof(*l));
    if (!l)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory");
    l->root = str_dup(real);
    pthread_mutex_init(&l->lock, NULL);
    local_scan(l->root, NULL, &l->catalog);
    l->looked_ms = clock_mono_ms();
    *ret = (struct footage_source){.ops = &ops, .self = l};
    return true;
}
