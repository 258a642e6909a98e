#include "core/db/store_guard.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/db/seal.h"
#include "core/db/store_admin.h"
#include "core/db/store_util.h"

enum { ANSWER_MAX = 16384, CALLS_MAX = 40, SWEEP_ROWS = 500 };

/* --- strikes --- */

bool strike_count(struct db_tx *tx, const char *account, int days, int *ret_count, struct err *e)
{
    struct num window = num_make(days);
    const char *params[] = {account, window.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select count(*) from strikes where user_id = $1"
                 " and at > clock_timestamp() - make_interval(days => $2::int)",
                 params, 2, &rows, e))
        return false;
    *ret_count = (int)db_int(rows, 0, 0);
    return true;
}

bool strike_add(struct db_tx *tx, const char *account, const char *category,
                const struct strike_limits *limits, int *ret_count, bool *ret_paused, struct err *e)
{
    struct num hours = num_make(limits->pause_hours);
    const char *strike[] = {account, category}, *pause[] = {account, hours.text};
    *ret_paused = false;
    if (!db_exec(tx, "insert into strikes(user_id, category) values ($1, $2)", strike, 2, NULL,
                 e) ||
        !strike_count(tx, account, limits->days, ret_count, e))
        return false;
    if (limits->most == 0 || *ret_count < limits->most)
        return true;
    *ret_paused = true;
    return db_exec(tx,
                   "insert into pauses(user_id, until) values ($1,"
                   " clock_timestamp() + make_interval(hours => $2::int))"
                   " on conflict (user_id) do update set until = excluded.until",
                   pause, 2, NULL, e);
}

bool strike_pause(struct db_tx *tx, const char *account, int *ret_hours, struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select ceil(extract(epoch from until - clock_timestamp()) / 3600)::int"
                 " from pauses where user_id = $1 and until > clock_timestamp()",
                 params, 1, &rows, e))
        return false;
    *ret_hours = db_count(rows) > 0 ? (int)MAX(db_int(rows, 0, 0), 1) : 0;
    return true;
}

bool strike_clear(struct db_tx *tx, const char *account, const char *actor, const char *why,
                  int *ret_count, struct err *e)
{
    int64_t rows = 0;
    const char *params[] = {account};
    if (!exec_change(tx, "delete from strikes where user_id = $1", params, 1, &rows, e) ||
        !db_exec(tx, "delete from pauses where user_id = $1", params, 1, NULL, e))
        return false;
    struct num amount = num_make(rows);
    *ret_count = (int)rows;
    return admin_note(tx,
                      &(struct admin_act){.actor = actor,
                                          .action = "pardon",
                                          .account = account,
                                          .amount = amount.text,
                                          .why = why},
                      e);
}

/* --- what outlasts /forget --- */

bool strike_keep(struct db_tx *tx, const char *account, int days, struct err *e)
{
    struct num window = num_make(days);
    const char *params[] = {account, window.text};
    return db_exec(tx,
                   "insert into strike_marks(mac, strikes, pause_until, until)"
                   " select sha256(i.mac), s.list, p.until,"
                   "  greatest(s.last + make_interval(days => $2::int), p.until)"
                   " from identities i cross join (select coalesce(array_agg(at), '{}') list,"
                   "  max(at) as last from strikes where user_id = $1"
                   "  and at > clock_timestamp() - make_interval(days => $2::int)) s"
                   " left join pauses p on p.user_id = i.user_id and p.until > clock_timestamp()"
                   " where i.user_id = $1 and (s.last is not null or p.until is not null)",
                   params, 2, NULL, e);
}

bool strike_return(struct db_tx *tx, const char *account, const char *mac, struct err *e)
{
    const char *params[] = {account, mac};
    return db_exec(tx,
                   "with mark as (delete from strike_marks where mac = sha256($2::bytea)"
                   "  returning strikes, pause_until),"
                   " back as (insert into strikes(user_id, category, at)"
                   "  select $1, 'earlier', unnest(strikes) from mark)"
                   " insert into pauses(user_id, until) select $1, pause_until from mark"
                   " where pause_until is not null",
                   params, 2, NULL, e);
}

/* --- calls --- */

void person_name(const char *account, char ret[static PERSON_TEXT])
{
    char mac[SEAL_MAC_TEXT];
    seal_mac(SEAL_PERSON, account, mac);
    str_copy(ret, PERSON_TEXT, mac + 2); /* without "\x" */
}

bool script_call_add(struct db_tx *tx, const char *job, const char *account,
                     const struct script_call *call, struct err *e)
{
    char answer[ANSWER_MAX + 1] = "";
    struct num in = num_make(call->tokens_in), out = num_make(call->tokens_out),
               ms = num_make(call->ms), most = num_make(CALLS_MAX);
    size_t len = MIN(call->text_len, sizeof(answer) - 1);
    if (call->text)
        memcpy(answer, call->text, len);
    answer[call->text ? len : 0] = '\0';
    for (size_t i = 0; call->text && i < len; i++)
        if (answer[i] == '\0')
            answer[i] = ' ';
    utf8_clean(answer);
    const char *params[] = {job,
                            account,
                            call->writer,
                            call->model,
                            call->outcome,
                            call->tokens_in >= 0 ? in.text : NULL,
                            call->tokens_out >= 0 ? out.text : NULL,
                            ms.text,
                            answer,
                            most.text};
    return db_exec(tx,
                   "insert into script_calls(job_id, user_id, writer, model, outcome, tokens_in,"
                   " tokens_out, ms, answer) select $1, $2, $3, $4, $5, $6, $7, $8, $9"
                   " where (select count(*) from script_calls where job_id = $1) < $10::int",
                   params, COUNT(params), NULL, e);
}

bool guard_sweep(struct db_tx *tx, int keep_days, struct err *e)
{
    struct num days = num_make(keep_days), limit = num_make(SWEEP_ROWS);
    const char *params[] = {days.text, limit.text};
    return db_exec(tx,
                   "delete from script_calls where id in (select id from script_calls"
                   " where at < clock_timestamp() - make_interval(days => $1::int)"
                   " order by at limit $2::int for update skip locked)",
                   params, 2, NULL, e) &&
           db_exec(tx,
                   "delete from strikes where id in (select id from strikes"
                   " where at < clock_timestamp() - interval '400 days' order by id limit $1::int)",
                   params + 1, 1, NULL, e) &&
           db_exec(tx,
                   "delete from strike_marks where mac in (select mac from strike_marks"
                   " where until <= clock_timestamp() order by until limit $1::int"
                   " for update skip locked)",
                   params + 1, 1, NULL, e);
}
