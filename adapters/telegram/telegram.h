/*
 * telegram - the Bot API behind core/port/chat: private chats, groups, forum topics.
 *
 * What:    long polling, commands, buttons, cards as HTML messages, videos by editMessageMedia.
 * Owner:   telegram_create makes the adapter; ops->destroy frees it. Texts of the options are
 *          copied, menus are borrowed.
 * Threads: run() polls on its caller's thread; one thread of its own writes status edits and
 *          menus; send, edit and deliver run on their callers' threads.
 * Fails:   ERR_CONFIG "start.telegram_token" (malformed, wrong or revoked).
 * Source:  facts sheet "telegram".
 */
#ifndef NANOTIK_TELEGRAM_H
#define NANOTIK_TELEGRAM_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/net/net.h"
#include "core/port/chat.h"

struct telegram_options {
    struct net_engine *net;  /* outlives the adapter */
    const char *token;       /* TELEGRAM_BOT_TOKEN */
    const char *api_url;     /* TELEGRAM_API_URL; another host than api.telegram.org is taken for
                                an own Bot API server, with its larger limits */
    int64_t video_bytes_max; /* 0: what the server allows */
    const struct chat_menu *menus;
    size_t menu_count;
    int poll_seconds; /* 0: 25 */
    /* OPTIONAL, quick, any thread. False: another process polls for this token now; asked twice a
       second. */
    bool (*may_poll)(void *ctx);
    /* OPTIONAL. run() has confirmed what it took and asks for nothing more: another may poll. */
    void (*polled)(void *ctx);
    /* OPTIONAL. The cursor that on_events got last, from this or another process; false: none. */
    bool (*cursor_get)(void *ctx, char ret[static CHAT_CURSOR_MAX]);
    /* OPTIONAL. Remembered file ids of this bot, by a key that names the file's bytes. */
    bool (*file_get)(void *ctx, const char *key, char *ret_id, size_t size);
    void (*file_put)(void *ctx, const char *key, const char *id);
    /* OPTIONAL. Small texts that outlive the process, kept for `seconds` at least; they say which
       videos were sent. Any thread, may block. False from keep: it is not stored, and nothing is
       sent. */
    bool (*recall)(void *ctx, const char *key, char *ret, size_t size);
    bool (*keep)(void *ctx, const char *key, const char *value, int seconds);
    void *ctx;
};

bool telegram_create(const struct telegram_options *options, struct chat_adapter *ret,
                     struct err *e);

#endif
