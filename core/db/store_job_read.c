#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/seal.h"
#include "core/db/store_job.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_util.h"

#define LOG_MODULE "jobs"

void job_free(struct job *j)
{
    free(j->topic);
    free(j->story);
    free(j->media);
    *j = (struct job){0};
}

static const char columns[] =
    "select j.id, j.user_id, j.state, j.attempt, j.price, j.estimate_ms, j.topic, j.story, j.lang,"
    " j.addr, j.card_ref, j.cancel_at is not null, j.stage, j.percent, j.fail_key, j.fail_arg,"
    " " ISO("j.created_at") ", " ISO(
        "j.ended_at") ","
                      " d.path, d.duration_ms, d.bytes,"
                      " case when j.state in ('waiting', 'ready') then (select count(*) + 1 from "
                      "jobs q"
                      "   where q.state in ('waiting', 'ready') and (q.fair_at, q.id) < "
                      "(j.fair_at, j.id))"
                      " else 0 end, j.media,"
                      " j.resend_of is not null, j.tries, j.payer_id"
                      " from jobs j left join deliveries d on d.job_id = j.id ";

bool job_select(struct db_tx *tx, const char *where, const char *const *params, size_t count,
                struct db_rows **ret, struct err *e)
{
    char sql[2048];
    snprintf(sql, sizeof(sql), "%s%s", columns, where);
    return db_exec(tx, sql, params, count, ret, e);
}

bool job_from_row(const struct db_rows *rows, size_t row, struct job *ret, struct err *e)
{
    struct job j = {0};
    if (!job_state_parse(row_text(rows, row, 2), &j.state))
        return err_set(e, ERR_INTERNAL, "error.internal", "job state %s", row_text(rows, row, 2));
    str_copy(j.id, sizeof(j.id), row_text(rows, row, 0));
    str_copy(j.account, sizeof(j.account), row_text(rows, row, 1));
    str_copy(j.payer, sizeof(j.payer), row_text(rows, row, 25));
    j.attempt = (int)db_int(rows, row, 3);
    j.price = db_int(rows, row, 4);
    j.estimate_ms = db_int(rows, row, 5);
    str_copy(j.lang, sizeof(j.lang), row_text(rows, row, 8));
    const char *addr = row_text(rows, row, 9);
    if (!seal_open_addr(addr, &j.addr) && *addr)
        log_error("the address of job %s was sealed with another key", j.id);
    seal_open_ref(row_text(rows, row, 10), j.card_ref, sizeof(j.card_ref));
    j.cancel_asked = db_bool(rows, row, 11);
    str_copy(j.stage, sizeof(j.stage), row_text(rows, row, 12));
    j.percent = (int)db_int(rows, row, 13);
    str_copy(j.fail_key, sizeof(j.fail_key), row_text(rows, row, 14));
    str_copy(j.fail_arg, sizeof(j.fail_arg), row_text(rows, row, 15));
    str_copy(j.created_at, sizeof(j.created_at), row_text(rows, row, 16));
    str_copy(j.ended_at, sizeof(j.ended_at), row_text(rows, row, 17));
    str_copy(j.video_path, sizeof(j.video_path), row_text(rows, row, 18));
    j.video_ms = db_int(rows, row, 19);
    j.video_bytes = db_int(rows, row, 20);
    j.place = (int)db_int(rows, row, 21);
    j.tries = (int)db_int(rows, row, 24);
    j.is_resend = db_bool(rows, row, 23);
    j.topic = str_dup(row_text(rows, row, 6));
    j.story = str_dup(row_text(rows, row, 7));
    j.media = seal_open_lines(row_text(rows, row, 22));
    *ret = j;
    return true;
}

static bool first_row(struct db_tx *tx, const char *where, const char *const *params, size_t count,
                      struct job *ret, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!job_select(tx, where, params, count, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return err_set(e, ERR_NOT_FOUND, "error.no_job", "no such job");
    return job_from_row(rows, 0, ret, e);
}

bool job_get(struct db_tx *tx, const char *id, struct job *ret, struct err *e)
{
    const char *params[] = {id};
    if (!uuid_valid(id))
        return err_set(e, ERR_NOT_FOUND, "error.no_job", "not an id");
    return first_row(tx, "where j.id = $1", params, 1, ret, e);
}

/* What a person types: the short form or all of an id, in lower case. */
static bool read_ref(const char *text, char ret_lower[static UUID_TEXT], struct err *e)
{
    bool whole = str_copy(ret_lower, UUID_TEXT, text);
    for (char *c = ret_lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    size_t n = strlen(ret_lower);
    bool is_short = n == JOB_SHORT - 1 && strspn(ret_lower, "0123456789abcdef") == n;
    return (whole && (is_short || uuid_valid(ret_lower))) ||
           err_set_arg(e, ERR_NOT_FOUND, "error.no_job", text, "not a reference");
}

bool job_find(struct db_tx *tx, const char *account, const char *text, struct job *ret,
              struct err *e)
{
    char lower[UUID_TEXT];
    if (!uuid_valid(account))
        return err_set_arg(e, ERR_NOT_FOUND, "error.no_job", text, "not an account");
    if (!read_ref(text, lower, e))
        return false;
    const char *params[] = {account, lower};
    if (first_row(tx,
                  "where j.user_id = $1 and right(j.id::text, length($2)) = $2"
                  " order by j.created_at desc limit 1",
                  params, 2, ret, e))
        return true;
    if (e->code == ERR_NOT_FOUND)
        str_copy(e->arg, sizeof(e->arg), text);
    return false;
}

bool job_find_live(struct db_tx *tx, const char *text, struct job *ret, struct err *e)
{
    char lower[UUID_TEXT];
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!read_ref(text, lower, e))
        return false;
    const char *params[] = {lower};
    if (!job_select(tx,
                    "where j.state in ('waiting', 'ready', 'running', 'delivering', 'kept')"
                    " and right(j.id::text, length($1)) = $1 limit 2",
                    params, 1, &rows, e))
        return false;
    if (db_count(rows) != 1)
        return err_set_arg(e, ERR_NOT_FOUND, "error.no_job", text, "%s fits",
                           db_count(rows) == 0 ? "none" : "more than one");
    return job_from_row(rows, 0, ret, e);
}

bool job_list(struct db_tx *tx, const char *account, bool live_only, size_t max, struct job **ret,
              size_t *ret_count, struct err *e)
{
    struct num limit = num_make((int64_t)max);
    const char *params[] = {account, live_only ? "t" : "f", limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!job_select(tx,
                    "where j.user_id = $1 and j.state <> 'quoted' and (not $2::boolean"
                    " and (j.resend_of is null or j.state not in ('done', 'failed', 'cancelled'))"
                    " or j.state in ('waiting', 'ready', 'running', 'delivering'))"
                    " order by j.created_at desc, j.id desc limit $3",
                    params, 3, &rows, e))
        return false;
    size_t count = db_count(rows);
    struct job *list = calloc(count + 1, sizeof(*list));
    if (!list)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (job_from_row(rows, i, &list[i], e))
            continue;
        for (size_t k = 0; k < i; k++)
            job_free(&list[k]);
        free(list);
        return false;
    }
    *ret = list;
    *ret_count = count;
    return true;
}

bool job_recent_footage(struct db_tx *tx, const struct job *j, size_t films, struct arena *a,
                        const char *const **ret, size_t *ret_count, struct err *e)
{
    struct num limit = num_make((int64_t)films);
    const char *params[] = {j->id, limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select name from (select (f->>'provider') || ':' || (f->>'id') name, min(n) n"
                 " from (select story, row_number() over (order by created_at desc, id desc) n"
                 "   from jobs where lane = (select lane from jobs where id = $1) and id <> $1"
                 "   and state not in ('quoted', 'cancelled') and octet_length(story) > 0"
                 "   order by n limit $2) films"
                 " cross join lateral jsonb_array_elements(films.story::jsonb->'scenes') s"
                 " cross join lateral (values (s->'footage'), (s->'second')) each(f)"
                 " where f->>'provider' not in ('backdrop', 'chat') group by 1) clips"
                 " order by n, name limit 2000",
                 params, COUNT(params), &rows, e))
        return false;
    size_t count = 0;
    const char **list = arena_alloc(a, (db_count(rows) + 1) * sizeof(*list));
    for (size_t i = 0; i < db_count(rows); i++)
        if (db_text(rows, i, 0))
            list[count++] = arena_dup(a, db_text(rows, i, 0));
    *ret = list;
    *ret_count = count;
    return true;
}

bool job_count_live(struct db_tx *tx, const char *network, int64_t *ret, struct err *e)
{
    const char *params[] = {network};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select count(*) from jobs where ($1::text is null or network = $1)"
                 " and state in ('waiting', 'ready', 'running', 'delivering')",
                 params, 1, &rows, e))
        return false;
    *ret = db_int(rows, 0, 0);
    return true;
}
