/*
 * What is proven about a payment before it may become credits. From two blocks alone: the send's hash
 * and signature, that it goes to one of our accounts, and its amount (the balance before, from a
 * predecessor whose hash is in the send, minus the balance after). That the network confirmed it is
 * what nodes say: one for small amounts, all that answer, and at least two where two are set up,
 * from `second_opinion` on.
 */
#define LOG_MODULE "payments"
#include <string.h>

#include "core/base/log.h"
#include "core/pay/nano_internal.h"

/* Told once, not at each look: such a payment is found again by every poll. */
static void doubt(struct nano_payment *p, const struct nano_hash *hash, const char *why)
{
    char hex[NANO_HEX];
    bool told = false;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < COUNT(p->doubted) && !told; i++)
        told = nano_hash_equal(&p->doubted[i], hash);
    if (!told)
        p->doubted[p->doubted_next++ % COUNT(p->doubted)] = *hash;
    pthread_mutex_unlock(&p->lock);
    nano_hash_print(hash, hex);
    if (!told)
        log_warn("%s is not credited: %s", hex, why);
}

/* The send itself: a signed state block, or nothing that we could judge. */
static bool is_candidate(struct nano_payment *p, const struct nano_block_info *info,
                         const struct nano_hash *hash, struct nano_checked *ret)
{
    ret->verdict = NANO_UNKNOWN;
    if (!info->found)
        return false;
    ret->verdict = NANO_NOT_OURS;
    if (!info->is_state || nano_hash_is_zero(&info->block.previous))
        return false; /* a first block is never a send */
    if (!info->is_signed || !nano_block_verify(&info->block)) {
        if (info->has_subtype && info->subtype == NANO_SEND) {
            doubt(p, hash, "its signature is wrong");
            ret->verdict = NANO_UNPROVEN;
        }
        return false;
    }
    return true;
}

/* With the block before it: does it send, how much, and where to? */
static void judge(struct nano_payment *p, const struct nano_block_info *send,
                  const struct nano_block_info *before, const struct nano_hash *hash,
                  struct nano_checked *ret)
{
    enum nano_subtype subtype;
    struct nano_hash own;
    ret->verdict = NANO_UNPROVEN;
    if (!before->found) {
        ret->verdict = NANO_UNKNOWN; /* a node that lags or prunes: another may know */
        return;
    }
    if (!before->is_state) {
        doubt(p, hash, "the block before it is of before 2018, so its amount cannot be computed");
        return;
    }
    nano_block_hash(&before->block, &own);
    if (!nano_hash_equal(&own, &send->block.previous) ||
        !nano_account_equal(&before->block.account, &send->block.account)) {
        doubt(p, hash, "the block before it is another one");
        return;
    }
    if (!nano_block_meaning(&send->block, before->block.balance, &subtype, &ret->amount)) {
        doubt(p, hash, "no valid block looks like this");
        return;
    }
    if (subtype != NANO_SEND) {
        ret->verdict = NANO_NOT_OURS;
        return;
    }
    ret->to = nano_account_of(&send->block.link);
    ret->paid_at = send->stored_s;
    ret->verdict = send->confirmed ? NANO_GOOD : NANO_WAIT;
}

bool nano_enough_nodes(struct nano_payment *p, const struct nano_hash *hash, struct raw amount,
                       bool *ret, const struct cancel *cancel, struct err *e)
{
    size_t asked = 0, yes = 0, nodes = p->o.node.ops->node_count(p->o.node.self);
    *ret = true;
    if (raw_is_zero(p->o.second_opinion) || raw_compare(amount, p->o.second_opinion) < 0 ||
        nodes < 2)
        return true;
    if (!p->o.node.ops->confirmed_by(p->o.node.self, hash, &asked, &yes, cancel, e))
        return false;
    *ret = yes >= 2 && yes >= asked;
    return true;
}

static bool ask_others(struct nano_payment *p, const struct nano_hash *hash, struct nano_checked *c,
                       const struct cancel *cancel, struct err *e)
{
    bool enough = true;
    if (c->verdict == NANO_GOOD && !nano_enough_nodes(p, hash, c->amount, &enough, cancel, e))
        return false;
    if (!enough)
        c->verdict = NANO_WAIT;
    return true;
}

bool nano_check(struct nano_payment *p, const struct nano_hash *hashes, size_t count,
                struct nano_checked *ret, const struct cancel *cancel, struct err *e)
{
    struct nano_block_info sends[NANO_BATCH], befores[NANO_BATCH];
    struct nano_hash previous[NANO_BATCH];
    size_t which[NANO_BATCH], candidates = 0;
    memset(ret, 0, count * sizeof(*ret));
    if (!p->o.node.ops->blocks(p->o.node.self, hashes, count, sends, cancel, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_candidate(p, &sends[i], &hashes[i], &ret[i]))
            continue;
        previous[candidates] = sends[i].block.previous;
        which[candidates++] = i;
    }
    if (candidates == 0)
        return true;
    if (!p->o.node.ops->blocks(p->o.node.self, previous, candidates, befores, cancel, e))
        return false;
    for (size_t i = 0; i < candidates; i++) {
        size_t at = which[i];
        judge(p, &sends[at], &befores[i], &hashes[at], &ret[at]);
        if (!ask_others(p, &hashes[at], &ret[at], cancel, e))
            return false;
    }
    return true;
}
