#include "adapters/writer/moderation.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

#define LOG_MODULE "moderation"

enum {
    TEXT_MAX = 30000, /* bytes that are judged */
    TOTAL_MS = 10000,
    REPLY_MAX = 1 << 20,
    REST_MS = 60000,
};

struct moderation {
    struct net_engine *net;
    char *url, *auth;
    _Atomic int64_t rest_until_ms;
};

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

static bool cannot_ask(struct moderation *m, int status, struct err *e)
{
    atomic_store(&m->rest_until_ms, clock_mono_ms() + REST_MS);
    bool config = status == 401 || status == 403 || status == 404;
    return err_set(e, config ? ERR_CONFIG : ERR_RETRY, "writer.down", "moderation: status %d",
                   status);
}

static bool judge(struct moderation *m, const struct net_reply *reply, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    struct err bad = {0};
    char category[64];
    if (reply->outcome != NET_REPLY || reply->status != 200 ||
        !json_parse(reply->body, reply->len, NULL, &doc, &bad))
        return cannot_ask(m, reply->status, e);
    const cJSON *result = cJSON_GetArrayItem(json_array(doc, "results"), 0);
    if (!cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(result, "flagged")))
        return cannot_ask(m, reply->status, e);
    if (!json_true(result, "flagged"))
        return true;
    worst(result, category, sizeof(category));
    return err_set_arg(e, ERR_REFUSED, "guard.flagged", category, "moderation: %s", category);
}

static bool moderation_check(void *self, const char *text, const struct cancel *cancel,
                             struct err *e)
{
    struct moderation *m = self;
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
    return judge(m, &reply, e);
}

static void moderation_destroy(void *self)
{
    struct moderation *m = self;
    free(m->url);
    free(m->auth);
    free(m);
}

bool moderation_create(struct net_engine *net, const char *base_url, const char *key,
                       struct script_guard *ret, struct err *e)
{
    static const struct script_guard_ops ops = {
        .name = "moderation",
        .check = moderation_check,
        .destroy = moderation_destroy,
    };
    if (!net_trust_base(net, base_url, e))
        return false;
    struct moderation *m = calloc(1, sizeof(*m));
    if (!m)
        return err_set(e, ERR_INTERNAL, "error.internal", "moderation: no memory");
    AUTO(free_ptr) char *base = llm_base(base_url);
    m->net = net;
    m->url = str_printf("%s/moderations", base);
    m->auth = llm_auth(key);
    *ret = (struct script_guard){.ops = &ops, .self = m};
    return true;
}
