/* Pexels and Pixabay against fakes of both (tests/fakes/stock.mjs): searches, keys, limits, bad
 * days, downloads that are cut, swapped, or lead elsewhere. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/footage/stock.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fake_stock.h"

static struct {
    struct fake_node fake;
    char dir[64];
} world;

static void tell(const char *name, const char *body)
{
    fake_stock_tell(&world.fake, name, body);
}

static int calls(const char *list)
{
    return fake_stock_calls(&world.fake, list);
}

static const char *call_field(const char *list, int n, const char *field)
{
    return fake_stock_field(&world.fake, list, n, field);
}

static int group_setup(void **state)
{
    (void)state;
    hash_setup();
    fake_stock_start(&world.fake, NULL);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    fake_node_stop(&world.fake);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    tell("reset", "{}");
    snprintf(world.dir, sizeof(world.dir), "/tmp/test-stock-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fs_remove(world.dir);
    fake_node_no_complaints(&world.fake);
    return 0;
}

/* --- the sources --- */

static bool place(void *ctx, const char *key, const char *ext, char *ret_path, struct err *e)
{
    (void)e;
    snprintf(ret_path, FOOTAGE_PATH_MAX, "%s/%s.%s", (const char *)ctx, key, ext);
    return true;
}

static struct stock_options options_for(const char *keys, const char *base)
{
    return (struct stock_options){
        .net = world.fake.net, .keys = keys, .api_url = base, .place = place, .ctx = world.dir};
}

struct sources {
    struct footage_source videos, photos;
};

static struct sources pexels_at(const char *keys, const char *base)
{
    struct sources s;
    struct err e = {0};
    struct stock_options o = options_for(keys, base);
    if (!pexels_create(&o, &s.videos, &s.photos, &e))
        fail_msg("%s", e.detail);
    return s;
}

static struct sources pexels(const char *keys)
{
    return pexels_at(keys, world.fake.url);
}

static void end(struct sources *s)
{
    s->videos.ops->destroy(s->videos.self);
    if (s->photos.ops)
        s->photos.ops->destroy(s->photos.self);
}

static struct footage_query query(const char *const *terms, size_t count)
{
    return (struct footage_query){.terms = terms,
                                  .term_count = count,
                                  .narration = "",
                                  .lang = "en",
                                  .width = 720,
                                  .height = 1280,
                                  .need_ms = 4000,
                                  .seed = 7,
                                  .scene_total = 4,
                                  .style = ""};
}

static const char *const sea[] = {"stormy sea"};

static size_t search(const struct footage_source *source, const char *const *terms, size_t count,
                     struct footage *hits, size_t max)
{
    struct err e = {0};
    size_t found = 99;
    struct footage_query q = query(terms, count);
    if (!source->ops->search(source->self, &q, hits, max, &found, NULL, &e))
        fail_msg("search: %s %s", e.user_key, e.detail);
    return found;
}

#define VIDEO(id, term, shape)                                                                     \
    "{\"id\":" id ",\"term\":\"" term "\",\"orientation\":\"" shape "\",\"duration\":9,"           \
    "\"url\":\"https://www.pexels.com/video/stormy-sea-" id "/\",\"user\":{\"name\":\"Ana " id     \
    "\"},\"video_files\":[{\"id\":1,\"quality\":\"hd\",\"file_type\":\"video/mp4\",\"width\":720," \
    "\"height\":1280,\"fps\":30,\"link\":\"{base}/clip/" id ".mp4\"}]}"

#define HIT(id)                                                                                \
    "{\"id\":" id ",\"pageURL\":\"https://pixabay.com/videos/id-" id                           \
    "/\",\"tags\":\"sea\",\"duration\":9,\"user\":\"bo\",\"videos\":{\"large\":{\"url\":\"\"," \
    "\"width\":0,\"height\":0,\"size\":0},\"tiny\":{\"url\":\"{base}/clip/p" id                \
    ".mp4\",\"width\":720,\"height\":1280,\"size\":60000}}}"

static int files_named(const char *part)
{
    DIR *dir = opendir(world.dir);
    int n = 0;
    assert_non_null(dir);
    for (struct dirent *d = readdir(dir); d; d = readdir(dir))
        n += strstr(d->d_name, part) != NULL;
    closedir(dir);
    return n;
}

/* The fake's clip: boxes, then (i * 31 + (i >> 8)) & 255. */
static void is_the_clip(const char *path)
{
    AUTO(free_ptr) char *text = NULL;
    struct err e = {0};
    size_t len = 0;
    if (!fs_read(path, 1 << 20, &text, &len, &e))
        fail_msg("%s", e.detail);
    AUTO(json_free) cJSON *state = fake_node_ask(&world.fake, "state", "{}");
    assert_int_equal(len, json_int_or(state, "clipBytes", -1));
    size_t body = 24 + 72 + 8;
    assert_memory_equal(text + 4, "ftyp", 4);
    for (size_t i = body; i < len; i++)
        if ((unsigned char)text[i] != (((i - body) * 31 + ((i - body) >> 8)) & 255))
            fail_msg("byte %zu is wrong", i);
}

/* --- searching --- */

static void found_fetched_and_kept(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    tell("videos", "[" VIDEO("11", "stormy sea", "portrait") "]");
    for (int round = 0; round < 2; round++) {
        struct sources s = pexels("key-number-one"); /* the second time nothing is asked again */
        assert_string_equal(s.videos.ops->name, "pexels");
        assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
        assert_string_equal(hits[0].provider, "pexels");
        assert_string_equal(hits[0].id, "11");
        assert_string_equal(hits[0].author, "Ana 11");
        assert_string_equal(hits[0].licence, "Pexels License");
        assert_string_equal(hits[0].page, "https://www.pexels.com/video/stormy-sea-11/");
        if (!s.videos.ops->fetch(s.videos.self, &hits[0], NULL, &e))
            fail_msg("%s", e.detail);
        is_the_clip(hits[0].path);
        assert_true(s.videos.ops->fetch(s.videos.self, &hits[0], NULL, &e)); /* it is there */
        end(&s);
    }
    assert_int_equal(calls("calls"), 1);
    assert_int_equal(calls("clipCalls"), 1);
    assert_string_equal(call_field("calls", 0, "orientation"), "portrait");
    assert_string_equal(call_field("calls", 0, "key"), "key-number-one");
    assert_int_equal(files_named(".part"), 0);
}

static void down_the_ladder(void **state)
{
    (void)state;
    static const char *const terms[] = {"stormy sea", "big waves", "", "dark clouds", "ship"};
    struct footage hits[4];
    struct sources s = pexels("key-number-one");
    tell("videos", "[" VIDEO("11", "big waves", "portrait") "," VIDEO("12", "sea", "portrait") "]");
    assert_int_equal(search(&s.videos, terms, 5, hits, 4), 1);
    assert_string_equal(hits[0].id, "11");
    assert_int_equal(calls("calls"), 2);
    /* Nothing for any term: each without orientation, then the last word alone. */
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
    assert_string_equal(hits[0].id, "12");
    assert_int_equal(calls("calls"), 4);
    assert_string_equal(call_field("calls", 2, "query"), "stormy sea");
    assert_string_equal(call_field("calls", 2, "orientation"), "-");
    assert_string_equal(call_field("calls", 3, "query"), "sea");
    static const char *const nothing[] = {"nothing"};
    assert_int_equal(search(&s.videos, nothing, 1, hits, 4), 0);
    static const char *const empty[] = {"!!", ""};
    int before = calls("calls");
    assert_int_equal(search(&s.videos, empty, 2, hits, 4), 0);
    assert_int_equal(search(&s.videos, NULL, 0, hits, 4), 0);
    assert_int_equal(calls("calls"), before);
    end(&s);
}

static void too_short_is_a_last_resort(void **state)
{
    (void)state;
    static const char *const terms[] = {"stormy sea", "big waves"};
    struct footage hits[4];
    struct err e = {0};
    size_t count;
    struct sources s = pexels("key-number-one");
    tell("videos", "[" VIDEO("11", "stormy sea", "portrait") "]");
    struct footage_query q = query(terms, 2);
    q.need_ms = 20000;
    assert_true(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(count, 1); /* better than nothing, but the other term was tried */
    assert_string_equal(hits[0].id, "11");
    assert_int_equal(calls("calls"), 2);
    end(&s);
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
    struct sources s = pexels("key-number-one");
    const struct footage_source *const both[] = {&s.videos, &s.photos};
    for (int i = 0; i < 10; i++) {
        char term[32];
        const char *terms[] = {term};
        snprintf(term, sizeof(term), "nothing %d", i / 2);
        struct footage_query q = query(terms, 1);
        q.calls_left = &left;
        const struct footage_source *source = both[i % 2];
        assert_true(source->ops->search(source->self, &q, hits, 4, &count, NULL, &e));
        assert_int_equal(count, 0);
    }
    assert_int_equal(calls("calls"), 5);
    assert_int_equal(atomic_load(&left), 0);
    const char *terms[] = {"nothing 0"};
    struct footage_query q = query(terms, 1);
    q.calls_left = &left;
    assert_true(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(calls("calls"), 5);
    end(&s);
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
    struct footage_query q = query(sea, 1);
    q.calls_left = a->left;
    if (!a->source->ops->prepare(a->source->self, &q, &a->any, NULL, &e))
        a->any = false;
    return NULL;
}

/* Scenes that want the same ask once; what was prepared is not asked again. */
static void scenes_ask_the_same_once(void **state)
{
    (void)state;
    struct sources s = pexels("key-number-one");
    struct asker askers[4];
    pthread_t threads[COUNT(askers)];
    struct footage hits[4];
    atomic_int left;
    atomic_init(&left, 12);
    tell("videos", "[" VIDEO("11", "stormy sea", "portrait") "]");
    tell("fault", "{\"on\":\"search\",\"kind\":\"slow\",\"ms\":300}");
    for (size_t i = 0; i < COUNT(askers); i++) {
        askers[i] = (struct asker){.source = &s.videos, .left = &left};
        assert_int_equal(pthread_create(&threads[i], NULL, prepare_main, &askers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(askers); i++) {
        pthread_join(threads[i], NULL);
        assert_true(askers[i].any);
    }
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
    assert_int_equal(calls("calls"), 1);
    assert_int_equal(atomic_load(&left), 11);
    end(&s);
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
        struct sources s = pexels("key-number-one");
        int before = calls("calls");
        struct footage_query q = query(&rows[i].term, 1);
        q.lang = rows[i].lang;
        q.narration = rows[i].narration;
        assert_true(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
        if (strcmp(call_field("calls", before, "locale"), rows[i].locale) != 0)
            fail_msg("%s '%s': %s: %s", rows[i].lang, rows[i].term, rows[i].why,
                     call_field("calls", before, "locale"));
        end(&s);
    }
}

static void replies_are_kept_for_a_day(void **state)
{
    (void)state;
    struct footage hits[4];
    tell("videos", "[" VIDEO("11", "stormy sea", "portrait") "]");
    struct sources s = pexels("key-number-one");
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
    assert_int_equal(files_named(".json"), 1);
    DIR *dir = opendir(world.dir);
    assert_non_null(dir);
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        AUTO(free_ptr) char *path = str_printf("%s/%s", world.dir, d->d_name);
        struct timespec old[2] = {{.tv_sec = time(NULL) - 24 * 3600 - 60},
                                  {.tv_sec = time(NULL) - 24 * 3600 - 60}};
        if (str_ends(path, ".json"))
            assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    }
    closedir(dir);
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
    assert_int_equal(calls("calls"), 2);
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
    assert_int_equal(calls("calls"), 2);
    end(&s);
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
        AUTO(free_ptr) char *base = str_printf("%s%s", world.fake.url, rows[i].path);
        tell("reset", "{}");
        tell("videos", "[" VIDEO("11", "stormy sea", "portrait") "]");
        tell("set", rows[i].set);
        fs_remove(world.dir);
        assert_int_equal(mkdir(world.dir, 0700), 0);
        struct sources s = pexels_at("key-number-one", base);
        assert_int_equal(search(&s.videos, sea, 1, hits, 2), 1);
        assert_string_equal(call_field("calls", 0, "path"), rows[i].want);
        end(&s);
    }
}

/* --- keys and limits --- */

static void a_refused_key_stands_back(void **state)
{
    (void)state;
    struct footage hits[4];
    static const char *const waves[] = {"waves"};
    tell("videos", "[" VIDEO("11", "", "portrait") "]");
    tell("keys", "{\"pexels\":[\"good-key-22\"]}");
    struct sources s = pexels("bad-key-11, good-key-22");
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
    assert_int_equal(search(&s.videos, waves, 1, hits, 4), 1);
    assert_int_equal(calls("calls"), 3);
    assert_string_equal(call_field("calls", 0, "key"), "bad-key-11");
    assert_string_equal(call_field("calls", 2, "key"), "good-key-22");
    end(&s);
}

static void no_key_is_accepted(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count = 9;
    tell("keys", "{\"pexels\":[\"good-key-22\"]}");
    struct sources s = pexels("bad-key-11");
    struct footage_query q = query(sea, 1);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.user_key, "footage.bad_key");
    assert_null(strstr(e.detail, "bad-key-11"));
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 0); /* not asked again at once */
    assert_int_equal(calls("calls"), 1);
    end(&s);
}

static void a_used_up_key_waits(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count = 9;
    tell("videos", "[" VIDEO("11", "", "portrait") "]");
    tell("fault", "{\"on\":\"search\",\"kind\":\"status\",\"code\":429}");
    struct sources s = pexels("key-number-one,key-number-two");
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1);
    assert_string_equal(call_field("calls", 1, "key"), "key-number-two");
    tell("fault",
         "{\"on\":\"search\",\"kind\":\"status\",\"code\":429,\"retry_after\":0,\"times\":9}");
    static const char *const waves[] = {"waves"};
    struct footage_query q = query(waves, 1);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_string_equal(e.user_key, "footage.limit");
    assert_int_equal(calls("calls"), 3);
    assert_int_equal(search(&s.videos, waves, 1, hits, 4), 0);
    assert_int_equal(calls("calls"), 3);
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 1); /* what is kept is still there */
    end(&s);
}

static void pixabay_speaks_plain_text(void **state)
{
    (void)state;
    struct footage hits[4];
    struct footage_source s;
    struct err e = {0};
    AUTO(free_ptr) char *base = str_printf("%s/api", world.fake.url);
    struct stock_options o = options_for("bad-key-11,good&key=22", base);
    assert_true(pixabay_create(&o, &s, &e));
    tell("hits", "[" HIT("940008") "]");
    tell("keys", "{\"pixabay\":[\"good&key=22\"]}");
    assert_int_equal(search(&s, sea, 1, hits, 4), 1);
    assert_string_equal(hits[0].provider, "pixabay");
    assert_string_equal(hits[0].licence, "Pixabay Content License");
    assert_int_equal(calls("calls"), 2);
    assert_true(s.ops->fetch(s.self, &hits[0], NULL, &e));
    is_the_clip(hits[0].path);
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
        tell("reset", "{}");
        fs_remove(world.dir);
        assert_int_equal(mkdir(world.dir, 0700), 0);
        tell("videos", "[" VIDEO("11", "stormy sea", "portrait") "]");
        tell("fault", faults[i]);
        struct sources s = pexels("key-number-one");
        if (search(&s.videos, sea, 1, hits, 4) != 1)
            fail_msg("one bad answer was too much: %s", faults[i]);
        assert_int_equal(calls("calls"), 2);
        end(&s);
    }
}

static void a_film_waits_once_for_a_dead_service(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    size_t count = 9;
    tell("fault", "{\"on\":\"search\",\"kind\":\"status\",\"code\":500,\"times\":99}");
    struct sources s = pexels("key-number-one");
    struct footage_query q = query(sea, 1);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_string_equal(e.user_key, "footage.service_down");
    assert_int_equal(count, 0);
    assert_int_equal(calls("calls"), 3);
    int64_t began = clock_mono_ms();
    assert_int_equal(search(&s.videos, sea, 1, hits, 4), 0);
    assert_true(clock_mono_ms() - began < 1000);
    assert_int_equal(calls("calls"), 3);
    end(&s);
}

static void *fire_soon(void *cancel)
{
    usleep(150000);
    cancel_fire(cancel);
    return NULL;
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
    tell("fault", "{\"on\":\"search\",\"kind\":\"slow\",\"ms\":3000}");
    struct sources s = pexels("key-number-one");
    struct footage_query q = query(sea, 1);
    int64_t began = clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, fire_soon, &stop), 0);
    assert_false(s.videos.ops->search(s.videos.self, &q, hits, 4, &count, &stop, &e));
    assert_true(clock_mono_ms() - began < 2500);
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    end(&s);
}

/* --- downloads --- */

static struct footage one_hit(const struct sources *s)
{
    struct footage hits[4];
    tell("videos", "[" VIDEO("11", "stormy sea", "portrait") "]");
    assert_int_equal(search(&s->videos, sea, 1, hits, 4), 1);
    return hits[0];
}

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
        tell("reset", "{}");
        struct sources s = pexels("key-number-one");
        struct footage hit = one_hit(&s);
        tell("fault", rows[i].fault);
        if (s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
            fail_msg("taken: %s", rows[i].why);
        assert_string_equal(e.user_key, "footage.not_fetched");
        assert_string_equal(e.arg, "11");
        if (calls("clipCalls") != rows[i].calls)
            fail_msg("%s: %d calls", rows[i].why, calls("clipCalls"));
        if (files_named(".part") + files_named(".mp4") > 0)
            fail_msg("%s: something was left", rows[i].why);
        end(&s);
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
    struct sources s = pexels("key-number-one");
    for (size_t i = 0; i < COUNT(links); i++) {
        struct err e = {0};
        struct footage hit = {.kind = FOOTAGE_CLIP, .id = "66", .provider = "pexels"};
        str_copy(hit.path, sizeof(hit.path), links[i]);
        if (s.videos.ops->fetch(s.videos.self, &hit, NULL, &e) || e.code != ERR_REFUSED)
            fail_msg("%s: %s", links[i], e.detail);
    }
    assert_int_equal(calls("clipCalls"), 0);
    end(&s);
}

static void a_redirect_is_followed(void **state)
{
    (void)state;
    struct err e = {0};
    struct sources s = pexels("key-number-one");
    struct footage hit = one_hit(&s);
    tell("fault", "{\"on\":\"clip\",\"kind\":\"redirect\",\"to\":\"{base}/clip/other.mp4?sig=1\"}");
    if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
        fail_msg("%s", e.detail);
    is_the_clip(hit.path);
    end(&s);
}

static void a_cut_download_goes_on(void **state)
{
    (void)state;
    struct err e = {0};
    struct sources s = pexels("key-number-one");
    struct footage hit = one_hit(&s);
    tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":20000}");
    if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
        fail_msg("%s", e.detail);
    is_the_clip(hit.path);
    assert_int_equal(calls("clipCalls"), 2);
    assert_string_equal(call_field("clipCalls", 1, "range"), "bytes=20000-");
    assert_true(call_field("clipCalls", 1, "ifRange")[0] == '"');
    end(&s);
}

static void what_came_is_kept_for_the_next_attempt(void **state)
{
    (void)state;
    struct err e = {0};
    struct sources s = pexels("key-number-one");
    struct footage hit = one_hit(&s);
    tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":10000,\"times\":3}");
    assert_false(s.videos.ops->fetch(s.videos.self, &hit, NULL, &e));
    assert_int_equal(e.code == ERR_RETRY || e.code == ERR_CONFLICT, 1);
    assert_int_equal(files_named(".mp4.part"), 1);
    end(&s);
    s = pexels("key-number-one"); /* as after a restart */
    if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
        fail_msg("%s", e.detail);
    is_the_clip(hit.path);
    assert_int_equal(calls("clipCalls"), 4);
    assert_string_equal(call_field("clipCalls", 3, "range"), "bytes=30000-");
    assert_int_equal(files_named(".part"), 0);
    end(&s);
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
        tell("reset", "{}");
        fs_remove(world.dir);
        assert_int_equal(mkdir(world.dir, 0700), 0);
        struct sources s = pexels("key-number-one");
        struct footage hit = one_hit(&s);
        tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":20000}");
        tell("fault", rows[i].fault);
        if (!s.videos.ops->fetch(s.videos.self, &hit, NULL, &e))
            fail_msg("%s: %s", rows[i].why, e.detail);
        is_the_clip(hit.path);
        end(&s);
    }
    /* No tag: nothing to hold the rest against. */
    struct err e = {0};
    tell("reset", "{}");
    fs_remove(world.dir);
    assert_int_equal(mkdir(world.dir, 0700), 0);
    tell("set", "{\"noTag\":true}");
    struct sources s = pexels("key-number-one");
    struct footage hit = one_hit(&s);
    tell("fault", "{\"on\":\"clip\",\"kind\":\"cut\",\"after\":20000}");
    assert_true(s.videos.ops->fetch(s.videos.self, &hit, NULL, &e));
    is_the_clip(hit.path);
    assert_string_equal(call_field("clipCalls", 1, "range"), "-");
    end(&s);
}

static void downloads_that_fail_are_not_tried_for_each_hit(void **state)
{
    (void)state;
    struct err e = {0};
    struct sources s = pexels("key-number-one");
    struct footage hit = one_hit(&s);
    tell("fault", "{\"on\":\"clip\",\"kind\":\"status\",\"code\":503,\"times\":99}");
    for (int i = 0; i < 8; i++) {
        struct footage copy = hit;
        snprintf(copy.id, sizeof(copy.id), "%d", i);
        assert_false(s.videos.ops->fetch(s.videos.self, &copy, NULL, &e));
    }
    assert_int_equal(calls("clipCalls"), 6); /* three tries of the first two */
    end(&s);
}

struct fetcher {
    struct sources *s;
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
    struct sources s = pexels("key-number-one");
    struct fetcher f[4];
    pthread_t threads[4];
    tell("set", "{\"pauseMs\":10}");
    struct footage hit = one_hit(&s);
    for (int i = 0; i < 4; i++) {
        f[i] = (struct fetcher){.s = &s, .hit = hit};
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_main, &f[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(f[i].ok);
    }
    is_the_clip(f[3].hit.path);
    assert_int_equal(calls("clipCalls"), 1);
    end(&s);
}

static void a_download_is_stopped(void **state)
{
    (void)state;
    struct err e = {0};
    struct cancel stop;
    pthread_t thread;
    cancel_init(&stop, NULL);
    struct sources s = pexels("key-number-one");
    struct footage hit = one_hit(&s);
    tell("set", "{\"pauseMs\":400}");
    int64_t began = clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, fire_soon, &stop), 0);
    assert_false(s.videos.ops->fetch(s.videos.self, &hit, &stop, &e));
    assert_true(clock_mono_ms() - began < 2500);
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    end(&s);
}

static void photos_too(void **state)
{
    (void)state;
    struct footage hits[4];
    struct err e = {0};
    struct sources s = pexels("key-number-one");
    tell("photos", "[{\"id\":7,\"width\":3000,\"height\":4000,\"photographer\":\"Bo\",\"src\":"
                   "{\"original\":\"{base}/photo/7.jpeg\"},\"url\":"
                   "\"https://www.pexels.com/photo/cliffs-7/\"}]");
    assert_int_equal(search(&s.photos, sea, 1, hits, 4), 1);
    assert_string_equal(hits[0].provider, "pexels_photo");
    assert_int_equal(hits[0].kind, FOOTAGE_PHOTO);
    if (!s.photos.ops->fetch(s.photos.self, &hits[0], NULL, &e))
        fail_msg("%s", e.detail);
    assert_true(str_ends(hits[0].path, ".jpg"));
    assert_string_equal(call_field("clipCalls", 0, "path"), "/photo/7.jpeg");
    end(&s);
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
    struct stock_options o = options_for("bad-key-11,good-key-22", world.fake.url);
    tell("keys", "{\"pexels\":[\"good-key-22\"],\"pixabay\":[\"good-key-22\"]}");
    assert_true(pexels_check(&o, on_key, &t, &e));
    assert_int_equal(t.good, 1);
    assert_int_equal(t.bad, 1);
    assert_string_equal(t.key, "footage.bad_key");
    assert_int_equal(calls("calls"), 2);
    assert_true(pixabay_check(&o, on_key, &t, &e));
    assert_int_equal(t.good, 2);
    assert_int_equal(t.bad, 2);
    tell("fault", "{\"on\":\"search\",\"kind\":\"html\"}");
    o.keys = "good-key-22";
    assert_true(pexels_check(&o, on_key, &t, &e));
    assert_string_equal(t.key, "footage.service_down");
    o.keys = "a b";
    assert_false(pexels_check(&o, on_key, &t, &e));
    assert_string_equal(e.user_key, "start.bad_stock_keys");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(found_fetched_and_kept),
        CASE(down_the_ladder),
        CASE(too_short_is_a_last_resort),
        CASE(a_film_has_so_many_searches),
        CASE(scenes_ask_the_same_once),
        CASE(terms_in_their_own_language),
        CASE(replies_are_kept_for_a_day),
        CASE(bases_with_and_without_version),
        CASE(a_refused_key_stands_back),
        CASE(no_key_is_accepted),
        CASE(a_used_up_key_waits),
        CASE(pixabay_speaks_plain_text),
        CASE(answers_that_are_none),
        CASE(a_film_waits_once_for_a_dead_service),
        CASE(stopped_while_it_waits),
        CASE(files_that_are_not_taken),
        CASE(links_of_a_hostile_reply),
        CASE(a_redirect_is_followed),
        CASE(a_cut_download_goes_on),
        CASE(what_came_is_kept_for_the_next_attempt),
        CASE(what_came_is_not_trusted),
        CASE(downloads_that_fail_are_not_tried_for_each_hit),
        CASE(two_jobs_want_the_same_clip),
        CASE(a_download_is_stopped),
        CASE(photos_too),
        CASE(each_key_is_checked),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
