/*
 * post - requests in the background: nobody waits for them, and their number is bounded.
 *
 * What:    a post owns its texts while it is under way; whoever needs more puts a struct net_post
 *          first into a larger one. posts_wait is for owners that the posts point to.
 * Owner:   net_post_send takes the post, its url and its body, whatever it returns; they are freed
 *          behind on_done.
 * Threads: all functions from any thread; on_done runs on the engine's thread and must not block.
 * Fails:   ERR_RETRY: too many are under way, or the engine is stopping; on_done is not called.
 */
#ifndef NANOTIK_NET_POST_H
#define NANOTIK_NET_POST_H

#include <pthread.h>

#include "core/net/net.h"

struct net_posts {
    size_t max; /* fixed at init */
    pthread_mutex_t lock;
    pthread_cond_t landed;
    size_t flying; /* only with lock held */
};
void net_posts_init(struct net_posts *posts, size_t max);
void net_posts_wait(struct net_posts *posts); /* each ends by its own time limit */
void net_posts_free(struct net_posts *posts); /* none is under way */

struct net_post {
    char *url;
    char *body; /* or NULL */
    char log_name[64];
    const char *headers[4]; /* borrowed until on_done was called */
    size_t header_count;
    void (*on_done)(struct net_post *post, const struct net_reply *reply, struct err *e);
    struct net_posts *posts; /* set by net_post_send */
};

/* post: from malloc or calloc; method as in net_request. */
bool net_post_send(struct net_posts *posts, struct net_engine *engine, struct net_post *post,
                   const char *method, int total_ms, struct err *e);

#endif
