/* Downloads from the hosts of clips (tests/fakes/stock.mjs) that are cut, swapped, or lead elsewhere. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/stock_world.h"

/* --- downloads --- */

static void files_that_are_not_taken(void **state)
{
    (void)state;
    static const struct {
        const char *why, *fault;
        int calls; /* 1: given up at once */
    } rows[] = {
        {"a page",                            "{\"on\":\"clip\",\"kind\":\"html\"}",                                   1},
        {"a page that says it is a film",
         "{\"on\":\"clip\",\"kind\":\"html\",\"type\":\"video/mp4\"}",                                                 1},
        {"a playlist",                        "{\"on\":\"clip\",\"kind\":\"playlist\"}",                               1},
        {"a playlist that says it is a film",
         "{\"on\":\"clip\",\"kind\":\"playlist\",\"type\":\"video/mp4\"}",                                             1},
        {"a film cut at its source",          "{\"on\":\"clip\",\"kind\":\"short\"}",                                  1},
        {"gone",                              "{\"on\":\"clip\",\"kind\":\"status\",\"code\":404}",                    1},
        {"a signature that expired",          "{\"on\":\"clip\",\"kind\":\"status\",\"code\":403}",                    1},
        {"over 200 MiB, and does not say so", "{\"on\":\"clip\",\"kind\":\"endless\"}",                                1},
        {"over 200 MiB",                      "{\"on\":\"clip\",\"kind\":\"huge\"}",                                   1},
        {"leads to a private address",
         "{\"on\":\"clip\",\"kind\":\"redirect\",\"to\":\"https://10.0.0.1/a.mp4\"}",                                  1},
        {"leads to this machine",
         "{\"on\":\"clip\",\"kind\":\"redirect\",\"to\":\"https://127.0.0.1:9/a.mp4\"}",                               1},
        {"leads to another port in plain",
         "{\"on\":\"clip\",\"kind\":\"redirect\",\"to\":\"http://127.0.0.1:9/a.mp4\"}",                                1},
        {"leads to a file",                   "{\"on\":\"clip\",\"kind\":\"redirect\",\"to\":\"file:///etc/passwd\"}",
         1                                                                                                              },
        {"leads in circles",
         "{\"on\":\"clip\",\"kind\":\"redirect\",\"to\":\"{base}/clip/11.mp4\",\"times\":9}",                          6},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        stock_tell("reset", "{}");
        struct stock_sources s = stock_pexels("key-number-one");
        struct footage hit = stock_one_hit(&s);
        stock_tell("fault", rows[i].fault);
        if (s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
            fail_msg("taken: %s", rows[i].why);
        assert_string_equal(e.user_key, "footage.not_fetched");
        assert_string_equal(e.arg, "11");
        if (stock_calls("clipCalls") != rows[i].calls)
            fail_msg("%s: %d calls", rows[i].why, stock_calls("clipCalls"));
        if (stock_files(".part") + stock_files(".mp4") > 0)
            fail_msg("%s: something was left", rows[i].why);
        stock_end(&s);
    }
}

static void links_of_a_hostile_reply(void **state)
{
    (void)state;
    static const char *const links[] = {
        "https://10.1.2.3/a.mp4",      "https://169.254.169.254/latest/a.mp4",
        "https://localhost/a.mp4",     "http://127.0.0.1:9/a.mp4",
        "https://[::1]/a.mp4",         "https://[::ffff:10.0.0.1]/a.mp4",
        "https://u:p@127.0.0.1/a.mp4", "http://192.0.2.1/a.mp4",
    };
    struct stock_sources s = stock_pexels("key-number-one");
    for (size_t i = 0; i < COUNT(links); i++) {
        struct err e = {0};
        struct footage hit = {.kind = FOOTAGE_CLIP, .id = "66", .provider = "pexels"};
        str_copy(hit.path, sizeof(hit.path), links[i]);
        if (s.videos.ops->fetch(s.videos.self, &hit, NULL, &e) || e.code != ERR_REFUSED)
            fail_msg("%s: %s", links[i], e.detail);
    }
    assert_int_equal(stock_calls("clipCalls"), 0);
    stock_end(&s);
}

static void a_redirect_is_followed(void **state)
{
    (void)state;
    struct err e = {0};
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage hit = stock_one_hit(&s);
    stock_tell("fault",
               "{\"on\":\"clip\",\"kind\":\"redirect\",\"to\":\"{base}/clip/other.mp4?sig=1\"}");
    if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
        fail_msg("%s", e.detail);
    stock_is_the_clip(hit.path);
    stock_end(&s);
}

static void a_cut_download_goes_on(void **state)
{
    (void)state;
    struct err e = {0};
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage hit = stock_one_hit(&s);
    stock_tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":20000}");
    if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
        fail_msg("%s", e.detail);
    stock_is_the_clip(hit.path);
    assert_int_equal(stock_calls("clipCalls"), 2);
    assert_string_equal(stock_field("clipCalls", 1, "range"), "bytes=20000-");
    assert_true(stock_field("clipCalls", 1, "ifRange")[0] == '"');
    stock_end(&s);
}

static void what_came_is_kept_for_the_next_attempt(void **state)
{
    (void)state;
    struct err e = {0};
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage hit = stock_one_hit(&s);
    stock_tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":10000,\"times\":3}");
    assert_false(s.videos.ops->fetch(s.videos.self, &hit, NULL, &e));
    assert_int_equal(e.code == ERR_RETRY || e.code == ERR_CONFLICT, 1);
    assert_int_equal(stock_files(".mp4.part"), 1);
    stock_end(&s);
    s = stock_pexels("key-number-one"); /* as after a restart */
    if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
        fail_msg("%s", e.detail);
    stock_is_the_clip(hit.path);
    assert_int_equal(stock_calls("clipCalls"), 4);
    assert_string_equal(stock_field("clipCalls", 3, "range"), "bytes=30000-");
    assert_int_equal(stock_files(".part"), 0);
    stock_end(&s);
}

static void what_came_is_not_trusted(void **state)
{
    (void)state;
    static const struct {
        const char *why, *fault;
    } rows[] = {
        {"another file by now",          "{\"on\":\"clip\",\"kind\":\"changed\"}"   },
        {"ranges are ignored",           "{\"on\":\"clip\",\"kind\":\"whole\"}"     },
        {"another range than asked for", "{\"on\":\"clip\",\"kind\":\"wrongrange\"}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        stock_tell("reset", "{}");
        stock_empty();
        struct stock_sources s = stock_pexels("key-number-one");
        struct footage hit = stock_one_hit(&s);
        stock_tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":20000}");
        stock_tell("fault", rows[i].fault);
        if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
            fail_msg("%s: %s", rows[i].why, e.detail);
        stock_is_the_clip(hit.path);
        stock_end(&s);
    }
    /* No tag: nothing to hold the rest against. */
    struct err e = {0};
    stock_tell("reset", "{}");
    stock_empty();
    stock_tell("set", "{\"noTag\":true}");
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage hit = stock_one_hit(&s);
    stock_tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":20000}");
    assert_true(s.videos.ops->fetch(s.videos.self, &hit, NULL, &e));
    stock_is_the_clip(hit.path);
    assert_string_equal(stock_field("clipCalls", 1, "range"), "-");
    stock_end(&s);
}

static void downloads_that_fail_are_not_tried_for_each_hit(void **state)
{
    (void)state;
    struct err e = {0};
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage hit = stock_one_hit(&s);
    stock_tell("fault", "{\"on\":\"clip\",\"kind\":\"status\",\"code\":503,\"times\":99}");
    for (int i = 0; i < 8; i++) {
        struct footage copy = hit;
        snprintf(copy.id, sizeof(copy.id), "%d", i);
        assert_false(s.videos.ops->fetch(s.videos.self, &copy, NULL, &e));
    }
    assert_int_equal(stock_calls("clipCalls"), 6); /* three tries of the first two */
    stock_end(&s);
}

struct fetcher {
    struct stock_sources *s;
    struct footage hit;
    bool ok;
};

static void *fetch_main(void *arg)
{
    struct fetcher *f = arg;
    struct err e = {0};
    f->ok = f->s->videos.ops->fetch(f->s->videos.self, &f->hit, NULL, &e);
    return NULL;
}

static void two_jobs_want_the_same_clip(void **state)
{
    (void)state;
    struct stock_sources s = stock_pexels("key-number-one");
    struct fetcher f[4];
    pthread_t threads[4];
    stock_tell("set", "{\"pauseMs\":10}");
    struct footage hit = stock_one_hit(&s);
    for (int i = 0; i < 4; i++) {
        f[i] = (struct fetcher){.s = &s, .hit = hit};
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_main, &f[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(f[i].ok);
    }
    stock_is_the_clip(f[3].hit.path);
    assert_int_equal(stock_calls("clipCalls"), 1);
    stock_end(&s);
}

static struct footage clip_number(const struct footage *like, int n)
{
    struct footage hit = *like;
    snprintf(hit.id, sizeof(hit.id), "%d", 100 + n);
    snprintf(hit.path, sizeof(hit.path), "%s/clip/%d.mp4", stock_world.fake.url, 100 + n);
    return hit;
}

static void so_many_downloads_at_once(void **state)
{
    (void)state;
    struct stock_sources s = stock_pexels("key-number-one");
    struct fetcher f[14];
    pthread_t threads[COUNT(f)];
    struct footage hit = stock_one_hit(&s);
    stock_tell("set", "{\"pauseMs\":10}");
    for (size_t i = 0; i < COUNT(f); i++) {
        f[i] = (struct fetcher){.s = &s, .hit = clip_number(&hit, (int)i)};
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_main, &f[i]), 0);
    }
    for (size_t i = 0; i < COUNT(f); i++) {
        pthread_join(threads[i], NULL);
        assert_true(f[i].ok);
    }
    AUTO(json_free) cJSON *seen = fake_node_state(&stock_world.fake);
    assert_in_range(json_int_or(seen, "clipsMost", 0), 2, 8);
    stock_end(&s);
}

/* Jobs that wait for another's download of the same clip do not keep others from theirs. */
static void whoever_waits_takes_no_turn(void **state)
{
    (void)state;
    struct err e = {0};
    struct stock_sources s = stock_pexels("key-number-one");
    struct fetcher f[8];
    pthread_t threads[COUNT(f)];
    struct footage hit = stock_one_hit(&s), other = clip_number(&hit, 1);
    stock_tell("fault", "{\"on\":\"clip\",\"kind\":\"slow\",\"ms\":3000}");
    for (size_t i = 0; i < COUNT(f); i++) {
        f[i] = (struct fetcher){.s = &s, .hit = hit};
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_main, &f[i]), 0);
    }
    while (stock_calls("clipCalls") == 0)
        cancel_wait(NULL, 10);
    cancel_wait(NULL, 100); /* the others have come, too */
    int64_t began = clock_mono_ms();
    assert_true(s.videos.ops->fetch(s.videos.self, &other, NULL, &e));
    assert_in_range(clock_mono_ms() - began, 0, 2000);
    for (size_t i = 0; i < COUNT(f); i++) {
        pthread_join(threads[i], NULL);
        assert_true(f[i].ok);
    }
    assert_int_equal(stock_calls("clipCalls"), 2);
    stock_end(&s);
}

static void a_download_is_stopped(void **state)
{
    (void)state;
    struct err e = {0};
    struct cancel stop;
    pthread_t thread;
    cancel_init(&stop, NULL);
    struct stock_sources s = stock_pexels("key-number-one");
    struct footage hit = stock_one_hit(&s);
    stock_tell("set", "{\"pauseMs\":400}");
    int64_t began = clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, stock_fire_soon, &stop), 0);
    assert_false(s.videos.ops->fetch(s.videos.self, &hit, &stop, &e));
    assert_true(clock_mono_ms() - began < 2500);
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    stock_end(&s);
}

static void photos_too(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    struct stock_sources s = stock_pexels("key-number-one");
    stock_tell("photos",
               "[{\"id\":7,\"width\":3000,\"height\":4000,\"photographer\":\"Bo\",\"src\":"
               "{\"original\":\"{base}/photo/7.jpeg\"},\"url\":"
               "\"https://www.pexels.com/photo/cliffs-7/\"}]");
    assert_int_equal(stock_find(&s.photos, stock_sea, 1, hits, 4), 1);
    assert_string_equal(hits[0].provider, "pexels_photo");
    assert_int_equal(hits[0].kind, FOOTAGE_PHOTO);
    if (!s.photos.ops->fetch(s.photos.self, &hits[0], NULL, &e))
        fail_msg("%s", e.detail);
    assert_true(str_ends(hits[0].path, ".jpg"));
    assert_string_equal(stock_field("clipCalls", 0, "path"), "/photo/7.jpeg");
    stock_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOCK_CASE(so_many_downloads_at_once),
        STOCK_CASE(whoever_waits_takes_no_turn),
        STOCK_CASE(files_that_are_not_taken),
        STOCK_CASE(links_of_a_hostile_reply),
        STOCK_CASE(a_redirect_is_followed),
        STOCK_CASE(a_cut_download_goes_on),
        STOCK_CASE(what_came_is_kept_for_the_next_attempt),
        STOCK_CASE(what_came_is_not_trusted),
        STOCK_CASE(downloads_that_fail_are_not_tried_for_each_hit),
        STOCK_CASE(two_jobs_want_the_same_clip),
        STOCK_CASE(a_download_is_stopped),
        STOCK_CASE(photos_too),
    };
    return cmocka_run_group_tests(tests, stock_open, stock_close);
}
