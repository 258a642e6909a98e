#pragma GCC optimize("O3") /* small loops over every cell of every frame */
/* The looks that live in the field alone: everything soft. */
#include <math.h>

#include "core/video/backdrop_paint.h"

/* Paints over one cell of the field. */
static inline void mix(struct backdrop *b, size_t at, const struct colour *c, float alpha)
{
    b->paint[0][at] += (c->y - b->paint[0][at]) * alpha;
    b->paint[1][at] += (c->u - b->paint[1][at]) * alpha;
    b->paint[2][at] += (c->v - b->paint[2][at]) * alpha;
}

/* --- aurora: curtains of light that bend into each other --- */
void aurora_init(struct backdrop *b)
{
    for (int i = 0; i < 7; i++) {
        struct item *it = backdrop_item(b);
        it->x = backdrop_any(b, 0.05f, 0.95f) * b->wide;
        it->y = (i + backdrop_any(b, 0.2f, 0.8f)) / 7 * b->high;
        it->size = backdrop_any(b, 0.34f, 0.62f);
        it->phase = backdrop_any(b, 0, TURN);
        it->speed = backdrop_any(b, 0.12f, 0.22f) * (i & 1 ? 1 : -1);
        it->weight = backdrop_any(b, 0.45f, 0.78f);
        it->colour = b->palette.accent[i & 3];
    }
}

void aurora_frame(struct backdrop *b, float t)
{
    field_ground(b, b->palette.deep, b->palette.ground);
    field_warp(b, 0.085f, 1.5f * t, b->items[0].phase);
    for (int i = 0; i < b->item_count; i++) {
        const struct item *it = &b->items[i];
        float p = it->phase + it->speed * t;
        struct blob blob = {
            .x = it->x + 0.22f * sinf(1.3f * p),
            .y = it->y + 0.20f * cosf(p),
            .radius = it->size * (1 + 0.12f * sinf(0.7f * p)),
            .stretch = 1.9f,
            .angle = -0.6f + 0.35f * sinf(0.8f * p + 1),
            .alpha = it->weight * (0.85f + 0.15f * sinf(1.7f * p)),
            .colour = it->colour,
        };
        field_blob(b, &blob);
    }
    /* One dark fold gives the light something to stand against. */
    float p = b->items[0].phase + 0.11f * t;
    struct blob fold = {b->wide * (0.5f + 0.3f * sinf(p)),
                        b->high * (0.5f + 0.22f * cosf(1.2f * p)),
                        0.30f,
                        3.2f,
                        0.75f + 0.25f * sinf(p),
                        0.62f,
                        b->palette.deep};
    field_blob(b, &fold);
}

/* --- bokeh: lamps out of focus --- */
void bokeh_init(struct backdrop *b)
{
    int count = (int)(24 * MAX(b->wide, b->high));
    for (int i = 0; i < count; i++) {
        struct item *it = backdrop_item(b);
        float near = backdrop_any(b, 0, 1);
        it->x = backdrop_any(b, -0.1f, b->wide + 0.1f);
        it->y = backdrop_any(b, 0, b->high + 0.5f);
        it->size = 0.022f + 0.115f * near * near;
        it->speed = 0.008f + 0.030f * near;
        it->phase = backdrop_any(b, 0, TURN);
        it->weight = backdrop_any(b, 0.20f, 0.52f) * (1.15f - 0.5f * near);
        it->colour = b->palette.accent[rng_below(&b->rng, 4)];
    }
}

static void bokeh_disc(struct backdrop *b, float cx, float cy, float radius, float alpha,
                       struct colour k)
{
    float step = b->cell / b->unit, soft = MAX(1.6f * step, radius * 0.10f), reach = radius + soft;
    int y0 = MAX((int)((cy - reach) / step), 0),
        y1 = MIN((int)((cy + reach) / step), b->field_h - 1);
    int x0 = MAX((int)((cx - reach) / step), 0),
        x1 = MIN((int)((cx + reach) / step), b->field_w - 1);
    for (int y = y0; y <= y1; y++) {
        size_t at = (size_t)y * (size_t)b->field_w;
        float *py = b->paint[0] + at, *pu = b->paint[1] + at, *pv = b->paint[2] + at;
        float dy = (y + 0.5f) * step - cy;
        for (int x = x0; x <= x1; x++) {
            float dx = (x + 0.5f) * step - cx, d = sqrtf(dx * dx + dy * dy);
            float in = (radius - d) / soft + 0.5f;
            in = in < 0 ? 0 : in > 1 ? 1 : in;
            float r = d / radius, rim = r * r;
            float a = alpha * in * in * (3 - 2 * in) * (0.55f + 0.65f * rim * rim * rim);
            py[x] += (k.y * 1.08f - py[x]) * a;
            pu[x] += (k.u - pu[x]) * a;
            pv[x] += (k.v - pv[x]) * a;
        }
    }
}

void bokeh_frame(struct backdrop *b, float t)
{
    field_ground(b, b->palette.deep, colour_mix(b->palette.deep, b->palette.ground, 0.7f));
    float p = b->items[0].phase;
    for (int i = 0; i < 3; i++) {
        struct blob glow = {b->wide * (0.5f + 0.42f * sinf(2.1f * i + 0.09f * t + p)),
                            b->high * (0.2f + 0.3f * i + 0.06f * cosf(0.11f * t + i)),
                            0.75f,
                            1.3f,
                            0.4f * i,
                            0.50f,
                            b->palette.accent[i]};
        field_blob(b, &glow);
    }
    float loop = b->high + 0.5f;
    for (int i = 0; i < b->item_count; i++) {
        const struct item *it = &b->items[i];
        float y = fmodf(it->y + 20 * loop - it->speed * t, loop) - 0.25f;
        float x = it->x + 0.035f * sinf(0.25f * t + it->phase);
        float breath = 0.75f + 0.25f * sinf(0.5f * t + 2 * it->phase);
        bokeh_disc(b, x, y, it->size, it->weight * breath, it->colour);
    }
}

/* --- ribbons: folds of silk --- */
void ribbons_init(struct backdrop *b)
{
    for (int i = 0; i < 7; i++) {
        struct item *it = backdrop_item(b);
        it->y = b->high * (0.06f + 0.88f * (i + backdrop_any(b, 0.3f, 0.7f)) / 7);
        it->size = backdrop_any(b, 0.22f, 0.46f);
        it->phase = backdrop_any(b, 0, TURN);
        it->speed = backdrop_any(b, 0.10f, 0.19f) * (rng_below(&b->rng, 2) ? 1 : -1);
        it->weight = backdrop_any(b, 0.55f, 0.85f);
        it->x = backdrop_any(b, -0.55f, 0.15f); /* slope */
        it->colour = b->palette.accent[i & 3];
    }
}

static float ribbon_y(const struct item *it, float x, float t)
{
    float p = it->phase + it->speed * t;
    return it->y + it->x * (x - 0.5f) + 0.16f * sinf(2.6f * x + 2.1f * p) +
           0.06f * sinf(5.9f * x - 1.6f * p + 1.7f * it->phase);
}

static void ribbon_paint(struct backdrop *b, const struct item *it, float t)
{
    float step = b->cell / b->unit, edge = 1.4f * step;
    for (int x = 0; x < b->field_w; x++) {
        float u = (x + 0.5f) * step, top = ribbon_y(it, u, t);
        float size = it->size * (0.75f + 0.35f * sinf(1.9f * u + 0.17f * t + it->phase));
        /* Light lies where the fold TURNs: brighter on one slope of the wave. */
        float slope = ribbon_y(it, u + 0.04f, t) - top;
        float light = 0.62f + 5.5f * slope;
        light = CLAMP(light, 0.15f, 1.15f);
        struct colour k = colour_mix(b->palette.ground, it->colour, light);
        int y0 = CLAMP((int)((top - edge) / step), 0, b->field_h);
        int y1 = CLAMP((int)((top + size) / step) + 1, 0, b->field_h);
        for (int y = y0; y < y1; y++) {
            float d = (y + 0.5f) * step - top;
            float in = CLAMP(d / edge + 0.5f, 0.0f, 1.0f), out = CLAMP(1 - d / size, 0.0f, 1.0f);
            float a = it->weight * in * out * out;
            size_t at = (size_t)y * (size_t)b->field_w + (size_t)x;
            mix(b, at, &k, a);
        }
    }
}

void ribbons_frame(struct backdrop *b, float t)
{
    field_ground(b, b->palette.ground, b->palette.deep);
    for (int i = 0; i < b->item_count; i++)
        ribbon_paint(b, &b->items[i], t);
}

/* --- rays: light through a high window, and dust in it --- */
void rays_init(struct backdrop *b)
{
    float side = rng_below(&b->rng, 2) ? 0.12f : 0.88f;
    struct item *lamp = backdrop_item(b);
    lamp->x = side * b->wide;
    lamp->y = -0.22f;
    lamp->phase = backdrop_any(b, 0, TURN);
    float step = b->cell / b->unit;
    for (int y = 0; y < b->field_h; y++)
        for (int x = 0; x < b->field_w; x++)
            b->ray_angle[(size_t)y * (size_t)b->field_w + (size_t)x] =
                atan2f((x + 0.5f) * step - lamp->x, (y + 0.5f) * step - lamp->y);
    for (int i = 0; i < 150; i++) {
        struct item *it = backdrop_item(b);
        it->x = backdrop_any(b, 0, b->wide);
        it->y = backdrop_any(b, 0, b->high);
        it->size = 0.0016f + 0.0042f * backdrop_any(b, 0, 1) * backdrop_any(b, 0, 1);
        it->phase = backdrop_any(b, 0, TURN);
        it->speed = backdrop_any(b, 0.004f, 0.016f);
        it->weight = backdrop_any(b, 0.15f, 0.55f);
    }
}

static void rays_light(struct backdrop *b, float t)
{
    const struct item *lamp = &b->items[0];
    float step = b->cell / b->unit, phase = lamp->phase;
    for (int i = 0; i < 1024; i++) {
        float a = (i - 512) * (TURN / 2 / 512);
        float s = 0.5f + 0.26f * sinf(9 * a + 0.16f * t + phase) +
                  0.20f * sinf(17 * a - 0.23f * t + 2 * phase) +
                  0.13f * sinf(31 * a + 0.19f * t + 3 * phase);
        b->ray_table[i] = CLAMP(s, 0.0f, 1.0f);
    }
    struct colour near = colour_mix(b->palette.accent[0], b->palette.light, 0.25f);
    struct colour far = b->palette.accent[1];
    for (int y = 0; y < b->field_h; y++) {
        float dy = (y + 0.5f) * step - lamp->y;
        for (int x = 0; x < b->field_w; x++) {
            size_t at = (size_t)y * (size_t)b->field_w + (size_t)x;
            float dx = (x + 0.5f) * step - lamp->x;
            float reach = 1 - sqrtf(dx * dx + dy * dy) / (b->high + 0.5f);
            reach = reach > 0 ? reach : 0;
            float place = (b->ray_angle[at] * (2 / TURN) + 1) * 511.5f;
            int i = (int)place;
            float part = place - i;
            int next = i < 1023 ? i + 1 : i;
            float ray = b->ray_table[i] + (b->ray_table[next] - b->ray_table[i]) * part;
            float a = ray * reach * (0.34f + 0.66f * reach);
            struct colour k = colour_mix(far, near, reach);
            mix(b, at, &k, a);
        }
    }
}

void rays_frame(struct backdrop *b, float t)
{
    const struct item *lamp = &b->items[0];
    field_ground(b, b->palette.ground, b->palette.deep);
    struct blob haze = {
        b->wide - lamp->x,   b->high * 0.95f + 0.05f * sinf(0.2f * t), 0.85f, 1.4f, 0.2f, 0.55f,
        b->palette.accent[2]};
    field_blob(b, &haze);
    rays_light(b, t);
    for (int i = 1; i < b->item_count; i++) {
        const struct item *it = &b->items[i];
        float x = it->x + 0.05f * sinf(0.21f * t + it->phase);
        float y = fmodf(it->y + 8 * b->high - it->speed * t, b->high);
        float a = it->weight * (0.55f + 0.45f * sinf(0.9f * t + 3 * it->phase));
        struct sprite s = {x * b->unit, y * b->unit, MAX(1.6f, 2.2f * it->size * b->unit),
                           0,           a,           b->palette.light};
        sprite_add(b, &s);
    }
}

/* --- ripples: light on slowly moving water --- */
void ripples_init(struct backdrop *b)
{
    for (int i = 0; i < 4; i++) {
        struct item *it = backdrop_item(b);
        it->x = backdrop_any(b, -0.2f, 1.2f) * b->wide;
        it->y = backdrop_any(b, -0.1f, 1.1f) * b->high;
        it->size = backdrop_any(b, 5.0f, 9.5f); /* waves per unit, in radians */
        it->phase = backdrop_any(b, 0, TURN);
        it->speed = backdrop_any(b, 0.35f, 0.6f);
        it->weight = backdrop_any(b, 0.20f, 0.30f);
    }
}

void ripples_frame(struct backdrop *b, float t)
{
    float step = b->cell / b->unit;
    field_ground(b, b->palette.ground, b->palette.deep);
    field_warp(b, 0.05f, t, b->items[0].phase);
    for (int i = 0; i < 3; i++) {
        struct blob wash = {b->wide * (0.5f + 0.4f * sinf(1.9f * i + 0.12f * t)),
                            b->high * (0.15f + 0.35f * i),
                            0.8f,
                            1.3f,
                            0.5f * i,
                            0.6f,
                            b->palette.accent[i]};
        field_blob(b, &wash);
    }
    const struct colour lit = colour_mix(b->palette.accent[3], b->palette.light, 0.35f);
    for (int y = 0; y < b->field_h; y++) {
        size_t at = (size_t)y * (size_t)b->field_w;
        for (int x = 0; x < b->field_w; x++) {
            float u = (x + 0.5f) * step + b->warp_y[y], v = (y + 0.5f) * step + b->warp_x[x];
            float sum = 0;
            for (int i = 0; i < 4; i++) {
                const struct item *it = &b->items[i];
                float dx = u - it->x, dy = v - it->y;
                sum += sinf(it->size * sqrtf(dx * dx + dy * dy) - it->speed * t + it->phase);
            }
            /* Crests are lit, troughs lie in shade: a surface, seen from above. */
            float swell = sinf(1.35f * sum + 0.2f * t), a = swell * swell;
            const struct colour *c = swell > 0 ? &lit : &b->palette.deep;
            a *= swell > 0 ? 0.42f * a : 0.55f;
            mix(b, at + (size_t)x, c, a);
        }
    }
}
