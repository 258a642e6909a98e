/*
 * quiet - how long no updates could be asked for: a pure state machine, time comes in.
 *
 * Owner:   a plain value.
 * Threads: the poller's.
 * Source:  facts sheet "telegram", section 2.
 */
#ifndef NANOTIK_TELEGRAM_QUIET_H
#define NANOTIK_TELEGRAM_QUIET_H

#include "core/base/base.h"

enum { TG_QUIET_MS = 120000 }; /* longer than that is said once, loudly */

struct tg_quiet {
    int64_t good_ms; /* last good answer, or since when this process polls */
    bool alarmed;
};

void tg_quiet_begin(struct tg_quiet *q, int64_t now_ms);
/* An answer came. True: say that it is well again. */
bool tg_quiet_good(struct tg_quiet *q, int64_t now_ms);
/* None came. True: raise the alarm. */
bool tg_quiet_bad(struct tg_quiet *q, int64_t now_ms);

#endif
