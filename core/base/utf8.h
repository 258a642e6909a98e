/*
 * utf8 - bytes from outside become valid text, and text is walked by code point.
 * Threads: pure functions.
 */
#ifndef NANOTIK_UTF8_H
#define NANOTIK_UTF8_H

#include "core/base/base.h"

/* Decodes the code point at *pos and moves past it; invalid bytes give U+FFFD and move by one.
   At the end of the text (pos >= len) returns -1. */
int32_t utf8_next(const char *text, size_t len, size_t *pos);
/* Appends the encoding of cp to out (up to 4 bytes); returns the count. */
size_t utf8_put(char out[static 4], int32_t cp);
bool utf8_valid(const char *text, size_t len);
/* Largest cut <= len that does not split a code point. */
size_t utf8_cut(const char *text, size_t len);
size_t utf8_count(const char *text);
/* In place: invalid bytes, C0 controls but tab and newline, DEL, bidi overrides and embeddings
   (U+202A-E, U+2066-9), C1 controls, zero-width characters (U+180E, U+200B, U+2060-4, U+FEFF; ZWNJ,
   ZWJ, LRM and RLM stay) are removed; a lone carriage return becomes a newline. Returns how many
   bytes were invalid UTF-8. */
size_t utf8_clean(char *text);

#endif
