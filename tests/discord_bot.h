/*
 * discord_bot - the Discord adapter with a bot that has no mind: it writes down what it hears and
 * keeps what the adapter wants to keep, against the fake Discord.
 *
 * Use:     dbot_setup and dbot_teardown around each case; everything is in `w`.
 * Threads: main only, but for what stands below `lock`.
 */
#ifndef NANOTIK_TEST_DISCORD_BOT_H
#define NANOTIK_TEST_DISCORD_BOT_H

#include <pthread.h>

#include "adapters/discord/discord.h"
#include "tests/fake_discord.h"

#define ANA "700000000000000003"
#define CHANNEL "1090000000000000020"

enum { DBOT_COMMANDS = 3 }; /* of its menu */

struct heard {
    enum chat_event_kind kind;
    struct chat_addr addr;
    char id[96], text[300], user[32], ref[CHAT_REF_MAX], quoted[100], media[100], lang[16];
    bool is_group, is_admin;
};

struct dbot {
    struct fake_node fake;
    struct net_engine *net;
    struct chat_adapter chat;
    char dir[64], video[96];
    pthread_t thread;
    bool runs, run_ok;
    struct err run_error;
    int64_t token_ms;
    const char *guild;
    int film; /* which one is delivered */
    pthread_mutex_t lock;
    /* --- with lock held --- */
    struct heard heard[512];
    size_t count;
    int refuse;   /* so many events cannot be stored at first */
    int store_ms; /* how long storing takes */
    int keep_refuse, keep_ms;
    bool another; /* it is another process's to be connected */
    struct {
        char key[80], value[1600];
    } kept[1024];
    size_t kept_count;
};
extern struct dbot w;

size_t dbot_heard_count(void);
/* The n-th event; fails when there are not exactly so many in time. */
struct heard dbot_wait_heard(size_t n);
/* What the adapter keeps. */
bool dbot_recall(void *ctx, const char *key, char *ret, size_t size);
void dbot_adapter_make_with(const char *token);
/* run() on a thread of its own. */
void dbot_adapter_run(void);
void dbot_adapter_join(void);
/* stop, join, destroy; run() must end soon. */
void dbot_adapter_end(void);
/* cmocka set-up and tear-down: fake, adapter, a film. */
int dbot_setup(void **state);
int dbot_teardown(void **state);
int64_t dbot_video_bytes(void);
struct card dbot_text_card(const char *title);
void dbot_must_send(const struct chat_addr *to, const char *title, char ref[CHAT_REF_MAX]);
/* The film w.film. */
bool dbot_deliver(const struct chat_addr *to, const char *ref, char ret_ref[CHAT_REF_MAX],
                  struct err *e);
/* What the newest message with this text looks like. */
void dbot_expect_message(const char *content, int64_t flags, const char *channel, size_t files,
                         size_t pings);
void dbot_press(const char *ref, const char *more);
/* Messages that bring a file. */
size_t dbot_films(void);
size_t dbot_messages(void);
bool dbot_is_kept(const char *key);

#endif
