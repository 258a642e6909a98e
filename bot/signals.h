/*
 * signals - SIGINT, SIGTERM and SIGHUP on a thread of their own.
 *
 * What:    the first fires the cancel; the second, or `deadline_ms` after the first, ends the
 *          program at once (on_force, then _exit).
 * Use:     signals_block before any thread is made; stop joins.
 */
#ifndef NANOTIK_BOT_SIGNALS_H
#define NANOTIK_BOT_SIGNALS_H

#include "core/base/cancel.h"
#include "core/base/err.h"

struct signals;
void signals_block(void);
/* on_force must be async-signal-safe or quick; may be NULL. deadline_ms 0: none. */
bool signals_start(struct cancel *stop, int64_t deadline_ms, void (*on_force)(void),
                   struct signals **ret, struct err *e);
void signals_stop(struct signals *s); /* NULL is fine */

#endif
