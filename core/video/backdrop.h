/*
 * backdrop - a painted, slowly moving picture for a scene that has no footage.
 *
 * What:    one of the looks below in colours that all scenes of a film share. Soft parts are
 *          painted small with sub-8-bit precision and enlarged, edges and sparks are drawn at full
 *          size, and all of it is dithered once at the end. Look names: one of backdrop_looks;
 *          "auto:N" or "N" for scene N of a film (no look twice in a row); anything else is chosen
 *          from the seed.
 * Owner:   backdrop_destroy.
 * Threads: none shared; create once per segment.
 */
#ifndef NANOTIK_VIDEO_BACKDROP_H
#define NANOTIK_VIDEO_BACKDROP_H

#include <libavutil/frame.h>

#include "core/base/base.h"
#include "core/base/err.h"

extern const char *const backdrop_looks[]; /* NULL-terminated */

struct backdrop;
/* seed: the film's (colours, order of looks); what varies within the film comes from look. */
bool backdrop_create(int width, int height, const char *look, uint64_t seed, const char *style,
                     struct backdrop **ret, struct err *e);
/* frame: writable yuv420p of this size; filled completely. */
void backdrop_draw(struct backdrop *b, AVFrame *frame, double seconds);
const char *backdrop_look(const struct backdrop *b); /* which one it became */
void backdrop_destroy(struct backdrop *b);           /* NULL is fine */

#endif
