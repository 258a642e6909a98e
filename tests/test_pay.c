/* Paying with Nano against fake nodes that keep the ledger's rules: how a payment becomes credit, whoever
 * tells of it, and that nothing small or broken keeps it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_deposit.h"
#include "core/pay/nano_internal.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

static void test_by_stream_and_by_polling(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
        struct pay_world w;
        char ann[UUID_TEXT], hash[65];
        pay_reset(NULL);
        fixture_db_account(db, "ann", 0, ann);
        /* With the stream nothing is polled in time; without it, nothing else tells. */
        pay_open(&w, db, &pay_fake,
                 &(struct pay_options){.stream = stream == 1,
                                       .poll_ms = stream ? 600000 : 100,
                                       .poll_all_ms = 600000});
        struct order o = pay_order(&w, ann, "2");
        if (stream)
            cancel_wait(NULL, 700); /* connected, and the first look is over */
        fake_nano_pay(&pay_fake, o.address, "2" XNO, hash);
        pay_wait(db, PAY_CREDITED, 1, 5000);
        assert_int_equal(pay_avail(db, ann), 220);
        assert_int_equal(atomic_load(&w.credited), 1);
        pay_wait(db, "select count(*) from orders where state = 'paid'", 1, 2000);
        /* Pocketed by itself. */
        pay_wait(db, "select count(*) from deposits where collected", 1, 10000);
        assert_int_equal(pay_differences(&w, true), 0);
        pay_close(&w);
    }
}

/* A send that is not confirmed is told, and counts only once it is. */
static void test_seen_then_confirmed(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], hash[65];
    struct err e = {0};
    struct nano_hash h;
    fixture_db_account(db, "ann", 0, ann);
    fake_nano_tell(&pay_fake, "set", "{\"autoConfirm\":false}");
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100, .poll_all_ms = 600000});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay_unconfirmed(&pay_fake, o.address, "1" XNO, hash);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(atomic_load(&w.seen), 1);
    cancel_wait(NULL, 400); /* several looks */
    assert_int_equal(pay_avail(db, ann), 0);
    fake_nano_tell(&pay_fake, "confirm", "{\"hash\":\"%s\"}", hash);
    pay_wait(db, PAY_CREDITED, 1, 5000);
    assert_int_equal(pay_avail(db, ann), 100);
    pay_close(&w);
}

/* A card that cannot be made keeps no money back. */
static bool no_card(struct db_tx *tx, void *ctx, const struct pay_credited *c, struct err *e)
{
    (void)tx, (void)ctx, (void)c;
    return err_set(e, ERR_INTERNAL, "error.internal", "a card that cannot be made");
}

static void test_telling_fails(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], hash[65];
    struct nano_hash h;
    struct err e = {0};
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 600000, .poll_all_ms = 600000});
    cancel_wait(NULL, 300);
    w.calls.on_credited = no_card;
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay(&pay_fake, o.address, "1" XNO, hash);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(pay_avail(db, ann), 100);
    pay_close(&w);
}

/* More addresses than a page: each is looked at, and none twice in a round. */
static void test_many_pages(void **state)
{
    (void)state;
    enum { MANY = NANO_PAGE + 40 };
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char first[PAY_ADDRESS], last[PAY_ADDRESS], id[UUID_TEXT];
    pay_open(&w, db, &pay_fake, &(struct pay_options){.stopped = true});
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i);
        fixture_db_account(db, name, 0, id);
        pay_address(&w, id, last);
        if (i == 0)
            str_copy(first, sizeof(first), last);
    }
    pay_close(&w);
    fixture_db_sql(db, "update deposit_addresses set hot_until = '-infinity'");
    fake_nano_pay(&pay_fake, first, "1" XNO, NULL);
    fake_nano_pay(&pay_fake, last, "1" XNO, NULL);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 600000, .poll_all_ms = 600000});
    pay_wait(db, PAY_CREDITED, 2, 10000);
    pay_close(&w);
}

static void test_dust_flood(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.stopped = true});
    struct order o = pay_order(&w, ann, "1");
    pay_close(&w);
    fake_nano_tell(&pay_fake, "flood", "{\"to\":\"%s\",\"count\":3000,\"amount\":\"1\"}",
                   o.address);
    fake_nano_tell(&pay_fake, "flood",
                   "{\"to\":\"%s\",\"count\":300,\"amount\":\"1000000000000000000000000000\"}",
                   o.address); /* 0.001 each: costs the sender something, so it counts */
    fake_nano_pay(&pay_fake, o.address, "1" XNO, NULL);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    pay_wait(db, PAY_CREDITED, 301, 20000);
    assert_int_equal(pay_avail(db, ann), 130);
    pay_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PAY_CASE(test_by_stream_and_by_polling),
        PAY_CASE(test_seen_then_confirmed),
        PAY_CASE(test_telling_fails),
        PAY_CASE(test_many_pages),
        PAY_CASE(test_dust_flood),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, pay_start, pay_stop);
}
