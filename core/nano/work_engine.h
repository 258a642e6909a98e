/*
 * work_engine - BLAKE2b of one block with 8 bytes out, written once for every width of vector.
 *
 * What:    a file that defines WORK_ALL (one number in every lane), WORK_ADD, WORK_XOR, WORK_ROR32,
 *          24, 16 and 63 gets one whole compression of the nonces m0 as WORK_BEGIN, which declares
 *          the variables v0..v15 and m1..m4, and WORK_COMPRESS over them. The message is 40
 *          bytes, so the words 5 to 15 are zero and their additions are left out. Columns 1 to 3 of
 *          the first round do not see the nonce and are computed once per root (work_start); of the
 *          last round only what leads to the first word of the digest is kept.
 * Owner:   plain values.
 * Threads: pure functions.
 * Source:  RFC 7693.
 */
#ifndef NANOTIK_NANO_WORK_ENGINE_H
#define NANOTIK_NANO_WORK_ENGINE_H

#include "core/base/base.h"

struct work_start {
    uint64_t v[16]; /* columns 1 to 3 of the first round done; column 0 as it begins */
    uint64_t m[5];  /* m[0], the nonce, is each search's own */
    uint64_t out;   /* the chaining word that the digest is folded with */
};

/* count is a multiple of 8. True with the first nonce whose value reaches the threshold. */
typedef bool work_search_fn(const struct work_start *s, uint64_t threshold, uint64_t first,
                            uint64_t count, uint64_t *ret);
work_search_fn work_search_portable, work_search_avx2, work_search_avx512;

#define WORK_M0(x) WORK_ADD(x, m0)
#define WORK_M1(x) WORK_ADD(x, m1)
#define WORK_M2(x) WORK_ADD(x, m2)
#define WORK_M3(x) WORK_ADD(x, m3)
#define WORK_M4(x) WORK_ADD(x, m4)
#define WORK_M5(x) (x)
#define WORK_M6(x) (x)
#define WORK_M7(x) (x)
#define WORK_M8(x) (x)
#define WORK_M9(x) (x)
#define WORK_M10(x) (x)
#define WORK_M11(x) (x)
#define WORK_M12(x) (x)
#define WORK_M13(x) (x)
#define WORK_M14(x) (x)
#define WORK_M15(x) (x)

#define WORK_G(a, b, c, d, i, j)                                                              \
    ((a) = WORK_M##i(WORK_ADD(a, b)), (d) = WORK_ROR32(WORK_XOR(d, a)), (c) = WORK_ADD(c, d), \
     (b) = WORK_ROR24(WORK_XOR(b, c)), (a) = WORK_M##j(WORK_ADD(a, b)),                       \
     (d) = WORK_ROR16(WORK_XOR(d, a)), (c) = WORK_ADD(c, d), (b) = WORK_ROR63(WORK_XOR(b, c)))

#define WORK_COLUMNS(i0, j0, i1, j1, i2, j2, i3, j3)                   \
    (WORK_G(v0, v4, v8, v12, i0, j0), WORK_G(v1, v5, v9, v13, i1, j1), \
     WORK_G(v2, v6, v10, v14, i2, j2), WORK_G(v3, v7, v11, v15, i3, j3))

#define WORK_DIAGONALS(i0, j0, i1, j1, i2, j2, i3, j3)                   \
    (WORK_G(v0, v5, v10, v15, i0, j0), WORK_G(v1, v6, v11, v12, i1, j1), \
     WORK_G(v2, v7, v8, v13, i2, j2), WORK_G(v3, v4, v9, v14, i3, j3))

/* Of the struct work_start `start`, in every lane of that type. */
#define WORK_BEGIN(type, start)                                                                    \
    type m1 = WORK_ALL((start)->m[1]), m2 = WORK_ALL((start)->m[2]);                               \
    type m3 = WORK_ALL((start)->m[3]), m4 = WORK_ALL((start)->m[4]);                               \
    type v0 = WORK_ALL((start)->v[0]), v1 = WORK_ALL((start)->v[1]), v2 = WORK_ALL((start)->v[2]); \
    type v3 = WORK_ALL((start)->v[3]), v4 = WORK_ALL((start)->v[4]), v5 = WORK_ALL((start)->v[5]); \
    type v6 = WORK_ALL((start)->v[6]), v7 = WORK_ALL((start)->v[7]), v8 = WORK_ALL((start)->v[8]); \
    type v9 = WORK_ALL((start)->v[9]), v10 = WORK_ALL((start)->v[10]);                             \
    type v11 = WORK_ALL((start)->v[11]), v12 = WORK_ALL((start)->v[12]);                           \
    type v13 = WORK_ALL((start)->v[13]), v14 = WORK_ALL((start)->v[14]),                           \
         v15 = WORK_ALL((start)->v[15])

/* The twelve rounds; the value is out ^ v0 ^ v8 afterwards. */
#define WORK_COMPRESS                                 \
    do {                                              \
        WORK_G(v0, v4, v8, v12, 0, 1);                \
        WORK_DIAGONALS(8, 9, 10, 11, 12, 13, 14, 15); \
        WORK_COLUMNS(14, 10, 4, 8, 9, 15, 13, 6);     \
        WORK_DIAGONALS(1, 12, 0, 2, 11, 7, 5, 3);     \
        WORK_COLUMNS(11, 8, 12, 0, 5, 2, 15, 13);     \
        WORK_DIAGONALS(10, 14, 3, 6, 7, 1, 9, 4);     \
        WORK_COLUMNS(7, 9, 3, 1, 13, 12, 11, 14);     \
        WORK_DIAGONALS(2, 6, 5, 10, 4, 0, 15, 8);     \
        WORK_COLUMNS(9, 0, 5, 7, 2, 4, 10, 15);       \
        WORK_DIAGONALS(14, 1, 11, 12, 6, 8, 3, 13);   \
        WORK_COLUMNS(2, 12, 6, 10, 0, 11, 8, 3);      \
        WORK_DIAGONALS(4, 13, 7, 5, 15, 14, 1, 9);    \
        WORK_COLUMNS(12, 5, 1, 15, 14, 13, 4, 10);    \
        WORK_DIAGONALS(0, 7, 6, 3, 9, 2, 8, 11);      \
        WORK_COLUMNS(13, 11, 7, 14, 12, 1, 3, 9);     \
        WORK_DIAGONALS(5, 0, 15, 4, 8, 6, 2, 10);     \
        WORK_COLUMNS(6, 15, 14, 9, 11, 3, 0, 8);      \
        WORK_DIAGONALS(12, 2, 13, 7, 1, 4, 10, 5);    \
        WORK_COLUMNS(10, 2, 8, 4, 7, 6, 1, 5);        \
        WORK_DIAGONALS(15, 11, 9, 14, 3, 12, 13, 0);  \
        WORK_COLUMNS(0, 1, 2, 3, 4, 5, 6, 7);         \
        WORK_DIAGONALS(8, 9, 10, 11, 12, 13, 14, 15); \
        WORK_COLUMNS(14, 10, 4, 8, 9, 15, 13, 6);     \
        WORK_G(v0, v5, v10, v15, 1, 12);              \
        WORK_G(v2, v7, v8, v13, 11, 7);               \
    } while (0)

#endif
