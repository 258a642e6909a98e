/*
 * event_json - an event as text, so that it can wait in the database.
 *
 * Owner:   the text of event_to_json is the caller's; texts of event_from_json live in the arena.
 * Threads: pure functions.
 */
#ifndef NANOTIK_BOT_EVENT_JSON_H
#define NANOTIK_BOT_EVENT_JSON_H

#include "core/base/arena.h"
#include "core/base/base.h"
#include "core/base/err.h"
#include "core/port/chat.h"

/* NULL: longer than any event may be. */
MUST_USE char *event_to_json(const struct chat_event *event);
/* ERR_INTERNAL: not written by event_to_json. */
bool event_from_json(const char *json, struct arena *a, struct chat_event *ret, struct err *e);

#endif
