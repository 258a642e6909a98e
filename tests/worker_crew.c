#include "tests/worker_crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

const char crew_topic[] = "The moon pulls the sea. The sea rises twice each day. Sailors know.";

static bool deliver(void *ctx, const struct job *job, const struct storyboard *story,
                    const struct chat_video *v, const struct cancel *cancel,
                    char ret_ref[static CHAT_REF_MAX], struct err *e)
{
    struct crew *w = ctx;
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
    struct crew *w = ctx;
    (void)tx, (void)e;
    pthread_mutex_lock(&w->lock);
    str_copy(w->fail_key, sizeof w->fail_key, job->fail_key);
    pthread_mutex_unlock(&w->lock);
    atomic_fetch_add(job->state == JOB_CANCELLED ? &w->cancelled : &w->failed, 1);
    return true;
}

static bool on_kept(struct db_tx *tx, void *ctx, const struct job *job, struct err *e)
{
    struct crew *w = ctx;
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
    struct crew *w = ctx;
    (void)tx, (void)job, (void)v, (void)e;
    atomic_fetch_add(&w->done, credits == REAL_PRICE);
    return true;
}

static void on_progress(void *ctx, const struct job *job, const struct pipeline_progress *p)
{
    struct crew *w = ctx;
    (void)job, (void)p;
    atomic_fetch_add(&w->progress, 1);
}

int crew_setup(void **state)
{
    struct crew *w = calloc(1, sizeof *w);
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

void crew_stop(struct crew *w)
{
    workers_stop(TAKE(w->workers));
}

int crew_teardown(void **state)
{
    struct crew *w = *state;
    crew_stop(w);
    fixture_db_done(&w->db);
    fake_tools_close(w->f);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

void crew_start(struct crew *w)
{
    struct err e;
    if (!workers_start(&w->options, &w->workers, &e))
        fail_msg("workers_start: %s", e.detail);
}

/* --- jobs --- */

bool crew_job_body(struct db_tx *tx, void *ctx, struct err *e)
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
        .topic = (char *)crew_topic,
        .story = json,
        .media = (char *)(uintptr_t)n->media,
        .lang = "en",
        .addr = {.network = "test", .chat = "1"}
    };
    str_copy(spec.account, sizeof spec.account, n->account);
    return job_quote(tx, &spec, n->key, n->id, e) && job_set_card(tx, n->id, "card 1", e) &&
           job_start(tx, n->id, &n->started, e);
}

void crew_must(struct crew *w, db_body *body, void *ctx)
{
    struct err e = {0};
    if (!db_run(w->db, body, ctx, &e))
        fail_msg("%s: %s", e.user_key, e.detail);
}

void crew_job_of(struct crew *w, const char *account, char ret_id[static UUID_TEXT])
{
    struct new_job n = {.w = w, .account = account};
    snprintf(n.key, sizeof n.key, "key %d", ++w->jobs);
    crew_must(w, crew_job_body, &n);
    assert_int_equal(n.started, JOB_STARTED);
    str_copy(ret_id, UUID_TEXT, n.id);
}

void crew_job(struct crew *w, char ret_id[static UUID_TEXT])
{
    crew_job_of(w, w->account, ret_id);
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

struct job crew_look(struct crew *w, const char *id)
{
    struct look l = {.id = id};
    crew_must(w, look_body, &l);
    return l.job;
}

enum job_state crew_state_of(struct crew *w, const char *id, int *ret_attempt)
{
    struct job j AUTO(job_free) = crew_look(w, id);
    if (ret_attempt)
        *ret_attempt = j.attempt;
    return j.state;
}

void crew_wait_state(struct crew *w, const char *id, enum job_state want)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    enum job_state now;
    while ((now = crew_state_of(w, id, NULL)) != want) {
        if (clock_mono_ms() > until)
            fail_msg("the job is %s, not %s", job_state_name(now), job_state_name(want));
        cancel_wait(NULL, 10);
    }
}

void crew_wait_event(struct crew *w, const char *what, char end, int count)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (fake_count(w->f, what, end) < count) {
        if (clock_mono_ms() > until)
            fail_msg("%s did not happen", what);
        cancel_wait(NULL, 5);
    }
}

void crew_wait_count(atomic_int *counter, int count)
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
    struct crew *w = ((void **)ctx)[0];
    return ledger_balance(tx, w->account, ((void **)ctx)[1], e);
}

void crew_assert_balance(struct crew *w, int64_t available, int64_t held)
{
    struct balance b = {0};
    crew_must(w, balance_body, (void *[]){w, &b});
    assert_int_equal(b.available, available);
    assert_int_equal(b.held, held);
    fixture_db_check(w->db);
}

bool crew_cancel_body(struct db_tx *tx, void *ctx, struct err *e)
{
    enum job_state now;
    return job_cancel(tx, ctx, &now, e);
}

/* Back-off over. */
void crew_due_now(struct crew *w)
{
    fixture_db_sql(w->db, "UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'");
    workers_wake(w->workers);
}
