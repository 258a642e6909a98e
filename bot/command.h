/*
 * command - one table of commands; it drives dispatch, /help and the menus of networks.
 *
 * What:    a handler reads its context, changes the database through ctx->tx and adds cards with
 *          reply_*. It may run again from the start (serialization failure), so it touches nothing
 *          else; what must happen after the commit goes into ctx->after.
 * Errors:  a handler that returns false rolls everything back; its error is then told to the person
 *          in a transaction of its own, with help lines that belong to the key (bot/reply.c).
 * Threads: a context belongs to one event.
 */
#ifndef NANOTIK_BOT_COMMAND_H
#define NANOTIK_BOT_COMMAND_H

#include "bot/bot.h"
#include "bot/card.h"
#include "core/base/arena.h"
#include "core/db/store_account.h"
#include "core/db/store_chat.h"
#include "core/db/store_job.h"

struct command_ctx {
    struct bot *bot;
    struct db_tx *tx;
    const struct chat_event *event;
    const struct chat_abilities *abilities;
    struct account account;
    char lang[16];    /* of the interface */
    const char *args; /* what follows the command word, trimmed at the front */
    struct arena arena;
    const struct command *command; /* NULL: no such command, or plain text */
    struct {
        bool job_started;
        bool script_ordered;
        char watch[UUID_TEXT];  /* show the progress of this job */
        char cancel[UUID_TEXT]; /* a running job was asked to stop */
        char forget[UUID_TEXT]; /* this job's card says its last word: no more progress */
        char sample[64];        /* let the person hear this voice, */
        int sample_speed;       /* at this speed, percent */
        char toast[600];        /* for who pressed the button, in place of a card */
        const char **files;     /* to be deleted */
        size_t file_count;
    } after;
};

enum command_flags {
    CMD_HIDDEN = 1, /* not in /help: buttons press it */
    CMD_MONEY = 2,  /* answered privately in groups */
    CMD_PERSON = 4, /* about the person: answered privately in groups */
    CMD_LEADER =
        8, /* may do more for who leads a group: chat_event.is_group_admin is asked first */
    CMD_REFUND = 32, /* hidden where refunds are off */
    CMD_ORDERS = 16, /* not for accounts that rest after strikes */
    CMD_ADMIN = 64,  /* to everybody but operators there is no such command (bot/admin.h) */
};

struct command {
    const char *name; /* without the slash */
    bool (*run)(struct command_ctx *ctx, struct err *e);
    const char *help_key; /* one line for /help */
    unsigned flags;
};

extern const struct command commands[];
extern const size_t command_count;

/* "/make@bot hello" -> make, *ret_args "hello". NULL when the text is no known command. */
const struct command *command_find(const char *text, const char **ret_args);
/* In everybody's /help and the menus of this bot. */
bool command_listed(const struct bot *bot, const struct command *c);
/* The known command that is nearest to a mistyped one, or NULL. */
const struct command *command_nearest(const char *text);

/* --- handlers --- */
bool cmd_make(struct command_ctx *ctx, struct err *e); /* cmd_make.c */
bool cmd_again(struct command_ctx *ctx, struct err *e);
bool cmd_go(struct command_ctx *ctx, struct err *e);     /* cmd_go.c */
bool cmd_change(struct command_ctx *ctx, struct err *e); /* cmd_change.c */
bool cmd_script(struct command_ctx *ctx, struct err *e); /* cmd_script.c */
/* A line that answers the card of a script. *ret_taken false: it does not. */
bool script_reply(struct command_ctx *ctx, bool *ret_taken, struct err *e);
bool cmd_queue(struct command_ctx *ctx, struct err *e); /* cmd_jobs.c */
bool cmd_history(struct command_ctx *ctx, struct err *e);
bool cmd_cancel(struct command_ctx *ctx, struct err *e);
bool cmd_send(struct command_ctx *ctx, struct err *e);  /* cmd_film.c */
bool cmd_remix(struct command_ctx *ctx, struct err *e); /* cmd_remake.c */
bool cmd_dub(struct command_ctx *ctx, struct err *e);
bool cmd_subtitles(struct command_ctx *ctx, struct err *e);
bool cmd_credits(struct command_ctx *ctx, struct err *e); /* cmd_money.c */
bool cmd_pay(struct command_ctx *ctx, struct err *e);     /* cmd_pay.c */
bool cmd_refund(struct command_ctx *ctx, struct err *e);  /* cmd_refund.c */
bool cmd_group(struct command_ctx *ctx, struct err *e);   /* cmd_group.c */
bool cmd_payer(struct command_ctx *ctx, struct err *e);
bool cmd_settings(struct command_ctx *ctx, struct err *e); /* cmd_settings.c */
bool cmd_voice(struct command_ctx *ctx, struct err *e);
bool cmd_style(struct command_ctx *ctx, struct err *e);
bool cmd_lang(struct command_ctx *ctx, struct err *e);
bool cmd_start(struct command_ctx *ctx, struct err *e); /* cmd_about.c */
bool cmd_help(struct command_ctx *ctx, struct err *e);
bool cmd_terms(struct command_ctx *ctx, struct err *e);
bool cmd_privacy(struct command_ctx *ctx, struct err *e);
bool cmd_support(struct command_ctx *ctx, struct err *e);
bool cmd_forget(struct command_ctx *ctx, struct err *e);
bool cmd_admin(struct command_ctx *ctx, struct err *e); /* cmd_admin.c */

#endif
