/*
 * store_move - a chat got a new id: what is kept for it goes along.
 *
 * What:    the group's account (settings, credits), addresses of jobs, orders and claims, the
 *          history of clips, and cards that wait to be sent, in one transaction. An account that the
 *          new id got too early is taken in: its credits, less than a credit, orders and addresses
 *          become the old account's, and what reaches it later (a video at work that fails, a late
 *          payment) goes there too. Messages of the old chat do not exist in the new one: cards are
 *          sent anew there. Repeating it finds nothing more to do.
 * Tables:  identities, wallets, rests, deposit_addresses, group_*, jobs, orders, claims, refunds,
 *          outbox.
 * Threads: as db_tx.
 * Fails:   as db_run; a failure changes nothing.
 * Source:  facts sheet "telegram", section 9 (migration).
 */
#ifndef NANOTIK_STORE_MOVE_H
#define NANOTIK_STORE_MOVE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"

bool chat_move(struct db_tx *tx, const char *network, const char *from, const char *to,
               struct err *e);

#endif
