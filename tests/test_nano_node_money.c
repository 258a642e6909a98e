/* What nodes say of money that waits, and what they say wrong. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/node_world.h"

static void money_that_waits_is_listed(void **state)
{
    (void)state;
    struct err e = {0};
    char hash[65];
    struct nano_receivables r = {0};
    node_connect(1, "");
    assert_true(node_list("0", &r, &e)); /* the node writes an empty list as "" */
    assert_int_equal(r.count, 0);
    node_list_free(&r);
    fake_nano_pay(&world.fake, world.address[3], XNO, hash);
    fake_nano_pay(&world.fake, world.address[0], "5", NULL);
    fake_nano_pay_unconfirmed(&world.fake, world.address[0], XNO, NULL);
    assert_true(node_list("6", &r, &e));
    assert_int_equal(r.count, 1); /* dust and what is not confirmed stay out */
    assert_int_equal(r.items[0].account, 3);
    struct nano_hash h = node_hash(hash);
    assert_true(nano_hash_equal(&r.items[0].hash, &h));
    assert_int_equal(raw_compare(r.items[0].amount, node_raw(XNO)), 0);
    assert_int_equal(r.cut_count, 0);
    node_list_free(&r);
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"),
                     4); /* batches of 3 */
    assert_true(node_list("5", &r, &e));
    assert_int_equal(r.count, 2); /* "at least" */
    node_list_free(&r);
}

static const struct {
    const char *why, *settings;
    size_t most, listed;
    bool cut;
} floods[] = {
    {"pages until one is empty",                                 "{}",                  0,   121, false},
    {"a service that caps each page",                            "{\"countCap\":13}",   0,   121, false},
    {"a node that knows no offset: what is told is told as cut", "{\"noOffset\":true}", 0,   50,
     true                                                                                              },
    {"no more than asked for, the largest of them",              "{}",                  60,  60,  true },
    {"exactly as many as asked for may be cut",                  "{}",                  121, 121, true },
};

static void a_flood_of_dust_hides_no_payment(void **state)
{
    (void)state;
    node_connect(1, "");
    char big[65];
    fake_nano_tell(&world.fake, "flood", "{\"to\":\"%s\",\"amount\":\"7\",\"count\":120}",
                   world.address[1]);
    fake_nano_pay(&world.fake, world.address[1], XNO, big);
    struct nano_hash payment = node_hash(big);
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct err e = {0};
        struct nano_receivables r = {0};
        node_tell("node", "{\"countCap\":null,\"noOffset\":false}");
        node_tell("node", floods[i].settings);
        struct nano_receivable_query q = {
            .accounts = world.account, .count = COUNT(world.account), .most = floods[i].most};
        if (!OPS->receivables(SELF, &q, &r, &e))
            fail_msg("%s: %s", floods[i].why, e.detail);
        if (r.count != floods[i].listed || r.cut[1] != floods[i].cut ||
            r.cut_count != floods[i].cut || r.cut[0])
            fail_msg("%s: %zu listed, cut %d", floods[i].why, r.count, r.cut[1]);
        if (!nano_hash_equal(&r.items[0].hash, &payment))
            fail_msg("%s: the payment is not the first", floods[i].why);
        node_list_free(&r);
    }
    struct nano_receivables r = {0};
    struct err e = {0};
    assert_true(node_list("1000", &r, &e)); /* the threshold leaves the flood out at once */
    assert_int_equal(r.count, 1);
    node_list_free(&r);
}

static const struct {
    const char *why, *fault, *settings;
    int calls; /* of the second look, once the size is known */
} small_services[] = {
    {"a service that takes 30 addresses",  "{}",                                      "{\"accountCap\":30}", 4},
    {"a proxy that refuses long requests",
     "{\"on\":\"accounts_receivable\",\"kind\":\"status\",\"code\":413,\"times\":2}", "{}",                  4},
};

static void long_lists_are_cut_for_small_services(void **state)
{
    enum { MANY = 100 };
    (void)state;
    struct nano_account accounts[MANY];
    for (size_t i = 0; i < MANY; i++) {
        memset(&accounts[i], (int)i + 1, sizeof(accounts[i]));
    }
    accounts[MANY - 1] = world.account[0];
    struct nano_receivable_query q = {.accounts = accounts, .count = MANY};
    for (size_t i = 0; i < COUNT(small_services); i++) {
        struct err e = {0};
        struct nano_receivables r = {0};
        node_tell("reset", "{}");
        fake_nano_pay(&world.fake, world.address[0], "5", NULL);
        node_connect_batches(1, "", MANY);
        node_tell("node", small_services[i].settings);
        if (small_services[i].fault[1] != '}')
            node_tell("fault", small_services[i].fault);
        if (!OPS->receivables(SELF, &q, &r, &e) || r.count != 1 || r.items[0].account != MANY - 1)
            fail_msg("%s: %zu listed, %s", small_services[i].why, r.count, e.detail);
        node_list_free(&r);
        int before = fake_nano_calls(&world.fake, "main accounts_receivable");
        assert_true(OPS->receivables(SELF, &q, &r, &e));
        node_list_free(&r);
        if (fake_nano_calls(&world.fake, "main accounts_receivable") - before !=
            small_services[i].calls)
            fail_msg("%s: the size is not remembered", small_services[i].why);
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
    }
}

/* Whatever one node says, the other one's answer counts; alone it means "not known". */
static const struct {
    const char *why, *fault;
} nonsense[] = {
    {"a page of a proxy",                        "\"kind\":\"html\""                                         },
    {"a page with an error status",              "\"kind\":\"html\",\"code\":502"                            },
    {"a page of a firewall",                     "\"kind\":\"html\",\"code\":403"                            },
    {"nothing",                                  "\"kind\":\"text\",\"text\":\"\""                           },
    {"a list",                                   "\"kind\":\"text\",\"text\":\"[]\""                         },
    {"null",                                     "\"kind\":\"text\",\"text\":\"null\""                       },
    {"a text",                                   "\"kind\":\"text\",\"text\":\"\\\"ok\\\"\""                 },
    {"two documents",                            "\"kind\":\"text\",\"text\":\"{\\\"blocks\\\":\\\"\\\"}{}\""},
    {"an object without a list",                 "\"kind\":\"reply\",\"reply\":{}"                           },
    {"a list where an object belongs",           "\"kind\":\"reply\",\"reply\":{\"blocks\":[\"x\"]}"         },
    {"an error with status 200",                 "\"kind\":\"error\""                                        },
    {"an error that is an object",               "\"kind\":\"reply\",\"reply\":{\"error\":{\"code\":1}}"     },
    {"an error beside an answer",                "\"kind\":\"patch\",\"patch\":{\"error\":\"Cancelled\"}"    },
    {"server errors",                            "\"kind\":\"status\",\"code\":500"                          },
    {"too many requests",                        "\"kind\":\"status\",\"code\":429,\"retryAfter\":1"         },
    {"a refused key",                            "\"kind\":\"status\",\"code\":401"                          },
    {"half an answer, whole as HTTP",            "\"kind\":\"half\""                                         },
    {"a cut answer",                             "\"kind\":\"cut\""                                          },
    {"a reset connection",                       "\"kind\":\"close\""                                        },
    {"silence",                                  "\"kind\":\"stall\",\"ms\":20000"                           },
    {"40 MB",                                    "\"kind\":\"huge\""                                         },
    {"5,000 levels",                             "\"kind\":\"deep\""                                         },
    {"amounts as numbers: digits would be lost", "\"kind\":\"numbers\""                                      },
    {"money of somebody else",
     "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"nano_"
     "1111111111111111111111111111111111111111111111111111hifc8npp\":{}}}"                                   },
    {"an address that is none",                  "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"nano_1\":{}}}" },
    {"a hash that is none",
     "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"12\":{\"amount\":\"1\"}}}}"                         },
    {"a negative amount",
     "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"*\":{\"amount\":\"-1\"}}}}"                         },
    {"an amount with an exponent",
     "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"*\":{\"amount\":\"1e30\"}}}}"                       },
    {"40 digits",                                "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"*\":{\"amount\":"
                  "\"1000000000000000000000000000000000000000\"}}}}"                        },
    {"a sender that is none",
     "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":{\"*\":{\"source\":\"me\"}}}}"                         },
    {"hashes without amounts",                   "\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":[\"AA\"]}}"},
};

static void nonsense_is_the_next_nodes_turn(void **state)
{
    (void)state;
    fake_nano_pay(&world.fake, world.address[0], XNO, NULL);
    for (size_t nodes = 1; nodes <= 2; nodes++)
        for (size_t i = 0; i < COUNT(nonsense); i++) {
            struct err e = {0};
            struct nano_receivables r = {0};
            node_connect(nodes, ",");
            fake_nano_tell(&world.fake, "fault", "{\"on\":\"accounts_receivable\",\"times\":1,%s}",
                           nonsense[i].fault);
            bool ok = node_list("1", &r, &e);
            if (ok != (nodes == 2) || (ok && r.count != 1))
                fail_msg("%s, %zu nodes: %d %zu %s", nonsense[i].why, nodes, ok, r.count, e.detail);
            if (!ok && e.code != ERR_RETRY && e.code != ERR_CONFIG)
                fail_msg("%s: error %d", nonsense[i].why, e.code);
            if (!ok && strcmp(e.user_key, "pay.node_down") != 0)
                fail_msg("%s: %s", nonsense[i].why, e.user_key);
            if (ok)
                node_list_free(&r);
            node_tell("clear", "{}");
            OPS->destroy(SELF);
            world.node = (struct nano_node){0};
        }
}

/* A node that hides payments delays them; nothing else. */
static void services_that_drop_the_sender_are_understood(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_receivables r = {0};
    char hash[65];
    node_connect(1, "");
    fake_nano_pay(&world.fake, world.address[0], XNO, hash);
    fake_nano_tell(
        &world.fake, "fault",
        "{\"on\":\"accounts_receivable\",\"kind\":\"reply\",\"reply\":{\"blocks\":{\"%s\":"
        "{\"%s\":\"%s\"}},\"requestsRemaining\":\"12\"}}",
        world.address[0], hash, XNO);
    assert_true(node_list("1", &r, &e));
    assert_int_equal(r.count, 1);
    assert_int_equal(raw_compare(r.items[0].amount, node_raw(XNO)), 0);
    node_list_free(&r);
    node_tell("fault", "{\"on\":\"accounts_receivable\",\"kind\":\"hide\",\"times\":2}");
    assert_true(node_list("1", &r, &e));
    assert_int_equal(r.count, 0);
    node_list_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_CASE(money_that_waits_is_listed),
        NODE_CASE(a_flood_of_dust_hides_no_payment),
        NODE_CASE(long_lists_are_cut_for_small_services),
        NODE_CASE(nonsense_is_the_next_nodes_turn),
        NODE_CASE(services_that_drop_the_sender_are_understood),
    };
    return cmocka_run_group_tests(tests, node_world_open, node_world_close);
}
