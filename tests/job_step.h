/*
 * job_step - steps of a job's life, each a transaction of its own.
 *
 * Fails:   the case, through cmocka; a step that shall be refused goes through job_step_refused.
 * Threads: as db_run.
 */
#ifndef NANOTIK_JOB_STEP_H
#define NANOTIK_JOB_STEP_H

#include "core/db/store_job.h"

struct job_step {
    enum {
        QUOTE,
        REQUOTE,
        START,
        CANCEL,
        CLAIM,
        BEAT,
        SAVE,
        DELIVERING,
        DONE,
        FAIL,
        RETRY,
        RESCUE,
        EXPIRE,
        GET,
        FIND,
        LIST,
        MOVE,
        BALANCE,
        COUNT_LIVE,
    } verb;
    const char *account, *worker, *text;
    char id[UUID_TEXT];
    struct job job; /* of the worker, after CLAIM; result of GET and FIND */
    int64_t number; /* price, credits */
    bool flag;      /* keep_attempt, cancelled, live_only */
    int delay_ms;
    enum job_state from, to, state;
    enum job_start started;
    bool answer; /* cancel asked, failed */
    int rescued, told;
    struct job *list;
    size_t count;
};

void job_step_run(struct db *db, struct job_step *s);
/* The user key of the refusal, "" when it was not refused. */
const char *job_step_refused(struct db *db, struct job_step *s);
/* Quoted and started. */
enum job_start job_step_start(struct db *db, const char *account, int64_t price, const char *key,
                              char ret_id[UUID_TEXT]);
enum job_state job_step_state(struct db *db, const char *id);
int64_t job_step_available(struct db *db, const char *account);

#endif
