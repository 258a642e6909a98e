#include "adapters/discord/gateway.h"

#include <inttypes.h>
#include <string.h>

#include "core/net/json.h"

enum {
    HELLO_MS = 20000,
    START_MS = 60000,
    STEADY_MS = 60000, /* live for so long: the back-off begins anew */
    BACKOFF_MS = 2000,
    BACKOFF_MAX_MS = 60000,
    KNOCK_MAX_MS = 5000,
    IDENTIFY_MS = 5000,
    RESUME_TRIES = 3,
    GATE_RESERVE = 3, /* identifies left alone: beyond the last one the token is reset */
    FRAME_MAX = 4096,
    SEND_MAX = 65536,
    RESTART = 4000, /* any close code but 1000 and 1001 keeps the session */
};

/* What a close code asks for. */
enum close_action { CLOSE_RESUME, CLOSE_RESUME_LATER, CLOSE_FRESH, CLOSE_RESHARD, CLOSE_FATAL };
static const struct {
    int code;
    enum close_action action;
    const char *key, *why;
} closes[] = {
    {4000, CLOSE_RESUME,       NULL,                   "unknown error"           },
    {4001, CLOSE_RESUME_LATER, NULL,                   "we sent an unknown op"   },
    {4002, CLOSE_RESUME_LATER, NULL,                   "we sent a bad frame"     },
    {4003, CLOSE_FRESH,        NULL,                   "not authenticated"       },
    {4004, CLOSE_FATAL,        "start.discord_token",  "the token is wrong"      },
    {4005, CLOSE_RESUME_LATER, NULL,                   "authenticated twice"     },
    {4007, CLOSE_FRESH,        NULL,                   "invalid sequence"        },
    {4008, CLOSE_RESUME_LATER, NULL,                   "too many frames"         },
    {4009, CLOSE_FRESH,        NULL,                   "session timed out"       },
    {4010, CLOSE_RESHARD,      NULL,                   "invalid shard"           },
    {4011, CLOSE_RESHARD,      NULL,                   "more shards are required"},
    {4012, CLOSE_FATAL,        "start.discord_closed", "API version is gone"     },
    {4013, CLOSE_FATAL,        "start.discord_closed", "invalid intents"         },
    {4014, CLOSE_FATAL,        "start.discord_closed", "intents are not approved"},
};

int64_t gw_gate_take(struct gw_gate *gate, int shard, int64_t now)
{
    int keys = CLAMP(gate->max_concurrency, 1, GW_KEYS_MAX);
    int64_t *next = &gate->next_ms[shard % keys];
    if (now >= gate->reset_ms && gate->reset_ms > 0) {
        gate->remaining = gate->total;
        gate->reset_ms = now + 86400000;
    }
    int reserve = gate->total > 50 ? GATE_RESERVE : 0;
    if (gate->remaining <= reserve)
        return MAX(gate->reset_ms - now, 1000);
    if (now < *next)
        return *next - now;
    gate->remaining--;
    *next = now + IDENTIFY_MS;
    return 0;
}

void gateway_init(struct gateway *g, const char *token, const char *url, int shard, int shards,
                  struct gw_gate *gate, uint64_t seed)
{
    *g = (struct gateway){.token = token,
                          .shard = shard,
                          .shards = shards,
                          .compress = true,
                          .gate = gate,
                          .rng = rng_make(seed, (uint64_t)shard),
                          .session.seq = -1,
                          .backoff_ms = BACKOFF_MS,
                          .pause_ms = -1};
    str_copy(g->url, sizeof(g->url), url);
    for (int i = 0; i < GW_SENDS_MAX; i++)
        g->sent_ms[i] = INT64_MIN / 2;
}

/* --- small parts --- */

static void forget_session(struct gateway *g)
{
    g->session = (struct gw_session){.seq = -1};
    g->resume_failures = 0;
}

/* 1-2 s, then doubling up to 60 s, the upper half by chance. Where nobody said Hello no session was
   used up (a bot has so many a day), and the link is to be back soon after an outage: up to 5 s. */
static int64_t backoff(struct gateway *g)
{
    int64_t most = g->beat_every_ms ? BACKOFF_MAX_MS : KNOCK_MAX_MS;
    int64_t ms = MIN(g->backoff_ms << MIN(g->attempt, 6), most);
    g->attempt += ms < most;
    int64_t half = ms / 2;
    return half + (int64_t)((double)half * rng_unit(&g->rng));
}

/* Room in Discord's 120 frames a minute, a tenth of it left alone. */
static bool may_send(struct gateway *g, int64_t now)
{
    if (now - g->sent_ms[g->sent_next] < 60000)
        return false;
    g->sent_ms[g->sent_next] = now;
    g->sent_next = (g->sent_next + 1) % GW_SENDS_MAX;
    return true;
}

static void close_link(struct gateway *g, struct gw_output *out, int64_t pause_ms)
{
    out->close = RESTART;
    g->state = GW_CLOSING;
    g->pause_ms = pause_ms;
}

/* Also when it was asked for: its answer has a whole interval then. */
static void put_beat(struct gateway *g, struct gw_output *out, int64_t now)
{
    g->beat_ms = now + g->beat_every_ms;
    if (!may_send(g, now))
        return;
    if (g->session.seq >= 0)
        strbuf_addf(&out->send, "{\"op\":1,\"d\":%" PRId64 "}", g->session.seq);
    else
        strbuf_adds(&out->send, "{\"op\":1,\"d\":null}");
    g->beat_unanswered = true;
}

static void put_identify(struct gateway *g, struct gw_output *out)
{
    strbuf_adds(&out->send, "{\"op\":2,\"d\":{\"token\":");
    json_put_text(&out->send, g->token);
    strbuf_addf(&out->send,
                ",\"intents\":0,\"properties\":{\"os\":\"linux\",\"browser\":\"nanotik\","
                "\"device\":\"nanotik\"},\"shard\":[%d,%d]}}",
                g->shard, g->shards);
}

static void put_resume(struct gateway *g, struct gw_output *out)
{
    strbuf_adds(&out->send, "{\"op\":6,\"d\":{\"token\":");
    json_put_text(&out->send, g->token);
    strbuf_adds(&out->send, ",\"session_id\":");
    json_put_text(&out->send, g->session.id);
    strbuf_addf(&out->send, ",\"seq\":%" PRId64 "}}", MAX(g->session.seq, 0));
}

static void end(struct gateway *g, struct gw_output *out, const char *key, const char *why,
                int code)
{
    g->state = GW_ENDED;
    out->fatal = true;
    err_set(&out->err, ERR_CONFIG, key, "discord gateway closed with %d: %s", code, why);
}

/* --- connecting --- */

static void connect_now(struct gateway *g, struct gw_output *out)
{
    g->resuming = g->session.id[0] != '\0';
    const char *url = g->resuming && g->session.url[0] ? g->session.url : g->url;
    size_t len = strcspn(url, "?#");
    while (len > 0 && url[len - 1] == '/')
        len--;
    snprintf(out->connect, sizeof(out->connect), "%.*s/?v=10&encoding=json%s", (int)len, url,
             g->compress ? "&compress=zlib-stream" : "");
    g->state = GW_CONNECTING;
    g->pause_ms = -1;
    g->beat_every_ms = 0;
    g->beat_unanswered = false;
}

/* Hello was heard (or the turn has come): say who we are. */
static void introduce(struct gateway *g, struct gw_output *out, int64_t now)
{
    int64_t wait = g->resuming ? 0 : gw_gate_take(g->gate, g->shard, now);
    if (wait > 0) {
        g->state = GW_QUEUED;
        g->at_ms = now + wait;
        return;
    }
    if (!may_send(g, now)) {
        close_link(g, out, -1);
        return;
    }
    if (g->resuming)
        put_resume(g, out);
    else
        put_identify(g, out);
    if (out->send.len > FRAME_MAX) {
        end(g, out, "start.discord_token", "the token does not fit into a frame", 0);
        return;
    }
    g->state = GW_STARTING;
    g->at_ms = now + START_MS;
}

/* --- frames --- */

static void on_hello(struct gateway *g, const struct gw_input *in, struct gw_output *out,
                     int64_t now)
{
    if (g->state != GW_GREETING)
        return;
    g->beat_every_ms = CLAMP(in->hello_ms, 1000, 600000);
    g->beat_ms = now + (int64_t)((double)g->beat_every_ms * rng_unit(&g->rng));
    introduce(g, out, now);
}

static bool url_is_usable(const struct gateway *g, const char *url)
{
    bool plain_here = str_starts(g->url, "ws://");
    return strlen(url) < GW_URL_MAX &&
           (str_starts(url, "wss://") || (plain_here && str_starts(url, "ws://")));
}

static void on_dispatch(struct gateway *g, const struct gw_input *in, struct gw_output *out,
                        int64_t now)
{
    bool ready = strcmp(in->type, "READY") == 0;
    if (ready && in->session_id[0]) {
        bool whole = str_copy(g->session.id, sizeof(g->session.id), in->session_id);
        str_copy(g->session.url, sizeof(g->session.url),
                 url_is_usable(g, in->resume_url) ? in->resume_url : "");
        if (!whole)
            g->session.id[0] = '\0';
    }
    if (in->has_seq)
        g->session.seq = in->seq;
    if (ready || strcmp(in->type, "RESUMED") == 0) {
        g->state = GW_LIVE;
        g->live_ms = now;
        g->resume_failures = 0;
        out->live = true;
    }
    out->dispatch = g->state == GW_LIVE || g->state == GW_STARTING; /* replays precede RESUMED */
}

static void on_frame(struct gateway *g, const struct gw_input *in, struct gw_output *out,
                     int64_t now)
{
    bool open = g->state == GW_GREETING || g->state == GW_QUEUED || g->state == GW_STARTING ||
                g->state == GW_LIVE;
    if (!open)
        return;
    switch (in->op) {
    case 0:
        on_dispatch(g, in, out, now);
        break;
    case 1:
        put_beat(g, out, now);
        break;
    case 7:
        close_link(g, out, -1);
        break;
    case 9:
        if (!in->resumable || !g->resuming)
            forget_session(g);
        close_link(g, out, 1000 + (int64_t)(4000 * rng_unit(&g->rng)));
        break;
    case 10:
        on_hello(g, in, out, now);
        break;
    case 11:
        g->beat_unanswered = false;
        break;
    default: /* newer than we are */
        break;
    }
}

/* --- the end of a connection --- */

static void on_closed(struct gateway *g, const struct gw_input *in, struct gw_output *out,
                      int64_t now)
{
    enum close_action action = CLOSE_RESUME;
    const char *key = NULL;
    const char *why = "";
    for (size_t i = 0; i < COUNT(closes); i++)
        if (closes[i].code == in->code) {
            action = closes[i].action;
            key = closes[i].key;
            why = closes[i].why;
        }
    bool steady = g->live_ms != 0 && now - g->live_ms >= STEADY_MS;
    bool not_resumed = g->resuming && g->live_ms == 0;
    if (steady)
        g->attempt = 0;
    if (action == CLOSE_FATAL) {
        end(g, out, key, why, in->code);
        return;
    }
    if (action == CLOSE_RESHARD) {
        g->state = GW_ENDED;
        out->reshard = true;
        return;
    }
    if (action == CLOSE_FRESH)
        forget_session(g);
    if (not_resumed && g->session.id[0] && ++g->resume_failures >= RESUME_TRIES)
        forget_session(g);
    int64_t pause = g->pause_ms >= 0 ? g->pause_ms : backoff(g);
    if (action == CLOSE_RESUME_LATER)
        pause = MAX(pause, 5000);
    g->state = GW_PAUSED;
    g->live_ms = 0;
    g->at_ms = now + pause;
}

/* --- time --- */

static void beat(struct gateway *g, struct gw_output *out, int64_t now)
{
    if (g->beat_every_ms == 0 || now < g->beat_ms || g->state == GW_CLOSING)
        return;
    if (g->beat_unanswered) { /* the link died quietly */
        close_link(g, out, -1);
        return;
    }
    put_beat(g, out, now);
}

static void on_tick(struct gateway *g, struct gw_output *out, int64_t now)
{
    switch (g->state) {
    case GW_PAUSED:
        if (now >= g->at_ms)
            connect_now(g, out);
        return;
    case GW_GREETING:
    case GW_STARTING:
        if (now >= g->at_ms)
            close_link(g, out, -1);
        else
            beat(g, out, now);
        return;
    case GW_QUEUED:
        beat(g, out, now);
        if (g->state == GW_QUEUED && now >= g->at_ms && out->send.len == 0)
            introduce(g, out, now);
        return;
    case GW_LIVE:
        beat(g, out, now);
        return;
    case GW_CONNECTING:
    case GW_CLOSING:
    case GW_ENDED:
        return;
    }
}

static int64_t next_wake(const struct gateway *g, int64_t now)
{
    int64_t wake = now + 60000;
    bool timed = g->state == GW_PAUSED || g->state == GW_GREETING || g->state == GW_QUEUED ||
                 g->state == GW_STARTING;
    if (timed)
        wake = MIN(wake, g->at_ms);
    if (g->beat_every_ms > 0 &&
        (g->state == GW_LIVE || g->state == GW_STARTING || g->state == GW_QUEUED))
        wake = MIN(wake, g->beat_ms);
    return wake;
}

void gateway_step(struct gateway *g, const struct gw_input *in, int64_t now, struct gw_output *out)
{
    struct strbuf send = out->send;
    strbuf_reset(&send);
    *out = (struct gw_output){.send = send};
    if (out->send.max == 0)
        out->send.max = SEND_MAX;
    switch (in->kind) {
    case GW_START:
        g->state = GW_PAUSED;
        g->at_ms = now;
        on_tick(g, out, now);
        break;
    case GW_OPENED:
        if (g->state == GW_CONNECTING) {
            g->state = GW_GREETING;
            g->at_ms = now + HELLO_MS;
        }
        break;
    case GW_FRAME:
        on_frame(g, in, out, now);
        break;
    case GW_CLOSED:
        if (g->state != GW_ENDED && g->state != GW_PAUSED)
            on_closed(g, in, out, now);
        break;
    case GW_TICK:
        on_tick(g, out, now);
        break;
    case GW_STOP:
        if (g->state != GW_ENDED && g->state != GW_PAUSED)
            out->close = RESTART; /* keeps the session for the next start */
        g->state = GW_ENDED;
        break;
    }
    out->wake_ms = next_wake(g, now);
}
