/*
 * Refunds: bought credits as Nano to an address that the person typed and agreed to.
 *
 * The money is the operator's, on the account of index 0 of the seed (the treasury). The yes takes the
 * credits; then one send block is signed and, in one transaction, stored and linked to its refund: a
 * refund never has two blocks, and a place on the chain never has two either (store_block). From
 * there nano_collect.c drives it like any block of ours, and its end is the refund's end.
 */
#define LOG_MODULE "payments"
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_refund.h"
#include "core/pay/nano_internal.h"

enum { SHORT_MS = 5 * 1000, TREASURY_INDEX = 0 };

static void fill(const struct refund *r, enum pay_refund_state state, struct pay_refund *ret)
{
    *ret = (struct pay_refund){
        .state = state, .credits = r->credits, .bonus = r->bonus, .unit = "XNO"};
    str_copy(ret->id, sizeof(ret->id), r->id);
    str_copy(ret->address, sizeof(ret->address), r->address);
    str_copy(ret->ref, sizeof(ret->ref), r->block);
    str_copy(ret->lang, sizeof(ret->lang), r->lang);
    raw_to_xno(r->amount, ret->amount);
    raw_to_xno(r->rest, ret->rest);
    ret->addr = r->addr;
}

/* --- the person's side --- */

static bool check_on(const struct nano_payment *p, struct err *e)
{
    if (!p->o.seed)
        return err_set(e, ERR_UNSUPPORTED, "refund.watch_only", "refunds need a seed");
    return p->o.refunds || err_set(e, ERR_UNSUPPORTED, "refund.off", "refunds are switched off");
}

/* Somebody else's, as far as we can know. */
static bool check_address(const struct nano_payment *p, struct db_tx *tx, const char *text,
                          char ret[static NANO_ADDRESS], struct err *e)
{
    struct nano_account to;
    struct deposit_address own;
    bool ours = false;
    if (!nano_account_parse(text, &to) || nano_account_is_burn(&to))
        return err_set(e, ERR_INPUT, "refund.bad_address", "no address to send to");
    nano_account_print(&to, ret);
    if (!address_find(tx, ret, &own, &ours, e))
        return false;
    if (ours || nano_account_equal(&to, &p->treasury) ||
        (p->has_wallet && nano_account_equal(&to, &p->wallet)))
        return err_set(e, ERR_INPUT, "refund.our_address", "an address of our own");
    return true;
}

static bool check_bounds(const struct nano_payment *p, struct raw amount, struct err *e)
{
    char low[XNO_TEXT], high[XNO_TEXT], bounds[2 * XNO_TEXT + 8];
    if (raw_compare(amount, p->o.refund_min) >= 0 && raw_compare(amount, p->o.refund_max) <= 0)
        return true;
    raw_to_xno(p->o.refund_min, low);
    raw_to_xno(p->o.refund_max, high);
    snprintf(bounds, sizeof(bounds), "%s - %s XNO", low, high);
    return err_set_arg(e, ERR_INPUT, "refund.bounds", bounds, "outside of %s", bounds);
}

bool nano_refund_ask(void *self, struct db_tx *tx, const char *account, const char *address,
                     int64_t credits, const char *lang, const struct chat_addr *addr,
                     struct pay_refund *ret, struct err *e)
{
    struct nano_payment *p = self;
    struct refund r = {.credits = credits, .addr = *addr, .method = NANO_METHOD};
    char to[NANO_ADDRESS];
    if (!check_on(p, e) || !check_address(p, tx, address, to, e))
        return false;
    str_copy(r.address, sizeof(r.address), to);
    str_copy(r.account, sizeof(r.account), account);
    str_copy(r.lang, sizeof(r.lang), lang);
    if (!refund_ask(tx, &r, e) || !check_bounds(p, r.amount, e))
        return false;
    fill(&r, PAY_REFUND_ASKED, ret);
    return true;
}

bool nano_refund_agree(void *self, struct db_tx *tx, const char *account, const char *id,
                       struct pay_refund *ret, struct err *e)
{
    struct nano_payment *p = self;
    struct refund r;
    char to[NANO_ADDRESS];
    if (!check_on(p, e) || !refund_agree(tx, account, id, p->o.refund_day, &r, e) ||
        !check_bounds(p, r.amount, e) || !check_address(p, tx, r.address, to, e))
        return false;
    fill(&r, PAY_REFUND_WAITING, ret);
    return true;
}

bool nano_refund_cancel(void *self, struct db_tx *tx, const char *account, bool *ret_found,
                        struct err *e)
{
    (void)self;
    return refund_cancel(tx, account, ret_found, e);
}

bool nano_refund_treasury(void *self, const struct cancel *cancel, char ret[static PAY_ADDRESS],
                          char *ret_balance, struct err *e)
{
    struct nano_payment *p = self;
    struct nano_account_info info;
    if (!p->o.seed)
        return err_set(e, ERR_UNSUPPORTED, "refund.watch_only", "refunds need a seed");
    str_copy(ret, PAY_ADDRESS, p->treasury_text);
    if (!ret_balance)
        return true;
    struct nano_receivables list = {0};
    const struct nano_receivable_query query = {
        .accounts = &p->treasury, .count = 1, .threshold = p->o.minimum, .cancel = cancel};
    if (!p->o.node.ops->account(p->o.node.self, &p->treasury, &info, cancel, e) ||
        !p->o.node.ops->receivables(p->o.node.self, &query, &list, e))
        return false;
    struct raw sum = info.opened ? info.balance : RAW_ZERO;
    for (size_t i = 0; i < list.count; i++)
        if (!raw_add(sum, list.items[i].amount, &sum))
            sum = RAW_MAX; /* a lie, for a person's eyes only */
    free(list.items);
    free(list.cut);
    raw_to_xno(sum, ret_balance);
    return true;
}

/* --- telling --- */

struct work {
    struct nano_payment *p;
    struct refund refund;
    struct own_block block;
    bool found, busy, ours, is_new;
};

static bool tell_body(struct db_tx *tx, void *data, struct err *e)
{
    struct work *w = data;
    struct pay_refund told;
    if (!refund_untold(tx, NANO_METHOD, &w->refund, &w->found, e))
        return false;
    if (!w->found)
        return true;
    const char *state = w->refund.state;
    fill(&w->refund,
         strcmp(state, "sent") == 0   ? PAY_REFUND_SENT
         : strcmp(state, "done") == 0 ? PAY_REFUND_DONE
                                      : PAY_REFUND_BACK,
         &told);
    return refund_mark_told(tx, w->refund.id, state, &w->is_new, e) &&
           (!w->is_new || w->p->calls->on_refund(tx, w->p->calls->ctx, &told, e));
}

static bool tell_all(struct work *w, const struct cancel *cancel, struct err *e)
{
    do {
        if (!db_run(w->p->o.db, tell_body, w, e))
            return false;
        if (w->found)
            w->p->calls->after(w->p->calls->ctx);
    } while (w->found && !cancel_fired(cancel));
    return true;
}

static bool short_body(struct db_tx *tx, void *data, struct err *e)
{
    struct work *w = data;
    struct pay_refund told;
    fill(&w->refund, PAY_REFUND_SHORT, &told);
    return refund_mark_told(tx, w->refund.id, "short", &w->is_new, e) &&
           (!w->is_new || w->p->calls->on_refund(tx, w->p->calls->ctx, &told, e));
}

/* The treasury has too little: told once to the person, and to the operator. */
static bool tell_short(struct work *w, struct err *e)
{
    char amount[XNO_TEXT];
    w->p->refund_at = clock_mono_ms() + SHORT_MS;
    if (!db_run(w->p->o.db, short_body, w, e))
        return false;
    if (!w->is_new)
        return true;
    raw_to_xno(w->refund.amount, amount);
    log_warn("a refund of %s XNO waits: send money to the treasury %s", amount,
             w->p->treasury_text);
    w->p->calls->after(w->p->calls->ctx);
    return true;
}

/* --- blocks --- */

static bool next_body(struct db_tx *tx, void *data, struct err *e)
{
    struct work *w = data;
    return refund_waiting(tx, NANO_METHOD, &w->refund, &w->found, e) &&
           (!w->found || block_open_of(tx, w->p->treasury_text, &w->block, &w->busy, e));
}

static bool receive_body(struct db_tx *tx, void *data, struct err *e)
{
    struct work *w = data;
    return block_store(tx, &w->block, &w->ours, e);
}

/* Stored and linked together, or neither. */
static bool send_body(struct db_tx *tx, void *data, struct err *e)
{
    struct work *w = data;
    char hash[NANO_HEX];
    bool linked = false;
    nano_hash_print(&w->block.hash, hash);
    if (!block_store(tx, &w->block, &w->ours, e))
        return false;
    if (!w->ours)
        return true; /* the node lags: this place is taken */
    if (!refund_link(tx, w->refund.id, hash, &linked, e))
        return false;
    return linked || err_set(e, ERR_CONFLICT, "error.database", "this refund has its block");
}

static bool sign_and_store(struct work *w, db_body *body, struct err *e)
{
    str_copy(w->block.address, sizeof(w->block.address), w->p->treasury_text);
    if (!nano_block_sign(&w->block.block, w->p->o.seed, TREASURY_INDEX, e))
        return false;
    nano_block_hash(&w->block.block, &w->block.hash);
    crash_at("refund.signed");
    if (!db_run(w->p->o.db, body, w, e))
        return false;
    crash_at("refund.stored");
    return true;
}

static bool build_send(struct work *w, const struct nano_block *on, struct err *e)
{
    struct nano_account to;
    w->block = (struct own_block){.block = *on, .kind = NANO_SEND, .amount = w->refund.amount};
    if (!nano_account_parse(w->refund.address, &to) ||
        !raw_sub(on->balance, w->refund.amount, &w->block.block.balance))
        return err_set(e, ERR_INTERNAL, "error.internal", "refund %s", w->refund.id);
    w->block.block.link = nano_hash_of(&to);
    return sign_and_store(w, send_body, e);
}

/* What the operator sent to the treasury, one receive at a time. *ret_built false: nothing waits. */
static bool build_receive(struct work *w, const struct nano_block *on, bool opened,
                          const struct cancel *cancel, bool *ret_built, struct err *e)
{
    struct nano_payment *p = w->p;
    struct nano_receivables list = {0};
    struct nano_checked checked[NANO_BATCH];
    struct nano_hash hashes[NANO_BATCH];
    const struct nano_receivable_query query = {.accounts = &p->treasury,
                                                .count = 1,
                                                .threshold = p->o.minimum,
                                                .most = NANO_BATCH,
                                                .cancel = cancel};
    if (!p->o.node.ops->receivables(p->o.node.self, &query, &list, e))
        return false;
    size_t count = MIN(list.count, NANO_BATCH);
    for (size_t i = 0; i < count; i++)
        hashes[i] = list.items[i].hash;
    free(list.items);
    free(list.cut);
    if (count > 0 && !nano_check(p, hashes, count, checked, cancel, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (checked[i].verdict != NANO_GOOD || !nano_account_equal(&checked[i].to, &p->treasury))
            continue;
        w->block = (struct own_block){
            .block = *on, .kind = opened ? NANO_RECEIVE : NANO_OPEN, .amount = checked[i].amount};
        if (!opened)
            w->block.block.previous = (struct nano_hash){0};
        w->block.block.link = hashes[i];
        if (!raw_add(on->balance, checked[i].amount, &w->block.block.balance))
            return err_set(e, ERR_INTERNAL, "error.internal", "a balance beyond all bounds");
        *ret_built = true;
        return sign_and_store(w, receive_body, e);
    }
    return true;
}

static bool build_next(struct work *w, const struct cancel *cancel, struct err *e)
{
    struct nano_block on;
    bool opened = false, built = false;
    if (!nano_read_frontier(w->p, &w->p->treasury, &on, &opened, cancel, e))
        return false;
    if (opened && raw_compare(on.balance, w->refund.amount) >= 0)
        return build_send(w, &on, e);
    return build_receive(w, &on, opened, cancel, &built, e) && (built || tell_short(w, e));
}

bool nano_refund_round(struct nano_payment *p, const struct cancel *cancel, bool *ret_busy,
                       struct err *e)
{
    AUTO(free_ptr) struct work *w = calloc(1, sizeof(*w));
    struct err why = {0};
    if (!w)
        return err_set(e, ERR_RETRY, "error.busy", "no memory for refunds");
    w->p = p;
    if (!tell_all(w, cancel, e))
        return false;
    if (clock_mono_ms() < p->refund_at)
        return true;
    if (!db_run(p->o.db, next_body, w, e))
        return false;
    if (!w->found || w->busy)
        return true;
    if (build_next(w, cancel, &why)) {
        p->refund_told = false;
    } else {
        nano_collect_tell(&p->refund_told, &why);
        p->refund_at = clock_mono_ms() + SHORT_MS / 5;
    }
    *ret_busy |= clock_mono_ms() >= p->refund_at;
    return true;
}
