/* The looks with edges: hills, stars, glass, dots. */
#include <math.h>

#include "core/video/backdrop_paint.h"

/* --- hills: ridges in evening haze, nearer ones pass faster --- */
static void tint_curve(struct backdrop *b, int curve, struct colour top, struct colour body)
{
    for (int p = 0; p < 3; p++) {
        int16_t *tint = b->curve_tint + ((size_t)curve * 3 + (size_t)p) * CURVE_STEPS;
        for (int i = 0; i < CURVE_STEPS; i++) {
            float d = (float)i / CURVE_STEPS, fade = 1 - expf(-4.2f * d);
            struct colour c = colour_mix(top, body, fade);
            tint[i] = sample_of(p == 0 ? c.y : p == 1 ? c.u : c.v, p);
        }
    }
}

void hills_init(struct backdrop *b)
{
    const struct palette *p = &b->palette;
    for (int i = 0; i < 5; i++) {
        struct item *it = backdrop_item(b);
        float near = i / 4.0f;
        it->y = b->high * (0.43f + 0.125f * i) + backdrop_any(b, -0.02f, 0.02f);
        it->size = 0.105f - 0.004f * i;
        it->speed = 0.014f + 0.075f * near * near;
        it->phase = backdrop_any(b, 0, 50);
        struct colour haze = colour_mix(p->ground, p->accent[i & 1], 0.62f - 0.30f * near);
        struct colour top = colour_mix(haze, p->deep, 0.12f + 0.70f * near);
        struct colour body =
            colour_mix(colour_mix(haze, p->accent[1], 0.25f), p->deep, 0.05f + 0.80f * near);
        /* Mist lies in the valleys: each ridge is darker at its edge than further down. */
        tint_curve(b, i, colour_mix(top, p->deep, 0.30f), body);
    }
    struct item *sun = backdrop_item(b);
    sun->x = backdrop_any(b, 0.25f, 0.75f) * b->wide;
    sun->y = b->high * backdrop_any(b, 0.23f, 0.31f);
    sun->phase = backdrop_any(b, 0, TURN);
}

/* Height above the ridge's base line, about -1 to 1: peaks far away, rolling ground near by. */
static float ridge(float u, float phase, float peaked)
{
    float round =
        0.60f * sinf(2.3f * u) + 0.30f * sinf(5.1f * u + phase) + 0.10f * sinf(11.7f * u + 2);
    float sharp = 1.05f - 1.25f * fabsf(sinf(1.9f * u)) - 0.55f * fabsf(sinf(4.3f * u + phase)) -
                  0.24f * fabsf(sinf(9.7f * u + 1)) - 0.10f * fabsf(sinf(23.0f * u + 2));
    return round + (sharp - round) * peaked;
}

void hills_frame(struct backdrop *b, float t)
{
    const struct palette *p = &b->palette;
    const struct item *sun = &b->items[5];
    field_ground(b, colour_mix(p->deep, p->ground, 0.45f),
                 colour_mix(p->ground, p->accent[1], 0.65f));
    float high = 0.5f + 0.4f * sinf(0.22f * t + sun->phase);
    struct blob sky = {b->wide * high, b->high * 0.06f, 0.8f, 1.8f, 0.3f, 0.55f, p->accent[2]};
    field_blob(b, &sky);
    float rise = sun->y - 0.006f * t, pulse = 1 + 0.04f * sinf(0.5f * t);
    struct blob halo = {sun->x, rise, 0.70f * pulse, 1, 0, 0.80f, p->accent[0]};
    struct blob glow = {
        sun->x, rise, 0.34f * pulse, 1, 0, 0.50f, colour_mix(p->accent[0], p->light, 0.6f)};
    field_blob(b, &halo);
    field_blob(b, &glow);
    b->curve_count = 5;
    for (int i = 0; i < 5; i++) {
        const struct item *it = &b->items[i];
        float *h = b->curves + (size_t)i * (size_t)b->width;
        for (int x = 0; x < b->width; x++) {
            float u = x / b->unit + it->speed * t + it->phase;
            h[x] = (it->y - it->size * ridge(u, it->phase, 1 - i / 4.0f)) * b->unit;
        }
    }
}

/* --- stars: a slow flight past near and far ones --- */
void stars_init(struct backdrop *b)
{
    for (int i = 0; i < 300; i++) {
        struct item *it = backdrop_item(b);
        float near = backdrop_any(b, 0, 1);
        it->x = backdrop_any(b, 0, b->wide + 0.2f);
        it->y = backdrop_any(b, 0, b->high + 0.2f);
        it->size = 0.0013f + 0.0052f * near * near * near * near;
        it->speed = 0.004f + 0.026f * near * near;
        it->phase = backdrop_any(b, 0, TURN);
        it->weight = 0.30f + 0.65f * near * near;
        it->colour = colour_mix(b->palette.light, b->palette.accent[rng_below(&b->rng, 4)],
                                backdrop_any(b, 0, 0.55f));
    }
}

void stars_frame(struct backdrop *b, float t)
{
    const struct palette *p = &b->palette;
    field_ground(b, p->deep, colour_mix(p->deep, p->ground, 0.8f));
    float q = b->items[0].phase;
    field_warp(b, 0.075f, 0.9f * t, q);
    for (int i = 0; i < 5; i++) {
        float w = q + 1.7f * i + 0.05f * t;
        struct blob cloud = {b->wide * (0.5f + 0.36f * sinf(1.9f * w)),
                             b->high * (0.12f + 0.19f * i + 0.05f * sinf(w)),
                             0.40f,
                             2.2f,
                             0.9f + 0.2f * sinf(w),
                             0.58f,
                             p->accent[i & 3]};
        field_blob(b, &cloud);
        struct blob shade = {cloud.x + 0.16f, cloud.y + 0.10f, 0.26f,  2.0f,
                             cloud.angle,     0.60f,           p->deep};
        field_blob(b, &shade);
    }
    float over_x = b->wide + 0.2f, over_y = b->high + 0.2f;
    for (int i = 0; i < b->item_count; i++) {
        const struct item *it = &b->items[i];
        float x = fmodf(it->x + 9 * over_x + it->speed * t, over_x) - 0.1f;
        float y = fmodf(it->y + 9 * over_y - 0.6f * it->speed * t, over_y) - 0.1f;
        float a = it->weight * (0.72f + 0.28f * sinf(1.1f * t + 5 * it->phase));
        float core = MAX(1.3f, 1.6f * it->size * b->unit);
        struct sprite s = {x * b->unit, y * b->unit, core, 0, a, it->colour};
        sprite_add(b, &s);
        if (it->size > 0.0040f) {
            s = (struct sprite){s.x, s.y, core * 6, 0, a * 0.20f, it->colour};
            sprite_add(b, &s);
        }
    }
}

/* --- prism: panes of coloured glass that turn over each other --- */
void prism_init(struct backdrop *b)
{
    for (int i = 0; i < 9; i++) {
        struct item *it = backdrop_item(b);
        it->x = backdrop_any(b, 0.05f, 0.95f) * b->wide;
        it->y = (i + backdrop_any(b, 0.2f, 0.8f)) / 9 * b->high;
        it->size = backdrop_any(b, 0.34f, 0.62f);
        it->phase = backdrop_any(b, 0, TURN);
        it->speed = backdrop_any(b, 0.030f, 0.060f) * (i & 1 ? 1 : -1);
        it->weight = backdrop_any(b, 0.14f, 0.26f);
        it->colour = b->palette.accent[i & 3];
    }
}

void prism_frame(struct backdrop *b, float t)
{
    field_ground(b, b->palette.deep, b->palette.ground);
    for (int i = 0; i < 3; i++) {
        struct blob wash = {b->wide * (0.5f + 0.38f * sinf(2.3f * i + 0.10f * t)),
                            b->high * (0.15f + 0.35f * i),
                            0.72f,
                            1.4f,
                            0.6f * i,
                            0.55f,
                            b->palette.accent[(i + 1) & 3]};
        field_blob(b, &wash);
    }
    for (int i = 0; i < b->item_count; i++) {
        const struct item *it = &b->items[i];
        struct polygon *p = polygon_add(b);
        if (!p)
            return;
        p->corners = 3 + i % 2;
        p->alpha = it->weight;
        p->colour = i % 3 == 2 ? b->palette.deep : it->colour;
        float cx = it->x + 0.06f * sinf(0.19f * t + it->phase);
        float cy = it->y + 0.06f * cosf(0.15f * t + it->phase);
        for (int k = 0; k < p->corners; k++) {
            float a = it->phase + it->speed * t + TURN * k / p->corners;
            float r = it->size * (k & 1 ? 0.8f : 1.0f);
            p->x[k] = (cx + r * cosf(a)) * b->unit;
            p->y[k] = (cy + r * sinf(a)) * b->unit;
        }
    }
}

/* --- dots: a halftone sheet that a wave runs through --- */
void dots_init(struct backdrop *b)
{
    struct item *it = backdrop_item(b);
    it->phase = backdrop_any(b, 0, TURN);
    it->x = backdrop_any(b, 0.6f, 1.0f) * (rng_below(&b->rng, 2) ? 1 : -1);
    it->y = backdrop_any(b, 0.7f, 1.1f);
}

void dots_frame(struct backdrop *b, float t)
{
    const struct item *wave = &b->items[0];
    field_ground(b, b->palette.deep, b->palette.ground);
    for (int i = 0; i < 3; i++) {
        struct blob wash = {b->wide * (0.5f + 0.4f * sinf(2.0f * i + 0.11f * t + wave->phase)),
                            b->high * (0.15f + 0.35f * i),
                            0.8f,
                            1.3f,
                            0.5f * i,
                            0.5f,
                            b->palette.accent[i]};
        field_blob(b, &wash);
    }
    const float grid = 1 / 24.0f;
    int columns = (int)(b->wide / grid) + 2, rows = (int)(b->high / grid) + 2;
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            float x = (c + (r & 1 ? 0.5f : 0)) * grid, y = r * grid;
            float s = sinf(4.2f * (wave->x * x + wave->y * y) - 0.55f * t + wave->phase) +
                      0.6f * sinf(6.9f * (y - 0.6f * x) + 0.38f * t + 2 * wave->phase) +
                      0.4f * sinf(9.1f * x + 0.27f * t);
            float size = 0.5f + 0.25f * s;
            if (size < 0.08f)
                continue;
            struct sprite dot = {x * b->unit,
                                 y * b->unit,
                                 0.30f * grid * size * b->unit,
                                 1.2f,
                                 0.10f + 0.42f * size,
                                 colour_mix(b->palette.accent[3], b->palette.light, 0.25f * size)};
            sprite_add(b, &dot);
        }
    }
}
