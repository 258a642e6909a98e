/* What is taken from a node's words and what is not, without any network; the MCP reader against its
 * fake. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

#include "adapters/nano/mcp.h"
#include "adapters/nano/nano_parts.h"
#include "core/base/hash.h"
#include "tests/fake_nano.h"

#define A0 "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define A0_OLD "xrb_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define A1 "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9"
#define H1 "90BC245AC50982E1D035C77C69B0C860C5C45CE6DEE77095D75FC76D6AEA0B8E"
#define H2 "C4FA36D324C72B86118575F7ACB328C1614AD370B8E8FA169DE842A9FF9E2588"

static cJSON *doc_of(const char *text)
{
    struct err e = {0};
    char error[NANO_ERROR_TEXT];
    cJSON *doc = NULL;
    if (!nano_read_reply(text, strlen(text), &doc, error, &e))
        fail_msg("%s: %s", text, e.detail);
    return doc;
}

/* --- values --- */

static const struct {
    const char *why, *json;
    bool is_true, has_raw;
    int64_t count;
} values[] = {
    {"as nodes write",                         "{\"v\":\"1\"}",     false, true,  1},
    {"the word",                               "{\"v\":\"true\"}",  true,  false, 0},
    {"a JSON boolean",                         "{\"v\":true}",      true,  false, 0},
    {"a number is no amount",                  "{\"v\":7}",         false, false, 7},
    {"a number with decimals is no count",     "{\"v\":7.5}",       false, false, 0},
    {"absent",                                 "{}",                false, false, 0},
    {"empty",                                  "{\"v\":\"\"}",      false, false, 0},
    {"minus",                                  "{\"v\":\"-1\"}",    false, false, 0},
    {"a leading zero is refused by nodes too", "{\"v\":\"01\"}",    false, false, 1},
    {"a dot",                                  "{\"v\":\"1.5\"}",   false, false, 0},
    {"blanks",                                 "{\"v\":\" 1\"}",    false, false, 0},
    {"an object",                              "{\"v\":{\"a\":1}}", false, false, 0},
    {"null",                                   "{\"v\":null}",      false, false, 0},
    {"capital letters",                        "{\"v\":\"TRUE\"}",  false, false, 0},
};

static void values_come_from_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        struct raw r;
        AUTO(json_free) cJSON *doc = doc_of(values[i].json);
        if (nano_read_true(doc, "v") != values[i].is_true ||
            nano_read_raw(doc, "v", &r) != values[i].has_raw ||
            nano_read_count(doc, "v") != values[i].count)
            fail_msg("%s: true %d raw %d count %d", values[i].why, nano_read_true(doc, "v"),
                     nano_read_raw(doc, "v", &r), (int)nano_read_count(doc, "v"));
    }
}

static const struct {
    const char *why, *text, *error; /* NULL: no reply at all */
} replies[] = {
    {"an answer",                           "{\"a\":1}",                                     ""                 },
    {"an error",                            "{\"error\":\"Account not found\"}",             "Account not found"},
    {"an error without a word is one",      "{\"error\":\"\"}",                              "?"                },
    {"an error of another kind is one",     "{\"error\":{\"code\":-1}}",                     "?"                },
    {"control characters stay out of logs", "{\"error\":\"a\\nb\\u001b[31m\"}",              "ab[31m"           },
    {"null says nothing",                   "{\"error\":null}",                              ""                 },
    {"a page",                              "<html><body>502</body></html>",                 NULL               },
    {"nothing",                             "",                                              NULL               },
    {"blanks",                              "  \n",                                          NULL               },
    {"cut",                                 "{\"blocks\":{\"a\":",                           NULL               },
    {"a list",                              "[{\"blocks\":1}]",                              NULL               },
    {"a number",                            "12",                                            NULL               },
    {"something behind it",                 "{}x",                                           NULL               },
    {"too deep",                            "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", NULL               },
};

static void replies_are_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct err e = {0};
        char error[NANO_ERROR_TEXT];
        AUTO(json_free) cJSON *doc = NULL;
        bool ok = nano_read_reply(replies[i].text, strlen(replies[i].text), &doc, error, &e);
        if (ok != (replies[i].error != NULL) || (ok && strcmp(error, replies[i].error) != 0))
            fail_msg("%s: %d '%s'", replies[i].why, ok, error);
    }
}

/* --- lists --- */

/* listed: how many are taken of the two accounts together; -1: the node is not believed. */
static const struct {
    const char *why, *json;
    int listed;
} lists[] = {
    {"empty as nodes write it",                      "{\"blocks\":\"\"}",                                                          0 },
    {"an empty object",                              "{\"blocks\":{}}",                                                            0 },
    {"an empty list",                                "{\"blocks\":[]}",                                                            0 },
    {"nothing at all is no answer",                  "{}",                                                                         -1},
    {"an account with an empty text",                "{\"blocks\":{\"" A0 "\":\"\"}}",                                             0 },
    {"the full form",
     "{\"blocks\":{\"" A0 "\":{\"" H1 "\":{\"amount\":\"7\",\"source\":\"" A1 "\"}}}}",                                            1 },
    {"the short form",                               "{\"blocks\":{\"" A0 "\":{\"" H1 "\":\"7\"}}}",                               1 },
    {"the old prefix is the same account",           "{\"blocks\":{\"" A0_OLD "\":{\"" H1 "\":\"7\"}}}",                           1 },
    {"lower-case hashes",
     "{\"blocks\":{\"" A0 "\":{\"90bc245ac50982e1d035c77c69b0c860c5c45ce6dee77095"
     "d75fc76d6aea0b8e\":\"7\"}}}",                                                                                                1 },
    {"one hash twice is one",                        "{\"blocks\":{\"" A0 "\":{\"" H1 "\":\"7\",\"" H1 "\":\"7\"}}}",              1 },
    {"one account in two forms",
     "{\"blocks\":{\"" A0 "\":{\"" H1 "\":\"7\"},\"" A0_OLD "\":{\"" H2 "\":\"7\"}}}",                                             -1},
    {"below the threshold although asked otherwise", "{\"blocks\":{\"" A0 "\":{\"" H1 "\":\"4\"}}}",
     0                                                                                                                               },
    {"zero",                                         "{\"blocks\":{\"" A0 "\":{\"" H1 "\":\"0\"}}}",                               0 },
    {"two accounts",                                 "{\"blocks\":{\"" A1 "\":{\"" H1 "\":\"7\"},\"" A0 "\":{\"" H2 "\":\"7\"}}}",
     2                                                                                                                               },
    {"hashes alone",                                 "{\"blocks\":{\"" A0 "\":[\"" H1 "\"]}}",                                     -1},
    {"an amount as a number",                        "{\"blocks\":{\"" A0 "\":{\"" H1 "\":7}}}",                                   -1},
    {"more than 128 bits",
     "{\"blocks\":{\"" A0 "\":{\"" H1 "\":\"340282366920938463463374607431768211456\"}}}",                                         -1},
    {"a hash that is too short",                     "{\"blocks\":{\"" A0 "\":{\"90BC\":\"7\"}}}",                                 -1},
    {"a wrong checksum",
     "{\"blocks\":{\"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b8\":"
     "{}}}",                                                                                                                       -1},
    {"somebody else",
     "{\"blocks\":{\"nano_1111111111111111111111111111111111111111111111111111hifc8npp\":"
     "{}}}",                                                                                                                       -1},
};

static void lists_are_taken_or_refused_as_a_whole(void **state)
{
    (void)state;
    struct nano_account accounts[2];
    assert_true(nano_account_parse(A0, &accounts[0]) && nano_account_parse(A1, &accounts[1]));
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct err e = {0};
        struct nano_list list = {0};
        size_t seen[2];
        AUTO(json_free) cJSON *doc = doc_of(lists[i].json);
        bool ok = nano_read_receivables(doc, accounts, 2, 5, (struct raw){5}, &list, seen, &e);
        if (ok != (lists[i].listed >= 0) || (ok && list.count != (size_t)lists[i].listed))
            fail_msg("%s: %d, %zu listed, %s", lists[i].why, ok, list.count, e.detail);
        for (size_t n = 0; ok && n < list.count; n++)
            assert_in_range(list.items[n].account, 5, 6);
        free(list.items);
    }
}

/* A hostile node's longest list costs no time to speak of, and says that there is more. */
static void a_list_without_end_has_one(void **state)
{
    enum { MANY = 60000 };
    (void)state;
    struct err e = {0};
    struct nano_account a;
    struct nano_list list = {0};
    size_t seen[1];
    AUTO(strbuf_free) struct strbuf text = STRBUF(16 << 20);
    assert_true(nano_account_parse(A0, &a));
    strbuf_adds(&text, "{\"blocks\":{\"" A0 "\":{");
    for (int i = 0; i < MANY; i++)
        strbuf_addf(&text, "%s\"%064d\":\"7\"", i ? "," : "", i + 1);
    strbuf_adds(&text, "}}}");
    AUTO(json_free) cJSON *doc = doc_of(strbuf_text(&text));
    assert_true(nano_read_receivables(doc, &a, 1, 0, (struct raw){5}, &list, seen, &e));
    assert_int_equal(list.count, NANO_MOST);
    assert_int_equal(seen[0], MANY);
    free(list.items);
}

/* --- process --- */

static const struct {
    const char *error;
    bool known, look;
    enum nano_published what;
} refusals[] = {
    {"Old block",                                   true,  true,  NANO_ALREADY     },
    {"Invalid block balance for given subtype",     true,  true,  NANO_INVALID     },
    {"Fork",                                        true,  false, NANO_FORK        },
    {"Gap previous block",                          true,  false, NANO_GAP_PREVIOUS},
    {"Gap source block",                            true,  false, NANO_GAP_SOURCE  },
    {"Unreceivable",                                true,  true,  NANO_UNRECEIVABLE},
    {"Block work is less than threshold",           true,  false, NANO_NEEDS_WORK  },
    {"Block work is insufficient",                  true,  false, NANO_NEEDS_WORK  },
    {"Bad signature",                               true,  false, NANO_INVALID     },
    {"Negative spend",                              true,  false, NANO_INVALID     },
    {"Balance and amount delta do not match",       true,  false, NANO_INVALID     },
    {"This block cannot follow the previous block", true,  false, NANO_INVALID     },
    {"Block is invalid",                            true,  false, NANO_INVALID     },
    {"Invalid previous block for given subtype",    true,  false, NANO_INVALID     },
    {"Unable to parse JSON",                        false, false, 0                },
    {"Empty response",                              false, false, 0                },
    {"Internal server error in RPC",                false, false, 0                },
    {"RPC control is disabled",                     false, false, 0                },
    {"fork",                                        false, false, 0                },
};

static void each_error_of_process_has_its_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        enum nano_published what = 0;
        bool look = false;
        if (nano_read_refusal(refusals[i].error, &what, &look) != refusals[i].known ||
            what != refusals[i].what || look != refusals[i].look)
            fail_msg("%s", refusals[i].error);
    }
}

/* --- the stream --- */

#define LINK "\"link_as_account\":\"" A0 "\""
static const struct {
    const char *why, *text;
    enum nano_frame kind;
    bool account, link;
} frames[] = {
    {"a send",
     "{\"topic\":\"confirmation\",\"message\":{\"account\":\"" A1 "\",\"hash\":\"" H1
     "\",\"block\":{" LINK "}}}",
     NANO_FRAME_BLOCK,                                                                                                          true,  true },
    {"without its block",
     "{\"topic\":\"confirmation\",\"message\":{\"account\":\"" A1 "\",\"hash\":\"" H1 "\"}}",
     NANO_FRAME_BLOCK,                                                                                                          true,  false},
    {"the block as text",
     "{\"topic\":\"confirmation\",\"message\":{\"account\":\"" A1 "\",\"hash\":\"" H1
     "\",\"block\":\"{}\"}}",                                                                                 NANO_FRAME_BLOCK, true,  false},
    {"no account at all",                "{\"topic\":\"confirmation\",\"message\":{\"hash\":\"" H1 "\"}}",
     NANO_FRAME_OTHER,                                                                                                          false, false},
    {"no hash",                          "{\"topic\":\"confirmation\",\"message\":{\"account\":\"" A1 "\"}}",
     NANO_FRAME_OTHER,                                                                                                          false, false},
    {"a block that is not confirmed",
     "{\"topic\":\"new_unconfirmed_block\",\"message\":{\"account\":\"" A1 "\",\"hash\":\"" H1
     "\",\"block\":{" LINK "}}}",
     NANO_FRAME_OTHER,                                                                                                          false, false},
    {"an acknowledgement",               "{\"ack\":\"subscribe\",\"time\":\"1\",\"id\":\"7\"}",               NANO_FRAME_ACK,
     false,                                                                                                                            false},
    {"an acknowledgement with a number", "{\"ack\":\"update\",\"id\":7}",                                     NANO_FRAME_ACK,   false,
     false                                                                                                                                  },
    {"a pong",                           "{\"ack\":\"pong\",\"time\":\"1\"}",                                 NANO_FRAME_PONG,  false, false},
    {"a message that is a list",         "{\"topic\":\"confirmation\",\"message\":[]}",                       NANO_FRAME_OTHER,
     false,                                                                                                                            false},
    {"no JSON",                          "pong",                                                              NANO_FRAME_OTHER, false, false},
};

static void frames_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct nano_hint h;
        enum nano_frame kind = nano_read_frame(frames[i].text, strlen(frames[i].text), &h);
        if (kind != frames[i].kind ||
            (kind == NANO_FRAME_BLOCK &&
             (h.has_account != frames[i].account || h.has_link != frames[i].link)))
            fail_msg("%s: %d %d %d", frames[i].why, kind, h.has_account, h.has_link);
    }
}

/* --- the MCP reader --- */

static const struct {
    const char *why, *text, *said; /* said NULL: it is an answer */
} mcp[] = {
    {"an answer",
     "{\"jsonrpc\":\"2.0\",\"result\":{\"balance\":\"12\",\"pending\":\"0\"},\"id\":1}",                    NULL               },
    {"shape a: an error of the protocol",
     "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"node is down\"},\"id\":1}",             "node is down"     },
    {"shape b: bare, without jsonrpc and id",
     "{\"success\":false,\"error\":\"Missing\",\"errorCode\":\"MISSING_PARAMETER\",\"details\":{}}",        "MISSING_PARAMETER"},
    {"shape b without a code",                "{\"success\":false,\"error\":\"no such thing\"}",            "no such thing"    },
    {"shape b with nothing but no",           "{\"success\":false}",                                        "?"                },
    {"shape c: inside the result",
     "{\"jsonrpc\":\"2.0\",\"result\":{\"success\":false,\"errorCode\":\"BLOCKCHAIN_ERROR\","
     "\"balance\":\"1\"},"
     "\"id\":1}",                                                                                           "BLOCKCHAIN_ERROR" },
    {"the node's words as a result",
     "{\"jsonrpc\":\"2.0\",\"result\":{\"error\":\"Account not found\"},\"id\":1}",                         "Account not found"},
    {"both",
     "{\"jsonrpc\":\"2.0\",\"result\":{\"balance\":\"1\"},\"error\":{\"message\":\"x\"},\"id\":1}",         "x"                },
    {"a number as balance",                   "{\"jsonrpc\":\"2.0\",\"result\":{\"balance\":12},\"id\":1}",
     "no balance"                                                                                                              },
    {"no balance",                            "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}",               "no balance"       },
    {"a balance outside of a result",         "{\"balance\":\"12\"}",                                       "no balance"       },
    {"a result without the protocol",         "{\"result\":{\"balance\":\"12\"}}",                          "no balance"       },
    {"a page",                                "<!DOCTYPE html><pre>SyntaxError</pre>",                      ""                 },
    {"nothing",                               "",                                                           ""                 },
};

static void the_readers_three_shapes_of_error_are_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mcp); i++) {
        struct err e = {0};
        struct raw r = {0};
        bool ok = nano_mcp_read(mcp[i].text, strlen(mcp[i].text), &r, &e);
        if (ok != !mcp[i].said || (ok && r.value != 12) || (!ok && !strstr(e.detail, mcp[i].said)))
            fail_msg("%s: %d %s", mcp[i].why, ok, e.detail);
    }
}

static void the_reader_is_asked_for_an_opinion_only(void **state)
{
    (void)state;
    struct fake_node fake;
    struct net_engine *net = NULL;
    struct err e = {0};
    struct nano_account a;
    struct raw r = {7};
    char url[80];
    fake_nano_start(&fake);
    fake_nano_mcp_url(&fake, url);
    assert_true(net_engine_create(false, &net, &e) && net_trust_base(net, url, &e));
    assert_true(nano_account_parse(A0, &a));
    fake_nano_pay(&fake, A0, "5", NULL);
    assert_true(nano_mcp_balance(net, url, &a, &r, NULL, &e));
    assert_true(raw_is_zero(r)); /* what waits is not in it: only what was pocketed */
    static const char *const faults[] = {
        "\"kind\":\"html\",\"code\":400",
        "\"kind\":\"status\",\"code\":500",
        "\"kind\":\"close\"",
        "\"kind\":\"reply\",\"reply\":{\"success\":false,\"errorCode\":\"METHOD_NOT_FOUND\"}",
        "\"kind\":\"huge\"",
        "\"kind\":\"deep\"",
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        fake_nano_tell(&fake, "fault", "{\"node\":\"mcp\",\"on\":\"call\",%s}", faults[i]);
        if (nano_mcp_balance(net, url, &a, &r, NULL, &e) || e.code != ERR_RETRY)
            fail_msg("%s: %s", faults[i], e.detail);
    }
    fake_node_no_complaints(&fake); /* no key, no other method */
    net_engine_destroy(net);
    fake_node_stop(&fake);
}

static int group_setup(void **state)
{
    (void)state;
    hash_setup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_from_texts),
        cmocka_unit_test(replies_are_objects),
        cmocka_unit_test(lists_are_taken_or_refused_as_a_whole),
        cmocka_unit_test(a_list_without_end_has_one),
        cmocka_unit_test(each_error_of_process_has_its_meaning),
        cmocka_unit_test(frames_are_told_apart),
        cmocka_unit_test(the_readers_three_shapes_of_error_are_seen),
        cmocka_unit_test(the_reader_is_asked_for_an_opinion_only),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
