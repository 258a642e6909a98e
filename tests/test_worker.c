/* Workers against a real database: each way a job can end, and that it ends once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/db/store_account.h"
#include "tests/fixture_db.h"
#include "tests/worker_crew.h"

/* --- good ends --- */

static void a_job_is_made_delivered_and_charged(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT], film[400];
    crew_job(w, id);
    crew_assert_balance(w, CREDITS - PRICE, PRICE);
    crew_start(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0); /* the rest of the hold came back */
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(atomic_load(&w->done), 1);
    assert_int_equal(atomic_load(&w->failed), 0);
    assert_true(atomic_load(&w->progress) >= 2);
    assert_string_equal(w->last_ref, "card 1");
    snprintf(film, sizeof film, "%s/%s.mp4", w->out_dir, id);
    struct job j AUTO(job_free) = crew_look(w, id);
    assert_string_equal(j.video_path, film);
    assert_int_equal(j.video_bytes, fs_size(film));
}

static void a_job_that_comes_later_is_noticed(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    crew_start(w);
    crew_job(w, id);
    crew_wait_state(w, id, JOB_DONE);
}

static void jobs_of_two_people_run_at_once(void **state)
{
    struct crew *w = *state;
    char other[UUID_TEXT], a[UUID_TEXT], b[UUID_TEXT];
    fixture_db_account(w->db, "other", CREDITS, other);
    w->f->write[0].ms = 500;
    crew_job(w, a);
    crew_job_of(w, other, b);
    crew_start(w);
    crew_wait_event(w, "write0", '>', 2);
    assert_int_equal(fake_count(w->f, "write0", '<'), 0);
    crew_wait_state(w, a, JOB_DONE);
    crew_wait_state(w, b, JOB_DONE);
}

static void a_second_job_of_one_person_waits_for_the_first(void **state)
{
    struct crew *w = *state;
    char a[UUID_TEXT], b[UUID_TEXT];
    w->f->write[0].ms = 300;
    crew_job(w, a);
    crew_job(w, b);
    assert_int_equal(crew_state_of(w, b, NULL), JOB_WAITING);
    crew_start(w);
    crew_wait_state(w, b, JOB_DONE);
    assert_int_equal(crew_state_of(w, a, NULL), JOB_DONE);
    /* Never at the same time. */
    assert_true(fake_nth(w->f, "write0", '<', 0) < fake_nth(w->f, "write0", '>', 1));
    crew_stop(w);
    crew_assert_balance(w, CREDITS - 2 * REAL_PRICE, 0);
}

/* --- bad ends --- */

static void a_job_that_cannot_work_is_paid_back(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->segment = (struct fake_step){.code = ERR_UNSUPPORTED, .times = -1};
    crew_job(w, id);
    crew_start(w);
    crew_wait_state(w, id, JOB_FAILED);
    crew_stop(w);
    crew_assert_balance(w, CREDITS, 0);
    assert_int_equal(atomic_load(&w->failed), 1);
    assert_string_equal(w->fail_key, "error.internal");
    assert_int_equal(atomic_load(&w->delivered), 0);
}

static void what_may_work_later_is_tried_again(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->sound = (struct fake_step){.code = ERR_RETRY, .times = 1};
    crew_job(w, id);
    crew_start(w);
    int attempt;
    crew_wait_state(w, id, JOB_READY);
    while (crew_state_of(w, id, &attempt) != JOB_READY || attempt == 0)
        cancel_wait(NULL, 10);
    int made = fake_count(w->f, "segment", '<');
    crew_due_now(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    assert_int_equal(fake_count(w->f, "segment", '<'), MAX(made, SCENES)); /* none twice */
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
    assert_int_equal(atomic_load(&w->failed), 0);
}

static void after_the_last_try_it_is_paid_back(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->sound = (struct fake_step){.code = ERR_RETRY, .times = -1};
    crew_job(w, id);
    crew_start(w);
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (crew_state_of(w, id, NULL) != JOB_FAILED && clock_mono_ms() < until) {
        crew_due_now(w);
        cancel_wait(NULL, 50);
    }
    crew_wait_state(w, id, JOB_FAILED);
    crew_stop(w);
    assert_int_equal(fake_count(w->f, "sound", '!'), JOB_ATTEMPTS_MAX);
    assert_int_equal(atomic_load(&w->failed), 1);
    crew_assert_balance(w, CREDITS, 0);
}

static void cancel_stops_a_running_job_and_pays_back(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->segment.ms = 60000;
    crew_job(w, id);
    crew_start(w);
    crew_wait_event(w, "segment", '>', 1);
    int64_t begun = clock_mono_ms();
    crew_must(w, crew_cancel_body, id);
    crew_wait_state(w, id, JOB_CANCELLED);
    assert_in_range(clock_mono_ms() - begun, 0, 1500 + BEAT_MS);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->cancelled), 1);
    assert_int_equal(atomic_load(&w->delivered), 0);
    assert_int_equal(fake_files(w->out_dir, ""), 0);
    crew_assert_balance(w, CREDITS, 0);
}

/* The heartbeat is too slow to see the wish; the step before delivery sees it. */
static void cancel_just_before_delivery_still_counts(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->options.heartbeat_ms = 60000;
    w->options.trust_ms = 60000;
    w->f->poster.ms = 500;
    crew_job(w, id);
    crew_start(w);
    crew_wait_event(w, "poster", '>', 1);
    crew_must(w, crew_cancel_body, id);
    crew_wait_state(w, id, JOB_CANCELLED);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->delivering), 0);
    crew_assert_balance(w, CREDITS, 0);
}

/* --- delivery --- */

static void an_upload_that_fails_is_repeated_and_charged_once(void **state)
{
    static const enum err_code codes[] = {ERR_RETRY, ERR_CONFLICT};
    struct crew *w = *state;
    crew_start(w);
    for (size_t i = 0; i < COUNT(codes); i++) {
        char id[UUID_TEXT];
        w->deliver = (struct fake_step){.code = codes[i], .times = 1};
        crew_job(w, id);
        crew_wait_state(w, id, JOB_DONE);
    }
    crew_stop(w);
    assert_int_equal(atomic_load(&w->delivering), 4);
    assert_int_equal(atomic_load(&w->delivered), 2);
    assert_int_equal(atomic_load(&w->done), 2);
    crew_assert_balance(w, CREDITS - 2 * REAL_PRICE, 0);
}

static void an_upload_that_is_refused_is_paid_back(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->deliver = (struct fake_step){.code = ERR_LIMIT, .times = -1};
    crew_job(w, id);
    crew_start(w);
    crew_wait_state(w, id, JOB_FAILED);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->delivering), 1);
    assert_int_equal(atomic_load(&w->failed), 1);
    crew_assert_balance(w, CREDITS, 0);
}

/* --- what a chat does with a film --- */

static void a_film_refused_for_its_size_is_fitted_and_charged_once(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->film_bytes = 50000;
    w->takes = 20000;
    crew_job(w, id);
    crew_start(w);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->delivering), 2);
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(fake_count(w->f, "segment", '>'), SCENES); /* nothing is composed again */
    assert_int_equal(fake_count(w->f, "fit", '<'), 1);
    struct job j AUTO(job_free) = crew_look(w, id);
    assert_int_equal(j.video_bytes, 20000);
    assert_int_equal(j.attempt, 1);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void a_chat_that_is_never_content_gets_no_film_and_pays_nothing(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->f->film_bytes = 50000;
    w->never_content = true;
    crew_job(w, id);
    crew_start(w);
    crew_wait_state(w, id, JOB_FAILED);
    crew_stop(w);
    assert_in_range(atomic_load(&w->delivering), 2, 10);
    assert_int_equal(atomic_load(&w->delivered), 0);
    assert_string_equal(w->fail_key, "deliver.too_large");
    crew_assert_balance(w, CREDITS, 0);
}

static void without_its_card_the_film_is_a_message_of_its_own(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->card_is_gone = true;
    crew_job(w, id);
    crew_start(w);
    crew_wait_state(w, id, JOB_DONE);
    assert_string_equal(w->last_ref, "");
    assert_int_equal(atomic_load(&w->delivered), 1);
}

static void uploads_are_too_late_to_cancel(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    struct err e = {0};
    w->deliver.ms = 600;
    crew_job(w, id);
    crew_start(w);
    crew_wait_count(&w->delivering, 1);
    assert_false(db_run(w->db, crew_cancel_body, id, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    crew_wait_state(w, id, JOB_DONE);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, crew_setup, crew_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_job_is_made_delivered_and_charged),
        CASE(a_job_that_comes_later_is_noticed),
        CASE(jobs_of_two_people_run_at_once),
        CASE(a_second_job_of_one_person_waits_for_the_first),
        CASE(a_job_that_cannot_work_is_paid_back),
        CASE(what_may_work_later_is_tried_again),
        CASE(after_the_last_try_it_is_paid_back),
        CASE(cancel_stops_a_running_job_and_pays_back),
        CASE(cancel_just_before_delivery_still_counts),
        CASE(an_upload_that_fails_is_repeated_and_charged_once),
        CASE(an_upload_that_is_refused_is_paid_back),
        CASE(a_film_refused_for_its_size_is_fitted_and_charged_once),
        CASE(a_chat_that_is_never_content_gets_no_film_and_pays_nothing),
        CASE(without_its_card_the_film_is_a_message_of_its_own),
        CASE(uploads_are_too_late_to_cancel),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
