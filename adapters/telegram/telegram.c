/* The adapter's life and the little state that its parts share. */
#include <ctype.h>

#include "adapters/telegram/telegram_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#define LOG_MODULE "telegram"

enum {
    POLL_SECONDS = 25,
};
/* 50 and 2000 MB; the rest is for the form around the film. */
#define FORM_BYTES 65536LL
#define CLOUD_VIDEO_MAX (50000000LL - FORM_BYTES)
#define OWN_VIDEO_MAX (2000000000LL - FORM_BYTES)

/* --- messages that carry media: their words are a caption --- */

static uint64_t message_key(int64_t chat, int64_t message)
{
    return ((uint64_t)chat * 0x9e3779b97f4a7c15u ^ (uint64_t)message) | 1;
}

void tg_mark_media(struct telegram *t, int64_t chat, int64_t message)
{
    uint64_t key = message_key(chat, message);
    pthread_mutex_lock(&t->lock);
    bool known = false;
    for (size_t i = 0; i < TG_MEDIA_CARDS && !known; i++)
        known = t->media_cards[i] == key;
    if (!known) {
        t->media_cards[t->media_next] = key;
        t->media_next = (t->media_next + 1) % TG_MEDIA_CARDS;
    }
    pthread_mutex_unlock(&t->lock);
}

bool tg_is_media(struct telegram *t, int64_t chat, int64_t message)
{
    uint64_t key = message_key(chat, message);
    bool known = false;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TG_MEDIA_CARDS && !known; i++)
        known = t->media_cards[i] == key;
    pthread_mutex_unlock(&t->lock);
    return known;
}

/* --- pace --- */

bool tg_pace(struct telegram *t, int64_t chat, enum pace_lane lane, int64_t patience_ms,
             const struct cancel *cancel, struct err *e)
{
    int64_t waited = 0;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        int64_t wait = pace_take(t->pace, chat, lane, clock_mono_ms());
        pthread_mutex_unlock(&t->lock);
        if (wait == 0)
            return true;
        if (waited + wait > patience_ms)
            return err_set(e, ERR_RETRY, "error.busy",
                           "telegram: this chat has to rest for %lld ms more", (long long)wait);
        /* In slices, so that a shutdown is seen too. */
        int slice = (int)MIN(wait, 100);
        if (cancel_wait(cancel, slice))
            return err_set(e, ERR_CANCELLED, "error.cancelled", "telegram: stopped while waiting");
        waited += slice;
    }
}

void tg_note_flood(struct telegram *t, int64_t chat, const struct tg_reply *r)
{
    if (r->action != TG_WAIT)
        return;
    pthread_mutex_lock(&t->lock);
    pace_hold(t->pace, chat, r->retry_ms, clock_mono_ms());
    pthread_mutex_unlock(&t->lock);
    log_warn("asked to wait %lld s", (long long)(r->retry_ms / 1000));
}

static int64_t telegram_hold_ms(void *self, const struct chat_addr *to)
{
    struct telegram *t = self;
    int64_t chat;
    if (!str_to_int(to->chat, INT64_MIN, INT64_MAX, &chat))
        return 0;
    chat = tg_chat_now(t, chat);
    pthread_mutex_lock(&t->lock);
    int64_t wait = pace_wait(t->pace, chat, LANE_ANSWER, clock_mono_ms());
    pthread_mutex_unlock(&t->lock);
    return wait;
}

/* --- small operations --- */

static void telegram_stop(void *self)
{
    struct telegram *t = self;
    cancel_fire(&t->stop);
}

static const struct chat_abilities *telegram_abilities(void *self)
{
    struct telegram *t = self;
    return &t->abilities;
}

static bool telegram_private_link(void *self, const char *action, char *ret_url, size_t size)
{
    struct telegram *t = self;
    char username[64];
    const char *payload = action + (*action == '/');
    for (const char *p = payload; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-')
            return false;
    pthread_mutex_lock(&t->lock);
    str_copy(username, sizeof(username), t->me.username);
    pthread_mutex_unlock(&t->lock);
    if (!*username || !*payload || strlen(payload) > 64)
        return false;
    int n = snprintf(ret_url, size, "https://t.me/%s?start=%s", username, payload);
    return n > 0 && (size_t)n < size;
}

/* Ids of groups and channels are negative. */
static bool telegram_is_overheard(void *self, const struct chat_addr *where)
{
    (void)self;
    return where->chat[0] == '-';
}

/* --- life --- */

static void *keeper_main(void *arg)
{
    struct telegram *t = arg;
    while (!cancel_fired(&t->stop)) {
        tg_presses_flush(t, clock_mono_ms());
        int64_t wait = CLAMP(tg_status_flush(t, clock_mono_ms()), 20, 500);
        struct timespec until = clock_until(wait);
        pthread_mutex_lock(&t->lock);
        pthread_cond_clockwait(&t->changed, &t->lock, CLOCK_MONOTONIC, &until);
        pthread_mutex_unlock(&t->lock);
    }
    return NULL;
}

static void telegram_destroy(void *self)
{
    struct telegram *t = self;
    if (!t)
        return;
    cancel_fire(&t->stop);
    if (t->keeper_runs)
        pthread_join(t->keeper, NULL);
    net_posts_wait(&t->posts);
    net_posts_free(&t->posts);
    for (size_t i = 0; i < TG_SLOTS; i++)
        free(t->slots[i].body);
    pace_destroy(t->pace);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t->token);
    free(t->base);
    free(t);
}

static const struct chat_adapter_ops telegram_ops = {
    .name = "telegram",
    .run = tg_run,
    .stop = telegram_stop,
    .abilities = telegram_abilities,
    .send = tg_send,
    .edit = tg_edit,
    .deliver = tg_deliver,
    .hold_ms = telegram_hold_ms,
    .private_link = telegram_private_link,
    .is_overheard = telegram_is_overheard,
    .is_admin = tg_is_admin,
    .pressed = tg_pressed,
    .fetch = tg_fetch,
    .whoami = tg_whoami,
    .destroy = telegram_destroy,
};

/* "<digits>:<about 35 of A-Za-z0-9_->": anything else would end up as a strange URL. */
static bool token_is_well_formed(const char *token)
{
    size_t digits = strspn(token, "0123456789");
    const char *rest = token + digits;
    if (digits < 1 || digits > 20 || *rest != ':')
        return false;
    size_t len = 0;
    for (rest++; rest[len]; len++)
        if (!isalnum((unsigned char)rest[len]) && rest[len] != '_' && rest[len] != '-')
            return false;
    return len >= 20 && len <= 100;
}

/* The digits before the colon are the bot's id. Notes of films are found under it, also by a process
   that only sends, or before the first answer of the server. */
static int64_t token_id(const char *token)
{
    char digits[24];
    int64_t id = 0;
    snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(token, ":"), token);
    return str_to_int(digits, 1, INT64_MAX, &id) ? id : 0;
}

bool telegram_create(const struct telegram_options *o, struct chat_adapter *ret, struct err *e)
{
    if (!token_is_well_formed(o->token))
        return err_set(e, ERR_CONFIG, "start.telegram_token",
                       "TELEGRAM_BOT_TOKEN does not look like a bot token");
    if (!net_trust_base(o->net, o->api_url, e))
        return false;
    struct telegram *t = calloc(1, sizeof(*t));
    if (!t)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    log_secret(o->token);
    t->net = o->net;
    t->o = *o;
    t->token = str_dup(o->token);
    t->me.id = token_id(o->token);
    t->base = str_dup(o->api_url);
    for (size_t n = strlen(t->base); n > 0 && t->base[n - 1] == '/'; n--)
        t->base[n - 1] = '\0';
    t->o.token = t->o.api_url = NULL;
    t->o.poll_seconds = o->poll_seconds > 0 ? MIN(o->poll_seconds, 50) : POLL_SECONDS;
    bool own_server = !str_starts(t->base, "https://api.telegram.org");
    t->abilities = (struct chat_abilities){
        .video_bytes_max = o->video_bytes_max ? o->video_bytes_max
                           : own_server       ? OWN_VIDEO_MAX
                                              : CLOUD_VIDEO_MAX,
        .edit_interval_ms = 4000,
        .senders = 4,
        .card_units = 4096,
        .thumb_side = 320,
        .buttons = true,
        .replies = true,
        .quiet_edits = true,
    };
    cancel_init(&t->stop, NULL);
    net_posts_init(&t->posts, TG_POSTS_MAX);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    t->pace = pace_create();
    t->keeper_runs = pthread_create(&t->keeper, NULL, keeper_main, t) == 0;
    if (!t->keeper_runs) {
        telegram_destroy(t);
        return err_set(e, ERR_INTERNAL, "error.internal", "no thread for telegram");
    }
    pthread_setname_np(t->keeper, "telegram-edit");
    *ret = (struct chat_adapter){.ops = &telegram_ops, .self = t};
    return true;
}
