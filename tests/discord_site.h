/*
 * discord_site - the built program with a fake Discord, and a fake Telegram beside it: what a scripted
 * person does there and sees.
 *
 * Use:     dsite_open and dsite_close around each case (state is a struct site); all else between.
 * Threads: main only.
 */
#ifndef NANOTIK_TEST_DISCORD_SITE_H
#define NANOTIK_TEST_DISCORD_SITE_H

#include <cjson/cJSON.h>

#include "tests/fake_discord.h"
#include "tests/fake_telegram.h"
#include "tests/session.h"

enum {
    DSITE_START_MS = 60000,
    DSITE_ANSWER_MS = 15000,
    DSITE_VIDEO_MS = 180000,
    DSITE_STOP_MS = 30000
};

struct dsite {
    struct fake_node fake, other; /* Discord, Telegram */
};
extern struct dsite dsite;

int dsite_open(void **state);
int dsite_close(void **state);
/* crash: NANOTIK_CRASH_AT, or NULL; both: Telegram is served as well. */
struct session *dsite_start(struct site *p, const char *crash, bool both);
void dsite_stop(struct session *s);
/* Discord waits three seconds for an answer, and not for a start. */
void dsite_wait_ready(void);

void dsite_make(const char *where, const char *user, const char *topic);
void dsite_press(const char *message, const char *label, const char *where, const char *user);

bool dsite_has_button(const cJSON *message, const char *label);
/* The newest message with this text (and, unless NULL, this button); "" when there is none. */
void dsite_find(const char *text, const char *label, char ret_id[32]);
/* The same, once it is there. */
void dsite_wait(const char *text, const char *label, int ms, char ret_id[32]);
/* Messages that bring a file, in this channel, or NULL: anywhere. */
size_t dsite_films(const char *channel);
void dsite_wait_films(const char *channel, size_t want);

#endif
