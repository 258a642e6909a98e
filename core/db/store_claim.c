/* "This payment is mine": asked in a chat, answered by whoever watches the network. */
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_deposit.h"
#include "core/db/store_util.h"

enum { AGAIN_SECONDS = 60, SOLE_DAYS = 7, CLAIMS_PER_DAY = 20 };

/* Claims cost questions to a node: a bounded number per account and day. */
static bool has_room(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select count(*) from claims where user_id = $1"
                 " and created_at > clock_timestamp() - interval '1 day'",
                 params, 1, &rows, e))
        return false;
    return db_int(rows, 0, 0) < CLAIMS_PER_DAY ||
           err_set(e, ERR_LIMIT, "claim.too_many", "many claims today");
}

bool claim_ask(struct db_tx *tx, const struct claim *c, struct err *e)
{
    AUTO(free_ptr) char *addr = seal_addr(&c->addr);
    const char *params[] = {c->method, c->ref, c->account, c->lang, c->addr.network, addr};
    return has_room(tx, c->account, e) &&
           db_exec(tx,
                   "insert into claims(method, ref, user_id, lang, network, addr)"
                   " values ($1, $2, $3, $4, $5, $6) on conflict (method, ref, user_id)"
                   " do update set state = 'asked', tries = 0, next_at = clock_timestamp(),"
                   " created_at = clock_timestamp(), lang = excluded.lang,"
                   " network = excluded.network, addr = excluded.addr"
                   " where claims.state <> 'done'",
                   params, COUNT(params), NULL, e);
}

bool claim_take(struct db_tx *tx, const char *method, struct claim *ret, bool *ret_found,
                struct err *e)
{
    struct num again = num_make(AGAIN_SECONDS);
    const char *params[] = {method, again.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "update claims set tries = tries + 1,"
                 " next_at = clock_timestamp() + make_interval(secs => $2::int)"
                 " where (method, ref, user_id) in (select method, ref, user_id from claims"
                 "  where state = 'asked' and method = $1 and next_at <= clock_timestamp()"
                 "  order by next_at limit 1 for update skip locked)"
                 " returning ref, user_id, lang, addr, tries",
                 params, 2, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    if (!*ret_found)
        return true;
    *ret = (struct claim){.tries = (int)db_int(rows, 0, 4)};
    str_copy(ret->method, sizeof(ret->method), method);
    str_copy(ret->ref, sizeof(ret->ref), row_text(rows, 0, 0));
    str_copy(ret->account, sizeof(ret->account), row_text(rows, 0, 1));
    str_copy(ret->lang, sizeof(ret->lang), row_text(rows, 0, 2));
    seal_open_addr(row_text(rows, 0, 3), &ret->addr);
    return true;
}

bool claim_end(struct db_tx *tx, const struct claim *c, bool done, struct err *e)
{
    const char *params[] = {c->method, c->ref, c->account, done ? "done" : "refused"};
    return db_exec(tx,
                   "update claims set state = $4, addr = '' where method = $1 and ref = $2"
                   " and user_id = $3",
                   params, 4, NULL, e);
}

bool claim_is_sole(struct db_tx *tx, const char *account, const char *address, struct raw amount,
                   int64_t paid_at, bool *ret_sole, struct err *e)
{
    char raw[RAW_TEXT];
    raw_print(amount, raw);
    struct num paid = num_make(paid_at), days = num_make(SOLE_DAYS);
    const char *params[] = {account, address, paid.text, days.text, raw};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select coalesce(bool_and(user_id = $1) and 2 * sum(raw) >= $5::numeric, false)"
                 " from orders where address = $2"
                 " and created_at <= to_timestamp($3::bigint) + interval '5 min'"
                 " and created_at > to_timestamp($3::bigint) - make_interval(days => $4::int)",
                 params, COUNT(params), &rows, e))
        return false;
    *ret_sole = db_bool(rows, 0, 0);
    return true;
}
