/*
 * clock - time that tests can set.
 *
 * What:    clock_mono_ms counts suspend (CLOCK_BOOTTIME), never jumps: deadlines. clock_wall_ms is
 *          Unix time: for people and file names only.
 * Threads: reading from any thread; clock_fake only in tests before threads start.
 */
#ifndef NANOTIK_CLOCK_H
#define NANOTIK_CLOCK_H

#include <time.h>

#include "core/base/base.h"

int64_t clock_mono_ms(void);
int64_t clock_wall_ms(void);
/* Both clocks return these from now on; mono < 0 brings the real ones back. */
void clock_fake(int64_t mono_ms, int64_t wall_ms);
/* ms from now on CLOCK_MONOTONIC, for pthread_cond_clockwait: no change of the wall clock moves it.
   Never faked: a wait takes real time. */
struct timespec clock_until(int64_t ms);
/* "2026-11-22T14:57:58Z" */
void clock_iso(int64_t wall_ms, char ret_text[static 32]);

#endif
