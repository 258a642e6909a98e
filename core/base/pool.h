/*
 * pool - a fixed number of threads that run tasks, heaviest first.
 *
 * What:    tasks wait in a bounded queue ordered by weight (longest scene first), then by arrival.
 * Owner:   a task's memory is its submitter's and must live until run() has returned for it; the
 *          pool never frees it. The result travels in the task; running cannot fail.
 * Threads: submit from any thread (blocks while the queue is full; a pool thread then
 *          runs the heaviest itself, so tasks may submit to their own pool); run() on a pool
 *          thread, no lock held.
 * Stop:    pool_destroy runs what is queued (tasks should look at their cancel flag), joins,
 *          frees.
 */
#ifndef NANOTIK_POOL_H
#define NANOTIK_POOL_H

#include "core/base/base.h"

struct pool;
struct pool_task {
    void (*run)(struct pool_task *task); /* required */
    int64_t weight;
    /* --- the pool's own --- */
    struct pool_task *next;
};

/* name: at most 12 bytes, shown as thread name. threads 0 = number of online cores. */
MUST_USE struct pool *pool_create(const char *name, size_t threads, size_t max_queued);
void pool_submit(struct pool *p, struct pool_task *task);
size_t pool_threads(const struct pool *p);
void pool_destroy(struct pool *p); /* NULL is fine */

#endif
