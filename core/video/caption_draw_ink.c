#include "core/video/caption_draw_ink.h"

#include <math.h>

#define EMOJI_RISE 0.90 /* top above the baseline, in em */

static void box_add(struct caption_box *b, int x, int y, int w, int h)
{
    if (b->w == 0) {
        *b = (struct caption_box){x, y, w, h};
        return;
    }
    int x1 = MAX(b->x + b->w, x + w), y1 = MAX(b->y + b->h, y + h);
    b->x = MIN(b->x, x);
    b->y = MIN(b->y, y);
    b->w = x1 - b->x;
    b->h = y1 - b->y;
}

static unsigned image_word(const ASS_Image *im)
{
    return im->color >> 24;
}

static unsigned image_emoji(const ASS_Image *im)
{
    return im->color >> 16 & 0xFF;
}

/* Line of a word (1-based); what belongs to no word is on the line nearest to its foot. */
static size_t line_of(const struct layout *lay, unsigned word, int y)
{
    if (word >= 1 && word <= lay->word_count)
        return lay->word_lines[word - 1];
    size_t best = 0;
    for (size_t i = 1; i < lay->line_count; i++)
        if (abs(lay->lines[i].baseline - y) < abs(lay->lines[best].baseline - y))
            best = i;
    return best;
}

/* Notes ink of a word (1-based, 0: none) on its line. */
static void note_ink(struct layout *lay, unsigned word, size_t line, int x, int y, int w, int h)
{
    struct layout_line *on = &lay->lines[line];
    on->x0 = on->x1 > on->x0 ? MIN(on->x0, x) : x;
    on->x1 = MAX(on->x1, x + w);
    if (word >= 1 && word <= lay->word_count)
        box_add(&lay->words[word - 1], x, y, w, h);
}

/* Columns of the image that have ink: libass pads its bitmaps. */
static bool ink_of(const ASS_Image *im, struct caption_box *ret)
{
    int x0 = im->w, x1 = 0, y0 = im->h, y1 = 0;
    for (int y = 0; y < im->h; y++)
        for (int x = 0; x < im->w; x++)
            if (im->bitmap[(ptrdiff_t)y * im->stride + x] > 8) {
                x0 = MIN(x0, x);
                x1 = MAX(x1, x + 1);
                y0 = MIN(y0, y);
                y1 = y + 1;
            }
    *ret = (struct caption_box){im->dst_x + x0, im->dst_y + y0, x1 - x0, y1 - y0};
    return x1 > x0;
}

void ink_measure(const ASS_Image *images, int width, struct layout *lay)
{
    int shift = width / 2;
    for (const ASS_Image *im = images; im; im = im->next) {
        struct caption_box ink;
        if (im->type != IMAGE_TYPE_CHARACTER || !ink_of(im, &ink))
            continue;
        size_t line = line_of(lay, image_word(im), ink.y + ink.h);
        unsigned n = image_emoji(im);
        if (n >= 1 && n <= lay->emoji_count) {
            struct layout_emoji *emoji = &lay->emoji[n - 1];
            emoji->x = ink.x - shift + (ink.w - emoji->size) / 2;
            emoji->y = lay->lines[line].baseline - (int)lrint(EMOJI_RISE * lay->em);
            note_ink(lay, image_word(im), line, emoji->x, emoji->y, emoji->size, emoji->size);
        } else {
            note_ink(lay, image_word(im), line, ink.x - shift, ink.y, ink.w, ink.h);
        }
    }
}

int ink_widest_line(const struct layout *lay)
{
    int width = 0;
    for (size_t i = 0; i < lay->line_count; i++)
        width = MAX(width, lay->lines[i].x1 - lay->lines[i].x0);
    return width;
}

void ink_set_region(int width, int height, double pad, struct layout *lay)
{
    int x0 = width, x1 = 0;
    for (size_t i = 0; i < lay->line_count; i++) {
        if (lay->lines[i].x1 <= lay->lines[i].x0)
            continue;
        x0 = MIN(x0, lay->lines[i].x0);
        x1 = MAX(x1, lay->lines[i].x1);
    }
    int y0 = lay->lines[0].baseline, y1 = lay->lines[lay->line_count - 1].baseline;
    y0 -= (int)(1.2 * lay->em + pad);
    y1 += (int)(0.6 * lay->em + pad);
    x0 = MAX(0, x0 - (int)pad) & ~1;
    y0 = MAX(0, y0) & ~1;
    x1 = MIN(width, x1 + (int)pad + 2) & ~1;
    y1 = MIN(height, y1 + 2) & ~1;
    lay->x = x0;
    lay->y = y0;
    lay->w = MAX(0, x1 - x0);
    lay->h = MAX(0, y1 - y0);
}

static void copy_image(const ASS_Image *im, int shift, uint8_t *plane, uint8_t *owner,
                       const struct layout *lay)
{
    for (int y = 0; y < im->h; y++) {
        int to_y = im->dst_y + y - lay->y;
        if (to_y < 0 || to_y >= lay->h)
            continue;
        for (int x = 0; x < im->w; x++) {
            int to_x = im->dst_x + x - shift - lay->x;
            if (to_x < 0 || to_x >= lay->w)
                continue;
            uint8_t cover = im->bitmap[(ptrdiff_t)y * im->stride + x];
            size_t at = (size_t)to_y * (size_t)lay->w + (size_t)to_x;
            if (cover <= plane[at])
                continue;
            plane[at] = cover;
            if (owner)
                owner[at] = (uint8_t)image_word(im);
        }
    }
}

bool ink_copy_masks(const ASS_Image *images, int width, struct layout *lay)
{
    size_t size = (size_t)lay->w * (size_t)lay->h;
    lay->fill = calloc(size + 1, 1);
    lay->edge = calloc(size + 1, 1);
    lay->owner = calloc(size + 1, 1);
    if (!lay->fill || !lay->edge || !lay->owner)
        return false;
    for (const ASS_Image *im = images; im; im = im->next) {
        if (image_emoji(im))
            continue;
        if (im->type == IMAGE_TYPE_CHARACTER)
            copy_image(im, width / 2, lay->fill, lay->owner, lay);
        else if (im->type == IMAGE_TYPE_OUTLINE)
            copy_image(im, width / 2, lay->edge, NULL, lay);
    }
    return true;
}
