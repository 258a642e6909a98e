/* What the engine waits for, and no longer: pauses, services that trickle, fall silent or stall. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/azure_world.h"

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
        CASE(a_refused_key_rests),           CASE(a_trickle_has_an_end),
        CASE(a_mute_connection_is_replaced), CASE(a_tls_stall_has_an_end),
        CASE(a_wanted_pause_is_kept),
    };
    return cmocka_run_group_tests(tests, azw_open, azw_close);
}
