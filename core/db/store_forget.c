/*
 * /forget: everything that tells who somebody is or what they made goes; rows that money hangs on
 * stay with the random id and nothing else.
 */
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_account.h"
#include "core/db/store_group.h"
#include "core/db/store_guard.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_util.h"

static bool refuse_while_live(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select 1 from jobs where user_id = $1"
                 " and state in ('waiting', 'ready', 'running', 'delivering') limit 1",
                 params, 1, &rows, e))
        return false;
    return db_count(rows) == 0 || err_set(e, ERR_CONFLICT, "forget.jobs_running", "jobs are live");
}

static bool drop_quotes(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select id from jobs where user_id = $1 and state = 'quoted' for update",
                 params, 1, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        if (!job_move(tx, row_text(rows, i, 0), JOB_QUOTED, JOB_CANCELLED, e))
            return false;
    return true;
}

/* What was kept for them is of no use to anybody then; the credits are theirs again. */
static bool end_kept(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select id from jobs where user_id = $1 and state = 'kept'", params, 1, &rows,
                 e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        struct job_head h = {0};
        const char *id = row_text(rows, i, 0);
        if (!job_lock(tx, id, &h, e) || !job_end_unpaid(tx, id, &h, JOB_CANCELLED, NULL, NULL, e))
            return false;
    }
    return true;
}

/* Kept films that a group paid for give it its credits back: its wallet is locked too, in order. */
static bool lock_wallets(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    struct wallet w;
    return db_exec(tx,
                   "select 1 from wallets where user_id = $1 or user_id in (select payer_id"
                   " from jobs where user_id = $1 and state = 'kept') order by user_id for update",
                   params, 1, NULL, e) &&
           wallet_lock(tx, account, &w, e);
}

static bool name_files(struct db_tx *tx, const char *account,
                       void (*on_file)(void *ctx, const char *path), void *ctx, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select path from videos where user_id = $1 and path <> ''"
                 " union select d.path from deliveries d join jobs j on j.id = d.job_id"
                 " where j.user_id = $1 and d.path <> ''",
                 params, 1, &rows, e))
        return false;
    for (size_t i = 0; on_file && i < db_count(rows); i++)
        on_file(ctx, row_text(rows, i, 0));
    return true;
}

bool account_forget(struct db_tx *tx, const char *account, int strike_days,
                    void (*on_file)(void *ctx, const char *path), void *ctx, struct err *e)
{
    static const char *const steps[] = {
        "delete from outbox where job_id in (select id from jobs where user_id = $1)"
        " and state <> 'sending'",
        "update deliveries set path = '', remote_ref = ''"
        " where job_id in (select id from jobs where user_id = $1)",
        "update videos set title = '', path = '' where user_id = $1",
        "update jobs set topic = '', story = '', addr = '', lane = null, media = '', card_ref = '',"
        " fail_arg = '', dedupe_key = sha256(id::text::bytea) where user_id = $1",
        "delete from drafts where user_id = $1",
        "delete from script_calls where user_id = $1",
        "delete from strikes where user_id = $1",
        "delete from pauses where user_id = $1",
        "delete from outbox where order_id in (select id from orders where user_id = $1)"
        " and state <> 'sending'",
        "update orders set addr = '', card_ref = '', edit_at = 'infinity' where user_id = $1",
        "update refunds set state = case when state = 'asked' then 'cancelled' else state end,"
        " addr = '', address = case when state in ('waiting', 'sent') then address else '' end"
        " where user_id = $1",
        "delete from claims where user_id = $1",
        "delete from awaiting where user_id = $1",
        "delete from settings where user_id = $1",
        "delete from identities where user_id = $1",
        "update users set lang = '', forgotten_at = clock_timestamp() where id = $1",
    };
    if (!uuid_valid(account))
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "not an id");
    if (!lock_wallets(tx, account, e) || !refuse_while_live(tx, account, e) ||
        !drop_quotes(tx, account, e) || !end_kept(tx, account, e) ||
        !name_files(tx, account, on_file, ctx, e) || !group_keep_use(tx, account, e) ||
        !strike_keep(tx, account, strike_days, e))
        return false;
    const char *params[] = {account};
    for (size_t i = 0; i < COUNT(steps); i++)
        if (!db_exec(tx, steps[i], params, 1, NULL, e))
            return false;
    DB_CRASH(tx, "forget");
    return true;
}
