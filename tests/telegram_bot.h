/*
 * telegram_bot - the Telegram adapter at the fake Bot API server, with a bot that has no mind: it
 * writes down what it hears.
 *
 * What:    setup makes server, adapter and a film of zeros; adapter_run polls on a thread.
 *          Failures end the case through cmocka.
 * Owner:   telegram_bot_teardown.
 * Threads: main; heard_* from any.
 */
#ifndef NANOTIK_TESTS_TELEGRAM_BOT_H
#define NANOTIK_TESTS_TELEGRAM_BOT_H

#include <pthread.h>
#include <stdatomic.h>

#include "adapters/telegram/telegram.h"
#include "tests/fake_telegram.h"

#define ANA 6123456789

struct heard {
    enum chat_event_kind kind;
    struct chat_addr addr;
    char id[96], text[256], user[32], ref[CHAT_REF_MAX], press[80], media[8][64];
    size_t media_count;
    bool is_group;
};

struct telegram_bot {
    struct fake_node fake;
    struct net_engine *net;
    struct chat_adapter chat;
    char dir[64], video[96], poster[96];
    pthread_t thread;
    bool runs, run_ok;
    struct err run_error;
    atomic_bool may_poll;
    char file_id[256];
    bool noting, note_fails;                   /* what is kept about videos of their own */
    char note_key[80], note[CHAT_REF_MAX + 8]; /* one remembered upload */
    pthread_mutex_t lock;
    /* --- with lock held --- */
    struct heard heard[512];
    size_t count;
    size_t batches;
    char cursor[CHAT_CURSOR_MAX];
    int refuse; /* so many batches cannot be stored at first */
};
extern struct telegram_bot tb;

int telegram_bot_setup(void **state);
int telegram_bot_teardown(void **state);
void adapter_make(void);
void adapter_run(void);
void adapter_join(void);
void adapter_end(void); /* stop, join, destroy */

size_t heard_count(void);
struct heard heard_at(size_t i);
void wait_heard(size_t n); /* exactly so many */

struct chat_addr ana(void);
struct card text_card(const char *title); /* with one button: Go, "/go 1" */
void must_send(const struct chat_addr *to, const char *title, char ref[CHAT_REF_MAX]);

#endif
