#include "core/db/store_job.h"

#include <assert.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_admin.h"
#include "core/db/store_group.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_ledger.h"
#include "core/db/store_util.h"

enum { FAIR_STEP_SECONDS = 60 };

/* --- the steps that all moves share --- */

bool job_move(struct db_tx *tx, const char *id, enum job_state from, enum job_state to,
              struct err *e)
{
    if (!job_state_may_become(from, to))
        return err_set(e, ERR_INTERNAL, "error.internal", "job %s: %s may not become %s", id,
                       job_state_name(from), job_state_name(to));
    const char *params[] = {id, job_state_name(from), job_state_name(to)};
    int64_t rows;
    if (!exec_change(tx,
                     "update jobs set state = $3,"
                     " kept_until = case when $3 = 'kept' then 'infinity'::timestamptz end,"
                     " ended_at = case when $3 in"
                     " ('done', 'failed', 'cancelled') then clock_timestamp() end"
                     " where id = $1 and state = $2",
                     params, 3, &rows, e))
        return false;
    return rows == 1 ||
           err_set(e, ERR_INTERNAL, "error.internal", "job %s is not %s", id, job_state_name(from));
}

static bool read_head(struct db_tx *tx, const char *sql, const char *id, struct job_head *ret,
                      struct err *e)
{
    const char *params[] = {id};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!uuid_valid(id))
        return err_set(e, ERR_NOT_FOUND, "error.no_job", "not an id");
    if (!db_exec(tx, sql, params, 1, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return err_set(e, ERR_NOT_FOUND, "error.no_job", "no job %s", id);
    if (!job_state_parse(row_text(rows, 0, 1), &ret->state))
        return err_set(e, ERR_INTERNAL, "error.internal", "job state %s", row_text(rows, 0, 1));
    str_copy(ret->account, sizeof(ret->account), row_text(rows, 0, 0));
    str_copy(ret->worker, sizeof(ret->worker), row_text(rows, 0, 2));
    ret->attempt = (int)db_int(rows, 0, 3);
    ret->tries = (int)db_int(rows, 0, 4);
    ret->price = db_int(rows, 0, 5);
    ret->cancel_asked = db_bool(rows, 0, 6);
    str_copy(ret->payer, sizeof(ret->payer), row_text(rows, 0, 7));
    return true;
}

#define HEAD                                                                       \
    "select user_id, state, worker, attempt, tries, price, cancel_at is not null," \
    " coalesce(payer_id, user_id) from jobs where id = $1"

bool job_peek(struct db_tx *tx, const char *id, struct job_head *ret, struct err *e)
{
    return read_head(tx, HEAD, id, ret, e);
}

bool job_lock(struct db_tx *tx, const char *id, struct job_head *ret, struct err *e)
{
    return read_head(tx, HEAD " for update", id, ret, e);
}

/* The payer of a quote changes only under the lock of its person's wallet: when it did so between
   the first look and the locks, the whole step is tried again. */
bool job_lock_paid(struct db_tx *tx, const char *id, struct job_head *ret,
                   struct wallet *ret_wallet, struct err *e)
{
    struct job_head seen = {0};
    if (!job_peek(tx, id, &seen, e))
        return false;
    const char *params[] = {seen.account, seen.payer};
    if (!db_exec(tx, "select 1 from wallets where user_id in ($1, $2) order by user_id for update",
                 params, 2, NULL, e) ||
        !wallet_lock(tx, seen.account, ret_wallet, e) || !job_lock(tx, id, ret, e))
        return false;
    return strcmp(seen.payer, ret->payer) == 0 ||
           err_set(e, ERR_RETRY, "error.database", "job %s got another payer", id);
}

bool job_promote(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select id from jobs where user_id = $1 and state = 'waiting'"
                 " order by fair_at, id limit 1 for update",
                 params, 1, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return db_exec(tx, "update wallets set active = active - 1 where user_id = $1", params, 1,
                       NULL, e);
    const char *next[] = {row_text(rows, 0, 0)};
    return job_move(tx, next[0], JOB_WAITING, JOB_READY, e) &&
           db_exec(tx, "update jobs set run_at = clock_timestamp() where id = $1", next, 1, NULL,
                   e);
}

bool job_end_unpaid(struct db_tx *tx, const char *id, const struct job_head *h, enum job_state to,
                    const char *fail_key, const char *fail_arg, struct err *e)
{
    enum ledger_result r;
    const char *params[] = {id, fail_key ? fail_key : "", fail_arg ? fail_arg : ""};
    if (!job_move(tx, id, h->state, to, e) ||
        !db_exec(tx, "update jobs set fail_key = $2, fail_arg = $3 where id = $1", params, 3, NULL,
                 e) ||
        !ledger_release(tx, id, &r, e))
        return false;
    DB_CRASH(tx, "job_end");
    /* Waiting and kept jobs were not counted as active, and their going makes no room. */
    return h->state == JOB_WAITING || h->state == JOB_KEPT || job_promote(tx, h->account, e);
}

/* --- quotes --- */

static bool known_quote(struct db_tx *tx, const char *account, const char *dedupe,
                        char ret_id[static UUID_TEXT], bool *ret_found, struct err *e)
{
    const char *params[] = {account, dedupe};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select id from jobs where user_id = $1 and dedupe_key = $2 and state in"
                 " ('quoted', 'waiting', 'ready', 'running', 'delivering')",
                 params, 2, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    if (*ret_found)
        str_copy(ret_id, UUID_TEXT, row_text(rows, 0, 0));
    return true;
}

/* Nobody can pile up quotes: the oldest go, never the one that was just made. */
static bool trim_quotes(struct db_tx *tx, const char *account, const char *made, struct err *e)
{
    struct num others = num_make(JOB_QUOTES_MAX - 1);
    const char *params[] = {account, others.text, made};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select id from jobs where id in (select id from jobs where user_id = $1 and"
                 " state = 'quoted' and id <> $3 order by created_at desc, id desc offset $2)"
                 " and state = 'quoted' and not " JOB_IN_CHECK " for update skip locked",
                 params, 3, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        if (!job_move(tx, row_text(rows, i, 0), JOB_QUOTED, JOB_CANCELLED, e))
            return false;
    return true;
}

static bool insert_quote(struct db_tx *tx, const struct job *spec, const char *dedupe,
                         const char *id, bool *ret_made, struct err *e)
{
    struct num price = num_make(spec->price), estimate = num_make(spec->estimate_ms);
    AUTO(free_ptr) char *addr = seal_addr(&spec->addr);
    AUTO(free_ptr) char *media = seal_lines(spec->media);
    AUTO(free_ptr) char *card = seal_ref(spec->card_ref);
    char lane[SEAL_MAC_TEXT];
    seal_lane(spec->addr.network, spec->addr.chat, lane);
    const char *params[] = {id,
                            spec->account,
                            dedupe,
                            price.text,
                            estimate.text,
                            spec->topic ? spec->topic : "",
                            spec->story ? spec->story : "",
                            spec->lang,
                            spec->addr.network,
                            addr,
                            card,
                            media,
                            lane};
    int64_t rows;
    if (!exec_change(tx,
                     "insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic,"
                     " story, lang, network, addr, card_ref, media, lane)"
                     " values ($1, $2, $3, 'quoted', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
                     " on conflict (user_id, dedupe_key) where state in ('quoted', 'waiting',"
                     " 'ready', 'running', 'delivering') do nothing",
                     params, COUNT(params), &rows, e))
        return false;
    *ret_made = rows == 1;
    return true;
}

bool job_quote(struct db_tx *tx, const struct job *spec, const char *dedupe_key,
               char ret_id[static UUID_TEXT], struct err *e)
{
    char dedupe[SEAL_MAC_TEXT], id[UUID_TEXT];
    seal_mac(SEAL_EVENT, dedupe_key, dedupe);
    if (!uuid_valid(spec->account))
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "not an id");
    for (int i = 0; i < 3; i++) {
        bool found, made;
        uuid_make(id);
        if (!known_quote(tx, spec->account, dedupe, ret_id, &found, e))
            return false;
        if (found)
            return true;
        if (!insert_quote(tx, spec, dedupe, id, &made, e))
            return false;
        if (made) {
            str_copy(ret_id, UUID_TEXT, id);
            DB_CRASH(tx, "job_quote");
            return trim_quotes(tx, spec->account, id, e);
        }
    }
    return err_set(e, ERR_RETRY, "error.database", "a quote comes and goes");
}

bool job_requote(struct db_tx *tx, const char *id, const char *story, int64_t price,
                 int64_t estimate_ms, struct err *e)
{
    struct num cost = num_make(price), estimate = num_make(estimate_ms);
    const char *params[] = {id, story, cost.text, estimate.text};
    int64_t rows;
    if (!uuid_valid(id))
        return err_set(e, ERR_NOT_FOUND, "error.no_job", "not an id");
    if (!exec_change(tx,
                     "update jobs set story = $2, price = $3, estimate_ms = $4"
                     " where id = $1 and state = 'quoted'",
                     params, 4, &rows, e))
        return false;
    return rows == 1 || err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is not quoted", id);
}

bool job_set_payer(struct db_tx *tx, const char *id, const char *group, struct err *e)
{
    struct job_head h = {0};
    struct wallet w;
    const char *params[] = {id, group}, *await[] = {id};
    if (!job_peek(tx, id, &h, e) || !wallet_lock(tx, h.account, &w, e) || !job_lock(tx, id, &h, e))
        return false;
    if (h.state != JOB_QUOTED)
        return err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is not quoted", id);
    DB_CRASH(tx, "job_set_payer");
    /* A payment to their own account must not start what the group is asked to pay. */
    return db_exec(tx, "update jobs set payer_id = $2 where id = $1", params, 2, NULL, e) &&
           (!group || db_exec(tx, "delete from awaiting where job_id = $1", await, 1, NULL, e));
}

bool job_set_card(struct db_tx *tx, const char *id, const char *card_ref, struct err *e)
{
    AUTO(free_ptr) char *card = seal_ref(card_ref);
    const char *params[] = {id, card};
    return db_exec(tx, "update jobs set card_ref = $2 where id = $1", params, 2, NULL, e);
}

/* --- start --- */

bool job_count_waiting(struct db_tx *tx, const char *account, int64_t *ret, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select count(*) from jobs where user_id = $1 and state = 'waiting'", params,
                 1, &rows, e))
        return false;
    *ret = db_int(rows, 0, 0);
    return true;
}

/* Its place in the common queue: a person's next video stands a minute behind the last one, so
   that many videos of one do not keep others waiting. */
bool job_enter_queue(struct db_tx *tx, const char *id, const char *account, enum job_state from,
                     bool is_ready, struct err *e)
{
    struct num step = num_make(FAIR_STEP_SECONDS), more = num_make(is_ready ? 1 : 0);
    const char *wallet[] = {account, step.text, more.text};
    const char *job[] = {id, account};
    return db_exec(tx,
                   "update wallets set active = active + $3, fair_tag = greatest("
                   " clock_timestamp(), fair_tag + make_interval(secs => $2::int))"
                   " where user_id = $1",
                   wallet, 3, NULL, e) &&
           db_exec(tx,
                   "update jobs set fair_at = (select fair_tag from wallets where user_id = $2),"
                   " run_at = clock_timestamp(), started_at = clock_timestamp() where id = $1",
                   job, 2, NULL, e) &&
           job_move(tx, id, from, is_ready ? JOB_READY : JOB_WAITING, e) &&
           db_exec(tx, "select pg_notify('nanotik_jobs', '')", NULL, 0, NULL, e);
}

/* Asked with the group's wallet locked: of two orders the second one sees the first one's hold. */
static bool group_agrees(struct db_tx *tx, const struct job_head *h, bool *ret, struct err *e)
{
    struct group g;
    if (!group_look(tx, h->payer, h->account, &g, e))
        return false;
    *ret = group_may_use(&g) >= h->price;
    return true;
}

static bool start_quoted(struct db_tx *tx, const char *id, const struct job_head *h,
                         const struct wallet *w, enum job_start *ret, struct err *e)
{
    bool may = true, closed = false;
    bool is_ready = w->active < JOB_RUNNING_MAX;
    int64_t waiting = 0;
    if (!is_ready && !job_count_waiting(tx, h->account, &waiting, e))
        return false;
    *ret = JOB_QUEUE_FULL;
    if (waiting >= JOB_WAITING_MAX)
        return true;
    *ret = JOB_CLOSED;
    if (h->price > 0 && !ledger_closed(tx, &closed, e))
        return false;
    if (closed)
        return true;
    enum ledger_result held = LEDGER_DONE;
    bool by_group = strcmp(h->payer, h->account) != 0;
    *ret = JOB_GROUP_CANNOT;
    if (by_group && !group_agrees(tx, h, &may, e))
        return false;
    if (!may)
        return true;
    if (h->price > 0 && !ledger_hold(tx, id, h->payer, h->price, &held, e))
        return false;
    *ret = by_group ? JOB_GROUP_CANNOT : JOB_NO_CREDITS;
    if (held == LEDGER_SHORT)
        return true;
    *ret = JOB_STARTED;
    DB_CRASH(tx, "job_start");
    return job_enter_queue(tx, id, h->account, JOB_QUOTED, is_ready, e);
}

bool job_begin(struct db_tx *tx, const char *id, bool may, enum job_start *ret, struct err *e)
{
    struct job_head h = {0};
    struct wallet w;
    if (!job_lock_paid(tx, id, &h, &w, e))
        return false;
    if (h.state == JOB_CANCELLED)
        return err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is cancelled", id);
    if (h.state == JOB_QUOTED && may)
        return start_quoted(tx, id, &h, &w, ret, e);
    *ret = h.state == JOB_QUOTED ? JOB_STOPPED : JOB_STARTED_BEFORE;
    return true;
}

bool job_start(struct db_tx *tx, const char *id, enum job_start *ret, struct err *e)
{
    bool stopped = false;
    return orders_stopped(tx, &stopped, e) && job_begin(tx, id, !stopped, ret, e);
}

/* --- cancel --- */

bool job_cancel(struct db_tx *tx, const char *id, enum job_state *ret_state, struct err *e)
{
    struct job_head h = {0};
    struct wallet w;
    const char *params[] = {id};
    if (!job_lock_paid(tx, id, &h, &w, e))
        return false;
    *ret_state = h.state;
    switch (h.state) {
    case JOB_QUOTED:
        *ret_state = JOB_CANCELLED;
        return job_move(tx, id, JOB_QUOTED, JOB_CANCELLED, e);
    case JOB_WAITING:
    case JOB_READY:
    case JOB_KEPT:
        *ret_state = JOB_CANCELLED;
        return job_end_unpaid(tx, id, &h, JOB_CANCELLED, NULL, NULL, e);
    case JOB_RUNNING:
        return db_exec(tx,
                       "update jobs set cancel_at = coalesce(cancel_at, clock_timestamp())"
                       " where id = $1",
                       params, 1, NULL, e);
    default:
        return err_set(e, ERR_CONFLICT, "cancel.too_late", "job %s is %s", id,
                       job_state_name(h.state));
    }
}
