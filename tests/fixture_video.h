/*
 * fixture_video - sources for the video tests, made by the ffmpeg program in a folder that goes
 * away, and films read back as numbers.
 *
 * What:    fixture_video_start / _stop are cmocka's group set-up and tear-down. All failures end
 *          the case through cmocka.
 */
#ifndef NANOTIK_FIXTURE_VIDEO_H
#define NANOTIK_FIXTURE_VIDEO_H

#include <libavutil/frame.h>

#include "core/video/video.h"

int fixture_video_start(void **state);
int fixture_video_stop(void **state);

/* Path of a file in the folder; valid until the eighth next call. */
const char *fixture_video_path(const char *name);
/* Runs ffmpeg in the folder with these arguments (shell syntax), quietly. */
void fixture_video_make(const char *arguments);
void fixture_video_write(const char *name, const void *bytes, size_t len);
/* Number of files in the folder whose name contains the text. */
int fixture_video_count(const char *part);

/* All frames of a film, as they are stored; at most max. The caller frees them with
   fixture_video_free. Fails when the file does not decode cleanly. */
int fixture_video_read(const char *path, AVFrame **ret_frames, int max);
void fixture_video_free(AVFrame **frames, int count);
/* Mean of one plane inside a part of the frame, given in hundredths of width and height. */
double fixture_video_mean(const AVFrame *f, int plane, int x0, int y0, int x1, int y1);
/* Of the flat part around x, y (hundredths): 'r'ed, 'g'reen, 'b'lue, else 'y' for grey. */
char fixture_video_colour(const AVFrame *f, int x, int y);
/* Mean absolute difference of luma. */
double fixture_video_distance(const AVFrame *a, const AVFrame *b);

/* Has this written while no file may be longer, in a child because such a limit cannot be lifted
   again. 100: it was written; else the child's err code, 101 when it did not say "error.disk". */
int fixture_video_on_full_disk(bool (*write)(const char *path, struct err *e), const char *path,
                               int64_t bytes);

/* Renders a segment of basic tier at this size; fails the case unless it works. */
void fixture_video_render(const struct footage *f, int width, int height, int frames,
                          const char *path);
struct footage fixture_video_clip(const char *name, int64_t in_ms);
struct footage fixture_video_photo(const char *name, uint64_t seed);
struct footage fixture_video_backdrop(const char *look, uint64_t seed);

#endif
