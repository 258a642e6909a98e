#include "adapters/discord/limits.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROUTES = 64,
    SLOTS = 2048,
    PROBES = 16,
    PER_SECOND = 50,
    INVALID_SPAN_MS = 600000,
    INVALID_SLICES = 10,
    INVALID_MAX = 5000, /* half of what brings a ban */
    INVALID_REST_MS = 60000,
};

struct slot {
    uint64_t key; /* 0: free */
    int64_t used_ms, reset_ms, until_ms;
    int64_t limit, remaining; /* limit 0: not known */
    int flying;
};

struct limits {
    struct {
        uint64_t route, bucket;
    } routes[ROUTES];
    size_t route_next;
    struct slot slots[SLOTS];
    int64_t until_ms; /* of all that count */
    int64_t rest_ms;  /* of everything */
    int64_t sent_ms[PER_SECOND];
    int sent_next;
    int64_t invalid[INVALID_SLICES];
    int64_t slice_ms; /* begin of the present slice */
    int slice;
};

static uint64_t hash2(const char *a, const char *b)
{
    uint64_t h = 1469598103934665603u;
    for (; *a; a++)
        h = (h ^ (unsigned char)*a) * 1099511628211u;
    h = (h ^ 0x1f) * 1099511628211u;
    for (; *b; b++)
        h = (h ^ (unsigned char)*b) * 1099511628211u;
    return h | 1;
}

struct limits *limits_create(void)
{
    struct limits *l = calloc(1, sizeof(*l));
    if (!l)
        abort(); /* a hundred kilobytes at start */
    for (int i = 0; i < PER_SECOND; i++)
        l->sent_ms[i] = INT64_MIN / 2;
    return l;
}

void limits_destroy(struct limits *l)
{
    free(l);
}

/* The bucket of a route where it is known, else the route itself. */
static uint64_t bucket_of(const struct limits *l, const char *route)
{
    uint64_t key = hash2(route, "");
    for (size_t i = 0; i < ROUTES; i++)
        if (l->routes[i].route == key)
            return l->routes[i].bucket;
    return key;
}

static void learn_bucket(struct limits *l, const char *route, const char *bucket)
{
    uint64_t key = hash2(route, "");
    size_t at = l->route_next;
    for (size_t i = 0; i < ROUTES; i++)
        if (l->routes[i].route == key)
            at = i;
    l->routes[at].route = key;
    l->routes[at].bucket = hash2(bucket, "bucket");
    if (at == l->route_next)
        l->route_next = (l->route_next + 1) % ROUTES;
}

/* The slot of this key; NULL when it gave way to another one. */
static struct slot *look_up(struct limits *l, uint64_t key)
{
    for (uint64_t i = 0; i < PROBES && key; i++)
        if (l->slots[((key >> 20) + i) % SLOTS].key == key)
            return &l->slots[((key >> 20) + i) % SLOTS];
    return NULL;
}

static struct slot *find(struct limits *l, uint64_t bucket, const char *major, int64_t now)
{
    uint64_t key = (bucket * 0x9e3779b97f4a7c15u ^ hash2(major, "")) | 1;
    struct slot *known = look_up(l, key), *oldest = NULL;
    if (known) {
        known->used_ms = now;
        return known;
    }
    for (uint64_t i = 0; i < PROBES; i++) {
        struct slot *s = &l->slots[((key >> 20) + i) % SLOTS];
        int64_t age = s->key ? MAX(s->used_ms, s->until_ms) : INT64_MIN;
        int64_t best = !oldest       ? INT64_MAX
                       : oldest->key ? MAX(oldest->used_ms, oldest->until_ms)
                                     : INT64_MIN;
        if (age < best)
            oldest = s;
    }
    *oldest = (struct slot){.key = key, .used_ms = now};
    return oldest;
}

static int64_t slot_wait(struct slot *s, int64_t now)
{
    if (now < s->until_ms)
        return s->until_ms - now;
    if (s->limit <= 0)
        return s->flying > 0 ? 20 : 0;
    if (now >= s->reset_ms)
        s->remaining = s->limit; /* a new window; its end is told by the next answer */
    if (s->remaining - s->flying > 0)
        return 0;
    return s->reset_ms > now ? s->reset_ms - now : 20;
}

int64_t limits_wait(struct limits *l, const char *route, const char *major, int64_t now_ms)
{
    struct slot *s = find(l, bucket_of(l, route), major, now_ms);
    return MAX(slot_wait(s, now_ms), MAX(l->until_ms, l->rest_ms) - now_ms);
}

int64_t limits_take(struct limits *l, struct limit_call *c, int64_t now_ms)
{
    struct slot *s = find(l, bucket_of(l, c->route), c->major, now_ms);
    int64_t wait = MAX(slot_wait(s, now_ms), l->rest_ms - now_ms);
    if (c->counts) {
        wait = MAX(wait, l->until_ms - now_ms);
        wait = MAX(wait, l->sent_ms[l->sent_next] + 1000 - now_ms);
    }
    if (wait > 0)
        return wait;
    s->flying++;
    c->slot = s->key;
    if (c->counts) {
        l->sent_ms[l->sent_next] = now_ms;
        l->sent_next = (l->sent_next + 1) % PER_SECOND;
    }
    return 0;
}

static void count_invalid(struct limits *l, int64_t now)
{
    int64_t span = INVALID_SPAN_MS / INVALID_SLICES;
    if (now - l->slice_ms >= INVALID_SPAN_MS) {
        memset(l->invalid, 0, sizeof(l->invalid));
        l->slice_ms = now;
    }
    while (now - l->slice_ms >= span) {
        l->slice = (l->slice + 1) % INVALID_SLICES;
        l->invalid[l->slice] = 0;
        l->slice_ms += span;
    }
    l->invalid[l->slice]++;
    if (limits_invalid(l) >= INVALID_MAX)
        l->rest_ms = MAX(l->rest_ms, now + INVALID_REST_MS);
}

int64_t limits_invalid(const struct limits *l)
{
    int64_t sum = 0;
    for (int i = 0; i < INVALID_SLICES; i++)
        sum += l->invalid[i];
    return sum;
}

void limits_heard(struct limits *l, const struct limit_news *n, int64_t now_ms)
{
    bool shared = n->scope && strcmp(n->scope, "shared") == 0;
    int64_t until = now_ms + MAX(n->retry_ms, 50);
    if (n->status == 429 && n->global)
        l->until_ms = MAX(l->until_ms, until);
    if (n->status == 429 && n->address)
        l->rest_ms = MAX(l->rest_ms, until);
    if (n->status == 401 || n->status == 403 || (n->status == 429 && !shared))
        count_invalid(l, now_ms);
}

void limits_done(struct limits *l, const struct limit_call *c, const struct limit_news *n,
                 int64_t now_ms)
{
    /* Where it was taken: the route may have come to another bucket meanwhile. */
    struct slot *taken = look_up(l, c->slot);
    if (taken && taken->flying > 0)
        taken->flying--;
    if (n->bucket && n->bucket[0])
        learn_bucket(l, c->route, n->bucket);
    struct slot *s = find(l, bucket_of(l, c->route), c->major, now_ms);
    if (n->limit > 0 && n->remaining >= 0 && n->reset_after >= 0) {
        int64_t reset = now_ms + (int64_t)(n->reset_after * 1000.0 + 0.999);
        /* Answers may overtake each other: within a window the smaller number is the newer one. */
        bool same_window = s->limit > 0 && reset <= s->reset_ms + 50;
        s->remaining = same_window ? MIN(s->remaining, n->remaining) : n->remaining;
        s->reset_ms = MAX(s->reset_ms, reset);
        s->limit = n->limit;
    }
    if (n->status == 429)
        s->until_ms = MAX(s->until_ms, now_ms + MAX(n->retry_ms, 50));
    limits_heard(l, n, now_ms);
}
