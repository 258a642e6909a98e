/* What nodes hide, invent or do not know yet never becomes credit, and the truth does once it is told. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/pay/nano_internal.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

/* An unconfirmed send that loses against a fork never was. */
static void test_fork_of_the_sender(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], hash[65];
    fixture_db_account(db, "ann", 0, ann);
    fake_nano_tell(&pay_fake, "set", "{\"autoConfirm\":false}");
    pay_open(&w, db, &pay_fake, &(struct pay_options){.stream = true, .poll_ms = 50});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay_unconfirmed(&pay_fake, o.address, "1" XNO, hash);
    cancel_wait(NULL, 200);
    fake_nano_tell(&pay_fake, "fork", "{\"hash\":\"%s\",\"to\":\"%s\",\"confirm\":true}", hash,
                   PAY_WALLET);
    cancel_wait(NULL, 500);
    assert_int_equal(fixture_db_number(db, "select count(*) from deposits"), 0);
    assert_int_equal(pay_avail(db, ann), 0);
    pay_close(&w);
}

/* A node that is behind shows nothing yet; a send that the network forgot never counts. */
static void test_lag_and_loss(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], hash[65];
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 100});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_tell(&pay_fake, "node", "{\"lag\":true}");
    fake_nano_pay(&pay_fake, o.address, "1" XNO, NULL);
    cancel_wait(NULL, 400);
    assert_int_equal(pay_avail(db, ann), 0);
    fake_nano_tell(&pay_fake, "node", "{\"lag\":false}");
    pay_wait(db, PAY_CREDITED, 1, 5000);
    fake_nano_tell(&pay_fake, "set", "{\"autoConfirm\":false}");
    fake_nano_pay_unconfirmed(&pay_fake, o.address, "1" XNO, hash);
    cancel_wait(NULL, 300);
    fake_nano_tell(&pay_fake, "drop", "{\"hash\":\"%s\"}", hash);
    cancel_wait(NULL, 400);
    assert_int_equal(fixture_db_number(db, PAY_CREDITED), 1);
    assert_int_equal(pay_avail(db, ann), 100);
    pay_close(&w);
}

static void test_lies(void **state)
{
    static const struct {
        const char *fault; /* {h} = the send's hash */
        bool counts;       /* while the lie goes on */
        const char *why;
    } rows[] = {
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"amount\":"
         "\"9000000000000000000000000000000000\"}}}",                                         true,  "the amount told is not believed: it is computed"},
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"contents\":{"
         "\"balance\":\"1\"}}}}",                                                             false, "a balance that was changed breaks the hash"     },
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"contents\":{"
         "\"link\":\"0000000000000000000000000000000000000000000000000000000000000001\"}}}}", false, "another destination breaks the hash"            },
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"contents\":{"
         "\"signature\":\"0000000000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000000\"}}}}",            false, "a signature that nobody made"                   },
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"confirmed\":"
         "\"false\"}}}",                                                                      false, "not confirmed"                                  },
        {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"confirmed\":"
         "\"(gone)\"}}}",                                                                     false, "says nothing about confirmation"                },
        {"\"on\":\"accounts_receivable\",\"kind\":\"hide\"",                                           false, "hides what waits"                               },
        {"\"on\":\"any\",\"kind\":\"html\"",                                                           false, "a web page"                                     },
        {"\"on\":\"any\",\"kind\":\"half\"",                                                           false, "half an answer"                                 },
        {"\"on\":\"any\",\"kind\":\"numbers\"",                                                        false, "amounts as numbers, rounded by the reader"      },
        {"\"on\":\"any\",\"kind\":\"close\"",                                                          false, "cuts the line"                                  },
        {"\"on\":\"any\",\"kind\":\"status\",\"code\":429",                                            false, "too many requests"                              },
        {"\"on\":\"any\",\"kind\":\"error\"",                                                          false, "an error with status 200"                       },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
        struct pay_world w;
        char ann[UUID_TEXT];
        pay_reset(NULL);
        fixture_db_account(db, "ann", 0, ann);
        pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 50});
        struct order o = pay_order(&w, ann, "1");
        fake_nano_tell(&pay_fake, "fault", "{%s,\"times\":-1}", rows[i].fault);
        fake_nano_pay(&pay_fake, o.address, "1" XNO, NULL);
        if (rows[i].counts) {
            pay_wait(db, PAY_CREDITED, 1, 5000);
        } else {
            cancel_wait(NULL, 250);
            if (fixture_db_number(db, "select count(*) from deposits") != 0)
                fail_msg("credited: %s", rows[i].why);
            pay_close(&w);
            fake_nano_tell(&pay_fake, "clear", "{}");
            pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 50});
            pay_wait(db, PAY_CREDITED, 1, 10000);
        }
        if (pay_avail(db, ann) != 100)
            fail_msg("%d credits: %s", (int)pay_avail(db, ann), rows[i].why);
        pay_close(&w);
    }
}

/* One of two nodes calls an unconfirmed send confirmed: enough for a small amount (it is the node
   that is asked), never for a large one. */
static void test_second_opinion(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], hash[65];
    struct nano_hash h;
    struct err e = {0};
    fixture_db_account(db, "ann", 0, ann);
    fake_nano_tell(&pay_fake, "set", "{\"autoConfirm\":false}");
    pay_open(&w, db, &pay_fake,
             &(struct pay_options){.nodes = 2, .second = "10", .poll_ms = 600000});
    struct order o = pay_order(&w, ann, "10");
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"blocks_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":{\"blocks\":"
                   "{\"*\":{\"confirmed\":\"true\"}}}}");
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"block_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":"
                   "{\"confirmed\":\"true\"}}");
    fake_nano_pay_unconfirmed(&pay_fake, o.address, "10" XNO, hash);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(pay_avail(db, ann), 0);
    assert_int_equal(atomic_load(&w.seen), 1);
    fake_nano_tell(&pay_fake, "confirm", "{\"hash\":\"%s\"}",
                   hash); /* now the second says so too */
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(pay_avail(db, ann), 1250);
    pay_close(&w);
}

/* The block before the send is of before 2018: its balance cannot be proven, so nothing is credited. */
static void test_unprovable_predecessor(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], first[65], hash[65];
    struct nano_hash h;
    struct err e = {0};
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &pay_fake, &(struct pay_options){.poll_ms = 600000, .poll_all_ms = 600000});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay(&pay_fake, PAY_WALLET, "1" XNO, first);
    fake_nano_pay(&pay_fake, o.address, "1" XNO, hash);
    fake_nano_tell(&pay_fake, "mark", "{\"hash\":\"%s\",\"legacy\":true}", first);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(fixture_db_number(db, "select count(*) from deposits"), 0);
    assert_true(pay_differences(&w, false) > 0); /* and reconcile tells */
    pay_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PAY_CASE(test_fork_of_the_sender),
        PAY_CASE(test_lag_and_loss),
        PAY_CASE(test_lies),
        PAY_CASE(test_second_opinion),
        PAY_CASE(test_unprovable_predecessor),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, pay_start, pay_stop);
}
