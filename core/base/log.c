#include "core/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"

/* Texts are redacted at TEXT_MAX and cut to LINE_MAX_BYTES afterwards, so that no half of a secret
   stays. */
enum { LINE_MAX_BYTES = 2048, TEXT_MAX = 4096, SECRETS_MAX = 64, SECRET_MIN = 6, JOB_MAX = 40 };

static atomic_int level_now = LOG_WARN;
static atomic_bool as_json;
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local char job[JOB_MAX];

/* Only ever grows; `secret_count` is stored after the slot, so readers need no lock. */
static char *secrets[SECRETS_MAX];
static atomic_size_t secret_count;
static pthread_mutex_t secret_lock = PTHREAD_MUTEX_INITIALIZER;

void log_init(enum log_level level, bool json)
{
    atomic_store(&level_now, (int)level);
    atomic_store(&as_json, json);
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error code, not our end */
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load(&level_now);
}

void log_secret(const char *text)
{
    if (!text || strlen(text) < SECRET_MIN)
        return;
    pthread_mutex_lock(&secret_lock);
    size_t count = atomic_load(&secret_count);
    bool known = false;
    for (size_t i = 0; i < count; i++)
        known = known || strcmp(secrets[i], text) == 0;
    if (!known && count < SECRETS_MAX) {
        secrets[count] = str_dup(text);
        atomic_store(&secret_count, count + 1);
    }
    pthread_mutex_unlock(&secret_lock);
}

void log_redact(char *text)
{
    static const char mark[] = "[secret]";
    size_t count = atomic_load(&secret_count);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(secrets[i]);
        size_t put = MIN(len, sizeof(mark) - 1);
        for (char *at = text; (at = strstr(at, secrets[i])) != NULL; at += put) {
            memcpy(at, mark, put);
            memmove(at + put, at + len, strlen(at + len) + 1);
        }
    }
}

void log_job(const char *job_id)
{
    str_copy(job, sizeof(job), job_id ? job_id : "");
}

const char *log_job_current(void)
{
    return job;
}

/* One line is one event: line ends and controls are written as escapes. */
static void add_plain(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n')
            strbuf_adds(out, "\\n");
        else if (c < 0x20 || c == 0x7F)
            strbuf_addf(out, "\\x%02x", c);
        else
            strbuf_addc(out, *text);
    }
}

static void add_json(struct strbuf *out, const char *name, const char *text)
{
    strbuf_addf(out, "%s\"%s\":\"", out->len > 1 ? "," : "", name);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            strbuf_addf(out, "\\u%04x", c);
        else
            strbuf_addc(out, *text);
    }
    strbuf_addc(out, '"');
}

/* Lines that stderr cannot take at once are dropped: the log never holds up the work. A writable
   pipe has room for PIPE_BUF (4096) bytes, so a line that passed poll() does not block. */
static void write_line(const char *line, size_t len)
{
    pthread_mutex_lock(&write_lock);
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0) {
        ssize_t n;
        do
            n = write(STDERR_FILENO, line, len);
        while (n < 0 && errno == EINTR);
    }
    pthread_mutex_unlock(&write_lock);
}

void log_line(enum log_level level, const char *module, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load(&level_now) || (size_t)level >= COUNT(names))
        return;
    int saved = errno;
    char text[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    log_redact(text);
    utf8_clean(text);
    /* The frame takes at most 200 bytes; escapes may make six bytes of one. */
    text[utf8_cut(text, MIN(strlen(text), (size_t)LINE_MAX_BYTES - 200))] = '\0';
    char when[32];
    clock_iso(clock_wall_ms(), when);
    AUTO(strbuf_free) struct strbuf out = STRBUF((size_t)8 * LINE_MAX_BYTES);
    if (atomic_load(&as_json)) {
        strbuf_addc(&out, '{');
        add_json(&out, "time", when);
        add_json(&out, "level", names[level]);
        add_json(&out, "module", module);
        if (job[0])
            add_json(&out, "job", job);
        add_json(&out, "text", text);
        strbuf_addc(&out, '}');
    } else {
        strbuf_addf(&out, "%s %-5s %s: ", when, names[level], module);
        if (job[0])
            strbuf_addf(&out, "[%s] ", job);
        add_plain(&out, text);
        if (out.len > LINE_MAX_BYTES - 1)
            out.len = utf8_cut(out.text, LINE_MAX_BYTES - 1);
    }
    strbuf_addc(&out, '\n');
    if (!out.failed && out.text)
        write_line(out.text, out.len);
    errno = saved;
}

void log_err(enum log_level level, const char *module, const struct err *e)
{
    if (e->told && level <= LOG_WARN)
        level = LOG_DEBUG;
    log_line(level, module, "%s (%s %s%s%s)", e->detail, err_code_name(e->code),
             e->user_key ? e->user_key : "-", e->arg[0] ? " " : "", e->arg);
}
