/* Pexels and Pixabay against fakes of both (tests/fakes/stock.mjs): what is asked and found. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/strbuf.h"
#include "tests/stock_world.h"

/* --- searching --- */

static void found_fetched_and_kept(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    stock_tell("videos", "[" STOCK_VIDEO("11", "stormy sea", "portrait") "]");
    for (int round = 0; round < 2; round++) {
        struct stock_sources s =
            stock_pexels("key-number-one"); /* the second time nothing is asked again */
        assert_string_equal(s.videos.ops->name, "pexels");
        assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
        assert_string_equal(hits[0].provider, "pexels");
        assert_string_equal(hits[0].id, "11");
        assert_string_equal(hits[0].author, "Ana 11");
        assert_string_equal(hits[0].licence, "Pexels License");
        assert_string_equal(hits[0].page, "https://www.pexels.com/video/stormy-sea-11/");
        if (!s.videos.ops->fetch(s.videos.self, &hits[0], NULL, &e))
            fail_msg("%s", e.detail);
        stock_is_the_clip(hits[0].path);
        assert_true(s.videos.ops->fetch(s.videos.self, &hits[0], NULL, &e)); /* it is there */
        stock_end(&s);
    }
    assert_int_equal(stock_calls("calls"), 1);
    assert_int_equal(stock_calls("clipCalls"), 1);
    assert_string_equal(stock_field("calls", 0, "orientation"), "portrait");
    assert_string_equal(stock_field("calls", 0, "key"), "key-number-one");
    assert_int_equal(stock_files(".part"), 0);
}

static void down_the_ladder(void **state)
{
    (void)state;
    static const char *const terms[] = {"stormy sea", "big waves", "", "dark clouds", "ship"};
    struct footage hits[4];
    struct stock_sources s = stock_pexels("key-number-one");
    stock_tell("videos", "[" STOCK_VIDEO("11", "big waves",
                                         "portrait") "," STOCK_VIDEO("12", "sea", "portrait") "]");
    assert_int_equal(stock_find(&s.videos, terms, 5, hits, 4), 1);
    assert_string_equal(hits[0].id, "11");
    assert_int_equal(stock_calls("calls"), 2);
    /* Nothing for any term: each without orientation, then the last word alone. */
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
    assert_string_equal(hits[0].id, "12");
    assert_int_equal(stock_calls("calls"), 4);
    assert_string_equal(stock_field("calls", 2, "query"), "stormy sea");
    assert_string_equal(stock_field("calls", 2, "orientation"), "-");
    assert_string_equal(stock_field("calls", 3, "query"), "sea");
    static const char *const nothing[] = {"nothing"};
    assert_int_equal(stock_find(&s.videos, nothing, 1, hits, 4), 0);
    static const char *const empty[] = {"!!", ""};
    int before = stock_calls("calls");
    assert_int_equal(stock_find(&s.videos, empty, 2, hits, 4), 0);
    assert_int_equal(stock_find(&s.videos, NULL, 0, hits, 4), 0);
    assert_int_equal(stock_calls("calls"), before);
    stock_end(&s);
}

static void too_short_is_a_last_resort(void **state)
{
    (void)state;
    static const char *const terms[] = {"stormy sea", "big waves"};
    struct footage hits[4];
    struct err e = {0};
    size_t count;
    struct stock_sources s = stock_pexels("key-number-one");
    stock_tell("videos", "[" STOCK_VIDEO("11", "stormy sea", "portrait") "]");
    struct footage_query q = stock_query(terms, 2);
    q.need_ms = 20000;
    assert_true(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(count, 1); /* better than nothing, but the other term was tried */
    assert_string_equal(hits[0].id, "11");
    assert_int_equal(stock_calls("calls"), 2);
    stock_end(&s);
}

/* What is left is shared by all sources of a film; kept replies cost nothing. */
static void a_film_has_so_many_searches(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count;
    atomic_int left;
    atomic_init(&left, 5);
    struct stock_sources s = stock_pexels("key-number-one");
    const struct footage_source *const both[] = {&s.videos, &s.photos};
    for (int i = 0; i < 10; i++) {
        char term[32];
        const char *terms[] = {term};
        snprintf(term, sizeof(term), "nothing %d", i / 2);
        struct footage_query q = stock_query(terms, 1);
        q.calls_left = &left;
        const struct footage_source *source = both[i % 2];
        assert_true(source->ops->search(source->self, &q, hits, 4, &count, NULL, &e));
        assert_int_equal(count, 0);
    }
    assert_int_equal(stock_calls("calls"), 5);
    assert_int_equal(atomic_load(&left), 0);
    const char *terms[] = {"nothing 0"};
    struct footage_query q = stock_query(terms, 1);
    q.calls_left = &left;
    assert_true(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(stock_calls("calls"), 5);
    stock_end(&s);
}

struct asker {
    const struct footage_source *source;
    atomic_int *left;
    bool any;
};

static void *prepare_main(void *arg)
{
    struct asker *a = arg;
    struct err e = {0};
    struct footage_query q = stock_query(stock_sea, 1);
    q.calls_left = a->left;
    if (!a->source->ops->prepare(a->source->self, &q, &a->any, NULL, &e))
        a->any = false;
    return NULL;
}

/* Scenes that want the same ask once; what was prepared is not asked again. */
static void scenes_ask_the_same_once(void **state)
{
    (void)state;
    struct stock_sources s = stock_pexels("key-number-one");
    struct asker askers[4];
    pthread_t threads[COUNT(askers)];
    struct footage hits[4];
    atomic_int left;
    atomic_init(&left, 12);
    stock_tell("videos", "[" STOCK_VIDEO("11", "stormy sea", "portrait") "]");
    stock_tell("fault", "{\"on\":\"search\",\"kind\":\"slow\",\"ms\":300}");
    for (size_t i = 0; i < COUNT(askers); i++) {
        askers[i] = (struct asker){.source = &s.videos, .left = &left};
        assert_int_equal(pthread_create(&threads[i], NULL, prepare_main, &askers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(askers); i++) {
        pthread_join(threads[i], NULL);
        assert_true(askers[i].any);
    }
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
    assert_int_equal(stock_calls("calls"), 1);
    assert_int_equal(atomic_load(&left), 11);
    stock_end(&s);
}

/* Writers give English terms; a person's own words are in the narration's language. */
static void terms_in_their_own_language(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *term, *narration, *locale, *why;
    } rows[] = {
        {"zh",    "\xe6\xb5\xb7", "",                   "zh-CN", "letters that English has not"      },
        {"zh-TW", "\xe6\xb5\xb7", "",                   "zh-TW", "the very tag"                      },
        {"es",    "mar bravo",    "El mar bravo canta", "es-ES", "words of the narration itself"     },
        {"es",    "rough sea",    "El mar bravo canta", "-",     "a writer's term is English"        },
        {"ar",    "\xd8\xa8",     "",                   "-",     "a language the service has not"    },
        {"en-GB", "ship",         "A ship",             "-",     "English is what it takes for given"},
    };
    struct footage hits[4];
    struct err e = {0};
    size_t count;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stock_sources s = stock_pexels("key-number-one");
        int before = stock_calls("calls");
        struct footage_query q = stock_query(&rows[i].term, 1);
        q.lang = rows[i].lang;
        q.narration = rows[i].narration;
        assert_true(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
        if (strcmp(stock_field("calls", before, "locale"), rows[i].locale) != 0)
            fail_msg("%s '%s': %s: %s", rows[i].lang, rows[i].term, rows[i].why,
                     stock_field("calls", before, "locale"));
        stock_end(&s);
    }
}

static void replies_are_kept_for_a_day(void **state)
{
    (void)state;
    struct footage hits[4];
    stock_tell("videos", "[" STOCK_VIDEO("11", "stormy sea", "portrait") "]");
    struct stock_sources s = stock_pexels("key-number-one");
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
    assert_int_equal(stock_files(".json"), 1);
    DIR *dir = opendir(stock_world.dir);
    assert_non_null(dir);
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        AUTO(free_ptr) char *path = str_printf("%s/%s", stock_world.dir, d->d_name);
        struct timespec old[2] = {{.tv_sec = time(NULL) - 24 * 3600 - 60},
                                  {.tv_sec = time(NULL) - 24 * 3600 - 60}};
        if (str_ends(path, ".json"))
            assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    }
    closedir(dir);
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
    assert_int_equal(stock_calls("calls"), 2);
    assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 4), 1);
    assert_int_equal(stock_calls("calls"), 2);
    stock_end(&s);
}

static void bases_with_and_without_version(void **state)
{
    (void)state;
    static const struct {
        const char *path, *set, *want;
    } rows[] = {
        {"",     "{}",                 "/v1/videos/search"},
        {"/",    "{}",                 "/v1/videos/search"},
        {"/v1",  "{}",                 "/v1/videos/search"},
        {"/v1/", "{\"onlyOld\":true}", "/videos/search"   },
        {"",     "{\"onlyOld\":true}", "/videos/search"   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct footage hits[2];
        AUTO(free_ptr) char *base = str_printf("%s%s", stock_world.fake.url, rows[i].path);
        stock_tell("reset", "{}");
        stock_tell("videos", "[" STOCK_VIDEO("11", "stormy sea", "portrait") "]");
        stock_tell("set", rows[i].set);
        stock_empty();
        struct stock_sources s = stock_pexels_at("key-number-one", base);
        assert_int_equal(stock_find(&s.videos, stock_sea, 1, hits, 2), 1);
        assert_string_equal(stock_field("calls", 0, "path"), rows[i].want);
        stock_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOCK_CASE(found_fetched_and_kept),     STOCK_CASE(down_the_ladder),
        STOCK_CASE(too_short_is_a_last_resort), STOCK_CASE(a_film_has_so_many_searches),
        STOCK_CASE(scenes_ask_the_same_once),   STOCK_CASE(terms_in_their_own_language),
        STOCK_CASE(replies_are_kept_for_a_day), STOCK_CASE(bases_with_and_without_version),
    };
    return cmocka_run_group_tests(tests, stock_open, stock_close);
}
