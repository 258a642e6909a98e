#pragma GCC optimize("O3") /* small loops over every cell of every frame */
#include <math.h>

#include "core/video/backdrop_paint.h"

void field_ground(struct backdrop *b, struct colour top, struct colour bottom)
{
    for (int y = 0; y < b->field_h; y++) {
        float t = (float)y / (float)MAX(b->field_h - 1, 1);
        t = t * t * (3 - 2 * t);
        struct colour c = colour_mix(top, bottom, t);
        size_t at = (size_t)y * (size_t)b->field_w;
        for (int x = 0; x < b->field_w; x++) {
            b->paint[0][at + (size_t)x] = c.y;
            b->paint[1][at + (size_t)x] = c.u;
            b->paint[2][at + (size_t)x] = c.v;
        }
    }
    memset(b->warp_x, 0, (size_t)b->field_w * sizeof(float));
    memset(b->warp_y, 0, (size_t)b->field_h * sizeof(float));
}

void field_warp(struct backdrop *b, float amount, float t, float phase)
{
    float step = b->cell / b->unit;
    for (int x = 0; x < b->field_w; x++) {
        float u = (x + 0.5f) * step;
        b->warp_x[x] = amount * (sinf(3.1f * u + 0.21f * t + phase) +
                                 0.5f * sinf(7.3f * u - 0.33f * t + 2 * phase));
    }
    for (int y = 0; y < b->field_h; y++) {
        float u = (y + 0.5f) * step;
        b->warp_y[y] = amount * (sinf(2.7f * u - 0.17f * t + 3 * phase) +
                                 0.5f * sinf(6.1f * u + 0.29f * t + phase));
    }
}

/* Mixes the blob's colour in with a smooth fall-off to nothing at its radius. */
void field_blob(struct backdrop *b, const struct blob *blob)
{
    float step = b->cell / b->unit;
    float along = 1 / (blob->radius * blob->stretch), across = 1 / blob->radius;
    float c = cosf(blob->angle), s = sinf(blob->angle);
    float xx = c * along, xy = s * along, yx = -s * across, yy = c * across;
    const struct colour k = blob->colour;
    for (int y = 0; y < b->field_h; y++) {
        size_t at = (size_t)y * (size_t)b->field_w;
        float *py = b->paint[0] + at, *pu = b->paint[1] + at, *pv = b->paint[2] + at;
        float base_x = b->warp_y[y] - blob->x, base_y = (y + 0.5f) * step - blob->y;
        for (int x = 0; x < b->field_w; x++) {
            float dx = (x + 0.5f) * step + base_x, dy = base_y + b->warp_x[x];
            float p = dx * xx + dy * xy, q = dx * yx + dy * yy;
            float d = 1 - (p * p + q * q);
            d = d > 0 ? d : 0;
            float a = blob->alpha * d * d;
            py[x] += (k.y - py[x]) * a;
            pu[x] += (k.u - pu[x]) * a;
            pv[x] += (k.v - pv[x]) * a;
        }
    }
}

/* To 8.6, with a soft ceiling that keeps white captions readable. */
void field_quantise(struct backdrop *b)
{
    size_t cells = (size_t)b->field_w * (size_t)b->field_h;
    const float knee = PALETTE_LUMA_MAX - 0.12f, room = PALETTE_LUMA_MAX - knee;
    for (size_t i = 0; i < cells; i++) {
        float y = b->paint[0][i], over = (y - knee) / room;
        float soft = knee + room * over / (1 + over);
        y = over > 0 ? soft : y;
        y = y > 0 ? y : 0;
        b->field[0].data[i] = (int16_t)((16 + 219 * y) * 64);
    }
    for (int p = 1; p < 3; p++) {
        for (size_t i = 0; i < cells; i++) {
            float c = b->paint[p][i];
            c = c > 0.5f ? 0.5f : c < -0.5f ? -0.5f : c;
            b->field[p].data[i] = (int16_t)((128 + 224 * c) * 64);
        }
    }
}
