/*
 * caption - spoken words become pages of caption: what is on screen when, and which word is lit.
 *
 * What:    a page is one or two lines that stand while their words are spoken. Line breaks are
 *          decided here (ICU line breaking, so Chinese breaks without spaces), never by the
 *          renderer.
 * Owner:   caption_track_free.
 */
#ifndef NANOTIK_CAPTION_H
#define NANOTIK_CAPTION_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/port/speech.h"

struct caption_page {
    int start_ms, end_ms;      /* on the same clock as the words given */
    char *text;                /* valid UTF-8, '\n' between lines */
    struct speech_word *words; /* positions in text */
    size_t word_count;
};

struct caption_track {
    struct caption_page *pages;
    size_t page_count;
    char lang[16];
    bool rtl;
};

/* Width of a text in em-like units, so that pages can be filled before they are drawn: Latin letter
 * about 0.55, CJK and emoji 1.0. */
double caption_width(const char *text, size_t len);
/* Width of a caption line in those units for a picture of this size: 9:16 about 9.5, 16:9 about 18.
   The size of the letters follows from it. */
double caption_line_width(int width, int height);

/* words as in speech_result, shifted by offset_ms. line_width in the units above; at most two lines
   a page. A page starts with its first word and ends with the next page's start or `hold_ms` after
   its last word, whatever is sooner. */
bool caption_build(const char *narration, const struct speech_word *words, size_t word_count,
                   const char *lang, int offset_ms, double line_width, struct caption_track *ret,
                   struct err *e);
void caption_track_free(struct caption_track *t);

/* Text in as few lines as line_width asks for, at most max_lines, of about equal width (wider than
   line_width when max_lines are not enough), '\n' between them. *ret_text is the caller's. */
bool caption_wrap(const char *text, const char *lang, double line_width, size_t max_lines,
                  char **ret_text, struct err *e);

struct storyboard;
/* SubRip: one cue per page over the whole timeline. *ret_text is the caller's. */
bool caption_srt(const struct storyboard *s, char **ret_text, struct err *e);

#endif
