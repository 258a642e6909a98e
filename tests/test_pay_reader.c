/* The MCP reader beside the nodes: reconcile lists where it differs, and nothing else ever looks at it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fixture_db.h"
#include "tests/pay_world.h"

static const struct {
    const char *why, *fault;
    int differences;
} readers[] = {
    {"it agrees",                                                         "",                                            0},
    {"it lies about both, the address and the treasury: listed, no more",
     "\"kind\":\"patch\",\"patch\":{\"result\":{\"balance\":\"7\"}},\"times\":-1",                                       2},
    {"it is down: the nodes are enough",                                  "\"kind\":\"html\",\"code\":400,\"times\":-1", 0},
    {"it refuses",
     "\"kind\":\"reply\",\"reply\":{\"success\":false,\"errorCode\":\"METHOD_NOT_FOUND\"}",                              0},
};

static void a_reader_has_an_opinion_only(void **state)
{
    (void)state;
    struct fake_node fake;
    struct pay_world w;
    char ann[UUID_TEXT];
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    fake_nano_start(&fake);
    fixture_db_account(db, "ann", 0, ann);
    pay_open(&w, db, &fake, &(struct pay_options){.poll_ms = 100, .reader = true});
    struct order o = pay_order(&w, ann, "1");
    fake_nano_pay(&fake, o.address, "1" XNO, NULL);
    pay_wait(db, "select count(*) from deposits where collected", 1, 15000);
    for (size_t i = 0; i < COUNT(readers); i++) {
        fake_nano_tell(&fake, "clear", "{}");
        if (readers[i].fault[0])
            fake_nano_tell(&fake, "fault", "{\"node\":\"mcp\",\"on\":\"call\",%s}",
                           readers[i].fault);
        int found = pay_differences(&w, false);
        if (found != readers[i].differences)
            fail_msg("%s: %d differences", readers[i].why, found);
    }
    assert_int_equal(pay_avail(db, ann), 100);
    pay_close(&w);
    fake_node_no_complaints(&fake);
    fake_node_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_has_an_opinion_only),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
