/*
 * worker_internal - what the files of the worker share; nobody else includes it.
 *
 * Threads: one per slot (claims and runs one job at a time), one keeper (heartbeats of all slots),
 * and the database's listener, which only wakes the slots.
 */
#ifndef NANOTIK_WORKER_INTERNAL_H
#define NANOTIK_WORKER_INTERNAL_H

#include <pthread.h>

#include "core/job/worker.h"

enum slot_phase {
    SLOT_IDLE,
    SLOT_RUNNING,    /* may still be cancelled */
    SLOT_DELIVERING, /* too late to cancel */
};

struct slot {
    struct workers *w;
    pthread_t thread;
    bool started;
    struct cancel stop; /* of the job at hand; its parent is the drain */
    /* --- only with w->lock held --- */
    enum slot_phase phase;
    unsigned turn; /* counts jobs, so that a late heartbeat answer finds its job gone */
    char job[UUID_TEXT];
    int attempt;
    char stage[16];
    int percent;
    int64_t good_ms; /* when the last heartbeat that was answered well had been sent */
    int64_t next_ms; /* when the next one is due */
    bool lost, cancel_asked;
};

struct workers {
    struct worker_options o; /* name and out_dir are ours */
    struct cancel drain;
    struct db_listener *listener;
    pthread_t keeper;
    bool keeper_started;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* CLOCK_MONOTONIC */
    /* --- only with lock held --- */
    bool stopping;
    unsigned hints;
    /* --- */
    size_t slot_count;
    struct slot slots[];
};

/* Where the files that came with a job lie while it is being made. */
#define WORKER_OWN_FOLDER ".own"

void workers_wait_locked(struct workers *w, int ms);

/* The job at hand begins and ends; claimed_ms: when the claim was sent. */
void lease_begin(struct slot *s, const struct job *j, int64_t claimed_ms);
void lease_end(struct slot *s);
/* False, and the job is stopped, once we cannot prove that it is still ours. Any thread. */
bool lease_trusted(struct slot *s);
/* A fenced write said so. */
void lease_lost(struct slot *s);
void lease_stage(struct slot *s, const char *stage, int percent);
void lease_phase(struct slot *s, enum slot_phase phase);
void lease_cancel_seen(struct slot *s);
struct lease_view {
    bool lost, cancel_asked, stopping, delivering;
};
struct lease_view lease_look(struct slot *s);
void *keeper_main(void *workers);

/* From claimed to settled. */
void worker_run_job(struct slot *s, struct job *j, int64_t claimed_ms);

/* --- worker_settle.c: fenced writes that end a job or move it on --- */
/* Runs body until the database has answered: again while it is away, and when a commit is in doubt.
   Gives up only when the drain has waited long enough. */
bool settle_write(struct slot *s, db_body *body, void *ctx, struct err *e);
/* Failed for good, cancelled, or back to the queue, as the error says. */
void settle_error(struct slot *s, const struct job *j, const struct err *why);

/* --- janitor_films.c --- */
/* Removes old files in the output folder that are named after jobs which have no film any more. */
void sweep_films(struct db *db, const char *folder, const struct cancel *stop);

#endif
