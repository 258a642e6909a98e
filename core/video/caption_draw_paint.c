#include "core/video/caption_draw_paint.h"

#include <math.h>

#include "core/base/base.h"

static const struct caption_look look_clean = {
    .name = "clean",
    .fill = 0xFFFFFFFF,
    .lit_fill = 0xFFD60AFF,
    .edge = 0x0B0D12F0,
    .outline = 0.062,
    .shadow = 0x000000B0,
    .shadow_blur = 0.13,
    .shadow_drop = 0.05,
    .accent = 0xFFD60AFF,
};

static const struct caption_look look_bold = {
    .name = "bold",
    .fill = 0xFFFFFFFF,
    .lit_fill = 0xFFFFFFFF,
    .edge = 0x08060FFF,
    .outline = 0.105,
    .shadow = 0x00000099,
    .shadow_blur = 0.10,
    .shadow_drop = 0.09,
    .marker = 0x7A2BFFFF,
    .accent = 0x7A2BFFFF,
};

static const struct caption_look look_neon = {
    .name = "neon",
    .fill = 0xEFFCFFFF,
    .lit_fill = 0xFFF3A8FF,
    .edge = 0x060A24F0,
    .outline = 0.05,
    .shadow = 0x02031AD8,
    .shadow_blur = 0.22,
    .glow = 0x00C8FFD0,
    .lit_glow = 0xFF2BD6FF,
    .glow_blur = 0.17,
    .accent = 0xFF2FE0FF,
};

static const struct caption_look look_paper = {
    .name = "paper",
    .fill = 0x23262DFF,
    .lit_fill = 0x15171CFF,
    .outline = 0,
    .shadow = 0x00000070,
    .shadow_blur = 0.12,
    .shadow_drop = 0.05,
    .panel = 0xFBF7EDF4,
    .marker = 0xFFC933FF,
    .accent = 0xE4572EFF,
};

static const struct caption_look *const looks[] = {&look_clean, &look_bold, &look_neon,
                                                   &look_paper};

const struct caption_look *caption_look_find(const char *style)
{
    for (size_t i = 0; style && i < COUNT(looks); i++)
        if (strcmp(looks[i]->name, style) == 0)
            return looks[i];
    return looks[0];
}

double caption_look_pad(const struct caption_look *look)
{
    double soft = look->shadow_blur * 2 + look->shadow_drop;
    double box = look->panel ? 0.42 + soft : look->marker ? 0.25 : 0;
    return MAX(MAX(soft, box), look->glow_blur * 3);
}

/* --- masks --- */

/* Sliding mean over 2r+1 samples, `step` apart. */
static void blur_run(const uint8_t *in, uint8_t *out, int count, ptrdiff_t step, int r)
{
    int window = 2 * r + 1, sum = 0;
    for (int i = 0; i < MIN(r, count); i++)
        sum += in[i * step];
    for (int i = 0; i < count; i++) {
        if (i + r < count)
            sum += in[(i + r) * step];
        if (i - r - 1 >= 0)
            sum -= in[(i - r - 1) * step];
        out[i * step] = (uint8_t)((sum + r) / window);
    }
}

/* Three box blurs each way: close to a Gaussian of this standard deviation. */
static void blur(uint8_t *mask, uint8_t *scratch, int w, int h, double sigma)
{
    int r = (int)lrint(sigma * 0.85);
    if (r < 1)
        return;
    for (int pass = 0; pass < 3; pass++) {
        for (int y = 0; y < h; y++)
            blur_run(mask + (ptrdiff_t)y * w, scratch + (ptrdiff_t)y * w, w, 1, r);
        for (int x = 0; x < w; x++)
            blur_run(scratch + x, mask + x, h, w, r);
    }
}

struct rounded {
    double x0, y0, x1, y1, radius;
};

/* Adds a rounded rectangle to a mask, edges anti-aliased by distance. */
static void add_rounded(uint8_t *mask, int w, int h, const struct rounded *r)
{
    double cx = (r->x0 + r->x1) / 2, cy = (r->y0 + r->y1) / 2;
    double radius = MIN(r->radius, MIN(r->x1 - r->x0, r->y1 - r->y0) / 2);
    double bx = (r->x1 - r->x0) / 2 - radius, by = (r->y1 - r->y0) / 2 - radius;
    int top = MAX(0, (int)r->y0 - 1), bottom = MIN(h, (int)r->y1 + 2);
    int left = MAX(0, (int)r->x0 - 1), right = MIN(w, (int)r->x1 + 2);
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            double dx = fmax(fabs(x + 0.5 - cx) - bx, 0), dy = fmax(fabs(y + 0.5 - cy) - by, 0);
            double cover = CLAMP(radius + 0.5 - hypot(dx, dy), 0, 1);
            uint8_t *m = &mask[(ptrdiff_t)y * w + x];
            *m = MAX(*m, (uint8_t)lrint(255 * cover));
        }
}

static struct rounded line_box(const struct layout *lay, int x0, int x1, size_t line, double side,
                               double grow)
{
    double base = lay->lines[line].baseline - lay->y, em = lay->em;
    return (struct rounded){.x0 = x0 - lay->x - side * em,
                            .x1 = x1 - lay->x + side * em,
                            .y0 = base - (0.96 + grow) * em,
                            .y1 = base + (0.30 + grow) * em,
                            .radius = (0.2 + grow) * em};
}

static void add_panels(uint8_t *mask, const struct layout *lay)
{
    for (size_t i = 0; i < lay->line_count; i++) {
        const struct layout_line *l = &lay->lines[i];
        if (l->x1 <= l->x0)
            continue;
        struct rounded r = line_box(lay, l->x0, l->x1, i, 0.34, 0.1);
        add_rounded(mask, lay->w, lay->h, &r);
    }
}

/* --- colour --- */

/* -O2 of this compiler leaves such loops scalar; blending runs on every frame. */
#ifdef __clang__
#define VECTOR
#else
#define VECTOR __attribute__((optimize("O3")))
#endif

static inline int div255(int v)
{
    return (v + 128 + ((v + 128) >> 8)) >> 8;
}

/* colour * cover over the premultiplied pixel */
static inline void over(uint8_t *px, uint32_t colour, int cover)
{
    int a = div255((int)(colour & 0xFF) * cover);
    if (!a)
        return;
    px[0] = (uint8_t)(div255((int)(colour >> 24) * a) + div255(px[0] * (255 - a)));
    px[1] = (uint8_t)(div255((int)(colour >> 16 & 0xFF) * a) + div255(px[1] * (255 - a)));
    px[2] = (uint8_t)(div255((int)(colour >> 8 & 0xFF) * a) + div255(px[2] * (255 - a)));
    px[3] = (uint8_t)(a + div255(px[3] * (255 - a)));
}

static void over_mask(uint8_t *rgba, const uint8_t *mask, size_t count, uint32_t colour, int gain)
{
    for (size_t i = 0; i < count; i++)
        if (mask[i])
            over(rgba + 4 * i, colour, MIN(255, mask[i] * gain / 16));
}

static void add_emoji(uint8_t *mask, const struct layout *lay, const struct layout_emoji *em)
{
    for (int y = 0; y < em->size; y++)
        for (int x = 0; x < em->size; x++) {
            int tx = em->x + x - lay->x, ty = em->y + y - lay->y;
            if (tx < 0 || ty < 0 || tx >= lay->w || ty >= lay->h)
                continue;
            uint8_t *m = &mask[(ptrdiff_t)ty * lay->w + tx];
            *m = MAX(*m, em->rgba[4 * ((ptrdiff_t)y * em->size + x) + 3]);
        }
}

/* Letters with outlines and emoji, or the panel: what casts the shadow. */
static void shadow_mask(uint8_t *mask, const struct layout *lay, const struct caption_look *look,
                        int drop)
{
    size_t size = (size_t)lay->w * (size_t)lay->h;
    if (look->panel) {
        add_panels(mask, lay);
    } else {
        for (size_t i = 0; i < size; i++)
            mask[i] = MAX(lay->edge[i], lay->fill[i]);
        for (size_t n = 0; n < lay->emoji_count; n++)
            add_emoji(mask, lay, &lay->emoji[n]);
    }
    size_t down = (size_t)drop * (size_t)lay->w;
    if (down && down < size) {
        memmove(mask + down, mask, size - down);
        memset(mask, 0, down);
    }
}

/* The bar under a title. */
static void add_accent(uint8_t *mask, const struct layout *lay, const struct caption_look *look)
{
    const struct layout_line *last = &lay->lines[lay->line_count - 1];
    double em = lay->em, mid = (last->x0 + last->x1) / 2.0 - lay->x;
    double top = last->baseline - lay->y + (look->panel ? 0.50 : 0.42) * em;
    struct rounded r = {mid - 0.8 * em, top, mid + 0.8 * em, top + 0.11 * em, 0.055 * em};
    add_rounded(mask, lay->w, lay->h, &r);
}

bool overlay_begin(struct overlay *o, const struct layout *lay, const struct caption_look *look,
                   bool title)
{
    size_t size = (size_t)lay->w * (size_t)lay->h;
    *o = (struct overlay){.x = lay->x, .y = lay->y, .w = lay->w, .h = lay->h};
    AUTO(free_ptr) uint8_t *mask = calloc(size + 1, 1);
    AUTO(free_ptr) uint8_t *scratch = calloc(size + 1, 1);
    o->under = calloc(4 * size + 1, 1);
    o->rgba = malloc(4 * size + 1);
    for (size_t i = 0; i < COUNT(o->planes); i++)
        o->planes[i] = calloc((i == 0 || i == 3 ? size : size / 4) + 1, 1);
    if (!mask || !scratch || !o->under || !o->rgba || !o->planes[0] || !o->planes[1] ||
        !o->planes[2] || !o->planes[3] || !o->planes[4]) {
        overlay_free(o);
        return false;
    }
    if (!lay->line_count || !size)
        return true;
    shadow_mask(mask, lay, look, (int)lrint(look->shadow_drop * lay->em));
    blur(mask, scratch, lay->w, lay->h, look->shadow_blur * lay->em);
    over_mask(o->under, mask, size, look->shadow, look->panel ? 16 : 26);
    if (look->glow) {
        memcpy(mask, lay->fill, size);
        blur(mask, scratch, lay->w, lay->h, look->glow_blur * lay->em);
        over_mask(o->under, mask, size, look->glow, 30);
    }
    if (look->panel) {
        memset(mask, 0, size);
        add_panels(mask, lay);
        over_mask(o->under, mask, size, look->panel, 16);
    }
    if (title && look->accent) {
        memset(mask, 0, size);
        add_accent(mask, lay, look);
        over_mask(o->under, mask, size, look->accent, 16);
    }
    return true;
}

/* Glow of the lit word alone: blurred inside a window around it. */
static bool paint_lit_glow(struct overlay *o, const struct layout *lay,
                           const struct caption_look *look, int lit)
{
    const struct caption_box *word = &lay->words[lit];
    int pad = (int)(3 * look->glow_blur * lay->em);
    int x0 = MAX(0, word->x - lay->x - pad), x1 = MIN(lay->w, word->x + word->w - lay->x + pad);
    int y0 = MAX(0, word->y - lay->y - pad), y1 = MIN(lay->h, word->y + word->h - lay->y + pad);
    if (x1 <= x0 || y1 <= y0)
        return true;
    int w = x1 - x0, h = y1 - y0;
    AUTO(free_ptr) uint8_t *mask = calloc((size_t)w * (size_t)h, 2);
    if (!mask)
        return false;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)(y + y0) * (size_t)lay->w + (size_t)(x + x0);
            mask[(ptrdiff_t)y * w + x] = lay->owner[at] == lit + 1 ? lay->fill[at] : 0;
        }
    blur(mask, mask + (ptrdiff_t)w * h, w, h, look->glow_blur * lay->em);
    for (int y = 0; y < h; y++)
        over_mask(o->rgba + 4 * ((ptrdiff_t)(y + y0) * lay->w + x0), mask + (ptrdiff_t)y * w,
                  (size_t)w, look->lit_glow, 34);
    return true;
}

/* Room for the marker beside a word: less where the next word stands close, as in Chinese. */
static double marker_side(const struct layout *lay, int lit, bool left, double wanted)
{
    const struct caption_box *word = &lay->words[lit];
    double room = wanted * lay->em;
    for (size_t i = 0; i < lay->word_count; i++) {
        const struct caption_box *b = &lay->words[i];
        bool beside = (int)i != lit && b->w > 0 && lay->word_lines[i] == lay->word_lines[lit] &&
                      (left ? b->x < word->x : b->x > word->x);
        double gap = left ? word->x - b->x - b->w : b->x - word->x - word->w;
        if (beside)
            room = fmin(room, fmax(gap * 0.6, 0.03 * lay->em));
    }
    return room;
}

static bool paint_marker(struct overlay *o, const struct layout *lay,
                         const struct caption_look *look, int lit)
{
    const struct caption_box *word = &lay->words[lit];
    AUTO(free_ptr) uint8_t *mask = calloc((size_t)lay->w * (size_t)lay->h + 1, 1);
    if (!mask)
        return false;
    double side = look->panel ? 0.1 : 0.17;
    struct rounded r = line_box(lay, word->x, word->x + word->w, lay->word_lines[lit], 0, 0);
    r.x0 -= marker_side(lay, lit, true, side);
    r.x1 += marker_side(lay, lit, false, side);
    r.y0 = fmin(r.y0, word->y - lay->y - 0.12 * lay->em); /* stacked marks, deep tails */
    r.y1 = fmax(r.y1, word->y + word->h - lay->y + 0.12 * lay->em);
    add_rounded(mask, lay->w, lay->h, &r);
    over_mask(o->rgba, mask, (size_t)lay->w * (size_t)lay->h, look->marker, 16);
    return true;
}

static void paint_emoji(struct overlay *o, const struct layout_emoji *em)
{
    for (int y = 0; y < em->size; y++)
        for (int x = 0; x < em->size; x++) {
            int tx = em->x + x - o->x, ty = em->y + y - o->y;
            if (tx < 0 || ty < 0 || tx >= o->w || ty >= o->h)
                continue;
            const uint8_t *p = em->rgba + 4 * ((ptrdiff_t)y * em->size + x);
            uint32_t colour =
                (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | 0xFF;
            over(o->rgba + 4 * ((ptrdiff_t)ty * o->w + tx), colour, p[3]);
        }
}

/* bt709 limited range of premultiplied RGB; alpha carries the black offset. Rounded, 16.16. */
VECTOR static void to_planes(struct overlay *o)
{
    uint8_t *Y = o->planes[0], *U = o->planes[1], *V = o->planes[2], *A = o->planes[3];
    size_t count = (size_t)o->w * (size_t)o->h;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = o->rgba + 4 * i;
        Y[i] = (uint8_t)((11966 * p[0] + 40254 * p[1] + 4064 * p[2] + 4112 * p[3] + 32768) >> 16);
        A[i] = p[3];
    }
    int cw = o->w / 2;
    for (int y = 0; y < o->h / 2; y++)
        for (int x = 0; x < cw; x++) {
            int sum[4] = {0};
            for (int k = 0; k < 4; k++) {
                ptrdiff_t left = (ptrdiff_t)2 * x, top = (ptrdiff_t)2 * y;
                ptrdiff_t at = (top + (k >> 1)) * o->w + left + (k & 1);
                for (int c = 0; c < 4; c++)
                    sum[c] += o->rgba[4 * at + c];
            }
            int u = (-6596 * sum[0] - 22189 * sum[1] + 28784 * sum[2] + 32896 * sum[3]) / 4;
            int v = (28784 * sum[0] - 26145 * sum[1] - 2639 * sum[2] + 32896 * sum[3]) / 4;
            ptrdiff_t to = (ptrdiff_t)y * cw + x;
            U[to] = (uint8_t)CLAMP((u + 32768) >> 16, 0, 255);
            V[to] = (uint8_t)CLAMP((v + 32768) >> 16, 0, 255);
            o->planes[4][to] = (uint8_t)((sum[3] + 2) / 4);
        }
}

bool overlay_paint(struct overlay *o, const struct layout *lay, const struct caption_look *look,
                   int lit)
{
    size_t size = (size_t)lay->w * (size_t)lay->h;
    memcpy(o->rgba, o->under, 4 * size);
    bool has_lit = lit >= 0 && (size_t)lit < lay->word_count && lay->words[lit].w > 0;
    if (has_lit && look->lit_glow && !paint_lit_glow(o, lay, look, lit))
        return false;
    if (look->edge)
        over_mask(o->rgba, lay->edge, size, look->edge, 16);
    /* Over the outlines: a thick dark outline would hide most of the marker. */
    if (has_lit && look->marker && !paint_marker(o, lay, look, lit))
        return false;
    for (size_t i = 0; i < size; i++)
        if (lay->fill[i])
            over(o->rgba + 4 * i, has_lit && lay->owner[i] == lit + 1 ? look->lit_fill : look->fill,
                 lay->fill[i]);
    for (size_t n = 0; n < lay->emoji_count; n++)
        paint_emoji(o, &lay->emoji[n]);
    to_planes(o);
    return true;
}

VECTOR static void blend_plane(uint8_t *dst, ptrdiff_t dst_step, const uint8_t *src,
                               const uint8_t *alpha, int w, int h, int opacity)
{
    for (int y = 0; y < h; y++, dst += dst_step, src += w, alpha += w) {
        if (opacity == 255) {
            for (int x = 0; x < w; x++)
                dst[x] = (uint8_t)MIN(255, src[x] + div255(dst[x] * (255 - alpha[x])));
        } else {
            for (int x = 0; x < w; x++) {
                int a = div255(alpha[x] * opacity);
                dst[x] = (uint8_t)MIN(255, div255(src[x] * opacity) + div255(dst[x] * (255 - a)));
            }
        }
    }
}

void overlay_blend(const struct overlay *o, AVFrame *f, int opacity)
{
    if (o->w <= 0 || o->h <= 0)
        return;
    blend_plane(f->data[0] + (ptrdiff_t)o->y * f->linesize[0] + o->x, f->linesize[0], o->planes[0],
                o->planes[3], o->w, o->h, opacity);
    for (int c = 1; c < 3; c++)
        blend_plane(f->data[c] + (ptrdiff_t)(o->y / 2) * f->linesize[c] + o->x / 2, f->linesize[c],
                    o->planes[c], o->planes[4], o->w / 2, o->h / 2, opacity);
}

void overlay_free(struct overlay *o)
{
    free(o->under);
    free(o->rgba);
    for (size_t i = 0; i < COUNT(o->planes); i++)
        free(o->planes[i]);
    *o = (struct overlay){0};
}
