/* Keys, limits and bad days of Pexels and Pixabay (tests/fakes/stock.mjs). */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "tests/stock_world.h"

/* --- keys and limits --- */

static void a_refused_key_stands_back(void **state)
{
    (void)state;
    struct footage hits[4];
    static const char *const waves[] = {"waves"};
    stock_tell("videos", "[" STOCK_VIDEO("11", "", "portrait") "]");
    stock_tell("keys", "{\"pexels\":[\"good-key-22\"]}");
    struct stock_sources s = stock_pexels("bad-key-11, good-key-22");
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
    assert_int_equal(stock_find(&s.videos, waves, 1, hits, 4), 1);
    assert_int_equal(stock_calls("calls"), 3);
    assert_string_equal(stock_field("calls", 0, "key"), "bad-key-11");
    assert_string_equal(stock_field("calls", 2, "key"), "good-key-22");
    stock_end(&s);
}

static void no_key_is_accepted(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count = 9;
    stock_tell("keys", "{\"pexels\":[\"good-key-22\"]}");
    struct stock_sources s = stock_pexels("bad-key-11");
    struct footage_query q = stock_query(stock_sea, 1);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.user_key, "footage.bad_key");
    assert_null(strstr(e.detail, "bad-key-11"));
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 0); /* not asked again at once */
    assert_int_equal(stock_calls("calls"), 1);
    stock_end(&s);
}

static void a_used_up_key_waits(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count = 9;
    stock_tell("videos", "[" STOCK_VIDEO("11", "", "portrait") "]");
    stock_tell("fault", "{\"on\":\"search\",\"kind\":\"status\",\"code\":429}");
    struct stock_sources s = stock_pexels("key-number-one,key-number-two");
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
    assert_string_equal(stock_field("calls", 1, "key"), "key-number-two");
    stock_tell(
        "fault",
        "{\"on\":\"search\",\"kind\":\"status\",\"code\":429,\"retry_after\":0,\"times\":9}");
    static const char *const waves[] = {"waves"};
    struct footage_query q = stock_query(waves, 1);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_string_equal(e.user_key, "footage.limit");
    assert_int_equal(stock_calls("calls"), 3);
    assert_int_equal(stock_find(&s.videos, waves, 1, hits, 4), 0);
    assert_int_equal(stock_calls("calls"), 3);
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4),
                     1); /* what is kept is still there */
    stock_end(&s);
}

/* What is left is in the answers that went well: a 429 has no such headers. */
static void a_key_is_left_alone_before_it_is_refused(void **state)
{
    (void)state;
    static const char *const waves[] = {"waves"};
    struct footage hits[4];
    struct footage_source s;
    struct err e = {0};
    stock_tell("videos", "[" STOCK_VIDEO("11", "", "portrait") "]");
    stock_tell("hits", "[" STOCK_HIT("940008") "]");
    stock_tell("set", "{\"limit\":1,\"pixabayLeft\":0}"); /* the month's last, the minute's last */
    struct stock_sources p = stock_pexels("key-number-one,key-number-two");
    assert_int_equal(stock_find(&p.videos, stock_sea, 1, hits, 4), 1);
    assert_int_equal(stock_find(&p.videos, waves, 1, hits, 4), 1);
    assert_string_equal(stock_field("calls", 0, "key"), "key-number-one");
    assert_string_equal(stock_field("calls", 1, "key"), "key-number-two");
    stock_end(&p);
    AUTO(free_ptr) char *base = str_printf("%s/api", stock_world.fake.url);
    struct stock_options o = stock_options_for("key-number-one,key-number-two", base);
    assert_true(pixabay_create(&o, &s, &e));
    assert_int_equal(stock_find(&s, stock_sea, 1, hits, 4), 1);
    assert_int_equal(stock_find(&s, waves, 1, hits, 4), 1);
    assert_string_equal(stock_field("calls", 2, "key"), "key-number-one");
    assert_string_equal(stock_field("calls", 3, "key"), "key-number-two");
    s.ops->destroy(s.self);
}

static void pixabay_speaks_plain_text(void **state)
{
    (void)state;
    struct footage hits[4];
    struct footage_source s;
    struct err e = {0};
    AUTO(free_ptr) char *base = str_printf("%s/api", stock_world.fake.url);
    struct stock_options o = stock_options_for("bad-key-11,good&key=22", base);
    assert_true(pixabay_create(&o, &s, &e));
    stock_tell("hits", "[" STOCK_HIT("940008") "]");
    stock_tell("keys", "{\"pixabay\":[\"good&key=22\"]}");
    assert_int_equal(stock_find(&s, stock_sea, 1, hits, 4), 1);
    assert_string_equal(hits[0].provider, "pixabay");
    assert_string_equal(hits[0].licence, "Pixabay Content License");
    assert_int_equal(stock_calls("calls"), 2);
    assert_true(s.ops->fetch(s.self, &hits[0], NULL, &e));
    stock_is_the_clip(hits[0].path);
    s.ops->destroy(s.self);
}

/* --- bad days --- */

static void answers_that_are_none(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "{\"on\":\"search\",\"kind\":\"status\",\"code\":503}",
        "{\"on\":\"search\",\"kind\":\"html\"}",
        "{\"on\":\"search\",\"kind\":\"empty\"}",
        "{\"on\":\"search\",\"kind\":\"reset\"}",
        "{\"on\":\"search\",\"kind\":\"junk\",\"body\":\"{\\\"videos\\\":[\"}",
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct footage hits[4];
        stock_tell("reset", "{}");
        stock_empty();
        stock_tell("videos", "[" STOCK_VIDEO("11", "stormy sea", "portrait") "]");
        stock_tell("fault", faults[i]);
        struct stock_sources s = stock_pexels("key-number-one");
        if (stock_find(&s.videos, stock_sea, 1, hits, 4) != 1)
            fail_msg("one bad answer was too much: %s", faults[i]);
        assert_int_equal(stock_calls("calls"), 2);
        stock_end(&s);
    }
}

static void a_film_waits_once_for_a_dead_service(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count = 9;
    stock_tell("fault", "{\"on\":\"search\",\"kind\":\"status\",\"code\":500,\"times\":99}");
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage_query q = stock_query(stock_sea, 1);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_string_equal(e.user_key, "footage.service_down");
    assert_int_equal(count, 0);
    assert_int_equal(stock_calls("calls"), 3);
    int64_t began = clock_mono_ms();
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 0);
    assert_true(clock_mono_ms() - began < 1000);
    assert_int_equal(stock_calls("calls"), 3);
    stock_end(&s);
}

static void stopped_while_it_waits(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count = 9;
    struct cancel stop;
    pthread_t thread;
    cancel_init(&stop, NULL);
    stock_tell("fault", "{\"on\":\"search\",\"kind\":\"slow\",\"ms\":3000}");
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage_query q = stock_query(stock_sea, 1);
    int64_t began = clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, stock_fire_soon, &stop), 0);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, &stop, &e));
    assert_true(clock_mono_ms() - began < 2500);
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    stock_end(&s);
}

/* --- doctor --- */

struct told {
    int good, bad;
    char key[64];
};

static void on_key(void *ctx, size_t nth, size_t total, const struct err *e)
{
    struct told *t = ctx;
    assert_true(nth < total);
    t->good += e == NULL;
    t->bad += e != NULL;
    if (e)
        str_copy(t->key, sizeof(t->key), e->user_key);
}

static void each_key_is_checked(void **state)
{
    (void)state;
    struct told t = {0};
    struct err e = {0};
    struct stock_options o = stock_options_for("bad-key-11,good-key-22", stock_world.fake.url);
    stock_tell("keys", "{\"pexels\":[\"good-key-22\"],\"pixabay\":[\"good-key-22\"]}");
    assert_true(pexels_check(&o, on_key, &t, &e));
    assert_int_equal(t.good, 1);
    assert_int_equal(t.bad, 1);
    assert_string_equal(t.key, "footage.bad_key");
    assert_int_equal(stock_calls("calls"), 2);
    assert_true(pixabay_check(&o, on_key, &t, &e));
    assert_int_equal(t.good, 2);
    assert_int_equal(t.bad, 2);
    stock_tell("fault", "{\"on\":\"search\",\"kind\":\"html\"}");
    o.keys = "good-key-22";
    assert_true(pexels_check(&o, on_key, &t, &e));
    assert_string_equal(t.key, "footage.service_down");
    o.keys = "a b";
    assert_false(pexels_check(&o, on_key, &t, &e));
    assert_string_equal(e.user_key, "start.bad_stock_keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOCK_CASE(a_key_is_left_alone_before_it_is_refused),
        STOCK_CASE(a_refused_key_stands_back),
        STOCK_CASE(no_key_is_accepted),
        STOCK_CASE(a_used_up_key_waits),
        STOCK_CASE(pixabay_speaks_plain_text),
        STOCK_CASE(answers_that_are_none),
        STOCK_CASE(a_film_waits_once_for_a_dead_service),
        STOCK_CASE(stopped_while_it_waits),
        STOCK_CASE(each_key_is_checked),
    };
    return cmocka_run_group_tests(tests, stock_open, stock_close);
}
