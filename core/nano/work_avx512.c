#include "core/nano/work_engine.h"

#ifdef __x86_64__
#include <immintrin.h>

#define WORK_ADD(a, b) _mm512_add_epi64(a, b)
#define WORK_XOR(a, b) _mm512_xor_si512(a, b)
#define WORK_ROR32(x) _mm512_ror_epi64(x, 32)
#define WORK_ROR24(x) _mm512_ror_epi64(x, 24)
#define WORK_ROR16(x) _mm512_ror_epi64(x, 16)
#define WORK_ROR63(x) _mm512_ror_epi64(x, 63)
#define ALL(x) _mm512_set1_epi64((long long)(x))

#define AVX512 __attribute__((target("avx512f")))

AVX512 static inline __m512i values_of(const struct work_start *s, __m512i m0)
{
    const uint64_t *v = s->v;
    __m512i m1 = ALL(s->m[1]), m2 = ALL(s->m[2]), m3 = ALL(s->m[3]), m4 = ALL(s->m[4]);
    __m512i v0 = ALL(v[0]), v1 = ALL(v[1]), v2 = ALL(v[2]), v3 = ALL(v[3]);
    __m512i v4 = ALL(v[4]), v5 = ALL(v[5]), v6 = ALL(v[6]), v7 = ALL(v[7]);
    __m512i v8 = ALL(v[8]), v9 = ALL(v[9]), v10 = ALL(v[10]), v11 = ALL(v[11]);
    __m512i v12 = ALL(v[12]), v13 = ALL(v[13]), v14 = ALL(v[14]), v15 = ALL(v[15]);
    WORK_COMPRESS;
    return _mm512_xor_si512(ALL(s->out), _mm512_xor_si512(v0, v8));
}

AVX512 bool work_search_avx512(const struct work_start *s, uint64_t threshold, uint64_t first,
                               uint64_t count, uint64_t *ret)
{
    const __m512i least = ALL(threshold);
    const __m512i step = ALL(8);
    __m512i nonces = _mm512_add_epi64(ALL(first), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    for (uint64_t i = 0; i < count; i += 8) {
        unsigned hits = _mm512_cmpge_epu64_mask(values_of(s, nonces), least);
        if (hits) {
            *ret = first + i + (unsigned)__builtin_ctz(hits);
            return true;
        }
        nonces = _mm512_add_epi64(nonces, step);
    }
    return false;
}

#else

bool work_search_avx512(const struct work_start *s, uint64_t threshold, uint64_t first,
                        uint64_t count, uint64_t *ret)
{
    return work_search_portable(s, threshold, first, count, ret);
}

#endif
