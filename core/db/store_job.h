/*
 * store_job - jobs, their leases and their end; each function is one step of a job's life inside
 * the caller's transaction.
 *
 * Moves:   only through job_move (store_job.c), which asks core/job/job_state. Money moves in the
 *          same transaction.
 * Fence:   a worker's writes carry (job, attempt, worker); ERR_CONFLICT "error.lease_lost" =
 *          ownership is gone: stop, publish nothing. `worker` is unique per start of a program.
 * Limits:  per account 1 ready/running/delivering, 3 waiting; counted under the wallet's row lock
 *          (facts sheet 3.2).
 * Tables:  jobs, deliveries, videos. Channel of NOTIFY: "nanotik_jobs".
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_JOB_H
#define NANOTIK_STORE_JOB_H

#include "core/base/arena.h"
#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/job/job_state.h"
#include "core/port/chat.h"

enum {
    JOB_RUNNING_MAX = 1,
    JOB_WAITING_MAX = 3,
    JOB_ATTEMPTS_MAX = 4,
    JOB_LEASE_SECONDS = 60,
    JOB_HEARTBEAT_SECONDS = 15,
    JOB_QUOTE_HOURS = 24,
    JOB_QUEUE_HOURS = 24, /* waiting or ready longer than this: failed and paid back */
    JOB_QUOTES_MAX = 20,  /* per account; the oldest quote goes */
    JOB_SHORT = 9, /* bytes of the short reference shown to people, with NUL: the LAST 8 hex digits
                      of the id */
};

struct job {
    char id[UUID_TEXT];
    char account[UUID_TEXT];
    char payer[UUID_TEXT]; /* the group that pays, "": the account */
    enum job_state state;
    int attempt;         /* rises with each claim: the fence of a worker's writes */
    int tries;           /* of those, the ones that count */
    int64_t price;       /* credits quoted and held */
    int64_t estimate_ms; /* length of the film as quoted */
    char *topic;         /* the person's words */
    char *story;         /* storyboard JSON: at first only settings */
    char *media;   /* chat_event.media names of the person's own files, one a line; NULL: none */
    char lang[16]; /* of the interface, for messages about it */
    struct chat_addr addr;
    char card_ref[CHAT_REF_MAX]; /* the card that shows it, "" until sent */
    bool cancel_asked; /* look at it after a claim too: the wish may be older than the attempt */
    char stage[16];    /* last heartbeat: pipeline_stage_name and percent */
    int percent;
    int place;         /* in the queue, 1 = next; 0 = not queued (job_list and job_get fill it) */
    char fail_key[64]; /* catalog key of the reason once failed or kept */
    char fail_arg[160];
    char created_at[32], ended_at[32];
    char video_path[1024]; /* once delivering: a later attempt finds the film here */
    int64_t video_ms, video_bytes;
    bool is_resend; /* it only sends the film of an earlier job again */
};
void job_free(struct job *j); /* for AUTO */

/* A quoted job; no money moves. dedupe_key unique per account over live and quoted jobs: repeat
 * returns the same id. */
bool job_quote(struct db_tx *tx, const struct job *spec, const char *dedupe_key,
               char ret_id[static UUID_TEXT], struct err *e);
/* Changes a quoted job's story, price and estimate (Change, remix). ERR_CONFLICT
 * "make.quote_gone" when it is no longer quoted. */
bool job_requote(struct db_tx *tx, const char *id, const char *story, int64_t price,
                 int64_t estimate_ms, struct err *e);

/* A quoted job is paid by this group (NULL: by the account that asked). ERR_CONFLICT
 * "make.quote_gone" when it is no longer quoted. */
bool job_set_payer(struct db_tx *tx, const char *id, const char *group, struct err *e);

enum job_start {
    JOB_STARTED,
    JOB_STARTED_BEFORE,
    JOB_NO_CREDITS,
    JOB_QUEUE_FULL,
    JOB_GROUP_CANNOT, /* its group is off, short of credits, or the member's day is used up */
    JOB_CLOSED,       /* the books do not agree: nothing that costs is started (ledger_watch) */
    JOB_STOPPED,      /* an operator takes no orders for now (orders_stop) */
};
/* Quoted -> ready or waiting, with the hold, one transaction. NOTIFY at commit. Without credits or
 * room it stays quoted. ERR_CONFLICT "make.quote_gone" once cancelled. */
bool job_start(struct db_tx *tx, const char *id, enum job_start *ret, struct err *e);
bool job_set_card(struct db_tx *tx, const char *id, const char *card_ref, struct err *e);

bool job_get(struct db_tx *tx, const char *id, struct job *ret,
             struct err *e); /* ERR_NOT_FOUND "error.no_job" */
/* By short reference or full id, among this account's jobs. */
bool job_find(struct db_tx *tx, const char *account, const char *text, struct job *ret,
              struct err *e);
/* The same among what anybody has under way (waiting..delivering, kept), for operators. ERR_NOT_FOUND
   "error.no_job", also where a short reference fits two. */
bool job_find_live(struct db_tx *tx, const char *text, struct job *ret, struct err *e);
/* Newest first. live_only: waiting..delivering. Caller frees each and the array. */
bool job_list(struct db_tx *tx, const char *account, bool live_only, size_t max, struct job **ret,
              size_t *ret_count, struct err *e);
/* "provider:id" of the pictures in the last films of this job's chat, whoever asked for them, this
   job left out; what was shown last comes first. Not what people sent, not painted ones. Texts and
   list live in the arena. */
bool job_recent_footage(struct db_tx *tx, const struct job *j, size_t films, struct arena *a,
                        const char *const **ret, size_t *ret_count, struct err *e);
/* Live jobs of everybody on this network (NULL: on all), for the end of `make run` and for /queue.
 */
bool job_count_live(struct db_tx *tx, const char *network, int64_t *ret, struct err *e);
/* Waiting and ready ones end at once (release, "cancelled"); a running one gets cancel_asked, which
 *its heartbeat sees; ret_state is the state after the call. Delivering and ended ones: ERR_CONFLICT
 *"cancel.too_late". */
bool job_cancel(struct db_tx *tx, const char *id, enum job_state *ret_state, struct err *e);

/* --- store_job_keep.c: films that wait for their person, and films that are sent again --- */
/* Kept films of this account and network that were not offered for a while; offered now. As
   job_list. */
bool job_offer_kept(struct db_tx *tx, const char *account, const char *network, size_t max,
                    struct job **ret, size_t *ret_count, struct err *e);
/* Kept -> ready or waiting, to be delivered to `addr` into a new card; story: with the limit of that
   chat. Tries count anew. JOB_STARTED_BEFORE when it is not kept (any more). */
bool job_send_kept(struct db_tx *tx, const char *id, const struct chat_addr *addr,
                   const char *story, enum job_start *ret, struct err *e);
/* A job of its own that only sends the film of `done` again, to spec->addr; it costs nothing and is
   no film in the history. ret_id is set with JOB_STARTED. */
bool job_resend(struct db_tx *tx, const struct job *spec, const struct job *done,
                const char *dedupe_key, enum job_start *ret, char ret_id[static UUID_TEXT],
                struct err *e);

/* --- worker --- */
/* The next ready job, now running with attempt+1; ret->id "" when there is none. */
bool job_claim(struct db_tx *tx, const char *worker, struct job *ret, struct err *e);
/* Keeps the lease; tells of a wish to cancel. */
bool job_heartbeat(struct db_tx *tx, const struct job *j, const char *worker, const char *stage,
                   int percent, bool *ret_cancel_asked, struct err *e);
bool job_save_story(struct db_tx *tx, const struct job *j, const char *worker, const char *story,
                    struct err *e);
/* Running -> delivering, with the deliveries row (state sending). The file is whole and checked by
 * now. */
bool job_delivering(struct db_tx *tx, const struct job *j, const char *worker,
                    const char *video_path, int64_t video_ms, int64_t video_bytes, struct err *e);
/* The three below: after an end that is already recorded (a commit that was in doubt) they answer
 * ERR_CONFLICT "error.lease_lost"; all that belonged to the end was stored with it. */
/* Delivering -> done: delivery recorded, video row, capture of `credits`, next waiting job
 * promoted; one transaction. */
bool job_done(struct db_tx *tx, const struct job *j, const char *worker, const char *remote_ref,
              int64_t credits, const char *title, struct err *e);
/* Running or delivering -> failed (or cancelled): release, promotion. */
bool job_fail(struct db_tx *tx, const struct job *j, const char *worker, bool cancelled,
              const char *fail_key, const char *fail_arg, struct err *e);
/* Delivering -> kept for `days`: nobody can be reached (fail_key says why), the credits stay held,
   the next waiting job is promoted. */
bool job_keep(struct db_tx *tx, const struct job *j, const char *worker, int days,
              const char *fail_key, const char *fail_arg, struct err *e);
/* Running or delivering -> ready after back-off. keep_attempt: a drain does not use up a try. When
   tries are used up it fails instead (*ret_failed) with fail_key. delay_ms < 0: the usual back-off,
   5 s doubled with each try, at most 10 min. */
bool job_retry(struct db_tx *tx, const struct job *j, const char *worker, bool keep_attempt,
               int delay_ms, const char *fail_key, const char *fail_arg, bool *ret_failed,
               struct err *e);

/* --- janitor --- */
/* Takes jobs whose lease ended back to ready (or failed when tries are used up: on_failed writes
   the message to the outbox in the same transaction; fail_key is "fail.worker_lost"), waiting and
   ready ones older than JOB_QUEUE_HOURS to failed ("fail.too_late"), quoted ones older than
   JOB_QUOTE_HOURS to cancelled; kept ones whose time is over to failed ("fail.kept_too_long"); repairs counters; forgets addresses a day after the end. Bounded;
   any process. */
bool job_rescue(struct db_tx *tx,
                bool (*on_failed)(struct db_tx *tx, void *ctx, const struct job *j, struct err *e),
                void *ctx, int *ret_rescued, struct err *e);
/* Which of these jobs (of this database, and only those) have ended and have no film that somebody
   could ask for. */
bool job_orphans(struct db_tx *tx, const char (*ids)[UUID_TEXT], size_t count, bool *ret,
                 struct err *e);
/* At start of a single-process bot with a private database: leases of dead workers (any but
 * `worker`) end now. */
bool job_expire_leases(struct db_tx *tx, const char *worker, struct err *e);

#endif
