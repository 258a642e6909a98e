/* How fast a confirmed payment becomes credits: with the stream, by polling, many at once, and after
   an absence with 10,000 addresses. Against fake nodes on this machine, with a real PostgreSQL that
   syncs nothing. Prints one line per number; fails when a goal is missed by half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

enum { STREAM_TIMES = 40, POLL_TIMES = 4, MANY = 2000, MANY_ACCOUNTS = 50, ADDRESSES = 10000 };
#define CREDIT "10000000000000000000000000000" /* 0.01 XNO */
#define DEPOSITS "select count(*) from deposits where state = 'credited'"

static struct fake_node fake;
static int missed;

static void line(const char *what, double value, const char *unit, double goal, bool at_most)
{
    bool bad = at_most ? value > 2 * goal : value < goal / 2;
    printf("%-40s %8.2f %-12s goal %s %.1f%s\n", what, value, unit, at_most ? "<=" : ">=", goal,
           bad ? "  MISSED" : "");
    fflush(stdout);
    missed += bad;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* From "confirmed" to the credits and the message about them, committed together. */
static void latency(struct db *db, bool stream, int times, const char *name, double goal)
{
    struct pay_world w;
    struct rng rng = rng_make(7, 7);
    char id[UUID_TEXT], half[64];
    int64_t took[STREAM_TIMES];
    fixture_db_account(db, name, 0, id);
    pay_open(&w, db, &fake, &(struct pay_options){.stream = stream});
    struct order o = pay_order(&w, id, "1");
    cancel_wait(NULL, 1500);
    for (int i = 0; i < times; i++) {
        cancel_wait(NULL, stream ? 20 : rng_below(&rng, 3000)); /* anywhere between two looks */
        int64_t begin = clock_mono_ms();
        fake_nano_pay(&fake, o.address, CREDIT, NULL);
        while (atomic_load(&w.credited) <= i && clock_mono_ms() - begin < 60000)
            cancel_wait(NULL, 1);
        took[i] = clock_mono_ms() - begin;
    }
    pay_close(&w);
    qsort(took, (size_t)times, sizeof(took[0]), by_size);
    int64_t median = took[times / 2];
    snprintf(half, sizeof(half), "%s, median", name);
    line(half, (double)median / 1000, "s", goal, true);
    snprintf(half, sizeof(half), "%s, worst of %d", name, times);
    line(half, (double)took[times - 1] / 1000, "s", goal, true);
}

static void pay_many(char (*addresses)[PAY_ADDRESS], int accounts, int count)
{
    for (int done = 0; done < count; done += 500) {
        AUTO(strbuf_free) struct strbuf body = STRBUF(1 << 20);
        strbuf_addc(&body, '[');
        for (int i = 0; i < MIN(500, count - done); i++)
            strbuf_addf(&body, "%s{\"to\":\"%s\",\"amount\":\"" CREDIT "\",\"from\":%d}",
                        i ? "," : "", addresses[(done + i) % accounts], 1 + i % 6);
        strbuf_addc(&body, ']');
        AUTO(json_free) cJSON *doc = fake_node_ask(&fake, "pay", strbuf_text(&body));
        assert_non_null(doc);
    }
}

static void many_at_once(struct db *db)
{
    struct pay_world w;
    char addresses[MANY_ACCOUNTS][PAY_ADDRESS];
    int64_t before = fixture_db_number(db, DEPOSITS);
    pay_open(&w, db, &fake, &(struct pay_options){.stopped = true});
    for (int i = 0; i < MANY_ACCOUNTS; i++) {
        char name[16], id[UUID_TEXT];
        snprintf(name, sizeof(name), "many %d", i);
        fixture_db_account(db, name, 0, id);
        pay_address(&w, id, addresses[i]);
    }
    pay_close(&w);
    pay_many(addresses, MANY_ACCOUNTS, MANY);
    int64_t begin = clock_mono_ms();
    pay_open(&w, db, &fake, &(struct pay_options){0});
    while (atomic_load(&w.credited) < MANY && clock_mono_ms() - begin < 120000)
        cancel_wait(NULL, 5);
    double seconds = (double)(clock_mono_ms() - begin) / 1000;
    line("deposits credited", MANY / seconds, "per second", 100, false);
    pay_wait(db, DEPOSITS, before + MANY, 1000);
    pay_close(&w);
}

static void many_addresses(struct db *db)
{
    struct pay_world w;
    static char addresses[ADDRESSES][PAY_ADDRESS];
    pay_open(&w, db, &fake, &(struct pay_options){.stopped = true});
    for (int i = 0; i < ADDRESSES; i++) {
        char name[16], id[UUID_TEXT];
        snprintf(name, sizeof(name), "place %d", i);
        fixture_db_account(db, name, 0, id);
        pay_address(&w, id, addresses[i]);
    }
    pay_close(&w);
    pay_many(addresses + ADDRESSES - 100, 100, 100); /* anywhere in the order of addresses */
    int64_t begin = clock_mono_ms();
    pay_open(&w, db, &fake, &(struct pay_options){.stream = true});
    while (atomic_load(&w.credited) < 100 && clock_mono_ms() - begin < 120000)
        cancel_wait(NULL, 5);
    line("10,000 addresses caught up, 100 payments", (double)(clock_mono_ms() - begin) / 1000, "s",
         10, true);
    pay_close(&w);
}

static void bench(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    latency(db, true, STREAM_TIMES, "payment to credits, stream", 1);
    latency(db, false, POLL_TIMES, "payment to credits, polling", 6);
    many_at_once(db);
    many_addresses(db);
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bench)};
    if (fixture_db_start(NULL) != 0)
        return 1;
    fake_nano_start(&fake);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_node_stop(&fake);
    fixture_db_stop(NULL);
    return failed;
}
