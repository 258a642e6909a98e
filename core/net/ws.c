/* The engine, its callers, and names turned into addresses. */
#include "core/net/ws_internal.h"

#include <arpa/inet.h>

enum {
    KEEP_ROOM = 256 * 1024,
    CONNECTIONS_MAX = 256, /* all shards of a large bot, voices, a node */
};

/* --- names --- */

static void lookup_drop(struct ws_lookup *l)
{
    pthread_mutex_lock(&l->lock);
    bool last = --l->refs == 0;
    pthread_mutex_unlock(&l->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static bool reach_allows(enum net_reach reach, const void *address)
{
    return reach == REACH_ANY || (reach == REACH_LOOPBACK ? net_address_is_loopback(address)
                                                          : net_address_is_public(address));
}

/* Addresses against the rules are left out. False: the name could not be resolved. */
static bool resolve(struct ws_lookup *l, int flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    if (getaddrinfo(l->host, NULL, &hints, &list) != 0)
        return false;
    pthread_mutex_lock(&l->lock);
    for (struct addrinfo *a = list; a && l->count < WS_ADDRESSES_MAX; a = a->ai_next) {
        if (!reach_allows(l->reach, a->ai_addr))
            l->forbidden = true;
        else if (getnameinfo(a->ai_addr, a->ai_addrlen, l->address[l->count], INET6_ADDRSTRLEN,
                             NULL, 0, NI_NUMERICHOST) == 0)
            l->count++;
    }
    pthread_mutex_unlock(&l->lock);
    freeaddrinfo(list);
    return true;
}

static void *lookup_main(void *arg)
{
    struct ws_lookup *l = arg;
    resolve(l, AI_ADDRCONFIG);
    pthread_mutex_lock(&l->lock);
    l->done = true;
    if (l->wake)
        lws_cancel_service(l->wake);
    pthread_mutex_unlock(&l->lock);
    lookup_drop(l);
    return NULL;
}

static bool lookup_start(struct ws *ws, struct err *e)
{
    struct ws_lookup *l = calloc(1, sizeof(*l));
    if (!l)
        return err_set(e, ERR_RETRY, "error.network", "%s: out of memory", ws->log_name);
    pthread_mutex_init(&l->lock, NULL);
    bool secure = strcmp(ws->origin.scheme, "wss") == 0;
    if (secure)
        l->reach = ws->req.trusted ? REACH_ANY : REACH_PUBLIC;
    else
        l->reach = ws->engine->allow_plain ? REACH_ANY : REACH_LOOPBACK;
    str_copy(l->host, sizeof(l->host), ws->origin.host);
    l->wake = ws->engine->lws;
    l->refs = 1;
    ws->lookup = l;
    if (resolve(l, AI_NUMERICHOST)) {
        l->done = true;
        return true;
    }
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    l->refs = 2;
    bool ok = pthread_create(&thread, &attr, lookup_main, l) == 0;
    pthread_attr_destroy(&attr);
    if (!ok)
        l->refs = 1;
    return ok || err_set(e, ERR_RETRY, "error.network", "%s: no thread", ws->log_name);
}

static void lookup_end(struct ws_lookup *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->wake = NULL;
    pthread_mutex_unlock(&l->lock);
    lookup_drop(l);
}

/* --- engine's thread --- */

static void ws_delete(struct ws *ws)
{
    lookup_end(ws->lookup);
    for (struct ws_frame *f; (f = ws->first);) {
        ws->first = f->next;
        free(f);
    }
    for (size_t i = 0; i < WS_HEADERS_MAX; i++)
        free(ws->headers[i]);
    strbuf_free(&ws->in);
    free(ws->log_name);
    free(ws->path);
    free(ws);
}

/* Unlinks and frees what is over and was given up by its owner. */
static void sweep(struct ws_engine *engine)
{
    struct ws *dead = NULL;
    pthread_mutex_lock(&engine->lock);
    for (struct ws **at = &engine->all; *at;) {
        struct ws *ws = *at;
        if (ws->freed && ws->over && !ws->busy) {
            *at = ws->next;
            ws->next = dead;
            dead = ws;
        } else {
            at = &ws->next;
        }
    }
    pthread_mutex_unlock(&engine->lock);
    for (struct ws *ws; (ws = dead);) {
        dead = ws->next;
        ws_delete(ws);
    }
}

void ws_work(struct ws_engine *engine)
{
    int64_t now = net_now_ms();
    pthread_mutex_lock(&engine->lock);
    struct ws *ws = engine->all;
    pthread_mutex_unlock(&engine->lock);
    while (ws) { /* only this thread takes out of the list, and new ones come at its head */
        ws_step(ws, now);
        ws = ws->next;
    }
    sweep(engine);
}

static void on_tick(lws_sorted_usec_list_t *tick)
{
    struct ws_engine *engine = lws_container_of(tick, struct ws_engine, tick);
    ws_work(engine);
    pthread_mutex_lock(&engine->lock);
    bool any = engine->all != NULL;
    pthread_mutex_unlock(&engine->lock);
    lws_sul_schedule(engine->lws, 0, tick, on_tick,
                     any ? WS_TICK_MS * LWS_US_PER_MS : 1000 * LWS_US_PER_MS);
}

static void *engine_main(void *arg)
{
    struct ws_engine *engine = arg;
    bool stopping = false;
    on_tick(&engine->tick);
    while (!stopping && lws_service(engine->lws, 0) >= 0) {
        pthread_mutex_lock(&engine->lock);
        stopping = engine->stopping;
        pthread_mutex_unlock(&engine->lock);
    }
    return NULL;
}

/* --- callbacks: never under the lock, never after ws_free --- */

static bool callback_begin(struct ws *ws)
{
    pthread_mutex_lock(&ws->engine->lock);
    bool wanted = !ws->freed;
    ws->busy = wanted;
    pthread_mutex_unlock(&ws->engine->lock);
    return wanted;
}

static void callback_end(struct ws *ws)
{
    pthread_mutex_lock(&ws->engine->lock);
    ws->busy = false;
    pthread_cond_broadcast(&ws->engine->changed);
    pthread_mutex_unlock(&ws->engine->lock);
}

void ws_tell_open(struct ws *ws)
{
    if (!callback_begin(ws))
        return;
    if (ws->req.on_open)
        ws->req.on_open(ws->req.ctx);
    callback_end(ws);
}

void ws_tell_message(struct ws *ws)
{
    if (!callback_begin(ws))
        return;
    ws->req.on_message(ws->req.ctx, strbuf_text(&ws->in), ws->in.len, ws->in_is_text);
    callback_end(ws);
    if (ws->in.room > KEEP_ROOM)
        strbuf_free(&ws->in); /* one huge message must not be paid for ever */
}

void ws_tell_closed(struct ws *ws)
{
    if (callback_begin(ws)) {
        ws->req.on_closed(ws->req.ctx, &ws->end);
        callback_end(ws);
    }
    pthread_mutex_lock(&ws->engine->lock);
    ws->over = true;
    pthread_mutex_unlock(&ws->engine->lock);
    if (ws->engine->lws)
        lws_cancel_service(ws->engine->lws); /* sweep */
}

struct ws_frame *ws_take_frame(struct ws *ws, bool *ret_more)
{
    pthread_mutex_lock(&ws->engine->lock);
    struct ws_frame *f = ws->first;
    if (f) {
        ws->first = f->next;
        if (!f->next)
            ws->last = NULL;
        ws->queued -= f->len;
    }
    *ret_more = ws->first != NULL;
    pthread_mutex_unlock(&ws->engine->lock);
    return f;
}

/* --- life --- */

bool ws_engine_create(bool allow_plain, struct ws_engine **ret, struct err *e)
{
    struct ws_engine *engine = calloc(1, sizeof(*engine));
    lws_set_log_level(0, NULL); /* its lines may quote URLs and headers */
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .gid = -1,
        .uid = -1,
        .protocols = ws_protocols,
        .pt_serv_buf_size = 65536,
        .fd_limit_per_thread = CONNECTIONS_MAX,
        .timeout_secs = 60,         /* ours is shorter */
        .http_proxy_address = ":0", /* else it takes one from the environment */
        .user = engine,
    };
    struct lws_context *lws = engine ? lws_create_context(&info) : NULL;
    if (!lws) {
        free(engine);
        return err_set(e, ERR_INTERNAL, "error.internal", "libwebsockets does not start");
    }
    engine->allow_plain = allow_plain;
    engine->lws = lws;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    if (pthread_create(&engine->thread, NULL, engine_main, engine) != 0) {
        lws_context_destroy(lws);
        pthread_cond_destroy(&engine->changed);
        pthread_mutex_destroy(&engine->lock);
        free(engine);
        return err_set(e, ERR_INTERNAL, "error.internal", "no thread for websockets");
    }
    pthread_setname_np(engine->thread, "ws");
    *ret = engine;
    return true;
}

void ws_engine_destroy(struct ws_engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    pthread_mutex_unlock(&engine->lock);
    lws_cancel_service(engine->lws);
    pthread_join(engine->thread, NULL);
    for (struct ws *ws = engine->all; ws; ws = ws->next) {
        ws->freed = true; /* whoever forgot it hears nothing any more */
        lookup_end(TAKE(ws->lookup));
    }
    struct lws_context *lws = engine->lws;
    engine->lws = NULL;
    lws_context_destroy(lws);
    for (struct ws *ws; (ws = engine->all);) {
        engine->all = ws->next;
        ws_delete(ws);
    }
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* --- callers --- */

static bool fill(struct ws *ws, const struct ws_request *r, struct err *e)
{
    if (!net_base_url_ok(r->url, ws->engine->allow_plain, e))
        return false;
    if (!net_origin_parse(r->url, &ws->origin) || !str_starts(ws->origin.scheme, "ws"))
        return err_set(e, ERR_CONFIG, "start.bad_url", "%s: not a ws or wss URL", r->log_name);
    if (r->header_count > WS_HEADERS_MAX)
        return err_set(e, ERR_INTERNAL, "error.internal", "%s: too many headers", r->log_name);
    for (size_t i = 0; i < r->header_count; i++) {
        if (!strchr(r->headers[i], ':') || strpbrk(r->headers[i], "\r\n"))
            return err_set(e, ERR_INTERNAL, "error.internal", "%s: bad header", r->log_name);
        ws->headers[i] = str_dup(r->headers[i]);
    }
    const char *rest = strstr(r->url, "://") + 3;
    rest += strcspn(rest, "/?#");
    size_t len = strcspn(rest, "#");
    if (strcspn(rest, " \t\r\n") < len)
        return err_set(e, ERR_CONFIG, "start.bad_url", "%s: blanks in the URL", r->log_name);
    ws->path = str_printf("%s%.*s", *rest == '/' ? "" : "/", (int)len, rest);
    ws->req.log_name = ws->log_name = str_dup(r->log_name);
    ws->req.url = NULL;
    ws->req.headers = NULL;
    return true;
}

bool ws_connect(struct ws_engine *engine, const struct ws_request *request, struct ws **ret,
                struct err *e)
{
    struct ws *ws = calloc(1, sizeof(*ws));
    if (!ws)
        return err_set(e, ERR_RETRY, "error.network", "%s: out of memory", request->log_name);
    ws->engine = engine;
    ws->req = *request;
    ws->in = (struct strbuf)STRBUF(request->message_max ? request->message_max : 4u << 20);
    if (!ws->req.queue_max)
        ws->req.queue_max = 4u << 20;
    int ping = request->ping_seconds ? request->ping_seconds : 20;
    int silence = request->silence_seconds ? request->silence_seconds : ping + 10;
    ws->idle = (lws_retry_bo_t){.secs_since_valid_ping = (uint16_t)ping,
                                .secs_since_valid_hangup = (uint16_t)silence};
    ws->deadline_ms = net_now_ms() + (request->connect_ms ? request->connect_ms : 20000);
    ws->end.code = 1006;
    if (!fill(ws, request, e) || !lookup_start(ws, e)) {
        ws_delete(ws);
        return false;
    }
    pthread_mutex_lock(&engine->lock);
    bool stopping = engine->stopping;
    if (!stopping) {
        ws->next = engine->all;
        engine->all = ws;
        *ret = ws;
    }
    pthread_mutex_unlock(&engine->lock);
    if (stopping) {
        ws_delete(ws);
        return err_set(e, ERR_CANCELLED, "error.cancelled", "%s: stopping", request->log_name);
    }
    lws_cancel_service(engine->lws);
    return true;
}

bool ws_send(struct ws *ws, const void *bytes, size_t len, bool is_text, struct err *e)
{
    struct ws_engine *engine = ws->engine;
    struct ws_frame *f = malloc(sizeof(*f) + LWS_PRE + len);
    if (!f)
        return err_set(e, ERR_RETRY, "error.network", "%s: out of memory", ws->log_name);
    *f = (struct ws_frame){.len = len, .is_text = is_text};
    memcpy(f->bytes + LWS_PRE, bytes, len);
    pthread_mutex_lock(&engine->lock);
    bool over = ws->over || ws->close_code != 0;
    bool room = ws->queued + len <= ws->req.queue_max;
    if (!over && room) {
        if (ws->last)
            ws->last->next = f;
        else
            ws->first = f;
        ws->last = f;
        ws->queued += len;
        f = NULL;
    }
    pthread_mutex_unlock(&engine->lock);
    free(f);
    if (over)
        return err_set(e, ERR_RETRY, "error.network", "%s: the connection is over", ws->log_name);
    if (!room)
        return err_set(e, ERR_LIMIT, "error.network", "%s: too much waits to be sent",
                       ws->log_name);
    lws_cancel_service(engine->lws);
    return true;
}

void ws_close(struct ws *ws, int code, const char *reason)
{
    pthread_mutex_lock(&ws->engine->lock);
    if (ws->close_code == 0) {
        ws->close_code = code;
        str_copy(ws->close_reason, sizeof(ws->close_reason), reason ? reason : "");
    }
    pthread_mutex_unlock(&ws->engine->lock);
    lws_cancel_service(ws->engine->lws);
}

void ws_free(struct ws *ws)
{
    if (!ws)
        return;
    struct ws_engine *engine = ws->engine;
    bool inside = pthread_equal(pthread_self(), engine->thread);
    pthread_mutex_lock(&engine->lock);
    while (ws->busy && !inside)
        pthread_cond_wait(&engine->changed, &engine->lock);
    ws->freed = true;
    pthread_mutex_unlock(&engine->lock);
    lws_cancel_service(engine->lws);
}
