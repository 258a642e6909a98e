/* Settings of the Nano network: which are taken, and how wrong ones are named at the start. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

#include "bot/wire.h"
#include "core/base/hash.h"
#include "core/nano/work.h"

enum { SETTINGS = 3 };

/* key NULL: they are taken. */
static const struct {
    const char *why;
    struct {
        const char *name, *value;
    } set[SETTINGS];
    const char *key, *arg;
} starts[] = {
    {"a node of one's own",
     {{"NANO_RPC_URL", "http://127.0.0.1:7076"},
      {"NANO_WS_URL", "ws://127.0.0.1:7078"},
      {NULL, NULL}},
     NULL,               NULL             },
    {"two services, the second with a key",
     {{"NANO_RPC_URL", "https://a.example/, https://b.example/rpc"},
      {"NANO_RPC_KEY", ",Authorization: Bearer abc"},
      {"NANO_WS_URL", "wss://a.example/ws,wss://b.example"}},
     NULL,               NULL             },
    {"all the others",
     {{"NANO_RPC_URL", "http://[::1]:7076"},
      {"NANO_WORK_URL", "http://127.0.0.1:7000"},
      {"NANO_MCP_URL", "http://localhost:8080"}},
     NULL,               NULL             },
    {"another network",
     {{"NANO_RPC_URL", "http://127.0.0.1:45000"}, {"NANO_NETWORK_ID", ""}, {NULL, NULL}},
     NULL,               NULL             },
    {"no address",
     {{"NANO_RPC_URL", "localhost"}, {NULL, NULL}, {NULL, NULL}},
     "start.bad_config", "NANO_RPC_URL"   },
    {"plain to another machine",
     {{"NANO_RPC_URL", "http://192.0.2.7:7076"}, {NULL, NULL}, {NULL, NULL}},
     "start.bad_config", "NANO_RPC_URL"   },
    {"a plain stream to another machine",
     {{"NANO_RPC_URL", "http://127.0.0.1:7076"},
      {"NANO_WS_URL", "ws://192.0.2.7:7078"},
      {NULL, NULL}},
     "start.bad_config", "NANO_WS_URL"    },
    {"a stream that is none",
     {{"NANO_RPC_URL", "http://127.0.0.1:7076"},
      {"NANO_WS_URL", "http://127.0.0.1:7078"},
      {NULL, NULL}},
     "start.bad_config", "NANO_WS_URL"    },
    {"a key in the address",
     {{"NANO_RPC_URL", "https://user:secret@a.example"}, {NULL, NULL}, {NULL, NULL}},
     "start.bad_config", "NANO_RPC_URL"   },
    {"an identifier that is none",
     {{"NANO_RPC_URL", "http://127.0.0.1:7076"}, {"NANO_NETWORK_ID", "live"}, {NULL, NULL}},
     "start.bad_nano",   "NANO_NETWORK_ID"},
    {"only commas",
     {{"NANO_RPC_URL", " ,,"}, {NULL, NULL}, {NULL, NULL}},
     "start.bad_nano",   "NANO_RPC_URL"   },
    {"more nodes than anybody has",
     {{"NANO_RPC_URL",
       "http://127.0.0.1:1,http://127.0.0.1:2,http://127.0.0.1:3,http://127.0.0.1:4,"
       "http://127.0.0.1:5,http://127.0.0.1:6,http://127.0.0.1:7,http://127.0.0.1:8,"
       "http://127.0.0.1:9"},
      {NULL, NULL},
      {NULL, NULL}},
     "start.bad_nano",   "NANO_RPC_URL"   },
};

static const char *const names[] = {
    "NANO_RPC_URL", "NANO_RPC_KEY",    "NANO_WS_URL",          "NANO_WORK_URL",
    "NANO_MCP_URL", "NANO_NETWORK_ID", "NANO_SEND_DIFFICULTY", "NANO_RECEIVE_DIFFICULTY"};

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    return 0;
}

static void settings_are_taken_or_named(void **state)
{
    for (size_t i = 0; i < COUNT(starts); i++) {
        struct config *config = NULL;
        struct wire_nano *nano = NULL;
        struct err e = {0};
        clear(state);
        for (size_t k = 0; k < SETTINGS && starts[i].set[k].name; k++)
            setenv(starts[i].set[k].name, starts[i].set[k].value, 1);
        bool ok = config_load(NULL, &config, &e) && wire_nano_wanted(config) &&
                  wire_nano_make(config, NULL, &nano, &e);
        if (ok != !starts[i].key || (!ok && strcmp(e.user_key, starts[i].key) != 0) ||
            (starts[i].arg && !strstr(e.arg, starts[i].arg)))
            fail_msg("%s: %d %s %s %s", starts[i].why, ok, ok ? "" : e.user_key, e.arg, e.detail);
        if (strstr(e.detail, "secret") || strstr(e.arg, "secret"))
            fail_msg("%s: a secret is told", starts[i].why);
        wire_nano_free(nano);
        config_free(config);
    }
}

static const struct {
    const char *why, *send, *receive, *arg; /* arg NULL: taken */
} difficulties[] = {
    {"of the live network",     NULL,               NULL,               NULL                     },
    {"of a private network",    "ffc0000000000000", "F000000000000000", NULL                     },
    {"too short",               "ffc0",             NULL,               "NANO_SEND_DIFFICULTY"   },
    {"no number",               NULL,               "easy",             "NANO_RECEIVE_DIFFICULTY"},
    {"nothing would be enough", "0000000000000000", NULL,               "NANO_SEND_DIFFICULTY"   },
};

static void thresholds_are_taken_or_named(void **state)
{
    for (size_t i = 0; i < COUNT(difficulties); i++) {
        struct config *config = NULL;
        struct err e = {0};
        uint64_t send = 0, receive = 0;
        clear(state);
        if (difficulties[i].send)
            setenv("NANO_SEND_DIFFICULTY", difficulties[i].send, 1);
        if (difficulties[i].receive)
            setenv("NANO_RECEIVE_DIFFICULTY", difficulties[i].receive, 1);
        assert_true(config_load(NULL, &config, &e));
        bool ok = wire_nano_difficulties(config, &send, &receive, &e);
        if (ok != !difficulties[i].arg || (!ok && strcmp(e.arg, difficulties[i].arg) != 0))
            fail_msg("%s: %s", difficulties[i].why, e.detail);
        if (i == 0)
            assert_true(send == NANO_WORK_SEND && receive == NANO_WORK_RECEIVE);
        config_free(config);
    }
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
        cmocka_unit_test_teardown(settings_are_taken_or_named, clear),
        cmocka_unit_test_teardown(thresholds_are_taken_or_named, clear),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
