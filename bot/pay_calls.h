/*
 * pay_calls - what the bot does when money is seen or counted: cards, and the video that waited.
 *
 * Threads: called on threads of the payment method, inside its transactions.
 */
#ifndef NANOTIK_BOT_PAY_CALLS_H
#define NANOTIK_BOT_PAY_CALLS_H

#include "bot/bot.h"

/* ctx is bot. */
struct pay_calls bot_pay_calls(struct bot *bot);

#endif
