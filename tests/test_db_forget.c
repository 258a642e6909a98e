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

/* Whoever is paused begins nothing anew by leaving: what still counts waits for them, the rest goes. */
static void test_a_pause_stays(void **state)
{
    static const struct {
        const char *before; /* $ is the account */
        int strikes, pauses;
        const char *why;
    } rows[] = {
        {"select 1",                                                                     0, 0, "nothing to keep"     },
        {"insert into strikes(user_id, category) values ($, 'weapons'), ($, 'weapons')", 2, 0,
         "they count on"                                                                                             },
        {"insert into strikes(user_id, category, at) values ($, 'weapons', now() - interval '31 "
         "days')",                                                              0, 0, "counts no more"      },
        {"insert into pauses values ($, now() + interval '1 hour')",                     0, 1,
         "a pause whose strikes are old"                                                                             },
        {"with s as (insert into strikes(user_id, category) values ($, 'weapons')) insert into "
         "pauses values ($, now() - interval '1 s')",                           1, 0, "a pause that is over"},
    };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        AUTO(free_ptr) char *person = str_printf("p%zu", i);
        struct account a = find(db, person, 1);
        AUTO(strbuf_free) struct strbuf sql = STRBUF(1024);
        for (const char *c = rows[i].before; *c; c++)
            *c == '$' ? strbuf_addf(&sql, "'%s'", a.id) : strbuf_addc(&sql, *c);
        fixture_db_sql(db, strbuf_text(&sql));
        struct forget f = {.account = a.id};
        for (int again = 0; again < 2; again++) { /* left twice: the same */
            if (!db_run(db, forget_body, &f, &e))
                fail_msg("%s: %s", rows[i].why, e.detail);
            assert_int_equal(fixture_db_number(db, "select count(*) from strikes"), 0);
            assert_int_equal(fixture_db_number(db, "select count(*) from pauses"), 0);
            a = find(db, person, 1);
            f.account = a.id;
            assert_int_equal(fixture_db_number(db, "select count(*) from strike_marks"), 0);
            if (fixture_db_number(db, "select count(*) from strikes") != rows[i].strikes ||
                fixture_db_number(db, "select count(*) from pauses") != rows[i].pauses)
                fail_msg("%s, time %d", rows[i].why, again);
        }
        fixture_db_sql(db, "with s as (delete from strikes) delete from pauses");
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
    AUTO(free_ptr)
    char *sql =
        str_printf("with s as (insert into strikes(user_id, category) values ('%s', 'weapons'))"
                   " insert into pauses values ('%s', now() + interval '90 days')",
                   a.id, a.id);
    fixture_db_sql(db, sql);
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
