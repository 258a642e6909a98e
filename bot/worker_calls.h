/*
 * worker_calls - what core/job/worker asks of the bot: show progress, deliver, say how it ended.
 * ctx of every call is struct bot.
 * Threads: worker and janitor threads, several at once.
 */
#ifndef NANOTIK_BOT_WORKER_CALLS_H
#define NANOTIK_BOT_WORKER_CALLS_H

#include "bot/bot.h"

struct worker_calls bot_worker_calls(struct bot *bot);

#endif
