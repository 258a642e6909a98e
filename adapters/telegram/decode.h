/*
 * decode - one update of the Bot API becomes one chat event, or nothing.
 *
 * What:    every field is taken for hostile: missing, of the wrong type, null, huge. What is not
 *          meant for the bot is skipped; what nobody may be billed for is refused politely.
 * Owner:   texts live in the arena.
 * Threads: pure functions.
 * Source:  facts sheet "telegram", sections 3, 9, 11.
 */
#ifndef NANOTIK_TELEGRAM_DECODE_H
#define NANOTIK_TELEGRAM_DECODE_H

#include <cjson/cJSON.h>

#include "core/base/arena.h"
#include "core/base/base.h"
#include "core/port/chat.h"

enum { TG_MEDIA_MAX = 10 }; /* an album has at most ten */

struct tg_me {
    int64_t id;
    char username[64]; /* without @ */
};

enum tg_kind {
    TG_SKIP,    /* not for us */
    TG_EVENT,   /* `event` is filled */
    TG_CHANGED, /* our membership of `chat` changed */
};

struct tg_update {
    int64_t id; /* update_id */
    enum tg_kind kind;
    struct chat_event event;
    int64_t chat;
    const char *callback_id; /* must be answered, also when skipped; or NULL */
    const char *album;       /* media_group_id, or NULL */
    bool leads_album;        /* carries the command of its album */
    const char *media[TG_MEDIA_MAX];
};

/* False: no usable update_id (the caller skips it). */
bool tg_decode(const cJSON *update, const struct tg_me *me, struct arena *a, struct tg_update *ret);
/* album.c: gives the files of an album to the message that carries its command, and lets at most one of the
   others be answered. */
void tg_join_albums(struct tg_update *updates, size_t count);

/* "chat:message" and back. */
void tg_ref_put(char ret[static CHAT_REF_MAX], int64_t chat, int64_t message);
bool tg_ref_get(const char *ref, int64_t *ret_chat, int64_t *ret_message);

#endif
