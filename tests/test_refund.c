/*
 * Bought credits on their way back: to whom, once, and what nodes that lie or processes that work twice
 * cannot do. How many and for how much: test_refund_value.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_ledger.h"
#include "core/db/store_refund.h"
#include "core/pay/nano_internal.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

#define BURN "nano_1111111111111111111111111111111111111111111111111111hifc8npp"
#define DONE "select count(*) from refunds where state = 'done'"

/* --- calls --- */

static const struct chat_addr here = {.network = "test", .chat = "c"};

struct call {
    struct pay_world *w;
    const char *account, *address, *id;
    int64_t credits;
    struct pay_refund refund;
};

static bool ask_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    return c->w->pay.ops->refund_ask(c->w->pay.self, tx, c->account, c->address, c->credits, "en",
                                     &here, &c->refund, e);
}

static bool agree_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    return c->w->pay.ops->refund_agree(c->w->pay.self, tx, c->account, c->id ? c->id : "",
                                       &c->refund, e);
}

/* What went wrong, or "". */
static const char *run(struct call *c, db_body *body)
{
    static struct err e;
    e = (struct err){0};
    return db_run(c->w->db, body, c, &e) ? "" : e.user_key;
}

static void ask_and_agree(struct pay_world *w, const char *account, const char *to, int64_t credits)
{
    struct call c = {.w = w, .account = account, .address = to, .credits = credits};
    assert_string_equal(run(&c, ask_body), "");
    assert_string_equal(run(&c, agree_body), "");
}

/* An address of nobody's: the n-th of another seed. */
static void foreign(uint32_t n, char ret[static NANO_ADDRESS])
{
    static const char hex[] = "00000000000000000000000000000000000000000000000000000000000000AA";
    struct nano_seed *seed = NULL;
    struct nano_account a;
    struct err e = {0};
    assert_true(nano_seed_parse(hex, &seed, &e) && nano_seed_account(seed, n, &a, &e));
    nano_account_print(&a, ret);
    nano_seed_destroy(seed);
}

static void treasury(struct pay_world *w, char ret[static PAY_ADDRESS])
{
    struct err e = {0};
    assert_true(w->pay.ops->treasury(w->pay.self, NULL, ret, NULL, &e));
}

static void fund(struct pay_world *w, const char *amount)
{
    char address[PAY_ADDRESS];
    treasury(w, address);
    fake_nano_pay(&pay_fake, address, amount, NULL);
}

/* An account that bought: 1 XNO = 100 credits, and half a credit of rest. */
static void buyer(struct pay_world *w, const char *name, char ret[static UUID_TEXT])
{
    fixture_db_account(w->db, name, 0, ret);
    int64_t before = fixture_db_number(w->db, "select count(*) from deposits");
    struct order o = pay_order(w, ret, "1");
    fake_nano_pay(&pay_fake, o.address, "1005000000000000000000000000000", NULL);
    pay_wait(w->db, "select count(*) from deposits", before + 1, 10000);
}

/* --- the way of one refund --- */

static void test_the_whole_way(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT], to[NANO_ADDRESS];
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100, .sweep = "0.5"});
    foreign(1, to);
    buyer(&w, "ann", ann);
    fund(&w, "3" XNO);
    struct call c = {.w = &w, .account = ann, .address = to};
    assert_string_equal(run(&c, ask_body), "");
    assert_int_equal(c.refund.credits, 100);
    assert_string_equal(c.refund.amount, "1.005");
    assert_string_equal(c.refund.rest, "0.005");
    assert_string_equal(c.refund.address, to);
    assert_int_equal(pay_avail(db, ann), 100); /* a question moves nothing */
    assert_string_equal(run(&c, agree_body), "");
    assert_string_equal(run(&c, agree_body), "refund.open"); /* pressed twice */
    assert_int_equal(pay_avail(db, ann), 0);
    pay_wait(db, DONE, 1, 20000);
    pay_wait(db, "select count(*) from refunds where told = 'done'", 1, 5000);
    assert_true(atomic_load(&w.refund_states) & 1 << PAY_REFUND_DONE);
    assert_string_equal(run(&c, ask_body), "refund.nothing");
    assert_int_equal(fixture_db_number(db, "select (sum(raw) = 0)::int from rests"), 1);
    /* The deposit is swept as ever, the treasury is not. */
    pay_wait(db, "select count(*) from blocks where kind = 'send' and state = 'confirmed'", 2,
             20000);
    assert_int_equal(pay_differences(&w, true), 0);
    fixture_db_check(db);
    pay_close(&w);
    fake_node_no_complaints(&pay_fake);
}

static void test_waits_for_money(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT], to[NANO_ADDRESS];
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    foreign(1, to);
    buyer(&w, "ann", ann);
    fund(&w, "500000000000000000000000000000"); /* half of it */
    ask_and_agree(&w, ann, to, 80);
    pay_wait(db, "select count(*) from refunds where told = 'short'", 1, 10000);
    assert_int_equal(atomic_load(&w.refund_states), 1 << PAY_REFUND_SHORT);
    assert_int_equal(pay_avail(db, ann), 20);
    fund(&w, "300000000000000000000000000000");
    pay_wait(db, DONE, 1, 20000);
    assert_int_equal(pay_avail(db, ann), 20);
    assert_int_equal(pay_differences(&w, true), 0);
    pay_close(&w);
}

/* --- what is refused --- */

static void test_refused(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT], bob[UUID_TEXT], to[NANO_ADDRESS], own[PAY_ADDRESS], money[PAY_ADDRESS],
        typo[NANO_ADDRESS];
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100, .refund_day = "1.2"});
    foreign(1, to);
    buyer(&w, "ann", ann);
    buyer(&w, "bob", bob);
    pay_address(&w, bob, own);
    treasury(&w, money);
    str_copy(typo, sizeof(typo), to);
    typo[20] = typo[20] == '1' ? '3' : '1';
    const struct {
        const char *why, *address;
        int64_t credits;
        const char *error;
    } rows[] = {
        {"checksum",          typo,       0,   "refund.bad_address"},
        {"not an address",    "me",       0,   "refund.bad_address"},
        {"nothing",           "",         0,   "refund.bad_address"},
        {"nobody's for ever", BURN,       0,   "refund.bad_address"},
        {"somebody's here",   own,        0,   "refund.our_address"},
        {"the wallet",        PAY_WALLET, 0,   "refund.our_address"},
        {"the treasury",      money,      0,   "refund.our_address"},
        {"more than bought",  to,         101, "refund.too_many"   },
        {"good",              to,         70,  ""                  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct call c = {
            .w = &w, .account = ann, .address = rows[i].address, .credits = rows[i].credits};
        const char *got = run(&c, ask_body);
        if (strcmp(got, rows[i].error) != 0)
            fail_msg("%s: %s", rows[i].why, got);
    }
    struct call c = {.w = &w, .account = bob, .address = to};
    assert_string_equal(run(&c, agree_body), "refund.gone"); /* ann's question is hers */
    /* Spent between question and yes. */
    fixture_db_sql(db, "update refunds set credits = 71 where state = 'asked'");
    c.account = ann;
    assert_string_equal(run(&c, agree_body), "refund.changed");
    fixture_db_sql(db, "update refunds set credits = 70 where state = 'asked'");
    /* An old card. */
    fixture_db_sql(db, "update refunds set created_at = created_at - interval '16 min'");
    assert_string_equal(run(&c, agree_body), "refund.gone");
    fixture_db_sql(db, "update refunds set created_at = created_at + interval '16 min'");
    assert_string_equal(run(&c, agree_body), "");
    c.account = bob; /* 0.7 and 0.7 are more than the day's 1.2 */
    c.credits = 70;
    assert_string_equal(run(&c, ask_body), "");
    assert_string_equal(run(&c, agree_body), "refund.day");
    assert_int_equal(pay_avail(db, bob), 100);
    pay_close(&w);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.stopped = true, .no_refunds = true});
    assert_string_equal(run(&c, ask_body), "refund.off");
    pay_close(&w);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.stopped = true, .watch_only = true});
    assert_string_equal(run(&c, ask_body), "refund.watch_only");
    pay_close(&w);
}

/* --- blocks --- */

/* One round builds the block; nothing is published. */
static void build(struct pay_world *w)
{
    struct nano_payment *p = w->pay.self;
    struct err e = {0};
    bool busy = false;
    p->calls = &w->calls;
    p->refund_at = 0;
    if (!nano_refund_round(p, NULL, &busy, &e))
        fail_msg("round: %s", e.detail);
}

static void drive(struct pay_world *w, const char *sql, int64_t want)
{
    struct nano_payment *p = w->pay.self;
    for (int i = 0; i < 400 && fixture_db_number(w->db, sql) != want; i++) {
        struct err e = {0};
        struct raw swept = RAW_ZERO;
        bool busy = false;
        p->calls = &w->calls;
        (void)nano_collect_round(p, RAW_ZERO, NULL, &busy, &swept, &e);
        fixture_db_sql(w->db, "update blocks set next_at = now() where state <> 'confirmed'");
        cancel_wait(NULL, 10);
    }
    assert_int_equal(fixture_db_number(w->db, sql), want);
}

/* Somebody uses the seed elsewhere and is faster: the block can never count, all comes back. */
static void test_block_that_lost(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    struct err e = {0};
    char ann[UUID_TEXT], to[NANO_ADDRESS];
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    foreign(1, to);
    buyer(&w, "ann", ann);
    fund(&w, "3" XNO);
    ask_and_agree(&w, ann, to, 10);
    pay_wait(db, DONE, 1, 20000);
    pay_close(&w);

    pay_open(&w, db, &pay_fake, &(struct pay_options){.stopped = true});
    struct nano_payment *p = w.pay.self;
    struct nano_block other;
    bool opened = false;
    enum nano_published result;
    assert_true(nano_read_frontier(p, &p->treasury, &other, &opened, NULL, &e));
    other.link = nano_hash_of(&p->wallet);
    assert_true(raw_sub(other.balance, RAW_XNO, &other.balance));
    assert_true(nano_block_sign(&other, p->o.seed, 0, &e));
    assert_true(
        work_pool_wait(p->o.work, &other.previous, FAKE_NANO_SEND, -1, NULL, &other.work, &e));
    ask_and_agree(&w, ann, to, 0);
    build(&w);
    assert_int_equal(fixture_db_number(db, "select count(*) from refunds where state = 'sent'"), 1);
    assert_int_equal(pay_avail(db, ann), 0);
    assert_true(p->o.node.ops->process(p->o.node.self, &other, NANO_SEND, &result, NULL, &e));
    assert_int_equal(result, NANO_PUBLISHED);
    drive(&w, "select count(*) from refunds where state = 'refused'", 1);
    drive(&w, "select count(*) from refunds where told = 'refused'", 1);
    assert_true(atomic_load(&w.refund_states) & 1 << PAY_REFUND_BACK);
    assert_int_equal(pay_avail(db, ann), 90);
    assert_int_equal(fixture_db_number(db, "select (sum(raw) = 5e27::numeric)::int from rests"), 1);
    /* Asked again, it goes out on the new frontier. */
    ask_and_agree(&w, ann, to, 0);
    drive(&w, DONE, 2);
    assert_int_equal(pay_avail(db, ann), 0);
    fixture_db_check(db);
    pay_close(&w);
}

/* A node that calls the block dead brings no credit back: it is published in the end. */
static void test_node_lies_about_it(void **state)
{
    static const struct {
        const char *error, *why;
        int skip; /* 0: about the treasury's receive; 1: that one goes through; then the refund */
    } lies[] = {
        {"Fork",          "fork",         0},
        {"Bad signature", "invalid",      1},
        {"Unreceivable",  "unreceivable", 2},
        {"Fork",          "fork",         2},
    };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT], to[NANO_ADDRESS];
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    foreign(1, to);
    buyer(&w, "ann", ann);
    pay_wait(db, "select count(*) from deposits where collected", 1, 10000);
    pay_close(&w);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.stopped = true});
    fund(&w, "3" XNO);
    ask_and_agree(&w, ann, to, 30);
    for (size_t i = 0; i < COUNT(lies); i++) {
        AUTO(free_ptr)
        char *sql = str_printf("select count(*) from blocks where why = '%s' and kind %s 'send'",
                               lies[i].why, lies[i].skip ? "=" : "<>");
        fake_nano_tell(&pay_fake, "fault",
                       "{\"on\":\"process\",\"kind\":\"error\",\"error\":\"%s\",\"times\":1,"
                       "\"skip\":%d}",
                       lies[i].error, lies[i].skip == 1 ? 1 : 0);
        drive(&w, sql, 1);
        assert_int_equal(pay_avail(db, ann), 70);
    }
    drive(&w, DONE, 1);
    assert_int_equal(pay_avail(db, ann), 70);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'refused'"),
                     0);
    pay_close(&w);
}

/* One of two nodes calls the send of a refund final: nobody is told that it is done. */
static void test_done_is_what_all_nodes_say(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT], to[NANO_ADDRESS];
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100, .nodes = 2, .second = "0.5"});
    foreign(1, to);
    buyer(&w, "ann", ann);
    fund(&w, "3" XNO);
    ask_and_agree(&w, ann, to, 10); /* opens the treasury */
    pay_wait(db, DONE, 1, 20000);
    fake_nano_tell(&pay_fake, "set", "{\"autoConfirm\":false}");
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"blocks_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":{\"blocks\":"
                   "{\"*\":{\"confirmed\":\"true\"}}}}");
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"block_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":"
                   "{\"confirmed\":\"true\"}}");
    ask_and_agree(&w, ann, to, 90);
    pay_wait(db, "select count(*) from blocks where state = 'published' and tries >= 4", 1, 20000);
    assert_int_equal(fixture_db_number(db, DONE), 1);
    fake_nano_tell(&pay_fake, "set", "{\"autoConfirm\":true}"); /* when an election is asked for */
    pay_wait(db, DONE, 2, 20000);
    fake_nano_tell(&pay_fake, "clear", "{}");
    assert_int_equal(pay_differences(&w, true), 0);
    pay_close(&w);
}

/* Two processes that both build, one behind the other's back: one block. */
static void test_two_processes(void **state)
{
    enum { PEOPLE = 4 };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(10);
    struct pay_world w[2];
    char who[PEOPLE][UUID_TEXT], to[NANO_ADDRESS];
    for (int i = 0; i < 2; i++)
        pay_open(&w[i], db, &pay_fake, &(struct pay_options){.poll_ms = 100, .lease_ms = 1000});
    for (int i = 0; i < PEOPLE; i++) {
        char name[8];
        snprintf(name, sizeof(name), "u%d", i);
        buyer(&w[i % 2], name, who[i]);
    }
    fund(&w[0], "9" XNO);
    for (int i = 0; i < PEOPLE; i++) {
        foreign((uint32_t)i, to);
        ask_and_agree(&w[i % 2], who[i], to, 0);
        struct nano_payment *p = w[1].pay.self; /* as if it had the lease too */
        struct err e = {0};
        struct raw swept = RAW_ZERO;
        bool busy = false;
        p->calls = &w[1].calls;
        (void)nano_collect_round(p, RAW_ZERO, NULL, &busy, &swept, &e);
    }
    pay_wait(db, DONE, PEOPLE, 30000);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'refused'"),
                     0);
    assert_int_equal(pay_differences(&w[0], true), 0);
    pay_close(&w[0]);
    pay_close(&w[1]);
    fake_node_no_complaints(&pay_fake);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PAY_CASE(test_the_whole_way),
        PAY_CASE(test_waits_for_money),
        PAY_CASE(test_refused),
        PAY_CASE(test_block_that_lost),
        PAY_CASE(test_node_lies_about_it),
        PAY_CASE(test_done_is_what_all_nodes_say),
        PAY_CASE(test_two_processes),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, pay_start, pay_stop);
}
