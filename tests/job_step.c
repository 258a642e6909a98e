#include "tests/job_step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

static bool on_failed(struct db_tx *tx, void *ctx, const struct job *j, struct err *e)
{
    struct job_step *s = ctx;
    (void)tx;
    if (j->state != JOB_FAILED || !*j->fail_key)
        return err_set(e, ERR_INTERNAL, "error.internal", "told of a job that did not fail");
    s->told++;
    return true;
}

static bool run_quote(struct db_tx *tx, struct job_step *s, struct err *e)
{
    struct job spec = {
        .price = s->number,
        .estimate_ms = 60000,
        .topic = (char *)(uintptr_t) "tides",
        .story = (char *)(uintptr_t) "{}",
        .lang = "en",
        .addr = {.network = "test", .chat = "c1"}
    };
    str_copy(spec.account, sizeof(spec.account), s->account);
    return job_quote(tx, &spec, s->text, s->id, e);
}

static bool run_worker(struct db_tx *tx, struct job_step *s, struct err *e)
{
    const struct job *j = &s->job;
    switch (s->verb) {
    case BEAT:
        return job_heartbeat(tx, j, s->worker, "speak", 40, &s->answer, e);
    case SAVE:
        return job_save_story(tx, j, s->worker, s->text, e);
    case DELIVERING:
        return job_delivering(tx, j, s->worker, "/films/x.mp4", 61000, 12345, e);
    case DONE:
        return job_done(tx, j, s->worker, "msg 1", s->number, "Tides", e);
    case FAIL:
        return job_fail(tx, j, s->worker, s->flag, s->text, "the reason", e);
    default:
        return job_retry(tx, j, s->worker, s->flag, s->delay_ms, "fail.voice", "espeak", &s->answer,
                         e);
    }
}

static bool run_read(struct db_tx *tx, struct job_step *s, struct err *e)
{
    struct balance b;
    switch (s->verb) {
    case GET:
        return job_get(tx, s->id, &s->job, e);
    case FIND:
        return job_find(tx, s->account, s->text, &s->job, e);
    case LIST:
        return job_list(tx, s->account, s->flag, 10, &s->list, &s->count, e);
    case COUNT_LIVE:
        return job_count_live(tx, s->text, &s->number, e);
    default:
        if (!ledger_balance(tx, s->account, &b, e))
            return false;
        s->number = b.available;
        return true;
    }
}

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct job_step *s = ctx;
    switch (s->verb) {
    case QUOTE:
        return run_quote(tx, s, e);
    case REQUOTE:
        return job_requote(tx, s->id, s->text, s->number, 30000, e);
    case START:
        return job_start(tx, s->id, &s->started, e);
    case CANCEL:
        return job_cancel(tx, s->id, &s->state, e);
    case CLAIM:
        job_free(&s->job);
        return job_claim(tx, s->worker, &s->job, e);
    case RESCUE:
        s->told = 0;
        return job_rescue(tx, on_failed, s, &s->rescued, e);
    case EXPIRE:
        return job_expire_leases(tx, s->worker, e);
    case MOVE:
        return job_move(tx, s->id, s->from, s->to, e);
    case GET:
    case FIND:
    case LIST:
    case BALANCE:
    case COUNT_LIVE:
        return run_read(tx, s, e);
    default:
        return run_worker(tx, s, e);
    }
}

void job_step_run(struct db *db, struct job_step *s)
{
    struct err e = {0};
    if (!db_run(db, step_body, s, &e))
        fail_msg("step %d: %s (%s)", (int)s->verb, e.detail, e.user_key);
}

/* The user key of the refusal, "" when it was not refused. */
const char *job_step_refused(struct db *db, struct job_step *s)
{
    struct err e = {0};
    return db_run(db, step_body, s, &e) ? "" : e.user_key;
}

enum job_start job_step_start(struct db *db, const char *account, int64_t price, const char *key,
                              char ret_id[UUID_TEXT])
{
    struct job_step s = {.verb = QUOTE, .account = account, .number = price, .text = key};
    job_step_run(db, &s);
    memcpy(ret_id, s.id, UUID_TEXT);
    s.verb = START;
    job_step_run(db, &s);
    return s.started;
}

enum job_state job_step_state(struct db *db, const char *id)
{
    struct job_step s = {.verb = GET};
    memcpy(s.id, id, UUID_TEXT);
    job_step_run(db, &s);
    enum job_state state = s.job.state;
    job_free(&s.job);
    return state;
}

int64_t job_step_available(struct db *db, const char *account)
{
    struct job_step s = {.verb = BALANCE, .account = account};
    job_step_run(db, &s);
    return s.number;
}
