/* The ledger: gifts, holds and their ends, books that cannot be rewritten, and false ones that are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"
#include "tests/ledger_call.h"

static void test_grant(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char a[UUID_TEXT], b[UUID_TEXT];
    fixture_db_account(db, "ann", 0, a);
    fixture_db_account(db, "bob", 0, b);
    struct ledger_call c = {.verb = GRANT, .key = "ticket 1", .account = a, .credits = 10};
    assert_int_equal(ledger_call_run(db, &c), LEDGER_DONE);
    assert_int_equal(ledger_call_run(db, &c), LEDGER_REPEATED);
    ledger_expect(db, a, 10, 0);
    assert_int_equal(fixture_db_number(db, "select count(*) from admin_log"), 1);

    static const struct {
        const char *key;
        int64_t credits;
        enum err_code code;
        const char *why;
    } rows[] = {
        {"ticket 1", 11,      ERR_CONFLICT, "the key stands for another amount"},
        {"ticket 2", 0,       ERR_INPUT,    "nothing"                          },
        {"ticket 2", -5,      ERR_INPUT,    "taking is not giving"             },
        {"ticket 2", 1000001, ERR_INPUT,    "above the bound"                  },
        {"",         5,       ERR_INPUT,    "no key"                           },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (ledger_call_refused(db, (struct ledger_call){.verb = GRANT,
                                                         .key = rows[i].key,
                                                         .account = a,
                                                         .credits = rows[i].credits}) !=
            rows[i].code)
            fail_msg("%s", rows[i].why);
    c.account = b;
    assert_int_equal(ledger_call_refused(db, c), ERR_CONFLICT); /* another person */
    c.account = "00000000-0000-7000-8000-000000000000";
    c.key = "ticket 3";
    assert_int_equal(ledger_call_refused(db, c), ERR_NOT_FOUND);
    c.account = "ann";
    assert_int_equal(ledger_call_refused(db, c), ERR_NOT_FOUND);
    ledger_expect(db, a, 10, 0);
    ledger_expect(db, b, 0, 0);
}

static void test_two_phases(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char a[UUID_TEXT], job[UUID_TEXT], other[UUID_TEXT], third[UUID_TEXT];
    fixture_db_account(db, "ann", 10, a);
    ledger_bare_job(db, a, 6, job);
    struct ledger_call hold = {.verb = HOLD, .job = job, .account = a, .credits = 6};
    assert_int_equal(ledger_call_run(db, &hold), LEDGER_DONE);
    assert_int_equal(ledger_call_run(db, &hold), LEDGER_REPEATED);
    ledger_expect(db, a, 4, 6);

    ledger_bare_job(db, a, 5, other);
    struct ledger_call too_much = {.verb = HOLD, .job = other, .account = a, .credits = 5};
    assert_int_equal(ledger_call_run(db, &too_much),
                     LEDGER_SHORT); /* held credits are not there twice */
    ledger_expect(db, a, 4, 6);
    ledger_end_job(db, other, 0);

    /* Charged for what was really made; the rest comes back in the same movement. */
    struct ledger_call capture = {.verb = CAPTURE, .job = job, .credits = 4};
    assert_int_equal(ledger_call_run(db, &capture), LEDGER_DONE);
    assert_int_equal(ledger_call_run(db, &capture), LEDGER_REPEATED);
    assert_int_equal(ledger_call_refused(db, (struct ledger_call){.verb = RELEASE, .job = job}),
                     ERR_CONFLICT);
    ledger_expect(db, a, 6, 0);
    ledger_end_job(db, job, 4);

    ledger_bare_job(db, a, 6, third);
    struct ledger_call again = {.verb = HOLD, .job = third, .account = a, .credits = 6};
    assert_int_equal(ledger_call_run(db, &again), LEDGER_DONE);
    struct ledger_call release = {.verb = RELEASE, .job = third};
    assert_int_equal(ledger_call_run(db, &release), LEDGER_DONE);
    assert_int_equal(ledger_call_run(db, &release), LEDGER_REPEATED);
    assert_int_equal(
        ledger_call_refused(db, (struct ledger_call){.verb = CAPTURE, .job = third, .credits = 6}),
        ERR_CONFLICT);
    ledger_expect(db, a, 6, 0);
    ledger_end_job(db, third, 0);
    fixture_db_sql(db, "update wallets set active = 0");

    struct ledger_call h = {.verb = HISTORY, .account = a};
    ledger_call_run(db, &h);
    static const struct {
        const char *verb;
        int64_t credits;
    } lines[] = {
        {"release", 0 },
        {"hold",    0 },
        {"capture", -4},
        {"hold",    0 },
        {"grant",   10},
    };
    assert_int_equal(h.line_count, COUNT(lines));
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_string_equal(h.lines[i].verb, lines[i].verb);
        assert_int_equal(h.lines[i].credits, lines[i].credits);
    }
    assert_string_equal(h.lines[2].job, job);
    assert_int_equal(strlen(h.lines[0].at), strlen("2026-11-22T14:57:58Z"));
}

static void test_capture_bounds(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char a[UUID_TEXT];
    fixture_db_account(db, "ann", 30, a);
    static const struct {
        int64_t held, wanted, charged;
        const char *why;
    } rows[] = {
        {5, 5,   5, "all of it"                                },
        {5, 900, 5, "never more than was held"                 },
        {5, 1,   1, "a part"                                   },
        {5, 0,   0, "nothing was made: all comes back"         },
        {5, -3,  0, "a negative charge would be a gift of ours"},
    };
    int64_t left = 30;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char job[UUID_TEXT];
        ledger_bare_job(db, a, rows[i].held, job);
        struct ledger_call hold = {.verb = HOLD, .job = job, .account = a, .credits = rows[i].held};
        struct ledger_call capture = {.verb = CAPTURE, .job = job, .credits = rows[i].wanted};
        assert_int_equal(ledger_call_run(db, &hold), LEDGER_DONE);
        assert_int_equal(ledger_call_run(db, &capture), LEDGER_DONE);
        ledger_end_job(db, job, (int)rows[i].charged);
        left -= rows[i].charged;
        struct ledger_call c = {.verb = BALANCE, .account = a};
        ledger_call_run(db, &c);
        if (c.balance.available != left || c.balance.held != 0)
            fail_msg("%s", rows[i].why);
    }
    struct ledger_call nothing = {.verb = CAPTURE, .job = "00000000-0000-7000-8000-000000000000"};
    assert_int_equal(ledger_call_run(db, &nothing), LEDGER_DONE); /* a free job has no hold */
}

/* --- the books cannot be rewritten, and a false book is found --- */

static bool sql_fails(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_exec(tx, ctx, NULL, 0, NULL, e);
}

static void test_append_only(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char a[UUID_TEXT];
    fixture_db_account(db, "ann", 3, a);
    static char *const tries[] = {
        "update entries set amount = amount * 2",
        "delete from entries",
        "truncate entries",
        "update transfers set amount = 100",
        "delete from transfers",
        "truncate transfers cascade",
        "delete from admin_log",
        "update wallets set avail = -1",
        "update wallets set held = -1",
    };
    for (size_t i = 0; i < COUNT(tries); i++) {
        struct err e = {0};
        if (db_run(db, sql_fails, tries[i], &e))
            fail_msg("%s was allowed", tries[i]);
    }
    ledger_expect(db, a, 3, 0);
}

static bool count_faults(struct db_tx *tx, void *ctx, struct err *e)
{
    return ledger_check(tx, NULL, NULL, ctx, e);
}

static const struct {
    const char *damage, *repair, *why;
} damages[] = {
    {"update wallets set avail = avail + 1",                                                        "update wallets set avail = avail - 1",
     "3: a balance without entries"                                                                                                                                                                           },
    {"insert into entries(key, account, amount) values ('grant:ann', 'promo', 1)",
     "alter table entries disable trigger all; delete from entries where amount = 1;"
     " alter table entries enable trigger all",                                                                                                        "1, 2: a transfer that does not add up"                },
    {"insert into transfers(key, verb, user_id, amount) select 'x', 'grant', id, 1 from users",
     "alter table transfers disable trigger all; delete from transfers where key = 'x';"
     " alter table transfers enable trigger all",                                                                                                      "1: a transfer without entries"                        },
    {"update wallets set active = 1",                                                               "update wallets set active = 0",
     "10: a place in use that nobody uses"                                                                                                                                                                    },
    {"insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic, story, lang,"
     " network, addr, fair_at, started_at) select '00000000-0000-7000-8000-000000000002', id,"
     " sha256('j'), 'waiting', 2, 1, '', '', 'en', 'test', '', now(), now() from users",       "delete from jobs",                                "5, 10: a live job without a hold, waiting for nothing"},
    {"insert into jobs(id, user_id, dedupe_key, state, price, charged, estimate_ms, topic, story,"
     " lang, network, addr, fair_at, started_at, ended_at) select"
     " '00000000-0000-7000-8000-000000000003', id, sha256('j'), 'done', 2, 2, 1, '', '', 'en',"
     " 'test', '', now(), now(), now() from users",                                            "delete from jobs",                                "6: done without delivery and capture"                 },
    {"insert into outbox(network, lane, addr, body, state, not_before, created_at) values ('test',"
     " sha256('l'), '', '', 'pending', now() - interval '1 hour', now() - interval '1 hour')", "delete from outbox",                              "12: a message that nobody sends"                      },
    {"insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic, story, lang,"
     " network, addr, fair_at, started_at, worker, lease_until) select"
     " '00000000-0000-7000-8000-000000000004', id, sha256('j'), 'running', 0, 1, '', '', 'en',"
     " 'test', '', now(), now(), 'w', now() - interval '4 min' from users;"
     " update wallets set active = 1",                                                         "delete from jobs; update wallets set active = 0", "11: a lease that nobody ended"                        },
};

static bool run_script(struct db_tx *tx, void *ctx, struct err *e)
{
    AUTO(free_ptr) char *all = str_dup(ctx);
    char *rest = all;
    for (char *one; (one = strsep(&rest, ";"));)
        if (!db_exec(tx, one, NULL, 0, NULL, e))
            return false;
    return true;
}

static void test_check_finds_damage(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char a[UUID_TEXT];
    struct err e = {0};
    fixture_db_account(db, "ann", 3, a);
    for (size_t i = 0; i < COUNT(damages); i++) {
        size_t faults = 0;
        if (!db_run(db, run_script, (void *)(uintptr_t)damages[i].damage, &e) ||
            !db_run(db, count_faults, &faults, &e))
            fail_msg("%s: %s", damages[i].why, e.detail);
        if (faults == 0)
            fail_msg("not found: %s", damages[i].why);
        if (!db_run(db, run_script, (void *)(uintptr_t)damages[i].repair, &e) ||
            !db_run(db, count_faults, &faults, &e) || faults != 0)
            fail_msg("repair of: %s: %s", damages[i].why, e.detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grant),
        cmocka_unit_test(test_two_phases),
        cmocka_unit_test(test_capture_bounds),
        cmocka_unit_test(test_append_only),
        cmocka_unit_test(test_check_finds_damage),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
