/*
 * rng - small repeatable random numbers: the same seed gives the same video on every machine.
 * Not for secrets (random_bytes in hash.h is).
 *
 * Threads: one state, one thread.
 */
#ifndef NANOTIK_RNG_H
#define NANOTIK_RNG_H

#include "core/base/base.h"

struct rng {
    uint64_t state;
};

struct rng rng_make(uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r);                           /* [0, 1) */
double rng_range(struct rng *r, double low, double high); /* [low, high) */
int rng_below(struct rng *r, int n);                      /* 0 .. n-1; n > 0 */

#endif
