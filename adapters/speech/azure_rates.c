/* What was measured of each voice, kept over a restart: {"en-US-JennyNeural": [units, ms], ...}. */
#include "adapters/speech/azure_parts.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"

#define LOG_MODULE "voices"

enum {
    FILE_MAX = 1 << 20,
    SAVE_MS = 10 * 60 * 1000,
    KEPT_MS = 30 * 60 * 1000, /* more speech than this does not weigh more after a restart */
};

static void load_one(struct azure_member *m, const cJSON *entry)
{
    double units = cJSON_GetNumberValue(cJSON_GetArrayItem(entry, 0));
    double ms = cJSON_GetNumberValue(cJSON_GetArrayItem(entry, 1));
    if (!(ms >= 1 && ms < 1e15) || !(units >= 1 && units < 1e15))
        return;
    double rate = units * 60000 / ms;
    if (rate * 2 < m->voice.rate || rate > 2.0 * m->voice.rate)
        return;
    double part = MIN(1.0, KEPT_MS / ms);
    azure_member_spoke(m, (int64_t)(units * part), (int64_t)(ms * part));
}

void azure_rates_load(struct azure_service *s)
{
    AUTO(free_ptr) char *text = NULL;
    AUTO(json_free) cJSON *all = NULL;
    struct azure_roster *r = atomic_load(&s->roster);
    struct err ignored = {0};
    size_t len;
    s->rates_saved = clock_mono_ms();
    if (!s->rates_path[0] || !fs_read(s->rates_path, FILE_MAX, &text, &len, &ignored) ||
        !json_parse(text, len, NULL, &all, &ignored))
        return;
    for (size_t i = 0; i < r->count; i++)
        load_one(&r->members[i], json_array(all, r->members[i].voice.service));
}

void azure_rates_save(struct azure_service *s)
{
    AUTO(json_free) cJSON *all = cJSON_CreateObject();
    struct azure_roster *r = atomic_load(&s->roster);
    struct err e = {0};
    bool any = false;
    if (!s->rates_path[0])
        return;
    for (size_t i = 0; r && i < r->count; i++) {
        const double pair[] = {(double)r->members[i].units, (double)r->members[i].ms};
        if (pair[1] > 0)
            any |= cJSON_AddItemToObject(all, r->members[i].voice.service,
                                         cJSON_CreateDoubleArray(pair, COUNT(pair)));
    }
    char *text = any ? cJSON_PrintUnformatted(all) : NULL;
    if (text && !fs_write(s->rates_path, text, strlen(text), &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
    free(text);
}

void azure_rates_keep(struct azure_service *s)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&s->lock);
    bool due = now - s->rates_saved >= SAVE_MS;
    if (due)
        s->rates_saved = now;
    pthread_mutex_unlock(&s->lock);
    if (due)
        azure_rates_save(s);
}
