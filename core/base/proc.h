/*
 * proc - a child process that never outlives us.
 *
 * What:    starts a program with an empty environment (plus what is given), /dev/null or pipes as
 *          its standard streams, no inherited descriptors, default signals, no new privileges,
 *          parent-death signal, limits; in a session of its own, so that Ctrl-C is for us alone.
 *          What it leaves behind in that session is killed when it ends.
 * Owner:   proc_end kills (SIGKILL) if needed, reaps and closes; safe on a zeroed struct.
 * Fails:   ERR_NOT_FOUND no such program, ERR_RETRY no room for a process now, ERR_CONFIG
 *          "start.no_user", else ERR_INTERNAL; "error.program" with the program as arg.
 * Threads: the parent-death signal belongs to the thread that calls proc_start: that thread must
 *          live as long as the child (start long-lived children from the main thread or a
 *          dedicated one).
 */
#ifndef NANOTIK_PROC_H
#define NANOTIK_PROC_H

#include <sys/types.h>

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

struct proc {
    pid_t pid; /* 0: none */
    int to;    /* our end of its standard input; -1 when none */
    int from;  /* our end of its standard output; -1 when none */
};

struct proc_options {
    const char *const *env; /* NULL-terminated "K=V" list; NULL: only PATH and LC_ALL=C.UTF-8 */
    const char *user;       /* run as this user (only when we are root); NULL: as we are */
    const char *cwd;        /* NULL: / */
    const char *err_path;   /* append its standard error here; NULL: /dev/null */
    int death_signal;       /* what it gets when we die; 0: SIGKILL */
    bool pipe_in, pipe_out;
    int64_t max_memory; /* RLIMIT_AS in bytes; 0: none */
};

bool proc_start(struct proc *p, const char *const *argv, const struct proc_options *o,
                struct err *e);
/* Exit status as waitpid gives it, or -1 when still running after timeout_ms (or cancelled). */
int proc_wait(struct proc *p, int timeout_ms, const struct cancel *cancel);
void proc_end(struct proc *p);
/* Runs to the end; collects at most max bytes of standard output. False when it could not start,
   timed out, or exited non-zero (status in detail). ret_out may be NULL. */
bool proc_run(const char *const *argv, const struct proc_options *o, int timeout_ms, size_t max,
              char **ret_out, struct err *e);

#endif
