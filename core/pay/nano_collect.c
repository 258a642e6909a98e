/*
 * The collector: receives what was credited on our own accounts (pocketing) and sends it on to the
 * operator's wallet (sweeping); drives the blocks of refunds (nano_refund.c) the same way.
 *
 * Order of steps, each repeatable after a crash: build from a frontier that our own key signed, sign,
 * store (one block per predecessor, for ever), add work, publish, ask until it is confirmed. Only
 * stored bytes are ever published, so a repeat publishes the same block. A block that the network
 * refuses for good is told in the log and left alone.
 */
#define LOG_MODULE "payments"
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/pay/nano_internal.h"

enum {
    ROUND_MS = 1000, /* between two rounds with nothing to do, */
    BUSY_MS = 200,   /* and with something under way */
    SOON_MS = 300,   /* until a published block is asked for: most are confirmed by then */
    CHECK_MS = 1000, /* later */
    SOON_TRIES = 6,
    TROUBLE_TRIES = 50,          /* tries between two complaints */
    SLOW_MS = 4 * 1000,          /* after something that only time mends */
    WORK_MS = 50,                /* a look at the work; it goes on in the background */
    ELECTION_TRIES = 10,         /* looks without a confirmation until an election is asked for */
    COLLECT_MS = 30 * 60 * 1000, /* nanotik sweep gives up after */
};

/* --- the database's side --- */

struct step {
    struct nano_payment *p;
    struct own_block block;
    char after[PAY_ADDRESS_MAX];
    struct deposit_address address;
    size_t count;
    struct receipt receipt;
    bool found, ours;
    struct raw least;
    enum block_state to;
    int delay_ms;
    const char *why;
    int64_t open;
};

static bool due_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return block_due(tx, s->after, &s->block, &s->found, e);
}

static bool uncollected_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return deposit_uncollected(tx, NANO_METHOD, s->after, &s->address, 1, &s->count, e);
}

/* The next payment of this address, unless a block of it is still under way. */
static bool next_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    bool busy = false;
    if (!block_open_of(tx, s->address.address, &s->block, &busy, e))
        return false;
    s->found = false;
    return busy || deposit_next_uncollected(tx, s->address.address, &s->receipt, &s->found, e);
}

static bool sweepable_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return block_sweepable(tx, s->least, s->after, &s->block, &s->found, e);
}

static bool store_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return block_store(tx, &s->block, &s->ours, e);
}

static bool work_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return block_set_work(tx, &s->block.hash, s->block.block.work, e);
}

static bool move_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return block_move(tx, &s->block, s->to, s->delay_ms, s->why, e);
}

static bool find_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return address_find(tx, s->block.address, &s->address, &s->found, e);
}

static bool collected_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return deposit_collected(tx, NANO_METHOD, s->receipt.ref, e);
}

static bool open_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return block_count_open(tx, &s->open, e);
}

static bool move(struct step *s, enum block_state to, int delay_ms, const char *why, struct err *e)
{
    s->to = to;
    s->delay_ms = delay_ms;
    s->why = why;
    return db_run(s->p->o.db, move_body, s, e);
}

/* --- building --- */

/* Proven by our own signature: a node that lies about the balance could
   otherwise make us sign a block that burns a predecessor. */
bool nano_read_frontier(struct nano_payment *p, const struct nano_account *ours,
                        struct nano_block *ret, bool *ret_opened, const struct cancel *cancel,
                        struct err *e)
{
    struct nano_account_info info;
    struct nano_block_info block;
    if (!p->o.node.ops->account(p->o.node.self, ours, &info, cancel, e))
        return false;
    *ret_opened = info.opened;
    *ret = (struct nano_block){.account = *ours, .representative = p->representative};
    if (!info.opened)
        return true;
    struct nano_hash at = info.frontier;
    for (int i = 0; i < 2; i++) {
        if (!p->o.node.ops->blocks(p->o.node.self, &at, 1, &block, cancel, e))
            return false;
        if (!block.found || !block.is_state || !nano_account_equal(&block.block.account, ours))
            break;
        if (block.is_signed && nano_block_verify(&block.block)) {
            ret->balance = block.block.balance;
            ret->representative = block.block.representative;
            ret->previous = info.frontier;
            return true;
        }
        at = block.block.previous; /* the network's own mark (epoch) is not signed by us */
    }
    return err_set(e, ERR_RETRY, "pay.node_down", "a frontier that is not ours");
}

static bool sign_and_store(struct step *s, uint32_t index, struct err *e)
{
    struct nano_payment *p = s->p;
    if (!nano_block_sign(&s->block.block, p->o.seed, index, e))
        return false;
    nano_block_hash(&s->block.block, &s->block.hash);
    crash_at("collect.signed");
    if (!db_run(p->o.db, store_body, s, e))
        return false;
    crash_at("collect.stored");
    return true;
}

/* A receive for the next payment of s->address. */
static bool build_receive(struct step *s, const struct cancel *cancel, struct err *e)
{
    struct nano_account ours;
    struct nano_block_info info;
    bool opened = false;
    struct nano_block block;
    struct nano_hash link;
    if (!nano_account_parse(s->address.address, &ours) || !nano_hash_parse(s->receipt.ref, &link))
        return err_set(e, ERR_INTERNAL, "error.internal", "receipt %s", s->receipt.ref);
    if (!nano_read_frontier(s->p, &ours, &block, &opened, cancel, e) ||
        !s->p->o.node.ops->blocks(s->p->o.node.self, &link, 1, &info, cancel, e))
        return false;
    if (!info.found || !info.confirmed)
        return err_set(e, ERR_RETRY, "pay.node_down", "the node lacks %s", s->receipt.ref);
    if (!raw_add(block.balance, s->receipt.amount, &block.balance))
        return err_set(e, ERR_INTERNAL, "error.internal", "a balance beyond all bounds");
    block.link = link;
    s->block = (struct own_block){
        .block = block, .kind = opened ? NANO_RECEIVE : NANO_OPEN, .amount = s->receipt.amount};
    str_copy(s->block.address, sizeof(s->block.address), s->address.address);
    if (!opened) /* the predecessor of a first block is 64 zeros */
        s->block.block.previous = (struct nano_hash){0};
    return sign_and_store(s, (uint32_t)s->address.index, e);
}

/* Everything on s->block's address to the wallet. */
static bool build_sweep(struct step *s, const struct cancel *cancel, struct err *e)
{
    struct nano_account ours;
    struct nano_block block;
    bool opened = false;
    struct own_block last = s->block;
    if (!nano_account_parse(last.address, &ours) ||
        !nano_read_frontier(s->p, &ours, &block, &opened, cancel, e))
        return false;
    if (!opened || !nano_hash_equal(&block.previous, &last.hash))
        return true; /* the node lags, or something else is under way */
    s->block = (struct own_block){.block = block, .kind = NANO_SEND, .amount = block.balance};
    s->block.block.balance = RAW_ZERO;
    s->block.block.link = nano_hash_of(&s->p->wallet);
    str_copy(s->block.address, sizeof(s->block.address), last.address);
    if (!db_run(s->p->o.db, find_body, s, e))
        return false;
    if (!s->found || strcmp(s->address.print, s->p->print) != 0)
        return true; /* of another seed */
    return sign_and_store(s, (uint32_t)s->address.index, e);
}

/* --- driving --- */

static bool add_work(struct step *s, const struct cancel *cancel, bool *ret_there, struct err *e)
{
    struct nano_hash root;
    struct err why = {0};
    uint64_t work = 0, threshold = s->block.kind == NANO_SEND ? s->p->o.send_threshold
                                                              : s->p->o.receive_threshold;
    *ret_there = true;
    nano_block_root(&s->block.block, &root);
    if (s->block.block.work && nano_work_valid(&root, s->block.block.work, threshold))
        return true;
    *ret_there = work_pool_wait(s->p->o.work, &root, threshold, WORK_MS, cancel, &work, &why);
    if (!*ret_there)
        return true; /* still in the making */
    s->block.block.work = work;
    return db_run(s->p->o.db, work_body, s, e);
}

/* The account of a payment that was already received (by another wallet with this seed). */
static bool taken_elsewhere(struct step *s, struct err *e)
{
    log_warn("%s was received by another wallet with this seed", s->block.address);
    nano_hash_print(&s->block.block.link, s->receipt.ref);
    return move(s, BLOCK_REFUSED, 0, "unreceivable", e) && db_run(s->p->o.db, collected_body, s, e);
}

/* A block of the treasury that a node does not want: credits come back, and another block is built,
   only when it surely never counts. Until then the same bytes are tried. */
static bool treasury_trouble(struct step *s, const char *why, const struct cancel *cancel,
                             struct err *e)
{
    bool dead = false;
    if (!nano_refund_is_dead(s->p, &s->block, cancel, &dead, e))
        return false;
    if (dead)
        log_error("%s: another wallet uses this seed's first account; a refund may have come back",
                  s->block.address);
    else if (s->block.tries % TROUBLE_TRIES == 0)
        log_error("%s: a node refuses a block of the treasury: %s", s->block.address, why);
    return move(s, dead ? BLOCK_REFUSED : s->block.state, SLOW_MS, why, e);
}

static bool publish(struct step *s, const struct cancel *cancel, struct err *e)
{
    enum nano_published result;
    if (!s->p->o.node.ops->process(s->p->o.node.self, &s->block.block, s->block.kind, &result,
                                   cancel, e))
        return false;
    crash_at("collect.published");
    bool treasury = strcmp(s->block.address, s->p->treasury_text) == 0;
    switch (result) {
    case NANO_PUBLISHED:
    case NANO_ALREADY:
        return move(s, BLOCK_PUBLISHED, SOON_MS, "", e);
    case NANO_NEEDS_WORK:
        s->block.block.work = 0;
        return db_run(s->p->o.db, work_body, s, e) && move(s, s->block.state, SLOW_MS, "work", e);
    case NANO_GAP_PREVIOUS:
    case NANO_GAP_SOURCE:
        return move(s, s->block.state, SLOW_MS, "gap", e);
    case NANO_UNRECEIVABLE:
        if (treasury)
            return treasury_trouble(s, "unreceivable", cancel, e);
        return taken_elsewhere(s, e);
    case NANO_FORK:
        if (treasury)
            return treasury_trouble(s, "fork", cancel, e);
        log_error("%s: another block has the predecessor of ours: is this seed used elsewhere?",
                  s->block.address);
        return move(s, BLOCK_REFUSED, 0, "fork", e);
    case NANO_INVALID:
        if (treasury)
            return treasury_trouble(s, "invalid", cancel, e);
        break;
    }
    log_error("%s: the network calls a block of ours invalid; nothing more is built on it",
              s->block.address);
    return move(s, BLOCK_REFUSED, 0, "invalid", e);
}

/* One step of one block. */
static bool drive(struct step *s, const struct cancel *cancel, struct raw *swept, struct err *e)
{
    struct nano_block_info info;
    bool there = false;
    if (s->block.state == BLOCK_PUBLISHED) {
        if (!s->p->o.node.ops->blocks(s->p->o.node.self, &s->block.hash, 1, &info, cancel, e))
            return false;
        if (info.found && info.confirmed) {
            crash_at("collect.confirmed");
            if (s->block.kind == NANO_SEND && strcmp(s->block.address, s->p->treasury_text) != 0 &&
                !raw_add(*swept, s->block.amount, swept))
                *swept = RAW_MAX; /* more than there is: for a person's eyes only */
            return move(s, BLOCK_CONFIRMED, 0, "", e);
        }
        if (info.found && s->block.tries % ELECTION_TRIES == ELECTION_TRIES - 1)
            (void)s->p->o.node.ops->confirm(s->p->o.node.self, &s->block.hash, cancel, e);
        if (info.found)
            return move(s, BLOCK_PUBLISHED, s->block.tries < SOON_TRIES ? SOON_MS : CHECK_MS, "",
                        e);
    }
    if (!add_work(s, cancel, &there, e))
        return false;
    return !there || publish(s, cancel, e);
}

/* --- rounds --- */

static bool drive_due(struct step *s, const struct cancel *cancel, bool *ret_busy,
                      struct raw *swept, struct err *e)
{
    s->after[0] = '\0';
    while (!cancel_fired(cancel)) {
        if (!db_run(s->p->o.db, due_body, s, e))
            return false;
        if (!s->found)
            return true;
        *ret_busy = true;
        str_copy(s->after, sizeof(s->after), s->block.address);
        if (!drive(s, cancel, swept, e))
            return false;
    }
    return true;
}

static bool build_receives(struct step *s, const struct cancel *cancel, bool *ret_busy,
                           struct err *e)
{
    s->after[0] = '\0';
    while (!cancel_fired(cancel)) {
        struct err why = {0};
        if (!db_run(s->p->o.db, uncollected_body, s, e))
            return false;
        if (s->count == 0)
            return true;
        str_copy(s->after, sizeof(s->after), s->address.address);
        if (strcmp(s->address.print, s->p->print) != 0)
            continue; /* of an earlier seed: its keys are not here */
        if (!db_run(s->p->o.db, next_body, s, e))
            return false;
        if (s->found && !build_receive(s, cancel, &why))
            log_err(LOG_INFO, LOG_MODULE, &why); /* the next address may be luckier */
        *ret_busy |= s->block.state != BLOCK_REFUSED;
    }
    return true;
}

static bool build_sweeps(struct step *s, struct raw least, const struct cancel *cancel,
                         bool *ret_busy, struct err *e)
{
    if (raw_is_zero(least) || !s->p->has_wallet)
        return true;
    s->after[0] = '\0';
    s->least = least;
    while (!cancel_fired(cancel)) {
        struct err why = {0};
        if (!db_run(s->p->o.db, sweepable_body, s, e))
            return false;
        if (!s->found)
            return true;
        str_copy(s->after, sizeof(s->after), s->block.address);
        if (!build_sweep(s, cancel, &why))
            log_err(LOG_INFO, LOG_MODULE, &why);
        *ret_busy |= s->block.state != BLOCK_REFUSED;
    }
    return true;
}

bool nano_collect_round(struct nano_payment *p, struct raw least, const struct cancel *cancel,
                        bool *ret_busy, struct raw *ret_swept, struct err *e)
{
    AUTO(free_ptr) struct step *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, ERR_RETRY, "error.busy", "no memory to collect");
    s->p = p;
    *ret_busy = false;
    if (!build_receives(s, cancel, ret_busy, e) || !build_sweeps(s, least, cancel, ret_busy, e) ||
        (p->calls && !nano_refund_round(p, cancel, ret_busy, e)) ||
        !drive_due(s, cancel, ret_busy, ret_swept, e) || !db_run(p->o.db, open_body, s, e))
        return false;
    *ret_busy |= s->open > 0; /* not due yet */
    return true;
}

void *nano_collect_main(void *data)
{
    struct nano_payment *p = data;
    bool away = false, busy = false;
    pthread_setname_np(pthread_self(), "collector");
    while (!cancel_wait(&p->stop, busy && !away ? BUSY_MS : ROUND_MS)) {
        struct err e = {0};
        struct raw swept = RAW_ZERO;
        busy = false;
        if (!lease_keeper_held(p->lease))
            continue;
        if (nano_collect_round(p, p->o.sweep_above, &p->stop, &busy, &swept, &e)) {
            away = false;
        } else if (!cancel_fired(&p->stop)) {
            if (!away || e.code != ERR_RETRY)
                log_err(LOG_WARN, LOG_MODULE, &e);
            away = true;
        }
    }
    return NULL;
}

bool nano_payment_collect(void *self, const struct cancel *cancel,
                          char ret_moved[static PAY_AMOUNT], struct err *e)
{
    struct nano_payment *p = self;
    struct raw swept = RAW_ZERO, least = {1};
    int64_t end = clock_mono_ms() + COLLECT_MS;
    bool busy = true;
    if (!p->o.seed)
        return err_set(e, ERR_UNSUPPORTED, "pay.no_seed", "watch-only: nothing to move");
    if (!p->has_wallet)
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_WALLET_ADDRESS",
                           "nowhere to send it to");
    while (busy) {
        if (!nano_collect_round(p, least, cancel, &busy, &swept, e))
            return false;
        if (busy && clock_mono_ms() > end)
            return err_set(e, ERR_RETRY, "pay.sweep_slow", "not confirmed in time");
        if (busy && cancel_wait(cancel, BUSY_MS))
            return err_set(e, ERR_CANCELLED, "error.stopping", "sweep stopped");
    }
    raw_to_xno(swept, ret_moved);
    return true;
}
