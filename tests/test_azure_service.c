/* The Azure engine against the fake service (tests/fakes/azure.mjs), with the faults of a bad day. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/net/json.h"
#include "tests/fake_azure.h"

static const char story[] = "The tide comes in, slowly. Twice a day the moon pulls the sea.";
enum { STORY_WORDS = 13 };

static struct {
    struct fake_node fake;
    struct net_engine *net;
    struct speech_engine engine;
    char dir[64], wav[96];
} w;

static void engine_start(const char *key, struct azure_limits limits)
{
    struct err e = {0};
    struct azure_options o = {.net = w.net, .key = key, .url = w.fake.url, .limits = limits};
    if (!azure_create(&o, &w.engine, &e))
        fail_msg("%s", e.detail);
}

static int setup(void **state)
{
    (void)state;
    struct err e = {0};
    hash_setup();
    snprintf(w.dir, sizeof(w.dir), "/tmp/azure-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    snprintf(w.wav, sizeof(w.wav), "%s/scene.wav", w.dir);
    fake_azure_start(&w.fake);
    assert_true(net_engine_create(false, &w.net, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_engine_destroy(w.net);
    fake_node_stop(&w.fake);
    fs_remove(w.dir);
    return 0;
}

static void world_reset(void)
{
    fake_azure_do(&w.fake, "set",
                  "{\"faults\":[],\"complaints\":[],\"turns\":[],\"rest\":[],\"upgrades\":0,"
                  "\"newPath\":true,\"delay\":0,\"lists\":0}");
}

static void no_complaints(void)
{
    AUTO(json_free) cJSON *doc = fake_azure_ask(&w.fake, "state", "{}");
    const cJSON *first = cJSON_GetArrayItem(json_array(doc, "complaints"), 0);
    fs_remove(w.wav);
    if (first)
        fail_msg("the fake service complains: %s", first->valuestring);
}

static int each_setup(void **state)
{
    (void)state;
    world_reset();
    engine_start(FAKE_AZURE_KEY, (struct azure_limits){0});
    return 0;
}

static int each_teardown(void **state)
{
    (void)state;
    w.engine.ops->destroy(w.engine.self);
    no_complaints();
    return 0;
}

static void restart(const char *key, struct azure_limits limits)
{
    w.engine.ops->destroy(w.engine.self);
    engine_start(key, limits);
}

static int count_of(const char *name)
{
    AUTO(json_free) cJSON *doc = fake_azure_ask(&w.fake, "state", "{}");
    const cJSON *list = json_array(doc, name);
    return list ? cJSON_GetArraySize(list) : (int)json_int_or(doc, name, -1);
}

static bool speak_to(const char *path, const char *text, const char *lang, double speed,
                     const struct cancel *cancel, struct speech_result *ret, struct err *e)
{
    struct speech_request r = {.text = text,
                               .lang = lang,
                               .voice = "",
                               .speed = speed,
                               .wav_path = path,
                               .cancel = cancel};
    *ret = (struct speech_result){0};
    return w.engine.ops->speak(w.engine.self, &r, ret, e);
}

static void check_result(const char *why, const char *text, const struct speech_result *r)
{
    size_t reached = 0;
    int last = 0;
    if (fs_size(w.wav) != 44 + (int64_t)r->duration_ms * 48 &&
        llabs(fs_size(w.wav) - 44 - (int64_t)r->duration_ms * 48) > 48)
        fail_msg("%s: %lld bytes, %d ms", why, (long long)fs_size(w.wav), r->duration_ms);
    for (size_t i = 0; i < r->word_count; i++) {
        const struct speech_word *word = &r->words[i];
        if (word->at < reached || word->at + word->len > strlen(text) || word->start_ms < last ||
            word->end_ms < word->start_ms || word->end_ms > r->duration_ms + 1)
            fail_msg("%s: word %zu: %d-%d", why, i, word->start_ms, word->end_ms);
        reached = word->at + word->len;
        last = word->start_ms;
    }
}

static void a_turn_gives_sound_and_times(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    if (!speak_to(w.wav, story, "en", 1.0, NULL, &r, &e))
        fail_msg("%s", e.detail);
    check_result("a good day", story, &r);
    assert_int_equal(r.word_count, STORY_WORDS);
    /* "tide": 70 of 80 ms of silence are gone, then "The" (180 ms) and a space (15 ms). */
    assert_in_range(r.words[1].start_ms, 203, 208);
    assert_int_equal(count_of("turns"), 1);
    assert_int_equal(count_of("rest"), 0);
    int before = r.duration_ms;
    free(r.words);
    assert_true(speak_to(w.wav, story, "en", 1.25, NULL, &r, &e));
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
        if (!speak_to(w.wav, scenes[i].text, scenes[i].lang, 1.0, NULL, &r, &e))
            fail_msg("%s: %s", scenes[i].lang, e.detail);
        check_result(scenes[i].lang, scenes[i].text, &r);
        if (scenes[i].words ? r.word_count != scenes[i].words : r.word_count < 4)
            fail_msg("%s: %zu words", scenes[i].lang, r.word_count);
        free(r.words);
    }
    assert_int_equal(count_of("turns"), 4);
    assert_int_equal(count_of("upgrades"), 1);
}

/* A kept connection that died meanwhile is no failure. */
static void a_dead_connection_is_replaced(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    for (int i = 0; i < 3; i++) {
        assert_true(speak_to(w.wav, story, "en", 1.0, NULL, &r, &e));
        free(r.words);
        fake_azure_do(&w.fake, "hangup", "{}");
    }
    assert_int_equal(count_of("rest"), 0);
    assert_int_equal(count_of("upgrades"), 3);
}

/* What the service is known to send instead of good events, and what a network does. */
static const struct {
    const char *fault; /* members of the fault's JSON */
    int turns, rest;
    const char *why;
} bad_days[] = {
    {"\"events\":\"none\"",                                                    1, 0, "no events"                     },
    {"\"events\":\"zero\"",                                                    1, 0, "all events at 0"               },
    {"\"events\":\"missing\"",                                                 1, 0, "events missing"                },
    {"\"events\":\"few\"",                                                     1, 0, "most events missing"           },
    {"\"events\":\"paragraph\"",                                               1, 0, "texts of whole paragraphs"     },
    {"\"events\":\"odd\"",                                                     1, 0, "offsets out of all bounds"     },
    {"\"events\":\"early\"",                                                   1, 0, "a time of the end at the start"},
    {"\"events\":\"entity\"",                                                  1, 0, "pieces of entities"            },
    {"\"events\":\"types\"",                                                   1, 0, "events of other types"         },
    {"\"style\":\"spaced\"",                                                   1, 0, "headers in another case"       },
    {"\"noise\":true",                                                         1, 0, "frames of others and garbage"  },
    {"\"kind\":\"cut\"",                                                       2, 0, "cut before the first frame"    },
    {"\"kind\":\"cut\",\"after\":2",                                           2, 0, "cut in the middle"             },
    {"\"kind\":\"cut\",\"after\":2,\"times\":2",                               2, 1, "cut twice: REST"               },
    {"\"kind\":\"close\",\"code\":1000,\"reason\":\"\",\"after\":1",           2, 0, "closed before the end"         },
    {"\"kind\":\"close\",\"code\":1011,\"reason\":\"Internal\"",               2, 0, "their bug"                     },
    {"\"kind\":\"close\",\"code\":1007,\"reason\":\"Throttled due to quota\"", 2, 0, "throttled"                     },
    {"\"kind\":\"close\",\"code\":4429,\"reason\":\"throttled: concurrent request "
     "limit\",\"times\":2",                                               2, 1, "throttled twice"               },
    {"\"kind\":\"silence\"",                                                   2, 0, "silence"                       },
    {"\"kind\":\"empty\"",                                                     2, 0, "a turn without sound"          },
    {"\"kind\":\"short\",\"times\":2",                                         2, 1, "most of the sound is missing"  },
    {"\"kind\":\"hang\"",                                                      2, 0, "no first frame"                },
    {"\"kind\":\"hang\",\"after\":2",                                          2, 0, "stuck in the middle"           },
    {"\"kind\":\"others\"",                                                    2, 0, "busy with other turns only"    },
};

static void bad_days_lose_no_scene(void **state)
{
    (void)state;
    const struct azure_limits hasty = {.first_ms = 700, .between_ms = 700, .backoff_ms = 20};
    for (size_t i = 0; i < COUNT(bad_days); i++) {
        struct err e = {0};
        struct speech_result r;
        world_reset();
        restart(FAKE_AZURE_KEY, hasty);
        fake_azure_do(&w.fake, "fault", "{\"where\":\"turn\",%s}", bad_days[i].fault);
        if (!speak_to(w.wav, story, "en", 1.0, NULL, &r, &e))
            fail_msg("%s: %s", bad_days[i].why, e.detail);
        check_result(bad_days[i].why, story, &r);
        int turns = count_of("turns"), rest = count_of("rest");
        if (r.word_count != STORY_WORDS || turns != bad_days[i].turns || rest != bad_days[i].rest)
            fail_msg("%s: %zu words, %d turns, %d REST", bad_days[i].why, r.word_count, turns,
                     rest);
        /* "Twice" follows the pause after "slowly.": 1,885 ms from the start. */
        if (abs(r.words[5].start_ms - 1885) > 60)
            fail_msg("%s: 'Twice' at %d", bad_days[i].why, r.words[5].start_ms);
        free(r.words);
        no_complaints();
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

static void add_fault(const char *where, const char *fault)
{
    if (*fault)
        fake_azure_do(&w.fake, "fault", "{\"where\":\"%s\",%s}", where, fault);
}

static void refusals_are_classed(void **state)
{
    (void)state;
    const struct azure_limits hasty = {
        .connect_ms = 700, .first_ms = 700, .total_ms = 1, .backoff_ms = 20};
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct err e = {0};
        struct speech_result r;
        world_reset();
        restart(FAKE_AZURE_KEY, hasty);
        add_fault("upgrade", refusals[i].upgrade);
        add_fault("turn", refusals[i].turn);
        add_fault("rest", refusals[i].rest);
        bool ok = speak_to(w.wav, "Hi there.", "en", 1.0, NULL, &r, &e);
        int upgrades = count_of("upgrades"), rest = count_of("rest");
        if (ok != (refusals[i].code == ERR_NONE) || (!ok && e.code != refusals[i].code) ||
            upgrades != refusals[i].upgrades || rest != refusals[i].rest_calls)
            fail_msg("%s: %s %s, %d upgrades, %d REST", refusals[i].why, err_code_name(e.code),
                     e.detail, upgrades, rest);
        if (!ok && (fs_exists(w.wav) || r.words))
            fail_msg("%s: left something behind", refusals[i].why);
        if (!ok && strstr(e.detail, FAKE_AZURE_KEY))
            fail_msg("%s: the key is in the error", refusals[i].why);
        if (ok)
            check_result(refusals[i].why, "Hi there.", &r);
        free(r.words);
        no_complaints();
    }
}

/* A refused key is not tried again for each scene; a while later it is. */
static void a_refused_key_rests(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    restart("wrongwrongwrong", (struct azure_limits){.rest_ms = 300});
    for (int i = 0; i < 5; i++)
        assert_false(speak_to(w.wav, story, "en", 1.0, NULL, &r, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_int_equal(count_of("upgrades"), 1);
    usleep(350000);
    assert_false(speak_to(w.wav, story, "en", 1.0, NULL, &r, &e));
    assert_int_equal(count_of("upgrades"), 2);
}

static void an_older_address_is_found(void **state)
{
    (void)state;
    struct err e = {0};
    struct speech_result r;
    fake_azure_do(&w.fake, "set", "{\"newPath\":false}");
    for (int i = 0; i < 2; i++) {
        assert_true(speak_to(w.wav, story, "en", 1.0, NULL, &r, &e));
        free(r.words);
    }
    assert_int_equal(count_of("upgrades"), 2);
    assert_int_equal(count_of("rest"), 0);
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
    fake_azure_do(&w.fake, "fault", "{\"where\":\"turn\",\"kind\":\"hang\",\"times\":5}");
    int64_t begin = clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, fire_soon, &c), 0);
    assert_false(speak_to(w.wav, story, "en", 1.0, &c, &r, &e));
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
    s->ok = speak_to(s->wav, story, "en", 1.0, NULL, &s->r, &s->e);
    return NULL;
}

/* Each turn on a connection of its own: the fake complains about two at once. */
static void many_at_once(void **state)
{
    (void)state;
    struct scene_thread s[6] = {0};
    fake_azure_do(&w.fake, "set", "{\"delay\":50}");
    for (size_t i = 0; i < COUNT(s); i++) {
        snprintf(s[i].wav, sizeof(s[i].wav), "%s/%zu.wav", w.dir, i);
        assert_int_equal(pthread_create(&s[i].thread, NULL, scene_main, &s[i]), 0);
    }
    for (size_t i = 0; i < COUNT(s); i++) {
        pthread_join(s[i].thread, NULL);
        if (!s[i].ok)
            fail_msg("%s", s[i].e.detail);
        assert_int_equal(s[i].r.word_count, STORY_WORDS);
        free(s[i].r.words);
    }
    assert_true(count_of("upgrades") <= 6);
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
        assert_false(speak_to(w.wav, rows[i].text, rows[i].lang, 1.0, NULL, &r, &e));
        assert_int_equal(e.code, rows[i].code);
    }
    assert_int_equal(count_of("upgrades"), 0);
}

/* Everything is said to the service, and in the shape that it wants: else the fake complains. */
static void set_list(bool all)
{
    AUTO(strbuf_free) struct strbuf names = STRBUF(8192);
    size_t count;
    const struct azure_voice *v = azure_voices(&count);
    for (size_t i = all ? 0 : 1; i < count; i++)
        strbuf_addf(&names, "%s\"%s\"", names.len ? "," : "", v[i].service);
    fake_azure_do(&w.fake, "set", "{\"voices\":[%s]}", strbuf_text(&names));
}

static void doctor_asks_for_the_voices(void **state)
{
    (void)state;
    restart(FAKE_AZURE_KEY, (struct azure_limits){.check_ms = 1000});
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
        set_list(rows[i].all);
        add_fault("list", rows[i].fault);
        int64_t begin = clock_mono_ms();
        bool ok = azure_check(&w.engine, NULL, &e);
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
        const struct speech_voice *v = w.engine.ops->voices(w.engine.self, &count);
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
        .net = w.net, .key = FAKE_AZURE_KEY, .url = w.fake.url, .list_path = path};
    w.engine.ops->destroy(w.engine.self);
    if (!azure_create(&o, &w.engine, &e))
        fail_msg("%s", e.detail);
}

/* Asked for once a day; a voice that only the list knows can be spoken with. */
static void the_list_is_kept_for_a_day(void **state)
{
    (void)state;
    char path[96];
    struct speech_result r = {0};
    struct err e = {0};
    size_t count;
    snprintf(path, sizeof(path), "%s/voices.json", w.dir);
    fake_azure_do(&w.fake, "set", "{\"voices\":[\"en-US-GuyNeural\",\"en-US-AriaNeural\"]}");
    restart_with_list(path);
    assert_non_null(listed("en-US-AriaNeural"));
    assert_int_equal(w.engine.ops->rate(w.engine.self, "en", "en-US-AriaNeural"), 152);
    w.engine.ops->voices(w.engine.self, &count);
    assert_int_equal(count, 2); /* what the region does not have is not offered */
    struct speech_request say = {.text = "Hello there, you two.",
                                 .lang = "en",
                                 .voice = "en-US-AriaNeural",
                                 .speed = 1,
                                 .wav_path = w.wav};
    assert_true(w.engine.ops->speak(w.engine.self, &say, &r, &e));
    free(r.words);
    restart_with_list(path); /* the file is there and fresh */
    assert_non_null(listed("en-US-AriaNeural"));
    assert_int_equal(count_of("lists"), 1);
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    fake_azure_do(&w.fake, "set", "{\"voices\":[\"en-US-GuyNeural\",\"en-US-DavisNeural\"]}");
    restart_with_list(path);
    assert_non_null(listed("en-US-DavisNeural"));
    fs_remove(path);
}

/* No list, no harm: the voices that we know are there at once, and stay. */
static void without_a_list_ours_remain(void **state)
{
    (void)state;
    static const char *const faults[] = {"\"kind\":\"status\",\"code\":503", "\"kind\":\"html\"",
                                         "\"kind\":\"hang\"", "\"kind\":\"none\""};
    char path[96];
    snprintf(path, sizeof(path), "%s/voices.json", w.dir);
    fake_azure_do(&w.fake, "set", "{\"voices\":[]}"); /* the last row: an empty list */
    for (size_t i = 0; i < COUNT(faults); i++) {
        size_t count, known;
        add_fault("list", faults[i]);
        fake_azure_do(&w.fake, "set", "{\"lists\":0}");
        restart_with_list(path);
        while (count_of("lists") == 0)
            cancel_wait(NULL, 5);
        w.engine.ops->voices(w.engine.self, &count);
        azure_voices(&known);
        assert_int_equal(count, known);
        assert_false(fs_exists(path));
    }
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
        world_reset();
        restart(FAKE_AZURE_KEY, (struct azure_limits){.backoff_ms = 1});
        add_fault("upgrade", "\"kind\":\"status\",\"code\":503,\"times\":99");
        snprintf(fault, sizeof(fault), "\"kind\":\"status\",\"code\":429,\"retryAfter\":\"%s\"",
                 rows[i].wait);
        add_fault("rest", fault);
        int64_t begin = clock_mono_ms();
        bool ok = speak_to(w.wav, story, "en", 1.0, NULL, &r, &e);
        int64_t took = clock_mono_ms() - begin;
        free(r.words);
        if (ok != rows[i].ok || count_of("rest") != rows[i].asked || (!ok && e.code != ERR_RETRY) ||
            (ok && took < 1000) || took > 20000)
            fail_msg("%s: %s after %d ms", rows[i].why, e.detail, (int)took);
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
    /* libwebsockets 4.1 keeps certificates for ever when two of its contexts live at once. */
    w.engine.ops->destroy(w.engine.self);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        struct speech_engine engine = {0};
        struct azure_options o = {
            .net = w.net, .key = rows[i].key, .region = rows[i].region, .url = rows[i].url};
        if (azure_create(&o, &engine, &e) != rows[i].ok || (!rows[i].ok && e.code != ERR_CONFIG))
            fail_msg("%s: %s", rows[i].why, e.detail);
        if (engine.ops)
            engine.ops->destroy(engine.self);
    }
    engine_start(FAKE_AZURE_KEY, (struct azure_limits){0});
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_turn_gives_sound_and_times),
        CASE(one_connection_for_all_scenes),
        CASE(a_dead_connection_is_replaced),
        CASE(bad_days_lose_no_scene),
        CASE(refusals_are_classed),
        CASE(a_refused_key_rests),
        CASE(an_older_address_is_found),
        CASE(cancel_is_obeyed),
        CASE(many_at_once),
        CASE(bad_requests_never_leave),
        CASE(doctor_asks_for_the_voices),
        CASE(the_list_is_kept_for_a_day),
        CASE(without_a_list_ours_remain),
        CASE(a_wanted_pause_is_kept),
        CASE(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
