/*
 * cover - any decoded frame becomes one that fills width x height: cropped, never stretched.
 *
 * What:    crop to the target's aspect, then one scale, then colours, then rotation on the small
 *          result. Remembers its scaler between frames of the same kind; a stream that changes its
 *          size in the middle is fine.
 * Owner:   cover_destroy.
 * Threads: none shared.
 */
#ifndef NANOTIK_VIDEO_COVER_H
#define NANOTIK_VIDEO_COVER_H

#include <libavutil/frame.h>

#include "core/base/base.h"
#include "core/base/err.h"

/* A part of a stored picture, in its pixels. */
struct cover_window {
    int x, y, w, h;
};

struct cover;
/* fine: the slower scaler for large reductions. */
bool cover_create(int width, int height, bool fine, struct cover **ret, struct err *e);
/* orientation as in EXIF (1..8); sar as of the stream, 0/1 unknown. target: writable yuv420p. */
bool cover_draw(struct cover *c, const AVFrame *source, int orientation, AVRational sar,
                AVFrame *target, struct err *e);
/* The same for a given part of the picture, whose aspect is the caller's affair. */
bool cover_draw_window(struct cover *c, const AVFrame *source, const struct cover_window *window,
                       int orientation, AVFrame *target, struct err *e);
void cover_destroy(struct cover *c); /* NULL is fine */

/* Writable yuv420p in bt709 limited range; NULL: no memory. */
AVFrame *cover_frame_make(int width, int height);

#endif
