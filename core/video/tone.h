/*
 * tone - colours of a decoded frame become bt709 limited range, 8 bits.
 *
 * What:    two ways: TONE_MATRIX turns one Y'CbCr matrix into another in place; TONE_TABLE looks
 *          10-bit HDR (PQ, HLG) and wide-gamut pictures up in a table of 33 x 33 x 33 exact
 *          results, so bright parts keep their shape instead of clipping.
 * Owner:   tone_destroy.
 * Threads: none shared.
 */
#ifndef NANOTIK_VIDEO_TONE_H
#define NANOTIK_VIDEO_TONE_H

#include <libavutil/frame.h>

#include "core/base/base.h"

enum tone_kind { TONE_NONE, TONE_MATRIX, TONE_TABLE };

struct tone;
/* What a frame with these properties needs. */
enum tone_kind tone_needed(const AVFrame *f);
/* NULL: no memory. kind is not TONE_NONE. */
struct tone *tone_create(const AVFrame *source, enum tone_kind kind);
/* TONE_MATRIX: frame is yuv420p, changed in place. */
void tone_matrix(const struct tone *t, AVFrame *frame);
/* TONE_TABLE: from yuv420p10le (limited range) to yuv420p of the same size. */
void tone_table(const struct tone *t, const AVFrame *from, AVFrame *to);
void tone_destroy(struct tone *t); /* NULL is fine */

#endif
