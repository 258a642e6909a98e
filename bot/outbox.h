/*
 * outbox - sends what was committed, in order per chat, with one thread per network.
 *
 * What:    claims rows, gives them to the network's adapter, records the result; an edit whose card
 *          is gone is sent as a new one; a job's first card is dropped when the job has ended.
 * Owner:   outbox_stop joins and frees; unsent rows stay for the next start.
 * Threads: wake from any thread.
 * Source:  facts sheet "jobs and ledger", section 5.
 */
#ifndef NANOTIK_BOT_OUTBOX_H
#define NANOTIK_BOT_OUTBOX_H

#include "bot/bot.h"

bool outbox_start(struct bot *bot, struct outbox **ret, struct err *e);
/* Something was committed. NULL is fine. */
void outbox_wake(struct outbox *o);
/* Sends what is due for at most flush_ms, then joins and frees. NULL is fine. */
void outbox_stop(struct outbox *o, int flush_ms);

#endif
