/* Stock footage: which clip and which file is taken, and which key. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#include "adapters/footage/stock_parts.h"
#include "core/base/clock.h"

/* --- which file --- */

static void smallest_file_that_covers(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct stock_rendition files[4];
        int width, height, want;
    } rows[] = {
        {"the smallest that covers",
         {{"u", 2160, 3840, 30, 9}, {"u", 1080, 1920, 30, 5}, {"u", 720, 1280, 30, 2}},
         1080,                                                                                                    1920,
         1                                                                                                                },
        {"order does not matter",
         {{"u", 720, 1280, 30, 2}, {"u", 1080, 1920, 30, 5}, {"u", 2160, 3840, 30, 9}},
         1080,                                                                                                    1920,
         1                                                                                                                },
        {"nothing covers: the largest within 1.5",
         {{"u", 360, 640, 30, 1}, {"u", 720, 1280, 30, 2}, {"u", 540, 960, 30, 2}},
         1080,                                                                                                    1920,
         1                                                                                                                },
        {"over 1.5: none",                             {{"u", 540, 960, 30, 2}, {"u", 360, 640, 30, 1}},    1080, 1920, -1},
        {"exactly 1.5",                                {{"u", 720, 1280, 30, 2}},                           1080, 1920, 0 },
        {"same size: fps nearest 30",
         {{"u", 1080, 1920, 60, 2}, {"u", 1080, 1920, 25, 2}, {"u", 1080, 1920, 0, 2}},
         1080,                                                                                                    1920,
         1                                                                                                                },
        {"same size: jerky comes last",
         {{"u", 1080, 1920, 22, 2}, {"u", 1080, 1920, 60, 2}},
         1080,                                                                                                    1920,
         1                                                                                                                },
        {"unknown fps is better than jerky",
         {{"u", 1080, 1920, 15, 2}, {"u", 1080, 1920, 0, 2}},
         1080,                                                                                                    1920,
         1                                                                                                                },
        {"wide for tall: too much is cut off",         {{"u", 3840, 2160, 30, 2}},                          1080, 1920, -1},
        {"4:5 for 9:16 is within 40 %",                {{"u", 1728, 2160, 30, 2}},                          1080, 1920, 0 },
        {"1.9:1 for 16:9",                             {{"u", 4096, 2160, 0, 2}, {"u", 2048, 1080, 50, 2}}, 1920, 1080, 1 },
        {"1270x719 for 1280x720 is enlarged a little", {{"u", 1270, 719, 0, 2}},                            1280, 720,  0 },
        {"no files",                                   {{0}},                                               1280, 720,  -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stock_clip clip = {0};
        for (size_t k = 0; k < 4 && rows[i].files[k].url; k++)
            clip.renditions[clip.rendition_count++] = rows[i].files[k];
        int got = choose_rendition(&clip, rows[i].width, rows[i].height);
        if (got != rows[i].want)
            fail_msg("%s: %d, not %d", rows[i].why, got, rows[i].want);
    }
}

static void words_that_match(void **state)
{
    (void)state;
    static const struct {
        const char *term, *words;
        int want;
    } rows[] = {
        {"waves beach",  "waves on a beach 123", 10},
        {"wave beaches", "waves on a beach 123", 10},
        {"stormy sea",   "sea shells",           5 },
        {"sea",          "seaside",              0 },
        {"a to sea",     "sea",                  10}, /* short words say nothing */
        {"sea",          "",                     0 },
        {"",             "sea",                  0 },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (choose_match(rows[i].term, rows[i].words) != rows[i].want)
            fail_msg("%s in %s: %d", rows[i].term, rows[i].words,
                     choose_match(rows[i].term, rows[i].words));
}

/* --- which clip --- */

static struct stock_clip clip(const char *id, const char *author, const char *words, int seconds,
                              int width, int height)
{
    struct stock_clip c = {.kind = FOOTAGE_CLIP,
                           .author = author,
                           .page = "https://www.pexels.com/",
                           .words = words,
                           .duration_ms = seconds * 1000,
                           .rendition_count = 1};
    str_copy(c.id, sizeof(c.id), id);
    c.renditions[0] =
        (struct stock_rendition){.url = "https://x/y.mp4", .width = width, .height = height};
    return c;
}

static bool same_look(void *ctx, const struct stock_clip *c)
{
    return strcmp(c->id, ctx) == 0;
}

static void order_of_clips(void **state)
{
    (void)state;
    static char twin[] = "2";
    static const char *const used[] = {"pixabay:1", "pexels:2", "pexels:22"};
    static const char *const recent[] = {"pexels:1", "pixabay:2", "pexels:3", "pexels:2"};
    const struct {
        const char *why;
        struct stock_clip clips[3];
        const char *want; /* ids in order */
        size_t used, recent;
        bool again, twin;
        const char *neighbour;
    } rows[] = {
        {.why = "the service's order",
         .clips = {clip("1", "a", "", 9, 1080, 1920), clip("2", "b", "", 9, 1080, 1920)},
         .want = "1 2 "                                                                    },
        {.why = "a square is cut too much for a tall film",
         .clips = {clip("1", "a", "sea", 9, 1200, 1200), clip("2", "b", "", 2, 1080, 1920)},
         .want = "2 "                                                                      },
        {.why = "4:5 counts as portrait",
         .clips = {clip("1", "a", "", 9, 1600, 2000), clip("2", "b", "", 9, 1080, 1920)},
         .want = "1 2 "                                                                    },
        {.why = "long enough before words",
         .clips = {clip("1", "a", "sea", 4, 1080, 1920), clip("2", "b", "", 9, 1080, 1920)},
         .want = "2 1 "                                                                    },
        {.why = "half a second to spare",
         .clips = {clip("1", "a", "", 5, 1080, 1920), clip("2", "b", "", 6, 1080, 1920)},
         .want = "2 1 "                                                                    },
        {.why = "words before place",
         .clips = {clip("1", "a", "sky", 9, 1080, 1920), clip("2", "b", "sea", 9, 1080, 1920)},
         .want = "2 1 "                                                                    },
        {.why = "used in this film: never",
         .clips = {clip("1", "a", "", 9, 1080, 1920), clip("2", "b", "sea", 9, 1080, 1920)},
         .want = "1 ",
         .used = 3},
        {.why = "in the chat's last films: not now",
         .clips = {clip("1", "a", "sea", 9, 1080, 1920), clip("2", "b", "", 9, 1080, 1920)},
         .want = "2 ",
         .recent = 2},
        {.why = "when they may come again: late",
         .clips = {clip("1", "a", "sea", 9, 1080, 1920), clip("2", "b", "", 9, 1080, 1920)},
         .want = "2 1 ",
         .recent = 2,
         .again = true},
        {.why = "all were shown: what was shown longest ago",
         .clips = {clip("1", "a", "sea", 9, 1080, 1920), clip("2", "b", "", 9, 1080, 1920),
                   clip("3", "c", "sea", 9, 1080, 1920)},
         .want = "2 3 1 ",
         .recent = 4,
         .again = true},
        {.why = "used in this film: not even then",
         .clips = {clip("2", "a", "", 9, 1080, 1920), clip("3", "b", "", 9, 1080, 1920)},
         .want = "3 ",
         .used = 3,
         .recent = 4,
         .again = true},
        {.why = "neighbour's creator: late",
         .clips = {clip("1", "a", "", 9, 1080, 1920), clip("2", "b", "", 9, 1080, 1920)},
         .want = "2 1 ",
         .neighbour = "a"},
        {.why = "looks like a used one: late",
         .clips = {clip("2", "a", "sea", 9, 1080, 1920), clip("1", "b", "", 9, 1080, 1920)},
         .want = "1 2 ",
         .twin = true},
        {.why = "no enlarging if it can be",
         .clips = {clip("1", "a", "", 9, 720, 1280), clip("2", "b", "", 9, 1080, 1920)},
         .want = "2 1 "   },
        {.why = "nothing that fits",
         .clips = {clip("1", "a", "", 9, 1920, 1080), clip("2", "b", "", 9, 320, 568)},
         .want = ""                           },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stock_page page = {.clips = (struct stock_clip *)rows[i].clips};
        while (page.count < 3 && rows[i].clips[page.count].id[0])
            page.count++;
        struct footage_query q = {.width = 1080,
                                  .height = 1920,
                                  .need_ms = 5000,
                                  .used = used,
                                  .used_count = rows[i].used,
                                  .recent = recent,
                                  .recent_count = rows[i].recent,
                                  .again = rows[i].again};
        struct choose_scene scene = {.query = &q,
                                     .provider = "pexels",
                                     .term = "sea",
                                     .neighbour_author = rows[i].neighbour ? rows[i].neighbour : "",
                                     .looks_used = rows[i].twin ? same_look : NULL,
                                     .ctx = twin};
        struct footage hits[3];
        char got[64] = "";
        size_t n = choose_order(&scene, &page, hits, 3);
        for (size_t k = 0; k < n; k++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", hits[k].id);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].why, got);
    }
}

static void hits_are_filled(void **state)
{
    (void)state;
    struct stock_clip c = clip("7", "Ana", "sea", 9, 1080, 1920);
    struct stock_page page = {.clips = &c, .count = 1};
    struct footage_query q = {.width = 720, .height = 1280, .need_ms = 3000};
    struct choose_scene scene = {
        .query = &q, .provider = "pexels", .term = "sea", .neighbour_author = ""};
    struct footage hit;
    assert_int_equal(choose_order(&scene, &page, &hit, 1), 1);
    assert_string_equal(hit.provider, "pexels");
    assert_string_equal(hit.author, "Ana");
    assert_string_equal(hit.page, "https://www.pexels.com/");
    assert_string_equal(hit.path, "https://x/y.mp4");
    assert_int_equal(hit.duration_ms, 9000);
    assert_int_equal(hit.width, 1080);
}

/* --- keys --- */

static const struct stock_rate rate = {.calls = 3, .period_ms = 1000, .limited_ms = 5000};

static void keys_stand_in(void **state)
{
    (void)state;
    struct stock_keys *k = NULL;
    struct err e = {0};
    clock_fake(1000000, 1700000000000);
    assert_true(stock_keys_create("X", " one,,two ,one,three,", &rate, &k, &e));
    assert_int_equal(stock_keys_count(k), 3);
    assert_string_equal(stock_keys_text(k, 1), "two");
    for (int i = 0; i < 3; i++)
        assert_int_equal(stock_keys_take(k, &e), 0); /* no turns: the first works */
    assert_int_equal(stock_keys_take(k, &e), 1);     /* its window is full */
    clock_fake(1001000, 1700000001000);
    assert_int_equal(stock_keys_take(k, &e), 0); /* the window slid on */
    stock_keys_refused(k, 0);
    assert_int_equal(stock_keys_take(k, &e), 1);
    stock_keys_limited(k, 1, 3000);
    assert_int_equal(stock_keys_take(k, &e), 2);
    stock_keys_limited(k, 2, -1);
    assert_int_equal(stock_keys_take(k, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.user_key, "footage.limit");
    clock_fake(1004001, 1700000004001);
    assert_int_equal(stock_keys_take(k, &e), 1);
    stock_keys_told(k, 1, 0, 60000); /* the last one of the month */
    clock_fake(1006500, 1700000006500);
    assert_int_equal(stock_keys_take(k, &e), 2);
    stock_keys_refused(k, 1);
    stock_keys_refused(k, 2);
    assert_int_equal(stock_keys_take(k, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    clock_fake(1000000 + 2 * 3600000, 1700007200000);
    assert_int_equal(stock_keys_take(k, &e), 0); /* asked again after an hour */
    clock_fake(-1, 0);
    stock_keys_release(k);
}

static void keys_that_cannot_be(void **state)
{
    (void)state;
    static const char *const rows[] = {"", ",", " , ", "a b", "a\r\nX: y", "caf\xc3\xa9"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stock_keys *k = NULL;
        struct err e = {0};
        assert_false(stock_keys_create("PEXELS_API_KEYS", rows[i], &rate, &k, &e));
        assert_int_equal(e.code, ERR_CONFIG);
        assert_string_equal(e.arg, "PEXELS_API_KEYS");
        assert_null(strstr(e.detail, "X: y"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smallest_file_that_covers),
        cmocka_unit_test(words_that_match),
        cmocka_unit_test(order_of_clips),
        cmocka_unit_test(hits_are_filled),
        cmocka_unit_test(keys_stand_in),
        cmocka_unit_test(keys_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
