/*
 * nano_payment - paying with Nano, behind port/payment_method.
 *
 * What:    with a seed, each account has an address of its own and any amount counts; without one,
 *          everybody pays to the operator's wallet and a unique amount tells who it was. A payment
 *          is credited once it is a confirmed send block whose hash, signature, destination and
 *          amount were computed here (nano_check.c), in one transaction with its unique row.
 * Threads: a watcher (nano_watch.c: hints of the stream, polling as the truth) and a collector
 *          (nano_collect.c: pocketing and sweeping;
 *          nano_refund.c: refunds, from the account of index 0), both only in the process that holds the lease
 *          LEASE_NAME; whoever works without it can be late, never wrong.
 * Owner:   the payment method owns seed and work pool once it was created; node and database are
 *          borrowed. The node calls back until it is destroyed itself: stop the method, destroy the
 *          node, destroy the method.
 * Fails:   create: ERR_CONFIG "start.bad_nano".
 * Source:  facts sheet "nano".
 */
#ifndef NANOTIK_NANO_PAYMENT_H
#define NANOTIK_NANO_PAYMENT_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/money/price.h"
#include "core/nano/key.h"
#include "core/nano/work_pool.h"
#include "core/port/nano_node.h"
#include "core/port/payment_method.h"

struct nano_payment_options {
    struct db *db;
    struct nano_node node;
    struct nano_seed *seed;     /* NULL: watch-only, wallet must be there */
    struct work_pool *work;     /* NULL without a seed */
    const char *wallet;         /* address of the operator, "" = none: nothing is swept */
    const char *representative; /* of our accounts, "" = the wallet, else the account itself */
    const struct price_list *prices;
    struct raw minimum;        /* smaller payments are not looked at */
    struct raw second_opinion; /* from here on every node is asked; zero: never */
    struct raw sweep_above;    /* an account is emptied from here on; zero: never by itself */
    /* OPTIONAL. What somebody else says that an account has (pocketed): reconcile lists where it
       differs from the nodes. Nothing else ever looks at it. */
    bool (*other_balance)(void *ctx, const struct nano_account *account, struct raw *ret,
                          const struct cancel *cancel, struct err *e);
    void *other_ctx;
    bool refunds;                      /* may be asked for */
    struct raw refund_min, refund_max; /* each */
    struct raw refund_day;             /* all of 24 hours together */
    uint64_t send_threshold, receive_threshold;
    int order_seconds;        /* life of a promise */
    int poll_ms, poll_all_ms; /* 0: 5 s for addresses in use, 10 min for all */
    int lease_ms;             /* 0: LEASE_MS */
};

bool nano_payment_create(const struct nano_payment_options *options, struct payment_method *ret,
                         struct err *e);

#endif
