/*
 * Can a block of ours never be confirmed any more? Credits come back, and another block is signed in
 * the same place, only when it is proven: by a final block that our own key signed and that excludes
 * this one. A node can invent such a block as little as it can invent our signature; that it is final
 * is the node's word, and two final blocks in one place are what the network exists to prevent.
 */
#include "core/pay/nano_internal.h"

/* A final block of this account, other than b, that our key signed. */
static bool read_rival(struct nano_payment *p, const struct own_block *b,
                       const struct nano_hash *hash, const struct cancel *cancel,
                       struct nano_block *ret, bool *ret_found, struct err *e)
{
    struct nano_block_info info;
    *ret_found = false;
    if (nano_hash_is_zero(hash) || nano_hash_equal(hash, &b->hash))
        return true;
    if (!p->o.node.ops->blocks(p->o.node.self, hash, 1, &info, cancel, e))
        return false;
    *ret_found = info.found && info.confirmed && info.is_state && nano_block_verify(&info.block) &&
                 nano_account_equal(&info.block.account, &b->block.account);
    if (*ret_found)
        *ret = info.block;
    return true;
}

static bool place_taken(struct nano_payment *p, const struct own_block *b,
                        const struct cancel *cancel, bool *ret, struct err *e)
{
    const struct nano_node *n = &p->o.node;
    struct nano_account_info account;
    struct nano_block_info before;
    struct nano_block rival;
    struct nano_hash there = {0};
    if (nano_hash_is_zero(&b->block.previous)) {
        if (!n->ops->account(n->self, &b->block.account, &account, cancel, e))
            return false;
        if (account.opened)
            there = account.first;
    } else {
        if (!n->ops->blocks(n->self, &b->block.previous, 1, &before, cancel, e))
            return false;
        if (before.found && before.has_successor)
            there = before.successor;
    }
    if (!read_rival(p, b, &there, cancel, &rival, ret, e))
        return false;
    *ret = *ret && nano_hash_equal(&rival.previous, &b->block.previous);
    return true;
}

static bool source_taken(struct nano_payment *p, const struct own_block *b,
                         const struct cancel *cancel, bool *ret, struct err *e)
{
    const struct nano_node *n = &p->o.node;
    struct nano_block_info send;
    struct nano_block rival;
    if (!n->ops->blocks(n->self, &b->block.link, 1, &send, cancel, e))
        return false;
    struct nano_hash there = send.found ? send.receiver : (struct nano_hash){0};
    if (!read_rival(p, b, &there, cancel, &rival, ret, e))
        return false;
    *ret = *ret && nano_hash_equal(&rival.link, &b->block.link);
    return true;
}

bool nano_fate(struct nano_payment *p, const struct own_block *b, const struct cancel *cancel,
               enum nano_fate *ret, struct err *e)
{
    bool taken = false;
    *ret = NANO_ALIVE;
    if (b->kind != NANO_SEND && !source_taken(p, b, cancel, &taken, e))
        return false;
    if (taken) {
        *ret = NANO_SOURCE_TAKEN;
        return true;
    }
    if (!place_taken(p, b, cancel, &taken, e))
        return false;
    if (taken)
        *ret = NANO_PLACE_TAKEN;
    return true;
}
