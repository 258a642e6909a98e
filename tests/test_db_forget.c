/* /forget: what goes with an account, and the little that may outlast it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_guard.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

struct find {
    const char *name;
    int trial;
    struct account account;
};

static bool find_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct find *f = ctx;
    return account_find(tx, "test", f->name, false, f->trial, &f->account, e);
}

static struct account find(struct db *db, const char *name, int trial)
{
    struct err e = {0};
    struct find f = {.name = name, .trial = trial};
    if (!db_run(db, find_body, &f, &e))
        fail_msg("find: %s", e.detail);
    return f.account;
}

static bool balance_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct find *f = ctx;
    struct balance b;
    bool good = ledger_balance(tx, f->account.id, &b, e);
    f->trial = (int)b.available;
    return good;
}

static int64_t credits(struct db *db, const struct account *a)
{
    struct err e = {0};
    struct find f = {.account = *a};
    assert_true(db_run(db, balance_body, &f, &e));
    return f.trial;
}

struct forget {
    const char *account;
    int files;
    char file[64];
    char job[UUID_TEXT];
};

static void on_file(void *ctx, const char *path)
{
    struct forget *f = ctx;
    f->files++;
    str_copy(f->file, sizeof(f->file), path);
}

static bool forget_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct forget *f = ctx;
    f->files = 0;
    return account_forget(tx, f->account, 30, on_file, f, e);
}

static bool make_video_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct forget *f = ctx;
    struct job spec = {.price = 1, .topic = (char *)(uintptr_t) "my secret topic", .lang = "en"};
    enum job_start started;
    AUTO(job_free) struct job j = {0};
    memcpy(spec.account, f->account, UUID_TEXT);
    spec.addr = (struct chat_addr){.network = "test", .chat = "chat 987654321"};
    spec.media = (char *)(uintptr_t) "p:secret1\nv:secret2";
    return job_quote(tx, &spec, "event", f->job, e) && job_start(tx, f->job, &started, e) &&
           job_claim(tx, "w", &j, e) && job_delivering(tx, &j, "w", "/films/x.mp4", 1, 1, e) &&
           job_done(tx, &j, "w", "msg 987654321", 1, "my secret title", e);
}

static bool quote_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct forget *f = ctx;
    enum job_start started;
    struct job spec = {.price = 0, .topic = (char *)(uintptr_t) "secret quote", .lang = "en"};
    memcpy(spec.account, f->account, UUID_TEXT);
    return job_quote(tx, &spec, "event 2", f->job, e) &&
           (f->files == 0 || job_start(tx, f->job, &started, e));
}

static bool cancel_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct forget *f = ctx;
    enum job_state s;
    return job_cancel(tx, f->job, &s, e);
}

static void test_what_goes(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct err e = {0};
    struct account a = find(db, "x", 1);
    struct forget f = {.account = a.id};
    if (!db_run(db, make_video_body, &f, &e))
        fail_msg("%s", e.detail);
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where media <> ''"), 1);
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where media ~ 'secret'"), 0);
    f.files = 1; /* start it */
    assert_true(db_run(db, quote_body, &f, &e));
    assert_false(db_run(db, forget_body, &f, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(e.user_key, "forget.jobs_running");
    assert_true(db_run(db, cancel_body, &f, &e));
    f.files = 0; /* a quote that was never started goes too */
    assert_true(db_run(db, quote_body, &f, &e));

    for (int i = 0; i < 2; i++) { /* twice is no harm */
        if (!db_run(db, forget_body, &f, &e))
            fail_msg("%s", e.detail);
        assert_int_equal(f.files, i == 0);
    }
    assert_string_equal(f.file, "/films/x.mp4");
    static const char *const tables[] = {"users",      "identities", "settings", "jobs",
                                         "deliveries", "videos",     "outbox"};
    for (size_t i = 0; i < COUNT(tables); i++) {
        AUTO(free_ptr)
        char *sql = str_printf("select count(*) from %s x where x::text ~ 'secret|987654321|films'",
                               tables[i]);
        if (fixture_db_number(db, sql) != 0)
            fail_msg("%s still tells", tables[i]);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from identities"), 0);
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where media <> ''"), 0);
    assert_int_equal(fixture_db_number(db, "select count(*) from transfers"), 3);

    struct account b = find(db, "x", 1);
    assert_string_not_equal(b.id, a.id);
    assert_int_equal(credits(db, &b), 0); /* no second trial */
}

/* days_old < 0: no strike; pause_s 0: no pause, < 0: one that is over. */
static void burden(struct db *db, const char *account, int days_old, int pause_s)
{
    AUTO(free_ptr)
    char *strike = str_printf("insert into strikes(user_id, category, at) select '%s', 'weapons',"
                              " now() - interval '%d days' where %d >= 0",
                              account, days_old, days_old);
    AUTO(free_ptr)
    char *pause =
        str_printf("insert into pauses select '%s', now() + interval '%d s' where %d <> 0", account,
                   pause_s, pause_s);
    fixture_db_sql(db, strike);
    fixture_db_sql(db, pause);
}

/* Whoever is paused begins nothing anew by leaving: what still counts waits for them, the rest goes. */
static void test_a_pause_stays(void **state)
{
    static const struct {
        int days_old, pause_s;
        int strikes, pauses; /* that are there again */
        const char *why;
    } rows[] = {
        {-1, 0,    0, 0, "nothing to keep"              },
        {0,  0,    1, 0, "it counts on"                 },
        {31, 0,    0, 0, "it counts no more"            },
        {0,  3600, 1, 1, "both"                         },
        {31, 3600, 0, 1, "a pause whose strikes are old"},
        {0,  -1,   1, 0, "a pause that is over"         },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
        struct err e = {0};
        struct account a = find(db, "anna", 1);
        struct forget f = {.account = a.id};
        burden(db, a.id, rows[i].days_old, rows[i].pause_s);
        for (int times = 1; times <= 2; times++) { /* left twice: the same */
            if (!db_run(db, forget_body, &f, &e))
                fail_msg("%s: %s", rows[i].why, e.detail);
            assert_int_equal(fixture_db_number(db, "select count(*) from strikes"), 0);
            assert_int_equal(fixture_db_number(db, "select count(*) from pauses"), 0);
            a = find(db, "anna", 1);
            assert_int_equal(fixture_db_number(db, "select count(*) from strike_marks"), 0);
            if (fixture_db_number(db, "select count(*) from strikes") != rows[i].strikes ||
                fixture_db_number(db, "select count(*) from pauses") != rows[i].pauses)
                fail_msg("%s, left for time %d", rows[i].why, times);
        }
    }
}

static bool sweep_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return guard_sweep(tx, 14, e);
}

static void test_marks_end(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct err e = {0};
    struct account a = find(db, "anna", 0);
    burden(db, a.id, 0, 90 * 24 * 3600);
    struct forget f = {.account = a.id};
    assert_true(db_run(db, forget_body, &f, &e));
    assert_int_equal(
        fixture_db_number(db, "select count(*) from strike_marks where until > now() + interval"
                              " '89 days' and strike_marks::text !~ 'weapons|anna'"),
        1); /* as long as the longer of both, and neither words nor names in it */
    assert_true(db_run(db, sweep_body, NULL, &e));
    assert_int_equal(fixture_db_number(db, "select count(*) from strike_marks"), 1);
    fixture_db_sql(db, "update strike_marks set until = now()");
    assert_true(db_run(db, sweep_body, NULL, &e));
    assert_int_equal(fixture_db_number(db, "select count(*) from strike_marks"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes),
        cmocka_unit_test(test_a_pause_stays),
        cmocka_unit_test(test_marks_end),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
