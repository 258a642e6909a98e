#include "core/db/store_deposit.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_util.h"
#include "core/money/credit.h"

/* --- crediting --- */

static bool row_known(struct db_tx *tx, const struct deposit *d, bool *ret, struct err *e)
{
    const char *params[] = {d->method, d->ref, d->account ? "t" : "f"};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select 1 from deposits where method = $1 and ref = $2"
                 " and (state = 'credited' or not $3::boolean)",
                 params, 3, &rows, e))
        return false;
    *ret = db_count(rows) > 0;
    return true;
}

/* An account that became part of another one is paid for that one. */
static bool find_heir(struct db_tx *tx, char account[static UUID_TEXT], struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select heir from wallets where user_id = $1 and heir is not null", params, 1,
                 &rows, e))
        return false;
    return db_count(rows) == 0 || str_copy(account, UUID_TEXT, row_text(rows, 0, 0));
}

/* Whose it is: named, by its own address, or by an amount that only one live order asks for. */
static bool find_payee(struct db_tx *tx, const struct deposit *d, struct deposit_done *done,
                       bool *ret_found, struct err *e)
{
    struct deposit_address a;
    struct order o;
    *ret_found = true;
    if (d->account) {
        str_copy(done->account, sizeof(done->account), d->account);
        return true;
    }
    if (!address_find(tx, d->address, &a, ret_found, e))
        return false;
    if (*ret_found) {
        str_copy(done->account, sizeof(done->account), a.account);
        return true;
    }
    if (!order_by_amount(tx, d->method, d->address, d->amount, &o, ret_found, e))
        return false;
    if (*ret_found)
        str_copy(done->account, sizeof(done->account), o.account);
    return true;
}

static bool insert_row(struct db_tx *tx, const struct deposit *d, const struct deposit_done *done,
                       const struct credit_out *c, struct raw before, int64_t *ret_rows,
                       struct err *e)
{
    char amount[RAW_TEXT], rate[RAW_TEXT], rest[RAW_TEXT], rest_after[RAW_TEXT];
    bool mine = done->account[0] != '\0';
    raw_print(d->amount, amount);
    raw_print(c->rate, rate);
    raw_print(before, rest);
    raw_print(c->rest, rest_after);
    struct num credits = num_make(c->credits), bonus = num_make(c->bonus);
    const char *params[] = {d->method,
                            d->ref,
                            d->address,
                            mine ? done->account : NULL,
                            done->has_order ? done->order.id : NULL,
                            amount,
                            mine ? "credited" : "unmatched",
                            rate,
                            rest,
                            credits.text,
                            bonus.text,
                            rest_after};
    return exec_change(
        tx,
        "insert into deposits(method, ref, address, user_id, order_id, raw, state, per_credit,"
        " rest_before, credits, bonus, rest_after)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " on conflict (method, ref) do update set user_id = excluded.user_id,"
        " order_id = excluded.order_id, state = excluded.state, per_credit = excluded.per_credit,"
        " rest_before = excluded.rest_before, credits = excluded.credits, bonus = excluded.bonus,"
        " rest_after = excluded.rest_after"
        " where deposits.state = 'unmatched' and excluded.state = 'credited'"
        " and deposits.raw = excluded.raw",
        params, COUNT(params), ret_rows, e);
}

static bool store_unmatched(struct db_tx *tx, const struct deposit *d, struct deposit_done *done,
                            struct err *e)
{
    struct credit_out nothing = {.rate = d->prices->per_credit};
    int64_t rows = 0;
    if (!insert_row(tx, d, done, &nothing, RAW_ZERO, &rows, e))
        return false;
    done->result = rows == 1 ? DEPOSIT_UNMATCHED : DEPOSIT_KNOWN;
    return true;
}

static bool save_rest(struct db_tx *tx, const char *account, const char *method, struct raw rest,
                      struct err *e)
{
    char raw[RAW_TEXT];
    raw_print(rest, raw);
    const char *params[] = {account, method, raw};
    return db_exec(tx,
                   "insert into rests(user_id, method, raw) values ($1, $2, $3)"
                   " on conflict (user_id, method) do update set raw = excluded.raw",
                   params, 3, NULL, e);
}

static bool save_order(struct db_tx *tx, struct order *o, const struct credit_out *c, struct err *e)
{
    char received[RAW_TEXT];
    o->received = c->received;
    o->bonus_given += c->bonus;
    o->state = c->complete ? ORDER_PAID : ORDER_PART;
    raw_print(o->received, received);
    struct num given = num_make(o->bonus_given);
    const char *params[] = {o->id, received, given.text, order_state_name(o->state)};
    return db_exec(tx,
                   "update orders set received = $2, bonus_given = $3, state = $4,"
                   " edit_at = case when $4 = 'paid' then 'infinity'::timestamptz else edit_at end"
                   " where id = $1",
                   params, 4, NULL, e);
}

static bool give(struct db_tx *tx, const struct deposit *d, const char *verb, const char *account,
                 int64_t credits, struct err *e)
{
    char key[PAY_REF_MAX + 40];
    enum ledger_result r;
    if (credits == 0)
        return true;
    snprintf(key, sizeof(key), "%s:%s:%s", verb, d->method, d->ref);
    if (!ledger_give(tx, key, verb, account, credits, &r, e))
        return false;
    return r == LEDGER_DONE ||
           err_set(e, ERR_INTERNAL, "error.internal", "%s was given before its receipt", key);
}

/* The wallet's lock is held: nobody else changes rest, orders or credits of this account. */
static bool credit_owner(struct db_tx *tx, const struct deposit *d, struct deposit_done *done,
                         struct err *e)
{
    struct credit_in in = {.prices = d->prices, .amount = d->amount};
    struct credit_out c;
    int64_t rows = 0;
    if (!order_for_payment(tx, done->account, d->method, d->amount, d->paid_at, &done->order,
                           &done->has_order, e) ||
        !deposit_rest(tx, done->account, d->method, &in.rest, e))
        return false;
    in.in_time = done->has_order;
    if (in.in_time) {
        in.order.amount = done->order.amount;
        in.order.received = done->order.received;
        in.order.per_credit = done->order.per_credit;
        in.order.bonus = done->order.bonus;
        in.order.bonus_given = done->order.bonus_given;
    }
    if (!credit_compute(&in, &c, e) || !insert_row(tx, d, done, &c, in.rest, &rows, e))
        return false;
    done->result = rows == 1 ? DEPOSIT_CREDITED : DEPOSIT_KNOWN;
    if (rows == 0)
        return true;
    done->credits = c.credits;
    done->bonus = c.bonus;
    done->rest = c.rest;
    DB_CRASH(tx, "deposit");
    return save_rest(tx, done->account, d->method, c.rest, e) &&
           (!done->has_order || save_order(tx, &done->order, &c, e)) &&
           give(tx, d, "buy", done->account, c.credits, e) &&
           give(tx, d, "bonus", done->account, c.bonus, e);
}

/* Whoever it is once the wallet is locked: the payee, or, since a moment, the payee's heir. */
static bool lock_owner(struct db_tx *tx, char account[static UUID_TEXT], struct err *e)
{
    struct wallet w;
    char locked[UUID_TEXT] = "";
    while (strcmp(locked, account) != 0) {
        str_copy(locked, sizeof(locked), account);
        if (!wallet_lock(tx, account, &w, e) || !find_heir(tx, account, e))
            return false;
    }
    return true;
}

bool deposit_credit(struct db_tx *tx, const struct deposit *d, struct deposit_done *ret,
                    struct err *e)
{
    bool known = false, found = false;
    *ret = (struct deposit_done){.result = DEPOSIT_KNOWN};
    if (raw_is_zero(d->amount))
        return err_set(e, ERR_INTERNAL, "error.internal", "a payment of nothing");
    if (!row_known(tx, d, &known, e) || known)
        return known;
    if (!find_payee(tx, d, ret, &found, e))
        return false;
    if (!found)
        return store_unmatched(tx, d, ret, e);
    return lock_owner(tx, ret->account, e) && credit_owner(tx, d, ret, e);
}

/* --- reading --- */

bool deposit_filter(struct db_tx *tx, const char *method, const char *const *refs, size_t count,
                    bool *ret_new, struct err *e)
{
    AUTO(strbuf_free) struct strbuf list = STRBUF(count * (PAY_REF_MAX + 1) + 1);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(&list, "%s%s", i ? "," : "", refs[i]);
        ret_new[i] = true;
    }
    const char *params[] = {method, strbuf_text(&list)};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select ref from deposits where method = $1"
                 " and ref = any(string_to_array($2, ','))",
                 params, 2, &rows, e))
        return false;
    for (size_t r = 0; r < db_count(rows); r++)
        for (size_t i = 0; i < count; i++)
            if (strcmp(refs[i], row_text(rows, r, 0)) == 0)
                ret_new[i] = false;
    return true;
}

bool deposit_owner(struct db_tx *tx, const char *method, const char *ref,
                   char ret_account[static UUID_TEXT], struct err *e)
{
    const char *params[] = {method, ref};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select user_id from deposits where method = $1 and ref = $2", params, 2,
                 &rows, e))
        return false;
    str_copy(ret_account, UUID_TEXT, db_count(rows) ? row_text(rows, 0, 0) : "");
    return true;
}

bool deposit_rest(struct db_tx *tx, const char *account, const char *method, struct raw *ret,
                  struct err *e)
{
    const char *params[] = {account, method};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    *ret = RAW_ZERO;
    if (!db_exec(tx, "select raw from rests where user_id = $1 and method = $2", params, 2, &rows,
                 e))
        return false;
    return db_count(rows) == 0 || raw_parse(row_text(rows, 0, 0), ret) ||
           err_set(e, ERR_INTERNAL, "error.internal", "rest of %s", account);
}

#define RECEIPT \
    "ref, coalesce(user_id::text, ''), address, raw, credits, bonus, " ISO("at") ", collected"

static bool receipt_row(const struct db_rows *rows, size_t i, struct receipt *ret, struct err *e)
{
    *ret = (struct receipt){
        .credits = db_int(rows, i, 4),
        .bonus = db_int(rows, i, 5),
        .collected = db_bool(rows, i, 7),
    };
    str_copy(ret->ref, sizeof(ret->ref), row_text(rows, i, 0));
    str_copy(ret->account, sizeof(ret->account), row_text(rows, i, 1));
    str_copy(ret->address, sizeof(ret->address), row_text(rows, i, 2));
    str_copy(ret->at, sizeof(ret->at), row_text(rows, i, 6));
    return raw_parse(row_text(rows, i, 3), &ret->amount) ||
           err_set(e, ERR_INTERNAL, "error.internal", "receipt %s", ret->ref);
}

static bool receipts(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
                     struct receipt *ret, size_t *ret_count, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, params, count, &rows, e))
        return false;
    *ret_count = db_count(rows);
    for (size_t i = 0; i < *ret_count; i++)
        if (!receipt_row(rows, i, &ret[i], e))
            return false;
    return true;
}

bool receipt_list(struct db_tx *tx, const char *account, struct receipt *ret, size_t max,
                  size_t *ret_count, struct err *e)
{
    struct num limit = num_make((int64_t)max);
    const char *params[] = {account, limit.text};
    return receipts(tx,
                    "select " RECEIPT " from deposits where user_id = $1"
                    " order by deposits.at desc, ref limit $2",
                    params, 2, ret, ret_count, e);
}

bool receipt_page(struct db_tx *tx, const char *method, const char *after, struct receipt *ret,
                  size_t max, size_t *ret_count, struct err *e)
{
    struct num limit = num_make((int64_t)max);
    const char *params[] = {method, after, limit.text};
    return receipts(tx,
                    "select " RECEIPT " from deposits where method = $1 and ref > $2"
                    " order by ref limit $3",
                    params, 3, ret, ret_count, e);
}

/* --- collecting --- */

bool deposit_next_uncollected(struct db_tx *tx, const char *address, struct receipt *ret,
                              bool *ret_found, struct err *e)
{
    const char *params[] = {address};
    size_t count = 0;
    if (!receipts(tx,
                  "select " RECEIPT " from deposits where address = $1 and not collected"
                  " and state = 'credited' order by deposits.at, ref limit 1",
                  params, 1, ret, &count, e))
        return false;
    *ret_found = count > 0;
    return true;
}

bool deposit_uncollected(struct db_tx *tx, const char *method, const char *after,
                         struct deposit_address *ret, size_t max, size_t *ret_count, struct err *e)
{
    struct num limit = num_make((int64_t)max);
    const char *params[] = {method, after, limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select a.address, a.user_id, a.print, a.index from deposit_addresses a"
                 " where a.method = $1 and a.address > $2 and exists (select 1 from deposits d"
                 "  where d.address = a.address and not d.collected and d.state = 'credited')"
                 " order by a.address limit $3",
                 params, 3, &rows, e))
        return false;
    *ret_count = db_count(rows);
    for (size_t i = 0; i < *ret_count; i++) {
        ret[i] = (struct deposit_address){.index = db_int(rows, i, 3)};
        str_copy(ret[i].address, sizeof(ret[i].address), row_text(rows, i, 0));
        str_copy(ret[i].account, sizeof(ret[i].account), row_text(rows, i, 1));
        str_copy(ret[i].print, sizeof(ret[i].print), row_text(rows, i, 2));
    }
    return true;
}

bool deposit_collected(struct db_tx *tx, const char *method, const char *ref, struct err *e)
{
    const char *params[] = {method, ref};
    return db_exec(tx, "update deposits set collected = true where method = $1 and ref = $2",
                   params, 2, NULL, e);
}
