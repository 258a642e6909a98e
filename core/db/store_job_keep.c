/*
 * Films that could not be delivered wait for their person; films that were delivered are sent again.
 */
#include <stdlib.h>
#include <strings.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_job.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_ledger.h"
#include "core/db/store_util.h"

enum { OFFER_AGAIN_HOURS = 12 };

bool job_offer_kept(struct db_tx *tx, const char *account, const char *network, size_t max,
                    struct job **ret, size_t *ret_count, struct err *e)
{
    struct num limit = num_make((int64_t)max), hours = num_make(OFFER_AGAIN_HOURS);
    const char *params[] = {account, network, limit.text, hours.text};
    AUTO(db_rows_free) struct db_rows *due = NULL;
    if (!db_exec(tx,
                 "update jobs set offered_at = clock_timestamp() where id in (select id from jobs"
                 " where user_id = $1 and network = $2 and state = 'kept' and (offered_at is null"
                 " or offered_at < clock_timestamp() - make_interval(hours => $4::int))"
                 " order by created_at limit $3::bigint for update skip locked) returning id",
                 params, COUNT(params), &due, e))
        return false;
    size_t count = 0;
    struct job *list = calloc(db_count(due) + 1, sizeof(*list));
    if (!list)
        abort();
    for (; count < db_count(due); count++)
        if (!job_get(tx, row_text(due, count, 0), &list[count], e)) {
            while (count > 0)
                job_free(&list[--count]);
            free(list);
            return false;
        }
    *ret = list;
    *ret_count = count;
    return true;
}

/* False in *ret_ready: it has to wait for others of the same account. *ret JOB_QUEUE_FULL: no room. */
static bool find_room(struct db_tx *tx, const char *account, const struct wallet *w,
                      bool *ret_ready, enum job_start *ret, struct err *e)
{
    int64_t waiting = 0;
    *ret_ready = w->active < JOB_RUNNING_MAX;
    if (!*ret_ready && !job_count_waiting(tx, account, &waiting, e))
        return false;
    *ret = waiting >= JOB_WAITING_MAX ? JOB_QUEUE_FULL : JOB_STARTED;
    return true;
}

bool job_send_kept(struct db_tx *tx, const char *id, const struct chat_addr *addr,
                   const char *story, enum job_start *ret, struct err *e)
{
    struct job_head h = {0};
    struct wallet w;
    bool is_ready;
    if (!job_lock_paid(tx, id, &h, &w, e))
        return false;
    *ret = JOB_STARTED_BEFORE;
    if (h.state != JOB_KEPT)
        return true;
    if (!find_room(tx, h.account, &w, &is_ready, ret, e) || *ret != JOB_STARTED)
        return *ret == JOB_QUEUE_FULL;
    AUTO(free_ptr) char *sealed = seal_addr(addr);
    char lane[SEAL_MAC_TEXT];
    seal_lane(addr->network, addr->chat, lane);
    const char *params[] = {id, addr->network, sealed, story, lane};
    DB_CRASH(tx, "job_send_kept");
    return db_exec(tx,
                   "update jobs set network = $2, addr = $3, lane = $5, card_ref = '', story = $4,"
                   " tries = 0, fail_key = '', fail_arg = '', cancel_at = null where id = $1",
                   params, COUNT(params), NULL, e) &&
           job_enter_queue(tx, id, h.account, JOB_KEPT, is_ready, e);
}

bool job_orphans(struct db_tx *tx, const char (*ids)[UUID_TEXT], size_t count, bool *ret,
                 struct err *e)
{
    struct strbuf list = STRBUF(65536);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&list, "%s%s", i ? "," : "{", ids[i]);
    strbuf_addc(&list, '}');
    AUTO(free_ptr) char *array = strbuf_take(&list);
    if (!array)
        return err_set(e, ERR_INTERNAL, "error.internal", "too many jobs at once");
    const char *params[] = {array};
    if (!db_exec(tx,
                 "select j.id from jobs j where j.id = any($1::uuid[])"
                 " and j.state in ('quoted', 'done', 'failed', 'cancelled')"
                 " and not exists (select 1 from videos v where v.job_id = j.id and v.path <> '')",
                 params, 1, &rows, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        ret[i] = false;
        for (size_t k = 0; k < db_count(rows) && !ret[i]; k++)
            ret[i] = strcasecmp(row_text(rows, k, 0), ids[i]) == 0;
    }
    return true;
}

bool job_resend(struct db_tx *tx, const struct job *spec, const struct job *done,
                const char *dedupe_key, enum job_start *ret, char ret_id[static UUID_TEXT],
                struct err *e)
{
    struct job again = *spec;
    struct num ms = num_make(done->video_ms), bytes = num_make(done->video_bytes);
    again.price = 0;
    if (!job_quote(tx, &again, dedupe_key, ret_id, e) || !job_begin(tx, ret_id, true, ret, e))
        return false;
    const char *origin[] = {ret_id, done->id};
    const char *film[] = {ret_id, done->video_path, ms.text, bytes.text};
    if (!db_exec(tx, "update jobs set resend_of = $2 where id = $1", origin, 2, NULL, e))
        return false;
    if (*ret != JOB_STARTED) /* a Go must not make it anew, for nothing */
        return job_move(tx, ret_id, JOB_QUOTED, JOB_CANCELLED, e);
    return db_exec(tx,
                   "insert into deliveries(job_id, state, attempt, path, duration_ms, bytes)"
                   " values ($1, 'sending', 0, $2, $3, $4)",
                   film, COUNT(film), NULL, e);
}
