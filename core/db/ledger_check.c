/*
 * The invariants of the facts sheet (section 4.4, numbers in the texts) as one statement, so that
 * all are looked at in one snapshot: nothing that runs beside it can make a false alarm.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/db/store_util.h"

enum { FAULT_TEXT = 400 };

#define LIVE "('waiting', 'ready', 'running', 'delivering', 'kept')"
#define ACTIVE "('ready', 'running', 'delivering')"

/* $1 = jobs of one account at work at once, $2 = hours a job may wait, $3 = most rows. */
static const char check_sql[] =
    "with line as (select key, count(*) n, sum(amount) total from entries group by key),"
    " own as (select user_id, coalesce(sum(amount) filter (where account = 'avail'), 0) avail,"
    "   coalesce(sum(amount) filter (where account = 'held'), 0) held"
    "   from entries where user_id is not null group by user_id),"
    " open as (select user_id, sum(amount) held from holds where state = 'open' group by user_id),"
    " work as (select user_id, count(*) filter (where state in " ACTIVE ") active,"
    "   count(*) filter (where state = 'waiting') waiting"
    "   from jobs where state in " LIVE " group by user_id)"
    " select what from ("
    /* 1 */
    "select 'money: transfer ' || t.key || ' has ' || coalesce(n, 0) || ' entries, sum '"
    "   || coalesce(total, 0) as what from transfers t left join line l using (key)"
    "   where coalesce(n, 0) < 2 or total <> 0"
    /* 2 */
    " union all select 'money: sum of all entries is ' || sum(amount) from entries"
    "   having sum(amount) <> 0"
    /* 3 and 9 */
    " union all select 'money: wallet ' || w.user_id || ' says ' || w.avail || '+' || w.held"
    "   || ', its entries ' || coalesce(o.avail, 0) || '+' || coalesce(o.held, 0)"
    "   from wallets w left join own o using (user_id)"
    "   where w.avail <> coalesce(o.avail, 0) or w.held <> coalesce(o.held, 0)"
    "   or w.avail < 0 or w.held < 0"
    " union all select 'money: wallet ' || user_id || ' has an heir and keeps ' || avail"
    "   from wallets where heir is not null and avail <> 0"
    " union all select 'money: between accounts and their heirs is ' || sum(amount) from entries"
    "   where account = 'heirs' having sum(amount) <> 0"
    /* 4 */
    " union all select 'money: wallet ' || w.user_id || ' holds ' || w.held || ', its open holds '"
    "   || coalesce(o.held, 0) from wallets w left join open o using (user_id)"
    "   where w.held <> coalesce(o.held, 0)"
    /* 5 */
    " union all select 'money: job ' || j.id || ' is ' || j.state || ', its hold '"
    "   || coalesce(h.state, 'missing') from jobs j left join holds h on h.job_id = j.id"
    "   where (j.state in " LIVE " and j.price > 0"
    "     and (h.state is distinct from 'open' or h.amount <> j.price))"
    "   or (j.state not in " LIVE " and h.state = 'open')"
    "   or (j.state in " LIVE " and j.price = 0 and h.state = 'open')"
    /* 6 */
    " union all select 'money: job ' || j.id || ' is ' || j.state || ', charged ' || j.charged"
    "   || ', delivery ' || coalesce(d.state, 'missing') || ', hold ' || coalesce(h.state, 'none')"
    "   || ' ' || coalesce(h.captured, 0) from jobs j left join holds h on h.job_id = j.id"
    "   left join deliveries d on d.job_id = j.id"
    "   where ((j.state = 'done') <> coalesce(d.state = 'delivered', false))"
    "   or j.charged <> coalesce(h.captured, 0) or (h.state = 'captured' and j.state <> 'done')"
    "   or (j.state = 'done' and j.price > 0 and h.job_id is null)"
    "   or (h.state = 'released' and j.state = 'done' and j.charged <> 0)"
    /* 7 */
    " union all select 'money: hold of ' || h.job_id || ' is ' || h.state || ', transfers say '"
    "   || coalesce(string_agg(t.verb || ' ' || t.amount, ', '), 'nothing')"
    "   from holds h left join transfers t"
    "     on t.job_id = h.job_id and t.verb in ('capture', 'release')"
    "   group by h.job_id, h.state, h.amount, h.captured"
    "   having count(t.key) <> (case when h.state = 'open' then 0 else 1 end)"
    "   or max(t.verb) <> (case when h.state = 'captured' then 'capture' else 'release' end)"
    "   or max(t.amount) <> (case when h.state = 'captured' then h.captured else h.amount end)"
    /* who pays: what a job holds is its payer's, and every movement of it too */
    " union all select 'money: job ' || j.id || ' is paid by ' || coalesce(j.payer_id, j.user_id)"
    "   || ', ' || t.verb || ' moves credits of ' || t.user_id || ', its hold is of ' || h.user_id"
    "   from jobs j join holds h on h.job_id = j.id join transfers t on t.job_id = j.id"
    "   where h.user_id <> coalesce(j.payer_id, j.user_id) or t.user_id <> h.user_id"
    " union all select 'money: payer ' || u.id || ' of job ' || j.id || ' is no group'"
    "   from jobs j join users u on u.id = j.payer_id where u.kind <> 'group'"
    /* 8: receipts, credits and raw tell the same story */
    " union all select 'money: payment ' || coalesce(p.key, t.key) || ' bought '"
    "   || coalesce(p.amount, 0) || ', its transfer says ' || coalesce(t.amount, 0) from ("
    "   select 'buy:' || method || ':' || ref as key, user_id, credits amount from deposits"
    "     where credits > 0"
    "   union all select 'bonus:' || method || ':' || ref, user_id, bonus from deposits"
    "     where bonus > 0) p"
    "   full join (select * from transfers where verb in ('buy', 'bonus')) t on t.key = p.key"
    "   where p.amount is distinct from t.amount or p.user_id is distinct from t.user_id"
    " union all select 'money: rest of ' || user_id || ' is ' || coalesce(r.raw, 0)"
    "   || ', payments leave ' || coalesce(d.raw, 0) from rests r full join (select user_id,"
    "   method, sum(raw) raw from (select user_id, method, raw - credits * per_credit raw"
    "     from deposits where state = 'credited' union all select user_id, method, -rest"
    "     from refunds where state in ('waiting', 'sent', 'done')"
    "     union all select from_id, method, -raw from inherited_rests"
    "     union all select into_id, method, raw from inherited_rests) part"
    "   group by user_id, method) d using (user_id, method)"
    "   where coalesce(r.raw, 0) <> coalesce(d.raw, 0)"
    /* refunds: their transfers, their block, and never more than what arrived */
    " union all select 'money: refund ' || coalesce(p.key, t.key) || ' is ' || coalesce(p.amount, "
    "0)"
    "   || ', its transfer says ' || coalesce(t.amount, 0) from ("
    "   select 'refund:' || id as key, user_id, credits amount from refunds"
    "     where credits > 0 and state in ('waiting', 'sent', 'done', 'refused')"
    "   union all select 'unrefund:' || id, user_id, credits from refunds"
    "     where credits > 0 and state = 'refused') p"
    "   full join (select * from transfers where verb in ('refund', 'unrefund')) t on t.key = p.key"
    "   where p.amount is distinct from t.amount or p.user_id is distinct from t.user_id"
    " union all select 'money: refund ' || r.id || ' is ' || r.state || ', its block '"
    "   || coalesce(b.kind || ' ' || b.raw || ' ' || b.state, 'missing') from refunds r"
    "   left join blocks b on b.hash = r.block where r.block is not null and (b.kind <> 'send'"
    "   or b.raw <> r.raw or (r.state = 'done') <> (b.state = 'confirmed')"
    "   or (r.state = 'refused') <> (b.state = 'refused'))"
    " union all select 'money: refunds of ' || user_id || ' are ' || r.raw || ', its payments '"
    "   || coalesce(d.raw, 0) from (select user_id, method, sum(raw) raw from refunds"
    "   where state in ('waiting', 'sent', 'done') group by user_id, method) r"
    "   left join (select user_id, method, sum(raw) raw from deposits where state = 'credited'"
    "   group by user_id, method) d using (user_id, method) where r.raw > coalesce(d.raw, 0)"
    " union all select 'money: order ' || o.id || ' counts ' || o.received || ' raw and '"
    "   || o.bonus_given || ' bonus, its payments ' || coalesce(sum(d.raw), 0) || ' and '"
    "   || coalesce(sum(d.bonus), 0) from orders o left join deposits d on d.order_id = o.id"
    "   group by o.id, o.received, o.bonus_given"
    "   having o.received <> coalesce(sum(d.raw), 0) or o.bonus_given <> coalesce(sum(d.bonus), 0)"
    /* 10 */
    " union all select 'jobs: wallet ' || w.user_id || ' counts ' || w.active || ' at work, there '"
    "   || 'are ' || coalesce(k.active, 0) || ' and ' || coalesce(k.waiting, 0) || ' waiting'"
    "   from wallets w left join work k using (user_id)"
    "   where w.active <> coalesce(k.active, 0) or coalesce(k.active, 0) > $1::int"
    "   or (coalesce(k.waiting, 0) > 0 and coalesce(k.active, 0) < $1::int)"
    /* 11 */
    " union all select 'late: job ' || id || ' is ' || state || ', its lease ended at '"
    "   || lease_until from jobs where state in ('running', 'delivering')"
    "   and lease_until < clock_timestamp() - interval '3 min'"
    " union all select 'late: job ' || id || ' is ' || state || ' since ' || started_at"
    "   from jobs where state in ('waiting', 'ready')"
    "   and started_at < clock_timestamp() - make_interval(hours => $2::int, mins => 10)"
    /* 12 */
    " union all select 'late: outbox row ' || id || ' (' || network || ') is ' || state"
    "   || ' since ' || created_at from outbox where state in ('pending', 'sending')"
    "   and greatest(created_at, not_before) < clock_timestamp() - interval '10 min'"
    ") fault limit $3::int";

bool ledger_check(struct db_tx *tx, void (*on_fault)(void *ctx, const char *what), void *ctx,
                  size_t *ret_faults, struct err *e)
{
    enum { FAULTS_MAX = 100 };
    struct num cap = num_make(JOB_RUNNING_MAX), hours = num_make(JOB_QUEUE_HOURS),
               most = num_make(FAULTS_MAX);
    const char *params[] = {cap.text, hours.text, most.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, check_sql, params, COUNT(params), &rows, e))
        return false;
    for (size_t i = 0; on_fault && i < db_count(rows); i++)
        on_fault(ctx, row_text(rows, i, 0));
    if (ret_faults)
        *ret_faults = db_count(rows);
    return true;
}

/* --- the alarm --- */

struct watch {
    void (*on_fault)(void *ctx, const char *what);
    void *ctx;
    char first[FAULT_TEXT]; /* that is no mere delay */
};

static void on_watched(void *ctx, const char *what)
{
    struct watch *w = ctx;
    if (!w->first[0] && !str_starts(what, "late:"))
        snprintf(w->first, sizeof(w->first), "%s", what);
    if (w->on_fault)
        w->on_fault(w->ctx, what);
}

bool ledger_watch(struct db_tx *tx, void (*on_fault)(void *ctx, const char *what), void *ctx,
                  bool *ret_closed, struct err *e)
{
    struct watch w = {.on_fault = on_fault, .ctx = ctx};
    if (!ledger_check(tx, on_watched, &w, NULL, e))
        return false;
    *ret_closed = w.first[0] != '\0';
    const char *params[] = {w.first};
    return *ret_closed ? db_exec(tx,
                                 "insert into alarms(name, what) values ('ledger', $1)"
                                 " on conflict (name) do update set what = excluded.what",
                                 params, 1, NULL, e)
                       : db_exec(tx, "delete from alarms where name = 'ledger'", NULL, 0, NULL, e);
}

bool ledger_closed(struct db_tx *tx, bool *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select 1 from alarms where name = 'ledger'", NULL, 0, &rows, e))
        return false;
    *ret = db_count(rows) > 0;
    return true;
}
