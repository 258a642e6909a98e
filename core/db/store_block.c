#include "core/db/store_block.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_deposit.h"
#include "core/db/store_refund.h"
#include "core/db/store_util.h"
#include "core/nano/work.h"

static const char *const states[] = {"stored", "published", "confirmed", "refused"};

static enum block_state state_parse(const char *text)
{
    for (size_t i = 0; i < COUNT(states); i++)
        if (strcmp(states[i], text) == 0)
            return (enum block_state)i;
    return BLOCK_REFUSED;
}

#define COLUMNS                                                                          \
    "b.hash, b.address, b.previous, b.kind, b.link, b.raw, b.balance, b.representative," \
    " b.signature, b.work, b.state, b.tries,"                                            \
    " greatest(extract(epoch from clock_timestamp() - b.created_at), 0)::bigint,"        \
    " b.refusals, b.why"

static bool from_row(const struct db_rows *r, struct own_block *ret, struct err *e)
{
    *ret = (struct own_block){
        .state = state_parse(row_text(r, 0, 10)),
        .tries = (int)db_int(r, 0, 11),
        .age_s = db_int(r, 0, 12),
        .refusals = (int)db_int(r, 0, 13),
    };
    str_copy(ret->why, sizeof(ret->why), row_text(r, 0, 14));
    const char *work = row_text(r, 0, 9);
    str_copy(ret->address, sizeof(ret->address), row_text(r, 0, 1));
    bool good = nano_hash_parse(row_text(r, 0, 0), &ret->hash) &&
                nano_account_parse(ret->address, &ret->block.account) &&
                nano_hash_parse(row_text(r, 0, 2), &ret->block.previous) &&
                nano_subtype_parse(row_text(r, 0, 3), &ret->kind) &&
                nano_hash_parse(row_text(r, 0, 4), &ret->block.link) &&
                raw_parse(row_text(r, 0, 5), &ret->amount) &&
                raw_parse(row_text(r, 0, 6), &ret->block.balance) &&
                nano_account_parse(row_text(r, 0, 7), &ret->block.representative) &&
                nano_signature_parse(row_text(r, 0, 8), &ret->block.signature) &&
                (!*work || nano_work_parse(work, &ret->block.work));
    return good || err_set(e, ERR_INTERNAL, "error.internal", "stored block %s", row_text(r, 0, 0));
}

static bool read_one(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
                     struct own_block *ret, bool *ret_found, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, params, count, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    return !*ret_found || from_row(rows, ret, e);
}

static bool insert(struct db_tx *tx, const struct own_block *b, const char *state, bool *ret_new,
                   struct err *e)
{
    char hash[NANO_HEX], previous[NANO_HEX], link[NANO_HEX], amount[RAW_TEXT], balance[RAW_TEXT],
        representative[NANO_ADDRESS], signature[NANO_SIGNATURE_HEX];
    int64_t rows = 0;
    nano_hash_print(&b->hash, hash);
    nano_hash_print(&b->block.previous, previous);
    nano_hash_print(&b->block.link, link);
    raw_print(b->amount, amount);
    raw_print(b->block.balance, balance);
    nano_account_print(&b->block.representative, representative);
    nano_signature_print(&b->block.signature, signature);
    const char *params[] = {hash,      b->address, previous, nano_subtype_name(b->kind),
                            link,      amount,     balance,  representative,
                            signature, state};
    if (!exec_change(tx,
                     "insert into blocks(hash, address, previous, kind, link, raw, balance,"
                     " representative, signature, state)"
                     " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
                     params, COUNT(params), &rows, e))
        return false;
    *ret_new = rows == 1;
    return true;
}

bool block_store(struct db_tx *tx, struct own_block *b, bool *ret_ours, struct err *e)
{
    char previous[NANO_HEX];
    bool found = false;
    nano_hash_print(&b->block.previous, previous);
    const char *place[] = {b->address, previous};
    if (!insert(tx, b, states[BLOCK_STORED], ret_ours, e))
        return false;
    DB_CRASH(tx, "block_store");
    if (!read_one(tx,
                  "select " COLUMNS " from blocks b where address = $1 and previous = $2"
                  " and state <> 'refused'",
                  place, 2, b, &found, e))
        return false;
    return found || err_set(e, ERR_RETRY, "error.database", "a block comes and goes");
}

bool block_known(struct db_tx *tx, const struct nano_hash *hash, struct raw *ret_balance,
                 bool *ret_known, struct err *e)
{
    char hex[NANO_HEX];
    nano_hash_print(hash, hex);
    const char *params[] = {hex};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select balance from blocks where hash = $1 and state <> 'refused'", params, 1,
                 &rows, e))
        return false;
    *ret_known = db_count(rows) > 0;
    return !*ret_known || raw_parse(row_text(rows, 0, 0), ret_balance) ||
           err_set(e, ERR_INTERNAL, "error.internal", "balance after %s", hex);
}

bool block_adopt(struct db_tx *tx, const struct own_block *b, bool of_treasury, bool *ret_orphan,
                 struct err *e)
{
    char hash[NANO_HEX], link[NANO_HEX], to[NANO_ADDRESS];
    bool is_new = false, found = true;
    *ret_orphan = false;
    nano_hash_print(&b->hash, hash);
    nano_hash_print(&b->block.link, link);
    if (!insert(tx, b, states[BLOCK_CONFIRMED], &is_new, e))
        return false;
    DB_CRASH(tx, "block_adopt");
    if (b->kind != NANO_SEND)
        return deposit_collected(tx, "nano", link, e);
    if (!is_new || !of_treasury)
        return true;
    const struct nano_account account = nano_account_of(&b->block.link);
    nano_account_print(&account, to);
    if (!refund_adopt(tx, "nano", to, b->amount, hash, &found, e))
        return false;
    *ret_orphan = !found;
    return true;
}

bool block_open_of(struct db_tx *tx, const char *address, struct own_block *ret, bool *ret_found,
                   struct err *e)
{
    const char *params[] = {address};
    return read_one(tx,
                    "select " COLUMNS " from blocks b where address = $1"
                    " and state in ('stored', 'published') order by created_at limit 1",
                    params, 1, ret, ret_found, e);
}

bool block_due(struct db_tx *tx, const char *after, struct own_block *ret, bool *ret_found,
               struct err *e)
{
    const char *params[] = {after};
    return read_one(tx,
                    "select " COLUMNS " from blocks b where state in ('stored', 'published')"
                    " and next_at <= clock_timestamp() and address > $1"
                    " order by address, created_at limit 1",
                    params, 1, ret, ret_found, e);
}

bool block_count_open(struct db_tx *tx, int64_t *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    struct num stuck = num_make(BLOCK_STUCK);
    const char *params[] = {stuck.text};
    if (!db_exec(tx,
                 "select count(*) from blocks where state in ('stored', 'published')"
                 " and refusals < $1::int",
                 params, 1, &rows, e))
        return false;
    *ret = db_int(rows, 0, 0);
    return true;
}

bool block_set_work(struct db_tx *tx, const struct nano_hash *hash, uint64_t work, struct err *e)
{
    char hex[NANO_HEX], text[NANO_WORK_HEX];
    nano_hash_print(hash, hex);
    nano_work_print(work, text);
    const char *params[] = {hex, work ? text : ""};
    return db_exec(tx, "update blocks set work = $2 where hash = $1", params, 2, NULL, e);
}

bool block_move(struct db_tx *tx, const struct own_block *b, enum block_state to, int delay_ms,
                const char *why, struct err *e)
{
    char hash[NANO_HEX], link[NANO_HEX];
    nano_hash_print(&b->hash, hash);
    nano_hash_print(&b->block.link, link);
    struct num delay = num_make(delay_ms);
    const char *params[] = {hash, states[to], delay.text, why ? why : ""};
    int64_t rows = 0;
    if (!exec_change(tx,
                     "update blocks set state = $2, tries = tries + 1, why = $4, refusals = 0,"
                     " next_at = clock_timestamp() + $3::bigint * interval '1 ms'"
                     " where hash = $1 and state in ('stored', 'published')",
                     params, 4, &rows, e))
        return false;
    DB_CRASH(tx, "block_move");
    if (rows == 0)
        return true;
    if (b->kind == NANO_SEND)
        return (to != BLOCK_CONFIRMED && to != BLOCK_REFUSED) ||
               refund_end(tx, hash, to == BLOCK_CONFIRMED, e);
    return to != BLOCK_CONFIRMED || deposit_collected(tx, "nano", link, e);
}

bool block_refuse(struct db_tx *tx, const struct own_block *b, int delay_ms, const char *why,
                  struct err *e)
{
    char hash[NANO_HEX];
    nano_hash_print(&b->hash, hash);
    struct num delay = num_make(delay_ms);
    const char *params[] = {hash, delay.text, why};
    return db_exec(tx,
                   "update blocks set tries = tries + 1, refusals = refusals + 1, why = $3,"
                   " next_at = clock_timestamp() + $2::bigint * interval '1 ms'"
                   " where hash = $1 and state in ('stored', 'published')",
                   params, 3, NULL, e);
}

bool block_stuck(struct db_tx *tx, const char *after, struct own_block *ret, bool *ret_found,
                 struct err *e)
{
    struct num stuck = num_make(BLOCK_STUCK);
    const char *params[] = {after, stuck.text};
    return read_one(tx,
                    "select " COLUMNS " from blocks b where state in ('stored', 'published')"
                    " and refusals >= $2::int and address > $1 order by address limit 1",
                    params, 2, ret, ret_found, e);
}

bool block_sweepable(struct db_tx *tx, struct raw least, const char *after, struct own_block *ret,
                     bool *ret_found, struct err *e)
{
    char raw[RAW_TEXT];
    raw_print(least, raw);
    const char *params[] = {raw, after};
    return read_one(tx,
                    "select " COLUMNS " from blocks b where state = 'confirmed'"
                    " and balance > 0 and balance >= $1::numeric and address > $2"
                    " and exists (select 1 from deposit_addresses a where a.address = b.address)"
                    " and not exists (select 1 from blocks n where n.address = b.address"
                    "   and (n.previous = b.hash or n.state in ('stored', 'published')))"
                    " order by address limit 1",
                    params, 2, ret, ret_found, e);
}

bool block_sums(struct db_tx *tx, const char *address, struct raw *ret_in, struct raw *ret_out,
                struct err *e)
{
    const char *params[] = {address};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select coalesce(sum(raw) filter (where kind <> 'send'), 0),"
                 " coalesce(sum(raw) filter (where kind = 'send'), 0)"
                 " from blocks where address = $1 and state = 'confirmed'",
                 params, 1, &rows, e))
        return false;
    return (raw_parse(row_text(rows, 0, 0), ret_in) && raw_parse(row_text(rows, 0, 1), ret_out)) ||
           err_set(e, ERR_INTERNAL, "error.internal", "sums of %s", address);
}
