/*
 * ws_internal - what ws.c (life, queues, callers) and ws_link.c (libwebsockets) share.
 */
#ifndef NANOTIK_WS_INTERNAL_H
#define NANOTIK_WS_INTERNAL_H

#include <netdb.h>
#include <pthread.h>

#include <libwebsockets.h>

#include "core/base/strbuf.h"
#include "core/net/net_internal.h"
#include "core/net/ws.h"

enum {
    WS_ADDRESSES_MAX = 6,
    WS_HEADERS_MAX = 32,
    WS_TICK_MS = 100,
    WS_CLOSE_MS = 4000, /* so long for the peer to answer a close frame */
};

/* A name being resolved, on a thread of its own that may outlive everybody who waits. */
struct ws_lookup {
    pthread_mutex_t lock;
    struct lws_context *wake; /* NULL: nobody waits any more */
    int refs;
    bool done;
    size_t count;
    char address[WS_ADDRESSES_MAX][INET6_ADDRSTRLEN];
    bool forbidden; /* at least one address was against the rules */
    /* --- fixed --- */
    enum net_reach reach;
    char host[256];
};

struct ws_frame {
    struct ws_frame *next;
    size_t len;
    bool is_text;
    unsigned char bytes[]; /* LWS_PRE bytes of room, then the payload */
};

enum ws_state { WS_LOOKING, WS_READY, WS_CONNECTING, WS_OPEN, WS_OVER };

struct ws {
    struct ws *next;
    struct ws_engine *engine;
    struct ws_request req; /* texts are copies */
    char *log_name, *path;
    char *headers[WS_HEADERS_MAX];
    struct net_origin origin;
    lws_retry_bo_t idle; /* pings */
    struct ws_lookup *lookup;
    /* --- engine's thread only --- */
    enum ws_state state;
    struct lws *wsi;
    size_t address; /* the next to try */
    struct strbuf in;
    bool in_is_text, closing_sent;
    int64_t deadline_ms; /* for the connection, or for the end of closing */
    struct ws_end end;
    /* --- with engine->lock held --- */
    struct ws_frame *first, *last;
    size_t queued;
    bool over, freed, busy; /* busy: a callback runs */
    int close_code;         /* 0: not asked */
    char close_reason[WS_REASON_MAX];
};

struct ws_engine {
    bool allow_plain;
    struct lws_context *lws;
    pthread_t thread;
    lws_sorted_usec_list_t tick;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    bool stopping;
    struct ws *all;
};

/* --- ws_link.c, engine's thread --- */
extern const struct lws_protocols ws_protocols[];
/* Whatever has to be done for this connection now. */
void ws_step(struct ws *ws, int64_t now_ms);

/* --- ws.c --- */
void ws_work(struct ws_engine *engine); /* steps all, frees the freed */
/* Takes the first waiting frame; NULL when there is none. */
struct ws_frame *ws_take_frame(struct ws *ws, bool *ret_more);
/* The three callbacks, unless ws_free was called. */
void ws_tell_open(struct ws *ws);
void ws_tell_message(struct ws *ws);
void ws_tell_closed(struct ws *ws);

#endif
