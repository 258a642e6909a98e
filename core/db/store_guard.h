/*
 * store_guard - strikes of people who ask for what is not made, and what script writers answered.
 *
 * Tables:  strikes, pauses, script_calls, all gone with /forget (store_forget); strike_marks, which
 *          is what of a pause outlasts it.
 * Bounds:  a call keeps 16 kB of its answer, a job 40 calls; guard_sweep takes old ones away.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_GUARD_H
#define NANOTIK_STORE_GUARD_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/port/writer.h"

struct strike_limits {
    int most;        /* so many ... 0: nobody is ever paused */
    int days;        /* ... within so many days ... */
    int pause_hours; /* ... and the account rests so long */
};

/* *ret_count: strikes within the days, this one included. *ret_paused: that was the last one. */
bool strike_add(struct db_tx *tx, const char *account, const char *category,
                const struct strike_limits *limits, int *ret_count, bool *ret_paused,
                struct err *e);
/* Within the last `days`. */
bool strike_count(struct db_tx *tx, const char *account, int days, int *ret_count, struct err *e);
/* Hours that the account still rests, rounded up; 0: it may order. */
bool strike_pause(struct db_tx *tx, const char *account, int *ret_hours, struct err *e);
/* Takes back all strikes and the pause, with a line in admin_log. */
bool strike_clear(struct db_tx *tx, const char *account, const char *actor, const char *why,
                  int *ret_count, struct err *e);
/* Before /forget takes an account's identity: a pause that runs, and strikes of the last `days`, wait
   for whoever comes back by it. */
bool strike_keep(struct db_tx *tx, const char *account, int days, struct err *e);
/* They are those of the account that this identity (its keyed hash) has just got. */
bool strike_return(struct db_tx *tx, const char *account, const char *mac, struct err *e);

/* An id for the outside: the same for the same account, and nothing else. */
enum { PERSON_TEXT = 65 };
void person_name(const char *account, char ret[static PERSON_TEXT]);

bool script_call_add(struct db_tx *tx, const char *job, const char *account,
                     const struct script_call *call, struct err *e);
/* Calls older than this, strikes and marks that mean nothing any more; in small batches. */
bool guard_sweep(struct db_tx *tx, int keep_days, struct err *e);

#endif
