/* run(): who we are, the gateway's address, then one event after another to the bot. */
#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "discord"

enum {
    AGAIN_MS = 5000,             /* an outage is over soon after its end */
    STORE_MS = 1000,             /* pause while the bot cannot store */
    GIVE_UP_MS = 14 * 60 * 1000, /* nobody can be answered any more */
    PATIENCE_MS = 60000,
    LOOK_MS = 200, /* at the links, while nothing is heard */
};

/* --- before the gateway --- */

static bool get(struct discord *d, const char *name, const char *path, const struct cancel *cancel,
                struct dc_reply *r, struct err *e)
{
    char route[80];
    snprintf(route, sizeof(route), "GET %s", path);
    struct dc_call c = {.name = name,
                        .method = "GET",
                        .route = route,
                        .major = "",
                        .path = str_dup(path),
                        .patience_ms = PATIENCE_MS,
                        .cancel = cancel};
    return dc_call(d, &c, r, e);
}

bool dc_whoami(void *self, char *ret_name, size_t size, const struct cancel *cancel, struct err *e)
{
    AUTO(dc_reply_free) struct dc_reply r = {0};
    return get(self, "application", "/applications/@me", cancel, &r, e) &&
           snprintf(ret_name, size, "%s", json_text(r.doc, "name", "?")) > 0;
}

/* True: known. False: stopped (e untouched) or refused for good (e set). */
static bool get_patiently(struct discord *d, const char *name, const char *path, struct dc_reply *r,
                          struct err *e)
{
    for (int i = 0; !cancel_fired(&d->stop); i++) {
        struct err failed = {0};
        dc_reply_free(r);
        if (get(d, name, path, &d->stop, r, &failed))
            return true;
        if (r->action == DC_TOKEN) {
            *e = failed;
            return false;
        }
        if (!cancel_fired(&d->stop))
            log_err(i == 0 ? LOG_WARN : LOG_INFO, LOG_MODULE, &failed);
        int pause = MIN(net_backoff_ms(i), AGAIN_MS);
        cancel_wait(&d->stop, (int)MAX(r->retry_ms, pause));
    }
    return false;
}

struct gateway_bot {
    char url[GW_URL_MAX];
    int shards;
};

static bool ask_gateway(struct discord *d, struct gateway_bot *ret, struct err *e)
{
    AUTO(dc_reply_free) struct dc_reply r = {0};
    if (!get_patiently(d, "gateway", "/gateway/bot", &r, e))
        return false;
    const char *url = json_text(r.doc, "url", "");
    bool plain_here = str_starts(d->base, "http://");
    bool usable = str_starts(url, "wss://") || (plain_here && str_starts(url, "ws://"));
    if (!usable || !str_copy(ret->url, sizeof(ret->url), url))
        return err_set(e, ERR_CONFIG, "start.discord_closed",
                       "discord: /gateway/bot names no usable address");
    ret->shards = (int)CLAMP(json_int_or(r.doc, "shards", 1), 1, DC_SHARDS_MAX);
    const cJSON *limit = json_object(r.doc, "session_start_limit");
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&d->gate_lock);
    d->gate.max_concurrency = (int)CLAMP(json_int_or(limit, "max_concurrency", 1), 1, GW_KEYS_MAX);
    d->gate.total = (int)CLAMP(json_int_or(limit, "total", 1000), 1, 1000000);
    d->gate.remaining = (int)CLAMP(json_int_or(limit, "remaining", 1000), 0, 1000000);
    d->gate.reset_ms = now + CLAMP(json_int_or(limit, "reset_after", 86400000), 0, 86400000);
    pthread_mutex_unlock(&d->gate_lock);
    return true;
}

static void *commands_main(void *arg)
{
    struct discord *d = arg;
    AUTO(dc_reply_free) struct dc_reply r = {0};
    struct err ignored = {0};
    if (!get_patiently(d, "application", "/applications/@me", &r, &ignored))
        return NULL;
    const char *id = json_text(r.doc, "id", "");
    if (!dc_id_ok(id))
        return NULL;
    pthread_mutex_lock(&d->lock);
    str_copy(d->app, sizeof(d->app), id);
    pthread_mutex_unlock(&d->lock);
    dc_commands_publish(d);
    return NULL;
}

/* --- events --- */

void dc_enqueue(struct discord *d, struct dc_queued *q)
{
    pthread_mutex_lock(&d->lock);
    bool room = d->queued < DC_QUEUE_MAX;
    pthread_mutex_unlock(&d->lock);
    if (room) /* before the bot can ask for it */
        dc_inter_add(d, &q->ev, q->heard_ms);
    pthread_mutex_lock(&d->lock);
    if (room) {
        if (d->last)
            d->last->next = q;
        else
            d->first = q;
        d->last = q;
        d->queued++;
    } else {
        d->stats.dropped++;
    }
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    if (!room) {
        log_warn("too many events wait: one was dropped");
        dc_event_free(&q->ev);
        free(q);
    }
    dc_kick(d); /* its acknowledgement may become late */
}

/* The event stays in the queue while it is handled: a session saved meanwhile asks for it again. */
static struct dc_queued *next_event(struct discord *d, int ms)
{
    struct timespec until = clock_until(ms);
    pthread_mutex_lock(&d->lock);
    if (!d->first)
        pthread_cond_clockwait(&d->changed, &d->lock, CLOCK_MONOTONIC, &until);
    struct dc_queued *q = d->first;
    pthread_mutex_unlock(&d->lock);
    return q;
}

static void drop_first(struct discord *d)
{
    pthread_mutex_lock(&d->lock);
    struct dc_queued *q = d->first;
    d->first = q->next;
    if (!d->first)
        d->last = NULL;
    d->queued--;
    d->sessions_moved = true;
    if (!d->first)
        dc_pen_call(d);
    pthread_mutex_unlock(&d->lock);
    dc_event_free(&q->ev);
    free(q);
}

static void handle(struct discord *d, struct dc_queued *q, chat_events_fn *on_events, void *ctx)
{
    while (!on_events(ctx, &q->ev.event, 1, NULL)) {
        if (cancel_wait(&d->stop, STORE_MS))
            return; /* comes again after the restart */
        if (clock_mono_ms() - q->heard_ms > GIVE_UP_MS) {
            log_error("an event could not be stored in time");
            break;
        }
    }
    dc_ack(d, q->ev.id); /* stored with all that follows from it */
    drop_first(d);
}

/* Links that are wanted are made, others put away. True: go on. False: over; e says why unless
   stopped. */
static bool look_at_gate(struct discord *d, struct err *e)
{
    struct gateway_bot bot;
    bool ours = dc_link_is_ours(d);
    pthread_mutex_lock(&d->gate_lock);
    bool fatal = d->fatal, reshard = d->reshard, linked = d->shard_count > 0, up = false;
    for (int i = 0; i < d->shard_count; i++)
        up |= d->shards[i].ws != NULL;
    if (fatal)
        *e = d->fatal_err;
    pthread_mutex_unlock(&d->gate_lock);
    if (fatal)
        return false;
    if (linked && !reshard && (ours || up))
        return true;
    if (linked) {
        log_info("gateway: %s", reshard ? "another number of shards is wanted"
                                        : "another process is connected now");
        dc_link_stop(d);
    }
    return !ours || (ask_gateway(d, &bot, e) && dc_link_start(d, bot.url, bot.shards, e));
}

static bool event_loop(struct discord *d, chat_events_fn *on_events, void *ctx, struct err *e)
{
    while (!cancel_fired(&d->stop)) {
        if (!look_at_gate(d, e))
            return cancel_fired(&d->stop);
        struct dc_queued *q = next_event(d, LOOK_MS);
        if (q && !cancel_fired(&d->stop))
            handle(d, q, on_events, ctx);
    }
    return true;
}

bool dc_run(void *self, chat_events_fn *on_events, void *ctx, struct err *e)
{
    struct discord *d = self;
    pthread_t commands;
    bool has_commands = pthread_create(&commands, NULL, commands_main, d) == 0;
    bool ok = dc_pen_start(d, e) && event_loop(d, on_events, ctx, e);
    dc_pen_stop(d); /* the last word on sessions is dc_link_stop's */
    dc_link_stop(d);
    if (d->o.left)
        d->o.left(d->o.ctx);
    if (!ok)
        cancel_fire(&d->stop);
    if (has_commands)
        pthread_join(commands, NULL);
    return ok;
}
