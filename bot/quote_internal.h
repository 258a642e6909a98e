/*
 * quote_internal - what bot/quote.c, bot/quote_card.c and bot/cmd_make.c share.
 * Threads: as the context.
 */
#ifndef NANOTIK_BOT_QUOTE_INTERNAL_H
#define NANOTIK_BOT_QUOTE_INTERNAL_H

#include "bot/make_args.h"
#include "bot/payer.h"
#include "bot/quote.h"
#include "core/db/store_ledger.h"

/* What will be made if the person agrees; texts are borrowed. */
struct quote {
    const char *topic;
    struct story_settings settings;
    bool has_lang, has_voice; /* named by the person, not guessed or remembered */
    char id[UUID_TEXT];
    int64_t estimate_ms, price;
    struct balance balance;
    bool first;               /* nothing but the trial credits was ever moved */
    const char *media;        /* names of the person's own files, one a line; NULL: none */
    struct storyboard *story; /* of an earlier film, in part; NULL: made from the topic */
    const char *note_key;     /* what becomes of it; NULL: nothing to say */
    int percent;              /* of the usual price, with story */
    struct payer payer;
};

/* --- quote.c --- */
/* Words as a person types them; args keeps the texts that q borrows. */
bool quote_read(struct command_ctx *ctx, const char *words, struct make_args *args, struct quote *q,
                struct err *e);
/* Checks, stores and answers. On a network without buttons the quote is accepted at once. */
bool quote_make(struct command_ctx *ctx, struct quote *q, struct err *e);

/* --- quote_card.c --- */
/* Balance, and whether it is still the trial's. */
bool quote_load_balance(struct command_ctx *ctx, struct quote *q, struct err *e);
bool quote_is_enough(const struct quote *q);
void quote_card(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q);
void quote_card_buttons(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q);

#endif
