/*
 * store_inbox - what came in: each event once, kept until a command worker has dealt with it.
 *
 * What:    inbox_put stores what arrived together. Tables: inbox (keyed hashes, so that nothing is
 *          taken twice) and events (sealed bodies; a row is an event that waits). A lane is a chat:
 *          its events are handed out one after the other, lanes beside each other. An event may be
 *          of two chats: it waits for the earlier ones of both, and later ones of both for it. The
 *          claim is the row's lock, so whatever dies in the middle, the event waits again.
 * Threads: as db_tx.
 * Source:  facts sheet "jobs and ledger", section 2.
 */
#ifndef NANOTIK_STORE_INBOX_H
#define NANOTIK_STORE_INBOX_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/port/chat.h"

struct inbox_item {
    const char *event_id;
    const struct chat_addr *addr;
    const char *body;             /* any text; sealed before it is stored */
    const struct chat_addr *also; /* a second chat, or NULL */
};

/* All of one network, in their order; what was seen before is left out. *ret_new: how many were
 * not. */
bool inbox_put(struct db_tx *tx, const char *network, const struct inbox_item *items, size_t count,
               int64_t *ret_new, struct err *e);

struct inbox_row {
    int64_t id; /* 0: none */
    int tries;  /* postponed so often */
    int cards;  /* that wait to be sent to this chat, counted up to INBOX_CARDS_MAX */
    char *body; /* NULL: sealed with another key */
};
enum { INBOX_CARDS_MAX = 64 };
void inbox_row_free(struct inbox_row *r); /* for AUTO */

/* The oldest event that may be dealt with now: first of its chats, due, in nobody's hands. It is
   ours until the transaction ends. networks: names, NULL-terminated; only: this row, due or not, or
   none; 0 for any. */
bool inbox_claim(struct db_tx *tx, const char *const *networks, int64_t only, struct inbox_row *ret,
                 struct err *e);
/* Before dealing with an event that may have ended a process: *ret_begun, how many processes began
   with it and did not finish, this one (a random number) included; one that begins again is counted
   once. Meant to be committed first; the event is then ours for some seconds, by its id only. */
bool inbox_begin(struct db_tx *tx, int64_t id, int64_t process, int *ret_begun, struct err *e);
/* The newest event there is: 0 when none waits. */
bool inbox_newest(struct db_tx *tx, int64_t *ret_id, struct err *e);
/* Dealt with, in this transaction. */
bool inbox_done(struct db_tx *tx, int64_t id, struct err *e);
/* Later: the chat waits with it. counts: as one of its tries. */
bool inbox_postpone(struct db_tx *tx, int64_t id, int delay_ms, bool counts, struct err *e);
/* Events that wait. */
bool inbox_pending(struct db_tx *tx, const char *network, int64_t *ret, struct err *e);

#endif
