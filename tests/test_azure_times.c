/* Word times from what Azure sends, and from the sound where it sends none. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/hash.h"

#define ID "0123456789ABCDEF0123456789ABCDEF"

/* Voice and pauses: "v300 p200 v500", milliseconds. */
static struct utterance sound(const char *plan)
{
    struct utterance u = {.sample_rate = AZURE_RATE, .samples = calloc(AZURE_RATE * 60, 2)};
    for (const char *p = plan; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        size_t n = strtoul(p + 1, NULL, 10) * AZURE_RATE / 1000;
        for (size_t i = 0; i < n; i++, u.count++)
            u.samples[u.count] = (int16_t)(*p == 'v' ? 5000 * ((i & 16) ? 1 : -1) : 0);
    }
    return u;
}

static void check_words(const char *why, const char *text, const struct utterance *u,
                        const struct speech_word *words, size_t count)
{
    size_t reached = 0;
    int last = 0, length = (int)(u->count * 1000 / AZURE_RATE);
    for (size_t i = 0; i < count; i++) {
        const struct speech_word *w = &words[i];
        if (w->at < reached || w->at + w->len > strlen(text) || w->start_ms < last ||
            w->end_ms < w->start_ms || w->end_ms > length + 1)
            fail_msg("%s: word %zu at %zu: %d-%d after %d of %d", why, i, w->at, w->start_ms,
                     w->end_ms, last, length);
        reached = w->at + w->len;
        last = w->start_ms;
    }
}

static void spread_hits_the_pauses(void **state)
{
    (void)state;
    static const char text[] = "Now listen, this is long. Right?";
    AUTO(utterance_free) struct utterance u = sound("v600 p250 v900 p400 v500");
    struct azure_turn none = {0};
    AUTO(spoken_free) struct spoken s;
    AUTO(free_ptr) struct speech_word *words = NULL;
    size_t count;
    struct err e = {0};
    azure_spoken_make(&s, text, "en");
    assert_true(azure_times(&u, &none, &s, text, "en", &words, &count, &e));
    check_words("spread", text, &u, words, count);
    assert_int_equal(count, 6);
    assert_int_equal(words[0].start_ms, 0);
    assert_in_range(words[2].start_ms, 845, 855);   /* "this", behind the first pause */
    assert_in_range(words[5].start_ms, 2145, 2155); /* "Right" */
    assert_in_range(words[1].end_ms, 595, 650);     /* "listen," does not last through the pause */
}

/* A pause in the middle of a phrase, and a comma that is not heard. */
static void spread_survives_odd_pauses(void **state)
{
    (void)state;
    static const char text[] = "One two three four five six, seven eight nine ten. Eleven twelve.";
    AUTO(utterance_free) struct utterance u = sound("v500 p130 v2000 p450 v700");
    AUTO(spoken_free) struct spoken s;
    AUTO(free_ptr) struct speech_word *words = NULL;
    struct azure_turn none = {0};
    size_t count;
    struct err e = {0};
    azure_spoken_make(&s, text, "en");
    assert_true(azure_times(&u, &none, &s, text, "en", &words, &count, &e));
    check_words("odd pauses", text, &u, words, count);
    assert_in_range(words[10].start_ms, 3070, 3090); /* "Eleven" */
}

static void add_event(struct azure_turn *t, const char *word, int ms)
{
    char frame[1024];
    snprintf(frame, sizeof(frame),
             "X-RequestId:" ID "\r\nPath:audio.metadata\r\n\r\n{\"Metadata\":[{\"Type\":"
             "\"WordBoundary\",\"Data\":{\"Offset\":%d0000,"
             "\"text\":{\"Text\":\"%s\"}}}]}",
             ms, word);
    azure_turn_take(t, frame, strlen(frame), true);
}

static const struct {
    const char *text, *lang;
    const char *events; /* milliseconds, word, '|' */
    const char *starts; /* of the words of the text, in order; -1: any */
    const char *why;
} matches[] = {
    {"The cat sat down.",              "en", "0 The|400 cat|900 sat|1500 down|",                   "0 400 900 1500",          "a good day"                           },
    {"The cat sat down.",              "en", "0 The|900 sat|1500 down|",                           "0 -1 900 1500",
     "a word without event"                                                                                                                                          },
    {"the theme is the end",           "en", "0 the|300 theme|700 is|900 the|1200 end|",           "0 300 700 900 1200",
     "a word inside a later word"                                                                                                                                    },
    {"a b c d e f",                    "en", "0 a|1900 b|400 c|600 d|800 e|1000 f|",               "0 -1 400 600 800 1000",
     "one odd offset costs one word"                                                                                                                                 },
    {"It cost 1,250 dollars in 2024.", "en", "0 It|200 cost|500 1,250 dollars|1400 in|1600 2024|",
     "0 200 500 -1 1400 1600",                                                                                                "a number is one event"                },
    {"One day we all go home.",        "en",
     "0 One day we all go home.|300 day|600 we all go home.|800 all|1000 go|1200 home.|",          "0 300 600 800 1000 1200", "the rest of the paragraph in an event"},
    {"Tom & Jerry run.",               "en", "0 Tom|300 and|500 Jerry|1000 run|",                  "0 500 1000",
     "what is said for a sign"                                                                                                                                       },
    {"Tom & Jerry run.",               "en", "0 Tom|300 amp|300 ;|500 Jerry|1000 run|",            "0 500 1000",
     "pieces of entities"                                                                                                                                            },
    {"今天天气很好。",          "zh", "0 今天|500 天气|1000 很|1300 好|",             "0 500 -1",                "Chinese words"                        },
    {"مرحبا يا عالم",       "ar", "0 مرحبا|700 يا|1100 عالم|",               "0 700 1100",              "Arabic"                               },
};

static void words_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(matches); i++) {
        AUTO(utterance_free) struct utterance u = {0}, plan = sound("v2000");
        AUTO(spoken_free) struct spoken s;
        AUTO(free_ptr) struct speech_word *words = NULL;
        struct azure_turn t;
        size_t count;
        struct err e = {0};
        azure_turn_init(&t);
        str_copy(t.id, sizeof(t.id), ID);
        for (const char *p = matches[i].events; *p; p += strcspn(p, "|") + 1) {
            char word[128], *from;
            long ms = strtol(p, &from, 10);
            snprintf(word, sizeof(word), "%.*s", (int)strcspn(from + 1, "|"), from + 1);
            add_event(&t, word, (int)ms);
        }
        strbuf_add(&t.audio, plan.samples, plan.count * 2);
        azure_spoken_make(&s, matches[i].text, matches[i].lang);
        assert_true(azure_sound(&t, 0, &u, &e));
        assert_true(azure_times(&u, &t, &s, matches[i].text, matches[i].lang, &words, &count, &e));
        check_words(matches[i].why, matches[i].text, &u, words, count);
        char *next = NULL;
        const char *p = matches[i].starts;
        for (size_t k = 0; k < count && *p; k++, p = next) {
            long want = strtol(p, &next, 10);
            if (want >= 0 && labs(words[k].start_ms - want) > 1)
                fail_msg("%s: word %zu starts at %d", matches[i].why, k, words[k].start_ms);
        }
        azure_turn_free(&t);
    }
}

static void silence_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *plan;
        int64_t expected;
        bool ok;
        const char *why;
    } rows[] = {
        {"v500",                    0,     true,  "sound"                 },
        {"p900 v500 p2000",         500,   true,  "silence around it goes"},
        {"",                        0,     false, "nothing"               },
        {"p3000",                   0,     false, "silence"               },
        {"p3000 v1 p3000 v1 p1000", 0,     false, "two clicks"            },
        {"v500",                    20000, false, "far too short a sound" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(utterance_free) struct utterance u = {0}, plan = sound(rows[i].plan);
        struct azure_turn t;
        struct err e = {0};
        azure_turn_init(&t);
        strbuf_add(&t.audio, plan.samples, plan.count * 2);
        strbuf_add(&t.audio, "x", 1); /* half a sample */
        if (azure_sound(&t, rows[i].expected, &u, &e) != rows[i].ok)
            fail_msg("%s: %s", rows[i].why, e.detail);
        azure_turn_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spread_hits_the_pauses),
        cmocka_unit_test(spread_survives_odd_pauses),
        cmocka_unit_test(words_are_found),
        cmocka_unit_test(silence_is_refused),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
