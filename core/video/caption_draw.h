/*
 * caption_draw - captions and title of one segment, blended into its frames.
 *
 * What:    libass lays out and shapes each page once; the coverage of every word is kept, so that
 * lighting the next word only changes colours and can never move a letter. All of it is placed
 * inside safe margins and is made smaller when it would not fit. Styles: clean, bold, neon, paper
 * (an unknown one is clean).
 * Owner:   caption_draw_destroy; captions and title are borrowed until then.
 * Threads: one drawer, one thread at a time; any number of drawers in any threads.
 * Fails:   ERR_INTERNAL "make.render_failed" when libass or memory fails. A missing font is no
 * error: what no font covers is left out, and the log says so once.
 */
#ifndef NANOTIK_CAPTION_DRAW_H
#define NANOTIK_CAPTION_DRAW_H

#include <libavutil/frame.h>

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/story/caption.h"

enum { CAPTION_TITLE_MS = 2600 }; /* how long the title stands, fades included */

struct caption_draw;

/* captions may be NULL (title only), title may be NULL. Times of the track are times of
   caption_draw_frame. Width and height as of the frames, both even. */
bool caption_draw_create(int width, int height, const char *style,
                         const struct caption_track *captions, const char *title,
                         struct caption_draw **ret, struct err *e);
/* Draws what is on screen at time_ms. frame: writable, yuv420p, bt709 limited range, of the size
   given at create. Times may come in any order; ascending is fastest. */
bool caption_draw_frame(struct caption_draw *d, AVFrame *frame, int64_t time_ms, struct err *e);
void caption_draw_destroy(struct caption_draw *d); /* NULL is fine */

/* Where a word of the page on screen at time_ms is drawn, in pixels of the frame, outline not
   counted. False: no such page or word, or it has no ink. */
struct caption_box {
    int x, y, w, h;
};
bool caption_draw_word_box(struct caption_draw *d, int64_t time_ms, size_t word,
                           struct caption_box *ret);

#endif
