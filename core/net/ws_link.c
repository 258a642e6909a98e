/*
 * libwebsockets: one connection attempt from its start to its one end.
 *
 * An attempt can end in six ways, some without the callback that one would expect; the destruction
 * of its wsi comes in all of them and is the only place that ends anything (facts sheet "discord",
 * section 8).
 */
#include "core/net/ws_internal.h"

#include "core/base/utf8.h"

/* --- the end --- */

static void over(struct ws *ws)
{
    ws->state = WS_OVER;
    ws->wsi = NULL;
    ws_tell_closed(ws);
}

static void fail(struct ws *ws, enum err_code code, const char *key, const char *why)
{
    if (ws->end.err.code == ERR_NONE)
        err_set(&ws->end.err, code, key, "%s: %s", ws->log_name, why);
}

/* The attempt is over; perhaps there is another address. */
static void attempt_over(struct ws *ws)
{
    bool more = ws->lookup && ws->address < ws->lookup->count;
    bool final = ws->state == WS_OPEN || ws->end.by_us || ws->end.status != 0;
    ws->wsi = NULL;
    if (!final && more) {
        ws->end.err = (struct err){0};
        ws->state = WS_READY;
        lws_cancel_service(ws->engine->lws);
        return;
    }
    if (ws->end.code == 1006 && !ws->closing_sent)
        fail(ws, ERR_RETRY, "error.network",
             ws->state == WS_OPEN ? "connection lost" : "cannot connect");
    over(ws);
}

/* Cuts the link; the end comes through the destruction of the wsi. */
static void cut(struct ws *ws)
{
    ws->end.by_us = true;
    if (ws->wsi)
        lws_set_timeout(ws->wsi, PENDING_TIMEOUT_AWAITING_CLIENT_HS_SEND, LWS_TO_KILL_ASYNC);
    else
        over(ws);
}

/* --- steps --- */

static void try_address(struct ws *ws)
{
    /* The name goes into the request, the certificate check and SNI; the address is only where. */
    char host[300];
    bool secure = strcmp(ws->origin.scheme, "wss") == 0;
    bool plain_port = ws->origin.port == (secure ? 443 : 80);
    bool v6 = strchr(ws->origin.host, ':') != NULL;
    if (plain_port)
        snprintf(host, sizeof(host), v6 ? "[%s]" : "%s", ws->origin.host);
    else
        snprintf(host, sizeof(host), v6 ? "[%s]:%d" : "%s:%d", ws->origin.host, ws->origin.port);
    struct lws_client_connect_info info = {
        .context = ws->engine->lws,
        .address = ws->lookup->address[ws->address],
        .port = ws->origin.port,
        .ssl_connection = secure ? LCCSCF_USE_SSL : 0,
        .path = ws->path,
        .host = host,
        .local_protocol_name = ws_protocols[0].name,
        .alpn = "http/1.1",
        .retry_and_idle_policy = &ws->idle,
        .opaque_user_data = ws,
        .pwsi = &ws->wsi,
    };
    ws->address++;
    ws->state = WS_CONNECTING;
    if (!lws_client_connect_via_info(&info) && ws->state == WS_CONNECTING)
        attempt_over(ws); /* no wsi was ever made, so none is destroyed */
}

static void look(struct ws *ws)
{
    struct ws_lookup *l = ws->lookup;
    pthread_mutex_lock(&l->lock);
    bool done = l->done;
    pthread_mutex_unlock(&l->lock);
    if (!done)
        return;
    if (l->count > 0) {
        ws->state = WS_READY;
        return;
    }
    if (l->forbidden)
        fail(ws, ERR_REFUSED, "error.network", "leads to an address that is not allowed");
    else
        fail(ws, ERR_RETRY, "error.network", "name not resolved");
    over(ws);
}

/* What callers asked for since the last look. */
static void obey(struct ws *ws, int64_t now)
{
    pthread_mutex_lock(&ws->engine->lock);
    bool freed = ws->freed, writes = ws->first != NULL || ws->close_code != 0;
    bool closes = ws->close_code != 0;
    pthread_mutex_unlock(&ws->engine->lock);
    if (freed) {
        cut(ws);
    } else if (cancel_fired(ws->req.cancel)) {
        fail(ws, ERR_CANCELLED, "error.cancelled", "stopped");
        cut(ws);
    } else if (closes && ws->state != WS_OPEN) {
        fail(ws, ERR_CANCELLED, "error.cancelled", "closed before it was open");
        cut(ws);
    } else if (ws->deadline_ms > 0 && now >= ws->deadline_ms) {
        if (ws->state != WS_OPEN)
            fail(ws, ERR_RETRY, "error.network", "no connection in time");
        cut(ws);
    } else if (writes && ws->state == WS_OPEN && !ws->closing_sent) {
        if (closes && ws->deadline_ms == 0)
            ws->deadline_ms = now + WS_CLOSE_MS;
        lws_callback_on_writable(ws->wsi);
    }
}

void ws_step(struct ws *ws, int64_t now)
{
    if (ws->state != WS_OVER)
        obey(ws, now);
    if (ws->state == WS_LOOKING)
        look(ws);
    if (ws->state == WS_READY)
        try_address(ws);
}

/* --- callbacks --- */

static int opened(struct ws *ws)
{
    ws->state = WS_OPEN;
    ws->deadline_ms = 0;
    ws->end.was_open = true;
    ws->end.err = (struct err){0};
    ws_tell_open(ws);
    lws_callback_on_writable(ws->wsi);
    return 0;
}

/* A close frame only at the end of a message: what still comes of it while libwebsockets 4.1 waits
   to send one crashes it. Without a reason it cuts the link at once. */
static int too_large(struct ws *ws)
{
    static unsigned char why[] = "message too large";
    ws->end.by_us = true;
    ws->closing_sent = true;
    fail(ws, ERR_LIMIT, "error.network", "a message is larger than allowed");
    if (lws_is_final_fragment(ws->wsi) && !lws_remaining_packet_payload(ws->wsi))
        lws_close_reason(ws->wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, why, sizeof(why) - 1);
    return -1;
}

static int received(struct ws *ws, const void *bytes, size_t len)
{
    if (lws_is_first_fragment(ws->wsi)) {
        strbuf_reset(&ws->in);
        ws->in_is_text = !lws_frame_is_binary(ws->wsi);
    }
    strbuf_add(&ws->in, bytes, len);
    if (ws->in.failed)
        return too_large(ws);
    if (lws_is_final_fragment(ws->wsi) && !lws_remaining_packet_payload(ws->wsi))
        ws_tell_message(ws);
    return 0;
}

static int write_one(struct ws *ws)
{
    bool more = false;
    struct ws_frame *f = ws_take_frame(ws, &more);
    if (f) {
        int n = lws_write(ws->wsi, f->bytes + LWS_PRE, f->len,
                          f->is_text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY);
        bool ok = n >= (int)f->len;
        free(f);
        if (!ok)
            return -1;
        lws_callback_on_writable(ws->wsi); /* more, or a close that waits */
        return 0;
    }
    pthread_mutex_lock(&ws->engine->lock);
    int code = ws->close_code;
    char reason[WS_REASON_MAX];
    str_copy(reason, sizeof(reason), ws->close_reason);
    pthread_mutex_unlock(&ws->engine->lock);
    if (code == 0 || ws->closing_sent)
        return 0;
    ws->closing_sent = ws->end.by_us = true;
    lws_close_reason(ws->wsi, (enum lws_close_status)code, (unsigned char *)reason, strlen(reason));
    return -1;
}

static void peer_closes(struct ws *ws, const unsigned char *bytes, size_t len)
{
    ws->end.code = len >= 2 ? bytes[0] << 8 | bytes[1] : 1005;
    if (len > 2) {
        size_t n = MIN(len - 2, sizeof(ws->end.reason) - 1);
        memcpy(ws->end.reason, bytes + 2, n);
        ws->end.reason[n] = '\0';
        utf8_clean(ws->end.reason);
    }
}

static int add_headers(struct ws *ws, struct lws *wsi, unsigned char **at, unsigned char *end)
{
    bool has_agent = false;
    for (size_t i = 0; i < WS_HEADERS_MAX && ws->headers[i]; i++) {
        const char *line = ws->headers[i];
        const char *value = strchr(line, ':') + 1;
        char name[128];
        if ((size_t)(value - line) >= sizeof(name))
            return -1;
        memcpy(name, line, (size_t)(value - line));
        name[value - line] = '\0';
        value += strspn(value, " ");
        has_agent = has_agent || strcasecmp(name, "user-agent:") == 0;
        if (lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                        (const unsigned char *)value, (int)strlen(value), at, end))
            return -1;
    }
    static const unsigned char agent[] = "NanoTik";
    return !has_agent &&
                   lws_add_http_header_by_name(wsi, (const unsigned char *)"User-Agent:", agent,
                                               sizeof(agent) - 1, at, end)
               ? -1
               : 0;
}

static void refused(struct ws *ws, struct lws *wsi)
{
    int status = (int)lws_http_client_http_response(wsi);
    if (status < 100 || status > 599 || status == 101)
        return;
    ws->end.status = status;
    if (ws->end.err.code == ERR_NONE)
        err_set(&ws->end.err, status < 500 && status != 429 ? ERR_REFUSED : ERR_RETRY,
                "error.network", "%s: the upgrade was answered with %d", ws->log_name, status);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    (void)user;
    if (reason == LWS_CALLBACK_EVENT_WAIT_CANCELLED) {
        struct ws_engine *engine = lws_context_user(lws_get_context(wsi));
        if (engine->lws) /* not while the context is still being made */
            ws_work(engine);
        return 0;
    }
    struct ws *ws = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    if (!ws || ws->state == WS_OVER)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: {
        unsigned char **at = in;
        return add_headers(ws, wsi, at, *at + len);
    }
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        ws->wsi = wsi;
        return opened(ws);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return received(ws, in, len);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return write_one(ws);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        peer_closes(ws, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        refused(ws, wsi);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        attempt_over(ws);
        return 0;
    default:
        return 0;
    }
}

const struct lws_protocols ws_protocols[] = {
    {.name = "nanotik",        .callback = callback, .rx_buffer_size = 65536},
    {.name = NULL},
};
