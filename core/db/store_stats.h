/*
 * store_stats - the numbers that an operator reads, at /metrics or in the chat (/admin status).
 *
 * What:    a name, a label ("" none) and a value each; always the same ones, whatever is in the tables.
 *          Only tables or parts of them that stay small are counted.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_STATS_H
#define NANOTIK_STORE_STATS_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"

/* tell: for each, in a fixed order. The transaction may run again. */
bool stats_read(struct db_tx *tx,
                void (*tell)(void *ctx, const char *name, const char *label, int64_t value),
                void *ctx, struct err *e);

#endif
