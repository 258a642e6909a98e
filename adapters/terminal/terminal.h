/*
 * terminal - a chat with the person at this machine.
 *
 * What:    when input and output are a terminal: line editing and history (libedit), cards that are
 *          updated in place above the prompt. Otherwise plain lines: a card's progress is told when
 *          a stage changes or another quarter is done, without control codes.
 *          `/make -` reads the lines that follow, `/make @FILE` a file: only here, because only
 *          here the person owns the files.
 * Owner:   ops->destroy.
 * Threads: as chat_adapter_ops; one terminal per process.
 * Bounds:  a line, a file or dictated text of at most CHAT_LINE_MAX bytes; longer ones are skipped
 *          and answered with "error.too_long" / "error.file_too_large".
 */
#ifndef NANOTIK_TERMINAL_H
#define NANOTIK_TERMINAL_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/port/chat.h"

struct terminal_options {
    int in_fd, out_fd;        /* borrowed */
    const char *lang;         /* BCP 47, or "" */
    const char *history_path; /* of typed lines; NULL: none */
    const char *user_id;      /* NULL: the user who runs the program */
    bool greet;               /* an interactive chat begins with /start */
};

bool terminal_create(const struct terminal_options *o, struct chat_adapter *ret, struct err *e);
/* Both ends are a terminal: somebody sits there. */
bool terminal_is_interactive(const struct terminal_options *o);
/* Async-signal-safe: the modes of the terminal as they were before run(). */
void terminal_restore(void);

#endif
