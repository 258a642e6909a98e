#include "adapters/writer/moderation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

#define LOG_MODULE "moderation"

enum {
    TEXT_MAX = 30000, /* bytes that are judged */
    TOTAL_MS = 5000,  /* somebody pressed Go and waits */
    REPLY_MAX = 1 << 20,
    REST_MS = 60000,
    PASSED_MAX = 256,
    PASSED_MS = 3600 * 1000,
};

struct moderation {
    struct net_engine *net;
    char *url, *auth;
    _Atomic int64_t rest_until_ms;
    pthread_mutex_t lock;
    /* --- below: only with lock held --- */
    struct passed {
        char hash[HASH_HEX];
        int64_t until_ms;
    } passed[PASSED_MAX];
    size_t next; /* the oldest gives way */
};

/* --- words that passed --- */

static void hash_words(const char *text, char ret[static HASH_HEX])
{
    struct hash h;
    hash_begin(&h, "moderation");
    hash_text(&h, "text", text);
    hash_end(&h, ret);
}

static bool moderation_let_pass(void *self, const char *text)
{
    struct moderation *m = self;
    char hash[HASH_HEX];
    bool found = false;
    int64_t now = clock_mono_ms();
    hash_words(text, hash);
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < PASSED_MAX && !found; i++)
        found = now < m->passed[i].until_ms && strcmp(m->passed[i].hash, hash) == 0;
    pthread_mutex_unlock(&m->lock);
    return found;
}

static void remember(struct moderation *m, const char *text)
{
    struct passed p = {.until_ms = clock_mono_ms() + PASSED_MS};
    hash_words(text, p.hash);
    pthread_mutex_lock(&m->lock);
    m->passed[m->next] = p;
    m->next = (m->next + 1) % PASSED_MAX;
    pthread_mutex_unlock(&m->lock);
}

/* --- asking --- */

/* The category with the highest score among those that were flagged. */
static void worst(const cJSON *result, char *ret, size_t size)
{
    const cJSON *score;
    double most = -1;
    str_copy(ret, size, "-");
    cJSON_ArrayForEach(score, json_object(result, "category_scores"))
    {
        if (!cJSON_IsNumber(score) || score->valuedouble <= most ||
            !json_true(json_object(result, "categories"), score->string))
            continue;
        most = score->valuedouble;
        str_copy(ret, size, score->string);
    }
    utf8_clean(ret);
}

static char *request_body(const char *text)
{
    cJSON *body = cJSON_CreateObject();
    size_t len = utf8_cut(text, MIN(strlen(text), TEXT_MAX));
    AUTO(free_ptr) char *cut = strndup(text, len);
    cJSON_AddStringToObject(body, "model", "omni-moderation-latest");
    cJSON_AddStringToObject(body, "input", cut ? cut : "");
    char *out = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return out;
}

/* Errors are those of the chat service: the same key, the same account. */
static bool cannot_ask(struct moderation *m, const struct net_reply *reply, struct err *e)
{
    struct llm_answer a;
    atomic_store(&m->rest_until_ms, clock_mono_ms() + REST_MS);
    llm_answer_read(reply, &a);
    bool config = a.class == LLM_FATAL_CONFIG || a.class == LLM_FATAL_QUOTA;
    err_set(e, config ? ERR_CONFIG : ERR_RETRY, "writer.down", "moderation: %s: %s",
            llm_class_name(a.class), a.why);
    llm_answer_free(&a);
    return false;
}

static bool judge(struct moderation *m, const struct net_reply *reply, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    struct err bad = {0};
    char category[64];
    if (reply->outcome != NET_REPLY || reply->status != 200 ||
        !json_parse(reply->body, reply->len, NULL, &doc, &bad))
        return cannot_ask(m, reply, e);
    const cJSON *result = cJSON_GetArrayItem(json_array(doc, "results"), 0);
    if (!cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(result, "flagged")))
        return cannot_ask(m, reply, e);
    if (!json_true(result, "flagged"))
        return true;
    worst(result, category, sizeof(category));
    return err_set_arg(e, ERR_REFUSED, "guard.flagged", category, "moderation: %s", category);
}

static bool moderation_check(void *self, const char *text, const struct cancel *cancel,
                             struct err *e)
{
    struct moderation *m = self;
    if (moderation_let_pass(m, text))
        return true;
    const char *headers[] = {"Content-Type: application/json", m->auth};
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *body = request_body(text);
    if (clock_mono_ms() < atomic_load(&m->rest_until_ms))
        return err_set(e, ERR_RETRY, "writer.down", "moderation rests after a failure");
    if (!body)
        return err_set(e, ERR_RETRY, "writer.down", "out of memory");
    struct net_request r = {
        .log_name = "moderation",
        .url = m->url,
        .headers = headers,
        .header_count = COUNT(headers),
        .body = body,
        .body_len = strlen(body),
        .reply_max = REPLY_MAX,
        .total_ms = TOTAL_MS,
        .cancel = cancel,
    };
    if (!net_call(m->net, &r, &reply, e) && e->code == ERR_CANCELLED)
        return false;
    if (!judge(m, &reply, e))
        return false;
    remember(m, text);
    return true;
}

static void moderation_destroy(void *self)
{
    struct moderation *m = self;
    free(m->url);
    free(m->auth);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

bool moderation_create(struct net_engine *net, const char *base_url, const char *key,
                       struct script_guard *ret, struct err *e)
{
    static const struct script_guard_ops ops = {
        .name = "moderation",
        .check = moderation_check,
        .let_pass = moderation_let_pass,
        .destroy = moderation_destroy,
    };
    if (!net_trust_base(net, base_url, e))
        return false;
    struct moderation *m = calloc(1, sizeof(*m));
    if (!m)
        return err_set(e, ERR_INTERNAL, "error.internal", "moderation: no memory");
    AUTO(free_ptr) char *base = llm_base(base_url);
    pthread_mutex_init(&m->lock, NULL);
    m->net = net;
    m->url = str_printf("%s/moderations", base);
    m->auth = llm_auth(key);
    *ret = (struct script_guard){.ops = &ops, .self = m};
    return true;
}
