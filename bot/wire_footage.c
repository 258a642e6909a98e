#include <stdio.h>
#include <string.h>

#include "adapters/footage/chat_media.h"
#include "adapters/footage/stock.h"
#include "bot/wire.h"
#include "core/base/strbuf.h"
#include "core/net/net.h"

/* Kept replies and clips lie in the cache like everything that can be made again, and share its
   bound. */
static bool place(void *ctx, const char *key, const char *ext, char *ret_path, struct err *e)
{
    return cache_path(ctx, key, ext, ret_path, e);
}

static bool options_of(struct net_engine *net, const struct config *config, const char *service,
                       struct cache *cache, struct stock_options *ret, struct err *e)
{
    char name[64];
    snprintf(name, sizeof(name), "%s_API_KEYS", service);
    *ret = (struct stock_options){.net = net, .place = place, .ctx = cache};
    ret->keys = config_text(config, name);
    snprintf(name, sizeof(name), "%s_API_URL", service);
    ret->api_url = config_text(config, name);
    return net_trust_base(net, ret->api_url, e);
}

bool wire_footage_wanted(const struct config *config)
{
    return config_text(config, "PEXELS_API_KEYS")[0] || config_text(config, "PIXABAY_API_KEYS")[0];
}

bool wire_footage_add(struct net_engine *net, const struct config *config, struct toolbox *box,
                      struct err *e)
{
    struct stock_options o;
    struct footage_source photos = {0};
    if (config_text(config, "PEXELS_API_KEYS")[0]) {
        if (!options_of(net, config, "PEXELS", box->cache, &o, e) ||
            !pexels_create(&o, &box->sources[box->source_count], &photos, e))
            return false;
        box->source_count++;
    }
    if (config_text(config, "PIXABAY_API_KEYS")[0]) {
        if (!options_of(net, config, "PIXABAY", box->cache, &o, e) ||
            !pixabay_create(&o, &box->sources[box->source_count], e)) {
            if (photos.ops)
                photos.ops->destroy(photos.self);
            return false;
        }
        box->source_count++;
    }
    if (photos.ops) /* stills come after every clip */
        box->sources[box->source_count++] = photos;
    return true;
}

bool wire_footage_own(const struct chat_adapter *chat, const struct job *job, const char *folder,
                      struct footage_source *ret, struct err *e)
{
    return chat_media_create(chat, job->media, folder, ret, e);
}

struct asked {
    const char *title;
    void (*tell)(void *ctx, const char *name, const struct err *why);
    void *ctx;
};

static void on_key(void *ctx, size_t nth, size_t total, const struct err *why)
{
    const struct asked *a = ctx;
    AUTO(free_ptr)
    char *name = total > 1 ? str_printf("%s %zu/%zu", a->title, nth + 1, total) : str_dup(a->title);
    a->tell(a->ctx, name, why);
}

bool wire_footage_check(const struct config *config,
                        void (*tell)(void *ctx, const char *name, const struct err *why), void *ctx,
                        struct err *e)
{
    struct net_engine *net = NULL;
    struct stock_options o;
    struct asked a = {.title = "Pexels", .tell = tell, .ctx = ctx};
    bool ok = net_engine_create(config_int(config, "NANOTIK_ALLOW_PLAIN"), &net, e);
    if (ok && config_text(config, "PEXELS_API_KEYS")[0])
        ok = options_of(net, config, "PEXELS", NULL, &o, e) && pexels_check(&o, on_key, &a, e);
    a.title = "Pixabay";
    if (ok && config_text(config, "PIXABAY_API_KEYS")[0])
        ok = options_of(net, config, "PIXABAY", NULL, &o, e) && pixabay_check(&o, on_key, &a, e);
    net_engine_destroy(net);
    return ok;
}
