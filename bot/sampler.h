/*
 * sampler - lets people hear a voice: a sentence in its language, as a voice message.
 *
 * What:    one thread speaks (an engine may take seconds), keeps the sound in the cache and puts a
 *          card with it into the outbox. A comfort: what waits when the program ends is dropped, a
 *          voice that cannot be had now is told.
 * Owner:   sampler_stop joins and frees.
 * Threads: all functions from any thread; NULL is fine everywhere.
 */
#ifndef NANOTIK_BOT_SAMPLER_H
#define NANOTIK_BOT_SAMPLER_H

#include "bot/bot.h"

struct sampler;
struct sampler_wish {
    struct chat_addr addr;
    char lang[16];  /* of the card */
    char voice[64]; /* a name of an engine's list */
    int speed;      /* percent */
};

bool sampler_start(struct bot *bot, struct sampler **ret, struct err *e);
/* The same wish twice is one; dropped when too many wait. */
void sampler_ask(struct sampler *s, const struct sampler_wish *wish);
void sampler_stop(struct sampler *s);

#endif
