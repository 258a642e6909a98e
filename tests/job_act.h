/*
 * job_act - one act of a job's life as a transaction of its own, for random and crowded tests: any answer
 * is right but our own bugs.
 *
 * Needs:   a table effects(job), which counts what the outside would see of deliveries.
 * Threads: as db_run.
 */
#ifndef NANOTIK_JOB_ACT_H
#define NANOTIK_JOB_ACT_H

#include "core/db/store_job.h"

enum job_verb {
    QUOTE,
    START,
    CANCEL,
    CLAIM,
    BEAT,
    DELIVERING,
    DONE,
    FAIL,
    RETRY,
    KEEP,
    RESCUE,
    BALANCE
};

struct job_act {
    enum job_verb verb;
    const char *account, *worker, *key;
    char id[UUID_TEXT];
    struct job job;
    int64_t number;
    enum job_start started;
    enum job_state state;
    bool answer;
    int rescued;
};

/* ctx: a struct job_act. */
bool job_act_body(struct db_tx *tx, void *ctx, struct err *e);
/* ERR_INTERNAL ends the case, through cmocka. */
enum err_code job_act_run(struct db *db, struct job_act *s);

#endif
