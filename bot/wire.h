/*
 * wire - adapters made from the configuration. wire_*.c are, with main.c, the only files that name
 * adapters.
 *
 * Owner:   wire_tools_free / each adapter's ops->destroy.
 * Threads: main only.
 */
#ifndef NANOTIK_BOT_WIRE_H
#define NANOTIK_BOT_WIRE_H

#include "bot/bot.h"
#include "bot/cli.h"
#include "core/db/store_note.h"
#include "core/job/pipeline.h"
#include "core/net/net.h"
#include "core/net/ws.h"
#include "core/port/nano_node.h"

/* Writers, voices, footage, cache and render threads. */
struct wire_tools;
bool wire_tools_make(struct cli *cli, struct wire_tools **ret, struct err *e);
const struct toolbox *wire_toolbox(const struct wire_tools *w);
/* The WebSocket engine of the whole program, started when it is first asked for: libwebsockets keeps
   certificates for ever when two of them live at one time. */
bool wire_tools_ws(struct wire_tools *w, struct ws_engine **ret, struct err *e);
void wire_tools_free(struct wire_tools *w); /* NULL is fine */
/* For doctor: the helper program of the local voice is there. */
bool wire_check_speech(struct err *e);

/* The writers that LLM_PROVIDER names, in its order. ERR_CONFIG "start.bad_config": no such
   provider, or a key or model that it needs is missing. */
struct net_engine;
bool wire_writers_add(struct net_engine *net, const struct config *config, struct toolbox *box,
                      struct err *e);
/* OpenAI's moderation, where its key is set and nobody said no. */
bool wire_guard_wanted(const struct config *config);
bool wire_guard_add(struct net_engine *net, const struct config *config, struct toolbox *box,
                    struct err *e);
/* For doctor: the rules can be read; the moderation service answers. */
bool wire_rules_load(const struct config *config, struct rules **ret, struct err *e);
bool wire_guard_check(struct cli *cli, struct err *e);
/* For doctor: asks each of them. `tell` gets its name and model, what a script costs there (millionths
   of a dollar, -1 unknown) and the error, or NULL when it is ready. */
bool wire_writers_check(struct cli *cli,
                        void (*tell)(void *ctx, const char *name, int64_t cost,
                                     const struct err *why),
                        void *ctx, struct err *e);

/* Stock footage: Pexels, Pixabay, then Pexels' photos, as far as their keys are set. */
bool wire_footage_wanted(const struct config *config);
bool wire_footage_add(struct net_engine *net, const struct config *config, struct toolbox *box,
                      struct err *e);
/* The files that came with a job, fetched through the chat it came from; see worker_calls. */
bool wire_footage_own(const struct chat_adapter *chat, const struct job *job, const char *folder,
                      struct footage_source *ret, struct err *e);
/* For doctor: asks each with each key, at most 5 s a key. `tell` gets "Pexels 1/2" and the error, or
   NULL when the key works. */
bool wire_footage_check(const struct config *config,
                        void (*tell)(void *ctx, const char *name, const struct err *why), void *ctx,
                        struct err *e);

/* Azure's voices, when their key is set. ERR_CONFIG "start.bad_config": no region. */
bool wire_speech_wanted(const struct config *config);
bool wire_speech_add(struct net_engine *net, struct ws_engine *ws, const struct config *config,
                     struct toolbox *box, struct err *e);
/* For doctor: key, region and voices, at most 5 s. */
bool wire_speech_check(struct cli *cli, struct err *e);

/* The Nano network: nodes, stream, work server and the MCP reader, as far as configured. ERR_CONFIG
   "start.bad_url", "start.bad_nano" (arg: the setting). No network traffic before the first call. */
struct wire_nano;
bool wire_nano_wanted(const struct config *config); /* NANO_RPC_URL is set */
/* ws: borrowed, the engine that the program shares; NULL: one of its own where it needs one. */
bool wire_nano_make(const struct config *config, struct ws_engine *ws, struct wire_nano **ret,
                    struct err *e);
const struct nano_node *wire_nano_node(const struct wire_nano *w);
void wire_nano_free(struct wire_nano *w); /* after everybody who uses the node; NULL is fine */
/* Work thresholds of the configured network. */
bool wire_nano_difficulties(const struct config *config, uint64_t *ret_send, uint64_t *ret_receive,
                            struct err *e);
/* A second opinion on a pocketed balance, from NANO_MCP_URL: never a reason to do anything. */
bool wire_nano_has_reader(const struct wire_nano *w);
bool wire_nano_balance(struct wire_nano *w, const struct nano_account *account, struct raw *ret,
                       const struct cancel *cancel, struct err *e);
/* For doctor: asks each node, at most 8 s each, and the reader about the wallet. `node` gets each
   node's state; `reader` the error, or NULL, and whether it tells another balance than the nodes. */
bool wire_nano_check(struct cli *cli, void (*node)(void *ctx, const struct nano_health *health),
                     void (*reader)(void *ctx, const struct err *why, bool differs), void *ctx,
                     struct err *e);

/* Payments, when a seed or a wallet is set. *seed is taken on success (NULL then); db is borrowed, and
   may be NULL for nothing but ops->treasury.
   ERR_CONFIG "start.bad_config", "start.bad_price": which setting. */
struct wire_pay;
struct nano_seed;
bool wire_pay_wanted(const struct config *config, const struct nano_seed *seed);
bool wire_pay_make(const struct config *config, struct db *db, struct ws_engine *ws,
                   struct nano_seed **seed, struct wire_pay **ret, struct err *e);
const struct payment_method *wire_pay_method(const struct wire_pay *w);
struct fiat_rate;
struct fiat_rate *wire_pay_fiat(const struct wire_pay *w); /* NULL: no rate source */
void wire_pay_free(struct wire_pay *w);                    /* NULL is fine */

/* The chats whose tokens are set, else the terminal. listens: they will be run here; without it they
   only send. */
struct wire_chats;
bool wire_chats_make(struct cli *cli, struct bot *bot, struct wire_tools *tools, bool listens,
                     struct wire_chats **ret, struct err *e);
/* For doctor: asks each network whose token is set. `tell` gets "Telegram: @name" and NULL, or
   "Telegram" and the error. */
bool wire_chats_check(struct cli *cli,
                      void (*tell)(void *ctx, const char *name, const struct err *why), void *ctx,
                      struct err *e);
void wire_chats_free(struct wire_chats *c); /* destroys the adapters too; NULL is fine */
/* One of them, in its own file. */
struct lease_keeper;
struct wire_discord {
    struct bot *bot;
    struct lease_keeper *link; /* one process at a time is connected; NULL: this one only sends */
};
/* w outlives the adapter. */
bool wire_discord_make(const struct config *config, struct wire_discord *w, struct net_engine *net,
                       struct ws_engine *ws, const struct chat_menu *menus, size_t menu_count,
                       struct chat_adapter *ret, struct err *e);
/* --- wire_notes.c: what adapters keep beyond a restart (core/db/store_note) --- */
/* sure: only an answer of the database ends it. */
bool wire_notes_put(struct bot *bot, const struct note *notes, size_t count, bool sure);
/* False: none, expired, or no answer. */
bool wire_notes_get(struct bot *bot, const char *key, char *ret, size_t size);
/* Somebody sits at a terminal chat: logs would be drawn over it. */
bool wire_chats_interactive(const struct wire_chats *c);
/* Async-signal-safe: terminal modes as they were. */
void wire_chats_restore(void);

#endif
