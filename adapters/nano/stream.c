/*
 * The confirmation stream: one thread keeps one subscription (stream_subscribe.c) alive, on the first
 * address that works. Whatever goes wrong ends the link: the caller's polling is the truth, this is
 * only its alarm clock.
 */
#define LOG_MODULE "nano"
#include "adapters/nano/stream_parts.h"

#include "core/base/clock.h"
#include "core/base/log.h"

enum {
    QUEUE_MAX = 32 << 20,
    MESSAGE_MAX = 1 << 20,
    WAIT_MAX_MS = 5000,      /* after an outage it is back within this time */
    REFUSED_WAIT_MS = 60000, /* a service that says no is not asked all day long */
    SLICE_MS = 1000,
};

/* --- callbacks, on the engine's thread --- */

static void on_open(void *ctx)
{
    struct nano_stream *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->open = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void on_closed(void *ctx, const struct ws_end *end)
{
    struct nano_stream *s = ctx;
    log_debug("stream closed: %d %d %s", end->status, end->code, end->err.detail);
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    s->refused = end->status >= 400 && end->status < 500;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Which of ours the block is about; the one it pays before the one that made it. */
static const struct nano_account *ours(const struct nano_set *set, const struct nano_hint *h)
{
    if (h->has_link && nano_set_has(set, &h->link))
        return &h->link;
    return h->has_account && nano_set_has(set, &h->account) ? &h->account : NULL;
}

static void on_message(void *ctx, const char *bytes, size_t len, bool is_text)
{
    struct nano_stream *s = ctx;
    struct nano_hint h;
    enum nano_frame kind = is_text ? nano_read_frame(bytes, len, &h) : NANO_FRAME_OTHER;
    const struct nano_account *account = NULL;
    pthread_mutex_lock(&s->lock);
    s->heard_ms = clock_mono_ms();
    s->ponged |= kind == NANO_FRAME_PONG;
    if (kind == NANO_FRAME_ACK && (!h.ack_id[0] || strcmp(h.ack_id, s->wanted_ack) == 0))
        s->acked = true;
    if (kind == NANO_FRAME_BLOCK)
        account = ours(&s->set, &h);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (account && s->watch.on_hint)
        s->watch.on_hint(s->watch.ctx, account, &h.hash);
}

/* --- waiting --- */

void nano_stream_sleep(struct nano_stream *s, int64_t ms)
{
    struct timespec until = clock_until(CLAMP(ms, 1, SLICE_MS));
    pthread_cond_clockwait(&s->changed, &s->lock, CLOCK_MONOTONIC, &until);
}

bool nano_stream_wait(struct nano_stream *s, const bool *flag, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;
    pthread_mutex_lock(&s->lock);
    while (!*flag && !s->closed && !s->stopping && clock_mono_ms() < end)
        nano_stream_sleep(s, end - clock_mono_ms());
    bool ok = *flag && !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* Between links. */
static void pause_for(struct nano_stream *s, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && clock_mono_ms() < end)
        nano_stream_sleep(s, end - clock_mono_ms());
    pthread_mutex_unlock(&s->lock);
}

/* --- a link --- */

/* What a link that is up wants next. */
enum need { NEED_NOTHING, NEED_UPDATE, NEED_PING, NEED_END };

static enum need next_need(struct nano_stream *s)
{
    enum need need = NEED_NOTHING;
    pthread_mutex_lock(&s->lock);
    int64_t quiet = clock_mono_ms() - s->heard_ms;
    if (s->closed || s->stopping || s->set.count == 0)
        need = NEED_END;
    else if (s->added.count || s->removed.count)
        need = NEED_UPDATE;
    else if (quiet >= s->limits.ping_ms)
        need = NEED_PING;
    else
        nano_stream_sleep(s, s->limits.ping_ms - quiet);
    pthread_mutex_unlock(&s->lock);
    return need;
}

static void tell_link(struct nano_stream *s, bool up)
{
    if (s->watch.on_link)
        s->watch.on_link(s->watch.ctx, up);
}

/* True when it was up. */
static bool serve(struct nano_stream *s, struct nano_place *p)
{
    if (!nano_stream_wait(s, &s->open, s->limits.connect_ms) || !nano_stream_subscribe(s, p))
        return false;
    tell_link(s, true);
    for (enum need need = NEED_NOTHING; need != NEED_END;) {
        need = next_need(s);
        if ((need == NEED_UPDATE && !nano_stream_update(s, p)) ||
            (need == NEED_PING && !nano_stream_ping(s)))
            break;
    }
    tell_link(s, false);
    return true;
}

static bool link_run(struct nano_stream *s, struct nano_place *p)
{
    struct err e = {0};
    struct ws_request r = {.log_name = "nano stream",
                           .url = p->url,
                           .trusted = true,
                           .message_max = MESSAGE_MAX,
                           .queue_max = QUEUE_MAX,
                           .connect_ms = s->limits.connect_ms,
                           .on_open = on_open,
                           .on_message = on_message,
                           .on_closed = on_closed,
                           .ctx = s};
    pthread_mutex_lock(&s->lock);
    s->open = s->closed = s->acked = s->ponged = s->refused = false;
    s->heard_ms = clock_mono_ms();
    pthread_mutex_unlock(&s->lock);
    if (!ws_connect(s->engine, &r, &s->ws, &e)) {
        log_err(LOG_WARN, LOG_MODULE, &e);
        return false;
    }
    bool was_up = serve(s, p);
    ws_free(s->ws);
    s->ws = NULL;
    return was_up;
}

static bool wait_accounts(struct nano_stream *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && s->set.count == 0)
        nano_stream_sleep(s, SLICE_MS);
    bool go = !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return go;
}

/* Every address was tried when faults reach their number: only then a refusal makes it wait long. */
static int64_t wait_after(struct nano_stream *s, int faults)
{
    pthread_mutex_lock(&s->lock);
    bool refused = s->refused && (size_t)faults >= s->place_count;
    pthread_mutex_unlock(&s->lock);
    int64_t most = refused ? REFUSED_WAIT_MS : WAIT_MAX_MS;
    return MIN((int64_t)s->limits.reconnect_ms << MIN(faults, 10), most);
}

static void *stream_main(void *arg)
{
    struct nano_stream *s = arg;
    size_t at = 0;
    int faults = 0;
    while (wait_accounts(s)) {
        if (link_run(s, &s->places[at])) {
            faults = 0;
        } else {
            faults++;
            at = (at + 1) % s->place_count;
        }
        pause_for(s, wait_after(s, faults));
    }
    return NULL;
}

/* --- for the others --- */

void nano_stream_change(struct nano_stream *s, const struct nano_account *accounts, size_t count,
                        bool add)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < count; i++) {
        const struct nano_account *a = &accounts[i];
        if (add ? !nano_set_add(&s->set, a) : !nano_set_remove(&s->set, a))
            continue;
        (void)nano_set_remove(add ? &s->removed : &s->added, a);
        (void)nano_set_add(add ? &s->added : &s->removed, a);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

bool nano_stream_watch(struct nano_stream *s, const struct nano_watch *watch, struct err *e)
{
    s->watch = *watch;
    s->started = pthread_create(&s->thread, NULL, stream_main, s) == 0;
    return s->started || err_set(e, ERR_INTERNAL, "error.internal", "nano: no thread");
}

static bool add_places(struct nano_stream *s, const char *urls, bool allow_plain, struct err *e)
{
    for (const char *at = urls; *at; at += *at == ',') {
        at += strspn(at, " \t\r\n");
        size_t len = strcspn(at, ",");
        AUTO(free_ptr) char *url = str_printf("%.*s", (int)strcspn(at, ", \t\r\n"), at);
        at += len;
        if (!url[0] || s->place_count == NANO_NODES_MAX)
            continue;
        if (!net_base_url_ok(url, allow_plain, e))
            return false;
        if (!str_starts(url, "ws"))
            return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_WS_URL",
                               "nano: the stream's address begins with ws:// or wss://");
        s->places[s->place_count++] = (struct nano_place){.url = TAKE(url), .cap = SIZE_MAX};
    }
    return s->place_count > 0 ||
           err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_WS_URL", "nano: no stream address");
}

bool nano_stream_create(const char *urls, struct ws_engine *ws, bool allow_plain,
                        const struct nano_limits *limits, struct nano_stream **ret, struct err *e)
{
    struct nano_stream *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, ERR_INTERNAL, "error.internal", "nano: no memory");
    s->limits = *limits;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    bool ok = add_places(s, urls, allow_plain, e) &&
              (ws || ws_engine_create(allow_plain, &s->own_engine, e));
    if (!ok) {
        nano_stream_destroy(s);
        return false;
    }
    s->engine = ws ? ws : s->own_engine;
    *ret = s;
    return true;
}

void nano_stream_destroy(struct nano_stream *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->started)
        pthread_join(s->thread, NULL);
    ws_engine_destroy(s->own_engine);
    for (size_t i = 0; i < s->place_count; i++)
        free(s->places[i].url);
    nano_set_free(&s->set);
    nano_set_free(&s->added);
    nano_set_free(&s->removed);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
