/*
 * Long polling: one request at a time, and the offset moves only over what the bot has stored.
 *
 * The bot stores a batch and the offset behind it in one transaction; after a restart, or when
 * another process took over, polling goes on there, and what comes again all the same is known to
 * the bot's inbox. The offset is the last handled id + 1 and never a maximum, because numbering
 * restarts somewhere after a quiet week.
 */
#include <inttypes.h>

#include "adapters/telegram/quiet.h"
#include "adapters/telegram/telegram_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "telegram"

enum {
    BATCH = 100,
    READ_MAX = 2 * BATCH, /* list items looked at, unreadable ones included */
    REPLY_MAX = 8 << 20,
    ALBUM_MS = 1100,  /* the parts of an album arrive within a second */
    GOODBYE_MS = 700, /* run() returns within a second of stop() */
    STORE_MS = 300,   /* pause while the bot cannot store */
    WHOAMI_MS = 8000,
};

struct poller {
    struct telegram *t;
    chat_events_fn *on_events;
    void *ctx;
    struct cancel cancel; /* stop(), or another process polls now */
    int64_t me;           /* our id */
    int64_t offset;       /* 0: whatever is oldest */
    int singles;          /* so many more updates are asked for one by one */
    int failures;
    int64_t album_wait; /* first id of the album that was waited for; -1: none */
    struct tg_quiet quiet;
    bool webhook_removed;
};

/* --- who we are --- */

static bool take_me(struct telegram *t, const cJSON *user)
{
    struct tg_me me = {0};
    if (!json_int(user, "id", &me.id) || me.id <= 0 ||
        !str_copy(me.username, sizeof(me.username), json_text(user, "username", "")) ||
        !*me.username)
        return false;
    pthread_mutex_lock(&t->lock);
    t->me = me;
    pthread_mutex_unlock(&t->lock);
    log_info("polling as @%s", me.username);
    return true;
}

int tg_backoff_ms(int failures)
{
    int64_t ms = 1000LL << CLAMP(failures - 1, 0, 2);
    return (int)(ms - ms * (net_backoff_ms(0) - 375) / 500); /* up to a quarter off */
}

bool tg_whoami(void *self, char *ret_name, size_t size, const struct cancel *cancel, struct err *e)
{
    AUTO(tg_reply_free) struct tg_reply r = {0};
    struct tg_call c = {.method = "getMe", .total_ms = WHOAMI_MS, .cancel = cancel};
    if (!tg_call(self, &c, &r, e))
        return r.code == 401 || r.code == 404
                   ? tg_error_set(e, TG_TOKEN, r.code, r.description, "getMe")
                   : false;
    return snprintf(ret_name, size, "@%s", json_text(r.result, "username", "?")) > 0;
}

/* True: known. False: stopped (e untouched) or the token is wrong (e set). */
static bool learn_me(struct poller *p, struct err *e)
{
    struct telegram *t = p->t;
    for (int failures = 1; !cancel_fired(&t->stop); failures++) {
        AUTO(tg_reply_free) struct tg_reply r = {0};
        struct err failed = {0};
        struct tg_call c = {.method = "getMe", .cancel = &t->stop};
        if (tg_call(t, &c, &r, &failed) && take_me(t, r.result))
            return true;
        if (r.code == 401 || r.code == 404)
            return tg_error_set(e, TG_TOKEN, r.code, r.description, "getMe");
        if (!cancel_fired(&t->stop))
            log_err(failures == 1 ? LOG_WARN : LOG_INFO, LOG_MODULE, &failed);
        cancel_wait(&t->stop, (int)MAX(r.retry_ms, tg_backoff_ms(failures)));
    }
    return false;
}

/* --- one batch --- */

/* What the adapter itself has to do about an update, once. */
static void note_update(struct telegram *t, const struct tg_update *u)
{
    if (u->callback_id && u->kind == TG_EVENT)
        tg_press_wait(t, u->callback_id);
    else if (u->callback_id)
        tg_pressed(t, u->callback_id, NULL);
    if (u->kind == TG_CHANGED)
        tg_admins_forget(t, u->chat);
    if (u->kind == TG_EVENT && u->event.kind == CHAT_MOVED) {
        int64_t to = 0;
        if (str_to_int(u->event.text, INT64_MIN, -1, &to))
            tg_chat_moved(t, u->chat, to, true);
    }
}

static bool is_ours(struct telegram *t)
{
    return !t->o.may_poll || t->o.may_poll(t->o.ctx);
}

/* Moves first, those that a sender learnt before those that were told, then the rest in its order. */
static size_t fill_events(struct poller *p, const struct tg_update *u, size_t count,
                          struct arena *a, struct chat_event *ret, struct tg_move *learnt,
                          size_t *ret_learnt)
{
    size_t used = *ret_learnt = tg_moves_untold(p->t, a, ret, learnt);
    for (int moves = 1; moves >= 0; moves--)
        for (size_t i = 0; i < count; i++)
            if (u[i].kind == TG_EVENT && (u[i].event.kind == CHAT_MOVED) == moves)
                ret[used++] = u[i].event;
    return used;
}

/* All at once, with the cursor (or none). False: stopped before they were stored. */
static bool hand_over(struct poller *p, const struct tg_update *u, size_t count, const char *cursor,
                      struct arena *a)
{
    struct chat_event *events = arena_alloc(a, (TG_MOVED_MAX + BATCH) * sizeof(*events));
    struct tg_move learnt[TG_MOVED_MAX];
    size_t learnt_count, used = fill_events(p, u, count, a, events, learnt, &learnt_count);
    while (used > 0 && !p->on_events(p->ctx, events, used, cursor))
        if (cancel_wait(&p->cancel, STORE_MS) || (cursor && !is_ours(p->t)))
            return false;
    for (size_t i = 0; i < learnt_count; i++)
        tg_chat_moved(p->t, learnt[i].from, learnt[i].to, true);
    return true;
}

/* The offset moves behind what is stored, in the same transaction. */
static bool store_batch(struct poller *p, const struct tg_update *u, size_t count, struct arena *a)
{
    char cursor[CHAT_CURSOR_MAX];
    int64_t next = count > 0 ? u[count - 1].id + 1 : p->offset;
    snprintf(cursor, sizeof(cursor), "%" PRId64 ":%" PRId64, p->me, next);
    for (size_t i = 0; i < count; i++)
        note_update(p->t, &u[i]);
    if (!hand_over(p, u, count, cursor, a))
        return false;
    p->offset = next;
    return true;
}

/* Another process polls: what ours learns while sending is told all the same. */
static void tell_moves(struct poller *p)
{
    AUTO(arena_free) struct arena a = {0};
    hand_over(p, NULL, 0, NULL, &a);
}

/* An album that reaches the end of the batch may go on in the next one: it is left there once. */
static size_t without_open_album(struct poller *p, const struct tg_update *u, size_t count)
{
    const struct tg_update *last = count ? &u[count - 1] : NULL;
    size_t cut = count;
    if (!last || !last->album)
        return count;
    while (cut > 0 && u[cut - 1].album && u[cut - 1].chat == last->chat &&
           strcmp(u[cut - 1].album, last->album) == 0)
        cut--;
    if (u[cut].id == p->album_wait || count - cut >= TG_MEDIA_MAX)
        return count;
    p->album_wait = u[cut].id;
    return cut;
}

static void take_batch(struct poller *p, const cJSON *list)
{
    struct telegram *t = p->t;
    AUTO(arena_free) struct arena a = {0};
    struct tg_update *u = arena_alloc(&a, BATCH * sizeof(*u));
    size_t count = 0, read = 0;
    int64_t last_id = -1;
    const cJSON *item;
    pthread_mutex_lock(&t->lock);
    struct tg_me me = t->me;
    pthread_mutex_unlock(&t->lock);
    cJSON_ArrayForEach(item, list)
    {
        if (count == BATCH || ++read > READ_MAX)
            break; /* more than was asked for: it comes again */
        if (tg_decode(item, &me, &a, &u[count]))
            last_id = u[count++].id;
    }
    size_t whole = without_open_album(p, u, count);
    tg_join_albums(u, whole);
    if (!store_batch(p, u, whole, &a))
        return;
    if (whole < count)
        cancel_wait(&p->cancel, ALBUM_MS);
    else if (read > 0 && last_id < 0) /* nothing readable: do not turn in circles */
        cancel_wait(&p->cancel, 1000);
}

/* --- trouble --- */

static void note_good(struct poller *p)
{
    p->failures = 0;
    if (tg_quiet_good(&p->quiet, clock_mono_ms()))
        log_info("updates arrive again");
}

static void note_bad(struct poller *p, const struct err *e)
{
    p->failures++;
    if (tg_quiet_bad(&p->quiet, clock_mono_ms()))
        log_error("no updates for two minutes: %s", e->detail);
    else if (p->failures == 1)
        log_err(LOG_INFO, LOG_MODULE, e);
}

/* A batch that cannot be read is taken apart: one update at a time, and the bad one is skipped by
   the number that stands in its text. */
static void skip_unreadable(struct poller *p, const char *body)
{
    const char *at = strstr(body, "\"update_id\"");
    at = at ? strchr(at, ':') : NULL;
    long long id = at ? strtoll(at + 1, NULL, 10) : -1;
    if (p->singles == 0) {
        p->singles = BATCH;
        log_warn("unreadable batch of updates: read one by one");
    } else if (id > 0 && id < INT32_MAX) {
        p->offset = id + 1;
        p->singles = 0;
        log_warn("an unreadable update was skipped");
    } else {
        p->failures++;
    }
    cancel_wait(&p->cancel, p->failures ? tg_backoff_ms(p->failures) : 600);
}

/* False: polling is over, e says why. */
static bool handle_refusal(struct poller *p, const struct tg_reply *r, struct err *failed,
                           struct err *e)
{
    int64_t wait;
    note_bad(p, failed);
    if (r->action == TG_TOKEN || r->code == 404)
        return tg_error_set(e, TG_TOKEN, r->code, r->description, "getUpdates");
    switch (r->action) {
    case TG_WEBHOOK:
        if (!p->webhook_removed) {
            AUTO(tg_reply_free) struct tg_reply gone = {0};
            struct err ignored = {0};
            struct tg_call c = {.method = "deleteWebhook", .cancel = &p->cancel};
            p->webhook_removed = tg_call(p->t, &c, &gone, &ignored);
            log_warn("a webhook was set for this bot: removed, polling goes on");
        }
        wait = 1000;
        break;
    case TG_CONFLICT: /* a dead poll of our own is normal after a reconnect */
        wait = MIN(3000LL << MIN(p->failures - 1, 5), 60000);
        break;
    case TG_WAIT:
        wait = MAX(r->retry_ms, 1000);
        break;
    default:
        wait = tg_backoff_ms(p->failures);
        break;
    }
    cancel_wait(&p->cancel, (int)MIN(wait, 600000));
    return true;
}

/* --- the loop --- */

/* Network's thread, a few times a second. */
static void watch_lease(void *ctx, int64_t sent, int64_t total, int64_t got, int64_t get_total)
{
    (void)sent, (void)total, (void)got, (void)get_total;
    struct poller *p = ctx;
    if (!is_ours(p->t))
        cancel_fire(&p->cancel);
}

static void get_updates(struct poller *p, int seconds, int limit, int total_ms,
                        const struct cancel *cancel, struct net_reply *reply, struct err *e)
{
    AUTO(free_ptr) char *url = tg_url(p->t, "", "getUpdates");
    char body[256];
    char offset[48] = "";
    static const char *const json_type[] = {"Content-Type: application/json"};
    if (p->offset > 0)
        snprintf(offset, sizeof(offset), "\"offset\":%" PRId64 ",", p->offset);
    snprintf(body, sizeof(body),
             "{%s\"limit\":%d,\"timeout\":%d,"
             "\"allowed_updates\":[\"message\",\"callback_query\",\"my_chat_member\"]}",
             offset, limit, seconds);
    struct net_request r = {.log_name = "telegram getUpdates",
                            .url = url,
                            .body = body,
                            .body_len = strlen(body),
                            .headers = json_type,
                            .header_count = 1,
                            .total_ms = total_ms,
                            .reply_max = REPLY_MAX,
                            .cancel = cancel,
                            .on_progress = watch_lease,
                            .ctx = p};
    net_call(p->t->net, &r, reply, e);
}

/* False: polling is over. */
static bool poll_once(struct poller *p, struct err *e)
{
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(tg_reply_free) struct tg_reply r = {0};
    struct err failed = {0};
    int seconds = p->t->o.poll_seconds;
    get_updates(p, seconds, p->singles ? 1 : BATCH, (seconds + 15) * 1000, &p->cancel, &reply,
                &failed);
    if (cancel_fired(&p->cancel))
        return true;
    tg_reply_read(&reply, "getUpdates", &r, &failed);
    if (reply.outcome == NET_REPLY && reply.status == 200 && r.action != TG_DONE && !r.doc &&
        strstr(reply.body, "\"update_id\"")) {
        skip_unreadable(p, reply.body);
        return true;
    }
    if (r.action == TG_DONE && cJSON_IsArray(r.result)) {
        note_good(p);
        p->singles -= p->singles > 0;
        take_batch(p, r.result);
        return true;
    }
    if (r.action == TG_DONE)
        err_set(&failed, ERR_RETRY, "error.network", "getUpdates answered without a list");
    return handle_refusal(p, &r, &failed, e);
}

/* Where polling was left, by us or by another process. */
static void read_cursor(struct poller *p)
{
    const struct telegram_options *o = &p->t->o;
    char text[CHAT_CURSOR_MAX];
    int64_t me = 0, offset = 0;
    p->offset = 0;
    if (!o->cursor_get || !o->cursor_get(o->ctx, text))
        return;
    char *colon = strchr(text, ':');
    if (!colon)
        return;
    *colon = '\0';
    if (str_to_int(text, 1, INT64_MAX, &me) && me == p->me &&
        str_to_int(colon + 1, 1, INT32_MAX, &offset))
        p->offset = offset;
}

static void *menu_main(void *arg)
{
    tg_menus_publish(arg);
    return NULL;
}

static bool poll_loop(struct poller *p, struct err *e)
{
    struct telegram *t = p->t;
    bool knows_offset = false;
    while (!cancel_fired(&t->stop)) {
        if (!is_ours(t)) {
            knows_offset = false; /* whoever polls now moves it on */
            cancel_init(&p->cancel, &t->stop);
            tell_moves(p);
            cancel_wait(&t->stop, 100);
            continue;
        }
        if (!knows_offset) {
            read_cursor(p);
            tg_quiet_begin(&p->quiet, clock_mono_ms());
        }
        knows_offset = true;
        cancel_init(&p->cancel, &t->stop);
        if (!poll_once(p, e))
            return false;
    }
    return true;
}

/* Tells the server what is done, so that nothing comes twice: only while nobody else polls. */
static void say_goodbye(struct poller *p)
{
    AUTO(net_reply_free) struct net_reply reply = {0};
    struct err ignored = {0};
    if (p->offset > 0 && is_ours(p->t))
        get_updates(p, 0, 1, GOODBYE_MS, NULL, &reply, &ignored);
}

bool tg_run(void *self, chat_events_fn *on_events, void *ctx, struct err *e)
{
    struct telegram *t = self;
    struct poller p = {.t = t, .on_events = on_events, .ctx = ctx, .album_wait = -1};
    pthread_t menu;
    struct err failed = {0};
    cancel_init(&p.cancel, &t->stop);
    if (!learn_me(&p, &failed)) {
        if (cancel_fired(&t->stop))
            return true;
        *e = failed;
        return false;
    }
    bool has_menu = pthread_create(&menu, NULL, menu_main, t) == 0;
    p.me = t->me.id; /* it was learnt on this thread */
    bool ok = poll_loop(&p, e);
    if (ok)
        say_goodbye(&p);
    if (t->o.polled)
        t->o.polled(t->o.ctx);
    if (has_menu) {
        if (!ok)
            cancel_fire(&t->stop);
        pthread_join(menu, NULL);
    }
    return ok;
}
