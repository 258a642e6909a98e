/* The Azure engine against the fake service: turns, connections, many at once. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/azure_world.h"

static void a_turn_gives_sound_and_times(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    if (!azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e))
        fail_msg("%s", e.detail);
    azw_check("a good day", azw_story, &r);
    assert_int_equal(r.word_count, AZW_WORDS);
    /* "tide": 70 of 80 ms of silence are gone, then "The" (180 ms) and a space (15 ms). */
    assert_in_range(r.words[1].start_ms, 203, 208);
    assert_int_equal(azw_count("turns"), 1);
    assert_int_equal(azw_count("rest"), 0);
    int before = r.duration_ms;
    free(r.words);
    assert_true(azw_speak(azw.wav, azw_story, "en", 1.25, NULL, &r, &e));
    assert_in_range(r.duration_ms, before * 3 / 4, before * 9 / 10);
    free(r.words);
}

static void one_connection_for_all_scenes(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *text;
        size_t words;
    } scenes[] = {
        {"en", "Salt & pepper, isn't it?",                 4},
        {"zh", "今天天气很好，我们去海边。",  0},
        {"ar", "مرحبا بكم في البرنامج.", 4},
        {"de", "Zum Schluss 3,5 % mehr.",                  4},
    };
    for (size_t i = 0; i < COUNT(scenes); i++) {
        struct err e = {0};
        struct speech_result r;
        if (!azw_speak(azw.wav, scenes[i].text, scenes[i].lang, 1.0, NULL, &r, &e))
            fail_msg("%s: %s", scenes[i].lang, e.detail);
        azw_check(scenes[i].lang, scenes[i].text, &r);
        if (scenes[i].words ? r.word_count != scenes[i].words : r.word_count < 4)
            fail_msg("%s: %zu words", scenes[i].lang, r.word_count);
        free(r.words);
    }
    assert_int_equal(azw_count("turns"), 4);
    assert_int_equal(azw_count("upgrades"), 1);
}

/* A kept connection that died meanwhile is no failure. */
static void a_dead_connection_is_replaced(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    for (int i = 0; i < 3; i++) {
        assert_true(azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e));
        free(r.words);
        fake_azure_do(&azw.fake, "hangup", "{}");
    }
    assert_int_equal(azw_count("rest"), 0);
    assert_int_equal(azw_count("upgrades"), 3);
}

static void an_older_address_is_found(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    fake_azure_do(&azw.fake, "set", "{\"newPath\":false}");
    for (int i = 0; i < 2; i++) {
        assert_true(azw_speak(azw.wav, azw_story, "en", 1.0, NULL, &r, &e));
        free(r.words);
    }
    assert_int_equal(azw_count("upgrades"), 2);
    assert_int_equal(azw_count("rest"), 0);
}

static void *fire_soon(void *cancel)
{
    usleep(300000);
    cancel_fire(cancel);
    return NULL;
}

static void cancel_is_obeyed(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    struct cancel c;
    pthread_t thread;
    cancel_init(&c, NULL);
    fake_azure_do(&azw.fake, "fault", "{\"where\":\"turn\",\"kind\":\"hang\",\"times\":5}");
    int64_t begin = clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, fire_soon, &c), 0);
    assert_false(azw_speak(azw.wav, azw_story, "en", 1.0, &c, &r, &e));
    pthread_join(thread, NULL);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(clock_mono_ms() - begin < 3000);
}

struct scene_thread {
    pthread_t thread;
    char wav[128];
    struct speech_result r;
    struct err e;
    bool ok;
};

static void *scene_main(void *arg)
{
    struct scene_thread *s = arg;
    s->ok = azw_speak(s->wav, azw_story, "en", 1.0, NULL, &s->r, &s->e);
    return NULL;
}

/* Each turn on a connection of its own: the fake complains about two at once. */
static void many_at_once(void **state)
{
    (void)state;
    struct scene_thread s[6] = {0};
    fake_azure_do(&azw.fake, "set", "{\"delay\":50}");
    for (size_t i = 0; i < COUNT(s); i++) {
        snprintf(s[i].wav, sizeof(s[i].wav), "%s/%zu.wav", azw.dir, i);
        assert_int_equal(pthread_create(&s[i].thread, NULL, scene_main, &s[i]), 0);
    }
    for (size_t i = 0; i < COUNT(s); i++) {
        pthread_join(s[i].thread, NULL);
        if (!s[i].ok)
            fail_msg("%s", s[i].e.detail);
        assert_int_equal(s[i].r.word_count, AZW_WORDS);
        free(s[i].r.words);
    }
    assert_true(azw_count("upgrades") <= 6);
}

static void bad_requests_never_leave(void **state)
{
    (void)state;
    char big[4100];
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    const struct {
        const char *text, *lang;
        enum err_code code;
    } rows[] = {
        {"Hujambo",              "sw", ERR_UNSUPPORTED},
        {"\xF0\x9F\x9A\x80 !!!", "en", ERR_INPUT      },
        {big,                    "en", ERR_LIMIT      },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        struct speech_result r;
        assert_false(azw_speak(azw.wav, rows[i].text, rows[i].lang, 1.0, NULL, &r, &e));
        assert_int_equal(e.code, rows[i].code);
    }
    assert_int_equal(azw_count("upgrades"), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, azw_begin, azw_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_turn_gives_sound_and_times),
        CASE(one_connection_for_all_scenes),
        CASE(a_dead_connection_is_replaced),
        CASE(an_older_address_is_found),
        CASE(cancel_is_obeyed),
        CASE(many_at_once),
        CASE(bad_requests_never_leave),
    };
    return cmocka_run_group_tests(tests, azw_open, azw_close);
}
