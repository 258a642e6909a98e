#include "core/money/credit.h"

int64_t credit_bonus(const struct price_list *p, struct raw amount)
{
    struct raw rest;
    int64_t plain = 0;
    if (!raw_divide(amount, p->per_credit, &plain, &rest))
        return 0;
    return MAX(price_credits(p, amount, &rest) - plain, 0);
}

bool credit_compute(const struct credit_in *in, struct credit_out *ret, struct err *e)
{
    struct credit_out out = {.rate = in->prices->per_credit};
    struct raw total;
    if (in->in_time && !raw_is_zero(in->order.per_credit) &&
        raw_compare(in->order.per_credit, out.rate) < 0)
        out.rate = in->order.per_credit;
    if (!raw_add(in->amount, in->rest, &total) ||
        !raw_divide(total, out.rate, &out.credits, &out.rest))
        return err_set(e, ERR_INTERNAL, "error.internal", "a payment beyond all bounds");
    if (in->in_time) {
        if (!raw_add(in->order.received, in->amount, &out.received))
            return err_set(e, ERR_INTERNAL, "error.internal", "an order beyond all bounds");
        out.complete = raw_compare(out.received, in->order.amount) >= 0;
        int64_t due = credit_bonus(in->prices, out.received);
        if (out.complete)
            due = MAX(due, in->order.bonus);
        out.bonus = MAX(due - in->order.bonus_given, 0);
    }
    *ret = out;
    return true;
}
