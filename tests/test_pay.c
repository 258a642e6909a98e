/*
 * Paying with Nano against fake nodes that keep the ledger's rules and break them on demand: what
 * becomes credit, what never does, and how the money goes on to the operator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/db/store_deposit.h"
#include "core/net/json.h"
#include "core/pay/nano_internal.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

#define XNO "000000000000000000000000000000"
#define DEPOSITS "select count(*) from deposits where state = 'credited'"

static struct fake_node fake;

static int start(void **state)
{
    if (fixture_db_start(state) != 0)
        return 1;
    fake_nano_start(&fake);
    return 0;
}

static int stop(void **state)
{
    fake_node_stop(&fake);
    return fixture_db_stop(state);
}

static int reset(void **state)
{
    (void)state;
    fake_nano_tell(&fake, "reset", "{}");
    return 0;
}

/* --- the way of one payment --- */

static void test_by_stream_and_by_polling(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
        struct pay_world w;
        char ann[UUID_TEXT], hash[65];
        reset(NULL);
        fixture_db_account(db, "ann", 0, ann);
        /* With the stream nothing is polled in time; without it, nothing else tells. */
        pay_open(&w, db, &fake,
                 &(struct pay_options){.stream = stream == 1,
                                       .poll_ms = stream ? 600000 : 100,
                                       .poll_all_ms = 600000});
        struct order o = pay_order(&w, ann, "2");
        if (stream)
            cancel_wait(NULL, 700); /* connected, and the first look is over */
        fake_nano_pay(&fake, o.address, "2" XNO, hash);
        pay_wait(db, DEPOSITS, 1, 5000);
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
    fake_nano_tell(&fake, "set", "{\"autoConfirm\":false}");
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 100, .poll_all_ms = 600000});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay_unconfirmed(&fake, o.address, "1" XNO, hash);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(atomic_load(&w.seen), 1);
    cancel_wait(NULL, 400); /* several looks */
    assert_int_equal(pay_avail(db, ann), 0);
    fake_nano_tell(&fake, "confirm", "{\"hash\":\"%s\"}", hash);
    pay_wait(db, DEPOSITS, 1, 5000);
    assert_int_equal(pay_avail(db, ann), 100);
    pay_close(&w);
}

/* An unconfirmed send that loses against a fork never was. */
static void test_fork_of_the_sender(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], hash[65];
    fixture_db_account(db, "ann", 0, ann);
    fake_nano_tell(&fake, "set", "{\"autoConfirm\":false}");
    pay_open(&w, db, &fake, &(struct pay_options){.stream = true, .poll_ms = 50});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay_unconfirmed(&fake, o.address, "1" XNO, hash);
    cancel_wait(NULL, 200);
    fake_nano_tell(&fake, "fork", "{\"hash\":\"%s\",\"to\":\"%s\",\"confirm\":true}", hash,
                   PAY_WALLET);
    cancel_wait(NULL, 500);
    assert_int_equal(fixture_db_number(db, "select count(*) from deposits"), 0);
    assert_int_equal(pay_avail(db, ann), 0);
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
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 600000, .poll_all_ms = 600000});
    cancel_wait(NULL, 300);
    w.calls.on_credited = no_card;
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay(&fake, o.address, "1" XNO, hash);
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
    pay_open(&w, db, &fake, &(struct pay_options){.stopped = true});
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
    fake_nano_pay(&fake, first, "1" XNO, NULL);
    fake_nano_pay(&fake, last, "1" XNO, NULL);
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 600000, .poll_all_ms = 600000});
    pay_wait(db, DEPOSITS, 2, 10000);
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
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 100});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_tell(&fake, "node", "{\"lag\":true}");
    fake_nano_pay(&fake, o.address, "1" XNO, NULL);
    cancel_wait(NULL, 400);
    assert_int_equal(pay_avail(db, ann), 0);
    fake_nano_tell(&fake, "node", "{\"lag\":false}");
    pay_wait(db, DEPOSITS, 1, 5000);
    fake_nano_tell(&fake, "set", "{\"autoConfirm\":false}");
    fake_nano_pay_unconfirmed(&fake, o.address, "1" XNO, hash);
    cancel_wait(NULL, 300);
    fake_nano_tell(&fake, "drop", "{\"hash\":\"%s\"}", hash);
    cancel_wait(NULL, 400);
    assert_int_equal(fixture_db_number(db, DEPOSITS), 1);
    assert_int_equal(pay_avail(db, ann), 100);
    pay_close(&w);
}

/* --- lies: never a wrong credit, and the truth counts once it is told --- */

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
        reset(NULL);
        fixture_db_account(db, "ann", 0, ann);
        pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 50});
        struct order o = pay_order(&w, ann, "1");
        fake_nano_tell(&fake, "fault", "{%s,\"times\":-1}", rows[i].fault);
        fake_nano_pay(&fake, o.address, "1" XNO, NULL);
        if (rows[i].counts) {
            pay_wait(db, DEPOSITS, 1, 5000);
        } else {
            cancel_wait(NULL, 250);
            if (fixture_db_number(db, "select count(*) from deposits") != 0)
                fail_msg("credited: %s", rows[i].why);
            pay_close(&w);
            fake_nano_tell(&fake, "clear", "{}");
            pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 50});
            pay_wait(db, DEPOSITS, 1, 10000);
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
    fake_nano_tell(&fake, "set", "{\"autoConfirm\":false}");
    pay_open(&w, db, &fake, &(struct pay_options){.nodes = 2, .second = "10", .poll_ms = 600000});
    struct order o = pay_order(&w, ann, "10");
    fake_nano_tell(&fake, "fault",
                   "{\"on\":\"blocks_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":{\"blocks\":"
                   "{\"*\":{\"confirmed\":\"true\"}}}}");
    fake_nano_tell(&fake, "fault",
                   "{\"on\":\"block_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":"
                   "{\"confirmed\":\"true\"}}");
    fake_nano_pay_unconfirmed(&fake, o.address, "10" XNO, hash);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(pay_avail(db, ann), 0);
    assert_int_equal(atomic_load(&w.seen), 1);
    fake_nano_tell(&fake, "confirm", "{\"hash\":\"%s\"}", hash); /* now the second says so too */
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
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 600000, .poll_all_ms = 600000});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay(&fake, PAY_WALLET, "1" XNO, first);
    fake_nano_pay(&fake, o.address, "1" XNO, hash);
    fake_nano_tell(&fake, "mark", "{\"hash\":\"%s\",\"legacy\":true}", first);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w.pay.self, &h, 1, &e));
    assert_int_equal(fixture_db_number(db, "select count(*) from deposits"), 0);
    assert_true(pay_differences(&w, false) > 0); /* and reconcile tells */
    pay_close(&w);
}

/* --- dust --- */

static void test_dust_flood(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &fake, &(struct pay_options){.stopped = true});
    struct order o = pay_order(&w, ann, "1");
    pay_close(&w);
    fake_nano_tell(&fake, "flood", "{\"to\":\"%s\",\"count\":3000,\"amount\":\"1\"}", o.address);
    fake_nano_tell(&fake, "flood",
                   "{\"to\":\"%s\",\"count\":300,\"amount\":\"1000000000000000000000000000\"}",
                   o.address); /* 0.001 each: costs the sender something, so it counts */
    fake_nano_pay(&fake, o.address, "1" XNO, NULL);
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 100});
    pay_wait(db, DEPOSITS, 301, 20000);
    assert_int_equal(pay_avail(db, ann), 130);
    pay_close(&w);
}

/* --- watch-only --- */

static void test_watch_only(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], bob[UUID_TEXT], amount[RAW_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    fixture_db_account(db, "bob", 0, bob);
    pay_open(&w, db, &fake, &(struct pay_options){.watch_only = true, .poll_ms = 100});
    struct order a = pay_order(&w, ann, "1"), b = pay_order(&w, bob, "1");
    assert_string_equal(a.address, PAY_WALLET);
    assert_string_equal(b.address, PAY_WALLET);
    assert_int_not_equal(raw_compare(a.amount, b.amount), 0);
    raw_print(b.amount, amount);
    fake_nano_pay(&fake, PAY_WALLET, amount, NULL);
    pay_wait(db, DEPOSITS, 1, 5000);
    assert_int_equal(pay_avail(db, bob), 100);
    assert_int_equal(pay_avail(db, ann), 0);
    /* The operator's own income is nobody's. */
    fake_nano_pay(&fake, PAY_WALLET, "7" XNO, NULL);
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
    pay_open(&w, db, &fake, &(struct pay_options){.watch_only = true, .poll_ms = 100});
    fake_nano_pay(&fake, PAY_WALLET, "1300000000000000000000000000000", odd);
    assert_int_equal(claim(&w, ann, odd), PAY_CLAIM_ASK_OPERATOR); /* never ordered anything */
    pay_order(&w, ann, "1");
    assert_int_equal(claim(&w, bob, odd), PAY_CLAIM_ASK_OPERATOR); /* ann did, bob did not */
    assert_int_equal(claim(&w, ann, odd), PAY_CLAIM_GRANTED);
    assert_int_equal(pay_avail(db, ann), 130);
    assert_int_equal(claim(&w, bob, odd), PAY_CLAIM_KNOWN);
    fake_nano_pay(&fake, PAY_WALLET, "2100000000000000000000000000000", other);
    assert_int_equal(claim(&w, ann, other), PAY_CLAIM_ASK_OPERATOR); /* of what she asked for? */
    pay_order(&w, ann, "1");
    pay_order(&w, bob, "1");
    fake_nano_pay(&fake, PAY_WALLET, "1400000000000000000000000000000", both);
    assert_int_equal(claim(&w, bob, both), PAY_CLAIM_ASK_OPERATOR); /* it could be either's */
    fake_nano_pay(&fake, "nano_1111111111111111111111111111111111111111111111111111hifc8npp",
                  "1" XNO, other);
    assert_int_equal(claim(&w, bob, other), PAY_CLAIM_NOT_OURS);
    assert_int_equal(claim(&w, bob, "abc"), -1);
    assert_int_equal(pay_avail(db, bob), 0);
    pay_close(&w);
}

/* --- collecting --- */

static int64_t wallet_has(const char *amount)
{
    AUTO(free_ptr) char *body = str_printf("{\"account\":\"%s\"}", PAY_WALLET);
    AUTO(json_free) cJSON *doc = fake_node_ask(&fake, "account", body);
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
    pay_open(&w[0], db, &fake, &(struct pay_options){.poll_ms = 100});
    struct order a = pay_order(&w[0], ann, "1"), b = pay_order(&w[0], bob, "2");
    fake_nano_pay(&fake, a.address, "1" XNO, NULL);
    fake_nano_pay(&fake, a.address, "1" XNO, NULL);
    fake_nano_pay(&fake, b.address, "2500000000000000000000000000000", NULL);
    pay_wait(db, DEPOSITS, 3, 5000);
    /* nanotik sweep beside a running bot: both build, one block stands at each place. */
    pay_open(&w[1], db, &fake, &(struct pay_options){.stopped = true});
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
    fake_nano_pay(&fake, a.address, "3" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where collected", 4, 15000);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where kind = 'open'"), 2);
    assert_int_equal(pay_differences(&w[0], true), 0);
    pay_close(&w[1]);
    pay_close(&w[0]);
    fake_node_no_complaints(&fake);
}

/* A node that tells another frontier or balance of our account cannot make us sign nonsense. */
static void test_lies_about_our_account(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    struct pay_world w;
    char ann[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 100});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay(&fake, o.address, "1" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where collected", 1, 10000);
    fake_nano_tell(&fake, "fault",
                   "{\"on\":\"account_info\",\"kind\":\"patch\",\"times\":6,\"patch\":{\"balance\":"
                   "\"1\",\"confirmed_balance\":\"1\"}}");
    fake_nano_pay(&fake, o.address, "1" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where collected", 2, 20000);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'refused'"),
                     0);
    fake_nano_tell(&fake, "clear", "{}");
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
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 100});
    struct order o = pay_order(&w, ann, "1");
    for (int i = 0; i < (int)COUNT(ways); i++) {
        fake_nano_tell(&fake, "fault", "{\"on\":\"process\",\"times\":1,%s}", ways[i]);
        fake_nano_pay(&fake, o.address, "1" XNO, NULL);
        pay_wait(db, "select count(*) from deposits where collected", i + 1, 20000);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks"), COUNT(ways));
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'confirmed'"),
                     COUNT(ways));
    assert_int_equal(pay_avail(db, ann), 100 * COUNT(ways));
    assert_int_equal(pay_differences(&w, true), 0);
    pay_close(&w);
}

/* --- two processes, thousands of payments, every fault --- */

enum { CROWD_ACCOUNTS = 40 };

static const struct {
    const char *fault;
} faults[] = {
    {"\"on\":\"any\",\"kind\":\"close\""},
    {"\"on\":\"any\",\"kind\":\"html\""},
    {"\"on\":\"any\",\"kind\":\"half\""},
    {"\"on\":\"any\",\"kind\":\"lose\""},
    {"\"on\":\"any\",\"kind\":\"late\",\"ms\":100"},
    {"\"on\":\"any\",\"kind\":\"status\",\"code\":500"},
    {"\"on\":\"any\",\"kind\":\"numbers\""},
    {"\"on\":\"accounts_receivable\",\"kind\":\"hide\""},
    {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"amount\":\"99\"}}"
     "}"},
    {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"confirmed\":"
     "\"false\"}}}"},
    {"\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"contents\":{"
     "\"balance\":\"7\"}}}}"},
    {"\"on\":\"ws\",\"kind\":\"repeat\""},
    {"\"on\":\"ws\",\"kind\":\"lose\""},
    {"\"on\":\"ws\",\"kind\":\"late\",\"ms\":200"},
    {"\"on\":\"ws\",\"kind\":\"cut\""},
};

/* Adds what is paid, as the network sees it. */
static void pay_batch(struct rng *rng, char (*addresses)[PAY_ADDRESS], int n, struct raw *total)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(1 << 20);
    strbuf_addc(&body, '[');
    for (int i = 0; i < n; i++) {
        char text[RAW_TEXT];
        struct raw amount, micro = RAW_MICRO_XNO;
        uint64_t size = rng_below(rng, 3) == 0 ? 1000 + (uint64_t)rng_below(rng, 9000)
                                               : 10000 + (uint64_t)rng_below(rng, 3000000);
        assert_true(raw_mul(micro, size, &amount));
        assert_true(raw_add(amount, (struct raw){(unsigned)rng_below(rng, 1000)}, &amount));
        assert_true(raw_add(*total, amount, total));
        raw_print(amount, text);
        strbuf_addf(&body, "%s{\"to\":\"%s\",\"amount\":\"%s\",\"from\":%d}", i ? "," : "",
                    addresses[rng_below(rng, CROWD_ACCOUNTS)], text, 1 + rng_below(rng, 6));
    }
    strbuf_addc(&body, ']');
    AUTO(json_free) cJSON *doc = fake_node_ask(&fake, "pay", strbuf_text(&body));
    assert_non_null(doc);
}

static void test_random_payments(void **state)
{
    (void)state;
    const char *wish = getenv("PAY_RANDOM"); /* make bench: 10,000 */
    int64_t payments = 1000;
    if (wish)
        assert_true(str_to_int(wish, 100, 1000000, &payments));
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(12);
    struct pay_world w[2];
    char addresses[CROWD_ACCOUNTS][PAY_ADDRESS], total_text[RAW_TEXT];
    struct raw total = RAW_ZERO;
    struct rng rng = rng_make(42, 1);
    /* One hears the stream, the other only polls. */
    const struct pay_options options[] = {
        {.stream = true, .poll_ms = 200, .poll_all_ms = 1000, .nodes = 2,              .second = "2.9"},
        {.poll_ms = 200,              .poll_all_ms = 1000,               .nodes = 2,  .second = "2.9"},
    };
    for (int i = 0; i < 2; i++)
        pay_open(&w[i], db, &fake, &options[i]);
    for (int i = 0; i < CROWD_ACCOUNTS; i++) {
        char name[16], id[UUID_TEXT];
        snprintf(name, sizeof(name), "u%d", i);
        fixture_db_account(db, name, 0, id);
        struct order o = pay_order(&w[i % 2], id, i % 3 ? "1" : "5");
        str_copy(addresses[i], sizeof(addresses[i]), o.address);
    }
    for (int64_t done = 0; done < payments; done += 100) {
        fake_nano_tell(&fake, "fault", "{%s,\"times\":%d,\"skip\":%d}",
                       faults[rng_below(&rng, (int)COUNT(faults))].fault, 1 + rng_below(&rng, 4),
                       rng_below(&rng, 10));
        pay_batch(&rng, addresses, 100, &total);
        if (done == payments / 200 * 100) { /* the process that works dies: the other takes over */
            pay_close(&w[0]);
            pay_open(&w[0], db, &fake, &options[0]);
        }
    }
    pay_wait(db, DEPOSITS, payments, 120000);
    fake_nano_tell(&fake, "clear", "{}");
    raw_print(total, total_text);
    AUTO(free_ptr)
    char *sql = str_printf("select ((select sum(raw) from deposits) = %s and (select sum(amount)"
                           " from transfers where verb = 'buy') * 1e28"
                           " + (select sum(raw) from rests) = %s)::int",
                           total_text, total_text);
    assert_int_equal(fixture_db_number(db, sql), 1);
    pay_close(&w[0]);
    pay_close(&w[1]);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup(f, reset)
    const struct CMUnitTest tests[] = {
        CASE(test_by_stream_and_by_polling),
        CASE(test_seen_then_confirmed),
        CASE(test_fork_of_the_sender),
        CASE(test_lag_and_loss),
        CASE(test_telling_fails),
        CASE(test_many_pages),
        CASE(test_lies),
        CASE(test_second_opinion),
        CASE(test_unprovable_predecessor),
        CASE(test_dust_flood),
        CASE(test_watch_only),
        CASE(test_claims),
        CASE(test_sweep),
        CASE(test_lies_about_our_account),
        CASE(test_publishing_goes_wrong),
        CASE(test_random_payments),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, start, stop);
}
