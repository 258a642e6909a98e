/* The payment method as the bot sees it: offers, orders, addresses. No question to a node is asked
   here. */
#include "core/pay/nano_payment.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/money/credit.h"
#include "core/pay/nano_internal.h"

enum { AMOUNT_TRIES = 20, AMOUNT_DECIMALS = 6 };

/* --- offers --- */

static void fill_offer(const struct nano_payment *p, struct raw amount, struct pay_offer *ret)
{
    struct raw rest;
    raw_to_xno(amount, ret->amount);
    ret->bonus = credit_bonus(&p->prices, amount);
    ret->credits = 0;
    if (raw_divide(amount, p->prices.per_credit, &ret->credits, &rest))
        ret->credits += ret->bonus;
}

static size_t nano_offers(void *self, struct pay_offer *ret, size_t max)
{
    const struct nano_payment *p = self;
    size_t count = MIN(max, p->prices.count);
    for (size_t i = 0; i < count; i++)
        fill_offer(p, p->prices.package[i].price, &ret[i]);
    return count;
}

/* The amount alone must be enough, so that nobody depends on the bonus of being in time. */
static bool nano_offer_for(void *self, int64_t credits, struct pay_offer *ret)
{
    const struct nano_payment *p = self;
    struct raw amount;
    if (credits < 1 || !raw_mul(p->prices.per_credit, (uint64_t)credits, &amount) ||
        !raw_round_up(amount, RAW_MICRO_XNO, &amount))
        return false;
    fill_offer(p, amount, ret);
    return true;
}

/* --- addresses --- */

static bool own_address(struct nano_payment *p, struct db_tx *tx, const char *account,
                        struct deposit_address *ret, struct err *e)
{
    struct nano_account key;
    bool found;
    if (!address_of(tx, account, NANO_METHOD, p->print, ret, &found, e))
        return false;
    if (found)
        return true;
    if (!address_reserve(tx, account, NANO_METHOD, p->print, ret, &found, e) || found)
        return found;
    if (!nano_seed_account(p->o.seed, (uint32_t)ret->index, &key, e))
        return false;
    nano_account_print(&key, ret->address);
    return address_add(tx, NANO_METHOD, ret, e);
}

/* Watched and with work in the making before the money is sent; both are harmless when the
   transaction is rolled back. */
static void prepare_address(struct nano_payment *p, const struct deposit_address *a)
{
    struct nano_account key;
    struct err e;
    if (!nano_account_parse(a->address, &key))
        return;
    struct nano_hash root = nano_hash_of(&key);
    p->o.node.ops->watch_add(p->o.node.self, &key, 1);
    if (p->o.work)
        (void)work_pool_submit(p->o.work, &root, p->o.receive_threshold, &e);
}

static bool nano_address(void *self, struct db_tx *tx, const char *account,
                         char ret[static PAY_ADDRESS], struct err *e)
{
    struct nano_payment *p = self;
    struct deposit_address a;
    if (!p->o.seed) {
        str_copy(ret, PAY_ADDRESS, p->wallet_text);
        return true;
    }
    if (!own_address(p, tx, account, &a, e))
        return false;
    str_copy(ret, PAY_ADDRESS, a.address);
    return true;
}

/* --- orders --- */

static bool parse_amount(const struct nano_payment *p, const char *text, struct raw *ret,
                         struct err *e)
{
    struct raw most;
    char low[XNO_TEXT], bounds[2 * XNO_TEXT];
    bool good = raw_mul(RAW_XNO, 1000000, &most) && raw_from_xno(text, ret) &&
                raw_compare(*ret, p->prices.per_credit) >= 0 && raw_compare(*ret, most) <= 0 &&
                raw_round_up(*ret, RAW_MICRO_XNO, ret);
    if (good)
        return true;
    raw_to_xno(p->prices.per_credit, low);
    snprintf(bounds, sizeof(bounds), "%s - 1000000", low);
    return err_set_arg(e, ERR_INPUT, "pay.bad_amount", bounds, "an amount of %zu bytes",
                       strlen(text));
}

static bool open_unique(struct nano_payment *p, struct db_tx *tx, struct order *o, struct err *e)
{
    struct raw price = o->amount, tail;
    str_copy(o->address, sizeof(o->address), p->wallet_text);
    o->unique_amount = true;
    for (int i = 0; i < AMOUNT_TRIES; i++) {
        bool made;
        uint32_t n = 1 + randombytes_uniform(NANO_AMOUNT_TAIL);
        if (!raw_mul(RAW_MICRO_XNO, n, &tail) || !raw_add(price, tail, &o->amount))
            break;
        if (!order_open(tx, o, p->o.order_seconds, &made, e))
            return false;
        if (made)
            return true;
    }
    return err_set(e, ERR_RETRY, "pay.try_again", "no free amount near this price");
}

static bool nano_open(void *self, struct db_tx *tx, const char *account, const char *amount,
                      const char *lang, const struct chat_addr *addr, struct order *ret,
                      struct err *e)
{
    struct nano_payment *p = self;
    struct deposit_address a;
    struct pay_offer offer;
    bool made;
    struct order o = {.per_credit = p->prices.per_credit, .addr = *addr};
    if (!parse_amount(p, amount, &o.amount, e))
        return false;
    fill_offer(p, o.amount, &offer);
    o.bonus = offer.bonus;
    o.credits = offer.credits - offer.bonus;
    str_copy(o.account, sizeof(o.account), account);
    str_copy(o.method, sizeof(o.method), NANO_METHOD);
    str_copy(o.lang, sizeof(o.lang), lang);
    if (!p->o.seed) {
        if (!open_unique(p, tx, &o, e))
            return false;
    } else {
        if (!own_address(p, tx, account, &a, e))
            return false;
        str_copy(o.address, sizeof(o.address), a.address);
        if (!order_open(tx, &o, p->o.order_seconds, &made, e))
            return false;
        prepare_address(p, &a);
    }
    *ret = o;
    return true;
}

static bool nano_ask(void *self, const struct order *o, struct pay_ask *ret, struct err *e)
{
    (void)self;
    struct nano_account key;
    struct raw left = RAW_ZERO;
    *ret = (struct pay_ask){.unit = "XNO",
                            .credits = o->credits + o->bonus,
                            .bonus = o->bonus,
                            .exact = o->unique_amount};
    if (!nano_account_parse(o->address, &key))
        return err_set(e, ERR_INTERNAL, "error.internal", "order %s: address", o->id);
    if (!raw_sub(o->amount, o->received, &left))
        left = RAW_ZERO; /* more than asked for has come */
    /* What is asked for is a number that wallets can show. */
    if (!raw_round_up(left, RAW_MICRO_XNO, &left))
        return err_set(e, ERR_INTERNAL, "error.internal", "order %s: amount", o->id);
    raw_to_xno(left, ret->amount);
    if (!raw_is_zero(o->received))
        raw_to_xno_short(o->received, AMOUNT_DECIMALS, ret->received);
    str_copy(ret->address, sizeof(ret->address), o->address);
    nano_uri(&key, &left, ret->uri);
    return true;
}

static bool nano_rest(void *self, struct db_tx *tx, const char *account,
                      char ret[static PAY_AMOUNT], struct err *e)
{
    (void)self;
    struct raw rest;
    if (!deposit_rest(tx, account, NANO_METHOD, &rest, e))
        return false;
    raw_to_xno_short(rest, AMOUNT_DECIMALS, ret);
    return true;
}

static bool nano_claim(void *self, struct db_tx *tx, const char *account, const char *ref,
                       const char *lang, const struct chat_addr *addr, struct err *e)
{
    (void)self;
    struct nano_hash hash;
    struct claim c = {.method = NANO_METHOD, .addr = *addr};
    if (!nano_hash_parse(ref, &hash))
        return err_set(e, ERR_INPUT, "claim.bad_ref", "no block hash");
    nano_hash_print(&hash, c.ref);
    str_copy(c.account, sizeof(c.account), account);
    str_copy(c.lang, sizeof(c.lang), lang);
    return claim_ask(tx, &c, e);
}

/* --- watching --- */

static void wake(struct nano_payment *p)
{
    pthread_cond_broadcast(&p->changed);
}

static void on_hint(void *ctx, const struct nano_account *account, const struct nano_hash *hash)
{
    struct nano_payment *p = ctx;
    (void)account; /* which of ours it is about is read from the block itself */
    pthread_mutex_lock(&p->lock);
    if (p->hint_count < NANO_HINTS)
        p->hints[p->hint_count++] = *hash;
    else
        p->look_at_all = true;
    wake(p);
    pthread_mutex_unlock(&p->lock);
}

static void on_link(void *ctx, bool up)
{
    struct nano_payment *p = ctx;
    pthread_mutex_lock(&p->lock);
    p->look_at_all |= up;
    wake(p);
    pthread_mutex_unlock(&p->lock);
}

static void nano_stop(void *self)
{
    struct nano_payment *p = self;
    cancel_fire(&p->stop);
    pthread_mutex_lock(&p->lock);
    wake(p);
    pthread_mutex_unlock(&p->lock);
    if (p->watcher_started)
        pthread_join(p->watcher, NULL);
    if (p->collector_started)
        pthread_join(p->collector, NULL);
    p->watcher_started = p->collector_started = false;
    lease_keeper_stop(TAKE(p->lease));
    work_pool_destroy(TAKE(p->o.work)); /* it may ask the node, which ends next */
}

static bool nano_start(void *self, const struct pay_calls *calls, struct err *e)
{
    struct nano_payment *p = self;
    const struct nano_watch watch = {.on_hint = on_hint, .on_link = on_link, .ctx = p};
    p->calls = calls;
    if (!p->o.node.ops->watch(p->o.node.self, &watch, e) ||
        !lease_keeper_start(p->o.db, NANO_LEASE, p->o.lease_ms, &p->lease, e))
        return false;
    int r = pthread_create(&p->watcher, NULL, nano_watch_main, p);
    p->watcher_started = r == 0;
    if (r == 0 && p->o.seed) {
        r = pthread_create(&p->collector, NULL, nano_collect_main, p);
        p->collector_started = r == 0;
    }
    return r == 0 || err_set_io(e, r, "payments", "start a thread");
}

static void nano_destroy(void *self)
{
    struct nano_payment *p = self;
    if (!p)
        return;
    nano_stop(p);
    nano_seed_destroy(p->o.seed);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static const struct payment_method_ops ops = {
    .name = NANO_METHOD,
    .unit = "XNO",
    .offers = nano_offers,
    .offer_for = nano_offer_for,
    .open = nano_open,
    .ask = nano_ask,
    .rest = nano_rest,
    .claim = nano_claim,
    .start = nano_start,
    .stop = nano_stop,
    .reconcile = nano_payment_reconcile,
    .collect = nano_payment_collect,
    .address = nano_address,
    .refund_ask = nano_refund_ask,
    .refund_agree = nano_refund_agree,
    .refund_cancel = nano_refund_cancel,
    .treasury = nano_refund_treasury,
    .destroy = nano_destroy,
};

/* Tells seeds apart without telling anything about them: a hash of the first public key. Index 0 is
   the treasury's; accounts that people pay to start at 1. */
static bool make_print(struct nano_payment *p, struct err *e)
{
    struct nano_account first;
    struct hash h;
    char hex[HASH_HEX];
    if (!nano_seed_account(p->o.seed, 0, &first, e))
        return false;
    p->treasury = first;
    nano_account_print(&first, p->treasury_text);
    hash_begin(&h, "nano seed");
    hash_bytes(&h, "key", first.key, sizeof(first.key));
    hash_end(&h, hex);
    str_copy(p->print, sizeof(p->print), hex);
    return true;
}

static bool read_accounts(struct nano_payment *p, struct err *e)
{
    const char *wallet = p->o.wallet ? p->o.wallet : "";
    const char *representative = p->o.representative ? p->o.representative : "";
    p->has_wallet = wallet[0] != '\0';
    if (p->has_wallet &&
        (!nano_account_parse(wallet, &p->wallet) || nano_account_is_burn(&p->wallet)))
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_WALLET_ADDRESS",
                           "NANO_WALLET_ADDRESS is no address");
    if (!p->has_wallet && !p->o.seed)
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_WALLET_ADDRESS",
                           "neither NANO_SEED nor NANO_WALLET_ADDRESS");
    if (p->has_wallet)
        nano_account_print(&p->wallet, p->wallet_text);
    p->representative = p->wallet;
    if (representative[0] && !nano_account_parse(representative, &p->representative))
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_REPRESENTATIVE",
                           "NANO_REPRESENTATIVE is no address");
    if (!p->has_wallet && !representative[0])
        return nano_seed_account(p->o.seed, 0, &p->representative, e);
    return true;
}

bool nano_payment_create(const struct nano_payment_options *options, struct payment_method *ret,
                         struct err *e)
{
    struct nano_payment *p = calloc(1, sizeof(*p));
    if (!p)
        return err_set(e, ERR_INTERNAL, "error.internal", "payments: no memory");
    p->o = *options;
    p->prices = *options->prices;
    p->o.prices = &p->prices;
    cancel_init(&p->stop, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    if (!read_accounts(p, e) || (p->o.seed && !make_print(p, e))) {
        /* What was handed over stays the caller's. */
        pthread_cond_destroy(&p->changed);
        pthread_mutex_destroy(&p->lock);
        free(p);
        return false;
    }
    *ret = (struct payment_method){&ops, p};
    return true;
}
