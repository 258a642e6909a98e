/*
 * estimate - how long the film would be, and whether that may be ordered.
 *
 * Fails:   ERR_LIMIT "make.text_too_long" (arg: length and limit, in the reader's language),
 *          "make.text_longer_than_seconds" (arg: the text's own length) when own words do not fit
 *          the wanted seconds: leaving words out is not ours to decide.
 * Threads: pure.
 */
#ifndef NANOTIK_BOT_ESTIMATE_H
#define NANOTIK_BOT_ESTIMATE_H

#include "core/job/pipeline.h"

enum { ESTIMATE_TOLERANCE_PERCENT = 115 }; /* as the own-words writer allows */

bool estimate_length(const struct toolbox *tools, const char *ui_lang, const char *topic,
                     const struct story_settings *settings, int64_t *ret_ms, struct err *e);

#endif
