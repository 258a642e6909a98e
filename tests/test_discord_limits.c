/* How fast Discord lets a bot talk, and what its refusals mean. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/discord/errors.h"
#include "adapters/discord/limits.h"

static void limits_are_learnt(void **state)
{
    (void)state;
    struct limits *l = limits_create();
    int64_t now = 1000000;
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 0);
    assert_true(limits_take(l, "PATCH /a", "1", true, now) > 0); /* one at a time until known */
    assert_int_equal(limits_take(l, "PATCH /a", "2", true, now), 0);
    struct limit_news n = {
        .status = 200, .bucket = "b", .limit = 3, .remaining = 2, .reset_after = 4.5, .scope = ""};
    limits_done(l, "PATCH /a", "1", &n, now);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 0);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 0);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 4500); /* two are in flight */
    n.remaining = 0;
    limits_done(l, "PATCH /a", "1", &n, now + 100);
    n.remaining = 1; /* an answer that was overtaken */
    limits_done(l, "PATCH /a", "1", &n, now + 100);
    assert_true(limits_take(l, "PATCH /a", "1", true, now + 200) > 4000);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now + 5000), 0); /* a new window */
    /* Another route of the same bucket shares it. */
    n.remaining = 0;
    assert_int_equal(limits_take(l, "POST /b", "1", true, now + 5000), 0);
    limits_done(l, "POST /b", "1", &n, now + 5000);
    assert_true(limits_take(l, "PATCH /a", "1", true, now + 5001) > 0);
    /* 429 of a route, then of the whole bot. */
    struct limit_news slow = {.status = 429,
                              .bucket = "",
                              .limit = -1,
                              .remaining = -1,
                              .reset_after = -1,
                              .scope = "user",
                              .retry_ms = 9000};
    now += 100000;
    assert_int_equal(limits_take(l, "GET /c", "", true, now), 0);
    limits_done(l, "GET /c", "", &slow, now);
    assert_int_equal(limits_take(l, "GET /c", "", true, now), 9000);
    assert_int_equal(limits_take(l, "GET /d", "", true, now), 0);
    slow.global = true;
    limits_done(l, "GET /d", "", &slow, now);
    assert_int_equal(limits_take(l, "GET /e", "", true, now), 9000);
    assert_int_equal(limits_take(l, "POST /callback", "9", false, now), 0); /* outside of it */
    limits_destroy(l);
}

static void fifty_a_second_and_no_ban(void **state)
{
    (void)state;
    struct limits *l = limits_create();
    int64_t now = 5000000;
    char major[16];
    int gone = 0;
    for (int i = 0; i < 200; i++) {
        snprintf(major, sizeof(major), "%d", i);
        gone += limits_take(l, "POST /m", major, true, now + i) == 0;
    }
    assert_int_equal(gone, 50);
    assert_int_equal(limits_take(l, "POST /m", "x", true, now + 1001), 0);
    struct limit_news bad = {
        .status = 403, .bucket = "", .limit = -1, .remaining = -1, .scope = ""};
    bad.reset_after = -1;
    for (int i = 0; i < 5000; i++)
        limits_done(l, "GET /f", "", &bad, now + i / 10);
    assert_int_equal(limits_invalid(l), 5000);
    assert_true(limits_take(l, "GET /f", "", true, now + 20000) > 0);
    bad.status = 429;
    bad.scope = "shared"; /* nobody's fault */
    limits_done(l, "GET /f", "", &bad, now + 30000);
    assert_int_equal(limits_invalid(l), 5000);
    bad.scope = "user";
    limits_done(l, "GET /f", "", &bad, now + 700000); /* ten minutes later */
    assert_int_equal(limits_invalid(l), 1);
    limits_destroy(l);
}

static void refusals_mean_something(void **state)
{
    (void)state;
    static const struct {
        int status, code;
        enum dc_action action;
    } rows[] = {
        {200, 0,      DC_DONE     },
        {204, 0,      DC_DONE     },
        {401, 0,      DC_TOKEN    },
        {401, 50027,  DC_EXPIRED  },
        {404, 10062,  DC_EXPIRED  },
        {404, 10008,  DC_GONE     },
        {403, 50007,  DC_NO_DM    },
        {403, 50013,  DC_NO_ACCESS},
        {403, 0,      DC_NO_ACCESS},
        {413, 40005,  DC_TOO_BIG  },
        {413, 0,      DC_TOO_BIG  },
        {400, 40060,  DC_DONE     },
        {400, 50035,  DC_BUG      },
        {429, 0,      DC_WAIT     },
        {429, 20016,  DC_WAIT     },
        {502, 0,      DC_UNCLEAR  },
        {503, 130000, DC_RETRY    },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (dc_classify(rows[i].status, rows[i].code) != rows[i].action)
            fail_msg("%d %d", rows[i].status, rows[i].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_learnt),
        cmocka_unit_test(fifty_a_second_and_no_ban),
        cmocka_unit_test(refusals_mean_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
