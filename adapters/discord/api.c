/* One request to Discord. Paths may carry tokens: nothing but the call's name leaves this file for a
 * log. */
#include <math.h>

#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "discord"

enum {
    POST_MS = 5000,
    CALL_MS = 30000,
    TRIES = 4,
    NETWORK_TRIES = 3,
    UPLOAD_STALL_S = 30,
    RETRY_MAX_MS = 3600000,
};

#define NOT_JSON "not JSON"
#define AGENT "User-Agent: DiscordBot (https://github.com/nanotik/nanotik, 1)"

char *dc_url(struct discord *d, const char *path)
{
    return str_printf("%s%s", d->base, path);
}

void dc_reply_free(struct dc_reply *r)
{
    cJSON_Delete(r->doc);
    r->doc = NULL;
}

/* --- what an answer means --- */

/* The first complaint of a 50035, with the way to it: "components.0.label: too long". */
static void find_complaint(const cJSON *at, struct strbuf *path, int depth, char *ret, size_t size)
{
    const cJSON *item;
    if (depth > 8 || ret[0])
        return;
    const cJSON *first = cJSON_GetArrayItem(json_array(at, "_errors"), 0);
    if (first) {
        snprintf(ret, size, "%s: %s", strbuf_text(path), json_text(first, "message", ""));
        return;
    }
    cJSON_ArrayForEach(item, at)
    {
        size_t len = path->len;
        strbuf_addf(path, "%s%s", len ? "." : "", item->string ? item->string : "");
        if (path->failed)
            return;
        find_complaint(item, path, depth + 1, ret, size);
        path->len = len;
        path->text[len] = '\0';
    }
}

static void read_refusal(const cJSON *doc, struct dc_reply *ret)
{
    AUTO(strbuf_free) struct strbuf path = STRBUF(500);
    double seconds;
    ret->code = json_int_or(doc, "code", 0);
    find_complaint(json_object(doc, "errors"), &path, 0, ret->detail, sizeof(ret->detail));
    if (!ret->detail[0])
        str_copy(ret->detail, sizeof(ret->detail), json_text(doc, "message", ""));
    if (json_real(doc, "retry_after", &seconds) && seconds >= 0)
        ret->retry_ms = (int64_t)(fmin(ceil(seconds * 1000.0), RETRY_MAX_MS));
}

static void read_answer(const struct net_reply *reply, struct dc_reply *ret)
{
    struct err ignored = {0};
    cJSON *doc = NULL;
    ret->status = reply->status;
    ret->retry_ms = MAX(reply->retry_after_ms, 0);
    bool good = reply->status >= 200 && reply->status < 300;
    bool json = reply->len > 0 && json_parse(reply->body, reply->len, NULL, &doc, &ignored);
    if (good) {
        ret->doc = doc;
        ret->action = json || reply->status == 204 ? DC_DONE : DC_UNCLEAR;
        return;
    }
    if (json)
        read_refusal(doc, ret);
    else
        str_copy(ret->detail, sizeof(ret->detail), NOT_JSON);
    ret->action = dc_classify(reply->status, ret->code);
    if (ret->action == DC_WAIT && ret->retry_ms == 0)
        ret->retry_ms = json ? 1000 : 5000;
    json_free(&doc);
}

/* e is set by the network when there was no answer. */
static void read_reply(const struct net_reply *reply, const char *name, struct dc_reply *ret,
                       struct err *e)
{
    static const enum dc_action fates[] = {
        [NET_FATE_NO_EFFECT] = DC_RETRY,
        [NET_FATE_UNCLEAR] = DC_UNCLEAR,
        [NET_FATE_FORBIDDEN] = DC_BUG,
        [NET_FATE_BAD_FILE] = DC_BAD_FILE,
    };
    enum net_fate fate = net_reply_fate(reply);
    *ret = (struct dc_reply){.action = fates[fate]};
    if (fate != NET_FATE_ANSWERED)
        return;
    read_answer(reply, ret);
    if (ret->action != DC_DONE)
        dc_error_set(e, ret->action, ret->status, ret->code, name, ret->detail);
}

/* --- limits --- */

static double header_number(const struct net_reply *reply, const char *name)
{
    const char *text = net_reply_header(reply, name);
    char *end;
    double value = strtod(text, &end);
    return end == text || !isfinite(value) || value < 0 || value > 1e9 ? -1 : value;
}

static struct limit_news read_news(const struct net_reply *reply, const struct dc_reply *r)
{
    struct limit_news n = {.status = reply->status,
                           .bucket = net_reply_header(reply, "X-RateLimit-Bucket"),
                           .limit = (int64_t)header_number(reply, "X-RateLimit-Limit"),
                           .remaining = (int64_t)header_number(reply, "X-RateLimit-Remaining"),
                           .reset_after = header_number(reply, "X-RateLimit-Reset-After"),
                           .scope = net_reply_header(reply, "X-RateLimit-Scope"),
                           .retry_ms = r->retry_ms};
    n.global = strcmp(net_reply_header(reply, "X-RateLimit-Global"), "true") == 0 ||
               strcmp(n.scope, "global") == 0;
    /* A page comes from in front of Discord and means the whole address. */
    n.address = reply->status == 429 && strcmp(r->detail, NOT_JSON) == 0;
    return n;
}

static void note_limits(struct discord *d, const struct dc_call *c, const struct limit_call *turn,
                        const struct net_reply *reply, const struct dc_reply *r)
{
    const struct limit_news n = read_news(reply, r);
    pthread_mutex_lock(&d->lock);
    limits_done(d->limits, turn, &n, clock_mono_ms());
    pthread_mutex_unlock(&d->lock);
    if (reply->status == 429)
        log_warn("%s: asked to wait %lld ms%s", c->name, (long long)r->retry_ms,
                 n.global || n.address ? ", all routes" : "");
}

static bool wait_turn(struct discord *d, const struct dc_call *c, struct limit_call *ret_turn,
                      struct err *e)
{
    *ret_turn =
        (struct limit_call){.route = c->route, .major = c->major, .counts = !c->is_token_path};
    int64_t begin = clock_mono_ms();
    for (;;) {
        int64_t now = clock_mono_ms();
        pthread_mutex_lock(&d->lock);
        bool dead = d->token_dead && !c->is_token_path;
        int64_t wait = dead ? 0 : limits_take(d->limits, ret_turn, now);
        pthread_mutex_unlock(&d->lock);
        if (dead)
            return dc_error_set(e, DC_TOKEN, 401, 0, c->name, "");
        if (wait == 0)
            return true;
        if (now - begin + wait > c->patience_ms)
            return err_set(e, ERR_RETRY, "error.busy", "discord %s: has to rest for %lld ms more",
                           c->name, (long long)wait);
        if (cancel_wait(c->cancel ? c->cancel : &d->stop, (int)MIN(wait, 100)))
            return err_set(e, ERR_CANCELLED, "error.cancelled", "discord %s: stopped", c->name);
    }
}

/* --- one request --- */

static size_t put_headers(struct discord *d, const char **list, bool with_token, bool with_json)
{
    size_t n = 0;
    list[n++] = AGENT;
    if (with_token)
        list[n++] = d->auth_header;
    if (with_json)
        list[n++] = "Content-Type: application/json";
    return n;
}

static void call_once(struct discord *d, const struct dc_call *c, const struct limit_call *turn,
                      struct dc_reply *ret, struct err *e)
{
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *url = dc_url(d, c->path);
    char log_name[64];
    const char *headers[3];
    snprintf(log_name, sizeof(log_name), "discord %s", c->name);
    struct net_request r = {.log_name = log_name,
                            .url = url,
                            .method = c->method,
                            .headers = headers,
                            .parts = c->parts,
                            .part_count = c->part_count,
                            .total_ms = CALL_MS,
                            .once = c->once,
                            .cancel = c->cancel};
    r.header_count = put_headers(d, headers, !c->is_token_path, c->body && !c->part_count);
    if (c->part_count) {
        r.total_ms = -1;
        r.stall_seconds = UPLOAD_STALL_S;
    } else if (c->body) {
        r.body = c->body;
        r.body_len = strlen(c->body);
    }
    net_call(d->net, &r, &reply, e);
    read_reply(&reply, c->name, ret, e);
    note_limits(d, c, turn, &reply, ret);
    if (ret->action == DC_TOKEN && !c->is_token_path) {
        pthread_mutex_lock(&d->lock);
        d->token_dead = true; /* every further request would only add to a ban */
        pthread_mutex_unlock(&d->lock);
    }
}

bool dc_call(struct discord *d, struct dc_call *c, struct dc_reply *ret, struct err *e)
{
    AUTO(free_ptr) char *path = c->path;
    int network = 0;
    *ret = (struct dc_reply){.action = DC_RETRY};
    for (int i = 0; i < TRIES; i++) {
        struct limit_call turn;
        dc_reply_free(ret);
        if (!wait_turn(d, c, &turn, e)) {
            ret->action = e->code == ERR_CONFIG ? DC_TOKEN : DC_RETRY;
            return false;
        }
        call_once(d, c, &turn, ret, e);
        if (ret->action == DC_DONE)
            return true;
        if (ret->action == DC_WAIT)
            continue; /* the limiter knows */
        bool again = ret->action == DC_RETRY || (ret->action == DC_UNCLEAR && !c->once);
        if (!again || ++network >= NETWORK_TRIES || c->part_count > 0 ||
            cancel_wait(c->cancel ? c->cancel : &d->stop, net_backoff_ms(network - 1)))
            break;
    }
    if (cancel_fired(c->cancel))
        err_set(e, ERR_CANCELLED, "error.cancelled", "discord %s: stopped", c->name);
    return false;
}

/* --- in the background, on a connection of its own --- */

struct post {
    struct net_post base;
    struct discord *d;
    char name[32], id[DC_ID_MAX];
    void (*on_done)(struct discord *d, const struct dc_reply *r, const char *id);
};

static void post_done(struct net_post *base, const struct net_reply *reply, struct err *e)
{
    struct post *p = (struct post *)base;
    AUTO(dc_reply_free) struct dc_reply r;
    read_reply(reply, p->name, &r, e);
    if (r.action != DC_DONE)
        log_err(LOG_INFO, LOG_MODULE, e);
    if (p->on_done)
        p->on_done(p->d, &r, p->id);
}

bool dc_post(struct discord *d, const char *name, const char *method, char *path, char *body,
             void (*on_done)(struct discord *d, const struct dc_reply *r, const char *id),
             const char *id)
{
    AUTO(free_ptr) char *owned_path = path;
    struct post *p = calloc(1, sizeof(*p));
    struct err e = {0};
    if (!p) {
        free(body);
        return false;
    }
    pthread_mutex_lock(&d->lock);
    d->warm_ms = clock_mono_ms();
    pthread_mutex_unlock(&d->lock);
    *p = (struct post){.d = d, .on_done = on_done};
    p->base = (struct net_post){.url = dc_url(d, path), .body = body, .on_done = post_done};
    p->base.header_count = put_headers(d, p->base.headers, false, body != NULL);
    str_copy(p->name, sizeof(p->name), name);
    str_copy(p->id, sizeof(p->id), id);
    snprintf(p->base.log_name, sizeof(p->base.log_name), "discord %s", name);
    if (net_post_send(&d->posts, d->ack_net, &p->base, method, POST_MS, &e))
        return true;
    log_err(LOG_WARN, LOG_MODULE, &e);
    return false;
}
