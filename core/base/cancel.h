/*
 * cancel - one flag that stops a piece of work and everything below it.
 *
 * What:    a job's cancel has the program's shutdown as its parent; FFmpeg's interrupt callback,
 * child processes and waits ask cancel_fired(). Whoever waits does so in slices of at most 100 ms.
 * Owner:   embedded in its owner, which outlives all users; nothing to free.
 * Threads: all functions, from any thread; cancel_fire is async-signal-safe.
 */
#ifndef NANOTIK_CANCEL_H
#define NANOTIK_CANCEL_H

#include <stdatomic.h>

#include "core/base/base.h"

struct cancel {
    atomic_bool fired;
    const struct cancel *parent; /* may be NULL; fixed at init */
};

void cancel_init(struct cancel *c, const struct cancel *parent);
void cancel_fire(struct cancel *c);
/* NULL is never fired. */
bool cancel_fired(const struct cancel *c);
/* Sleeps up to ms; returns true at once when fired. */
bool cancel_wait(const struct cancel *c, int ms);

#endif
