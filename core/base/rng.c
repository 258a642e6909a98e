/* Source: SplitMix64 (Steele, Lea, Flood 2014), the public-domain constants. */
#include "core/base/rng.h"

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

struct rng rng_make(uint64_t seed, uint64_t stream)
{
    return (struct rng){.state = mix(seed + 0x9E3779B97F4A7C15u) ^ mix(~stream)};
}

uint64_t rng_next(struct rng *r)
{
    r->state += 0x9E3779B97F4A7C15u;
    return mix(r->state);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

double rng_range(struct rng *r, double low, double high)
{
    double x = low + (high - low) * rng_unit(r);
    return x < high ? x : low; /* rounding may reach high */
}

int rng_below(struct rng *r, int n)
{
    return (int)((rng_next(r) >> 32) * (uint64_t)n >> 32);
}
