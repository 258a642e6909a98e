/*
 * store_chat - what must go out (outbox), in order per chat.
 * Threads: as db_tx.
 * Source:  facts sheet "jobs and ledger", sections 2 and 5.
 */
#ifndef NANOTIK_STORE_CHAT_H
#define NANOTIK_STORE_CHAT_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"
#include "core/port/chat.h"

struct outbox_row {
    int64_t id;
    struct chat_addr addr;
    char *body;                  /* card as JSON (bot/card_json) */
    char edit_ref[CHAT_REF_MAX]; /* edit this card instead of sending a new one; "" = send */
    char job[40];                /* its ref becomes this job's card when sets_card */
    char order[40];              /* the same for an order */
    bool sets_card;
    bool edits_card; /* edit the job's card as it is named when this row is claimed (so a row may be
                        added before the card was sent); sent as a new one when there is none */
    int tries;
};
void outbox_row_free(struct outbox_row *r);

/* A pending edit of the same card is replaced. No NOTIFY: wake your sender after the commit; other
 * processes find the row by looking each second. */
bool outbox_add(struct db_tx *tx, const struct outbox_row *row, struct err *e);
/* Claims the oldest row of each lane (network + chat), when it is due and the lane has none in
   flight, up to max. Rows stuck in "sending" longer than 60 s are unknown: an edit is offered
   again, a send once more. edits_card is already resolved into edit_ref. */
bool outbox_claim(struct db_tx *tx, const char *network, size_t max, struct outbox_row *ret,
                  size_t *ret_count, struct err *e);
/* Sent: remote_ref kept, and set as the job's card when sets_card. */
bool outbox_sent(struct db_tx *tx, const struct outbox_row *r, const char *remote_ref,
                 struct err *e);
/* At the start of the only process that serves the network: what a dead one was sending is offered
   now instead of after 60 s. */
bool outbox_expire(struct db_tx *tx, const char *network, struct err *e);
enum outbox_failure {
    OUTBOX_AGAIN,   /* not sent: 8 tries, and then until 15 minutes have passed */
    OUTBOX_HELD,    /* the chat has to rest: no try, however often */
    OUTBOX_UNCLEAR, /* sent, but no answer came: a new card is sent once more and never again */
    OUTBOX_NEVER,   /* it never will be */
};
/* Again after delay_ms, or dead. */
bool outbox_failed(struct db_tx *tx, const struct outbox_row *r, enum outbox_failure why,
                   int delay_ms, struct err *e);
bool outbox_pending(struct db_tx *tx, const char *network, int64_t *ret, struct err *e);
/* Old inbox and sent outbox rows, in small batches. */
bool chat_sweep(struct db_tx *tx, int keep_days, int64_t *ret_removed, struct err *e);

#endif
