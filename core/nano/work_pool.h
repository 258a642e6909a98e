/*
 * work_pool - makes work in the background, without being felt.
 *
 * What:    requests are (root, threshold); the same one asked twice is one, and a work serves
 *          every lower threshold of its root. Threads of the lowest
 *          priority (SCHED_IDLE) share the cheapest request; every fourth slice goes to the oldest, so
 *          that receives do not wait for sends and sends do not starve. A finished work stays in
 *          memory (the last WORK_KEPT); whoever needs it after a restart keeps it with its block. A
 *          source (a work server) is asked first when there is one; while its answer is young the
 *          threads leave the request alone.
 * Owner:   the source is borrowed until destroy, and called on a thread of its own without a lock held.
 *          Wrong work from it is dropped.
 * Threads: every function, from any thread; destroy after the users have stopped.
 * Fails:   full queue: ERR_RETRY. Time over: ERR_RETRY. cancel, work_pool_cancel, stop:
 *          ERR_CANCELLED. All with "error.internal": users are never told of work.
 */
#ifndef NANOTIK_NANO_WORK_POOL_H
#define NANOTIK_NANO_WORK_POOL_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/nano/work.h"

enum { WORK_KEPT = 1024 };

struct work_source {
    /* Asks a work server; blocks. NULL: there is none. */
    bool (*generate)(void *ctx, const struct nano_hash *root, uint64_t threshold,
                     const struct cancel *cancel, uint64_t *ret_work, struct err *e);
    void *ctx;
};
struct work_pool_options {
    size_t threads;     /* that compute; 0 = half the cores, at least one */
    size_t max_waiting; /* requests; 0 = 256 */
    int64_t source_ms;  /* how long a source may take before the threads begin; 0 = 10,000 */
    struct work_source source;
};

struct work_pool;
MUST_USE struct work_pool *work_pool_create(const struct work_pool_options *options);

/* Starts it in the background, unless it is kept; wait takes it up. */
bool work_pool_submit(struct work_pool *p, const struct nano_hash *root, uint64_t threshold,
                      struct err *e);
/* Submits when that has not happened, and waits. timeout_ms < 0: as long as it takes. A request
   goes on when its wait is over. */
bool work_pool_wait(struct work_pool *p, const struct nano_hash *root, uint64_t threshold,
                    int64_t timeout_ms, const struct cancel *cancel, uint64_t *ret_work,
                    struct err *e);
/* Nobody needs work for this root any more; waits for it end. */
void work_pool_cancel(struct work_pool *p, const struct nano_hash *root);

struct work_pool_state {
    size_t waiting; /* requests not yet done */
    uint64_t made, from_source, refused;
};
struct work_pool_state work_pool_state(struct work_pool *p);
void work_pool_destroy(struct work_pool *p); /* NULL is fine */

#endif
