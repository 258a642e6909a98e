/*
 * nano_vectors - keys, blocks and signatures on which three npm packages, the official
 * documentation and this program agree.
 *
 * Owner:   constants.
 * Threads: read-only.
 * Source:  facts sheet "nano" section 12.
 */
#ifndef NANOTIK_TESTS_NANO_VECTORS_H
#define NANOTIK_TESTS_NANO_VECTORS_H

#include "core/base/rng.h"
#include "core/nano/block.h"
#include "core/nano/ed25519.h"

struct nano_vector_key {
    const char *seed; /* NULL: only the private key is known */
    uint32_t index;
    const char *private_key, *public_key, *address;
};
struct nano_vector_block {
    const char *id;
    size_t key; /* nano_vector_keys[key - 1] signs it to these very bytes; 0 = not ours to sign */
    const char *account, *previous, *representative, *balance, *link;
    const char *hash, *signature, *work;
    uint64_t value;     /* of the work; 0 = not known */
    const char *before; /* the balance before it; NULL = not known */
    enum nano_subtype subtype;
};

extern const struct nano_vector_key nano_vector_keys[];
extern const size_t nano_vector_key_count;
extern const struct nano_vector_block nano_vector_blocks[];
extern const size_t nano_vector_block_count;

/* Fails the test when a field cannot be read. */
struct nano_block nano_vector_block_make(const struct nano_vector_block *v);

/* For tests of keys and blocks; failures end the case. */
void nano_hex_must(const unsigned char *bytes, size_t len, const char *want);
void nano_room_take(struct ed_room *room, const char *private_key);
struct nano_seed *nano_seed_of(const char *hex);
void nano_random_fill(struct rng *r, void *bytes, size_t len);

#endif
