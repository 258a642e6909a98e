/*
 * errors - what a refusal of Discord's REST API means and what to do about it: one table.
 * Threads: pure functions.
 * Source:  facts sheet "discord", section 1.
 */
#ifndef NANOTIK_DISCORD_ERRORS_H
#define NANOTIK_DISCORD_ERRORS_H

#include "core/base/base.h"
#include "core/base/err.h"

enum dc_action {
    DC_DONE,      /* it worked, or is as wanted already */
    DC_EXPIRED,   /* the interaction's token does not work (any more): channel or DM */
    DC_GONE,      /* the message was deleted */
    DC_NO_ACCESS, /* the bot may not post there: DM */
    DC_NO_DM,     /* this person cannot be written to */
    DC_TOO_BIG,   /* over the limit for files */
    DC_BAD_FILE,  /* this file will never be taken */
    DC_FOLLOWUPS, /* five follow-ups were used: edit instead */
    DC_BLOCKED,   /* moderation refuses the text */
    DC_FULL,      /* 200 new commands a day are used up */
    DC_TOKEN,     /* the bot's token is wrong or revoked */
    DC_WAIT,      /* 429 */
    DC_RETRY,     /* their side or the network; surely without effect */
    DC_UNCLEAR,   /* sent, answer lost */
    DC_BUG,       /* ours to mend */
};

/* code 0: the body had none. */
enum dc_action dc_classify(int status, int64_t code);
/* Fills e; always false. */
bool dc_error_set(struct err *e, enum dc_action action, int status, int64_t code, const char *name,
                  const char *detail);

#endif
