/*
 * caption_draw_layout - libass shapes and places lines of text; their coverage is kept per word.
 * Private to caption_draw.
 *
 * What:    every word is given its own "colour" (a number), so that one libass pass over the whole
 * line tells which pixels belong to which word, with shaping and bidi order as in the plain line.
 */
#ifndef NANOTIK_CAPTION_DRAW_LAYOUT_H
#define NANOTIK_CAPTION_DRAW_LAYOUT_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/video/caption_draw.h"

enum { LAYOUT_LINES_MAX = 4, LAYOUT_WORDS_MAX = 250, LAYOUT_EMOJI_MAX = 64 };

struct layout_text {
    const char *text; /* '\n' between lines */
    const struct speech_word *words;
    size_t word_count;
    const char *lang;
    bool rtl;
    double em;        /* wanted size; made smaller until the widest line fits */
    double outline;   /* in em */
    double pad;       /* room around the letters for shadow and boxes, in em */
    double width_max; /* of the letters, in pixels */
    double center_y;  /* of the block of lines */
    double top;       /* > 0: the block hangs from here instead */
};

struct layout_emoji {
    int x, y, size; /* in the frame */
    uint8_t *rgba;
};

struct layout {
    int x, y, w, h; /* part of the frame that is touched; all even */
    uint8_t *fill;  /* w * h: letters */
    uint8_t *edge;  /* w * h: outline, or nothing */
    uint8_t *owner; /* w * h: word + 1 of the letter there, 0 = none */
    double em;
    struct caption_box *words; /* in the frame; w = 0: no ink */
    uint8_t *word_lines;
    size_t word_count;
    struct layout_line {
        int x0, x1, baseline; /* in the frame; x1 <= x0: nothing on it */
    } lines[LAYOUT_LINES_MAX];
    size_t line_count;
    double spacing; /* from line to line, in pixels */
    struct layout_emoji emoji[LAYOUT_EMOJI_MAX];
    size_t emoji_count;
};

struct layouter;
bool layouter_create(int width, int height, struct layouter **ret, struct err *e);
bool layouter_lay(struct layouter *l, const struct layout_text *text, struct layout *ret,
                  struct err *e);
void layouter_destroy(struct layouter *l); /* NULL is fine */
void layout_free(struct layout *lay);      /* zeroed is fine */

#endif
