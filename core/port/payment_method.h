/*
 * payment_method - a way to buy credits.
 *
 * What:    offers, orders (price promises), what a card must show to be paid, and events when money
 *          is seen and counted. The bot knows nothing else: no coin, no network. Amounts are texts
 *          that people read and type ("2.5"); the credits are counted by core/db/store_deposit.h.
 * Owner:   destroy, after stop.
 * Threads: stated on each slot; events come on threads of the method.
 * Fails:   as stated; ERR_RETRY "pay.node_down" when the network cannot be asked.
 */
#ifndef NANOTIK_PORT_PAYMENT_METHOD_H
#define NANOTIK_PORT_PAYMENT_METHOD_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/port/chat.h"

struct db_tx;
struct order; /* core/db/store_order.h */

enum { PAY_OFFERS = 8, PAY_AMOUNT = 48, PAY_ADDRESS = 129, PAY_URI = 256, PAY_ID = 40 };

/* Something to buy. */
struct pay_offer {
    char amount[PAY_AMOUNT]; /* as typed after /pay */
    int64_t credits;         /* with the bonus */
    int64_t bonus;           /* of these */
};

/* What a card shows so that somebody can pay. */
struct pay_ask {
    char unit[8];              /* "XNO" */
    char amount[PAY_AMOUNT];   /* still to pay; "0" once all is there */
    char received[PAY_AMOUNT]; /* so far; "" when nothing */
    char address[PAY_ADDRESS];
    char uri[PAY_URI]; /* for a wallet: text of the QR picture */
    int64_t credits;   /* for the whole amount, with the bonus */
    int64_t bonus;     /* of these */
    bool exact;        /* no other amount than this is recognised by itself */
};

/* Money was counted. Texts are borrowed for the call. */
struct pay_credited {
    const char *account;
    const struct order *order; /* as it is now; NULL: without one */
    int64_t credits, bonus;    /* by this payment */
    const char *amount;        /* "1.2345" */
    const char *unit;
    const char *rest; /* what stays below one credit; "0" */
    const char *ref;  /* the payment's name on its network */
};

/* What became of "this payment is mine". */
enum pay_claim { PAY_CLAIM_GRANTED, PAY_CLAIM_KNOWN, PAY_CLAIM_NOT_OURS, PAY_CLAIM_ASK_OPERATOR };

/* Credits on their way back. */
enum pay_refund_state {
    PAY_REFUND_ASKED,   /* a yes is waited for */
    PAY_REFUND_WAITING, /* the credits are gone, the money will be sent */
    PAY_REFUND_SHORT,   /* the same, but the operator must add money first */
    PAY_REFUND_SENT,
    PAY_REFUND_DONE, /* confirmed */
    PAY_REFUND_BACK, /* could not be sent: the credits are back */
};
struct pay_refund {
    enum pay_refund_state state;
    char id[PAY_ID];
    int64_t credits;         /* that leave the account, */
    int64_t bonus;           /* of these not paid out: the bonus ends with a refund */
    char amount[PAY_AMOUNT]; /* all of it, exactly */
    char rest[PAY_AMOUNT];   /* of it, what was less than a credit; "0" */
    char unit[8];
    char address[PAY_ADDRESS];
    char ref[PAY_ADDRESS]; /* from sent on */
    char lang[16];
    struct chat_addr addr; /* empty: nobody is there any more */
};

/* Events, each inside the transaction that makes it true; it may run again. */
struct pay_calls {
    /* Money is on its way, not final: nothing was counted. */
    bool (*on_seen)(struct db_tx *tx, void *ctx, const struct order *order, struct err *e);
    bool (*on_credited)(struct db_tx *tx, void *ctx, const struct pay_credited *c, struct err *e);
    /* The order's card must be drawn again: time went by, or the promise has ended. */
    bool (*on_redraw)(struct db_tx *tx, void *ctx, const struct order *order, struct err *e);
    bool (*on_claim)(struct db_tx *tx, void *ctx, const char *lang, const struct chat_addr *addr,
                     enum pay_claim result, struct err *e);
    bool (*on_refund)(struct db_tx *tx, void *ctx, const struct pay_refund *r, struct err *e);
    void (*after)(void *ctx); /* something of the above was committed */
    void *ctx;
};

struct payment_method_ops {
    const char *name; /* REQUIRED. "nano" */
    const char *unit; /* REQUIRED. "XNO" */
    /* REQUIRED. Any thread. Packages, cheapest first; returns how many. */
    size_t (*offers)(void *self, struct pay_offer *ret, size_t max);
    /* REQUIRED. Any thread. The least that buys so many credits. False: beyond all bounds. */
    bool (*offer_for)(void *self, int64_t credits, struct pay_offer *ret);
    /* REQUIRED. Any thread, inside the command's transaction; asks no network. A promise for what
       was typed. ERR_INPUT "pay.bad_amount", arg = the bounds. */
    bool (*open)(void *self, struct db_tx *tx, const char *account, const char *amount,
                 const char *lang, const struct chat_addr *addr, struct order *ret, struct err *e);
    /* REQUIRED. Any thread. */
    bool (*ask)(void *self, const struct order *order, struct pay_ask *ret, struct err *e);
    /* REQUIRED. Any thread. What of this account's money is less than one credit: "0.0042". */
    bool (*rest)(void *self, struct db_tx *tx, const char *account, char ret[static PAY_AMOUNT],
                 struct err *e);
    /* OPTIONAL. Any thread, inside the command's transaction. "This payment is mine"; the answer
       comes as on_claim. ERR_INPUT "claim.bad_ref". */
    bool (*claim)(void *self, struct db_tx *tx, const char *account, const char *ref,
                  const char *lang, const struct chat_addr *addr, struct err *e);
    /* OPTIONAL, all three. Any thread, inside the command's transaction. A question first (credits 0:
       everything, with the rest), then yes to the one with this id ("" = the open one), or no.
       Errors "refund.*": switched off, not there without a seed, bounds, address. */
    bool (*refund_ask)(void *self, struct db_tx *tx, const char *account, const char *address,
                       int64_t credits, const char *lang, const struct chat_addr *addr,
                       struct pay_refund *ret, struct err *e);
    bool (*refund_agree)(void *self, struct db_tx *tx, const char *account, const char *id,
                         struct pay_refund *ret, struct err *e);
    bool (*refund_cancel)(void *self, struct db_tx *tx, const char *account, bool *ret_found,
                          struct err *e);
    /* REQUIRED. Begins to watch; calls is borrowed until stop. */
    bool (*start)(void *self, const struct pay_calls *calls, struct err *e);
    /* REQUIRED. No event comes after it; NULL calls before start are fine. */
    void (*stop)(void *self);
    /* REQUIRED. For the command line, instead of start. Compares what was counted with what the
       network says; on_difference for each. False: could not be compared. */
    bool (*reconcile)(void *self, void (*on_difference)(void *ctx, const char *what), void *ctx,
                      const struct cancel *cancel, int64_t *ret_checked, struct err *e);
    /* OPTIONAL. For the command line: moves everything on to the operator now. ret_moved is a
       text ("12.5"). */
    bool (*collect)(void *self, const struct cancel *cancel, char ret_moved[static PAY_AMOUNT],
                    struct err *e);
    /* OPTIONAL. Where this account pays to; made when it has none. */
    bool (*address)(void *self, struct db_tx *tx, const char *account, char ret[static PAY_ADDRESS],
                    struct err *e);
    /* OPTIONAL. For the command line: where the operator keeps money for refunds. ret_balance may be
       NULL; else the network is asked. */
    bool (*treasury)(void *self, const struct cancel *cancel, char ret[static PAY_ADDRESS],
                     char *ret_balance, struct err *e);
    void (*destroy)(void *self); /* REQUIRED */
};

struct payment_method {
    const struct payment_method_ops *ops; /* NULL: no method is set up */
    void *self;
};

#endif
