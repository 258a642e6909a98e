/*
 * gateway - one shard's life on Discord's gateway, without a socket, a clock or a thread.
 *
 * What:    what happened and the time go in, what to do comes out (gateway_step). Heartbeat with
 *          jitter, links that died quietly, resume, fresh sessions, back-off, close codes.
 * Owner:   a plain value; token is borrowed for its life. gateway_init, then one GW_START.
 * Threads: none; the caller locks.
 * Source:  facts sheet "discord", section 2.
 */
#ifndef NANOTIK_DISCORD_GATEWAY_H
#define NANOTIK_DISCORD_GATEWAY_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"

enum { GW_URL_MAX = 300, GW_SESSION_MAX = 128, GW_SENDS_MAX = 110, GW_KEYS_MAX = 64 };

/* Who may identify when; shared by all shards of a bot. */
struct gw_gate {
    int max_concurrency;
    int total, remaining; /* identifies of this day */
    int64_t reset_ms;     /* when `remaining` is `total` again */
    int64_t next_ms[GW_KEYS_MAX];
};
/* 0: go, and it is counted. Else: ask again in so many ms. */
int64_t gw_gate_take(struct gw_gate *gate, int shard, int64_t now_ms);

/* What lets a later process go on where this one stopped. */
struct gw_session {
    char id[GW_SESSION_MAX]; /* "": none */
    char url[GW_URL_MAX];    /* resume_gateway_url */
    int64_t seq;             /* -1: none */
};

enum gw_state {
    GW_PAUSED,     /* waits for its time, then connects */
    GW_CONNECTING, /* a connection is being made */
    GW_GREETING,   /* open, waits for Hello */
    GW_QUEUED,     /* waits for its turn to identify */
    GW_STARTING,   /* identify or resume is on its way */
    GW_LIVE,
    GW_CLOSING, /* we closed; waits for the end */
    GW_ENDED,   /* stopped or fatal */
};

struct gateway {
    const char *token;
    int shard, shards;
    bool compress;
    struct gw_gate *gate;
    char url[GW_URL_MAX]; /* of /gateway/bot */
    struct gw_session session;
    struct rng rng;
    enum gw_state state;
    bool resuming;       /* this connection */
    int resume_failures; /* in a row */
    int attempt;         /* for the back-off */
    int64_t at_ms;       /* of the state: when to connect, give up, ask the gate */
    int64_t live_ms;     /* since when */
    int64_t beat_every_ms, beat_ms;
    bool beat_unanswered;
    int64_t backoff_ms; /* of the first reconnect [2 s] */
    int64_t pause_ms;   /* after the close that is under way; -1: the usual back-off */
    int64_t sent_ms[GW_SENDS_MAX];
    int sent_next;
};

enum gw_kind { GW_START, GW_OPENED, GW_FRAME, GW_CLOSED, GW_TICK, GW_STOP };

struct gw_input {
    enum gw_kind kind;
    /* GW_FRAME */
    int op;
    bool has_seq;
    int64_t seq;
    const char *type;       /* of a dispatch, "" else */
    int64_t hello_ms;       /* Hello: heartbeat_interval */
    bool resumable;         /* op 9 */
    const char *session_id; /* READY, else "" */
    const char *resume_url;
    /* GW_CLOSED */
    int code; /* 1006 when none came */
};

struct gw_output {
    char connect[GW_URL_MAX + 64]; /* open this; "" nothing */
    struct strbuf send;            /* a frame to send; len 0: none */
    int close;                     /* close with this code; 0: no */
    bool dispatch;                 /* hand the event on */
    bool live;                     /* READY or RESUMED came just now */
    bool reshard;                  /* ask /gateway/bot anew and start all shards again */
    bool fatal;                    /* err says why; state is GW_ENDED */
    struct err err;
    int64_t wake_ms; /* the next GW_TICK, at the latest; absolute */
};

void gateway_init(struct gateway *g, const char *token, const char *url, int shard, int shards,
                  struct gw_gate *gate, uint64_t seed);
/* out->send is reset and kept; its owner frees it. */
void gateway_step(struct gateway *g, const struct gw_input *in, int64_t now_ms,
                  struct gw_output *out);

#endif
