#define LOG_MODULE "inbox"
#include "bot/inbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bot/event_json.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_inbox.h"
#include "core/db/store_note.h"

enum {
    WORKERS = 4,
    OPEN_MAX = 5000, /* events that wait; then intake pauses */
    ROOM_MS = 1000,  /* the longest pause before a network is told to offer again */
    COUNT_MS = 50,
    POLL_MS = 1000, /* what another process stored */
    LATER_MS = 100,
    AWAY_MS = 2000,
    /* Numbering of a network may start anew after a quiet week: an old cursor says nothing. */
    CURSOR_SECONDS = 6 * 24 * 3600,
};

struct inbox {
    struct bot *bot;
    pthread_t threads[WORKERS];
    size_t thread_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    uint64_t wakes;
    int64_t open; /* events that wait, as far as this process knows */
    bool stopping;
};

/* --- storing --- */

struct arrival {
    const struct chat_event *events;
    const struct inbox_item *items;
    size_t count;
    const char *cursor;
    int64_t fresh;
};

static void cursor_name(const char *network, char ret[static 40])
{
    snprintf(ret, 40, "cursor.%s", network);
}

static bool put_body(struct db_tx *tx, void *data, struct err *e)
{
    struct arrival *a = data;
    char name[40];
    const char *network = a->events[0].addr.network;
    const struct note cursor = {name, a->cursor, CURSOR_SECONDS};
    cursor_name(network, name);
    return inbox_put(tx, network, a->items, a->count, &a->fresh, e) &&
           (!a->cursor || note_put(tx, &cursor, 1, e));
}

static bool put(struct bot *bot, struct arrival *a, struct err *e)
{
    if (a->count == 0)
        return true;
    if (!db_run(bot->db, put_body, a, e))
        return false;
    struct inbox *b = bot->inbox;
    if (!b || a->fresh == 0)
        return true;
    pthread_mutex_lock(&b->lock);
    b->open += a->fresh;
    b->wakes++;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return true;
}

/* Together they cannot be stored, and that is no matter of time: one by one, and what cannot be
   stored alone is dropped. */
static bool put_singly(struct bot *bot, const struct arrival *all, struct err *e)
{
    for (size_t i = 0; i < all->count; i++) {
        struct arrival one = {.events = all->events, .items = &all->items[i], .count = 1};
        if (i + 1 == all->count)
            one.cursor = all->cursor;
        if (put(bot, &one, e))
            continue;
        if (e->code != ERR_INTERNAL && e->code != ERR_LIMIT)
            return false;
        log_err(LOG_ERROR, LOG_MODULE, e);
    }
    return true;
}

struct count {
    const struct bot *bot;
    int64_t open;
};

static bool count_body(struct db_tx *tx, void *data, struct err *e)
{
    struct count *c = data;
    c->open = 0;
    for (size_t i = 0; i < c->bot->adapter_count; i++) {
        int64_t n = 0;
        if (!inbox_pending(tx, c->bot->adapters[i].ops->name, &n, e))
            return false;
        c->open += n;
    }
    return true;
}

/* Other processes may take what we stored: when it seems too much, it is counted. */
static bool has_room(struct inbox *b)
{
    int64_t until = clock_mono_ms() + ROOM_MS;
    for (;;) {
        pthread_mutex_lock(&b->lock);
        bool room = b->open < OPEN_MAX, stopping = b->stopping;
        pthread_mutex_unlock(&b->lock);
        if (room || stopping || clock_mono_ms() > until)
            return room;
        cancel_wait(NULL, COUNT_MS);
        struct count c = {.bot = b->bot};
        struct err e;
        if (!db_run_soft(b->bot->db, count_body, &c, &e))
            return false;
        pthread_mutex_lock(&b->lock);
        b->open = c.open;
        pthread_mutex_unlock(&b->lock);
    }
}

/* A move is about two chats: neither goes on before it is dealt with. */
static const struct chat_addr *other_chat(const struct chat_event *event, struct arena *a)
{
    if (event->kind != CHAT_MOVED)
        return NULL;
    struct chat_addr *to = arena_alloc(a, sizeof(*to));
    str_copy(to->network, sizeof(to->network), event->addr.network);
    str_copy(to->chat, sizeof(to->chat), event->text);
    return to;
}

bool bot_on_events(void *ctx, const struct chat_event *events, size_t count, const char *cursor)
{
    struct bot *bot = ctx;
    struct err e = {0};
    AUTO(arena_free) struct arena arena = {0};
    if (bot->inbox && !has_room(bot->inbox))
        return false;
    struct inbox_item *items = arena_alloc(&arena, count * sizeof(*items));
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        AUTO(free_ptr) char *body = event_to_json(&events[i]);
        if (body)
            items[used++] = (struct inbox_item){.event_id = events[i].event_id,
                                                .addr = &events[i].addr,
                                                .also = other_chat(&events[i], &arena),
                                                .body = arena_dup(&arena, body)};
        else
            log_error("an event is longer than any may be: dropped");
    }
    struct arrival a = {.events = events, .items = items, .count = used, .cursor = cursor};
    bool ok = put(bot, &a, &e) ||
              ((e.code == ERR_INTERNAL || e.code == ERR_LIMIT) && put_singly(bot, &a, &e));
    if (!ok) {
        log_err(LOG_WARN, LOG_MODULE, &e);
        if (e.code != ERR_CANCELLED)
            bot_tell_outage(bot, &events[0]);
    }
    return ok;
}

struct cursor {
    const char *network;
    char *ret;
    bool found;
};

static bool cursor_body(struct db_tx *tx, void *data, struct err *e)
{
    struct cursor *c = data;
    char name[40];
    cursor_name(c->network, name);
    return note_get(tx, name, c->ret, CHAT_CURSOR_MAX, &c->found, e);
}

bool bot_cursor(struct bot *bot, const char *network, char ret[static CHAT_CURSOR_MAX])
{
    struct cursor c = {.network = network, .ret = ret};
    struct err e;
    return db_run_soft(bot->db, cursor_body, &c, &e) && c.found;
}

/* --- dealing with it --- */

/* Waits for a wake-up, at most ms; true when the thread has to end. */
static bool worker_wait(struct inbox *b, uint64_t *seen, int ms)
{
    struct timespec until = clock_until(ms);
    int r = 0;
    pthread_mutex_lock(&b->lock);
    while (*seen == b->wakes && !b->stopping && r == 0)
        r = pthread_cond_clockwait(&b->changed, &b->lock, CLOCK_MONOTONIC, &until);
    *seen = b->wakes;
    bool stopping = b->stopping;
    pthread_mutex_unlock(&b->lock);
    return stopping;
}

static void *worker_main(void *data)
{
    struct inbox *b = data;
    uint64_t seen = 0;
    static const int waits[] = {
        [BOT_NOTHING] = POLL_MS, [BOT_ONE] = 0, [BOT_LATER] = LATER_MS, [BOT_AWAY] = AWAY_MS};
    pthread_setname_np(pthread_self(), "commands");
    for (;;) {
        enum bot_did did = bot_handle_one(b->bot);
        if (did == BOT_ONE) {
            pthread_mutex_lock(&b->lock);
            b->open -= b->open > 0;
            pthread_mutex_unlock(&b->lock);
        }
        if (worker_wait(b, &seen, waits[did]))
            return NULL;
    }
}

static bool newest_body(struct db_tx *tx, void *id, struct err *e)
{
    return inbox_newest(tx, id, e);
}

bool inbox_start(struct bot *bot, struct inbox **ret, struct err *e)
{
    struct count c = {.bot = bot};
    random_bytes(&bot->process, sizeof(bot->process));
    if (!db_run(bot->db, newest_body, &bot->events_before, e) ||
        !db_run(bot->db, count_body, &c, e))
        return false;
    struct inbox *b = calloc(1, sizeof(*b));
    if (!b)
        return err_set(e, ERR_INTERNAL, "error.internal", "inbox: no memory");
    b->bot = bot;
    b->open = c.open;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    for (; b->thread_count < WORKERS; b->thread_count++) {
        int r = pthread_create(&b->threads[b->thread_count], NULL, worker_main, b);
        if (r == 0)
            continue;
        inbox_stop(b);
        return err_set_io(e, r, "command thread", "start");
    }
    *ret = b;
    return true;
}

void inbox_stop(struct inbox *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    for (size_t i = 0; i < b->thread_count; i++)
        pthread_join(b->threads[i], NULL);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
