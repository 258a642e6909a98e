/*
 * ws - WebSocket connections as a client: one thread, one libwebsockets context, limits on
 *      everything.
 *
 * What:    ws_connect returns at once; what happens is told by callbacks on the engine's thread:
 *          open at most once, messages (whole, joined from fragments), closed exactly once.
 *          Silence is broken by pings; a peer that does not answer them is closed.
 * Rules:   wss:// with the certificate and the name checked, to public addresses (to any with
 *          `trusted`); ws:// to this machine only, elsewhere only with allow_plain. No proxy, no
 *          redirects, no compression. Names are resolved off the engine's thread; all addresses
 *          of a name are tried.
 * Secrets: URL, headers and messages never enter a log or an err; messages say `log_name`.
 * Owner:   the request is copied, ctx is borrowed until ws_free returned (or on_closed did, when
 *          ws_free was called inside it). ws_free always, also after on_closed.
 * Threads: all functions from any thread, also inside callbacks; callbacks must not block.
 *          ws_engine_destroy after every ws_free, not on the engine's thread.
 * Fails:   ERR_RETRY (network), ERR_REFUSED (address rules, or HTTP status 4xx to the upgrade),
 *          ERR_LIMIT (a message or the send queue too large), ERR_CANCELLED, ERR_CONFIG (bad URL).
 */
#ifndef NANOTIK_WS_H
#define NANOTIK_WS_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

struct ws_engine;
struct ws;

/* allow_plain: NANOTIK_ALLOW_PLAIN=1. */
bool ws_engine_create(bool allow_plain, struct ws_engine **ret, struct err *e);
void ws_engine_destroy(struct ws_engine *engine); /* NULL is fine */

enum { WS_REASON_MAX = 124 };

/* How a connection ended. */
struct ws_end {
    bool was_open;
    bool by_us;                 /* ws_close, a limit, cancel */
    int code;                   /* close code that the peer sent; 1006: none came */
    int status;                 /* HTTP status when the upgrade was refused, else 0 */
    char reason[WS_REASON_MAX]; /* peer's text, valid UTF-8; may be empty */
    struct err err;             /* why; code ERR_NONE after a close frame from either side */
};

struct ws_request {
    const char *log_name;       /* REQUIRED: "discord gateway" */
    const char *url;            /* REQUIRED */
    const char *const *headers; /* "Name: value", at most 32 */
    size_t header_count;
    bool trusted; /* the operator configured this host: it may have a private address */
    /* Limits. 0 takes the default in brackets. */
    size_t message_max;          /* bytes of one message, joined [4 MiB] */
    size_t queue_max;            /* bytes waiting to be sent [4 MiB] */
    int connect_ms;              /* name, TCP, TLS and upgrade together [20 s] */
    int ping_seconds;            /* silence before a ping [20 s] */
    int silence_seconds;         /* silence before the link counts as cut [ping + 10 s] */
    const struct cancel *cancel; /* obeyed within 100 ms; may be NULL; lives until ws_free */
    void (*on_open)(void *ctx);  /* may be NULL */
    /* bytes[len] is NUL for convenience; text is not checked for UTF-8. */
    void (*on_message)(void *ctx, const char *bytes, size_t len, bool is_text);
    void (*on_closed)(void *ctx, const struct ws_end *end);
    void *ctx;
};

/* False: nothing started, no callback will come. */
bool ws_connect(struct ws_engine *engine, const struct ws_request *request, struct ws **ret,
                struct err *e);
/* Copies and queues; ERR_RETRY when the connection is over, ERR_LIMIT when the queue is full. What
   is queued before the connection is open goes out first. */
bool ws_send(struct ws *ws, const void *bytes, size_t len, bool is_text, struct err *e);
/* What is queued goes out first, then a close frame; on_closed follows within 5 s. Again: no
   effect. reason may be NULL. */
void ws_close(struct ws *ws, int code, const char *reason);
/* No callback runs any more once it returned. An open connection is cut without a close frame (the
   peer sees 1006). NULL is fine. */
void ws_free(struct ws *ws);

#endif
