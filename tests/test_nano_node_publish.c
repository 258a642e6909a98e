/* Publishing blocks, elections, work from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/nano/work.h"
#include "core/nano/work_pool.h"
#include "tests/node_world.h"

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
    b.work = node_work(&root, FAKE_NANO_SEND);
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
    struct nano_hash send = node_hash(hex);
    struct nano_block open = next_block(node_raw(amount), &send);
    assert_int_equal(publish(&open, NANO_OPEN), NANO_PUBLISHED);
    return open;
}

static void blocks_are_published_once_however_often_they_are_sent(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_account_info info;
    struct nano_hash none = {0}, to = nano_hash_of(&world.account[1]);
    node_connect(1, "");
    assert_true(OPS->account(SELF, &world.account[0], &info, NULL, &e));
    assert_false(info.opened);
    struct nano_block open = opened("100");
    assert_int_equal(publish(&open, NANO_OPEN), NANO_ALREADY);
    struct nano_block change = next_block(node_raw("100"), &none);
    assert_int_equal(publish(&change, NANO_CHANGE), NANO_PUBLISHED);
    struct nano_block send = next_block(node_raw("0"), &to);
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
    node_connect(1, "");
    struct nano_block open = opened("100");
    struct nano_block low = next_block(node_raw("40"), &to), wrong = low, gap = low, fork = open;
    struct nano_block sent = low;
    struct err e = {0};
    low.work = 0;
    assert_int_equal(publish(&low, NANO_SEND), NANO_NEEDS_WORK);
    wrong.signature.bytes[0] ^= 1;
    assert_int_equal(publish(&wrong, NANO_SEND), NANO_INVALID);
    assert_int_equal(publish(&sent, NANO_RECEIVE), NANO_INVALID);
    gap.previous = nothing;
    gap.work = node_work(&nothing, FAKE_NANO_SEND);
    assert_true(nano_block_sign(&gap, world.seed, 0, &e));
    assert_int_equal(publish(&gap, NANO_SEND), NANO_GAP_PREVIOUS);
    struct nano_block lost = next_block(node_raw("200"), &nothing);
    assert_int_equal(publish(&lost, NANO_RECEIVE), NANO_GAP_SOURCE);
    struct nano_block again = next_block(node_raw("200"), &open.link);
    assert_int_equal(publish(&again, NANO_RECEIVE), NANO_UNRECEIVABLE);
    assert_int_equal(publish(&sent, NANO_SEND), NANO_PUBLISHED);
    fork = sent;
    fork.balance = node_raw("30");
    assert_true(nano_block_sign(&fork, world.seed, 0, &e));
    assert_int_equal(publish(&fork, NANO_CHANGE), NANO_INVALID);
    struct nano_account_info info;
    assert_true(OPS->account(SELF, &world.account[0], &info, NULL, &e));
    assert_int_equal(raw_compare(info.balance, node_raw("40")), 0);
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
        node_tell("reset", "{}");
        node_connect(2, "");
        fake_nano_pay(&world.fake, world.address[0], "100", hex);
        struct nano_hash send = node_hash(hex);
        struct nano_block open = next_block(node_raw("100"), &send);
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
    node_connect(1, "");
    fake_nano_pay(&world.fake, world.address[0], "100", hex);
    struct nano_hash send = node_hash(hex);
    struct nano_block open = next_block(node_raw("100"), &send);
    node_tell("fault", "{\"on\":\"process\",\"kind\":\"lose\"}");
    assert_false(OPS->process(SELF, &open, NANO_OPEN, &how, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(publish(&open, NANO_OPEN), NANO_ALREADY);
    /* An old block that nobody has is not believed. */
    struct nano_hash to = nano_hash_of(&world.account[1]);
    struct nano_block b = next_block(node_raw("1"), &to);
    node_tell("fault", "{\"on\":\"process\",\"kind\":\"error\",\"error\":\"Old block\"}");
    assert_false(OPS->process(SELF, &b, NANO_SEND, &how, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
}

static void elections_can_be_asked_for(void **state)
{
    (void)state;
    struct err e = {0};
    char hex[65];
    struct nano_block_info info;
    node_connect(2, "");
    fake_nano_pay_unconfirmed(&world.fake, world.address[0], "100", hex);
    struct nano_hash hash = node_hash(hex), nothing = {{3}};
    assert_false(OPS->confirm(SELF, &nothing, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(OPS->confirm(SELF, &hash, NULL, &e));
    assert_true(OPS->blocks(SELF, &hash, 1, &info, NULL, &e));
    assert_true(info.confirmed);
    /* A service without elections spreads the block at least. */
    node_tell("fault",
              "{\"on\":\"block_confirm\",\"kind\":\"error\",\"error\":\"Unknown command\"}");
    node_tell("fault", "{\"node\":\"second\",\"on\":\"block_confirm\",\"kind\":\"html\"}");
    assert_true(OPS->confirm(SELF, &hash, NULL, &e));
    assert_int_equal(fake_nano_calls(&world.fake, "main republish") +
                         fake_nano_calls(&world.fake, "second republish"),
                     1);
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
    node_connect(1, "");
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
    node_connect(1, "");
    struct work_pool *pool = work_pool_create(&(struct work_pool_options){
        .threads = 1, .source = {.generate = OPS->work, .ctx = SELF}
    });
    struct nano_hash root = {{4}}, other = {{5}};
    assert_true(work_pool_wait(pool, &root, FAKE_NANO_SEND, 20000, NULL, &work, &e));
    assert_true(nano_work_valid(&root, work, FAKE_NANO_SEND));
    assert_int_equal(work_pool_state(pool).from_source, 1);
    node_tell("fault",
              "{\"on\":\"work_generate\",\"kind\":\"reply\",\"times\":-1,\"reply\":{\"work\":"
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
    node_connect(2, "");
    int64_t begin = clock_mono_ms();
    assert_false(OPS->account(SELF, &world.account[0], &info, &stop, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(clock_mono_ms() - begin < 2000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_CASE(blocks_are_published_once_however_often_they_are_sent),
        NODE_CASE(refusals_are_told_apart),
        NODE_CASE(a_good_block_gets_through),
        NODE_CASE(nothing_is_said_when_nothing_is_known),
        NODE_CASE(elections_can_be_asked_for),
        NODE_CASE(work_from_elsewhere_is_checked),
        NODE_CASE(the_work_pool_takes_it_or_makes_it),
        NODE_CASE(a_stop_is_obeyed_at_once),
    };
    return cmocka_run_group_tests(tests, node_world_open, node_world_close);
}
