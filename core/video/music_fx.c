#include <math.h>

#include "core/video/music_priv.h"

/* Lengths without common factors, 25 to 62 ms. */
static const size_t verb_length[VERB_LINES] = {1217, 1433, 1657, 1901, 2153, 2389, 2671, 2969};
static const size_t diffuse_length[2][2] = {
    {211, 557},
    {233, 601}
};

#define VERB_SECONDS 2.1 /* to -60 dB */

static float diffuse(float *line, size_t length, size_t at, float x)
{
    float *slot = &line[at % length];
    float out = *slot - 0.6f * x;
    *slot = x + 0.6f * out;
    return out;
}

void reverb_run(struct reverb *r, const float *in_left, const float *in_right, float *left,
                float *right, size_t count, float level)
{
    float feedback[VERB_LINES];
    for (int k = 0; k < VERB_LINES; k++)
        feedback[k] = (float)pow(10, -3.0 * (double)verb_length[k] / (VERB_SECONDS * MUSIC_RATE));
    for (size_t i = 0; i < count; i++, r->at++) {
        float in[2] = {in_left[i], in_right[i]};
        for (int c = 0; c < 2; c++)
            for (int k = 0; k < 2; k++)
                in[c] = diffuse(r->diffuse[c][k], diffuse_length[c][k], r->at, in[c]);
        float out[VERB_LINES], sum = 0;
        for (int k = 0; k < VERB_LINES; k++) {
            float x = r->line[k][r->at % verb_length[k]];
            r->damp[k] += 0.55f * (x - r->damp[k]); /* high tones die first, as in a room */
            out[k] = r->damp[k];
            sum += out[k];
        }
        float wet[2] = {0};
        for (int k = 0; k < VERB_LINES; k++) {
            wet[k & 1] += k & 2 ? -out[k] : out[k];
            float mixed = out[k] - sum * (2.0f / VERB_LINES); /* Householder */
            r->line[k][r->at % verb_length[k]] = in[k & 1] + mixed * feedback[k];
        }
        left[i] += level * 0.35f * wet[0];
        right[i] += level * 0.35f * wet[1];
    }
}

/* Ping-pong: what was left comes back right, softer and darker. */
void delay_run(struct delay *d, const float *in_left, const float *in_right, float *left,
               float *right, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float a = d->left[d->at], b = d->right[d->at];
        d->damp[0] += 0.35f * (a - d->damp[0]);
        d->damp[1] += 0.35f * (b - d->damp[1]);
        d->left[d->at] = in_left[i] + 0.38f * d->damp[1];
        d->right[d->at] = in_right[i] + 0.38f * d->damp[0];
        d->at = d->at + 1 < d->length ? d->at + 1 : 0;
        left[i] += d->damp[1];
        right[i] += d->damp[0];
    }
}

/* Filter shapes after the Audio EQ cookbook (R. Bristow-Johnson). */
struct biquad biquad_high_pass(double rate, double hz, double q)
{
    double w = 2 * M_PI * hz / rate, c = cos(w), alpha = sin(w) / (2 * q), a0 = 1 + alpha;
    return (struct biquad){.b0 = (1 + c) / 2 / a0,
                           .b1 = -(1 + c) / a0,
                           .b2 = (1 + c) / 2 / a0,
                           .a1 = -2 * c / a0,
                           .a2 = (1 - alpha) / a0};
}

struct biquad biquad_peak(double rate, double hz, double q, double db)
{
    double w = 2 * M_PI * hz / rate, c = cos(w), alpha = sin(w) / (2 * q), a = pow(10, db / 40);
    double a0 = 1 + alpha / a;
    return (struct biquad){.b0 = (1 + alpha * a) / a0,
                           .b1 = -2 * c / a0,
                           .b2 = (1 - alpha * a) / a0,
                           .a1 = -2 * c / a0,
                           .a2 = (1 - alpha / a) / a0};
}

struct biquad biquad_high_shelf(double rate, double hz, double db)
{
    double w = 2 * M_PI * hz / rate, c = cos(w), a = pow(10, db / 40);
    double root = 2 * sqrt(a) * sin(w) / 2 * M_SQRT2;
    double a0 = (a + 1) - (a - 1) * c + root;
    return (struct biquad){.b0 = a * ((a + 1) + (a - 1) * c + root) / a0,
                           .b1 = -2 * a * ((a - 1) + (a + 1) * c) / a0,
                           .b2 = a * ((a + 1) + (a - 1) * c - root) / a0,
                           .a1 = 2 * ((a - 1) - (a + 1) * c) / a0,
                           .a2 = ((a + 1) - (a - 1) * c - root) / a0};
}

double biquad_step(struct biquad *b, int channel, double x)
{
    double *z = b->z[channel];
    double y = b->b0 * x + z[0];
    z[0] = b->b1 * x - b->a1 * y + z[1];
    z[1] = b->b2 * x - b->a2 * y;
    return y;
}
