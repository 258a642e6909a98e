/*
 * edit - one typed line at a time, with editing and history (libedit).
 *
 * Threads: edit_line on one thread, with the screen's lock held; it is let go of while waiting for
 *          a key, and the screen draws the prompt again after its own output.
 */
#ifndef NANOTIK_TERMINAL_EDIT_H
#define NANOTIK_TERMINAL_EDIT_H

#include "adapters/terminal/lines.h"
#include "adapters/terminal/screen.h"
#include "core/base/err.h"

struct edit;
bool edit_create(struct screen *screen, int in_fd, int wake_fd, const char *history_path,
                 struct edit **ret, struct err *e);
/* *ret_line lives until the next call. */
enum lines_result edit_line(struct edit *edit, const char *prompt, char **ret_line);
void edit_forget(struct edit *edit);  /* the history, also on disk */
void edit_destroy(struct edit *edit); /* NULL is fine; the terminal is as before */

#endif
