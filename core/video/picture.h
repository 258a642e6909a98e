/*
 * picture - one frame as a PNG or JPEG file.
 *
 * Owner:   the frame stays the caller's.
 * Threads: none shared.
 * Fails:   as media_fail; a file that cannot be written is as fs_write says.
 */
#ifndef NANOTIK_VIDEO_PICTURE_H
#define NANOTIK_VIDEO_PICTURE_H

#include <libavcodec/avcodec.h>

#include "core/base/base.h"
#include "core/base/err.h"

/* kind: AV_CODEC_ID_PNG or AV_CODEC_ID_MJPEG, of which frame->quality counts. The frame's format
   and range are the file's. what: for messages. */
bool picture_write(AVFrame *frame, enum AVCodecID kind, const char *what, const char *path,
                   struct err *e);

#endif
