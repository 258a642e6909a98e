#include "core/db/store_lease.h"

#include "core/db/store_util.h"

/* The time is compared again after the row's lock was waited for: clock_timestamp, not now. */
bool lease_take(struct db_tx *tx, const char *name, const char *holder, int ttl_ms, bool *ret_held,
                struct err *e)
{
    struct num ttl = num_make(ttl_ms);
    const char *params[] = {name, holder, ttl.text};
    int64_t rows;
    if (!exec_change(tx,
                     "insert into leases(name, holder, until)"
                     " values ($1, $2, clock_timestamp() + $3::bigint * interval '1 ms')"
                     " on conflict (name) do update set holder = excluded.holder,"
                     " until = excluded.until where leases.holder = excluded.holder"
                     " or leases.until <= clock_timestamp()",
                     params, COUNT(params), &rows, e))
        return false;
    *ret_held = rows == 1;
    return true;
}

bool lease_give(struct db_tx *tx, const char *name, const char *holder, struct err *e)
{
    const char *params[] = {name, holder};
    return db_exec(tx, "delete from leases where name = $1 and holder = $2", params, COUNT(params),
                   NULL, e);
}

bool lease_check(struct db_tx *tx, const char *name, const char *holder, bool *ret_held,
                 struct err *e)
{
    const char *params[] = {name, holder};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select 1 from leases where name = $1 and holder = $2"
                 " and until > clock_timestamp() for share",
                 params, COUNT(params), &rows, e))
        return false;
    *ret_held = db_count(rows) == 1;
    return true;
}

bool lease_expire(struct db_tx *tx, struct err *e)
{
    return db_exec(tx, "delete from leases", NULL, 0, NULL, e);
}
