/*
 * fake_discord - the fake Discord (tests/fakes/discord.mjs, Node) as a C test sees it.
 *
 * What:    starts it on a free port of this machine, asks its control endpoints. Failures end the
 *          case through cmocka.
 * Owner:   dfake_start / dfake_stop; documents returned are the caller's (json_free).
 * Threads: control calls from any thread; start and stop on one.
 */
#ifndef NANOTIK_TESTS_FAKE_DISCORD_H
#define NANOTIK_TESTS_FAKE_DISCORD_H

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/proc.h"
#include "core/net/net.h"

#define DFAKE_TOKEN "MTE4.a-token-of-no-particular-length_for_tests"

struct fake_discord {
    struct proc proc;
    struct net_engine *net; /* for control only */
    int port;
    char url[64], api[80];
};

void dfake_start(struct fake_discord *f);
void dfake_stop(struct fake_discord *f);
/* POST /control/NAME with this JSON (printf). */
cJSON *dfake_control(struct fake_discord *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* The same, result thrown away. */
void dfake_do(struct fake_discord *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
cJSON *dfake_state(struct fake_discord *f);
int64_t dfake_number(struct fake_discord *f, const char *name); /* at the top of the state */
/* Lines of a list of texts ("log", "ops") that contain this. */
size_t dfake_lines(struct fake_discord *f, const char *list, const char *text);
/* Waits up to five seconds; fails the case when it does not come to that. */
void dfake_wait_lines(struct fake_discord *f, const char *list, const char *text, size_t want);
/* The newest message whose content has this text; NULL when none. *ret_state owns it. */
const cJSON *dfake_message(struct fake_discord *f, const char *text, cJSON **ret_state);
/* The adapter must not have sent anything that Discord would have refused. */
void dfake_no_complaints(struct fake_discord *f);

#endif
