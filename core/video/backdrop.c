#pragma GCC optimize("O3") /* the finishing loop runs over every pixel */
#include "core/video/backdrop.h"

#include <math.h>

#include "core/base/strbuf.h"
#include "core/video/backdrop_paint.h"

const char *const backdrop_looks[] = {"aurora", "hills", "bokeh",   "ribbons", "stars",
                                      "rays",   "prism", "ripples", "dots",    NULL};

const struct look backdrop_look_table[] = {
    {"aurora",  3, aurora_init,  aurora_frame },
    {"hills",   3, hills_init,   hills_frame  },
    {"bokeh",   2, bokeh_init,   bokeh_frame  },
    {"ribbons", 2, ribbons_init, ribbons_frame},
    {"stars",   3, stars_init,   stars_frame  },
    {"rays",    3, rays_init,    rays_frame   },
    {"prism",   3, prism_init,   prism_frame  },
    {"ripples", 3, ripples_init, ripples_frame},
    {"dots",    3, dots_init,    dots_frame   },
};
const size_t backdrop_look_count = COUNT(backdrop_look_table);

/* Scene n of a film: the looks in an order that the seed shuffles anew for each round. */
static size_t look_of_scene(uint64_t seed, int64_t scene)
{
    size_t n = backdrop_look_count, order[COUNT(backdrop_look_table)], last = n;
    for (int64_t round = 0; round <= scene / (int64_t)n; round++) {
        struct rng r = rng_make(seed, 0x6c6f6f6b + (uint64_t)round);
        for (size_t i = 0; i < n; i++)
            order[i] = i;
        for (size_t i = n - 1; i > 0; i--) {
            size_t k = (size_t)rng_below(&r, (int)i + 1), keep = order[i];
            order[i] = order[k];
            order[k] = keep;
        }
        if (order[0] == last) { /* the round before ended with it */
            order[0] = order[1];
            order[1] = last;
        }
        last = order[n - 1];
    }
    return order[(size_t)scene % n];
}

static void look_choose(struct backdrop *b, const char *look, uint64_t seed)
{
    int64_t scene = 0;
    for (size_t i = 0; i < backdrop_look_count; i++) {
        if (strcmp(look, backdrop_look_table[i].name) == 0) {
            b->look = &backdrop_look_table[i];
            return;
        }
    }
    if (!str_to_int(str_starts(look, "auto:") ? look + 5 : look, 0, 9999, &scene)) {
        scene = 0;
        for (const char *c = look; *c; c++)
            scene = (scene * 31 + (unsigned char)*c) % 9973;
    }
    b->variant = (uint64_t)scene;
    b->look = &backdrop_look_table[look_of_scene(seed, scene)];
}

static bool allocate(struct backdrop *b)
{
    size_t cells = (size_t)b->field_w * (size_t)b->field_h;
    size_t width = (size_t)b->width;
    for (int p = 0; p < 3; p++) {
        b->paint[p] = calloc(cells, sizeof(float));
        b->field[p] = (struct plane16){calloc(cells, sizeof(int16_t)), b->field_w, b->field_h};
        if (!b->paint[p] || !b->field[p].data)
            return false;
    }
    b->warp_x = calloc((size_t)b->field_w, sizeof(float));
    b->warp_y = calloc((size_t)b->field_h, sizeof(float));
    b->ray_angle = calloc(cells, sizeof(float));
    b->row = calloc(width + 16, sizeof(int16_t));
    b->scratch = calloc((size_t)b->field_w + 2 * (size_t)RESAMPLE_PAD + 16, sizeof(int16_t));
    b->vignette_x = calloc(width, sizeof(uint16_t));
    b->vignette_y = calloc((size_t)b->height, sizeof(uint16_t));
    b->sprites = calloc(SPRITES_MAX, sizeof(*b->sprites));
    b->active = calloc(SPRITES_MAX, sizeof(*b->active));
    b->curves = calloc((size_t)CURVES_MAX * width, sizeof(float));
    b->curve_tint = calloc((size_t)CURVES_MAX * 3 * CURVE_STEPS, sizeof(int16_t));
    return b->warp_x && b->warp_y && b->ray_angle && b->row && b->scratch && b->vignette_x &&
           b->vignette_y && b->sprites && b->active && b->curves && b->curve_tint;
}

static bool set_axes(struct backdrop *b)
{
    double luma = 1.0 / b->cell, chroma = 2.0 / b->cell;
    /* Chroma samples sit on the left luma column of each pair. */
    double left = -0.5 / b->cell;
    return axis_set(&b->across[0], b->width, 0, luma, KERNEL_SMOOTH) &&
           axis_set(&b->down[0], b->height, 0, luma, KERNEL_SMOOTH) &&
           axis_set(&b->across[1], b->width / 2, left, chroma, KERNEL_SMOOTH) &&
           axis_set(&b->down[1], b->height / 2, 0, chroma, KERNEL_SMOOTH);
}

/* Darkens towards the edges, more at the bottom: 65536 = all of the light. */
static void set_vignette(struct backdrop *b)
{
    for (int x = 0; x < b->width; x++) {
        float d = 2 * (x + 0.5f) / b->width - 1;
        b->vignette_x[x] = (uint16_t)(65536 * 0.13f * d * d * d * d);
    }
    for (int y = 0; y < b->height; y++) {
        float d = 2 * (y + 0.5f) / b->height - 1;
        b->vignette_y[y] = (uint16_t)(65536 * (d > 0 ? 0.26f : 0.20f) * d * d * d * d);
    }
}

bool backdrop_create(int width, int height, const char *look, uint64_t seed, const char *style,
                     struct backdrop **ret, struct err *e)
{
    struct backdrop *b = calloc(1, sizeof(*b));
    if (!b)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "backdrop: no memory");
    b->width = width;
    b->height = height;
    b->unit = (float)MIN(width, height);
    b->wide = width / b->unit;
    b->high = height / b->unit;
    look_choose(b, look, seed);
    palette_make(&b->palette, seed, style);
    b->rng = rng_make(seed, 0x7061696e + b->variant * 16);
    /* 1080 px: cells of 8 or 4 px; smaller films have as many cells, so they look the same. */
    b->cell = MAX(2, (int)lrintf(b->unit / (b->look->cell_shift == 3 ? 135 : 270)));
    b->field_w = (width + b->cell - 1) / b->cell;
    b->field_h = (height + b->cell - 1) / b->cell;
    if (!allocate(b) || !set_axes(b)) {
        backdrop_destroy(b);
        return err_set(e, ERR_INTERNAL, "make.render_failed", "backdrop: no memory");
    }
    dither_make(&b->dither);
    set_vignette(b);
    b->look->init(b);
    *ret = b;
    return true;
}

static void vignette_row(const uint16_t *across, uint16_t down, int width, int16_t *row)
{
    const int16_t black = 16 * 64;
    for (int x = 0; x < width; x++) {
        uint16_t keep = (uint16_t)(65535 - across[x] - down);
        uint16_t over = (uint16_t)MAX(row[x] - black, 0);
        row[x] = (int16_t)(black + (int16_t)((uint32_t)over * keep >> 16));
    }
}

static void draw_row(struct backdrop *b, AVFrame *frame, int plane, int y)
{
    int c = plane > 0, width = b->width >> c;
    resample_row(&b->field[plane], &b->across[c], &b->down[c], y, b->scratch, b->row);
    shapes_row(b, plane, y, b->row);
    if (plane == 0)
        vignette_row(b->vignette_x, b->vignette_y[y], width, b->row);
    dither_row(&b->dither, b->row, width, y,
               frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane]);
}

void backdrop_draw(struct backdrop *b, AVFrame *frame, double seconds)
{
    b->sprite_count = b->polygon_count = b->curve_count = 0;
    b->look->frame(b, (float)seconds);
    field_quantise(b);
    shapes_begin(b);
    for (int y = 0; y < b->height; y++) {
        draw_row(b, frame, 0, y);
        if (y & 1) {
            draw_row(b, frame, 1, y >> 1);
            draw_row(b, frame, 2, y >> 1);
        }
    }
}

const char *backdrop_look(const struct backdrop *b)
{
    return b->look->name;
}

void backdrop_destroy(struct backdrop *b)
{
    if (!b)
        return;
    for (int i = 0; i < 3; i++) {
        free(b->paint[i]);
        free(b->field[i].data);
    }
    for (int i = 0; i < 2; i++) {
        axis_free(&b->across[i]);
        axis_free(&b->down[i]);
    }
    void *all[] = {b->warp_x,     b->warp_y,  b->ray_angle, b->row,    b->scratch,   b->vignette_x,
                   b->vignette_y, b->sprites, b->active,    b->curves, b->curve_tint};
    for (size_t i = 0; i < COUNT(all); i++)
        free(all[i]);
    free(b);
}
