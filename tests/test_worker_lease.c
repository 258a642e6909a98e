/* Whose a job is: leases, drains, connections that break, workers that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/db/store_account.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"
#include "tests/worker_crew.h"

/* --- ownership --- */

static bool expire_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return job_expire_leases(tx, ctx, e);
}

static bool rescue_body(struct db_tx *tx, void *ctx, struct err *e)
{
    int count;
    return job_rescue(tx, ((struct crew *)ctx)->options.calls.on_failed, ctx, &count, e);
}

/* The worker of the job at hand is taken for dead. */
static void take_back(struct crew *w)
{
    crew_must(w, expire_body, "nobody");
    crew_must(w, rescue_body, w);
}

static void a_lost_lease_publishes_nothing(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->segment.ms = 60000;
    crew_job(w, id);
    crew_start(w);
    crew_wait_event(w, "segment", '>', 1);
    take_back(w);
    crew_wait_event(w, "segment", '!', 1); /* the heartbeat noticed */
    crew_stop(w);
    assert_int_equal(atomic_load(&w->delivering), 0);
    assert_int_equal(atomic_load(&w->failed), 0);
    assert_int_equal(fake_files(w->out_dir, ""), 0);
    crew_assert_balance(w, CREDITS - PRICE, PRICE);
    w->f->segment.ms = 0;
    crew_start(w);
    crew_due_now(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void without_answers_the_job_is_dropped_in_time(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->options.heartbeat_ms = 60000; /* as if none came through */
    w->options.trust_ms = 400;
    w->f->segment.ms = 60000;
    crew_job(w, id);
    crew_start(w);
    crew_wait_event(w, "segment", '!', 1);
    crew_stop(w);
    assert_int_equal(crew_state_of(w, id, NULL), JOB_RUNNING); /* nothing was written */
    assert_int_equal(atomic_load(&w->delivering), 0);
    crew_assert_balance(w, CREDITS - PRICE, PRICE);
}

struct dead {
    struct crew *w;
    const char *worker;
    struct job job;
    char *story;
    char film[400];
    struct pipeline_result film_is;
};

static bool dead_claim(struct db_tx *tx, void *ctx, struct err *e)
{
    struct dead *d = ctx;
    return job_claim(tx, d->worker, &d->job, e);
}

static bool dead_delivering(struct db_tx *tx, void *ctx, struct err *e)
{
    struct dead *d = ctx;
    return job_save_story(tx, &d->job, d->worker, d->story, e) &&
           job_delivering(tx, &d->job, d->worker, d->film, d->film_is.duration_ms, d->film_is.bytes,
                          e);
}

/* A worker that made the film, perhaps even uploaded it, and died before it could say so. */
static void die_delivering(struct crew *w)
{
    struct dead d = {.w = w, .worker = "dead:1"};
    struct storyboard story = {0};
    struct err e = {0};
    crew_must(w, dead_claim, &d);
    assert_true(storyboard_from_json(d.job.story, strlen(d.job.story), &story, &e));
    snprintf(d.film, sizeof d.film, "%s/%s.mp4", w->out_dir, d.job.id);
    assert_true(fs_mkdirs(w->out_dir, 0755, &e));
    struct pipeline_run run = {
        .tools = &w->f->box, .topic = d.job.topic, .story = &story, .out_path = d.film};
    assert_true(pipeline_run(&run, &d.film_is, &e));
    assert_true(storyboard_to_json(&story, &d.story, &e));
    crew_must(w, dead_delivering, &d);
    storyboard_free(&story);
    free(d.story);
    job_free(&d.job);
}

static void a_finished_film_is_delivered_without_making_it_again(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    crew_job(w, id);
    die_delivering(w);
    assert_int_equal(crew_state_of(w, id, NULL), JOB_DELIVERING);
    take_back(w);
    fake_forget(w->f);
    crew_start(w);
    crew_due_now(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    assert_int_equal(fake_count(w->f, "join", '>'), 0);
    assert_int_equal(fake_count(w->f, "speak0", '>'), 0);
    assert_int_equal(fake_count(w->f, "check", '<'), 1);
    assert_int_equal(atomic_load(&w->delivered), 1);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void a_damaged_film_is_made_again(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    crew_job(w, id);
    die_delivering(w);
    take_back(w);
    fake_forget(w->f);
    w->f->check = (struct fake_step){.code = ERR_INTERNAL, .times = 1};
    crew_start(w);
    crew_due_now(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    assert_int_equal(fake_count(w->f, "join", '<'), 1);
    assert_int_equal(fake_count(w->f, "segment", '>'), 0); /* all in the cache */
    assert_int_equal(atomic_load(&w->delivered), 1);
}

/* --- shutdown --- */

static void a_drain_gives_the_job_back_at_once_and_keeps_the_try(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    int attempt;
    w->f->segment = (struct fake_step){.ms = 60000};
    crew_job(w, id);
    crew_start(w);
    crew_wait_event(w, "segment", '>', 1);
    int64_t begun = clock_mono_ms();
    crew_stop(w);
    assert_in_range(clock_mono_ms() - begun, 0, 2000);
    assert_int_equal(crew_state_of(w, id, &attempt), JOB_READY);
    assert_int_equal(atomic_load(&w->failed) + atomic_load(&w->delivered), 0);
    crew_assert_balance(w, CREDITS - PRICE, PRICE);
    /* Many restarts do not use the job up. */
    for (int i = 0; i < JOB_ATTEMPTS_MAX + 1; i++) {
        fake_forget(w->f);
        crew_start(w);
        crew_wait_event(w, "segment", '>', 1);
        crew_stop(w);
        assert_int_equal(crew_state_of(w, id, NULL), JOB_READY);
    }
    w->f->segment = (struct fake_step){0};
    crew_start(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void a_drain_stops_an_upload_and_the_next_start_repeats_it(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->deliver.ms = 60000;
    crew_job(w, id);
    crew_start(w);
    crew_wait_count(&w->delivering, 1);
    int64_t begun = clock_mono_ms();
    crew_stop(w);
    assert_in_range(clock_mono_ms() - begun, 0, 2000);
    assert_int_equal(crew_state_of(w, id, NULL), JOB_READY);
    fake_forget(w->f);
    w->deliver.ms = 0;
    crew_start(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    assert_int_equal(fake_count(w->f, "join", '>'), 0);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
}

/* --- bad weather --- */

static void broken_connections_do_not_stop_a_job(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->segment.ms = 300;
    w->f->speak[0].ms = 100;
    crew_job(w, id);
    crew_start(w);
    crew_wait_event(w, "speak0", '>', 1);
    for (int i = 0; i < 8; i++) {
        struct err e;
        fixture_db_sql(w->db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE datname = current_database() AND pid <> pg_backend_pid()");
        cancel_wait(NULL, 50);
        db_ping(w->db, &e);
    }
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(atomic_load(&w->failed), 0);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
}

/* --- janitor --- */

static void the_janitor_takes_back_jobs_of_dead_workers(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    struct janitor *janitor;
    struct err e;
    struct dead d = {.w = w, .worker = "dead:1"};
    struct janitor_options o = {.db = w->db,
                                .cache = w->f->box.cache,
                                .on_failed = w->options.calls.on_failed,
                                .ctx = w,
                                .rescue_ms = 100};
    crew_job(w, id);
    crew_must(w, dead_claim, &d);
    job_free(&d.job);
    crew_must(w, expire_body, "nobody");
    assert_true(janitor_start(&o, &janitor, &e));
    crew_wait_state(w, id, JOB_READY);
    janitor_stop(janitor);
}

static void the_janitor_ends_jobs_that_kill_their_workers(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    struct janitor *janitor;
    struct err e;
    struct janitor_options o = {
        .db = w->db, .on_failed = w->options.calls.on_failed, .ctx = w, .rescue_ms = 100};
    crew_job(w, id);
    for (int i = 0; i < JOB_ATTEMPTS_MAX; i++) {
        struct dead d = {.w = w, .worker = "dead:1"};
        fixture_db_sql(w->db, "UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'");
        crew_must(w, dead_claim, &d);
        assert_string_equal(d.job.id, id);
        job_free(&d.job);
        crew_must(w, expire_body, "nobody");
        if (i + 1 < JOB_ATTEMPTS_MAX)
            crew_must(w, rescue_body, w);
    }
    assert_true(janitor_start(&o, &janitor, &e));
    crew_wait_state(w, id, JOB_FAILED);
    janitor_stop(janitor);
    assert_int_equal(atomic_load(&w->failed), 1);
    crew_assert_balance(w, CREDITS, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, crew_setup, crew_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_lost_lease_publishes_nothing),
        CASE(without_answers_the_job_is_dropped_in_time),
        CASE(a_finished_film_is_delivered_without_making_it_again),
        CASE(a_damaged_film_is_made_again),
        CASE(a_drain_gives_the_job_back_at_once_and_keeps_the_try),
        CASE(a_drain_stops_an_upload_and_the_next_start_repeats_it),
        CASE(broken_connections_do_not_stop_a_job),
        CASE(the_janitor_takes_back_jobs_of_dead_workers),
        CASE(the_janitor_ends_jobs_that_kill_their_workers),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
