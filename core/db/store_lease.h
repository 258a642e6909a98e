/*
 * store_lease - a duty that one process at a time has: polling for a token, watching payments.
 *
 * What:    a lease has a name and one holder until a time by the database's clock. Whoever holds it
 *          renews; after a crash it is free once that time has passed, after a clean stop at once.
 *          Effects of the duty must still be keyed: lease_check makes sure inside a transaction.
 *          Table: leases. core/db/lease_keeper.h renews in a thread of its own.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_LEASE_H
#define NANOTIK_STORE_LEASE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"

enum { LEASE_NAME_MAX = 100, LEASE_HOLDER_MAX = 128 };

/* Takes a free lease or renews one's own, for ttl_ms from now. *ret_held false: another has it. */
bool lease_take(struct db_tx *tx, const char *name, const char *holder, int ttl_ms, bool *ret_held,
                struct err *e);
/* Free at once; nothing when another has it. */
bool lease_give(struct db_tx *tx, const char *name, const char *holder, struct err *e);
/* *ret_held: the holder has it, and nobody else can get it before this transaction has ended. */
bool lease_check(struct db_tx *tx, const char *name, const char *holder, bool *ret_held,
                 struct err *e);
/* At the start of the only process of a database: whoever held a lease is dead. */
bool lease_expire(struct db_tx *tx, struct err *e);

#endif
