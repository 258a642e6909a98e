/*
 * nano_internal - what the files of the Nano payment method share; nobody else includes it.
 *
 * Threads: the fields below `lock` only with it held; the rest is fixed at create or start.
 */
#ifndef NANOTIK_NANO_INTERNAL_H
#define NANOTIK_NANO_INTERNAL_H

#include <pthread.h>

#include "core/base/cancel.h"
#include "core/db/lease_keeper.h"
#include "core/db/store_block.h"
#include "core/db/store_deposit.h"
#include "core/pay/nano_payment.h"

#define NANO_METHOD "nano"
#define NANO_LEASE "payments"

enum {
    NANO_HINTS = 1024,       /* waiting; more means "look at everything" */
    NANO_PAGE = 500,         /* addresses read at once */
    NANO_BATCH = 64,         /* blocks looked at with one question */
    NANO_AMOUNT_TAIL = 9999, /* watch-only: an order's amount is up to 0.009999 above the price */
};

/* Where the walk along the wallet's own chain stands (nano_wallet.c). */
struct nano_walk {
    bool known;          /* at was read from the database */
    struct nano_hash at; /* everything up to this block was looked at; zero: nothing yet */
    int strays;          /* looks in a row at which it did not lead on */
    int64_t doubt_since; /* the next block's payment cannot be judged; 0: it can */
};

struct nano_payment {
    struct nano_payment_options o;
    struct price_list prices;
    bool has_wallet;
    struct nano_account wallet, representative;
    char wallet_text[NANO_ADDRESS];
    char print[PAY_PRINT_MAX];    /* of the seed */
    struct nano_account treasury; /* index 0 of the seed: money of the operator, for refunds */
    char treasury_text[NANO_ADDRESS];
    /* Collector only: not looked at before (monotonic ms). */
    int64_t refund_at, receive_at, sweep_at;
    bool receive_told, sweep_told, refund_told; /* collector only: what hinders it was logged */
    bool rescanned;  /* collector only: no restore waits to be looked into */
    size_t cut_told; /* watcher only: accounts whose list was cut */
    /* Collector only: behind which address the next look goes on; "" = from the start. */
    char receive_after[PAY_ADDRESS_MAX], sweep_after[PAY_ADDRESS_MAX], drive_after[PAY_ADDRESS_MAX];
    const struct pay_calls *calls;
    struct lease_keeper *lease;
    struct cancel stop;
    pthread_t watcher, collector;
    bool watcher_started, collector_started;
    struct nano_walk walk; /* watcher only */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    struct nano_hash hints[NANO_HINTS];
    size_t hint_count;
    bool look_at_all;                     /* the stream came up, or too many hints */
    struct nano_hash doubted[NANO_BATCH]; /* told in the log (nano_check.c) */
    size_t doubted_next;
};

/* --- nano_check.c: what is proven about a payment --- */

enum nano_verdict {
    NANO_GOOD,     /* confirmed send to one of ours, all of it checked */
    NANO_WAIT,     /* a good send to one of ours, not confirmed yet (or not by enough nodes) */
    NANO_NOT_OURS, /* another block */
    NANO_UNKNOWN,  /* the node does not have it (yet) */
    NANO_UNPROVEN, /* cannot be checked: wrong signature, legacy predecessor, a lie; told in the log */
};

struct nano_checked {
    enum nano_verdict verdict;
    struct nano_account to;
    struct raw amount;
    int64_t paid_at; /* Unix seconds, 0 unknown */
};
/* More than one node must call this block confirmed for so much money, where there is more than one. */
bool nano_enough_nodes(struct nano_payment *p, const struct nano_hash *hash, struct raw amount,
                       bool *ret, const struct cancel *cancel, struct err *e);
/* Up to NANO_BATCH at once. ret[i] is about hashes[i]. */
bool nano_check(struct nano_payment *p, const struct nano_hash *hashes, size_t count,
                struct nano_checked *ret, const struct cancel *cancel, struct err *e);

/* --- nano_credit.c: one payment becomes credits --- */

struct nano_credit {
    struct nano_payment *p;
    const char *ref, *address;
    const struct nano_checked *checked;
    const char *account; /* of a claim, or NULL */
    bool quiet;          /* nobody is told */
    struct deposit_done done;
};
/* The transaction: for db_run, or inside another one. */
bool nano_credit_body(struct db_tx *tx, void *data, struct err *e);
/* One of our addresses, or the wallet when everybody pays there. */
bool nano_credit_is_ours(struct nano_payment *p, const struct nano_account *to, const char *text,
                         bool *ret, struct err *e);
/* What nano_check found out: good ones are credited, others told or left. */
bool nano_credit_checked(struct nano_payment *p, const struct nano_hash *hash,
                         const struct nano_checked *checked, struct err *e);
/* Looks at these payments now and credits what is good. */
bool nano_credit_hashes(struct nano_payment *p, const struct nano_hash *hashes, size_t count,
                        struct err *e);
/* The same for those that have no row yet. */
bool nano_credit_new(struct nano_payment *p, const struct nano_hash *hashes, size_t count,
                     struct err *e);
/* Something was committed that somebody is to be told of. */
void nano_tell_after(struct nano_payment *p);

/* --- nano_claim.c --- */

/* The next claim that is due; *ret_found false: none. */
bool nano_answer_claim(struct nano_payment *p, bool *ret_found, struct err *e);

/* --- nano_wallet.c: watch-only --- */

/* Follows the wallet's own chain from where it was left, at most WALK_MAX blocks. *ret_more: it ended
   for that reason alone. */
bool nano_walk_wallet(struct nano_payment *p, bool *ret_more, struct err *e);

/* --- nano_watch.c --- */
void *nano_watch_main(void *data); /* struct nano_payment */

/* --- nano_collect.c --- */
void *nano_collect_main(void *data); /* the same */
/* One round over everything that is due. least: accounts with at least this are emptied (zero:
   none). *ret_busy: something is under way. */
bool nano_collect_round(struct nano_payment *p, struct raw least, const struct cancel *cancel,
                        bool *ret_busy, struct raw *ret_swept, struct err *e);
/* What stands on our account, proven by our own signature. ret: a block to build on it, with its
   predecessor and balance. */
bool nano_read_frontier(struct nano_payment *p, const struct nano_account *ours,
                        struct nano_block *ret, bool *ret_opened, const struct cancel *cancel,
                        struct err *e);
/* Trouble that only time mends goes into the log once, until `told` is false again. */
void nano_collect_tell(bool *told, const struct err *e);
bool nano_payment_collect(void *self, const struct cancel *cancel,
                          char ret_moved[static PAY_AMOUNT], struct err *e);

/* --- nano_rescan.c: after a restore --- */

/* True once nothing is to be looked into any more; until then no block may be made. */
bool nano_rescan(struct nano_payment *p, const struct cancel *cancel, struct err *e);

/* --- nano_drive.c: a stored block on its way --- */

/* One step. *swept grows by what a confirmed sweep moved. */
bool nano_drive(struct nano_payment *p, struct own_block *b, const struct cancel *cancel,
                struct raw *swept, struct err *e);

/* --- nano_proof.c: what can never be confirmed --- */

enum nano_fate {
    NANO_ALIVE,        /* as far as can be proven */
    NANO_PLACE_TAKEN,  /* another block of ours is final in its place */
    NANO_SOURCE_TAKEN, /* another block of ours has received this payment, and is final */
};
/* Of a block of ours, by other blocks that our own key signed: no node can make them up. */
bool nano_fate(struct nano_payment *p, const struct own_block *b, const struct cancel *cancel,
               enum nano_fate *ret, struct err *e);

/* --- nano_refund.c --- */
bool nano_refund_ask(void *self, struct db_tx *tx, const char *account, const char *address,
                     int64_t credits, const char *lang, const struct chat_addr *addr,
                     struct pay_refund *ret, struct err *e);
bool nano_refund_agree(void *self, struct db_tx *tx, const char *account, const char *id,
                       struct pay_refund *ret, struct err *e);
bool nano_refund_cancel(void *self, struct db_tx *tx, const char *account, bool *ret_found,
                        struct err *e);
bool nano_refund_treasury(void *self, const struct cancel *cancel, char ret[static PAY_ADDRESS],
                          char *ret_balance, struct err *e);
/* Tells people, and makes the next block of the treasury: a receive or the send of a refund. */
bool nano_refund_round(struct nano_payment *p, const struct cancel *cancel, bool *ret_busy,
                       struct err *e);
/* --- nano_reconcile.c --- */
bool nano_payment_reconcile(void *self, void (*on_difference)(void *ctx, const char *what),
                            void *ctx, const struct cancel *cancel, int64_t *ret_checked,
                            struct err *e);

#endif
