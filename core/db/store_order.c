#include "core/db/store_order.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_util.h"

enum {
    EDIT_SECONDS = 300,           /* how often a countdown moves */
    LATE_SECONDS = 7 * 24 * 3600, /* a payment proven to be older than this is not "in time" */
    SLOT_DAYS = 7, /* a unique amount stays taken for so long after its order ended */
};

static const char *const states[] = {"open", "seen", "part", "paid", "over"};

const char *order_state_name(enum order_state state)
{
    return states[state];
}

static enum order_state state_parse(const char *text)
{
    for (size_t i = 0; i < COUNT(states); i++)
        if (strcmp(states[i], text) == 0)
            return (enum order_state)i;
    return ORDER_OVER;
}

/* --- orders --- */

#define COLUMNS                                                                                  \
    "o.id, o.user_id, o.method, o.address, o.raw, o.credits, o.bonus, o.per_credit, o.received," \
    " o.bonus_given, o.state, o.unique_amount, o.lang, o.addr, o.card_ref,"                      \
    " greatest(ceil(extract(epoch from o.expires_at - clock_timestamp())), 0)::bigint,"          \
    " (select kind = 'group' from users u where u.id = o.user_id)"

static bool from_row(const struct db_rows *rows, struct order *ret, struct err *e)
{
    *ret = (struct order){
        .credits = db_int(rows, 0, 5),
        .bonus = db_int(rows, 0, 6),
        .bonus_given = db_int(rows, 0, 9),
        .state = state_parse(row_text(rows, 0, 10)),
        .unique_amount = db_bool(rows, 0, 11),
        .seconds_left = db_int(rows, 0, 15),
        .is_group = db_bool(rows, 0, 16),
    };
    str_copy(ret->id, sizeof(ret->id), row_text(rows, 0, 0));
    str_copy(ret->account, sizeof(ret->account), row_text(rows, 0, 1));
    str_copy(ret->method, sizeof(ret->method), row_text(rows, 0, 2));
    str_copy(ret->address, sizeof(ret->address), row_text(rows, 0, 3));
    str_copy(ret->lang, sizeof(ret->lang), row_text(rows, 0, 12));
    seal_open_ref(row_text(rows, 0, 14), ret->card_ref, sizeof(ret->card_ref));
    seal_open_addr(row_text(rows, 0, 13), &ret->addr);
    return (raw_parse(row_text(rows, 0, 4), &ret->amount) &&
            raw_parse(row_text(rows, 0, 7), &ret->per_credit) &&
            raw_parse(row_text(rows, 0, 8), &ret->received)) ||
           err_set(e, ERR_INTERNAL, "error.internal", "order %s: amounts", ret->id);
}

static bool read_order(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
                       struct order *ret, bool *ret_found, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, params, count, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    return !*ret_found || from_row(rows, ret, e);
}

/* Nobody can pile up promises: the oldest ends early. */
static bool trim_orders(struct db_tx *tx, const char *account, struct err *e)
{
    struct num keep = num_make(ORDERS_LIVE_MAX);
    const char *params[] = {account, keep.text};
    return db_exec(
        tx,
        "update orders set state = 'over', edit_at = clock_timestamp(),"
        " expires_at = least(expires_at, clock_timestamp()) where id in"
        " (select id from orders where user_id = $1 and state in ('open', 'seen', 'part')"
        "  order by created_at desc, id desc offset $2)",
        params, 2, NULL, e);
}

static bool free_old_amounts(struct db_tx *tx, const struct order *o, struct err *e)
{
    struct num days = num_make(SLOT_DAYS);
    const char *params[] = {o->method, o->address, days.text};
    return db_exec(tx,
                   "update orders set unique_amount = false where method = $1 and address = $2"
                   " and unique_amount"
                   " and expires_at < clock_timestamp() - make_interval(days => $3::int)",
                   params, 3, NULL, e);
}

static bool insert_order(struct db_tx *tx, const struct order *o, int seconds, int64_t *ret_rows,
                         struct err *e)
{
    char amount[RAW_TEXT], rate[RAW_TEXT];
    raw_print(o->amount, amount);
    raw_print(o->per_credit, rate);
    struct num credits = num_make(o->credits), bonus = num_make(o->bonus), life = num_make(seconds),
               step = num_make(EDIT_SECONDS);
    AUTO(free_ptr) char *addr = seal_addr(&o->addr);
    AUTO(free_ptr) char *card = seal_ref(o->card_ref);
    const char *params[] = {o->id,
                            o->account,
                            o->method,
                            o->address,
                            amount,
                            credits.text,
                            bonus.text,
                            rate,
                            o->unique_amount ? "t" : "f",
                            o->lang,
                            o->addr.network,
                            addr,
                            card,
                            life.text,
                            step.text};
    return exec_change(tx,
                       "insert into orders(id, user_id, method, address, raw, credits, bonus,"
                       " per_credit, unique_amount, lang, network, addr, card_ref, expires_at,"
                       " edit_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
                       " clock_timestamp() + make_interval(secs => $14::int),"
                       " clock_timestamp() + make_interval(secs => least($14::int, $15::int)))"
                       " on conflict (method, address, raw) where unique_amount do nothing",
                       params, COUNT(params), ret_rows, e);
}

static bool make_hot(struct db_tx *tx, const char *address, struct err *e)
{
    struct num hours = num_make(ADDRESS_HOT_HOURS);
    const char *params[] = {address, hours.text};
    return db_exec(tx,
                   "update deposit_addresses set hot_until ="
                   " clock_timestamp() + make_interval(hours => $2::int) where address = $1",
                   params, 2, NULL, e);
}

bool order_open(struct db_tx *tx, struct order *spec, int seconds, bool *ret_made, struct err *e)
{
    struct wallet w;
    int64_t rows = 0;
    bool found;
    if (!wallet_lock(tx, spec->account, &w, e))
        return false;
    uuid_make(spec->id);
    if (spec->unique_amount && !free_old_amounts(tx, spec, e))
        return false;
    if (!insert_order(tx, spec, seconds, &rows, e))
        return false;
    *ret_made = rows == 1;
    if (!*ret_made)
        return true;
    DB_CRASH(tx, "order_open");
    const char *params[] = {spec->id};
    return trim_orders(tx, spec->account, e) && make_hot(tx, spec->address, e) &&
           read_order(tx, "select " COLUMNS " from orders o where id = $1", params, 1, spec, &found,
                      e);
}

bool order_get(struct db_tx *tx, const char *id, struct order *ret, struct err *e)
{
    const char *params[] = {id};
    bool found = false;
    if (uuid_valid(id) && !read_order(tx, "select " COLUMNS " from orders o where id = $1", params,
                                      1, ret, &found, e))
        return false;
    return found || err_set(e, ERR_NOT_FOUND, "pay.order_gone", "no order");
}

bool order_newest(struct db_tx *tx, const char *account, struct order *ret, bool *ret_found,
                  struct err *e)
{
    const char *params[] = {account};
    return read_order(tx,
                      "select " COLUMNS " from orders o where user_id = $1"
                      " order by created_at desc, id desc limit 1",
                      params, 1, ret, ret_found, e);
}

bool order_for_payment(struct db_tx *tx, const char *account, const char *method, struct raw amount,
                       int64_t paid_at, struct order *ret, bool *ret_found, struct err *e)
{
    char raw[RAW_TEXT];
    raw_print(amount, raw);
    struct num paid = num_make(paid_at), late = num_make(LATE_SECONDS);
    const char *params[] = {account, method, raw, paid.text, late.text};
    return read_order(
        tx,
        "with t as (select case when $4::bigint > 0"
        "   then least(to_timestamp($4::bigint), clock_timestamp()) else clock_timestamp() end at)"
        " select " COLUMNS " from orders o, t where o.user_id = $1 and o.method = $2"
        " and o.state <> 'paid' and t.at <= o.expires_at"
        /* a node's clock may be a little behind ours */
        " and (t.at >= o.created_at - interval '5 min')"
        " and o.expires_at > clock_timestamp() - make_interval(secs => $5::int)"
        " order by (o.raw - o.received = $3::numeric) desc, o.created_at desc, o.id desc"
        " limit 1 for update of o",
        params, COUNT(params), ret, ret_found, e);
}

bool order_by_amount(struct db_tx *tx, const char *method, const char *address, struct raw amount,
                     struct order *ret, bool *ret_found, struct err *e)
{
    char raw[RAW_TEXT];
    raw_print(amount, raw);
    const char *params[] = {method, address, raw};
    return read_order(tx,
                      "select " COLUMNS " from orders o where method = $1 and address = $2"
                      " and raw = $3 and unique_amount",
                      params, 3, ret, ret_found, e);
}

bool order_mark_seen(struct db_tx *tx, const char *address, struct raw amount, struct order *ret,
                     bool *ret_found, struct err *e)
{
    char raw[RAW_TEXT];
    raw_print(amount, raw);
    const char *params[] = {address, raw};
    return read_order(tx,
                      "update orders o set state = 'seen' where id = (select id from orders"
                      " where address = $1 and state in ('open', 'part')"
                      " and expires_at > clock_timestamp() and (not unique_amount or raw = $2)"
                      " order by created_at desc, id desc limit 1 for update)"
                      " returning " COLUMNS,
                      params, 2, ret, ret_found, e);
}

bool order_claim_edit(struct db_tx *tx, struct order *ret, bool *ret_found, struct err *e)
{
    struct num step = num_make(EDIT_SECONDS);
    const char *params[] = {step.text};
    return read_order(
        tx,
        "update orders o set"
        " state = case when expires_at <= clock_timestamp() and state <> 'paid' then 'over'"
        "   else state end,"
        " edit_at = case when expires_at <= clock_timestamp() or state = 'paid'"
        "   then 'infinity'::timestamptz"
        "   else least(expires_at, clock_timestamp() + make_interval(secs => $1::int)) end"
        " where id = (select id from orders where edit_at <= clock_timestamp()"
        "   order by edit_at limit 1 for update skip locked) returning " COLUMNS,
        params, 1, ret, ret_found, e);
}

/* --- the video that waits for money --- */

bool await_credits(struct db_tx *tx, const char *account, const char *job, struct err *e)
{
    const char *params[] = {account, job};
    return db_exec(tx,
                   "insert into awaiting(user_id, job_id) values ($1, $2)"
                   " on conflict (user_id) do update set job_id = excluded.job_id,"
                   " since = clock_timestamp()",
                   params, 2, NULL, e);
}

bool await_job(struct db_tx *tx, const char *account, char ret_job[static UUID_TEXT],
               bool *ret_found, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select job_id from awaiting where user_id = $1", params, 1, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    if (*ret_found)
        str_copy(ret_job, UUID_TEXT, row_text(rows, 0, 0));
    return true;
}

bool await_end(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    return db_exec(tx, "delete from awaiting where user_id = $1", params, 1, NULL, e);
}
