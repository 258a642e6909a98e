/*
 * The subscription: built from frames that are acknowledged one by one, subscribe with the first
 * accounts, update with the others. Services without `update` get the whole list in one subscribe;
 * one that does not take a list so long gets the newest part of it.
 */
#define LOG_MODULE "nano"
#include "adapters/nano/stream_parts.h"

#include "core/base/log.h"

enum { FRAME_MAX = 16 << 20 };

/* --- frames --- */

static void put_list(struct strbuf *out, const char *name, const struct nano_account *a,
                     size_t count)
{
    char text[NANO_ADDRESS];
    strbuf_addf(out, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        nano_account_print(&a[i], text);
        strbuf_addf(out, "%s\"%s\"", i ? "," : "", text);
    }
    strbuf_adds(out, "]");
}

/* Sends a frame and waits until the node says that it took it. */
static bool send_frame(struct nano_stream *s, const char *action, const char *options)
{
    struct err e = {0};
    pthread_mutex_lock(&s->lock);
    snprintf(s->wanted_ack, sizeof(s->wanted_ack), "%u", ++s->frame_id);
    s->acked = false;
    AUTO(free_ptr)
    char *text = str_printf("{\"action\":\"%s\",\"topic\":\"confirmation\",\"ack\":true,\"id\":"
                            "\"%s\",\"options\":{%s}}",
                            action, s->wanted_ack, options);
    pthread_mutex_unlock(&s->lock);
    return ws_send(s->ws, text, strlen(text), true, &e) &&
           nano_stream_wait(s, &s->acked, s->limits.ack_ms);
}

/* Replaces whatever filter there was; never without accounts, which would mean all or none. */
static bool subscribe(struct nano_stream *s, const struct nano_account *a, size_t count)
{
    AUTO(strbuf_free) struct strbuf options = STRBUF(FRAME_MAX);
    put_list(&options, "accounts", a, count);
    strbuf_adds(&options, ",\"confirmation_type\":\"all\",\"include_block\":\"true\"");
    return count > 0 && !options.failed && send_frame(s, "subscribe", strbuf_text(&options));
}

static bool update(struct nano_stream *s, const struct nano_account *add, size_t add_count,
                   const struct nano_account *del, size_t del_count)
{
    AUTO(strbuf_free) struct strbuf options = STRBUF(FRAME_MAX);
    put_list(&options, "accounts_add", add, add_count);
    strbuf_adds(&options, ",");
    put_list(&options, "accounts_del", del, del_count);
    return !options.failed && send_frame(s, "update", strbuf_text(&options));
}

/* --- the subscription --- */

static struct nano_account *copy_of(const struct nano_set *set)
{
    struct nano_account *copy = calloc(MAX(set->count, (size_t)1), sizeof(*copy));
    if (!copy)
        abort();
    if (set->count)
        memcpy(copy, set->items, set->count * sizeof(*copy));
    return copy;
}

static bool link_is_up(struct nano_stream *s)
{
    pthread_mutex_lock(&s->lock);
    bool up = s->open && !s->closed && !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return up;
}

static bool by_parts(struct nano_stream *s, const struct nano_account *a, size_t count)
{
    size_t part = s->limits.stream_part, first = MIN(count, part);
    if (!subscribe(s, a, first))
        return false;
    for (size_t at = first; at < count; at += part)
        if (!update(s, a + at, MIN(part, count - at), NULL, 0))
            return false;
    return true;
}

/* All of them at once, or as many of the newest as the service takes. */
static bool at_once(struct nano_stream *s, struct nano_place *p, const struct nano_account *a,
                    size_t count)
{
    size_t n = MIN(count, p->cap);
    while (n > 0 && link_is_up(s)) {
        if (subscribe(s, a + count - n, n)) {
            if (n < count && p->cap != n)
                log_warn("the stream takes only %zu of %zu accounts: the others are polled", n,
                         count);
            p->cap = n < count ? n : p->cap;
            return true;
        }
        n /= 2;
    }
    return false;
}

bool nano_stream_subscribe(struct nano_stream *s, struct nano_place *p)
{
    pthread_mutex_lock(&s->lock);
    size_t count = s->set.count;
    AUTO(free_ptr) struct nano_account *a = copy_of(&s->set);
    nano_set_free(&s->added);
    nano_set_free(&s->removed);
    pthread_mutex_unlock(&s->lock);
    if (!p->no_update && by_parts(s, a, count))
        return true;
    if (!link_is_up(s))
        return false;
    p->no_update = true;
    return at_once(s, p, a, count);
}

bool nano_stream_update(struct nano_stream *s, struct nano_place *p)
{
    if (p->no_update)
        return nano_stream_subscribe(s, p);
    pthread_mutex_lock(&s->lock);
    size_t add_count = s->added.count, del_count = s->removed.count;
    AUTO(free_ptr) struct nano_account *add = copy_of(&s->added);
    AUTO(free_ptr) struct nano_account *del = copy_of(&s->removed);
    nano_set_free(&s->added);
    nano_set_free(&s->removed);
    pthread_mutex_unlock(&s->lock);
    size_t part = s->limits.stream_part, at = 0;
    do {
        size_t n = MIN(part, add_count - at);
        if (!update(s, add + at, n, del, at ? 0 : del_count))
            return link_is_up(s) && nano_stream_subscribe(s, p);
        at += n;
    } while (at < add_count);
    return true;
}

bool nano_stream_ping(struct nano_stream *s)
{
    struct err e = {0};
    static const char text[] = "{\"action\":\"ping\"}";
    pthread_mutex_lock(&s->lock);
    s->ponged = false;
    pthread_mutex_unlock(&s->lock);
    return ws_send(s->ws, text, sizeof(text) - 1, true, &e) &&
           nano_stream_wait(s, &s->ponged, s->limits.ack_ms);
}
