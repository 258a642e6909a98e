/*
 * screen - what is on the terminal: text that scrolls away, and below it the cards that still
 * change, and below them the line that is being typed.
 *
 * What:    on a terminal the moving part is wiped and drawn anew around every output; on a pipe
 *          text is only ever added.
 * Owner:   screen_free.
 * Threads: screen_lock/unlock around everything else; the line editor holds the lock while it
 *          works and lets go of it while it waits for a key.
 */
#ifndef NANOTIK_TERMINAL_SCREEN_H
#define NANOTIK_TERMINAL_SCREEN_H

#include <pthread.h>

#include "core/base/strbuf.h"
#include "core/port/chat.h"

enum { SCREEN_CARDS = 32 }; /* newest cards that can still be edited */

struct screen_card {
    char ref[CHAT_REF_MAX]; /* "" = free */
    char *text;             /* as drawn, for cards that change */
    bool live;
    int percent_told; /* plain output: last quarter told */
    unsigned stages_told;
};

struct screen {
    int fd;
    bool fancy;  /* a terminal */
    bool broken; /* nobody reads any more */
    pthread_mutex_t lock;
    struct screen_card cards[SCREEN_CARDS]; /* oldest first */
    size_t card_count;
    int live_rows; /* on the terminal now, above the prompt */
    /* The line editor; set while a prompt is shown. */
    bool prompt;
    int (*cursor_row)(void *ctx); /* rows from the prompt's first to the cursor */
    void (*redraw)(void *ctx);    /* draws prompt and line at the cursor */
    void *ctx;
};

void screen_init(struct screen *s, int fd, bool fancy);
void screen_free(struct screen *s);
void screen_lock(struct screen *s);
void screen_unlock(struct screen *s);

int screen_columns(const struct screen *s);
/* All with the lock held. */
void screen_print(struct screen *s, const char *text);
void screen_add(struct screen *s, const char *ref, const struct card *card);
/* False: no such card (any more). */
bool screen_change(struct screen *s, const char *ref, const struct card *card);
/* The card stops changing and makes room for what is printed instead. */
bool screen_end_card(struct screen *s, const char *ref);
/* Takes the moving part away, the prompt included. */
void screen_wipe(struct screen *s);

#endif
