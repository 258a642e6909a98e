/* What nodes say of blocks, and what they say wrong. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/node_world.h"

static void blocks_are_told_with_what_they_prove(void **state)
{
    (void)state;
    struct err e = {0};
    char first[65], second[65];
    node_connect(1, "");
    fake_nano_pay(&world.fake, world.address[0], XNO, first);
    fake_nano_pay_unconfirmed(&world.fake, world.address[1], "12", second);
    struct nano_hash hashes[4] = {node_hash(second), {{1}}, node_hash(first), node_hash(second)};
    struct nano_block_info info[4];
    assert_true(OPS->blocks(SELF, hashes, 4, info, NULL, &e));
    assert_false(info[1].found);
    assert_true(info[0].found && info[0].is_state && info[0].is_signed && !info[0].confirmed);
    assert_true(info[2].found && info[2].confirmed && info[2].has_successor);
    assert_true(info[3].found); /* asked twice */
    assert_int_equal(info[2].subtype, NANO_SEND);
    assert_int_equal(raw_compare(info[0].amount, node_raw("12")), 0);
    assert_memory_equal(info[2].block.link.bytes, world.account[0].key, NANO_BYTES);
    assert_true(nano_hash_equal(&info[0].block.previous, &hashes[2]));
    struct raw amount;
    enum nano_subtype subtype;
    assert_true(nano_block_meaning(&info[0].block, info[2].block.balance, &subtype, &amount));
    assert_int_equal(raw_compare(amount, node_raw("12")), 0);
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
    node_connect(1, "");
    for (size_t i = 0; i < COUNT(old_blocks); i++) {
        struct err e = {0};
        struct nano_block_info info;
        char hex[65];
        fake_nano_pay(&world.fake, world.address[0], "9", hex);
        struct nano_hash hash = node_hash(hex);
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
    struct nano_hash hash = node_hash(hex);
    for (size_t i = 0; i < COUNT(lies); i++) {
        struct err e = {0};
        struct nano_block_info info = {0};
        node_connect(1, "");
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
        node_connect(2, "");
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
    node_connect_batches(2, "", 100);
    node_tell("node", "{\"lag\":true}"); /* sees nothing from now on, and says that all is well */
    fake_nano_pay(&world.fake, world.address[0], XNO, hex);
    struct nano_hash hash = node_hash(hex);
    assert_true(OPS->blocks(SELF, &hash, 1, &info, NULL, &e));
    assert_true(info.found && info.confirmed); /* the other one knows it */
    size_t listed = 0;
    for (int i = 0; i < 12; i++) {
        assert_true(node_list("1", &r, &e));
        listed += r.count;
        node_list_free(&r);
    }
    assert_in_range(listed, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_CASE(blocks_are_told_with_what_they_prove),
        NODE_CASE(pruned_and_old_blocks_say_what_is_missing),
        NODE_CASE(lies_about_blocks_are_seen),
        NODE_CASE(an_answer_to_another_question_is_none),
        NODE_CASE(a_node_that_hides_a_payment_only_delays_it),
    };
    return cmocka_run_group_tests(tests, node_world_open, node_world_close);
}
