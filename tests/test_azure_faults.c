/* The bad days of the fake service: what is lost, asked again, refused. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "tests/azure_world.h"

/* What the service is known to send instead of good events, and what a network does. */
static const struct {
    const char *fault; /* members of the fault's JSON */
    int turns, rest;
    const char *why;
} bad_days[] = {
    {"\"events\":\"none\"",                                                    1, 0, "no events"                       },
    {"\"events\":\"zero\"",                                                    1, 0, "all events at 0"                 },
    {"\"events\":\"missing\"",                                                 1, 0, "events missing"                  },
    {"\"events\":\"few\"",                                                     1, 0, "most events missing"             },
    {"\"events\":\"paragraph\"",                                               1, 0, "texts of whole paragraphs"       },
    {"\"events\":\"odd\"",                                                     1, 0, "offsets out of all bounds"       },
    {"\"events\":\"early\"",                                                   1, 0, "a time of the end at the start"  },
    {"\"events\":\"entity\"",                                                  1, 0, "pieces of entities"              },
    {"\"events\":\"types\"",                                                   1, 0, "events of other types"           },
    {"\"style\":\"spaced\"",                                                   1, 0, "headers in another case"         },
    {"\"noise\":true",                                                         1, 0, "frames of others and garbage"    },
    {"\"kind\":\"cut\"",                                                       2, 0, "cut before the first frame"      },
    {"\"kind\":\"cut\",\"after\":2",                                           2, 0, "cut in the middle"               },
    {"\"kind\":\"cut\",\"after\":2,\"times\":2",                               2, 1, "cut twice: REST"                 },
    {"\"kind\":\"close\",\"code\":1000,\"reason\":\"\",\"after\":1",           2, 0, "closed before the end"           },
    {"\"kind\":\"close\",\"code\":1011,\"reason\":\"Internal\"",               2, 0, "their bug"                       },
    {"\"kind\":\"close\",\"code\":1007,\"reason\":\"Throttled due to quota\"", 2, 0, "throttled"                       },
    {"\"kind\":\"close\",\"code\":4429,\"reason\":\"throttled: concurrent request "
     "limit\",\"times\":2",                                               2, 1, "throttled twice"                 },
    {"\"kind\":\"silence\"",                                                   2, 0, "silence"                         },
    {"\"kind\":\"empty\"",                                                     2, 0, "a turn without sound"            },
    {"\"kind\":\"short\",\"times\":2",                                         2, 1, "most of the sound is missing"    },
    {"\"kind\":\"hang\"",                                                      2, 0, "no first frame"                  },
    {"\"kind\":\"hang\",\"after\":2",                                          2, 0, "stuck in the middle"             },
    {"\"kind\":\"noend\"",                                                     2, 0, "all the sound, and never the end"},
    {"\"kind\":\"others\"",                                                    2, 0, "busy with other turns only"      },
};

static void bad_days_lose_no_scene(void **state)
{
    (void)state;
    const struct azure_limits hasty = {.first_ms = 700, .between_ms = 700, .backoff_ms = 20};
    for (size_t i = 0; i < COUNT(bad_days); i++) {
        struct err e = {0};
        struct speech_result r;
        azw_reset();
        azw_restart(FAKE_AZURE_KEY, hasty);
        fake_azure_do(&azw.fake, "fault", "{\"where\":\"turn\",%s}", bad_days[i].fault);
        if (!azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e))
            fail_msg("%s: %s", bad_days[i].why, e.detail);
        azw_check(bad_days[i].why, azw_story, &r);
        int turns = azw_count("turns"), rest = azw_count("rest");
        if (r.word_count != AZW_WORDS || turns != bad_days[i].turns || rest != bad_days[i].rest)
            fail_msg("%s: %zu words, %d turns, %d REST", bad_days[i].why, r.word_count, turns,
                     rest);
        /* "Twice" follows the pause after "slowly.": 1,885 ms from the start. */
        if (abs(r.words[5].start_ms - 1885) > 60)
            fail_msg("%s: 'Twice' at %d", bad_days[i].why, r.words[5].start_ms);
        free(r.words);
        azw_no_complaints();
    }
}

/* Refusals: of which class they are, and how often the service is bothered. */
static const struct {
    const char *upgrade, *turn, *rest; /* members of the faults' JSON, "": none */
    enum err_code code;                /* ERR_NONE: REST spoke */
    int upgrades, rest_calls;
    const char *why;
} refusals[] = {
    {"\"kind\":\"status\",\"code\":401",             "",                                                                                     "",                                             ERR_CONFIG, 1, 0, "key"                            },
    {"\"kind\":\"status\",\"code\":403",             "",                                                                                     "",                                             ERR_CONFIG, 1, 0, "region"                         },
    {"",                                             "\"kind\":\"close\",\"code\":1007,\"reason\":\"Quota exceeded.\"",                      "",                                             ERR_CONFIG, 1, 0,
     "quota"                                                                                                                                                                                                                                    },
    {"",                                             "\"kind\":\"close\",\"code\":1007,\"reason\":\"Unsupported voice en-US-JennyNeural.\"", "",
     ERR_CONFIG,                                                                                                                                                                                         1, 0, "voice"                          },
    {"\"kind\":\"status\",\"code\":429,\"times\":2", "",                                                                                     "",                                             ERR_NONE,   2, 1,
     "no connection is to be had"                                                                                                                                                                                                               },
    {"\"kind\":\"status\",\"code\":400",             "",                                                                                     "",                                             ERR_NONE,   1, 1, "no WebSocket through this proxy"},
    {"\"kind\":\"cut\",\"times\":2",                 "",                                                                                     "",                                             ERR_NONE,   2, 1, "cut in the upgrade"             },
    {"\"kind\":\"hang\",\"times\":2",                "",                                                                                     "",                                             ERR_NONE,   2, 1, "upgrade never answered"         },
    {"",                                             "\"kind\":\"cut\",\"times\":2",                                                         "\"kind\":\"status\",\"code\":503",             ERR_NONE,   2, 2,
     "REST works at the second try"                                                                                                                                                                                                             },
    {"",                                             "\"kind\":\"cut\",\"times\":2",                                                         "\"kind\":\"empty\"",                           ERR_NONE,   2, 2, "200 with nothing"               },
    {"",                                             "\"kind\":\"cut\",\"times\":2",                                                         "\"kind\":\"html\"",                            ERR_NONE,   2, 2, "200 with a page"                },
    {"",                                             "\"kind\":\"cut\",\"times\":2",                                                         "\"kind\":\"silence\",\"times\":2",             ERR_RETRY,  2, 2,
     "silence everywhere"                                                                                                                                                                                                                       },
    {"",                                             "\"kind\":\"cut\",\"times\":2",                                                         "\"kind\":\"status\",\"code\":429,\"times\":2", ERR_RETRY,
     2,                                                                                                                                                                                                     2, "all is throttled"               },
    {"",                                             "\"kind\":\"cut\",\"times\":2",                                                         "\"kind\":\"hang\",\"times\":2",                ERR_RETRY,  2, 2,
     "REST hangs"                                                                                                                                                                                                                               },
    {"",                                             "\"kind\":\"cut\",\"times\":2",                                                         "\"kind\":\"status\",\"code\":400",             ERR_CONFIG, 2, 1,
     "text refused"                                                                                                                                                                                                                             },
    {"",                                             "\"kind\":\"cut\",\"times\":2",
     "\"kind\":\"status\",\"code\":429,\"body\":\"Quota exceeded\"",                                                                                                                         ERR_CONFIG, 2, 1,
     "quota over REST"                                                                                                                                                                                                                          },
};

static void refusals_are_classed(void **state)
{
    (void)state;
    const struct azure_limits hasty = {
        .connect_ms = 700, .first_ms = 700, .total_ms = 1, .backoff_ms = 20};
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct err e = {0};
        struct speech_result r;
        azw_reset();
        azw_restart(FAKE_AZURE_KEY, hasty);
        azw_fault("upgrade", refusals[i].upgrade);
        azw_fault("turn", refusals[i].turn);
        azw_fault("rest", refusals[i].rest);
        bool ok = azw_speak(azw.wav, "Hi there.", "en", 1.0, NULL, &r, &e);
        int upgrades = azw_count("upgrades"), rest = azw_count("rest");
        if (ok != (refusals[i].code == ERR_NONE) || (!ok && e.code != refusals[i].code) ||
            upgrades != refusals[i].upgrades || rest != refusals[i].rest_calls)
            fail_msg("%s: %s %s, %d upgrades, %d REST", refusals[i].why, err_code_name(e.code),
                     e.detail, upgrades, rest);
        if (!ok && (fs_exists(azw.wav) || r.words))
            fail_msg("%s: left something behind", refusals[i].why);
        if (!ok && strstr(e.detail, FAKE_AZURE_KEY))
            fail_msg("%s: the key is in the error", refusals[i].why);
        if (ok)
            azw_check(refusals[i].why, "Hi there.", &r);
        free(r.words);
        azw_no_complaints();
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, azw_begin, azw_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bad_days_lose_no_scene),
        CASE(refusals_are_classed),
    };
    return cmocka_run_group_tests(tests, azw_open, azw_close);
}
