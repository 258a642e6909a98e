/* How what was paid goes on to the operator: received, swept, and published until it is through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

static int64_t wallet_has(const char *amount)
{
    AUTO(free_ptr) char *body = str_printf("{\"account\":\"%s\"}", PAY_WALLET);
    AUTO(json_free) cJSON *doc = fake_node_ask(&pay_fake, "account", body);
    AUTO(free_ptr) char *text = cJSON_PrintUnformatted(doc);
    return strstr(text, amount) != NULL;
}

static void test_sweep(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w[2];
    struct err e = {0};
    char moved[PAY_AMOUNT], ann[UUID_TEXT], bob[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    fixture_db_account(db, "bob", 0, bob);
    pay_open(&w[0], db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    struct order a = pay_order(&w[0], ann, "1"), b = pay_order(&w[0], bob, "2");
    fake_nano_pay(&pay_fake, a.address, "1" XNO, NULL);
    fake_nano_pay(&pay_fake, a.address, "1" XNO, NULL);
    fake_nano_pay(&pay_fake, b.address, "2500000000000000000000000000000", NULL);
    pay_wait(db, PAY_CREDITED, 3, 5000);
    /* nanotik sweep beside a running bot: both build, one block stands at each place. */
    pay_open(&w[1], db, &pay_fake, &(struct pay_options){.stopped = true});
    if (!w[1].pay.ops->collect(w[1].pay.self, NULL, moved, &e))
        fail_msg("sweep: %s", e.detail);
    pay_wait(db, "select count(*) from deposits where collected", 3, 10000);
    pay_wait(db, "select count(*) from blocks where kind = 'send' and state = 'confirmed'", 2,
             10000);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'refused'"),
                     0);
    assert_true(wallet_has("4500000000000000000000000000000") ||
                wallet_has("2000000000000000000000000000000"));
    assert_int_equal(pay_differences(&w[0], true), 0);
    /* Paid again after the sweep: a receive on the same account, not an open. */
    fake_nano_pay(&pay_fake, a.address, "3" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where collected", 4, 15000);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where kind = 'open'"), 2);
    assert_int_equal(pay_differences(&w[0], true), 0);
    pay_close(&w[1]);
    pay_close(&w[0]);
    fake_node_no_complaints(&pay_fake);
}

/* A node that tells another frontier or balance of our account cannot make us sign nonsense. */
static void test_lies_about_our_account(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay(&pay_fake, o.address, "1" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where collected", 1, 10000);
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"account_info\",\"kind\":\"patch\",\"times\":6,\"patch\":{\"balance\":"
                   "\"1\",\"confirmed_balance\":\"1\"}}");
    fake_nano_pay(&pay_fake, o.address, "1" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where collected", 2, 20000);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'refused'"),
                     0);
    fake_nano_tell(&pay_fake, "clear", "{}");
    assert_int_equal(pay_differences(&w, true), 0);
    pay_close(&w);
}

/* Publishing goes wrong in each way that time mends: the same block, in the end, and only once. */
static void test_publishing_goes_wrong(void **state)
{
    static const char *const ways[] = {
        "\"kind\":\"lose\"", /* published, but nobody says so */
        "\"kind\":\"close\"",
        "\"kind\":\"html\"",
        "\"kind\":\"error\",\"error\":\"Gap source block\"",
        "\"kind\":\"error\",\"error\":\"Block work is less than threshold\"",
    };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    struct order o = pay_order(&w, ann, "1");
    for (int i = 0; i < (int)COUNT(ways); i++) {
        fake_nano_tell(&pay_fake, "fault", "{\"on\":\"process\",\"times\":1,%s}", ways[i]);
        fake_nano_pay(&pay_fake, o.address, "1" XNO, NULL);
        pay_wait(db, "select count(*) from deposits where collected", i + 1, 20000);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks"), COUNT(ways));
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'confirmed'"),
                     COUNT(ways));
    assert_int_equal(pay_avail(db, ann), 100 * COUNT(ways));
    assert_int_equal(pay_differences(&w, true), 0);
    pay_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PAY_CASE(test_sweep),
        PAY_CASE(test_lies_about_our_account),
        PAY_CASE(test_publishing_goes_wrong),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, pay_start, pay_stop);
}
