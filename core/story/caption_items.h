/*
 * caption_items - narration and spoken words as the pieces that pages are made of. Private to the
 * caption files.
 */
#ifndef NANOTIK_CAPTION_ITEMS_H
#define NANOTIK_CAPTION_ITEMS_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/port/speech.h"

enum item_mark { MARK_NONE, MARK_CLAUSE, MARK_SENTENCE };

/* A word with the punctuation and emoji that touch it, or a piece of a word too long for a line. */
struct caption_item {
    size_t at, len; /* bytes of the narration, without white space at the ends */
    double width;
    int start_ms, end_ms;
    bool space_after;    /* white space follows in the text */
    bool break_after;    /* a line may end here */
    enum item_mark mark; /* what ends with it */
    bool leans;          /* an article or the like: belongs to the word after it */
};

/* *ret_items is the caller's, to free(). No item is wider than line_width. */
bool caption_items_build(const char *narration, const struct speech_word *words, size_t word_count,
                         const char *lang, double line_width, struct caption_item **ret_items,
                         size_t *ret_count, struct err *e);

#endif
