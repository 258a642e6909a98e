/*
 * payer - whose credits pay for a video that was asked for in a group: the group's, or the person's
 * own; every card says which.
 * Threads: as the transaction.
 */
#ifndef NANOTIK_BOT_PAYER_H
#define NANOTIK_BOT_PAYER_H

#include "bot/card.h"
#include "bot/command.h"
#include "core/db/store_group.h"

struct payer {
    bool in_group;  /* asked where others read, so who pays has to be said */
    bool has_group; /* the group of that chat has an account */
    bool by_group;  /* and it is the one that pays */
    struct group group;
};

/* As it was decided for this job. */
bool payer_load(struct db_tx *tx, const struct bot *bot, const struct job *job, struct payer *ret,
                struct err *e);
/* For a new quote: the group, when it can, else the person. */
bool payer_choose(struct command_ctx *ctx, const char *job, struct payer *ret, struct err *e);
/* The group of this event's chat; "" when there is none, or it has no account. */
bool payer_group_here(struct command_ctx *ctx, char ret_id[static UUID_TEXT], struct err *e);

void payer_add_line(struct card_doc *doc, const char *lang, const struct payer *p, int64_t price);
/* The other way round, when there is a choice. */
void payer_add_button(struct card_doc *doc, const char *lang, const struct payer *p, int64_t price,
                      const char *job);

#endif
