/* What the stock services send: replies, links, terms, and the boxes of a film. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "adapters/footage/stock_parts.h"

/* --- replies --- */

static const struct stock_search film = {.width = 1080, .height = 1920};

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
    assert_true(
        stock_parse(&pexels_videos, pexels_sample, strlen(pexels_sample), &film, &page, &e));
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
    assert_true(stock_parse(&pexels_photos, sample, strlen(sample), &film, &page, &e));
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
    assert_true(stock_parse(&pixabay_videos, sample, strlen(sample), &film, &page, &e));
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
        size_t len = strlen(rows[i]);
        bool any = stock_parse(&pexels_videos, rows[i], len, &film, &a, &e) ||
                   stock_parse(&pixabay_videos, rows[i], len, &film, &b, &e) ||
                   stock_parse(&pexels_photos, rows[i], len, &film, &c, &e);
        if (any || e.code == ERR_NONE)
            fail_msg("taken for a reply: %s", rows[i]);
    }
    AUTO(stock_page_free) struct stock_page none = {0};
    struct err e = {0};
    assert_true(stock_parse(&pexels_videos, "{\"videos\":[]}", 13, &film, &none, &e));
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
        cmocka_unit_test(pexels_replies),  cmocka_unit_test(pexels_photo_replies),
        cmocka_unit_test(pixabay_replies), cmocka_unit_test(replies_that_are_none),
        cmocka_unit_test(links_and_terms), cmocka_unit_test(boxes_of_a_film),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
