/* HTTP calls: what can go wrong with one, told apart; limits, cancel, shutdown. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "tests/net_world.h"

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
        {"/headers-endless",
         {.total_ms = 20000},
         NET_UNKNOWN,                                                      ERR_CONFLICT,
         0,                                                                                   "headers without an end"               },
        {"/header-endless",
         {.total_ms = 20000},
         NET_UNKNOWN,                                                      ERR_CONFLICT,
         0,                                                                                   "one header without an end"            },
        {"/begins-endless",
         {.total_ms = 700},
         NET_UNKNOWN,                                                      ERR_CONFLICT,
         0,                                                                                   "interim answers for ever"             },
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
        enum net_outcome got = net_get(rows[i].path, rows[i].r, &reply, &e);
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
    assert_true(net_trust_base(net_world.engine, url, &e));
    struct net_request r = {.log_name = "t", .url = url, .body = "x", .body_len = 1};
    assert_false(net_call(net_world.engine, &r, &reply, &e));
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
    net_get("/ok", (struct net_request){0}, &reply, &e);
    assert_string_equal(net_reply_header(&reply, "x-one"), "1");
    assert_string_equal(net_reply_header(&reply, "X-TWO"), "2");
    assert_string_equal(net_reply_header(&reply, "x-three"), "");
    assert_int_equal(reply.retry_after_ms, -1);
    net_reply_free(&reply);
    net_get("/429", (struct net_request){0}, &reply, &e);
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
        assert_true(http_server_start(&server, net_serve, NULL));
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
    assert_int_equal(net_get("/hang", (struct net_request){.cancel = &c}, &reply, &e),
                     NET_CANCELLED);
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
    assert_int_equal(net_get("/stall", r, &reply, &e), NET_UNKNOWN);
}

static void upload_answer_may_take_its_time(void **state)
{
    (void)state;
    struct err e;
    AUTO(net_reply_free) struct net_reply reply;
    char path[128];
    snprintf(path, sizeof(path), "%s/bomb.gz", net_world.dir);
    struct net_part part = {.name = "v", .file = path, .file_name = "v.mp4", .mime = "video/mp4"};
    struct net_request r = {.parts = &part,
                            .part_count = 1,
                            .total_ms = -1,
                            .stall_seconds = 1,
                            .answer_ms = 1500,
                            .once = true};
    int64_t begin = real_ms();
    assert_int_equal(net_get("/hang", r, &reply, &e), NET_UNKNOWN);
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
    snprintf(path, sizeof(path), "%s/part.txt", net_world.dir);
    assert_true(fs_write(path, "file bytes", 10, &e));
    struct net_part parts[] = {
        {.name = "chat_id",     .value = "42"      },
        { .name = "video", .file = path, .file_name = "x.mp4", .mime = "video/mp4"}
    };
    struct seen seen = {0};
    struct net_request r = {
        .parts = parts, .part_count = 2, .on_progress = on_progress, .ctx = &seen};
    assert_int_equal(net_get("/echo", r, &reply, &e), NET_REPLY);
    assert_non_null(strstr(reply.body, "name=\"chat_id\"\r\n\r\n42\r\n"));
    assert_non_null(strstr(reply.body, "name=\"video\"; filename=\"x.mp4\"\r\n"
                                       "Content-Type: video/mp4\r\n\r\nfile bytes\r\n"));
    net_reply_free(&reply);
    parts[1].file = "/nonexistent/file";
    assert_int_equal(net_get("/echo", r, &reply, &e), NET_DISK);
}

static void download_is_whole_or_not_there(void **state)
{
    (void)state;
    struct err e;
    struct net_reply reply;
    char path[128];
    char part[160];
    snprintf(path, sizeof(path), "%s/clip", net_world.dir);
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
        enum net_outcome got = net_get(rows[i].path, r, &reply, &e);
        if (got != rows[i].want || fs_size(path) != rows[i].size || fs_exists(part))
            fail_msg("%s: outcome %d size %lld", rows[i].why, got, (long long)fs_size(path));
        net_reply_free(&reply);
    }
    struct net_request r = {.save_path = "/nonexistent/clip"};
    assert_int_equal(net_get("/file", r, &reply, &e), NET_DISK);
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
    assert_int_equal(net_get("/file", r, &reply, &e), NET_REPLY);
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
    snprintf(url, sizeof(url), "%s/ok", net_world.base);
    struct net_request r = {.log_name = "t", .url = url};
    for (int i = 0; i < N; i++)
        assert_true(net_submit(net_world.engine, &r, batch_done, &b, &e));
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
    assert_true(net_trust_base(engine, net_world.base, &e));
    snprintf(url, sizeof(url), "%s/hang", net_world.base);
    struct net_request r = {.log_name = "t", .url = url};
    for (int i = 0; i < 3; i++)
        assert_true(net_submit(engine, &r, batch_done, &b, &e));
    net_engine_destroy(engine);
    assert_int_equal(b.done, 3);
    assert_int_equal(b.good, 0);
}

/* Keys in headers stay with the origin that they were meant for. */
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
    };
    return cmocka_run_group_tests(tests, net_setup, net_teardown);
}
