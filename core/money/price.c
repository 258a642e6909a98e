#include "core/money/price.h"

#include "core/base/strbuf.h"

#define MICRO_XNO (RAW_MICRO_XNO.value)

static bool bad_price(struct err *e, const char *part)
{
    return err_set_arg(e, ERR_CONFIG, "start.bad_price", part, "price \"%.60s\" cannot be used",
                       part);
}

/* Percent more credits than at the plain rate. price / unit fits: see package_parse. */
static int bonus_of(const struct price_list *p, const struct price_package *k)
{
    int64_t plain;
    struct raw rest;
    if (!raw_divide(k->price, p->per_credit, &plain, &rest) || plain == 0)
        return 0;
    return (int)CLAMP((__int128)k->credits * 100 / plain - 100, 0, 1000000);
}

/* "5=600": dearer than the one before, and each credit at most as dear. */
static bool package_parse(const char *text, struct price_list *p)
{
    struct price_package *k = &p->package[p->count];
    AUTO(free_ptr) char *price = str_dup(text);
    char *credits = strchr(price, '=');
    if (p->count == PRICE_PACKAGES || !credits)
        return false;
    *credits++ = '\0';
    if (!raw_from_xno(price, &k->price) || !str_to_int(credits, 1, 1000000000, &k->credits))
        return false;
    k->unit.value = k->price.value / (uint64_t)k->credits;
    const struct price_package *before = p->count ? k - 1 : NULL;
    struct raw unit_before = before ? before->unit : p->per_credit;
    if (raw_is_zero(k->unit) || raw_compare(k->unit, unit_before) > 0 ||
        (before && raw_compare(k->price, before->price) <= 0))
        return false;
    /* What is cut from the unit must not add up to a credit that nobody sold. */
    if (k->price.value / k->unit.value != (uint64_t)k->credits)
        return false;
    k->bonus = bonus_of(p, k);
    p->count++;
    return true;
}

bool price_list_parse(const char *per_credit, const char *packages, struct price_list *ret,
                      struct err *e)
{
    struct price_list p = {0};
    if (!raw_from_xno(per_credit, &p.per_credit) || raw_is_zero(p.per_credit))
        return bad_price(e, per_credit ? per_credit : "");
    AUTO(free_ptr) char *list = str_dup(packages ? packages : "");
    char *at = list;
    while (*list && at) {
        char *part = strsep(&at, ",");
        part += strspn(part, " ");
        part[strcspn(part, " ")] = '\0';
        if (!package_parse(part, &p))
            return bad_price(e, part);
    }
    *ret = p;
    return true;
}

struct raw price_unit(const struct price_list *p, struct raw amount)
{
    struct raw unit = p->per_credit;
    for (size_t i = 0; i < p->count && raw_compare(p->package[i].price, amount) <= 0; i++)
        unit = p->package[i].unit;
    return unit;
}

int64_t price_credits(const struct price_list *p, struct raw amount, struct raw *ret_rest)
{
    struct raw unit = price_unit(p, amount);
    int64_t credits = INT64_MAX;
    if (!raw_divide(amount, unit, &credits, ret_rest))
        ret_rest->value = amount.value - unit.value * INT64_MAX;
    return credits;
}

bool fiat_parse(const char *text, uint64_t *ret_micro)
{
    struct raw a;
    if (!raw_from_xno(text, &a) || a.value < MICRO_XNO || a.value / MICRO_XNO > UINT64_MAX)
        return false;
    *ret_micro = (uint64_t)(a.value / MICRO_XNO);
    return true;
}

bool fiat_from_raw(struct raw a, uint64_t micro_per_xno, uint64_t *ret_micro)
{
    /* At most 2^49 micro XNO in all 128 bits, so the product fits. */
    unsigned __int128 micro = a.value / MICRO_XNO * micro_per_xno / 1000000;
    if (micro > UINT64_MAX)
        return false;
    *ret_micro = (uint64_t)micro;
    return true;
}
