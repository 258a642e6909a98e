/* The local voice: word times against the sound, what is said, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "adapters/speech/espeak_parts.h"
#include "core/base/strbuf.h"
#include "tests/speech_world.h"

/* Moments when the voice starts after at least 150 ms of silence. */
static size_t find_onsets(const struct spw_file *f, int *ret_ms, size_t max)
{
    size_t step = (size_t)f->rate / 200, count = 0; /* 5 ms */
    int silent = 1000;
    for (size_t at = 0; at + step <= f->count; at += step) {
        double energy = 0;
        for (size_t i = at; i < at + step; i++)
            energy += (double)f->samples[i] * f->samples[i];
        bool loud = sqrt(energy / (double)step) > 200; /* the echo of a voice is quieter */
        if (loud && silent >= 150 && count < max)
            ret_ms[count++] = (int)(at * 1000 / (size_t)f->rate);
        silent = loud ? 0 : silent + 5;
    }
    return count;
}

/* Each word is a sentence of its own, so the sound says when each begins. */
static const struct {
    const char *lang, *voice, *text;
} apart_rows[] = {
    {"en", "en-tom",   "Moon. Water. Seven. Animals. Yellow. Never. Running. Zebra."                   },
    {"en", "en-anna",  "Moon. Water. Seven. Animals. Yellow. Never. Running. Zebra."                   },
    {"zh", "zh-wei",   "月亮。海水。太阳。朋友。老师。"                                 },
    {"zh", "zh-mei",   "月亮。海水。太阳。朋友。老师。"                                 },
    {"ar", "ar-omar",  "القمر. البحر. الماء. السماء. الليل."                 },
    {"ar", "ar-layla", "القمر. البحر. الماء. السماء. الليل."                 },
    {"es", "es-lucia", "Luna. Mar. Agua. Noche. Manzana."                                              },
    {"de", "",         "Mond. Wasser. Nacht. Sieben. Leben."                                           },
    {"ru", "",         "Луна. Море. Вода. Ночь. Река."                             },
    {"hi", "",         "चाँद। समुद्र। पानी। रात।"            },
    {"en", "en-tom",   "We sold 2024 of them. Water, 🎉 isn't $1,250.50! Never 🚀🚀 again. Moon."},
};

static void test_word_times_match_the_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(apart_rows); i++) {
        const char *text = apart_rows[i].text;
        struct spw_file f = spw_speak(apart_rows[i].lang, apart_rows[i].voice, text);
        spw_check_words(&f, text, apart_rows[i].lang);
        int onsets[32];
        size_t count = find_onsets(&f, onsets, COUNT(onsets)), found = 0;
        for (size_t k = 0; k < count; k++) { /* every onset is some word's start */
            int best = 10000;
            for (size_t w = 0; w < f.result.word_count; w++)
                if (abs(f.result.words[w].start_ms - onsets[k]) < abs(best))
                    best = f.result.words[w].start_ms - onsets[k];
            if (getenv("TEST_VERBOSE"))
                print_message("%s %s onset %d ms: word %+d ms\n", apart_rows[i].lang,
                              apart_rows[i].voice, onsets[k], best);
            if (abs(best) > 80)
                fail_msg("%s %s: voice starts at %d ms, nearest word is %d ms off",
                         apart_rows[i].lang, apart_rows[i].voice, onsets[k], best);
            found++;
        }
        assert_true(found >= 4);
        if (i + 1 < COUNT(apart_rows)) { /* and every word has its onset */
            assert_int_equal(count, f.result.word_count);
            for (size_t w = 0; w < count; w++) {
                assert_true(abs(f.result.words[w].start_ms - onsets[w]) <= 80);
                if (w + 1 < count) /* the highlight ends with the voice, not after the pause */
                    assert_true(f.result.words[w].end_ms <= onsets[w + 1] - 60);
            }
        }
        spw_file_free(&f);
    }
}

/* --- what is said --- */

static void test_spoken_text(void **state)
{
    static const struct {
        const char *lang, *text, *want, *why;
    } rows[] = {
        {"en", "Go 🎉🎉 now",      "Go    now",                               "an emoji is one blank a code point"        },
        {"en", "👨‍👩‍👧 x", "      x",                                 "so is a family"                            },
        {"en", "see 北京 now",       "see    now",                              "the English voice would say Chinese letter"},
        {"en", "5°C © ★",          "5°C ©  ",                               "signs that are read stay"                  },
        {"zh", "2024年有12个",      "二零二四年有十二个",             "a year by digits, a count as a quantity"   },
        {"zh", "3.14和50%",           "三点一四和百分之五十",          "point and percent"                         },
        {"zh", "1,250",                "一千二百五十",                      "thousands comma"                           },
        {"zh", "10050和1001",         "一万零五十和一千零一",          "zeros inside"                              },
        {"zh", "100000000",            "一亿",                                  "hundred million"                           },
        {"zh", "120000",               "十二万",                               "twelve times ten thousand"                 },
        {"zh", "0.5",                  "零点五",                               "zero"                                      },
        {"zh", "１２",               "十二",                                  "full-width digits"                         },
        {"zh", "2个和2024",          "两个和二千零二十四",             "two of a thing"                            },
        {"zh", "007",                  "零零七",                               "a code by digits"                          },
        {"zh", "1234567890123",        "一二三四五六七八九零一二三", "too long for a quantity"                   },
        {"zh", "AI和NASA",            "A I和N A S A",                           "capitals are spelled"                      },
        {"zh", "25℃",                "二十五摄氏度",                      "degrees"                                   },
        {"zh", "2020,2021",            "二千零二十,二千零二十一",      "a list is no thousands comma"              },
        {"en", "2024",                 "2024",                                    "other voices read numbers themselves"      },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spoken s;
        spoken_make(&s, rows[i].text, rows[i].lang);
        if (strcmp(s.text, rows[i].want) != 0)
            fail_msg("%s\n   got: %s\n  want: %s", rows[i].why, s.text, rows[i].want);
        for (size_t k = 0; k < s.count; k++) {
            assert_true(s.origin[k] < strlen(rows[i].text));
            assert_true(k == 0 || s.origin[k] >= s.origin[k - 1]);
        }
        spoken_free(&s);
    }
}

/* espeak-ng 1.51 has a Mandarin voice that reads its own pinyin as English letters; the sound of a
   syllable is about 0.3 s, that of its spelling over a second. */
static void test_mandarin_is_not_spelled(void **state)
{
    (void)state;
    struct spw_file f = spw_speak("zh", "", "我们每天都看到新的秘密");
    assert_in_range(f.result.duration_ms, 11 * 180, 11 * 450);
    spw_file_free(&f);
}

/* Broken events as the library sends them, and worse. */
static void test_events_become_times(void **state)
{
    /* clang-format off */
    static const struct {
        const char *text;
        struct wire_event events[6];
        size_t count;
        int want[4];
        const char *why;
    } rows[] = {
        {"one two three", {{1, 3, 0}, {5, 3, 400}, {9, 5, 700}}, 3, {0, 400, 700}, "plain"},
        {"one two three", {{1, 3, 0}, {9, 5, 800}}, 2, {0, 400, 800}, "a missing word is between"},
        {"one two three", {{9, 5, 500}}, 1, {0, 250, 500}, "missing words at the start"},
        {"one two three", {{1, 3, 100}}, 1, {100, 345, 590}, "missing words at the end"},
        {"one two three", {{0}}, 0, {0, 272, 545}, "no events at all: by length"},
        {"one two three", {{1, 3, 0}, {6, 2, 300}, {5, 3, 400}, {9, 5, 700}}, 4, {0, 400, 700},
         "the start of a word beats a place inside it"},
        {"one two three", {{1, 3, 0}, {11, 1, 100}, {5, 3, 400}, {9, 5, 700}}, 4, {0, 400, 700},
         "a place far ahead does not light the word early"},
        {"one two three", {{1, 3, 500}, {5, 3, 200}, {9, 5, 700}}, 3, {500, 600, 700},
         "times never fall"},
        {"one two three", {{1, 3, 0}, {5, 0, 100}, {5, 3, 400}, {99, 2, 500}, {9, 5, 700}}, 5,
         {0, 400, 700}, "no length and no such place count for nothing"},
        {"one two three", {{1, 3, 0}, {5, 3, 400}, {9, 5, 4000000000u}}, 3, {0, 400, 640},
         "beyond the sound"},
    };
    /* clang-format on */
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int16_t samples[1000]; /* 1,000 a second: a sample is a millisecond */
        for (size_t k = 0; k < COUNT(samples); k++)
            samples[k] = 1000;
        struct wire_event events[6];
        memcpy(events, rows[i].events, sizeof(events));
        struct utterance u = {.samples = samples,
                              .count = COUNT(samples),
                              .events = events,
                              .event_count = rows[i].count,
                              .sample_rate = 1000};
        struct spoken s;
        struct speech_word *words;
        size_t count;
        struct err e = {0};
        spoken_make(&s, rows[i].text, "en");
        assert_true(utterance_times(&u, &s, rows[i].text, "en", &words, &count, &e));
        assert_int_equal(count, 3);
        for (size_t k = 0; k < count; k++)
            if (abs(words[k].start_ms - rows[i].want[k]) > 60)
                fail_msg("%s: word %zu at %d ms, want %d", rows[i].why, k, words[k].start_ms,
                         rows[i].want[k]);
        free(words);
        spoken_free(&s);
    }
}

/* --- refusals --- */

static void test_refusals(void **state)
{
    static const struct {
        const char *lang, *voice, *text, *key, *arg;
        enum err_code code;
    } rows[] = {
        {"ja", "",          "こんにちは", "make.no_voice_for_language", "ja",        ERR_UNSUPPORTED},
        {"xx", "",          "hello",           "make.no_voice_for_language", "xx",        ERR_UNSUPPORTED},
        {"en", "en-nobody", "hello",           "make.unknown_voice",         "en-nobody", ERR_UNSUPPORTED},
        {"zh", "en-tom",    "月亮",          "make.unknown_voice",         "en-tom",    ERR_UNSUPPORTED},
        {"en", "",          "🎉 … !!",     "make.nothing_to_say",        "",          ERR_INPUT      },
        {"en", "",          "北京",          "make.nothing_to_say",        "",          ERR_INPUT      },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spw_file f;
        struct err e = {0};
        assert_false(spw_speak_with(&spw.engine, rows[i].lang, rows[i].voice, 1, rows[i].text, NULL,
                                    &f, &e));
        assert_int_equal(e.code, rows[i].code);
        assert_string_equal(e.user_key, rows[i].key);
        assert_string_equal(e.arg, rows[i].arg);
    }
    struct spw_file f;
    struct err e = {0};
    struct strbuf big = STRBUF(10000);
    while (big.len <= 4000)
        strbuf_adds(&big, "word ");
    assert_false(spw_speak_with(&spw.engine, "en", "", 1, big.text, NULL, &f, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    strbuf_free(&big);
    assert_int_equal(spw.engine.ops->rate(spw.engine.self, "ja", ""), 0);
    assert_true(spw.engine.ops->rate(spw.engine.self, "zh-Hant-TW", "") > 0);
    assert_true(spw.engine.ops->rate(spw.engine.self, "pt", "") > 0);
}

static void test_disk_errors(void **state)
{
    (void)state;
    struct speech_request r = {
        .text = "hello", .lang = "en", .voice = "", .speed = 1, .wav_path = "/nonexistent/x.wav"};
    struct speech_result result = {0};
    struct err e = {0};
    assert_false(spw.engine.ops->speak(spw.engine.self, &r, &result, &e));
    assert_null(result.words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spoken_text),
        cmocka_unit_test(test_events_become_times),
        cmocka_unit_test(test_word_times_match_the_sound),
        cmocka_unit_test(test_mandarin_is_not_spelled),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_disk_errors),
    };
    return cmocka_run_group_tests(tests, spw_open, spw_close);
}
