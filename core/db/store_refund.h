/*
 * store_refund - credits that were bought and not used, on their way back to whoever bought them.
 *
 * Rules:   what is spent is taken from free credits (trial, grant, bonus) as long as there were any
 *          at that moment, then from bought ones, the oldest first; a refund takes the oldest bought
 *          ones that are left, each at the price it was bought for. So two refunds never take the
 *          same credit, and all together are never more than what arrived.
 *          The bonus of an account's payments ends with its first refund: as many credits are taken
 *          on top and not paid out, so that buying, using the bonus and going back gains nothing.
 *          asked (a card is shown, nothing has moved) -> waiting (credits and rest left the account,
 *          in the transaction of the yes) -> sent (linked to the one block that carries it, in the
 *          transaction that stores the block) -> done, or refused (both came back).
 *          At most one of asked, waiting, sent per account.
 * Tables:  refunds, rests, wallets, transfers, entries; reads deposits.
 * Threads: as db_tx; lock order wallet, refunds of the day, block.
 */
#ifndef NANOTIK_STORE_REFUND_H
#define NANOTIK_STORE_REFUND_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/db/store_order.h"
#include "core/money/raw.h"

enum { REFUND_ASK_MINUTES = 15, REFUND_BLOCK_MAX = 65, REFUND_TOLD_MAX = 16 };

struct refund {
    char id[UUID_TEXT];
    char account[UUID_TEXT];
    char method[PAY_METHOD_MAX];
    char address[PAY_ADDRESS_MAX]; /* where it goes */
    int64_t credits;               /* that leave the account */
    int64_t bonus;                 /* of these, not paid out */
    struct raw rest;               /* of what is less than a credit */
    struct raw amount;             /* all together */
    char state[16];                /* as in the table */
    char block[REFUND_BLOCK_MAX];
    char lang[16];
    struct chat_addr addr;
};

/* r: account, method, address, credits (bought ones; 0: everything, with the rest), lang, addr. Fills in the
   others and takes the place of an earlier question. ERR_CONFLICT "refund.open": one is under way;
   ERR_INPUT "refund.nothing"; ERR_INPUT "refund.too_many" (arg: how many). */
bool refund_ask(struct db_tx *tx, struct refund *r, struct err *e);
/* Yes to the question id ("" = the open one): ERR_NOT_FOUND "refund.gone", ERR_CONFLICT
   "refund.changed" (what can go back is not what was shown), ERR_LIMIT "refund.day" (all of the last
   24 hours would be more than `day`), ERR_CONFLICT "error.closed" (ledger_watch). */
bool refund_agree(struct db_tx *tx, const char *account, const char *id, struct raw day,
                  struct refund *ret, struct err *e);
/* No to it; *ret_found false: there was none. */
bool refund_cancel(struct db_tx *tx, const char *account, bool *ret_found, struct err *e);

/* --- for whoever builds the blocks --- */

/* The oldest that waits; none while the books are closed. */
bool refund_waiting(struct db_tx *tx, const char *method, struct refund *ret, bool *ret_found,
                    struct err *e);
/* waiting -> sent, in the transaction that stores the block. *ret_linked false: somebody else did,
   so that this block must not be stored. */
bool refund_link(struct db_tx *tx, const char *id, const char *block, bool *ret_linked,
                 struct err *e);
/* After a restore: this confirmed block of the treasury is the refund that waits for such a one, and
   ends it. *ret_found false: none does, so it is told by the alarm "refunds", and none is agreed to or
   signed while that is there. */
bool refund_adopt(struct db_tx *tx, const char *method, const char *address, struct raw amount,
                  const char *block, bool *ret_found, struct err *e);
/* The block was confirmed, or can never be (then all comes back); a repeat does nothing. */
bool refund_end(struct db_tx *tx, const char *block, bool confirmed, struct err *e);
/* One whose state the person was not told; told once marked. */
bool refund_untold(struct db_tx *tx, const char *method, struct refund *ret, bool *ret_found,
                   struct err *e);
/* What the person was told; *ret_new false: that was told already. */
bool refund_mark_told(struct db_tx *tx, const char *id, const char *told, bool *ret_new,
                      struct err *e);
/* Those with a block, behind `after` (a block), for reconcile. */
bool refund_page(struct db_tx *tx, const char *method, const char *after, struct refund *ret,
                 size_t max, size_t *ret_count, struct err *e);

#endif
