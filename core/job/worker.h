/*
 * worker - threads that take ready jobs from the database, run the pipeline, deliver, and settle.
 *
 * What:    each worker thread owns one job at a time: claim -> run -> save -> delivering -> deliver
 *          -> done. A keeper thread renews the leases every JOB_HEARTBEAT_SECONDS and carries
 *          wishes to cancel. A job that this process cannot prove to own any more (last good
 *          heartbeat + lease - 15 s) is stopped and nothing of it is published.
 * Film:    OUT_DIR/<job id>.mp4; what a chat refuses for its size is fitted below the limit that it
 *          named, from the same scenes, and delivered again; a claimed job whose film is already there and passes video_check
 *          is delivered without being rendered again.
 * Own:     files that came with the words lie in OUT_DIR/.own/<job id> until the job has ended;
 *          folders that a killed worker left behind go after a day (janitor_options.out_dir).
 * Kept:    a film that is made and that no way leads to its person with is kept (job_keep), with
 *          the credits held, until the person asks for it somewhere or the days are over.
 * Owner:   workers_stop joins every thread; the callbacks' ctx must live until then.
 * Threads: start and stop on one thread; callbacks come on worker threads, several at once.
 * Source:  facts sheet "jobs and ledger", sections 3 and 6.
 */
#ifndef NANOTIK_WORKER_H
#define NANOTIK_WORKER_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/db/store_job.h"
#include "core/job/pipeline.h"
#include "core/port/chat.h"

struct workers;

struct worker_calls {
    /* REQUIRED. Uploads the film to job->addr, into the card job->card_ref (as stored now);
       repeatable. video->caption is NULL: the callee draws it. As chat_adapter_ops.deliver. */
    bool (*deliver)(void *ctx, const struct job *job, const struct storyboard *story,
                    const struct chat_video *video, const struct cancel *cancel,
                    char ret_ref[static CHAT_REF_MAX], struct err *e);
    /* REQUIRED. Credits for a film of this real length; never more than the hold is captured. */
    int64_t (*price)(void *ctx, const struct storyboard *story, int64_t duration_ms);
    /* REQUIRED. In the transaction that ends the job: state is JOB_FAILED or JOB_CANCELLED, with
       fail_key and fail_arg. Writes the message to the outbox. May run again: database only. */
    bool (*on_failed)(struct db_tx *tx, void *ctx, const struct job *job, struct err *e);
    /* OPTIONAL. In the transaction that keeps the film, because nobody could be reached: fail_key and
       fail_arg say why. */
    bool (*on_kept)(struct db_tx *tx, void *ctx, const struct job *job, struct err *e);
    /* OPTIONAL. In the transaction that captures `credits`: the short "ready" line. */
    bool (*on_done)(struct db_tx *tx, void *ctx, const struct job *job,
                    const struct chat_video *video, int64_t credits, struct err *e);
    /* OPTIONAL. For a job with media: the files as a footage source that fetches into `folder` (made
       when needed; removed when the job has ended). False: the film is made without them. */
    bool (*own_footage)(void *ctx, const struct job *job, const char *folder,
                        struct footage_source *ret, struct err *e);
    /* OPTIONAL. At most 5 a second and job; must not block for long. */
    void (*on_progress)(void *ctx, const struct job *job, const struct pipeline_progress *p);
    void *ctx;
};

struct worker_options {
    struct db *db;
    const struct toolbox *tools;
    const char *name;    /* unique per start of the program: host:pid:random */
    const char *out_dir; /* made when missing */
    size_t threads;      /* jobs at once; 0 = 2 */
    int keep_days;       /* a film that nobody could be given, with its credits held; 0 = 14 */
    struct worker_calls calls;
    /* For tests; 0 = as written in store_job.h. */
    int heartbeat_ms, trust_ms, poll_ms;
    int card_wait_ms; /* for a job's card to be sent, when its film is there first; 0 = 4 s */
};

/* Copies the options. */
bool workers_start(const struct worker_options *o, struct workers **ret, struct err *e);
/* Drain: no new claims, running jobs are stopped and given back without using up a try, all
   threads joined. NULL is fine. */
void workers_stop(struct workers *w);
/* Look for work now (a job was started in this process). Any thread. */
void workers_wake(struct workers *w);
/* Somebody asked to cancel this job: its next heartbeat is due now. Any thread; a job that is not
   here is fine. */
void workers_check(struct workers *w, const char *job);

/* --- janitor: one thread of upkeep; any number of processes may run one --- */
struct janitor;
struct janitor_options {
    struct db *db;
    struct cache *cache; /* may be NULL */
    const char *out_dir; /* as of the workers beside it; NULL: none */
    int keep_days;       /* of inbox and sent outbox rows; 0 = 30 */
    bool (*on_failed)(struct db_tx *tx, void *ctx, const struct job *job, struct err *e);
    void *ctx;
    int rescue_ms; /* 0 = 10 s */
};
bool janitor_start(const struct janitor_options *o, struct janitor **ret, struct err *e);
void janitor_stop(struct janitor *j); /* joins; NULL is fine */

#endif
