/*
 * health - what a monitor reads at NANOTIK_HTTP: /health (200, or 503 with the reason) and /metrics
 * (numbers in Prometheus' text form). No names, no ids, no words of anybody.
 *
 * Owner:   health_stop joins; bot and ctx are borrowed until then.
 * Threads: start and stop on main; `sick` is called on the server's thread.
 */
#ifndef NANOTIK_BOT_HEALTH_H
#define NANOTIK_BOT_HEALTH_H

#include "bot/bot.h"

struct health;
/* address: "off" starts nothing (*ret NULL). sick: what does not work, static text; NULL: all does. */
bool health_start(struct bot *bot, const char *address, const char *(*sick)(void *ctx), void *ctx,
                  struct health **ret, struct err *e);
void health_stop(struct health *h); /* NULL is fine */

#endif
