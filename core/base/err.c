#include "core/base/err.h"

#include <errno.h>
#include <stdarg.h>

#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"

#ifdef __clang_analyzer__
#undef err_set
#undef err_set_arg
#undef err_set_io
#endif

/* Formatted and redacted at this size first, so that a secret is never cut in half by `detail`. */
enum { ROUGH_MAX = 2048 };

static void PRINTF(5, 0) fill(struct err *e, enum err_code code, const char *user_key,
                              const char *arg, const char *fmt, va_list args)
{
    char rough[ROUGH_MAX];
    if (vsnprintf(rough, sizeof(rough), fmt, args) < 0)
        rough[0] = '\0';
    if (!e)
        return;
    log_redact(rough);
    e->code = code;
    e->told = false;
    e->user_key = user_key ? user_key : "error.internal";
    str_copy(e->detail, sizeof(e->detail), rough);
    utf8_clean(e->detail);
    str_copy(rough, sizeof(rough), arg ? arg : "");
    log_redact(rough);
    utf8_clean(rough); /* before the cut: cleaning only shrinks */
    str_copy(e->arg, sizeof(e->arg), rough);
}

bool err_set(struct err *e, enum err_code code, const char *user_key, const char *detail_fmt, ...)
{
    va_list args;
    va_start(args, detail_fmt);
    fill(e, code, user_key, NULL, detail_fmt, args);
    va_end(args);
    return false;
}

bool err_set_arg(struct err *e, enum err_code code, const char *user_key, const char *arg,
                 const char *detail_fmt, ...)
{
    va_list args;
    va_start(args, detail_fmt);
    fill(e, code, user_key, arg, detail_fmt, args);
    va_end(args);
    return false;
}

bool err_set_io(struct err *e, int errno_value, const char *path, const char *what)
{
    enum err_code code = ERR_INTERNAL;
    switch (errno_value) {
    case ENOSPC:
    case EROFS:
    case EDQUOT:
    case EIO:
    case EACCES:
        code = ERR_DISK;
        break;
    default:
        break;
    }
    errno = errno_value;
    return err_set(e, code, code == ERR_DISK ? "error.disk" : "error.internal", "%s %s: %m", what,
                   path);
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",
        [ERR_RETRY] = "retry",
        [ERR_INPUT] = "input",
        [ERR_LIMIT] = "limit",
        [ERR_NOT_FOUND] = "not found",
        [ERR_CONFLICT] = "conflict",
        [ERR_UNSUPPORTED] = "unsupported",
        [ERR_REFUSED] = "refused",
        [ERR_CANCELLED] = "cancelled",
        [ERR_CONFIG] = "configuration",
        [ERR_DISK] = "disk",
        [ERR_INTERNAL] = "internal",
    };
    return (size_t)code < COUNT(names) && names[code] ? names[code] : "unknown";
}
