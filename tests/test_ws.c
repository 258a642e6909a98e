/* WebSocket client against a server that is slow, rude or wrong, frame by frame. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <libwebsockets.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"
#include "core/net/ws.h"
#include "tests/http_server.h"

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

static struct {
    struct http_server server;
    struct ws_engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- with lock held --- */
    int opened, closed, messages, close_seen;
    size_t bytes;
    char text[256]; /* the last message, its begin */
    bool is_text;
    struct ws_end end;
    char head[4096];   /* of the upgrade request */
    char got[400][24]; /* what the server got, in order */
    int got_count, pongs;
} w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Echoes until the peer closes; remembers the peer's close code. */
static void echo(int fd)
{
    struct frame f = {0};
    while (get_frame(fd, &f)) {
        pthread_mutex_lock(&w.lock);
        if (f.op == CLOSE)
            w.close_seen = f.len >= 2 ? f.bytes[0] << 8 | f.bytes[1] : 1005;
        if (f.op == PONG)
            w.pongs++;
        if (f.op == TEXT && w.got_count < (int)COUNT(w.got))
            str_copy(w.got[w.got_count++], sizeof(w.got[0]), (char *)f.bytes);
        bool masked = f.masked;
        pthread_cond_broadcast(&w.changed);
        pthread_mutex_unlock(&w.lock);
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

static bool serve(struct http_server *s, const struct http_request *r)
{
    static const unsigned char bye[] = "\x0f\xa4 not \xff you";
    (void)s;
    const char *p = r->path;
    pthread_mutex_lock(&w.lock);
    snprintf(w.head, sizeof(w.head), "%s %s\n%s", r->method, r->path, r->head);
    pthread_mutex_unlock(&w.lock);
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
    pthread_mutex_lock(&w.lock);
    w.opened++;
    pthread_cond_broadcast(&w.changed);
    pthread_mutex_unlock(&w.lock);
}

static void on_message(void *ctx, const char *bytes, size_t len, bool is_text)
{
    (void)ctx;
    pthread_mutex_lock(&w.lock);
    w.messages++;
    w.bytes = len;
    w.is_text = is_text;
    snprintf(w.text, sizeof(w.text), "%.*s", (int)MIN(len, 200), bytes);
    pthread_cond_broadcast(&w.changed);
    pthread_mutex_unlock(&w.lock);
}

static void on_closed(void *ctx, const struct ws_end *end)
{
    (void)ctx;
    pthread_mutex_lock(&w.lock);
    w.closed++;
    w.end = *end;
    pthread_cond_broadcast(&w.changed);
    pthread_mutex_unlock(&w.lock);
}

static void await(const int *counter, int want)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 15;
    pthread_mutex_lock(&w.lock);
    while (*counter < want && pthread_cond_timedwait(&w.changed, &w.lock, &until) == 0)
        continue;
    int now = *counter;
    pthread_mutex_unlock(&w.lock);
    if (now != want)
        fail_msg("%d, %d expected", now, want);
}

static struct ws_request request(char *url, const char *path)
{
    snprintf(url, 200, "ws://127.0.0.1:%d%s", w.server.port, path);
    return (struct ws_request){.log_name = "test",
                               .url = url,
                               .connect_ms = 3000,
                               .on_open = on_open,
                               .on_message = on_message,
                               .on_closed = on_closed};
}

static struct ws *must_connect(const struct ws_request *r)
{
    struct err e = {0};
    struct ws *ws = NULL;
    if (!ws_connect(w.engine, r, &ws, &e))
        fail_msg("%s", e.detail);
    return ws;
}

static struct ws *open_path(const char *path)
{
    char url[200];
    struct ws_request r = request(url, path);
    return must_connect(&r);
}

static int setup(void **state)
{
    (void)state;
    struct err e = {0};
    w.opened = w.closed = w.messages = w.close_seen = w.got_count = w.pongs = 0;
    w.end = (struct ws_end){0};
    assert_true(http_server_start(&w.server, serve, NULL));
    assert_true(ws_engine_create(false, &w.engine, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ws_engine_destroy(w.engine);
    http_server_stop(&w.server);
    return 0;
}

static void request_is_as_told(void **state)
{
    (void)state;
    struct err e = {0};
    char url[200];
    static const char *const headers[] = {"X-Key: secret one", "Origin: https://example.org"};
    struct ws_request r = request(url, "/echo?v=10&key=%20x");
    r.headers = headers;
    r.header_count = 2;
    struct ws *ws = must_connect(&r);
    assert_true(ws_send(ws, "early", 5, true, &e)); /* before it is open */
    await(&w.messages, 1);
    assert_string_equal(w.text, "early");
    assert_true(w.is_text);
    assert_true(ws_send(ws, "\0\1\2", 3, false, &e));
    await(&w.messages, 2);
    assert_int_equal(w.bytes, 3);
    assert_false(w.is_text);
    assert_true(str_starts(w.head, "GET /echo?v=10&key=%20x\n"));
    char value[200];
    assert_true(http_header(w.head, "x-key", value, sizeof(value)));
    assert_string_equal(value, "secret one");
    assert_true(http_header(w.head, "user-agent", value, sizeof(value)));
    assert_string_equal(value, "NanoTik");
    assert_false(http_header(w.head, "sec-websocket-extensions", value, sizeof(value)));
    assert_true(http_header(w.head, "host", value, sizeof(value)));
    assert_true(str_starts(value, "127.0.0.1"));
    ws_close(ws, 4000, "restart");
    await(&w.closed, 1);
    assert_int_equal(w.close_seen, 4000);
    assert_true(w.end.by_us && w.end.was_open);
    assert_int_equal(w.end.err.code, ERR_NONE);
    assert_false(ws_send(ws, "late", 4, true, &e));
    assert_int_equal(e.code, ERR_RETRY);
    ws_free(ws);
}

static void messages_are_joined(void **state)
{
    (void)state;
    struct ws *ws = open_path("/pieces");
    await(&w.messages, 1);
    assert_string_equal(w.text, "one two three");
    await(&w.pongs, 1);
    ws_free(ws);
    ws = open_path("/big");
    await(&w.messages, 2);
    assert_int_equal(w.bytes, 300000);
    ws_free(ws);
    ws = open_path("/empty");
    await(&w.messages, 3);
    assert_int_equal(w.bytes, 0);
    assert_false(w.is_text);
    ws_free(ws);
    assert_int_equal(w.closed, 0); /* never after ws_free */
}

static void a_message_has_a_ceiling(void **state)
{
    (void)state;
    char url[200];
    struct ws_request r = request(url, "/big");
    r.message_max = 299999;
    struct ws *ws = must_connect(&r);
    await(&w.closed, 1);
    assert_int_equal(w.messages, 0);
    assert_int_equal(w.end.err.code, ERR_LIMIT);
    await(&w.close_seen, 1009);
    ws_free(ws);
    struct err e = {0};
    r = request(url, "/huge"); /* most of it is still on its way when the ceiling is met */
    r.message_max = 1000;
    ws = must_connect(&r);
    await(&w.closed, 2);
    assert_int_equal(w.end.err.code, ERR_LIMIT);
    ws_free(ws);
    for (int i = 0; i < 5; i++) { /* a close while a frame comes */
        r = request(url, "/huge");
        r.message_max = 16 << 20;
        ws = must_connect(&r);
        cancel_wait(NULL, 3 * i);
        ws_close(ws, 1000, NULL);
        await(&w.closed, 3 + i);
        ws_free(ws);
    }
    r = request(url, "/silent");
    r.queue_max = 10;
    ws = must_connect(&r);
    assert_true(ws_send(ws, "0123456789", 10, true, &e));
    assert_false(ws_send(ws, "0", 1, true, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    ws_free(ws);
}

/* Every way in which a connection can end, told once. */
static const struct {
    const char *path;
    bool was_open;
    enum err_code code;
    int status, close;
    const char *why;
} ends[] = {
    {"/close",  true,  ERR_NONE,    0,   4004, "the peer's code and its text, made valid"},
    {"/cut",    true,  ERR_RETRY,   0,   1006, "cut in the middle of a message"          },
    {"/junk",   true,  ERR_RETRY,   0,   1006, "a frame that the protocol forbids"       },
    {"/401",    false, ERR_REFUSED, 401, 1006, "the upgrade is refused for good"         },
    {"/503",    false, ERR_RETRY,   503, 1006, "the upgrade is refused for now"          },
    {"/reset",  false, ERR_RETRY,   0,   1006, "cut before the answer"                   },
    {"/silent", false, ERR_RETRY,   0,   1006, "accepted and never answered"             },
};

static void every_end_is_told_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        char url[200];
        struct ws_request r = request(url, ends[i].path);
        r.connect_ms = 700;
        w.end = (struct ws_end){0};
        struct ws *ws = must_connect(&r);
        await(&w.closed, (int)i + 1);
        ws_free(ws);
        if (w.end.was_open != ends[i].was_open || w.end.err.code != ends[i].code ||
            w.end.status != ends[i].status || w.end.code != ends[i].close)
            fail_msg("%s: open %d, err %d %s, status %d, close %d", ends[i].why, w.end.was_open,
                     w.end.err.code, w.end.err.detail, w.end.status, w.end.code);
        if (ends[i].close == 4004)
            assert_string_equal(w.end.reason, " not  you");
    }
}

static void nobody_listens(void **state)
{
    (void)state;
    struct http_server other;
    assert_true(http_server_start(&other, serve, NULL));
    int port = other.port;
    http_server_stop(&other);
    char url[200];
    struct ws_request r = request(url, "");
    snprintf(url, sizeof(url), "ws://localhost:%d/?token=sesame", port);
    struct ws *ws = must_connect(&r);
    await(&w.closed, 1);
    assert_int_equal(w.end.err.code, ERR_RETRY);
    assert_null(strstr(w.end.err.detail, "sesame"));
    ws_free(ws);
    snprintf(url, sizeof(url), "wss://no-such-host.invalid/");
    ws = must_connect(&r);
    await(&w.closed, 2);
    assert_int_equal(w.end.err.code, ERR_RETRY);
    ws_free(ws);
}

static void addresses_have_rules(void **state)
{
    (void)state;
    static const char *const bad[] = {"ws://192.0.2.1/", "http://127.0.0.1/", "wss://me@host/",
                                      "ws://example.org:80/", "wss://127.0.0.1/a b"};
    char url[200];
    struct ws_request r = request(url, "");
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        struct ws *ws = NULL;
        r.url = bad[i];
        if (ws_connect(w.engine, &r, &ws, &e) || e.code != ERR_CONFIG)
            fail_msg("%s was taken", bad[i]);
    }
    static const char *const bad_headers[] = {"X-A: b\r\nX-C: d"};
    struct err e = {0};
    struct ws *ws = NULL;
    r = request(url, "/echo");
    r.headers = bad_headers;
    r.header_count = 1;
    assert_false(ws_connect(w.engine, &r, &ws, &e));
    r = request(url, "");
    snprintf(url, sizeof(url), "wss://127.0.0.1:%d/", w.server.port);
    ws = must_connect(&r); /* what a name leads to is found out later */
    await(&w.closed, 1);
    assert_int_equal(w.end.err.code, ERR_REFUSED);
    assert_int_equal(atomic_load(&w.server.connections), 0);
    ws_free(ws);
    r.trusted = true;
    ws = must_connect(&r);
    await(&w.closed, 2); /* a server without TLS: reached, but no connection */
    assert_int_equal(w.end.err.code, ERR_RETRY);
    ws_free(ws);
}

static void silence_is_noticed(void **state)
{
    (void)state;
    char url[200];
    struct ws_request r = request(url, "/deaf");
    r.ping_seconds = 1;
    r.silence_seconds = 2;
    int64_t begin = clock_mono_ms();
    struct ws *ws = must_connect(&r);
    await(&w.closed, 1);
    assert_true(clock_mono_ms() - begin < 4500);
    assert_true(w.end.was_open);
    assert_int_equal(w.end.err.code, ERR_RETRY);
    ws_free(ws);
}

static void cancel_ends_it(void **state)
{
    (void)state;
    static const char *const paths[] = {"/echo", "/silent"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        char url[200];
        struct cancel cancel;
        cancel_init(&cancel, NULL);
        struct ws_request r = request(url, paths[i]);
        r.cancel = &cancel;
        struct ws *ws = must_connect(&r);
        if (i == 0)
            await(&w.opened, 1);
        else
            usleep(50000);
        int64_t begin = clock_mono_ms();
        cancel_fire(&cancel);
        await(&w.closed, (int)i + 1);
        assert_true(clock_mono_ms() - begin < 5000); /* a full machine; idle it is 0.1 s */
        assert_int_equal(w.end.err.code, ERR_CANCELLED);
        ws_free(ws);
    }
}

struct sender {
    struct ws *ws;
    int id;
};

static void *send_many(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < 100; i++) {
        struct err e = {0};
        char text[24];
        snprintf(text, sizeof(text), "%d %d", s->id, i);
        ws_send(s->ws, text, strlen(text), true, &e);
    }
    return NULL;
}

static void many_threads_send(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct sender senders[4];
    struct ws *ws = open_path("/echo");
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct sender){ws, i};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    await(&w.messages, 400);
    int next[4] = {0};
    for (int i = 0; i < 400; i++) {
        int id = w.got[i][0] - '0';
        int64_t n = -1;
        assert_in_range(id, 0, 3);
        assert_true(str_to_int(w.got[i] + 2, 0, 99, &n));
        assert_int_equal(n, next[id]++); /* each thread's own order is kept */
    }
    ws_close(ws, 1000, NULL);
    await(&w.closed, 1);
    assert_int_equal(w.close_seen, 1000);
    ws_free(ws);
}

static struct ws *free_me;
static void free_inside(void *ctx, const struct ws_end *end)
{
    ws_free(free_me);
    on_closed(ctx, end);
}

static void freed_anywhere(void **state)
{
    (void)state;
    char url[200];
    struct ws_request r = request(url, "/close");
    r.on_closed = free_inside;
    pthread_mutex_lock(&w.lock); /* nothing is told before free_me is known */
    free_me = must_connect(&r);
    pthread_mutex_unlock(&w.lock);
    await(&w.closed, 1);
    for (int i = 0; i < 20; i++)
        ws_free(open_path(i % 2 ? "/echo" : "/silent"));
    open_path("/echo");
    await(&w.opened, 2);
    /* An engine that is destroyed takes what is left with it (here: on purpose not freed). */
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    (void)state;
    struct err e = {0};
    ws_engine_destroy(w.engine);
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("socks_proxy", "127.0.0.1:9", 1);
    assert_true(ws_engine_create(false, &w.engine, &e));
    unsetenv("http_proxy");
    unsetenv("socks_proxy");
    struct ws *ws = open_path("/echo");
    await(&w.opened, 1);
    ws_free(ws);
}

/* --- certificates --- */

static const char tls_server[] =
    "const s=require('https').createServer({key:require('fs').readFileSync(process.argv[1]),"
    "cert:require('fs').readFileSync(process.argv[2])});s.on('upgrade',(q,k)=>{"
    "const a=require('crypto').createHash('sha1').update(q.headers['sec-websocket-key']+"
    "'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');k.write('HTTP/1.1 101 X\\r\\n"
    "Upgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: '+a+'\\r\\n\\r\\n')});"
    "s.listen(0,'127.0.0.1',()=>console.log(s.address().port))";

static int tls_start(struct proc *p, const char *key, const char *cert)
{
    struct err e = {0};
    char line[16] = "";
    int64_t port = 0;
    const char *make[] = {"/usr/bin/openssl",
                          "req",
                          "-x509",
                          "-newkey",
                          "rsa:2048",
                          "-nodes",
                          "-keyout",
                          key,
                          "-out",
                          cert,
                          "-days",
                          "2",
                          "-subj",
                          "/CN=localhost",
                          "-addext",
                          "subjectAltName=DNS:localhost",
                          NULL};
    struct proc openssl = {0};
    struct proc_options none = {.cwd = "/tmp", .pipe_out = true};
    assert_true(proc_start(&openssl, make, &none, &e));
    while (read(openssl.from, line, 1) == 1)
        continue;
    proc_end(&openssl);
    const char *argv[] = {"/usr/bin/env", "node", "-e", tls_server, key, cert, NULL};
    struct proc_options o = {.cwd = "/tmp", .pipe_in = true, .pipe_out = true};
    assert_true(proc_start(p, argv, &o, &e));
    for (size_t n = 0; n + 1 < sizeof(line) && read(p->from, line + n, 1) == 1; n++)
        if (line[n] == '\n') {
            line[n] = '\0';
            break;
        }
    assert_true(str_to_int(line, 1, 65535, &port));
    return (int)port;
}

static void certificates_are_checked(void **state)
{
    (void)state;
    struct err e = {0};
    struct proc p = {0};
    char dir[] = "/tmp/test-ws-XXXXXX";
    char key[64], cert[64], url[200];
    assert_non_null(mkdtemp(dir));
    snprintf(key, sizeof(key), "%s/key", dir);
    snprintf(cert, sizeof(cert), "%s/cert", dir);
    int port = tls_start(&p, key, cert);
    struct ws_request r = request(url, "");
    r.trusted = true;
    snprintf(url, sizeof(url), "wss://localhost:%d/", port);
    struct ws *ws = must_connect(&r);
    await(&w.closed, 1);
    assert_false(w.end.was_open); /* nobody vouches for it */
    ws_free(ws);
    ws_engine_destroy(w.engine);
    setenv("SSL_CERT_FILE", cert, 1);
    assert_true(ws_engine_create(false, &w.engine, &e));
    ws = must_connect(&r);
    await(&w.opened, 1);
    ws_free(ws);
    snprintf(url, sizeof(url), "wss://127.0.0.1:%d/", port);
    ws = must_connect(&r);
    await(&w.closed, 2);
    assert_false(w.end.was_open); /* vouched for, but under another name */
    ws_free(ws);
    unsetenv("SSL_CERT_FILE");
    proc_end(&p);
    fs_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_is_as_told, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_are_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_has_a_ceiling, setup, teardown),
        cmocka_unit_test_setup_teardown(every_end_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_have_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads_send, setup, teardown),
        cmocka_unit_test_setup_teardown(freed_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(proxies_of_the_environment_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(certificates_are_checked, setup, teardown),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
