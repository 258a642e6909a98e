/* Replies of the stock services, which clip and which file is taken, and which key. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/footage/stock_parts.h"
#include "core/base/clock.h"

/* --- replies --- */

static const char pexels_sample[] =
    "{\"page\":1,\"per_page\":40,\"videos\":["
    "{\"id\":9100003,\"width\":1080,\"height\":1920,\"duration\":13,\"full_res\":null,\"tags\":[],"
    "\"url\":\"https://www.pexels.com/video/waves-on-a-beach-9100003/\",\"avg_color\":null,"
    "\"user\":{\"id\":5,\"name\":\"Ana \\u202eB\\ud83d\",\"url\":\"https://www.pexels.com/@ana\"},"
    "\"video_files\":["
    "{\"id\":1,\"quality\":\"hd\",\"file_type\":\"video/mp4\",\"width\":1080,\"height\":1920,"
    "\"fps\":14.984999656677246,\"link\":\"https://videos.pexels.com/1.mp4\",\"size\":1670224},"
    "{\"id\":2,\"quality\":null,\"file_type\":\"video/mp4\",\"width\":720,\"height\":1280,"
    "\"fps\":null,\"link\":\"https://player.vimeo.com/external/1.hd.mp4?s=ab&profile_id=1\"},"
    "{\"id\":3,\"quality\":\"hls\",\"file_type\":\"video/mp4\",\"width\":null,\"height\":null,"
    "\"fps\":null,\"link\":\"https://player.vimeo.com/external/1.m3u8?s=ab\"},"
    "{\"id\":4,\"quality\":\"hls\",\"file_type\":\"video/mp4\",\"width\":720,\"height\":1280,"
    "\"link\":\"https://player.vimeo.com/external/1.mp4\"},"
    "{\"id\":5,\"quality\":\"sd\",\"file_type\":\"video/mp4\",\"width\":null,\"height\":640,"
    "\"link\":\"https://videos.pexels.com/5.mp4\"},"
    "{\"id\":6,\"quality\":\"sd\",\"file_type\":\"application/x-mpegURL\",\"width\":360,"
    "\"height\":640,\"link\":\"https://videos.pexels.com/6.mp4\"},"
    "{\"id\":7,\"quality\":\"uhd\",\"file_type\":\"video/mp4\",\"width\":2160,\"height\":3840,"
    "\"fps\":29.97,\"link\":\"https://videos.pexels.com/7.mp4\",\"size\":9e9},"
    "{\"id\":8,\"quality\":\"sd\",\"file_type\":\"video/mp4\",\"width\":1e999,\"height\":640,"
    "\"link\":\"https://videos.pexels.com/8.mp4\"},"
    "{\"id\":9,\"quality\":\"sd\",\"file_type\":\"video/mp4\",\"width\":-360,\"height\":640,"
    "\"link\":\"https://videos.pexels.com/9.mp4\"}]},"
    "{\"id\":91000033333,\"url\":\"javascript:alert(1)\",\"duration\":1e999,\"user\":null,"
    "\"tags\":[\"Sea\",{\"name\":\"Storm\"},7],"
    "\"video_files\":[{\"file_type\":\"video/mp4\",\"width\":1920,\"height\":1080,"
    "\"link\":\"file:///etc/passwd\"},{\"file_type\":\"video/"
    "mp4\",\"width\":1920.0,\"height\":1080,"
    "\"fps\":\"30\",\"link\":\"https://videos.pexels.com/a.mp4\"}]},"
    "{\"id\":\"12\",\"video_files\":[{\"file_type\":\"video/mp4\",\"width\":1920,\"height\":1080,"
    "\"link\":\"https://videos.pexels.com/b.mp4\"}]},"
    "{\"id\":13,\"video_files\":[]},"
    "{\"id\":14,\"video_files\":{\"file_type\":\"video/mp4\"}},"
    "null,7,\"x\"]}";

static void pexels_replies(void **state)
{
    (void)state;
    AUTO(stock_page_free) struct stock_page page;
    struct err e = {0};
    assert_true(pexels_parse(pexels_sample, strlen(pexels_sample), &page, &e));
    assert_int_equal(page.count, 2);
    const struct stock_clip *c = &page.clips[0];
    assert_string_equal(c->id, "9100003");
    assert_string_equal(c->author, "Ana B\xef\xbf\xbd"); /* no bidi override, no lone surrogate */
    assert_string_equal(c->page, "https://www.pexels.com/video/waves-on-a-beach-9100003/");
    assert_string_equal(c->words, "waves on a beach 9100003");
    assert_int_equal(c->duration_ms, 13000);
    assert_int_equal(c->rendition_count, 2);
    assert_int_equal(c->renditions[0].bytes, 1670224);
    assert_true(c->renditions[0].fps > 14.9 && c->renditions[0].fps < 15);
    assert_true(c->renditions[1].fps == 0 && c->renditions[1].bytes == 0);
    c = &page.clips[1];
    assert_string_equal(c->id, "91000033333"); /* more than 32 bits */
    assert_string_equal(c->page, "https://www.pexels.com/video/91000033333/");
    assert_string_equal(c->author, "");
    assert_string_equal(c->words, "91000033333 sea storm");
    assert_int_equal(c->rendition_count, 1);
    assert_int_equal(c->renditions[0].width, 1920);
}

static void pexels_photo_replies(void **state)
{
    (void)state;
    static const char sample[] =
        "{\"photos\":[{\"id\":7,\"width\":3000,\"height\":4000,"
        "\"url\":\"https://www.pexels.com/photo/cliffs-7/\","
        "\"photographer\":\"Bo\",\"alt\":\"Cliffs at dawn\","
        "\"src\":{\"original\":\"https://images.pexels.com/photos/7/7.jpeg\"}},"
        "{\"id\":8,\"width\":4000,\"height\":2000,\"src\":{\"original\":"
        "\"https://images.pexels.com/8.jpeg\"}},"
        "{\"id\":9,\"width\":300,\"height\":400,\"src\":{\"original\":"
        "\"https://images.pexels.com/9.jpeg\"}},"
        "{\"id\":10,\"width\":3000,\"height\":4000,\"src\":null}]}";
    AUTO(stock_page_free) struct stock_page page;
    struct err e = {0};
    assert_true(pexels_parse_photos(sample, strlen(sample), 1080, 1920, &page, &e));
    assert_int_equal(page.count, 1); /* the others: too wide, too small, no picture */
    const struct stock_clip *c = &page.clips[0];
    assert_int_equal(c->kind, FOOTAGE_PHOTO);
    assert_string_equal(c->author, "Bo");
    assert_string_equal(c->words, "cliffs 7 cliffs at dawn");
    assert_string_equal(c->renditions[0].url, "https://images.pexels.com/photos/7/7.jpeg"
                                              "?auto=compress&cs=tinysrgb&fit=crop&w=1080&h=1920");
    assert_int_equal(c->renditions[0].height, 1920);
}

static void pixabay_replies(void **state)
{
    (void)state;
    static const char sample[] =
        "{\"total\":2,\"totalHits\":2,\"hits\":[{\"id\":940008,\"type\":\"film\","
        "\"pageURL\":\"https://pixabay.com/videos/id-940008/\",\"tags\":\"Sea, big wave\","
        "\"duration\":18,\"user\":\"bo_1\",\"videos\":{"
        "\"large\":{\"url\":\"\",\"width\":0,\"height\":0,\"size\":0},"
        "\"medium\":{\"url\":\"https://cdn.pixabay.com/m.mp4\",\"width\":2560,\"height\":1440,"
        "\"size\":6984827},"
        "\"small\":{\"url\":\"https://cdn.pixabay.com/s.mp4\",\"width\":1270,\"height\":719,"
        "\"size\":0},\"tiny\":null}},"
        "{\"id\":940009,\"pageURL\":\"https://evil.example/pixabay.com/\",\"videos\":{\"large\":"
        "{\"url\":\"https://cdn.pixabay.com/x.mp4\",\"width\":1920,\"height\":1080}}},"
        "{\"id\":940010,\"videos\":[]},{\"id\":-1}]}";
    AUTO(stock_page_free) struct stock_page page;
    struct err e = {0};
    assert_true(pixabay_parse(sample, strlen(sample), &page, &e));
    assert_int_equal(page.count, 2);
    const struct stock_clip *c = &page.clips[0];
    assert_string_equal(c->words, "sea big wave");
    assert_int_equal(c->rendition_count, 2);
    assert_int_equal(c->renditions[0].width, 2560);
    assert_int_equal(c->renditions[1].height, 719);
    assert_string_equal(page.clips[1].page, "https://pixabay.com/videos/id-940009/");
    assert_int_equal(page.clips[1].duration_ms, 0);
}

static void replies_that_are_none(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "<html>Just a moment...</html>",
        "[]",
        "null",
        "{\"videos\":{}}",
        "{\"hits\":null}",
        "{\"videos\":[],\"hits\":[]",          /* cut */
        "{\"videos\":[],\"hits\":[]}<script>", /* something after it */
        "[ERROR 400] Invalid or missing API key",
        "{\"status\":401,\"code\":\"Unauthorized\"}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(stock_page_free) struct stock_page a = {0}, b = {0}, c = {0};
        struct err e = {0};
        bool any = pexels_parse(rows[i], strlen(rows[i]), &a, &e) ||
                   pixabay_parse(rows[i], strlen(rows[i]), &b, &e) ||
                   pexels_parse_photos(rows[i], strlen(rows[i]), 100, 100, &c, &e);
        if (any || e.code == ERR_NONE)
            fail_msg("taken for a reply: %s", rows[i]);
    }
    AUTO(stock_page_free) struct stock_page none = {0};
    struct err e = {0};
    assert_true(pexels_parse("{\"videos\":[]}", 13, &none, &e));
    assert_int_equal(none.count, 0);
}

static void links_and_terms(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool ok;
    } links[] = {
        {"https://videos.pexels.com/a.mp4", true },
        {"http://127.0.0.1:80/a.mp4",       true }, /* core/net refuses it unless configured */
        {"ftp://videos.pexels.com/a.mp4",   false},
        {"file:///etc/passwd",              false},
        {"https:///a.mp4",                  false},
        {"https://a b/c",                   false},
        {"https://a/\r\nX: y",              false},
        {"https://a/\xc3\xa9",              false},
        {"",                                false},
    };
    for (size_t i = 0; i < COUNT(links); i++)
        if (stock_link_ok(links[i].url) != links[i].ok)
            fail_msg("link %s", links[i].url);
    static const struct {
        const char *link, *want;
    } pages[] = {
        {"https://www.pexels.com/video/1/",          "https://www.pexels.com/video/1/"},
        {"https://pexels.com/video/1/",              "https://pexels.com/video/1/"    },
        {"https://evilpexels.com/video/1/",          "own"                            },
        {"https://pexels.com.evil.example/",         "own"                            },
        {"https://pexels.com@evil.example/",         "own"                            },
        {"https://evil.example/?https://pexels.com", "own"                            },
        {"http://www.pexels.com/video/1/",           "own"                            },
        {"javascript:alert(1)",                      "own"                            },
    };
    for (size_t i = 0; i < COUNT(pages); i++)
        assert_string_equal(stock_page_link(pages[i].link, "pexels.com", "own"), pages[i].want);
    static const struct {
        const char *text, *want;
    } terms[] = {
        {"  Stormy   SEA\n", "stormy sea"},
        {"\"sea\" & sun!",   "sea sun"   },
        {"mar\xc3\xa9"
         "e",       "mar\xc3\xa9"
         "e"       },
        {"!!!",              ""          },
        {"\xff",             ""          },
    };
    for (size_t i = 0; i < COUNT(terms); i++) {
        char term[STOCK_TERM_MAX + 1];
        stock_term(terms[i].text, term);
        assert_string_equal(term, terms[i].want);
    }
    char term[STOCK_TERM_MAX + 1], big[1000];
    memset(big, 'a', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    stock_term(big, term);
    assert_true(strlen(term) <= STOCK_TERM_MAX && strlen(term) > 90);
    AUTO(strbuf_free) struct strbuf out = STRBUF(100);
    stock_put_encoded(&out, "a b&c=\xc3\xa9#");
    assert_string_equal(strbuf_text(&out), "a%20b%26c%3D%C3%A9%23");
}

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

/* --- files --- */

static int64_t put_box(FILE *f, const char *type, uint32_t len, size_t body)
{
    unsigned char head[8] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
                             (unsigned char)(len >> 8), (unsigned char)len};
    memcpy(head + 4, type, 4);
    fwrite(head, 1, 8, f);
    for (size_t i = 0; i < body; i++)
        fputc(0, f);
    return 8 + (int64_t)body;
}

static void boxes_of_a_film(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct {
            const char *type;
            uint32_t len;
            size_t body;
        } boxes[4];
        bool whole;
    } rows[] = {
        {"index first",                   {{"ftyp", 16, 8}, {"moov", 40, 32}, {"mdat", 100, 92}}, true },
        {"index last",                    {{"ftyp", 16, 8}, {"mdat", 100, 92}, {"moov", 40, 32}}, true },
        {"cut in the media",              {{"ftyp", 16, 8}, {"moov", 40, 32}, {"mdat", 100, 50}}, false},
        {"cut before the index",          {{"ftyp", 16, 8}, {"mdat", 100, 92}},                   false},
        {"media up to the end",           {{"ftyp", 16, 8}, {"moov", 40, 32}, {"mdat", 0, 50}},   true },
        {"media up to the end, no index", {{"ftyp", 16, 8}, {"mdat", 0, 50}},                     false},
        {"not a film",                    {{"free", 16, 8}, {"moov", 40, 32}, {"mdat", 100, 92}}, false},
        {"a box of 4 bytes",              {{"ftyp", 16, 8}, {"moov", 4, 32}, {"mdat", 100, 92}},  false},
        {"empty",                         {{0}},                                                  false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        FILE *f = tmpfile();
        int64_t size = 0;
        assert_non_null(f);
        for (size_t k = 0; k < 4 && rows[i].boxes[k].type; k++)
            size += put_box(f, rows[i].boxes[k].type, rows[i].boxes[k].len, rows[i].boxes[k].body);
        fflush(f);
        if (stock_mp4_whole(fileno(f), size) != rows[i].whole)
            fail_msg("%s", rows[i].why);
        fclose(f);
    }
    assert_true(stock_looks_like((const unsigned char *)"\0\0\0\x18"
                                                        "ftypisom",
                                 12, FOOTAGE_CLIP));
    assert_false(stock_looks_like((const unsigned char *)"#EXTM3U\n#EXT", 12, FOOTAGE_CLIP));
    assert_false(stock_looks_like((const unsigned char *)"<!doctype ht", 12, FOOTAGE_PHOTO));
    assert_false(stock_looks_like((const unsigned char *)"\0\0\0\x18"
                                                         "ftypisom",
                                  12, FOOTAGE_PHOTO));
    assert_true(
        stock_looks_like((const unsigned char *)"\xff\xd8\xff\xe0JFIF1234", 12, FOOTAGE_PHOTO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pexels_replies),      cmocka_unit_test(pexels_photo_replies),
        cmocka_unit_test(pixabay_replies),     cmocka_unit_test(replies_that_are_none),
        cmocka_unit_test(links_and_terms),     cmocka_unit_test(smallest_file_that_covers),
        cmocka_unit_test(words_that_match),    cmocka_unit_test(order_of_clips),
        cmocka_unit_test(hits_are_filled),     cmocka_unit_test(keys_stand_in),
        cmocka_unit_test(keys_that_cannot_be), cmocka_unit_test(boxes_of_a_film),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
