/*
 * After the database was restored from a backup (alarm "rescan"): our accounts' own blocks tell what was
 * received and sent since, and nodes no longer list it as waiting. Each account is read from its newest
 * block down to one that the database knows; what lies between is taken in, oldest first: payments are
 * credited like any other, a refund that went out is done. Until all of it is through, nothing is
 * received, sent or refunded.
 *
 * Repeatable: a block is stored after its payment was credited, and a look ends at stored blocks. Only
 * final blocks that our own key signed are taken in.
 */
#define LOG_MODULE "payments"
#include <stdlib.h>
#include <string.h>

#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_restore.h"
#include "core/pay/nano_internal.h"

enum { RESCAN_MAX = 32768 /* blocks of one account since the backup */ };

struct rescan {
    struct nano_payment *p;
    const struct cancel *cancel;
    bool open; /* the alarm is there */
    /* --- the account at hand --- */
    struct nano_account account;
    char address[PAY_ADDRESS_MAX];
    struct nano_block_info *found; /* newest first */
    size_t count, room;
    struct raw balance; /* before the oldest of them */
    /* --- one step --- */
    struct nano_hash hash;
    bool known, is_orphan;
    struct own_block block;
    char after[PAY_ADDRESS_MAX];
    struct deposit_address list[NANO_BATCH];
    size_t listed;
};

/* --- the database's side --- */

static bool open_body(struct db_tx *tx, void *data, struct err *e)
{
    struct rescan *r = data;
    return rescan_wanted(tx, &r->open, e);
}

static bool over_body(struct db_tx *tx, void *data, struct err *e)
{
    (void)data;
    return rescan_over(tx, e);
}

static bool known_body(struct db_tx *tx, void *data, struct err *e)
{
    struct rescan *r = data;
    return block_known(tx, &r->hash, &r->balance, &r->known, e);
}

static bool adopt_body(struct db_tx *tx, void *data, struct err *e)
{
    struct rescan *r = data;
    bool treasury = strcmp(r->address, r->p->treasury_text) == 0;
    return block_adopt(tx, &r->block, treasury, &r->is_orphan, e);
}

static bool list_body(struct db_tx *tx, void *data, struct err *e)
{
    struct rescan *r = data;
    return address_list(tx, NANO_METHOD, r->p->print, r->after, false, r->list, NANO_BATCH,
                        &r->listed, e);
}

/* --- down from the newest block --- */

static bool keep(struct rescan *r, const struct nano_block_info *b, struct err *e)
{
    if (r->count == r->room) {
        size_t room = MAX(2 * r->room, 64);
        void *more = room > RESCAN_MAX ? NULL : realloc(r->found, room * sizeof(*r->found));
        if (!more)
            return err_set(e, ERR_RETRY, "error.busy", "%s: too many blocks since the backup",
                           r->address);
        r->found = more;
        r->room = room;
    }
    r->found[r->count++] = *b;
    return true;
}

/* r->balance is what the account had before the oldest one that is not known here. */
static bool go_down(struct rescan *r, struct err *e)
{
    struct nano_account_info info;
    struct nano_block_info b;
    const struct nano_node *n = &r->p->o.node;
    r->count = 0;
    r->balance = RAW_ZERO;
    if (!n->ops->account(n->self, &r->account, &info, r->cancel, e))
        return false;
    r->hash = info.opened ? info.frontier : (struct nano_hash){0};
    while (!nano_hash_is_zero(&r->hash)) {
        if (!db_run(r->p->o.db, known_body, r, e))
            return false;
        if (r->known)
            return true;
        if (!n->ops->blocks(n->self, &r->hash, 1, &b, r->cancel, e))
            return false;
        if (!b.found || !b.is_state || !nano_account_equal(&b.block.account, &r->account))
            return err_set(e, ERR_RETRY, "pay.node_down", "%s: the node lacks a block of it",
                           r->address);
        if (!keep(r, &b, e))
            return false;
        r->hash = b.block.previous;
    }
    return true;
}

/* --- up again --- */

/* What our account has received: a payment, unless it is the treasury's. */
static bool credit(struct rescan *r, struct err *e)
{
    struct nano_checked checked;
    char hex[NANO_HEX];
    const struct nano_hash *send = &r->block.block.link;
    if (strcmp(r->address, r->p->treasury_text) == 0)
        return true;
    if (!nano_check(r->p, send, 1, &checked, r->cancel, e))
        return false;
    nano_hash_print(send, hex);
    if (checked.verdict == NANO_WAIT || checked.verdict == NANO_UNKNOWN)
        return err_set(e, ERR_RETRY, "pay.node_down", "the node lacks %s", hex);
    if (checked.verdict != NANO_GOOD)
        log_error("%s: received on %s, but no node proves it: not credited", hex, r->address);
    return nano_credit_checked(r->p, send, &checked, e);
}

static bool take_in(struct rescan *r, struct err *e)
{
    char hash[NANO_HEX], amount[XNO_TEXT];
    if (r->block.kind != NANO_SEND && !credit(r, e))
        return false;
    crash_at("rescan.credited");
    if (!db_run(r->p->o.db, adopt_body, r, e))
        return false;
    crash_at("rescan.stored");
    nano_hash_print(&r->block.hash, hash);
    raw_to_xno(r->block.amount, amount);
    if (r->is_orphan)
        log_error("%s: the treasury sent %s XNO after the backup, for a refund that it does not "
                  "know; refunds rest until `nanotik restore --open-refunds`",
                  hash, amount);
    return true;
}

/* One block; r->balance was before it and is after it in the end. */
static bool step(struct rescan *r, const struct nano_block_info *b, struct err *e)
{
    struct raw amount;
    enum nano_subtype kind;
    if (!b->confirmed)
        return err_set(e, ERR_RETRY, "pay.node_down", "%s: its newest block is not final yet",
                       r->address);
    if (!nano_block_meaning(&b->block, r->balance, &kind, &amount))
        return err_set(e, ERR_RETRY, "pay.node_down", "%s: no valid block looks like this",
                       r->address);
    r->balance = b->block.balance;
    if (raw_is_zero(amount)) /* the network's own mark, or another representative */
        return true;
    if (!nano_block_verify(&b->block))
        return err_set(e, ERR_RETRY, "pay.node_down", "%s: a block that is not ours", r->address);
    r->block = (struct own_block){.block = b->block, .kind = kind, .amount = amount};
    nano_block_hash(&b->block, &r->block.hash);
    str_copy(r->block.address, sizeof(r->block.address), r->address);
    return take_in(r, e);
}

static bool look_at(struct rescan *r, const char *address, struct err *e)
{
    str_copy(r->address, sizeof(r->address), address);
    if (!nano_account_parse(address, &r->account))
        return err_set(e, ERR_INTERNAL, "error.internal", "address %s", address);
    if (!go_down(r, e))
        return false;
    for (size_t i = r->count; i > 0; i--)
        if (cancel_fired(r->cancel))
            return err_set(e, ERR_CANCELLED, "error.stopping", "rescan stopped");
        else if (!step(r, &r->found[i - 1], e))
            return false;
    return true;
}

static bool look_at_all(struct rescan *r, struct err *e)
{
    if (!look_at(r, r->p->treasury_text, e))
        return false;
    do {
        if (!db_run(r->p->o.db, list_body, r, e))
            return false;
        for (size_t i = 0; i < r->listed; i++)
            if (!look_at(r, r->list[i].address, e))
                return false;
        if (r->listed)
            str_copy(r->after, sizeof(r->after), r->list[r->listed - 1].address);
    } while (r->listed == NANO_BATCH);
    return true;
}

bool nano_rescan(struct nano_payment *p, const struct cancel *cancel, struct err *e)
{
    AUTO(free_ptr) struct rescan *r = NULL;
    if (p->rescanned)
        return true;
    r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, ERR_RETRY, "error.busy", "no memory to look through accounts");
    *r = (struct rescan){.p = p, .cancel = cancel};
    bool ok = db_run(p->o.db, open_body, r, e);
    if (ok && r->open) {
        ok = look_at_all(r, e) && db_run(p->o.db, over_body, r, e);
        if (ok)
            log_info("the accounts' own blocks since the backup are looked through");
    }
    free(r->found);
    p->rescanned = ok;
    return ok;
}
