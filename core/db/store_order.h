/*
 * store_order - addresses that accounts pay to, and price promises on them.
 *
 * Rules:   an account has one address per seed, for ever; its index is never given to another. An
 *          order promises a rate and a bonus until it expires; which money counts is decided by the
 *          address alone (core/db/store_deposit.h).
 * Tables:  deposit_seeds, deposit_addresses, orders, awaiting.
 * Threads: as db_tx; lock order wallet, order.
 * Source:  facts sheet "nano", section 10.
 */
#ifndef NANOTIK_STORE_ORDER_H
#define NANOTIK_STORE_ORDER_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/money/raw.h"
#include "core/port/chat.h"

enum {
    PAY_METHOD_MAX = 16,
    PAY_ADDRESS_MAX = 129,
    PAY_PRINT_MAX = 17,
    ORDERS_LIVE_MAX = 5,    /* per account; the oldest promise ends early */
    ADDRESS_HOT_HOURS = 24, /* after its last order an address is looked at often for so long */
};

/* --- addresses --- */

struct deposit_address {
    char address[PAY_ADDRESS_MAX];
    char account[UUID_TEXT];
    char print[PAY_PRINT_MAX]; /* of the seed: 16 hex digits */
    int64_t index;
};
/* *ret_found false: the account has none under this seed. */
bool address_of(struct db_tx *tx, const char *account, const char *method, const char *print,
                struct deposit_address *ret, bool *ret_found, struct err *e);
/* The same under the account's lock, so that two at once do not make two; when it has none, *ret has
   the next index of this seed, gone for ever once committed, and wants an address. */
bool address_reserve(struct db_tx *tx, const char *account, const char *method, const char *print,
                     struct deposit_address *ret, bool *ret_found, struct err *e);
bool address_add(struct db_tx *tx, const char *method, const struct deposit_address *a,
                 struct err *e);
bool address_find(struct db_tx *tx, const char *address, struct deposit_address *ret,
                  bool *ret_found, struct err *e);
/* Addresses behind `after` ("" = from the start) in a fixed order; hot_only: with an order or a
   hint lately. */
bool address_list(struct db_tx *tx, const char *method, const char *print, const char *after,
                  bool hot_only, struct deposit_address *ret, size_t max, size_t *ret_count,
                  struct err *e);

/* --- orders --- */

enum order_state {
    ORDER_OPEN,
    ORDER_SEEN, /* money is on its way, not final */
    ORDER_PART, /* less than asked for has arrived */
    ORDER_PAID,
    ORDER_OVER, /* the promise ended; money still counts, at the usual rate */
};

struct order {
    char id[UUID_TEXT];
    char account[UUID_TEXT];
    char method[PAY_METHOD_MAX];
    char address[PAY_ADDRESS_MAX];
    struct raw amount;     /* asked for */
    int64_t credits;       /* that it buys, without bonus */
    int64_t bonus;         /* on top when all of it comes in time */
    struct raw per_credit; /* rate promised */
    struct raw received;   /* so far */
    int64_t bonus_given;
    enum order_state state;
    bool unique_amount; /* nobody else's live order on this address asks for the same */
    char lang[16];
    struct chat_addr addr;
    char card_ref[CHAT_REF_MAX];
    int64_t seconds_left; /* of the promise, >= 0 */
    bool is_group;        /* the account is a group's, the card is of whoever pays for it */
};

/* Stores spec (id, state, received are filled in) and makes the address hot. *ret_made false: with
   unique_amount, this amount is taken: try another. */
bool order_open(struct db_tx *tx, struct order *spec, int seconds, bool *ret_made, struct err *e);
bool order_get(struct db_tx *tx, const char *id, struct order *ret,
               struct err *e); /* ERR_NOT_FOUND "pay.order_gone" */
/* The account's last one, whatever became of it. */
bool order_newest(struct db_tx *tx, const char *account, struct order *ret, bool *ret_found,
                  struct err *e);
/* The order that this money belongs to: with the very amount still missing, else the newest whose
   promise was alive at `paid_at` (Unix seconds, 0 = now). */
bool order_for_payment(struct db_tx *tx, const char *account, const char *method, struct raw amount,
                       int64_t paid_at, struct order *ret, bool *ret_found, struct err *e);
/* For an address that many share: the live order with exactly this amount. */
bool order_by_amount(struct db_tx *tx, const char *method, const char *address, struct raw amount,
                     struct order *ret, bool *ret_found, struct err *e);
/* Open -> seen, for the newest live order on this address (of this amount, when amounts are
   unique). *ret_found false: none, or it was told before. */
bool order_mark_seen(struct db_tx *tx, const char *address, struct raw amount, struct order *ret,
                     bool *ret_found, struct err *e);
/* The next order whose card must be drawn again (time goes by, or the promise has just ended);
   asked once per due time by anybody. *ret_found false: none is due. */
bool order_claim_edit(struct db_tx *tx, struct order *ret, bool *ret_found, struct err *e);
const char *order_state_name(enum order_state state);

/* --- the video that waits for money --- */

/* This quoted job starts by itself once credits suffice; an earlier wish gives way. */
bool await_credits(struct db_tx *tx, const char *account, const char *job, struct err *e);
bool await_job(struct db_tx *tx, const char *account, char ret_job[static UUID_TEXT],
               bool *ret_found, struct err *e);
bool await_end(struct db_tx *tx, const char *account, struct err *e);

#endif
