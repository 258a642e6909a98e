/*
 * inbox_world - a bot behind a fake chat, as events arrive at it: what its network answers can be
 * changed (ops), and events are put in by hand.
 *
 * Owner:   inbox_world_close.
 * Threads: main; command workers only where a case starts them.
 */
#ifndef NANOTIK_TESTS_INBOX_WORLD_H
#define NANOTIK_TESTS_INBOX_WORLD_H

#include "bot/bot.h"
#include "tests/fake_chat.h"

struct inbox_world {
    struct bot bot;
    struct toolbox tools;
    struct fake_chat chat;
    struct chat_adapter_ops ops; /* the fake's own at first */
};

void inbox_world_open(struct inbox_world *w, size_t connections);
void inbox_world_close(struct inbox_world *w);
/* A line that somebody who is called as the chat says there. */
struct chat_event inbox_event(const char *id, const char *chat, const char *text);

#endif
