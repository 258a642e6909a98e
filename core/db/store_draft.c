#include "core/db/store_draft.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_util.h"

enum { SWEEP_ROWS = 200 };

#define FENCE " job_id = $1 and turn = $2::int and worker = $3 and state = 'writing'"

/* --- orders --- */

static bool count_drafts(struct db_tx *tx, const char *account, const char *job, int64_t *ret_open,
                         int64_t *ret_today, bool *ret_in_work, struct err *e)
{
    const char *params[] = {account, job};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select count(*) filter (where d.state in ('wanted', 'writing')"
                 "   and j.state = 'quoted'),"
                 " coalesce(sum(d.written), 0),"
                 " bool_or(d.job_id = $2 and d.state in ('wanted', 'writing'))"
                 " from drafts d join jobs j on j.id = d.job_id where d.user_id = $1"
                 " and d.created_at > clock_timestamp() - interval '24 hours'",
                 params, 2, &rows, e))
        return false;
    *ret_open = db_int(rows, 0, 0);
    *ret_today = db_int(rows, 0, 1);
    *ret_in_work = db_bool(rows, 0, 2);
    return true;
}

bool draft_ask(struct db_tx *tx, const char *job, const char *wish,
               const struct draft_limits *limits, enum draft_ask *ret, struct err *e)
{
    struct job_head h = {0};
    struct wallet w;
    int64_t open = 0, today = 0;
    bool in_work = false;
    if (!job_peek(tx, job, &h, e) || !wallet_lock(tx, h.account, &w, e) ||
        !job_lock(tx, job, &h, e))
        return false;
    if (h.state != JOB_QUOTED)
        return err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is not quoted", job);
    if (!count_drafts(tx, h.account, job, &open, &today, &in_work, e))
        return false;
    *ret = in_work                                           ? DRAFT_IN_WORK
           : open >= limits->at_once                         ? DRAFT_BUSY
           : limits->per_day > 0 && today >= limits->per_day ? DRAFT_USED_UP
                                                             : DRAFT_ASKED;
    if (*ret != DRAFT_ASKED)
        return true;
    char cut[DRAFT_WISH_MAX + 1];
    str_copy(cut, sizeof(cut), wish ? wish : "");
    const char *params[] = {job, h.account, cut};
    bool ok = db_exec(tx,
                      "insert into drafts(job_id, user_id, state, wish, written)"
                      " values ($1, $2, 'wanted', $3, 1)"
                      " on conflict (job_id) do update set state = 'wanted', wish = excluded.wish,"
                      " tries = 0, written = drafts.written + 1, worker = null, lease_until = null",
                      params, 3, NULL, e);
    DB_CRASH(tx, "draft_ask");
    return ok;
}

/* --- turns --- */

bool draft_claim(struct db_tx *tx, const char *worker, struct draft *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *found = NULL;
    *ret = (struct draft){0};
    if (!db_exec(tx,
                 "select d.job_id from drafts d join jobs j on j.id = d.job_id"
                 " where j.state = 'quoted' and (d.state = 'wanted'"
                 "   or d.state = 'writing' and d.lease_until <= clock_timestamp())"
                 " order by d.created_at limit 1 for update of d skip locked",
                 NULL, 0, &found, e))
        return false;
    if (db_count(found) == 0)
        return true;
    struct num lease = num_make(DRAFT_LEASE_SECONDS);
    const char *params[] = {row_text(found, 0, 0), worker, lease.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "update drafts set state = 'writing', turn = turn + 1, tries = tries + 1,"
                 " worker = $2, lease_until = clock_timestamp() + make_interval(secs => $3::int)"
                 " where job_id = $1 returning turn, tries, wish",
                 params, 3, &rows, e))
        return false;
    str_copy(ret->job, sizeof(ret->job), params[0]);
    ret->turn = (int)db_int(rows, 0, 0);
    ret->tries = (int)db_int(rows, 0, 1);
    str_copy(ret->wish, sizeof(ret->wish), row_text(rows, 0, 2));
    DB_CRASH(tx, "draft_claim");
    return true;
}

bool draft_renew(struct db_tx *tx, const char *worker, struct err *e)
{
    struct num lease = num_make(DRAFT_LEASE_SECONDS);
    const char *params[] = {worker, lease.text};
    return db_exec(tx,
                   "update drafts set lease_until = clock_timestamp() +"
                   " make_interval(secs => $2::int) where worker = $1 and state = 'writing'",
                   params, 2, NULL, e);
}

/* Ends a turn with `set`. Nothing changed, but the turn is the last one and ended: done before. */
static bool end_turn(struct db_tx *tx, const struct draft *d, const char *worker, const char *set,
                     bool *ret_before, struct err *e)
{
    char sql[400];
    struct num turn = num_make(d->turn);
    struct job_head h = {0};
    const char *params[] = {d->job, turn.text, worker};
    int64_t rows = 0;
    if (!job_lock(tx, d->job, &h, e))
        return false;
    snprintf(sql, sizeof(sql),
             "update drafts set worker = null, lease_until = null, %s where" FENCE, set);
    if (!exec_change(tx, sql, params, 3, &rows, e))
        return false;
    AUTO(db_rows_free) struct db_rows *now = NULL;
    *ret_before = false;
    if (rows == 1)
        return h.state == JOB_QUOTED ||
               err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is not quoted any more", d->job);
    if (!db_exec(tx,
                 "select 1 from drafts where job_id = $1 and turn = $2::int"
                 " and state in ('ready', 'failed') and $3 <> ''",
                 params, 3, &now, e))
        return false;
    *ret_before = db_count(now) > 0;
    return *ret_before || err_set(e, ERR_CONFLICT, "error.lease_lost",
                                  "the script of job %s is not ours any more", d->job);
}

bool draft_done(struct db_tx *tx, const struct draft *d, const char *worker, bool *ret_before,
                struct err *e)
{
    bool ok = end_turn(tx, d, worker, "state = 'ready'", ret_before, e);
    DB_CRASH(tx, "draft_done");
    return ok;
}

bool draft_fail(struct db_tx *tx, const struct draft *d, const char *worker, bool *ret_before,
                struct err *e)
{
    return end_turn(tx, d, worker,
                    "written = greatest(written - 1, 0),"
                    " state = case when written > 1 then 'ready' else 'failed' end",
                    ret_before, e);
}

bool draft_give_back(struct db_tx *tx, const struct draft *d, const char *worker, struct err *e)
{
    struct num turn = num_make(d->turn);
    const char *params[] = {d->job, turn.text, worker};
    return db_exec(tx,
                   "update drafts set state = 'wanted', tries = greatest(tries - 1, 0),"
                   " worker = null, lease_until = null where" FENCE,
                   params, 3, NULL, e);
}

bool draft_expire_leases(struct db_tx *tx, const char *worker, struct err *e)
{
    const char *params[] = {worker};
    return db_exec(tx,
                   "update drafts set lease_until = clock_timestamp()"
                   " where worker <> $1 and state = 'writing'",
                   params, 1, NULL, e);
}

/* --- reading --- */

bool draft_find(struct db_tx *tx, const char *account, const char *card_ref,
                char ret_job[static UUID_TEXT], struct err *e)
{
    const char *params[] = {account, card_ref};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    ret_job[0] = '\0';
    if (!db_exec(tx,
                 "select d.job_id from drafts d join jobs j on j.id = d.job_id"
                 " where d.user_id = $1 and j.state = 'quoted'"
                 " and (($2::text is null and d.state <> 'failed') or (j.card_ref = $2 and "
                 "j.card_ref <> ''))"
                 " order by j.created_at desc, j.id desc limit 1",
                 params, 2, &rows, e))
        return false;
    if (db_count(rows) > 0)
        str_copy(ret_job, UUID_TEXT, row_text(rows, 0, 0));
    return true;
}

bool draft_look(struct db_tx *tx, const char *job, bool *ret_is_draft, bool *ret_in_work,
                struct err *e)
{
    const char *params[] = {job};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select state in ('wanted', 'writing') from drafts where job_id = $1", params,
                 1, &rows, e))
        return false;
    *ret_is_draft = db_count(rows) > 0;
    *ret_in_work = *ret_is_draft && db_bool(rows, 0, 0);
    return true;
}

bool draft_count_open(struct db_tx *tx, const char *network, int64_t *ret, struct err *e)
{
    const char *params[] = {network};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select count(*) from drafts d join jobs j on j.id = d.job_id"
                 " where j.network = $1 and j.state = 'quoted'"
                 " and d.state in ('wanted', 'writing')",
                 params, 1, &rows, e))
        return false;
    *ret = db_int(rows, 0, 0);
    return true;
}

/* A day is what the bound on scripts looks back at. */
bool draft_sweep(struct db_tx *tx, struct err *e)
{
    struct num limit = num_make(SWEEP_ROWS);
    const char *params[] = {limit.text};
    return db_exec(tx,
                   "delete from drafts where job_id in (select d.job_id from drafts d"
                   " join jobs j on j.id = d.job_id where j.state <> 'quoted'"
                   " and d.created_at < clock_timestamp() - interval '25 hours'"
                   " order by d.job_id limit $1::int for update of d skip locked)",
                   params, 1, NULL, e);
}
