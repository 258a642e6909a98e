/*
 * backdrop_paint - what the looks are painted with; only for backdrop*.c.
 *
 * Units:   lengths are in "short sides": the frame is 1 wide or high on its shorter side. Colours
 * are palette colours. A look fills the field (small, soft) and may add shapes row by row (full
 * size, sharp).
 */
#ifndef NANOTIK_VIDEO_BACKDROP_PAINT_H
#define NANOTIK_VIDEO_BACKDROP_PAINT_H

#include "core/base/rng.h"
#include "core/video/backdrop.h"
#include "core/video/palette.h"
#include "core/video/resample.h"

enum { ITEMS_MAX = 320, CURVES_MAX = 6, CURVE_STEPS = 256, SPRITES_MAX = 2600, POLYGONS_MAX = 10 };

/* A thing of a look: what it means is the look's affair. */
struct item {
    float x, y, size, phase, speed, weight;
    struct colour colour;
};

/* A round spot drawn at full size; px = pixels. */
struct sprite {
    float x, y, radius; /* px */
    float edge;         /* px of soft edge; 0 = a glow that fades from the middle */
    float alpha;
    struct colour colour;
};

struct polygon {
    int corners;
    float x[6], y[6]; /* px, convex */
    float alpha;
    struct colour colour;
};

struct backdrop {
    int width, height;
    float wide, high; /* of the frame in units */
    float unit;       /* px per unit */
    const struct look *look;
    struct palette palette;
    struct rng rng; /* for the look's init only */
    uint64_t variant;

    /* --- the field --- */
    int cell; /* px per field cell */
    int field_w, field_h;
    float *paint[3];        /* y, u, v */
    float *warp_x, *warp_y; /* offsets added to y per column, to x per row */
    struct plane16 field[3];
    struct axis across[2], down[2]; /* luma, chroma */

    /* --- full size --- */
    int16_t *row, *scratch;
    uint16_t *vignette_x, *vignette_y;
    struct dither dither;
    struct sprite *sprites; /* this frame's, ordered by top edge before drawing */
    int sprite_count, sprite_next, active_count;
    int *active;
    struct polygon polygons[POLYGONS_MAX];
    int polygon_count;
    float *curves; /* CURVES_MAX rows of width heights in px */
    float curve_top[CURVES_MAX], curve_bottom[CURVES_MAX];
    int curve_count;
    int16_t *curve_tint; /* CURVES_MAX x 3 planes x CURVE_STEPS, 8.6 */

    struct item items[ITEMS_MAX];
    int item_count;
    float ray_table[1024];
    float *ray_angle; /* per field cell */
};

struct look {
    const char *name;
    int cell_shift;                             /* field cell = short side / (135 or 270) */
    void (*init)(struct backdrop *b);           /* REQUIRED: chooses items from b->rng */
    void (*frame)(struct backdrop *b, float t); /* REQUIRED: paints the field, lists the shapes */
};
extern const struct look backdrop_look_table[];
extern const size_t backdrop_look_count;

/* --- backdrop_field.c: the soft parts --- */
void field_ground(struct backdrop *b, struct colour top, struct colour bottom);
/* Wavy coordinates for the blobs that follow. */
void field_warp(struct backdrop *b, float amount, float t, float phase);
struct blob {
    float x, y, radius, stretch, angle; /* stretch: length over width */
    float alpha;
    struct colour colour;
};
void field_blob(struct backdrop *b, const struct blob *blob);
void field_quantise(struct backdrop *b);

/* --- backdrop_shape.c: the sharp parts --- */
void sprite_add(struct backdrop *b, const struct sprite *s);
struct polygon *polygon_add(struct backdrop *b);
void shapes_begin(struct backdrop *b); /* after the look's frame(): orders what was added */
/* Draws on one row of 8.6 samples; plane 0 luma, 1 and 2 chroma (half size). Luma rows ascend, two
   for each pair of chroma rows. */
void shapes_row(struct backdrop *b, int plane, int y, int16_t *row);

/* --- backdrop_soft.c, backdrop_sharp.c: the looks --- */
void aurora_init(struct backdrop *b);
void aurora_frame(struct backdrop *b, float t);
void bokeh_init(struct backdrop *b);
void bokeh_frame(struct backdrop *b, float t);
void rays_init(struct backdrop *b);
void rays_frame(struct backdrop *b, float t);
void ribbons_init(struct backdrop *b);
void ribbons_frame(struct backdrop *b, float t);
void ripples_init(struct backdrop *b);
void ripples_frame(struct backdrop *b, float t);
void hills_init(struct backdrop *b);
void hills_frame(struct backdrop *b, float t);
void stars_init(struct backdrop *b);
void stars_frame(struct backdrop *b, float t);
void prism_init(struct backdrop *b);
void prism_frame(struct backdrop *b, float t);
void dots_init(struct backdrop *b);
void dots_frame(struct backdrop *b, float t);

#define TURN 6.2831853f

/* For init: the next item, all zero; the last one again when there are no more. */
static inline struct item *backdrop_item(struct backdrop *b)
{
    if (b->item_count < ITEMS_MAX)
        b->item_count++;
    return &b->items[b->item_count - 1];
}

static inline float backdrop_any(struct backdrop *b, float low, float high)
{
    return (float)rng_range(&b->rng, low, high);
}

static inline int16_t sample_of(float value, int plane)
{
    return (int16_t)((plane ? 128 + 224 * value : 16 + 219 * value) * 64);
}

#endif
