/*
 * own_words - the script writer for when there is none: it narrates the person's own words.
 *
 * What:    script_writer "own-words". Cleans the text, splits it into scenes at sentence ends, takes
 *          the title from its first line and the search terms from each scene's content words.
 * Threads: stateless; any.
 * Fails:   ERR_INPUT "make.nothing_to_say"; ERR_LIMIT "make.text_longer_than_seconds" (arg: the
 *          text's own length, "95 s") when a length was asked for and the words take over 115 % of
 *          it: leaving out a person's words is not ours to decide.
 */
#ifndef NANOTIK_OWN_WORDS_H
#define NANOTIK_OWN_WORDS_H

#include "core/base/base.h"
#include "core/port/writer.h"

bool own_words_create(struct script_writer *ret);

#endif
