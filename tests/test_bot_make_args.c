/* The words after /make: what is a setting, what is text, what is a mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bot/make_args.h"
#include "core/base/strbuf.h"

static const struct {
    const char *line, *text, *settings, *error, *why;
} rows[] = {
    {"cats",                                         "cats",                               "",                        NULL,                   "plain"                                     },
    {"  cats and dogs \n",                           "cats and dogs",                      "",                        NULL,                   "trimmed"                                   },
    {"cats 60s 9:16 hd",                             "cats",                               "60s 9:16 hd",             NULL,                   "settings behind"                           },
    {"hd 1:1 cats",                                  "cats",                               "1:1 hd",                  NULL,                   "settings in front"                         },
    {"hd cats 30s",                                  "cats",                               "30s hd",                  NULL,                   "on both sides"                             },
    {"hd cats basic",                                "cats",                               "",                        NULL,                   "the last one counts (basic is the default)"},
    {"cats 30s 20s",                                 "cats",                               "20s",                     NULL,                   "the last of two counts"                    },
    {"I waited 60s for my hd movie today",           "I waited 60s for my hd movie today", "",                        NULL,
     "in the middle of prose nothing counts"                                                                                                                                              },
    {"Note: this is it",                             "Note: this is it",                   "",                        NULL,                   "a colon in prose"                          },
    {"He said note:this and left",                   "He said note:this and left",         "",                        NULL,                   "in the middle"                             },
    {"see http://a.b/c",                             "see http://a.b/c",                   "",                        NULL,                   "an address is no setting"                  },
    {"at 12:30",                                     "at 12:30",                           "",                        NULL,                   "a time of day is no shape"                 },
    {"Ratio 16:9",                                   "Ratio",                              "16:9",                    NULL,                   "a shape at the end counts"                 },
    {"cats voice:mei lang:zh style:neon music:calm", "cats",
     "lang:zh voice:mei style:neon music:calm",                                                                       NULL,                   "named settings"                            },
    {"cats lang:PT-br",                              "cats",                               "lang:pt-br",              NULL,                   "primary language in lower case"            },
    {"cats music:off",                               "cats",                               "music:off",               NULL,                   "no music"                                  },
    {"cats speed:1.2",                               "cats",                               "speed:120",               NULL,                   "a faster voice"                            },
    {"cats speed:0.85",                              "cats",                               "speed:85",                NULL,                   "hundredths"                                },
    {"cats speed:1",                                 "cats",                               "",                        NULL,                   "the voice's own"                           },
    {"cats speed:1.30",                              "cats",                               "speed:130",               NULL,                   "the fastest"                               },
    {"cats speed:1.31",                              NULL,                                 "speed:1.31",              "make.bad_speed",       "too fast"                                  },
    {"cats speed:0.79",                              NULL,                                 "speed:0.79",              "make.bad_speed",       "too slow"                                  },
    {"cats speed:120",                               NULL,                                 "speed:120",               "make.bad_speed",       "no factor"                                 },
    {"cats speed:1.2.3",                             NULL,                                 "speed:1.2.3",             "make.bad_speed",       "no number"                                 },
    {"cats speed:-1",                                NULL,                                 "speed:-1",                "make.bad_speed",       "negative"                                  },
    {"cats speed:1.",                                "cats",                               "",                        NULL,                   "a point too many is read kindly"           },
    {"cats seed:7",                                  "cats",                               "seed:7",                  NULL,                   "a seed"                                    },
    {"60s",                                          "",                                   "60s",                     NULL,                   "only settings"                             },
    {"",                                             "",                                   "",                        NULL,                   "nothing"                                   },
    {" \n\t ",                                       "",                                   "",                        NULL,                   "only white space"                          },
    {"\nhd 60s is text here 30s",                    "hd 60s is text here 30s",            "",                        NULL,
     "an empty first line: all that follows is text"                                                                                                                                      },
    {"hd 20s\nfirst line 30s\nsecond 1:1",           "first line 30s\nsecond 1:1",         "20s hd",                  NULL,
     "a first line of settings: the rest is text"                                                                                                                                         },
    {"first line\nsecond hd",                        "first line\nsecond",                 "hd",                      NULL,                   "typed with a line break"                   },
    {"قطط 60s",                                   "قطط",                             "60s",                     NULL,                   "Arabic text"                               },
    {"猫的故事 hd 9:16",                         "猫的故事",                       "hd",                      NULL,                   "Chinese text"                              },
    {"月亮牵引海水。16:9",                    "月亮牵引海水。",              "16:9",                    NULL,                   "Chinese is typed without blanks"           },
    {"月亮牵引海水？hd 60s",                  "月亮牵引海水？",              "60s hd",                  NULL,
     "the first of several touches the text"                                                                                                                                              },
    {"潮汐　1：1　voice：mei",                 "潮汐",                             "1:1 voice:mei",           NULL,
     "wide blanks and colons of a Chinese keyboard"                                                                                                                                       },
    {"比分是，2：0",                            "比分是，2：0",                  "",                        NULL,                   "a score is no shape"                       },
    {"他说：你好",                              "他说：你好",                    "",                        NULL,                   "a wide colon in prose"                     },
    {"cats voise:x",                                 NULL,                                 "voise:x",                 "make.unknown_setting", "a typing mistake is named"                 },
    {"color:red cats",                               NULL,                                 "color:red",               "make.unknown_setting", "in front too"                              },
    {"script:kids How tides work",                   "How tides work",                     "script:kids",             NULL,                   "how it is told"                            },
    {"How tides work wish:\"more jokes, please\"",   "How tides work",                     "wish:more jokes, please",
     NULL,                                                                                                                                    "a wish of several words"                   },
    {"wish:“更幽默” 潮汐 60s",              "潮汐",                             "60s wish:更幽默",      NULL,                   "other marks, in front"                     },
    {"cats wish:funnier",                            "cats",                               "wish:funnier",            NULL,                   "one word needs no marks"                   },
    {"cats wish:\"no end",                           NULL,                                 "wish",                    "make.bad_value",       "marks that do not close"                   },
    {"I wish: \"peace\" for all",                    "I wish: \"peace\" for all",          "",                        NULL,                   "prose"                                     },
    {"cats script:auto",                             "cats",                               "",                        NULL,                   "as the writer likes, again"                },
    {"cats script:limerick",                         NULL,                                 "limerick",                "make.unknown_script",  "unknown way of telling"                    },
    {"cats style:ugly",                              NULL,                                 "ugly",                    "make.unknown_style",   "unknown style"                             },
    {"cats music:jazz",                              NULL,                                 "jazz",                    "make.unknown_mood",    "unknown mood"                              },
    {"cats lang:12",                                 NULL,                                 "12",                      "make.bad_lang",        "no language code"                          },
    {"cats lang:toolonglanguage-code",               NULL,                                 "toolonglanguage-code",    "make.bad_lang",        "too long"                                  },
    {"cats 4s",                                      NULL,                                 "4s",                      "make.bad_seconds",     "too short"                                 },
    {"cats 181s",                                    NULL,                                 "181s",                    "make.bad_seconds",     "over the limit"                            },
    {"cats 99999s",                                  NULL,                                 "99999s",                  "make.bad_seconds",     "far over the limit"                        },
    {"cats 4:3",                                     NULL,                                 "4:3",                     "make.bad_aspect",      "a shape that is not offered"               },
    {"cats seed:-1",                                 NULL,                                 "seed:-1",                 "make.bad_value",       "a negative seed"                           },
    {"cats HD",                                      "cats",                               "hd",                      NULL,                   "phones write capital letters"              },
    {"cats voice:",                                  "cats voice:",                        "",                        NULL,                   "a key without a value is prose"            },
};

/* The settings that differ from the defaults, in a fixed order. */
static char *describe(const struct story_settings *s)
{
    struct strbuf out = STRBUF(512);
    if (s->seconds)
        strbuf_addf(&out, "%ds ", s->seconds);
    if (s->aspect != ASPECT_9_16)
        strbuf_addf(&out, "%s ", story_aspect_name(s->aspect));
    if (s->tier != TIER_BASIC)
        strbuf_addf(&out, "%s ", story_tier_name(s->tier));
    if (s->lang[0])
        strbuf_addf(&out, "lang:%s ", s->lang);
    if (s->voice[0])
        strbuf_addf(&out, "voice:%s ", s->voice);
    if (s->speed)
        strbuf_addf(&out, "speed:%d ", s->speed);
    if (s->style[0])
        strbuf_addf(&out, "style:%s ", s->style);
    if (s->script[0])
        strbuf_addf(&out, "script:%s ", s->script);
    if (s->wish[0])
        strbuf_addf(&out, "wish:%s ", s->wish);
    if (s->music[0])
        strbuf_addf(&out, "music:%s ", s->music);
    if (s->seed)
        strbuf_addf(&out, "seed:%llu ", (unsigned long long)s->seed);
    if (out.len)
        out.text[--out.len] = '\0';
    return strbuf_take(&out);
}

static void check_good(size_t i, const struct make_args *args)
{
    AUTO(free_ptr) char *settings = describe(&args->settings);
    /* 9:16 is the default shape: named or not, it looks the same. */
    AUTO(free_ptr) char *wanted = str_dup(rows[i].settings);
    char *shape = strstr(wanted, "9:16");
    if (shape && (shape == wanted || shape[-1] == ' '))
        memmove(shape, shape + (shape[4] ? 5 : 4), strlen(shape + (shape[4] ? 5 : 4)) + 1);
    if (strcmp(args->text, rows[i].text) != 0 || strcmp(settings, wanted) != 0)
        fail_msg("%s: \"%s\" gave \"%s\" + \"%s\"", rows[i].why, rows[i].line, args->text,
                 settings);
}

static void test_rows(void **state)
{
    (void)state;
    const struct story_settings defaults = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(make_args_free) struct make_args args = {0};
        struct err e = {0};
        bool ok = make_args_parse(rows[i].line, &defaults, 180, &args, &e);
        if (ok != !rows[i].error)
            fail_msg("%s: \"%s\": %s", rows[i].why, rows[i].line, ok ? "was taken" : e.user_key);
        if (ok) {
            check_good(i, &args);
        } else {
            assert_string_equal(e.user_key, rows[i].error);
            assert_string_equal(e.arg, rows[i].settings);
        }
    }
}

static void test_huge_text(void **state)
{
    (void)state;
    const struct story_settings defaults = {0};
    struct strbuf text = STRBUF(1 << 20);
    struct err e = {0};
    strbuf_adds(&text, "hd ");
    for (int i = 0; i < 20000; i++)
        strbuf_adds(&text, "word ");
    strbuf_adds(&text, "60s");
    AUTO(make_args_free) struct make_args args = {0};
    assert_true(make_args_parse(strbuf_text(&text), &defaults, 180, &args, &e));
    assert_int_equal(args.settings.seconds, 60);
    assert_int_equal(args.settings.tier, TIER_HD);
    assert_int_equal(strlen(args.text), 20000 * 5 - 1);
    strbuf_free(&text);
}

static void test_defaults_stay(void **state)
{
    (void)state;
    struct story_settings saved = {.tier = TIER_PREMIUM, .aspect = ASPECT_1_1, .seconds = 40};
    AUTO(make_args_free) struct make_args args = {0};
    struct err e = {0};
    assert_true(make_args_parse("cats 16:9", &saved, 180, &args, &e));
    assert_int_equal(args.settings.tier, TIER_PREMIUM);
    assert_int_equal(args.settings.aspect, ASPECT_16_9);
    assert_int_equal(args.settings.seconds, 40);
}

static void test_guess_lang(void **state)
{
    (void)state;
    static const struct {
        const char *text, *saved, *ui, *lang, *why;
    } guesses[] = {
        {"How tides work",           "",      "en", "en",    "Latin"                             },
        {"How tides work",           "",      "zh", "en",    "Latin in a Chinese chat"           },
        {"How tides work",           "fr",    "en", "fr",    "the person's language is Latin too"},
        {"How tides work",           "ar",    "en", "en",    "an Arabic voice cannot read Latin" },
        {"潮汐是怎样形成的", "",      "en", "zh",    "Chinese by its script"             },
        {"潮汐是怎样形成的", "zh-TW", "en", "zh-TW", "the person's kind of Chinese"      },
        {"كيف يحدث المد", "en",    "en", "ar",    "Arabic by its script"              },
    };
    for (size_t i = 0; i < COUNT(guesses); i++) {
        char lang[16];
        make_args_guess_lang(guesses[i].text, guesses[i].saved, guesses[i].ui, lang);
        if (strcmp(lang, guesses[i].lang) != 0)
            fail_msg("%s: got %s", guesses[i].why, lang);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_huge_text),
        cmocka_unit_test(test_defaults_stay),
        cmocka_unit_test(test_guess_lang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
