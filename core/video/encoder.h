/*
 * encoder - finished frames become one closed-GOP H.264 segment in MP4.
 *
 * What:    constant 30 fps, High, yuv420p, bt709 limited; the first frame is an IDR; the header is
 *          the same for every segment of one size and tier, whatever is in it; equal frames give
 *          equal bytes for an equal number of threads.
 * Owner:   encoder_destroy always; unfinished files vanish.
 * Threads: none of ours; x264 uses `threads`.
 */
#ifndef NANOTIK_VIDEO_ENCODER_H
#define NANOTIK_VIDEO_ENCODER_H

#include <libavutil/frame.h>

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/story/storyboard.h"

struct encoder;
struct encoder_spec {
    int width, height;
    enum story_tier tier;
    int threads;
    bool painted; /* smooth gradients: finer steps in flat areas, which cost little there */
    const struct cancel *cancel;
    int64_t bits_s; /* 0: the tier's quality */
    int pass;       /* with bits_s: 1 measures, 2 encodes */
    const char
        *stats; /* with bits_s: file that the first pass writes and the second reads; beside it
                          x264 keeps FILE.mbtree */
};
bool encoder_create(const struct encoder_spec *spec, const char *path, struct encoder **ret,
                    struct err *e);
/* Sets the frame's time; the frame stays the caller's and may be painted over afterwards. */
bool encoder_push(struct encoder *enc, AVFrame *frame, struct err *e);
/* Drains, closes, publishes. */
bool encoder_finish(struct encoder *enc, struct err *e);
void encoder_destroy(struct encoder *enc); /* NULL is fine */

#endif
