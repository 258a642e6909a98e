/*
 * ed25519 - Nano's signatures: Ed25519 with BLAKE2b-512 in place of SHA-512.
 *
 * What:    the arithmetic is libsodium's group operations; only the order of the calls is ours.
 *          For core/nano/key.c and its tests; everybody else has seeds.
 * Owner:   `struct ed_room` holds every secret value of a call; the caller keeps it in locked memory
 *          and wipes it (ed_room_wipe).
 * Threads: one room, one thread; ed_verify from any.
 * Fails:   false when libsodium refuses a value.
 * Source:  facts sheet "nano" sections 2 and 11; RFC 8032 for the scheme.
 */
#ifndef NANOTIK_NANO_ED25519_H
#define NANOTIK_NANO_ED25519_H

#include "core/base/base.h"

struct ed_room {
    unsigned char hash_state[384] __attribute__((aligned(64)));
    unsigned char private_key[32];
    unsigned char expanded[64]; /* scalar, nonce prefix */
    unsigned char wide[64];
    unsigned char scalar[32], nonce[32], product[32];
};

/* private_key = BLAKE2b-256(seed || index), big-endian. */
void ed_derive(struct ed_room *room, const unsigned char seed[static 32], uint32_t index);
/* Both use room->private_key. */
MUST_USE bool ed_public(struct ed_room *room, unsigned char ret_public[static 32]);
MUST_USE bool ed_sign(struct ed_room *room, const unsigned char message[static 32],
                      unsigned char ret_signature[static 64]);
void ed_room_wipe(struct ed_room *room);

MUST_USE bool ed_verify(const unsigned char public_key[static 32],
                        const unsigned char message[static 32],
                        const unsigned char signature[static 64]);

#endif
