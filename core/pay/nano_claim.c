/* "This payment is mine": the answer, once the block was judged. */
#define LOG_MODULE "payments"
#include <string.h>

#include "core/pay/nano_internal.h"

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
    struct nano_credit credit = {
        .p = c->p, .ref = c->claim.ref, .address = c->address, .checked = &c->checked};
    char owner[UUID_TEXT];
    bool sole = false;
    if (!nano_credit_body(tx, &credit, e) ||
        !deposit_owner(tx, NANO_METHOD, c->claim.ref, owner, e))
        return false;
    if (owner[0]) {
        bool now = credit.done.result == DEPOSIT_CREDITED && strcmp(owner, c->claim.account) == 0;
        c->result = now ? PAY_CLAIM_GRANTED : PAY_CLAIM_KNOWN;
        return true;
    }
    c->result = PAY_CLAIM_ASK_OPERATOR;
    if (!claim_is_sole(tx, c->claim.account, c->address, c->checked.amount, c->checked.paid_at,
                       &sole, e))
        return false;
    if (!sole)
        return true;
    credit.account = c->claim.account;
    c->result = PAY_CLAIM_GRANTED;
    return nano_credit_body(tx, &credit, e);
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

bool nano_answer_claim(struct nano_payment *p, bool *ret_found, struct err *e)
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
    if (v == NANO_GOOD && !nano_credit_is_ours(p, &c.checked.to, c.address, &ours, e))
        return false;
    if (!ours || raw_compare(c.checked.amount, p->o.minimum) < 0)
        c.checked.verdict = NANO_NOT_OURS;
    if (!db_run(p->o.db, claim_end_body, &c, e))
        return false;
    nano_tell_after(p);
    return true;
}
