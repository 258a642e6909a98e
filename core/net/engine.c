/* The engine: the only thread that touches libcurl, and the door to it. */
#include "core/net/net_internal.h"

#include <strings.h>

struct net_engine {
    bool allow_plain; /* fixed at create */
    CURLM *multi;     /* engine's thread; others only curl_multi_wakeup */
    pthread_t thread;
    /* --- engine's thread only --- */
    struct transfer *active;
    size_t active_count;
    pthread_mutex_t lock;
    /* --- below: only with lock held --- */
    bool stopping;
    struct transfer *first, *last; /* submitted, not yet taken over */
    size_t waiting;
    struct net_origin bases[NET_BASES_MAX];
    size_t base_count;
};

int64_t net_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- bases --- */

bool net_trust_base(struct net_engine *engine, const char *url, struct err *e)
{
    struct net_origin o;
    if (!net_base_url_ok(url, engine->allow_plain, e))
        return false;
    if (!net_origin_parse(url, &o) || str_starts(o.scheme, "ws"))
        return err_set(e, ERR_CONFIG, "start.bad_url", "base URL is not http or https");
    bool known = net_engine_is_base(engine, &o, &(bool){false});
    pthread_mutex_lock(&engine->lock);
    bool room = known || engine->base_count < NET_BASES_MAX;
    if (!known && room)
        engine->bases[engine->base_count++] = o;
    pthread_mutex_unlock(&engine->lock);
    return room || err_set(e, ERR_CONFIG, "start.bad_url", "more than %d base URLs", NET_BASES_MAX);
}

bool net_engine_is_base(struct net_engine *engine, const struct net_origin *o,
                        bool *ret_allow_plain)
{
    bool found = false;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->base_count && !found; i++)
        found = net_origin_same(&engine->bases[i], o);
    pthread_mutex_unlock(&engine->lock);
    *ret_allow_plain = engine->allow_plain;
    return found;
}

/* --- engine's thread --- */

static void unlink_active(struct net_engine *engine, struct transfer *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else
        engine->active = t->next;
    if (t->next)
        t->next->prev = t->prev;
    engine->active_count--;
}

static void hand_over(struct net_engine *engine, struct transfer *t, struct net_reply *reply,
                      const struct err *e)
{
    net_done_fn *on_done = t->on_done;
    void *ctx = t->ctx;
    transfer_free(t, engine->multi); /* first: frees files and sockets before the owner goes on */
    on_done(ctx, reply, e);
}

static void start(struct net_engine *engine, struct transfer *t)
{
    struct err e = {0};
    if (transfer_begin(t, engine->multi, &e)) {
        t->prev = NULL;
        t->next = engine->active;
        if (engine->active)
            engine->active->prev = t;
        engine->active = t;
        engine->active_count++;
        return;
    }
    struct net_reply reply = {.retry_after_ms = -1, .body = str_dup("")};
    reply.outcome = t->refused ? NET_FORBIDDEN : t->disk_errno ? NET_DISK : NET_NOT_SENT;
    hand_over(engine, t, &reply, &e);
}

static void finish(struct net_engine *engine, struct transfer *t, CURLcode code)
{
    struct err e = {0};
    struct net_reply reply = {0};
    if (!transfer_finish(t, engine->multi, code, &reply, &e))
        return; /* next hop */
    unlink_active(engine, t);
    hand_over(engine, t, &reply, &e);
}

static void stop_one(struct net_engine *engine, struct transfer *t)
{
    struct cancel fired;
    cancel_init(&fired, NULL);
    cancel_fire(&fired);
    t->req.cancel = &fired;
    finish(engine, t, CURLE_ABORTED_BY_CALLBACK);
}

static void take_submitted(struct net_engine *engine, bool all)
{
    while (all || engine->active_count < NET_ACTIVE_MAX) {
        pthread_mutex_lock(&engine->lock);
        struct transfer *t = engine->first;
        if (t) {
            engine->first = t->next;
            if (!t->next)
                engine->last = NULL;
            engine->waiting--;
        }
        pthread_mutex_unlock(&engine->lock);
        if (!t)
            return;
        t->next = NULL;
        start(engine, t);
    }
}

static void drain_messages(struct net_engine *engine)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(engine->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct transfer *t = NULL;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(engine, t, code);
    }
}

static void tick_all(struct net_engine *engine)
{
    int64_t now = net_now_ms();
    for (struct transfer *t = engine->active, *next; t; t = next) {
        next = t->next;
        CURLcode code = transfer_tick(t, now);
        if (code != CURLE_OK)
            finish(engine, t, code);
    }
}

static bool is_stopping(struct net_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    bool stopping = engine->stopping;
    pthread_mutex_unlock(&engine->lock);
    return stopping;
}

static void *engine_main(void *arg)
{
    struct net_engine *engine = arg;
    int64_t ticked = 0;
    while (!is_stopping(engine)) {
        int running;
        take_submitted(engine, false);
        curl_multi_perform(engine->multi, &running);
        drain_messages(engine);
        int64_t now = net_now_ms();
        if (now - ticked >= NET_TICK_MS) {
            ticked = now;
            tick_all(engine);
        }
        curl_multi_poll(engine->multi, NULL, 0, engine->active ? NET_TICK_MS : 1000, NULL);
    }
    take_submitted(engine, true);
    while (engine->active)
        stop_one(engine, engine->active);
    return NULL;
}

/* --- life --- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_setup(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool net_engine_create(bool allow_plain, struct net_engine **ret, struct err *e)
{
    pthread_once(&curl_once, curl_setup);
    struct net_engine *engine = calloc(1, sizeof(*engine));
    CURLM *multi = curl_ready == CURLE_OK && engine ? curl_multi_init() : NULL;
    if (!multi) {
        free(engine);
        return err_set(e, ERR_INTERNAL, "error.internal", "libcurl does not start");
    }
    engine->allow_plain = allow_plain;
    engine->multi = multi;
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 64L);
    pthread_mutex_init(&engine->lock, NULL);
    if (pthread_create(&engine->thread, NULL, engine_main, engine) != 0) {
        curl_multi_cleanup(multi);
        pthread_mutex_destroy(&engine->lock);
        free(engine);
        return err_set(e, ERR_INTERNAL, "error.internal", "no thread for the network");
    }
    pthread_setname_np(engine->thread, "net");
    *ret = engine;
    return true;
}

void net_engine_destroy(struct net_engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    pthread_mutex_unlock(&engine->lock);
    curl_multi_wakeup(engine->multi);
    pthread_join(engine->thread, NULL);
    curl_multi_cleanup(engine->multi);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* --- callers --- */

bool net_submit(struct net_engine *engine, const struct net_request *request, net_done_fn *on_done,
                void *ctx, struct err *e)
{
    struct transfer *t = calloc(1, sizeof(*t));
    if (!t)
        return err_set(e, ERR_RETRY, "error.network", "%s: out of memory", request->log_name);
    t->engine = engine;
    t->req = *request;
    t->on_done = on_done;
    t->ctx = ctx;
    t->fd = -1;
    pthread_mutex_lock(&engine->lock);
    bool room = !engine->stopping && engine->waiting < NET_WAITING_MAX;
    if (room) {
        if (engine->last)
            engine->last->next = t;
        else
            engine->first = t;
        engine->last = t;
        engine->waiting++;
    }
    pthread_mutex_unlock(&engine->lock);
    if (!room) {
        free(t);
        return err_set(e, ERR_RETRY, "error.network", "%s: too many requests wait",
                       request->log_name);
    }
    curl_multi_wakeup(engine->multi);
    return true;
}

struct call {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct net_reply *reply;
    struct err *e;
};

static void call_done(void *ctx, struct net_reply *reply, const struct err *e)
{
    struct call *call = ctx;
    pthread_mutex_lock(&call->lock);
    *call->reply = *reply;
    if (e->code != ERR_NONE)
        *call->e = *e;
    call->done = true;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

bool net_call(struct net_engine *engine, const struct net_request *request,
              struct net_reply *ret_reply, struct err *e)
{
    struct call call = {.reply = ret_reply, .e = e};
    *ret_reply = (struct net_reply){.outcome = NET_NOT_SENT, .retry_after_ms = -1};
    pthread_mutex_init(&call.lock, NULL);
    pthread_cond_init(&call.changed, NULL);
    bool sent = net_submit(engine, request, call_done, &call, e);
    if (sent) {
        /* The engine ends every request: by answer, limit, cancel or shutdown. */
        pthread_mutex_lock(&call.lock);
        while (!call.done)
            pthread_cond_wait(&call.changed, &call.lock);
        pthread_mutex_unlock(&call.lock);
    } else {
        ret_reply->body = str_dup("");
    }
    pthread_cond_destroy(&call.changed);
    pthread_mutex_destroy(&call.lock);
    return sent && ret_reply->outcome == NET_REPLY;
}

void net_reply_free(struct net_reply *reply)
{
    free(reply->body);
    free(reply->headers);
    reply->body = reply->headers = NULL;
    reply->len = reply->headers_len = 0;
}

const char *net_reply_header(const struct net_reply *reply, const char *name)
{
    const char *found = "";
    for (size_t at = 0; reply->headers && at < reply->headers_len;) {
        const char *key = reply->headers + at;
        const char *value = key + strlen(key) + 1;
        if (strcasecmp(key, name) == 0)
            found = value;
        at = (size_t)(value - reply->headers) + strlen(value) + 1;
    }
    return found;
}
