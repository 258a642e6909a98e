/*
 * admin - who may say /admin.
 *
 * Threads: as the context.
 */
#ifndef NANOTIK_BOT_ADMIN_H
#define NANOTIK_BOT_ADMIN_H

#include "bot/command.h"

/* An operator of NANOTIK_ADMINS, alone with the bot; where nobody is named, whoever sits at this
   machine. Compared is what the account's keyed hash is made of; it is neither stored nor logged. */
bool admin_may(const struct bot *bot, const struct chat_event *event);
/* A button that asks for the words behind /admin, on networks where people can only say what stands
   in everybody's menu. */
void admin_add_ask(const struct command_ctx *ctx, struct card_doc *doc);

#endif
