/*
 * The watcher. Truth is what polling finds: addresses with an order or a hint lately each few
 * seconds, all of them at start, after each (re)connection of the stream, and every few minutes.
 * The stream's hints only make it faster. Losing the lease stops it between two steps; another
 * process that works at the same time finds the rows there and does nothing.
 */
#define LOG_MODULE "payments"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/pay/nano_internal.h"

enum {
    POLL_MS = 5000,
    POLL_ALL_MS = 10 * 60 * 1000,
    LOOK_MS = 500,   /* edits and claims that are due; the lease */
    AGAIN_MS = 1000, /* after the database or the nodes did not answer */
    EDITS_MAX = 64,  /* per look */
};
/* --- polling --- */

static bool poll_accounts(struct nano_payment *p, const struct nano_account *accounts, size_t count,
                          struct err *e)
{
    struct nano_receivables list = {0};
    const struct nano_receivable_query query = {
        .accounts = accounts, .count = count, .threshold = p->o.minimum, .cancel = &p->stop};
    if (count == 0)
        return true;
    if (!p->o.node.ops->receivables(p->o.node.self, &query, &list, e))
        return false;
    AUTO(free_ptr) struct nano_hash *hashes = malloc((list.count + 1) * sizeof(*hashes));
    bool good = hashes != NULL;
    for (size_t i = 0; good && i < list.count; i++)
        hashes[i] = list.items[i].hash;
    good = good ? nano_credit_new(p, hashes, list.count, e)
                : err_set(e, ERR_RETRY, "error.busy", "no memory for %zu payments", list.count);
    if (list.cut_count > 0 && list.cut_count != p->cut_told)
        log_info("%zu accounts have more waiting than was listed: pocketing makes room",
                 list.cut_count);
    if (list.cut_count > 0)
        p->cut_told = list.cut_count;
    free(list.items);
    free(list.cut);
    return good;
}
struct page_ctx {
    struct nano_payment *p;
    char after[PAY_ADDRESS_MAX];
    bool hot_only;
    struct deposit_address list[NANO_PAGE];
    size_t count;
};

static bool page_body(struct db_tx *tx, void *data, struct err *e)
{
    struct page_ctx *c = data;
    return address_list(tx, NANO_METHOD, c->p->print, c->after, c->hot_only, c->list, NANO_PAGE,
                        &c->count, e);
}

static bool still_ours(struct nano_payment *p)
{
    return !cancel_fired(&p->stop) && lease_keeper_held(p->lease);
}

static bool look_wallet(struct nano_payment *p, bool *ret_more, struct err *e)
{
    p->o.node.ops->watch_add(p->o.node.self, &p->wallet, 1);
    return poll_accounts(p, &p->wallet, 1, e) && nano_walk_wallet(p, ret_more, e);
}

/* One page of addresses: what waits there is credited, what is new to the stream is added to it. */
static bool look_page(struct nano_payment *p, struct page_ctx *c, struct err *e)
{
    AUTO(free_ptr) struct nano_account *accounts = calloc(NANO_PAGE, sizeof(*accounts));
    size_t n = 0;
    if (!accounts)
        return err_set(e, ERR_RETRY, "error.busy", "no memory for a page of addresses");
    if (!db_run(p->o.db, page_body, c, e))
        return false;
    for (size_t i = 0; i < c->count; i++)
        n += nano_account_parse(c->list[i].address, &accounts[n]);
    p->o.node.ops->watch_add(p->o.node.self, accounts, n);
    if (!poll_accounts(p, accounts, n, e))
        return false;
    if (c->count)
        str_copy(c->after, sizeof(c->after), c->list[c->count - 1].address);
    return true;
}

/* Pages from `after` on, at most `most`; "" in after: that was the last one. */
static bool look(struct nano_payment *p, bool hot_only, int most, char after[PAY_ADDRESS_MAX],
                 struct err *e)
{
    AUTO(free_ptr) struct page_ctx *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(e, ERR_RETRY, "error.busy", "no memory for a page of addresses");
    c->p = p;
    c->hot_only = hot_only;
    str_copy(c->after, sizeof(c->after), after);
    c->count = NANO_PAGE;
    for (int i = 0; i < most && c->count == NANO_PAGE && still_ours(p); i++)
        if (!look_page(p, c, e))
            return false;
    str_copy(after, PAY_ADDRESS_MAX, c->count == NANO_PAGE ? c->after : "");
    return true;
}
/* --- cards whose time has come --- */

struct edit_ctx {
    struct nano_payment *p;
    bool found;
};

static bool edit_body(struct db_tx *tx, void *data, struct err *e)
{
    struct edit_ctx *c = data;
    struct order order;
    if (!order_claim_edit(tx, &order, &c->found, e))
        return false;
    return !c->found || c->p->calls->on_redraw(tx, c->p->calls->ctx, &order, e);
}

static bool chores(struct nano_payment *p, struct err *e)
{
    struct edit_ctx edit = {.p = p, .found = true};
    bool claim = true;
    for (int i = 0; i < EDITS_MAX && edit.found; i++)
        if (!db_run(p->o.db, edit_body, &edit, e))
            return false;
        else if (edit.found)
            nano_tell_after(p);
    for (int i = 0; i < EDITS_MAX && claim && still_ours(p); i++)
        if (!nano_answer_claim(p, &claim, e))
            return false;
    return true;
}
/* --- the thread --- */

struct watch_state {
    int64_t hot_at, all_at;      /* next looks, monotonic ms */
    char after[PAY_ADDRESS_MAX]; /* where the look at all goes on; "" = from the start */
    bool away;                   /* said once */
};

/* Waits for a hint or the next thing to do. */
static void wait_hint(struct nano_payment *p, int64_t ms)
{
    struct timespec until = clock_until(CLAMP(ms, 1, LOOK_MS));
    pthread_mutex_lock(&p->lock);
    if (p->hint_count == 0 && !p->look_at_all && !cancel_fired(&p->stop))
        pthread_cond_clockwait(&p->changed, &p->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&p->lock);
}

/* The hints that came, each once. */
static size_t take_hints(struct nano_payment *p, struct nano_hash *ret, bool *ret_all)
{
    pthread_mutex_lock(&p->lock);
    size_t count = 0;
    for (size_t i = 0; i < p->hint_count; i++) {
        bool known = false;
        for (size_t k = 0; k < count && !known; k++)
            known = nano_hash_equal(&ret[k], &p->hints[i]);
        if (!known)
            ret[count++] = p->hints[i];
    }
    p->hint_count = 0;
    *ret_all = p->look_at_all;
    p->look_at_all = false;
    pthread_mutex_unlock(&p->lock);
    return count;
}

static int64_t next_hot(const struct nano_payment *p)
{
    return clock_mono_ms() + (p->o.poll_ms ? p->o.poll_ms : POLL_MS);
}

/* Watch-only: one address, in use for ever. */
static bool look_wallet_due(struct nano_payment *p, struct watch_state *s, struct err *e)
{
    bool more = false;
    s->all_at = INT64_MAX;
    if (clock_mono_ms() < s->hot_at)
        return true;
    if (!look_wallet(p, &more, e))
        return false;
    s->hot_at = more ? clock_mono_ms() : next_hot(p);
    return true;
}

/* Addresses in use come first; all of them follow page by page, so that a million of them keep
   nobody waiting. */
static bool look_due(struct nano_payment *p, struct watch_state *s, struct err *e)
{
    char from_start[PAY_ADDRESS_MAX] = "";
    if (!p->o.seed)
        return look_wallet_due(p, s, e);
    if (clock_mono_ms() >= s->hot_at) {
        if (!look(p, true, INT_MAX, from_start, e))
            return false;
        s->hot_at = next_hot(p);
    }
    if (clock_mono_ms() < s->all_at)
        return true;
    if (!look(p, false, 1, s->after, e))
        return false;
    if (!s->after[0])
        s->all_at = clock_mono_ms() + (p->o.poll_all_ms ? p->o.poll_all_ms : POLL_ALL_MS);
    return true;
}

static bool work_once(struct nano_payment *p, struct watch_state *s, struct err *e)
{
    bool all = false;
    int64_t now = clock_mono_ms();
    AUTO(free_ptr) struct nano_hash *hints = malloc(NANO_HINTS * sizeof(*hints));
    if (!hints)
        return err_set(e, ERR_RETRY, "error.busy", "no memory for hints");
    size_t count = take_hints(p, hints, &all);
    if (!nano_credit_new(p, hints, count, e))
        all = true; /* what the hints said is looked for */
    if (all) {
        s->hot_at = s->all_at = now;
        s->after[0] = '\0';
    }
    if (all && e->code != ERR_NONE)
        return false;
    if (count > 0) /* a hint may be ahead of what a node shows: look again soon */
        s->hot_at = MIN(s->hot_at, now + AGAIN_MS);
    return look_due(p, s, e) && chores(p, e);
}

static void tell_trouble(struct watch_state *s, const struct err *e)
{
    if (!s->away || e->code != ERR_RETRY)
        log_err(LOG_WARN, LOG_MODULE, e);
    s->away = true;
}

void *nano_watch_main(void *data)
{
    struct nano_payment *p = data;
    struct watch_state s = {0};
    bool held = false;
    pthread_setname_np(pthread_self(), "payments");
    while (!cancel_fired(&p->stop)) {
        struct err e = {0};
        bool had = held;
        held = lease_keeper_held(p->lease);
        if (!held) {
            cancel_wait(&p->stop, 100);
            continue;
        }
        if (!had) { /* another may have missed something, or gone on */
            p->walk.known = false;
            s.hot_at = s.all_at = 0;
            s.after[0] = '\0';
        }
        if (work_once(p, &s, &e)) {
            s.away = false;
            wait_hint(p, MIN(s.hot_at, s.all_at) - clock_mono_ms());
        } else if (!cancel_fired(&p->stop)) {
            tell_trouble(&s, &e);
            cancel_wait(&p->stop, AGAIN_MS);
        }
    }
    return NULL;
}
