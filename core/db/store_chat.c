#include "core/db/store_chat.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_util.h"

enum { TRIES_MAX = 8, STUCK_SECONDS = 60, SWEEP_ROWS = 500, CLAIM_MAX = 64 };

void outbox_row_free(struct outbox_row *r)
{
    free(r->body);
    *r = (struct outbox_row){0};
}

/* An edit that nobody has tried yet says less than the new one. */
static bool drop_older_edits(struct db_tx *tx, const struct outbox_row *row, const char *lane,
                             struct err *e)
{
    if (!*row->edit_ref && !row->edits_card)
        return true;
    AUTO(free_ptr) char *ref = seal_ref(row->edit_ref);
    const char *params[] = {row->addr.network, lane, ref,
                            row->edits_card && *row->job ? row->job : NULL,
                            row->edits_card && *row->order ? row->order : NULL};
    return db_exec(tx,
                   "delete from outbox where id in (select id from outbox where network = $1"
                   " and lane = $2 and state = 'pending' and tries = 0"
                   " and (($3 <> '' and edit_ref = $3) or (edits_card"
                   "   and (job_id = $4::uuid or order_id = $5::uuid)))"
                   " for update skip locked)",
                   params, COUNT(params), NULL, e);
}

bool outbox_add(struct db_tx *tx, const struct outbox_row *row, struct err *e)
{
    char lane[SEAL_MAC_TEXT];
    seal_lane(row->addr.network, row->addr.chat, lane);
    if (!drop_older_edits(tx, row, lane, e))
        return false;
    AUTO(free_ptr) char *addr = seal_addr(&row->addr);
    AUTO(free_ptr) char *ref = seal_ref(row->edit_ref);
    const char *params[] = {row->addr.network,
                            lane,
                            addr,
                            row->body,
                            ref,
                            *row->job ? row->job : NULL,
                            *row->order ? row->order : NULL,
                            row->sets_card ? "t" : "f",
                            row->edits_card ? "t" : "f"};
    return db_exec(tx,
                   "insert into outbox(network, lane, addr, body, edit_ref, job_id, order_id,"
                   " sets_card, edits_card, state)"
                   " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending')",
                   params, COUNT(params), NULL, e);
}

/* Sent without an answer for too long: unknown. A send may be shown twice, so it gets one more
   chance; an edit may be repeated. */
static bool reclaim_stuck(struct db_tx *tx, const char *network, int seconds, struct err *e)
{
    struct num age = num_make(seconds), tries = num_make(TRIES_MAX);
    const char *params[] = {network, age.text, tries.text};
    return db_exec(tx,
                   "update outbox set lost = lost + 1, sending_since = null, state ="
                   " case when tries < $3::int and (lost = 0 or edit_ref <> '') then 'pending'"
                   " else 'dead' end"
                   " where network = $1 and state = 'sending'"
                   " and sending_since <= clock_timestamp() - make_interval(secs => $2::int)",
                   params, 3, NULL, e);
}

bool outbox_expire(struct db_tx *tx, const char *network, struct err *e)
{
    return reclaim_stuck(tx, network, 0, e);
}

static void claimed_row(const struct db_rows *rows, size_t i, struct outbox_row *ret)
{
    *ret = (struct outbox_row){.id = db_int(rows, i, 0), .tries = (int)db_int(rows, i, 7)};
    seal_open_addr(row_text(rows, i, 1), &ret->addr);
    ret->body = str_dup(row_text(rows, i, 2));
    seal_open_ref(row_text(rows, i, 3), ret->edit_ref, sizeof(ret->edit_ref));
    str_copy(ret->job, sizeof(ret->job), row_text(rows, i, 4));
    ret->sets_card = db_bool(rows, i, 5);
    ret->edits_card = db_bool(rows, i, 6);
    str_copy(ret->order, sizeof(ret->order), row_text(rows, i, 8));
}

/* Lanes of one network are handed out under one short lock: two senders must not take two rows of
   one lane, and a row that was committed late must not overtake. */
bool outbox_claim(struct db_tx *tx, const char *network, size_t max, struct outbox_row *ret,
                  size_t *ret_count, struct err *e)
{
    *ret_count = 0;
    const char *lock[] = {network};
    if (!db_exec(tx, "select pg_advisory_xact_lock(hashtextextended('nanotik.outbox.' || $1, 0))",
                 lock, 1, NULL, e) ||
        !reclaim_stuck(tx, network, STUCK_SECONDS, e))
        return false;
    struct num limit = num_make((int64_t)MIN(max, CLAIM_MAX));
    const char *params[] = {network, limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    /* The first open row of a lane, when it is due; a lane with a row in flight has none. */
    if (!db_exec(tx,
                 "with due as (select o.id from outbox o where network = $1 and state = 'pending'"
                 "   and not_before <= clock_timestamp() and not exists (select 1 from outbox p"
                 "     where p.network = o.network and p.lane = o.lane"
                 "     and p.state in ('pending', 'sending')"
                 "     and (p.id < o.id or p.state = 'sending'))"
                 "   order by o.id limit $2 for update of o)"
                 " update outbox o set state = 'sending', tries = tries + 1,"
                 "   sending_since = clock_timestamp(), edit_ref = case when edits_card"
                 "     then coalesce((select card_ref from jobs j where j.id = o.job_id),"
                 "       (select card_ref from orders p where p.id = o.order_id), '')"
                 "     else edit_ref end"
                 " from due where o.id = due.id"
                 " returning o.id, addr, body, edit_ref, job_id, sets_card, edits_card, tries,"
                 " o.order_id",
                 params, 2, &rows, e))
        return false;
    size_t count = db_count(rows);
    for (size_t i = 0; i < count; i++)
        claimed_row(rows, i, &ret[i]);
    *ret_count = count;
    if (count > 0)
        DB_CRASH(tx, "outbox.claim");
    return true;
}

/* The text is not kept once it was read; sent is sent, even when another thought it lost. */
bool outbox_sent(struct db_tx *tx, const struct outbox_row *r, const char *remote_ref,
                 struct err *e)
{
    struct num id = num_make(r->id);
    AUTO(free_ptr) char *ref = seal_ref(remote_ref);
    const char *params[] = {id.text, ref};
    int64_t rows;
    if (!exec_change(tx,
                     "update outbox set state = 'sent', sending_since = null, remote_ref = $2,"
                     " body = '', addr = '' where id = $1 and state <> 'sent'",
                     params, 2, &rows, e))
        return false;
    DB_CRASH(tx, "outbox.sent");
    if (rows == 0 || !r->sets_card || !*remote_ref)
        return true;
    const char *job[] = {r->job, ref}, *order[] = {r->order, ref};
    if (*r->job && !db_exec(tx, "update jobs set card_ref = $2 where id = $1", job, 2, NULL, e))
        return false;
    return !*r->order ||
           db_exec(tx, "update orders set card_ref = $2 where id = $1", order, 2, NULL, e);
}

bool outbox_failed(struct db_tx *tx, const struct outbox_row *r, enum outbox_failure why,
                   int delay_ms, struct err *e)
{
    static const char *const names[] = {
        [OUTBOX_AGAIN] = "again",
        [OUTBOX_HELD] = "held",
        [OUTBOX_UNCLEAR] = "unclear",
        [OUTBOX_NEVER] = "never",
    };
    struct num id = num_make(r->id), tries = num_make(r->tries), most = num_make(TRIES_MAX),
               delay = num_make(MAX(delay_ms, 0));
    const char *params[] = {id.text, tries.text, names[why], most.text, delay.text};
    return db_exec(tx,
                   "update outbox set sending_since = null,"
                   " tries = tries - case when $3 = 'held' then 1 else 0 end,"
                   " lost = lost + case when $3 = 'unclear' then 1 else 0 end,"
                   " state = case when $3 = 'held' then 'pending' when $3 = 'never'"
                   "   or (tries >= $4::int and created_at < clock_timestamp() - interval '15 min')"
                   "   or ($3 = 'unclear' and lost > 0 and edit_ref = '')"
                   "   then 'dead' else 'pending' end,"
                   " not_before = clock_timestamp() + $5::bigint * interval '1 ms'"
                   " where id = $1 and state = 'sending' and tries = $2::int",
                   params, COUNT(params), NULL, e);
}

bool outbox_pending(struct db_tx *tx, const char *network, int64_t *ret, struct err *e)
{
    const char *params[] = {network};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select count(*) from outbox where network = $1"
                 " and state in ('pending', 'sending')",
                 params, 1, &rows, e))
        return false;
    *ret = db_int(rows, 0, 0);
    return true;
}

bool chat_sweep(struct db_tx *tx, int keep_days, int64_t *ret_removed, struct err *e)
{
    /* A message that nobody could take for so long is not news any more. */
    static const char *const steps[] = {
        "delete from inbox where (network, event) in (select network, event from inbox"
        " where received_at < clock_timestamp() - make_interval(days => $1::int)"
        " limit $2::int for update skip locked)",
        "delete from outbox where id in (select id from outbox where state in ('sent', 'dead')"
        " and created_at < clock_timestamp() - make_interval(days => $1::int)"
        " limit $2::int for update skip locked)",
        "delete from outbox where id in (select id from outbox where state = 'pending'"
        " and greatest(created_at, not_before)"
        "   < clock_timestamp() - make_interval(days => $1::int)"
        " limit $2::int for update skip locked)",
    };
    struct num days = num_make(keep_days), limit = num_make(SWEEP_ROWS);
    const char *params[] = {days.text, limit.text};
    int64_t removed = 0;
    for (size_t i = 0; i < COUNT(steps); i++) {
        int64_t rows;
        if (!exec_change(tx, steps[i], params, 2, &rows, e))
            return false;
        removed += rows;
    }
    if (ret_removed)
        *ret_removed = removed;
    return true;
}
