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
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/pay/nano_internal.h"

enum {
    POLL_MS = 5000,
    POLL_ALL_MS = 10 * 60 * 1000,
    LOOK_MS = 500,   /* edits and claims that are due; the lease */
    AGAIN_MS = 1000, /* after the database or the nodes did not answer */
    WALK_MAX = 100,  /* watch-only: blocks of the wallet's own chain read back at once */
    EDITS_MAX = 64,  /* per look */
};

/* --- one payment --- */

struct credit_ctx {
    struct nano_payment *p;
    const char *ref, *address;
    const struct nano_checked *checked;
    const char *account; /* of a claim, or NULL */
    bool quiet;          /* nobody is told */
    struct deposit_done done;
};

static bool tell_credited(struct credit_ctx *c, struct db_tx *tx, struct err *e)
{
    char amount[XNO_TEXT], rest[XNO_TEXT];
    raw_to_xno(c->checked->amount, amount);
    raw_to_xno_short(c->done.rest, 6, rest);
    const struct pay_credited told = {
        .account = c->done.account,
        .order = c->done.has_order ? &c->done.order : NULL,
        .credits = c->done.credits,
        .bonus = c->done.bonus,
        .amount = amount,
        .unit = "XNO",
        .rest = rest,
        .ref = c->ref,
    };
    return c->p->calls->on_credited(tx, c->p->calls->ctx, &told, e);
}

static bool credit_body(struct db_tx *tx, void *data, struct err *e)
{
    struct credit_ctx *c = data;
    const struct deposit d = {
        .method = NANO_METHOD,
        .ref = c->ref,
        .address = c->address,
        .prices = &c->p->prices,
        .amount = c->checked->amount,
        .paid_at = c->checked->paid_at,
        .account = c->account,
    };
    return deposit_credit(tx, &d, &c->done, e) &&
           (c->done.result != DEPOSIT_CREDITED || !c->p->calls || c->quiet ||
            tell_credited(c, tx, e));
}

struct seen_ctx {
    struct nano_payment *p;
    const char *address;
    struct raw amount;
    bool found;
};

static bool seen_body(struct db_tx *tx, void *data, struct err *e)
{
    struct seen_ctx *s = data;
    struct order order;
    if (!order_mark_seen(tx, s->address, s->amount, &order, &s->found, e))
        return false;
    return !s->found || s->p->calls->on_seen(tx, s->p->calls->ctx, &order, e);
}

struct owner_ctx {
    const char *address;
    bool ours;
};

static bool owner_body(struct db_tx *tx, void *data, struct err *e)
{
    struct owner_ctx *o = data;
    struct deposit_address a;
    return address_find(tx, o->address, &a, &o->ours, e);
}

/* One of our addresses, or the wallet when everybody pays there. */
static bool is_ours(struct nano_payment *p, const struct nano_account *to, const char *text,
                    bool *ret, struct err *e)
{
    struct owner_ctx o = {.address = text};
    *ret = !p->o.seed && nano_account_equal(to, &p->wallet);
    if (*ret || !p->o.seed)
        return true;
    if (!db_run(p->o.db, owner_body, &o, e))
        return false;
    *ret = o.ours;
    return true;
}

static void after(struct nano_payment *p)
{
    if (p->calls)
        p->calls->after(p->calls->ctx);
}

/* Money never waits for a card: when telling fails for a reason that a repeat does not mend, it is
   counted without. */
static bool credit_now(struct credit_ctx *c, struct err *e)
{
    if (db_run(c->p->o.db, credit_body, c, e))
        return true;
    if (e->code == ERR_RETRY || e->code == ERR_CANCELLED)
        return false;
    log_err(LOG_ERROR, LOG_MODULE, e);
    c->quiet = true;
    return db_run(c->p->o.db, credit_body, c, e);
}

static bool credit_one(struct nano_payment *p, const struct nano_hash *hash,
                       struct nano_checked *checked, struct err *e)
{
    char ref[NANO_HEX], address[NANO_ADDRESS];
    bool ours = false;
    if (checked->verdict != NANO_GOOD && checked->verdict != NANO_WAIT)
        return true;
    if (raw_compare(checked->amount, p->o.minimum) < 0)
        return true; /* dust */
    nano_hash_print(hash, ref);
    nano_account_print(&checked->to, address);
    if (!is_ours(p, &checked->to, address, &ours, e))
        return false;
    if (!ours)
        return true;
    if (checked->verdict == NANO_WAIT) {
        struct seen_ctx s = {.p = p, .address = address, .amount = checked->amount};
        if (p->calls && db_run(p->o.db, seen_body, &s, e) && s.found)
            after(p);
        return true; /* a comfort only */
    }
    struct credit_ctx c = {.p = p, .ref = ref, .address = address, .checked = checked};
    crash_at("pay.before_credit");
    if (!credit_now(&c, e))
        return false;
    crash_at("pay.after_credit");
    if (c.done.result == DEPOSIT_CREDITED) {
        log_info("%s: %lld credits", ref, (long long)(c.done.credits + c.done.bonus));
        after(p);
    }
    return true;
}

bool nano_credit_hashes(struct nano_payment *p, const struct nano_hash *hashes, size_t count,
                        struct err *e)
{
    struct nano_checked checked[NANO_BATCH];
    for (size_t at = 0; at < count; at += NANO_BATCH) {
        size_t n = MIN(count - at, NANO_BATCH);
        if (!nano_check(p, hashes + at, n, checked, &p->stop, e))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!credit_one(p, &hashes[at + i], &checked[i], e))
                return false;
    }
    return true;
}

/* --- polling --- */

struct filter_ctx {
    const char *refs[NANO_BATCH];
    bool is_new[NANO_BATCH];
    size_t count;
};

static bool filter_body(struct db_tx *tx, void *data, struct err *e)
{
    struct filter_ctx *f = data;
    return deposit_filter(tx, NANO_METHOD, f->refs, f->count, f->is_new, e);
}

/* What of this list has no row yet. */
static bool credit_new(struct nano_payment *p, const struct nano_hash *hashes, size_t count,
                       struct err *e)
{
    for (size_t at = 0; at < count; at += NANO_BATCH) {
        char hex[NANO_BATCH][NANO_HEX];
        struct nano_hash fresh[NANO_BATCH];
        size_t fresh_count = 0;
        struct filter_ctx f = {.count = MIN(count - at, NANO_BATCH)};
        for (size_t i = 0; i < f.count; i++) {
            nano_hash_print(&hashes[at + i], hex[i]);
            f.refs[i] = hex[i];
        }
        if (!db_run(p->o.db, filter_body, &f, e))
            return false;
        for (size_t i = 0; i < f.count; i++)
            if (f.is_new[i])
                fresh[fresh_count++] = hashes[at + i];
        if (!nano_credit_hashes(p, fresh, fresh_count, e))
            return false;
    }
    return true;
}

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
    good = good ? credit_new(p, hashes, list.count, e)
                : err_set(e, ERR_RETRY, "error.busy", "no memory for %zu payments", list.count);
    if (list.cut_count > 0)
        log_info("%zu accounts have more waiting than was listed: pocketing makes room",
                 list.cut_count);
    free(list.items);
    free(list.cut);
    return good;
}

/* Watch-only: what the operator's wallet has received by itself is no longer in the list of what
   waits, so its own chain is read back to where the last look ended. */
static bool walk_wallet(struct nano_payment *p, struct err *e)
{
    struct nano_account_info info;
    struct nano_hash sends[WALK_MAX];
    size_t count = 0;
    if (!p->o.node.ops->account(p->o.node.self, &p->wallet, &info, &p->stop, e))
        return false;
    if (!info.opened || nano_hash_equal(&info.frontier, &p->wallet_seen))
        return true;
    struct nano_hash at = info.frontier;
    for (int i = 0; i < WALK_MAX; i++) {
        struct nano_block_info block;
        if (nano_hash_is_zero(&at) || nano_hash_equal(&at, &p->wallet_seen))
            break;
        if (!p->o.node.ops->blocks(p->o.node.self, &at, 1, &block, &p->stop, e))
            return false;
        if (!block.found || !block.is_state)
            break;
        if (!nano_hash_is_zero(&block.block.link))
            sends[count++] = block.block.link; /* those that are no sends to us are sorted out */
        at = block.block.previous;
    }
    if (!credit_new(p, sends, count, e))
        return false;
    p->wallet_seen = info.frontier;
    return true;
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

static bool look_wallet(struct nano_payment *p, struct err *e)
{
    p->o.node.ops->watch_add(p->o.node.self, &p->wallet, 1);
    return poll_accounts(p, &p->wallet, 1, e) && walk_wallet(p, e);
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
    if (!p->o.seed) {
        after[0] = '\0';
        return look_wallet(p, e);
    }
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

/* --- claims --- */

enum { CLAIM_TRIES = 10 }; /* a minute apart */

struct claim_ctx {
    struct nano_payment *p;
    struct claim claim;
    bool found;
    struct nano_checked checked;
    char address[NANO_ADDRESS];
    enum pay_claim result;
};

static bool claim_take_body(struct db_tx *tx, void *data, struct err *e)
{
    struct claim_ctx *c = data;
    return claim_take(tx, NANO_METHOD, &c->claim, &c->found, e);
}

/* First as if nobody had claimed it; then, when it is nobody's, by the rule of claim_is_sole. */
static bool claim_grant(struct db_tx *tx, struct claim_ctx *c, struct err *e)
{
    struct credit_ctx credit = {
        .p = c->p, .ref = c->claim.ref, .address = c->address, .checked = &c->checked};
    char owner[UUID_TEXT];
    bool sole = false;
    if (!credit_body(tx, &credit, e) || !deposit_owner(tx, NANO_METHOD, c->claim.ref, owner, e))
        return false;
    if (owner[0]) {
        bool now = credit.done.result == DEPOSIT_CREDITED && strcmp(owner, c->claim.account) == 0;
        c->result = now ? PAY_CLAIM_GRANTED : PAY_CLAIM_KNOWN;
        return true;
    }
    c->result = PAY_CLAIM_ASK_OPERATOR;
    if (!claim_is_sole(tx, c->claim.account, c->address, c->checked.paid_at, &sole, e))
        return false;
    if (!sole)
        return true;
    credit.account = c->claim.account;
    c->result = PAY_CLAIM_GRANTED;
    return credit_body(tx, &credit, e);
}

static bool claim_end_body(struct db_tx *tx, void *data, struct err *e)
{
    struct claim_ctx *c = data;
    const struct pay_calls *calls = c->p->calls;
    c->result = PAY_CLAIM_NOT_OURS;
    if (c->checked.verdict == NANO_GOOD && !claim_grant(tx, c, e))
        return false;
    return claim_end(tx, &c->claim, c->result == PAY_CLAIM_GRANTED, e) &&
           calls->on_claim(tx, calls->ctx, c->claim.lang, &c->claim.addr, c->result, e);
}

static bool answer_claim(struct nano_payment *p, bool *ret_found, struct err *e)
{
    struct claim_ctx c = {.p = p};
    struct nano_hash hash;
    bool ours = false;
    if (!db_run(p->o.db, claim_take_body, &c, e))
        return false;
    *ret_found = c.found;
    if (!c.found || !nano_hash_parse(c.claim.ref, &hash))
        return true;
    if (!nano_check(p, &hash, 1, &c.checked, &p->stop, e))
        return false;
    enum nano_verdict v = c.checked.verdict;
    if ((v == NANO_UNKNOWN || v == NANO_WAIT) && c.claim.tries < CLAIM_TRIES)
        return true; /* once more in a minute */
    nano_account_print(&c.checked.to, c.address);
    if (v == NANO_GOOD && !is_ours(p, &c.checked.to, c.address, &ours, e))
        return false;
    if (!ours || raw_compare(c.checked.amount, p->o.minimum) < 0)
        c.checked.verdict = NANO_NOT_OURS;
    if (!db_run(p->o.db, claim_end_body, &c, e))
        return false;
    after(p);
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
            after(p);
    for (int i = 0; i < EDITS_MAX && claim && still_ours(p); i++)
        if (!answer_claim(p, &claim, e))
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

/* Addresses in use come first; all of them follow page by page, so that a million of them keep
   nobody waiting. */
static bool look_due(struct nano_payment *p, struct watch_state *s, struct err *e)
{
    char from_start[PAY_ADDRESS_MAX] = "";
    if (clock_mono_ms() >= s->hot_at) {
        if (!look(p, true, INT_MAX, from_start, e))
            return false;
        s->hot_at = clock_mono_ms() + (p->o.poll_ms ? p->o.poll_ms : POLL_MS);
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
    if (!credit_new(p, hints, count, e))
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
        if (!had) { /* another may have missed something */
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
