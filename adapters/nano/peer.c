/* One node: its address and key, one call, and how it has been lately. */
#define LOG_MODULE "nano"
#include "adapters/nano/nano_parts.h"

#include "core/base/clock.h"
#include "core/base/log.h"

enum {
    REST_MS = 1000,
    REST_MAX_MS = 120000,
    LIMITED_MS = 2000,
    LIMITED_MAX_MS = 3600000,
    PART_MAX = 1024,
};

/* --- lists --- */

/* The n-th part of a comma list without the blanks around it; "" beyond the end. */
static bool part_of(const char *list, size_t n, char ret[static PART_MAX])
{
    for (; n > 0 && *list; n--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    list += strspn(list, " \t\r\n");
    size_t len = strcspn(list, ",");
    while (len > 0 && strchr(" \t\r\n", list[len - 1]))
        len--;
    if (len >= PART_MAX)
        return false;
    memcpy(ret, list, len);
    ret[len] = '\0';
    return true;
}

static size_t parts_in(const char *list)
{
    size_t n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

/* What goes into messages and health: host and port. */
static void name_of(const char *url, char ret[static NANO_NODE_NAME])
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    snprintf(ret, NANO_NODE_NAME, "%.*s", (int)MIN(strcspn(host, "/?#"), NANO_NODE_NAME - 1), host);
}

/* A key's characters can end neither a header nor a JSON text. */
static bool is_key(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    return true;
}

static void take_key(struct nano_peer *p, const char *key)
{
    const char *colon = strstr(key, ": "), *equals = strchr(key, '=');
    size_t name = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    log_secret(key);
    if (colon && key + name == colon) {
        p->header = str_dup(key);
        log_secret(colon + 2);
    } else if (equals && key + name == equals && equals[1] && equals[1] != '=') {
        p->body_field = str_printf("\"%.*s\":\"%s\",", (int)name, key, equals + 1);
        log_secret(equals + 1);
    } else {
        p->header = str_printf("Authorization: %s", key);
        p->body_field = str_printf("\"key\":\"%s\",", key);
    }
}

static bool peer_init(struct nano_rpc *r, struct nano_peer *p, const char *url, struct err *e)
{
    if (!net_trust_base(r->net, url, e))
        return false;
    p->url = str_dup(url);
    name_of(url, p->name);
    pthread_mutex_init(&p->lock, NULL);
    return true;
}

bool nano_peers_make(struct nano_rpc *r, const struct nano_rpc_options *o, struct err *e)
{
    char url[PART_MAX], key[PART_MAX];
    for (size_t i = 0; i < parts_in(o->urls); i++) {
        if (!part_of(o->urls, i, url) || !part_of(o->keys, i, key) || !is_key(key))
            return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_RPC_KEY",
                               "nano: address or key %zu is too long or has odd characters", i + 1);
        if (!url[0])
            continue;
        if (r->peer_count == NANO_NODES_MAX)
            return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_RPC_URL",
                               "nano: more than %d nodes", NANO_NODES_MAX);
        if (!peer_init(r, &r->peers[r->peer_count], url, e))
            return false;
        if (key[0])
            take_key(&r->peers[r->peer_count], key);
        r->peer_count++;
    }
    if (r->peer_count == 0)
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_RPC_URL", "nano: no node");
    return !o->work_url[0] || peer_init(r, &r->work, o->work_url, e);
}

static void peer_free(struct nano_peer *p)
{
    if (!p->url)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p->url);
    free(p->header);
    free(p->body_field);
}

void nano_peers_free(struct nano_rpc *r)
{
    for (size_t i = 0; i < r->peer_count; i++)
        peer_free(&r->peers[i]);
    peer_free(&r->work);
}

/* --- how it is --- */

void nano_peer_good(struct nano_peer *p)
{
    pthread_mutex_lock(&p->lock);
    p->faults = 0;
    p->rest_until_ms = 0;
    pthread_mutex_unlock(&p->lock);
}

void nano_peer_bad(struct nano_peer *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t rest = MIN((int64_t)REST_MS << MIN(p->faults, 10), REST_MAX_MS);
    p->rest_until_ms = clock_mono_ms() + rest;
    p->faults++;
    pthread_mutex_unlock(&p->lock);
}

static void peer_limited(struct nano_peer *p, int64_t wait_ms)
{
    int64_t wait = wait_ms < 0 ? LIMITED_MS : CLAMP(wait_ms, 500, LIMITED_MAX_MS);
    pthread_mutex_lock(&p->lock);
    p->told_until_ms = MAX(p->told_until_ms, clock_mono_ms() + wait);
    pthread_mutex_unlock(&p->lock);
}

/* X-RateLimit-Remaining: 0 and X-RateLimit-Reset in seconds, or as a Unix time. */
static void heed_rate(struct nano_peer *p, const struct net_reply *reply)
{
    int64_t left, reset;
    if (!str_to_int(net_reply_header(reply, "X-RateLimit-Remaining"), 0, INT64_MAX, &left) ||
        left > 0 ||
        !str_to_int(net_reply_header(reply, "X-RateLimit-Reset"), 0, INT64_MAX / 2000, &reset))
        return;
    int64_t now_s = clock_wall_ms() / 1000;
    peer_limited(p, (reset > now_s / 2 ? MAX(reset - now_s, 0) : reset) * 1000);
}

/* --- a call --- */

void nano_post_make(struct nano_rpc *r, const struct nano_peer *p, const char *body, int total_ms,
                    const struct cancel *cancel, struct nano_post *ret)
{
    *ret = (struct nano_post){
        .body = str_printf("{%s%s", p->body_field ? p->body_field : "", body),
        .log_name = str_printf("nano %s", p->name),
        .headers = {"Content-Type: application/json", p->header},
    };
    ret->request = (struct net_request){
        .log_name = ret->log_name,
        .url = p->url,
        .headers = ret->headers,
        .header_count = p->header ? 2 : 1,
        .body = ret->body,
        .body_len = strlen(ret->body),
        .reply_max = NANO_REPLY_MAX,
        .connect_ms = r->limits.connect_ms,
        .total_ms = total_ms,
        .cancel = cancel,
    };
}

void nano_post_free(struct nano_post *post)
{
    free(post->body);
    free(post->log_name);
    *post = (struct nano_post){0};
}

static enum nano_verdict down(const struct nano_peer *p, struct err *e, const char *what)
{
    char why[sizeof(e->detail)];
    str_copy(why, sizeof(why), what);
    err_set(e, ERR_RETRY, "pay.node_down", "nano %s: %s", p->name, why);
    return NANO_NEXT;
}

static enum nano_verdict read_status(struct nano_peer *p, const struct net_reply *reply,
                                     struct err *e)
{
    char text[48];
    snprintf(text, sizeof(text), "HTTP status %d", reply->status);
    if (reply->status == 429) {
        peer_limited(p, reply->retry_after_ms);
        return down(p, e, "too many requests");
    }
    if (reply->status == 413) { /* not its fault: the caller may ask for less */
        err_set(e, ERR_LIMIT, "pay.node_down", "nano %s: the request is too large", p->name);
        return NANO_NEXT;
    }
    nano_peer_bad(p);
    if (reply->status == 401 || reply->status == 403) {
        err_set(e, ERR_CONFIG, "pay.node_down", "nano %s: the key is refused (%d)", p->name,
                reply->status);
        return NANO_NEXT;
    }
    return down(p, e, text);
}

enum nano_verdict nano_post_read(struct nano_peer *p, const struct net_reply *reply,
                                 cJSON **ret_doc, char ret_error[static NANO_ERROR_TEXT],
                                 struct err *e)
{
    if (reply->outcome == NET_CANCELLED) {
        err_set(e, ERR_CANCELLED, "error.cancelled", "nano: cancelled");
        return NANO_FINAL;
    }
    if (reply->outcome != NET_REPLY) {
        nano_peer_bad(p);
        bool rules = e->code == ERR_CONFIG || e->code == ERR_REFUSED;
        bool large = reply->outcome == NET_TOO_LARGE;
        e->code = rules ? ERR_CONFIG : large ? ERR_LIMIT : ERR_RETRY;
        e->user_key = "pay.node_down"; /* detail names the node and what happened */
        return NANO_NEXT;
    }
    if (reply->status < 200 || reply->status > 299)
        return read_status(p, reply, e);
    heed_rate(p, reply);
    struct err why = {0};
    if (nano_read_reply(reply->body, reply->len, ret_doc, ret_error, &why))
        return NANO_FINE;
    nano_peer_bad(p);
    return down(p, e, why.detail);
}

enum nano_verdict nano_call(struct nano_rpc *r, struct nano_peer *p, const char *body, int total_ms,
                            const struct cancel *cancel, cJSON **ret_doc,
                            char ret_error[static NANO_ERROR_TEXT], struct err *e)
{
    AUTO(nano_post_free) struct nano_post post = {0};
    AUTO(net_reply_free) struct net_reply reply = {0};
    nano_post_make(r, p, body, total_ms, cancel, &post);
    (void)net_call(r->net, &post.request, &reply, e);
    return nano_post_read(p, &reply, ret_doc, ret_error, e);
}
