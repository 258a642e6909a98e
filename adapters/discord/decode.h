/*
 * decode - an INTERACTION_CREATE becomes one event for the bot.
 *
 * What:    slash options become a command line, buttons their action, a modal's text the lines
 *          below the command; identities, rights and files are picked out. Never fails on unknown
 *          fields; what cannot be answered at all (no id, no token, no person) is DC_NOTHING.
 * Owner:   dc_event_free; texts live in its arena.
 * Threads: pure functions.
 * Source:  facts sheet "discord", section 3.
 */
#ifndef NANOTIK_DISCORD_DECODE_H
#define NANOTIK_DISCORD_DECODE_H

#include <cjson/cJSON.h>

#include "adapters/discord/ref.h"
#include "core/base/arena.h"
#include "core/port/chat.h"

enum { DC_TOKEN_MAX = 1024, DC_MEDIA_MAX = 10 };
/* One request takes no more, whatever is told; a twentieth is left for the form around the file. */
#define DC_FILE_MAX (INT64_C(25) << 20)
/* A file that somebody sends along. */
#define DC_FETCH_MAX (INT64_C(100) << 20)
#define DC_FIT(limit) ((limit) / 100 * 95)

enum dc_kind {
    DC_NOTHING,
    DC_COMMAND,  /* answered by a new message */
    DC_PRESS,    /* answered on the message it hangs on */
    DC_SUBMIT,   /* a modal */
    DC_COMPLETE, /* wants choices */
    DC_ASK,      /* wants a modal: /script without words, or a button that asks */
};

struct dc_event {
    enum dc_kind kind;
    struct arena arena;
    struct chat_event event; /* what the bot hears, except for DC_COMPLETE and DC_ASK */
    char id[DC_ID_MAX], app[DC_ID_MAX], message[DC_ID_MAX];
    const char *token;
    bool may_post;                        /* with the bot's own token, files too */
    bool message_is_private;              /* DC_PRESS: the message is ephemeral */
    const char *command, *option, *typed; /* DC_COMPLETE; DC_ASK: what the words are put behind */
    const char *media[DC_MEDIA_MAX];
    bool too_large; /* one of the files */
};

/* key: signs the actions of buttons (dc_sign). False: DC_NOTHING. */
bool dc_decode(const cJSON *d, const unsigned char key[static 32], struct dc_event *ret);
void dc_event_free(struct dc_event *ev);

/* commands.c: the options of a command in the order in which the bot wants their words; NULL: no
   more. */
const char *dc_option_name(const char *command, size_t nth);

#endif
