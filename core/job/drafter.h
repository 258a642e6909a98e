/*
 * drafter - threads that do what takes seconds before anything is paid: they write the scripts which
 * people want to see first, and have the words judged once Go was pressed.
 *
 * What:    claims orders of core/db/store_draft, asks the writers or the guard, stores the script
 *          with the job or starts it. No command waits for that; whatever dies in between is done
 *          again under a new lease. A guard that is slow or cannot be asked holds nobody up: after
 *          DRAFT_CHECK_SECONDS, or DRAFT_TRIES_MAX dead threads, the rules alone decide (unless
 *          toolbox.guard_strict), and the job itself asks once more.
 * Owner:   drafter_stop joins; the options are copied, what they point to is borrowed.
 * Threads: two that do both, one that only checks (writers can be slow), and a keeper of leases.
 *          Calls come on these, inside a transaction that may run again: database only.
 * Fails:   a script that cannot be written ends in calls.failed.
 */
#ifndef NANOTIK_DRAFTER_H
#define NANOTIK_DRAFTER_H

#include "core/db/store_draft.h"
#include "core/db/store_guard.h"
#include "core/job/pipeline.h"

struct drafter_calls {
    /* REQUIRED. The script is there: stores it with its price (job_requote) and shows it. */
    bool (*written)(struct db_tx *tx, void *ctx, const struct job *job,
                    const struct storyboard *story, struct err *e);
    /* REQUIRED. There is none: says so. `why` is for the person and the log. */
    bool (*failed)(struct db_tx *tx, void *ctx, const struct job *job, const struct err *why,
                   struct err *e);
    /* REQUIRED. The words of a quote that Go was pressed for were judged. why NULL: they may be
       made, starts the job. ERR_REFUSED: they may not; anything else: nobody knows, another time. */
    bool (*checked)(struct db_tx *tx, void *ctx, const struct job *job, const struct err *why,
                    struct err *e);
    /* OPTIONAL. After one of the above was committed. */
    void (*stored)(void *ctx);
    void *ctx;
};

struct drafter_options {
    struct db *db;
    const struct toolbox *tools;
    const char *name; /* unique per start of the program */
    struct drafter_calls calls;
    int keep_days; /* of what writers answered; 0 = 14 */
    int renew_ms;  /* for tests; 0 = a third of the lease */
};

struct drafter;
bool drafter_start(const struct drafter_options *o, struct drafter **ret, struct err *e);
/* Scripts in work are given back; NULL is fine. */
void drafter_stop(struct drafter *d);
/* An order was stored in this process. Any thread; NULL is fine. */
void drafter_wake(struct drafter *d);
/* What a writer was asked and answered, for support; losing one stops nothing. */
void drafter_keep_call(struct db *db, const struct job *job, const struct script_call *call);

#endif
