/*
 * strbuf - a growing text with a ceiling.
 *
 * What:    appends; after an append that would pass `max` bytes or lacks memory, the buffer is
 *          failed and further appends do nothing; ask once, at the end.
 * Owner:   strbuf_free by the owner (AUTO(strbuf_free) works); strbuf_take hands the text over.
 * Threads: none.
 */
#ifndef NANOTIK_STRBUF_H
#define NANOTIK_STRBUF_H

#include <stdarg.h>

#include "core/base/base.h"

struct strbuf {
    char *text;  /* NUL-terminated once something was added; NULL before */
    size_t len;  /* bytes without the NUL */
    size_t room; /* allocated bytes */
    size_t max;  /* ceiling for len */
    bool failed;
};

#define STRBUF(max_bytes)  \
    {                      \
        .max = (max_bytes) \
    }

void strbuf_add(struct strbuf *b, const void *bytes, size_t len);
void strbuf_adds(struct strbuf *b, const char *text);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF(2, 3);
void strbuf_addv(struct strbuf *b, const char *fmt, va_list args) PRINTF(2, 0);
/* Empties it and clears `failed`; keeps the memory. */
void strbuf_reset(struct strbuf *b);
/* "" when nothing was added; never NULL. Valid until the next change. */
const char *strbuf_text(const struct strbuf *b);
/* The text, now the caller's to free(), "" included; NULL when the buffer failed (and frees it). */
MUST_USE char *strbuf_take(struct strbuf *b);
void strbuf_free(struct strbuf *b);

/* Copies at most size-1 bytes, cut at a UTF-8 boundary, always terminated. False when cut. */
bool str_copy(char *dest, size_t size, const char *src);
/* strdup / asprintf that abort the program when memory is gone: for small texts of our own. */
MUST_USE char *str_dup(const char *text);
MUST_USE char *str_printf(const char *fmt, ...) PRINTF(1, 2);
/* Whole text is a decimal number in [low, high]. */
bool str_to_int(const char *text, int64_t low, int64_t high, int64_t *ret_value);
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

#endif
