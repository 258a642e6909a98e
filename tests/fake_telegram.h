/*
 * fake_telegram - the fake Bot API server (tests/fakes/telegram.mjs) as a C test sees it; see fake_node.h.
 */
#ifndef NANOTIK_TESTS_FAKE_TELEGRAM_H
#define NANOTIK_TESTS_FAKE_TELEGRAM_H

#include "tests/fake_node.h"

#define FAKE_TOKEN "7000000001:AAExampleTokenForTests_abcdefghijk"

/* dir: uploads are kept there as files; may be NULL. */
void fake_start(struct fake_node *f, const char *dir);
/* The same; uploads are kept in folder/uploads. */
void fake_start_keeping(struct fake_node *f, const char *folder);
/* POST /control/NAME with this JSON (printf). */
cJSON *fake_control(struct fake_node *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* The same, result thrown away. */
void fake_do(struct fake_node *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* A number at the top of the state; how often a method was called. */
int64_t fake_number(struct fake_node *f, const char *name);
int64_t fake_calls(struct fake_node *f, const char *method);
/* Messages of the bot in a chat that have this field ("text", "video"); *ret_last (may be NULL) is
   the newest, printed. */
size_t fake_messages(struct fake_node *f, int64_t chat, const char *field, char **ret_last);

/* A person writes; `more` is further JSON (",\"thread\":42") or "". */
void fake_say(struct fake_node *f, int64_t chat, int64_t user, const char *more, const char *text);
/* Presses a button of the newest card that has it. */
void fake_press(struct fake_node *f, int64_t chat, int64_t user, const char *label);
/* Waits for so many messages of the bot with this field; the newest, printed. */
char *fake_wait_messages(struct fake_node *f, int64_t chat, const char *field, size_t count,
                         int ms);
/* Waits for a newest message whose print has this part. */
void fake_wait_text(struct fake_node *f, int64_t chat, const char *field, const char *part, int ms);

#endif
