/*
 * crash_said - what people say to crash_life, and the one transaction that deals with each of it.
 */
#ifndef NANOTIK_CRASH_SAID_H
#define NANOTIK_CRASH_SAID_H

#include "core/db/db.h"
#include "core/money/price.h"

/* Everything, written down; repeating does nothing. */
bool crash_store(struct db_tx *tx, struct err *e);
/* Deals with the next one; *ret_any false: there is none. */
bool crash_take(struct db_tx *tx, const struct price_list *prices, bool *ret_any, struct err *e);

bool crash_say(struct db_tx *tx, const char *job, const char *text, bool card, struct err *e);
struct raw crash_xno(const char *text);

#endif
