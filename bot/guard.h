/*
 * guard - what people may not order, and who may order nothing for a while.
 *
 * What:    guard_words refuses before anything is stored; dispatch then counts the strike in the
 *          transaction that tells the person. Words that the provider's moderation refused (before Go
 *          starts the job, or a script is written) count when that is told. Faults of providers,
 *          scripts that a model will not write, and scripts that came out wrong never count.
 * Threads: as the context or transaction.
 */
#ifndef NANOTIK_BOT_GUARD_H
#define NANOTIK_BOT_GUARD_H

#include "bot/command.h"

/* ERR_REFUSED "guard.refused" (arg: the category). */
bool guard_words(const struct bot *bot, const char *words, struct err *e);
/* The account rests: ERR_REFUSED "guard.paused" (arg: hours). */
bool guard_account(struct command_ctx *ctx, struct err *e);

/* Words that were refused: counts the strike, answers. `what` is of guard_words. */
bool guard_reply(struct command_ctx *ctx, const struct err *what, struct err *e);
/* Counts it and says so on the card. */
bool guard_strike(struct db_tx *tx, const struct bot *bot, const char *account, const char *lang,
                  const char *category, struct card_doc *doc, struct err *e);

#endif
