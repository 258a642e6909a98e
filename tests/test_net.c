#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/net/net.h"
#include "tests/http_server.h"

/* --- the rude server --- */

enum { BOMB_ZEROS = 48 << 20 };

static atomic_int other_port; /* where /to-other leads */

static bool big_body(int fd, size_t len, bool declare)
{
    char head[128];
    char block[4096];
    memset(block, 'x', sizeof(block));
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n");
    if (declare)
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n", len);
    bool ok = http_puts(fd, head) && http_puts(fd, "\r\n");
    for (size_t sent = 0; ok && sent < len; sent += sizeof(block))
        ok = http_write(fd, block, MIN(sizeof(block), len - sent));
    return declare && ok;
}

static bool serve(struct http_server *s, const struct http_request *r)
{
    int fd = r->fd;
    const char *p = r->path;
    char header[256];
    if (strcmp(p, "/ok") == 0)
        return http_reply(fd, 200, "X-One: 1\r\nx-two:  2 \r\n", "{\"ok\":true}");
    if (strcmp(p, "/echo") == 0)
        return http_reply(fd, 200, "", r->body);
    if (strcmp(p, "/secret-echo") == 0)
        return http_reply(fd, 200, "",
                          http_header(r->head, "authorization", header, sizeof(header)) ? "leaked"
                                                                                        : "clean");
    if (strcmp(p, "/429") == 0)
        return http_reply(fd, 429, "Retry-After: 7\r\n", "{}");
    if (strcmp(p, "/close") == 0)
        return false; /* read everything, answer nothing */
    if (strcmp(p, "/reset") == 0) {
        http_reset(fd);
        return false;
    }
    if (strcmp(p, "/second-dies") == 0) /* a kept connection that turns out dead */
        return r->nth == 1 ? http_reply(fd, 200, "", "first") : false;
    if (strcmp(p, "/truncated") == 0) {
        http_puts(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    }
    if (strcmp(p, "/hang") == 0) {
        while (!atomic_load(&s->stopping))
            usleep(5000);
        return false;
    }
    if (strcmp(p, "/drip") == 0) { /* one byte at a time, whole */
        const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for (size_t i = 0; text[i]; i++)
            if (!http_write(fd, text + i, 1))
                return false;
        return true;
    }
    if (strcmp(p, "/stall") == 0) {
        http_puts(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nstart");
        while (!atomic_load(&s->stopping))
            usleep(5000);
        return false;
    }
    if (strcmp(p, "/huge-declared") == 0)
        return big_body(fd, 32 << 20, true);
    if (strcmp(p, "/huge-endless") == 0)
        return big_body(fd, 32 << 20, false);
    if (strcmp(p, "/file") == 0)
        return big_body(fd, 300000, true);
    if (strcmp(p, "/bomb") == 0) {
        FILE *f = s->ctx;
        char head[200];
        fseek(f, 0, SEEK_END);
        long len = ftell(f);
        char *bytes = malloc((size_t)len);
        rewind(f);
        bool ok = fread(bytes, 1, (size_t)len, f) == (size_t)len;
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %ld\r\n\r\n", len);
        ok = ok && http_puts(fd, head) && http_write(fd, bytes, (size_t)len);
        free(bytes);
        return ok;
    }
    if (strcmp(p, "/loop") == 0)
        return http_reply(fd, 302, "Location: /loop\r\n", "");
    if (strcmp(p, "/hop") == 0)
        return http_reply(fd, 302, "Location: /ok\r\n", "moved");
    if (strcmp(p, "/to-other") == 0) {
        snprintf(header, sizeof(header), "Location: http://127.0.0.1:%d/secret-echo\r\n",
                 atomic_load(&other_port));
        return http_reply(fd, 302, header, "");
    }
    if (strcmp(p, "/to-private") == 0) /* another port of this machine: not the configured base */
        return http_reply(fd, 302, "Location: http://127.0.0.1:9/ok\r\n", "");
    if (strcmp(p, "/to-file") == 0)
        return http_reply(fd, 302, "Location: file:///etc/passwd\r\n", "");
    if (strcmp(p, "/to-https-private") == 0)
        return http_reply(fd, 302, "Location: https://127.0.0.1:9/ok\r\n", "");
    return http_reply(fd, 404, "", "{\"ok\":false}");
}

static struct {
    struct http_server server;
    struct net_engine *engine;
    char base[64];
    char dir[64];
} world;

static int setup(void **state)
{
    (void)state;
    FILE *bomb = NULL;
    snprintf(world.dir, sizeof(world.dir), "/tmp/test-net-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    char command[200];
    snprintf(command, sizeof(command), "head -c %d /dev/zero | gzip -9 > %s/bomb.gz", BOMB_ZEROS,
             world.dir);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "%s/bomb.gz", world.dir);
    bomb = fopen(command, "re");
    assert_non_null(bomb);
    assert_true(http_server_start(&world.server, serve, bomb));
    struct err e = {0};
    assert_true(net_engine_create(false, &world.engine, &e));
    snprintf(world.base, sizeof(world.base), "http://127.0.0.1:%d", world.server.port);
    assert_true(net_trust_base(world.engine, world.base, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_engine_destroy(world.engine);
    http_server_stop(&world.server);
    fclose(world.server.ctx);
    fs_remove(world.dir);
    return 0;
}

static enum net_outcome get(const char *path, struct net_request r, struct net_reply *reply,
                            struct err *e)
{
    char url[256];
    snprintf(url, sizeof(url), "%s%s", world.base, path);
    r.url = url;
    r.log_name = "test";
    *e = (struct err){0};
    bool ok = net_call(world.engine, &r, reply, e);
    assert_int_equal(ok, reply->outcome == NET_REPLY);
    assert_int_equal(ok, e->code == ERR_NONE);
    assert_null(strstr(e->detail, path)); /* the path may be a token */
    return reply->outcome;
}

static void faults_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        struct net_request r;
        enum net_outcome want;
        enum err_code code;
        int status;
        const char *why;
    } rows[] = {
        {"/ok",               {0},                          NET_REPLY,     ERR_NONE,     200, "the plain case"                       },
        {"/none",             {0},                          NET_REPLY,     ERR_NONE,     404, "an HTTP error is a reply"             },
        {"/echo",             {.body = "a", .body_len = 1}, NET_REPLY,     ERR_NONE,     200, "POST"                                 },
        {"/close",
         {.body = "a", .body_len = 1, .once = true},
         NET_UNKNOWN,                                                      ERR_CONFLICT,
         0,                                                                                   "whole request read, no answer"        },
        {"/reset",
         {.body = "a", .body_len = 1, .once = true},
         NET_UNKNOWN,                                                      ERR_CONFLICT,
         0,                                                                                   "whole request read, connection reset" },
        {"/truncated",        {0},                          NET_UNKNOWN,   ERR_CONFLICT, 0,   "answer cut"                           },
        {"/drip",             {0},                          NET_REPLY,     ERR_NONE,     200, "one byte at a time is still an answer"},
        {"/hang",             {.total_ms = 150},            NET_UNKNOWN,   ERR_CONFLICT, 0,   "total time limit"                     },
        {"/huge-declared",    {.reply_max = 1000},          NET_TOO_LARGE, ERR_LIMIT,    0,   "declared length"                      },
        {"/huge-endless",     {.reply_max = 1000},          NET_TOO_LARGE, ERR_LIMIT,    0,   "undeclared length"                    },
        {"/bomb",             {0},                          NET_TOO_LARGE, ERR_LIMIT,    0,   "50 kB of gzip that unpack to 48 MiB"  },
        {"/hop",              {0},                          NET_REPLY,     ERR_NONE,     302, "redirects are not followed unasked"   },
        {"/hop",              {.follow = true},             NET_REPLY,     ERR_NONE,     200, "asked for"                            },
        {"/hop",
         {.follow = true, .body = "a", .body_len = 1},
         NET_REPLY,                                                        ERR_NONE,
         302,                                                                                 "a POST is never sent on"              },
        {"/loop",             {.follow = true},             NET_FORBIDDEN, ERR_REFUSED,  0,   "redirect loop"                        },
        {"/to-private",       {.follow = true},             NET_FORBIDDEN, ERR_REFUSED,  0,   "other port, plain"                    },
        {"/to-https-private", {.follow = true},             NET_FORBIDDEN, ERR_REFUSED,  0,   "private address"                      },
        {"/to-file",          {.follow = true},             NET_FORBIDDEN, ERR_REFUSED,  0,   "other protocol"                       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(net_reply_free) struct net_reply reply;
        struct err e;
        enum net_outcome got = get(rows[i].path, rows[i].r, &reply, &e);
        if (got != rows[i].want || e.code != rows[i].code || reply.status != rows[i].status)
            fail_msg("%s %s: outcome %d, code %d, status %d: %s", rows[i].path, rows[i].why, got,
                     e.code, reply.status, e.detail);
        assert_non_null(reply.body);
    }
}

static void refused_connection_is_surely_not_sent(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply;
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening: refuses */
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(a.sin_port));
    assert_true(net_trust_base(world.engine, url, &e));
    struct net_request r = {.log_name = "t", .url = url, .body = "x", .body_len = 1};
    assert_false(net_call(world.engine, &r, &reply, &e));
    assert_int_equal(reply.outcome, NET_NOT_SENT);
    assert_int_equal(e.code, ERR_RETRY);
    assert_false(reply.sent);
    assert_true(net_should_retry(&reply));
    close(fd);
}

static void headers_and_retry_after_are_read(void **state)
{
    (void)state;
    struct err e;
    AUTO(net_reply_free) struct net_reply reply;
    get("/ok", (struct net_request){0}, &reply, &e);
    assert_string_equal(net_reply_header(&reply, "x-one"), "1");
    assert_string_equal(net_reply_header(&reply, "X-TWO"), "2");
    assert_string_equal(net_reply_header(&reply, "x-three"), "");
    assert_int_equal(reply.retry_after_ms, -1);
    net_reply_free(&reply);
    get("/429", (struct net_request){0}, &reply, &e);
    assert_int_equal(reply.retry_after_ms, 7000);
    assert_true(net_should_retry(&reply));
}

/* libcurl repeats a request on a new connection when a kept one turns out dead; `once` forbids. */
static void once_is_once(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        struct http_server server;
        struct net_engine *engine;
        struct err e = {0};
        char url[64];
        assert_true(http_server_start(&server, serve, NULL));
        assert_true(net_engine_create(false, &engine, &e));
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/second-dies", server.port);
        assert_true(net_trust_base(engine, url, &e));
        struct net_request r = {
            .log_name = "t", .url = url, .body = "x", .body_len = 1, .once = once};
        struct net_reply reply;
        assert_true(net_call(engine, &r, &reply, &e));
        net_reply_free(&reply);
        assert_false(net_call(engine, &r, &reply, &e));
        assert_int_equal(reply.outcome, NET_UNKNOWN);
        assert_true(reply.sent);
        net_reply_free(&reply);
        int seen = atomic_load(&server.requests);
        if (once)
            assert_int_equal(seen, 2);
        else
            assert_true(seen > 2); /* else this test proves nothing */
        net_engine_destroy(engine);
        http_server_stop(&server);
    }
}

static void *fire_soon(void *arg)
{
    usleep(60000);
    cancel_fire(arg);
    return NULL;
}

static int64_t real_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void cancel_is_quick(void **state)
{
    (void)state;
    struct cancel c;
    pthread_t thread;
    struct err e;
    AUTO(net_reply_free) struct net_reply reply;
    cancel_init(&c, NULL);
    pthread_create(&thread, NULL, fire_soon, &c);
    int64_t begin = real_ms();
    assert_int_equal(get("/hang", (struct net_request){.cancel = &c}, &reply, &e), NET_CANCELLED);
    assert_in_range(real_ms() - begin, 40, 1000); /* 60 + at most 100, and a busy machine */
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(reply.sent);
    pthread_join(thread, NULL);
}

static void stall_rule_ends_silence(void **state)
{
    (void)state;
    struct err e;
    AUTO(net_reply_free) struct net_reply reply;
    struct net_request r = {.total_ms = -1, .stall_seconds = 1};
    assert_int_equal(get("/stall", r, &reply, &e), NET_UNKNOWN);
}

static void upload_answer_may_take_its_time(void **state)
{
    (void)state;
    struct err e;
    AUTO(net_reply_free) struct net_reply reply;
    char path[128];
    snprintf(path, sizeof(path), "%s/bomb.gz", world.dir);
    struct net_part part = {.name = "v", .file = path, .file_name = "v.mp4", .mime = "video/mp4"};
    struct net_request r = {.parts = &part,
                            .part_count = 1,
                            .total_ms = -1,
                            .stall_seconds = 1,
                            .answer_ms = 1500,
                            .once = true};
    int64_t begin = real_ms();
    assert_int_equal(get("/hang", r, &reply, &e), NET_UNKNOWN);
    assert_true(real_ms() - begin >= 1500);
}

struct seen {
    atomic_llong sent, total;
};

static void on_progress(void *ctx, int64_t sent, int64_t total, int64_t got, int64_t get_total)
{
    (void)got, (void)get_total;
    struct seen *s = ctx;
    atomic_store(&s->sent, sent);
    atomic_store(&s->total, total);
}

static void multipart_is_streamed_from_disk(void **state)
{
    (void)state;
    struct err e;
    AUTO(net_reply_free) struct net_reply reply;
    char path[128];
    snprintf(path, sizeof(path), "%s/part.txt", world.dir);
    assert_true(fs_write(path, "file bytes", 10, &e));
    struct net_part parts[] = {
        {.name = "chat_id",     .value = "42"      },
        { .name = "video", .file = path, .file_name = "x.mp4", .mime = "video/mp4"}
    };
    struct seen seen = {0};
    struct net_request r = {
        .parts = parts, .part_count = 2, .on_progress = on_progress, .ctx = &seen};
    assert_int_equal(get("/echo", r, &reply, &e), NET_REPLY);
    assert_non_null(strstr(reply.body, "name=\"chat_id\"\r\n\r\n42\r\n"));
    assert_non_null(strstr(reply.body, "name=\"video\"; filename=\"x.mp4\"\r\n"
                                       "Content-Type: video/mp4\r\n\r\nfile bytes\r\n"));
    net_reply_free(&reply);
    parts[1].file = "/nonexistent/file";
    assert_int_equal(get("/echo", r, &reply, &e), NET_DISK);
}

static void download_is_whole_or_not_there(void **state)
{
    (void)state;
    struct err e;
    struct net_reply reply;
    char path[128];
    char part[160];
    snprintf(path, sizeof(path), "%s/clip", world.dir);
    snprintf(part, sizeof(part), "%s.part", path);
    static const struct {
        const char *path;
        int64_t max;
        enum net_outcome want;
        int64_t size;
        const char *why;
    } rows[] = {
        {"/file",      0,    NET_REPLY,     300000, "whole"                      },
        {"/file",      1000, NET_TOO_LARGE, -1,     "over the cap"               },
        {"/truncated", 0,    NET_UNKNOWN,   -1,     "cut"                        },
        {"/none",      0,    NET_REPLY,     -1,     "an error page is not a clip"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        unlink(path);
        struct net_request r = {.save_path = path, .save_max = rows[i].max};
        enum net_outcome got = get(rows[i].path, r, &reply, &e);
        if (got != rows[i].want || fs_size(path) != rows[i].size || fs_exists(part))
            fail_msg("%s: outcome %d size %lld", rows[i].why, got, (long long)fs_size(path));
        net_reply_free(&reply);
    }
    struct net_request r = {.save_path = "/nonexistent/clip"};
    assert_int_equal(get("/file", r, &reply, &e), NET_DISK);
    net_reply_free(&reply);
}

static bool count_chunk(void *ctx, const char *bytes, size_t len)
{
    (void)bytes;
    atomic_fetch_add((atomic_int *)ctx, (int)len);
    return true;
}

static void chunks_come_as_they_come(void **state)
{
    (void)state;
    struct err e;
    AUTO(net_reply_free) struct net_reply reply;
    atomic_int count = 0;
    struct net_request r = {.on_chunk = count_chunk, .ctx = &count, .reply_max = 10};
    assert_int_equal(get("/file", r, &reply, &e), NET_REPLY);
    assert_int_equal(atomic_load(&count), 300000);
    assert_int_equal(reply.len, 0);
}

struct batch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done, good;
};

static void batch_done(void *ctx, struct net_reply *reply, const struct err *e)
{
    struct batch *b = ctx;
    pthread_mutex_lock(&b->lock);
    b->done++;
    b->good += reply->outcome == NET_REPLY && e->code == ERR_NONE && reply->status == 200;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
    net_reply_free(reply);
}

static void many_at_once(void **state)
{
    (void)state;
    enum { N = 100 };
    struct batch b = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    char url[96];
    struct err e = {0};
    snprintf(url, sizeof(url), "%s/ok", world.base);
    struct net_request r = {.log_name = "t", .url = url};
    for (int i = 0; i < N; i++)
        assert_true(net_submit(world.engine, &r, batch_done, &b, &e));
    pthread_mutex_lock(&b.lock);
    while (b.done < N)
        pthread_cond_wait(&b.changed, &b.lock);
    pthread_mutex_unlock(&b.lock);
    assert_int_equal(b.good, N);
}

static void shutdown_ends_everything(void **state)
{
    (void)state;
    struct net_engine *engine;
    struct err e = {0};
    struct batch b = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    char url[96];
    assert_true(net_engine_create(false, &engine, &e));
    assert_true(net_trust_base(engine, world.base, &e));
    snprintf(url, sizeof(url), "%s/hang", world.base);
    struct net_request r = {.log_name = "t", .url = url};
    for (int i = 0; i < 3; i++)
        assert_true(net_submit(engine, &r, batch_done, &b, &e));
    net_engine_destroy(engine);
    assert_int_equal(b.done, 3);
    assert_int_equal(b.good, 0);
}

/* Keys in headers stay with the origin that they were meant for. */
static void keys_do_not_follow_redirects(void **state)
{
    (void)state;
    struct http_server other;
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply;
    assert_true(http_server_start(&other, serve, NULL));
    const char *key[] = {"Authorization: Bearer secret"};
    struct net_request r = {.headers = key, .header_count = 1};
    assert_int_equal(get("/secret-echo", r, &reply, &e), NET_REPLY);
    assert_string_equal(reply.body, "leaked"); /* the direct call does send it */
    net_reply_free(&reply);
    char base[64];
    snprintf(base, sizeof(base), "http://127.0.0.1:%d", other.port);
    assert_true(net_trust_base(world.engine, base, &e));
    atomic_store(&other_port, other.port);
    r.follow = true;
    assert_int_equal(get("/to-other", r, &reply, &e), NET_REPLY);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "clean");
    net_reply_free(&reply);
    atomic_store(&other_port, world.server.port); /* the same origin may have it again */
    assert_int_equal(get("/to-other", r, &reply, &e), NET_REPLY);
    assert_string_equal(reply.body, "leaked");
    http_server_stop(&other);
}

static void addresses_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_public, is_loopback;
        const char *why;
    } rows[] = {
        {"8.8.8.8",              true,  false, "public"            },
        {"149.154.167.220",      true,  false, "public"            },
        {"127.0.0.1",            false, true,  "loopback"          },
        {"127.255.0.9",          false, true,  "all of 127/8"      },
        {"0.0.0.0",              false, false, "this host"         },
        {"10.1.2.3",             false, false, "private"           },
        {"172.16.0.1",           false, false, "private"           },
        {"172.31.255.255",       false, false, "private, upper end"},
        {"172.32.0.1",           true,  false, "just outside"      },
        {"192.168.1.1",          false, false, "private"           },
        {"169.254.169.254",      false, false, "cloud metadata"    },
        {"100.64.0.1",           false, false, "carrier NAT"       },
        {"198.18.0.1",           false, false, "benchmarking"      },
        {"224.0.0.1",            false, false, "multicast"         },
        {"255.255.255.255",      false, false, "broadcast"         },
        {"::1",                  false, true,  "loopback"          },
        {"::",                   false, false, "unspecified"       },
        {"::ffff:127.0.0.1",     false, false, "mapped loopback"   },
        {"::ffff:10.0.0.1",      false, false, "mapped private"    },
        {"::ffff:8.8.8.8",       true,  false, "mapped public"     },
        {"64:ff9b::7f00:1",      false, false, "NAT64 loopback"    },
        {"64:ff9b::808:808",     true,  false, "NAT64 public"      },
        {"2002:7f00:1::1",       false, false, "6to4 loopback"     },
        {"fe80::1",              false, false, "link-local"        },
        {"fd00::1",              false, false, "unique local"      },
        {"ff02::1",              false, false, "multicast"         },
        {"2001:db8::1",          false, false, "documentation"     },
        {"2001::1",              false, false, "Teredo"            },
        {"2001:67c:4e8:f004::9", true,  false, "public"            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sockaddr_storage a = {0};
        struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
        if (inet_pton(AF_INET, rows[i].text, &v4->sin_addr) == 1)
            a.ss_family = AF_INET;
        else if (inet_pton(AF_INET6, rows[i].text, &v6->sin6_addr) == 1)
            a.ss_family = AF_INET6;
        if (net_address_is_public(&a) != rows[i].is_public ||
            net_address_is_loopback(&a) != rows[i].is_loopback)
            fail_msg("%s: %s", rows[i].text, rows[i].why);
    }
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    assert_false(net_address_is_public(&local));
}

static void urls_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool plain, ok;
        const char *why;
    } rows[] = {
        {"https://api.telegram.org",        false, true,  "the default"               },
        {"http://127.0.0.1:8081",           false, true,  "own server on this machine"},
        {"http://localhost:8081/x",         false, true,  "by name"                   },
        {"http://[::1]:8081",               false, true,  "IPv6"                      },
        {"wss://gateway.discord.gg",        false, true,  "WebSocket"                 },
        {"ws://127.0.0.1:7078",             false, true,  "node on this machine"      },
        {"http://192.168.1.5:8081",         false, false, "plain to another machine"  },
        {"http://192.168.1.5:8081",         true,  true,  "allowed by the operator"   },
        {"http://localhost.evil.example",   false, false, "only looks local"          },
        {"http://127.0.0.1.evil.example",   false, false, "only looks local"          },
        {"https://user@host.example",       false, false, "user name"                 },
        {"https://good.example@127.0.0.1/", false, false, "user name as disguise"     },
        {"ftp://host.example",              false, false, "other protocol"            },
        {"file:///etc/passwd",              false, false, "file"                      },
        {"nonsense",                        false, false, "no URL"                    },
        {"",                                false, false, "empty"                     },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        if (net_base_url_ok(rows[i].url, rows[i].plain, &e) != rows[i].ok)
            fail_msg("%s: %s", rows[i].url, rows[i].why);
    }
    static const char *const links[] = {
        "http://example.com/x",       "https://127.0.0.1:1/x",     "https://[::ffff:7f00:1]:1/x",
        "https://2130706433:1/x",     "https://0x7f.1:1/x",        "https://10.0.0.1:1/x",
        "http://127.0.0.1:1/x",       "https://a:b@example.com/x", "gopher://example.com/",
        "https://169.254.169.254:1/", "https://localhost:1/",
    };
    for (size_t i = 0; i < COUNT(links); i++) {
        struct err e = {0};
        AUTO(net_reply_free) struct net_reply reply;
        struct net_request r = {.log_name = "t", .url = links[i], .connect_ms = 2000};
        assert_false(net_call(world.engine, &r, &reply, &e));
        if (reply.outcome != NET_FORBIDDEN)
            fail_msg("%s: outcome %d", links[i], reply.outcome);
    }
}

static void retry_times(void **state)
{
    (void)state;
    const int64_t now = 1780000000000;
    static const struct {
        const char *text;
        int ms;
    } rows[] = {
        {"0",                             0       },
        {"5",                             5000    },
        {"1.5",                           1500    },
        {" 3 ",                           3000    },
        {"-1",                            -1      },
        {"nan",                           -1      },
        {"1e999",                         -1      },
        {"soon",                          -1      },
        {"99999999",                      86400000},
        {"5 seconds",                     -1      },
        {"",                              -1      },
        {"Thu, 28 May 2026 20:26:50 GMT", 10000   },
        {"Thu, 28 May 2020 20:26:50 GMT", 0       },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (net_parse_retry_after(rows[i].text, now) != rows[i].ms)
            fail_msg("'%s': %d", rows[i].text, net_parse_retry_after(rows[i].text, now));
    for (int i = 0; i < 200; i++) {
        assert_in_range(net_backoff_ms(0), 375, 500);
        assert_in_range(net_backoff_ms(2), 1500, 2000);
        assert_in_range(net_backoff_ms(40), 6000, 8000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_told_apart),
        cmocka_unit_test(refused_connection_is_surely_not_sent),
        cmocka_unit_test(headers_and_retry_after_are_read),
        cmocka_unit_test(once_is_once),
        cmocka_unit_test(cancel_is_quick),
        cmocka_unit_test(stall_rule_ends_silence),
        cmocka_unit_test(upload_answer_may_take_its_time),
        cmocka_unit_test(multipart_is_streamed_from_disk),
        cmocka_unit_test(download_is_whole_or_not_there),
        cmocka_unit_test(chunks_come_as_they_come),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(shutdown_ends_everything),
        cmocka_unit_test(keys_do_not_follow_redirects),
        cmocka_unit_test(addresses_are_judged),
        cmocka_unit_test(urls_are_judged),
        cmocka_unit_test(retry_times),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
