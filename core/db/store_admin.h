/*
 * store_admin - what operators decide, and the trace that it leaves.
 *
 * What:    a line in admin_log for each thing done; orders that an operator has stopped, which is the
 *          row 'orders' of alarms, so that all processes see it and a restart keeps it; a list of
 *          all that stops orders or refunds.
 * Tables:  admin_log (append only), alarms.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_ADMIN_H
#define NANOTIK_STORE_ADMIN_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"

/* actor: "cli", or the operator's account. account: whom it is about, or NULL; amount: NULL or digits. */
struct admin_act {
    const char *actor, *action, *account, *amount, *why;
};
bool admin_note(struct db_tx *tx, const struct admin_act *act, struct err *e);
/* Credits that this actor granted within the last 24 hours. */
bool admin_granted(struct db_tx *tx, const char *actor, int64_t *ret_credits, struct err *e);

/* The key of what an event asks for: the same event, the same key, and nothing else. */
enum { ADMIN_KEY_TEXT = 65 };
void admin_key(const char *network, const char *event_id, char ret[static ADMIN_KEY_TEXT]);

/* From now on job_start answers JOB_STOPPED. Stopped again: the new reason counts. */
bool orders_stop(struct db_tx *tx, const char *why, struct err *e);
/* *ret_was: they were stopped. */
bool orders_open(struct db_tx *tx, bool *ret_was, struct err *e);
bool orders_stopped(struct db_tx *tx, bool *ret, struct err *e);

/* tell: each alarm there is, by name ("ledger", "orders"; "rescan" and "refunds" of store_restore.h),
   with its reason and its beginning (ISO UTC). */
bool alarm_list(struct db_tx *tx,
                void (*tell)(void *ctx, const char *name, const char *what, const char *since),
                void *ctx, struct err *e);

#endif
