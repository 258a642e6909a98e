/* Azure's voices: which there are, who is chosen, how fast they speak, what is said to them. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <strings.h>

#include "adapters/speech/azure_parts.h"
#include "adapters/speech/espeak.h"
#include "core/base/hash.h"

static struct azure_roster *roster; /* ours alone */

/* --- what is said --- */

static const struct {
    const char *text, *lang, *said, *why;
} said[] = {
    {"I'm \"here\"",             "en-US", "I'm \"here\"",             "quotes stay: an entity loses the word's event"},
    {"salt & pepper",            "en-US", "salt  and  pepper",        "an ampersand is a word"                       },
    {"AT&T",                     "de-DE", "AT und T",                 "in its language"                              },
    {"a <b> c",                  "en-US", "a  b  c",                  "no markup"                                    },
    {"go \xF0\x9F\x9A\x80 up",   "en-US", "go   up",                  "nobody reads emoji"                           },
    {"*bold* _it_",              "en-US", " bold   it ",              "marks of markdown"                            },
    {"\xD9\x85\xD9\x8E\xD8\xAF", "ar-SA", "\xD9\x85\xD9\x8E\xD8\xAF", "vowel marks stay"                             },
    {"50 % of 3.5",              "en-US", "50 % of 3.5",              "the service reads numbers itself"             },
};

static void markup_is_safe(void **state)
{
    (void)state;
    struct err e = {0};
    for (size_t i = 0; i < COUNT(said); i++) {
        AUTO(spoken_free) struct spoken s;
        azure_spoken_make(&s, said[i].text, said[i].lang);
        if (strcmp(s.text, said[i].said) != 0)
            fail_msg("%s: '%s'", said[i].why, s.text);
    }
    AUTO(spoken_free) struct spoken s;
    AUTO(strbuf_free) struct strbuf out = STRBUF(4096);
    azure_spoken_make(&s, "Hi.", "en");
    const struct azure_member *m = azure_voice_choose(roster, "en", "", &e);
    azure_ssml(&out, &m->voice, &s, 1.04);
    assert_string_equal(out.text,
                        "<speak version=\"1.0\" xmlns=\"http://www.w3.org/2001/10/synthesis\" "
                        "xmlns:mstts=\"http://www.w3.org/2001/mstts\" xml:lang=\"en-US\"><voice "
                        "name=\"en-US-JennyNeural\"><prosody rate=\"+4%\">Hi.</prosody></voice>"
                        "</speak>");
    strbuf_reset(&out);
    azure_ssml(&out, &m->voice, &s, 0.8);
    assert_non_null(strstr(out.text, "rate=\"-20%\""));
    strbuf_reset(&out);
    azure_ssml(&out, &m->voice, &s, 1.3);
    assert_non_null(strstr(out.text, "rate=\"+30%\""));
    strbuf_reset(&out);
    azure_ssml(&out, &m->voice, &s, 1.0);
    assert_null(strstr(out.text, "prosody"));
}

/* --- voices --- */

static void voices_are_curated(void **state)
{
    (void)state;
    static const char *const langs[] = {"en", "zh", "ar", "es", "fr", "de", "pt",
                                        "it", "ru", "uk", "hi", "id", "ja", "ko",
                                        "tr", "pl", "vi", "th", "nl", "fa", "he"};
    struct speech_engine local = {0};
    struct err e = {0};
    size_t count, local_count;
    const struct azure_voice *v = azure_voices(&count);
    struct espeak_options o = {.helper = "/bin/true"}; /* only its list is asked for */
    assert_true(espeak_create_with(&o, &local, &e));
    const struct speech_voice *theirs = local.ops->voices(local.self, &local_count);
    for (size_t i = 0; i < count; i++) {
        assert_true(v[i].rate >= 90 && v[i].rate <= 350);
        assert_true(str_starts(v[i].service, v[i].lang));
        for (size_t k = 0; k < i; k++)
            if (strcasecmp(v[i].name, v[k].name) == 0)
                fail_msg("%s twice", v[i].name);
        for (size_t k = 0; k < local_count; k++)
            if (strcasecmp(v[i].name, theirs[k].name) == 0)
                fail_msg("%s is a local voice, too", v[i].name);
    }
    local.ops->destroy(local.self);
    for (size_t i = 0; i < COUNT(langs); i++) {
        bool female = false, male = false;
        const struct azure_member *first = azure_voice_choose(roster, langs[i], "", &e);
        assert_non_null(first);
        assert_true(azure_voice_is_default(&first->voice));
        for (size_t k = 0; k < count; k++)
            if (strncmp(v[k].lang, langs[i], 2) == 0) {
                female |= v[k].female;
                male |= !v[k].female;
                assert_string_equal(
                    azure_voice_choose(roster, langs[i], v[k].name, &e)->voice.service,
                    v[k].service);
            }
        assert_true(female && male);
    }
}

static const struct {
    const char *lang, *voice, *service, *why;
} choices[] = {
    {"en",      "",        "en-US-JennyNeural",     "a language's first"             },
    {"en-AU",   "",        "en-GB-SoniaNeural",     "the nearer accent"              },
    {"zh-Hant", "",        "zh-TW-HsiaoChenNeural", "traditional script"             },
    {"ar-MA",   "",        "ar-SA-ZariyahNeural",   "an unknown region"              },
    {"pt-PT",   "",        "pt-BR-FranciscaNeural", "those of Portugal send no times"},
    {"en",      "GB-Ryan", "en-GB-RyanNeural",      "letter case does not matter"    },
    {"zh",      "en-guy",  NULL,                    "a voice of another language"    },
    {"en",      "en-tom",  NULL,                    "a voice of another engine"      },
    {"sw",      "",        NULL,                    "no such language"               },
};

static void voices_are_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(choices); i++) {
        struct err e = {0};
        const struct azure_member *v =
            azure_voice_choose(roster, choices[i].lang, choices[i].voice, &e);
        if (v ? !choices[i].service || strcmp(v->voice.service, choices[i].service) != 0
              : choices[i].service != NULL || e.code != ERR_UNSUPPORTED)
            fail_msg("%s: %s", choices[i].why, v ? v->voice.service : e.detail);
    }
}

/* The service's list: what it lacks is gone, what it has besides can be chosen by its own name. */
static void the_list_decides(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"ShortName\":\"en-US-GuyNeural\",\"Locale\":\"en-US\",\"Status\":\"GA\","
        "\"WordsPerMinute\":\"215\"},"
        "{\"ShortName\":\"en-US-JennyNeural\",\"Locale\":\"en-US\",\"Status\":\"Deprecated\"},"
        "{\"ShortName\":\"en-GB-RyanNeural\",\"Locale\":\"en-GB\",\"WordsPerMinute\":\"9000\"},"
        "{\"ShortName\":\"en-US-AriaNeural\",\"Locale\":\"en-US\",\"Gender\":\"Female\","
        "\"LocalName\":\"Aria\",\"WordsPerMinute\":\"148\"},"
        "{\"ShortName\":\"en-US-Ava:DragonHDLatestNeural\",\"Locale\":\"en-US\"},"
        "{\"ShortName\":\"ja-JP-LongNeural\",\"Locale\":\"ja-JP\",\"LocalName\":"
        "\"とてもとてもとても長い名前の声\",\"WordsPerMinute\":\"300\"},"
        "{\"ShortName\":\"en-US-Old\",\"Locale\":\"en-US\"},"
        "{\"ShortName\":\"en-US-Gone2Neural\",\"Locale\":\"en-US\",\"Status\":\"Deprecated\"},"
        "{\"ShortName\":\"sw-KE-RafikiNeural\",\"Locale\":\"sw-KE\",\"Gender\":\"Male\","
        "\"LocalName\":\"Rafiki\",\"WordsPerMinute\":\"120\"},"
        "{\"ShortName\":\"xx-XX-NoRateNeural\",\"Locale\":\"xx-XX\"},"
        "{\"ShortName\":\"fr-FR-\\\"><x>Neural\",\"Locale\":\"fr-FR\"},7,null,{}]";
    static const struct {
        const char *lang, *voice, *service;
        int rate;
        const char *why;
    } rows[] = {
        {"en",    "",                               "en-US-GuyNeural",    215, "the first that is left, at the listed rate"},
        {"en",    "en-jenny",                       NULL,                 0,   "withdrawn"                                 },
        {"en-GB", "",                               "en-GB-RyanNeural",   150, "an impossible rate is not believed"        },
        {"en",    "en-us-arianeural",               "en-US-AriaNeural",   148, "not one of ours"                           },
        {"en",    "en-US-Ava:DragonHDLatestNeural", NULL,                 0,   "sends no word times"                       },
        {"en",    "en-US-Old",                      NULL,                 0,   "of a kind we do not know"                  },
        {"en",    "en-US-Gone2Neural",              NULL,                 0,   "withdrawn, not ours"                       },
        {"sw",    "",                               "sw-KE-RafikiNeural", 120, "a language that we do not curate"          },
        {"xx",    "",                               NULL,                 0,   "no rate: no price, no length"              },
        {"fr",    "",                               NULL,                 0,   "what would break the markup"               },
    };
    struct err e = {0};
    AUTO(json_free) cJSON *list = NULL;
    assert_true(json_parse(text, sizeof(text) - 1, NULL, &list, &e));
    struct azure_roster *r = azure_roster_make(list, NULL);
    assert_non_null(r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct azure_member *m = azure_voice_choose(r, rows[i].lang, rows[i].voice, &e);
        if (m ? !rows[i].service || strcmp(m->voice.service, rows[i].service) != 0 ||
                    azure_member_rate(m) != rows[i].rate
              : rows[i].service != NULL)
            fail_msg("%s: %s", rows[i].why, m ? m->voice.service : e.detail);
    }
    const struct azure_member *m = azure_voice_choose(r, "ja", "ja-JP-LongNeural", &e);
    assert_non_null(m); /* its label is cut between characters */
    assert_string_equal(m->voice.label, "とてもとてもとても長い名前");
    azure_roster_free(r);
    AUTO(json_free) cJSON *empty = cJSON_CreateArray();
    assert_null(azure_roster_make(empty, NULL));
}

static void rates_follow_what_was_spoken(void **state)
{
    (void)state;
    struct err e = {0};
    struct azure_roster *first = azure_roster_make(NULL, NULL);
    struct azure_member *m = azure_voice_choose(first, "de", "", &e);
    int documented = azure_member_rate(m);
    azure_member_spoke(m, 0, 5000);
    azure_member_spoke(m, 10, 0);
    assert_int_equal(azure_member_rate(m), documented);
    azure_member_spoke(m, 200, 60000); /* a minute weighs as much as the document */
    assert_int_equal(azure_member_rate(m), (documented + 200) / 2);
    for (int i = 0; i < 200; i++)
        azure_member_spoke(m, 200, 60000);
    assert_in_range(azure_member_rate(m), 198, 200);
    struct azure_roster *next = azure_roster_make(NULL, first);
    assert_in_range(azure_member_rate(azure_voice_choose(next, "de", "", &e)), 198, 200);
    azure_roster_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_safe),
        cmocka_unit_test(voices_are_curated),
        cmocka_unit_test(voices_are_chosen),
        cmocka_unit_test(the_list_decides),
        cmocka_unit_test(rates_follow_what_was_spoken),
    };
    hash_setup();
    roster = azure_roster_make(NULL, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    azure_roster_free(roster);
    return failed;
}
