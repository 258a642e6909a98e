/*
 * Reconcile: what was counted against what the network says, both ways. Each receipt is proven again
 * from its blocks; what waits on our addresses must have a receipt; what a node says is on an account
 * must be what its confirmed receives brought minus what its sends took; a refund that is done is a
 * confirmed send of that amount to that address; no block of ours is refused again and again.
 */
#define LOG_MODULE "payments"
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_ledger.h"
#include "core/db/store_refund.h"
#include "core/db/store_restore.h"
#include "core/pay/nano_internal.h"

struct compare {
    struct nano_payment *p;
    void (*on_difference)(void *ctx, const char *what);
    void *ctx;
    const struct cancel *cancel;
    int64_t checked;
    bool other_down; /* not asked again */
    char after[PAY_REF_MAX];
    struct receipt receipts[NANO_BATCH];
    struct deposit_address addresses[NANO_BATCH];
    struct refund refunds[NANO_BATCH];
    size_t count;
    struct raw in, out;
    const char *address;
    bool is_new;
    const char *ref;
};

static void differs(struct compare *c, const char *fmt, ...) PRINTF(2, 3);
static void differs(struct compare *c, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    c->on_difference(c->ctx, text);
}

static bool ledger_body(struct db_tx *tx, void *data, struct err *e)
{
    struct compare *c = data;
    return ledger_check(tx, c->on_difference, c->ctx, NULL, e) &&
           restore_alarms(tx, c->on_difference, c->ctx, e);
}

static bool receipts_body(struct db_tx *tx, void *data, struct err *e)
{
    struct compare *c = data;
    return receipt_page(tx, NANO_METHOD, c->after, c->receipts, NANO_BATCH, &c->count, e);
}

static bool addresses_body(struct db_tx *tx, void *data, struct err *e)
{
    struct compare *c = data;
    return address_list(tx, NANO_METHOD, c->p->print, c->after, false, c->addresses, NANO_BATCH,
                        &c->count, e);
}

static bool sums_body(struct db_tx *tx, void *data, struct err *e)
{
    struct compare *c = data;
    return block_sums(tx, c->address, &c->in, &c->out, e);
}

static void compare_receipt(struct compare *c, const struct receipt *r,
                            const struct nano_checked *checked)
{
    char address[NANO_ADDRESS] = "", amount[XNO_TEXT], booked[XNO_TEXT];
    switch (checked->verdict) {
    case NANO_UNKNOWN:
        differs(c, "%s: counted, but the nodes do not know this block", r->ref);
        return;
    case NANO_WAIT:
        differs(c, "%s: counted, but the nodes do not call it confirmed", r->ref);
        return;
    case NANO_NOT_OURS:
    case NANO_UNPROVEN:
        differs(c, "%s: counted, but the block proves no payment", r->ref);
        return;
    case NANO_GOOD:
        break;
    }
    nano_account_print(&checked->to, address);
    raw_to_xno(checked->amount, amount);
    raw_to_xno(r->amount, booked);
    if (strcmp(address, r->address) != 0)
        differs(c, "%s: counted for %s, but paid to %s", r->ref, r->address, address);
    if (raw_compare(checked->amount, r->amount) != 0)
        differs(c, "%s: counted as %s XNO, but paid %s", r->ref, booked, amount);
}

static bool compare_receipts(struct compare *c, struct err *e)
{
    struct nano_hash hashes[NANO_BATCH];
    struct nano_checked checked[NANO_BATCH];
    c->after[0] = '\0';
    do {
        if (!db_run(c->p->o.db, receipts_body, c, e))
            return false;
        for (size_t i = 0; i < c->count; i++)
            if (!nano_hash_parse(c->receipts[i].ref, &hashes[i]))
                return err_set(e, ERR_INTERNAL, "error.internal", "receipt %s", c->receipts[i].ref);
        if (c->count && !nano_check(c->p, hashes, c->count, checked, c->cancel, e))
            return false;
        for (size_t i = 0; i < c->count; i++) {
            compare_receipt(c, &c->receipts[i], &checked[i]);
            if (!c->receipts[i].account[0] && c->p->o.seed) /* else the operator's own income */
                differs(c, "%s: arrived, but nobody's", c->receipts[i].ref);
        }
        c->checked += (int64_t)c->count;
        if (c->count)
            str_copy(c->after, sizeof(c->after), c->receipts[c->count - 1].ref);
    } while (c->count == NANO_BATCH);
    return true;
}

static bool known_body(struct db_tx *tx, void *data, struct err *e)
{
    struct compare *c = data;
    return deposit_filter(tx, NANO_METHOD, &c->ref, 1, &c->is_new, e);
}

/* What waits there has a receipt. */
static bool compare_waiting(struct compare *c, const struct nano_account *accounts, size_t count,
                            struct err *e)
{
    struct nano_receivables list = {0};
    const struct nano_receivable_query query = {
        .accounts = accounts, .count = count, .threshold = c->p->o.minimum, .cancel = c->cancel};
    if (count == 0)
        return true;
    if (!c->p->o.node.ops->receivables(c->p->o.node.self, &query, &list, e))
        return false;
    bool good = true;
    for (size_t i = 0; good && i < list.count; i++) {
        char hex[NANO_HEX], address[NANO_ADDRESS];
        nano_hash_print(&list.items[i].hash, hex);
        nano_account_print(&accounts[list.items[i].account], address);
        c->ref = hex;
        good = db_run(c->p->o.db, known_body, c, e);
        if (good && c->is_new)
            differs(c, "%s: waits on %s, but is not counted", hex, address);
    }
    free(list.items);
    free(list.cut);
    return good;
}

/* The untrusted reader, when there is one. */
static void compare_other(struct compare *c, const struct nano_account *account, struct raw balance)
{
    struct err e = {0};
    struct raw said;
    char there[XNO_TEXT], other[XNO_TEXT];
    if (!c->p->o.other_balance || c->other_down)
        return;
    if (!c->p->o.other_balance(c->p->o.other_ctx, account, &said, c->cancel, &e)) {
        log_err(LOG_WARN, LOG_MODULE, &e);
        c->other_down = true;
    } else if (raw_compare(said, balance) != 0) {
        raw_to_xno(balance, there);
        raw_to_xno(said, other);
        differs(c, "%s: has %s XNO, the reader of NANO_MCP_URL says %s", c->address, there, other);
    }
}

/* What is on it, and what its own blocks say must be on it. */
static bool compare_balance(struct compare *c, const struct nano_account *account, struct err *e)
{
    struct nano_account_info info;
    struct raw want;
    char there[XNO_TEXT], booked[XNO_TEXT];
    if (!c->p->o.node.ops->account(c->p->o.node.self, account, &info, c->cancel, e) ||
        !db_run(c->p->o.db, sums_body, c, e))
        return false;
    struct raw balance = info.opened ? info.balance : RAW_ZERO;
    compare_other(c, account, balance);
    if (!raw_sub(c->in, c->out, &want))
        want = RAW_ZERO;
    if (raw_compare(balance, want) == 0)
        return true;
    raw_to_xno(balance, there);
    raw_to_xno(want, booked);
    differs(c, "%s: has %s XNO, its blocks here say %s", c->address, there, booked);
    return true;
}

static bool compare_addresses(struct compare *c, struct err *e)
{
    struct nano_account accounts[NANO_BATCH];
    c->after[0] = '\0';
    do {
        if (!db_run(c->p->o.db, addresses_body, c, e))
            return false;
        for (size_t i = 0; i < c->count; i++) {
            c->address = c->addresses[i].address;
            if (!nano_account_parse(c->address, &accounts[i]))
                return err_set(e, ERR_INTERNAL, "error.internal", "address %s", c->address);
            if (!compare_balance(c, &accounts[i], e))
                return false;
        }
        if (!compare_waiting(c, accounts, c->count, e))
            return false;
        if (c->count)
            str_copy(c->after, sizeof(c->after), c->addresses[c->count - 1].address);
    } while (c->count == NANO_BATCH);
    return true;
}

static bool refunds_body(struct db_tx *tx, void *data, struct err *e)
{
    struct compare *c = data;
    return refund_page(tx, NANO_METHOD, c->after, c->refunds, NANO_BATCH, &c->count, e);
}

/* A refund that is called done is a confirmed send of this much to that address. */
static void compare_refund(struct compare *c, const struct refund *r,
                           const struct nano_checked *checked)
{
    char to[NANO_ADDRESS] = "";
    if (strcmp(r->state, "done") != 0) {
        if (strcmp(r->state, "refused") == 0 && checked->verdict == NANO_GOOD)
            differs(c, "%s: this refund's credits came back, but its block is confirmed", r->block);
        return;
    }
    nano_account_print(&checked->to, to);
    if (checked->verdict != NANO_GOOD)
        differs(c, "%s: refunded, but the nodes do not call it confirmed", r->block);
    else if (raw_compare(checked->amount, r->amount) != 0 ||
             (r->address[0] && strcmp(r->address, to) != 0)) /* "": forgotten */
        differs(c, "%s: refunded, but the block sends something else", r->block);
}

static bool compare_refunds(struct compare *c, struct err *e)
{
    struct nano_hash hashes[NANO_BATCH];
    struct nano_checked checked[NANO_BATCH];
    c->after[0] = '\0';
    do {
        if (!db_run(c->p->o.db, refunds_body, c, e))
            return false;
        for (size_t i = 0; i < c->count; i++)
            if (!nano_hash_parse(c->refunds[i].block, &hashes[i]))
                return err_set(e, ERR_INTERNAL, "error.internal", "refund %s", c->refunds[i].id);
        if (c->count && !nano_check(c->p, hashes, c->count, checked, c->cancel, e))
            return false;
        for (size_t i = 0; i < c->count; i++)
            compare_refund(c, &c->refunds[i], &checked[i]);
        if (c->count)
            str_copy(c->after, sizeof(c->after), c->refunds[c->count - 1].block);
    } while (c->count == NANO_BATCH);
    c->address = c->p->treasury_text;
    return !c->p->o.seed || compare_balance(c, &c->p->treasury, e);
}

struct stuck_ctx {
    char after[PAY_ADDRESS_MAX];
    struct own_block block;
    bool found;
};

static bool stuck_body(struct db_tx *tx, void *data, struct err *e)
{
    struct stuck_ctx *s = data;
    return block_stuck(tx, s->after, &s->block, &s->found, e);
}

static bool compare_stuck(struct compare *c, struct err *e)
{
    struct stuck_ctx s = {.found = true};
    while (s.found) {
        char hash[NANO_HEX];
        if (!db_run(c->p->o.db, stuck_body, &s, e))
            return false;
        nano_hash_print(&s.block.hash, hash);
        if (s.found)
            differs(c, "%s: every node refuses this block of %s (%s, %d times)", hash,
                    s.block.address, s.block.why, s.block.refusals);
        str_copy(s.after, sizeof(s.after), s.block.address);
    }
    return true;
}

bool nano_payment_reconcile(void *self, void (*on_difference)(void *ctx, const char *what),
                            void *ctx, const struct cancel *cancel, int64_t *ret_checked,
                            struct err *e)
{
    struct nano_payment *p = self;
    AUTO(free_ptr) struct compare *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(e, ERR_RETRY, "error.busy", "no memory to compare");
    *c = (struct compare){.p = p, .on_difference = on_difference, .ctx = ctx, .cancel = cancel};
    if (!db_run(p->o.db, ledger_body, c, e) || !compare_receipts(c, e))
        return false;
    if (p->o.seed ? !compare_addresses(c, e) : !compare_waiting(c, &p->wallet, 1, e))
        return false;
    if (!compare_refunds(c, e) || !compare_stuck(c, e))
        return false;
    *ret_checked = c->checked;
    return true;
}
