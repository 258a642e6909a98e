/*
 * moderation - OpenAI's judgement of words, besides the operator's rules.
 *
 * What:    POST /moderations; a flagged text is refused, with the category of the highest score.
 *          Words that passed are remembered for an hour, as hashes and in memory: they are not sent
 *          again. After a failure it is left alone for a minute: callers go on without it, or not,
 *          as they were told.
 * Owner:   texts are copied; `net` outlives it.
 * Threads: any.
 * Fails:   within 5 s. ERR_REFUSED "guard.flagged"; ERR_RETRY "writer.down": could not be asked;
 *          ERR_CONFIG "writer.down": nor will it be before the operator acts (key, money).
 * Source:  OpenAI's API reference, "Moderations".
 */
#ifndef NANOTIK_MODERATION_H
#define NANOTIK_MODERATION_H

#include "core/net/net.h"
#include "core/port/writer.h"

bool moderation_create(struct net_engine *net, const char *base_url, const char *key,
                       struct script_guard *ret, struct err *e);

#endif
