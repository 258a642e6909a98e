/*
 * script_card - a script on a card: what it costs, its scenes, what can be done with it.
 * Threads: as the transaction.
 */
#ifndef NANOTIK_BOT_SCRIPT_CARD_H
#define NANOTIK_BOT_SCRIPT_CARD_H

#include "bot/bot.h"
#include "bot/card.h"
#include "core/db/store_job.h"
#include "core/job/drafter.h"

/* Stores a changed script with its length and price; job gets those too. ERR_LIMIT
   "make.text_too_long" when it may not be that long. */
bool script_store(struct db_tx *tx, const struct bot *bot, struct job *job,
                  const struct storyboard *story, struct err *e);
/* From scene `from` (1 = all) as far as the card has room. `doc` was begun; a line may stand in it
   already. */
bool script_card(struct db_tx *tx, const struct bot *bot, const struct job *job,
                 const struct storyboard *story, int from, struct card_doc *doc, struct err *e);
/* While it is written. */
void script_wait_card(const struct bot *bot, const struct job *job, struct card_doc *doc);

/* What the drafter's threads need of the bot. */
struct drafter_calls bot_drafter_calls(struct bot *bot);

#endif
