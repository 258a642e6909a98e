
#include "adapters/speech/azure_parts.h"
#include "core/base/clock.h"

enum { SLICE_MS = 100, IDLE_MS = 60000, SEND_MAX = 1 << 17 };

/* A connection; one turn at a time. */
struct azure_link {
    struct ws *ws;
    /* --- its present holder only --- */
    int turns;
    int64_t idle_since;
    size_t path;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- with lock held --- */
    bool open, closed;
    int64_t last_ms; /* opened, or the last frame of the turn */
    struct ws_end end;
    struct azure_turn *turn; /* NULL between turns */
};

/* --- engine's thread --- */

static void on_open(void *ctx)
{
    struct azure_link *l = ctx;
    pthread_mutex_lock(&l->lock);
    l->open = true;
    l->last_ms = clock_mono_ms();
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

static void on_message(void *ctx, const char *bytes, size_t len, bool is_text)
{
    struct azure_link *l = ctx;
    pthread_mutex_lock(&l->lock);
    if (l->turn) {
        int before = l->turn->frames;
        azure_turn_take(l->turn, bytes, len, is_text);
        if (l->turn->frames != before)
            l->last_ms = clock_mono_ms();
        if (l->turn->state != AZURE_TURN_OPEN)
            pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
}

static void on_closed(void *ctx, const struct ws_end *end)
{
    struct azure_link *l = ctx;
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    l->end = *end;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* --- connections --- */

static void link_free(struct azure_link *l)
{
    if (!l)
        return;
    ws_free(l->ws);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct azure_link *link_make(void)
{
    struct azure_link *l = calloc(1, sizeof(*l));
    if (!l)
        abort(); /* a few hundred bytes */
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    return l;
}

static struct azure_link *link_open(struct azure_service *s, struct err *e)
{
    /* The second is where older versions of the vendor's library went. */
    static const char *const paths[AZURE_PATHS] = {"/tts/cognitiveservices/websocket/v1",
                                                   "/cognitiveservices/websocket/v1"};
    char url[AZURE_URL_MAX + 64], key[320], id[AZURE_ID], connection[64];
    struct azure_link *l = link_make();
    pthread_mutex_lock(&s->lock);
    l->path = s->path;
    pthread_mutex_unlock(&s->lock);
    /* http -> ws, https -> wss */
    snprintf(url, sizeof(url), "ws%s%s", s->base + 4, paths[l->path]);
    azure_id_make(id);
    snprintf(key, sizeof(key), "Ocp-Apim-Subscription-Key: %s", s->key);
    snprintf(connection, sizeof(connection), "X-ConnectionId: %s", id);
    const char *headers[] = {key, connection};
    struct ws_request r = {.log_name = "azure speech",
                           .url = url,
                           .headers = headers,
                           .header_count = COUNT(headers),
                           .trusted = s->trusted,
                           .queue_max = SEND_MAX,
                           .connect_ms = s->limits.connect_ms,
                           .on_open = on_open,
                           .on_message = on_message,
                           .on_closed = on_closed,
                           .ctx = l};
    if (ws_connect(s->ws, &r, &l->ws, e))
        return l;
    link_free(l);
    return NULL;
}

static bool link_is_good(struct azure_link *l)
{
    pthread_mutex_lock(&l->lock);
    bool good = !l->closed && clock_mono_ms() - l->idle_since < IDLE_MS;
    pthread_mutex_unlock(&l->lock);
    return good;
}

/* A kept connection, or NULL. */
static struct azure_link *link_take(struct azure_service *s)
{
    for (;;) {
        struct azure_link *l = NULL;
        pthread_mutex_lock(&s->lock);
        if (s->idle_count)
            l = s->idle[--s->idle_count];
        pthread_mutex_unlock(&s->lock);
        if (!l || link_is_good(l))
            return l;
        link_free(l);
    }
}

static void link_keep(struct azure_service *s, struct azure_link *l)
{
    l->turns++;
    l->idle_since = clock_mono_ms();
    pthread_mutex_lock(&s->lock);
    if (s->idle_count < AZURE_IDLE_MAX)
        s->idle[s->idle_count++] = TAKE(l);
    pthread_mutex_unlock(&s->lock);
    link_free(l);
}

void azure_links_free(struct azure_service *s)
{
    while (s->idle_count)
        link_free(s->idle[--s->idle_count]);
}

/* --- how it ended --- */

static bool has(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static enum azure_fault fault_of_status(const struct ws_end *end, struct err *e)
{
    int status = end->status;
    if (status == 401 || status == 403)
        return azure_fault_set(e, AZURE_CONFIG, "azure: key or region refused (%d)", status);
    if (status == 408 || status == 429 || status >= 500)
        return azure_fault_set(e, AZURE_AGAIN, "azure: no connection (%d)", status);
    return azure_fault_set(e, AZURE_REST, "azure: no WebSocket there (%d)", status);
}

enum azure_fault azure_fault_of_end(const struct ws_end *end, struct err *e)
{
    if (end->status)
        return fault_of_status(end, e);
    if (has(end->reason, "unsupported voice"))
        return azure_fault_set(e, AZURE_VOICE, "azure: %s", end->reason);
    if (has(end->reason, "throttl"))
        return azure_fault_set(e, AZURE_AGAIN, "azure: %s", end->reason);
    if (has(end->reason, "quota"))
        return azure_fault_set(e, AZURE_QUOTA, "azure: %s", end->reason);
    if (end->err.code == ERR_CANCELLED)
        return azure_fault_set(e, AZURE_STOPPED, "azure: %s", end->err.detail);
    if (end->err.code == ERR_REFUSED || end->err.code == ERR_CONFIG)
        return azure_fault_set(e, AZURE_CONFIG, "azure: %s", end->err.detail);
    if (end->err.code != ERR_NONE)
        return azure_fault_set(e, AZURE_AGAIN, "azure: %s", end->err.detail);
    return azure_fault_set(e, AZURE_AGAIN, "azure: closed in a turn (%d %s)", end->code,
                           end->reason);
}

/* With lock held: what to do now that the connection is gone. */
static enum azure_fault link_ended(struct azure_service *s, struct azure_link *l,
                                   const struct azure_turn *t, struct err *e)
{
    enum azure_fault fault = azure_fault_of_end(&l->end, e);
    if (l->end.status == 404 && l->path + 1 < AZURE_PATHS) {
        pthread_mutex_lock(&s->lock);
        s->path = l->path + 1;
        pthread_mutex_unlock(&s->lock);
        return AZURE_STALE;
    }
    return fault == AZURE_AGAIN && l->turns > 0 && t->frames == 0 && !l->end.reason[0] ? AZURE_STALE
                                                                                       : fault;
}

/* --- a turn --- */

static bool send(struct azure_link *l, struct strbuf *frame, struct err *e)
{
    bool ok = !frame->failed && ws_send(l->ws, frame->text, frame->len, true, e);
    strbuf_reset(frame);
    return ok;
}

static bool turn_send(struct azure_link *l, const struct azure_turn *t, const char *ssml,
                      struct err *e)
{
    AUTO(strbuf_free) struct strbuf frame = STRBUF(AZURE_SSML_MAX + 4096);
    if (l->turns == 0) {
        azure_frame_config(&frame, t->id);
        if (!send(l, &frame, e))
            return false;
    }
    azure_frame_context(&frame, t->id);
    if (!send(l, &frame, e))
        return false;
    azure_frame_ssml(&frame, t->id, ssml);
    return send(l, &frame, e);
}

static void wait_slice(struct azure_link *l)
{
    struct timespec until = clock_until(SLICE_MS);
    pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

/* With lock held. The vendor's own library has no such limits and waits for ever. */
static enum azure_fault over_time(const struct azure_service *s, const struct azure_link *l,
                                  const struct azure_job *job, const struct azure_turn *t,
                                  int64_t begin, struct err *e)
{
    int64_t now = clock_mono_ms();
    int64_t quiet = l->open ? now - MAX(l->last_ms, begin) : 0; /* connecting has its own limit */
    if (t->frames == 0 && quiet > s->limits.first_ms)
        return azure_fault_set(e, AZURE_AGAIN, "azure: no answer in %d ms", s->limits.first_ms);
    if (t->frames > 0 && quiet > s->limits.between_ms)
        return azure_fault_set(e, AZURE_AGAIN, "azure: stuck in a turn for %d ms",
                               s->limits.between_ms);
    if (now - begin > s->limits.total_ms + 2 * job->expected_ms)
        return azure_fault_set(e, AZURE_AGAIN, "azure: a turn took over %lld ms",
                               (long long)(now - begin));
    return AZURE_OK;
}

static enum azure_fault turn_wait(struct azure_service *s, struct azure_link *l,
                                  const struct azure_job *job, struct azure_turn *t, struct err *e)
{
    enum azure_fault fault = AZURE_OK;
    int64_t begin = clock_mono_ms();
    pthread_mutex_lock(&l->lock);
    while (t->state == AZURE_TURN_OPEN && fault == AZURE_OK) {
        if (l->closed)
            fault = link_ended(s, l, t, e);
        else if (cancel_fired(job->cancel))
            fault = azure_fault_set(e, AZURE_STOPPED, "cancelled while speaking");
        else
            fault = over_time(s, l, job, t, begin, e);
        if (fault == AZURE_OK)
            wait_slice(l);
    }
    if (t->state == AZURE_TURN_BROKEN)
        fault =
            azure_fault_set(e, AZURE_AGAIN, "azure: more than %d s of sound", AZURE_SECONDS_MAX);
    else if (t->state == AZURE_TURN_DONE && t->audio.len < 2)
        fault = azure_fault_set(e, AZURE_AGAIN, "azure: a turn without sound");
    l->turn = NULL;
    pthread_mutex_unlock(&l->lock);
    return fault;
}

enum azure_fault azure_link_speak(struct azure_service *s, const struct azure_job *job,
                                  struct azure_turn *turn, struct err *e)
{
    struct azure_link *l = link_take(s);
    if (!l && !(l = link_open(s, e)))
        return azure_fault_set(e, e->code == ERR_RETRY ? AZURE_AGAIN : AZURE_CONFIG, "azure: %s",
                               e->detail);
    pthread_mutex_lock(&l->lock);
    l->turn = turn;
    pthread_mutex_unlock(&l->lock);
    struct err unsent = {0};
    /* What could not be sent shows as a closed connection. */
    (void)turn_send(l, turn, job->ssml, &unsent);
    enum azure_fault fault = turn_wait(s, l, job, turn, e);
    if (fault == AZURE_OK)
        link_keep(s, l);
    else
        link_free(l);
    return fault;
}
