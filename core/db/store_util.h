/*
 * store_util - short forms that the stores share; nobody else includes it.
 */
#ifndef NANOTIK_STORE_UTIL_H
#define NANOTIK_STORE_UTIL_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/db/store_ledger.h"

#define ISO(column) "to_char(" column " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

struct num {
    char text[24];
};
struct num num_make(int64_t value);

/* db_text, but "" for null. */
const char *row_text(const struct db_rows *r, size_t row, size_t column);
/* Runs a change and says how many rows it touched. */
bool exec_change(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
                 int64_t *ret_rows, struct err *e);

/* The one lock per user; everything that touches money, counters or the end of a job takes it
   first. ERR_NOT_FOUND "error.no_account". */
struct wallet {
    int64_t available, held;
    int active;
};
bool wallet_lock(struct db_tx *tx, const char *account, struct wallet *ret, struct err *e);

/* promo -> avail, for grants, trials and bonuses; world -> avail for verbs "buy" and "unrefund". */
bool ledger_give(struct db_tx *tx, const char *key, const char *verb, const char *account,
                 int64_t credits, enum ledger_result *ret, struct err *e);
/* From now on all that is, or becomes, available on this account goes to its heir (verbs gone and
   came), in the transaction that brought it. Both wallets are locked. */
bool ledger_inherit(struct db_tx *tx, const char *account, const char *heir, struct err *e);
/* avail -> world. LEDGER_SHORT: that many are not there. */
bool ledger_refund(struct db_tx *tx, const char *key, const char *account, int64_t credits,
                   enum ledger_result *ret, struct err *e);

#endif
