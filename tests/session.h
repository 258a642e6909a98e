/*
 * session - the built program, driven as a person or a shell would: through a pipe or a
 * pseudo-terminal, with a data folder of its own.
 *
 * What:    what a case needs is in a struct site (folder, output folder) and any number of
 *          sessions. site_close kills what still runs and removes everything, also after a failed
 *          case. Failures end the case through cmocka, showing the last output and log.
 * Threads: none; the main thread only.
 */
#ifndef NANOTIK_TEST_SESSION_H
#define NANOTIK_TEST_SESSION_H

#include <sys/types.h>

#include "core/base/base.h"
#include "core/base/strbuf.h"

enum { SITE_MAX = 200, SESSIONS_MAX = 8, SESSION_OUTPUT_MAX = 32 << 20 };

struct session {
    struct site *place;
    pid_t pid; /* 0: none, or ended */
    int to, from;
    struct strbuf seen; /* all of its standard output */
    size_t mark;        /* session_expect looks behind it */
    char log[SITE_MAX + 40];
    int status; /* once ended: exit code, or 128 + signal */
};

struct site {
    char folder[SITE_MAX]; /* DATA is folder/data, films in folder/films */
    struct session *sessions[SESSIONS_MAX];
    size_t session_count;
};

struct session_options {
    const char *const *args; /* after the program's name; NULL-terminated */
    const char *const *env;  /* "K=V" besides the usual ones; NULL-terminated; may be NULL */
    bool pty;
    int64_t memory; /* RLIMIT_AS; 0: none */
    const char *cwd;
};

/* cmocka set-up and tear-down: *state is the struct site. */
int site_open(void **state);
int site_close(void **state);

/* Ends and frees the sessions so far: for cases with many short ones. */
void site_forget_sessions(struct site *p);

struct session *session_start(struct site *p, const struct session_options *o);
/* `nanotik run`, with these settings in the environment. */
struct session *session_run(struct site *p, bool pty, const char *const *env);
void session_say(struct session *s, const char *text);
/* As many bytes as it takes; false when the program stopped reading. */
bool session_feed(struct session *s, const void *bytes, size_t len);
/* Output seen so far holds `text` behind the mark (which moves behind it). */
void session_expect(struct session *s, const char *text, int ms);
/* As session_expect, without failing. */
bool session_seen(struct session *s, const char *text, int ms);
/* As session_expect; the path in the output that ends there. */
void session_path(struct session *s, const char *ending, int ms, char ret_path[static 1024]);
/* End of input; waits; the status. */
int session_finish(struct session *s, int ms);
void session_signal(struct session *s, int signal);
/* Waits for the end without closing the input. */
int session_wait(struct session *s, int ms);
/* All of its log (standard error) so far; the caller frees. */
char *session_log(const struct session *s);
/* Its output and log, for a case that is about to fail. */
void session_show(struct session *s);
/* Runs to the end with this input (NULL: none). */
int session_once(struct site *p, const char *const *args, const char *input, int ms,
                 struct session **ret);

/* Folder of the private database. */
void site_database(struct site *p, char ret_path[static 1024]);
/* First field of the first row, from the database of a running or stopped program; every ledger
   invariant must hold too. The caller frees. */
char *site_audit(struct site *p, const char *sql);
void site_audit_is(struct site *p, const char *sql, const char *want);
int64_t site_number(struct site *p, const char *sql);
/* Waits until the program has made it so many. */
void site_wait_number(struct site *p, const char *sql, int64_t want, int ms);
void site_ledger_must_hold(struct site *p);
/* No row of any table has this text in it: a platform's number of a person or a chat. */
void site_nowhere(struct site *p, const char *text);
/* Runs a shell command in the folder (for ffmpeg and the like). */
void site_shell(struct site *p, const char *command);

#endif
