/*
 * store_deposit - payments that arrived: each counts once, whoever finds it and however often.
 *
 * Rules:   crediting is one transaction: the unique row of the payment, the rest on the account, the
 *          credits (verb buy), the bonus (verb bonus) and the order's progress. A repeat does
 *          nothing.
 * Tables:  deposits, rests, orders, wallets, transfers, entries, claims.
 * Threads: as db_tx; lock order wallet, order.
 * Source:  facts sheets "nano" section 10, "jobs and ledger" section 4.
 */
#ifndef NANOTIK_STORE_DEPOSIT_H
#define NANOTIK_STORE_DEPOSIT_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/db/store_order.h"
#include "core/money/price.h"
#include "core/money/raw.h"

enum { PAY_REF_MAX = 129 };

struct deposit {
    const char *method;
    const char *ref; /* the network's name of the payment: a block's hash */
    const char *address;
    const struct price_list *prices;
    struct raw amount;   /* > 0, final and checked */
    int64_t paid_at;     /* Unix seconds, 0 = not known: now */
    const char *account; /* whose it is; NULL: whoever owns the address or the unique amount */
};

enum deposit_result {
    DEPOSIT_CREDITED,
    DEPOSIT_KNOWN,     /* its row is there: nothing changed */
    DEPOSIT_UNMATCHED, /* stored, but nobody's yet */
};

struct deposit_done {
    enum deposit_result result;
    char account[UUID_TEXT];
    int64_t credits, bonus;
    struct raw rest; /* on the account now */
    bool has_order;
    struct order order; /* as it is now */
};

bool deposit_credit(struct db_tx *tx, const struct deposit *d, struct deposit_done *ret,
                    struct err *e);
/* Which of these are new: ret_new[i]. An unmatched one is known. */
bool deposit_filter(struct db_tx *tx, const char *method, const char *const *refs, size_t count,
                    bool *ret_new, struct err *e);
/* Whose it became: "" while it is nobody's or not there. */
bool deposit_owner(struct db_tx *tx, const char *method, const char *ref,
                   char ret_account[static UUID_TEXT], struct err *e);
/* Raw that is less than a credit. */
bool deposit_rest(struct db_tx *tx, const char *account, const char *method, struct raw *ret,
                  struct err *e);

struct receipt {
    char ref[PAY_REF_MAX];
    char account[UUID_TEXT]; /* "" : unmatched */
    char address[PAY_ADDRESS_MAX];
    struct raw amount;
    int64_t credits, bonus;
    char at[32]; /* ISO UTC */
    bool collected;
};
/* Newest first. */
bool receipt_list(struct db_tx *tx, const char *account, struct receipt *ret, size_t max,
                  size_t *ret_count, struct err *e);
/* All of a method in the order of their names, behind `after`; for reconcile. */
bool receipt_page(struct db_tx *tx, const char *method, const char *after, struct receipt *ret,
                  size_t max, size_t *ret_count, struct err *e);

/* --- collecting: what was credited is moved on to the operator --- */

/* A credited payment to this address that our own chain has not received yet. */
bool deposit_next_uncollected(struct db_tx *tx, const char *address, struct receipt *ret,
                              bool *ret_found, struct err *e);
/* Addresses with such payments, behind `after`. */
bool deposit_uncollected(struct db_tx *tx, const char *method, const char *after,
                         struct deposit_address *ret, size_t max, size_t *ret_count, struct err *e);
bool deposit_collected(struct db_tx *tx, const char *method, const char *ref, struct err *e);

/* --- claims: "this payment is mine" --- */

struct claim {
    char method[PAY_METHOD_MAX], ref[PAY_REF_MAX], account[UUID_TEXT], lang[16];
    struct chat_addr addr;
    int tries;
};
/* Stored for whoever watches the network; a refused one may be asked again. */
bool claim_ask(struct db_tx *tx, const struct claim *c, struct err *e);
/* Due ones; each is offered again after a minute until it has ended. */
bool claim_take(struct db_tx *tx, const char *method, struct claim *ret, bool *ret_found,
                struct err *e);
bool claim_end(struct db_tx *tx, const struct claim *c, bool done, struct err *e);
/* Had this account, and nobody else, orders on this address in the week before `paid_at`, and is the
   amount no more than twice what they asked for? Only then may a claim be granted without the
   operator: the address may have income of its own. */
bool claim_is_sole(struct db_tx *tx, const char *account, const char *address, struct raw amount,
                   int64_t paid_at, bool *ret_sole, struct err *e);

#endif
