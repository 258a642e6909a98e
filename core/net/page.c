#include "core/net/page.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <libwebsockets.h>

enum { PAGE_MAX = 1 << 16, TOP_MAX = 1024, SILENCE_SECONDS = 3, CONNECTIONS_MAX = 32 };

struct page_server {
    page_fn *fn;
    void *ctx;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    char host[INET_ADDRSTRLEN]; /* libwebsockets borrows it */
    pthread_t thread;
    atomic_bool stopping;
};

/* What one connection was asked for; libwebsockets zeroes and frees it. */
struct visit {
    char *body; /* LWS_PRE bytes of room, then the text; NULL: only the head */
    size_t len;
};

/* --- answers, on the server's thread --- */

/* False: the connection ends. */
static bool answer(struct page_server *s, struct lws *wsi, struct visit *v, const char *path)
{
    bool is_get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
    if (!is_get && lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) <= 0) {
        lws_return_http_status(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, NULL);
        return false; /* whatever else it has to say is not read */
    }
    AUTO(strbuf_free) struct strbuf text = STRBUF(PAGE_MAX);
    unsigned char top[LWS_PRE + TOP_MAX], *at = top + LWS_PRE, *end = top + sizeof(top) - 1;
    int status = s->fn(s->ctx, path, &text);
    /* However long that took: it was not the client's time. */
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, SILENCE_SECONDS);
    if (lws_add_http_common_headers(wsi, (unsigned)status, "text/plain; charset=utf-8", text.len,
                                    &at, end) ||
        lws_finalize_write_http_header(wsi, top + LWS_PRE, &at, end))
        return false;
    free(TAKE(v->body));
    if (!is_get || text.len == 0)
        return lws_http_transaction_completed(wsi) == 0;
    v->body = malloc(LWS_PRE + text.len);
    if (!v->body)
        return false;
    memcpy(v->body + LWS_PRE, strbuf_text(&text), text.len);
    v->len = text.len;
    lws_callback_on_writable(wsi);
    return true;
}

/* What does not go out at once is kept by libwebsockets. */
static bool write_body(struct lws *wsi, struct visit *v)
{
    AUTO(free_ptr) char *body = TAKE(v->body);
    return !body || (lws_write(wsi, (unsigned char *)body + LWS_PRE, v->len,
                               LWS_WRITE_HTTP_FINAL) == (int)v->len &&
                     lws_http_transaction_completed(wsi) == 0);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *visit, void *in,
                    size_t len)
{
    struct visit *v = visit;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return answer(lws_context_user(lws_get_context(wsi)), wsi, v, in) ? 0 : -1;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return write_body(wsi, v) ? 0 : -1;
    case LWS_CALLBACK_CLOSED_HTTP:
        if (v)
            free(TAKE(v->body));
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, visit, in, len);
    }
}

static void *server_main(void *arg)
{
    struct page_server *s = arg;
    pthread_setname_np(pthread_self(), "pages");
    while (!atomic_load(&s->stopping) && lws_service(s->lws, 0) >= 0)
        ;
    return NULL;
}

/* --- life --- */

static bool read_address(const char *text, char ret_host[static INET_ADDRSTRLEN], int *ret_port)
{
    int64_t port;
    struct in_addr a;
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= INET_ADDRSTRLEN ||
        !str_to_int(colon + 1, 0, 65535, &port))
        return false;
    str_copy(ret_host, (size_t)(colon - text) + 1, text);
    *ret_port = (int)port;
    return inet_pton(AF_INET, ret_host, &a) == 1;
}

static bool listen_at(struct page_server *s, const char *setting, const char *address,
                      struct err *e)
{
    static const struct lws_protocols pages = {"http", on_event, sizeof(struct visit), 0, 0,
                                               NULL,   0};
    const struct lws_protocols *all[] = {&pages, NULL};
    char what[160];
    int port;
    if (!read_address(address, s->host, &port)) {
        snprintf(what, sizeof(what), "%s: ADDRESS:PORT or off", setting);
        return err_set_arg(e, ERR_CONFIG, "start.bad_config", what, "%.80s", address);
    }
    lws_set_log_level(0, NULL);
    struct lws_context_creation_info info = {
        .port = port,
        .iface = s->host,
        .options = LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                   LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .gid = -1,
        .uid = -1,
        .pprotocols = all,
        .fd_limit_per_thread = CONNECTIONS_MAX,
        .timeout_secs = SILENCE_SECONDS,
        .keepalive_timeout = SILENCE_SECONDS,
        .user = s,
    };
    s->lws = lws_create_context(&info);
    s->vhost = s->lws ? lws_create_vhost(s->lws, &info) : NULL;
    if (s->vhost)
        return true;
    snprintf(what, sizeof(what), "%s: %.60s", setting, address);
    return err_set_arg(e, ERR_CONFIG, "start.bad_config", what, "cannot listen there");
}

static void server_free(struct page_server *s)
{
    if (s->lws)
        lws_context_destroy(s->lws);
    free(s);
}

bool page_server_start(const char *setting, const char *address, page_fn *fn, void *ctx,
                       struct page_server **ret, struct err *e)
{
    struct page_server *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, ERR_INTERNAL, "error.internal", "pages: no memory");
    s->fn = fn;
    s->ctx = ctx;
    bool ok = listen_at(s, setting, address, e);
    int r = ok ? pthread_create(&s->thread, NULL, server_main, s) : 0;
    if (r != 0)
        ok = err_set_io(e, r, "pages", "start");
    if (!ok) {
        server_free(s);
        return false;
    }
    *ret = s;
    return true;
}

int page_server_port(const struct page_server *s)
{
    return lws_get_vhost_listen_port(s->vhost);
}

void page_server_stop(struct page_server *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    lws_cancel_service(s->lws);
    pthread_join(s->thread, NULL);
    server_free(s);
}
