#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/azure_world.h"

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/net/json.h"

const char azw_story[] = "The tide comes in, slowly. Twice a day the moon pulls the sea.";
struct azure_world azw;

void azw_start(const char *key, struct azure_limits limits)
{
    struct err e = {0};
    struct azure_options o = {.net = azw.net, .key = key, .url = azw.fake.url, .limits = limits};
    if (!azure_create(&o, &azw.engine, &e))
        fail_msg("%s", e.detail);
}

int azw_open(void **state)
{
    (void)state;
    struct err e = {0};
    hash_setup();
    snprintf(azw.dir, sizeof(azw.dir), "/tmp/azure-XXXXXX");
    assert_non_null(mkdtemp(azw.dir));
    snprintf(azw.wav, sizeof(azw.wav), "%s/scene.wav", azw.dir);
    fake_azure_start(&azw.fake);
    assert_true(net_engine_create(false, &azw.net, &e));
    return 0;
}

int azw_close(void **state)
{
    (void)state;
    net_engine_destroy(azw.net);
    fake_node_stop(&azw.fake);
    fs_remove(azw.dir);
    return 0;
}

void azw_reset(void)
{
    fake_azure_do(&azw.fake, "set",
                  "{\"faults\":[],\"complaints\":[],\"turns\":[],\"rest\":[],\"upgrades\":0,"
                  "\"newPath\":true,\"delay\":0,\"lists\":0}");
}

void azw_no_complaints(void)
{
    AUTO(json_free) cJSON *doc = fake_azure_ask(&azw.fake, "state", "{}");
    const cJSON *first = cJSON_GetArrayItem(json_array(doc, "complaints"), 0);
    fs_remove(azw.wav);
    if (first)
        fail_msg("the fake service complains: %s", first->valuestring);
}

int azw_begin(void **state)
{
    (void)state;
    azw_reset();
    azw_start(FAKE_AZURE_KEY, (struct azure_limits){0});
    return 0;
}

int azw_end(void **state)
{
    (void)state;
    azw.engine.ops->destroy(azw.engine.self);
    azw_no_complaints();
    return 0;
}

void azw_restart(const char *key, struct azure_limits limits)
{
    azw.engine.ops->destroy(azw.engine.self);
    azw_start(key, limits);
}

int azw_count(const char *name)
{
    AUTO(json_free) cJSON *doc = fake_azure_ask(&azw.fake, "state", "{}");
    const cJSON *list = json_array(doc, name);
    return list ? cJSON_GetArraySize(list) : (int)json_int_or(doc, name, -1);
}

bool azw_speak(const char *path, const char *text, const char *lang, double speed,
               const struct cancel *cancel, struct speech_result *ret, struct err *e)
{
    struct speech_request r = {.text = text,
                               .lang = lang,
                               .voice = "",
                               .speed = speed,
                               .wav_path = path,
                               .cancel = cancel};
    *ret = (struct speech_result){0};
    return azw.engine.ops->speak(azw.engine.self, &r, ret, e);
}

void azw_check(const char *why, const char *text, const struct speech_result *r)
{
    size_t reached = 0;
    int last = 0;
    if (fs_size(azw.wav) != 44 + (int64_t)r->duration_ms * 48 &&
        llabs(fs_size(azw.wav) - 44 - (int64_t)r->duration_ms * 48) > 48)
        fail_msg("%s: %lld bytes, %d ms", why, (long long)fs_size(azw.wav), r->duration_ms);
    for (size_t i = 0; i < r->word_count; i++) {
        const struct speech_word *word = &r->words[i];
        if (word->at < reached || word->at + word->len > strlen(text) || word->start_ms < last ||
            word->end_ms < word->start_ms || word->end_ms > r->duration_ms + 1)
            fail_msg("%s: word %zu: %d-%d", why, i, word->start_ms, word->end_ms);
        reached = word->at + word->len;
        last = word->start_ms;
    }
}

void azw_fault(const char *where, const char *fault)
{
    if (*fault)
        fake_azure_do(&azw.fake, "fault", "{\"where\":\"%s\",%s}", where, fault);
}
