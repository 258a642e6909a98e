/*
 * rules - what an operator does not want to be made, as words, phrases and patterns.
 *
 * What:    a text file. `[name]` begins a category; each other line is a rule:
 *              pipe bomb          these words in this order, whatever is between them
 *              behead*            a word that begins so
 *              /how to .* meth/   an ICU regular expression
 *              + sex education    allowed: what it matches is left out before the others look
 *              # remark
 *          Upper case, accents, full width and invisible characters make no difference, in rules
 *          and in texts; Chinese, Japanese and Thai words match anywhere.
 * Owner:   rules_free.
 * Threads: a parsed set may be used by any number of threads.
 * Fails:   ERR_CONFIG "start.bad_config" (arg: line and what is wrong).
 * Bounds:  RULES_MAX rules; a pattern that takes too long on a text counts as no match.
 */
#ifndef NANOTIK_STORY_RULES_H
#define NANOTIK_STORY_RULES_H

#include "core/base/base.h"
#include "core/base/err.h"

enum { RULES_MAX = 2000, RULES_NAME_MAX = 32 };

struct rules;
bool rules_parse(const char *text, struct rules **ret, struct err *e);
void rules_free(struct rules *r);  /* NULL is fine */
extern const char rules_default[]; /* the text that comes with the program */

/* The category that refuses this text, or NULL. r may be NULL: nothing is refused. */
const char *rules_match(const struct rules *r, const char *text);

#endif
