/*
 * admin_world - a bot with one operator and somebody else who talk to it.
 *
 * Owner:   world_close.
 * Threads: main. Failures end the case through cmocka.
 */
#ifndef NANOTIK_TESTS_ADMIN_WORLD_H
#define NANOTIK_TESTS_ADMIN_WORLD_H

#include "core/base/hash.h"
#include "tests/bot_world.h"

#define OPERATOR "777"
#define PERSON "42"
#define LOGGED "select count(*) from admin_log"
#define JOB_IS(state) "select count(*) from jobs where state = '" state "'"

/* The operator is about to speak. */
void admin_open(struct world *w, bool buttons);
const char *say_as(struct world *w, const char *who, const char *line);
/* The operator is about to speak again. */
void account_of(struct world *w, const char *who, char ret[static UUID_TEXT]);
void must_have(const char *said, const char *needle);
void must_lack(const char *said, const char *needle);

#endif
