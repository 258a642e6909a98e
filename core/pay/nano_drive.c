/*
 * A stored block on its way: add work, publish, ask until it is confirmed. Only stored bytes are ever
 * published, so a repeat publishes the same block.
 *
 * A refusal is what nodes say, and they may lag, lie or be set up wrongly: the block stays, is tried
 * again ever more rarely, and from BLOCK_STUCK refusals in a row on the operator is told, once in the
 * log and from then on by `nanotik doctor` and `nanotik reconcile`. It is given up only when it
 * provably can never count (nano_proof.c).
 */
#define LOG_MODULE "payments"
#include <string.h>

#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/pay/nano_internal.h"

enum {
    SOON_MS = 300,      /* until a published block is asked for: most are confirmed by then */
    CHECK_MS = 1000,    /* later */
    PATIENT_MS = 30000, /* much later */
    SOON_TRIES = 6,
    PATIENT_TRIES = 60,
    ELECTION_TRIES = 10, /* looks without a confirmation until an election is asked for */
    SLOW_MS = 4000,      /* after a refusal, doubled with each in a row */
    RARE_MS = 3600000,   /* at most */
    WORK_MS = 50,        /* a look at the work; it goes on in the background */
};

struct drive {
    struct nano_payment *p;
    struct own_block *b;
    const struct cancel *cancel;
    enum block_state to;
    int delay_ms;
    const char *why;
    bool collected; /* the payment was received by another block */
};

/* --- the database's side --- */

static bool move_body(struct db_tx *tx, void *data, struct err *e)
{
    struct drive *d = data;
    char ref[NANO_HEX];
    nano_hash_print(&d->b->block.link, ref);
    return block_move(tx, d->b, d->to, d->delay_ms, d->why, e) &&
           (!d->collected || deposit_collected(tx, NANO_METHOD, ref, e));
}

static bool refuse_body(struct db_tx *tx, void *data, struct err *e)
{
    struct drive *d = data;
    return block_refuse(tx, d->b, d->delay_ms, d->why, e);
}

static bool work_body(struct db_tx *tx, void *data, struct err *e)
{
    struct drive *d = data;
    return block_set_work(tx, &d->b->hash, d->b->block.work, e);
}

static bool move(struct drive *d, enum block_state to, int delay_ms, const char *why, struct err *e)
{
    d->to = to;
    d->delay_ms = delay_ms;
    d->why = why;
    return db_run(d->p->o.db, move_body, d, e);
}

/* --- refusals --- */

static bool give_up(struct drive *d, enum nano_fate fate, const char *why, struct err *e)
{
    char hash[NANO_HEX];
    d->collected = fate == NANO_SOURCE_TAKEN;
    if (!move(d, BLOCK_REFUSED, 0, why, e))
        return false;
    nano_hash_print(&d->b->hash, hash);
    log_error("%s: another wallet uses this seed: %s; block %s is given up", d->b->address,
              d->collected ? "it received a payment" : "a block of it is in our place", hash);
    return true;
}

static bool wait_longer(struct drive *d, const char *why, struct err *e)
{
    char hash[NANO_HEX];
    int doublings = CLAMP(d->b->refusals, 0, 20);
    d->delay_ms = (int)MIN((int64_t)SLOW_MS << doublings, RARE_MS);
    d->why = why;
    if (!db_run(d->p->o.db, refuse_body, d, e))
        return false;
    nano_hash_print(&d->b->hash, hash);
    if (d->b->refusals + 1 == BLOCK_STUCK)
        log_error(
            "%s: every node refuses block %s (%s): it stays, is tried again each hour and listed "
            "by nanotik doctor",
            d->b->address, hash, why);
    return true;
}

static bool refused(struct drive *d, const char *why, struct err *e)
{
    enum nano_fate fate;
    if (!nano_fate(d->p, d->b, d->cancel, &fate, e))
        return false;
    return fate == NANO_ALIVE ? wait_longer(d, why, e) : give_up(d, fate, why, e);
}

/* --- steps --- */

static bool add_work(struct drive *d, bool *ret_there, struct err *e)
{
    struct nano_payment *p = d->p;
    struct nano_hash root;
    struct err why = {0};
    uint64_t work = 0,
             threshold = d->b->kind == NANO_SEND ? p->o.send_threshold : p->o.receive_threshold;
    *ret_there = true;
    nano_block_root(&d->b->block, &root);
    if (d->b->block.work && nano_work_valid(&root, d->b->block.work, threshold))
        return true;
    *ret_there = work_pool_wait(p->o.work, &root, threshold, WORK_MS, d->cancel, &work, &why);
    if (!*ret_there)
        return true; /* still in the making */
    d->b->block.work = work;
    return db_run(p->o.db, work_body, d, e);
}

static bool publish(struct drive *d, struct err *e)
{
    const struct nano_node *n = &d->p->o.node;
    enum nano_published result;
    if (!n->ops->process(n->self, &d->b->block, d->b->kind, &result, d->cancel, e))
        return false;
    crash_at("collect.published");
    switch (result) {
    case NANO_PUBLISHED:
    case NANO_ALREADY:
        return move(d, BLOCK_PUBLISHED, SOON_MS, "", e);
    case NANO_NEEDS_WORK: /* what it has meets our own threshold */
        return refused(d, "difficulty", e);
    case NANO_GAP_PREVIOUS:
    case NANO_GAP_SOURCE:
        return refused(d, "gap", e);
    case NANO_UNRECEIVABLE:
        return refused(d, "unreceivable", e);
    case NANO_FORK:
        return refused(d, "fork", e);
    case NANO_INVALID:
        break;
    }
    return refused(d, "invalid", e);
}

static bool confirmed(struct drive *d, struct raw *swept, struct err *e)
{
    crash_at("collect.confirmed");
    if (!move(d, BLOCK_CONFIRMED, 0, "", e))
        return false;
    if (d->b->kind == NANO_SEND && strcmp(d->b->address, d->p->treasury_text) != 0 &&
        !raw_add(*swept, d->b->amount, swept))
        *swept = RAW_MAX; /* more than there is: for a person's eyes only */
    return true;
}

static int next_check(const struct own_block *b)
{
    return b->tries < SOON_TRIES ? SOON_MS : b->tries < PATIENT_TRIES ? CHECK_MS : PATIENT_MS;
}

bool nano_drive(struct nano_payment *p, struct own_block *b, const struct cancel *cancel,
                struct raw *swept, struct err *e)
{
    const struct nano_node *n = &p->o.node;
    struct drive d = {.p = p, .b = b, .cancel = cancel};
    struct nano_block_info info;
    bool there = false;
    if (b->state == BLOCK_PUBLISHED) {
        bool sure = false;
        if (!n->ops->blocks(n->self, &b->hash, 1, &info, cancel, e) ||
            (info.found && info.confirmed &&
             !nano_enough_nodes(p, &b->hash, b->amount, &sure, cancel, e)))
            return false;
        if (sure)
            return confirmed(&d, swept, e);
        if (info.found && b->tries % ELECTION_TRIES == ELECTION_TRIES - 1)
            (void)n->ops->confirm(n->self, &b->hash, cancel, e);
        if (info.found)
            return move(&d, BLOCK_PUBLISHED, next_check(b), "", e);
    }
    if (!add_work(&d, &there, e))
        return false;
    return !there || publish(&d, e);
}
