/*
 * lines - lines of a descriptor, each bounded, so that endless input needs no memory.
 *
 * Owner:   lines_free.
 * Threads: one reader; wake_fd (readable = stop) may be written by anyone.
 */
#ifndef NANOTIK_TERMINAL_LINES_H
#define NANOTIK_TERMINAL_LINES_H

#include "core/base/base.h"
#include "core/base/strbuf.h"

enum lines_result { LINES_ONE, LINES_TOO_LONG, LINES_END, LINES_STOPPED };

struct lines {
    int fd, wake_fd;
    size_t max;
    struct strbuf line;
    char chunk[16384];
    size_t at, filled;
    bool ended, had_nul;
};

void lines_init(struct lines *l, int fd, int wake_fd, size_t max);
/* *ret_line (without its end; NUL bytes dropped, *ret_had_nul says so) lives until the next call.
   LINES_TOO_LONG: the line was skipped. */
enum lines_result lines_next(struct lines *l, char **ret_line, bool *ret_had_nul);
void lines_free(struct lines *l);

#endif
