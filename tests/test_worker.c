/* Workers against a real database: each way a job can end, and that it ends once. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_ledger.h"
#include "core/job/worker_internal.h"
#include "tests/fixture_db.h"
#include "tests/fixture_tools.h"

enum { CREDITS = 10, PRICE = 3, REAL_PRICE = 2, PATIENCE_MS = 20000, BEAT_MS = 100 };

static const char topic[] = "The moon pulls the sea. The sea rises twice each day. Sailors know.";
enum { SCENES = 3 };

/* One program: workers, and the bot's side of them. */
struct world {
    struct db *db;
    struct fake_tools *f;
    struct workers *workers;
    struct worker_options options;
    char out_dir[FAKE_FOLDER_MAX + 8];
    char account[UUID_TEXT];
    int jobs; /* for dedupe keys */
    /* What deliver shall do. */
    struct fake_step deliver;
    bool card_is_gone;
    int64_t takes;      /* bytes; 0: any */
    bool never_content; /* each film is too large for it */
    /* What the bot was told. */
    atomic_int delivering, delivered, failed, cancelled, kept, done;
    atomic_int progress;
    atomic_int own_asked;
    int own_refused; /* which time its files cannot be had */
    pthread_mutex_t lock;
    char fail_key[64], last_ref[CHAT_REF_MAX];
};

static bool deliver(void *ctx, const struct job *job, const struct storyboard *story,
                    const struct chat_video *v, const struct cancel *cancel,
                    char ret_ref[static CHAT_REF_MAX], struct err *e)
{
    struct world *w = ctx;
    atomic_fetch_add(&w->delivering, 1);
    if (!fs_exists(v->path) || !fs_exists(v->poster) || story->scene_count != SCENES)
        return err_set(e, ERR_INTERNAL, "error.internal", "the film is not whole");
    if (w->card_is_gone && job->card_ref[0])
        return err_set(e, ERR_NOT_FOUND, "error.no_job", "card is gone");
    if ((w->takes > 0 && v->bytes > w->takes) || w->never_content) {
        char arg[24];
        snprintf(arg, sizeof arg, "%lld",
                 (long long)(w->never_content ? v->bytes * 9 / 10 : w->takes));
        return err_set_arg(e, ERR_LIMIT, "deliver.too_large", arg, "fake 413");
    }
    if (w->deliver.ms > 0 && cancel_wait(cancel, w->deliver.ms))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped");
    if (w->deliver.code != ERR_NONE && w->deliver.times != 0) {
        w->deliver.times -= w->deliver.times > 0;
        return err_set(e, w->deliver.code, "error.internal", "fake upload fails");
    }
    snprintf(ret_ref, CHAT_REF_MAX, "video of %s", job->id);
    pthread_mutex_lock(&w->lock);
    str_copy(w->last_ref, sizeof w->last_ref, job->card_ref);
    pthread_mutex_unlock(&w->lock);
    atomic_fetch_add(&w->delivered, 1);
    return true;
}

static int64_t price(void *ctx, const struct storyboard *story, int64_t duration_ms)
{
    (void)ctx, (void)story;
    assert_true(duration_ms > 0);
    return REAL_PRICE;
}

static bool on_failed(struct db_tx *tx, void *ctx, const struct job *job, struct err *e)
{
    struct world *w = ctx;
    (void)tx, (void)e;
    pthread_mutex_lock(&w->lock);
    str_copy(w->fail_key, sizeof w->fail_key, job->fail_key);
    pthread_mutex_unlock(&w->lock);
    atomic_fetch_add(job->state == JOB_CANCELLED ? &w->cancelled : &w->failed, 1);
    return true;
}

static bool on_kept(struct db_tx *tx, void *ctx, const struct job *job, struct err *e)
{
    struct world *w = ctx;
    (void)tx, (void)e;
    assert_int_equal(job->state, JOB_KEPT);
    pthread_mutex_lock(&w->lock);
    str_copy(w->fail_key, sizeof w->fail_key, job->fail_key);
    pthread_mutex_unlock(&w->lock);
    atomic_fetch_add(&w->kept, 1);
    return true;
}

static bool on_done(struct db_tx *tx, void *ctx, const struct job *job, const struct chat_video *v,
                    int64_t credits, struct err *e)
{
    struct world *w = ctx;
    (void)tx, (void)job, (void)v, (void)e;
    atomic_fetch_add(&w->done, credits == REAL_PRICE);
    return true;
}

static void on_progress(void *ctx, const struct job *job, const struct pipeline_progress *p)
{
    struct world *w = ctx;
    (void)job, (void)p;
    atomic_fetch_add(&w->progress, 1);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    log_init(getenv("TEST_LOG") ? LOG_DEBUG : LOG_OFF, false);
    w->f = fake_tools_open(2);
    w->db = fixture_db_fresh(6);
    pthread_mutex_init(&w->lock, NULL);
    snprintf(w->out_dir, sizeof w->out_dir, "%s/out", w->f->folder);
    fixture_db_account(w->db, "person", CREDITS, w->account);
    w->options = (struct worker_options){
        .db = w->db,
        .tools = &w->f->box,
        .name = "test:1",
        .out_dir = w->out_dir,
        .threads = 2,
        .calls = {.deliver = deliver,
                  .price = price,
                  .on_failed = on_failed,
                  .on_kept = on_kept,
                  .on_done = on_done,
                  .on_progress = on_progress,
                  .ctx = w},
        .heartbeat_ms = BEAT_MS,
        .card_wait_ms = 1,
        .poll_ms = 200,
    };
    *state = w;
    return 0;
}

static void stop(struct world *w)
{
    workers_stop(TAKE(w->workers));
}

static int teardown(void **state)
{
    struct world *w = *state;
    stop(w);
    fixture_db_done(&w->db);
    fake_tools_close(w->f);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

static void start(struct world *w)
{
    struct err e;
    if (!workers_start(&w->options, &w->workers, &e))
        fail_msg("workers_start: %s", e.detail);
}

/* --- jobs --- */

struct new_job {
    struct world *w;
    const char *account, *media;
    char key[32], id[UUID_TEXT];
    enum job_start started;
};

static bool new_job_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct new_job *n = ctx;
    struct storyboard story = {
        .settings = {.lang = "en", .seed = (uint64_t)n->w->jobs}
    };
    char *json AUTO(free_ptr) = NULL;
    if (!storyboard_to_json(&story, &json, e))
        return false;
    struct job spec = {
        .price = PRICE,
        .estimate_ms = 9000,
        .topic = (char *)topic,
        .story = json,
        .media = (char *)(uintptr_t)n->media,
        .lang = "en",
        .addr = {.network = "test", .chat = "1"}
    };
    str_copy(spec.account, sizeof spec.account, n->account);
    return job_quote(tx, &spec, n->key, n->id, e) && job_set_card(tx, n->id, "card 1", e) &&
           job_start(tx, n->id, &n->started, e);
}

static void must(struct world *w, db_body *body, void *ctx)
{
    struct err e = {0};
    if (!db_run(w->db, body, ctx, &e))
        fail_msg("%s: %s", e.user_key, e.detail);
}

static void new_job_of(struct world *w, const char *account, char ret_id[static UUID_TEXT])
{
    struct new_job n = {.w = w, .account = account};
    snprintf(n.key, sizeof n.key, "key %d", ++w->jobs);
    must(w, new_job_body, &n);
    assert_int_equal(n.started, JOB_STARTED);
    str_copy(ret_id, UUID_TEXT, n.id);
}

static void new_job(struct world *w, char ret_id[static UUID_TEXT])
{
    new_job_of(w, w->account, ret_id);
}

struct look {
    const char *id;
    struct job job;
};

static bool look_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct look *l = ctx;
    job_free(&l->job);
    return job_get(tx, l->id, &l->job, e);
}

static struct job look(struct world *w, const char *id)
{
    struct look l = {.id = id};
    must(w, look_body, &l);
    return l.job;
}

static enum job_state state_of(struct world *w, const char *id, int *ret_attempt)
{
    struct job j AUTO(job_free) = look(w, id);
    if (ret_attempt)
        *ret_attempt = j.attempt;
    return j.state;
}

static void wait_state(struct world *w, const char *id, enum job_state want)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    enum job_state now;
    while ((now = state_of(w, id, NULL)) != want) {
        if (clock_mono_ms() > until)
            fail_msg("the job is %s, not %s", job_state_name(now), job_state_name(want));
        cancel_wait(NULL, 10);
    }
}

static void wait_event(struct world *w, const char *what, char end, int count)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (fake_count(w->f, what, end) < count) {
        if (clock_mono_ms() > until)
            fail_msg("%s did not happen", what);
        cancel_wait(NULL, 5);
    }
}

static void wait_count(atomic_int *counter, int count)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (atomic_load(counter) < count) {
        if (clock_mono_ms() > until)
            fail_msg("a counter stays at %d", atomic_load(counter));
        cancel_wait(NULL, 5);
    }
}

static bool balance_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct world *w = ((void **)ctx)[0];
    return ledger_balance(tx, w->account, ((void **)ctx)[1], e);
}

static void assert_balance(struct world *w, int64_t available, int64_t held)
{
    struct balance b = {0};
    must(w, balance_body, (void *[]){w, &b});
    assert_int_equal(b.available, available);
    assert_int_equal(b.held, held);
    fixture_db_check(w->db);
}

/* Back-off over. */
static void due_now(struct world *w)
{
    fixture_db_sql(w->db, "UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'");
    workers_wake(w->workers);
}

/* --- good ends --- */

static void a_job_is_made_delivered_and_charged(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT], film[400];
    new_job(w, id);
    assert_balance(w, CREDITS - PRICE, PRICE);
    start(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_balance(w, CREDITS - REAL_PRICE, 0); /* the rest of the hold came back */
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(atomic_load(&w->done), 1);
    assert_int_equal(atomic_load(&w->failed), 0);
    assert_true(atomic_load(&w->progress) >= 2);
    assert_string_equal(w->last_ref, "card 1");
    snprintf(film, sizeof film, "%s/%s.mp4", w->out_dir, id);
    struct job j AUTO(job_free) = look(w, id);
    assert_string_equal(j.video_path, film);
    assert_int_equal(j.video_bytes, fs_size(film));
}

static void a_job_that_comes_later_is_noticed(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    start(w);
    new_job(w, id);
    wait_state(w, id, JOB_DONE);
}

static void jobs_of_two_people_run_at_once(void **state)
{
    struct world *w = *state;
    char other[UUID_TEXT], a[UUID_TEXT], b[UUID_TEXT];
    fixture_db_account(w->db, "other", CREDITS, other);
    w->f->write[0].ms = 500;
    new_job(w, a);
    new_job_of(w, other, b);
    start(w);
    wait_event(w, "write0", '>', 2);
    assert_int_equal(fake_count(w->f, "write0", '<'), 0);
    wait_state(w, a, JOB_DONE);
    wait_state(w, b, JOB_DONE);
}

static void a_second_job_of_one_person_waits_for_the_first(void **state)
{
    struct world *w = *state;
    char a[UUID_TEXT], b[UUID_TEXT];
    w->f->write[0].ms = 300;
    new_job(w, a);
    new_job(w, b);
    assert_int_equal(state_of(w, b, NULL), JOB_WAITING);
    start(w);
    wait_state(w, b, JOB_DONE);
    assert_int_equal(state_of(w, a, NULL), JOB_DONE);
    /* Never at the same time. */
    assert_true(fake_nth(w->f, "write0", '<', 0) < fake_nth(w->f, "write0", '>', 1));
    stop(w);
    assert_balance(w, CREDITS - 2 * REAL_PRICE, 0);
}

/* --- bad ends --- */

static void a_job_that_cannot_work_is_paid_back(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->segment = (struct fake_step){.code = ERR_UNSUPPORTED, .times = -1};
    new_job(w, id);
    start(w);
    wait_state(w, id, JOB_FAILED);
    stop(w);
    assert_balance(w, CREDITS, 0);
    assert_int_equal(atomic_load(&w->failed), 1);
    assert_string_equal(w->fail_key, "error.internal");
    assert_int_equal(atomic_load(&w->delivered), 0);
}

static void what_may_work_later_is_tried_again(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->sound = (struct fake_step){.code = ERR_RETRY, .times = 1};
    new_job(w, id);
    start(w);
    int attempt;
    wait_state(w, id, JOB_READY);
    while (state_of(w, id, &attempt) != JOB_READY || attempt == 0)
        cancel_wait(NULL, 10);
    int made = fake_count(w->f, "segment", '<');
    due_now(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_int_equal(fake_count(w->f, "segment", '<'), MAX(made, SCENES)); /* none twice */
    assert_balance(w, CREDITS - REAL_PRICE, 0);
    assert_int_equal(atomic_load(&w->failed), 0);
}

static void after_the_last_try_it_is_paid_back(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->sound = (struct fake_step){.code = ERR_RETRY, .times = -1};
    new_job(w, id);
    start(w);
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (state_of(w, id, NULL) != JOB_FAILED && clock_mono_ms() < until) {
        due_now(w);
        cancel_wait(NULL, 50);
    }
    wait_state(w, id, JOB_FAILED);
    stop(w);
    assert_int_equal(fake_count(w->f, "sound", '!'), JOB_ATTEMPTS_MAX);
    assert_int_equal(atomic_load(&w->failed), 1);
    assert_balance(w, CREDITS, 0);
}

static bool cancel_body(struct db_tx *tx, void *ctx, struct err *e)
{
    enum job_state now;
    return job_cancel(tx, ctx, &now, e);
}

static void cancel_stops_a_running_job_and_pays_back(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->segment.ms = 60000;
    new_job(w, id);
    start(w);
    wait_event(w, "segment", '>', 1);
    int64_t begun = clock_mono_ms();
    must(w, cancel_body, id);
    wait_state(w, id, JOB_CANCELLED);
    assert_in_range(clock_mono_ms() - begun, 0, 1500 + BEAT_MS);
    stop(w);
    assert_int_equal(atomic_load(&w->cancelled), 1);
    assert_int_equal(atomic_load(&w->delivered), 0);
    assert_int_equal(fake_files(w->out_dir, ""), 0);
    assert_balance(w, CREDITS, 0);
}

/* The heartbeat is too slow to see the wish; the step before delivery sees it. */
static void cancel_just_before_delivery_still_counts(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->options.heartbeat_ms = 60000;
    w->options.trust_ms = 60000;
    w->f->poster.ms = 500;
    new_job(w, id);
    start(w);
    wait_event(w, "poster", '>', 1);
    must(w, cancel_body, id);
    wait_state(w, id, JOB_CANCELLED);
    stop(w);
    assert_int_equal(atomic_load(&w->delivering), 0);
    assert_balance(w, CREDITS, 0);
}

/* --- delivery --- */

static void an_upload_that_fails_is_repeated_and_charged_once(void **state)
{
    static const enum err_code codes[] = {ERR_RETRY, ERR_CONFLICT};
    struct world *w = *state;
    start(w);
    for (size_t i = 0; i < COUNT(codes); i++) {
        char id[UUID_TEXT];
        w->deliver = (struct fake_step){.code = codes[i], .times = 1};
        new_job(w, id);
        wait_state(w, id, JOB_DONE);
    }
    stop(w);
    assert_int_equal(atomic_load(&w->delivering), 4);
    assert_int_equal(atomic_load(&w->delivered), 2);
    assert_int_equal(atomic_load(&w->done), 2);
    assert_balance(w, CREDITS - 2 * REAL_PRICE, 0);
}

static void an_upload_that_is_refused_is_paid_back(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->deliver = (struct fake_step){.code = ERR_LIMIT, .times = -1};
    new_job(w, id);
    start(w);
    wait_state(w, id, JOB_FAILED);
    stop(w);
    assert_int_equal(atomic_load(&w->delivering), 1);
    assert_int_equal(atomic_load(&w->failed), 1);
    assert_balance(w, CREDITS, 0);
}

/* --- films that nobody can be given --- */

struct wish {
    struct world *w;
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

static void keep_one(struct world *w, struct wish *wish)
{
    *wish = (struct wish){.w = w};
    w->deliver = (struct fake_step){.code = ERR_REFUSED, .times = -1};
    new_job(w, wish->id);
    start(w);
    wait_state(w, wish->id, JOB_KEPT);
    wait_count(&w->kept, 1);
    w->deliver = (struct fake_step){0};
}

static void a_film_that_nobody_can_be_given_is_kept_and_given_once(void **state)
{
    struct world *w = *state;
    struct wish wish;
    char film[400];
    keep_one(w, &wish);
    assert_balance(w, CREDITS - PRICE, PRICE); /* held: neither charged nor paid back */
    assert_string_equal(w->fail_key, "error.internal");
    assert_int_equal(atomic_load(&w->failed), 0);
    snprintf(film, sizeof film, "%s/%s.mp4", w->out_dir, wish.id);
    assert_true(fs_exists(film));
    must(w, offer_body, &wish);
    assert_int_equal(wish.offered, 1);
    must(w, offer_body, &wish);
    assert_int_equal(wish.offered, 0); /* not with every word */
    must(w, send_body, &wish);
    assert_int_equal(wish.started, JOB_STARTED);
    must(w, send_body, &wish); /* pressed twice */
    assert_int_equal(wish.started, JOB_STARTED_BEFORE);
    workers_wake(w->workers);
    wait_state(w, wish.id, JOB_DONE);
    must(w, send_body, &wish);
    assert_int_equal(wish.started, JOB_STARTED_BEFORE);
    stop(w);
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(fake_count(w->f, "segment", '>'), SCENES); /* the same film */
    assert_string_equal(w->last_ref, "");                       /* a message of its own */
    assert_balance(w, CREDITS - REAL_PRICE, 0);
    struct job j AUTO(job_free) = look(w, wish.id);
    assert_string_equal(j.addr.chat, "2");
}

static void a_kept_film_keeps_nobody_waiting(void **state)
{
    struct world *w = *state;
    struct wish wish;
    char next[UUID_TEXT];
    keep_one(w, &wish);
    new_job(w, next);
    workers_wake(w->workers);
    wait_state(w, next, JOB_DONE);
    assert_balance(w, CREDITS - PRICE - REAL_PRICE, PRICE);
    /* While another one is at work it waits for its turn. */
    w->f->write[0].ms = 500;
    new_job(w, next);
    must(w, send_body, &wish);
    assert_int_equal(state_of(w, wish.id, NULL), JOB_WAITING);
    wait_state(w, wish.id, JOB_DONE);
    stop(w);
    assert_balance(w, CREDITS - 3 * REAL_PRICE, 0);
}

static void a_kept_film_can_be_declined_or_forgotten(void **state)
{
    struct world *w = *state;
    struct wish wish;
    struct janitor *j;
    struct err e;
    keep_one(w, &wish);
    must(w, cancel_body, wish.id);
    assert_int_equal(state_of(w, wish.id, NULL), JOB_CANCELLED);
    assert_balance(w, CREDITS, 0);
    stop(w);
    atomic_store(&w->kept, 0);
    keep_one(w, &wish);
    fixture_db_sql(w->db, "update jobs set kept_until = clock_timestamp() where state = 'kept'");
    struct janitor_options o = {.db = w->db, .on_failed = on_failed, .ctx = w, .rescue_ms = 50};
    assert_true(janitor_start(&o, &j, &e));
    wait_state(w, wish.id, JOB_FAILED);
    janitor_stop(j);
    wait_count(&w->failed, 1);
    assert_string_equal(w->fail_key, "fail.kept_too_long");
    assert_balance(w, CREDITS, 0);
    assert_int_equal(atomic_load(&w->delivered), 0);
}

static void a_film_that_outlasts_its_tries_is_kept(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->deliver = (struct fake_step){.code = ERR_RETRY, .times = -1};
    w->options.keep_days = 3;
    new_job(w, id);
    fixture_db_sql(w->db, "update jobs set tries = 3");
    start(w);
    wait_state(w, id, JOB_KEPT);
    stop(w);
    assert_int_equal(atomic_load(&w->failed), 0);
    assert_balance(w, CREDITS - PRICE, PRICE);
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
    struct world *w = *state;
    struct wish wish = {.w = w, .key = "again 1"};
    new_job(w, wish.id);
    start(w);
    wait_state(w, wish.id, JOB_DONE);
    must(w, resend_body, &wish);
    assert_int_equal(wish.started, JOB_STARTED);
    workers_wake(w->workers);
    wait_state(w, wish.again, JOB_DONE);
    assert_int_equal(atomic_load(&w->delivered), 2);
    assert_int_equal(fake_count(w->f, "join", '>'), 1);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
    /* It is no film of its own in the history, and when nobody can be reached it just ends. */
    w->deliver = (struct fake_step){.code = ERR_REFUSED, .times = -1};
    wish.key = "again 2";
    must(w, resend_body, &wish);
    workers_wake(w->workers);
    wait_state(w, wish.again, JOB_FAILED);
    stop(w);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
    assert_int_equal(atomic_load(&w->kept), 0);
}

/* --- files that nobody names --- */

static void put_old(struct world *w, const char *name, int days)
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
    struct world *w = ctx;
    return account_forget(tx, w->account, 30, NULL, NULL, e);
}

static void files_without_a_row_are_swept_and_no_others(void **state)
{
    struct world *w = *state;
    char other[UUID_TEXT], id[UUID_TEXT], kept[UUID_TEXT];
    struct wish wish;
    fixture_db_account(w->db, "other", CREDITS, other);
    keep_one(w, &wish);
    str_copy(kept, sizeof kept, wish.id);
    new_job_of(w, other, id);
    workers_wake(w->workers);
    wait_state(w, id, JOB_DONE);
    stop(w);
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
    must(w, forget_body, w);
    assert_balance(w, CREDITS, 0);
    put_old(w, waiting, 2);
    sweep_films(w->db, w->out_dir, &never);
    assert_int_equal(fake_files(w->out_dir, kept), 0);
}

static void a_film_refused_for_its_size_is_fitted_and_charged_once(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->film_bytes = 50000;
    w->takes = 20000;
    new_job(w, id);
    start(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_int_equal(atomic_load(&w->delivering), 2);
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(fake_count(w->f, "segment", '>'), SCENES); /* nothing is composed again */
    assert_int_equal(fake_count(w->f, "fit", '<'), 1);
    struct job j AUTO(job_free) = look(w, id);
    assert_int_equal(j.video_bytes, 20000);
    assert_int_equal(j.attempt, 1);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void a_chat_that_is_never_content_gets_no_film_and_pays_nothing(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->film_bytes = 50000;
    w->never_content = true;
    new_job(w, id);
    start(w);
    wait_state(w, id, JOB_FAILED);
    stop(w);
    assert_in_range(atomic_load(&w->delivering), 2, 10);
    assert_int_equal(atomic_load(&w->delivered), 0);
    assert_string_equal(w->fail_key, "deliver.too_large");
    assert_balance(w, CREDITS, 0);
}

static void without_its_card_the_film_is_a_message_of_its_own(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->card_is_gone = true;
    new_job(w, id);
    start(w);
    wait_state(w, id, JOB_DONE);
    assert_string_equal(w->last_ref, "");
    assert_int_equal(atomic_load(&w->delivered), 1);
}

static void uploads_are_too_late_to_cancel(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    struct err e = {0};
    w->deliver.ms = 600;
    new_job(w, id);
    start(w);
    wait_count(&w->delivering, 1);
    assert_false(db_run(w->db, cancel_body, id, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    wait_state(w, id, JOB_DONE);
}

/* --- ownership --- */

static bool expire_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return job_expire_leases(tx, ctx, e);
}

static bool rescue_body(struct db_tx *tx, void *ctx, struct err *e)
{
    int count;
    return job_rescue(tx, on_failed, ctx, &count, e);
}

/* The worker of the job at hand is taken for dead. */
static void take_back(struct world *w)
{
    must(w, expire_body, "nobody");
    must(w, rescue_body, w);
}

static void a_lost_lease_publishes_nothing(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->segment.ms = 60000;
    new_job(w, id);
    start(w);
    wait_event(w, "segment", '>', 1);
    take_back(w);
    wait_event(w, "segment", '!', 1); /* the heartbeat noticed */
    stop(w);
    assert_int_equal(atomic_load(&w->delivering), 0);
    assert_int_equal(atomic_load(&w->failed), 0);
    assert_int_equal(fake_files(w->out_dir, ""), 0);
    assert_balance(w, CREDITS - PRICE, PRICE);
    w->f->segment.ms = 0;
    start(w);
    due_now(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void without_answers_the_job_is_dropped_in_time(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->options.heartbeat_ms = 60000; /* as if none came through */
    w->options.trust_ms = 400;
    w->f->segment.ms = 60000;
    new_job(w, id);
    start(w);
    wait_event(w, "segment", '!', 1);
    stop(w);
    assert_int_equal(state_of(w, id, NULL), JOB_RUNNING); /* nothing was written */
    assert_int_equal(atomic_load(&w->delivering), 0);
    assert_balance(w, CREDITS - PRICE, PRICE);
}

struct dead {
    struct world *w;
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
static void die_delivering(struct world *w)
{
    struct dead d = {.w = w, .worker = "dead:1"};
    struct storyboard story = {0};
    struct err e = {0};
    must(w, dead_claim, &d);
    assert_true(storyboard_from_json(d.job.story, strlen(d.job.story), &story, &e));
    snprintf(d.film, sizeof d.film, "%s/%s.mp4", w->out_dir, d.job.id);
    assert_true(fs_mkdirs(w->out_dir, 0755, &e));
    struct pipeline_run run = {
        .tools = &w->f->box, .topic = d.job.topic, .story = &story, .out_path = d.film};
    assert_true(pipeline_run(&run, &d.film_is, &e));
    assert_true(storyboard_to_json(&story, &d.story, &e));
    must(w, dead_delivering, &d);
    storyboard_free(&story);
    free(d.story);
    job_free(&d.job);
}

static void a_finished_film_is_delivered_without_making_it_again(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    new_job(w, id);
    die_delivering(w);
    assert_int_equal(state_of(w, id, NULL), JOB_DELIVERING);
    take_back(w);
    fake_forget(w->f);
    start(w);
    due_now(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_int_equal(fake_count(w->f, "join", '>'), 0);
    assert_int_equal(fake_count(w->f, "speak0", '>'), 0);
    assert_int_equal(fake_count(w->f, "check", '<'), 1);
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void a_damaged_film_is_made_again(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    new_job(w, id);
    die_delivering(w);
    take_back(w);
    fake_forget(w->f);
    w->f->check = (struct fake_step){.code = ERR_INTERNAL, .times = 1};
    start(w);
    due_now(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_int_equal(fake_count(w->f, "join", '<'), 1);
    assert_int_equal(fake_count(w->f, "segment", '>'), 0); /* all in the cache */
    assert_int_equal(atomic_load(&w->delivered), 1);
}

/* --- shutdown --- */

static void a_drain_gives_the_job_back_at_once_and_keeps_the_try(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    int attempt;
    w->f->segment = (struct fake_step){.ms = 60000};
    new_job(w, id);
    start(w);
    wait_event(w, "segment", '>', 1);
    int64_t begun = clock_mono_ms();
    stop(w);
    assert_in_range(clock_mono_ms() - begun, 0, 2000);
    assert_int_equal(state_of(w, id, &attempt), JOB_READY);
    assert_int_equal(atomic_load(&w->failed) + atomic_load(&w->delivered), 0);
    assert_balance(w, CREDITS - PRICE, PRICE);
    /* Many restarts do not use the job up. */
    for (int i = 0; i < JOB_ATTEMPTS_MAX + 1; i++) {
        fake_forget(w->f);
        start(w);
        wait_event(w, "segment", '>', 1);
        stop(w);
        assert_int_equal(state_of(w, id, NULL), JOB_READY);
    }
    w->f->segment = (struct fake_step){0};
    start(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
}

static void a_drain_stops_an_upload_and_the_next_start_repeats_it(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->deliver.ms = 60000;
    new_job(w, id);
    start(w);
    wait_count(&w->delivering, 1);
    int64_t begun = clock_mono_ms();
    stop(w);
    assert_in_range(clock_mono_ms() - begun, 0, 2000);
    assert_int_equal(state_of(w, id, NULL), JOB_READY);
    fake_forget(w->f);
    w->deliver.ms = 0;
    start(w);
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_int_equal(fake_count(w->f, "join", '>'), 0);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
}

/* --- bad weather --- */

static void broken_connections_do_not_stop_a_job(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    w->f->segment.ms = 300;
    w->f->speak[0].ms = 100;
    new_job(w, id);
    start(w);
    wait_event(w, "speak0", '>', 1);
    for (int i = 0; i < 8; i++) {
        struct err e;
        fixture_db_sql(w->db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE datname = current_database() AND pid <> pg_backend_pid()");
        cancel_wait(NULL, 50);
        db_ping(w->db, &e);
    }
    wait_state(w, id, JOB_DONE);
    stop(w);
    assert_int_equal(atomic_load(&w->delivered), 1);
    assert_int_equal(atomic_load(&w->failed), 0);
    assert_balance(w, CREDITS - REAL_PRICE, 0);
}

/* --- files that came with the words --- */

static bool own_search(void *self, const struct footage_query *q, struct footage *hits, size_t max,
                       size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    (void)self, (void)q, (void)hits, (void)max, (void)cancel, (void)e;
    *ret_count = 0;
    return true;
}

static void own_nothing(void *self)
{
    (void)self;
}

/* The chat has given two files; scenes show others. */
static bool own_footage(void *ctx, const struct job *job, const char *folder,
                        struct footage_source *ret, struct err *e)
{
    static const struct footage_source_ops ops = {
        .name = FOOTAGE_OWN, .search = own_search, .destroy = own_nothing};
    struct world *w = ctx;
    AUTO(free_ptr) char *file = str_printf("%s/one", folder);
    assert_string_equal(job->media, "p:one\nv:two");
    if (atomic_fetch_add(&w->own_asked, 1) == w->own_refused)
        return err_set(e, ERR_UNSUPPORTED, "chat.file_gone", "test");
    assert_true(fs_mkdirs(folder, 0700, e) && fs_write(file, "x", 1, e));
    *ret = (struct footage_source){.ops = &ops};
    return true;
}

static int own_lost(struct world *w, const char *id)
{
    struct job j AUTO(job_free) = look(w, id);
    AUTO(storyboard_free) struct storyboard story = {0};
    struct err e;
    assert_true(storyboard_from_json(j.story, strlen(j.story), &story, &e));
    return story.own_lost;
}

static void files_that_came_with_a_job_go_with_it(void **state)
{
    struct world *w = *state;
    char ids[3][UUID_TEXT];
    AUTO(free_ptr) char *folder = str_printf("%s/" WORKER_OWN_FOLDER, w->out_dir);
    w->options.calls.own_footage = own_footage;
    w->options.threads = 1;
    w->own_refused = 1; /* the second time */
    for (int i = 0; i < 3; i++) {
        struct new_job n = {.w = w, .account = w->account, .media = "p:one\nv:two"};
        snprintf(n.key, sizeof n.key, "own %d", i);
        must(w, new_job_body, &n);
        str_copy(ids[i], UUID_TEXT, n.id);
    }
    w->f->join = (struct fake_step){.code = ERR_INPUT, .times = -1, .at = 3};
    start(w);
    wait_state(w, ids[0], JOB_DONE);
    wait_state(w, ids[1], JOB_DONE);
    wait_state(w, ids[2], JOB_FAILED);
    stop(w);
    assert_int_equal(atomic_load(&w->own_asked), 3);
    assert_int_equal(own_lost(w, ids[0]), 0);
    assert_int_equal(own_lost(w, ids[1]), 2); /* made without them, and it is said */
    assert_int_equal(fake_files(folder, "one"), 0);
}

static void what_a_killed_worker_left_of_them_is_swept(void **state)
{
    struct world *w = *state;
    struct janitor *janitor;
    struct err e;
    struct timespec old[2] = {{0}};
    AUTO(free_ptr) char *folder = str_printf("%s/" WORKER_OWN_FOLDER, w->out_dir);
    AUTO(free_ptr) char *gone = str_printf("%s/gone/1", folder);
    AUTO(free_ptr) char *fresh = str_printf("%s/fresh/1", folder);
    AUTO(free_ptr) char *file = str_printf("%s/picture", gone);
    struct janitor_options o = {
        .db = w->db, .on_failed = on_failed, .ctx = w, .out_dir = w->out_dir};
    assert_true(fs_mkdirs(gone, 0700, &e) && fs_mkdirs(fresh, 0700, &e));
    assert_true(fs_write(file, "x", 1, &e));
    clock_gettime(CLOCK_REALTIME, &old[0]);
    old[0].tv_sec -= 25 * 3600;
    old[1] = old[0];
    gone[strlen(gone) - 2] = '\0';
    assert_int_equal(utimensat(AT_FDCWD, gone, old, 0), 0);
    assert_true(janitor_start(&o, &janitor, &e));
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; fs_exists(file) && clock_mono_ms() < until;)
        usleep(20000);
    janitor_stop(janitor);
    assert_false(fs_exists(gone));
    assert_true(fs_exists(fresh));
}

/* --- janitor --- */

static void the_janitor_takes_back_jobs_of_dead_workers(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    struct janitor *janitor;
    struct err e;
    struct dead d = {.w = w, .worker = "dead:1"};
    struct janitor_options o = {
        .db = w->db, .cache = w->f->box.cache, .on_failed = on_failed, .ctx = w, .rescue_ms = 100};
    new_job(w, id);
    must(w, dead_claim, &d);
    job_free(&d.job);
    must(w, expire_body, "nobody");
    assert_true(janitor_start(&o, &janitor, &e));
    wait_state(w, id, JOB_READY);
    janitor_stop(janitor);
}

static void the_janitor_ends_jobs_that_kill_their_workers(void **state)
{
    struct world *w = *state;
    char id[UUID_TEXT];
    struct janitor *janitor;
    struct err e;
    struct janitor_options o = {.db = w->db, .on_failed = on_failed, .ctx = w, .rescue_ms = 100};
    new_job(w, id);
    for (int i = 0; i < JOB_ATTEMPTS_MAX; i++) {
        struct dead d = {.w = w, .worker = "dead:1"};
        fixture_db_sql(w->db, "UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'");
        must(w, dead_claim, &d);
        assert_string_equal(d.job.id, id);
        job_free(&d.job);
        must(w, expire_body, "nobody");
        if (i + 1 < JOB_ATTEMPTS_MAX)
            must(w, rescue_body, w);
    }
    assert_true(janitor_start(&o, &janitor, &e));
    wait_state(w, id, JOB_FAILED);
    janitor_stop(janitor);
    assert_int_equal(atomic_load(&w->failed), 1);
    assert_balance(w, CREDITS, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
        CASE(a_film_that_nobody_can_be_given_is_kept_and_given_once),
        CASE(a_kept_film_keeps_nobody_waiting),
        CASE(a_kept_film_can_be_declined_or_forgotten),
        CASE(a_film_that_outlasts_its_tries_is_kept),
        CASE(a_film_is_sent_again_for_nothing),
        CASE(files_without_a_row_are_swept_and_no_others),
        CASE(a_film_refused_for_its_size_is_fitted_and_charged_once),
        CASE(a_chat_that_is_never_content_gets_no_film_and_pays_nothing),
        CASE(without_its_card_the_film_is_a_message_of_its_own),
        CASE(uploads_are_too_late_to_cancel),
        CASE(a_lost_lease_publishes_nothing),
        CASE(without_answers_the_job_is_dropped_in_time),
        CASE(a_finished_film_is_delivered_without_making_it_again),
        CASE(a_damaged_film_is_made_again),
        CASE(a_drain_gives_the_job_back_at_once_and_keeps_the_try),
        CASE(a_drain_stops_an_upload_and_the_next_start_repeats_it),
        CASE(broken_connections_do_not_stop_a_job),
        CASE(files_that_came_with_a_job_go_with_it),
        CASE(what_a_killed_worker_left_of_them_is_swept),
        CASE(the_janitor_takes_back_jobs_of_dead_workers),
        CASE(the_janitor_ends_jobs_that_kill_their_workers),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
