/* The keys of one service: which may be used now. Not for more calls than the service allows: the
 * first that works is always used, the others stand in when it cannot be. */
#define LOG_MODULE "footage"
#include "adapters/footage/stock_parts.h"

#include "core/base/clock.h"
#include "core/base/log.h"

enum {
    REFUSED_REST_MS = 3600000,
    WAIT_MAX_MS = 24 * 3600000,
    LIMITED_MIN_MS = 1000,
    KEY_BYTES_MAX = 200
};

struct key {
    char *text;
    bool refused;
    int64_t rest_until_ms;
    int64_t calls[STOCK_WINDOW_MAX]; /* ring of the times of the last calls */
    size_t next, count;
};

struct stock_keys {
    char *name;
    struct stock_rate rate;
    size_t count;
    int owners;
    pthread_mutex_t lock;
    struct key keys[STOCK_KEYS_MAX]; /* texts are fixed; the rest only with lock held */
};

static bool is_key(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len <= KEY_BYTES_MAX;
}

static bool add_key(struct stock_keys *k, const char *text, size_t len, struct err *e)
{
    while (len > 0 && strchr(" \t\r\n", text[0])) {
        text++;
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    if (len == 0)
        return true; /* "a,,b" and a comma at the end */
    if (!is_key(text, len) || k->count == STOCK_KEYS_MAX)
        return err_set_arg(e, ERR_CONFIG, "start.bad_stock_keys", k->name,
                           "%s: key %zu has impossible characters, or there are over %d keys",
                           k->name, k->count + 1, STOCK_KEYS_MAX);
    char *copy = str_printf("%.*s", (int)len, text);
    for (size_t i = 0; i < k->count; i++)
        if (strcmp(k->keys[i].text, copy) == 0) {
            free(copy);
            return true;
        }
    log_secret(copy);
    k->keys[k->count++].text = copy;
    return true;
}

bool stock_keys_create(const char *name, const char *list, const struct stock_rate *rate,
                       struct stock_keys **ret, struct err *e)
{
    struct stock_keys *k = calloc(1, sizeof(*k));
    if (!k)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory");
    k->name = str_dup(name);
    k->rate = *rate;
    k->owners = 1;
    pthread_mutex_init(&k->lock, NULL);
    bool ok = true;
    for (const char *at = list; ok; at++) {
        size_t len = strcspn(at, ",");
        ok = add_key(k, at, len, e);
        at += len;
        if (*at == '\0')
            break;
    }
    if (ok && k->count == 0)
        ok = err_set_arg(e, ERR_CONFIG, "start.bad_stock_keys", name, "%s: no key in it", name);
    if (ok)
        *ret = k;
    else
        stock_keys_release(k);
    return ok;
}

struct stock_keys *stock_keys_share(struct stock_keys *keys)
{
    pthread_mutex_lock(&keys->lock);
    keys->owners++;
    pthread_mutex_unlock(&keys->lock);
    return keys;
}

void stock_keys_release(struct stock_keys *keys)
{
    if (!keys)
        return;
    pthread_mutex_lock(&keys->lock);
    bool last = --keys->owners == 0;
    pthread_mutex_unlock(&keys->lock);
    if (!last)
        return;
    for (size_t i = 0; i < keys->count; i++)
        free(keys->keys[i].text);
    pthread_mutex_destroy(&keys->lock);
    free(keys->name);
    free(keys);
}

size_t stock_keys_count(const struct stock_keys *keys)
{
    return keys->count;
}

const char *stock_keys_text(const struct stock_keys *keys, size_t index)
{
    return keys->keys[index].text;
}

/* The window slides: the call `rate.calls` ago must be older than the period. */
static bool has_room(const struct stock_keys *k, const struct key *key, int64_t now)
{
    size_t calls = (size_t)MIN(k->rate.calls, STOCK_WINDOW_MAX);
    if (key->count < calls)
        return true;
    size_t oldest = (key->next + STOCK_WINDOW_MAX - calls) % STOCK_WINDOW_MAX;
    return now - key->calls[oldest] >= k->rate.period_ms;
}

int stock_keys_take(struct stock_keys *k, struct err *e)
{
    int64_t now = clock_mono_ms();
    int found = -1;
    size_t refused = 0;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < k->count && found < 0; i++) {
        struct key *key = &k->keys[i];
        bool resting = now < key->rest_until_ms;
        refused += resting && key->refused;
        if (resting || !has_room(k, key, now))
            continue;
        key->refused = false;
        key->calls[key->next] = now;
        key->next = (key->next + 1) % STOCK_WINDOW_MAX;
        key->count = MIN(key->count + 1, (size_t)STOCK_WINDOW_MAX);
        found = (int)i;
    }
    pthread_mutex_unlock(&k->lock);
    if (found < 0 && refused == k->count)
        err_set_arg(e, ERR_CONFIG, "footage.bad_key", k->name, "%s: every key is refused", k->name);
    else if (found < 0)
        err_set_arg(e, ERR_LIMIT, "footage.limit", k->name, "%s: no key has calls left", k->name);
    return found;
}

static void rest(struct stock_keys *k, int index, int64_t ms, bool refused)
{
    struct key *key = &k->keys[index];
    pthread_mutex_lock(&k->lock);
    key->rest_until_ms = MAX(key->rest_until_ms, clock_mono_ms() + MIN(ms, WAIT_MAX_MS));
    key->refused = refused;
    pthread_mutex_unlock(&k->lock);
}

void stock_keys_refused(struct stock_keys *keys, int index)
{
    rest(keys, index, REFUSED_REST_MS, true);
}

void stock_keys_limited(struct stock_keys *keys, int index, int64_t wait_ms)
{
    rest(keys, index, wait_ms < 0 ? keys->rate.limited_ms : MAX(wait_ms, LIMITED_MIN_MS), false);
}

void stock_keys_told(struct stock_keys *keys, int index, int64_t left, int64_t reset_ms)
{
    if (left == 0 && reset_ms > 0)
        rest(keys, index, reset_ms, false);
}
