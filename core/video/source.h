/*
 * source - the moving picture under the captions, whatever it is made from.
 *
 * What:    source_draw fills a frame with what is seen at frame n of the scene; n must ascend from
 *          0.
 * Owner:   source_destroy.
 * Threads: none shared.
 */
#ifndef NANOTIK_VIDEO_SOURCE_H
#define NANOTIK_VIDEO_SOURCE_H

#include <libavutil/frame.h>

#include "core/video/media.h"
#include "core/video/video.h"

struct source;
bool source_create(const struct segment_spec *spec, struct source **ret, struct err *e);
bool source_draw(struct source *s, AVFrame *frame, int n, struct err *e);
void source_destroy(struct source *s); /* NULL is fine */

#endif
