/*
 * block - state blocks: hash, signature, meaning, wire form.
 *
 * What:    `balance` is what the account has AFTER the block; the amount is the difference to the
 *          block before. Nothing here asks a node: what a block says is proven by its hash and
 *          signature alone.
 * Owner:   plain values.
 * Threads: pure functions.
 * Fails:   reading: ERR_INPUT "error.bad_reply", detail names the field, never its text.
 * Source:  facts sheet "nano" section 3.
 */
#ifndef NANOTIK_NANO_BLOCK_H
#define NANOTIK_NANO_BLOCK_H

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/strbuf.h"
#include "core/money/raw.h"
#include "core/nano/account.h"
#include "core/nano/key.h"

enum nano_subtype {
    NANO_SEND,    /* balance falls, link = destination's key */
    NANO_RECEIVE, /* balance rises, link = hash of the send */
    NANO_OPEN,    /* a receive that is the first block: previous = 0 */
    NANO_CHANGE,  /* balance and link say nothing: only the representative */
    NANO_EPOCH,   /* the network's own mark on an account; not signed by it */
};

struct nano_block {
    struct nano_account account;
    struct nano_hash previous; /* zero for the first block */
    struct nano_account representative;
    struct raw balance;
    struct nano_hash link;
    struct nano_signature signature;
    uint64_t work; /* the nonce; 0 = none yet */
};

void nano_block_hash(const struct nano_block *b, struct nano_hash *ret);
/* Fills in the signature. ERR_INTERNAL unless the account is the one of seed and index: signing for
   another would give the key away. */
bool nano_block_sign(struct nano_block *b, struct nano_seed *seed, uint32_t index, struct err *e);
/* The signature is the account's. (An epoch block is not signed by its account.) */
MUST_USE bool nano_block_verify(const struct nano_block *b);
/* What the work is made for: the previous hash, or the account's key for the first block. */
void nano_block_root(const struct nano_block *b, struct nano_hash *ret);

/* What the block does and how much it moves (0 for change and epoch), given the balance before it
   (zero for the first block). False when no valid block can look like this. */
MUST_USE bool nano_block_meaning(const struct nano_block *b, struct raw balance_before,
                                 enum nano_subtype *ret_subtype, struct raw *ret_amount);
/* "send", as process wants it. */
const char *nano_subtype_name(enum nano_subtype subtype);
MUST_USE bool nano_subtype_parse(const char *name, enum nano_subtype *ret);

/* The wire form: {"type":"state",...}. Read: link_as_account, when given, must say the same as link;
   unknown fields are ignored; work may be missing (0); amounts only as text. */
bool nano_block_from_json(const cJSON *json, struct nano_block *ret, struct err *e);
void nano_block_put_json(const struct nano_block *b, struct strbuf *out);

#endif
