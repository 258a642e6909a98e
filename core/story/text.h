/*
 * text - the person's words, prepared: language, sentences, what is said aloud, and how long that
 * takes. ICU does the breaking (UAX #29).
 * Threads: pure functions.
 */
#ifndef NANOTIK_STORY_TEXT_H
#define NANOTIK_STORY_TEXT_H

#include "core/base/arena.h"
#include "core/base/base.h"

/* Sentence pieces of text in `lang`, each trimmed, at most max_bytes (longer ones are cut at clause
   marks, then at words, then anywhere between grapheme clusters). In the arena. */
const char **text_sentences(struct arena *a, const char *text, const char *lang, size_t max_bytes,
                            size_t *ret_count);
/* Groups sentences into scenes of about 5-10 s each at this rate (units per minute). A sentence is
   only torn, at its clauses, when it would take over 15 s. One line each, at most 1,900 bytes and
   what joins them. */
const char **text_scenes(struct arena *a, const char *text, const char *lang, int units_per_minute,
                         size_t *ret_count);
/* Words (UAX #29 word-like segments), or letters and digits for languages without spaces (zh, ja,
 * th). */
size_t text_units(const char *text, const char *lang);
/* Estimated length of the spoken text with the silence around each of its scenes. 0: nothing to
   say. */
int64_t text_duration_ms(const char *text, const char *lang, int units_per_minute);
/* The language whose script most letters have ("zh", "ar", "ru", ...; fa, ur and uk by letters of
   their own), or "" for Latin and for no letters. A Han, kana or Hangul letter weighs as three. */
const char *text_script_lang(const char *text);
/* Captions and voice agree: markdown marks, URLs, hashtags' '#', control characters removed, spaces
   collapsed, NFC. Lines that an editor wrapped are joined; headings, list items and paragraphs are
   one line each, separated by one '\n'. Caller frees. Emoji stay (captions show them; speech
   engines blank them). */
char *text_clean(const char *text);
bool text_has_words(const char *text); /* any letter or digit */
bool text_is_emoji(int32_t cp);

/* What the text is about, for the footage search: its content words, lower case, rarest first (long
   words, names), stop words left out (en, zh, ar and the larger European languages). Each at most
   60 bytes; at most max. */
const char **text_terms(struct arena *a, const char *text, const char *lang, size_t max,
                        size_t *ret_count);

/* One word of text for the highlight: bytes [at, at+len), no white space at its edges, marks
   included with the word they touch; a mark between spaces ("so - yes", French "oui !") goes with
   the word before it. Han, kana, Thai, Khmer...: dictionary words. Tokens never overlap. */
struct text_token {
    size_t at, len;
};
struct text_token *text_tokens(struct arena *a, const char *text, const char *lang,
                               size_t *ret_count);
bool text_is_rtl(const char *lang);

#endif
