#include "core/db/store_stats.h"

#define AND " union all select "
#define JOBS(state) AND "'jobs', '" state "', count(*) from jobs where state = '" state "'"
/* The address is erased a day after the end; with it in the condition an index serves. */
#define WITHIN(time) "ended_at > clock_timestamp() - interval '" time "' and addr <> ''"
#define ENDED(state)                                                                    \
    AND "'jobs_ended_last_hour', '" state "', count(*) from jobs where state = '" state \
        "' and " WITHIN("1 hour")
#define SECONDS_SINCE(time) \
    "coalesce(extract(epoch from clock_timestamp() - min(" time ")), 0)::bigint"

/* clang-format off */
static const char sql[] =
    "select 'alarms', '', count(*) from alarms where name <> 'orders'"
    AND "'orders_stopped', '', count(*) from alarms where name = 'orders'"
    JOBS("waiting") JOBS("ready") JOBS("running") JOBS("delivering") JOBS("kept")
    ENDED("done") ENDED("failed") ENDED("cancelled")
    AND "'films_last_day', '', count(*) from jobs where state = 'done' and resend_of is null and "
        WITHIN("24 hours")
    AND "'oldest_ready_job_seconds', '', " SECONDS_SINCE("greatest(started_at, run_at)")
        " from jobs where state = 'ready' and run_at <= clock_timestamp()"
    AND "'workers_busy', '', count(distinct worker) from jobs"
        " where state in ('running', 'delivering') and lease_until > clock_timestamp()"
    AND "'leases_held', '', count(*) from leases where until > clock_timestamp()"
    AND "'scripts_waiting', '', count(*) from drafts where state in ('wanted', 'writing')"
    AND "'events_waiting', '', count(*) from events"
    AND "'cards_waiting', '', count(*) from outbox where state in ('pending', 'sending')"
    AND "'oldest_card_seconds', '', greatest(" SECONDS_SINCE("greatest(created_at, not_before)")
        ", 0) from outbox where state in ('pending', 'sending')"
    AND "'cards_unanswered', '', count(*) from outbox where state in ('pending', 'sending')"
        " and (lost > 0 or sending_since < clock_timestamp() - interval '1 min')"
    AND "'credits_held', '', coalesce(sum(amount), 0)::bigint from holds where state = 'open'"
    AND "'blocks_open', '', count(*) from blocks where state in ('stored', 'published')";
/* clang-format on */

bool stats_read(struct db_tx *tx,
                void (*tell)(void *ctx, const char *name, const char *label, int64_t value),
                void *ctx, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, NULL, 0, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        tell(ctx, db_text(rows, i, 0), db_text(rows, i, 1), db_int(rows, i, 2));
    return true;
}
