/*
 * job_state - the one table of what a job may become.
 *
 * quoted -> waiting | ready -> running -> delivering -> done ;  running -> ready on retry ;
 * delivering -> kept while nobody can be reached, then waiting | ready once more ;  live -> failed |
 * cancelled
 */
#ifndef NANOTIK_JOB_STATE_H
#define NANOTIK_JOB_STATE_H

#include "core/base/base.h"

/*   name       text          may become */
#define JOB_STATES(X)                                                                             \
    X(QUOTED, "quoted", 1u << JOB_WAITING | 1u << JOB_READY | 1u << JOB_CANCELLED)                \
    X(WAITING, "waiting", 1u << JOB_READY | 1u << JOB_CANCELLED | 1u << JOB_FAILED)               \
    X(READY, "ready", 1u << JOB_RUNNING | 1u << JOB_CANCELLED | 1u << JOB_FAILED)                 \
    X(RUNNING, "running",                                                                         \
      1u << JOB_DELIVERING | 1u << JOB_READY | 1u << JOB_CANCELLED | 1u << JOB_FAILED)            \
    X(DELIVERING, "delivering",                                                                   \
      1u << JOB_DONE | 1u << JOB_READY | 1u << JOB_KEPT | 1u << JOB_FAILED)                       \
    X(KEPT, "kept", 1u << JOB_WAITING | 1u << JOB_READY | 1u << JOB_CANCELLED | 1u << JOB_FAILED) \
    X(DONE, "done", 0u)                                                                           \
    X(FAILED, "failed", 0u)                                                                       \
    X(CANCELLED, "cancelled", 0u)

enum job_state {
#define X(name, text, next) JOB_##name,
    JOB_STATES(X)
#undef X
};

bool job_state_may_become(enum job_state from, enum job_state to);
const char *job_state_name(enum job_state s);
bool job_state_parse(const char *text, enum job_state *ret);
/* Credits are held for it: waiting, ready, running, delivering, kept. */
bool job_state_is_live(enum job_state s);

#endif
