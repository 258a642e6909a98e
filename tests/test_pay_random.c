/* Two processes on one database, one of them replaced half way, a thousand payments (make bench: ten
 * thousand) and every fault of nodes and stream: none wrong, no raw lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

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
    AUTO(json_free) cJSON *doc = fake_node_ask(&pay_fake, "pay", strbuf_text(&body));
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
        pay_open(&w[i], db, &pay_fake, &options[i]);
    for (int i = 0; i < CROWD_ACCOUNTS; i++) {
        char name[16], id[UUID_TEXT];
        snprintf(name, sizeof(name), "u%d", i);
        fixture_db_account(db, name, 0, id);
        struct order o = pay_order(&w[i % 2], id, i % 3 ? "1" : "5");
        str_copy(addresses[i], sizeof(addresses[i]), o.address);
    }
    for (int64_t done = 0; done < payments; done += 100) {
        fake_nano_tell(&pay_fake, "fault", "{%s,\"times\":%d,\"skip\":%d}",
                       faults[rng_below(&rng, (int)COUNT(faults))].fault, 1 + rng_below(&rng, 4),
                       rng_below(&rng, 10));
        pay_batch(&rng, addresses, 100, &total);
        if (done == payments / 200 * 100) { /* the process that works dies: the other takes over */
            pay_close(&w[0]);
            pay_open(&w[0], db, &pay_fake, &options[0]);
        }
    }
    pay_wait(db, PAY_CREDITED, payments, 120000);
    fake_nano_tell(&pay_fake, "clear", "{}");
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
    const struct CMUnitTest tests[] = {
        PAY_CASE(test_random_payments),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, pay_start, pay_stop);
}
