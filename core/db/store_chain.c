#include "core/db/store_chain.h"

#include "core/db/db_internal.h"
#include "core/db/store_util.h"

bool chain_seen(struct db_tx *tx, const char *method, const char *address, struct nano_hash *ret,
                bool *ret_found, struct err *e)
{
    const char *params[] = {method, address};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select seen from wallet_chains where method = $1 and address = $2", params, 2,
                 &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    return !*ret_found || nano_hash_parse(row_text(rows, 0, 0), ret) ||
           err_set(e, ERR_INTERNAL, "error.internal", "chain of %s", address);
}

bool chain_begin(struct db_tx *tx, const char *method, const char *address,
                 const struct nano_hash *at, struct err *e)
{
    char hash[NANO_HEX];
    nano_hash_print(at, hash);
    const char *params[] = {method, address, hash};
    return db_exec(tx,
                   "insert into wallet_chains(method, address, seen) values ($1, $2, $3)"
                   " on conflict do nothing",
                   params, 3, NULL, e);
}

bool chain_move(struct db_tx *tx, const char *method, const char *address,
                const struct nano_hash *from, const struct nano_hash *to, bool *ret_moved,
                struct err *e)
{
    char before[NANO_HEX], after[NANO_HEX];
    int64_t rows = 0;
    nano_hash_print(from, before);
    nano_hash_print(to, after);
    const char *params[] = {method, address, before, after};
    if (!exec_change(tx,
                     "update wallet_chains set seen = $4"
                     " where method = $1 and address = $2 and seen = $3",
                     params, 4, &rows, e))
        return false;
    DB_CRASH(tx, "chain_move");
    *ret_moved = rows == 1;
    return true;
}

bool chain_first_order(struct db_tx *tx, const char *method, const char *address, int64_t *ret_s,
                       struct err *e)
{
    const char *params[] = {method, address};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select coalesce(extract(epoch from min(created_at)), 0)::bigint from orders"
                 " where method = $1 and address = $2",
                 params, 2, &rows, e))
        return false;
    *ret_s = db_int(rows, 0, 0);
    return true;
}
