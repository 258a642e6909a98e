#include "core/db/store_draft.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_util.h"

enum { SWEEP_ROWS = 200 };

#define FENCE " job_id = $1 and turn = $2::int and worker = $3 and state = 'writing'"

/* --- orders --- */

static bool count_drafts(struct db_tx *tx, const char *account, int64_t *ret_open,
                         int64_t *ret_today, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select count(*) filter (where d.state in ('wanted', 'writing')"
                 "   and j.state = 'quoted' and not d.is_check),"
                 " coalesce(sum(d.written), 0)"
                 " from drafts d join jobs j on j.id = d.job_id where d.user_id = $1"
                 " and d.created_at > clock_timestamp() - interval '24 hours'",
                 params, 1, &rows, e))
        return false;
    *ret_open = db_int(rows, 0, 0);
    *ret_today = db_int(rows, 0, 1);
    return true;
}

/* Orders are made one after the other: under the lock of the wallet and of the quoted job. */
static bool lock_quoted(struct db_tx *tx, const char *job, struct job_head *ret, struct err *e)
{
    struct wallet w;
    if (!job_peek(tx, job, ret, e) || !wallet_lock(tx, ret->account, &w, e) ||
        !job_lock(tx, job, ret, e))
        return false;
    return ret->state == JOB_QUOTED ||
           err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is not quoted", job);
}

bool draft_ask(struct db_tx *tx, const char *job, const char *wish,
               const struct draft_limits *limits, enum draft_ask *ret, struct err *e)
{
    struct job_head h = {0};
    int64_t open = 0, today = 0;
    bool is_draft;
    enum draft_turn turn;
    if (!lock_quoted(tx, job, &h, e) || !draft_look(tx, job, &is_draft, &turn, e) ||
        (turn == DRAFT_CHECKING && !draft_must_rest(turn, e)) ||
        !count_drafts(tx, h.account, &open, &today, e))
        return false;
    *ret = turn == DRAFT_WRITING                             ? DRAFT_IN_WORK
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
                      " tries = 0, written = drafts.written + 1, worker = null, lease_until = null,"
                      " has_script = true, asked_at = clock_timestamp()",
                      params, 3, NULL, e);
    DB_CRASH(tx, "draft_ask");
    return ok;
}

bool draft_check(struct db_tx *tx, const char *job, bool *ret_ordered, struct err *e)
{
    struct job_head h = {0};
    bool is_draft;
    enum draft_turn turn;
    if (!lock_quoted(tx, job, &h, e) || !draft_look(tx, job, &is_draft, &turn, e) ||
        (turn == DRAFT_WRITING && !draft_must_rest(turn, e)))
        return false;
    *ret_ordered = turn == DRAFT_RESTS;
    if (!*ret_ordered)
        return true;
    const char *params[] = {job, h.account};
    bool ok = db_exec(tx,
                      "insert into drafts(job_id, user_id, state, is_check, has_script)"
                      " values ($1, $2, 'wanted', true, false)"
                      " on conflict (job_id) do update set state = 'wanted', is_check = true,"
                      " tries = 0, asked_at = clock_timestamp()",
                      params, 2, NULL, e);
    DB_CRASH(tx, "draft_check");
    return ok;
}

/* --- turns --- */

bool draft_claim(struct db_tx *tx, const char *worker, bool checks_only, struct draft *ret,
                 struct err *e)
{
    AUTO(db_rows_free) struct db_rows *found = NULL;
    const char *which[] = {checks_only ? "t" : "f"};
    *ret = (struct draft){0};
    if (!db_exec(tx,
                 "select d.job_id from drafts d join jobs j on j.id = d.job_id"
                 " where j.state = 'quoted' and (d.state = 'wanted'"
                 "   or d.state = 'writing' and d.lease_until <= clock_timestamp())"
                 " and (d.is_check or not $1::boolean)"
                 " order by d.is_check desc, d.asked_at limit 1 for update of d skip locked",
                 which, 1, &found, e))
        return false;
    if (db_count(found) == 0)
        return true;
    struct num lease = num_make(DRAFT_LEASE_SECONDS), late = num_make(DRAFT_CHECK_SECONDS);
    const char *params[] = {row_text(found, 0, 0), worker, lease.text, late.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "update drafts set state = 'writing', turn = turn + 1, tries = tries + 1,"
                 " worker = $2, lease_until = clock_timestamp() + make_interval(secs => $3::int)"
                 " where job_id = $1 returning turn, tries, wish, is_check, tries = 1"
                 " and asked_at < clock_timestamp() - make_interval(secs => $4::int)",
                 params, 4, &rows, e))
        return false;
    str_copy(ret->job, sizeof(ret->job), params[0]);
    ret->turn = (int)db_int(rows, 0, 0);
    ret->tries = (int)db_int(rows, 0, 1);
    str_copy(ret->wish, sizeof(ret->wish), row_text(rows, 0, 2));
    ret->is_check = db_bool(rows, 0, 3);
    ret->is_late = db_bool(rows, 0, 4);
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

bool draft_checked(struct db_tx *tx, const struct draft *d, const char *worker, bool *ret_before,
                   struct err *e)
{
    struct job_head h = {0};
    struct wallet w;
    bool ok = job_lock_paid(tx, d->job, &h, &w, e) &&
              end_turn(tx, d, worker,
                       "is_check = false,"
                       " state = case when written > 0 then 'ready' else 'failed' end",
                       ret_before, e);
    DB_CRASH(tx, "draft_checked");
    return ok;
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
    AUTO(free_ptr) char *card = card_ref ? seal_ref(card_ref) : NULL;
    const char *params[] = {account, card};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    ret_job[0] = '\0';
    if (!db_exec(tx,
                 "select d.job_id from drafts d join jobs j on j.id = d.job_id"
                 " where d.user_id = $1 and j.state = 'quoted' and d.has_script"
                 " and (($2::text is null and d.state <> 'failed') or (j.card_ref = $2 and "
                 "j.card_ref <> ''))"
                 " order by j.created_at desc, j.id desc limit 1",
                 params, 2, &rows, e))
        return false;
    if (db_count(rows) > 0)
        str_copy(ret_job, UUID_TEXT, row_text(rows, 0, 0));
    return true;
}

bool draft_look(struct db_tx *tx, const char *job, bool *ret_is_draft, enum draft_turn *ret_turn,
                struct err *e)
{
    const char *params[] = {job};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select has_script, state in ('wanted', 'writing'), is_check from drafts"
                 " where job_id = $1",
                 params, 1, &rows, e))
        return false;
    bool found = db_count(rows) > 0, works = found && db_bool(rows, 0, 1);
    *ret_is_draft = found && db_bool(rows, 0, 0);
    *ret_turn = !works ? DRAFT_RESTS : db_bool(rows, 0, 2) ? DRAFT_CHECKING : DRAFT_WRITING;
    return true;
}

bool draft_must_rest(enum draft_turn turn, struct err *e)
{
    return turn == DRAFT_RESTS ||
           err_set(e, ERR_CONFLICT, turn == DRAFT_CHECKING ? "go.in_check" : "script.in_work",
                   "something is being done for the quote");
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
