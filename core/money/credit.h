/*
 * credit - what a payment buys: whole credits, a bonus, and a rest that counts next time.
 *
 * Rules:   every raw counts: rest before + amount = credits * rate + rest after. The bonus is what
 *          the packages give for all that came in time for one order, at least the promised one
 *          once the order is complete; what was given before is not given again, so paying in parts
 *          is worth the same as paying at once. Without an order in time there is no bonus.
 * Owner:   plain values.
 * Threads: pure functions.
 * Fails:   ERR_INTERNAL: a sum beyond 128 bits, which the network cannot hold.
 */
#ifndef NANOTIK_CREDIT_H
#define NANOTIK_CREDIT_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/money/price.h"
#include "core/money/raw.h"

struct credit_in {
    const struct price_list *prices; /* of today */
    struct raw amount, rest;
    bool in_time; /* for the order below */
    struct {
        struct raw amount, received, per_credit;
        int64_t bonus, bonus_given;
    } order;
};

struct credit_out {
    struct raw rate; /* that was used: the promised one when it is not dearer */
    int64_t credits, bonus;
    struct raw rest;     /* below one credit */
    struct raw received; /* of the order, with this payment */
    bool complete;       /* the order has got all of its amount */
};

bool credit_compute(const struct credit_in *in, struct credit_out *ret, struct err *e);
/* What the packages give for this much on top of the plain rate. */
int64_t credit_bonus(const struct price_list *p, struct raw amount);

#endif
