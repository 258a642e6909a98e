/* For doctor: does the key work, and does the model exist? One cheap question. */
#include <string.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/log.h"
#include "core/net/json.h"

/* "llama3" is "llama3:latest"; some services list "models/NAME". */
static bool same_model(const char *listed, const char *model)
{
    size_t n = strlen(model);
    if (str_starts(listed, "models/"))
        listed += strlen("models/");
    return strncmp(listed, model, n) == 0 && (!listed[n] || strcmp(listed + n, ":latest") == 0);
}

static bool check_models(const struct net_reply *reply, const char *model, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    struct err ignored;
    const cJSON *item;
    json_parse(reply->body, reply->len, NULL, &doc, &ignored);
    const cJSON *list = cJSON_IsArray(doc) ? doc : json_array(doc, "data");
    if (!list)
        return err_set(e, ERR_RETRY, "doctor.writer_silent", "no list of models came back");
    cJSON_ArrayForEach(item, list)
    {
        if (same_model(json_text(item, "id", ""), model))
            return true;
    }
    return err_set_arg(e, ERR_CONFIG, "doctor.writer_model", model, "not among %d models",
                       cJSON_GetArraySize(list));
}

bool llm_check(const struct llm_options *o, int limit_ms, const struct cancel *cancel,
               struct err *e)
{
    AUTO(free_ptr) char *base = llm_base(o->base_url);
    AUTO(free_ptr) char *url = str_printf("%s/models", base);
    AUTO(free_ptr) char *auth = llm_auth(o->key);
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(llm_answer_free) struct llm_answer a = {0};
    const char *headers[] = {auth};
    struct net_request r = {
        .log_name = "writer models",
        .url = url,
        .headers = headers,
        .header_count = COUNT(headers),
        .total_ms = limit_ms,
        .connect_ms = limit_ms,
        .reply_max = (size_t)2 * LLM_REPLY_MAX, /* OpenRouter's list has details of hundreds */
        .cancel = cancel,
    };
    if (!net_trust_base(o->net, o->base_url, e))
        return false;
    if (!net_call(o->net, &r, &reply, e)) {
        struct err why = *e;
        return err_set(e, ERR_RETRY, "doctor.writer_silent", "%s", why.detail);
    }
    if (reply.status == 200)
        return check_models(&reply, o->model, e);
    llm_answer_read(&reply, &a);
    log_redact(a.why);
    if (a.class == LLM_FATAL_QUOTA)
        return err_set(e, ERR_CONFIG, "doctor.writer_money", "%s", a.why);
    if (reply.status == 401 || reply.status == 403)
        return err_set(e, ERR_CONFIG, "doctor.writer_key", "%s", a.why);
    return err_set(e, ERR_RETRY, "doctor.writer_silent", "%s", a.why);
}
