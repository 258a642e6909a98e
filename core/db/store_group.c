#include "core/db/store_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_account.h"
#include "core/db/store_util.h"

enum { LINK_BYTES = 16, SWEEP_ROWS = 100 };

/* --- which one --- */

/* A colon keeps it apart from people: no network's ids have one. */
static char *platform_id(const char *chat)
{
    return str_printf("group:%s", chat);
}

void group_mac(const char *network, const char *chat, char ret[static SEAL_MAC_TEXT])
{
    AUTO(free_ptr) char *text = str_printf("%s:group:%s", network, chat);
    seal_mac(SEAL_IDENTITY, text, ret);
}

bool group_find(struct db_tx *tx, const struct chat_addr *where, bool makes,
                char ret_id[static UUID_TEXT], struct err *e)
{
    struct account a;
    const char *whole = where->group[0] ? where->group : where->chat;
    char own[SEAL_MAC_TEXT], shared[SEAL_MAC_TEXT];
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    group_mac(where->network, where->chat, own);
    group_mac(where->network, whole, shared);
    const char *params[] = {own, shared};
    if (!db_exec(tx,
                 "select user_id from identities where mac in ($1::bytea, $2::bytea)"
                 " order by mac = $1::bytea desc limit 1",
                 params, COUNT(params), &rows, e))
        return false;
    bool found = db_count(rows) > 0;
    str_copy(ret_id, UUID_TEXT, found ? row_text(rows, 0, 0) : "");
    if (found || !makes)
        return true;
    AUTO(free_ptr) char *name = platform_id(whole);
    return account_find(tx, where->network, name, true, 0, &a, e) &&
           str_copy(ret_id, UUID_TEXT, a.id);
}

/* --- what it may pay --- */

#define UTC_DAY "date_trunc('day', clock_timestamp() at time zone 'UTC') at time zone 'UTC'"

/* Credits that were given back do not count; a film that is kept holds those of the day it was
   ordered. */
static bool add_use(struct db_tx *tx, const char *member, struct group *g, struct err *e)
{
    const char *params[] = {g->id, member};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(
            tx,
            "select coalesce(sum(n), 0), coalesce(sum(n) filter (where user_id = $2), 0) from"
            " (select j.user_id, case h.state when 'open' then h.amount else h.captured end n"
            "  from transfers t join holds h on h.job_id = t.job_id"
            "  join jobs j on j.id = t.job_id"
            "  where t.user_id in (select $1 union all select user_id from wallets where heir = $1)"
            "  and t.verb = 'hold' and t.at >= " UTC_DAY ") today",
            params, 2, &rows, e))
        return false;
    g->used_all = db_int(rows, 0, 0);
    g->used = db_int(rows, 0, 1);
    AUTO(db_rows_free) struct db_rows *before = NULL;
    if (!db_exec(tx,
                 "select coalesce(sum(p.credits), 0) from group_used p join identities i"
                 " on p.mac = sha256(i.mac) where p.group_id = $1 and i.user_id = $2"
                 " and p.at >= " UTC_DAY,
                 params, 2, &before, e))
        return false;
    g->used += db_int(before, 0, 0);
    return true;
}

bool group_keep_use(struct db_tx *tx, const char *member, struct err *e)
{
    struct num limit = num_make(SWEEP_ROWS);
    const char *params[] = {member}, *old[] = {limit.text};
    return db_exec(tx,
                   "delete from group_used where ctid in (select ctid from group_used where at "
                   "< " UTC_DAY " order by at limit $1::int for update skip locked)",
                   old, 1, NULL, e) &&
           db_exec(tx,
                   "insert into group_used(mac, group_id, credits)"
                   " select sha256(i.mac), coalesce(w.heir, t.user_id), sum(h.captured) from jobs j"
                   " join transfers t on t.job_id = j.id and t.verb = 'hold' and t.at >= " UTC_DAY
                   " join holds h on h.job_id = j.id and h.captured > 0"
                   " join wallets w on w.user_id = t.user_id"
                   " join identities i on i.user_id = j.user_id"
                   " where j.user_id = $1 and j.payer_id is not null"
                   " group by i.mac, coalesce(w.heir, t.user_id)",
                   params, 1, NULL, e);
}

bool group_look(struct db_tx *tx, const char *id, const char *member, struct group *ret,
                struct err *e)
{
    const char *params[] = {id};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    *ret = (struct group){0};
    str_copy(ret->id, sizeof(ret->id), id);
    if (!db_exec(tx,
                 "select w.avail, w.held, coalesce(s.is_on, true), coalesce(s.cap, -1)"
                 " from users u join wallets w on w.user_id = u.id"
                 " left join group_settings s on s.user_id = u.id"
                 " where u.id = $1 and u.kind = 'group'",
                 params, 1, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "no group %s", id);
    ret->available = db_int(rows, 0, 0);
    ret->held = db_int(rows, 0, 1);
    ret->is_on = db_bool(rows, 0, 2);
    ret->cap = db_int(rows, 0, 3);
    return add_use(tx, member, ret, e);
}

int64_t group_may_use(const struct group *g)
{
    if (!g->is_on)
        return 0;
    return g->cap == GROUP_NO_CAP ? g->available : CLAMP(g->cap - g->used, 0, g->available);
}

bool group_set_cap(struct db_tx *tx, const char *id, int64_t cap, struct err *e)
{
    struct num n = num_make(cap);
    const char *params[] = {id, cap == GROUP_NO_CAP ? NULL : n.text};
    return db_exec(tx,
                   "insert into group_settings(user_id, cap) values ($1, $2)"
                   " on conflict (user_id) do update set cap = excluded.cap",
                   params, 2, NULL, e);
}

bool group_set_on(struct db_tx *tx, const char *id, bool is_on, struct err *e)
{
    const char *params[] = {id, is_on ? "t" : "f"};
    return db_exec(tx,
                   "insert into group_settings(user_id, is_on) values ($1, $2)"
                   " on conflict (user_id) do update set is_on = excluded.is_on",
                   params, 2, NULL, e);
}

/* --- where it is told of payments --- */

bool group_set_place(struct db_tx *tx, const char *id, const char *lang,
                     const struct chat_addr *addr, bool overwrites, struct err *e)
{
    AUTO(free_ptr) char *sealed = seal_addr(addr);
    const char *params[] = {id, lang, addr->network, sealed, overwrites ? "t" : "f"};
    return db_exec(tx,
                   "insert into group_settings(user_id, lang, network, addr)"
                   " values ($1, $2, $3, $4) on conflict (user_id) do update set"
                   " lang = excluded.lang, network = excluded.network, addr = excluded.addr"
                   " where $5::boolean or group_settings.addr = ''",
                   params, COUNT(params), NULL, e);
}

bool group_place(struct db_tx *tx, const char *id, char ret_lang[static 16], struct chat_addr *ret,
                 bool *ret_found, struct err *e)
{
    const char *params[] = {id};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select lang, addr from group_settings where user_id = $1 and addr <> ''",
                 params, 1, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0 && seal_open_addr(row_text(rows, 0, 1), ret);
    if (*ret_found)
        str_copy(ret_lang, 16, row_text(rows, 0, 0));
    return true;
}

/* --- links --- */

bool group_link_is(const char *text)
{
    return text[0] == 'g' && strlen(text) == GROUP_LINK_TEXT - 1 &&
           strspn(text + 1, "0123456789abcdef") == GROUP_LINK_TEXT - 2;
}

bool group_link_make(struct db_tx *tx, const char *id, char ret[static GROUP_LINK_TEXT],
                     struct err *e)
{
    unsigned char bytes[LINK_BYTES];
    char mac[SEAL_MAC_TEXT];
    random_bytes(bytes, sizeof(bytes));
    ret[0] = 'g';
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(ret + 1 + 2 * i, 3, "%02x", bytes[i]);
    seal_mac(SEAL_EVENT, ret, mac);
    struct num minutes = num_make(GROUP_LINK_MINUTES), limit = num_make(SWEEP_ROWS);
    const char *params[] = {mac, id, minutes.text}, *old[] = {limit.text};
    return db_exec(tx,
                   "delete from group_links where token in (select token from group_links where"
                   " until <= clock_timestamp() order by until limit $1::int"
                   " for update skip locked)",
                   old, 1, NULL, e) &&
           db_exec(tx,
                   "insert into group_links(token, user_id, until)"
                   " values ($1, $2, clock_timestamp() + make_interval(mins => $3::int))",
                   params, COUNT(params), NULL, e);
}

bool group_link_open(struct db_tx *tx, const char *token, char ret_id[static UUID_TEXT],
                     struct err *e)
{
    char mac[SEAL_MAC_TEXT];
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    seal_mac(SEAL_EVENT, token, mac);
    const char *params[] = {mac};
    if (!db_exec(tx,
                 "select user_id from group_links where token = $1 and until > clock_timestamp()",
                 params, 1, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return err_set(e, ERR_NOT_FOUND, "group.link_over", "no such link");
    return str_copy(ret_id, UUID_TEXT, row_text(rows, 0, 0));
}
