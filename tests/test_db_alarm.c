/* Books that do not agree: nothing that costs is started and nothing is sent out until they do; what
   was begun goes on, and payments count. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_deposit.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/db/store_refund.h"
#include "tests/fixture_db.h"

struct step {
    const char *account, *key, *ref;
    int64_t price;
    bool closed, found;
    int told;
    enum job_start started;
    char id[UUID_TEXT];
    struct deposit_done credited;
};

static void must(struct db *db, db_body *body, struct step *s)
{
    struct err e = {0};
    if (!db_run(db, body, s, &e))
        fail_msg("%s", e.detail);
}

static void on_fault(void *ctx, const char *what)
{
    (void)what;
    ++*(int *)ctx;
}

static bool watch_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    s->told = 0;
    return ledger_watch(tx, on_fault, &s->told, &s->closed, e);
}

static bool quote_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct job spec = {
        .price = s->price, .topic = (char *)"t", .lang = "en", .addr = {.network = "test"}};
    str_copy(spec.account, sizeof(spec.account), s->account);
    return job_quote(tx, &spec, s->key, s->id, e) && job_start(tx, s->id, &s->started, e);
}

static bool start_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    return job_start(tx, s->id, &s->started, e);
}

/* What is claimed goes on to its end. */
static bool finish_body(struct db_tx *tx, void *ctx, struct err *e)
{
    AUTO(job_free) struct job j = {0};
    struct step *s = ctx;
    s->found = job_claim(tx, "w", &j, e) && j.id[0];
    return s->found && job_delivering(tx, &j, "w", "/x.mp4", 1, 1, e) &&
           job_done(tx, &j, "w", "msg", j.price, "t", e);
}

static bool pay_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct price_list prices;
    struct deposit d = {.method = "nano", .ref = s->ref, .address = "shared", .prices = &prices};
    d.account = s->account;
    return price_list_parse("0.01", "", &prices, e) && raw_from_xno("1", &d.amount) &&
           deposit_credit(tx, &d, &s->credited, e);
}

static bool ask_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct refund r = {.method = "nano", .credits = 10, .lang = "en", .address = "nano_home"};
    str_copy(r.account, sizeof(r.account), s->account);
    return refund_ask(tx, &r, e);
}

static bool agree_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct refund r;
    struct raw day;
    return raw_from_xno("100", &day) && refund_agree(tx, s->account, "", day, &r, e);
}

static bool waiting_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct refund r;
    return refund_waiting(tx, "nano", &r, &s->found, e);
}

static void damage(struct db *db, const char *account, int by)
{
    AUTO(free_ptr)
    char *sql =
        str_printf("update wallets set avail = avail + %d where user_id = '%s'", by, account);
    fixture_db_sql(db, sql);
}

static void test_closed_and_opened(void **state)
{
    char ann[UUID_TEXT], bob[UUID_TEXT];
    struct err e = {0};
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    fixture_db_account(db, "ann", 9, ann);
    fixture_db_account(db, "bob", 9, bob);
    struct step s = {.account = ann, .key = "1", .price = 2, .ref = "A1"};
    must(db, quote_body, &s);
    assert_int_equal(s.started, JOB_STARTED);
    must(db, pay_body, &s);
    must(db, ask_body, &s);

    damage(db, bob, 1); /* somebody else's */
    must(db, watch_body, &s);
    assert_true(s.closed && s.told > 0);
    must(db, watch_body, &s); /* as before, and known to every process */
    assert_int_equal(fixture_db_number(db, "select count(*) from alarms where what like 'money:%'"),
                     1);
    struct step next = {.account = ann, .key = "2", .price = 2};
    must(db, quote_body, &next);
    assert_int_equal(next.started, JOB_CLOSED);
    struct step nothing = {.account = bob, .key = "3", .price = 0};
    must(db, quote_body, &nothing);
    assert_int_equal(nothing.started, JOB_STARTED); /* costs nothing */
    assert_false(db_run(db, agree_body, &s, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(e.user_key, "error.closed");
    for (int i = 0; i < 2; i++) {
        must(db, finish_body, &s);
        assert_true(s.found);
    }
    struct step more = {.account = ann, .ref = "A2"};
    must(db, pay_body, &more);
    assert_int_equal(more.credited.credits, 100);

    damage(db, bob, -1);
    must(db, watch_body, &s);
    assert_true(!s.closed && s.told == 0);
    must(db, start_body, &next);
    assert_int_equal(next.started, JOB_STARTED);
    must(db, agree_body, &s);
    must(db, waiting_body, &s);
    assert_true(s.found);
    damage(db, bob, 1); /* between the yes and the block */
    must(db, watch_body, &s);
    must(db, waiting_body, &s);
    assert_false(s.found);
    damage(db, bob, -1);
}

/* Somebody is slow: that is told, and no reason to stop. */
static void test_late_is_no_alarm(void **state)
{
    char ann[UUID_TEXT];
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    fixture_db_account(db, "ann", 9, ann);
    struct step s = {.account = ann, .key = "1", .price = 2};
    must(db, quote_body, &s);
    fixture_db_sql(db, "update jobs set started_at = now() - interval '3 days'");
    must(db, watch_body, &s);
    assert_int_equal(s.told, 1);
    assert_false(s.closed);
    fixture_db_sql(db, "update jobs set started_at = now()");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_and_opened),
        cmocka_unit_test(test_late_is_no_alarm),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
