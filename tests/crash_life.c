#include "tests/crash_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/crash.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_block.h"
#include "core/db/store_chat.h"
#include "core/db/store_deposit.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/db/store_order.h"
#include "core/db/store_refund.h"
#include "tests/crash_said.h"

struct life {
    struct db *db;
    char worker[32];
    bool any; /* there was something to do */
    struct job job;
    struct outbox_row row;
    size_t rows;
    struct price_list prices;
};

/* --- transactions --- */

struct step {
    db_body *body;
    struct life *life;
    bool wrote;
};

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!s->body(tx, s->life, e) ||
        !db_exec(tx, "select pg_current_xact_id_if_assigned() is not null", NULL, 0, &rows, e))
        return false;
    s->wrote = db_bool(rows, 0, 0);
    if (s->wrote)
        crash_at("life.precommit");
    return true;
}

/* The moments before and after each commit that changed something are those to be killed at. */
static bool run(struct life *l, db_body *body, struct err *e)
{
    struct step s = {.body = body, .life = l};
    if (!db_run(l->db, step_body, &s, e))
        return false;
    if (s.wrote)
        crash_at("life.commit");
    return true;
}

/* What the network has, whoever looks at it and how often. */
static const struct {
    const char *address, *ref, *amount;
} payments[] = {
    {"nano_1", "A1", "2"    },
    {"nano_1", "A2", "0.005"}, /* less than a credit */
    {"nano_2", "G1", "1"    },
};

/* The operator's, on the command line: said again whenever they do not know whether it worked. */
static bool grant(struct db_tx *tx, void *ctx, struct err *e)
{
    struct account a;
    enum ledger_result given;
    (void)ctx;
    return account_find(tx, "test", "ann", false, 1, &a, e) &&
           ledger_grant(tx, "ann's gift", a.id, 1, "test", "crash", &given, e);
}

static bool store_events(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return crash_store(tx, e);
}

static bool take_event(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return crash_take(tx, &l->prices, &l->any, e);
}

/* --- what goes on by itself --- */

static bool recover(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return job_expire_leases(tx, l->worker, e) && job_rescue(tx, NULL, NULL, NULL, e) &&
           outbox_expire(tx, "test", e);
}

static bool start_waiting(struct db_tx *tx, const char *account, struct err *e)
{
    char id[UUID_TEXT];
    bool found;
    enum job_start started;
    return await_job(tx, account, id, &found, e) &&
           (!found || (job_start(tx, id, &started, e) && await_end(tx, account, e)));
}

static bool credit(struct db_tx *tx, struct life *l, size_t i, bool *ret_new, struct err *e)
{
    struct deposit d = {.method = "nano",
                        .ref = payments[i].ref,
                        .address = payments[i].address,
                        .prices = &l->prices,
                        .amount = crash_xno(payments[i].amount)};
    struct deposit_address a;
    struct deposit_done done = {.result = DEPOSIT_KNOWN};
    bool found;
    if (!address_find(tx, d.address, &a, &found, e))
        return false;
    if (found && !deposit_credit(tx, &d, &done, e))
        return false;
    *ret_new = done.result == DEPOSIT_CREDITED;
    return !*ret_new || (start_waiting(tx, done.account, e) && crash_say(tx, "", d.ref, false, e));
}

static bool credit_next(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    l->any = false;
    for (size_t i = 0; i < COUNT(payments) && !l->any; i++)
        if (!credit(tx, l, i, &l->any, e))
            return false;
    return true;
}

/* The refund's block, stored with it; what it looks like follows from the refund. */
static bool sign_refund(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    struct refund r;
    struct own_block b = {.kind = NANO_SEND};
    char hash[NANO_HEX] = "";
    bool ours, linked;
    if (!refund_waiting(tx, "nano", &r, &l->any, e) || !l->any)
        return !l->any;
    for (int i = 0, n = 0; n < NANO_HEX - 1; i = (i + 1) % (UUID_TEXT - 1))
        if (r.id[i] != '-')
            hash[n++] = (char)(r.id[i] >= 'a' ? r.id[i] - 32 : r.id[i]);
    if (!nano_hash_parse(hash, &b.hash))
        abort();
    b.block.previous = b.hash;
    nano_account_print(&b.block.account, b.address);
    b.amount = r.amount;
    return block_store(tx, &b, &ours, e) && refund_link(tx, r.id, hash, &linked, e);
}

/* What is worth less than ten credits is lost on its way. */
static bool drive_block(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    struct own_block b;
    if (!block_due(tx, "", &b, &l->any, e) || !l->any)
        return !l->any;
    bool good = raw_compare(b.amount, crash_xno("0.1")) >= 0;
    enum block_state to = b.state == BLOCK_STORED ? BLOCK_PUBLISHED
                          : good                  ? BLOCK_CONFIRMED
                                                  : BLOCK_REFUSED;
    return block_move(tx, &b, to, 0, "", e);
}

static bool take_message(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return outbox_claim(tx, "test", 1, &l->row, &l->rows, e);
}

static bool message_sent(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return outbox_sent(tx, &l->row, "msg", e);
}

static bool send_all(struct life *l, struct err *e)
{
    for (;;) {
        if (!run(l, take_message, e))
            return false;
        if (l->rows == 0)
            return true;
        printf("said %s\n", l->row.body);
        fflush(stdout);
        bool good = run(l, message_sent, e);
        outbox_row_free(&l->row);
        if (!good)
            return false;
    }
}

static bool take_job(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    job_free(&l->job);
    return job_claim(tx, l->worker, &l->job, e);
}

static bool beat(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    bool cancel;
    return job_heartbeat(tx, &l->job, l->worker, "join", 50, &cancel, e);
}

static bool hand_over(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return job_delivering(tx, &l->job, l->worker, "/x.mp4", 1, 1, e);
}

static bool finish_job(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    struct job *j = &l->job;
    int64_t charged = j->topic[strlen(j->topic) - 1] - '0';
    bool keeps = str_starts(j->topic, "keep") && strcmp(j->story, "sent") != 0;
    AUTO(free_ptr) char *text = str_printf("%s %s", keeps ? "kept" : "ended", j->topic);
    bool good = keeps ? job_keep(tx, j, l->worker, 14, "fail.forbidden", NULL, e)
                : str_starts(j->topic, "fail")
                    ? job_fail(tx, j, l->worker, false, "fail.worker_lost", NULL, e)
                    : job_done(tx, j, l->worker, "msg", charged, "t", e);
    return good && crash_say(tx, j->id, text, false, e);
}

static bool work(struct life *l, struct err *e)
{
    while (run(l, take_job, e)) {
        if (!l->job.id[0])
            return true;
        if (!run(l, beat, e) || !run(l, hand_over, e) || !run(l, finish_job, e))
            return false;
    }
    return false;
}

static bool repeat(struct life *l, db_body *body, struct err *e)
{
    do
        if (!run(l, body, e))
            return false;
    while (l->any);
    return true;
}

/* All of it, until it is quiet. */
static bool go_on(struct life *l, struct err *e)
{
    return repeat(l, credit_next, e) && work(l, e) && repeat(l, sign_refund, e) &&
           repeat(l, drive_block, e) && send_all(l, e);
}

int crash_life(const char *url)
{
    struct err e = {0};
    struct life l = {.any = true};
    snprintf(l.worker, sizeof(l.worker), "w%d", (int)getpid());
    bool good = price_list_parse("0.01", "1=100,2=220", &l.prices, &e) &&
                db_open(url, 1, &l.db, &e) && run(&l, recover, &e) && run(&l, grant, &e) &&
                run(&l, store_events, &e);
    while (good && l.any)
        good = go_on(&l, &e) && run(&l, take_event, &e);
    if (!good)
        fprintf(stderr, "life: %s (%s)\n", e.detail, e.user_key ? e.user_key : "");
    job_free(&l.job);
    db_close(l.db);
    return good ? 0 : 1;
}
