/* Leases: one holder at a time, taken over after a death, at once after a clean stop. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/db/lease_keeper.h"
#include "core/db/store_lease.h"
#include "tests/fixture_db.h"

enum { TTL_MS = 600, WAIT_MS = 10000 };

struct ask {
    enum { TAKE, GIVE, CHECK, EXPIRE } what;
    const char *holder;
    int ttl_ms;
    bool held;
};

static bool ask_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    a->held = false;
    switch (a->what) {
    case TAKE:
        return lease_take(tx, "duty", a->holder, a->ttl_ms, &a->held, e);
    case GIVE:
        return lease_give(tx, "duty", a->holder, e);
    case CHECK:
        return lease_check(tx, "duty", a->holder, &a->held, e);
    case EXPIRE:
        return lease_expire(tx, e);
    }
    return false;
}

static void one_holder_at_a_time(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    static const struct {
        struct ask ask;
        const char *why;
    } rows[] = {
        {{CHECK, "a", 0, false},    "nobody has it yet"              },
        {{TAKE, "a", 60000, true},  "free"                           },
        {{TAKE, "b", 60000, false}, "a has it"                       },
        {{TAKE, "a", 60000, true},  "renewed by its holder"          },
        {{CHECK, "a", 0, true},     "a has it"                       },
        {{CHECK, "b", 0, false},    "b has not"                      },
        {{GIVE, "b", 0, false},     "b has nothing to give"          },
        {{TAKE, "b", 60000, false}, "a still has it"                 },
        {{GIVE, "a", 0, false},     "a clean stop"                   },
        {{TAKE, "b", 0, true},      "free at once, but only for 0 ms"},
        {{CHECK, "b", 0, false},    "its time is over"               },
        {{TAKE, "a", 60000, true},  "what ran out is free"           },
        {{EXPIRE, "", 0, false},    "a new start of the only process"},
        {{TAKE, "b", 60000, true},  "free again"                     },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ask a = rows[i].ask;
        struct err e = {0};
        if (!db_run(db, ask_body, &a, &e))
            fail_msg("%s: %s", rows[i].why, e.detail);
        if (a.held != rows[i].ask.held)
            fail_msg("row %zu: %s", i, rows[i].why);
    }
}

static bool wait_held(struct lease_keeper *k)
{
    for (int64_t end = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end; usleep(2000))
        if (lease_keeper_held(k))
            return true;
    return false;
}

/* A process of its own that has the lease until it is killed. */
static pid_t start_holder(void)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct db *db;
        struct lease_keeper *k;
        struct err e;
        if (db_open(fixture_db_url(), 1, &db, &e) &&
            lease_keeper_start(db, "duty", TTL_MS, &k, &e) && wait_held(k) &&
            write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void a_killed_holder_is_followed(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    struct lease_keeper *k;
    struct err e;
    pid_t holder = start_holder();
    assert_true(lease_keeper_start(db, "duty", TTL_MS, &k, &e));
    usleep(2 * TTL_MS * 1000);
    assert_false(lease_keeper_held(k)); /* renewed all the time */
    kill(holder, SIGKILL);
    int64_t killed = clock_mono_ms();
    waitpid(holder, NULL, 0);
    assert_true(wait_held(k));
    int64_t took = clock_mono_ms() - killed;
    assert_true(took >= TTL_MS / 2); /* not before its time was over */
    lease_keeper_stop(k);
    assert_int_equal(fixture_db_number(db, "select count(*) from leases"), 0);
}

static void a_clean_stop_is_followed_at_once(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    struct lease_keeper *a, *b;
    struct err e;
    assert_true(lease_keeper_start(db, "duty", 0, &a, &e));
    assert_true(wait_held(a));
    assert_true(lease_keeper_start(db, "duty", 0, &b, &e));
    lease_keeper_give(a);
    assert_false(lease_keeper_held(a)); /* before anybody else can have it */
    int64_t given = clock_mono_ms();
    assert_true(wait_held(b));
    assert_true(clock_mono_ms() - given < LEASE_MS / 4);
    lease_keeper_stop(a);
    lease_keeper_stop(b);
}

/* The database hangs: the holder stops before the time in its row is over. */
static void silence_ends_the_duty_in_time(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    struct lease_keeper *k;
    struct err e;
    assert_true(lease_keeper_start(db, "duty", TTL_MS, &k, &e));
    assert_true(wait_held(k));
    struct ask steal = {.what = TAKE, .holder = "other", .ttl_ms = 60000};
    while (lease_keeper_held(k)) { /* whatever the keeper does, one of the two has it */
        assert_true(db_run(db, ask_body, &steal, &e));
        assert_false(steal.held && lease_keeper_held(k));
        fixture_db_sql(db, "update leases set holder = 'hidden', until = until"
                           " where holder <> 'hidden'");
    }
    assert_true(db_run(db, ask_body, &steal, &e));
    assert_false(steal.held); /* the row still runs: there is time between the two */
    lease_keeper_stop(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_at_a_time),
        cmocka_unit_test(a_killed_holder_is_followed),
        cmocka_unit_test(a_clean_stop_is_followed_at_once),
        cmocka_unit_test(silence_ends_the_duty_in_time),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
