/* Which node is asked, and what to think of it. */
#define LOG_MODULE "nano"
#include "adapters/nano/nano_parts.h"

#include "core/base/clock.h"
#include "core/base/log.h"

enum {
    LOOK_MS = 3000,       /* version, block_count, telemetry: each */
    AGAIN_MS = 60000,     /* before a node of the wrong network is looked at again */
    ELSEWHERE = 10,       /* every so many questions */
    BEHIND_BLOCKS = 1000, /* cemented blocks that a node may be behind: some minutes of traffic */
};

/* --- looks --- */

static bool same_network(const struct nano_rpc *r, const cJSON *version)
{
    const char *id = json_text(version, "network_identifier", "");
    /* Some services leave it out; the real one cannot be told by anything else. */
    return !r->network_id[0] || !id[0] || strcasecmp(id, r->network_id) == 0;
}

static enum nano_verdict ask_plain(struct nano_rpc *r, struct nano_peer *p, const char *action,
                                   const struct cancel *cancel, cJSON **ret, struct err *e)
{
    AUTO(free_ptr) char *body = str_printf("\"action\":\"%s\"}", action);
    char error[NANO_ERROR_TEXT];
    enum nano_verdict v =
        nano_call(r, p, body, MIN(r->limits.call_ms, LOOK_MS), cancel, ret, error, e);
    if (v == NANO_FINE && error[0])
        json_free(ret); /* blocked there: nothing known */
    return v;
}

/* Cemented blocks behind the network, -1 unknown. */
static enum nano_verdict ask_behind(struct nano_rpc *r, struct nano_peer *p,
                                    const struct cancel *cancel, int64_t *ret, struct err *e)
{
    AUTO(json_free) cJSON *own = NULL;
    AUTO(json_free) cJSON *all = NULL;
    *ret = -1;
    enum nano_verdict v = ask_plain(r, p, "block_count", cancel, &own, e);
    if (v == NANO_FINE && own)
        v = ask_plain(r, p, "telemetry", cancel, &all, e);
    if (v != NANO_FINE || !own || !all)
        return v;
    int64_t have = nano_read_count(own, "cemented"), there = nano_read_count(all, "cemented_count");
    if (have > 0 && there > 0)
        *ret = MAX(there - have, 0);
    return v;
}

static enum nano_verdict wrong_network(struct nano_peer *p, struct err *e)
{
    err_set(e, ERR_CONFIG, "pay.node_down", "nano %s: a node of another network", p->name);
    return NANO_NEXT;
}

static enum nano_verdict look_now(struct nano_rpc *r, struct nano_peer *p,
                                  const struct cancel *cancel, struct err *e)
{
    AUTO(json_free) cJSON *version = NULL;
    int64_t behind = -1;
    enum nano_verdict v = ask_plain(r, p, "version", cancel, &version, e);
    bool wrong = version && !same_network(r, version);
    if (v == NANO_FINE && !wrong && r->peer_count > 1) /* alone there is no choice */
        v = ask_behind(r, p, cancel, &behind, e);
    if (v != NANO_FINE)
        return v;
    pthread_mutex_lock(&p->lock);
    bool news = p->lagging != (behind > BEHIND_BLOCKS);
    p->known = !wrong;
    p->wrong_network = wrong;
    p->lagging = behind > BEHIND_BLOCKS;
    p->look_at_ms = clock_mono_ms() + (wrong ? AGAIN_MS : r->limits.look_ms);
    pthread_mutex_unlock(&p->lock);
    if (news && behind >= 0)
        log_warn("%s is %lld blocks behind", p->name, (long long)behind);
    if (wrong) {
        (void)wrong_network(p, e);
        log_err(LOG_ERROR, LOG_MODULE, e);
    }
    return wrong ? NANO_NEXT : NANO_FINE;
}

enum nano_verdict nano_look(struct nano_rpc *r, struct nano_peer *p, const struct cancel *cancel,
                            struct err *e)
{
    pthread_mutex_lock(&p->lock);
    bool known = p->known, wrong = p->wrong_network;
    bool due = (!known && !wrong) || clock_mono_ms() >= p->look_at_ms;
    if (due && known)
        p->look_at_ms = clock_mono_ms() + r->limits.look_ms; /* one caller looks */
    pthread_mutex_unlock(&p->lock);
    if (!due)
        return wrong ? wrong_network(p, e) : NANO_FINE;
    return look_now(r, p, cancel, e);
}

enum nano_verdict nano_unbelievable(const char *error, struct err *e)
{
    char why[sizeof(e->detail)];
    str_copy(why, sizeof(why), e->code == ERR_NONE ? "an answer that makes no sense" : e->detail);
    if (error[0])
        err_set(e, ERR_RETRY, "pay.node_down", "nano: the node says: %s", error);
    else
        err_set(e, ERR_RETRY, "pay.node_down", "%s", why);
    return NANO_NEXT;
}

bool nano_peer_waits(struct nano_peer *p)
{
    pthread_mutex_lock(&p->lock);
    bool waits = clock_mono_ms() < p->told_until_ms;
    pthread_mutex_unlock(&p->lock);
    return waits;
}

/* --- order --- */

/* Lower is asked earlier; -1: not at all. */
static int rank_of(struct nano_peer *p, int64_t now)
{
    pthread_mutex_lock(&p->lock);
    int rank = now < p->told_until_ms ? -1 : now < p->rest_until_ms ? 2 : p->lagging ? 1 : 0;
    pthread_mutex_unlock(&p->lock);
    return rank;
}

/* Now and then another good node is asked first: one that hides payments can only delay them. */
static void go_elsewhere(struct nano_rpc *r, struct nano_peer **order,
                         const int ranks[static NANO_NODES_MAX])
{
    size_t good = 0;
    for (size_t i = 0; i < r->peer_count; i++)
        good += ranks[i] == 0;
    size_t nth = atomic_fetch_add(&r->asked, 1) + 1;
    if (good < 2 || nth % ELSEWHERE != 0)
        return;
    size_t other = 1 + nth / ELSEWHERE % (good - 1);
    struct nano_peer *first = order[0];
    order[0] = order[other];
    order[other] = first;
}

/* In the operator's order; those that are behind, then those that rest, come last. */
static size_t order_of(struct nano_rpc *r, struct nano_peer *ret[static NANO_NODES_MAX])
{
    int64_t now = clock_mono_ms();
    int ranks[NANO_NODES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->peer_count; i++)
        ranks[i] = rank_of(&r->peers[i], now);
    for (int rank = 0; rank <= 2; rank++)
        for (size_t i = 0; i < r->peer_count; i++)
            if (ranks[i] == rank)
                ret[n++] = &r->peers[i];
    go_elsewhere(r, ret, ranks);
    return n;
}

/* The operator wants to know which of them it was. */
static void name_node(const struct nano_peer *p, struct err *e)
{
    char why[sizeof(e->detail)];
    str_copy(why, sizeof(why), e->detail + (str_starts(e->detail, "nano: ") ? 6 : 0));
    snprintf(e->detail, sizeof(e->detail), "nano %s: %.250s", p->name, why);
}

static enum nano_verdict ask_one(struct nano_rpc *r, struct nano_peer *p,
                                 const struct nano_question *q, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    char error[NANO_ERROR_TEXT] = "";
    enum nano_verdict v = nano_look(r, p, q->cancel, e);
    if (v == NANO_FINE)
        v = nano_call(r, p, q->body, r->limits.call_ms, q->cancel, &doc, error, e);
    if (v != NANO_FINE)
        return v;
    v = q->take(q->ctx, doc, error, e);
    if (v != NANO_FINE)
        name_node(p, e);
    if (v == NANO_NEXT && e->code != ERR_NOT_FOUND && e->code != ERR_CONFLICT)
        nano_peer_bad(p);
    else
        nano_peer_good(p);
    return v;
}

bool nano_ask(struct nano_rpc *r, const struct nano_question *q, struct err *e)
{
    struct nano_peer *order[NANO_NODES_MAX];
    size_t count = order_of(r, order);
    err_set(e, ERR_RETRY, "pay.node_down", "nano %s: every node wants to be left alone", q->what);
    for (size_t i = 0; i < count; i++) {
        struct err why = {0};
        if (e->code == ERR_NOT_FOUND && rank_of(order[i], clock_mono_ms()) != 0)
            break; /* an answer is there: not worth waiting for one that stalls */
        if (cancel_fired(q->cancel))
            return err_set(e, ERR_CANCELLED, "error.cancelled", "nano %s: cancelled", q->what);
        enum nano_verdict v = ask_one(r, order[i], q, &why);
        if (v == NANO_FINE)
            return true;
        *e = why;
        if (e->code == ERR_LIMIT && !q->shrinks)
            e->code = ERR_RETRY;
        if (v == NANO_FINAL)
            return false;
        log_debug("%s: %s", q->what, why.detail);
    }
    return false;
}

/* --- health --- */

static void fill_health(struct nano_rpc *r, struct nano_peer *p, struct nano_health *h,
                        const struct cancel *cancel)
{
    AUTO(json_free) cJSON *version = NULL;
    int64_t begin = clock_mono_ms();
    *h = (struct nano_health){.behind = -1};
    str_copy(h->name, sizeof(h->name), p->name);
    enum nano_verdict v = ask_plain(r, p, "version", cancel, &version, &h->why);
    h->answer_ms = clock_mono_ms() - begin;
    if (v == NANO_FINE && version && !same_network(r, version))
        v = wrong_network(p, &h->why);
    if (v != NANO_FINE)
        return;
    str_copy(h->vendor, sizeof(h->vendor), json_text(version, "node_vendor", ""));
    h->ok = ask_behind(r, p, cancel, &h->behind, &h->why) == NANO_FINE;
}

size_t rpc_health(void *self, struct nano_health *ret, size_t max, const struct cancel *cancel)
{
    struct nano_rpc *r = self;
    size_t n = MIN(r->peer_count, max);
    for (size_t i = 0; i < n; i++)
        fill_health(r, &r->peers[i], &ret[i], cancel);
    return n;
}
