/* The bad days of the fake service: what is lost, asked again, refused. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
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

/* A refused key is not tried again for each scene; a while later it is. */
static void a_refused_key_rests(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    azw_restart("wrongwrongwrong", (struct azure_limits){.rest_ms = 300});
    for (int i = 0; i < 5; i++)
        assert_false(azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_int_equal(azw_count("upgrades"), 1);
    usleep(350000);
    assert_false(azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e));
    assert_int_equal(azw_count("upgrades"), 2);
}

/* A service that is always about to answer is given up all the same. */
static void a_trickle_has_an_end(void **state)
{
    (void)state;
    static const struct {
        const char *turn, *rest;
        int turns, rest_calls;
        const char *why;
    } rows[] = {
        {"\"kind\":\"trickle\"",         "",                     2, 0, "a turn of single samples"},
        {"\"kind\":\"cut\",\"times\":2", "\"kind\":\"trickle\"", 2, 2,
         "a REST body of single samples"                                                         },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        struct speech_result r;
        azw_reset();
        azw_restart(FAKE_AZURE_KEY, (struct azure_limits){.total_ms = 300, .backoff_ms = 20});
        azw_fault("turn", rows[i].turn);
        azw_fault("rest", rows[i].rest);
        int64_t begin = clock_mono_ms();
        if (!azw_speak(azw.wav, "Hi there.", "en", 1.0, NULL, &r, &e))
            fail_msg("%s: %s", rows[i].why, e.detail);
        free(r.words);
        if (azw_count("turns") != rows[i].turns || azw_count("rest") != rows[i].rest_calls ||
            clock_mono_ms() - begin > 15000)
            fail_msg("%s: %d ms", rows[i].why, (int)(clock_mono_ms() - begin));
    }
}

/* A kept connection whose other end is gone without a word. */
static void a_mute_connection_is_replaced(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    azw_restart(FAKE_AZURE_KEY, (struct azure_limits){.first_ms = 500, .backoff_ms = 20});
    assert_true(azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e));
    free(r.words);
    azw_fault("turn", "\"kind\":\"hang\"");
    assert_true(azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e));
    free(r.words);
    assert_int_equal(azw_count("upgrades"), 2);
    assert_int_equal(azw_count("rest"), 0);
}

/* A connection is taken and TLS never answered: neither way waits for ever. */
static void a_tls_stall_has_an_end(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char url[64];
    struct err e = {0};
    struct speech_result r;
    assert_int_equal(bind(mute, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(mute, 16), 0);
    assert_int_equal(getsockname(mute, (struct sockaddr *)&at, &len), 0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d", ntohs(at.sin_port));
    struct azure_options o = {
        .net = azw.net,
        .key = FAKE_AZURE_KEY,
        .url = url,
        .limits = {.connect_ms = 300, .backoff_ms = 20}
    };
    /* libwebsockets 4.1 keeps certificates for ever when two of its contexts live at once. */
    azw.engine.ops->destroy(azw.engine.self);
    assert_true(azure_create(&o, &azw.engine, &e));
    int64_t begin = clock_mono_ms();
    assert_false(azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e));
    if (e.code != ERR_RETRY || clock_mono_ms() - begin > 10000)
        fail_msg("%s after %d ms", e.detail, (int)(clock_mono_ms() - begin));
    close(mute);
}

/* REST that asks for a pause gets it; one that asks for a long one is given up for the next engine. */
static void a_wanted_pause_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *wait;
        bool ok;
        int asked;
        const char *why;
    } rows[] = {
        {"1",    true,  2, "one second"},
        {"3600", false, 1, "an hour"   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct speech_result r = {0};
        struct err e = {0};
        char fault[96];
        azw_reset();
        azw_restart(FAKE_AZURE_KEY, (struct azure_limits){.backoff_ms = 1});
        azw_fault("upgrade", "\"kind\":\"status\",\"code\":503,\"times\":99");
        snprintf(fault, sizeof(fault), "\"kind\":\"status\",\"code\":429,\"retryAfter\":\"%s\"",
                 rows[i].wait);
        azw_fault("rest", fault);
        int64_t begin = clock_mono_ms();
        bool ok = azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e);
        int64_t took = clock_mono_ms() - begin;
        free(r.words);
        if (ok != rows[i].ok || azw_count("rest") != rows[i].asked ||
            (!ok && e.code != ERR_RETRY) || (ok && took < 1000) || took > 20000)
            fail_msg("%s: %s after %d ms", rows[i].why, e.detail, (int)took);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, azw_begin, azw_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bad_days_lose_no_scene), CASE(refusals_are_classed),
        CASE(a_trickle_has_an_end),   CASE(a_mute_connection_is_replaced),
        CASE(a_tls_stall_has_an_end), CASE(a_refused_key_rests),
        CASE(a_wanted_pause_is_kept),
    };
    return cmocka_run_group_tests(tests, azw_open, azw_close);
}
