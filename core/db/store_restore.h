/*
 * store_restore - a database that was loaded from a backup, before anybody works with it.
 *
 * What:    what was under way when the backup was made happened since, or did not; the database
 *          cannot know. So nothing of it is done again: jobs end with their credits back, messages
 *          and commands that waited are dropped, and what the Nano network knows better is looked up
 *          there before money moves (alarm "rescan").
 * Rules:   the table `restoring` is there from before the load until restore_settle was committed;
 *          while it is there nothing else may use the database. It is never part of a backup.
 * Tables:  restoring; all of which something is under way in.
 * Threads: as db_tx.
 * Source:  facts sheet "jobs and ledger", section 10.4.
 */
#ifndef NANOTIK_STORE_RESTORE_H
#define NANOTIK_STORE_RESTORE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/db/store_job.h"

enum restore_state {
    RESTORE_NOTHING, /* an empty database */
    RESTORE_BEGUN,   /* empty but for the mark */
    RESTORE_LOADED,  /* loaded, not settled */
    RESTORE_SETTLED, /* a database of ours, in use or ready for it */
    RESTORE_FOREIGN, /* it holds something else */
};
bool restore_look(struct db_tx *tx, enum restore_state *ret, struct err *e);
/* Sets the mark. */
bool restore_begin(struct db_tx *tx, struct err *e);
/* ERR_CONFIG "start.restore_open" while the mark is there: nobody may work with this database. */
bool restore_refuse_open(struct db_tx *tx, struct err *e);
/* Somebody has a duty now: a program works with this database. */
bool restore_in_use(struct db_tx *tx, bool *ret, struct err *e);

struct restore_done {
    int64_t jobs;   /* ended, and paid back where they cost */
    int64_t cards;  /* will not be sent */
    int64_t events; /* will not be dealt with */
};
/* Once, in one transaction with the end of the mark and a line in the admin log; the schema is the
   newest. on_failed tells the person of a job, in a message of its own: the card that shows it may
   have become the video. */
bool restore_settle(struct db_tx *tx,
                    bool (*on_failed)(struct db_tx *tx, void *ctx, const struct job *j,
                                      struct err *e),
                    void *ctx, const char *actor, struct restore_done *ret, struct err *e);

/* --- afterwards --- */

/* The accounts' own blocks are still to be looked through (alarm "rescan"). */
bool rescan_wanted(struct db_tx *tx, bool *ret, struct err *e);
bool rescan_over(struct db_tx *tx, struct err *e);
/* Alarms of a restore, one text each; for people. */
bool restore_alarms(struct db_tx *tx, void (*on_alarm)(void *ctx, const char *what), void *ctx,
                    struct err *e);
/* The operator has looked at what the alarm "refunds" names: refunds go on. *ret_found false: it was
   not there. */
bool restore_open_refunds(struct db_tx *tx, const char *actor, bool *ret_found, struct err *e);

#endif
