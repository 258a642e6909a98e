/*
 * store_draft - what is done for quoted jobs before any credit is held: scripts are written, and
 * words are judged once Go was pressed.
 *
 * What:    draft_ask orders a script, draft_check a look at the words; a thread claims it under a
 *          lease; draft_done, draft_fail or draft_checked end its turn. The script itself is the
 *          job's story (job_requote, same transaction); a check ends with the job's start
 *          (job_start) or its refusal, same transaction. A job has one turn at a time.
 * Fence:   a writer's end of a turn carries (job, turn, worker); ERR_CONFLICT "error.lease_lost":
 *          somebody else has it, or the person ordered anew: store nothing.
 * Bounds:  scripts at once and scripts a day per account, counted under the wallet's row lock. A
 *          script that failed does not count for the day.
 * Locks:   wallet, then job, then draft.
 * Table:   drafts.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_DRAFT_H
#define NANOTIK_STORE_DRAFT_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/db/store_job.h"

enum {
    DRAFT_CHECK_SECONDS = 15, /* that somebody who pressed Go may wait for a judge */
    DRAFT_WISH_MAX = 240,     /* bytes */
    DRAFT_LEASE_SECONDS = 45,
    DRAFT_TRIES_MAX = 3, /* writers that may die over one script */
};

struct draft_limits {
    int at_once; /* scripts of one account that are being written */
    int per_day; /* scripts of one account in 24 hours; 0 = no bound */
};

enum draft_ask { DRAFT_ASKED, DRAFT_IN_WORK, DRAFT_BUSY, DRAFT_USED_UP };
/* Orders a script, or another one (then the old one stays until the new one is there). DRAFT_IN_WORK:
   this one is being written already. ERR_CONFLICT "make.quote_gone" once the job is not quoted,
   "go.in_check" while its words are judged. */
bool draft_ask(struct db_tx *tx, const char *job, const char *wish,
               const struct draft_limits *limits, enum draft_ask *ret, struct err *e);
/* Go was pressed: the words are judged first. False in *ret_ordered: they are being judged already.
   ERR_CONFLICT "make.quote_gone", "script.in_work". */
bool draft_check(struct db_tx *tx, const char *job, bool *ret_ordered, struct err *e);

struct draft {
    char job[UUID_TEXT]; /* "" = none */
    char wish[DRAFT_WISH_MAX + 1];
    bool is_check; /* else a script */
    bool is_late;  /* waited for its first try longer than DRAFT_CHECK_SECONDS */
    int turn;      /* rises with each claim */
    int tries;     /* of this order */
};
/* The oldest that is wanted, or whose thread is lost; checks before scripts. */
bool draft_claim(struct db_tx *tx, const char *worker, bool checks_only, struct draft *ret,
                 struct err *e);
/* Keeps the leases of everything that this worker writes. */
bool draft_renew(struct db_tx *tx, const char *worker, struct err *e);
/* The turn ended; the job is locked and still quoted. *ret_before: it had ended before (a commit in
   doubt), all that belonged to it is stored. */
bool draft_done(struct db_tx *tx, const struct draft *d, const char *worker, bool *ret_before,
                struct err *e);
/* A draft with an earlier script is ready again, else it is failed. */
bool draft_fail(struct db_tx *tx, const struct draft *d, const char *worker, bool *ret_before,
                struct err *e);
/* A check ended, with whatever the caller does in this transaction; wallets and job are locked, the
   job is still quoted. */
bool draft_checked(struct db_tx *tx, const struct draft *d, const char *worker, bool *ret_before,
                   struct err *e);
/* A drain: wanted again, without a lost try. */
bool draft_give_back(struct db_tx *tx, const struct draft *d, const char *worker, struct err *e);
/* Leases of any worker but this one end now. */
bool draft_expire_leases(struct db_tx *tx, const char *worker, struct err *e);

/* The open draft (a quoted job) of this account whose card this is; card_ref NULL: the newest that did not fail. Id ""
   when there is none. */
bool draft_find(struct db_tx *tx, const char *account, const char *card_ref,
                char ret_job[static UUID_TEXT], struct err *e);
enum draft_turn { DRAFT_RESTS, DRAFT_WRITING, DRAFT_CHECKING };
/* Was a script ordered for it; what is being done for it now? */
bool draft_look(struct db_tx *tx, const char *job, bool *ret_is_draft, enum draft_turn *ret_turn,
                struct err *e);
/* Nothing may be changed during a turn: ERR_CONFLICT "script.in_work", "go.in_check". */
bool draft_must_rest(enum draft_turn turn, struct err *e);
/* Scripts and checks that somebody on this network waits for. */
bool draft_count_open(struct db_tx *tx, const char *network, int64_t *ret, struct err *e);
/* Rows of ended jobs, in small batches. */
bool draft_sweep(struct db_tx *tx, struct err *e);

#endif
