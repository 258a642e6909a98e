#include "core/nano/work_engine.h"

#define WORK_ALL(x) (x)
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
    WORK_BEGIN(uint64_t, s);
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
