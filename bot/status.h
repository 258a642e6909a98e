/*
 * status - the card that shows a running job, edited in place.
 *
 * What:    keeps the newest progress of each job that this process runs or waits for, and edits its
 *          card at most every abilities.edit_interval_ms; progress in between is skipped. Cards are
 *          a comfort: nothing is stored, nothing is repeated.
 * Owner:   status_stop joins and frees.
 * Threads: all functions from any thread; NULL status is fine everywhere.
 */
#ifndef NANOTIK_BOT_STATUS_H
#define NANOTIK_BOT_STATUS_H

#include "bot/bot.h"
#include "bot/card.h"

bool status_start(struct bot *bot, struct status **ret, struct err *e);
/* A job was started: show its place in the queue until its first progress. */
void status_watch(struct status *s, const char *job_id);
void status_progress(struct status *s, const struct job *job, const struct pipeline_progress *p);
/* No more edits of this job's card: returns when one under way has ended. */
void status_end(struct status *s, const char *job_id);
void status_stop(struct status *s);

/* Draws the card. p NULL: the job waits. buttons: the network has buttons (they carry whole ids).
 */
void status_card(struct card_doc *doc, const struct job *job, const struct pipeline_progress *p,
                 bool buttons);

#endif
