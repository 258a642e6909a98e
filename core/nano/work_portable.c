#include "core/nano/work_engine.h"

#define WORK_ADD(a, b) ((a) + (b))
#define WORK_XOR(a, b) ((a) ^ (b))
#define WORK_ROR32(x) ror(x, 32)
#define WORK_ROR24(x) ror(x, 24)
#define WORK_ROR16(x) ror(x, 16)
#define WORK_ROR63(x) ror(x, 63)

static inline uint64_t ror(uint64_t x, int n)
{
    return x >> n | x << (64 - n);
}

static uint64_t value_of(const struct work_start *s, uint64_t m0)
{
    const uint64_t *v = s->v;
    uint64_t m1 = s->m[1], m2 = s->m[2], m3 = s->m[3], m4 = s->m[4];
    uint64_t v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3], v4 = v[4], v5 = v[5], v6 = v[6], v7 = v[7];
    uint64_t v8 = v[8], v9 = v[9], v10 = v[10], v11 = v[11];
    uint64_t v12 = v[12], v13 = v[13], v14 = v[14], v15 = v[15];
    WORK_COMPRESS;
    return s->out ^ v0 ^ v8;
}

bool work_search_portable(const struct work_start *s, uint64_t threshold, uint64_t first,
                          uint64_t count, uint64_t *ret)
{
    for (uint64_t i = 0; i < count; i++)
        if (value_of(s, first + i) >= threshold) {
            *ret = first + i;
            return true;
        }
    return false;
}
