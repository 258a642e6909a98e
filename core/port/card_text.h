/*
 * card_text - the signs that every network draws a card's progress with.
 *
 * Owner:   the caller; texts are static.
 * Threads: pure functions.
 */
#ifndef NANOTIK_PORT_CARD_TEXT_H
#define NANOTIK_PORT_CARD_TEXT_H

#include "core/port/chat.h"

enum { CARD_BAR_TEXT = 64 }; /* with NUL */

/* In front of a stage's label, with the blank between them. */
const char *card_stage_mark(enum card_stage_state state);
/* "▰▰▰▱▱▱▱▱▱▱▱▱ 25 %"; above 100 counts as 100. */
void card_bar(int percent, char ret[static CARD_BAR_TEXT]);

#endif
