/*
 * resample - a window of a picture, at sub-pixel position and size, becomes rows of another size.
 *
 * What:    separable cubic filtering with exact weights for every output column and row, so that
 *          slow moves glide instead of jumping from pixel to pixel. Samples are "8.6": 8-bit values
 *          times 64 in int16, which leaves room for smooth gradients.
 * Owner:   axis_free.
 * Threads: none shared.
 */
#ifndef NANOTIK_VIDEO_RESAMPLE_H
#define NANOTIK_VIDEO_RESAMPLE_H

#include "core/base/base.h"

enum { RESAMPLE_TAPS = 8, RESAMPLE_PAD = 16 };

/* Where each output sample of one direction comes from. */
struct axis {
    int count, room;
    int taps;        /* 4 when enlarging, 8 when reducing */
    int *first;      /* index of the first input sample; may be outside, the edge is repeated */
    int16_t *weight; /* `taps` per output sample, sum 16384 */
};

enum resample_kernel {
    KERNEL_SMOOTH, /* B-spline: for painted fields */
    KERNEL_SHARP,  /* Catmull-Rom: for photos */
};

/* Output sample i is centred at start + (i + 0.5) * step input samples. step at most 2. False: no
   memory. */
bool axis_set(struct axis *a, int count, double start, double step, enum resample_kernel kernel);
void axis_free(struct axis *a);

struct plane16 {
    int16_t *data;
    int width, height;
};

/* Output row `y`: across.count samples into out (room for a multiple of 8). scratch has room for
   in->width + 2 * RESAMPLE_PAD samples. */
void resample_row(const struct plane16 *in, const struct axis *across, const struct axis *down,
                  int y, int16_t *scratch, int16_t *out);

/* 8.6 to 8 bits with a fixed pattern of noise: no bands in gradients, and it compresses. */
enum { DITHER_SIDE = 64 };
struct dither {
    int16_t tile[DITHER_SIDE][DITHER_SIDE];
};
void dither_make(struct dither *d);
void dither_row(const struct dither *d, const int16_t *row, int width, int y, uint8_t *out);

#endif
