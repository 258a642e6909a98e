/*
 * One payment becomes credits: the deposit's unique row, the rest, the ledger, the order and its card
 * in one transaction. Whoever finds it (a hint, polling, a claim, the wallet's own chain) ends here.
 */
#define LOG_MODULE "payments"

#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/pay/nano_internal.h"

static bool tell_credited(struct nano_credit *c, struct db_tx *tx, struct err *e)
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

bool nano_credit_body(struct db_tx *tx, void *data, struct err *e)
{
    struct nano_credit *c = data;
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

bool nano_credit_is_ours(struct nano_payment *p, const struct nano_account *to, const char *text,
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

void nano_tell_after(struct nano_payment *p)
{
    if (p->calls)
        p->calls->after(p->calls->ctx);
}

/* Money never waits for a card: when telling fails for a reason that a repeat does not mend, it is
   counted without. */
static bool credit_now(struct nano_credit *c, struct err *e)
{
    if (db_run(c->p->o.db, nano_credit_body, c, e))
        return true;
    if (e->code == ERR_RETRY || e->code == ERR_CANCELLED)
        return false;
    log_err(LOG_ERROR, LOG_MODULE, e);
    c->quiet = true;
    return db_run(c->p->o.db, nano_credit_body, c, e);
}

bool nano_credit_checked(struct nano_payment *p, const struct nano_hash *hash,
                         const struct nano_checked *checked, struct err *e)
{
    char ref[NANO_HEX], address[NANO_ADDRESS];
    bool ours = false;
    if (checked->verdict != NANO_GOOD && checked->verdict != NANO_WAIT)
        return true;
    if (raw_compare(checked->amount, p->o.minimum) < 0)
        return true; /* dust */
    nano_hash_print(hash, ref);
    nano_account_print(&checked->to, address);
    if (!nano_credit_is_ours(p, &checked->to, address, &ours, e))
        return false;
    if (!ours)
        return true;
    if (checked->verdict == NANO_WAIT) {
        struct seen_ctx s = {.p = p, .address = address, .amount = checked->amount};
        if (p->calls && db_run(p->o.db, seen_body, &s, e) && s.found)
            nano_tell_after(p);
        return true; /* a comfort only */
    }
    struct nano_credit c = {.p = p, .ref = ref, .address = address, .checked = checked};
    crash_at("pay.before_credit");
    if (!credit_now(&c, e))
        return false;
    crash_at("pay.after_credit");
    if (c.done.result == DEPOSIT_CREDITED) {
        log_info("%s: %lld credits", ref, (long long)(c.done.credits + c.done.bonus));
        nano_tell_after(p);
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
            if (!nano_credit_checked(p, &hashes[at + i], &checked[i], e))
                return false;
    }
    return true;
}
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

bool nano_credit_new(struct nano_payment *p, const struct nano_hash *hashes, size_t count,
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
