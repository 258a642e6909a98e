#include "core/nano/work_engine.h"

#ifdef __x86_64__
#include <immintrin.h>

#define WORK_ALL(x) _mm512_set1_epi64((long long)(x))
#define WORK_ADD(a, b) _mm512_add_epi64(a, b)
#define WORK_XOR(a, b) _mm512_xor_si512(a, b)
#define WORK_ROR32(x) _mm512_ror_epi64(x, 32)
#define WORK_ROR24(x) _mm512_ror_epi64(x, 24)
#define WORK_ROR16(x) _mm512_ror_epi64(x, 16)
#define WORK_ROR63(x) _mm512_ror_epi64(x, 63)

#define AVX512 __attribute__((target("avx512f")))

AVX512 static inline __m512i values_of(const struct work_start *s, __m512i m0)
{
    WORK_BEGIN(__m512i, s);
    WORK_COMPRESS;
    return _mm512_xor_si512(WORK_ALL(s->out), _mm512_xor_si512(v0, v8));
}

AVX512 bool work_search_avx512(const struct work_start *s, uint64_t threshold, uint64_t first,
                               uint64_t count, uint64_t *ret)
{
    const __m512i least = WORK_ALL(threshold);
    const __m512i step = WORK_ALL(8);
    __m512i nonces = _mm512_add_epi64(WORK_ALL(first), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
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
