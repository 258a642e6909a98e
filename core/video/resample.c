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

static void weigh(double centre, double scale, enum resample_kernel kernel, int *first,
                  int16_t *weight)
{
    double b = kernel == KERNEL_SMOOTH ? 1 : 0, c = kernel == KERNEL_SMOOTH ? 0 : 0.5;
    double raw[RESAMPLE_TAPS], sum = 0;
    int start = (int)floor(centre - 2 * scale) + 1;
    for (int k = 0; k < RESAMPLE_TAPS; k++) {
        raw[k] = cubic((start + k - centre) / scale, b, c);
        sum += raw[k];
    }
    int total = 0, largest = 0;
    for (int k = 0; k < RESAMPLE_TAPS; k++) {
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
    double scale = CLAMP(step, 1.0, 2.0);
    for (int i = 0; i < count; i++)
        weigh(start + (i + 0.5) * step - 0.5, scale, kernel, &a->first[i],
              &a->weight[(size_t)i * RESAMPLE_TAPS]);
    return true;
}

void axis_free(struct axis *a)
{
    free(a->first);
    free(a->weight);
    *a = (struct axis){0};
}

/* out[x] = sum of weight[k] * rows[k][x]; rows with weight 0 cost nothing. */
static void mix_rows(const int16_t *const rows[RESAMPLE_TAPS], const int16_t *weight, int width,
                     int16_t *out)
{
    const int16_t *used[RESAMPLE_TAPS];
    int16_t w[RESAMPLE_TAPS + 1] = {0};
    int n = 0;
    for (int k = 0; k < RESAMPLE_TAPS; k++) {
        if (!weight[k])
            continue;
        used[n] = rows[k];
        w[n++] = weight[k];
    }
    int x = 0;
#ifdef __SSE2__
    for (; x + 8 <= width; x += 8) {
        __m128i low = _mm_set1_epi32(8192), high = low;
        for (int k = 0; k < n; k += 2) {
            __m128i pair =
                _mm_set1_epi32((int)((uint16_t)w[k] | (uint32_t)(uint16_t)w[k + 1] << 16));
            __m128i one = _mm_loadu_si128((const __m128i *)(const void *)(used[k] + x));
            __m128i two = k + 1 < n
                              ? _mm_loadu_si128((const __m128i *)(const void *)(used[k + 1] + x))
                              : _mm_setzero_si128();
            low = _mm_add_epi32(low, _mm_madd_epi16(_mm_unpacklo_epi16(one, two), pair));
            high = _mm_add_epi32(high, _mm_madd_epi16(_mm_unpackhi_epi16(one, two), pair));
        }
        __m128i packed = _mm_packs_epi32(_mm_srai_epi32(low, 14), _mm_srai_epi32(high, 14));
        _mm_storeu_si128((__m128i *)(void *)(out + x), packed);
    }
#endif
    for (; x < width; x++) {
        int sum = 8192;
        for (int k = 0; k < n; k++)
            sum += w[k] * used[k][x];
        out[x] = (int16_t)CLAMP(sum >> 14, -32768, 32767);
    }
}

/* row has RESAMPLE_PAD valid samples on both sides. */
static void mix_columns(const int16_t *row, const struct axis *a, int low, int high, int16_t *out)
{
    int x = 0;
#ifdef __SSE2__
    for (; x + 4 <= a->count; x += 4) {
        __m128i sum[4];
        for (int i = 0; i < 4; i++) {
            int at = CLAMP(a->first[x + i], low, high);
            const int16_t *w = &a->weight[(size_t)(x + i) * RESAMPLE_TAPS];
            sum[i] = _mm_madd_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + at)),
                                    _mm_loadu_si128((const __m128i *)(const void *)w));
        }
        /* Four horizontal sums at once: transpose, then add. */
        __m128i a01 =
            _mm_add_epi32(_mm_unpacklo_epi32(sum[0], sum[1]), _mm_unpackhi_epi32(sum[0], sum[1]));
        __m128i a23 =
            _mm_add_epi32(_mm_unpacklo_epi32(sum[2], sum[3]), _mm_unpackhi_epi32(sum[2], sum[3]));
        __m128i all = _mm_add_epi32(_mm_unpacklo_epi64(a01, a23), _mm_unpackhi_epi64(a01, a23));
        all = _mm_srai_epi32(_mm_add_epi32(all, _mm_set1_epi32(8192)), 14);
        _mm_storel_epi64((__m128i *)(void *)(out + x), _mm_packs_epi32(all, all));
    }
#endif
    for (; x < a->count; x++) {
        int at = CLAMP(a->first[x], low, high), sum = 8192;
        for (int k = 0; k < RESAMPLE_TAPS; k++)
            sum += a->weight[(size_t)x * RESAMPLE_TAPS + (size_t)k] * row[at + k];
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
    mix_rows(rows, &down->weight[(size_t)y * RESAMPLE_TAPS], in->width, row);
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
    for (; x + DITHER_SIDE <= width; x += DITHER_SIDE) {
        for (int i = 0; i < DITHER_SIDE; i++) {
            int16_t v = (int16_t)((row[x + i] + noise[i]) >> 6);
            out[x + i] = (uint8_t)CLAMP(v, 0, 255);
        }
    }
    for (int i = 0; x < width; x++, i++) {
        int v = (row[x] + noise[i]) >> 6;
        out[x] = (uint8_t)CLAMP(v, 0, 255);
    }
}
