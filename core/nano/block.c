#include "core/nano/block.h"

#include <sodium.h>

#include "core/nano/work.h"

static const char *const subtype_names[] = {
    [NANO_SEND] = "send",     [NANO_RECEIVE] = "receive", [NANO_OPEN] = "open",
    [NANO_CHANGE] = "change", [NANO_EPOCH] = "epoch",
};

void nano_block_hash(const struct nano_block *b, struct nano_hash *ret)
{
    /* 31 zero bytes and 6: what tells a state block from the older kinds. */
    static const unsigned char preamble[32] = {[31] = 6};
    unsigned char balance[RAW_BYTES];
    raw_to_bytes(b->balance, balance);
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init(&state, NULL, 0, sizeof(ret->bytes));
    crypto_generichash_blake2b_update(&state, preamble, sizeof(preamble));
    crypto_generichash_blake2b_update(&state, b->account.key, NANO_BYTES);
    crypto_generichash_blake2b_update(&state, b->previous.bytes, NANO_BYTES);
    crypto_generichash_blake2b_update(&state, b->representative.key, NANO_BYTES);
    crypto_generichash_blake2b_update(&state, balance, sizeof(balance));
    crypto_generichash_blake2b_update(&state, b->link.bytes, NANO_BYTES);
    crypto_generichash_blake2b_final(&state, ret->bytes, sizeof(ret->bytes));
}

bool nano_block_sign(struct nano_block *b, struct nano_seed *seed, uint32_t index, struct err *e)
{
    struct nano_account own;
    struct nano_hash hash;
    if (!nano_seed_account(seed, index, &own, e))
        return false;
    if (!nano_account_equal(&own, &b->account))
        return err_set(e, ERR_INTERNAL, "error.internal", "block is not of account %u", index);
    nano_block_hash(b, &hash);
    if (!nano_seed_sign(seed, index, &hash, &b->signature, e))
        return false;
    /* A processor that computes wrong must not fill a place on the chain with a block that nobody takes
       (and a faulty signature can tell the key). */
    return nano_verify(&b->account, &hash, &b->signature) ||
           err_set(e, ERR_INTERNAL, "error.internal", "a signature that is none");
}

bool nano_block_verify(const struct nano_block *b)
{
    struct nano_hash hash;
    nano_block_hash(b, &hash);
    return nano_verify(&b->account, &hash, &b->signature);
}

void nano_block_root(const struct nano_block *b, struct nano_hash *ret)
{
    *ret = nano_hash_is_zero(&b->previous) ? nano_hash_of(&b->account) : b->previous;
}

/* An account's first block: it receives, or the network opens it empty with its mark. */
static bool first_meaning(const struct nano_block *b, struct raw balance_before,
                          enum nano_subtype *ret)
{
    if (!raw_is_zero(balance_before) || nano_hash_is_zero(&b->link))
        return false;
    *ret = raw_is_zero(b->balance) ? NANO_EPOCH : NANO_OPEN;
    return true;
}

bool nano_block_meaning(const struct nano_block *b, struct raw balance_before,
                        enum nano_subtype *ret_subtype, struct raw *ret_amount)
{
    int grown = raw_compare(b->balance, balance_before);
    enum nano_subtype subtype;
    if (nano_hash_is_zero(&b->previous)) {
        if (!first_meaning(b, balance_before, &subtype))
            return false;
    } else if (grown < 0) {
        subtype = NANO_SEND; /* a link of zeros is the burn address */
    } else if (grown > 0) {
        if (nano_hash_is_zero(&b->link))
            return false;
        subtype = NANO_RECEIVE;
    } else {
        subtype = nano_hash_is_zero(&b->link) ? NANO_CHANGE : NANO_EPOCH;
    }
    *ret_subtype = subtype;
    ret_amount->value = grown < 0 ? balance_before.value - b->balance.value
                                  : b->balance.value - balance_before.value;
    return true;
}

const char *nano_subtype_name(enum nano_subtype subtype)
{
    return subtype_names[subtype];
}

bool nano_subtype_parse(const char *name, enum nano_subtype *ret)
{
    for (size_t i = 0; name && i < COUNT(subtype_names); i++)
        if (strcmp(name, subtype_names[i]) == 0) {
            *ret = (enum nano_subtype)i;
            return true;
        }
    return false;
}
