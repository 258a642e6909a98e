/*
 * text_break - ICU break iterators over UTF-8, opened once and set to many texts. Internal to
 * core/story.
 *
 * What:    positions are byte offsets.
 * Owner:   text_break_close; AUTO works.
 * Threads: one breaker, one thread.
 * Fails:   never; ICU without its data is a broken installation and ends the program.
 */
#ifndef NANOTIK_STORY_TEXT_BREAK_H
#define NANOTIK_STORY_TEXT_BREAK_H

#include <unicode/ubrk.h>

#include "core/base/base.h"

struct text_break {
    UBreakIterator *it;
};

void text_break_open(struct text_break *b, UBreakIteratorType type, const char *lang);
/* text stays where it is as long as the breaker is used. */
void text_break_set(struct text_break *b, const char *text, size_t len);
void text_break_close(struct text_break *b);

/* lang's primary subtag is one of zh, yue, ja, th, lo, km, my: no spaces between words. */
bool text_lang_unspaced(const char *lang);
/* Written without spaces between words: Han, kana, Thai, Lao, Khmer, Burmese. */
bool text_cp_unspaced(int32_t cp);
/* Full-width punctuation or a letter of such a script: no space belongs beside it. */
bool text_cp_wide(int32_t cp);
/* Code point that ends before byte `at`, or -1 at the start. */
int32_t text_cp_before(const char *text, size_t at);
int32_t text_cp_at(const char *text, size_t len, size_t at);
/* As text_units, with a word breaker already open. */
size_t text_units_with(struct text_break *words, const char *text, size_t len, bool unspaced);

#endif
