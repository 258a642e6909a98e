/*
 * config_value - the kinds of settings and what each accepts; for config.c only.
 *
 * What:    one check per kind.
 * Owner:   struct value's text is the holder's to free().
 * Threads: none.
 * Fails:   ERR_CONFIG "start.bad_config", arg = place and what would be right.
 */
#ifndef NANOTIK_CONFIG_VALUE_H
#define NANOTIK_CONFIG_VALUE_H

#include "core/base/base.h"
#include "core/base/err.h"

enum { VALUE_MAX = 4096 };

enum kind {
    KIND_TEXT,    /* any text */
    KIND_FOLDER,  /* a folder's path */
    KIND_CHOICE,  /* one of the words in `choices` */
    KIND_INT,     /* whole number in [low, high] */
    KIND_URL,     /* http(s) address; plain http only for loopback or with NANOTIK_ALLOW_PLAIN */
    KIND_URLS,    /* the same, a comma list */
    KIND_WS_URLS, /* ws(s) addresses, a comma list, under the same rule */
    KIND_PEOPLE,  /* network:ID, a comma list; networks in `choices`, ids in digits */
    KIND_DB_URL,  /* libpq address; may be in the file, its password is kept out of the log */
    KIND_SECRET,  /* never in the file */
};

struct option {
    const char *name;
    enum kind kind;
    const char *fallback;
    int64_t low, high;
    const char *choices;
    const char *help;
};

struct value {
    char *text; /* NULL: not set, the fallback counts */
    int64_t integer;
};

/* where: "config.toml:3: video_max_duration" or the variable's name. Always false. */
bool config_wrong(struct err *e, const char *where, const char *what);
/* Sets v->integer where the kind has one; registers secrets with log_secret. */
MUST_USE bool config_check(const struct option *o, const char *where, const char *text,
                           struct value *v, struct err *e);
/* The next of a comma list without the blanks around it, *at moves on; false: there is none. */
MUST_USE bool config_next_item(const char **at, char ret[static VALUE_MAX]);
/* KIND_URL, KIND_URLS, KIND_WS_URLS; *ret_plain: one would go unprotected to another machine. */
MUST_USE bool config_is_address(enum kind kind, const char *text, bool *ret_plain);

#endif
