/*
 * moderation - OpenAI's judgement of words, besides the operator's rules.
 *
 * What:    POST /moderations; a flagged text is refused, with the category of the highest score.
 *          After a failure it is left alone for a while: callers go on without it, or not, as they
 *          were told.
 * Owner:   texts are copied; `net` outlives it.
 * Threads: any.
 * Fails:   ERR_REFUSED "guard.flagged"; ERR_RETRY, ERR_CONFIG "writer.down": could not be asked.
 * Source:  OpenAI's API reference, "Moderations".
 */
#ifndef NANOTIK_MODERATION_H
#define NANOTIK_MODERATION_H

#include "core/net/net.h"
#include "core/port/writer.h"

bool moderation_create(struct net_engine *net, const char *base_url, const char *key,
                       struct script_guard *ret, struct err *e);

#endif
