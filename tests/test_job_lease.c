/* Whose a job is in the database: fences, tries, retries, wishes to cancel, the janitor. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "tests/fixture_db.h"
#include "tests/job_step.h"

static void claim(struct db *db, const char *worker, struct job_step *ret)
{
    *ret = (struct job_step){.verb = CLAIM, .worker = worker};
    job_step_run(db, ret);
    assert_string_not_equal(ret->job.id, "");
}

static void end_lease(struct db *db)
{
    fixture_db_sql(db, "update jobs set lease_until = now() - interval '1 s'"
                       " where state in ('running', 'delivering')");
}

static void due_now(struct db *db)
{
    fixture_db_sql(db, "update jobs set run_at = now() where state = 'ready'");
}

static void test_fence(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    job_step_start(db, ann, 2, "e", id);
    struct job_step slow, quick, rescue = {.verb = RESCUE};
    claim(db, "w1", &slow);
    job_step_run(db, &rescue);
    assert_int_equal(rescue.rescued, 0); /* the lease lives */
    end_lease(db);
    job_step_run(db, &rescue);
    assert_int_equal(rescue.rescued, 1);
    claim(db, "w1", &quick); /* even by the same worker: the attempt is another */
    assert_int_equal(quick.job.attempt, 2);
    static const int verbs[] = {BEAT, SAVE, DELIVERING, DONE, FAIL, RETRY};
    for (size_t i = 0; i < COUNT(verbs); i++) {
        slow.verb = verbs[i];
        slow.text = "x";
        assert_string_equal(job_step_refused(db, &slow), "error.lease_lost");
    }
    slow.job.attempt = 2;
    slow.worker = "w3"; /* the number alone is no right either */
    for (size_t i = 0; i < COUNT(verbs); i++) {
        slow.verb = verbs[i];
        assert_string_equal(job_step_refused(db, &slow), "error.lease_lost");
    }
    quick.verb = DELIVERING;
    job_step_run(db, &quick);
    quick.verb = DONE;
    quick.number = 2;
    job_step_run(db, &quick);
    assert_int_equal(job_step_available(db, ann), 7);
    job_free(&slow.job);
    job_free(&quick.job);
}

static void test_tries_run_out(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT], next[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    job_step_start(db, ann, 2, "e", id);
    job_step_start(db, ann, 2, "e2", next);
    struct job_step w, rescue = {.verb = RESCUE};
    for (int i = 1; i <= JOB_ATTEMPTS_MAX; i++) {
        claim(db, "w", &w);
        assert_string_equal(w.job.id, id);
        job_free(&w.job);
        end_lease(db); /* it killed its worker */
        job_step_run(db, &rescue);
        assert_int_equal(rescue.rescued, 1);
        assert_int_equal(rescue.told, i == JOB_ATTEMPTS_MAX);
        if (i == 1) /* the first time at once, then with a pause */
            assert_int_equal(fixture_db_number(db, "select count(*) from jobs where state ="
                                                   " 'ready' and run_at <= clock_timestamp()"),
                             1);
        due_now(db);
    }
    struct job_step g = {.verb = GET};
    memcpy(g.id, id, UUID_TEXT);
    job_step_run(db, &g);
    assert_int_equal(g.job.state, JOB_FAILED);
    assert_string_equal(g.job.fail_key, "fail.worker_lost");
    job_free(&g.job);
    assert_int_equal(job_step_available(db, ann), 7); /* given back; the other one is held */
    assert_int_equal(job_step_state(db, next), JOB_READY);
}

static void test_retry(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    job_step_start(db, ann, 2, "e", id);
    struct job_step w;
    for (int i = 0; i < 10; i++) { /* draining uses up nothing */
        claim(db, "w", &w);
        assert_int_equal(w.job.attempt, i + 1); /* but a fence is never used twice */
        w.verb = RETRY;
        w.flag = true;
        job_step_run(db, &w);
        assert_false(w.answer);
        job_free(&w.job);
    }
    for (int i = 1; i <= JOB_ATTEMPTS_MAX; i++) {
        claim(db, "w", &w);
        w.verb = RETRY;
        w.delay_ms = -1;
        job_step_run(db, &w);
        assert_int_equal(w.answer, i == JOB_ATTEMPTS_MAX);
        job_free(&w.job);
        int64_t wait = fixture_db_number(db, "select extract(epoch from run_at - now())::bigint"
                                             " from jobs where state = 'ready'");
        if (i < JOB_ATTEMPTS_MAX && (wait < 5 * (1 << i) * 6 / 10 || wait > 5 * (1 << i) * 14 / 10))
            fail_msg("try %d again in %d s", i, (int)wait);
        due_now(db);
    }
    struct job_step g = {.verb = GET};
    memcpy(g.id, id, UUID_TEXT);
    job_step_run(db, &g);
    assert_int_equal(g.job.state, JOB_FAILED);
    assert_string_equal(g.job.fail_key, "fail.voice");
    assert_string_equal(g.job.fail_arg, "espeak");
    job_free(&g.job);
    assert_int_equal(job_step_available(db, ann), 9);
}

/* A clock that went back: what was due does not wait until it is that late again. */
static void test_clock_goes_back(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char a[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "a", 5, a);
    job_step_start(db, a, 1, "k", id);
    struct job_step w = {.verb = CLAIM, .worker = "w"};
    fixture_db_sql(db, "update jobs set run_at = clock_timestamp() + interval '13 min'");
    job_step_run(db, &w); /* as long as a back-off can be */
    assert_string_equal(w.job.id, "");
    job_free(&w.job);
    fixture_db_sql(db, "update jobs set run_at = clock_timestamp() + interval '2 hours'");
    job_step_run(db, &w);
    assert_string_equal(w.job.id, id);
    job_free(&w.job);
}

static void test_cancel_while_running(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    job_step_start(db, ann, 2, "e", id);
    struct job_step w, c = {.verb = CANCEL};
    memcpy(c.id, id, UUID_TEXT);
    claim(db, "w", &w);
    job_step_run(db, &c);
    assert_int_equal(c.state, JOB_RUNNING); /* asked; the worker decides */
    w.verb = BEAT;
    job_step_run(db, &w);
    assert_true(w.answer);
    /* The worker died before it saw the wish: the next one is told at the claim. */
    job_free(&w.job);
    end_lease(db);
    struct job_step rescue = {.verb = RESCUE};
    job_step_run(db, &rescue);
    claim(db, "w2", &w);
    assert_true(w.job.cancel_asked);
    w.verb = FAIL;
    w.flag = true;
    w.text = "fail.cancelled";
    job_step_run(db, &w);
    job_free(&w.job);
    assert_int_equal(job_step_state(db, id), JOB_CANCELLED);
    assert_int_equal(job_step_available(db, ann), 9);

    /* Once it is on its way into the chat it is too late. */
    job_step_start(db, ann, 2, "e2", id);
    claim(db, "w", &w);
    w.verb = DELIVERING;
    job_step_run(db, &w);
    memcpy(c.id, id, UUID_TEXT);
    assert_string_equal(job_step_refused(db, &c), "cancel.too_late");
    w.verb = FAIL;
    job_step_run(db, &w);
    job_free(&w.job);
    assert_int_equal(job_step_state(db, id), JOB_FAILED);
}

/* A killed worker's film is found by the next attempt, which delivers it without a render. */
static void test_delivery_is_taken_over(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    job_step_start(db, ann, 2, "e", id);
    struct job_step w, expire = {.verb = EXPIRE, .worker = "w2"}, rescue = {.verb = RESCUE};
    claim(db, "w1", &w);
    w.verb = DELIVERING;
    job_step_run(db, &w);
    job_free(&w.job);
    expire.worker = "w1"; /* its own leases stay */
    job_step_run(db, &expire);
    job_step_run(db, &rescue);
    assert_int_equal(rescue.rescued, 0);
    expire.worker = "w2";
    job_step_run(db, &expire);
    job_step_run(db, &rescue);
    assert_int_equal(rescue.rescued, 1);
    claim(db, "w2", &w);
    assert_string_equal(w.job.video_path, "/films/x.mp4");
    w.verb = DELIVERING;
    job_step_run(db, &w);
    w.verb = DONE;
    w.number = 2;
    job_step_run(db, &w);
    job_free(&w.job);
    assert_int_equal(fixture_db_number(db, "select count(*) from transfers where verb ="
                                           " 'capture'"),
                     1);
}

static void test_janitor(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], bob[UUID_TEXT], id[UUID_TEXT], wait[UUID_TEXT], quoted[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    fixture_db_account(db, "bob", 0, bob);
    job_step_start(db, ann, 2, "e", id);
    job_step_start(db, ann, 2, "e2", wait);
    assert_int_equal(job_step_start(db, bob, 2, "e", quoted), JOB_NO_CREDITS);
    struct job_step rescue = {.verb = RESCUE};
    job_step_run(db, &rescue);
    assert_int_equal(rescue.rescued, 0);
    fixture_db_sql(db, "update jobs set started_at = started_at - interval '25 hours',"
                       " created_at = created_at - interval '25 hours'");
    job_step_run(db, &rescue);
    assert_int_equal(rescue.rescued, 2);
    assert_int_equal(rescue.told, 2);
    assert_int_equal(job_step_state(db, id), JOB_FAILED);
    assert_int_equal(job_step_state(db, wait), JOB_FAILED);
    assert_int_equal(job_step_state(db, quoted), JOB_CANCELLED);
    assert_int_equal(job_step_available(db, ann), 9);

    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where addr = ''"), 0);
    fixture_db_sql(db, "update jobs set media = 'sealed', ended_at = now() - interval '25 hours'");
    job_step_run(db, &rescue);
    assert_int_equal(
        fixture_db_number(db, "select count(*) from jobs where addr <> '' or media <> ''"), 0);

    /* Counters that went wrong heal, and a person whom they blocked goes on. */
    job_step_start(db, ann, 2, "e3", id);
    job_step_start(db, ann, 2, "e4", wait);
    fixture_db_sql(db, "update wallets set active = 3");
    job_step_run(db, &rescue);
    fixture_db_check(db);
    fixture_db_sql(db, "update jobs set state = 'waiting' where state = 'ready'");
    fixture_db_sql(db, "update wallets set active = 0");
    job_step_run(db, &rescue);
    assert_int_equal(job_step_state(db, id), JOB_READY);
    assert_int_equal(job_step_state(db, wait), JOB_WAITING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fence),
        cmocka_unit_test(test_tries_run_out),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_clock_goes_back),
        cmocka_unit_test(test_cancel_while_running),
        cmocka_unit_test(test_delivery_is_taken_over),
        cmocka_unit_test(test_janitor),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
