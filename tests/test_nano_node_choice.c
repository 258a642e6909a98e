/* Which of several nodes is asked, with which key, and how many must agree. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/net/json.h"
#include "tests/node_world.h"

static void a_second_opinion_counts_nodes(void **state)
{
    (void)state;
    struct err e = {0};
    size_t asked = 0, yes = 0;
    char hex[65];
    node_connect(3, "");
    assert_int_equal(OPS->node_count(SELF), 3);
    node_tell("node", "{\"node\":\"second\",\"lag\":true}");
    fake_nano_pay(&world.fake, world.address[0], "100", hex);
    struct nano_hash hash = node_hash(hex);
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(asked, 3); /* "not found" is an answer */
    assert_int_equal(yes, 2);
    node_tell("node", "{\"node\":\"second\",\"lag\":false}");
    node_tell("fault", "{\"node\":\"third\",\"on\":\"block_info\",\"kind\":\"html\"}");
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(asked, 2);
    assert_int_equal(yes, 2);
    /* One that invents a block is no witness; one that is silent costs a bounded time. */
    node_tell("fault",
              "{\"on\":\"block_info\",\"kind\":\"patch\",\"patch\":{\"contents\":{\"balance\":"
              "\"7\"}}}");
    node_tell("fault",
              "{\"node\":\"third\",\"on\":\"block_info\",\"kind\":\"stall\",\"ms\":20000}");
    int64_t begin = clock_mono_ms();
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_true(clock_mono_ms() - begin < 10000);
    assert_int_equal(asked, 1);
    assert_int_equal(yes, 1);
    /* One that said 429 is left alone here too. */
    node_tell("fault",
              "{\"node\":\"second\",\"on\":\"block_info\",\"kind\":\"status\",\"code\":429,"
              "\"retryAfter\":60}");
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(asked, 2);
    int before = fake_nano_calls(&world.fake, "second block_info");
    assert_true(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(fake_nano_calls(&world.fake, "second block_info"), before);
    node_tell("fault", "{\"on\":\"any\",\"kind\":\"close\"}");
    node_tell("fault", "{\"node\":\"second\",\"on\":\"any\",\"kind\":\"close\"}");
    node_tell("fault", "{\"node\":\"third\",\"on\":\"any\",\"kind\":\"close\"}");
    assert_false(OPS->confirmed_by(SELF, &hash, &asked, &yes, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
}

static int64_t timed_list(void)
{
    struct err e = {0};
    struct nano_receivables r = {0};
    int64_t begin = clock_mono_ms();
    if (!node_list("1", &r, &e))
        fail_msg("%s", e.detail);
    node_list_free(&r);
    return clock_mono_ms() - begin;
}

static void a_stalling_node_is_left_alone(void **state)
{
    (void)state;
    node_connect(2, "");
    node_tell("fault", "{\"on\":\"any\",\"kind\":\"stall\",\"ms\":20000,\"times\":-1}");
    int before = 0, after = 0;
    for (int i = 0; i < 4; i++) { /* each time it rests twice as long */
        before = after;
        assert_true(timed_list() < 10000); /* a second, then the other node */
        after = fake_nano_calls(&world.fake, "main version");
        if (after == before)
            break;
    }
    assert_true(after > 0 && after == before);
    node_tell("clear", "{}");
}

static void a_node_that_says_wait_is_not_asked(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_receivables r = {0};
    node_connect(1, "");
    timed_list();
    node_tell("fault",
              "{\"on\":\"accounts_receivable\",\"kind\":\"status\",\"code\":429,\"retryAfter\":1}");
    int before = fake_nano_calls(&world.fake, "main accounts_receivable");
    int64_t begin = clock_mono_ms();
    assert_false(node_list("1", &r, &e));
    assert_false(node_list("1", &r, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"), before + 1);
    while (!node_list("1", &r, &e) && clock_mono_ms() - begin < 5000)
        cancel_wait(NULL, 20);
    assert_true(clock_mono_ms() - begin >= 1000);
    node_list_free(&r);
}

/* The last call that a service allows is told with the answer before the refusal. */
static void the_last_call_is_heeded(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_receivables r = {0};
    node_connect(1, "");
    node_tell("fault",
              "{\"on\":\"accounts_receivable\",\"kind\":\"headers\",\"skip\":1,\"headers\":{"
              "\"X-RateLimit-Limit\":\"5\",\"X-RateLimit-Remaining\":\"0\","
              "\"X-RateLimit-Reset\":\"1\"}}");
    timed_list(); /* two batches: the second brings the news */
    int before = fake_nano_calls(&world.fake, "main accounts_receivable");
    assert_false(node_list("1", &r, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"), before);
}

static void a_node_of_another_network_is_not_used(void **state)
{
    (void)state;
    struct err e = {0};
    struct nano_receivables r = {0};
    struct nano_health health[3];
    node_tell("node", "{\"network\":\"test\",\"networkId\":"
                      "\"0000000000000000000000000000000000000000000000000000000000000002\"}");
    node_connect(2, "");
    timed_list();
    assert_int_equal(fake_nano_calls(&world.fake, "main accounts_receivable"), 0);
    assert_int_equal(OPS->health(SELF, health, COUNT(health), NULL), 2);
    assert_true(!health[0].ok && health[0].why.code == ERR_CONFIG && health[1].ok);
    assert_string_equal(health[1].vendor, "Nano V28.2");
    assert_int_equal(health[1].behind, 0);
    OPS->destroy(SELF);
    node_connect(1, "");
    assert_false(node_list("1", &r, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

static void a_node_far_behind_comes_last(void **state)
{
    (void)state;
    node_connect(2, "");
    node_tell("fault",
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
        node_tell("reset", "{}");
        node_tell("node", key_forms[i].node);
        node_connect(2, key_forms[i].keys);
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
    node_connect(1, "wrong-key");
    assert_false(node_list("1", &r, &e));
    assert_int_equal(e.code, ERR_CONFIG); /* only the operator can mend that */
    assert_null(strstr(e.detail, "wrong-key"));
    node_tell("reset", "{}");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_CASE(a_second_opinion_counts_nodes),
        NODE_CASE(a_stalling_node_is_left_alone),
        NODE_CASE(a_node_that_says_wait_is_not_asked),
        NODE_CASE(the_last_call_is_heeded),
        NODE_CASE(a_node_of_another_network_is_not_used),
        NODE_CASE(a_node_far_behind_comes_last),
        NODE_CASE(keys_go_to_their_own_node),
        NODE_CASE(settings_are_looked_at),
    };
    return cmocka_run_group_tests(tests, node_world_open, node_world_close);
}
