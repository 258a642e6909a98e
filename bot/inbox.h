/*
 * inbox - stores what networks bring, and lets commands run behind that.
 *
 * What:    bot_on_events stores what arrived together in one transaction with the network's cursor;
 *          a few command workers then deal with it, in order per chat, so that a slow command
 *          delays only its own chat. At most a few thousand events wait; then intake pauses and
 *          the network keeps the rest.
 * Owner:   inbox_stop joins and frees; what waits stays for the next start.
 * Threads: bot_on_events and bot_cursor from any thread.
 * Source:  facts sheet "telegram", section 2; "jobs and ledger", section 2.
 */
#ifndef NANOTIK_BOT_INBOX_H
#define NANOTIK_BOT_INBOX_H

#include "bot/bot.h"

bool inbox_start(struct bot *bot, struct inbox **ret, struct err *e);
void inbox_stop(struct inbox *b); /* NULL is fine */

/* chat_events_fn; ctx is struct bot. Works without a started inbox too. */
bool bot_on_events(void *ctx, const struct chat_event *events, size_t count, const char *cursor);
/* What bot_on_events stored last for this network, when it is no older than some days. */
bool bot_cursor(struct bot *bot, const char *network, char ret[static CHAT_CURSOR_MAX]);

#endif
