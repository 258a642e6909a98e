/*
 * fake_discord - the fake Discord (tests/fakes/discord.mjs) as a C test sees it; see fake_node.h.
 */
#ifndef NANOTIK_TESTS_FAKE_DISCORD_H
#define NANOTIK_TESTS_FAKE_DISCORD_H

#include "tests/fake_node.h"

#define DFAKE_TOKEN "MTE4.a-token-of-no-particular-length_for_tests"

void dfake_start(struct fake_node *f);
/* POST /control/NAME with this JSON (printf). */
cJSON *dfake_control(struct fake_node *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* The same, result thrown away. */
void dfake_do(struct fake_node *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
int64_t dfake_number(struct fake_node *f, const char *name); /* at the top of the state */
/* Lines of a list of texts ("log", "ops") that contain this. */
size_t dfake_lines(struct fake_node *f, const char *list, const char *text);
/* Waits up to five seconds; fails the case when it does not come to that. */
void dfake_wait_lines(struct fake_node *f, const char *list, const char *text, size_t want);
/* The newest message whose content has this text; NULL when none. *ret_state owns it. */
const cJSON *dfake_message(struct fake_node *f, const char *text, cJSON **ret_state);

#endif
