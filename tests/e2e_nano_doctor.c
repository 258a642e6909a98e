/* `nanotik doctor` with Nano nodes: each is named with its state; a wrong one is told, a reader that
 * tells something else is only mentioned. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/fake_nano.h"
#include "tests/fixture_db.h"
#include "tests/session.h"

enum { SOON_MS = 60000 };

#define WALLET "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"

/* What is wrong with the second node and the reader; what doctor then says, and what not. */
static const struct {
    const char *why, *node, *fault, *reader;
    const char *has[2], *has_not;
} doctors[] = {
    {"all is well",                                                "{}",      "",                                                                                "", {"Nano V28.2", "Nano MCP reader"},                "another balance"},
    {"another network, and a reader that is down",
     "{\"node\":\"second\",\"networkId\":"
     "\"0000000000000000000000000000000000000000000000000000000000000002\"}", "",
     "\"kind\":\"html\",\"code\":400",                                                                                                                               {"another network", "nano mcp: HTTP status 400"},
     "another balance"                                                                                                                                                                                                                  },
    {"a node far behind, and a reader with an opinion of its own",
     "{}",                                                                    "\"on\":\"telemetry\",\"kind\":\"reply\",\"reply\":{\"cemented_count\":\"9000\"}",
     "\"kind\":\"patch\",\"patch\":{\"result\":{\"balance\":\"5\"}}",                                                                                                {"lags behind the network", "another balance"},
     "HTTP status"                                                                                                                                                                                                                      },
};

static void nodes_and_reader_are_looked_at(void **state)
{
    static const char *const args[] = {"doctor", NULL};
    struct site *p = *state;
    struct fake_node fake;
    char second[80], mcp[80];
    fake_nano_start(&fake);
    fake_nano_url(&fake, "second", second);
    fake_nano_mcp_url(&fake, mcp);
    AUTO(free_ptr) char *urls = str_printf("NANO_RPC_URL=%s,%s", fake.url, second);
    AUTO(free_ptr) char *reader = str_printf("NANO_MCP_URL=%s", mcp);
    const char *env[] = {urls, reader, "NANO_WALLET_ADDRESS=" WALLET, NULL};
    for (size_t i = 0; i < COUNT(doctors); i++) {
        fake_nano_tell(&fake, "reset", "{}");
        fake_nano_tell(&fake, "node", "%s", doctors[i].node);
        if (doctors[i].fault[0])
            fake_nano_tell(&fake, "fault", "{\"node\":\"second\",%s}", doctors[i].fault);
        if (doctors[i].reader[0])
            fake_nano_tell(&fake, "fault", "{\"node\":\"mcp\",\"on\":\"call\",%s}",
                           doctors[i].reader);
        struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
        session_finish(s, SOON_MS);
        const char *said = strbuf_text(&s->seen);
        if (!strstr(said, doctors[i].has[0]) || !strstr(said, doctors[i].has[1]) ||
            strstr(said, doctors[i].has_not) || !strstr(said, "Nano node 127.0.0.1"))
            fail_msg("%s: %s", doctors[i].why, said);
        fake_node_no_complaints(&fake);
        site_forget_sessions(p);
    }
    fake_node_stop(&fake);
}

/* One node is told as what it is. */
static void one_node_is_told(void **state)
{
    static const char *const args[] = {"doctor", NULL};
    struct site *p = *state;
    struct fake_node fake;
    fake_nano_start(&fake);
    for (int nodes = 1; nodes <= 2; nodes++) {
        char second[80];
        fake_nano_url(&fake, "second", second);
        AUTO(free_ptr)
        char *urls = str_printf("NANO_RPC_URL=%s%s%s", fake.url, nodes > 1 ? "," : "",
                                nodes > 1 ? second : "");
        const char *env[] = {urls, "NANO_WALLET_ADDRESS=" WALLET, NULL};
        struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
        session_finish(s, SOON_MS);
        assert_int_equal(strstr(strbuf_text(&s->seen), "a second Nano node") != NULL, nodes == 1);
        site_forget_sessions(p);
    }
    fake_node_stop(&fake);
}

/* A block that every node refuses is named until it is through. */
static void a_refused_block_is_named(void **state)
{
    static const char *const args[] = {"doctor", NULL};
    struct site *p = *state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    AUTO(free_ptr) char *url = str_printf("DATABASE_URL=%s", fixture_db_url());
    const char *env[] = {url, NULL};
    fixture_db_sql(db, "insert into blocks(hash, address, previous, kind, link, raw, balance,"
                       " representative, signature, why) values (repeat('A', 64), '" WALLET
                       "', repeat('0', 64), 'open', repeat('B', 64), 1, 1, '" WALLET
                       "', repeat('C', 128), 'fork')");
    for (int refusals = 4; refusals <= 5; refusals++) {
        AUTO(free_ptr) char *sql = str_printf("update blocks set refusals = %d", refusals);
        fixture_db_sql(db, sql);
        struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
        int status = session_finish(s, SOON_MS);
        const char *said = strbuf_text(&s->seen);
        assert_int_equal(strstr(said, "our Nano block on " WALLET " (fork)") != NULL,
                         refusals == 5);
        if (refusals == 5)
            assert_int_equal(status, 1);
        site_forget_sessions(p);
    }
}

static int open_with_database(void **state)
{
    return fixture_db_start(state) || site_open(state);
}

static int close_with_database(void **state)
{
    return site_close(state) || fixture_db_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_and_reader_are_looked_at, site_open, site_close),
        cmocka_unit_test_setup_teardown(one_node_is_told, site_open, site_close),
        cmocka_unit_test_setup_teardown(a_refused_block_is_named, open_with_database,
                                        close_with_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
