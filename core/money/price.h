/*
 * price - what a credit costs in Nano, packages with bonus, and a fiat hint.
 *
 * What:    the whole amount counts at the rate of the largest package that it reaches, else at the
 *          plain rate; what does not make a full credit stays raw. So credits never fall as the
 *          amount grows, and paying in parts can be made equal to paying at once: take
 *          price_credits of the sum and subtract what was given.
 * Owner:   plain values.
 * Threads: pure functions.
 * Fails:   parsing: ERR_CONFIG "start.bad_price" with the odd part as arg.
 * Source:  facts sheet "nano" section 1; design section 11.
 */
#ifndef NANOTIK_PRICE_H
#define NANOTIK_PRICE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/money/raw.h"

enum { PRICE_PACKAGES = 8 };

struct price_package {
    struct raw price;
    int64_t credits;
    struct raw unit; /* price / credits, cut: what one credit costs from this amount on */
    int bonus;       /* percent more than at the plain rate, cut */
};
struct price_list {
    struct raw per_credit; /* the plain rate; > 0 */
    size_t count;
    struct price_package package[PRICE_PACKAGES]; /* by price, each cheaper per credit */
};

/* per_credit: XNO, "0.01". packages: "1=100,2=220,5=600,10=1250" (XNO = credits), rising, each
   credit at most as dear as before; "" for none. */
bool price_list_parse(const char *per_credit, const char *packages, struct price_list *ret,
                      struct err *e);
/* What one credit costs when this much is paid. */
struct raw price_unit(const struct price_list *p, struct raw amount);
/* Whole credits for the amount (at most INT64_MAX) and the raw that is left over. */
int64_t price_credits(const struct price_list *p, struct raw amount, struct raw *ret_rest);

/* Fiat: prices as integers of a millionth ("0.934512" of a dollar is 934512). */
/* Text with at most 6 decimals (more are cut) to millionths; false when it is no number > 0. */
MUST_USE bool fiat_parse(const char *text, uint64_t *ret_micro);
/* What the raw is worth, cut; false on overflow. */
MUST_USE bool fiat_from_raw(struct raw a, uint64_t micro_per_xno, uint64_t *ret_micro);

#endif
