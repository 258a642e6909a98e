#include "tests/ledger_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "tests/fixture_db.h"

bool ledger_call_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ledger_call *c = ctx;
    switch (c->verb) {
    case GRANT:
        return ledger_grant(tx, c->key, c->account, c->credits, "test", "because", &c->result, e);
    case HOLD:
        return ledger_hold(tx, c->job, c->account, c->credits, &c->result, e);
    case CAPTURE:
        return ledger_capture(tx, c->job, c->credits, &c->result, e);
    case RELEASE:
        return ledger_release(tx, c->job, &c->result, e);
    case BALANCE:
        return ledger_balance(tx, c->account, &c->balance, e);
    case HISTORY:
        return ledger_history(tx, c->account, c->lines, COUNT(c->lines), &c->line_count, e);
    }
    return false;
}

enum ledger_result ledger_call_run(struct db *db, struct ledger_call *c)
{
    struct err e = {0};
    if (!db_run(db, ledger_call_body, c, &e))
        fail_msg("ledger: %s", e.detail);
    return c->result;
}

enum err_code ledger_call_refused(struct db *db, struct ledger_call c)
{
    struct err e = {0};
    return db_run(db, ledger_call_body, &c, &e) ? ERR_NONE : e.code;
}

void ledger_expect(struct db *db, const char *account, int64_t available, int64_t held)
{
    struct ledger_call c = {.verb = BALANCE, .account = account};
    ledger_call_run(db, &c);
    assert_int_equal(c.balance.available, available);
    assert_int_equal(c.balance.held, held);
}

/* A job that is in work, without the job store: these tests are about the ledger only. */
void ledger_bare_job(struct db *db, const char *account, int64_t price, char ret_id[UUID_TEXT])
{
    uuid_make(ret_id);
    AUTO(free_ptr)
    char *sql = str_printf("insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms,"
                           " topic, story, lang, network, addr, fair_at, started_at) values ('%s',"
                           " '%s', sha256('%s'), 'ready', %d, 1, '', '', 'en', 'test', '', now(),"
                           " now())",
                           ret_id, account, ret_id, (int)price);
    fixture_db_sql(db, sql);
}

void ledger_end_job(struct db *db, const char *job, int charged)
{
    AUTO(free_ptr)
    char *sql = str_printf("with d as (insert into deliveries(job_id, state, attempt, path,"
                           " duration_ms, bytes) select '%s', 'delivered', 1, '', 1, 1"
                           " where %d > 0 returning 1) update jobs set charged = %d, state ="
                           " case when %d > 0 then 'done' else 'failed' end, ended_at = now()"
                           " where id = '%s'",
                           job, charged, charged, charged, job);
    fixture_db_sql(db, sql);
}
