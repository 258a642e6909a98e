/*
 * fake_chat - a chat network that only remembers, and fails when told to.
 *
 * Owner:   fake_chat_free after the bot's threads were joined.
 * Threads: all functions from any thread.
 */
#ifndef NANOTIK_FAKE_CHAT_H
#define NANOTIK_FAKE_CHAT_H

#include <pthread.h>

#include "core/port/chat.h"

enum { FAKE_MESSAGES = 512 };

struct fake_message {
    enum { FAKE_SENT, FAKE_EDITED, FAKE_DELIVERED } kind;
    char ref[CHAT_REF_MAX];
    char *text; /* title, lines and "[label|action]" of buttons, one per line */
    bool is_private, has_progress, has_picture;
    int percent;
};

struct fake_chat {
    struct chat_abilities abilities;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_message messages[FAKE_MESSAGES];
    size_t count;
    unsigned refs;
    enum err_code fail_next_send; /* ERR_NONE: works */
    int fail_sends;               /* how many sends fail */
    bool cards_gone;              /* edits answer ERR_NOT_FOUND */
};

void fake_chat_init(struct fake_chat *f, bool buttons);
void fake_chat_free(struct fake_chat *f);
struct chat_adapter fake_chat_adapter(struct fake_chat *f); /* network "fake" */
/* Waits up to 10 s until `count` messages are there. */
bool fake_chat_wait(struct fake_chat *f, size_t count);
/* Waits up to 10 s for a message with this text in it; its index, or -1. */
int fake_chat_wait_text(struct fake_chat *f, const char *needle);
/* Waits up to 10 s until the newest message shows this percentage. */
bool fake_chat_wait_percent(struct fake_chat *f, int percent);
size_t fake_chat_count(struct fake_chat *f);
char *fake_card_text(const struct card *card);

#endif
