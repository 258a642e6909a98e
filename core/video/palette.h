/*
 * palette - the colours of one film's backdrops, from its seed and style.
 *
 * What:    hues that are known to go together, made in OKLCH so that equal lightness looks equally
 *          light, handed out as bt709 Y'CbCr. Everything stays below PALETTE_LUMA_MAX, so that
 *          white captions can be read on it.
 * Threads: pure function.
 */
#ifndef NANOTIK_VIDEO_PALETTE_H
#define NANOTIK_VIDEO_PALETTE_H

#include "core/base/base.h"

#define PALETTE_LUMA_MAX 0.60f

struct colour {
    float y, u, v; /* y 0..1, u and v -0.5..0.5 */
};

struct palette {
    struct colour deep;      /* darkest ground */
    struct colour ground;    /* the ground's lighter end */
    struct colour accent[4]; /* shapes and lights */
    struct colour light;     /* small sparks only */
};

void palette_make(struct palette *p, uint64_t seed, const char *style);
struct colour colour_mix(struct colour a, struct colour b, float t);

#endif
