/*
 * Watch-only: everybody pays to the operator's wallet, and what that wallet has received by itself is
 * no longer in any list of what waits. So its own chain is followed, block by block and for ever: the
 * mark in the database is moved to the next block once the payment that this one received was dealt
 * with, and a start goes on where the last process ended, however long ago.
 *
 * A node only says which block comes next. That it is the wallet's, and stands on the block before, is
 * in its hash; that it is final is asked for, so the mark never stands on a block that may vanish. When
 * it does not lead on all the same (another network, an older backup), it is set anew.
 */
#define LOG_MODULE "payments"
#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/db/store_chain.h"
#include "core/pay/nano_internal.h"

enum {
    WALK_MAX = 100,            /* blocks followed at one look */
    BACK_MAX = 100,            /* blocks read back to find where to begin */
    STRAYS_MAX = 12,           /* looks in vain until the mark is set anew: a minute of polling */
    EARLIER_S = 3600,          /* clocks of nodes differ by less */
    DOUBT_MS = 10 * 60 * 1000, /* so long a payment that cannot be judged is waited for */
};

enum step {
    STEP_ON,    /* the mark has moved */
    STEP_END,   /* no (final) block comes behind it, or its payment is not final: later */
    STEP_STRAY, /* the mark is on no chain of ours */
};

/* --- the mark --- */

struct mark_ctx {
    struct nano_payment *p;
    struct nano_hash at, to;
    bool found;
    int64_t first_s;
    const char *ref;
    bool is_new;
};

static bool seen_body(struct db_tx *tx, void *data, struct err *e)
{
    struct mark_ctx *c = data;
    return chain_seen(tx, NANO_METHOD, c->p->wallet_text, &c->at, &c->found, e) &&
           chain_first_order(tx, NANO_METHOD, c->p->wallet_text, &c->first_s, e);
}

static bool begin_body(struct db_tx *tx, void *data, struct err *e)
{
    struct mark_ctx *c = data;
    return chain_begin(tx, NANO_METHOD, c->p->wallet_text, &c->to, e) &&
           chain_seen(tx, NANO_METHOD, c->p->wallet_text, &c->at, &c->found, e);
}

static bool move_body(struct db_tx *tx, void *data, struct err *e)
{
    struct mark_ctx *c = data;
    return chain_move(tx, NANO_METHOD, c->p->wallet_text, &c->at, &c->to, &c->found, e);
}

static bool known_body(struct db_tx *tx, void *data, struct err *e)
{
    struct mark_ctx *c = data;
    return deposit_filter(tx, NANO_METHOD, &c->ref, 1, &c->is_new, e);
}

/* Somebody else has moved it: read again. */
static bool move_mark(struct nano_payment *p, const struct nano_hash *to, struct err *e)
{
    struct mark_ctx c = {.p = p, .at = p->walk.at, .to = *to};
    crash_at("pay.before_mark");
    if (!db_run(p->o.db, move_body, &c, e))
        return false;
    p->walk = (struct nano_walk){.known = c.found, .at = *to};
    return true;
}

/* --- where to begin --- */

/* The newest block that is final and older than the first order: without an order the newest of all.
   What lies before it was paid for nothing of ours. *ret_found false: not known yet. */
static bool find_begin(struct nano_payment *p, const struct nano_account_info *info,
                       int64_t first_s, struct nano_hash *ret, bool *ret_found, struct err *e)
{
    struct nano_block_info b;
    struct nano_hash at = info->frontier;
    *ret_found = true;
    for (int i = 0; i < BACK_MAX && !nano_hash_is_zero(&at); i++) {
        if (!p->o.node.ops->blocks(p->o.node.self, &at, 1, &b, &p->stop, e))
            return false;
        if (!b.found || (b.is_state && !nano_account_equal(&b.block.account, &p->wallet))) {
            *ret_found = false;
            return true;
        }
        bool old = first_s == 0 || (b.stored_s > 0 && b.stored_s < first_s - EARLIER_S);
        if (!b.is_state || (b.confirmed && old))
            break;
        at = b.block.previous;
    }
    *ret = at;
    return true;
}

static bool load_mark(struct nano_payment *p, const struct nano_account_info *info, struct err *e)
{
    struct mark_ctx c = {.p = p};
    if (!db_run(p->o.db, seen_body, &c, e))
        return false;
    if (!c.found) {
        if (!find_begin(p, info, c.first_s, &c.to, &c.found, e))
            return false;
        if (c.found && !db_run(p->o.db, begin_body, &c, e))
            return false;
    }
    p->walk = (struct nano_walk){.known = c.found, .at = c.at};
    return true;
}

/* The mark leads nowhere, again and again. */
static bool set_anew(struct nano_payment *p, const struct nano_account_info *info, struct err *e)
{
    struct mark_ctx c = {.p = p};
    bool found = false;
    struct nano_hash to;
    if (++p->walk.strays < STRAYS_MAX)
        return true;
    p->walk.strays = 0;
    if (!db_run(p->o.db, seen_body, &c, e) || !find_begin(p, info, c.first_s, &to, &found, e))
        return false;
    if (!found)
        return true;
    log_warn("%s: what was looked through last is not on its chain any more: begun anew",
             p->wallet_text);
    return move_mark(p, &to, e);
}

/* --- one block --- */

/* *ret_settled: nothing more will ever come of it. */
static bool look_at_payment(struct nano_payment *p, const struct nano_hash *send, bool *ret_settled,
                            struct err *e)
{
    char hex[NANO_HEX];
    struct nano_checked checked;
    struct mark_ctx c = {.p = p, .ref = hex};
    nano_hash_print(send, hex);
    if (!db_run(p->o.db, known_body, &c, e))
        return false;
    *ret_settled = !c.is_new;
    if (*ret_settled)
        return true;
    if (!nano_check(p, send, 1, &checked, &p->stop, e) ||
        !nano_credit_checked(p, send, &checked, e))
        return false;
    *ret_settled = checked.verdict == NANO_GOOD || checked.verdict == NANO_NOT_OURS;
    if (*ret_settled || checked.verdict == NANO_WAIT)
        return true;
    /* The wallet has received it, so it was sent: a node that does not know it lags, or prunes. */
    if (p->walk.doubt_since == 0)
        p->walk.doubt_since = clock_mono_ms();
    *ret_settled = clock_mono_ms() - p->walk.doubt_since > DOUBT_MS;
    if (*ret_settled)
        log_error("%s: received by the wallet, but no node proves it: it waits for a claim", hex);
    return true;
}

/* Does it bring money? What is after a block of before 2018 cannot be told, and is looked at. */
static bool receives(const struct nano_block_info *before, const struct nano_block *b)
{
    return !nano_hash_is_zero(&b->link) &&
           (!before->is_state || raw_compare(b->balance, before->block.balance) > 0);
}

static bool is_next(const struct nano_payment *p, const struct nano_block_info *before,
                    const struct nano_block_info *next)
{
    if (!next->is_state) /* only behind others of its kind */
        return !before->is_state;
    return nano_account_equal(&next->block.account, &p->wallet) &&
           nano_hash_equal(&next->block.previous, &p->walk.at);
}

/* before: the block at the mark, all zero when that stands before the first; becomes the next one. */
static bool take_step(struct nano_payment *p, const struct nano_hash *to,
                      struct nano_block_info *before, enum step *ret, struct err *e)
{
    struct nano_block_info next;
    bool settled = true;
    *ret = STEP_END;
    if (!p->o.node.ops->blocks(p->o.node.self, to, 1, &next, &p->stop, e))
        return false;
    if (!next.found || !next.confirmed)
        return true;
    *ret = STEP_STRAY;
    if (!is_next(p, before, &next))
        return true;
    *ret = STEP_END;
    if (next.is_state && receives(before, &next.block) &&
        !look_at_payment(p, &next.block.link, &settled, e))
        return false;
    if (!settled)
        return true;
    *ret = STEP_ON;
    *before = next;
    return move_mark(p, to, e);
}

static bool read_mark(struct nano_payment *p, struct nano_block_info *ret, struct err *e)
{
    *ret = (struct nano_block_info){.found = true};
    return nano_hash_is_zero(&p->walk.at) ||
           p->o.node.ops->blocks(p->o.node.self, &p->walk.at, 1, ret, &p->stop, e);
}

static bool walk_on(struct nano_payment *p, const struct nano_account_info *info, enum step *ret,
                    struct err *e)
{
    struct nano_block_info at;
    *ret = STEP_STRAY;
    if (!read_mark(p, &at, e))
        return false;
    if (!at.found)
        return true;
    *ret = STEP_ON;
    for (int i = 0; i < WALK_MAX && *ret == STEP_ON && p->walk.known; i++) {
        struct nano_hash to = at.successor;
        if (nano_hash_is_zero(&p->walk.at))
            to = info->first;
        *ret = STEP_END;
        if (nano_hash_is_zero(&to) || cancel_fired(&p->stop))
            return true;
        if (!take_step(p, &to, &at, ret, e))
            return false;
    }
    return true;
}

bool nano_walk_wallet(struct nano_payment *p, bool *ret_more, struct err *e)
{
    struct nano_account_info info;
    enum step last;
    *ret_more = false;
    if (!p->o.node.ops->account(p->o.node.self, &p->wallet, &info, &p->stop, e))
        return false;
    if (!info.opened || (!p->walk.known && !load_mark(p, &info, e)))
        return !info.opened;
    if (!p->walk.known || nano_hash_equal(&info.frontier, &p->walk.at))
        return true;
    if (!walk_on(p, &info, &last, e))
        return false;
    if (last == STEP_STRAY)
        return set_anew(p, &info, e);
    p->walk.strays = 0;
    *ret_more = last == STEP_ON;
    return true;
}
