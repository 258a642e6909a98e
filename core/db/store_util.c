#include "core/db/store_util.h"

#include <inttypes.h>
#include <stdio.h>

struct num num_make(int64_t value)
{
    struct num n;
    snprintf(n.text, sizeof(n.text), "%" PRId64, value);
    return n;
}

const char *row_text(const struct db_rows *r, size_t row, size_t column)
{
    const char *text = db_text(r, row, column);
    return text ? text : "";
}

bool exec_change(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
                 int64_t *ret_rows, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, params, count, &rows, e))
        return false;
    if (ret_rows)
        *ret_rows = db_affected(rows);
    return true;
}

bool wallet_lock(struct db_tx *tx, const char *account, struct wallet *ret, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select avail, held, active from wallets where user_id = $1 for update",
                 params, 1, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "no wallet of %s", account);
    ret->available = db_int(rows, 0, 0);
    ret->held = db_int(rows, 0, 1);
    ret->active = (int)db_int(rows, 0, 2);
    return true;
}
