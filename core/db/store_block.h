/*
 * store_block - the blocks that we sign on our own accounts, stored before they are published.
 *
 * Rules:   one block per (address, predecessor), whoever asks: a second process that wants to build
 *          there gets the stored one and publishes the same bytes. So we can never fork ourselves.
 *          Only a block that can never be confirmed any more (BLOCK_REFUSED: proven by another block
 *          that our own key signed, never by what nodes say) leaves its place to another one.
 *          A block that nodes refuse without such a proof keeps its place, and is tried ever more
 *          rarely; from BLOCK_STUCK refusals in a row on it is listed for the operator.
 * Tables:  blocks, deposits.
 * Threads: as db_tx.
 * Source:  facts sheet "nano", sections 3 and 10.
 */
#ifndef NANOTIK_STORE_BLOCK_H
#define NANOTIK_STORE_BLOCK_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/db/store_order.h"
#include "core/nano/block.h"

enum { BLOCK_STUCK = 5, BLOCK_WHY_MAX = 24 };
enum block_state { BLOCK_STORED, BLOCK_PUBLISHED, BLOCK_CONFIRMED, BLOCK_REFUSED };

struct own_block {
    struct nano_hash hash;
    char address[PAY_ADDRESS_MAX];
    struct nano_block block; /* with signature, and work once it is known */
    enum nano_subtype kind;  /* NANO_OPEN, NANO_RECEIVE, NANO_SEND */
    struct raw amount;
    enum block_state state;
    int tries;
    int refusals;            /* in a row, */
    char why[BLOCK_WHY_MAX]; /* and of the last one: "fork"; "" */
    int64_t age_s;
};

/* Stores it unless another stands on its predecessor; *b is what is stored. *ret_ours false: it is
   another block, from an earlier try or another process. */
bool block_store(struct db_tx *tx, struct own_block *b, bool *ret_ours, struct err *e);
/* The block of this address that is not through yet, due or not. */
bool block_open_of(struct db_tx *tx, const char *address, struct own_block *ret, bool *ret_found,
                   struct err *e);
/* Those that are due, behind `after` (an address); for whoever drives them. */
bool block_due(struct db_tx *tx, const char *after, struct own_block *ret, bool *ret_found,
               struct err *e);
/* Blocks that are not through yet, due or not; without the stuck ones. */
bool block_count_open(struct db_tx *tx, int64_t *ret, struct err *e);
/* Any block of ours by its hash, and what its account has after it. */
bool block_known(struct db_tx *tx, const struct nano_hash *hash, struct raw *ret_balance,
                 bool *ret_known, struct err *e);
/* A final block that our key signed and that is not known here, because the database is a restored
   one: stored as confirmed. A receive collects its payment; a send of the treasury is the refund of this
   much to that address that waits. *ret_orphan: there is none, and refunds rest (alarm "refunds"). */
bool block_adopt(struct db_tx *tx, const struct own_block *b, bool of_treasury, bool *ret_orphan,
                 struct err *e);
bool block_set_work(struct db_tx *tx, const struct nano_hash *hash, uint64_t work, struct err *e);
/* Next look after delay_ms; in the same transaction a confirmed receive collects its
   payment, and a refund ends with its send. Ends a row of refusals. */
bool block_move(struct db_tx *tx, const struct own_block *b, enum block_state to, int delay_ms,
                const char *why, struct err *e);
/* Nodes refused it: one more. */
bool block_refuse(struct db_tx *tx, const struct own_block *b, int delay_ms, const char *why,
                  struct err *e);
/* Those that nodes refuse again and again, behind `after` (an address). */
bool block_stuck(struct db_tx *tx, const char *after, struct own_block *ret, bool *ret_found,
                 struct err *e);
/* The newest confirmed block of each address that people pay to, when more than `least` raw is on it and nothing is
   in flight; behind `after`. */
bool block_sweepable(struct db_tx *tx, struct raw least, const char *after, struct own_block *ret,
                     bool *ret_found, struct err *e);
/* Raw that confirmed receives brought in, and confirmed sends took away. */
bool block_sums(struct db_tx *tx, const char *address, struct raw *ret_in, struct raw *ret_out,
                struct err *e);

#endif
