/* WebSocket client: requests, messages, many senders, ends by our own hand. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "tests/ws_world.h"

static void request_is_as_told(void **state)
{
    (void)state;
    struct err e = {0};
    char url[200];
    static const char *const headers[] = {"X-Key: secret one", "Origin: https://example.org"};
    struct ws_request r = ws_world_request(url, "/echo?v=10&key=%20x");
    r.headers = headers;
    r.header_count = 2;
    struct ws *ws = ws_world_connect(&r);
    assert_true(ws_send(ws, "early", 5, true, &e)); /* before it is open */
    ws_world_await(&ws_world.messages, 1);
    assert_string_equal(ws_world.text, "early");
    assert_true(ws_world.is_text);
    assert_true(ws_send(ws, "\0\1\2", 3, false, &e));
    ws_world_await(&ws_world.messages, 2);
    assert_int_equal(ws_world.bytes, 3);
    assert_false(ws_world.is_text);
    assert_true(str_starts(ws_world.head, "GET /echo?v=10&key=%20x\n"));
    char value[200];
    assert_true(http_header(ws_world.head, "x-key", value, sizeof(value)));
    assert_string_equal(value, "secret one");
    assert_true(http_header(ws_world.head, "user-agent", value, sizeof(value)));
    assert_string_equal(value, "NanoTik");
    assert_false(http_header(ws_world.head, "sec-websocket-extensions", value, sizeof(value)));
    assert_true(http_header(ws_world.head, "host", value, sizeof(value)));
    assert_true(str_starts(value, "127.0.0.1"));
    ws_close(ws, 4000, "restart");
    ws_world_await(&ws_world.closed, 1);
    assert_int_equal(ws_world.close_seen, 4000);
    assert_true(ws_world.end.by_us && ws_world.end.was_open);
    assert_int_equal(ws_world.end.err.code, ERR_NONE);
    assert_false(ws_send(ws, "late", 4, true, &e));
    assert_int_equal(e.code, ERR_RETRY);
    ws_free(ws);
}

static void messages_are_joined(void **state)
{
    (void)state;
    struct ws *ws = ws_world_open("/pieces");
    ws_world_await(&ws_world.messages, 1);
    assert_string_equal(ws_world.text, "one two three");
    ws_world_await(&ws_world.pongs, 1);
    ws_free(ws);
    ws = ws_world_open("/big");
    ws_world_await(&ws_world.messages, 2);
    assert_int_equal(ws_world.bytes, 300000);
    ws_free(ws);
    ws = ws_world_open("/empty");
    ws_world_await(&ws_world.messages, 3);
    assert_int_equal(ws_world.bytes, 0);
    assert_false(ws_world.is_text);
    ws_free(ws);
    assert_int_equal(ws_world.closed, 0); /* never after ws_free */
}

static void a_message_has_a_ceiling(void **state)
{
    (void)state;
    char url[200];
    struct ws_request r = ws_world_request(url, "/big");
    r.message_max = 299999;
    struct ws *ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 1);
    assert_int_equal(ws_world.messages, 0);
    assert_int_equal(ws_world.end.err.code, ERR_LIMIT);
    ws_world_await(&ws_world.close_seen, 1009);
    ws_free(ws);
    struct err e = {0};
    r = ws_world_request(url, "/huge"); /* most of it is still on its way when the ceiling is met */
    r.message_max = 1000;
    ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 2);
    assert_int_equal(ws_world.end.err.code, ERR_LIMIT);
    ws_free(ws);
    for (int i = 0; i < 5; i++) { /* a close while a frame comes */
        r = ws_world_request(url, "/huge");
        r.message_max = 16 << 20;
        ws = ws_world_connect(&r);
        cancel_wait(NULL, 3 * i);
        ws_close(ws, 1000, NULL);
        ws_world_await(&ws_world.closed, 3 + i);
        ws_free(ws);
    }
    r = ws_world_request(url, "/silent");
    r.queue_max = 10;
    ws = ws_world_connect(&r);
    assert_true(ws_send(ws, "0123456789", 10, true, &e));
    assert_false(ws_send(ws, "0", 1, true, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    ws_free(ws);
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
    struct ws *ws = ws_world_open("/echo");
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct sender){ws, i};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ws_world_await(&ws_world.messages, 400);
    int next[4] = {0};
    for (int i = 0; i < 400; i++) {
        int id = ws_world.got[i][0] - '0';
        int64_t n = -1;
        assert_in_range(id, 0, 3);
        assert_true(str_to_int(ws_world.got[i] + 2, 0, 99, &n));
        assert_int_equal(n, next[id]++); /* each thread's own order is kept */
    }
    ws_close(ws, 1000, NULL);
    ws_world_await(&ws_world.closed, 1);
    assert_int_equal(ws_world.close_seen, 1000);
    ws_free(ws);
}

/* One engine for all: shards, voices, a node. */
static void many_connections(void **state)
{
    (void)state;
    enum { N = 120 };
    struct ws *all[N];
    for (int i = 0; i < N; i++)
        all[i] = ws_world_open("/echo");
    ws_world_await(&ws_world.opened, N);
    for (int i = 0; i < N; i++)
        ws_free(all[i]);
    assert_int_equal(ws_world.closed, 0);
}

static struct ws *free_me;
static void free_inside(void *ctx, const struct ws_end *end)
{
    ws_free(free_me);
    ws_world_closed(ctx, end);
}

static void freed_anywhere(void **state)
{
    (void)state;
    char url[200];
    struct ws_request r = ws_world_request(url, "/close");
    r.on_closed = free_inside;
    pthread_mutex_lock(&ws_world.lock); /* nothing is told before free_me is known */
    free_me = ws_world_connect(&r);
    pthread_mutex_unlock(&ws_world.lock);
    ws_world_await(&ws_world.closed, 1);
    for (int i = 0; i < 20; i++)
        ws_free(ws_world_open(i % 2 ? "/echo" : "/silent"));
    ws_world_open("/echo");
    ws_world_await(&ws_world.opened, 2);
    /* An engine that is destroyed takes what is left with it (here: on purpose not freed). */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_is_as_told, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(messages_are_joined, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(a_message_has_a_ceiling, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(many_threads_send, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(many_connections, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(freed_anywhere, ws_world_setup, ws_world_teardown),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
