/* Orders that an operator stops and takes again: who is told what, and what goes on all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/admin_world.h"
#include "tests/fixture_db.h"

static void stopped_orders_are_told_to_everybody(void **state)
{
    (void)state;
    struct world w;
    char id[UUID_TEXT];
    admin_open(&w, true);
    const char *said = say_as(&w, PERSON, "/make How tides work");
    str_copy(id, sizeof(id), strstr(said, "|/go ") + strlen("|/go "));
    AUTO(free_ptr) char *go = str_printf("/go %s", id);
    say_as(&w, "43", "/make How clouds work");
    str_copy(id, sizeof(id), strstr(strbuf_text(&w.said), "|/go ") + strlen("|/go "));
    AUTO(free_ptr) char *taken = str_printf("/go %s", id);
    say(&w, taken);
    assert_int_equal(number(&w, JOB_IS("ready")), 1);

    must_have(say_as(&w, OPERATOR, "/admin stop orders the disk is full"), "Orders are stopped.");
    assert_int_equal(number(&w, "select count(*) from alarms where name = 'orders'"
                                " and what = 'the disk is full'"),
                     1);
    must_have(say(&w, "/admin status"), "the disk is full");
    static const struct {
        const char *lang, *says;
    } told[] = {
        {"en", "No new videos are taken right now."                   },
        {"zh", "现在暂不接受新的视频。"                    },
        {"ar", "لا تُقبل فيديوهات جديدة الآن."},
    };
    static const char *const orders[] = {"/make How rain works", "/script How rain works"};
    for (size_t l = 0; l < COUNT(told); l++) {
        w.event.lang = told[l].lang;
        for (size_t i = 0; i < COUNT(orders); i++) {
            must_have(say_as(&w, PERSON, orders[i]), told[l].says);
            must_lack(strbuf_text(&w.said), "disk"); /* that is the operator's matter */
        }
    }
    w.event.lang = "en";
    must_have(say_as(&w, PERSON, go), "No new videos are taken right now.");
    must_have(say_as(&w, "43", taken), "already");
    assert_int_equal(number(&w, JOB_IS("quoted")), 1);
    assert_int_equal(number(&w, JOB_IS("ready")), 1); /* what was taken goes on */
    assert_int_equal(number(&w, "select count(*) from holds"), 1);

    must_have(say_as(&w, OPERATOR, "/admin stop orders still full"), "Orders are stopped.");
    must_have(say(&w, "/admin open orders there is room"), "Orders are taken again.");
    must_have(say(&w, "/admin open orders"), "not stopped");
    say_as(&w, PERSON, go);
    assert_int_equal(number(&w, JOB_IS("ready")), 2);
    assert_int_equal(number(&w, LOGGED " where action = 'stop_orders'"), 2);
    assert_int_equal(number(&w, LOGGED " where action = 'open_orders'"
                                       " and why = 'there is room'"),
                     1);
    assert_int_equal(number(&w, LOGGED), 3);
    char operator[UUID_TEXT];
    account_of(&w, OPERATOR, operator);
    AUTO(free_ptr) char *sql = str_printf(LOGGED " where actor = '%s'", operator);
    assert_int_equal(number(&w, sql), 3);
    world_close(&w);
}

/* The check of the books neither opens what an operator stopped nor is opened by them. */
static bool watch_body(struct db_tx *tx, void *data, struct err *e)
{
    return ledger_watch(tx, NULL, NULL, data, e);
}

static void books_and_orders_are_two_things(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    bool closed = true;
    admin_open(&w, false);
    say(&w, "/admin stop orders x");
    assert_true(db_run(w.bot.db, watch_body, &closed, &e));
    assert_false(closed);
    must_have(say_as(&w, PERSON, "/make How rain works"), "No new videos");
    fixture_db_sql(w.bot.db, "insert into alarms(name, what) values ('ledger', 'odd')");
    say_as(&w, OPERATOR, "/admin open orders");
    assert_int_equal(number(&w, "select count(*) from alarms where name = 'ledger'"), 1);
    world_close(&w);
}

/* Money that arrives counts; the video that waited for it waits for Go. */
static void payments_count_while_orders_are_stopped(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    struct purchase pay = {.gift = {.credits = 5}};
    admin_open(&w, true);
    pay.bot = &w.bot;
    account_of(&w, PERSON, pay.gift.account);
    AUTO(free_ptr)
    char *go = str_printf("/go %.36s",
                          strstr(say_as(&w, PERSON, "/make How tides work premium"), "|/change ") +
                              strlen("|/change "));
    must_have(say(&w, go), "not enough credits");
    assert_int_equal(number(&w, "select count(*) from awaiting"), 1);
    say_as(&w, OPERATOR, "/admin stop orders x");
    assert_true(db_run(w.bot.db, purchase_body, &pay, &e));
    assert_int_equal(number(&w, JOB_IS("quoted")), 1);
    assert_int_equal(number(&w, "select sum(avail) from wallets w join identities i"
                                " using (user_id) join jobs j using (user_id)"),
                     6);
    say(&w, "/admin open orders");
    say_as(&w, PERSON, go);
    assert_int_equal(number(&w, JOB_IS("ready")), 1);
    world_close(&w);
}

struct resend {
    struct job job;
    enum job_start started;
};

static bool finish_body(struct db_tx *tx, void *data, struct err *e)
{
    struct resend *r = data;
    job_free(&r->job);
    return job_claim(tx, "test", &r->job, e) &&
           job_delivering(tx, &r->job, "test", "/tmp/no-film.mp4", 7000, 1000, e) &&
           job_done(tx, &r->job, "test", "ref", 1, "Tides", e);
}

static bool resend_body(struct db_tx *tx, void *data, struct err *e)
{
    struct resend *r = data;
    struct job spec = {.topic = r->job.topic, .story = r->job.story, .addr = r->job.addr}, done;
    char id[UUID_TEXT];
    str_copy(spec.account, sizeof(spec.account), r->job.account);
    if (!job_get(tx, r->job.id, &done, e))
        return false;
    bool ok = job_resend(tx, &spec, &done, "again", &r->started, id, e);
    job_free(&done);
    return ok;
}

static void films_that_are_there_are_sent_all_the_same(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    struct resend r = {.started = JOB_STOPPED};
    admin_open(&w, false);
    say_as(&w, PERSON, "/make How tides work");
    assert_true(db_run(w.bot.db, finish_body, &r, &e));
    must_have(say_as(&w, OPERATOR, "/admin stop orders x"), "stopped");
    must_have(say(&w, "/admin status"), "Films delivered in 24 hours: 1");
    assert_true(db_run(w.bot.db, resend_body, &r, &e));
    assert_int_equal(r.started, JOB_STARTED);
    job_free(&r.job);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_orders_are_told_to_everybody),
        cmocka_unit_test(books_and_orders_are_two_things),
        cmocka_unit_test(payments_count_while_orders_are_stopped),
        cmocka_unit_test(films_that_are_there_are_sent_all_the_same),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
