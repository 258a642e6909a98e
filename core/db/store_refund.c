#include "core/db/store_refund.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_deposit.h"
#include "core/db/store_ledger.h"
#include "core/db/store_util.h"

enum { REFUND_KEY = 64 };

/* --- what can go back --- */

struct paid {
    int64_t gone;    /* bought credits that were spent or went back: the oldest */
    int64_t credits; /* that can go back now */
    int64_t bonus;   /* that ends with it */
};

/* Free credits go first: x is what would be free if only free ones were spent, and where it fell
   below zero, bought ones were. In the order of the lines, which the wallet's lock makes. A refund
   that came back never was. */
static const char paid_sql[] =
    "with move as (select min(e.id) id, t.verb, sum(e.amount) n, coalesce(max(r.bonus), 0) bonus"
    "   from entries e join transfers t using (key)"
    "   left join refunds r on r.user_id = $1 and r.state <> 'asked'"
    "     and t.key in ('refund:' || r.id, 'unrefund:' || r.id)"
    "   where e.user_id = $1 and r.state is distinct from 'refused' group by t.key),"
    " line as (select verb, n, bonus,"
    "   case verb when 'buy' then 0 when 'refund' then -bonus else n end free from move),"
    " level as (select coalesce(-least(0, min(x)), 0) below from (select sum(free) over"
    "   (order by id) x from (select id, case verb when 'buy' then 0 when 'refund' then -bonus"
    "   else n end free from move) f) s)"
    " select coalesce(sum(n) filter (where verb = 'buy'), 0)::bigint,"
    " ((select below from level)"
    "   + coalesce(sum(-n - bonus) filter (where verb = 'refund'), 0))::bigint,"
    " ((select below from level) + coalesce(sum(free), 0))::bigint,"
    " (coalesce(sum(n) filter (where verb = 'bonus'), 0)"
    "   - coalesce(sum(bonus) filter (where verb = 'refund'), 0))::bigint from line";

static bool read_paid(struct db_tx *tx, const char *account, int64_t available, struct paid *ret,
                      struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, paid_sql, params, 1, &rows, e))
        return false;
    int64_t bought = db_int(rows, 0, 0), free = db_int(rows, 0, 2);
    ret->bonus = MAX(db_int(rows, 0, 3), 0);
    /* Where the bonus was used already, bought credits stand in for it. */
    ret->gone = db_int(rows, 0, 1) + MAX(ret->bonus - free, 0);
    ret->credits = MAX(MIN(bought - ret->gone, available - ret->bonus), 0);
    return true;
}

/* The bought credits number gone ... gone + credits, each at its own price; never more than what
   arrived for credits and has not gone back. */
static bool read_value(struct db_tx *tx, const struct refund *r, int64_t gone, struct raw *ret,
                       struct err *e)
{
    struct num from = num_make(gone), to = num_make(gone + r->credits - r->bonus);
    const char *params[] = {r->account, r->method, from.text, to.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "with bought as (select credits, per_credit,"
                 "   sum(credits) over (order by at, ref) upto"
                 "   from deposits where user_id = $1 and method = $2 and state = 'credited')"
                 " select trunc(greatest(0, least("
                 "   (select coalesce(sum(per_credit * greatest(0, least(upto, $4::bigint)"
                 "     - greatest(upto - credits, $3::bigint))), 0) from bought),"
                 "   (select coalesce(sum(per_credit * credits), 0) from bought)"
                 "   - (select coalesce(sum(raw - rest), 0) from refunds where user_id = $1"
                 "     and method = $2 and state in ('waiting', 'sent', 'done')))))",
                 params, 4, &rows, e))
        return false;
    return raw_parse(row_text(rows, 0, 0), ret) ||
           err_set(e, ERR_INTERNAL, "error.internal", "value of a refund of %s", r->account);
}

/* --- rows --- */

#define COLUMNS                                                                \
    "r.id, r.user_id, r.method, r.address, r.credits, r.rest, r.raw, r.state," \
    " coalesce(r.block, ''), r.lang, r.addr, r.bonus"

static bool from_row(const struct db_rows *rows, size_t i, struct refund *ret, struct err *e)
{
    *ret = (struct refund){.credits = db_int(rows, i, 4), .bonus = db_int(rows, i, 11)};
    str_copy(ret->id, sizeof(ret->id), row_text(rows, i, 0));
    str_copy(ret->account, sizeof(ret->account), row_text(rows, i, 1));
    str_copy(ret->method, sizeof(ret->method), row_text(rows, i, 2));
    str_copy(ret->address, sizeof(ret->address), row_text(rows, i, 3));
    str_copy(ret->state, sizeof(ret->state), row_text(rows, i, 7));
    str_copy(ret->block, sizeof(ret->block), row_text(rows, i, 8));
    str_copy(ret->lang, sizeof(ret->lang), row_text(rows, i, 9));
    (void)seal_open_addr(row_text(rows, i, 10), &ret->addr); /* forgotten: nobody is told */
    return (raw_parse(row_text(rows, i, 5), &ret->rest) &&
            raw_parse(row_text(rows, i, 6), &ret->amount)) ||
           err_set(e, ERR_INTERNAL, "error.internal", "refund %s", ret->id);
}

static bool read_one(struct db_tx *tx, const char *sql, const char *const *params, size_t count,
                     struct refund *ret, bool *ret_found, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, sql, params, count, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    return !*ret_found || from_row(rows, 0, ret, e);
}

/* --- asking --- */

static bool none_under_way(struct db_tx *tx, const char *account, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select 1 from refunds where user_id = $1 and state in ('waiting', 'sent')",
                 params, 1, &rows, e))
        return false;
    return db_count(rows) == 0 ||
           err_set(e, ERR_CONFLICT, "refund.open", "a refund of %s is under way", account);
}

/* How many, and what they are worth; the wallet's lock is held. */
static bool compute(struct db_tx *tx, struct refund *r, int64_t available, bool all, struct err *e)
{
    struct paid paid;
    char most[24];
    r->rest = RAW_ZERO;
    if (!read_paid(tx, r->account, available, &paid, e) ||
        (all && !deposit_rest(tx, r->account, r->method, &r->rest, e)))
        return false;
    if (all)
        r->credits = paid.credits;
    r->bonus = 0;
    if (r->credits > paid.credits) {
        snprintf(most, sizeof(most), "%lld", (long long)paid.credits);
        return err_set_arg(e, ERR_INPUT, "refund.too_many", most, "%lld of %s credits",
                           (long long)r->credits, most);
    }
    if (r->credits > 0) {
        r->bonus = paid.bonus;
        r->credits += paid.bonus;
    }
    if (!read_value(tx, r, paid.gone, &r->amount, e))
        return false;
    return raw_add(r->amount, r->rest, &r->amount) ||
           err_set(e, ERR_INTERNAL, "error.internal", "a refund beyond all bounds");
}

static bool insert_row(struct db_tx *tx, struct refund *r, struct err *e)
{
    char amount[RAW_TEXT], rest[RAW_TEXT];
    raw_print(r->amount, amount);
    raw_print(r->rest, rest);
    struct num credits = num_make(r->credits), bonus = num_make(r->bonus);
    AUTO(free_ptr) char *addr = seal_addr(&r->addr);
    uuid_make(r->id);
    const char *params[] = {r->id,  r->account, r->method,       r->address, credits.text, rest,
                            amount, r->lang,    r->addr.network, addr,       bonus.text};
    return db_exec(tx,
                   "insert into refunds(id, user_id, method, address, credits, rest, raw, lang,"
                   " network, addr, bonus) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                   params, COUNT(params), NULL, e);
}

bool refund_ask(struct db_tx *tx, struct refund *r, struct err *e)
{
    struct wallet w;
    bool found;
    if (!wallet_lock(tx, r->account, &w, e) || !none_under_way(tx, r->account, e) ||
        !refund_cancel(tx, r->account, &found, e) ||
        !compute(tx, r, w.available, r->credits == 0, e))
        return false;
    if (raw_is_zero(r->amount))
        return err_set(e, ERR_INPUT, "refund.nothing", "nothing of %s was bought", r->account);
    str_copy(r->state, sizeof(r->state), "asked");
    DB_CRASH(tx, "refund_ask");
    return insert_row(tx, r, e);
}

bool refund_cancel(struct db_tx *tx, const char *account, bool *ret_found, struct err *e)
{
    const char *params[] = {account};
    int64_t rows = 0;
    if (!exec_change(tx,
                     "update refunds set state = 'cancelled' where user_id = $1"
                     " and state = 'asked'",
                     params, 1, &rows, e))
        return false;
    *ret_found = rows > 0;
    return true;
}

/* --- the yes --- */

/* One at a time over all accounts, so that two cannot share what is left of the day. */
static bool day_allows(struct db_tx *tx, const struct refund *r, struct raw day, struct err *e)
{
    char amount[RAW_TEXT], most[RAW_TEXT];
    raw_print(r->amount, amount);
    raw_print(day, most);
    const char *params[] = {amount, most, r->method};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select pg_advisory_xact_lock(hashtext('refunds of the day'))", NULL, 0, NULL,
                 e) ||
        !db_exec(tx,
                 "select coalesce(sum(raw), 0) + $1::numeric <= $2::numeric from refunds"
                 " where method = $3 and state in ('waiting', 'sent', 'done')"
                 " and agreed_at > clock_timestamp() - interval '24 hours'",
                 params, 3, &rows, e))
        return false;
    return db_bool(rows, 0, 0) || err_set(e, ERR_LIMIT, "refund.day", "the day's refunds are made");
}

static bool add_rest(struct db_tx *tx, const struct refund *r, const char *sign, struct err *e)
{
    char rest[RAW_TEXT + 1];
    int64_t rows = 0;
    if (raw_is_zero(r->rest))
        return true;
    str_copy(rest, sizeof(rest), sign);
    raw_print(r->rest, rest + strlen(sign));
    const char *params[] = {r->account, r->method, rest};
    if (!exec_change(tx,
                     "update rests set raw = raw + $3::numeric where user_id = $1 and method = $2",
                     params, 3, &rows, e))
        return false;
    return rows == 1 || err_set(e, ERR_INTERNAL, "error.internal", "no rest of %s", r->account);
}

static bool take(struct db_tx *tx, const struct refund *r, struct err *e)
{
    char key[REFUND_KEY];
    enum ledger_result result = LEDGER_DONE;
    snprintf(key, sizeof(key), "refund:%s", r->id);
    if (r->credits > 0 && !ledger_refund(tx, key, r->account, r->credits, &result, e))
        return false;
    if (result != LEDGER_DONE)
        return err_set(e, ERR_INTERNAL, "error.internal", "%s was taken before its yes", key);
    return add_rest(tx, r, "-", e);
}

/* Books that do not agree, or a restore that is not looked into. */
#define REST "select 1 from alarms where name in ('ledger', 'rescan', 'refunds')"

static bool refunds_rest(struct db_tx *tx, bool *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, REST, NULL, 0, &rows, e))
        return false;
    *ret = db_count(rows) > 0;
    return true;
}

bool refund_agree(struct db_tx *tx, const char *account, const char *id, struct raw day,
                  struct refund *ret, struct err *e)
{
    struct num minutes = num_make(REFUND_ASK_MINUTES);
    const char *params[] = {account, id, minutes.text};
    struct wallet w;
    bool found = false, rest = false;
    if (!wallet_lock(tx, account, &w, e) || !refunds_rest(tx, &rest, e))
        return false;
    if (rest)
        return err_set(e, ERR_CONFLICT, "error.closed", "an alarm is there");
    if (!read_one(tx,
                  "select " COLUMNS " from refunds r where r.user_id = $1 and r.state = 'asked'"
                  " and ($2 = '' or r.id::text = $2)"
                  " and r.created_at > clock_timestamp() - make_interval(mins => $3::int)",
                  params, 3, ret, &found, e))
        return false;
    if (!found)
        return none_under_way(tx, account, e) &&
               err_set(e, ERR_NOT_FOUND, "refund.gone", "no question is open");
    struct refund now = *ret;
    now.credits -= now.bonus;
    if (!compute(tx, &now, w.available, !raw_is_zero(ret->rest), e))
        return false;
    if (now.credits != ret->credits || now.bonus != ret->bonus ||
        raw_compare(now.amount, ret->amount) != 0 || raw_compare(now.rest, ret->rest) != 0)
        return err_set(e, ERR_CONFLICT, "refund.changed", "the account changed meanwhile");
    const char *row[] = {ret->id};
    DB_CRASH(tx, "refund_agree");
    if (!day_allows(tx, ret, day, e) || !take(tx, ret, e) ||
        !db_exec(tx,
                 "update refunds set state = 'waiting', told = 'waiting',"
                 " agreed_at = clock_timestamp() where id = $1",
                 row, 1, NULL, e))
        return false;
    str_copy(ret->state, sizeof(ret->state), "waiting");
    return true;
}

/* --- on its way --- */

bool refund_waiting(struct db_tx *tx, const char *method, struct refund *ret, bool *ret_found,
                    struct err *e)
{
    const char *params[] = {method};
    return read_one(tx,
                    "select " COLUMNS " from refunds r where r.state = 'waiting' and r.method = $1"
                    " and not exists (" REST ")"
                    " order by r.agreed_at, r.id limit 1",
                    params, 1, ret, ret_found, e);
}

bool refund_link(struct db_tx *tx, const char *id, const char *block, bool *ret_linked,
                 struct err *e)
{
    const char *params[] = {id, block};
    int64_t rows = 0;
    if (!exec_change(tx,
                     "update refunds set state = 'sent', block = $2 where id = $1"
                     " and state = 'waiting'",
                     params, 2, &rows, e))
        return false;
    DB_CRASH(tx, "refund_link");
    *ret_linked = rows == 1;
    return true;
}

static bool give_back(struct db_tx *tx, const struct refund *r, struct err *e)
{
    char key[REFUND_KEY];
    enum ledger_result result;
    snprintf(key, sizeof(key), "unrefund:%s", r->id);
    return (r->credits == 0 ||
            ledger_give(tx, key, "unrefund", r->account, r->credits, &result, e)) &&
           add_rest(tx, r, "", e);
}

bool refund_end(struct db_tx *tx, const char *block, bool confirmed, struct err *e)
{
    const char *params[] = {block};
    struct refund r;
    struct wallet w;
    bool found = false;
    int64_t rows = 0;
    if (!read_one(tx, "select " COLUMNS " from refunds r where r.block = $1 and r.state = 'sent'",
                  params, 1, &r, &found, e))
        return false;
    if (!found)
        return true;
    const char *change[] = {r.id, confirmed ? "done" : "refused"};
    if (!wallet_lock(tx, r.account, &w, e) ||
        !exec_change(
            tx,
            "update refunds set state = $2, address = case when addr = '' then '' else address"
            " end where id = $1 and state = 'sent'",
            change, 2, &rows, e))
        return false;
    DB_CRASH(tx, "refund_end");
    return confirmed || rows == 0 || give_back(tx, &r, e);
}

bool refund_adopt(struct db_tx *tx, const char *method, const char *address, struct raw amount,
                  const char *block, bool *ret_found, struct err *e)
{
    char raw[RAW_TEXT];
    int64_t rows = 0;
    raw_print(amount, raw);
    const char *params[] = {method, address, raw, block};
    if (!exec_change(tx,
                     "update refunds set state = 'sent', block = $4 where id = (select id"
                     " from refunds where state = 'waiting' and method = $1 and address = $2"
                     " and raw = $3::numeric order by agreed_at, id limit 1 for update)",
                     params, COUNT(params), &rows, e))
        return false;
    *ret_found = rows == 1;
    if (*ret_found)
        return refund_end(tx, block, true, e);
    const char *alarm[] = {block};
    return db_exec(
        tx,
        "insert into alarms(name, what) values ('refunds', $1 || ': sent by the treasury'"
        " || ' after the backup, for a refund that is not known')"
        " on conflict (name) do update set what = alarms.what || '; ' || excluded.what",
        alarm, 1, NULL, e);
}

bool refund_untold(struct db_tx *tx, const char *method, struct refund *ret, bool *ret_found,
                   struct err *e)
{
    const char *params[] = {method};
    return read_one(tx,
                    "select " COLUMNS " from refunds r where r.method = $1 and r.told <> r.state"
                    " and r.state in ('sent', 'done', 'refused') order by r.agreed_at limit 1",
                    params, 1, ret, ret_found, e);
}

bool refund_mark_told(struct db_tx *tx, const char *id, const char *told, bool *ret_new,
                      struct err *e)
{
    const char *params[] = {id, told};
    int64_t rows = 0;
    if (!exec_change(tx, "update refunds set told = $2 where id = $1 and told <> $2", params, 2,
                     &rows, e))
        return false;
    *ret_new = rows == 1;
    return true;
}

bool refund_page(struct db_tx *tx, const char *method, const char *after, struct refund *ret,
                 size_t max, size_t *ret_count, struct err *e)
{
    struct num limit = num_make((int64_t)max);
    const char *params[] = {method, after, limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select " COLUMNS " from refunds r where r.method = $1 and r.block > $2"
                 " order by r.block limit $3",
                 params, 3, &rows, e))
        return false;
    *ret_count = db_count(rows);
    for (size_t i = 0; i < *ret_count; i++)
        if (!from_row(rows, i, &ret[i], e))
            return false;
    return true;
}
