/*
 * limits - how fast Discord lets a bot talk, learnt from its answers; no clock of its own.
 *
 * What:    per bucket and major id of the path as the headers tell; one request in flight until a
 *          route's bucket is known; 50 a second for all routes that count; rests after a 429 of the
 *          route or of the whole bot; a rest for all when invalid requests pile up (10,000 in ten
 *          minutes would ban the address).
 * Owner:   limits_create / limits_destroy.
 * Threads: none; the caller locks.
 * Source:  facts sheet "discord", section 1.
 */
#ifndef NANOTIK_DISCORD_LIMITS_H
#define NANOTIK_DISCORD_LIMITS_H

#include "core/base/base.h"

struct limits;
MUST_USE struct limits *limits_create(void);
void limits_destroy(struct limits *l); /* NULL is fine */

/* What an answer said; zeros and "" where it said nothing. */
struct limit_news {
    int status;
    const char *bucket;
    int64_t limit, remaining; /* -1: not told */
    double reset_after;       /* seconds; < 0: not told */
    const char *scope;        /* of a 429: "user", "global", "shared" */
    int64_t retry_ms;         /* of a 429 */
    bool global;              /* of a 429: all that counts */
    bool address;             /* of a 429: everything that this machine asks for */
};

struct limit_call {
    const char *route; /* method and path template */
    const char *major; /* the ids of the path that have limits of their own */
    bool counts;       /* false for interaction callbacks and webhooks: outside the 50 a second */
    uint64_t slot;     /* the limiter's own: where it is in flight */
};

/* 0: go, and it is in flight until limits_done. Else: ask again in so many ms. */
int64_t limits_take(struct limits *l, struct limit_call *c, int64_t now_ms);
void limits_done(struct limits *l, const struct limit_call *c, const struct limit_news *news,
                 int64_t now_ms);
/* The answer to something that never asked for its turn: what it means for all others. */
void limits_heard(struct limits *l, const struct limit_news *news, int64_t now_ms);
/* How long this route would have to wait now, for a lane to be polite; nothing is counted. */
int64_t limits_wait(struct limits *l, const char *route, const char *major, int64_t now_ms);
int64_t limits_invalid(const struct limits *l); /* invalid requests of the last ten minutes */

#endif
