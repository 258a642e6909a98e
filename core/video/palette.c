#include "core/video/palette.h"

#include <math.h>

#include "core/base/rng.h"

/* Hue angles in OKLCH degrees: ground, then four accents. */
static const float schemes[][5] = {
    {265, 285, 320, 235, 200}, /* indigo night: violet, pink, blue, cyan */
    {230, 200, 175, 255, 290}, /* ocean: teal, sea green, blue, violet */
    {300, 345, 25,  55,  285}, /* dusk: magenta, coral, amber, purple */
    {190, 165, 150, 215, 235}, /* forest lake: green, teal, blue */
    {20,  40,  65,  350, 320}, /* embers: orange, amber, rose, magenta */
    {255, 60,  35,  280, 230}, /* blue hour with a warm lamp */
    {330, 300, 270, 355, 45 }, /* orchid: purple, blue, rose, peach */
    {215, 245, 185, 160, 330}, /* glacier with a pink edge */
    {280, 195, 310, 340, 250}, /* northern light: cyan, purple, pink */
    {165, 185, 215, 155, 265}, /* emerald: teal, blue, violet */
};

static float decode_gamma(double linear)
{
    double x = CLAMP(linear, 0.0, 1.0);
    return (float)(x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055);
}

/* One OKLCH colour; chroma is lowered until it exists in sRGB. */
static struct colour oklch(double l, double chroma, double degrees)
{
    double r = 0, g = 0, b = 0;
    for (int i = 0; i < 12; i++, chroma *= 0.88) {
        double a = chroma * cos(degrees * M_PI / 180), bb = chroma * sin(degrees * M_PI / 180);
        double l_ = l + 0.3963377774 * a + 0.2158037573 * bb;
        double m_ = l - 0.1055613458 * a - 0.0638541728 * bb;
        double s_ = l - 0.0894841775 * a - 1.2914855480 * bb;
        double ll = l_ * l_ * l_, mm = m_ * m_ * m_, ss = s_ * s_ * s_;
        r = 4.0767416621 * ll - 3.3077115913 * mm + 0.2309699292 * ss;
        g = -1.2684380046 * ll + 2.6097574011 * mm - 0.3413193965 * ss;
        b = -0.0041960863 * ll - 0.7034186147 * mm + 1.7076147010 * ss;
        if (MIN(r, MIN(g, b)) >= 0 && MAX(r, MAX(g, b)) <= 1)
            break;
    }
    float rr = decode_gamma(r), gg = decode_gamma(g), bb = decode_gamma(b);
    struct colour c;
    c.y = 0.2126f * rr + 0.7152f * gg + 0.0722f * bb;
    c.u = (bb - c.y) / 1.8556f;
    c.v = (rr - c.y) / 1.5748f;
    return c;
}

static const struct mood {
    const char *style;
    double deep_l, ground_l, accent_l, ground_chroma, accent_chroma;
} moods[] = {
    {"clean", 0.18, 0.34, 0.64, 0.085, 0.150},
    {"bold",  0.15, 0.33, 0.63, 0.110, 0.190},
    {"neon",  0.11, 0.22, 0.66, 0.090, 0.240},
    {"paper", 0.36, 0.50, 0.66, 0.035, 0.075},
};

void palette_make(struct palette *p, uint64_t seed, const char *style)
{
    const struct mood *m = &moods[0];
    for (size_t i = 0; i < COUNT(moods) && style; i++)
        if (strcmp(moods[i].style, style) == 0)
            m = &moods[i];
    struct rng r = rng_make(seed, 0x70616c);
    const float *hues = schemes[rng_below(&r, COUNT(schemes))];
    double shift = rng_range(&r, -9, 9);
    p->deep = oklch(m->deep_l, m->ground_chroma * 0.8, hues[0] + shift);
    p->ground = oklch(m->ground_l, m->ground_chroma, hues[0] + shift + rng_range(&r, -14, 14));
    for (int i = 0; i < 4; i++)
        p->accent[i] =
            oklch(m->accent_l + rng_range(&r, -0.05, 0.03), m->accent_chroma, hues[1 + i] + shift);
    p->light = oklch(0.93, 0.03, hues[1] + shift);
}

struct colour colour_mix(struct colour a, struct colour b, float t)
{
    return (struct colour){a.y + (b.y - a.y) * t, a.u + (b.u - a.u) * t, a.v + (b.v - a.v) * t};
}
