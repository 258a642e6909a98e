/*
 * errors - what a refusal of the Bot API means and what to do about it: one table.
 * Threads: pure functions.
 * Source:  facts sheet "telegram", section 8.
 */
#ifndef NANOTIK_TELEGRAM_ERRORS_H
#define NANOTIK_TELEGRAM_ERRORS_H

#include "core/base/base.h"
#include "core/base/err.h"

enum tg_action {
    TG_DONE,        /* it worked, or is as wanted already */
    TG_IGNORE,      /* it did not work and nothing depends on it */
    TG_CARD_GONE,   /* forget the message, send a new one once */
    TG_NO_TEXT,     /* the message carries media: edit its caption */
    TG_NO_THREAD,   /* once more without the topic */
    TG_MOVED,       /* the group has a new id */
    TG_PLAIN,       /* our markup is wrong: once more as plain text */
    TG_SHORTEN,     /* our text is too long */
    TG_NO_BUTTONS,  /* our keyboard is wrong: once more without */
    TG_UPLOAD,      /* the file_id is stale: upload */
    TG_BAD_FILE,    /* this file will never be taken like this */
    TG_TOO_BIG,     /* over the server's limit */
    TG_NO_RIGHTS,   /* the group forbids it */
    TG_UNREACHABLE, /* blocked, kicked, deleted: nobody reads there */
    TG_TOKEN,       /* token wrong or revoked */
    TG_WEBHOOK,     /* a webhook is set: remove it */
    TG_CONFLICT,    /* another poller */
    TG_WAIT,        /* 429 */
    TG_RETRY,       /* their side or the network */
    TG_UNCLEAR,     /* sent, answer lost */
    TG_BUG,         /* nothing of the above: ours to mend */
};

/* status 0: no answer at all is the caller's to judge. description may be "". */
enum tg_action tg_classify(int status, const char *description);
/* Fills e for what is left when the action could not help; always false. */
bool tg_error_set(struct err *e, enum tg_action action, int status, const char *description,
                  const char *method);

#endif
