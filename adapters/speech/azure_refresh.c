#include "adapters/speech/azure_parts.h"

#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"

#define LOG_MODULE "voices"

enum {
    DAY_MS = 24 * 3600 * 1000,
    RETRY_MS = 60 * 1000,
    RETRY_MAX_MS = 3600 * 1000,
    FILE_MAX = 4 << 20
};

/* Milliseconds until the file is a day old; 0: it is, or is not there. */
static int64_t fresh_for(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return 0;
    int64_t age = clock_wall_ms() - (int64_t)st.st_mtim.tv_sec * 1000;
    return age >= 0 && age < DAY_MS ? DAY_MS - age : 0;
}

static cJSON *read_file(const char *path)
{
    AUTO(free_ptr) char *text = NULL;
    size_t len;
    cJSON *list = NULL;
    struct err ignored = {0};
    if (!fs_read(path, FILE_MAX, &text, &len, &ignored) ||
        !json_parse(text, len, NULL, &list, &ignored))
        return NULL;
    return list;
}

static void write_file(const char *path, const cJSON *list)
{
    struct err e = {0};
    char *text = cJSON_PrintUnformatted(list);
    if (text && !fs_write(path, text, strlen(text), &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
    free(text);
}

static void hash_list(const cJSON *list, char ret_hex[static HASH_HEX])
{
    struct hash h;
    hash_begin(&h, "azure-voices");
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        hash_text(&h, "name", json_text(item, "ShortName", ""));
        hash_text(&h, "status", json_text(item, "Status", ""));
        hash_text(&h, "rate", json_text(item, "WordsPerMinute", ""));
    }
    hash_end(&h, ret_hex);
}

/* False: nothing in it that we know. One thread at a time: the refresher, or whoever is about to start it. */
static bool adopt(struct azure_service *s, const cJSON *list)
{
    struct azure_roster *now = atomic_load(&s->roster);
    char hex[HASH_HEX];
    if (!cJSON_IsArray(list))
        return false;
    hash_list(list, hex);
    if (strcmp(now->hash, hex) == 0)
        return true;
    struct azure_roster *next = azure_roster_make(list, now);
    if (!next)
        return false;
    str_copy(next->hash, sizeof(next->hash), hex);
    atomic_store(&s->roster, next);
    log_info("%zu voices", next->count);
    return true;
}

/* True when stopped. */
static bool rest(struct azure_service *s, int64_t ms)
{
    struct timespec until = clock_until(ms);
    pthread_mutex_lock(&s->lock);
    while (!cancel_fired(&s->stop) &&
           pthread_cond_clockwait(&s->stopped, &s->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    pthread_mutex_unlock(&s->lock);
    return cancel_fired(&s->stop);
}

/* Asks the service, keeps what it says. */
static bool ask(struct azure_service *s)
{
    AUTO(json_free) cJSON *list = NULL;
    struct err e = {0};
    bool ok = azure_rest_list(s, &s->stop, &list, &e);
    if (ok && !adopt(s, list))
        ok = err_set(&e, ERR_RETRY, "doctor.azure_down", "azure: a list without our voices");
    if (ok)
        write_file(s->list_path, list);
    else if (!cancel_fired(&s->stop))
        log_err(LOG_WARN, LOG_MODULE, &e);
    return ok;
}

static void *refresher_main(void *service)
{
    struct azure_service *s = service;
    int64_t wait = s->list_known ? fresh_for(s->list_path) : 0, pause = RETRY_MS;
    while (!rest(s, wait)) {
        bool ok = ask(s);
        wait = ok ? DAY_MS : pause;
        pause = ok ? RETRY_MS : MIN(pause * 2, (int64_t)RETRY_MAX_MS);
    }
    return NULL;
}

void azure_list_load(struct azure_service *s)
{
    AUTO(json_free) cJSON *list = s->list_path[0] ? read_file(s->list_path) : NULL;
    s->list_known = list && adopt(s, list);
}

bool azure_refresh_start(struct azure_service *s, struct err *e)
{
    if (!s->list_path[0])
        return true;
    if (pthread_create(&s->refresher, NULL, refresher_main, s) != 0)
        return err_set(e, ERR_INTERNAL, "error.internal", "azure: no thread");
    s->refreshing = true;
    return true;
}

void azure_refresh_stop(struct azure_service *s)
{
    if (!s->refreshing)
        return;
    pthread_mutex_lock(&s->lock);
    cancel_fire(&s->stop);
    pthread_cond_broadcast(&s->stopped);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->refresher, NULL);
    s->refreshing = false;
}
