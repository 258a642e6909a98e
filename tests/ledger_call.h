/*
 * ledger_call - calls of the ledger, each a transaction of its own, and jobs made of nothing but the row
 * that a hold needs.
 *
 * Fails:   the case, through cmocka; a call that shall be refused goes through ledger_call_refused.
 * Threads: as db_run.
 */
#ifndef NANOTIK_LEDGER_CALL_H
#define NANOTIK_LEDGER_CALL_H

#include "core/base/hash.h"
#include "core/db/store_ledger.h"

struct ledger_call {
    enum { GRANT, HOLD, CAPTURE, RELEASE, BALANCE, HISTORY } verb;
    const char *key, *account, *job;
    int64_t credits;
    enum ledger_result result;
    struct balance balance;
    struct ledger_line lines[20];
    size_t line_count;
};
/* ctx: a struct ledger_call. */
bool ledger_call_body(struct db_tx *tx, void *ctx, struct err *e);
enum ledger_result ledger_call_run(struct db *db, struct ledger_call *c);
enum err_code ledger_call_refused(struct db *db, struct ledger_call c);
void ledger_expect(struct db *db, const char *account, int64_t available, int64_t held);
/* Live, without its hold. */
void ledger_bare_job(struct db *db, const char *account, int64_t price, char ret_id[UUID_TEXT]);
/* The row as it stands after the end, so that the books fit. */
void ledger_end_job(struct db *db, const char *job, int charged);

#endif
