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
#include "core/nano/work_pool.h"
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
static void connect_batches(size_t nodes, const char *keys, size_t batch)
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

static void connect_to(size_t nodes, const char *keys)
{
    connect_batches(nodes, keys, 3);
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

/* --- money that waits --- */

static void money_that_waits_is_listed(void **state)
{
    (void)state;
    struct err e = {0};
    char hash[65];
    struct nano_receivables r = {0};
    connect_to(1, "");
    assert_true(list("0", &r, &e)); /* the node writes an empty list as "" */
    assert_int_equal(r.count, 0);
    list_free(&r);
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
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"),
                     4); /* batches of 3 */
    assert_true(list("5", &r, &e));
    assert_int_equal(r.count, 2); /* "at least" */
    list_free(&r);
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
    connect_to(1, "");
    char big[65];
    fake_nano_tell(&world.fake, "flood", "{\"to\":\"%s\",\"amount\":\"7\",\"count\":120}",
                   world.address[1]);
    fake_nano_pay(&world.fake, world.address[1], XNO, big);
    struct nano_hash payment = hash_of(big);
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct err e = {0};
        struct nano_receivables r = {0};
        tell("node", "{\"countCap\":null,\"noOffset\":false}");
        tell("node", floods[i].settings);
        struct nano_receivable_query q = {
            .accounts = world.account, .count = COUNT(world.account), .most = floods[i].most};
        if (!OPS->receivables(SELF, &q, &r, &e))
            fail_msg("%s: %s", floods[i].why, e.detail);
        if (r.count != floods[i].listed || r.cut[1] != floods[i].cut ||
            r.cut_count != floods[i].cut || r.cut[0])
            fail_msg("%s: %zu listed, cut %d", floods[i].why, r.count, r.cut[1]);
        if (!nano_hash_equal(&r.items[0].hash, &payment))
            fail_msg("%s: the payment is not the first", floods[i].why);
        list_free(&r);
    }
    struct nano_receivables r = {0};
    struct err e = {0};
    assert_true(list("1000", &r, &e)); /* the threshold leaves the flood out at once */
    assert_int_equal(r.count, 1);
    list_free(&r);
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
        tell("reset", "{}");
        fake_nano_pay(&world.fake, world.address[0], "5", NULL);
        connect_batches(1, "", MANY);
        tell("node", small_services[i].settings);
        if (small_services[i].fault[1] != '}')
            tell("fault", small_services[i].fault);
        if (!OPS->receivables(SELF, &q, &r, &e) || r.count != 1 || r.items[0].account != MANY - 1)
            fail_msg("%s: %zu listed, %s", small_services[i].why, r.count, e.detail);
        list_free(&r);
        int before = fake_nano_calls(&world.fake, "main accounts_receivable");
        assert_true(OPS->receivables(SELF, &q, &r, &e));
        list_free(&r);
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
            connect_to(nodes, ",");
            fake_nano_tell(&world.fake, "fault", "{\"on\":\"accounts_receivable\",\"times\":1,%s}",
                           nonsense[i].fault);
            bool ok = list("1", &r, &e);
            if (ok != (nodes == 2) || (ok && r.count != 1))
                fail_msg("%s, %zu nodes: %d %zu %s", nonsense[i].why, nodes, ok, r.count, e.detail);
            if (!ok && e.code != ERR_RETRY && e.code != ERR_CONFIG)
                fail_msg("%s: error %d", nonsense[i].why, e.code);
            if (!ok && strcmp(e.user_key, "pay.node_down") != 0)
                fail_msg("%s: %s", nonsense[i].why, e.user_key);
            if (ok)
                list_free(&r);
            tell("clear", "{}");
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
    connect_to(1, "");
    fake_nano_pay(&world.fake, world.address[0], XNO, hash);
    fake_nano_tell(
        &world.fake, "fault",
        "{\"on\":\"accounts_receivable\",\"kind\":\"reply\",\"reply\":{\"blocks\":{\"%s\":"
        "{\"%s\":\"%s\"}},\"requestsRemaining\":\"12\"}}",
        world.address[0], hash, XNO);
    assert_true(list("1", &r, &e));
    assert_int_equal(r.count, 1);
    assert_int_equal(raw_compare(r.items[0].amount, raw_of(XNO)), 0);
    list_free(&r);
    tell("fault", "{\"on\":\"accounts_receivable\",\"kind\":\"hide\",\"times\":2}");
    assert_true(list("1", &r, &e));
    assert_int_equal(r.count, 0);
    list_free(&r);
}

/* --- blocks --- */

static void blocks_are_told_with_what_they_prove(void **state)
{
    (void)state;
    struct err e = {0};
    char first[65], second[65];
    connect_to(1, "");
    fake_nano_pay(&world.fake, world.address[0], XNO, first);
    fake_nano_pay_unconfirmed(&world.fake, world.address[1], "12", second);
    struct nano_hash hashes[4] = {hash_of(second), {{1}}, hash_of(first), hash_of(second)};
    struct nano_block_info info[4];
    assert_true(OPS->blocks(SELF, hashes, 4, info, NULL, &e));
    assert_false(info[1].found);
    assert_true(info[0].found && info[0].is_state && info[0].is_signed && !info[0].confirmed);
    assert_true(info[2].found && info[2].confirmed && info[2].has_successor);
    assert_true(info[3].found); /* asked twice */
    assert_int_equal(info[2].subtype, NANO_SEND);
    assert_int_equal(raw_compare(info[0].amount, raw_of("12")), 0);
    assert_memory_equal(info[2].block.link.bytes, world.account[0].key, NANO_BYTES);
    assert_true(nano_hash_equal(&info[0].block.previous, &hashes[2]));
    struct raw amount;
    enum nano_subtype subtype;
    assert_true(nano_block_meaning(&info[0].block, info[2].block.balance, &subtype, &amount));
    assert_int_equal(raw_compare(amount, raw_of("12")), 0);
    assert_true(info[0].stored_s > 1700000000 && info[0].height > 1);
}

static const struct {
    const char *why, *mark;
    bool is_state, has_amount;
} old_blocks[] = {
    {"a pruned node does not know the amount", "\"pruned\":true", true,  false},
    {"a block of before 2018 proves nothing",  "\"legacy\":true", false, true },
};

static void pruned_and_old_blocks_say_what_is_missing(void **state)
{
    (void)state;
    connect_to(1, "");
    for (size_t i = 0; i < COUNT(old_blocks); i++) {
        struct err e = {0};
        struct nano_block_info info;
        char hex[65];
        fake_nano_pay(&world.fake, world.address[0], "9", hex);
        struct nano_hash hash = hash_of(hex);
        fake_nano_tell(&world.fake, "mark", "{\"hash\":\"%s\",%s}", hex, old_blocks[i].mark);
        if (!OPS->blocks(SELF, &hash, 1, &info, NULL, &e) || !info.found ||
            info.is_state != old_blocks[i].is_state || info.has_amount != old_blocks[i].has_amount)
            fail_msg("%s: %s", old_blocks[i].why, e.detail);
    }
}

/* A change to the reply of blocks_info, and what is then taken from it: s signed, c confirmed, a
   amount; NULL: the node is not believed at all. */
static const struct {
    const char *why, *patch, *taken;
} lies[] = {
    {"another balance is another block",           "{\"contents\":{\"balance\":\"1\"}}",          NULL },
    {"another link is another block",
     "{\"contents\":{\"link_as_account\":\"(gone)\",\"link\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\"}}",                    NULL },
    {"link and link_as_account must say the same",
     "{\"contents\":{\"link_as_account\":\"nano_"
     "1111111111111111111111111111111111111111111111111111hifc8npp\"}}",                          NULL },
    {"an account that is not the block's",
     "{\"block_account\":\"nano_1111111111111111111111111111111111111111111111111111hifc8npp\"}", NULL },
    {"no contents",                                "{\"contents\":\"(gone)\"}",                   NULL },
    {"contents that are no JSON",                  "{\"contents\":\"{\"}",                        NULL },
    {"a balance as a number",                      "{\"contents\":{\"balance\":5}}",              NULL },
    {"a signature of nobody",
     "{\"contents\":{\"signature\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000\"}}",                      "ca" },
    {"no word of confirmation is none",            "{\"confirmed\":\"(gone)\"}",                  "sa" },
    {"\"1\" is not how this is said",              "{\"confirmed\":\"1\"}",                       "sa" },
    {"true as JSON is",                            "{\"confirmed\":true}",                        "sca"},
    {"an amount as a number is unknown",           "{\"amount\":1000}",                           "sc" },
    {"an unknown subtype is none",                 "{\"subtype\":\"gift\"}",                      "sca"},
    {"unknown fields do not matter",               "{\"requestsRemaining\":3}",                   "sca"},
};

static void lies_about_blocks_are_seen(void **state)
{
    (void)state;
    char hex[65];
    fake_nano_pay(&world.fake, world.address[0], XNO, hex);
    struct nano_hash hash = hash_of(hex);
    for (size_t i = 0; i < COUNT(lies); i++) {
        struct err e = {0};
        struct nano_block_info info = {0};
        connect_to(1, "");
        fake_nano_tell(
            &world.fake, "fault",
            "{\"on\":\"blocks_info\",\"kind\":\"patch\",\"patch\":{\"blocks\":{\"*\":%s}}}",
            lies[i].patch);
        bool ok = OPS->blocks(SELF, &hash, 1, &info, NULL, &e);
        char taken[4] = "";
        snprintf(taken, sizeof(taken), "%s%s%s", info.is_signed ? "s" : "",
                 info.confirmed ? "c" : "", info.has_amount ? "a" : "");
        if (ok != (lies[i].taken != NULL) || (!ok && e.code != ERR_RETRY))
            fail_msg("%s: %d %s", lies[i].why, ok, e.detail);
        if (ok && strcmp(taken, lies[i].taken) != 0)
            fail_msg("%s: %s taken", lies[i].why, taken);
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
    }
}

static const struct {
    const char *why, *reply;
} answers_to_others[] = {
    {"another block than asked for",           "{\"blocks\":{\"11\":{}}}"                   },
    {"the block is neither there nor missing", "{\"blocks\":\"\",\"blocks_not_found\":\"\"}"},
    {"a missing block that nobody asked for",
     "{\"blocks\":\"\",\"blocks_not_found\":"
     "[\"0000000000000000000000000000000000000000000000000000000000000001\"]}"              },
    {"the node's error",                       "{\"error\":\"Block not found\"}"            },
};

static void an_answer_to_another_question_is_none(void **state)
{
    (void)state;
    struct nano_hash hash = {{7}};
    struct nano_block_info info;
    for (size_t i = 0; i < COUNT(answers_to_others); i++) {
        struct err e = {0};
        connect_to(2, "");
        fake_nano_tell(&world.fake, "fault",
                       "{\"on\":\"blocks_info\",\"kind\":\"reply\",\"reply\":%s}",
                       answers_to_others[i].reply);
        if (!OPS->blocks(SELF, &hash, 1, &info, NULL, &e) || info.found)
            fail_msg("%s: %s", answers_to_others[i].why, e.detail);
        if (fake_nano_calls(&world.fake, "second blocks_info") != (int)i + 1)
            fail_msg("%s: the second node was not asked", answers_to_others[i].why);
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
    }
}

static void a_node_that_hides_a_payment_only_delays_it(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_block_info info;
    struct nano_receivables r = {0};
    char hex[65];
    connect_batches(2, "", 100);
    tell("node", "{\"lag\":true}"); /* sees nothing from now on, and says that all is well */
    fake_nano_pay(&world.fake, world.address[0], XNO, hex);
    struct nano_hash hash = hash_of(hex);
    assert_true(OPS->blocks(SELF, &hash, 1, &info, NULL, &e));
    assert_true(info.found && info.confirmed); /* the other one knows it */
    size_t listed = 0;
    for (int i = 0; i < 12; i++) {
        assert_true(list("1", &r, &e));
        listed += r.count;
        list_free(&r);
    }
    assert_in_range(listed, 1, 2);
}

/* --- publishing --- */

static uint64_t work_for(const struct nano_hash *root, uint64_t threshold)
{
    uint64_t work = 0;
    assert_true(nano_work_search(NANO_WORK_PORTABLE, root, threshold, 0, 1 << 20, &work));
    return work;
}

/* What account 0 signs next. */
static struct nano_block next_block(struct raw balance, const struct nano_hash *link)
{
    struct err e = {0};
    struct nano_account_info now;
    struct nano_hash root;
    assert_true(OPS->account(SELF, &world.account[0], &now, NULL, &e));
    struct nano_block b = {.account = world.account[0],
                           .representative = world.account[0],
                           .balance = balance,
                           .link = *link};
    if (now.opened)
        b.previous = now.frontier;
    nano_block_root(&b, &root);
    b.work = work_for(&root, FAKE_NANO_SEND);
    assert_true(nano_block_sign(&b, world.seed, 0, &e));
    return b;
}

static enum nano_published publish(const struct nano_block *b, enum nano_subtype subtype)
{
    struct err e = {0};
    enum nano_published how;
    if (!OPS->process(SELF, b, subtype, &how, NULL, &e))
        fail_msg("process: %s", e.detail);
    return how;
}

static struct nano_block opened(const char *amount)
{
    char hex[65];
    fake_nano_pay(&world.fake, world.address[0], amount, hex);
    struct nano_hash send = hash_of(hex);
    struct nano_block open = next_block(raw_of(amount), &send);
    assert_int_equal(publish(&open, NANO_OPEN), NANO_PUBLISHED);
    return open;
}

static void blocks_are_published_once_however_often_they_are_sent(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_account_info info;
    struct nano_hash none = {0}, to = nano_hash_of(&world.account[1]);
    connect_to(1, "");
    assert_true(OPS->account(SELF, &world.account[0], &info, NULL, &e));
    assert_false(info.opened);
    struct nano_block open = opened("100");
    assert_int_equal(publish(&open, NANO_OPEN), NANO_ALREADY);
    struct nano_block change = next_block(raw_of("100"), &none);
    assert_int_equal(publish(&change, NANO_CHANGE), NANO_PUBLISHED);
    struct nano_block send = next_block(raw_of("0"), &to);
    assert_int_equal(publish(&send, NANO_SEND), NANO_PUBLISHED);
    /* The node says "Invalid block balance for given subtype" here. */
    assert_int_equal(publish(&send, NANO_SEND), NANO_ALREADY);
    assert_int_equal(publish(&change, NANO_CHANGE), NANO_ALREADY);
    assert_true(OPS->account(SELF, &world.account[0], &info, NULL, &e));
    assert_true(info.opened && info.block_count == 3 && raw_is_zero(info.balance));
    assert_true(nano_account_equal(&info.representative, &world.account[0]));
}

static void refusals_are_told_apart(void **state)
{
    (void)state;
    struct nano_hash to = nano_hash_of(&world.account[1]), nothing = {{9}};
    connect_to(1, "");
    struct nano_block open = opened("100");
    struct nano_block low = next_block(raw_of("40"), &to), wrong = low, gap = low, fork = open;
    struct nano_block sent = low;
    struct err e = {0};
    low.work = 0;
    assert_int_equal(publish(&low, NANO_SEND), NANO_NEEDS_WORK);
    wrong.signature.bytes[0] ^= 1;
    assert_int_equal(publish(&wrong, NANO_SEND), NANO_INVALID);
    assert_int_equal(publish(&sent, NANO_RECEIVE), NANO_INVALID);
    gap.previous = nothing;
    gap.work = work_for(&nothing, FAKE_NANO_SEND);
    assert_true(nano_block_sign(&gap, world.seed, 0, &e));
    assert_int_equal(publish(&gap, NANO_SEND), NANO_GAP_PREVIOUS);
    struct nano_block lost = next_block(raw_of("200"), &nothing);
    assert_int_equal(publish(&lost, NANO_RECEIVE), NANO_GAP_SOURCE);
    struct nano_block again = next_block(raw_of("200"), &open.link);
    assert_int_equal(publish(&again, NANO_RECEIVE), NANO_UNRECEIVABLE);
    assert_int_equal(publish(&sent, NANO_SEND), NANO_PUBLISHED);
    fork = sent;
    fork.balance = raw_of("30");
    assert_true(nano_block_sign(&fork, world.seed, 0, &e));
    assert_int_equal(publish(&fork, NANO_CHANGE), NANO_INVALID);
    struct nano_account_info info;
    assert_true(OPS->account(SELF, &world.account[0], &info, NULL, &e));
    assert_int_equal(raw_compare(info.balance, raw_of("40")), 0);
    assert_int_equal(publish(&fork, NANO_SEND), NANO_FORK);
}

/* Faults of the first of two nodes; what comes of a block that is good. */
static const struct {
    const char *why, *fault;
    enum nano_published how;
} troubles[] = {
    {"an answer that is lost",              "\"kind\":\"lose\"",                                             NANO_ALREADY  },
    {"a refusal that no other node shares", "\"kind\":\"error\",\"error\":\"Fork\"",
     NANO_PUBLISHED                                                                                                        },
    {"a node that lags",                    "\"kind\":\"error\",\"error\":\"Gap source block\"",             NANO_PUBLISHED},
    {"a node that lies: an old block",      "\"kind\":\"error\",\"error\":\"Old block\"",
     NANO_PUBLISHED                                                                                                        },
    {"a node in trouble",                   "\"kind\":\"error\",\"error\":\"Internal server error in RPC\"",
     NANO_PUBLISHED                                                                                                        },
    {"started says nothing",                "\"kind\":\"reply\",\"reply\":{\"started\":\"1\"}",              NANO_PUBLISHED},
    {"the hash of another block",
     "\"kind\":\"reply\",\"reply\":{\"hash\":"
     "\"0000000000000000000000000000000000000000000000000000000000000001\"}",                                NANO_PUBLISHED},
    {"a page",                              "\"kind\":\"html\"",                                             NANO_PUBLISHED},
    {"silence",                             "\"kind\":\"stall\",\"ms\":20000",                               NANO_PUBLISHED},
};

static void a_good_block_gets_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(troubles); i++) {
        char hex[65];
        tell("reset", "{}");
        connect_to(2, "");
        fake_nano_pay(&world.fake, world.address[0], "100", hex);
        struct nano_hash send = hash_of(hex);
        struct nano_block open = next_block(raw_of("100"), &send);
        fake_nano_tell(&world.fake, "fault", "{\"on\":\"process\",%s}", troubles[i].fault);
        if (publish(&open, NANO_OPEN) != troubles[i].how)
            fail_msg("%s", troubles[i].why);
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
    }
}

static void nothing_is_said_when_nothing_is_known(void **state)
{
    (void)state;
    struct err e = {0};
    enum nano_published how = NANO_INVALID;
    char hex[65];
    connect_to(1, "");
    fake_nano_pay(&world.fake, world.address[0], "100", hex);
    struct nano_hash send = hash_of(hex);
    struct nano_block open = next_block(raw_of("100"), &send);
    tell("fault", "{\"on\":\"process\",\"kind\":\"lose\"}");
    assert_false(OPS->process(SELF, &open, NANO_OPEN, &how, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(publish(&open, NANO_OPEN), NANO_ALREADY);
    /* An old block that nobody has is not believed. */
    struct nano_hash to = nano_hash_of(&world.account[1]);
    struct nano_block b = next_block(raw_of("1"), &to);
    tell("fault", "{\"on\":\"process\",\"kind\":\"error\",\"error\":\"Old block\"}");
    assert_false(OPS->process(SELF, &b, NANO_SEND, &how, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
}

static void elections_can_be_asked_for(void **state)
{
    (void)state;
    struct err e = {0};
    char hex[65];
    struct nano_block_info info;
    connect_to(2, "");
    fake_nano_pay_unconfirmed(&world.fake, world.address[0], "100", hex);
    struct nano_hash hash = hash_of(hex), nothing = {{3}};
    assert_false(OPS->confirm(SELF, &nothing, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(OPS->confirm(SELF, &hash, NULL, &e));
    assert_true(OPS->blocks(SELF, &hash, 1, &info, NULL, &e));
    assert_true(info.confirmed);
    /* A service without elections spreads the block at least. */
    tell("fault", "{\"on\":\"block_confirm\",\"kind\":\"error\",\"error\":\"Unknown command\"}");
    tell("fault", "{\"node\":\"second\",\"on\":\"block_confirm\",\"kind\":\"html\"}");
    assert_true(OPS->confirm(SELF, &hash, NULL, &e));
    assert_int_equal(fake_nano_calls(&world.fake, "main republish") +
                         fake_nano_calls(&world.fake, "second republish"),
                     1);
}

/* --- more than one node --- */

static void a_second_opinion_counts_nodes(void **state)
{
    (void)state;
    struct err e = {0};
    size_t asked = 0, yes = 0;
    char hex[65];
    connect_to(3, "");
    assert_int_equal(OPS->node_count(SELF), 3);
    tell("node", "{\"node\":\"second\",\"lag\":true}");
    fake_nano_pay(&world.fake, world.address[0], "100", hex);
    struct nano_hash hash = hash_of(hex);
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(asked, 3); /* "not found" is an answer */
    assert_int_equal(yes, 2);
    tell("node", "{\"node\":\"second\",\"lag\":false}");
    tell("fault", "{\"node\":\"third\",\"on\":\"block_info\",\"kind\":\"html\"}");
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(asked, 2);
    assert_int_equal(yes, 2);
    /* One that invents a block is no witness; one that is silent costs a bounded time. */
    tell("fault", "{\"on\":\"block_info\",\"kind\":\"patch\",\"patch\":{\"contents\":{\"balance\":"
                  "\"7\"}}}");
    tell("fault", "{\"node\":\"third\",\"on\":\"block_info\",\"kind\":\"stall\",\"ms\":20000}");
    int64_t begin = clock_mono_ms();
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_true(clock_mono_ms() - begin < 10000);
    assert_int_equal(asked, 1);
    assert_int_equal(yes, 1);
    /* One that said 429 is left alone here too. */
    tell("fault", "{\"node\":\"second\",\"on\":\"block_info\",\"kind\":\"status\",\"code\":429,"
                  "\"retryAfter\":60}");
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(asked, 2);
    int before = fake_nano_calls(&world.fake, "second block_info");
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(fake_nano_calls(&world.fake, "second block_info"), before);
    tell("fault", "{\"on\":\"any\",\"kind\":\"close\"}");
    tell("fault", "{\"node\":\"second\",\"on\":\"any\",\"kind\":\"close\"}");
    tell("fault", "{\"node\":\"third\",\"on\":\"any\",\"kind\":\"close\"}");
    assert_false(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
}

static int64_t timed_list(void)
{
    struct err e = {0};
    struct nano_receivables r = {0};
    int64_t begin = clock_mono_ms();
    if (!list("1", &r, &e))
        fail_msg("%s", e.detail);
    list_free(&r);
    return clock_mono_ms() - begin;
}

static void a_stalling_node_is_left_alone(void **state)
{
    (void)state;
    connect_to(2, "");
    tell("fault", "{\"on\":\"any\",\"kind\":\"stall\",\"ms\":20000,\"times\":-1}");
    int before = 0, after = 0;
    for (int i = 0; i < 4; i++) { /* each time it rests twice as long */
        before = after;
        assert_true(timed_list() < 10000); /* a second, then the other node */
        after = fake_nano_calls(&world.fake, "main version");
        if (after == before)
            break;
    }
    assert_true(after > 0 && after == before);
    tell("clear", "{}");
}

static void a_node_that_says_wait_is_not_asked(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_receivables r = {0};
    connect_to(1, "");
    timed_list();
    tell("fault",
         "{\"on\":\"accounts_receivable\",\"kind\":\"status\",\"code\":429,\"retryAfter\":1}");
    int before = fake_nano_calls(&world.fake, "main accounts_receivable");
    int64_t begin = clock_mono_ms();
    assert_false(list("1", &r, &e));
    assert_false(list("1", &r, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"), before + 1);
    while (!list("1", &r, &e) && clock_mono_ms() - begin < 5000)
        cancel_wait(NULL, 20);
    assert_true(clock_mono_ms() - begin >= 1000);
    list_free(&r);
}

/* The last call that a service allows is told with the answer before the refusal. */
static void the_last_call_is_heeded(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_receivables r = {0};
    connect_to(1, "");
    tell("fault", "{\"on\":\"accounts_receivable\",\"kind\":\"headers\",\"skip\":1,\"headers\":{"
                  "\"X-RateLimit-Limit\":\"5\",\"X-RateLimit-Remaining\":\"0\","
                  "\"X-RateLimit-Reset\":\"1\"}}");
    timed_list(); /* two batches: the second brings the news */
    int before = fake_nano_calls(&world.fake, "main accounts_receivable");
    assert_false(list("1", &r, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"), before);
}

static void a_node_of_another_network_is_not_used(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_receivables r = {0};
    struct nano_health health[3];
    tell("node", "{\"network\":\"test\",\"networkId\":"
                 "\"0000000000000000000000000000000000000000000000000000000000000002\"}");
    connect_to(2, "");
    timed_list();
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"), 0);
    assert_int_equal(OPS->health(SELF, health, COUNT(health), NULL), 2);
    assert_true(!health[0].ok && health[0].why.code == ERR_CONFIG && health[1].ok);
    assert_string_equal(health[1].vendor, "Nano V28.2");
    assert_int_equal(health[1].behind, 0);
    OPS->destroy(SELF);
    connect_to(1, "");
    assert_false(list("1", &r, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

static void a_node_far_behind_comes_last(void **state)
{
    (void)state;
    connect_to(2, "");
    tell("fault",
         "{\"on\":\"telemetry\",\"kind\":\"reply\",\"reply\":{\"cemented_count\":\"9000\"}}");
    timed_list(); /* finds out */
    timed_list();
    assert_true(fake_nano_calls(&world.fake, "second accounts_receivable") >= 2);
    assert_true(fake_nano_calls(&world.fake, "main accounts_receivable") <= 2);
}

static const struct {
    const char *why, *keys, *node, *auth, *body;
} key_forms[] = {
    {"a word goes into header and body", "abcdef123",                    "{\"key\":\"abcdef123\"}",     "abcdef123",
     "\"key\":\"abcdef123\""                                                                                           },
    {"a header by name",                 "Authorization: Bearer abcdef", "{\"key\":\"Bearer abcdef\"}",
     "Bearer abcdef",                                                                                                ""},
    {"a field of the body",              "key=abcdef123",                "{\"key\":\"abcdef123\"}",     NULL,
     "\"key\":\"abcdef123\""                                                                                           },
};

static void keys_go_to_their_own_node(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(key_forms); i++) {
        tell("reset", "{}");
        tell("node", key_forms[i].node);
        connect_to(2, key_forms[i].keys);
        timed_list();
        AUTO(json_free) cJSON *state_now = fake_node_state(&world.fake);
        const cJSON *call;
        size_t main_calls = 0;
        cJSON_ArrayForEach(call, json_array(state_now, "log"))
        {
            bool is_main = strcmp(json_text(call, "node", ""), "main") == 0;
            const char *auth = json_text(call, "auth", NULL);
            bool ok =
                is_main
                    ? strstr(json_text(call, "text", ""), key_forms[i].body) &&
                          (key_forms[i].auth ? auth && strcmp(auth, key_forms[i].auth) == 0 : !auth)
                    : !auth;
            main_calls += is_main;
            if (!ok)
                fail_msg("%s: auth %s", key_forms[i].why, auth ? auth : "none");
        }
        if (main_calls < 2)
            fail_msg("%s: not taken", key_forms[i].why);
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
    }
    struct err e = {0};
    struct nano_receivables r = {0};
    connect_to(1, "wrong-key");
    assert_false(list("1", &r, &e));
    assert_int_equal(e.code, ERR_CONFIG); /* only the operator can mend that */
    assert_null(strstr(e.detail, "wrong-key"));
    tell("reset", "{}");
}

static const struct {
    const char *why, *urls, *keys, *network, *key;
} settings[] = {
    {"no node",                     " , ",                            "",     "",     "start.bad_nano" },
    {"no address",                  "nonsense",                       "",     "",     "start.bad_url"  },
    {"plain to another machine",    "http://192.0.2.1:7076",          "",     "",     "start.plain_url"},
    {"a name in the address",       "https://me:secret@example.org/", "",     "",     "start.bad_url"  },
    {"a key that could end a text", "http://127.0.0.1:1",             "a\"b", "",     "start.bad_nano" },
    {"an identifier that is none",  "http://127.0.0.1:1",             "",     "live", "start.bad_nano" },
};

static void settings_are_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(settings); i++) {
        struct err e = {0};
        struct nano_node node = {0};
        struct nano_rpc_options o = {.net = world.net,
                                     .urls = settings[i].urls,
                                     .keys = settings[i].keys,
                                     .ws_urls = "",
                                     .work_url = "",
                                     .network_id = settings[i].network};
        if (nano_rpc_create(&o, &node, &e) || e.code != ERR_CONFIG ||
            strcmp(e.user_key, settings[i].key) != 0 || strstr(e.detail, "secret"))
            fail_msg("%s: %s %s", settings[i].why, e.user_key, e.detail);
    }
}

/* --- work, cancelling --- */

static void work_from_elsewhere_is_checked(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_hash root = {
        {1, 2, 3}
    };
    uint64_t work = 0;
    connect_to(1, "");
    assert_true(OPS->work(SELF, &root, FAKE_NANO_SEND, NULL, &work, &e));
    assert_true(nano_work_valid(&root, work, FAKE_NANO_SEND));
    static const char *const bad[] = {
        "{\"work\":\"0000000000000000\",\"difficulty\":\"ffffffffffffffff\"}", "{\"work\":\"xyz\"}",
        "{}", "{\"error\":\"RPC control is disabled\"}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        fake_nano_tell(&world.fake, "fault",
                       "{\"on\":\"work_generate\",\"kind\":\"reply\",\"reply\":%s}", bad[i]);
        if (OPS->work(SELF, &root, UINT64_C(0xfffffffffffffff0), NULL, &work, &e) ||
            e.code != ERR_RETRY)
            fail_msg("%s: %s", bad[i], e.detail);
    }
}

/* The pool asks the server first, and makes the work itself when the server fails or lies. */
static void the_work_pool_takes_it_or_makes_it(void **state)
{
    (void)state;
    struct err e = {0};
    uint64_t work = 0;
    connect_to(1, "");
    struct work_pool *pool = work_pool_create(&(struct work_pool_options){
        .threads = 1, .source = {.generate = OPS->work, .ctx = SELF}
    });
    struct nano_hash root = {{4}}, other = {{5}};
    assert_true(work_pool_wait(pool, &root, FAKE_NANO_SEND, 20000, NULL, &work, &e));
    assert_true(nano_work_valid(&root, work, FAKE_NANO_SEND));
    assert_int_equal(work_pool_state(pool).from_source, 1);
    tell("fault", "{\"on\":\"work_generate\",\"kind\":\"reply\",\"times\":-1,\"reply\":{\"work\":"
                  "\"0000000000000000\"}}");
    assert_true(work_pool_wait(pool, &other, FAKE_NANO_SEND, 20000, NULL, &work, &e));
    assert_true(nano_work_valid(&other, work, FAKE_NANO_SEND));
    assert_int_equal(work_pool_state(pool).from_source, 1);
    work_pool_destroy(pool);
}

static void a_stop_is_obeyed_at_once(void **state)
{
    (void)state;
    struct err e = {0};
    struct cancel stop;
    struct nano_account_info info;
    cancel_init(&stop, NULL);
    cancel_fire(&stop);
    connect_to(2, "");
    int64_t begin = clock_mono_ms();
    assert_false(OPS->account(SELF, &world.account[0], &info, &stop, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(clock_mono_ms() - begin < 2000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(money_that_waits_is_listed),
        CASE(a_flood_of_dust_hides_no_payment),
        CASE(long_lists_are_cut_for_small_services),
        CASE(nonsense_is_the_next_nodes_turn),
        CASE(services_that_drop_the_sender_are_understood),
        CASE(blocks_are_told_with_what_they_prove),
        CASE(pruned_and_old_blocks_say_what_is_missing),
        CASE(lies_about_blocks_are_seen),
        CASE(an_answer_to_another_question_is_none),
        CASE(a_node_that_hides_a_payment_only_delays_it),
        CASE(blocks_are_published_once_however_often_they_are_sent),
        CASE(refusals_are_told_apart),
        CASE(a_good_block_gets_through),
        CASE(nothing_is_said_when_nothing_is_known),
        CASE(elections_can_be_asked_for),
        CASE(a_second_opinion_counts_nodes),
        CASE(a_stalling_node_is_left_alone),
        CASE(a_node_that_says_wait_is_not_asked),
        CASE(the_last_call_is_heeded),
        CASE(a_node_of_another_network_is_not_used),
        CASE(a_node_far_behind_comes_last),
        CASE(keys_go_to_their_own_node),
        CASE(settings_are_looked_at),
        CASE(work_from_elsewhere_is_checked),
        CASE(the_work_pool_takes_it_or_makes_it),
        CASE(a_stop_is_obeyed_at_once),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
