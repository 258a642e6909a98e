/* The service's list of voices, doctor's question, and what the engine is made of. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "tests/azure_world.h"

static void doctor_asks_for_the_voices(void **state)
{
    (void)state;
    azw_restart(FAKE_AZURE_KEY, (struct azure_limits){.check_ms = 1000});
    static const struct {
        const char *fault;
        bool all;
        enum err_code code;
        const char *key, *why;
    } rows[] = {
        {"",                                     true,  ERR_NONE,     "",                     "all there"  },
        {"",                                     false, ERR_CONFIG,   "doctor.azure_voice",   "one is gone"},
        {"\"deprecated\":\"en-US-JennyNeural\"", true,  ERR_CONFIG,   "doctor.azure_voice",
         "one is withdrawn"                                                                                },
        {"\"kind\":\"status\",\"code\":503",     true,  ERR_RETRY,    "doctor.azure_down",    "busy"       },
        {"\"kind\":\"status\",\"code\":401",     true,  ERR_CONFIG,   "doctor.azure_refused", "key"        },
        {"\"kind\":\"html\"",                    true,  ERR_RETRY,    "doctor.azure_down",    "a page"     },
        {"\"kind\":\"hang\"",                    true,  ERR_CONFLICT, "doctor.azure_down",    "no answer"  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        fake_azure_voices(&azw.fake, rows[i].all);
        azw_fault("list", rows[i].fault);
        int64_t begin = clock_mono_ms();
        bool ok = azure_check(&azw.engine, NULL, &e);
        if (ok != (rows[i].code == ERR_NONE) || e.code != rows[i].code ||
            (!ok && strcmp(e.user_key, rows[i].key) != 0))
            fail_msg("%s: %s %s", rows[i].why, err_code_name(e.code), e.detail);
        assert_true(clock_mono_ms() - begin < 5000);
    }
}

/* The list of the service, once it is there, or NULL. */
static const struct speech_voice *listed(const char *name)
{
    int64_t until = clock_mono_ms() + 20000;
    do {
        size_t count;
        const struct speech_voice *v = azw.engine.ops->voices(azw.engine.self, &count);
        for (size_t i = 0; i < count; i++)
            if (strcmp(v[i].name, name) == 0)
                return &v[i];
        cancel_wait(NULL, 5);
    } while (clock_mono_ms() < until);
    return NULL;
}

static void restart_with_list(const char *path)
{
    struct err e = {0};
    struct azure_options o = {
        .net = azw.net, .key = FAKE_AZURE_KEY, .url = azw.fake.url, .list_path = path};
    azw.engine.ops->destroy(azw.engine.self);
    if (!azure_create(&o, &azw.engine, &e))
        fail_msg("%s", e.detail);
}

static void wait_asked(void)
{
    int64_t until = clock_mono_ms() + 20000;
    while (azw_count("lists") == 0 && clock_mono_ms() < until)
        cancel_wait(NULL, 5);
    assert_int_equal(azw_count("lists"), 1);
}

/* Asked for once a day; a voice that only the list knows can be spoken with. */
static void the_list_is_kept_for_a_day(void **state)
{
    (void)state;
    char path[96];
    struct speech_result r = {0};
    struct err e = {0};
    size_t count;
    snprintf(path, sizeof(path), "%s/voices.json", azw.dir);
    fake_azure_do(&azw.fake, "set", "{\"voices\":[\"en-US-GuyNeural\",\"en-US-AriaNeural\"]}");
    restart_with_list(path);
    assert_non_null(listed("en-US-AriaNeural"));
    assert_int_equal(azw.engine.ops->rate(azw.engine.self, "en", "en-US-AriaNeural"), 152);
    azw.engine.ops->voices(azw.engine.self, &count);
    assert_int_equal(count, 2); /* what the region does not have is not offered */
    struct speech_request say = {.text = "Hello there, you two.",
                                 .lang = "en",
                                 .voice = "en-US-AriaNeural",
                                 .speed = 1,
                                 .wav_path = azw.wav};
    assert_true(azw.engine.ops->speak(azw.engine.self, &say, &r, &e));
    free(r.words);
    restart_with_list(path); /* the file is there and fresh */
    assert_non_null(listed("en-US-AriaNeural"));
    assert_int_equal(azw_count("lists"), 1);
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    fake_azure_do(&azw.fake, "set", "{\"voices\":[\"en-US-GuyNeural\",\"en-US-DavisNeural\"]}");
    restart_with_list(path);
    assert_non_null(listed("en-US-DavisNeural"));
    azw_restart(FAKE_AZURE_KEY, (struct azure_limits){0}); /* nobody writes it any more */
    fs_remove(path);
}

/* After a start the list of days ago is there at once: a job may ask for a voice that only it knows,
   and the service may be away. */
static void an_old_list_serves_from_the_start(void **state)
{
    (void)state;
    static const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    static const char list[] =
        "[{\"ShortName\":\"en-US-GuyNeural\",\"Locale\":\"en-US\"},"
        "{\"ShortName\":\"en-US-AriaNeural\",\"Locale\":\"en-US\",\"WordsPerMinute\":\"148\"}]";
    char path[96];
    struct err e = {0};
    size_t count;
    snprintf(path, sizeof(path), "%s/voices.json", azw.dir);
    assert_true(fs_write(path, list, sizeof(list) - 1, &e));
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    azw_fault("list", "\"kind\":\"hang\"");
    restart_with_list(path);
    azw.engine.ops->voices(azw.engine.self, &count);
    assert_int_equal(count, 2);
    assert_int_equal(azw.engine.ops->rate(azw.engine.self, "en", "en-US-AriaNeural"), 148);
    wait_asked(); /* all the same: it is old */
    azw_restart(FAKE_AZURE_KEY, (struct azure_limits){0});
    fs_remove(path);
}

static int rate_of(const char *lang)
{
    return azw.engine.ops->rate(azw.engine.self, lang, "");
}

static void restart_with_rates(const char *path)
{
    struct err e = {0};
    struct azure_options o = {
        .net = azw.net, .key = FAKE_AZURE_KEY, .url = azw.fake.url, .rates_path = path};
    azw.engine.ops->destroy(azw.engine.self);
    if (!azure_create(&o, &azw.engine, &e))
        fail_msg("%s", e.detail);
}

/* What a voice was heard to do counts after a restart too; a damaged or absurd file does not. */
static void measured_rates_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *file, *why;
    } rows[] = {
        {"{\"en-US-JennyNeural\":[1000,1000]}",    "a thousand words a second"},
        {"{\"en-US-JennyNeural\":[0,60000]}",      "nothing in a minute"      },
        {"{\"en-US-JennyNeural\":[-200,-60000]}",  "negative"                 },
        {"{\"en-US-JennyNeural\":[1e300,1e300]}",  "beyond all bounds"        },
        {"{\"en-US-JennyNeural\":[\"200\",null]}", "no numbers"               },
        {"{\"en-US-JennyNeural\":{\"a\":1}}",      "no pair"                  },
        {"[[200,60000]]",                          "another document"         },
        {"{\"en-US-JennyNeural\":[200,6",          "cut"                      },
    };
    char path[96];
    struct err e = {0};
    struct speech_result r = {0};
    snprintf(path, sizeof(path), "%s/rates.json", azw.dir);
    int documented = rate_of("en"), german = rate_of("de");
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(fs_write(path, rows[i].file, strlen(rows[i].file), &e));
        restart_with_rates(path);
        if (rate_of("en") != documented)
            fail_msg("%s: %d", rows[i].why, rate_of("en"));
    }
    restart_with_rates(path);
    for (int i = 0; i < 5; i++) {
        assert_true(azw_speak(azw.wav, azw_story, "en", i % 2 ? 1.0 : 1.25, NULL, &r, &e));
        free(r.words);
    }
    int measured = rate_of("en");
    assert_true(abs(measured - documented) > 10);
    restart_with_rates(path);
    assert_int_equal(rate_of("en"), measured);
    assert_int_equal(rate_of("de"), german);
    azw_restart(FAKE_AZURE_KEY, (struct azure_limits){0});
    assert_int_equal(rate_of("en"), documented);
    fs_remove(path);
}

/* No list, no harm: the voices that we know are there at once, and stay. */
static void without_a_list_ours_remain(void **state)
{
    (void)state;
    static const char *const faults[] = {"\"kind\":\"status\",\"code\":503", "\"kind\":\"html\"",
                                         "\"kind\":\"hang\"", "\"kind\":\"none\""};
    char path[96];
    snprintf(path, sizeof(path), "%s/voices.json", azw.dir);
    fake_azure_do(&azw.fake, "set", "{\"voices\":[]}"); /* the last row: an empty list */
    for (size_t i = 0; i < COUNT(faults); i++) {
        size_t count, known;
        azw_fault("list", faults[i]);
        fake_azure_do(&azw.fake, "set", "{\"lists\":0}");
        restart_with_list(path);
        wait_asked();
        azw.engine.ops->voices(azw.engine.self, &count);
        azure_voices(&known);
        assert_int_equal(count, known);
        assert_false(fs_exists(path));
    }
}

static void settings_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *key, *region, *url;
        bool ok;
        const char *why;
    } rows[] = {
        {"k3y-of-some-length", "westeurope",  "",                   true,  "a region"                     },
        {"k3y-of-some-length", "chinaeast2",  "",                   true,  "a region in China"            },
        {"k3y-of-some-length", "",            "",                   false, "no region, no address"        },
        {"k3y-of-some-length", "a.evil.com/", "",                   false, "a region that leads elsewhere"},
        {"",                   "westeurope",  "",                   false, "no key"                       },
        {"k\r\nX-Evil: 1",     "westeurope",  "",                   false, "a key that is two headers"    },
        {"k3y-of-some-length", "",            "ftp://example.org",  false, "no web address"               },
        {"k3y-of-some-length", "",            "http://example.org", false, "plain to another machine"     },
    };
    static const struct {
        const char *region, *base;
    } bases[] = {
        {"westeurope",    "https://westeurope.tts.speech.microsoft.com"},
        {"chinaeast2",    "https://chinaeast2.tts.speech.azure.cn"     },
        {"usgovvirginia", "https://usgovvirginia.tts.speech.azure.us"  },
    };
    for (size_t i = 0; i < COUNT(bases); i++) {
        char base[AZURE_URL_MAX];
        assert_true(azure_region_base(bases[i].region, base));
        assert_string_equal(base, bases[i].base);
    }
    /* libwebsockets 4.1 keeps certificates for ever when two of its contexts live at once. */
    azw.engine.ops->destroy(azw.engine.self);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        struct speech_engine engine = {0};
        struct azure_options o = {
            .net = azw.net, .key = rows[i].key, .region = rows[i].region, .url = rows[i].url};
        if (azure_create(&o, &engine, &e) != rows[i].ok || (!rows[i].ok && e.code != ERR_CONFIG))
            fail_msg("%s: %s", rows[i].why, e.detail);
        if (engine.ops)
            engine.ops->destroy(engine.self);
    }
    azw_start(FAKE_AZURE_KEY, (struct azure_limits){0});
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, azw_begin, azw_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(doctor_asks_for_the_voices),        CASE(the_list_is_kept_for_a_day),
        CASE(an_old_list_serves_from_the_start), CASE(measured_rates_are_kept),
        CASE(without_a_list_ours_remain),        CASE(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, azw_open, azw_close);
}
