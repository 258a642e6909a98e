/*
 * log - the operator's log on stderr: one line per event, or one JSON object per line.
 *
 * What:    level, UTC time, thread's job id and text; registered secrets are replaced by
 *          "[secret]".
 * Threads: all functions from any thread. log_init also makes the program ignore SIGPIPE.
 * Bounds:  a line is cut at 2 KiB; when stderr is full or gone, lines are dropped, nothing blocks.
 */
#ifndef NANOTIK_LOG_H
#define NANOTIK_LOG_H

#include "core/base/base.h"
#include "core/base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

/* json: one object per line (NANOTIK_LOG=json). Default before the call: LOG_WARN, plain. */
void log_init(enum log_level level, bool json);
/* Level at or above which lines are written. */
enum log_level log_level(void);
/* From now on the text is redacted wherever it would appear in a line; texts under 6 bytes are
   ignored. Copies it. At most 64 secrets. */
void log_secret(const char *text);
/* The job that this thread works for, shown in its lines; NULL or "" ends it. Copied (40 bytes). */
void log_job(const char *job_id);
const char *log_job_current(void);

void log_line(enum log_level level, const char *module, const char *fmt, ...) PRINTF(3, 4);
/* The one place where an error that nobody can handle further is written. Warnings that are `told`
   already are for LOG_DEBUG. */
void log_err(enum log_level level, const char *module, const struct err *e);
/* Replaces registered secrets in place; text keeps its length or shrinks ("[secret]" is cut to
 * fit). */
void log_redact(char *text);

/* Each file that logs defines LOG_MODULE before including this. */
#define log_debug(...) log_line(LOG_DEBUG, LOG_MODULE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, LOG_MODULE, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, LOG_MODULE, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, LOG_MODULE, __VA_ARGS__)

#endif
