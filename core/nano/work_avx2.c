#include "core/nano/work_engine.h"

#ifdef __x86_64__
#include <immintrin.h>

#define WORK_ALL(x) _mm256_set1_epi64x((long long)(x))
#define WORK_ADD(a, b) _mm256_add_epi64(a, b)
#define WORK_XOR(a, b) _mm256_xor_si256(a, b)
#define WORK_ROR32(x) _mm256_shuffle_epi32(x, 0xb1)
#define WORK_ROR24(x) _mm256_shuffle_epi8(x, by24)
#define WORK_ROR16(x) _mm256_shuffle_epi8(x, by16)
#define WORK_ROR63(x) ror63(x)

/* Named per function, so that the rest of the program runs on any processor. */
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i ror63(__m256i x)
{
    return _mm256_or_si256(_mm256_add_epi64(x, x), _mm256_srli_epi64(x, 63));
}

AVX2 static inline __m256i values_of(const struct work_start *s, __m256i m0)
{
    const __m256i by24 = _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3,
                                          4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10);
    const __m256i by16 = _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2,
                                          3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9);
    WORK_BEGIN(__m256i, s);
    WORK_COMPRESS;
    return _mm256_xor_si256(WORK_ALL(s->out), _mm256_xor_si256(v0, v8));
}

AVX2 bool work_search_avx2(const struct work_start *s, uint64_t threshold, uint64_t first,
                           uint64_t count, uint64_t *ret)
{
    /* AVX2 compares signed numbers only. */
    const __m256i sign = WORK_ALL(UINT64_C(1) << 63);
    const __m256i least = _mm256_xor_si256(WORK_ALL(threshold), sign);
    const __m256i step = WORK_ALL(4);
    __m256i nonces = _mm256_add_epi64(WORK_ALL(first), _mm256_setr_epi64x(0, 1, 2, 3));
    for (uint64_t i = 0; i < count; i += 4) {
        __m256i values = _mm256_xor_si256(values_of(s, nonces), sign);
        unsigned below =
            (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(least, values)));
        if (below != 15) {
            *ret = first + i + (unsigned)__builtin_ctz(~below);
            return true;
        }
        nonces = _mm256_add_epi64(nonces, step);
    }
    return false;
}

#else

bool work_search_avx2(const struct work_start *s, uint64_t threshold, uint64_t first,
                      uint64_t count, uint64_t *ret)
{
    return work_search_portable(s, threshold, first, count, ret);
}

#endif
