/*
 * The payment method that the configuration asks for: Nano, with a seed or watch-only.
 */
#define LOG_MODULE "start"
#include <stdlib.h>
#include <string.h>

#include "bot/wire.h"
#include "core/base/log.h"
#include "core/money/price.h"
#include "core/net/net.h"
#include "core/pay/fiat_rate.h"
#include "core/pay/nano_payment.h"

enum { MINUTE = 60 };

struct wire_pay {
    struct wire_nano *nano;
    struct payment_method method;
    struct price_list prices;
    struct net_engine *fiat_net; /* NULL: no rate source */
    struct fiat_rate *fiat;
};

static bool read_xno(const struct config *config, const char *name, struct raw *ret, struct err *e)
{
    return raw_from_xno(config_text(config, name), ret) ||
           err_set_arg(e, ERR_CONFIG, "start.bad_nano", name, "%s is no amount of XNO", name);
}

static struct work_pool *make_work_pool(const struct config *config, const struct nano_node *node)
{
    struct work_pool_options o = {0};
    if (config_text(config, "NANO_WORK_URL")[0])
        o.source = (struct work_source){.generate = node->ops->work, .ctx = node->self};
    return work_pool_create(&o);
}

static bool other_balance(void *ctx, const struct nano_account *account, struct raw *ret,
                          const struct cancel *cancel, struct err *e)
{
    return wire_nano_balance(ctx, account, ret, cancel, e);
}

static bool make_method(struct wire_pay *w, const struct config *config, struct db *db,
                        struct nano_seed **seed, struct err *e)
{
    struct nano_payment_options o = {
        .db = db,
        .node = *wire_nano_node(w->nano),
        .wallet = config_text(config, "NANO_WALLET_ADDRESS"),
        .representative = config_text(config, "NANO_REPRESENTATIVE"),
        .prices = &w->prices,
        .other_balance = wire_nano_has_reader(w->nano) ? other_balance : NULL,
        .other_ctx = w->nano,
        .refunds = strcmp(config_text(config, "NANO_REFUNDS"), "on") == 0,
        .lease_ms = (int)config_int(config, "NANOTIK_LEASE_SECONDS") * 1000,
        .order_seconds = (int)config_int(config, "NANO_ORDER_MINUTES") * MINUTE,
    };
    if (!price_list_parse(config_text(config, "NANO_PER_CREDIT"),
                          config_text(config, "NANO_PACKAGES"), &w->prices, e) ||
        !read_xno(config, "NANO_MINIMUM", &o.minimum, e) ||
        !read_xno(config, "NANO_SECOND_OPINION", &o.second_opinion, e) ||
        !read_xno(config, "NANO_SWEEP_ABOVE", &o.sweep_above, e) ||
        !read_xno(config, "NANO_REFUND_MIN", &o.refund_min, e) ||
        !read_xno(config, "NANO_REFUND_MAX", &o.refund_max, e) ||
        !read_xno(config, "NANO_REFUND_DAY", &o.refund_day, e) ||
        !wire_nano_difficulties(config, &o.send_threshold, &o.receive_threshold, e))
        return false;
    o.seed = *seed;
    o.work = *seed ? make_work_pool(config, wire_nano_node(w->nano)) : NULL;
    if (*seed && !o.work)
        return err_set(e, ERR_INTERNAL, "error.internal", "no threads for work");
    if (!nano_payment_create(&o, &w->method, e)) {
        work_pool_destroy(o.work);
        return false;
    }
    *seed = NULL; /* it is the method's now */
    return true;
}

static bool make_fiat(struct wire_pay *w, const struct config *config, struct err *e)
{
    const struct fiat_rate_options o = {
        .url = config_text(config, "NANO_FIAT_URL"),
        .field = config_text(config, "NANO_FIAT_FIELD"),
        .currency = config_text(config, "NANO_FIAT_CURRENCY"),
    };
    if (!o.url[0])
        return true;
    return net_engine_create(config_int(config, "NANOTIK_ALLOW_PLAIN"), &w->fiat_net, e) &&
           fiat_rate_start(w->fiat_net, &o, &w->fiat, e);
}

bool wire_pay_wanted(const struct config *config, const struct nano_seed *seed)
{
    return seed || config_text(config, "NANO_WALLET_ADDRESS")[0];
}

bool wire_pay_make(const struct config *config, struct db *db, struct ws_engine *ws,
                   struct nano_seed **seed, struct wire_pay **ret, struct err *e)
{
    if (!wire_nano_wanted(config))
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_RPC_URL",
                           "payments need a node: NANO_RPC_URL is not set");
    struct wire_pay *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(e, ERR_INTERNAL, "error.internal", "payments: no memory");
    if (!wire_nano_make(config, ws, &w->nano, e) || (db && !make_fiat(w, config, e)) ||
        !make_method(w, config, db, seed, e)) {
        wire_pay_free(w);
        return false;
    }
    *ret = w;
    return true;
}

const struct payment_method *wire_pay_method(const struct wire_pay *w)
{
    return &w->method;
}

struct fiat_rate *wire_pay_fiat(const struct wire_pay *w)
{
    return w->fiat;
}

void wire_pay_free(struct wire_pay *w)
{
    if (!w)
        return;
    if (w->method.ops)
        w->method.ops->stop(w->method.self);
    wire_nano_free(w->nano); /* the last one that could call back */
    if (w->method.ops)
        w->method.ops->destroy(w->method.self);
    fiat_rate_stop(w->fiat);
    net_engine_destroy(w->fiat_net);
    free(w);
}
