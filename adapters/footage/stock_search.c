/* One search: kept replies, keys, retries. URL and headers carry keys: they are built here and
 * leave this file for core/net only. */
#define LOG_MODULE "footage"
#include "adapters/footage/stock_parts.h"

#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"

enum {
    SEARCH_MS = 30000,
    CONNECT_MS = 5000,
    TRIES = 3,
    SLOW_MS = 8000, /* a try that took so long is not made again */
    REST_MS = 60000,
    REPLY_MAX = 4 << 20,
    KEPT_MS = 24 * 3600000,
    WAKE_MS = 100,
};

/* --- kept replies --- */

static bool kept_path(const struct stock *s, const struct stock_search *search,
                      char ret_path[static FOOTAGE_PATH_MAX], struct err *e)
{
    struct hash h;
    char key[HASH_HEX];
    hash_begin(&h, "stock reply 1");
    hash_text(&h, "service", s->service->name);
    hash_text(&h, "base", s->base);
    hash_text(&h, "term", search->term);
    if (search->locale[0])
        hash_text(&h, "locale", search->locale);
    hash_int(&h, "shape", s->service->by_shape ? (int64_t)search->shape : 0);
    hash_end(&h, key);
    return s->place(s->ctx, key, "json", ret_path, e);
}

static bool read_kept(const struct stock *s, const struct stock_search *search, const char *path,
                      struct stock_page *ret)
{
    AUTO(free_ptr) char *text = NULL;
    struct err e = {0};
    struct stat st;
    size_t len = 0;
    if (stat(path, &st) != 0)
        return false;
    int64_t age = clock_wall_ms() - (int64_t)st.st_mtime * 1000;
    if (age < -KEPT_MS || age >= KEPT_MS || !fs_read(path, REPLY_MAX, &text, &len, &e))
        return false;
    if (stock_parse(s->service, text, len, search, ret, &e))
        return true;
    stock_page_free(ret);
    return false;
}

static void keep(const char *path, const struct net_reply *reply)
{
    struct err e = {0};
    if (!fs_write(path, reply->body, reply->len, &e))
        log_err(LOG_DEBUG, LOG_MODULE, &e);
}

/* --- one call --- */

static char *make_url(const struct stock *s, const struct stock_search *search, const char *key,
                      bool toggled)
{
    struct strbuf url = STRBUF(8192);
    const char *prefix = s->service->prefix;
    size_t len = strlen(s->base);
    bool has = str_ends(s->base, prefix);
    if (has && toggled)
        len -= strlen(prefix);
    strbuf_add(&url, s->base, len);
    if (!has && !toggled)
        strbuf_adds(&url, prefix);
    s->service->put_query(&url, search, key);
    return strbuf_take(&url);
}

/* What a reply says about the calls that are left. */
static void read_limits(struct stock *s, int key, const struct net_reply *reply)
{
    int64_t left, reset;
    if (!str_to_int(net_reply_header(reply, "x-ratelimit-remaining"), 0, INT32_MAX, &left) ||
        !str_to_int(net_reply_header(reply, "x-ratelimit-reset"), 0, INT64_MAX / 2000, &reset))
        return;
    int64_t ms = reset * 1000 - (s->service->reset_is_time ? clock_wall_ms() : 0);
    stock_keys_told(s->keys, key, left, ms);
}

static enum stock_answer call_once(struct stock *s, const struct stock_search *search,
                                   const char *key, bool toggled, int total_ms,
                                   struct net_reply *ret_reply, const struct cancel *cancel,
                                   struct err *e)
{
    AUTO(free_ptr) char *url = make_url(s, search, key, toggled);
    AUTO(free_ptr)
    char *header = str_printf("%s%s", s->service->key_header ? s->service->key_header : "Accept: ",
                              s->service->key_header ? key : "application/json");
    const char *headers[] = {header};
    char log_name[64];
    if (!url) {
        err_set(e, ERR_INTERNAL, "error.internal", "%s: address too long", s->service->name);
        return STOCK_BAD_REQUEST;
    }
    snprintf(log_name, sizeof(log_name), "%s search", s->service->name);
    struct net_request request = {.log_name = log_name,
                                  .url = url,
                                  .headers = headers,
                                  .header_count = 1,
                                  .reply_max = REPLY_MAX,
                                  .connect_ms = MIN(CONNECT_MS, total_ms),
                                  .total_ms = total_ms,
                                  .cancel = cancel};
    if (net_call(s->net, &request, ret_reply, e))
        return s->service->classify(ret_reply);
    bool again = net_should_retry(ret_reply);
    return again ? STOCK_RETRY : STOCK_BAD_REQUEST;
}

enum stock_answer stock_call(struct stock *s, const struct stock_search *search, const char *key,
                             int total_ms, struct net_reply *ret_reply, const struct cancel *cancel,
                             struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool toggled = s->prefix_toggled;
    pthread_mutex_unlock(&s->lock);
    enum stock_answer answer = call_once(s, search, key, toggled, total_ms, ret_reply, cancel, e);
    if (answer != STOCK_NO_SUCH_PATH)
        return answer;
    /* A base with or without "/v1": the other form, and it stays if that one exists. */
    net_reply_free(ret_reply);
    *ret_reply = (struct net_reply){0};
    answer = call_once(s, search, key, !toggled, total_ms, ret_reply, cancel, e);
    if (answer == STOCK_OK) {
        pthread_mutex_lock(&s->lock);
        s->prefix_toggled = !toggled;
        pthread_mutex_unlock(&s->lock);
    }
    return answer;
}

/* --- until one answers --- */

struct attempt {
    struct stock *s;
    const struct stock_search *search;
    const char *path; /* of the kept reply */
    const struct cancel *cancel;
    int tries;
};

static bool service_down(const struct attempt *a, int status, struct err *e)
{
    /* What core/net says is more than the bare fact. */
    char why[sizeof(e->detail)];
    str_copy(why, sizeof(why), status ? "" : e->detail);
    return err_set_arg(e, ERR_RETRY, "footage.service_down", a->s->service->title,
                       "%s: no usable answer (%d) %s", a->s->service->name, status, why);
}

/* Worth another try after a pause? */
static bool try_again(struct attempt *a, int64_t began_ms)
{
    a->tries++;
    return a->tries < TRIES && clock_mono_ms() - began_ms < SLOW_MS &&
           !cancel_wait(a->cancel, net_backoff_ms(a->tries - 1));
}

static void tell_refused(const struct attempt *a, int key, int status)
{
    struct err e = {0};
    err_set_arg(&e, ERR_CONFIG, "footage.bad_key", a->s->service->title,
                "%s: key %d of %zu was refused (%d)", a->s->service->name, key + 1,
                stock_keys_count(a->s->keys), status);
    log_err(LOG_ERROR, LOG_MODULE, &e);
}

enum step { STEP_DONE, STEP_NEXT_KEY, STEP_AGAIN, STEP_FAILED };

static enum step step(struct attempt *a, int key, struct stock_page *ret, struct err *e)
{
    AUTO(net_reply_free) struct net_reply reply = {0};
    struct stock *s = a->s;
    enum stock_answer answer = stock_call(s, a->search, stock_keys_text(s->keys, (size_t)key),
                                          SEARCH_MS, &reply, a->cancel, e);
    if (cancel_fired(a->cancel)) {
        err_set(e, ERR_CANCELLED, "make.cancelled", "%s: stopped", s->service->name);
        return STEP_FAILED;
    }
    if (reply.outcome == NET_REPLY)
        read_limits(s, key, &reply);
    switch (answer) {
    case STOCK_OK:
        if (stock_parse(s->service, reply.body, reply.len, a->search, ret, e)) {
            keep(a->path, &reply);
            return STEP_DONE;
        }
        stock_page_free(ret); /* a proxy's page, or cut short */
        service_down(a, reply.status, e);
        return STEP_AGAIN;
    case STOCK_BAD_KEY:
        stock_keys_refused(s->keys, key);
        tell_refused(a, key, reply.status);
        return STEP_NEXT_KEY;
    case STOCK_LIMITED:
        stock_keys_limited(s->keys, key, reply.retry_after_ms);
        log_warn("%s: key %d has no calls left", s->service->name, key + 1);
        return STEP_NEXT_KEY;
    case STOCK_BAD_REQUEST:
        if (reply.outcome == NET_REPLY && reply.status < 500) {
            log_warn("%s: refused a search (%d)", s->service->name, reply.status);
            return STEP_DONE;
        }
        service_down(a, reply.status, e);
        return STEP_FAILED;
    case STOCK_NO_SUCH_PATH:
        service_down(a, reply.status, e);
        return STEP_FAILED;
    case STOCK_RETRY:
        break;
    }
    service_down(a, reply.status, e);
    return STEP_AGAIN;
}

static bool ask(struct attempt *a, struct stock_page *ret, struct err *e)
{
    for (int i = 0; i < STOCK_KEYS_MAX + TRIES; i++) {
        int64_t began = clock_mono_ms();
        int key = stock_keys_take(a->s->keys, e);
        if (key < 0)
            return false;
        switch (step(a, key, ret, e)) {
        case STEP_DONE:
            return true;
        case STEP_NEXT_KEY:
            continue;
        case STEP_AGAIN:
            if (!try_again(a, began))
                return false;
            continue;
        case STEP_FAILED:
            return false;
        }
    }
    return service_down(a, 0, e);
}

/* --- the same question by several scenes at once --- */

static char *find_asked(struct stock *s, const char *path)
{
    for (size_t i = 0; i < ASKED_MAX; i++)
        if (strcmp(s->asked[i], path) == 0)
            return s->asked[i];
    return NULL;
}

/* Waits while another scene asks this. *ret_place: noted as ours; NULL: no room, ask unnoted. False:
   somebody has asked meanwhile, or stopped. */
static bool begin_asking(struct stock *s, const char *path, const struct cancel *cancel,
                         char **ret_place)
{
    bool waited = false;
    pthread_mutex_lock(&s->lock);
    while (find_asked(s, path) && !cancel_fired(cancel)) {
        struct timespec until = clock_until(WAKE_MS);
        pthread_cond_timedwait(&s->answered, &s->lock, &until);
        waited = true;
    }
    *ret_place = waited ? NULL : find_asked(s, "");
    if (*ret_place)
        str_copy(*ret_place, FOOTAGE_PATH_MAX, path);
    pthread_mutex_unlock(&s->lock);
    return !waited;
}

static void end_asking(struct stock *s, char *place)
{
    pthread_mutex_lock(&s->lock);
    if (place)
        place[0] = '\0';
    pthread_cond_broadcast(&s->answered);
    pthread_mutex_unlock(&s->lock);
}

static bool ask_or_rest(struct attempt *a, struct stock_page *ret, struct err *e)
{
    struct stock *s = a->s;
    if (ask(a, ret, e))
        return true;
    if (e->code != ERR_CANCELLED) {
        pthread_mutex_lock(&s->lock);
        s->rest_until_ms = clock_mono_ms() + REST_MS;
        pthread_mutex_unlock(&s->lock);
    }
    return false;
}

bool stock_search_page(struct stock *s, const struct stock_search *search, bool may_call,
                       struct stock_page *ret, bool *ret_called, const struct cancel *cancel,
                       struct err *e)
{
    char path[FOOTAGE_PATH_MAX];
    char *place = NULL;
    *ret = (struct stock_page){0};
    *ret_called = false;
    if (!kept_path(s, search, path, e))
        return false;
    if (read_kept(s, search, path, ret) ||
        (!begin_asking(s, path, cancel, &place) && read_kept(s, search, path, ret)))
        return true;
    pthread_mutex_lock(&s->lock);
    bool resting = clock_mono_ms() < s->rest_until_ms;
    pthread_mutex_unlock(&s->lock);
    struct attempt a = {.s = s, .search = search, .path = path, .cancel = cancel};
    *ret_called = may_call && !resting;
    bool ok = !*ret_called || ask_or_rest(&a, ret, e);
    end_asking(s, place);
    return ok;
}
