/*
 * pace - how fast Telegram lets a bot talk, as a state machine without a clock of its own.
 *
 * What:    one chat about 1 message a second with a burst of 3, a group 20 a minute (edits count),
 *          all chats 25 a second; after a 429 a chat rests for as long as it was told, and when
 *          several chats are told so within five seconds, all rest.
 * Lanes:   a lower lane leaves something for the higher ones: status edits never take a chat's last
 *          token, a group's last six, or the last ten of all; videos leave one, two and four.
 * Owner:   pace_create / pace_destroy.
 * Threads: none; the caller locks.
 * Source:  facts sheet "telegram", section 7.
 */
#ifndef NANOTIK_TELEGRAM_PACE_H
#define NANOTIK_TELEGRAM_PACE_H

#include "core/base/base.h"

enum pace_lane { LANE_ANSWER, LANE_VIDEO, LANE_STATUS };

struct pace;
MUST_USE struct pace *pace_create(void);
void pace_destroy(struct pace *p); /* NULL is fine */
/* 0: go, and it is counted. Else: ask again in so many ms (nothing was counted). Groups have
   negative ids. */
int64_t pace_take(struct pace *p, int64_t chat, enum pace_lane lane, int64_t now_ms);
/* The same without counting. */
int64_t pace_wait(struct pace *p, int64_t chat, enum pace_lane lane, int64_t now_ms);
/* The server said 429 for this chat. */
void pace_hold(struct pace *p, int64_t chat, int64_t ms, int64_t now_ms);
/* True while a 429 rests the chat (or all). */
bool pace_held(struct pace *p, int64_t chat, int64_t now_ms);

#endif
