/* Gateway connections: frames in, the state machine's wishes out. */
#include <inttypes.h>

#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "discord"

enum {
    FRAME_MAX = 32 << 20, /* READY of a large bot, inflated */
    MESSAGE_MAX = 16 << 20,
    STOP_MS = 700, /* run() returns within a second of stop() */
    KEEP_SECONDS = 86400,
};

static void on_open(void *ctx);
static void on_message(void *ctx, const char *bytes, size_t len, bool is_text);
static void on_closed(void *ctx, const struct ws_end *end);

void dc_kick(struct discord *d)
{
    pthread_mutex_lock(&d->gate_lock);
    d->kicks++;
    pthread_cond_broadcast(&d->gate_changed);
    pthread_mutex_unlock(&d->gate_lock);
}

/* --- wishes, with gate_lock held --- */

/* False: nothing was started, the machine has to hear of it. */
static bool connect_now(struct dc_shard *s, struct err *e)
{
    struct discord *d = s->d;
    struct ws_request r = {.log_name = "discord gateway",
                           .url = s->out.connect,
                           .trusted = !str_starts(d->base, "https://discord.com/"),
                           .message_max = MESSAGE_MAX,
                           .on_open = on_open,
                           .on_message = on_message,
                           .on_closed = on_closed,
                           .ctx = s};
    pthread_mutex_lock(&d->lock);
    d->stats.connects++;
    d->stats.resumes += s->gw.resuming;
    pthread_mutex_unlock(&d->lock);
    return ws_connect(d->ws, &r, &s->ws, e);
}

static void note_end(struct dc_shard *s)
{
    struct discord *d = s->d;
    if (s->out.fatal) {
        d->fatal = true;
        d->fatal_err = s->out.err;
    }
    d->reshard |= s->out.reshard;
    pthread_mutex_lock(&d->lock);
    d->sessions_new |= s->out.live;
    if (s->out.live)
        dc_pen_call(d);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static void step(struct dc_shard *s, const struct gw_input *in)
{
    struct err e = {0};
    int64_t now = clock_mono_ms();
    gateway_step(&s->gw, in, now, &s->out);
    if (s->out.send.len > 0 && s->ws &&
        !ws_send(s->ws, s->out.send.text, s->out.send.len, true, &e))
        log_err(LOG_INFO, LOG_MODULE, &e);
    if (s->out.close && s->ws)
        ws_close(s->ws, s->out.close, "");
    if (s->out.connect[0] && !connect_now(s, &e)) {
        const struct gw_input closed = {.kind = GW_CLOSED, .code = 1006, .type = ""};
        log_err(LOG_WARN, LOG_MODULE, &e);
        gateway_step(&s->gw, &closed, now, &s->out);
    }
    if (s->out.live)
        log_info("gateway: shard %d is %s", s->index, s->gw.resuming ? "resumed" : "ready");
    if (s->out.fatal || s->out.reshard || s->out.live)
        note_end(s);
    s->wake_ms = s->out.wake_ms;
    s->d->kicks++;
    pthread_cond_broadcast(&s->d->gate_changed);
}

/* --- ws thread --- */

static void on_open(void *ctx)
{
    struct dc_shard *s = ctx;
    const struct gw_input in = {.kind = GW_OPENED, .type = ""};
    inflater_free(&s->inflater); /* a new connection is a new stream */
    pthread_mutex_lock(&s->d->gate_lock);
    step(s, &in);
    pthread_mutex_unlock(&s->d->gate_lock);
}

static void on_closed(void *ctx, const struct ws_end *end)
{
    struct dc_shard *s = ctx;
    const struct gw_input in = {.kind = GW_CLOSED, .code = end->code, .type = ""};
    inflater_free(&s->inflater);
    if (end->err.code != ERR_NONE)
        log_err(LOG_INFO, LOG_MODULE, &end->err);
    else
        log_info("gateway: shard %d closed with %d %s", s->index, end->code, end->reason);
    pthread_mutex_lock(&s->d->gate_lock);
    if (s->ws)
        ws_free(s->ws);
    s->ws = NULL;
    step(s, &in);
    pthread_mutex_unlock(&s->d->gate_lock);
}

static void take_interaction(struct dc_shard *s, const cJSON *data, int64_t seq, int64_t heard_ms)
{
    struct discord *d = s->d;
    struct dc_queued *q = calloc(1, sizeof(*q));
    if (!q)
        return;
    q->shard = s->index;
    q->seq = seq;
    q->heard_ms = heard_ms;
    if (!dc_decode(data, d->key, &q->ev)) {
        log_info("an interaction that cannot be answered was left out");
        dc_event_free(&q->ev);
        free(q);
        return;
    }
    if (q->ev.kind == DC_COMPLETE || q->ev.kind == DC_ASK) {
        if (q->ev.kind == DC_COMPLETE)
            dc_complete(d, &q->ev);
        else
            dc_ask_script(d, &q->ev);
        dc_event_free(&q->ev);
        free(q);
        return;
    }
    dc_enqueue(d, q);
}

static void take_frame(struct dc_shard *s, const char *text, size_t len)
{
    static const struct json_limits limits = {.bytes = FRAME_MAX, .depth = 64, .nodes = 400000};
    AUTO(json_free) cJSON *doc = NULL;
    struct err e = {0};
    int64_t heard = clock_mono_ms();
    if (!json_parse(text, len, &limits, &doc, &e)) {
        log_err(LOG_INFO, LOG_MODULE, &e);
        return;
    }
    const cJSON *data = json_object(doc, "d");
    struct gw_input in = {.kind = GW_FRAME, .type = json_text(doc, "t", "")};
    in.op = (int)CLAMP(json_int_or(doc, "op", -1), -1, 1000);
    in.has_seq = json_int(doc, "s", &in.seq) && in.seq >= 0;
    in.hello_ms = json_int_or(data, "heartbeat_interval", 41250);
    in.resumable = json_true(doc, "d");
    in.session_id = json_text(data, "session_id", "");
    in.resume_url = json_text(data, "resume_gateway_url", "");
    pthread_mutex_lock(&s->d->gate_lock);
    step(s, &in);
    bool dispatch = s->out.dispatch;
    pthread_mutex_unlock(&s->d->gate_lock);
    if (dispatch && strcmp(in.type, "INTERACTION_CREATE") == 0)
        take_interaction(s, data, in.has_seq ? in.seq : 0, heard);
}

static void on_message(void *ctx, const char *bytes, size_t len, bool is_text)
{
    struct dc_shard *s = ctx;
    struct err e = {0};
    bool whole = false;
    if (is_text) {
        take_frame(s, bytes, len);
        return;
    }
    if (!inflater_add(&s->inflater, bytes, len, FRAME_MAX, &whole, &e)) {
        log_err(LOG_WARN, LOG_MODULE, &e);
        pthread_mutex_lock(&s->d->gate_lock);
        if (s->ws)
            ws_close(s->ws, 4000, ""); /* the stream is lost; a resume begins a new one */
        pthread_mutex_unlock(&s->d->gate_lock);
    } else if (whole) {
        take_frame(s, strbuf_text(&s->inflater.out), s->inflater.out.len);
    }
}

/* --- sessions that outlive the process --- */

static void session_load(struct dc_shard *s)
{
    struct discord *d = s->d;
    char key[40], value[1500];
    struct err ignored = {0};
    AUTO(json_free) cJSON *doc = NULL;
    snprintf(key, sizeof(key), "discord.session.%d", s->index);
    if (!d->o.recall || !d->o.recall(d->o.ctx, key, value, sizeof(value)) ||
        !json_parse(value, strlen(value), NULL, &doc, &ignored) ||
        json_int_or(doc, "shards", 0) != d->shard_count)
        return;
    struct gw_session *g = &s->gw.session;
    g->seq = json_int_or(doc, "seq", -1);
    if (!str_copy(g->id, sizeof(g->id), json_text(doc, "id", "")) ||
        !str_copy(g->url, sizeof(g->url), json_text(doc, "url", "")))
        *g = (struct gw_session){.seq = -1};
}

/* What the bot has not stored yet must come again: the number before the first such event. */
static int64_t safe_seq(struct discord *d, int shard, int64_t seq)
{
    pthread_mutex_lock(&d->lock);
    for (struct dc_queued *q = d->first; q; q = q->next)
        if (q->shard == shard && q->seq > 0) {
            seq = MIN(seq, q->seq - 1);
            break;
        }
    pthread_mutex_unlock(&d->lock);
    return seq;
}

bool dc_link_is_ours(const struct discord *d)
{
    return !d->o.may_connect || d->o.may_connect(d->o.ctx);
}

void dc_sessions_save(struct discord *d)
{
    AUTO(dc_notes_free) struct dc_notes notes = {.count = 0};
    if (!dc_link_is_ours(d))
        return; /* another process keeps its own there now */
    pthread_mutex_lock(&d->gate_lock);
    for (int i = 0; i < d->shard_count; i++) {
        AUTO(strbuf_free) struct strbuf out = STRBUF(1400);
        const struct gw_session *g = &d->shards[i].gw.session;
        strbuf_addf(&out, "{\"shards\":%d,\"seq\":%" PRId64 ",\"id\":", d->shard_count,
                    safe_seq(d, i, g->seq));
        json_put_text(&out, g->id);
        strbuf_adds(&out, ",\"url\":");
        json_put_text(&out, g->url);
        strbuf_addc(&out, '}');
        if (!out.failed)
            dc_notes_add(&notes, KEEP_SECONDS, out.text, "discord.session.%d", i);
    }
    pthread_mutex_unlock(&d->gate_lock);
    dc_keep(d, &notes, false); /* lost, what came since comes once more */
}

/* --- life --- */

bool dc_link_start(struct discord *d, const char *url, int shards, struct err *e)
{
    struct dc_shard *list = calloc((size_t)shards, sizeof(*list));
    if (!list)
        return err_set(e, ERR_INTERNAL, "error.internal", "discord: no memory for shards");
    pthread_mutex_lock(&d->gate_lock);
    d->shards = list;
    d->shard_count = shards;
    d->reshard = false;
    pthread_mutex_unlock(&d->gate_lock);
    for (int i = 0; i < shards; i++) {
        struct dc_shard *s = &list[i];
        uint64_t seed;
        random_bytes(&seed, sizeof(seed));
        *s = (struct dc_shard){.d = d, .index = i};
        gateway_init(&s->gw, d->token, url, i, shards, &d->gate, seed);
        if (d->o.backoff_ms)
            s->gw.backoff_ms = d->o.backoff_ms;
        session_load(s);
    }
    const struct gw_input in = {.kind = GW_START, .type = ""};
    pthread_mutex_lock(&d->gate_lock);
    for (int i = 0; i < shards; i++)
        step(&list[i], &in);
    d->gate_runs = true;
    pthread_mutex_unlock(&d->gate_lock);
    return true;
}

/* With gate_lock held. */
static bool any_open(const struct discord *d)
{
    for (int i = 0; i < d->shard_count; i++)
        if (d->shards[i].ws)
            return true;
    return false;
}

void dc_link_stop(struct discord *d)
{
    const struct gw_input in = {.kind = GW_STOP, .type = ""};
    struct timespec until = clock_until(STOP_MS);
    pthread_mutex_lock(&d->gate_lock);
    d->gate_runs = false;
    for (int i = 0; i < d->shard_count; i++)
        step(&d->shards[i], &in);
    while (any_open(d) &&
           pthread_cond_clockwait(&d->gate_changed, &d->gate_lock, CLOCK_MONOTONIC, &until) == 0)
        continue;
    struct ws *left[DC_SHARDS_MAX];
    int count = 0;
    for (int i = 0; i < d->shard_count; i++)
        if (d->shards[i].ws)
            left[count++] = TAKE(d->shards[i].ws);
    pthread_mutex_unlock(&d->gate_lock);
    for (int i = 0; i < count; i++)
        ws_free(left[i]); /* not under the lock: its callbacks take it */
    dc_sessions_save(d);
    pthread_mutex_lock(&d->gate_lock);
    for (int i = 0; i < d->shard_count; i++) {
        strbuf_free(&d->shards[i].out.send);
        inflater_free(&d->shards[i].inflater);
    }
    free(TAKE(d->shards));
    d->shard_count = 0;
    pthread_mutex_unlock(&d->gate_lock);
}

int64_t dc_link_tick(struct discord *d, int64_t now)
{
    const struct gw_input in = {.kind = GW_TICK, .type = ""};
    int64_t wake = now + 1000;
    bool ours = dc_link_is_ours(d);
    pthread_mutex_lock(&d->gate_lock);
    for (int i = 0; d->gate_runs && i < d->shard_count; i++) {
        struct dc_shard *s = &d->shards[i];
        if (!ours && !s->ws) /* the loop of run() puts it away */
            continue;
        if (now >= s->wake_ms)
            step(s, &in);
        wake = MIN(wake, s->wake_ms);
    }
    pthread_mutex_unlock(&d->gate_lock);
    return MAX(wake - now, 1);
}
