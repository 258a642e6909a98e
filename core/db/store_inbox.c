#include "core/db/store_inbox.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_util.h"

enum {
    ITEMS_BYTES_MAX = 64 << 20,
    BEGUN_SECONDS = 2, /* from the count to the claim by id */
};

void inbox_row_free(struct inbox_row *r)
{
    free(r->body);
    *r = (struct inbox_row){0};
}

/* One JSON list for all: hex and base64, nothing to escape. The macs' "\x" is left out. */
static char *items_json(const char *network, const struct inbox_item *items, size_t count)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(ITEMS_BYTES_MAX);
    strbuf_addc(&out, '[');
    for (size_t i = 0; i < count; i++) {
        char event[SEAL_MAC_TEXT], lane[SEAL_MAC_TEXT], lane2[SEAL_MAC_TEXT];
        AUTO(free_ptr) char *body = seal_long(items[i].body);
        seal_mac(SEAL_EVENT, items[i].event_id, event);
        seal_lane(network, items[i].addr->chat, lane);
        strbuf_addf(&out, "%s{\"n\":%zu,\"e\":\"%s\",\"l\":\"%s\",", i ? "," : "", i, event + 2,
                    lane + 2);
        if (items[i].also) {
            seal_lane(network, items[i].also->chat, lane2);
            strbuf_addf(&out, "\"m\":\"%s\",", lane2 + 2);
        }
        strbuf_adds(&out, "\"b\":\"");
        strbuf_adds(&out, body);
        strbuf_adds(&out, "\"}");
    }
    strbuf_addc(&out, ']');
    return strbuf_take(&out);
}

bool inbox_put(struct db_tx *tx, const char *network, const struct inbox_item *items, size_t count,
               int64_t *ret_new, struct err *e)
{
    AUTO(free_ptr) char *json = items_json(network, items, count);
    if (!json)
        return err_set(e, ERR_LIMIT, "error.internal", "%zu events are too long", count);
    const char *params[] = {network, json};
    if (!exec_change(tx,
                     "with came as (select distinct on (e) n, decode(e, 'hex') as event,"
                     "   decode(l, 'hex') as lane, decode(m, 'hex') as lane2, b"
                     "   from json_to_recordset($2::json)"
                     "   as t(n int, e text, l text, m text, b text) order by e, n),"
                     " fresh as (insert into inbox(network, event) select $1, event from came"
                     "   on conflict do nothing returning event)"
                     " insert into events(network, lane, lane2, body)"
                     " select $1, lane, lane2, b from came join fresh using (event) order by n",
                     params, COUNT(params), ret_new, e))
        return false;
    if (*ret_new > 0)
        DB_CRASH(tx, "inbox");
    return true;
}

/* Names of networks are plain words. */
static char *names_array(const char *const *names)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(1000);
    strbuf_addc(&out, '{');
    for (size_t i = 0; names[i]; i++)
        strbuf_addf(&out, "%s%s", i ? "," : "", names[i]);
    strbuf_addc(&out, '}');
    return strbuf_take(&out);
}

/* $1 = networks, $2 = most cards to count; `from` may use $3. One by its id has waited for its lanes
   already: it is looked at again, in case it was dealt with meanwhile. */
#define CLAIM(from)                                                               \
    "select e.id, e.body, e.tries, (select count(*) from (select 1 from outbox o" \
    "   where o.network = e.network and o.lane = e.lane"                          \
    "   and o.state in ('pending', 'sending') limit $2::int) cards) from " from

bool inbox_claim(struct db_tx *tx, const char *const *networks, int64_t only, struct inbox_row *ret,
                 struct err *e)
{
    AUTO(free_ptr) char *names = names_array(networks);
    struct num most = num_make(INBOX_CARDS_MAX), id = num_make(only);
    const char *params[] = {names, most.text, id.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    inbox_row_free(ret);
    if (only ? !db_exec(tx,
                        CLAIM("events e where e.network = any($1::text[]) and e.id = $3::bigint"
                              " for update of e skip locked"),
                        params, 3, &rows, e)
             : !db_exec(tx, CLAIM("next_event($1::text[]) e"), params, 2, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return true;
    ret->id = db_int(rows, 0, 0);
    ret->body = seal_open_long(row_text(rows, 0, 1));
    ret->tries = (int)db_int(rows, 0, 2);
    ret->cards = (int)db_int(rows, 0, 3);
    return true;
}

bool inbox_begin(struct db_tx *tx, int64_t id, int64_t process, int *ret_begun, struct err *e)
{
    struct num row = num_make(id), by = num_make(process), seconds = num_make(BEGUN_SECONDS);
    const char *params[] = {row.text, by.text, seconds.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "update events set begun = begun + (begun_by <> $2::bigint)::int,"
                 " begun_by = $2::bigint,"
                 " not_before = clock_timestamp() + make_interval(secs => $3::int)"
                 " where id = $1 returning begun",
                 params, COUNT(params), &rows, e))
        return false;
    *ret_begun = db_count(rows) ? (int)db_int(rows, 0, 0) : 0;
    return true;
}

bool inbox_newest(struct db_tx *tx, int64_t *ret_id, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select coalesce(max(id), 0) from events", NULL, 0, &rows, e))
        return false;
    *ret_id = db_int(rows, 0, 0);
    return true;
}

bool inbox_done(struct db_tx *tx, int64_t id, struct err *e)
{
    struct num row = num_make(id);
    const char *params[] = {row.text};
    DB_CRASH(tx, "inbox.done");
    return db_exec(tx, "delete from events where id = $1", params, COUNT(params), NULL, e);
}

bool inbox_postpone(struct db_tx *tx, int64_t id, int delay_ms, bool counts, struct err *e)
{
    struct num row = num_make(id), delay = num_make(delay_ms);
    const char *params[] = {row.text, delay.text, counts ? "1" : "0"};
    return db_exec(tx,
                   "update events set tries = tries + $3::int, begun = 0,"
                   " not_before = clock_timestamp() + $2::bigint * interval '1 ms' where id = $1",
                   params, COUNT(params), NULL, e);
}

bool inbox_pending(struct db_tx *tx, const char *network, int64_t *ret, struct err *e)
{
    const char *params[] = {network};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select count(*) from events where network = $1", params, COUNT(params), &rows,
                 e))
        return false;
    *ret = db_int(rows, 0, 0);
    return true;
}
