/* One request to the Bot API. The URL carries the token: it is built here and nowhere else, and
 * nothing but the method's name leaves this file for a log. */
#include <math.h>

#include "adapters/telegram/telegram_internal.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "telegram"
#define JSON_TYPE "Content-Type: application/json"

enum {
    POST_MS = 5000,
    UPLOAD_STALL_S = 30,
    RETRY_MAX_MS = 3600000,
};

char *tg_url(struct telegram *t, const char *kind, const char *path)
{
    return str_printf("%s%s/bot%s/%s", t->base, kind, t->token, path);
}

size_t tg_parts(struct arena *a, const char *json, struct net_part *ret, size_t max)
{
    AUTO(json_free) cJSON *doc = cJSON_Parse(json);
    const cJSON *item;
    size_t n = 0;
    cJSON_ArrayForEach(item, doc)
    {
        char *printed = cJSON_IsString(item) ? NULL : cJSON_PrintUnformatted(item);
        const char *value = printed ? printed : item->valuestring;
        if (n == max || !value) {
            free(printed);
            return 0;
        }
        ret[n++] =
            (struct net_part){.name = arena_dup(a, item->string), .value = arena_dup(a, value)};
        free(printed);
    }
    return n;
}

void tg_reply_free(struct tg_reply *r)
{
    cJSON_Delete(r->doc);
    r->doc = NULL;
    r->result = NULL;
}

/* Whatever the server (or a proxy) sent, what it means. */
static void read_answer(const struct net_reply *reply, struct tg_reply *ret)
{
    struct err ignored = {0};
    const cJSON *parameters;
    ret->code = reply->status;
    ret->retry_ms = MAX(reply->retry_after_ms, 0);
    if (!json_parse(reply->body, reply->len, NULL, &ret->doc, &ignored) ||
        !cJSON_IsObject(ret->doc)) {
        /* A page of a proxy. After a 2xx, or when it waited in vain, nobody knows what the real
           server did; after a 502 it was not there, and silence would be worse than a repeat. */
        ret->action = reply->status < 300 || reply->status == 504 ? TG_UNCLEAR
                                                                  : tg_classify(reply->status, "");
        str_copy(ret->description, sizeof(ret->description), "not JSON");
        return;
    }
    if (json_true(ret->doc, "ok") && reply->status == 200) {
        ret->action = TG_DONE;
        ret->result = cJSON_GetObjectItemCaseSensitive(ret->doc, "result");
        return;
    }
    int64_t code = json_int_or(ret->doc, "error_code", reply->status);
    ret->code = code >= 100 && code < 600 ? (int)code : reply->status;
    str_copy(ret->description, sizeof(ret->description), json_text(ret->doc, "description", ""));
    parameters = json_object(ret->doc, "parameters");
    double seconds;
    if (json_real(parameters, "retry_after", &seconds) && seconds >= 0)
        ret->retry_ms = (int64_t)(fmin(ceil(seconds), RETRY_MAX_MS / 1000.0) * 1000.0);
    ret->action = tg_classify(ret->code, ret->description);
    if (json_int(parameters, "migrate_to_chat_id", &ret->moved_to) && ret->moved_to < 0)
        ret->action = TG_MOVED;
    if (ret->action == TG_WAIT && ret->retry_ms == 0)
        ret->retry_ms = 1000;
}

void tg_reply_read(const struct net_reply *reply, const char *method, struct tg_reply *ret,
                   struct err *e)
{
    static const enum tg_action fates[] = {
        [NET_FATE_NO_EFFECT] = TG_RETRY,
        [NET_FATE_UNCLEAR] = TG_UNCLEAR,
        [NET_FATE_FORBIDDEN] = TG_BUG,
        [NET_FATE_BAD_FILE] = TG_BAD_FILE,
    };
    enum net_fate fate = net_reply_fate(reply);
    *ret = (struct tg_reply){.action = fates[fate]};
    if (fate != NET_FATE_ANSWERED)
        return;
    read_answer(reply, ret);
    if (ret->action != TG_DONE)
        tg_error_set(e, ret->action, ret->code, ret->description, method);
}

static void log_name(const char *method, char ret[static 64])
{
    snprintf(ret, 64, "telegram %s", method);
}

static void fill_request(const struct tg_call *c, const char *url, const char *name,
                         struct net_request *r)
{
    static const char *const json_type[] = {JSON_TYPE};
    *r = (struct net_request){.log_name = name,
                              .url = url,
                              .method = "POST",
                              .parts = c->parts,
                              .part_count = c->part_count,
                              .total_ms = c->total_ms ? c->total_ms : 30000,
                              .reply_max = c->reply_max,
                              .once = c->once,
                              .cancel = c->cancel,
                              .on_progress = c->on_progress,
                              .ctx = c->ctx};
    if (c->part_count) {
        r->total_ms = -1;
        r->stall_seconds = UPLOAD_STALL_S;
    } else {
        r->body = c->body ? c->body : "{}";
        r->body_len = strlen(r->body);
        r->headers = json_type;
        r->header_count = 1;
    }
}

bool tg_call(struct telegram *t, const struct tg_call *c, struct tg_reply *ret, struct err *e)
{
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *url = tg_url(t, "", c->method);
    char name[64];
    struct net_request r;
    log_name(c->method, name);
    fill_request(c, url, name, &r);
    net_call(t->net, &r, &reply, e);
    tg_reply_read(&reply, c->method, ret, e);
    return ret->action == TG_DONE;
}

/* --- in the background --- */

struct post {
    struct net_post base;
    struct telegram *t;
    char method[32];
    void (*on_done)(struct telegram *t, const struct tg_reply *r, void *ctx);
    void *ctx;
};

static void post_done(struct net_post *base, const struct net_reply *reply, struct err *e)
{
    struct post *p = (struct post *)base;
    AUTO(tg_reply_free) struct tg_reply r;
    tg_reply_read(reply, p->method, &r, e);
    if (p->on_done)
        p->on_done(p->t, &r, p->ctx);
    else if (r.action != TG_DONE && r.action != TG_IGNORE)
        log_err(LOG_DEBUG, LOG_MODULE, e);
}

bool tg_post(struct telegram *t, const char *method, char *body,
             void (*on_done)(struct telegram *t, const struct tg_reply *r, void *ctx), void *ctx)
{
    struct post *p = cancel_fired(&t->stop) ? NULL : calloc(1, sizeof(*p));
    struct err e = {0};
    if (!p) {
        free(body);
        return false;
    }
    *p = (struct post){.t = t, .on_done = on_done, .ctx = ctx};
    p->base = (struct net_post){.url = tg_url(t, "", method),
                                .body = body,
                                .headers = {JSON_TYPE},
                                .header_count = 1,
                                .on_done = post_done};
    str_copy(p->method, sizeof(p->method), method);
    log_name(method, p->base.log_name);
    /* Not cut short by stop(): an answer under way is worth its few seconds. */
    return net_post_send(&t->posts, t->net, &p->base, "POST", POST_MS, &e);
}
