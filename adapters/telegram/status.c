/*
 * The newest state of each card whose video is being made.
 *
 * A progress edit never waits and never queues: it replaces the one that waits, goes out at most
 * every 4 s (groups: 10 s) and only when it differs, and is dropped while the chat has to rest.
 */
#include "adapters/telegram/telegram_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#define LOG_MODULE "telegram"

enum {
    EDIT_MS = 4000,
    GROUP_EDIT_MS = 10000,
    FORGET_MS = 600000,
};

static uint64_t text_hash(const char *text)
{
    uint64_t h = 1469598103934665603u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h | 1;
}

/* With lock held. make: takes a free slot, or the one unused longest that holds nothing. */
static struct tg_slot *find_slot(struct telegram *t, int64_t chat, int64_t message, bool make)
{
    struct tg_slot *spare = NULL;
    for (size_t i = 0; i < TG_SLOTS; i++) {
        struct tg_slot *s = &t->slots[i];
        if (s->message == message && s->chat == chat)
            return s;
        if (!s->flying && !s->body && (!spare || s->used_ms < spare->used_ms))
            spare = s;
    }
    if (!make || !spare)
        return NULL;
    *spare = (struct tg_slot){.chat = chat, .message = message, .is_group = chat < 0};
    return spare;
}

bool tg_status_set(struct telegram *t, int64_t chat, int64_t message, const char *body)
{
    bool gone = false;
    pthread_mutex_lock(&t->lock);
    struct tg_slot *s = find_slot(t, chat, message, true);
    if (s) {
        s->used_ms = clock_mono_ms();
        gone = s->gone;
        free(s->body);
        s->body = NULL;
        if (!gone && (s->flying || text_hash(body) != s->sent_hash))
            s->body = str_dup(body);
        pthread_cond_broadcast(&t->changed);
    } /* else all are busy: the next state will find a place */
    pthread_mutex_unlock(&t->lock);
    return !gone;
}

void tg_status_end(struct telegram *t, int64_t chat, int64_t message)
{
    pthread_mutex_lock(&t->lock);
    struct tg_slot *s = find_slot(t, chat, message, false);
    if (s) {
        free(s->body);
        s->body = NULL;
        while (s->flying && s->chat == chat && s->message == message)
            pthread_cond_wait(&t->changed, &t->lock);
        if (s->chat == chat && s->message == message)
            s->sent_hash = 0; /* the card shows something else now */
    }
    pthread_mutex_unlock(&t->lock);
}

/* Network's thread. */
static void edit_done(struct telegram *t, const struct tg_reply *r, void *ctx)
{
    struct tg_slot *s = ctx; /* stays ours while it is flying */
    if (r->action == TG_WAIT)
        tg_note_flood(t, s->chat, r);
    if (r->action == TG_NO_TEXT)
        tg_mark_media(t, s->chat, s->message);
    if (r->action == TG_MOVED)
        tg_chat_moved(t, s->chat, r->moved_to, false);
    pthread_mutex_lock(&t->lock);
    s->flying = false;
    s->gone = r->action == TG_CARD_GONE || r->action == TG_UNREACHABLE || r->action == TG_MOVED;
    if (r->action != TG_DONE)
        s->sent_hash = 0;
    s->due_ms = clock_mono_ms() + (s->is_group ? GROUP_EDIT_MS : EDIT_MS);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* With lock held: what to do with a waiting state. Returns its body when it may go now. */
static char *take_due(struct telegram *t, struct tg_slot *s, int64_t now, int64_t *next)
{
    if (s->flying || !s->body)
        return NULL;
    if (pace_held(t->pace, s->chat, now)) {
        free(s->body);
        s->body = NULL;
        return NULL;
    }
    int64_t wait = MAX(s->due_ms - now, 0);
    if (wait == 0)
        wait = pace_take(t->pace, s->chat, LANE_STATUS, now);
    if (wait > 0) {
        *next = MIN(*next, wait);
        return NULL;
    }
    s->flying = true;
    s->sent_hash = text_hash(s->body);
    return TAKE(s->body);
}

int64_t tg_status_flush(struct telegram *t, int64_t now_ms)
{
    int64_t next = 1000;
    for (size_t i = 0; i < TG_SLOTS; i++) {
        struct tg_slot *s = &t->slots[i];
        pthread_mutex_lock(&t->lock);
        char *body = take_due(t, s, now_ms, &next);
        if (!body && s->message && !s->body && !s->flying && now_ms - s->used_ms > FORGET_MS)
            s->message = s->chat = 0;
        pthread_mutex_unlock(&t->lock);
        if (!body)
            continue;
        const char *method =
            str_starts(body, "{\"caption\"") ? "editMessageCaption" : "editMessageText";
        if (!tg_post(t, method, body, edit_done, s)) {
            pthread_mutex_lock(&t->lock);
            s->flying = false;
            s->sent_hash = 0;
            pthread_cond_broadcast(&t->changed);
            pthread_mutex_unlock(&t->lock);
        }
    }
    return next;
}
