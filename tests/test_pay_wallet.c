/* Watch-only: the operator's wallet receives by itself, also while nobody looks. Its own chain is
 * followed from where it was left: nothing missed, nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

#define ARRIVED "select count(*) from deposits"

/* Whose keys the fake has: it can receive. */
enum { WALLET = 77 };

static char wallet[PAY_ADDRESS];

static int case_open(void **state)
{
    pay_reset(state);
    AUTO(json_free) cJSON *doc = fake_node_ask(&pay_fake, "payer", "{\"from\":77}");
    str_copy(wallet, sizeof(wallet), json_text(doc, "account", ""));
    return 0;
}

static void open_world(struct pay_world *w, struct db *db, bool stopped)
{
    pay_open(w, db, &pay_fake,
             &(struct pay_options){
                 .watch_only = true, .wallet = wallet, .poll_ms = 50, .stopped = stopped});
}

static void pocket(void)
{
    fake_nano_tell(&pay_fake, "pocket", "{\"from\":%d}", WALLET);
}

/* The operator's own income: `count` times 0.5 XNO, received at once. */
static void income(int count)
{
    fake_nano_tell(&pay_fake, "flood",
                   "{\"to\":\"%s\",\"count\":%d,\"amount\":\"5"
                   "00000000000000000000000000000\"}",
                   wallet, count);
    pocket();
}

static void pay_for(const struct order *o)
{
    char amount[RAW_TEXT];
    raw_print(o->amount, amount);
    fake_nano_pay(&pay_fake, wallet, amount, NULL);
    pocket();
}

/* A payment, then more blocks than one look reads, then a payment, all while nobody looks. */
static void a_long_outage_misses_nothing(void **state)
{
    enum { BETWEEN = 130 };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], bob[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    fixture_db_account(db, "bob", 0, bob);
    income(3);
    open_world(&w, db, false);
    pay_wait(db, "select count(*) from wallet_chains", 1, 5000);
    struct order a = pay_order(&w, ann, "1"), b = pay_order(&w, bob, "2");
    pay_close(&w);
    assert_int_equal(fixture_db_number(db, ARRIVED), 0); /* what was there before is nobody's */

    pay_for(&a);
    income(BETWEEN);
    pay_for(&b);
    open_world(&w, db, false);
    pay_wait(db, PAY_CREDITED, 2, 20000);
    assert_in_range(pay_avail(db, ann), 100, 100 + 2); /* with the tails of the amounts */
    assert_in_range(pay_avail(db, bob), 220, 220 + 2); /* with the tails of the amounts */
    pay_wait(db, ARRIVED, BETWEEN + 2, 5000);
    assert_int_equal(atomic_load(&w.credited), 2);
    pay_close(&w);

    /* A new start looks at nothing twice. */
    int before = fake_nano_calls(&pay_fake, "main blocks_info");
    open_world(&w, db, false);
    struct order c = pay_order(&w, ann, "1");
    pay_for(&c);
    pay_wait(db, PAY_CREDITED, 3, 5000);
    pay_close(&w);
    assert_in_range(fake_nano_calls(&pay_fake, "main blocks_info") - before, 1, 12);
    assert_in_range(pay_avail(db, ann), 200, 200 + 2); /* with the tails of the amounts */
    fake_node_no_complaints(&pay_fake);
}

/* The first start comes late: the node was away while orders were made and paid. */
static void orders_before_the_first_look(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    for (int opened = 0; opened < 2; opened++) {
        if (opened)
            income(2);
        open_world(&w, db, true);
        struct order o = pay_order(&w, ann, "1");
        pay_close(&w);
        pay_for(&o);
        open_world(&w, db, false);
        pay_wait(db, PAY_CREDITED, opened + 1, 5000);
        pay_close(&w);
        fixture_db_sql(db, "delete from wallet_chains");
    }
    assert_in_range(pay_avail(db, ann), 200, 200 + 2); /* with the tails of the amounts */
}

/* What a node says of the chain leads nobody away from it, and costs no payment. */
static void lies_about_the_chain(void **state)
{
    static const struct {
        const char *fault, *why;
    } rows[] = {
        {"\"on\":\"account_info\",\"kind\":\"error\",\"error\":\"Account not found\"",
         "never opened"                                                                                                   },
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"successor\":"
         "\"(gone)\"}}}",                                                          "nothing comes next"          },
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"successor\":"
         "\"%s\"}}}",                                                              "another account's block next"},
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"confirmed\":"
         "\"false\"}}}",                                                           "nothing is final"            },
        {"\"on\":\"blocks_info\",\"kind\":\"hide\"",                                        "no block is known"           },
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"contents\":{"
         "\"signature\":\"0000000000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000000\"}}}}", "signatures are spoilt"       },
    };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], stranger[65];
    fixture_db_account(db, "ann", 0, ann);
    fake_nano_pay(&pay_fake, PAY_WALLET, "1" XNO, stranger);
    income(1);
    open_world(&w, db, false);
    pay_wait(db, "select count(*) from wallet_chains", 1, 5000);
    for (int i = 0; i < (int)COUNT(rows); i++) {
        struct order o = pay_order(&w, ann, "1");
        AUTO(free_ptr) char *fault = str_printf(rows[i].fault, stranger);
        fake_nano_tell(&pay_fake, "fault", "{%s,\"times\":-1}", fault);
        pay_for(&o);
        cancel_wait(NULL, 200);
        if (fixture_db_number(db, PAY_CREDITED) != i)
            fail_msg("counted: %s", rows[i].why);
        fake_nano_tell(&pay_fake, "clear", "{}");
        pay_wait(db, PAY_CREDITED, i + 1, 10000);
    }
    assert_in_range(pay_avail(db, ann), 100 * COUNT(rows), 101 * COUNT(rows));
    pay_close(&w);
}

/* The mark is a block that no node knows (an older backup, another network): begun anew, and what was
   counted is not counted again. */
static void a_mark_that_is_gone(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    income(1);
    open_world(&w, db, false);
    pay_wait(db, "select count(*) from wallet_chains", 1, 5000);
    struct order a = pay_order(&w, ann, "1"), b = pay_order(&w, ann, "1");
    pay_for(&a);
    pay_wait(db, PAY_CREDITED, 1, 5000);
    pay_close(&w);
    fixture_db_sql(db, "update wallet_chains set seen = repeat('A', 64)");
    pay_for(&b);
    open_world(&w, db, false);
    pay_wait(db, PAY_CREDITED, 2, 10000);
    assert_in_range(pay_avail(db, ann), 200, 200 + 2); /* with the tails of the amounts */
    assert_int_equal(atomic_load(&w.credited), 1);
    pay_close(&w);
}

/* --- who it was --- */

static void test_watch_only(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], bob[UUID_TEXT], amount[RAW_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    fixture_db_account(db, "bob", 0, bob);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.watch_only = true, .poll_ms = 100});
    struct order a = pay_order(&w, ann, "1"), b = pay_order(&w, bob, "1");
    assert_string_equal(a.address, PAY_WALLET);
    assert_string_equal(b.address, PAY_WALLET);
    assert_int_not_equal(raw_compare(a.amount, b.amount), 0);
    raw_print(b.amount, amount);
    fake_nano_pay(&pay_fake, PAY_WALLET, amount, NULL);
    pay_wait(db, PAY_CREDITED, 1, 5000);
    assert_int_equal(pay_avail(db, bob), 100);
    assert_int_equal(pay_avail(db, ann), 0);
    /* The operator's own income is nobody's. */
    fake_nano_pay(&pay_fake, PAY_WALLET, "7" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where state = 'unmatched'", 1, 5000);
    assert_int_equal(pay_avail(db, bob) + pay_avail(db, ann), 100);
    assert_int_equal(pay_differences(&w, true), 0);
    pay_close(&w);
}

struct claim_call {
    struct pay_world *w;
    const char *account, *hash;
};

static bool claim_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct claim_call *c = ctx;
    static const struct chat_addr addr = {.network = "test", .chat = "c"};
    return c->w->pay.ops->claim(c->w->pay.self, tx, c->account, c->hash, "en", &addr, e);
}

static int claim(struct pay_world *w, const char *account, const char *hash)
{
    struct claim_call c = {.w = w, .account = account, .hash = hash};
    struct err e = {0};
    int before = atomic_load(&w->claims);
    if (!db_run(w->db, claim_body, &c, &e))
        return -1;
    for (int i = 0; i < 500 && atomic_load(&w->claims) == before; i++)
        cancel_wait(NULL, 10);
    return atomic_load(&w->claims) == before ? -2 : atomic_load(&w->last_claim);
}

static void test_claims(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], bob[UUID_TEXT], odd[65], both[65], other[65];
    fixture_db_account(db, "ann", 0, ann);
    fixture_db_account(db, "bob", 0, bob);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.watch_only = true, .poll_ms = 100});
    fake_nano_pay(&pay_fake, PAY_WALLET, "1300000000000000000000000000000", odd);
    assert_int_equal(claim(&w, ann, odd), PAY_CLAIM_ASK_OPERATOR); /* never ordered anything */
    pay_order(&w, ann, "1");
    assert_int_equal(claim(&w, bob, odd), PAY_CLAIM_ASK_OPERATOR); /* ann did, bob did not */
    assert_int_equal(claim(&w, ann, odd), PAY_CLAIM_GRANTED);
    assert_int_equal(pay_avail(db, ann), 130);
    assert_int_equal(claim(&w, bob, odd), PAY_CLAIM_KNOWN);
    fake_nano_pay(&pay_fake, PAY_WALLET, "2100000000000000000000000000000", other);
    assert_int_equal(claim(&w, ann, other), PAY_CLAIM_ASK_OPERATOR); /* of what she asked for? */
    pay_order(&w, ann, "1");
    pay_order(&w, bob, "1");
    fake_nano_pay(&pay_fake, PAY_WALLET, "1400000000000000000000000000000", both);
    assert_int_equal(claim(&w, bob, both), PAY_CLAIM_ASK_OPERATOR); /* it could be either's */
    fake_nano_pay(&pay_fake, "nano_1111111111111111111111111111111111111111111111111111hifc8npp",
                  "1" XNO, other);
    assert_int_equal(claim(&w, bob, other), PAY_CLAIM_NOT_OURS);
    assert_int_equal(claim(&w, bob, "abc"), -1);
    assert_int_equal(pay_avail(db, bob), 0);
    pay_close(&w);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup(f, case_open)
    const struct CMUnitTest tests[] = {
        CASE(a_long_outage_misses_nothing),
        CASE(orders_before_the_first_look),
        CASE(lies_about_the_chain),
        CASE(a_mark_that_is_gone),
        CASE(test_watch_only),
        CASE(test_claims),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, pay_start, pay_stop);
}
