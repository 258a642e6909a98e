#pragma GCC optimize("O3") /* runs over many pixels of every frame */
#include <math.h>

#include "core/video/backdrop_paint.h"

void sprite_add(struct backdrop *b, const struct sprite *s)
{
    float reach = s->radius + s->edge + 1;
    if (b->sprite_count >= SPRITES_MAX || s->alpha <= 0.004f || s->x < -reach || s->y < -reach ||
        s->x > b->width + reach || s->y > b->height + reach)
        return;
    b->sprites[b->sprite_count++] = *s;
}

struct polygon *polygon_add(struct backdrop *b)
{
    return b->polygon_count < POLYGONS_MAX ? &b->polygons[b->polygon_count++] : NULL;
}

static float sprite_top(const struct sprite *s)
{
    return s->y - s->radius - s->edge - 2;
}

static int by_top(const void *a, const void *b)
{
    float ta = sprite_top(a), tb = sprite_top(b);
    return (ta > tb) - (ta < tb);
}

void shapes_begin(struct backdrop *b)
{
    if (b->sprite_count)
        qsort(b->sprites, (size_t)b->sprite_count, sizeof(*b->sprites), by_top);
    b->sprite_next = b->active_count = 0;
    for (int c = 0; c < b->curve_count; c++) {
        const float *h = b->curves + (size_t)c * (size_t)b->width;
        b->curve_top[c] = b->curve_bottom[c] = h[0];
        for (int x = 1; x < b->width; x++) {
            b->curve_top[c] = MIN(b->curve_top[c], h[x]);
            b->curve_bottom[c] = MAX(b->curve_bottom[c], h[x]);
        }
    }
}

static float plane_value(struct colour c, int plane)
{
    return plane == 0 ? c.y : plane == 1 ? c.u : c.v;
}

static void sprite_row(const struct sprite *s, int plane, int y, int width, int16_t *row)
{
    float scale = plane ? 0.5f : 1;
    float cx = s->x * scale - (plane ? 0.25f : 0), cy = s->y * scale;
    float radius = s->radius * scale, edge = s->edge * scale;
    float dy = y + 0.5f - cy, reach = radius + edge;
    float target = sample_of(plane_value(s->colour, plane), plane);
    if (fabsf(dy) >= reach)
        return;
    float half = sqrtf(reach * reach - dy * dy);
    int low = MAX((int)floorf(cx - half), 0), high = MIN((int)ceilf(cx + half), width - 1);
    if (edge > 0) {
        for (int x = low; x <= high; x++) {
            float dx = x + 0.5f - cx, d = sqrtf(dx * dx + dy * dy);
            float a = CLAMP(0.5f + (radius - d) / edge, 0.0f, 1.0f) * s->alpha;
            row[x] = (int16_t)(row[x] + (target - row[x]) * a);
        }
        return;
    }
    float inverse = 1 / (radius * radius);
    for (int x = low; x <= high; x++) {
        float dx = x + 0.5f - cx, q = 1 - (dx * dx + dy * dy) * inverse;
        q = q > 0 ? q : 0;
        row[x] = (int16_t)(row[x] + (target - row[x]) * q * q * s->alpha);
    }
}

static void sprites_row(struct backdrop *b, int plane, int y, int width, int16_t *row)
{
    if (plane == 0) { /* luma rows ascend: let the next ones in, the passed ones out */
        while (b->sprite_next < b->sprite_count && sprite_top(&b->sprites[b->sprite_next]) <= y + 1)
            b->active[b->active_count++] = b->sprite_next++;
        int kept = 0;
        for (int i = 0; i < b->active_count; i++) {
            const struct sprite *s = &b->sprites[b->active[i]];
            if (s->y + s->radius + s->edge + 2 >= y)
                b->active[kept++] = b->active[i];
        }
        b->active_count = kept;
    }
    for (int i = 0; i < b->active_count; i++)
        sprite_row(&b->sprites[b->active[i]], plane, y, width, row);
}

/* Left and right end of a convex polygon on the line y; false when the line misses it. */
static bool polygon_span(const struct polygon *p, float y, float *ret_left, float *ret_right)
{
    float left = 1e9f, right = -1e9f;
    for (int i = 0; i < p->corners; i++) {
        int k = (i + 1) % p->corners;
        float ya = p->y[i], yb = p->y[k];
        if ((ya <= y) == (yb <= y))
            continue;
        float x = p->x[i] + (p->x[k] - p->x[i]) * (y - ya) / (yb - ya);
        left = MIN(left, x);
        right = MAX(right, x);
    }
    *ret_left = left;
    *ret_right = right;
    return left < right;
}

static void polygon_edge(const float *left, const float *right, int lines, int low, int high,
                         float target, float alpha, int16_t *row)
{
    for (int x = low; x < high; x++) {
        float cover = 0;
        for (int i = 0; i < lines; i++)
            cover += MAX(0.0f, MIN(x + 1.0f, right[i]) - MAX((float)x, left[i]));
        row[x] = (int16_t)(row[x] + (target - row[x]) * alpha * cover * 0.25f);
    }
}

/* Four lines of sight per row; only the ends of the span need them. */
static void polygon_row(const struct polygon *p, int plane, int y, int width, int16_t *row)
{
    float scale = plane ? 2 : 1, left[4], right[4];
    float outer_left = 1e9f, outer_right = -1e9f, inner_left = -1e9f, inner_right = 1e9f;
    int lines = 0;
    for (int i = 0; i < 4; i++) {
        float l, r;
        if (!polygon_span(p, (y + (i + 0.5f) / 4) * scale, &l, &r))
            continue;
        left[lines] = l / scale;
        right[lines] = r / scale;
        outer_left = MIN(outer_left, left[lines]);
        outer_right = MAX(outer_right, right[lines]);
        inner_left = MAX(inner_left, left[lines]);
        inner_right = MIN(inner_right, right[lines]);
        lines++;
    }
    if (!lines || outer_right <= 0 || outer_left >= width)
        return;
    float target = sample_of(plane_value(p->colour, plane), plane);
    int from = CLAMP((int)floorf(outer_left), 0, width);
    int to = CLAMP((int)ceilf(outer_right), 0, width);
    int solid = to, solid_end = to;
    if (lines == 4 && inner_left < inner_right) {
        solid = CLAMP((int)ceilf(inner_left), from, to);
        solid_end = CLAMP((int)floorf(inner_right), solid, to);
    }
    polygon_edge(left, right, lines, from, solid, target, p->alpha, row);
    int fixed = (int)(p->alpha * 32768), goal = (int)target;
    for (int x = solid; x < solid_end; x++)
        row[x] = (int16_t)(row[x] + ((goal - row[x]) * fixed >> 15));
    polygon_edge(left, right, lines, solid_end, to, target, p->alpha, row);
}

static void curve_row(struct backdrop *b, int curve, int plane, int y, int width, int16_t *row)
{
    int step = plane ? 2 : 1;
    float line = (y + 0.5f) * step;
    if (line < b->curve_top[curve] - 1)
        return;
    const float *h = b->curves + (size_t)curve * (size_t)b->width;
    const int16_t *tint = b->curve_tint + ((size_t)curve * 3 + (size_t)plane) * CURVE_STEPS;
    float per_px = CURVE_STEPS / (b->unit * 0.9f), last = CURVE_STEPS - 1;
    bool edge = line < b->curve_bottom[curve] + 1;
    for (int x = 0; x < width; x++) {
        float depth = line - h[(size_t)x * (size_t)step];
        float at = depth * per_px;
        at = at < 0 ? 0 : at > last ? last : at;
        int value = tint[(int)at];
        if (edge) {
            float cover = depth / step + 0.5f;
            cover = cover < 0 ? 0 : cover > 1 ? 1 : cover;
            value = (int)(row[x] + (value - row[x]) * cover);
        }
        row[x] = (int16_t)value;
    }
}

void shapes_row(struct backdrop *b, int plane, int y, int16_t *row)
{
    int width = plane ? b->width / 2 : b->width;
    float line = (y + 0.5f) * (plane ? 2 : 1);
    int first = 0; /* the frontmost curve that fills the row hides the ones behind */
    for (int c = 0; c < b->curve_count; c++)
        if (line > b->curve_bottom[c] + 1)
            first = c;
    for (int c = first; c < b->curve_count; c++)
        curve_row(b, c, plane, y, width, row);
    for (int i = 0; i < b->polygon_count; i++)
        polygon_row(&b->polygons[i], plane, y, width, row);
    sprites_row(b, plane, y, width, row);
}
