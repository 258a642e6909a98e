#include "adapters/footage/backdrop.h"

#include "core/base/strbuf.h"

static bool backdrop_search(void *self, const struct footage_query *query, struct footage *ret_hits,
                            size_t max, size_t *ret_count, const struct cancel *cancel,
                            struct err *e)
{
    (void)self;
    (void)cancel;
    (void)e;
    *ret_count = 0;
    if (max == 0)
        return true;
    struct footage *hit = &ret_hits[0];
    *hit = (struct footage){.kind = FOOTAGE_BACKDROP, .seed = query->seed};
    str_copy(hit->provider, sizeof(hit->provider), "backdrop");
    snprintf(hit->id, sizeof(hit->id), "%zu", query->scene);
    snprintf(hit->look, sizeof(hit->look), "auto:%zu", query->scene);
    *ret_count = 1;
    return true;
}

static bool backdrop_fetch(void *self, struct footage *hit, const struct cancel *cancel,
                           struct err *e)
{
    (void)self;
    (void)hit;
    (void)cancel;
    (void)e;
    return true;
}

static void backdrop_destroy(void *self)
{
    (void)self;
}

bool backdrop_source_create(struct footage_source *ret)
{
    static const struct footage_source_ops ops = {
        .name = "backdrop",
        .search = backdrop_search,
        .fetch = backdrop_fetch,
        .destroy = backdrop_destroy,
    };
    *ret = (struct footage_source){.ops = &ops};
    return true;
}
