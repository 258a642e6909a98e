#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

/* Items joined with '|', so that a row of a table shows the whole result. */
static char *joined(const char **items, size_t count)
{
    struct strbuf out = STRBUF((size_t)1 << 20);
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&out, "%s%s", i ? "|" : "", items[i]);
    return strbuf_take(&out);
}

static void check_text(const char *got, const char *want, const char *why)
{
    if (strcmp(got, want) != 0)
        fail_msg("%s\n   got: %s\n  want: %s", why, got, want);
}

static const struct {
    const char *lang, *text, *want, *why;
} sentence_rows[] = {
    {"en", "The moon pulls. The sea follows!",                                   "The moon pulls.|The sea follows!",                                   "plain"                         },
    {"en", "Dr. Smith met Mrs. Jones. They left.",                               "Dr. Smith met Mrs. Jones.|They left.",
     "titles end nothing"                                                                                                                                                              },
    {"en", "Use big cities, e.g. London. Then go.",                              "Use big cities, e.g. London.|Then go.",
     "e.g. ends nothing"                                                                                                                                                               },
    {"en", "It was written by J. R. R. Tolkien. Good.",                          "It was written by J. R. R. Tolkien.|Good.",
     "initials"                                                                                                                                                                        },
    {"en", "So do I. He does too.",                                              "So do I.|He does too.",                                              "the pronoun is no initial"     },
    {"en", "Pi is 3.14 today. Yes.",                                             "Pi is 3.14 today.|Yes.",                                             "decimal point"                 },
    {"en", "\"Go!\" he said. (Now.) Fine.",                                      "\"Go!\" he said.|(Now.)|Fine.",                                      "closers stay"                  },
    {"en", "He said “Stop.” Then she ran.",                                  "He said “Stop.”|Then she ran.",                                  "closing quote stays"           },
    {"en", "1. Cats sleep. 2. Dogs run.",                                        "1. Cats sleep.|2. Dogs run.",                                        "list numbers"                  },
    {"en", "Wait... what? No!!! 🎉",                                           "Wait... what?|No!!! 🎉",                                           "emoji alone is no sentence"    },
    {"en", "Title\nFirst line. Second.",                                         "Title|First line.|Second.",                                          "a line end ends"               },
    {"en", "   \n\n ",                                                           "",                                                                   "blank"                         },
    {"en", "🎉🎉 !!",                                                        "🎉🎉 !!",                                                        "nothing to say stays one piece"},
    {"zh", "月亮吸引海水。你知道吗？真的！好",                   "月亮吸引海水。|你知道吗？|真的！|好",                "full-width"                    },
    {"zh", "他说：“快走！”然后离开。好。",                      "他说：“快走！”|然后离开。|好。",                    "closing quote stays"           },
    {"ar", "هل تعلم؟ القمر قريب. البحر بعيد؛ نعم.", "هل تعلم؟|القمر قريب.|البحر بعيد؛|نعم.",
     "Arabic question mark and semicolon"                                                                                                                                              },
    {"hi", "यह चाँद है। यह समुद्र है।",  "यह चाँद है।|यह समुद्र है।",  "danda"                         },
    {"ru", "Это проф. Иванов. Да.",                               "Это проф. Иванов.|Да.",                               "abbreviation in Russian"       },
    {"fr", "M. Dupont arrive. Oui !",                                            "M. Dupont arrive.|Oui !",                                            "French mister"                 },
};

static void test_sentences(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sentence_rows); i++) {
        struct arena a = {0};
        size_t count;
        const char **got =
            text_sentences(&a, sentence_rows[i].text, sentence_rows[i].lang, 1000, &count);
        char *all = joined(got, count);
        check_text(all, sentence_rows[i].want, sentence_rows[i].why);
        free(all);
        arena_free(&a);
    }
}

static const struct {
    size_t max;
    const char *lang, *text, *want, *why;
} cut_rows[] = {
    {40, "en", "When the wind blows hard, the boats stay home in the harbour",
     "When the wind blows hard,|the boats stay home in the harbour",                                                      "at the clause"                  },
    {24, "en", "one two three four five six seven eight",                      "one two three four five|six seven eight",
     "at a space"                                                                                                                                          },
    {16, "en", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "aaaaaaaaaaaaaaaa|aaaaaaaaaaaaaaaa|aaaaaaaa",                                                                        "anywhere when there is no space"},
    {18, "zh", "月亮吸引海水潮汐涨落",                               "月亮吸引海水|潮汐涨落",         "Chinese: between words"         },
    {16, "en", "👨‍👩‍👧👨‍👩‍👧",                         "👨‍👩‍👧|👨‍👩‍👧",
     "a family is longer than the limit, its characters are not torn"                                                                                      },
};

static void test_long_sentences_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cut_rows); i++) {
        struct arena a = {0};
        size_t count;
        const char **got =
            text_sentences(&a, cut_rows[i].text, cut_rows[i].lang, cut_rows[i].max, &count);
        for (size_t k = 0; k < count; k++) {
            assert_true(strlen(got[k]) <= cut_rows[i].max);
            assert_true(utf8_valid(got[k], strlen(got[k])));
        }
        if (i != 4) { /* the last row only asks for whole characters */
            char *all = joined(got, count);
            check_text(all, cut_rows[i].want, cut_rows[i].why);
            free(all);
        }
        arena_free(&a);
    }
}

static const struct {
    const char *text, *want, *why;
} clean_rows[] = {
    {"  How   tides\twork ",                                                                            "How tides work",                    "white space collapses"                      },
    {"# Title\n\nSome **bold** and *italic* `code`.",                                                   "Title\nSome bold and italic code.",
     "markdown"                                                                                                                                                                           },
    {"- one\n- two\n* three",                                                                           "one\ntwo\nthree",                   "list items are lines"                       },
    {"很深（https://x.org/a）。好",                                                               "很深。好",                      "nor do full-width brackets around a URL"    },
    {"海_水_很_深_。",                                                                             "海水很深。",                   "emphasis leaves no space in Chinese"        },
    {"> quoted _words_ of snake_case",                                                                  "quoted words of snake case",        "quote and underscores"                      },
    {"see [the docs](https://x.org/a_b) now",                                                           "see the docs now",                  "a link keeps its label"                     },
    {"![cat](cat.png) sleeps",                                                                          "cat sleeps",                        "a picture keeps its text"                   },
    {"look https://x.org/?a=1&b=2. Then go",                                                            "look . Then go",                    "URL goes, full stop stays"                  },
    {"fine (https://x.org/a) yes",                                                                      "fine yes",                          "URL in brackets leaves nothing"             },
    {"看https://x.com/a。好",                                                                        "看。好",                         "URL ends where Chinese begins"              },
    {"we like #cats and C# in 2*3",                                                                     "we like cats and C# in 2*3",        "marks with meaning stay"                    },
    {"a < b and <b>bold</b><br/>",                                                                      "a < b and bold",                    "tags go, comparison stays"                  },
    {"fact[12] stays",                                                                                  "fact stays",                        "citations go"                               },
    {"e\xCC\x81t\xC3\xA9",                                                                              "\xC3\xA9t\xC3\xA9",                 "NFC"                                        },
    {"bad\xFF\xFE bytes\x01\x7F",                                                                       "bad bytes",                         "invalid bytes and controls go"              },
    {"\xEF\xBB\xBFText\r\nNext",                                                                        "Text\nNext",                        "byte order mark, CRLF"                      },
    {"a\xE2\x80\xAE"
     "b",                                                                                          "ab",                                "bidi override goes"                         },
    {"party 🎉👨‍👩‍👧 time",                                                               "party 🎉👨‍👩‍👧 time", "emoji stay whole"                           },
    {"This line was wrapped by an editor at a width\nof fifty or so columns and goes on.",
     "This line was wrapped by an editor at a width\nof fifty or so columns and goes on.",                                                   "below fifty columns a line end may be meant"},
    {"This line was wrapped by an editor at a width of seventy\nand goes on.",
     "This line was wrapped by an editor at a width of seventy and goes on.",                                                                "wrapped lines join"                         },
    {"月亮的引力让海水每天涨落两次这就是潮汐的原因也是我们\n今天要讲的",
     "月亮的引力让海水每天涨落两次这就是潮汐的原因也是我们今天要讲的",
     "Chinese joins without space"                                                                                                                                                        },
    {"|a|b|\n|---|---|\n|c|d|",                                                                         "a|b\nc|d",                          "tables lose their frame"                    },
    {"***",                                                                                             "",                                  "a rule says nothing"                        },
    {"**",                                                                                              "",                                  "marks alone"                                },
    {"",                                                                                                "",                                  "empty"                                      },
    {"~5 km, ~~not~~ this",                                                                             "~5 km, not this",                   "strike-through"                             },
};

static void test_clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(clean_rows); i++) {
        char *got = text_clean(clean_rows[i].text);
        check_text(got, clean_rows[i].want, clean_rows[i].why);
        char *again = text_clean(got);
        check_text(again, got, "cleaning twice changes nothing");
        free(again);
        free(got);
    }
}

static const struct {
    const char *lang, *text, *want, *why;
} token_rows[] = {
    {"en", "Hello, big world!",                        "Hello,|big|world!",                              "marks stay with their word"                       },
    {"en", "isn't well-known $1,250.50 (really)",      "isn't|well-known|$1,250.50|(really)",
     "one each"                                                                                                                                             },
    {"en", "so - yes -- no",                           "so -|yes --|no",                                 "a lone dash goes with the word before"            },
    {"en", "word—word",                              "word—|word",                                   "em dash separates"                                },
    {"en", "great 🎉🎉 now🎉",                   "great|🎉🎉|now🎉",                         "emoji are words of their own"                     },
    {"en", "\" hello",                                 "\" hello",                                       "a lone mark at the start goes with the first word"},
    {"fr", "« Oui ! » dit-il",                       "« Oui ! »|dit-il",                             "French spaces"                                    },
    {"zh", "月亮发现了2024年的“秘密”。", "月亮|发现|了|2024|年|的|“秘密”。", "dictionary words"                                 },
    {"zh", "用iPhone拍照",                          "用|iPhone|拍照",                              "Latin in Chinese"                                 },
    {"th", "แมวนอนหลับ",           "แมว|นอน|หลับ",               "Thai dictionary"                                  },
    {"ar", "القمر، والبحر؟",              "القمر،|والبحر؟",                    "Arabic marks"                                     },
    {"hi", "चाँद है।",                   "चाँद|है।",                         "vowel signs stay"                                 },
    {"ko", "달이 바다를 당긴다.",              "달이|바다를|당긴다.",                    "Korean by spaces"                                 },
    {"en", "...",                                      "...",                                            "only marks"                                       },
    {"en", "",                                         "",                                               "empty"                                            },
};

static void test_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(token_rows); i++) {
        struct arena a = {0};
        size_t count, end = 0;
        const char *text = token_rows[i].text;
        struct text_token *t = text_tokens(&a, text, token_rows[i].lang, &count);
        const char **words = arena_alloc(&a, (count + 1) * sizeof(*words));
        for (size_t k = 0; k < count; k++) {
            assert_true(t[k].at >= end && t[k].len > 0);
            end = t[k].at + t[k].len;
            words[k] = arena_dup_n(&a, text + t[k].at, t[k].len);
        }
        assert_true(end <= strlen(text));
        char *all = joined(words, count);
        if (strcmp(token_rows[i].lang, "th") == 0)
            assert_true(count >= 2); /* how many depends on the dictionary's version */
        else
            check_text(all, token_rows[i].want, token_rows[i].why);
        free(all);
        arena_free(&a);
    }
}

static const struct {
    const char *text, *want, *why;
} script_rows[] = {
    {"How tides work",                                             "",   "Latin"                                  },
    {"12345 !!",                                                   "",   "no letters"                             },
    {"月亮吸引海水",                                         "zh", "Han"                                    },
    {"iPhone 15 发布会",                                        "zh", "a name in Latin letters does not decide"},
    {"This is 好",                                                "",   "one Han letter does not either"         },
    {"月が海を引っ張る",                                   "ja", "kana"                                   },
    {"カメラ",                                                  "ja", "only kana"                              },
    {"القمر والبحر",                                    "ar", "Arabic"                                 },
    {"گربه‌ها چرا می‌خوابند",                 "fa", "Persian letters"                        },
    {"یہ بلی ہے اور وہ لڑکا",                      "ur", "Urdu letters"                           },
    {"Как работают приливы",                     "ru", "Cyrillic"                               },
    {"Як працюють припливи і відпливи", "uk", "Ukrainian letters"                      },
    {"달이 바다를 당긴다",                                 "ko", "Hangul"                                 },
    {"चाँद और समुद्र",                     "hi", "Devanagari"                             },
    {"แมวนอนหลับ",                             "th", "Thai"                                   },
    {"שלום",                                                   "he", "Hebrew"                                 },
};

static void test_script(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(script_rows); i++)
        check_text(text_script_lang(script_rows[i].text), script_rows[i].want, script_rows[i].why);
}

static void test_units_and_kinds(void **state)
{
    (void)state;
    assert_int_equal(text_units("Hello, big world - isn't it?", "en"), 5);
    assert_int_equal(text_units("月亮吸引海水。2024!", "zh"), 10);
    assert_int_equal(text_units("月亮吸引海水", "zh-Hant-TW"), 6);
    assert_int_equal(text_units("القمر والبحر", "ar"), 2);
    assert_int_equal(text_units("", "en"), 0);
    assert_true(text_has_words("🎉 7"));
    assert_false(text_has_words("🎉 !?"));
    assert_true(text_is_emoji(0x1F389) && text_is_emoji(0x2764) && text_is_emoji(0x1F1E6));
    assert_false(text_is_emoji('7') || text_is_emoji(0xA9) || text_is_emoji(0x2122) ||
                 text_is_emoji(0x4E00) || text_is_emoji(0x200D));
    assert_true(text_is_rtl("ar") && text_is_rtl("fa") && text_is_rtl("he") && text_is_rtl("ur"));
    assert_false(text_is_rtl("en") || text_is_rtl("zh") || text_is_rtl(""));
}

/* Sentences of `words` words each. */
static char *prose(int sentences, int words)
{
    struct strbuf out = STRBUF((size_t)1 << 20);
    for (int i = 0; i < sentences; i++) {
        for (int k = 0; k < words; k++)
            strbuf_addf(&out, "%s%s", k == 0 ? "The" : " water", k == words - 1 ? ". " : "");
    }
    return strbuf_take(&out);
}

static void test_scene_lengths(void **state)
{
    static const struct {
        int sentences, words, low, high;
        const char *why;
    } rows[] = {
        {1,  3,   1,  1,  "one short sentence is one scene"                 },
        {8,  10,  4,  4,  "32 s: four scenes of 8 s, no small rest"         },
        {40, 10,  20, 22, "160 s"                                           },
        {6,  32,  6,  6,  "sentences of 12.8 s each are scenes of their own"},
        {1,  150, 4,  5,  "one sentence of a minute is torn"                },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a = {0};
        char *text = prose(rows[i].sentences, rows[i].words);
        size_t count, units = 0;
        const char **scenes = text_scenes(&a, text, "en", 150, &count);
        if ((int)count < rows[i].low || (int)count > rows[i].high)
            fail_msg("%s: %zu scenes", rows[i].why, count);
        for (size_t k = 0; k < count; k++) {
            size_t n = text_units(scenes[k], "en"); /* 2.5 words a second */
            units += n;
            if (count > 1 && (n < 11 || n > 51))
                fail_msg("%s: scene of %zu words", rows[i].why, n);
        }
        assert_int_equal(units, text_units(text, "en")); /* nothing lost, nothing twice */
        free(text);
        arena_free(&a);
    }
}

static void test_scenes_read_well(void **state)
{
    static const struct {
        const char *lang, *text, *want, *why;
    } rows[] = {
        {"en", "How tides work\nThe moon pulls the sea.", "How tides work. The moon pulls the sea.",
         "a heading becomes a sentence, so that the voice pauses"                                              },
        {"zh", "月亮\n吸引海水。真的！",        "月亮。吸引海水。真的！",
         "no spaces between Chinese sentences"                                                                 },
        {"en", "Go! 🎉\n\nNow.",                        "Go! 🎉 Now.",                           "one line"},
        {"en", "",                                        "",                                        "nothing" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a = {0};
        size_t count;
        const char **scenes = text_scenes(&a, rows[i].text, rows[i].lang, 150, &count);
        char *all = joined(scenes, count);
        check_text(all, rows[i].want, rows[i].why);
        free(all);
        arena_free(&a);
    }
}

static void test_duration(void **state)
{
    (void)state;
    char *text = prose(15, 10); /* 150 words in 7 or 8 scenes */
    int64_t ms = text_duration_ms(text, "en", 150);
    assert_in_range(ms, 60000 + 7 * 550, 60000 + 8 * 550);
    free(text);
    assert_int_equal(text_duration_ms("", "en", 150), 0);
    assert_true(text_duration_ms("word", "en", 0) > 0); /* an unknown rate is no division by 0 */
}

static void test_terms(void **state)
{
    static const struct {
        const char *lang, *text, *want, *why;
    } rows[] = {
        {"en", "The moon pulls the ocean, and the ocean rises twice a day.",   "ocean|pulls|rises",
         "stop words go, the repeated word leads"                                                                                },
        {"en", "We flew to Paris.",                                            "paris|flew",                     "a name leads"  },
        {"zh", "月亮的引力让海水上涨，所以我们看到潮汐。", "月亮|引力|海水",           "Chinese words" },
        {"ar", "القمر يجذب البحر في كل يوم",              "القمر|البحر|يجذب", "Arabic words"  },
        {"en", "It is 7 or 8.",                                                "",                               "nothing to see"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a = {0};
        size_t count;
        const char **terms = text_terms(&a, rows[i].text, rows[i].lang, 3, &count);
        char *all = joined(terms, count);
        check_text(all, rows[i].want, rows[i].why);
        free(all);
        arena_free(&a);
    }
}

/* Whole seconds would mean that something is quadratic; the aim is 50 ms a call, and sanitizers
   cost up to tenfold. */
static void test_large_text_is_quick(void **state)
{
    static const struct {
        const char *unit, *lang, *why;
    } rows[] = {
        {"The moon pulls the sea, and the sea follows. ", "en", "prose"              },
        {"月亮吸引海水，每天涨落两次。",    "zh", "Chinese"            },
        {"القمر يجذب البحر كل يوم. ",  "ar", "Arabic"             },
        {"a",                                             "en", "no break anywhere"  },
        {"A. ",                                           "en", "initials"           },
        {"! ",                                            "en", "marks"              },
        {"字",                                           "zh", "Han without marks"  },
        {"[(<*",                                          "en", "open marks"         },
        {"\xCC\x81",                                      "en", "combining marks"    },
        {"🎉",                                          "en", "emoji"              },
        {"\n",                                            "en", "empty lines"        },
        {"แมวนอนหลับ",                "th", "Thai without spaces"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct strbuf big = STRBUF(200000);
        while (big.len < 100000)
            strbuf_adds(&big, rows[i].unit);
        struct arena a = {0};
        size_t n;
        int64_t t[7] = {clock_mono_ms()};
        char *clean = text_clean(big.text);
        t[1] = clock_mono_ms();
        text_sentences(&a, big.text, rows[i].lang, 400, &n);
        t[2] = clock_mono_ms();
        text_scenes(&a, big.text, rows[i].lang, 150, &n);
        t[3] = clock_mono_ms();
        text_tokens(&a, big.text, rows[i].lang, &n);
        t[4] = clock_mono_ms();
        text_duration_ms(big.text, rows[i].lang, 150);
        t[5] = clock_mono_ms();
        text_terms(&a, big.text, rows[i].lang, 3, &n);
        text_script_lang(big.text);
        t[6] = clock_mono_ms();
        if (getenv("TEST_VERBOSE"))
            print_message("%-24s clean %ld sentences %ld scenes %ld tokens %ld duration %ld "
                          "terms+script %ld ms\n",
                          rows[i].why, (long)(t[1] - t[0]), (long)(t[2] - t[1]),
                          (long)(t[3] - t[2]), (long)(t[4] - t[3]), (long)(t[5] - t[4]),
                          (long)(t[6] - t[5]));
        for (int k = 0; k < 6; k++)
            if (t[k + 1] - t[k] > 1000)
                fail_msg("%s: step %d took %ld ms", rows[i].why, k, (long)(t[k + 1] - t[k]));
        free(clean);
        arena_free(&a);
        strbuf_free(&big);
    }
}

/* Any bytes: no crash, valid UTF-8 out, and every letter that came in as text is still there. */
static void test_any_bytes(void **state)
{
    static const char *const bits[] = {"**", "_",        "[",        "](",   ")",        "<", ">",
                                       "#",  "https://", "\xF0\x9F", "\xFF", "字",       "a", ". ",
                                       "\n", "`",        "!",        "🎉",    "\xCC\x81", "|", "- ",
                                       "م",  "\\",       "\r",       "www.", "~",        "7"};
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        char text[200];
        size_t len = 0;
        for (int k = 0; k < 20; k++) {
            seed = seed * 1103515245u + 12345u;
            const char *bit = bits[(seed >> 16) % COUNT(bits)];
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", bit);
        }
        char *clean = text_clean(text);
        assert_true(utf8_valid(clean, strlen(clean)));
        struct arena a = {0};
        size_t n;
        const char **scenes = text_scenes(&a, clean, round % 2 ? "en" : "zh", 150, &n);
        for (size_t i = 0; i < n; i++) {
            assert_true(utf8_valid(scenes[i], strlen(scenes[i])));
            assert_null(strchr(scenes[i], '\n'));
        }
        text_tokens(&a, clean, "zh", &n);
        free(clean);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_long_sentences_are_cut),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_units_and_kinds),
        cmocka_unit_test(test_scene_lengths),
        cmocka_unit_test(test_scenes_read_well),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_large_text_is_quick),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
