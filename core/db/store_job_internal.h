/*
 * store_job_internal - the steps that the files of the job store share; nobody else includes it.
 */
#ifndef NANOTIK_STORE_JOB_INTERNAL_H
#define NANOTIK_STORE_JOB_INTERNAL_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/db/store_job.h"
#include "core/db/store_util.h"

/* The one place that changes jobs.state. The caller holds the row's lock and knows that it is in
   `from`; a move that is not in the table, or a row that is elsewhere, is ERR_INTERNAL. */
bool job_move(struct db_tx *tx, const char *id, enum job_state from, enum job_state to,
              struct err *e);

/* Row lock of a job; the wallet's lock must be held already when money or counters follow. */
struct job_head {
    char account[UUID_TEXT]; /* who asked */
    char payer[UUID_TEXT];   /* whose credits are held: the same one, or a group */
    char worker[160];
    enum job_state state;
    int attempt, tries;
    int64_t price;
    bool cancel_asked;
};
/* Without a lock: to learn the account, whose wallet is locked first. ERR_NOT_FOUND
 * "error.no_job". */
bool job_peek(struct db_tx *tx, const char *id, struct job_head *ret, struct err *e);
bool job_lock(struct db_tx *tx, const char *id, struct job_head *ret, struct err *e);
/* The locks that a step with money or counters needs, in their one order: the wallets of who asked
   (*ret_wallet) and of who pays by id, then the job. */
bool job_lock_paid(struct db_tx *tx, const char *id, struct job_head *ret,
                   struct wallet *ret_wallet, struct err *e);

/* In a where over jobs: Go was pressed and its words are being judged. Such a quote is not swept
   away. */
#define JOB_IN_CHECK                                                         \
    "exists (select 1 from drafts d where d.job_id = jobs.id and d.is_check" \
    " and d.state in ('wanted', 'writing'))"

/* job_start, where `may` says whether orders are taken: what is only sent again is none. */
bool job_begin(struct db_tx *tx, const char *id, bool may, enum job_start *ret, struct err *e);
/* Of this account, in state waiting. */
bool job_count_waiting(struct db_tx *tx, const char *account, int64_t *ret, struct err *e);
/* Its place in the common queue, from `from`; the wallet and the job are locked. */
bool job_enter_queue(struct db_tx *tx, const char *id, const char *account, enum job_state from,
                     bool is_ready, struct err *e);
/* A job of this account left ready/running/delivering: its next waiting one moves up. */
bool job_promote(struct db_tx *tx, const char *account, struct err *e);
/* Live -> failed or cancelled with release and promotion; the wallet and the job are locked. */
bool job_end_unpaid(struct db_tx *tx, const char *id, const struct job_head *h, enum job_state to,
                    const char *fail_key, const char *fail_arg, struct err *e);
/* Milliseconds until try number `tries` + 1: doubled each time up to this, and 30 % either way, not in
   step with others. */
enum { JOB_BACKOFF_MAX_MS = 600000 };
int64_t job_backoff_ms(int tries);

/* All columns of struct job, from `jobs j`. */
bool job_select(struct db_tx *tx, const char *where, const char *const *params, size_t count,
                struct db_rows **ret, struct err *e);
bool job_from_row(const struct db_rows *rows, size_t row, struct job *ret, struct err *e);

#endif
