#include "tests/job_act.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_ledger.h"

static bool quote(struct db_tx *tx, struct job_act *s, struct err *e)
{
    struct job spec = {.price = s->number, .lang = "en"};
    str_copy(spec.account, sizeof(spec.account), s->account);
    str_copy(spec.addr.network, sizeof(spec.addr.network), "test");
    return job_quote(tx, &spec, s->key, s->id, e);
}

/* What the outside would see of a delivery: nothing here forbids a second one. */
static bool done_with_effect(struct db_tx *tx, struct job_act *s, struct err *e)
{
    const char *params[] = {s->job.id};
    return db_exec(tx, "insert into effects values ($1)", params, 1, NULL, e) &&
           job_done(tx, &s->job, s->worker, "m", s->number, "t", e);
}

bool job_act_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct job_act *s = ctx;
    struct balance b;
    bool asked;
    switch (s->verb) {
    case QUOTE:
        return quote(tx, s, e);
    case START:
        return job_start(tx, s->id, &s->started, e);
    case CANCEL:
        return job_cancel(tx, s->id, &s->state, e);
    case CLAIM:
        job_free(&s->job);
        return job_claim(tx, s->worker, &s->job, e);
    case BEAT:
        return job_heartbeat(tx, &s->job, s->worker, "write", 1, &asked, e);
    case DELIVERING:
        return job_delivering(tx, &s->job, s->worker, "/x", 1, 1, e);
    case DONE:
        return done_with_effect(tx, s, e);
    case FAIL:
        return job_fail(tx, &s->job, s->worker, s->job.cancel_asked, "fail.x", "", e);
    case RETRY:
    case KEEP:
        return job_retry(tx, &s->job, s->worker, s->verb == KEEP, 0, "fail.x", "", &s->answer, e);
    case RESCUE:
        return job_rescue(tx, NULL, NULL, &s->rescued, e);
    case BALANCE:
        if (!ledger_balance(tx, s->account, &b, e))
            return false;
        s->number = b.available;
        return true;
    }
    return false;
}

enum err_code job_act_run(struct db *db, struct job_act *s)
{
    struct err e = {0};
    if (db_run(db, job_act_body, s, &e))
        return ERR_NONE;
    if (e.code == ERR_INTERNAL)
        fail_msg("step %d: %s", (int)s->verb, e.detail);
    return e.code;
}
