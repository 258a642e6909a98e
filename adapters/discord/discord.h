/*
 * discord - Discord behind core/port/chat: servers, threads, direct messages, installed to a user.
 *
 * What:    gateway for interactions (intents 0), REST for answers, cards as messages with buttons,
 *          videos as uploads. In a server every card is ephemeral and the video is public and pings
 *          the person who asked; elsewhere the card becomes the video.
 * Address: chat = channel (a thread is one too); thread = the person, where others read along, else
 *          ""; reply = the interaction; group = the server.
 * Owner:   discord_create makes the adapter; ops->destroy frees it. Texts of the options are
 *          copied, menus are borrowed.
 * Threads: run() takes events on its caller's thread; gateway and timers have two of their own;
 *          send, edit and deliver run on their callers' threads.
 * Fails:   ERR_CONFIG "start.discord_token" (wrong or revoked), "start.discord_closed".
 * Source:  facts sheet "discord".
 */
#ifndef NANOTIK_DISCORD_DISCORD_H
#define NANOTIK_DISCORD_DISCORD_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/net/net.h"
#include "core/net/ws.h"
#include "core/port/chat.h"

enum { DISCORD_CHOICES_MAX = 25, DISCORD_CHOICE_SIZE = 101 };

/* A small text (up to 1500 bytes) that outlives the process, kept sealed for `seconds` at least. */
struct discord_note {
    const char *key, *value;
    int seconds;
};

struct discord_options {
    struct net_engine *net;  /* outlives the adapter */
    const char *token;       /* DISCORD_BOT_TOKEN */
    const char *api_url;     /* DISCORD_API_URL */
    bool allow_plain;        /* NANOTIK_ALLOW_PLAIN */
    const char *guild;       /* commands only there, at once (tests); "" or NULL: everywhere */
    struct ws_engine *ws;    /* outlives the adapter; NULL: one of its own */
    int seconds_max;         /* longest video that may be asked for; 0: not said */
    int64_t video_bytes_max; /* 0: below the limit that everybody has */
    int64_t token_ms;        /* life of an interaction's token; 0: 15 minutes (tests scale it) */
    int64_t backoff_ms;      /* of the first reconnect; 0: 2 s (tests scale it) */
    const struct chat_menu *menus;
    size_t menu_count;
    /* Catalog text for menus[i].lang; the result is the caller's to free. */
    char *(*text)(void *ctx, const char *lang, const char *key);
    /* OPTIONAL, quick, any thread: completions for /command option:typed, at most
       DISCORD_CHOICES_MAX. */
    size_t (*complete)(void *ctx, const char *command, const char *option, const char *typed,
                       const char *lang, char ret[][DISCORD_CHOICE_SIZE]);
    /* OPTIONAL. Sessions, interaction tokens, deliveries, the hash of the commands. keep: all of
       them or none; the last of those with the same key; sure: also beyond a power cut; false: not
       now. Any thread, may block. */
    bool (*recall)(void *ctx, const char *key, char *ret, size_t size);
    bool (*keep)(void *ctx, const struct discord_note *notes, size_t count, bool sure);
    /* OPTIONAL, quick, any thread. False: another process is to be connected with this token. A link
       that is up stays up then, so that a database that is away costs nobody a command, but no new
       one is made and no session is kept. Asked some times a second. */
    bool (*may_connect)(void *ctx);
    /* OPTIONAL. run() has closed its links and kept their sessions: another may connect. */
    void (*left)(void *ctx);
    void *ctx;
};

bool discord_create(const struct discord_options *options, struct chat_adapter *ret, struct err *e);

/* Numbers for measurements and tests. */
enum { DISCORD_ACK_SLOTS = 512 };
struct discord_stats {
    int64_t acks, ack_ms_max;          /* frame received to request handed to the connection */
    int32_t ack_ms[DISCORD_ACK_SLOTS]; /* how many took so many ms; the last: or more */
    int64_t slow_acks;                 /* over 150 ms */
    int64_t connects, resumes, dropped;
};
void discord_stats(const struct chat_adapter *chat, struct discord_stats *ret);

#endif
