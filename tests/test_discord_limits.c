/* How fast Discord lets a bot talk, and what its refusals mean. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/discord/errors.h"
#include "adapters/discord/limits.h"

static const struct limit_news nothing = {
    .status = 200, .bucket = "", .limit = -1, .remaining = -1, .reset_after = -1, .scope = ""};

static struct limit_call call(const char *route, const char *major)
{
    return (struct limit_call){.route = route, .major = major, .counts = true};
}

/* How long it has to wait; 0: it went. */
static int64_t ask(struct limits *l, const char *route, const char *major, int64_t now)
{
    struct limit_call c = call(route, major);
    return limits_take(l, &c, now);
}

/* Goes at once, and this is the answer. */
static void went(struct limits *l, const char *route, const char *major, struct limit_news n,
                 int64_t now)
{
    struct limit_call c = call(route, major);
    assert_int_equal(limits_take(l, &c, now), 0);
    limits_done(l, &c, &n, now);
}

static void limits_are_learnt(void **state)
{
    (void)state;
    struct limits *l = limits_create();
    int64_t now = 1000000;
    struct limit_call first = call("PATCH /a", "1"), second = first, third = first;
    assert_int_equal(limits_take(l, &first, now), 0);
    assert_true(ask(l, "PATCH /a", "1", now) > 0); /* one at a time until known */
    assert_int_equal(ask(l, "PATCH /a", "2", now), 0);
    struct limit_news n = nothing;
    n.bucket = "b";
    n.limit = 3;
    n.remaining = 2;
    n.reset_after = 4.5;
    limits_done(l, &first, &n, now);
    assert_int_equal(limits_take(l, &second, now), 0);
    assert_int_equal(limits_take(l, &third, now), 0);
    assert_int_equal(ask(l, "PATCH /a", "1", now), 4500); /* two are in flight */
    n.remaining = 0;
    limits_done(l, &second, &n, now + 100);
    n.remaining = 1; /* an answer that was overtaken */
    limits_done(l, &third, &n, now + 100);
    assert_true(ask(l, "PATCH /a", "1", now + 200) > 4000);
    struct limit_call again = call("PATCH /a", "1");
    assert_int_equal(limits_take(l, &again, now + 5000), 0); /* a new window */
    /* Another route of the same bucket shares it. */
    n.remaining = 0;
    went(l, "POST /b", "1", n, now + 5000);
    assert_true(ask(l, "PATCH /a", "1", now + 5001) > 0);
    limits_destroy(l);
}

/* Discord tells another bucket for the same route now and then; what was in flight in the first one
   does not stay there for ever. */
static void a_route_may_change_its_bucket(void **state)
{
    (void)state;
    struct limits *l = limits_create();
    int64_t now = 1000000;
    struct limit_news one = nothing, two = nothing;
    one.limit = two.limit = 2;
    one.remaining = two.remaining = 2;
    one.reset_after = two.reset_after = 1;
    one.bucket = "one";
    two.bucket = "two";
    for (int i = 0; i < 10; i++, now += 2000) {
        went(l, "DELETE /m", "1", one, now);
        struct limit_call old = call("DELETE /m", "1"), young = old;
        assert_int_equal(limits_take(l, &old, now), 0);
        assert_int_equal(limits_take(l, &young, now), 0);
        limits_done(l, &old, &two, now);
        limits_done(l, &young, &two, now);
        went(l, "DELETE /m", "1", one, now);
    }
    limits_destroy(l);
}

static void who_has_to_rest(void **state)
{
    (void)state;
    struct limits *l = limits_create();
    int64_t now = 1000000;
    struct limit_news slow = nothing;
    slow.status = 429;
    slow.scope = "user";
    slow.retry_ms = 9000;
    went(l, "GET /c", "", slow, now);
    assert_int_equal(ask(l, "GET /c", "", now), 9000);
    assert_int_equal(ask(l, "GET /x", "", now), 0);
    slow.global = true; /* the whole bot, but for what is outside of that limit */
    went(l, "GET /d", "", slow, now);
    assert_int_equal(ask(l, "GET /e", "", now), 9000);
    struct limit_call hook = {.route = "PATCH /webhooks", .major = "9"};
    assert_int_equal(limits_take(l, &hook, now), 0);
    limits_done(l, &hook, &slow, now); /* which rests when it is told so itself */
    assert_int_equal(limits_take(l, &hook, now), 9000);
    slow.global = false;
    slow.address = true; /* a page from in front of Discord: nothing of this machine gets through */
    slow.retry_ms = 20000;
    limits_heard(l, &slow, now);
    struct limit_call other = {.route = "PATCH /webhooks", .major = "10"};
    assert_int_equal(limits_take(l, &other, now), 20000);
    assert_int_equal(ask(l, "GET /f", "", now), 20000);
    assert_int_equal(limits_wait(l, "GET /f", "", now), 20000);
    assert_int_equal(limits_take(l, &other, now + 20000), 0);
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
        gone += ask(l, "POST /m", major, now + i) == 0;
    }
    assert_int_equal(gone, 50);
    assert_int_equal(ask(l, "POST /m", "x", now + 1001), 0);
    struct limit_news bad = nothing;
    bad.status = 403;
    struct limit_call c = call("GET /f", "");
    for (int i = 0; i < 5000; i++)
        limits_done(l, &c, &bad, now + i / 10);
    assert_int_equal(limits_invalid(l), 5000);
    assert_true(ask(l, "GET /f", "", now + 20000) > 0);
    struct limit_call hook = {.route = "PATCH /webhooks", .major = "9"};
    assert_true(limits_take(l, &hook, now + 20000) > 0); /* its refusals count as well */
    bad.status = 429;
    bad.scope = "shared"; /* nobody's fault */
    limits_done(l, &c, &bad, now + 30000);
    assert_int_equal(limits_invalid(l), 5000);
    bad.status = 401;
    bad.scope = "";
    limits_heard(l, &bad, now + 31000); /* of an acknowledgement */
    assert_int_equal(limits_invalid(l), 5001);
    bad.status = 429;
    bad.scope = "user";
    limits_done(l, &c, &bad, now + 700000); /* ten minutes later */
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
        cmocka_unit_test(limits_are_learnt),       cmocka_unit_test(a_route_may_change_its_bucket),
        cmocka_unit_test(who_has_to_rest),         cmocka_unit_test(fifty_a_second_and_no_ban),
        cmocka_unit_test(refusals_mean_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
