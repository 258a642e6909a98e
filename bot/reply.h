/*
 * reply - cards on their way out: into the outbox, in the command's transaction.
 * Threads: as the context.
 */
#ifndef NANOTIK_BOT_REPLY_H
#define NANOTIK_BOT_REPLY_H

#include "bot/card.h"
#include "bot/command.h"
#include "core/db/store_order.h"

/* A new message. Private in groups when the command is about money or the person. */
bool reply_send(struct command_ctx *ctx, const struct card_doc *doc, struct err *e);
/* The same whatever the command is; for this person's eyes, where `action` opens it in private. */
bool reply_card(struct command_ctx *ctx, const struct card_doc *doc, struct err *e);
bool reply_private(struct command_ctx *ctx, const struct card_doc *doc, const char *action,
                   struct err *e);
/* The card that shows a job: takes the place of `edit_ref` ("" = a new message). */
bool reply_job_card(struct command_ctx *ctx, const struct card_doc *doc, const char *job,
                    const char *edit_ref, struct err *e);
/* One card with one line. */
bool reply_line(struct command_ctx *ctx, struct err *e, const char *key,
                const struct i18n_arg *args, size_t count);
#define reply_text(ctx, e, key, ...) reply_line(ctx, e, key, CARD_ARGS(__VA_ARGS__))

/* What went wrong in words, and what would have been possible. */
bool reply_error(struct command_ctx *ctx, const struct err *what, struct err *e);
/* What a person types to name a job: the short reference; buttons carry the whole id. */
const char *reply_job_ref(const struct command_ctx *ctx, const char *job_id);
/* The last 8 digits of an id. */
const char *job_short(const char *job_id);

/* Any transaction: a card for an address. */
bool outbox_put(struct db_tx *tx, const struct chat_addr *addr, const struct card_doc *doc,
                const char *job, const char *edit_ref, bool sets_card, struct err *e);
/* The card of an order, in its chat. edits: takes the place of the one that shows it. */
bool outbox_put_order(struct db_tx *tx, const struct card_doc *doc, const struct order *order,
                      bool edits, struct err *e);
/* Takes the place of the job's card, as it is named when the row is sent. is_last: the job has
   ended, so the card is shown even when it has to be a new message. */
bool outbox_put_edit(struct db_tx *tx, const struct chat_addr *addr, const struct card_doc *doc,
                     const char *job, bool is_last, struct err *e);

#endif
