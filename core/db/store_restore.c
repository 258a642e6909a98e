#include "core/db/store_restore.h"

#include <stdio.h>
#include <string.h>

#include "core/db/db_internal.h"
#include "core/db/store_admin.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_util.h"

/* Addresses that were handed out after the backup are not known any more. None of them may be given
   to anybody else, so as many places are left out; there are four thousand million. */
#define INDEX_GAP "1000000"

/* --- the mark --- */

bool restore_look(struct db_tx *tx, enum restore_state *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select to_regclass('restoring') is not null,"
                 " to_regclass('schema_migrations') is not null,"
                 " exists (select 1 from pg_class c where relnamespace = "
                 "   (select oid from pg_namespace where nspname = current_schema())"
                 "   and relkind in ('r', 'p', 'v', 'm', 'f') and relname <> 'restoring')",
                 NULL, 0, &rows, e))
        return false;
    bool marked = db_bool(rows, 0, 0), ours = db_bool(rows, 0, 1), full = db_bool(rows, 0, 2);
    if (full && !ours)
        *ret = RESTORE_FOREIGN;
    else if (full)
        *ret = marked ? RESTORE_LOADED : RESTORE_SETTLED;
    else
        *ret = marked ? RESTORE_BEGUN : RESTORE_NOTHING;
    return true;
}

bool restore_begin(struct db_tx *tx, struct err *e)
{
    return db_exec_script(tx,
                          "create table if not exists restoring"
                          " (since timestamptz not null default clock_timestamp());"
                          "comment on table restoring is 'Loaded from a backup, not ready for use'",
                          e);
}

bool restore_refuse_open(struct db_tx *tx, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select to_regclass('restoring') is not null", NULL, 0, &rows, e))
        return false;
    return !db_bool(rows, 0, 0) ||
           err_set(e, ERR_CONFIG, "start.restore_open", "a restore has not come to its end");
}

bool restore_in_use(struct db_tx *tx, bool *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select exists (select 1 from leases where until > clock_timestamp())"
                 " or exists (select 1 from jobs where state in ('running', 'delivering')"
                 "   and lease_until > clock_timestamp())",
                 NULL, 0, &rows, e))
        return false;
    *ret = db_bool(rows, 0, 0);
    return true;
}

/* --- what was under way --- */

/* What waited to be said may have been said, what waited to be done may have been done; sessions of
   the networks went on without us. */
static bool drop_chat(struct db_tx *tx, struct restore_done *done, struct err *e)
{
    return exec_change(tx,
                       "update outbox set state = 'dead', sending_since = null, addr = '',"
                       " body = '' where state in ('pending', 'sending')",
                       NULL, 0, &done->cards, e) &&
           exec_change(tx, "delete from events", NULL, 0, &done->events, e) &&
           db_exec(tx, "delete from notes", NULL, 0, NULL, e) &&
           db_exec(tx, "delete from leases", NULL, 0, NULL, e) &&
           db_exec(tx, "update orders set edit_at = 'infinity' where edit_at <> 'infinity'", NULL,
                   0, NULL, e);
}

/* Nothing starts by itself any more: no script, no look at the words behind a Go, no video when a
   payment is found. The quotes stay, and so do films that are kept for somebody. */
static bool rest_quotes(struct db_tx *tx, struct err *e)
{
    return db_exec(tx, "delete from awaiting", NULL, 0, NULL, e) &&
           db_exec(tx,
                   "update drafts set worker = null, lease_until = null, is_check = false,"
                   " written = case when is_check then written else greatest(written - 1, 0) end,"
                   " state = case when written > (not is_check)::int then 'ready' else 'failed' end"
                   " where state in ('wanted', 'writing')",
                   NULL, 0, NULL, e);
}

/* Questions are forgotten; addresses stay those of whoever has them; money waits for the rescan. */
static bool rest_money(struct db_tx *tx, struct err *e)
{
    return db_exec(tx, "update refunds set state = 'cancelled' where state = 'asked'", NULL, 0,
                   NULL, e) &&
           db_exec(tx,
                   "update deposit_seeds set next_index ="
                   " least(next_index + " INDEX_GAP ", 4294967296)",
                   NULL, 0, NULL, e) &&
           db_exec(tx,
                   "insert into alarms(name, what) select 'rescan', 'restored from a backup: the"
                   " accounts'' own blocks are not looked through yet'"
                   " where exists (select 1 from deposit_seeds) on conflict do nothing",
                   NULL, 0, NULL, e);
}

static bool end_job(struct db_tx *tx, const char *id,
                    bool (*on_failed)(struct db_tx *, void *, const struct job *, struct err *),
                    void *ctx, struct err *e)
{
    const char *params[] = {id};
    struct job_head h = {0};
    struct wallet w;
    AUTO(job_free) struct job j = {0};
    return job_lock_paid(tx, id, &h, &w, e) &&
           job_end_unpaid(tx, id, &h, JOB_FAILED, "fail.restored", NULL, e) &&
           db_exec(tx,
                   "update jobs set card_ref = '', worker = null, lease_until = null where id = $1",
                   params, 1, NULL, e) &&
           job_get(tx, id, &j, e) && (!on_failed || on_failed(tx, ctx, &j, e));
}

/* Those that wait first: else each end would move one of them up. */
static bool end_jobs(struct db_tx *tx,
                     bool (*on_failed)(struct db_tx *, void *, const struct job *, struct err *),
                     void *ctx, struct restore_done *done, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select id from jobs where state in ('waiting', 'ready', 'running', 'delivering')"
                 " order by state <> 'waiting', user_id, id",
                 NULL, 0, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        if (!end_job(tx, row_text(rows, i, 0), on_failed, ctx, e))
            return false;
    done->jobs = (int64_t)db_count(rows);
    return true;
}

static bool write_down(struct db_tx *tx, const char *actor, const struct restore_done *done,
                       struct err *e)
{
    char why[160];
    snprintf(why, sizeof(why), "%lld jobs ended, %lld cards and %lld commands dropped",
             (long long)done->jobs, (long long)done->cards, (long long)done->events);
    const struct admin_act act = {.actor = actor, .action = "restore", .why = why};
    return admin_note(tx, &act, e);
}

bool restore_settle(struct db_tx *tx,
                    bool (*on_failed)(struct db_tx *tx, void *ctx, const struct job *j,
                                      struct err *e),
                    void *ctx, const char *actor, struct restore_done *ret, struct err *e)
{
    struct restore_done done = {0};
    if (!drop_chat(tx, &done, e) || !rest_quotes(tx, e) ||
        !end_jobs(tx, on_failed, ctx, &done, e) || !rest_money(tx, e) ||
        !write_down(tx, actor, &done, e) || !db_exec_script(tx, "drop table restoring", e))
        return false;
    DB_CRASH(tx, "restore_settle");
    *ret = done;
    return true;
}

/* --- afterwards --- */

bool rescan_wanted(struct db_tx *tx, bool *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select 1 from alarms where name = 'rescan'", NULL, 0, &rows, e))
        return false;
    *ret = db_count(rows) > 0;
    return true;
}

bool rescan_over(struct db_tx *tx, struct err *e)
{
    return db_exec(tx, "delete from alarms where name = 'rescan'", NULL, 0, NULL, e);
}

bool restore_alarms(struct db_tx *tx, void (*on_alarm)(void *ctx, const char *what), void *ctx,
                    struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select what from alarms where name in ('rescan', 'refunds') order by name",
                 NULL, 0, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        on_alarm(ctx, row_text(rows, i, 0));
    return true;
}

bool restore_open_refunds(struct db_tx *tx, const char *actor, bool *ret_found, struct err *e)
{
    const char *params[] = {actor};
    int64_t rows = 0;
    if (!exec_change(tx,
                     "with gone as (delete from alarms where name = 'refunds' returning what)"
                     " insert into admin_log(actor, action, why)"
                     " select $1, 'open_refunds', what from gone",
                     params, 1, &rows, e))
        return false;
    *ret_found = rows > 0;
    return true;
}
