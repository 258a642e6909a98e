#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/ws_world.h"

#include <libwebsockets.h>

#include "core/base/strbuf.h"

/* --- server side --- */

struct frame {
    int op;
    bool fin, masked;
    size_t len;
    unsigned char *bytes; /* NUL-terminated */
};

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static void put_frame(int fd, int op, bool fin, const void *bytes, size_t len)
{
    unsigned char head[10] = {(unsigned char)(op | (fin ? 0x80 : 0))};
    size_t n = 2;
    if (len < 126) {
        head[1] = (unsigned char)len;
    } else if (len < 65536) {
        head[1] = 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        n = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
        n = 10;
    }
    http_write(fd, head, n);
    http_write(fd, bytes, len);
}

static bool get(int fd, void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, (char *)bytes + at, len - at, 0);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static bool get_frame(int fd, struct frame *f)
{
    unsigned char head[8], mask[4] = {0};
    free(f->bytes);
    *f = (struct frame){0};
    if (!get(fd, head, 2))
        return false;
    f->op = head[0] & 15;
    f->fin = head[0] & 0x80;
    f->masked = head[1] & 0x80;
    f->len = head[1] & 0x7f;
    int extra = f->len == 126 ? 2 : f->len == 127 ? 8 : 0;
    if (!get(fd, head, (size_t)extra) || (f->masked && !get(fd, mask, 4)))
        return false;
    if (extra)
        f->len = 0;
    for (int i = 0; i < extra; i++)
        f->len = f->len << 8 | head[i];
    f->bytes = calloc(1, f->len + 1);
    if (!get(fd, f->bytes, f->len))
        return false;
    for (size_t i = 0; i < f->len; i++)
        f->bytes[i] ^= mask[i % 4];
    return true;
}

static bool upgrade(const struct http_request *r)
{
    char key[100] = "";
    char joined[200];
    unsigned char sha[20];
    char accept[40], reply[300];
    http_header(r->head, "sec-websocket-key", key, sizeof(key));
    snprintf(joined, sizeof(joined), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    lws_SHA1((unsigned char *)joined, strlen(joined), sha);
    lws_b64_encode_string((char *)sha, 20, accept, sizeof(accept));
    snprintf(reply, sizeof(reply),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
             accept);
    return http_puts(r->fd, reply);
}

struct ws_world ws_world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Echoes until the peer closes; remembers the peer's close code. */
static void echo(int fd)
{
    struct frame f = {0};
    while (get_frame(fd, &f)) {
        pthread_mutex_lock(&ws_world.lock);
        if (f.op == CLOSE)
            ws_world.close_seen = f.len >= 2 ? f.bytes[0] << 8 | f.bytes[1] : 1005;
        if (f.op == PONG)
            ws_world.pongs++;
        if (f.op == TEXT && ws_world.got_count < (int)COUNT(ws_world.got))
            str_copy(ws_world.got[ws_world.got_count++], sizeof(ws_world.got[0]), (char *)f.bytes);
        bool masked = f.masked;
        pthread_cond_broadcast(&ws_world.changed);
        pthread_mutex_unlock(&ws_world.lock);
        if (!masked)
            break;
        if (f.op == TEXT || f.op == BINARY)
            put_frame(fd, f.op, true, f.bytes, f.len);
        if (f.op == CLOSE) {
            put_frame(fd, CLOSE, true, f.bytes, f.len);
            break;
        }
    }
    free(f.bytes);
}

static void big(int fd, size_t len)
{
    char *bytes = calloc(1, len);
    memset(bytes, 'b', len);
    put_frame(fd, TEXT, true, bytes, len);
    free(bytes);
}

bool ws_world_serve(struct http_server *s, const struct http_request *r)
{
    static const unsigned char bye[] = "\x0f\xa4 not \xff you";
    (void)s;
    const char *p = r->path;
    pthread_mutex_lock(&ws_world.lock);
    snprintf(ws_world.head, sizeof(ws_world.head), "%s %s\n%s", r->method, r->path, r->head);
    pthread_mutex_unlock(&ws_world.lock);
    if (strcmp(p, "/401") == 0)
        return http_reply(r->fd, 401, "", "{}") && false;
    if (strcmp(p, "/503") == 0)
        return http_reply(r->fd, 503, "", "busy") && false;
    if (strcmp(p, "/reset") == 0) {
        http_reset(r->fd);
        return false;
    }
    if (strcmp(p, "/silent") == 0) {
        echo(r->fd); /* reads until the client goes */
        return false;
    }
    if (!upgrade(r))
        return false;
    if (strcmp(p, "/pieces") == 0) {
        put_frame(r->fd, TEXT, false, "one ", 4);
        put_frame(r->fd, PING, true, "p", 1);
        put_frame(r->fd, 0, false, "two ", 4);
        put_frame(r->fd, 0, true, "three", 5);
    } else if (strcmp(p, "/empty") == 0) {
        put_frame(r->fd, BINARY, true, "", 0);
    } else if (strcmp(p, "/big") == 0) {
        big(r->fd, 300000);
    } else if (strcmp(p, "/huge") == 0) {
        big(r->fd, 9 << 20);
    } else if (strcmp(p, "/close") == 0) {
        put_frame(r->fd, CLOSE, true, bye, sizeof(bye) - 1);
    } else if (strcmp(p, "/cut") == 0) {
        put_frame(r->fd, TEXT, false, "half", 4);
        http_reset(r->fd);
        return false;
    } else if (strcmp(p, "/junk") == 0) {
        put_frame(r->fd, 0xb, true, "reserved op", 11);
    } else if (strcmp(p, "/deaf") == 0) {
        for (int i = 0; i < 50 && !atomic_load(&s->stopping); i++)
            usleep(100000);
        return false;
    }
    echo(r->fd);
    return false;
}

/* --- client side --- */

static void on_open(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&ws_world.lock);
    ws_world.opened++;
    pthread_cond_broadcast(&ws_world.changed);
    pthread_mutex_unlock(&ws_world.lock);
}

static void on_message(void *ctx, const char *bytes, size_t len, bool is_text)
{
    (void)ctx;
    pthread_mutex_lock(&ws_world.lock);
    ws_world.messages++;
    ws_world.bytes = len;
    ws_world.is_text = is_text;
    snprintf(ws_world.text, sizeof(ws_world.text), "%.*s", (int)MIN(len, 200), bytes);
    pthread_cond_broadcast(&ws_world.changed);
    pthread_mutex_unlock(&ws_world.lock);
}

void ws_world_closed(void *ctx, const struct ws_end *end)
{
    (void)ctx;
    pthread_mutex_lock(&ws_world.lock);
    ws_world.closed++;
    ws_world.end = *end;
    pthread_cond_broadcast(&ws_world.changed);
    pthread_mutex_unlock(&ws_world.lock);
}

void ws_world_await(const int *counter, int want)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 15;
    pthread_mutex_lock(&ws_world.lock);
    while (*counter < want &&
           pthread_cond_timedwait(&ws_world.changed, &ws_world.lock, &until) == 0)
        continue;
    int now = *counter;
    pthread_mutex_unlock(&ws_world.lock);
    if (now != want)
        fail_msg("%d, %d expected", now, want);
}

struct ws_request ws_world_request(char *url, const char *path)
{
    snprintf(url, 200, "ws://127.0.0.1:%d%s", ws_world.server.port, path);
    return (struct ws_request){.log_name = "test",
                               .url = url,
                               .connect_ms = 3000,
                               .on_open = on_open,
                               .on_message = on_message,
                               .on_closed = ws_world_closed};
}

struct ws *ws_world_connect(const struct ws_request *r)
{
    struct err e = {0};
    struct ws *ws = NULL;
    if (!ws_connect(ws_world.engine, r, &ws, &e))
        fail_msg("%s", e.detail);
    return ws;
}

struct ws *ws_world_open(const char *path)
{
    char url[200];
    struct ws_request r = ws_world_request(url, path);
    return ws_world_connect(&r);
}

int ws_world_setup(void **state)
{
    (void)state;
    struct err e = {0};
    ws_world.opened = ws_world.closed = ws_world.messages = ws_world.close_seen =
        ws_world.got_count = ws_world.pongs = 0;
    ws_world.end = (struct ws_end){0};
    assert_true(http_server_start(&ws_world.server, ws_world_serve, NULL));
    assert_true(ws_engine_create(false, &ws_world.engine, &e));
    return 0;
}

int ws_world_teardown(void **state)
{
    (void)state;
    ws_engine_destroy(ws_world.engine);
    http_server_stop(&ws_world.server);
    return 0;
}
