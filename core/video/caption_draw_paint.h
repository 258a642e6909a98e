/*
 * caption_draw_paint - coverage of letters becomes coloured pixels, and these are blended into
 * yuv420p. Private to caption_draw.
 */
#ifndef NANOTIK_CAPTION_DRAW_PAINT_H
#define NANOTIK_CAPTION_DRAW_PAINT_H

#include <libavutil/frame.h>

#include "core/base/base.h"
#include "core/video/caption_draw_layout.h"

/* Colours are 0xRRGGBBAA; AA 0 = not drawn. Lengths in em. */
struct caption_look {
    const char *name;
    uint32_t fill, lit_fill;
    uint32_t edge;
    double outline;
    uint32_t shadow;
    double shadow_blur, shadow_drop;
    uint32_t glow, lit_glow;
    double glow_blur;
    uint32_t panel;  /* behind each line */
    uint32_t marker; /* behind the lit word */
    uint32_t accent; /* bar under the title */
};

const struct caption_look *caption_look_find(const char *style);
/* Room that the look needs around letters, in em. */
double caption_look_pad(const struct caption_look *look);

/* Premultiplied Y, U, V with alpha, U and V and their alpha at half size; same place as the layout.
 */
struct overlay {
    int x, y, w, h;
    uint8_t *under; /* RGBA of what does not change with the lit word */
    uint8_t *rgba, *planes[5];
};
enum { OVERLAY_UNLIT = -1 };

/* Shadows, glows and panels: once per layout. False: out of memory. */
bool overlay_begin(struct overlay *o, const struct layout *lay, const struct caption_look *look,
                   bool title);
/* Letters with this word (index) lit. */
bool overlay_paint(struct overlay *o, const struct layout *lay, const struct caption_look *look,
                   int lit);
/* opacity 0..255 */
void overlay_blend(const struct overlay *o, AVFrame *frame, int opacity);
void overlay_free(struct overlay *o);

#endif
