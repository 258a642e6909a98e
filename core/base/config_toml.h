/*
 * config_toml - toml++ behind one C function.
 *
 * What:    reads a TOML text and calls back once per top-level key, in the order of the file.
 * Owner:   texts of an item are borrowed for the call.
 * Threads: any.
 * Fails:   see below.
 */
#ifndef NANOTIK_CONFIG_TOML_H
#define NANOTIK_CONFIG_TOML_H

#include "core/base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum toml_kind { TOML_TEXT, TOML_INT, TOML_REAL, TOML_BOOL, TOML_OTHER };

struct toml_item {
    const char *key;
    int line;
    enum toml_kind kind;
    const char *text; /* TOML_TEXT, NUL-terminated; a text with a NUL inside is TOML_OTHER */
    int64_t integer;  /* TOML_INT; TOML_BOOL as 0 or 1 */
    double real;      /* TOML_REAL */
};

typedef bool toml_each(void *ctx, const struct toml_item *item);

/* False when the text is not TOML (ret_line > 0, reason in ret_problem) or when each() returned
   false (ret_line 0). */
bool config_toml_parse(const char *text, size_t len, toml_each *each, void *ctx, int *ret_line,
                       char *ret_problem, size_t problem_size);

#ifdef __cplusplus
}
#endif

#endif
