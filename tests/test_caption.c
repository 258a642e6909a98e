/* Caption pages, line breaks, word times, subtitles. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/story/caption.h"
#include "core/story/storyboard.h"
#include "core/story/text.h"

enum { WORD_MS = 300 };

/* Words as a speech engine gives them: one every 300 ms. Caller frees. */
static struct speech_word *speak(const char *text, const char *lang, size_t *ret_count)
{
    struct arena a = {0};
    struct text_token *tokens = text_tokens(&a, text, lang, ret_count);
    struct speech_word *words = calloc(*ret_count + 1, sizeof(*words));
    assert_non_null(words);
    for (size_t i = 0; i < *ret_count; i++)
        words[i] = (struct speech_word){.at = tokens[i].at,
                                        .len = tokens[i].len,
                                        .start_ms = (int)i * WORD_MS,
                                        .end_ms = (int)i * WORD_MS + WORD_MS - 20};
    arena_free(&a);
    return words;
}

static struct caption_track build(const char *text, const char *lang, double width)
{
    struct err e = {0};
    struct caption_track t = {0};
    size_t count = 0;
    struct speech_word *words = speak(text, lang, &count);
    assert_true(caption_build(text, words, count, lang, 0, width, &t, &e));
    free(words);
    return t;
}

/* "line|line / line|line": pages and lines at a glance. Caller frees. */
static char *show(const struct caption_track *t)
{
    struct strbuf out = STRBUF(1 << 16);
    for (size_t i = 0; i < t->page_count; i++) {
        strbuf_adds(&out, i ? " / " : "");
        for (const char *c = t->pages[i].text; *c; c++)
            strbuf_addc(&out, (char)(*c == '\n' ? '|' : *c));
    }
    return strbuf_take(&out);
}

/* What holds for every track whatever the text. */
static void check_track(const struct caption_track *t, double width)
{
    int last_ms = 0;
    for (size_t i = 0; i < t->page_count; i++) {
        const struct caption_page *p = &t->pages[i];
        assert_true(utf8_valid(p->text, strlen(p->text)));
        assert_true(p->start_ms >= last_ms && p->end_ms >= p->start_ms);
        assert_true(p->word_count > 0);
        assert_int_equal(p->words[0].start_ms, p->start_ms);
        last_ms = p->end_ms;
        size_t at = 0, lines = 0;
        for (const char *line = p->text; line; lines++) {
            size_t len = strcspn(line, "\n");
            assert_true(len > 0);
            assert_true(caption_width(line, len) <= width + 0.01);
            line = line[len] ? line + len + 1 : NULL;
        }
        assert_in_range(lines, 1, 2);
        for (size_t k = 0; k < p->word_count; k++) {
            const struct speech_word *w = &p->words[k];
            assert_true(w->at >= at && w->len > 0 && w->at + w->len <= strlen(p->text));
            assert_null(memchr(p->text + w->at, '\n', w->len));
            assert_true(w->end_ms >= w->start_ms);
            if (k + 1 < p->word_count)
                assert_int_equal(w->end_ms, p->words[k + 1].start_ms);
            at = w->at + w->len;
        }
    }
}

static void pages_break_where_people_breathe(void **state)
{
    (void)state;
    static const struct {
        const char *lang;
        double width;
        const char *text, *pages, *why;
    } rows[] = {
  /* clang-format off */
        {"en", 9.3, "The moon pulls the sea, and the sea answers twice a day.",
         "The moon|pulls the sea, / and the sea|answers / twice a day.",
         "clauses end pages, articles do not"},
        {"en", 18, "It stops now and then. The tide comes in twice a day and goes out twice a day.",
         "It stops now and then. / The tide comes in twice a day|and goes out twice a day.",
         "a sentence does not run into the next"},
        {"en", 18, "Yes.", "Yes.", "one word"},
        {"en", 9.3, "\"Look,\" she said (again): $5 only!",
         "\"Look,\" she said|(again): $5 only!",
         "marks stay with the word they touch"},
        {"zh", 9.3, "月球牵引着大海，而大海每天回应两次。",
         "月球牵引着大海， / 而大海每天|回应两次。",
         "Han breaks without spaces, marks never begin a line"},
        {"zh", 9.3, "“潮汐”来自NASA的说法！", "“潮汐”来自|NASA的说法！",
         "quotes open with their word, Latin stays whole"},
        {"ar", 9.3, "القمر يسحب البحر، والبحر يجيب.", "القمر يسحب|البحر، / والبحر يجيب.",
         "Arabic comma ends a clause"},
        {"th", 9.3, "ดวงจันทร์ดึงน้ำทะเลและทะเลก็ตอบสนอง", "ดวงจันทร์ดึงน้ำทะเล|และทะเลก็ตอบสนอง", "Thai breaks between dictionary words"},
        {"en", 9.3, "We love it 😀 👩‍👩‍👧 today", "We love it 😀|👩‍👩‍👧 today",
         "an emoji of several parts is never split"},
        {"en", 9.3, "", "", "nothing said"},
        {"en", 9.3, "two\nlines\there", "two lines here", "white space is one space"},
  /* clang-format on */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct caption_track t = build(rows[i].text, rows[i].lang, rows[i].width);
        char *shown = show(&t);
        if (strcmp(shown, rows[i].pages) != 0)
            fail_msg("%s:\n  got  %s\n  want %s", rows[i].why, shown, rows[i].pages);
        check_track(&t, rows[i].width);
        free(shown);
        caption_track_free(&t);
    }
}

/* What makes a page hard to read, over longer texts. */
static void no_line_begins_with_a_closing_mark(void **state)
{
    (void)state;
    static const char text[] =
        "地球上的每个港口都知道这个节奏，“潮汐”每天来两次。为什么？因为月球的引力（还有太阳的）"
        "把海水拉向它；而另一边的海水，则因为惯性而隆起……于是有了“大潮”和“小潮”！";
    for (double width = 4; width < 24; width += 0.5) {
        struct caption_track t = build(text, "zh", width);
        check_track(&t, width);
        for (size_t i = 0; i < t.page_count; i++)
            for (const char *line = t.pages[i].text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                size_t pos = 0;
                int32_t cp = utf8_next(line, strlen(line), &pos);
                static const int32_t closing[] = {0x3002, 0xFF0C, 0xFF1F, 0xFF01, 0xFF1B,
                                                  0x201D, 0xFF09, 0x2026, 0x3001};
                for (size_t k = 0; k < COUNT(closing); k++)
                    assert_int_not_equal(cp, closing[k]);
            }
        caption_track_free(&t);
    }
}

static void dictionary_words_stay_whole(void **state)
{
    (void)state;
    /* One event per character, as espeak-ng gives them for Chinese. */
    static const char text[] = "潮汐现象非常有趣";
    struct speech_word words[8];
    struct err e = {0};
    for (size_t i = 0; i < COUNT(words); i++)
        words[i] = (struct speech_word){3 * i, 3, (int)i * 200, (int)i * 200 + 190};
    struct caption_track t = {0};
    assert_true(caption_build(text, words, COUNT(words), "zh", 0, 3, &t, &e));
    char *shown = show(&t);
    for (const char *broken = "潮|汐"; broken; broken = NULL)
        assert_null(strstr(shown, broken));
    assert_null(strstr(shown, "潮 / 汐"));
    assert_null(strstr(shown, "现|象"));
    assert_null(strstr(shown, "非|常"));
    assert_null(strstr(shown, "有|趣"));
    check_track(&t, 3);
    free(shown);
    caption_track_free(&t);
}

static void long_words_are_broken_and_share_their_time(void **state)
{
    (void)state;
    static const char text[] =
        "see https://example.org/a/very/long/path-that-never-ends?q=123456789 "
        "or Donaudampfschifffahrtsgesellschaftskapitän now";
    struct caption_track t = build(text, "en", 9.3);
    check_track(&t, 9.3);
    size_t bytes = 0;
    for (size_t i = 0; i < t.page_count; i++)
        for (size_t k = 0; k < t.pages[i].word_count; k++)
            bytes += t.pages[i].words[k].len;
    assert_int_equal(bytes, strlen(text) - 4); /* all but the spaces: nothing is lost */
    caption_track_free(&t);
}

static void hostile_words_do_no_harm(void **state)
{
    (void)state;
    static const char text[] = "one two three";
    const struct speech_word words[] = {
        {0,        3,        500, 100 }, /* ends before it starts */
        {4,        SIZE_MAX, 600, 700 }, /* too long */
        {SIZE_MAX, 3,        600, 700 }, /* outside */
        {4,        3,        200, 300 }, /* time goes back */
        {2,        3,        700, 800 }, /* place goes back */
        {8,        5,        900, 1000},
    };
    struct err e = {0};
    struct caption_track t = {0};
    assert_true(caption_build(text, words, COUNT(words), "en", 100, 9.3, &t, &e));
    check_track(&t, 9.3);
    char *shown = show(&t);
    assert_string_equal(shown, "one two three");
    assert_int_equal(t.pages[0].start_ms, 600);
    free(shown);
    caption_track_free(&t);
}

static void page_times_follow_the_voice(void **state)
{
    (void)state;
    static const char text[] = "First part. Second part.";
    const struct speech_word words[] = {
        {0,  5, 0,    300 },
        {6,  4, 300,  600 },
        {12, 6, 5000, 5300},
        {19, 4, 5300, 5600}
    };
    struct err e = {0};
    struct caption_track t = {0};
    assert_true(caption_build(text, words, COUNT(words), "en", 200, 9.3, &t, &e));
    assert_int_equal(t.page_count, 2);
    assert_int_equal(t.pages[0].start_ms, 200);
    assert_in_range(t.pages[0].end_ms, 800, 1700); /* held a little, not over the long pause */
    assert_int_equal(t.pages[1].start_ms, 5200);
    assert_int_equal(t.pages[0].words[0].end_ms, 500); /* lit until the next word starts */
    assert_string_equal(t.lang, "en");
    assert_false(t.rtl);
    caption_track_free(&t);
    struct caption_track none = {0};
    assert_true(caption_build("مرحبا",
                              (struct speech_word[]){
                                  {0, 10, 0, 500}
    },
                              1, "ar", 0, 9.3, &none, &e));
    assert_true(none.rtl);
    caption_track_free(&none);
}

static void widths_are_about_right(void **state)
{
    (void)state;
    assert_true(caption_width("月球", strlen("月球")) == 2.0);
    double latin = caption_width("The moon pulls", 14);
    assert_true(latin > 6.5 && latin < 9);
    assert_true(caption_width("e\xCC\x81", 3) == caption_width("e", 1)); /* combining accent */
    assert_true(caption_width("👩‍👩‍👧", strlen("👩‍👩‍👧")) < 1.5);
    assert_true(caption_line_width(1080, 1920) < caption_line_width(1080, 1080));
    assert_true(caption_line_width(1080, 1080) < caption_line_width(1920, 1080));
}

static void titles_wrap_evenly(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *text;
        double width;
        const char *lines, *why;
    } rows[] = {
        {"en", "How tides work",                          12, "How tides work",                            "fits"           },
        {"en", "Why does the sea rise and fall?",         12, "Why does the sea\nrise and fall?",          "even"           },
        {"zh", "潮汐是怎么来的：月球与大海", 9,  "潮汐是怎么来的：\n月球与大海", "after the colon"},
        {"en", "",                                        9,  "",                                          "empty"          },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        char *text = NULL;
        assert_true(caption_wrap(rows[i].text, rows[i].lang, rows[i].width, 3, &text, &e));
        if (strcmp(text, rows[i].lines) != 0)
            fail_msg("%s: got %s", rows[i].why, text);
        free(text);
    }
}

static void subtitles_are_subrip(void **state)
{
    (void)state;
    struct err e = {0};
    static char one[] = "First scene.", two[] = "Second one, here.";
    struct scene scenes[2] = {{.narration = one}, {.narration = two}};
    for (int i = 0; i < 2; i++) {
        scenes[i].speech.words = speak(scenes[i].narration, "en", &scenes[i].speech.word_count);
        scenes[i].cut.start_ms = i * 3661000;
        scenes[i].cut.frames = 90;
    }
    struct storyboard s = {.settings = {.lang = "en"}, .scenes = scenes, .scene_count = 2};
    char *srt = NULL;
    assert_true(caption_srt(&s, &srt, &e));
    assert_string_equal(srt, "1\r\n00:00:00,200 --> 00:00:01,580\r\nFirst scene.\r\n\r\n"
                             "2\r\n01:01:01,200 --> 01:01:02,880\r\nSecond one, here.\r\n\r\n");
    free(srt);
    for (int i = 0; i < 2; i++)
        free(scenes[i].speech.words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_break_where_people_breathe),
        cmocka_unit_test(no_line_begins_with_a_closing_mark),
        cmocka_unit_test(dictionary_words_stay_whole),
        cmocka_unit_test(long_words_are_broken_and_share_their_time),
        cmocka_unit_test(hostile_words_do_no_harm),
        cmocka_unit_test(page_times_follow_the_voice),
        cmocka_unit_test(widths_are_about_right),
        cmocka_unit_test(titles_wrap_evenly),
        cmocka_unit_test(subtitles_are_subrip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
