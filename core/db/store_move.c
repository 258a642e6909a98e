#include "core/db/store_move.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_group.h"
#include "core/db/store_util.h"

struct move {
    const char *network, *from, *to;
};

/* The accounts behind both ids, "" where there is none. */
static bool find_accounts(struct db_tx *tx, const struct move *m, char ret_from[static UUID_TEXT],
                          char ret_to[static UUID_TEXT], struct err *e)
{
    struct chat_addr from = {0}, to = {0};
    str_copy(from.network, sizeof(from.network), m->network);
    str_copy(from.chat, sizeof(from.chat), m->from);
    str_copy(to.network, sizeof(to.network), m->network);
    str_copy(to.chat, sizeof(to.chat), m->to);
    return group_find(tx, &from, false, ret_from, e) && group_find(tx, &to, false, ret_to, e);
}

static bool lead_to(struct db_tx *tx, const struct move *m, const char *chat, const char *account,
                    struct err *e)
{
    char mac[SEAL_MAC_TEXT];
    group_mac(m->network, chat, mac);
    const char *params[] = {mac, account};
    return db_exec(tx,
                   "insert into identities(mac, user_id) values ($1, $2)"
                   " on conflict (mac) do update set user_id = excluded.user_id",
                   params, 2, NULL, e);
}

/* One account takes in another: its credits, its addresses, its orders, what its admins decided
   where nothing else was decided. What it holds for videos at work stays there until their end. */
static bool take_in(struct db_tx *tx, const char *from, const char *into, struct err *e)
{
    static const char *const steps[] = {
        "update jobs set payer_id = $2 where payer_id = $1 and state = 'quoted'",
        "update identities set user_id = $2 where user_id = $1",
        "update group_settings set user_id = $2 where user_id = $1"
        " and not exists (select 1 from group_settings where user_id = $2)",
        "update group_links set user_id = $2 where user_id = $1",
        "update group_used set group_id = $2 where group_id = $1",
        "update orders set user_id = $2 where user_id = $1",
        "update claims set user_id = $2 where user_id = $1 and (method, ref) not in"
        " (select method, ref from claims where user_id = $2)",
        "update deposit_addresses a set user_id = $2 where user_id = $1 and not exists (select 1"
        " from deposit_addresses b where b.user_id = $2 and b.method = a.method"
        " and b.print = a.print)",
        "with gone as (delete from rests where user_id = $1 and raw > 0 returning method, raw),"
        " noted as (insert into inherited_rests(from_id, into_id, method, raw)"
        "   select $1, $2, method, raw from gone)"
        " insert into rests(user_id, method, raw) select $2, method, raw from gone"
        " on conflict (user_id, method) do update set raw = rests.raw + excluded.raw",
    };
    const char *params[] = {from, into};
    if (!db_exec(tx, "select 1 from wallets where user_id in ($1, $2) order by user_id for update",
                 params, 2, NULL, e))
        return false;
    for (size_t i = 0; i < COUNT(steps); i++)
        if (!db_exec(tx, steps[i], params, 2, NULL, e))
            return false;
    return ledger_inherit(tx, from, into, e);
}

/* Both ids lead to the group's old account. Somebody may have been faster than the news of the move
   and given the new id an account: that one is taken in. */
static bool move_account(struct db_tx *tx, const struct move *m, struct err *e)
{
    char from[UUID_TEXT], to[UUID_TEXT];
    if (!find_accounts(tx, m, from, to, e))
        return false;
    if (strcmp(from, to) == 0)
        return true;
    if (!*from || !*to)
        return lead_to(tx, m, *from ? m->to : m->from, *from ? from : to, e);
    return take_in(tx, to, from, e);
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

/* Who is told where: id, sealed address and what to do with it. Read without a lock, so that a move
   holds up nobody else's rows, and changed only where the address is still the one that was read. */
static const struct place {
    const char *select; /* $1 = network, and $2 = lane of the old chat when by_lane */
    const char *update; /* $1 = id, $2 = new address, $3 = the old one */
    bool by_lane;
} places[] = {
    {"select id, addr from jobs where network = $1 and addr <> ''"
     " and (lane is null or lane = $2::bytea) order by id",                      "update jobs set addr = $2, card_ref = '' where id = $1::uuid and addr = $3", true },
    {"select id, addr from orders where network = $1 and addr <> '' order by id",
     "update orders set addr = $2, card_ref = '' where id = $1::uuid and addr = $3",                                                                                false},
    {"select ctid, addr from claims where network = $1 and addr <> '' order by ctid",
     "update claims set addr = $2 where ctid = $1::tid and addr = $3",                                                                                              false},
    {"select id, addr from refunds where network = $1 and addr <> ''"
     " and state in ('asked', 'waiting', 'sent') order by id",                   "update refunds set addr = $2 where id = $1::uuid and addr = $3",             false},
    {"select user_id, addr from group_settings where network = $1 and addr <> ''"
     " order by user_id",                                                        "update group_settings set addr = $2 where user_id = $1::uuid and addr = $3", false},
};

static bool move_place(struct db_tx *tx, const struct move *m, const struct place *p, struct err *e)
{
    char lane[SEAL_MAC_TEXT];
    seal_lane(m->network, m->from, lane);
    const char *where[] = {m->network, lane};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, p->select, where, p->by_lane ? 2 : 1, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        AUTO(free_ptr) char *addr = moved_addr(m, row_text(rows, i, 1));
        const char *params[] = {row_text(rows, i, 0), addr, row_text(rows, i, 1)};
        if (addr && !db_exec(tx, p->update, params, COUNT(params), NULL, e))
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
    if (!move_account(tx, &m, e))
        return false;
    for (size_t i = 0; i < COUNT(places); i++)
        if (!move_place(tx, &m, &places[i], e))
            return false;
    return move_history(tx, &m, e) && move_cards(tx, &m, e);
}
