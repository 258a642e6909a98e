/*
 * decoder - the frames of a clip at exact moments.
 *
 * What:    decoder_at(n) is what the clip shows n/30 s after the in-point, picked by presentation
 *          time, so variable frame rates are fine; moments must ascend. Frames that will not be
 *          shown are not decoded when the codec can tell.
 * Owner:   decoder_destroy; the frame given out is valid until the next call.
 * Threads: one decoding thread, two for 4K.
 */
#ifndef NANOTIK_VIDEO_DECODER_H
#define NANOTIK_VIDEO_DECODER_H

#include <libavutil/frame.h>

#include "core/video/media.h"

struct decoder;
/* in_ms: first moment used; need_ms: how much will be used (an in-point too near to the end moves
   forward). ERR_INPUT "footage.broken". */
bool decoder_create(const char *path, int64_t in_ms, int64_t need_ms, struct media_watch *w,
                    struct decoder **ret, struct err *e);
/* *ret_frame NULL: the clip has ended before this moment. A burst of damaged frames, or no picture
   at all, is ERR_INPUT "footage.broken". */
bool decoder_at(struct decoder *d, int n, const AVFrame **ret_frame, struct err *e);
/* Back to the beginning of the clip, for another round; n starts at 0 again. */
bool decoder_rewind(struct decoder *d, struct err *e);
int decoder_orientation(const struct decoder *d, const AVFrame *frame);
AVRational decoder_sar(const struct decoder *d, const AVFrame *frame);
void decoder_destroy(struct decoder *d); /* NULL is fine */

#endif
