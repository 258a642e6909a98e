/*
 * possible - what a person could have written instead.
 * Threads: as the card.
 */
#ifndef NANOTIK_BOT_POSSIBLE_H
#define NANOTIK_BOT_POSSIBLE_H

#include "bot/card.h"
#include "core/job/pipeline.h"

/* The names that "voice:" takes for a language, on one line, at most `max`; "" when none. */
const char *possible_voices(struct card_doc *doc, const struct toolbox *tools, const char *lang,
                            size_t max);
/* The same as choices, labelled in the language of the card: a press sets the voice. */
void possible_voice_choices(struct card_doc *doc, const char *lang, const struct toolbox *tools,
                            const char *speaks, size_t max);
/* Below an error with this key: the line that lists what is possible; nothing for other keys. */
void possible_add(struct card_doc *doc, const char *lang, const struct toolbox *tools,
                  const char *error_key);

#endif
