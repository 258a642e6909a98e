/*
 * store_chain - how far the chain of an address that everybody pays to was looked through.
 *
 * Rules:   the mark is moved from one block to the next once that one was dealt with, so a crash looks
 *          at a block again and never past one. Whoever moves says from where: of two processes one
 *          does.
 * Tables:  wallet_chains; reads orders.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_CHAIN_H
#define NANOTIK_STORE_CHAIN_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/nano/account.h"

/* *ret_found false: nobody has looked at it yet. */
bool chain_seen(struct db_tx *tx, const char *method, const char *address, struct nano_hash *ret,
                bool *ret_found, struct err *e);
/* Where to begin; does nothing where somebody has begun. */
bool chain_begin(struct db_tx *tx, const char *method, const char *address,
                 const struct nano_hash *at, struct err *e);
/* *ret_moved false: it does not stand at `from` any more. */
bool chain_move(struct db_tx *tx, const char *method, const char *address,
                const struct nano_hash *from, const struct nano_hash *to, bool *ret_moved,
                struct err *e);
/* When the first order on this address was made, Unix seconds; 0: none was. */
bool chain_first_order(struct db_tx *tx, const char *method, const char *address, int64_t *ret_s,
                       struct err *e);

#endif
