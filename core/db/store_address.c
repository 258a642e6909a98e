/* Addresses that accounts pay to: one per account and seed, never given to another. */
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_order.h"
#include "core/db/store_util.h"

#define COLUMNS "address, user_id, print, index"

static void from_row(const struct db_rows *rows, size_t i, struct deposit_address *ret)
{
    *ret = (struct deposit_address){.index = db_int(rows, i, 3)};
    str_copy(ret->address, sizeof(ret->address), row_text(rows, i, 0));
    str_copy(ret->account, sizeof(ret->account), row_text(rows, i, 1));
    str_copy(ret->print, sizeof(ret->print), row_text(rows, i, 2));
}

static bool read_one(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
                     struct deposit_address *ret, bool *ret_found, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, params, count, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    if (*ret_found)
        from_row(rows, 0, ret);
    return true;
}

bool address_of(struct db_tx *tx, const char *account, const char *method, const char *print,
                struct deposit_address *ret, bool *ret_found, struct err *e)
{
    const char *params[] = {account, method, print};
    return read_one(tx,
                    "select " COLUMNS " from deposit_addresses"
                    " where user_id = $1 and method = $2 and print = $3",
                    params, 3, ret, ret_found, e);
}

bool address_find(struct db_tx *tx, const char *address, struct deposit_address *ret,
                  bool *ret_found, struct err *e)
{
    const char *params[] = {address};
    return read_one(tx, "select " COLUMNS " from deposit_addresses where address = $1", params, 1,
                    ret, ret_found, e);
}

bool address_reserve(struct db_tx *tx, const char *account, const char *method, const char *print,
                     struct deposit_address *ret, bool *ret_found, struct err *e)
{
    struct wallet w;
    const char *params[] = {print};
    if (!wallet_lock(tx, account, &w, e) ||
        !address_of(tx, account, method, print, ret, ret_found, e))
        return false;
    if (*ret_found)
        return true;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "insert into deposit_seeds(print, next_index) values ($1, 2)"
                 " on conflict (print) do update set next_index = deposit_seeds.next_index + 1"
                 " returning next_index - 1",
                 params, 1, &rows, e))
        return false;
    *ret = (struct deposit_address){.index = db_int(rows, 0, 0)};
    str_copy(ret->account, sizeof(ret->account), account);
    str_copy(ret->print, sizeof(ret->print), print);
    return true;
}

bool address_add(struct db_tx *tx, const char *method, const struct deposit_address *a,
                 struct err *e)
{
    struct num index = num_make(a->index);
    const char *params[] = {a->address, a->account, method, a->print, index.text};
    DB_CRASH(tx, "address_add");
    return db_exec(tx,
                   "insert into deposit_addresses(address, user_id, method, print, index)"
                   " values ($1, $2, $3, $4, $5)",
                   params, COUNT(params), NULL, e);
}

bool address_list(struct db_tx *tx, const char *method, const char *print, const char *after,
                  bool hot_only, struct deposit_address *ret, size_t max, size_t *ret_count,
                  struct err *e)
{
    struct num limit = num_make((int64_t)max);
    const char *params[] = {method, print, after, hot_only ? "t" : "f", limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select " COLUMNS " from deposit_addresses where method = $1 and print = $2"
                 " and address > $3 and (not $4::boolean or hot_until > clock_timestamp())"
                 " order by address limit $5",
                 params, COUNT(params), &rows, e))
        return false;
    *ret_count = db_count(rows);
    for (size_t i = 0; i < *ret_count; i++)
        from_row(rows, i, &ret[i]);
    return true;
}
