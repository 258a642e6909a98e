/*
 * quote - the words behind /make and /script as a quoted job, and the start of one.
 * Threads: as the context.
 */
#ifndef NANOTIK_BOT_QUOTE_H
#define NANOTIK_BOT_QUOTE_H

#include "bot/command.h"

/* Checks topic, settings and length, stores the job; no card, no money. */
bool quote_order(struct command_ctx *ctx, const char *words, char ret_id[static UUID_TEXT],
                 struct err *e);
void quote_new_seed(struct story_settings *s);

/* A film that is made of an earlier one. */
struct quote_remake {
    const struct job *job;    /* that one */
    const char *topic;        /* what it is called, and told from where the story says so */
    struct storyboard *story; /* with its settings */
    int64_t estimate_ms;      /* 0: from the topic */
    const char *note_key;
    int percent; /* of the usual price */
};
/* Checks, stores and answers as /make does. */
bool quote_remake(struct command_ctx *ctx, const struct quote_remake *r, struct err *e);

/* The largest file that this chat takes; 0: any. */
int64_t quote_byte_limit(const struct command_ctx *ctx);
/* The card of a job that was just started, as a new message. */
bool quote_started(struct command_ctx *ctx, const char *id, struct err *e);
/* The card of a job that is quoted, drawn again in its place; note_key: what to say first, or
   NULL. */
bool quote_show(struct command_ctx *ctx, const char *id, const char *note_key, struct err *e);
/* Other settings (args) for the words of a plain quote: new length and price, the card drawn again. */
struct make_args;
bool quote_change(struct command_ctx *ctx, const struct job *job, struct storyboard *story,
                  const struct make_args *args, struct err *e);
/* Holds the credits, queues it, answers; where a service has to judge the words first, orders that.
   edits_card: in the place of the quote's card. */
bool quote_start(struct command_ctx *ctx, const char *id, bool edits_card, struct err *e);
/* Go: quote_start, of a job that somebody named. */
bool quote_go(struct command_ctx *ctx, const struct job *job, struct err *e);

/* --- for those who start a job without a command --- */

/* The words of a quoted job are judged before anything is held. False in *ret_must: they need not be,
   or not again. Wake the drafter after the commit. */
bool quote_check(struct db_tx *tx, const struct bot *bot, const struct job *job, bool *ret_must,
                 struct err *e);
void quote_check_card(struct card_doc *doc, const struct job *job, bool buttons);
/* As drafter_calls.checked: the end of what quote_check ordered. */
bool quote_checked(struct db_tx *tx, void *bot, const struct job *job, const struct err *why,
                   struct err *e);

#endif
