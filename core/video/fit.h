/*
 * fit - a finished film that is too large becomes one that is not, at the best quality that fits.
 *
 * What:    the pictures of the joined film are encoded once more, in two passes, to the rate that
 *          the limit leaves; nothing is composed again. First the rate gives way, below a floor of
 *          bits per pixel (less where the pictures are simple) the size of the picture, at last the rate of the sound. The result has
 *          92 to 100 % of the limit, never more.
 * Owner:   as video.h; files beside `path` (path.fit*) go on every path.
 * Threads: `threads` of x264.
 * Fails:   ERR_LIMIT "make.file_too_large", arg = the limit in bytes, when no size will do.
 * Source:  facts sheet "rendering", section 5.
 */
#ifndef NANOTIK_VIDEO_FIT_H
#define NANOTIK_VIDEO_FIT_H

#include "core/video/video.h"

struct fit_spec {
    const char *film; /* of video_join */
    int frames;
    int64_t limit; /* bytes of the result */
    enum story_tier tier;
    const char *title; /* the rest as in join_spec */
    const char *comment;
    const char *lang;
    int threads;
    const struct cancel *cancel;
    void (*on_share)(void *ctx, double done); /* may be NULL; cheap; on the calling thread */
    void *ctx;
};
bool video_fit(const struct fit_spec *spec, const char *path, int *ret_width, int *ret_height,
               struct err *e);

/* --- the arithmetic, pure --- */
struct fit_plan {
    int width, height;
    int64_t video_bits_s;
    int64_t audio_bits_s; /* 0: the sound stays as it is */
};
/* The film as it is; fixed: bytes of the file that are neither pictures nor sound. False: it cannot
   fit. */
struct fit_film {
    int width, height, frames;
    int64_t video_bytes, audio_bytes, fixed;
};
bool fit_plan(const struct fit_film *film, int64_t limit, struct fit_plan *ret);
/* The longest film of this size that can be made to fit, in ms. */
int64_t fit_longest_ms(int width, int height, int64_t limit);

#endif
