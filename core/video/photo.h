/*
 * photo - a still picture that is slowly zoomed and panned.
 *
 * What:    decoded once, reduced once to little more than what is shown, then sampled at sub-pixel
 *          positions, so that even the slowest move has no steps.
 * Owner:   photo_destroy.
 * Threads: none shared.
 */
#ifndef NANOTIK_VIDEO_PHOTO_H
#define NANOTIK_VIDEO_PHOTO_H

#include <libavutil/frame.h>

#include "core/video/media.h"

struct photo;
/* frames: length of the move. ERR_INPUT "footage.broken". */
bool photo_create(const char *path, int width, int height, int frames, uint64_t seed,
                  struct media_watch *w, struct photo **ret, struct err *e);
/* From a finished frame (yuv420p) of the target's size: the move starts exactly there. */
bool photo_of_frame(const AVFrame *frame, int frames, struct photo **ret, struct err *e);
/* Frame n of the move, 0 .. frames - 1. frame: writable yuv420p of the target's size. */
bool photo_draw(struct photo *p, AVFrame *frame, int n, struct err *e);
void photo_destroy(struct photo *p); /* NULL is fine */

/* Where the picture is looked at in frame n: the window in parts of the kept picture. */
struct photo_view {
    double x, y, w, h;
};
struct photo_view photo_view_at(const struct photo *p, int n);

#endif
