/*
 * lease_keeper - has a lease as long as it can, in a thread of its own.
 *
 * What:    takes the lease when it is free (looks each second or more often), renews it four times
 *          per ttl. lease_keeper_held turns false a tenth of the ttl before anybody else can have
 *          it, also when the database is away or this machine slept: stop the duty then.
 * Owner:   lease_keeper_stop, before db_close.
 * Threads: held and give from any thread.
 * Fails:   start only; a database that is away is waited for.
 */
#ifndef NANOTIK_LEASE_KEEPER_H
#define NANOTIK_LEASE_KEEPER_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/db/store_lease.h"

/* A crash is noticed after LEASE_MS and the look of another process: within 30 s. */
enum { LEASE_MS = 20000 };

struct lease_keeper;
/* ttl_ms 0: LEASE_MS. */
bool lease_keeper_start(struct db *db, const char *name, int ttl_ms, struct lease_keeper **ret,
                        struct err *e);
bool lease_keeper_held(struct lease_keeper *k); /* quick: asks no database */
/* For lease_check inside a transaction. */
const char *lease_keeper_holder(const struct lease_keeper *k);
/* The duty is over: another may have it at once. Never taken again. */
void lease_keeper_give(struct lease_keeper *k);
void lease_keeper_stop(struct lease_keeper *k); /* gives, joins, frees; NULL is fine */

#endif
