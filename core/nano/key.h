/*
 * key - the seed, the accounts derived from it, signatures.
 *
 * What:    Ed25519 with BLAKE2b-512, on libsodium's group operations. Signing is deterministic: the
 *          same block gives the same bytes, so a repeat publishes no second block.
 * Secrets: the seed and every value derived on the way to a signature live in one guarded, locked
 *          page that is readable only during a call and wiped before it returns. No function gives
 *          the seed or a private key away, no text of an error holds any of it.
 * Owner:   nano_seed_destroy by the owner.
 * Threads: seed functions from any thread (one at a time inside); the rest are pure.
 * Fails:   ERR_CONFIG "start.bad_nano_seed" (arg: where it came from) or ERR_INTERNAL.
 * Source:  facts sheet "nano" sections 2, 3, 11.
 */
#ifndef NANOTIK_NANO_KEY_H
#define NANOTIK_NANO_KEY_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/nano/account.h"

enum { NANO_SIGNATURE_BYTES = 64, NANO_SIGNATURE_HEX = 129 };

struct nano_signature {
    unsigned char bytes[NANO_SIGNATURE_BYTES];
};
struct nano_seed;

/* NANO_SEED, else the file NANO_SEED_FILE names, else $CREDENTIALS_DIRECTORY/NANO_SEED, read without
   a stop in ordinary memory; the text of NANO_SEED is wiped in the environment. None set: true and
   *ret NULL. Before threads start. */
bool nano_seed_load(struct nano_seed **ret, struct err *e);
/* 64 hex digits; white space at the end is ignored. The caller wipes its text. */
bool nano_seed_parse(const char *hex, struct nano_seed **ret, struct err *e);
void nano_seed_destroy(struct nano_seed *s); /* NULL is fine */

bool nano_seed_account(struct nano_seed *s, uint32_t index, struct nano_account *ret,
                       struct err *e);
bool nano_seed_sign(struct nano_seed *s, uint32_t index, const struct nano_hash *hash,
                    struct nano_signature *ret, struct err *e);

/* Refuses signatures with a second form (S not reduced), keys and points of small order, and
   encodings that are not the canonical ones. */
MUST_USE bool nano_verify(const struct nano_account *account, const struct nano_hash *hash,
                          const struct nano_signature *signature);

/* 128 hex digits of either case; printed in upper case. */
MUST_USE bool nano_signature_parse(const char *hex, struct nano_signature *ret);
void nano_signature_print(const struct nano_signature *s, char ret_hex[static NANO_SIGNATURE_HEX]);

#endif
