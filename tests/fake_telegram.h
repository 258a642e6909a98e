/*
 * fake_telegram - the fake Bot API server (tests/fakes/telegram.mjs, Node) as a C test sees it.
 *
 * What:    starts it on a free port of this machine, asks its control endpoints. Failures end the
 *          case through cmocka.
 * Owner:   fake_start / fake_stop; documents returned are the caller's (json_free).
 * Threads: control calls from any thread; start and stop on one.
 */
#ifndef NANOTIK_TESTS_FAKE_TELEGRAM_H
#define NANOTIK_TESTS_FAKE_TELEGRAM_H

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/proc.h"
#include "core/net/net.h"

#define FAKE_TOKEN "7000000001:AAExampleTokenForTests_abcdefghijk"

struct fake_telegram {
    struct proc proc;
    struct net_engine *net; /* for control only */
    int port;
    char url[64];
};

/* dir: uploads are kept there as files; may be NULL. */
void fake_start(struct fake_telegram *f, const char *dir);
void fake_stop(struct fake_telegram *f);
/* POST /control/NAME with this JSON (printf). */
cJSON *fake_control(struct fake_telegram *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* The same, result thrown away. */
void fake_do(struct fake_telegram *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
cJSON *fake_state(struct fake_telegram *f);
/* A number at the top of the state; how often a method was called. */
int64_t fake_number(struct fake_telegram *f, const char *name);
int64_t fake_calls(struct fake_telegram *f, const char *method);
/* Messages of the bot in a chat that have this field ("text", "video"); *ret_last (may be NULL) is
   the newest, printed. */
size_t fake_messages(struct fake_telegram *f, int64_t chat, const char *field, char **ret_last);
/* The adapter must not have sent anything that the real server would have ignored or shown badly. */
void fake_no_complaints(struct fake_telegram *f);

#endif
