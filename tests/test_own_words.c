#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "adapters/writer/own_words.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

static bool write_words(const char *topic, const char *lang, int seconds, struct script *ret,
                        struct err *e)
{
    struct script_writer w;
    struct script_request r = {
        .topic = topic, .lang = lang, .seconds = seconds, .units_per_minute = 150, .style = ""};
    assert_true(own_words_create(&w));
    assert_true(w.ops->own_words);
    bool ok = w.ops->write(w.self, &r, ret, e);
    w.ops->destroy(w.self);
    return ok;
}

static void test_titles(void **state)
{
    static const struct {
        const char *lang, *topic, *want, *why;
    } rows[] = {
        {"en", "How tides work. The moon pulls the sea.",                                    "How tides work",                                                  "first sentence"      },
        {"en", "# How tides work\n\nThe moon pulls.",                                        "How tides work",                                                  "a heading"           },
        {"en", "Why is the sky blue? Because.",                                              "Why is the sky blue?",                                            "a question stays one"},
        {"en",
         "Everybody who has ever stood on a beach in the evening knows that the water comes and "
         "goes.",                                                                            "Everybody who has ever stood on a beach in the evening knows…", "cut at a word"       },
        {"en", "cats",                                                                       "cats",                                                            "one word"            },
        {"zh", "月亮的引力让海水每天涨落两次。这就是潮汐。",            "月亮的引力让海水每天涨落两次",
         "Chinese"                                                                                                                                                                    },
        {"ar", "كيف يعمل المد والجزر؟ القمر.",                        "كيف يعمل المد والجزر؟",                         "Arabic"              },
        {"en", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…",                                                                                     "no word to cut at"   },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s;
        struct err e = {0};
        assert_true(write_words(rows[i].topic, rows[i].lang, 0, &s, &e));
        if (strcmp(s.title, rows[i].want) != 0)
            fail_msg("%s: got %s", rows[i].why, s.title);
        assert_true(utf8_valid(s.title, strlen(s.title)));
        arena_free(&s.arena);
    }
}

static void test_words_are_kept(void **state)
{
    (void)state;
    struct script s;
    struct err e = {0};
    const char *topic = "The moon **pulls** the sea. The sea follows it slowly around the earth. "
                        "Fishermen know that, see https://x.org. They wait for high water before "
                        "they leave the harbour with their boats! Do you know when it comes? "
                        "Tables tell the hour for each coast. 🌊 That is all.";
    assert_true(write_words(topic, "en", 0, &s, &e));
    assert_true(s.scene_count >= 2);
    struct strbuf all = STRBUF(4096);
    for (size_t i = 0; i < s.scene_count; i++) {
        assert_null(s.scenes[i].on_screen);
        assert_in_range(s.scenes[i].term_count, 1, 3);
        strbuf_addf(&all, "%s%s", i ? " " : "", s.scenes[i].narration);
    }
    AUTO(free_ptr) char *clean = text_clean(topic);
    assert_string_equal(strbuf_text(&all), clean); /* their words, all of them, in their order */
    assert_string_equal(s.mood, "calm");
    assert_string_equal(s.scenes[0].terms[0], "fishermen");
    strbuf_free(&all);
    arena_free(&s.arena);
    assert_true(write_words("Great! Wow! We won! Yes!", "en", 0, &s, &e));
    assert_string_equal(s.mood, "upbeat");
    arena_free(&s.arena);
}

static void test_lengths(void **state)
{
    (void)state;
    struct strbuf topic = STRBUF(10000);
    for (int i = 0; i < 15; i++) /* 150 words: 60 s and the silence between scenes, about 63 s */
        strbuf_adds(&topic, "The moon pulls the water and the earth turns below. ");
    static const struct {
        int seconds;
        bool ok;
        const char *why;
    } rows[] = {
        {0,   true,  "no wish"                                      },
        {60,  true,  "5 % over is within what speed and pauses give"},
        {120, true,  "shorter than asked: nothing is invented"      },
        {57,  true,  "just within 115 %"                            },
        {50,  false, "clearly longer"                               },
        {5,   false, "much longer"                                  }
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        struct err e = {0};
        if (write_words(topic.text, "en", rows[i].seconds, &s, &e) != rows[i].ok)
            fail_msg("%d s: %s", rows[i].seconds, rows[i].why);
        if (!rows[i].ok) {
            assert_int_equal(e.code, ERR_LIMIT);
            assert_string_equal(e.user_key, "make.text_longer_than_seconds");
            assert_true(strcmp(e.arg, "64 s") == 0 || strcmp(e.arg, "65 s") == 0);
        }
        arena_free(&s.arena);
    }
    strbuf_free(&topic);
}

static void test_nothing_to_say(void **state)
{
    static const char *const topics[] = {"", "   ", "🎉🎉", "!!! ...", "https://x.org", "***"};
    (void)state;
    for (size_t i = 0; i < COUNT(topics); i++) {
        struct script s = {0};
        struct err e = {0};
        assert_false(write_words(topics[i], "en", 0, &s, &e));
        assert_string_equal(e.user_key, "make.nothing_to_say");
        arena_free(&s.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_titles),
        cmocka_unit_test(test_words_are_kept),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_nothing_to_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
