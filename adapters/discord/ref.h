/*
 * ref - what Discord hands back to us as it got it: ids, references of cards, signed actions of
 * buttons.
 *
 * What:    whatever comes back is taken for hostile; an action counts only with our signature.
 * Owner:   plain values.
 * Threads: pure functions.
 */
#ifndef NANOTIK_DISCORD_REF_H
#define NANOTIK_DISCORD_REF_H

#include "core/port/chat.h"

enum { DC_ID_MAX = 24, DC_CUSTOM_MAX = 100 };

/* A custom_id of at most DC_CUSTOM_MAX bytes; nth tells equal actions of one message apart. */
void dc_sign(const unsigned char key[static 32], const char *action, int nth,
             char ret[static DC_CUSTOM_MAX + 1]);
/* False: not ours. */
bool dc_unsign(const unsigned char key[static 32], const char *custom_id,
               char ret_action[static CHAT_ACTION_MAX + 1]);

/* References of cards: "MESSAGE:CHANNEL:e" (ephemeral) or ":p". */
void dc_ref_put(char ret[static CHAT_REF_MAX], const char *message, const char *channel,
                bool ephemeral);
bool dc_ref_get(const char *ref, char ret_message[static DC_ID_MAX],
                char ret_channel[static DC_ID_MAX], bool *ret_ephemeral);
bool dc_id_ok(const char *text); /* digits of a snowflake */

#endif
