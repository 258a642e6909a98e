/*
 * film - what can be done with a film that is there: send it, offer it, say that it is kept.
 * Threads: as the context.
 */
#ifndef NANOTIK_BOT_FILM_H
#define NANOTIK_BOT_FILM_H

#include "bot/command.h"

/* "Ready, and kept for you", with the reason. */
void film_kept_card(struct card_doc *doc, const char *lang, const struct job *job);
/* It was cancelled before it was made (job: as it was until then), its credits are back; key: by
   whom. */
void film_cancelled_card(struct card_doc *doc, const char *lang, const struct job *job,
                         const char *key);
/* After a command: films that nobody could be given so far are offered here. */
bool film_offer_kept(struct command_ctx *ctx, struct err *e);
/* The job that the arguments name; without any the newest film. */
bool film_find(struct command_ctx *ctx, struct job *ret, struct err *e);

#endif
