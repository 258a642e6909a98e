#include "core/db/store_move.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_group.h"
#include "core/db/store_util.h"

struct move {
    const char *network, *from, *to;
};

/* The new id leads to the group's old account. Where it led to another one already, that one gives
   way only when nothing ever happened on it. */
static bool move_account(struct db_tx *tx, const struct move *m, struct err *e)
{
    char from[SEAL_MAC_TEXT], to[SEAL_MAC_TEXT];
    group_mac(m->network, m->from, from);
    group_mac(m->network, m->to, to);
    const char *params[] = {from, to};
    return db_exec(tx,
                   "insert into identities(mac, user_id, key_version)"
                   " select $2::bytea, user_id, key_version from identities where mac = $1::bytea"
                   " on conflict (mac) do update set user_id = excluded.user_id where not exists"
                   "   (select 1 from transfers t where t.user_id = identities.user_id)"
                   " and not exists (select 1 from jobs j where j.user_id = identities.user_id)",
                   params, COUNT(params), NULL, e);
}

/* The sealed address as it is in the new chat; NULL when it is another chat's. */
static char *moved_addr(const struct move *m, const char *sealed)
{
    struct chat_addr addr;
    if (!seal_open_addr(sealed, &addr) || strcmp(addr.network, m->network) != 0 ||
        strcmp(addr.chat, m->from) != 0)
        return NULL;
    struct chat_addr moved = {0};
    str_copy(moved.network, sizeof(moved.network), m->network);
    str_copy(moved.chat, sizeof(moved.chat), m->to);
    return seal_addr(&moved);
}

/* select gives id and addr of all rows of the network ($1) and locks them; update sets addr = $2
   of row $1. */
static bool move_rows(struct db_tx *tx, const struct move *m, const char *select,
                      const char *update, struct err *e)
{
    const char *network[] = {m->network};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, select, network, 1, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        AUTO(free_ptr) char *addr = moved_addr(m, row_text(rows, i, 1));
        const char *params[] = {row_text(rows, i, 0), addr};
        if (addr && !db_exec(tx, update, params, COUNT(params), NULL, e))
            return false;
    }
    return true;
}

/* By their lane, so that only this chat's are looked at. */
static bool move_cards(struct db_tx *tx, const struct move *m, struct err *e)
{
    char from[SEAL_MAC_TEXT], to[SEAL_MAC_TEXT];
    seal_lane(m->network, m->from, from);
    seal_lane(m->network, m->to, to);
    const char *lane[] = {m->network, from};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select id, addr from outbox where network = $1 and lane = $2::bytea"
                 " and state in ('pending', 'sending') order by id for update",
                 lane, COUNT(lane), &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        AUTO(free_ptr) char *addr = moved_addr(m, row_text(rows, i, 1));
        const char *params[] = {row_text(rows, i, 0), addr, to};
        if (addr && !db_exec(tx,
                             "update outbox set addr = $2, lane = $3::bytea, edit_ref = ''"
                             " where id = $1::bigint",
                             params, COUNT(params), NULL, e))
            return false;
    }
    return true;
}

/* What was shown there counts on. */
static bool move_history(struct db_tx *tx, const struct move *m, struct err *e)
{
    char from[SEAL_MAC_TEXT], to[SEAL_MAC_TEXT];
    seal_lane(m->network, m->from, from);
    seal_lane(m->network, m->to, to);
    const char *params[] = {from, to};
    return db_exec(tx, "update jobs set lane = $2::bytea where lane = $1::bytea", params,
                   COUNT(params), NULL, e);
}

bool chat_move(struct db_tx *tx, const char *network, const char *from, const char *to,
               struct err *e)
{
    const struct move m = {network, from, to};
    DB_CRASH(tx, "chat_move");
    return move_account(tx, &m, e) &&
           move_rows(tx, &m,
                     "select id, addr from jobs where network = $1 and addr <> ''"
                     " order by id for update",
                     "update jobs set addr = $2, card_ref = '' where id = $1::uuid", e) &&
           move_rows(tx, &m,
                     "select id, addr from orders where network = $1 and addr <> ''"
                     " order by id for update",
                     "update orders set addr = $2, card_ref = '' where id = $1::uuid", e) &&
           move_rows(tx, &m,
                     "select ctid, addr from claims where network = $1 and addr <> ''"
                     " order by ctid for update",
                     "update claims set addr = $2 where ctid = $1::tid", e) &&
           move_rows(tx, &m,
                     "select id, addr from refunds where network = $1 and addr <> ''"
                     " and state in ('asked', 'waiting', 'sent') order by id for update",
                     "update refunds set addr = $2 where id = $1::uuid", e) &&
           move_rows(tx, &m,
                     "select user_id, addr from group_settings where network = $1 and addr <> ''"
                     " order by user_id for update",
                     "update group_settings set addr = $2 where user_id = $1::uuid", e) &&
           move_history(tx, &m, e) && move_cards(tx, &m, e);
}
