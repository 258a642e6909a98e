
#include "adapters/speech/azure_parts.h"
#include "core/net/json.h"

enum { LIST_MAX = 4 << 20 };

static enum azure_fault fault_of_call(const struct net_reply *reply, const struct err *why,
                                      struct err *e)
{
    switch (reply->outcome) {
    case NET_CANCELLED:
        return azure_fault_set(e, AZURE_STOPPED, "azure: %s", why->detail);
    case NET_FORBIDDEN:
        return azure_fault_set(e, AZURE_CONFIG, "azure: %s", why->detail);
    default:
        return azure_fault_set(e, AZURE_AGAIN, "azure: %s", why->detail);
    }
}

static enum azure_fault fault_of_reply(const struct net_reply *reply, struct err *e)
{
    int status = reply->status;
    if (status == 401 || status == 403)
        return azure_fault_set(e, AZURE_CONFIG, "azure: key or region refused (%d)", status);
    if (status == 429 && strcasestr(reply->body, "quota"))
        return azure_fault_set(e, AZURE_QUOTA, "azure: quota used up (%d)", status);
    if (status == 408 || status == 429 || status >= 500)
        return azure_fault_set(e, AZURE_AGAIN, "azure: HTTP %d", status);
    if (status != 200)
        return azure_fault_set(e, AZURE_VOICE, "azure: text or voice refused (%d)", status);
    return AZURE_OK;
}

enum azure_fault azure_rest_speak(struct azure_service *s, const struct azure_job *job,
                                  struct azure_turn *turn, struct err *e)
{
    char url[AZURE_URL_MAX + 64], key[320];
    snprintf(url, sizeof(url), "%s/cognitiveservices/v1", s->base);
    snprintf(key, sizeof(key), "Ocp-Apim-Subscription-Key: %s", s->key);
    const char *headers[] = {key, "Content-Type: application/ssml+xml",
                             "X-Microsoft-OutputFormat: raw-24khz-16bit-mono-pcm",
                             "User-Agent: NanoTik"};
    struct net_request r = {
        .log_name = "azure speech",
        .url = url,
        .headers = headers,
        .header_count = COUNT(headers),
        .body = job->ssml,
        .body_len = strlen(job->ssml),
        .reply_max = AZURE_AUDIO_MAX,
        .connect_ms = s->limits.connect_ms,
        .total_ms = (int)MIN(s->limits.total_ms + 2 * job->expected_ms, INT32_MAX),
        .cancel = job->cancel,
    };
    AUTO(net_reply_free) struct net_reply reply = {0};
    struct err why = {0};
    if (!net_call(s->net, &r, &reply, &why))
        return fault_of_call(&reply, &why, e);
    turn->wait_ms = MAX(reply.retry_after_ms, 0);
    enum azure_fault fault = fault_of_reply(&reply, e);
    if (fault != AZURE_OK)
        return fault;
    /* A 200 without sound, or with a page of a proxy, happens. */
    if (reply.len < 2 || !str_starts(net_reply_header(&reply, "content-type"), "audio/"))
        return azure_fault_set(e, AZURE_AGAIN, "azure: 200 without sound (%zu bytes)", reply.len);
    strbuf_add(&turn->audio, reply.body, reply.len);
    turn->state = AZURE_TURN_DONE;
    return AZURE_OK;
}

/* --- the service's list --- */

bool azure_rest_list(struct azure_service *s, const struct cancel *cancel, cJSON **ret_list,
                     struct err *e)
{
    char url[AZURE_URL_MAX + 64], key[320];
    snprintf(url, sizeof(url), "%s/cognitiveservices/voices/list", s->base);
    snprintf(key, sizeof(key), "Ocp-Apim-Subscription-Key: %s", s->key);
    const char *headers[] = {key};
    struct net_request r = {.log_name = "azure voices",
                            .url = url,
                            .headers = headers,
                            .header_count = COUNT(headers),
                            .reply_max = LIST_MAX,
                            .connect_ms = s->limits.check_ms,
                            .total_ms = s->limits.check_ms,
                            .cancel = cancel};
    AUTO(net_reply_free) struct net_reply reply = {0};
    struct err why = {0};
    if (!net_call(s->net, &r, &reply, &why))
        return err_set(e, why.code, "doctor.azure_down", "%s", why.detail);
    if (reply.status == 401 || reply.status == 403)
        return err_set(e, ERR_CONFIG, "doctor.azure_refused", "azure: HTTP %d", reply.status);
    if (reply.status != 200)
        return err_set(e, ERR_RETRY, "doctor.azure_down", "azure: HTTP %d", reply.status);
    AUTO(json_free) cJSON *list = NULL;
    if (!json_parse(reply.body, reply.len, NULL, &list, &why) || !cJSON_IsArray(list))
        return err_set(e, ERR_RETRY, "doctor.azure_down", "azure: no list of voices (%s)",
                       why.detail);
    *ret_list = TAKE(list);
    return true;
}

bool azure_rest_check(struct azure_service *s, const struct cancel *cancel, struct err *e)
{
    AUTO(json_free) cJSON *list = NULL;
    size_t count;
    if (!azure_rest_list(s, cancel, &list, e))
        return false;
    struct azure_roster *r = azure_roster_make(list, NULL);
    const struct azure_voice *ours = azure_voices(&count);
    const char *missing = NULL;
    for (size_t i = 0; i < count && !missing; i++) {
        bool there = false;
        for (size_t k = 0; r && k < r->count; k++)
            there |= strcmp(r->members[k].voice.service, ours[i].service) == 0;
        if (!there && azure_voice_is_default(&ours[i]))
            missing = ours[i].service;
    }
    azure_roster_free(r);
    return !missing || err_set_arg(e, ERR_CONFIG, "doctor.azure_voice", missing,
                                   "azure: %s is not in the region's list", missing);
}
