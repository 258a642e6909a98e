/*
 * The collector: receives what was credited on our own accounts (pocketing) and sends it on to the
 * operator's wallet (sweeping); drives these blocks and those of refunds (nano_refund.c).
 *
 * Order of steps, each repeatable after a crash: build from a frontier that our own key signed, sign,
 * store (one block per predecessor), then nano_drive.c: work, publish, ask until it is confirmed.
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
    ROUND_MS = 1000,             /* between two rounds with nothing to do, */
    BUSY_MS = 200,               /* and with something under way */
    FAULTS_MAX = 3,              /* accounts in a row that nothing can be built for end a look */
    AGAIN_MS = 2 * 1000,         /* then it goes on behind them */
    ODD_MS = 60 * 1000,          /* after an account that somebody else moves money from */
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
    bool under_way; /* a block of this address, and not stuck */
    struct raw least;
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

/* The next payment of this address, unless a block of it is not through yet. */
static bool next_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    bool busy = false;
    if (!block_open_of(tx, s->address.address, &s->block, &busy, e))
        return false;
    s->found = false;
    s->under_way = busy && s->block.refusals < BLOCK_STUCK;
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

static bool find_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return address_find(tx, s->block.address, &s->address, &s->found, e);
}

static bool open_body(struct db_tx *tx, void *data, struct err *e)
{
    struct step *s = data;
    return block_count_open(tx, &s->open, e);
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

/* The node does not show our last block as the frontier: it lags (*ret_lags), or somebody else who has
   the seed went on from there. */
static bool read_lag(struct step *s, const struct nano_hash *last, const struct cancel *cancel,
                     bool *ret_lags, struct err *e)
{
    struct nano_block_info info;
    if (!s->p->o.node.ops->blocks(s->p->o.node.self, last, 1, &info, cancel, e))
        return false;
    *ret_lags = !info.found || !info.has_successor;
    return true;
}

/* Everything on s->block's address to the wallet. *ret_busy: it is, or will soon be, under way. */
static bool build_sweep(struct step *s, const struct cancel *cancel, bool *ret_busy, struct err *e)
{
    struct nano_account ours;
    struct nano_block block;
    bool opened = false;
    struct own_block last = s->block;
    *ret_busy = false;
    if (!db_run(s->p->o.db, find_body, s, e))
        return false;
    if (!s->found || strcmp(s->address.print, s->p->print) != 0)
        return true; /* of another seed: its keys are not here */
    if (!nano_account_parse(last.address, &ours) ||
        !nano_read_frontier(s->p, &ours, &block, &opened, cancel, e))
        return false;
    if (!opened || !nano_hash_equal(&block.previous, &last.hash))
        return read_lag(s, &last.hash, cancel, ret_busy, e);
    *ret_busy = true;
    s->block = (struct own_block){.block = block, .kind = NANO_SEND, .amount = block.balance};
    s->block.block.balance = RAW_ZERO;
    s->block.block.link = nano_hash_of(&s->p->wallet);
    str_copy(s->block.address, sizeof(s->block.address), last.address);
    return sign_and_store(s, (uint32_t)s->address.index, e);
}

/* --- rounds --- */

void nano_collect_tell(bool *told, const struct err *e)
{
    if (!*told)
        log_err(LOG_INFO, LOG_MODULE, e);
    *told = true;
}

/* Where the last look ended before its time, else from the start. */
static void go_on(struct step *s, char place[static PAY_ADDRESS_MAX])
{
    str_copy(s->after, sizeof(s->after), place);
    place[0] = '\0';
}

static bool drive_due(struct step *s, const struct cancel *cancel, bool *ret_busy,
                      struct raw *swept, struct err *e)
{
    go_on(s, s->p->drive_after);
    while (!cancel_fired(cancel)) {
        if (!db_run(s->p->o.db, due_body, s, e))
            return false;
        if (!s->found)
            return true;
        *ret_busy = true;
        str_copy(s->after, sizeof(s->after), s->block.address);
        if (!nano_drive(s->p, &s->block, cancel, swept, e)) {
            str_copy(s->p->drive_after, sizeof(s->p->drive_after), s->after);
            return false;
        }
    }
    return true;
}

/* All of them, from where the last look ended; what fails for one address is no reason to leave the
   others alone, and no reason to ask a node that is down for each of them. */
static bool build_receives(struct step *s, const struct cancel *cancel, bool *ret_busy,
                           struct err *e)
{
    int faults = 0;
    if (clock_mono_ms() < s->p->receive_at) {
        *ret_busy = true;
        return true;
    }
    go_on(s, s->p->receive_after);
    *ret_busy |= s->after[0] != '\0'; /* there were some before it */
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
        *ret_busy |= s->found || s->under_way;
        if (!s->found || build_receive(s, cancel, &why)) {
            s->p->receive_told &= !s->found;
            faults = 0;
            continue;
        }
        nano_collect_tell(&s->p->receive_told, &why);
        s->p->receive_at = clock_mono_ms() + AGAIN_MS;
        if (++faults == FAULTS_MAX) {
            str_copy(s->p->receive_after, sizeof(s->p->receive_after), s->after);
            return true;
        }
    }
    return true;
}

static bool build_sweeps(struct step *s, struct raw least, const struct cancel *cancel,
                         bool *ret_busy, struct err *e)
{
    if (raw_is_zero(least) || !s->p->has_wallet)
        return true;
    if (clock_mono_ms() < s->p->sweep_at) {
        *ret_busy |= s->p->sweep_after[0] != '\0';
        return true;
    }
    go_on(s, s->p->sweep_after);
    s->least = least;
    while (!cancel_fired(cancel)) {
        struct err why = {0};
        bool busy = true;
        if (!db_run(s->p->o.db, sweepable_body, s, e))
            return false;
        if (!s->found)
            return true;
        str_copy(s->after, sizeof(s->after), s->block.address);
        bool good = build_sweep(s, cancel, &busy, &why);
        *ret_busy |= busy || !good;
        if (!good) {
            nano_collect_tell(&s->p->sweep_told, &why);
            str_copy(s->p->sweep_after, sizeof(s->p->sweep_after), s->after);
            s->p->sweep_at = clock_mono_ms() + AGAIN_MS;
            return true;
        }
        s->p->sweep_told = false;
        if (!busy)
            s->p->sweep_at = clock_mono_ms() + ODD_MS;
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
    if (!nano_rescan(p, cancel, e) || !build_receives(s, cancel, ret_busy, e) ||
        !build_sweeps(s, least, cancel, ret_busy, e) ||
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
