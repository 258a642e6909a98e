/* Jobs in the database: a life that goes well, limits, order, and who may move one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "tests/fixture_db.h"
#include "tests/job_step.h"

/* --- a job that goes well --- */

static void test_whole_life(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 10, ann);
    struct job_step q = {.verb = QUOTE, .account = ann, .number = 2, .text = "event 1"}, w;
    job_step_run(db, &q);
    memcpy(id, q.id, UUID_TEXT);
    job_step_run(db, &q);
    assert_string_equal(q.id, id); /* the same press of a button */
    assert_int_equal(job_step_available(db, ann), 10);
    q.verb = REQUOTE;
    q.number = 4;
    q.text = "{\"a\":1}";
    job_step_run(db, &q);
    q.verb = START;
    job_step_run(db, &q);
    assert_int_equal(q.started, JOB_STARTED);
    job_step_run(db, &q);
    assert_int_equal(q.started, JOB_STARTED_BEFORE);
    assert_int_equal(job_step_available(db, ann), 6);
    q.verb = REQUOTE;
    assert_string_equal(job_step_refused(db, &q), "make.quote_gone"); /* the price is agreed now */

    w = (struct job_step){.verb = CLAIM, .worker = "w1"};
    job_step_run(db, &w);
    assert_string_equal(w.job.id, id);
    assert_string_equal(w.job.topic, "tides");
    assert_string_equal(w.job.story, "{\"a\":1}");
    assert_string_equal(w.job.addr.chat, "c1");
    assert_int_equal(w.job.attempt, 1);
    assert_int_equal(w.job.estimate_ms, 30000);
    struct job_step idle = {.verb = CLAIM, .worker = "w2"};
    job_step_run(db, &idle);
    assert_string_equal(idle.job.id, "");

    w.verb = BEAT;
    job_step_run(db, &w);
    assert_false(w.answer);
    w.verb = SAVE;
    w.text = "{\"scenes\":[]}";
    job_step_run(db, &w);
    w.verb = DONE;
    assert_string_equal(job_step_refused(db, &w), "error.internal"); /* nothing was delivered yet */
    w.verb = DELIVERING;
    job_step_run(db, &w);
    job_step_run(db, &w); /* its commit was in doubt */
    w.verb = DONE;
    w.number = 3;
    job_step_run(db, &w);
    assert_string_equal(job_step_refused(db, &w), "error.lease_lost"); /* it is over */
    assert_int_equal(job_step_available(db, ann), 7); /* charged for what was made */

    struct job_step g = {.verb = GET};
    memcpy(g.id, id, UUID_TEXT);
    job_step_run(db, &g);
    assert_int_equal(g.job.state, JOB_DONE);
    assert_string_equal(g.job.video_path, "/films/x.mp4");
    assert_int_equal(g.job.video_ms, 61000);
    assert_int_equal(g.job.video_bytes, 12345);
    assert_string_equal(g.job.story, "{\"scenes\":[]}");
    assert_string_equal(g.job.stage, "speak");
    assert_int_equal(strlen(g.job.ended_at), strlen("2026-11-22T14:57:58Z"));
    job_free(&g.job);
    job_free(&w.job);
    assert_int_equal(fixture_db_number(db, "select count(*) from videos v join users u on"
                                           " u.id = v.user_id where title = 'Tides'"),
                     1);
}

/* --- limits, order, fairness --- */

static void test_limits(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[6][UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    static const enum job_start want[] = {JOB_STARTED, JOB_STARTED, JOB_STARTED, JOB_STARTED,
                                          JOB_QUEUE_FULL};
    for (int i = 0; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof(key), "e%d", i);
        assert_int_equal(job_step_start(db, ann, 2, key, id[i]), want[i]);
    }
    assert_int_equal(job_step_state(db, id[0]), JOB_READY);
    for (int i = 1; i < 4; i++)
        assert_int_equal(job_step_state(db, id[i]), JOB_WAITING);
    assert_int_equal(job_step_state(db, id[4]), JOB_QUOTED); /* may be tried again */
    assert_int_equal(job_step_available(db, ann), 1);

    struct job_step c = {.verb = CANCEL};
    memcpy(c.id, id[0], UUID_TEXT);
    job_step_run(db, &c);
    assert_int_equal(c.state, JOB_CANCELLED);
    assert_int_equal(job_step_state(db, id[1]), JOB_READY); /* moved up */
    memcpy(c.id, id[3], UUID_TEXT);
    job_step_run(db, &c);
    assert_int_equal(job_step_available(db, ann), 5);
    assert_string_equal(job_step_refused(db, &c), "cancel.too_late");
    assert_int_equal(c.state, JOB_CANCELLED);
    struct job_step again = {.verb = START};
    memcpy(again.id, id[0], UUID_TEXT);
    assert_string_equal(job_step_refused(db, &again), "make.quote_gone");
    assert_int_equal(job_step_start(db, ann, 6, "dear", id[5]), JOB_NO_CREDITS);
    assert_int_equal(job_step_state(db, id[5]), JOB_QUOTED);
    assert_int_equal(job_step_start(db, ann, 0, "free", id[5]), JOB_STARTED); /* no hold at all */
}

static void test_quotes_are_bounded(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], first[UUID_TEXT] = "";
    fixture_db_account(db, "ann", 9, ann);
    struct job_step s = {.verb = QUOTE, .account = ann, .number = 1};
    for (int i = 0; i < JOB_QUOTES_MAX + 5; i++) {
        char key[8];
        snprintf(key, sizeof(key), "e%d", i);
        s.text = key;
        job_step_run(db, &s);
        if (i == 0)
            memcpy(first, s.id, UUID_TEXT);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where state = 'quoted'"),
                     JOB_QUOTES_MAX);
    assert_int_equal(job_step_state(db, first), JOB_CANCELLED);
    assert_int_equal(job_step_state(db, s.id), JOB_QUOTED);
    struct job_step l = {.verb = LIST, .account = ann};
    job_step_run(db, &l);
    assert_int_equal(l.count, 5); /* the dropped ones; quotes are not history */
    for (size_t i = 0; i < l.count; i++)
        job_free(&l.list[i]);
    free(l.list);
    /* The clock went back: the newest looks like the oldest. */
    fixture_db_sql(db, "update jobs set created_at = clock_timestamp() + interval '1 hour'");
    s.text = "late";
    job_step_run(db, &s);
    assert_int_equal(job_step_state(db, s.id), JOB_QUOTED);
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where state = 'quoted'"),
                     JOB_QUOTES_MAX);
}

/* One person's many videos do not keep others waiting, and each is told its true place. */
static void test_fair_order(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], bob[UUID_TEXT], a[3][UUID_TEXT], b[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    fixture_db_account(db, "bob", 9, bob);
    for (int i = 0; i < 3; i++) {
        char key[8];
        snprintf(key, sizeof(key), "e%d", i);
        job_step_start(db, ann, 1, key, a[i]);
    }
    job_step_start(db, bob, 1, "e", b);
    const struct {
        const char *id;
        int place;
    } want[] = {
        {a[0], 1},
        {b,    2},
        {a[1], 3},
        {a[2], 4},
    };
    for (size_t i = 0; i < COUNT(want); i++) {
        struct job_step g = {.verb = GET};
        memcpy(g.id, want[i].id, UUID_TEXT);
        job_step_run(db, &g);
        assert_int_equal(g.job.place, want[i].place);
        job_free(&g.job);
    }
    for (size_t i = 0; i < COUNT(want); i++) {
        struct job_step w = {.verb = CLAIM, .worker = "w"};
        job_step_run(db, &w);
        assert_string_equal(w.job.id, want[i].id);
        w.verb = DELIVERING;
        job_step_run(db, &w);
        w.verb = DONE;
        w.number = 1;
        job_step_run(db, &w);
        job_free(&w.job);
    }
}

static void test_find_and_list(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], bob[UUID_TEXT], id[UUID_TEXT], other[UUID_TEXT], short_id[JOB_SHORT];
    fixture_db_account(db, "ann", 9, ann);
    fixture_db_account(db, "bob", 9, bob);
    job_step_start(db, ann, 1, "e1", id);
    job_step_start(db, ann, 1, "e2", other);
    str_copy(short_id, sizeof(short_id), id + UUID_TEXT - JOB_SHORT);
    struct job_step f = {.verb = FIND, .account = ann, .text = short_id};
    job_step_run(db, &f);
    assert_string_equal(f.job.id, id);
    job_free(&f.job);
    f.text = id;
    job_step_run(db, &f);
    job_free(&f.job);
    f.account = bob; /* somebody else's job */
    assert_string_equal(job_step_refused(db, &f), "error.no_job");
    f.account = ann;
    static const char *const wrong[] = {"", "123", "zzzzzzzz", "%%%%%%%%", "'; drop--"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        f.text = wrong[i];
        assert_string_equal(job_step_refused(db, &f), "error.no_job");
    }
    struct job_step l = {.verb = LIST, .account = ann, .flag = true};
    job_step_run(db, &l);
    assert_int_equal(l.count, 2);
    assert_string_equal(l.list[0].id, other); /* newest first */
    for (size_t i = 0; i < l.count; i++)
        job_free(&l.list[i]);
    free(l.list);
    struct job_step n = {.verb = COUNT_LIVE, .text = "test"};
    job_step_run(db, &n);
    assert_int_equal(n.number, 2);
    n.text = "telegram";
    job_step_run(db, &n);
    assert_int_equal(n.number, 0);
    n.text = NULL;
    job_step_run(db, &n);
    assert_int_equal(n.number, 2);
}

/* --- only one function moves a job, and only along the table --- */

static void test_move(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    job_step_start(db, ann, 2, "e", id);
    struct job_step m = {.verb = MOVE, .from = JOB_READY, .to = JOB_DONE};
    memcpy(m.id, id, UUID_TEXT);
    assert_string_equal(job_step_refused(db, &m), "error.internal");
    m.from = JOB_RUNNING; /* a legal move of a job that is elsewhere */
    m.to = JOB_DELIVERING;
    assert_string_equal(job_step_refused(db, &m), "error.internal");
    assert_int_equal(job_step_state(db, id), JOB_READY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_life),         cmocka_unit_test(test_limits),
        cmocka_unit_test(test_quotes_are_bounded), cmocka_unit_test(test_fair_order),
        cmocka_unit_test(test_find_and_list),      cmocka_unit_test(test_move),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
