/* Nano nodes against fakes that keep the ledger's rules (tests/fakes/nano.mjs): what they tell, what
 * they tell wrong, what happens when they fail, and publishing. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

#include "adapters/nano/rpc.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/nano/work.h"
#include "core/net/json.h"
#include "tests/fake_nano.h"

#define XNO "1000000000000000000000000000000"

static struct {
    struct fake_node fake;
    struct net_engine *net;
    struct nano_node node;
    struct nano_seed *seed;
    struct nano_account account[4];
    char address[4][NANO_ADDRESS];
} world;

#define OPS world.node.ops
#define SELF world.node.self

static int group_setup(void **state)
{
    struct err e = {0};
    (void)state;
    hash_setup();
    fake_nano_start(&world.fake);
    assert_true(nano_seed_parse("0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
                                &world.seed, &e));
    for (uint32_t i = 0; i < COUNT(world.account); i++) {
        assert_true(nano_seed_account(world.seed, i, &world.account[i], &e));
        nano_account_print(&world.account[i], world.address[i]);
    }
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    nano_seed_destroy(world.seed);
    fake_node_stop(&world.fake);
    return 0;
}

/* One node, or main, second and third over the same ledger. */
static void connect_to(size_t nodes, const char *keys)
{
    struct err e = {0};
    char url[3][80];
    fake_nano_url(&world.fake, "main", url[0]);
    fake_nano_url(&world.fake, "second", url[1]);
    fake_nano_url(&world.fake, "third", url[2]);
    AUTO(free_ptr)
    char *urls = str_printf("%s%s%s%s%s", url[0], nodes > 1 ? ", " : "", nodes > 1 ? url[1] : "",
                            nodes > 2 ? "," : "", nodes > 2 ? url[2] : "");
    struct nano_rpc_options o = {
        .net = world.net,
        .urls = urls,
        .keys = keys,
        .ws_urls = "",
        .work_url = url[0],
        .network_id = "991cf190094c00f0b68e2e5f75f6bee95a2e0bd93ceaa4a6734db"
                      "9f19b728948",
        .limits = {.call_ms = 400, .connect_ms = 400, .work_ms = 2000, .batch = 3}
    };
    assert_true(nano_rpc_create(&o, &world.node, &e));
}

static void tell(const char *name, const char *body)
{
    fake_nano_tell(&world.fake, name, "%s", body);
}

static int setup(void **state)
{
    struct err e = {0};
    (void)state;
    tell("reset", "{}");
    assert_true(net_engine_create(false, &world.net, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (OPS)
        OPS->destroy(SELF);
    world.node = (struct nano_node){0};
    net_engine_destroy(world.net);
    fake_node_no_complaints(&world.fake);
    return 0;
}

static struct nano_hash hash_of(const char *hex)
{
    struct nano_hash h;
    assert_true(nano_hash_parse(hex, &h));
    return h;
}

static struct raw raw_of(const char *text)
{
    struct raw r;
    assert_true(raw_parse(text, &r));
    return r;
}

static bool list(const char *threshold, struct nano_receivables *ret, struct err *e)
{
    struct nano_receivable_query q = {
        .accounts = world.account, .count = COUNT(world.account), .threshold = raw_of(threshold)};
    return OPS->receivables(SELF, &q, ret, e);
}

static void list_free(struct nano_receivables *r)
{
    free(r->items);
    free(r->cut);
}

/* --- what nodes tell --- */

static void money_that_waits_is_listed(void **state)
{
    (void)state;
    struct err e = {0};
    char hash[65];
    struct nano_receivables r = {0};
    connect_to(1, "");
    fake_nano_pay(&world.fake, world.address[3], XNO, hash);
    fake_nano_pay(&world.fake, world.address[0], "5", NULL);
    fake_nano_pay_unconfirmed(&world.fake, world.address[0], XNO, NULL);
    assert_true(list("6", &r, &e));
    assert_int_equal(r.count, 1); /* dust and what is not confirmed stay out */
    assert_int_equal(r.items[0].account, 3);
    struct nano_hash h = hash_of(hash);
    assert_true(nano_hash_equal(&r.items[0].hash, &h));
    assert_int_equal(raw_compare(r.items[0].amount, raw_of(XNO)), 0);
    assert_int_equal(r.cut_count, 0);
    list_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(money_that_waits_is_listed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
