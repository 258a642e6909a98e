/*
 * stock - clips and photos of the stock services: Pexels videos, Pixabay videos, Pexels photos.
 *
 * What:    footage_source "pexels", "pixabay", "pexels_photo". A search goes down a ladder (each
 *          term in the film's orientation, then in any, then the term's last word) until something
 *          usable was found; hits are ranked as choose_order says. fetch downloads the smallest
 *          rendition that covers the film; a file that is there is whole and was looked at.
 * Limits:  the first key that works is used; a refused one is left alone for an hour, one that was
 *          told to wait waits; each has a window of its own for the service's rate. Replies are
 *          kept for 24 h, clips for as long as the cache keeps them. A service that fails rests
 *          for a minute, so that a film waits for it once and not once per scene.
 * Owner:   ops->destroy. Options are copied, the engine and ctx are borrowed.
 * Threads: search and fetch from any thread.
 * Fails:   create: ERR_CONFIG "start.bad_stock_keys" (arg: name). search: ERR_RETRY
 *          "footage.service_down", ERR_CONFIG "footage.bad_key", ERR_LIMIT "footage.limit" (arg:
 *          service). fetch: ERR_RETRY / ERR_INPUT "footage.not_fetched" (arg: id).
 * Source:  facts sheet "providers" sections 0 and 3.
 */
#ifndef NANOTIK_STOCK_H
#define NANOTIK_STOCK_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/net/net.h"
#include "core/port/footage.h"

struct stock_options {
    struct net_engine *net;
    const char *keys;    /* comma list, tried in order */
    const char *api_url; /* trusted by the caller (net_trust_base) */
    /* Where a file of this key (hex) and extension belongs: a bounded cache. path of
       FOOTAGE_PATH_MAX bytes. */
    bool (*place)(void *ctx, const char *key, const char *ext, char *ret_path, struct err *e);
    void *ctx;
};

/* The two sources share keys and limits. */
bool pexels_create(const struct stock_options *options, struct footage_source *ret_videos,
                   struct footage_source *ret_photos, struct err *e);
bool pixabay_create(const struct stock_options *options, struct footage_source *ret, struct err *e);

/* For doctor: one cheap call per key, at most 5 s each. e is NULL when the key works. */
typedef void stock_key_fn(void *ctx, size_t nth, size_t total, const struct err *e);
bool pexels_check(const struct stock_options *options, stock_key_fn *on_key, void *ctx,
                  struct err *e);
bool pixabay_check(const struct stock_options *options, stock_key_fn *on_key, void *ctx,
                   struct err *e);

#endif
