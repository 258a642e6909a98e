#include "core/net/post.h"

#include <stdlib.h>
#include <string.h>

void net_posts_init(struct net_posts *posts, size_t max)
{
    *posts = (struct net_posts){.max = max};
    pthread_mutex_init(&posts->lock, NULL);
    pthread_cond_init(&posts->landed, NULL);
}

void net_posts_wait(struct net_posts *posts)
{
    pthread_mutex_lock(&posts->lock);
    while (posts->flying > 0)
        pthread_cond_wait(&posts->landed, &posts->lock);
    pthread_mutex_unlock(&posts->lock);
}

void net_posts_free(struct net_posts *posts)
{
    pthread_cond_destroy(&posts->landed);
    pthread_mutex_destroy(&posts->lock);
}

static bool take_off(struct net_posts *posts)
{
    pthread_mutex_lock(&posts->lock);
    bool room = posts->flying < posts->max;
    posts->flying += room;
    pthread_mutex_unlock(&posts->lock);
    return room;
}

static void land(struct net_posts *posts)
{
    pthread_mutex_lock(&posts->lock);
    posts->flying--;
    pthread_cond_broadcast(&posts->landed);
    pthread_mutex_unlock(&posts->lock);
}

static void post_free(struct net_post *post)
{
    free(post->url);
    free(post->body);
    free(post);
}

static void post_done(void *ctx, struct net_reply *reply, const struct err *net_error)
{
    struct net_post *post = ctx;
    struct net_posts *posts = post->posts;
    struct err e = *net_error;
    post->on_done(post, reply, &e);
    net_reply_free(reply);
    post_free(post);
    land(posts); /* the last that is done with the owner */
}

bool net_post_send(struct net_posts *posts, struct net_engine *engine, struct net_post *post,
                   const char *method, int total_ms, struct err *e)
{
    struct net_request r = {.log_name = post->log_name,
                            .url = post->url,
                            .method = method,
                            .headers = post->headers,
                            .header_count = post->header_count,
                            .body = post->body,
                            .body_len = post->body ? strlen(post->body) : 0,
                            .total_ms = total_ms};
    post->posts = posts;
    bool room = take_off(posts);
    if (room && net_submit(engine, &r, post_done, post, e))
        return true;
    if (room)
        land(posts);
    else
        err_set(e, ERR_RETRY, "error.busy", "%s: too many are under way", post->log_name);
    post_free(post);
    return false;
}
