/* The second opinion: every node is asked at one time, and each answers for itself. */
#include "adapters/nano/nano_parts.h"

struct opinion {
    struct panel *panel;
    struct nano_post post;
    bool answered, confirmed;
    struct nano_peer *peer;
};

struct panel {
    const struct nano_hash *hash;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    size_t open;
    struct err why;
    struct opinion of[NANO_NODES_MAX];
};

/* On the engine's thread. */
static void on_done(void *ctx, struct net_reply *reply, const struct err *e)
{
    struct opinion *o = ctx;
    struct panel *panel = o->panel;
    AUTO(json_free) cJSON *doc = NULL;
    char error[NANO_ERROR_TEXT] = "";
    struct err why = *e;
    struct nano_block_info info = {0};
    enum nano_verdict v = nano_post_read(o->peer, reply, &doc, error, &why);
    bool missing = v == NANO_FINE && strcmp(error, "Block not found") == 0;
    bool read = v == NANO_FINE && !error[0] && nano_read_block(doc, panel->hash, &info, &why);
    if (v == NANO_FINE && !missing && !read)
        (void)nano_unbelievable(error, &why);
    net_reply_free(reply);
    pthread_mutex_lock(&panel->lock);
    o->answered = missing || read;
    o->confirmed = read && info.confirmed && info.is_signed;
    if (!o->answered)
        panel->why = why;
    panel->open--;
    pthread_cond_broadcast(&panel->changed);
    pthread_mutex_unlock(&panel->lock);
}

static void give_up(struct panel *panel, const struct err *why, size_t open)
{
    pthread_mutex_lock(&panel->lock);
    panel->why = *why;
    panel->open -= open;
    pthread_mutex_unlock(&panel->lock);
}

static void ask_peer(struct nano_rpc *r, struct panel *panel, size_t i, const char *body,
                     const struct cancel *cancel)
{
    struct opinion *o = &panel->of[i];
    struct err e = {0};
    *o = (struct opinion){.panel = panel, .peer = &r->peers[i]};
    if (nano_peer_waits(o->peer)) {
        err_set(&e, ERR_RETRY, "pay.node_down", "nano %s: wants to be left alone", o->peer->name);
        give_up(panel, &e, 0);
        return;
    }
    if (nano_look(r, o->peer, cancel, &e) != NANO_FINE) {
        give_up(panel, &e, 0);
        return;
    }
    nano_post_make(r, o->peer, body, r->limits.call_ms, cancel, &o->post);
    pthread_mutex_lock(&panel->lock);
    panel->open++;
    pthread_mutex_unlock(&panel->lock);
    if (!net_submit(r->net, &o->post.request, on_done, o, &e))
        give_up(panel, &e, 1);
}

/* Each call ends by itself within call_ms, or 100 ms after cancel. */
static void wait_all(struct panel *panel)
{
    pthread_mutex_lock(&panel->lock);
    while (panel->open > 0)
        pthread_cond_wait(&panel->changed, &panel->lock);
    pthread_mutex_unlock(&panel->lock);
}

bool rpc_confirmed_by(void *self, const struct nano_hash *hash, size_t *ret_asked, size_t *ret_yes,
                      const struct cancel *cancel, struct err *e)
{
    struct nano_rpc *r = self;
    char hex[NANO_HEX];
    size_t asked = 0, yes = 0;
    struct panel panel = {
        .hash = hash, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    nano_hash_print(hash, hex);
    AUTO(free_ptr)
    char *body =
        str_printf("\"action\":\"block_info\",\"json_block\":\"true\",\"hash\":\"%s\"}", hex);
    for (size_t i = 0; i < r->peer_count; i++)
        ask_peer(r, &panel, i, body, cancel);
    wait_all(&panel);
    for (size_t i = 0; i < r->peer_count; i++) {
        asked += panel.of[i].answered;
        yes += panel.of[i].confirmed;
        nano_post_free(&panel.of[i].post);
    }
    if (cancel_fired(cancel))
        return err_set(e, ERR_CANCELLED, "error.cancelled", "nano: cancelled");
    if (asked == 0) {
        *e = panel.why;
        if (e->code == ERR_LIMIT)
            e->code = ERR_RETRY;
        return false;
    }
    *ret_asked = asked;
    *ret_yes = yes;
    return true;
}
