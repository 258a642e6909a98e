/*
 * hash - BLAKE2b (libsodium) over named fields, for cache keys; HMAC-SHA-256 for identities; base
 * of ids.
 *
 * Threads: pure functions; hash_setup once at start (sodium_init).
 */
#ifndef NANOTIK_HASH_H
#define NANOTIK_HASH_H

#include "core/base/base.h"
#include "core/base/err.h"

enum { HASH_BYTES = 20, HASH_HEX = 2 * HASH_BYTES + 1, MAC_BYTES = 32, UUID_TEXT = 37 };

void hash_setup(void);

/* Streaming hash. Each field goes in as name, length, bytes, so that no two lists of fields
 * collide. */
struct hash {
    unsigned char state[384] __attribute__((aligned(64)));
};
void hash_begin(struct hash *h, const char *purpose);
void hash_text(struct hash *h, const char *name, const char *text); /* NULL counts as absent */
void hash_int(struct hash *h, const char *name, int64_t value);
void hash_bytes(struct hash *h, const char *name, const void *bytes, size_t len);
void hash_end(struct hash *h, char ret_hex[static HASH_HEX]);

/* HMAC-SHA-256(key, text): facts sheet "jobs and ledger" 10.1, identity. */
void hash_mac(const unsigned char key[static 32], const char *text,
              unsigned char ret_mac[static MAC_BYTES]);

/* RFC 9562 version 7 (time-ordered, random tail), lower-case text. */
void uuid_make(char ret_text[static UUID_TEXT]);
bool uuid_valid(const char *text);
void random_bytes(void *bytes, size_t len);

#endif
