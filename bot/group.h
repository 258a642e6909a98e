/*
 * group - the card of a group's account, for the commands that lead to it.
 * Threads: as the context.
 */
#ifndef NANOTIK_BOT_GROUP_H
#define NANOTIK_BOT_GROUP_H

#include "bot/command.h"

/* "group" in a group, or what a link from there carries; ret_id "": the word means neither. */
bool group_named(struct command_ctx *ctx, const char *word, char ret_id[static UUID_TEXT],
                 struct err *e);
/* Balance, use, rules, ways to add credits; word: as above. */
bool group_card(struct command_ctx *ctx, const char *id, const char *word, struct err *e);

#endif
