/*
 * Payments become credits: what they buy (pure rules), and that each counts once, whatever repeats,
 * races or dies. Every case ends with the ledger's invariants.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/db/store_deposit.h"
#include "core/db/store_ledger.h"
#include "core/db/store_order.h"
#include "core/money/credit.h"
#include "tests/fixture_db.h"

static struct price_list prices;

static int start(void **state)
{
    struct err e = {0};
    if (!price_list_parse("0.01", "1=100,2=220,5=600,10=1250", &prices, &e))
        fail_msg("prices: %s", e.detail);
    return fixture_db_start(state);
}

static struct raw xno(const char *text)
{
    struct raw r;
    if (!raw_from_xno(text, &r))
        fail_msg("%s is no amount", text);
    return r;
}

/* --- the rule --- */

static void test_what_money_buys(void **state)
{
    static const struct {
        const char *amount, *rest;
        const char *order, *received, *rate; /* NULL: no order in time */
        int64_t bonus, given;
        int64_t credits, more;
        const char *left;
        const char *why;
    } rows[] = {
        {"1",                                "0",                                NULL, NULL, NULL,    0,  0,  100,         0,   "0",        "one XNO"                                 },
        {"0.01",                             "0",                                NULL, NULL, NULL,    0,  0,  1,           0,   "0",        "one credit"                              },
        {"0.009",                            "0",                                NULL, NULL, NULL,    0,  0,  0,           0,   "0.009",    "less than a credit waits"                },
        {"0.009",                            "0.001",                            NULL, NULL, NULL,    0,  0,  1,           0,   "0",        "and counts next time"                    },
        {"0.000000000000000000000000000001", "0.009999999999999999999999999999", NULL, NULL, NULL,
         0,                                                                                               0,  1,           0,   "0",        "the last raw counts"                     },
        {"2",                                "0",                                NULL, NULL, NULL,    0,  0,  200,         0,   "0",        "no order in time: no bonus"              },
        {"2",                                "0",                                "2",  "0",  "0.01",  20, 0,  200,         20,  "0",        "an order in time"                        },
        {"1",                                "0",                                "2",  "0",  "0.01",  20, 0,  100,         0,   "0",        "the first part"                          },
        {"1",                                "0",                                "2",  "1",  "0.01",  20, 0,  100,         20,  "0",        "with the last part comes the bonus"      },
        {"1",                                "0",                                "2",  "2",  "0.01",  20, 20, 100,         10,  "0",
         "more than ordered: the rate of what came"                                                                                                                                   },
        {"5",                                "0",                                "1",  "0",  "0.01",  0,  0,  500,         100, "0",        "overpaid into a larger package"          },
        {"2.345678",                         "0",                                "2",  "0",  "0.01",  20, 0,  234,         24,  "0.005678", "an odd amount"                           },
        {"1",                                "0",                                "2",  "0",  "0.005", 0,  0,  200,         0,   "0",
         "the promised rate is better than today's"                                                                                                                                   },
        {"1",                                "0",                                "2",  "0",  "0.02",  0,  0,  100,         0,   "0",        "today's rate is better than the promised"},
        {"133248297",                        "0",                                NULL, NULL, NULL,    0,  0,  13324829700, 0,   "0",        "all there is"                            },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct credit_in in = {
            .prices = &prices, .amount = xno(rows[i].amount), .rest = xno(rows[i].rest)};
        struct credit_out out;
        struct err e;
        if (rows[i].order) {
            in.in_time = true;
            in.order.amount = xno(rows[i].order);
            in.order.received = xno(rows[i].received);
            in.order.per_credit = xno(rows[i].rate);
            in.order.bonus = rows[i].bonus;
            in.order.bonus_given = rows[i].given;
        }
        assert_true(credit_compute(&in, &out, &e));
        if (out.credits != rows[i].credits || out.bonus != rows[i].more ||
            raw_compare(out.rest, xno(rows[i].left)) != 0)
            fail_msg("%s: %d credits, %d more", rows[i].why, (int)out.credits, (int)out.bonus);
    }
}

/* --- the books --- */

struct call {
    const char *account, *ref, *address, *amount;
    int64_t paid_at;
    const char *claim;
    struct deposit_done done;
};

static bool credit_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    struct deposit d = {.method = "nano",
                        .ref = c->ref,
                        .address = c->address,
                        .prices = &prices,
                        .amount = xno(c->amount),
                        .paid_at = c->paid_at,
                        .account = c->claim};
    return deposit_credit(tx, &d, &c->done, e);
}

static struct deposit_done pay(struct db *db, const char *address, const char *ref,
                               const char *amount)
{
    struct err e = {0};
    struct call c = {.address = address, .ref = ref, .amount = amount};
    if (!db_run(db, credit_body, &c, &e))
        fail_msg("%s: %s", ref, e.detail);
    return c.done;
}

struct place {
    const char *account, *amount;
    int64_t bonus;
    int seconds;
    bool unique, made;
    struct deposit_address a;
    struct order order;
};

static bool address_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct place *p = ctx;
    bool found;
    if (!address_reserve(tx, p->account, "nano", "0123456789abcdef", &p->a, &found, e) || found)
        return found;
    snprintf(p->a.address, sizeof(p->a.address), "nano_%d", (int)p->a.index);
    return address_add(tx, "nano", &p->a, e);
}

static void address(struct db *db, const char *account, char ret[static PAY_ADDRESS_MAX])
{
    struct err e = {0};
    struct place p = {.account = account};
    if (!db_run(db, address_body, &p, &e))
        fail_msg("address: %s", e.detail);
    memcpy(ret, p.a.address, PAY_ADDRESS_MAX);
}

static bool order_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct place *p = ctx;
    struct raw rest;
    p->order = (struct order){
        .method = "nano",
        .amount = xno(p->amount),
        .bonus = p->bonus,
        .per_credit = prices.per_credit,
        .unique_amount = p->unique,
        .lang = "en",
        .addr = {.network = "test", .chat = "c"}
    };
    str_copy(p->order.account, sizeof(p->order.account), p->account);
    str_copy(p->order.address, sizeof(p->order.address), p->a.address);
    return raw_divide(p->order.amount, prices.per_credit, &p->order.credits, &rest) &&
           order_open(tx, &p->order, p->seconds, &p->made, e);
}

static struct order open_order(struct db *db, const char *account, const char *address,
                               const char *amount, int64_t bonus, int seconds)
{
    struct err e = {0};
    struct place p = {.account = account, .amount = amount, .bonus = bonus, .seconds = seconds};
    str_copy(p.a.address, sizeof(p.a.address), address);
    if (!db_run(db, order_body, &p, &e))
        fail_msg("order: %s", e.detail);
    return p.order;
}

static int64_t avail(struct db *db, const char *account)
{
    AUTO(free_ptr) char *sql = str_printf("select avail from wallets where user_id='%s'", account);
    return fixture_db_number(db, sql);
}

static void test_counts_once(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], bob[UUID_TEXT], a[PAY_ADDRESS_MAX], b[PAY_ADDRESS_MAX],
        again[PAY_ADDRESS_MAX];
    fixture_db_account(db, "ann", 0, ann);
    fixture_db_account(db, "bob", 0, bob);
    address(db, ann, a);
    address(db, bob, b);
    address(db, ann, again);
    assert_string_equal(a, again); /* for ever */
    assert_string_not_equal(a, b);
    assert_int_equal(pay(db, a, "AA", "1.005").result, DEPOSIT_CREDITED);
    assert_int_equal(pay(db, a, "AA", "1.005").result, DEPOSIT_KNOWN);
    assert_int_equal(avail(db, ann), 100);
    struct deposit_done d = pay(db, a, "AB", "0.005"); /* the two rests are a credit */
    assert_int_equal(d.credits, 1);
    assert_true(raw_is_zero(d.rest));
    assert_int_equal(pay(db, "nano_none", "AC", "1").result, DEPOSIT_UNMATCHED);
    assert_int_equal(pay(db, "nano_none", "AC", "1").result, DEPOSIT_KNOWN);
    assert_int_equal(pay(db, b, "BA", "0.001").credits, 0);
    assert_int_equal(avail(db, ann), 101);
    assert_int_equal(avail(db, bob), 0);
}

static void test_orders(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], a[PAY_ADDRESS_MAX];
    fixture_db_account(db, "ann", 0, ann);
    address(db, ann, a);
    struct order o = open_order(db, ann, a, "2", 20, 3600);
    assert_true(o.seconds_left > 3590 && o.seconds_left <= 3600);
    struct deposit_done d = pay(db, a, "P1", "0.5");
    assert_true(d.has_order && d.order.state == ORDER_PART && d.bonus == 0);
    d = pay(db, a, "P2", "1.5");
    assert_true(d.has_order && d.order.state == ORDER_PAID);
    assert_int_equal(d.credits + d.bonus, 170);
    assert_int_equal(avail(db, ann), 220); /* in parts as at once */
    d = pay(db, a, "P3", "2");             /* twice: counts, without another promise */
    assert_false(d.has_order);
    assert_int_equal(avail(db, ann), 420);
    open_order(db, ann, a, "2", 20, 3600);
    fixture_db_sql(db, "update orders set expires_at = clock_timestamp() - interval '1 s'"
                       " where state = 'open'");
    d = pay(db, a, "P4", "2"); /* late: counts, without the bonus */
    assert_false(d.has_order);
    assert_int_equal(avail(db, ann), 620);
    /* In time by the block's own time, though found later (we were away). */
    struct err e = {0};
    struct call c = {.address = a, .ref = "P5", .amount = "2"};
    c.paid_at = fixture_db_number(db, "select extract(epoch from clock_timestamp())::bigint - 30");
    open_order(db, ann, a, "2", 20, 3600);
    fixture_db_sql(db, "update orders set expires_at = clock_timestamp() - interval '1 s',"
                       " created_at = created_at - interval '1 h' where state = 'open'");
    assert_true(db_run(db, credit_body, &c, &e));
    assert_int_equal(c.done.bonus, 20);
    assert_int_equal(avail(db, ann), 840);
    /* Two promises at once: the one whose amount comes. */
    o = open_order(db, ann, a, "5", 100, 3600);
    open_order(db, ann, a, "1", 0, 3600);
    d = pay(db, a, "P6", "5");
    assert_string_equal(d.order.id, o.id);
    assert_int_equal(avail(db, ann), 1440);
    for (int i = 0; i < ORDERS_LIVE_MAX + 3; i++)
        open_order(db, ann, a, "3", 0, 3600);
    assert_int_equal(fixture_db_number(db, "select count(*) from orders where state in ('open',"
                                           " 'part', 'seen')"),
                     ORDERS_LIVE_MAX);
}

static void test_unique_amounts(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], bob[UUID_TEXT];
    struct err e = {0};
    fixture_db_account(db, "ann", 0, ann);
    fixture_db_account(db, "bob", 0, bob);
    struct place p = {.account = ann, .amount = "1.000001", .seconds = 60, .unique = true};
    str_copy(p.a.address, sizeof(p.a.address), "nano_wallet");
    assert_true(db_run(db, order_body, &p, &e));
    assert_true(p.made);
    struct place q = p;
    q.account = bob;
    assert_true(db_run(db, order_body, &q, &e));
    assert_false(q.made); /* taken while the order lives */
    q.amount = "1.000002";
    assert_true(db_run(db, order_body, &q, &e));
    assert_true(q.made);
    assert_int_equal(pay(db, "nano_wallet", "U1", "1.000002").result, DEPOSIT_CREDITED);
    assert_int_equal(avail(db, bob), 100);
    assert_int_equal(pay(db, "nano_wallet", "U2", "1.3").result, DEPOSIT_UNMATCHED);
    struct call c = {.address = "nano_wallet", .ref = "U2", .amount = "1.3", .claim = ann};
    assert_true(db_run(db, credit_body, &c, &e));
    assert_int_equal(c.done.result, DEPOSIT_CREDITED);
    assert_true(db_run(db, credit_body, &c, &e));
    assert_int_equal(c.done.result, DEPOSIT_KNOWN);
    c.claim = bob; /* and nobody else's afterwards */
    assert_true(db_run(db, credit_body, &c, &e));
    assert_int_equal(c.done.result, DEPOSIT_KNOWN);
    assert_int_equal(avail(db, ann), 130);
    assert_int_equal(avail(db, bob), 100);
}

/* --- four threads offer the same payments again and again --- */

enum { ACCOUNTS = 8, PAYMENTS = 400, THREADS = 4 };

struct crowd {
    struct db *db;
    unsigned seed;
    char (*addresses)[PAY_ADDRESS_MAX];
    int credited;
};

static void *crowd_main(void *data)
{
    struct crowd *w = data;
    struct rng rng = rng_make(w->seed, 1);
    for (int i = 0; i < PAYMENTS * 2; i++) {
        char ref[16], amount[24];
        int n = (int)rng_below(&rng, PAYMENTS);
        snprintf(ref, sizeof(ref), "R%d", n);
        snprintf(amount, sizeof(amount), "%d.%04d", n % 3, n * 37 % 9999 + 1);
        struct call c = {.address = w->addresses[n % ACCOUNTS], .ref = ref, .amount = amount};
        struct err e = {0};
        if (!db_run(w->db, credit_body, &c, &e))
            print_error("%s: %s\n", ref, e.detail);
        else if (c.done.result == DEPOSIT_CREDITED)
            w->credited++;
    }
    return NULL;
}

static void test_crowd(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(THREADS);
    char addresses[ACCOUNTS][PAY_ADDRESS_MAX];
    for (int i = 0; i < ACCOUNTS; i++) {
        char name[8], id[UUID_TEXT];
        snprintf(name, sizeof(name), "u%d", i);
        fixture_db_account(db, name, 0, id);
        address(db, id, addresses[i]);
        open_order(db, id, addresses[i], "5", 100, 3600);
    }
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){.db = db, .seed = (unsigned)i + 7, .addresses = addresses};
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowds[i]), 0);
    }
    int credited = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        credited += crowds[i].credited;
    }
    assert_int_equal(credited, fixture_db_number(db, "select count(*) from deposits"));
    /* No raw was lost: what came in is in credits or rests. */
    assert_int_equal(fixture_db_number(db, "select ((select sum(raw) from deposits)"
                                           " = (select sum(amount) from transfers where verb ="
                                           " 'buy') * 1e28 + (select sum(raw) from rests))::int"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_money_buys), cmocka_unit_test(test_counts_once),
        cmocka_unit_test(test_orders),          cmocka_unit_test(test_unique_amounts),
        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, start, fixture_db_stop);
}
