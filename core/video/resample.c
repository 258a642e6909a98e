#pragma GCC optimize("O3") /* the loops below are the cost of every painted frame */
#include "core/video/resample.h"

#include <math.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static double cubic(double x, double b, double c)
{
    x = fabs(x);
    if (x < 1)
        return ((12 - 9 * b - 6 * c) * x * x * x + (-18 + 12 * b + 6 * c) * x * x + 6 - 2 * b) / 6;
    if (x < 2)
        return ((-b - 6 * c) * x * x * x + (6 * b + 30 * c) * x * x + (-12 * b - 48 * c) * x +
                8 * b + 24 * c) /
               6;
    return 0;
}

static void weigh(double centre, double scale, enum resample_kernel kernel, int taps, int *first,
                  int16_t *weight)
{
    double b = kernel == KERNEL_SMOOTH ? 1 : 0, c = kernel == KERNEL_SMOOTH ? 0 : 0.5;
    double raw[RESAMPLE_TAPS], sum = 0;
    int start = (int)floor(centre - 2 * scale) + 1;
    for (int k = 0; k < taps; k++) {
        raw[k] = cubic((start + k - centre) / scale, b, c);
        sum += raw[k];
    }
    int total = 0, largest = 0;
    for (int k = 0; k < taps; k++) {
        weight[k] = (int16_t)lrint(raw[k] / sum * 16384);
        total += weight[k];
        if (weight[k] > weight[largest])
            largest = k;
    }
    weight[largest] = (int16_t)(weight[largest] + 16384 - total);
    *first = start;
}

bool axis_set(struct axis *a, int count, double start, double step, enum resample_kernel kernel)
{
    if (a->room < count) {
        axis_free(a);
        a->first = calloc((size_t)count, sizeof(*a->first));
        a->weight = calloc((size_t)count * RESAMPLE_TAPS, sizeof(*a->weight));
        if (!a->first || !a->weight)
            return false;
        a->room = count;
    }
    a->count = count;
    a->taps = step <= 1 ? 4 : RESAMPLE_TAPS;
    double scale = CLAMP(step, 1.0, 2.0);
    for (int i = 0; i < count; i++)
        weigh(start + (i + 0.5) * step - 0.5, scale, kernel, a->taps, &a->first[i],
              &a->weight[(size_t)i * (size_t)a->taps]);
    return true;
}

void axis_free(struct axis *a)
{
    free(a->first);
    free(a->weight);
    *a = (struct axis){0};
}

/* out[x] = sum of weight[k] * rows[k][x]. */
static void mix_rows(const int16_t *const *rows, const int16_t *weight, int taps, int width,
                     int16_t *out)
{
    int x = 0;
#ifdef __SSE2__
    for (; x + 8 <= width; x += 8) {
        __m128i low = _mm_set1_epi32(8192), high = low;
        for (int k = 0; k < taps; k += 2) {
            __m128i pair = _mm_set1_epi32(
                (int)((uint16_t)weight[k] | (uint32_t)(uint16_t)weight[k + 1] << 16));
            __m128i one = _mm_loadu_si128((const __m128i *)(const void *)(rows[k] + x));
            __m128i two = _mm_loadu_si128((const __m128i *)(const void *)(rows[k + 1] + x));
            low = _mm_add_epi32(low, _mm_madd_epi16(_mm_unpacklo_epi16(one, two), pair));
            high = _mm_add_epi32(high, _mm_madd_epi16(_mm_unpackhi_epi16(one, two), pair));
        }
        __m128i packed = _mm_packs_epi32(_mm_srai_epi32(low, 14), _mm_srai_epi32(high, 14));
        _mm_storeu_si128((__m128i *)(void *)(out + x), packed);
    }
#endif
    for (; x < width; x++) {
        int sum = 8192;
        for (int k = 0; k < taps; k++)
            sum += weight[k] * rows[k][x];
        out[x] = (int16_t)CLAMP(sum >> 14, -32768, 32767);
    }
}

#ifdef __SSE2__
/* The sums of both halves of each 64 bits: a0+a1, a2+a3, b0+b1, b2+b3. */
static inline __m128i add_neighbours(__m128i a, __m128i b)
{
    __m128 x = _mm_castsi128_ps(a), y = _mm_castsi128_ps(b);
    return _mm_add_epi32(_mm_castps_si128(_mm_shuffle_ps(x, y, _MM_SHUFFLE(2, 0, 2, 0))),
                         _mm_castps_si128(_mm_shuffle_ps(x, y, _MM_SHUFFLE(3, 1, 3, 1))));
}

static inline __m128i load8(const int16_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i load4(const int16_t *p)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

/* Four output samples from x on, as 32-bit sums. */
static inline __m128i four_columns(const int16_t *row, const struct axis *a, const int at[4], int x)
{
    const int16_t *w = &a->weight[(size_t)x * (size_t)a->taps];
    if (a->taps == 4)
        return add_neighbours(
            _mm_madd_epi16(_mm_unpacklo_epi64(load4(row + at[0]), load4(row + at[1])), load8(w)),
            _mm_madd_epi16(_mm_unpacklo_epi64(load4(row + at[2]), load4(row + at[3])),
                           load8(w + 8)));
    return add_neighbours(add_neighbours(_mm_madd_epi16(load8(row + at[0]), load8(w)),
                                         _mm_madd_epi16(load8(row + at[1]), load8(w + 8))),
                          add_neighbours(_mm_madd_epi16(load8(row + at[2]), load8(w + 16)),
                                         _mm_madd_epi16(load8(row + at[3]), load8(w + 24))));
}
#endif

/* row has RESAMPLE_PAD valid samples on both sides. */
static void mix_columns(const int16_t *row, const struct axis *a, int low, int high, int16_t *out)
{
    int x = 0;
#ifdef __SSE2__
    for (; x + 4 <= a->count; x += 4) {
        int at[4];
        for (int i = 0; i < 4; i++)
            at[i] = CLAMP(a->first[x + i], low, high);
        __m128i all = _mm_add_epi32(four_columns(row, a, at, x), _mm_set1_epi32(8192));
        all = _mm_srai_epi32(all, 14);
        _mm_storel_epi64((__m128i *)(void *)(out + x), _mm_packs_epi32(all, all));
    }
#endif
    for (; x < a->count; x++) {
        int at = CLAMP(a->first[x], low, high), sum = 8192;
        for (int k = 0; k < a->taps; k++)
            sum += a->weight[(size_t)x * (size_t)a->taps + (size_t)k] * row[at + k];
        out[x] = (int16_t)CLAMP(sum >> 14, -32768, 32767);
    }
}

void resample_row(const struct plane16 *in, const struct axis *across, const struct axis *down,
                  int y, int16_t *scratch, int16_t *out)
{
    const int16_t *rows[RESAMPLE_TAPS];
    for (int k = 0; k < RESAMPLE_TAPS; k++) {
        int at = CLAMP(down->first[y] + k, 0, in->height - 1);
        rows[k] = in->data + (ptrdiff_t)at * in->width;
    }
    int16_t *row = scratch + RESAMPLE_PAD;
    mix_rows(rows, &down->weight[(size_t)y * (size_t)down->taps], down->taps, in->width, row);
    for (int k = 1; k <= RESAMPLE_PAD; k++) {
        row[-k] = row[0];
        row[in->width - 1 + k] = row[in->width - 1];
    }
    mix_columns(row, across, -RESAMPLE_PAD, in->width + RESAMPLE_PAD - RESAMPLE_TAPS, out);
}

/* Interleaved gradient noise (Jimenez): looks even, shows no tile. */
void dither_make(struct dither *d)
{
    for (int y = 0; y < DITHER_SIDE; y++) {
        for (int x = 0; x < DITHER_SIDE; x++) {
            double n = 0.06711056 * x + 0.00583715 * y;
            n = 52.9829189 * (n - floor(n));
            d->tile[y][x] = (int16_t)((n - floor(n)) * 64);
        }
    }
}

void dither_row(const struct dither *d, const int16_t *row, int width, int y, uint8_t *out)
{
    const int16_t *noise = d->tile[y & (DITHER_SIDE - 1)];
    int x = 0;
#ifdef __SSE2__
    for (; x + 16 <= width; x += 16) {
        int n = x & (DITHER_SIDE - 1);
        __m128i low = _mm_srai_epi16(_mm_add_epi16(load8(row + x), load8(noise + n)), 6);
        __m128i high = _mm_srai_epi16(_mm_add_epi16(load8(row + x + 8), load8(noise + n + 8)), 6);
        _mm_storeu_si128((__m128i *)(void *)(out + x), _mm_packus_epi16(low, high));
    }
#endif
    for (; x < width; x++) {
        int v = (row[x] + noise[x & (DITHER_SIDE - 1)]) >> 6;
        out[x] = (uint8_t)CLAMP(v, 0, 255);
    }
}
