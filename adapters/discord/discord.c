/* The adapter's life. */
#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#define LOG_MODULE "discord"

#define EVERYBODY_MAX (INT64_C(10) << 20) /* the limit where nothing was told */

enum {
    EDIT_MS = 5000,
    POSTS_MAX = 512, /* background requests at one time */
};

static void discord_stop(void *self)
{
    struct discord *d = self;
    cancel_fire(&d->stop);
    pthread_mutex_lock(&d->lock);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    dc_kick(d);
}

static const struct chat_abilities *discord_abilities(void *self)
{
    struct discord *d = self;
    return &d->abilities;
}

/* Heartbeats, reconnects, late acknowledgements: nothing here waits for anything. */
static void *keeper_main(void *arg)
{
    struct discord *d = arg;
    while (!cancel_fired(&d->stop)) {
        pthread_mutex_lock(&d->gate_lock);
        uint64_t seen = d->kicks;
        bool linked = d->gate_runs;
        pthread_mutex_unlock(&d->gate_lock);
        int64_t now = clock_mono_ms();
        int64_t wait = MIN(dc_link_tick(d, now), MIN(dc_ack_late(d, now), dc_part(d, now)));
        if (linked)
            dc_keep_warm(d, now);
        struct timespec until = clock_until(CLAMP(wait, 1, 500));
        pthread_mutex_lock(&d->gate_lock);
        int r = 0;
        while (d->kicks == seen && r == 0)
            r = pthread_cond_clockwait(&d->gate_changed, &d->gate_lock, CLOCK_MONOTONIC, &until);
        pthread_mutex_unlock(&d->gate_lock);
    }
    return NULL;
}

static void discord_destroy(void *self)
{
    struct discord *d = self;
    if (!d)
        return;
    discord_stop(d);
    if (d->keeper_runs)
        pthread_join(d->keeper, NULL);
    ws_engine_destroy(d->own_ws);
    net_engine_destroy(d->ack_net); /* ends what is still under way */
    net_posts_free(&d->posts);
    for (struct dc_queued *q; (q = d->first);) {
        d->first = q->next;
        dc_event_free(&q->ev);
        free(q);
    }
    limits_destroy(d->limits);
    pthread_cond_destroy(&d->gate_changed);
    pthread_mutex_destroy(&d->gate_lock);
    pthread_cond_destroy(&d->changed);
    pthread_cond_destroy(&d->pen_changed);
    pthread_mutex_destroy(&d->lock);
    for (size_t i = 0; d->inters && i < DC_INTERS_MAX; i++)
        free(d->inters[i].farewell);
    free(d->inters);
    free(d->token);
    free(d->base);
    free(d->guild);
    free(d->auth_header);
    free(d);
}

static const struct chat_adapter_ops discord_ops = {
    .name = "discord",
    .run = dc_run,
    .stop = discord_stop,
    .abilities = discord_abilities,
    .send = dc_send,
    .edit = dc_edit,
    .deliver = dc_deliver,
    .hold_ms = dc_hold_ms,
    .fetch = dc_fetch,
    .whoami = dc_whoami,
    .destroy = discord_destroy,
};

/* Of any length, but fit for a header line. */
static bool token_is_well_formed(const char *token)
{
    for (const char *p = token; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            return false;
    return token[0] != '\0';
}

static void make_key(struct discord *d)
{
    struct hash h;
    char hex[HASH_HEX];
    hash_begin(&h, "discord-buttons");
    hash_text(&h, "token", d->token);
    hash_end(&h, hex);
    memcpy(d->key, hex, sizeof(d->key));
}

static bool make_engines(struct discord *d, struct err *e)
{
    if (!d->o.ws && !ws_engine_create(d->o.allow_plain, &d->own_ws, e))
        return false;
    d->ws = d->o.ws ? d->o.ws : d->own_ws;
    if (!net_engine_create(d->o.allow_plain, &d->ack_net, e) ||
        !net_trust_base(d->ack_net, d->base, e))
        return false;
    d->keeper_runs = pthread_create(&d->keeper, NULL, keeper_main, d) == 0;
    if (!d->keeper_runs)
        return err_set(e, ERR_INTERNAL, "error.internal", "no thread for discord");
    pthread_setname_np(d->keeper, "discord-keep");
    return true;
}

bool discord_create(const struct discord_options *o, struct chat_adapter *ret, struct err *e)
{
    if (!token_is_well_formed(o->token))
        return err_set(e, ERR_CONFIG, "start.discord_token",
                       "DISCORD_BOT_TOKEN does not look like a bot token");
    if (!net_trust_base(o->net, o->api_url, e))
        return false;
    struct discord *d = calloc(1, sizeof(*d));
    if (!d)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    log_secret(o->token);
    d->net = o->net;
    d->o = *o;
    d->token = str_dup(o->token);
    d->base = str_dup(o->api_url);
    for (size_t n = strlen(d->base); n > 0 && d->base[n - 1] == '/'; n--)
        d->base[n - 1] = '\0';
    d->guild = str_dup(o->guild ? o->guild : "");
    d->auth_header = str_printf("Authorization: Bot %s", o->token);
    d->o.token = d->o.api_url = d->o.guild = NULL;
    d->abilities = (struct chat_abilities){
        .video_bytes_max = o->video_bytes_max ? o->video_bytes_max : DC_FIT(EVERYBODY_MAX),
        .edit_interval_ms = EDIT_MS,
        .card_units = 1990,
        .buttons = true,
        .asks = true,
        .quiet_edits = true,
    };
    make_key(d);
    cancel_init(&d->stop, NULL);
    net_posts_init(&d->posts, POSTS_MAX);
    pthread_mutex_init(&d->gate_lock, NULL);
    pthread_cond_init(&d->gate_changed, NULL);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    pthread_cond_init(&d->pen_changed, NULL);
    d->limits = limits_create();
    d->inters = calloc(DC_INTERS_MAX, sizeof(*d->inters));
    bool ok = d->inters ? make_engines(d, e)
                        : err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    if (!ok) {
        discord_destroy(d);
        return false;
    }
    *ret = (struct chat_adapter){.ops = &discord_ops, .self = d};
    return true;
}

void discord_stats(const struct chat_adapter *chat, struct discord_stats *ret)
{
    struct discord *d = chat->self;
    pthread_mutex_lock(&d->lock);
    *ret = d->stats;
    pthread_mutex_unlock(&d->lock);
}
