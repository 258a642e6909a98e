/*
 * judged - a bot whose quotes are judged, for tests: a judge that does as it is told, and a drafter
 * that asks it.
 *
 * What:    the judge refuses texts with "badger"; while it `holds` it says nothing. Failures end the
 *          case through cmocka.
 * Owner:   judged_close.
 * Threads: main; the judge is asked on the drafter's.
 */
#ifndef NANOTIK_TESTS_JUDGED_H
#define NANOTIK_TESTS_JUDGED_H

#include <stdatomic.h>

#include "tests/bot_world.h"

struct judge {
    atomic_bool holds; /* asked, and says nothing yet */
    atomic_int asked;
    enum err_code ill;
    bool remembers;
};

struct judged {
    struct world w;
    struct judge judge;
    char job[UUID_TEXT]; /* the last quote */
};

#define STATE(s) "select count(*) from jobs where state = '" s "'"

void judged_open(struct judged *p, bool buttons);
void judged_close(struct judged *p);
/* A drafter as a process of this name has. */
void judged_drafter(struct judged *p, const char *name, struct drafter **ret);

/* What this SQL gives; waited for, because other threads work on it. */
void judged_wait(struct judged *p, const char *sql, int64_t want);
void judged_is(struct judged *p, const char *sql, int64_t want);
/* The judge was asked so often. */
void judged_wait_asked(struct judged *p, int want);
/* So many cards with this text were written. */
void judged_cards(struct judged *p, const char *text, int64_t want);
void judged_no_credit_moved(struct judged *p);

void judged_quote(struct judged *p, const char *topic);
/* A button of the quote, answered with this. */
void judged_press(struct judged *p, const char *verb, const char *needle);
/* Go; the judge says nothing before the answer was read. */
void judged_go(struct judged *p);
/* Opened, a quote of this topic, Go; the judge was asked and says nothing yet. */
void judged_begin(struct judged *p, const char *topic);
void judged_let_judge(struct judged *p);

#endif
