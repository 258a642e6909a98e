#include "core/db/store_admin.h"

#include "core/base/strbuf.h"
#include "core/db/seal.h"
#include "core/db/store_util.h"

bool admin_note(struct db_tx *tx, const struct admin_act *act, struct err *e)
{
    const char *params[] = {act->actor, act->action, act->account, act->amount, act->why};
    return db_exec(tx,
                   "insert into admin_log(actor, action, user_id, amount, why)"
                   " values ($1, $2, $3, $4, $5)",
                   params, COUNT(params), NULL, e);
}

bool admin_granted(struct db_tx *tx, const char *actor, int64_t *ret_credits, struct err *e)
{
    const char *params[] = {actor};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select coalesce(sum(amount), 0)::bigint from admin_log where actor = $1"
                 " and action = 'grant' and at > clock_timestamp() - interval '24 hours'",
                 params, 1, &rows, e))
        return false;
    *ret_credits = db_int(rows, 0, 0);
    return true;
}

void admin_key(const char *network, const char *event_id, char ret[static ADMIN_KEY_TEXT])
{
    char mac[SEAL_MAC_TEXT];
    AUTO(free_ptr) char *text = str_printf("%s:%s", network, event_id);
    seal_mac(SEAL_EVENT, text, mac);
    str_copy(ret, ADMIN_KEY_TEXT, mac + 2); /* without "\\x" */
}

bool orders_stop(struct db_tx *tx, const char *why, struct err *e)
{
    const char *params[] = {why};
    return db_exec(tx,
                   "insert into alarms(name, what) values ('orders', $1)"
                   " on conflict (name) do update set what = excluded.what",
                   params, 1, NULL, e);
}

bool orders_open(struct db_tx *tx, bool *ret_was, struct err *e)
{
    int64_t rows = 0;
    if (!exec_change(tx, "delete from alarms where name = 'orders'", NULL, 0, &rows, e))
        return false;
    *ret_was = rows > 0;
    return true;
}

bool orders_stopped(struct db_tx *tx, bool *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select 1 from alarms where name = 'orders'", NULL, 0, &rows, e))
        return false;
    *ret = db_count(rows) > 0;
    return true;
}

bool alarm_list(struct db_tx *tx,
                void (*tell)(void *ctx, const char *name, const char *what, const char *since),
                void *ctx, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select name, what, " ISO("since") " from alarms order by name", NULL, 0,
                 &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++)
        tell(ctx, row_text(rows, i, 0), row_text(rows, i, 1), row_text(rows, i, 2));
    return true;
}
