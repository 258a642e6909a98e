#include "core/db/store_stats.h"

#define JOBS(state) \
    " union all select 'jobs', '" state "', count(*) from jobs where state = '" state "'"
/* The address is erased a day after the end; with it in the condition an index serves. */
#define ENDED(state)                                    \
    " union all select 'jobs_ended_last_hour', '" state \
    "', count(*) from jobs where state = '" state       \
    "' and ended_at > clock_timestamp() - interval '1 hour' and addr <> ''"

bool stats_read(struct db_tx *tx,
                void (*tell)(void *ctx, const char *name, const char *label, int64_t value),
                void *ctx, struct err *e)
{
    static const char sql[] = "select 'alarms', '', count(*) from alarms" JOBS("waiting")
        JOBS("ready") JOBS("running") JOBS("delivering") JOBS("kept") ENDED("done") ENDED("failed")
            ENDED("cancelled") " union all select 'oldest_ready_job_seconds', '', "
                               "coalesce(extract(epoch from"
                               " clock_timestamp() - min(greatest(started_at, run_at))), 0)::bigint"
                               " from jobs where state = 'ready' and run_at <= clock_timestamp()"
                               " union all select 'scripts_waiting', '', count(*) from drafts"
                               " where state in ('wanted', 'writing')"
                               " union all select 'events_waiting', '', count(*) from events"
                               " union all select 'cards_waiting', '', count(*) from outbox"
                               " where state in ('pending', 'sending')"
                               " union all select 'credits_held', '', coalesce(sum(amount), "
                               "0)::bigint from holds"
                               " where state = 'open'"
                               " union all select 'blocks_open', '', count(*) from blocks"
                               " where state in ('stored', 'published')";
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, NULL, 0, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        tell(ctx, db_text(rows, i, 0), db_text(rows, i, 1), db_int(rows, i, 2));
    return true;
}
