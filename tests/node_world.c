#include "tests/node_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/nano/work.h"

struct node_world world;

int node_world_open(void **state)
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

int node_world_close(void **state)
{
    (void)state;
    nano_seed_destroy(world.seed);
    fake_node_stop(&world.fake);
    return 0;
}

/* One node, or main, second and third over the same ledger. */
void node_connect_batches(size_t nodes, const char *keys, size_t batch)
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
        .limits = {.call_ms = 1000, .connect_ms = 1000, .work_ms = 5000, .batch = batch}
    };
    assert_true(nano_rpc_create(&o, &world.node, &e));
}

void node_connect(size_t nodes, const char *keys)
{
    node_connect_batches(nodes, keys, 3);
}

void node_tell(const char *name, const char *body)
{
    fake_nano_tell(&world.fake, name, "%s", body);
}

int node_case_open(void **state)
{
    struct err e = {0};
    (void)state;
    node_tell("reset", "{}");
    assert_true(net_engine_create(false, &world.net, &e));
    return 0;
}

int node_case_close(void **state)
{
    (void)state;
    if (OPS)
        OPS->destroy(SELF);
    world.node = (struct nano_node){0};
    net_engine_destroy(world.net);
    fake_node_no_complaints(&world.fake);
    return 0;
}

struct nano_hash node_hash(const char *hex)
{
    struct nano_hash h;
    assert_true(nano_hash_parse(hex, &h));
    return h;
}

struct raw node_raw(const char *text)
{
    struct raw r;
    assert_true(raw_parse(text, &r));
    return r;
}

bool node_list(const char *threshold, struct nano_receivables *ret, struct err *e)
{
    struct nano_receivable_query q = {
        .accounts = world.account, .count = COUNT(world.account), .threshold = node_raw(threshold)};
    return OPS->receivables(SELF, &q, ret, e);
}

void node_list_free(struct nano_receivables *r)
{
    free(r->items);
    free(r->cut);
}

uint64_t node_work(const struct nano_hash *root, uint64_t threshold)
{
    uint64_t work = 0;
    assert_true(nano_work_search(NANO_WORK_PORTABLE, root, threshold, 0, 1 << 20, &work));
    return work;
}
