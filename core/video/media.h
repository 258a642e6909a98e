/*
 * media - what all video files share: error texts, the interrupt callback, and the one safe way to
 * open a file that nobody vouches for.
 *
 * What:    media_open picks the container from the first bytes (never from the name), allows only
 *          plain files, bounded probing and a fixed list of decoders; playlists and concat scripts
 *          match nothing and are refused.
 * Owner:   the AVFormatContext is the caller's (avformat_close_input); it points to the watch,
 *          which must outlive it.
 * Threads: none shared.
 */
#ifndef NANOTIK_VIDEO_MEDIA_H
#define NANOTIK_VIDEO_MEDIA_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

enum {
    MEDIA_PIXELS_MAX = 7680 * 4320, /* of a video frame */
    STILL_PIXELS_MAX = 8192 * 6144, /* of a photo: 50 megapixels */
    MEDIA_SIDE_MAX = 16384,         /* longest side of either */
};

struct media_watch {
    const struct cancel *cancel; /* may be NULL */
    int64_t deadline_ms;         /* clock_mono_ms; 0 = none */
};
/* For AVIOInterruptCB: 1 once the watch says stop. opaque is a struct media_watch. */
int media_interrupt(void *opaque);
bool media_stopped(const struct media_watch *w);

/* A failure of ours or of the disk: ERR_DISK "error.disk", ERR_CANCELLED "make.cancelled", else
   ERR_INTERNAL "make.render_failed". Always false. */
bool media_fail(struct err *e, int averror, const char *what, const char *path);
/* A failure of the input: ERR_INPUT "footage.broken" with the file's name as arg, or ERR_CANCELLED
   when the watch fired. Always false. */
bool media_broken(struct err *e, const struct media_watch *w, int averror, const char *what,
                  const char *path);
bool media_cancelled(struct err *e);

bool media_open(const char *path, struct media_watch *w, AVFormatContext **ret, bool *ret_still,
                struct err *e);
/* Index of the stream with moving or still pictures; -1 when there is none (covers of music do not
   count). */
int media_picture_stream(const AVFormatContext *fmt);
/* Opens the stream's decoder: `threads` threads, bounded pixels. Still pictures of JPEG may be
   decoded at 1/2^lowres. */
bool media_open_decoder(const AVFormatContext *fmt, int stream, int threads, int lowres, bool still,
                        AVCodecContext **ret, struct err *e);

/* The next picture of the stream that can be decoded. ERR_INPUT "footage.broken" when there is none
   soon. */
bool media_first_frame(AVFormatContext *fmt, AVCodecContext *codec, int stream,
                       const struct media_watch *w, const char *path, AVFrame *frame,
                       struct err *e);

/* How stored pixels must be turned to be seen, numbered as in EXIF: 1 upright ... 8. */
int media_orientation(const AVStream *st, const AVFrame *frame);

#endif
