/* Films that could not be given to anybody wait for their person; given ones are sent again; those that
   no row names any more are swept. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"
#include "tests/worker_crew.h"

struct wish {
    struct crew *w;
    char id[UUID_TEXT], again[UUID_TEXT];
    enum job_start started;
    size_t offered;
    const char *key;
};

static const struct chat_addr elsewhere = {.network = "test", .chat = "2"};

static bool send_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct wish *wish = ctx;
    struct job j AUTO(job_free) = {0};
    return job_get(tx, wish->id, &j, e) &&
           job_send_kept(tx, wish->id, &elsewhere, j.story, &wish->started, e);
}

static bool offer_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct wish *wish = ctx;
    struct job *list = NULL;
    if (!job_offer_kept(tx, wish->w->account, "test", 5, &list, &wish->offered, e))
        return false;
    for (size_t i = 0; i < wish->offered; i++) {
        assert_string_equal(list[i].id, wish->id);
        job_free(&list[i]);
    }
    free(list);
    return true;
}

static void keep_one(struct crew *w, struct wish *wish)
{
    *wish = (struct wish){.w = w};
    w->deliver = (struct fake_step){.code = ERR_REFUSED, .times = -1};
    crew_job(w, wish->id);
    crew_start(w);
    crew_wait_state(w, wish->id, JOB_KEPT);
    crew_wait_count(&w->kept, 1);
    w->deliver = (struct fake_step){0};
}

static void a_film_that_nobody_can_be_given_is_kept_and_given_once(void **state)
{
    struct crew *w = *state;
    struct wish wish;
    char film[400];
    keep_one(w, &wish);
    crew_assert_balance(w, CREDITS - PRICE, PRICE); /* held: neither charged nor paid back */
    assert_string_equal(w->fail_key, "error.internal");
    assert_int_equal(atomic_load(&w->failed), 0);
    snprintf(film, sizeof film, "%s/%s.mp4", w->out_dir, wish.id);
    assert_true(fs_exists(film));
    crew_must(w, offer_body, &wish);
    assert_int_equal(wish.offered, 1);
    crew_must(w, offer_body, &wish);
    assert_int_equal(wish.offered, 0); /* not with every word */
    AUTO(free_ptr) char *lane = str_printf("update jobs set lane = null where id = '%s'", wish.id);
    fixture_db_sql(w->db, lane);
    crew_must(w, send_body, &wish);
    assert_int_equal(wish.started, JOB_STARTED);
    /* It counts where it is shown, not where it was ordered. */
    assert_int_equal(fixture_db_number(w->db, "select count(*) from jobs where lane is null"), 0);
    crew_must(w, send_body, &wish); /* pressed twice */
    assert_int_equal(wish.started, JOB_STARTED_BEFORE);
    workers_wake(w->workers);
    crew_wait_state(w, wish.id, JOB_DONE);
    crew_must(w, send_body, &wish);
    assert_int_equal(wish.started, JOB_STARTED_BEFORE);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(fake_count(w->f, "segment", '>'), SCENES); /* the same film */
    assert_string_equal(w->last_ref, "");                       /* a message of its own */
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
    struct job j AUTO(job_free) = crew_look(w, wish.id);
    assert_string_equal(j.addr.chat, "2");
}

static void a_kept_film_keeps_nobody_waiting(void **state)
{
    struct crew *w = *state;
    struct wish wish;
    char next[UUID_TEXT];
    keep_one(w, &wish);
    crew_job(w, next);
    workers_wake(w->workers);
    crew_wait_state(w, next, JOB_DONE);
    crew_assert_balance(w, CREDITS - PRICE - REAL_PRICE, PRICE);
    /* While another one is at work it waits for its turn. */
    w->f->write[0].ms = 500;
    crew_job(w, next);
    crew_must(w, send_body, &wish);
    assert_int_equal(crew_state_of(w, wish.id, NULL), JOB_WAITING);
    crew_wait_state(w, wish.id, JOB_DONE);
    crew_stop(w);
    crew_assert_balance(w, CREDITS - 3 * REAL_PRICE, 0);
}

static void a_kept_film_can_be_declined_or_forgotten(void **state)
{
    struct crew *w = *state;
    struct wish wish;
    struct janitor *j;
    struct err e;
    keep_one(w, &wish);
    crew_must(w, crew_cancel_body, wish.id);
    assert_int_equal(crew_state_of(w, wish.id, NULL), JOB_CANCELLED);
    crew_assert_balance(w, CREDITS, 0);
    crew_stop(w);
    atomic_store(&w->kept, 0);
    keep_one(w, &wish);
    fixture_db_sql(w->db, "update jobs set kept_until = clock_timestamp() where state = 'kept'");
    struct janitor_options o = {
        .db = w->db, .on_failed = w->options.calls.on_failed, .ctx = w, .rescue_ms = 50};
    assert_true(janitor_start(&o, &j, &e));
    crew_wait_state(w, wish.id, JOB_FAILED);
    janitor_stop(j);
    crew_wait_count(&w->failed, 1);
    assert_string_equal(w->fail_key, "fail.kept_too_long");
    crew_assert_balance(w, CREDITS, 0);
    assert_int_equal(atomic_load(&w->delivered), 0);
}

static void a_film_that_outlasts_its_tries_is_kept(void **state)
{
    struct crew *w = *state;
    char id[UUID_TEXT];
    w->deliver = (struct fake_step){.code = ERR_RETRY, .times = -1};
    w->options.keep_days = 3;
    crew_job(w, id);
    fixture_db_sql(w->db, "update jobs set tries = 3");
    crew_start(w);
    crew_wait_state(w, id, JOB_KEPT);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->failed), 0);
    crew_assert_balance(w, CREDITS - PRICE, PRICE);
    assert_int_equal(fixture_db_number(w->db, "select (kept_until - clock_timestamp() between"
                                              " interval '71 hours' and interval '72 hours')::int"
                                              " from jobs"),
                     1);
}

static bool resend_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct wish *wish = ctx;
    struct job done AUTO(job_free) = {0};
    if (!job_get(tx, wish->id, &done, e))
        return false;
    struct job spec = {.estimate_ms = done.estimate_ms, .topic = done.topic, .story = done.story};
    spec.addr = elsewhere;
    str_copy(spec.account, sizeof spec.account, done.account);
    str_copy(spec.lang, sizeof spec.lang, "en");
    return job_resend(tx, &spec, &done, wish->key, &wish->started, wish->again, e);
}

static void a_film_is_sent_again_for_nothing(void **state)
{
    struct crew *w = *state;
    struct wish wish = {.w = w, .key = "again 1"};
    crew_job(w, wish.id);
    crew_start(w);
    crew_wait_state(w, wish.id, JOB_DONE);
    crew_must(w, resend_body, &wish);
    assert_int_equal(wish.started, JOB_STARTED);
    workers_wake(w->workers);
    crew_wait_state(w, wish.again, JOB_DONE);
    assert_int_equal(atomic_load(&w->delivered), 2);
    assert_int_equal(fake_count(w->f, "join", '>'), 1);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
    /* It is no film of its own in the history, and when nobody can be reached it just ends. */
    w->deliver = (struct fake_step){.code = ERR_REFUSED, .times = -1};
    wish.key = "again 2";
    crew_must(w, resend_body, &wish);
    workers_wake(w->workers);
    crew_wait_state(w, wish.again, JOB_FAILED);
    crew_stop(w);
    crew_assert_balance(w, CREDITS - REAL_PRICE, 0);
    assert_int_equal(atomic_load(&w->kept), 0);
}

/* --- files that nobody names --- */

static void put_old(struct crew *w, const char *name, int days)
{
    AUTO(free_ptr) char *path = str_printf("%s/%s", w->out_dir, name);
    struct err e;
    struct timespec at[2];
    clock_gettime(CLOCK_REALTIME, &at[0]);
    at[0].tv_sec -= days * 86400L;
    at[1] = at[0];
    if (!fs_exists(path))
        assert_true(fs_write(path, "x", 1, &e));
    assert_int_equal(utimensat(AT_FDCWD, path, at, 0), 0);
}

static bool forget_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct crew *w = ctx;
    return account_forget(tx, w->account, 30, NULL, NULL, e);
}

static void files_without_a_row_are_swept_and_no_others(void **state)
{
    struct crew *w = *state;
    char other[UUID_TEXT], id[UUID_TEXT], kept[UUID_TEXT];
    struct wish wish;
    fixture_db_account(w->db, "other", CREDITS, other);
    keep_one(w, &wish);
    str_copy(kept, sizeof kept, wish.id);
    crew_job_of(w, other, id);
    workers_wake(w->workers);
    crew_wait_state(w, id, JOB_DONE);
    crew_stop(w);
    AUTO(free_ptr) char *film = str_printf("%s.mp4", id);
    AUTO(free_ptr) char *poster = str_printf("%s.jpg", id);
    AUTO(free_ptr) char *thumb = str_printf("%s.jpg.thumb", id);
    AUTO(free_ptr) char *waiting = str_printf("%s.mp4", kept);
    static const char foreign[] = "01234567-89ab-4def-8123-456789abcdef.mp4";
    const char *names[] = {film, poster, thumb, waiting, foreign, "holiday.mp4"};
    for (size_t i = 0; i < COUNT(names); i++)
        put_old(w, names[i], 2);
    struct cancel never;
    cancel_init(&never, NULL);
    sweep_films(w->db, w->out_dir, &never);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(fake_files(w->out_dir, names[i]), i == 1 ? 2 : 1);
    /* Forgotten, and killed before the files were removed. */
    fixture_db_sql(w->db, "update videos set path = ''");
    put_old(w, poster, 0); /* one fresh file saves nothing */
    sweep_films(w->db, w->out_dir, &never);
    assert_int_equal(fake_files(w->out_dir, id), 0);
    assert_int_equal(fake_files(w->out_dir, waiting), 1);
    assert_int_equal(fake_files(w->out_dir, foreign), 1);
    assert_int_equal(fake_files(w->out_dir, "holiday"), 1);
    /* Whoever is forgotten leaves no kept film behind, and gets the credits back. */
    crew_must(w, forget_body, w);
    crew_assert_balance(w, CREDITS, 0);
    put_old(w, waiting, 2);
    sweep_films(w->db, w->out_dir, &never);
    assert_int_equal(fake_files(w->out_dir, kept), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, crew_setup, crew_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_film_that_nobody_can_be_given_is_kept_and_given_once),
        CASE(a_kept_film_keeps_nobody_waiting),
        CASE(a_kept_film_can_be_declined_or_forgotten),
        CASE(a_film_that_outlasts_its_tries_is_kept),
        CASE(a_film_is_sent_again_for_nothing),
        CASE(files_without_a_row_are_swept_and_no_others),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
