/*
 * err - one error, two readers.
 *
 * What:    a failing function fills the caller's `struct err` once and returns false; the chat user
 * gets the catalog text of `user_key` (with `arg` as its {what}), the operator's log gets `detail`.
 * Owner:   the caller; a plain value, nothing to free.
 * Threads: a value belongs to one thread.
 * Rules:   the lowest level that knows the cause sets it; the top level logs it once and tells the
 *          user once. Secrets and personal data never enter either text.
 */
#ifndef NANOTIK_ERR_H
#define NANOTIK_ERR_H

#include "core/base/base.h"

enum err_code {
    ERR_NONE,
    ERR_RETRY,       /* may work later: network, busy, lost connection */
    ERR_INPUT,       /* the user's input is wrong; arg names it */
    ERR_LIMIT,       /* larger than a stated bound; arg names it */
    ERR_NOT_FOUND,   /* no such thing */
    ERR_CONFLICT,    /* somebody else was first, or the state forbids it */
    ERR_UNSUPPORTED, /* language, format, ability that is not there */
    ERR_REFUSED,     /* content policy */
    ERR_CANCELLED,   /* the user or the shutdown stopped it */
    ERR_CONFIG,      /* the operator must change something */
    ERR_DISK,        /* no room, read-only, I/O error */
    ERR_INTERNAL,    /* our bug or a broken library */
};

struct err {
    enum err_code code;   /* for the program: retry, refund, give up */
    const char *user_key; /* for the chat: catalog key, static storage; never NULL once set */
    char arg[160];        /* for the chat: the {what} of that text; valid UTF-8, may be empty */
    char detail[400];     /* for the operator's log only: may name hosts, files, SQL states */
    bool told;            /* one line in the log stands for it and its repetitions already */
};

/* Always returns false, so that a failing function says `return err_set(...)`. `%m` works. */
bool err_set(struct err *e, enum err_code code, const char *user_key, const char *detail_fmt, ...)
    PRINTF(4, 5);
/* The same with the user's {what}; arg may be NULL; it is cut at a character boundary. */
bool err_set_arg(struct err *e, enum err_code code, const char *user_key, const char *arg,
                 const char *detail_fmt, ...) PRINTF(5, 6);
/* ERR_DISK for ENOSPC, EROFS, EDQUOT, EIO, EACCES; else ERR_INTERNAL. errno_value as in errno. */
bool err_set_io(struct err *e, int errno_value, const char *path, const char *what);
const char *err_code_name(enum err_code code);

#ifdef __clang_analyzer__
/* The analyzer sees one file at a time and would follow paths where these return true. */
#define err_set(...) ((void)err_set(__VA_ARGS__), false)
#define err_set_arg(...) ((void)err_set_arg(__VA_ARGS__), false)
#define err_set_io(...) ((void)err_set_io(__VA_ARGS__), false)
#endif

#endif
