/*
 * draw - a card as lines of text.
 * Threads: pure functions.
 */
#ifndef NANOTIK_TERMINAL_DRAW_H
#define NANOTIK_TERMINAL_DRAW_H

#include "core/base/strbuf.h"
#include "core/port/chat.h"

enum { DRAW_MAX = 1 << 20 };

/* A card that is going to change: it has stages or a progress bar. */
bool draw_is_live(const struct card *card);
/* Lines that each end in '\n'. fancy: with bold, dim and a bar. */
void draw_card(struct strbuf *out, const struct card *card, bool fancy);
/* One line for a log-like output: "[ 40 %] Voice, Pictures · about 20 s left\n". */
void draw_progress(struct strbuf *out, const struct card *card);
/* The film's title and facts, then its files, one path per line. */
void draw_video(struct strbuf *out, const struct chat_video *video, bool fancy);
/* Long lines go on below, broken between words, with the indentation of their start. */
void draw_wrapped(struct strbuf *out, const char *text, int columns);
/* 0, 1 or 2 columns. */
int draw_char_width(int32_t cp);
/* Columns that a text of len bytes takes; escape sequences take none. */
int draw_width(const char *text, size_t len);
/* Bytes of the longest start of text that takes at most `columns`. */
size_t draw_fit(const char *text, size_t len, int columns);

#endif
