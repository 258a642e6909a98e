#include "core/nano/ed25519.h"

#include <sodium.h>

struct part {
    const unsigned char *bytes;
    size_t len;
};

_Static_assert(sizeof(((struct ed_room *)0)->hash_state) >=
                   sizeof(crypto_generichash_blake2b_state),
               "room for the state");

/* In the caller's room, because the one-shot call would leave its state on the stack. */
static void blake2b(unsigned char *room, unsigned char *out, size_t out_len,
                    const struct part *parts, size_t count)
{
    crypto_generichash_blake2b_state *state = (crypto_generichash_blake2b_state *)(void *)room;
    crypto_generichash_blake2b_init(state, NULL, 0, out_len);
    for (size_t i = 0; i < count; i++)
        crypto_generichash_blake2b_update(state, parts[i].bytes, parts[i].len);
    crypto_generichash_blake2b_final(state, out, out_len);
}

void ed_derive(struct ed_room *room, const unsigned char seed[static 32], uint32_t index)
{
    unsigned char number[4] = {(unsigned char)(index >> 24), (unsigned char)(index >> 16),
                               (unsigned char)(index >> 8), (unsigned char)index};
    struct part parts[] = {
        {seed,   32            },
        {number, sizeof(number)}
    };
    blake2b(room->hash_state, room->private_key, 32, parts, COUNT(parts));
}

static void expand(struct ed_room *room)
{
    struct part parts[] = {
        {room->private_key, 32}
    };
    blake2b(room->hash_state, room->expanded, 64, parts, COUNT(parts));
    room->expanded[0] &= 248;
    room->expanded[31] &= 127;
    room->expanded[31] |= 64;
}

bool ed_public(struct ed_room *room, unsigned char ret_public[static 32])
{
    expand(room);
    return crypto_scalarmult_ed25519_base_noclamp(ret_public, room->expanded) == 0;
}

/* k = H(R || public || message) mod L */
static void challenge(unsigned char *state, const unsigned char *r, const unsigned char *public_key,
                      const unsigned char *message, unsigned char ret[static 32])
{
    unsigned char wide[64];
    struct part parts[] = {
        {r,          32},
        {public_key, 32},
        {message,    32}
    };
    blake2b(state, wide, sizeof(wide), parts, COUNT(parts));
    crypto_core_ed25519_scalar_reduce(ret, wide);
}

bool ed_sign(struct ed_room *room, const unsigned char message[static 32],
             unsigned char ret_signature[static 64])
{
    unsigned char public_key[32];
    unsigned char k[32];
    unsigned char signature[64];
    /* Made anew each time: a signature with somebody else's public key gives the private key away. */
    if (!ed_public(room, public_key))
        return false;
    struct part parts[] = {
        {room->expanded + 32, 32},
        {message,             32}
    };
    blake2b(room->hash_state, room->wide, 64, parts, COUNT(parts));
    crypto_core_ed25519_scalar_reduce(room->nonce, room->wide);
    if (crypto_scalarmult_ed25519_base_noclamp(signature, room->nonce) != 0)
        return false;
    challenge(room->hash_state, signature, public_key, message, k);
    memcpy(room->wide, room->expanded, 32);
    memset(room->wide + 32, 0, 32);
    crypto_core_ed25519_scalar_reduce(room->scalar, room->wide);
    crypto_core_ed25519_scalar_mul(room->product, k, room->scalar);
    crypto_core_ed25519_scalar_add(signature + 32, room->product, room->nonce);
    memcpy(ret_signature, signature, sizeof(signature));
    return true;
}

void ed_room_wipe(struct ed_room *room)
{
    sodium_memzero(room, sizeof(*room));
}

bool ed_verify(const unsigned char public_key[static 32], const unsigned char message[static 32],
               const unsigned char signature[static 64])
{
    unsigned char state[384] __attribute__((aligned(64)));
    unsigned char wide[64] = {0};
    unsigned char s[32];
    unsigned char k[32];
    unsigned char left[32];
    unsigned char right[32];
    unsigned char r[32];
    /* A larger S with the same remainder would be a second signature of the same block. */
    memcpy(wide, signature + 32, 32);
    crypto_core_ed25519_scalar_reduce(s, wide);
    if (sodium_memcmp(s, signature + 32, 32) != 0)
        return false;
    challenge(state, signature, public_key, message, k);
    /* scalarmult refuses keys that are not canonical, not on the curve, or not of the large prime
       order. */
    if (crypto_scalarmult_ed25519_base_noclamp(left, s) != 0 ||
        crypto_scalarmult_ed25519_noclamp(right, k, public_key) != 0 ||
        crypto_core_ed25519_sub(r, left, right) != 0)
        return false;
    return sodium_memcmp(r, signature, 32) == 0;
}
