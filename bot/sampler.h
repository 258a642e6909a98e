/*
 * sampler - lets people hear a voice: a sentence in its language, as a voice message.
 *
 * What:    one thread speaks (an engine may take seconds), keeps the sound in the cache for everybody
 *          and puts a card with it into the outbox. What may wait and what may be newly spoken in a day
 *          is bounded, for each person and for all: services are paid by the letter. Who gets no sound
 *          is told so. A comfort: what waits is in memory only, a killed process forgets it (the choice
 *          of the voice is stored by then).
 * Owner:   sampler_stop joins and frees; whoever waits is told first.
 * Threads: all functions from any thread; NULL is fine everywhere.
 */
#ifndef NANOTIK_BOT_SAMPLER_H
#define NANOTIK_BOT_SAMPLER_H

#include "bot/bot.h"

struct sampler;
struct sampler_wish {
    struct chat_addr addr;
    char user[UUID_TEXT]; /* the account that asks */
    char lang[16];        /* of the card */
    char voice[64];       /* a name of an engine's list */
    int speed;            /* percent */
};

bool sampler_start(struct bot *bot, struct sampler **ret, struct err *e);
/* The same wish twice is one. Writes to the database when too many wait. */
void sampler_ask(struct sampler *s, const struct sampler_wish *wish);
void sampler_stop(struct sampler *s);

#endif
