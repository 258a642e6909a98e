/* The source itself: the ladder of searches of a scene, what was handed out, fetching. */
#define LOG_MODULE "footage"
#include "adapters/footage/stock.h"

#include <unistd.h>

#include "adapters/footage/stock_parts.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"

enum {
    TERMS_MAX = 3,
    RUNGS_MAX = 2 * TERMS_MAX + 1,
    CHECK_MS = 5000,
    FAULTS_MAX = 2, /* downloads in a row that the network failed */
    REST_MS = 60000,
    GOOD_SPARE_MS = 500,
};

/* --- the rungs --- */

struct ladder {
    struct stock_search rungs[RUNGS_MAX];
    const char *const *locales;
    size_t count, terms; /* the first `terms` rungs are the terms themselves */
};

static void add_rung(struct ladder *l, const struct footage_query *q, const char *term,
                     enum stock_shape shape)
{
    if (!term[0] || l->count == RUNGS_MAX)
        return;
    for (size_t i = 0; i < l->count; i++)
        if (l->rungs[i].shape == shape && strcmp(l->rungs[i].term, term) == 0)
            return;
    struct stock_search *rung = &l->rungs[l->count++];
    *rung = (struct stock_search){.shape = shape, .width = q->width, .height = q->height};
    str_copy(rung->term, sizeof(rung->term), term);
    if (stock_term_is_native(q, term))
        str_copy(rung->locale, sizeof(rung->locale), stock_locale(l->locales, q->lang));
}

static void make_ladder(struct ladder *l, const struct stock_service *service,
                        const struct footage_query *q)
{
    char terms[TERMS_MAX][STOCK_TERM_MAX + 1] = {{0}};
    size_t count = 0;
    enum stock_shape shape = service->by_shape ? stock_shape_of(q->width, q->height) : STOCK_ANY;
    *l = (struct ladder){.locales = service->locales};
    for (size_t i = 0; i < q->term_count && count < TERMS_MAX; i++) {
        stock_term(q->terms[i], terms[count]);
        count += terms[count][0] != '\0';
    }
    for (size_t i = 0; i < count; i++)
        add_rung(l, q, terms[i], shape);
    l->terms = l->count;
    for (size_t i = 0; i < count; i++)
        add_rung(l, q, terms[i], STOCK_ANY);
    const char *space = count ? strrchr(terms[0], ' ') : NULL;
    if (space)
        add_rung(l, q, space + 1, shape);
}

/* --- what was handed out --- */

/* The entry of a clip of this film ("pexels:12"), with lock held. */
static const struct stock_seen *find_seen(const struct stock *s, const char *used)
{
    size_t n = strlen(s->service->name);
    if (strncmp(used, s->service->name, n) != 0 || used[n] != ':')
        return NULL;
    for (size_t i = 0; i < SEEN_MAX; i++)
        if (s->seen[i].id[0] && strcmp(s->seen[i].id, used + n + 1) == 0)
            return &s->seen[i];
    return NULL;
}

static void remember(struct stock *s, const struct footage *hit)
{
    struct stock_seen seen = {.duration_ms = hit->duration_ms};
    str_copy(seen.id, sizeof(seen.id), hit->id);
    str_copy(seen.author, sizeof(seen.author), hit->author);
    pthread_mutex_lock(&s->lock);
    s->seen[s->seen_next] = seen;
    s->seen_next = (s->seen_next + 1) % SEEN_MAX;
    pthread_mutex_unlock(&s->lock);
}

struct look {
    struct stock *s;
    const struct footage_query *query;
};

/* A take of the same thing: same creator, same length as a clip of this film. */
static bool looks_used(void *ctx, const struct stock_clip *clip)
{
    const struct look *look = ctx;
    bool found = false;
    if (clip->duration_ms == 0 || !clip->author[0])
        return false;
    pthread_mutex_lock(&look->s->lock);
    for (size_t i = 0; i < look->query->used_count && !found; i++) {
        const struct stock_seen *seen = find_seen(look->s, look->query->used[i]);
        found = seen && seen->duration_ms == clip->duration_ms &&
                strcmp(seen->author, clip->author) == 0;
    }
    pthread_mutex_unlock(&look->s->lock);
    return found;
}

static void neighbour(struct stock *s, const struct footage_query *q, char ret_author[static 96])
{
    ret_author[0] = '\0';
    if (q->used_count == 0)
        return;
    pthread_mutex_lock(&s->lock);
    const struct stock_seen *seen = find_seen(s, q->used[q->used_count - 1]);
    if (seen)
        str_copy(ret_author, sizeof(seen->author), seen->author);
    pthread_mutex_unlock(&s->lock);
}

/* --- searches of one film --- */

static bool take_call(const struct footage_query *q)
{
    if (!q->calls_left || atomic_fetch_sub(q->calls_left, 1) > 0)
        return true;
    atomic_fetch_add(q->calls_left, 1);
    return false;
}

static void give_back_call(const struct footage_query *q)
{
    if (q->calls_left)
        atomic_fetch_add(q->calls_left, 1);
}

/* --- the slots --- */

/* Good enough not to look further down the ladder. */
static bool is_good(const struct footage_query *q, const struct footage *hit)
{
    return hit->kind == FOOTAGE_PHOTO || hit->duration_ms >= (int64_t)q->need_ms + GOOD_SPARE_MS;
}

/* Takes over the new hits when they are the first, or the first good ones. */
static bool climb(struct stock *s, const struct stock_search *rung,
                  const struct choose_scene *scene, struct footage *hits, size_t max, size_t *count,
                  const struct cancel *cancel, struct err *e)
{
    AUTO(stock_page_free) struct stock_page page = {0};
    struct choose_scene here = *scene;
    bool called = false;
    here.term = rung->term;
    bool may_call = take_call(scene->query);
    bool ok = stock_search_page(s, rung, may_call, &page, &called, cancel, e);
    if (may_call && !called)
        give_back_call(scene->query);
    if (!ok)
        return false;
    AUTO(free_ptr) struct footage *found = calloc(max, sizeof(*found));
    size_t n = found ? choose_order(&here, &page, found, max) : 0;
    if (n > 0 && (*count == 0 || is_good(scene->query, &found[0]))) {
        memcpy(hits, found, n * sizeof(*found));
        *count = n;
    }
    return true;
}

static bool stock_search(void *self, const struct footage_query *q, struct footage *ret_hits,
                         size_t max, size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    struct stock *s = self;
    struct ladder ladder;
    struct look look = {.s = s, .query = q};
    char author[96];
    *ret_count = 0;
    if (max == 0 || q->width <= 0 || q->height <= 0)
        return true;
    neighbour(s, q, author);
    struct choose_scene scene = {.query = q,
                                 .provider = s->service->name,
                                 .neighbour_author = author,
                                 .looks_used = looks_used,
                                 .ctx = &look};
    make_ladder(&ladder, s->service, q);
    for (size_t i = 0; i < ladder.count; i++) {
        if (cancel_fired(cancel))
            return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped while searching");
        if (!climb(s, &ladder.rungs[i], &scene, ret_hits, max, ret_count, cancel, e)) {
            if (*ret_count == 0)
                return false;
            log_err(LOG_WARN, LOG_MODULE, e);
            break;
        }
        /* Short: the other terms may have better, the rest is for when there is nothing at all. */
        if (*ret_count > 0 && (i + 1 >= ladder.terms || is_good(q, &ret_hits[0])))
            break;
    }
    for (size_t i = 0; i < *ret_count; i++)
        str_copy(ret_hits[i].licence, sizeof(ret_hits[i].licence), s->service->licence);
    return true;
}

/* The same search with its hits thrown away: the replies are kept, and that is what counts. */
static bool stock_prepare(void *self, const struct footage_query *q, bool *ret_any,
                          const struct cancel *cancel, struct err *e)
{
    struct footage hit;
    size_t count = 0;
    bool ok = stock_search(self, q, &hit, 1, &count, cancel, e);
    *ret_any = ok && count > 0;
    return ok;
}

/* A service whose files do not come is left alone for a while. */
static bool is_resting(struct stock *s)
{
    pthread_mutex_lock(&s->lock);
    bool resting = clock_mono_ms() < s->fetch_rest_until_ms;
    pthread_mutex_unlock(&s->lock);
    return resting;
}

static void note_fetch(struct stock *s, bool network_failed)
{
    pthread_mutex_lock(&s->lock);
    s->fetch_faults = network_failed ? s->fetch_faults + 1 : 0;
    if (s->fetch_faults >= FAULTS_MAX) {
        s->fetch_rest_until_ms = clock_mono_ms() + REST_MS;
        s->fetch_faults = 0;
    }
    pthread_mutex_unlock(&s->lock);
}

static bool clip_path(const struct stock *s, const struct footage *hit,
                      char ret_path[static FOOTAGE_PATH_MAX], struct err *e)
{
    struct hash h;
    char key[HASH_HEX];
    hash_begin(&h, "stock clip 1");
    hash_text(&h, "provider", hit->provider);
    hash_text(&h, "id", hit->id);
    hash_int(&h, "width", hit->width);
    hash_int(&h, "height", hit->height);
    hash_end(&h, key);
    return s->place(s->ctx, key, hit->kind == FOOTAGE_PHOTO ? "jpg" : "mp4", ret_path, e);
}

static bool stock_fetch(void *self, struct footage *hit, const struct cancel *cancel, struct err *e)
{
    struct stock *s = self;
    char path[FOOTAGE_PATH_MAX];
    struct err why = {0};
    if (!stock_link_ok(hit->path)) {
        if (access(hit->path, R_OK) == 0)
            return true; /* fetched before */
        return err_set_arg(e, ERR_NOT_FOUND, "footage.not_fetched", hit->id, "no link and no file");
    }
    if (!clip_path(s, hit, path, e))
        return false;
    if (!fs_exists(path) && is_resting(s))
        return err_set_arg(e, ERR_RETRY, "footage.not_fetched", hit->id,
                           "%s: downloads fail at the moment", s->service->name);
    bool ok = stock_download(s->net, hit->path, path, hit->kind, cancel, &why);
    if (!cancel_fired(cancel))
        note_fetch(s, !ok && (why.code == ERR_RETRY || why.code == ERR_CONFLICT));
    if (!ok)
        return err_set_arg(e, why.code, why.code == ERR_DISK ? why.user_key : "footage.not_fetched",
                           hit->id, "%s %s: %s", s->service->name, hit->id, why.detail);
    str_copy(hit->path, sizeof(hit->path), path);
    remember(s, hit);
    return true;
}

static void stock_destroy(void *self)
{
    struct stock *s = self;
    if (!s)
        return;
    stock_keys_release(s->keys);
    pthread_cond_destroy(&s->answered);
    pthread_mutex_destroy(&s->lock);
    free(s->base);
    free(s);
}

static struct stock *make(const struct stock_service *service, const struct stock_options *options,
                          struct stock_keys *keys, struct err *e)
{
    struct stock *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(e, ERR_RETRY, "error.internal", "out of memory");
        return NULL;
    }
    s->service = service;
    s->net = options->net;
    s->place = options->place;
    s->ctx = options->ctx;
    s->base = str_dup(options->api_url);
    for (size_t n = strlen(s->base); n > 0 && s->base[n - 1] == '/'; n--)
        s->base[n - 1] = '\0';
    s->keys = stock_keys_share(keys);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->answered, NULL);
    return s;
}

/* A source per service, since ops carry its name. */
static const struct footage_source_ops *ops_of(const struct stock_service *service)
{
    static const struct footage_source_ops list[] = {
        {"pexels",       stock_search, stock_prepare, stock_fetch, stock_destroy},
        {"pexels_photo", stock_search, stock_prepare, stock_fetch, stock_destroy},
        {"pixabay",      stock_search, stock_prepare, stock_fetch, stock_destroy},
    };
    size_t i = 0;
    while (i + 1 < COUNT(list) && strcmp(list[i].name, service->name) != 0)
        i++;
    return &list[i];
}

bool stock_create(const struct stock_service *service, const struct stock_options *options,
                  struct stock_keys *keys, struct footage_source *ret, struct err *e)
{
    struct stock *s = make(service, options, keys, e);
    if (!s)
        return false;
    *ret = (struct footage_source){.ops = ops_of(service), .self = s};
    return true;
}

/* --- doctor --- */

static bool check_key(struct stock *s, size_t index, struct err *e)
{
    static const struct stock_search search = {.term = "sea", .width = 1080, .height = 1920};
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(stock_page_free) struct stock_page page = {0};
    const char *title = s->service->title;
    enum stock_answer answer =
        stock_call(s, &search, stock_keys_text(s->keys, index), CHECK_MS, &reply, NULL, e);
    switch (answer) {
    case STOCK_OK:
        if (stock_parse(s->service, reply.body, reply.len, &search, &page, e))
            return true;
        break;
    case STOCK_BAD_KEY:
        return err_set_arg(e, ERR_CONFIG, "footage.bad_key", title, "%s: %d", title, reply.status);
    case STOCK_LIMITED:
        return err_set_arg(e, ERR_LIMIT, "footage.limit", title, "%s: %d", title, reply.status);
    default:
        break;
    }
    char why[sizeof(e->detail)];
    str_copy(why, sizeof(why), reply.status ? "no usable answer" : e->detail);
    return err_set_arg(e, ERR_RETRY, "footage.service_down", title, "%s (%d)", why, reply.status);
}

bool stock_check(const struct stock_service *service, const char *keys_name,
                 const struct stock_options *options, stock_key_fn *on_key, void *ctx,
                 struct err *e)
{
    struct stock_keys *keys = NULL;
    if (!stock_keys_create(keys_name, options->keys, &service->rate, &keys, e))
        return false;
    struct stock *s = make(service, options, keys, e);
    size_t count = stock_keys_count(keys);
    for (size_t i = 0; s && i < count; i++) {
        struct err why = {0};
        on_key(ctx, i, count, check_key(s, i, &why) ? NULL : &why);
    }
    stock_keys_release(keys);
    stock_destroy(s);
    return s != NULL;
}
