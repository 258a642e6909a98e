/*
 * store_ledger - double entry in whole credits; every movement has a key, and a repeat of the key
 * does nothing.
 *
 * Verbs:   grant, trial, bonus promo->avail · buy world->avail (core/db/store_deposit.h) ·
 *          refund avail->world, unrefund back (core/db/store_refund.h) · hold avail->held · capture held->revenue (the rest of the hold is
 *          released in the same call) · release held->avail · gone avail->heirs, came heirs->avail
 *          (an account that became part of another one: core/db/store_move.h).
 * Tables:  wallets, transfers, entries, holds, admin_log, alarms.
 * Threads: as db_tx; lock order wallet, hold, job.
 * Source:  facts sheet "jobs and ledger", section 4.
 */
#ifndef NANOTIK_STORE_LEDGER_H
#define NANOTIK_STORE_LEDGER_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"

enum ledger_result {
    LEDGER_DONE,
    LEDGER_REPEATED, /* this key was used before: nothing changed now */
    LEDGER_SHORT,    /* not enough credits: nothing changed */
};

struct balance {
    int64_t available, held;
};

bool ledger_balance(struct db_tx *tx, const char *account, struct balance *ret, struct err *e);
/* why is kept in admin_log with actor ("cli"). 1 <= credits <= 1,000,000. ERR_NOT_FOUND
 * "error.no_account"; ERR_CONFLICT "grant.key_reused" when the key stands for another grant. */
bool ledger_grant(struct db_tx *tx, const char *key, const char *account, int64_t credits,
                  const char *actor, const char *why, enum ledger_result *ret, struct err *e);
bool ledger_hold(struct db_tx *tx, const char *job, const char *account, int64_t credits,
                 enum ledger_result *ret, struct err *e);
/* Captures min(credits, held amount) and releases the rest; 0 releases all. Without a hold (a job
 * of price 0): LEDGER_DONE. */
bool ledger_capture(struct db_tx *tx, const char *job, int64_t credits, enum ledger_result *ret,
                    struct err *e);
bool ledger_release(struct db_tx *tx, const char *job, enum ledger_result *ret, struct err *e);

struct ledger_line {
    char verb[16];   /* "trial", "grant", "buy", "bonus", "hold", "capture", "release",
                        "refund", "unrefund", "gone", "came" */
    int64_t credits; /* signed, as seen from `available` + `held` together for the person */
    char at[32];     /* ISO UTC */
    char job[40];    /* or "" */
};
bool ledger_history(struct db_tx *tx, const char *account, struct ledger_line *ret_lines,
                    size_t max, size_t *ret_count, struct err *e);

/* Invariants of the sheet's section 4.4 that this step has; each hit calls on_fault. Used by tests
   after every case, by doctor, and every five minutes by the janitor. One snapshot, so it may run
   beside anything. what starts with "money:" or "jobs:" (our bug: take no more orders) or "late:"
   (nobody rescues, nobody sends: after an outage it heals by itself). */
bool ledger_check(struct db_tx *tx, void (*on_fault)(void *ctx, const char *what), void *ctx,
                  size_t *ret_faults, struct err *e);
/* The same, and remembers it for every process: while a fault of "money:" or "jobs:" is there the books
   are closed (job_start and refund_agree refuse, refund_waiting finds nothing); payments still count.
   The first check without one opens them again. */
bool ledger_watch(struct db_tx *tx, void (*on_fault)(void *ctx, const char *what), void *ctx,
                  bool *ret_closed, struct err *e);
bool ledger_closed(struct db_tx *tx, bool *ret, struct err *e);

#endif
