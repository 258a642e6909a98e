/*
 * caption_draw_ink - from libass's pictures of the letters to boxes and masks of the frame. Private
 * to caption_draw.
 *
 * What:    the colour of a picture says whose ink it is (see caption_draw_layout). Its coordinates
 *          are those of a canvas twice as wide as the frame, which is in its middle.
 * Owner:   the caller; what is allocated goes with layout_free.
 * Threads: pure functions.
 */
#ifndef NANOTIK_CAPTION_DRAW_INK_H
#define NANOTIK_CAPTION_DRAW_INK_H

#include <ass/ass.h>

#include "core/video/caption_draw_layout.h"

/* Boxes of words, lines and emoji, in frame pixels. */
void ink_measure(const ASS_Image *images, int width, struct layout *lay);
int ink_widest_line(const struct layout *lay);
/* The part of the frame to be touched, padded, inside the frame, even. */
void ink_set_region(int width, int height, double pad, struct layout *lay);
/* Fill, edge and owner of that part. False: no memory. */
bool ink_copy_masks(const ASS_Image *images, int width, struct layout *lay);

#endif
