/*
 * json - outside JSON, made safe before cJSON sees it.
 *
 * What:    bounds size, depth and node count; replaces invalid UTF-8, lone surrogate escapes and
 *          \u0000 by U+FFFD (cJSON would refuse the document, or cut the text); nothing may follow
 *          the document. Getters never trust a type: wrong or missing gives the fallback.
 * Owner:   json_free (AUTO works). Texts live as long as the document.
 * Threads: pure functions.
 * Fails:   ERR_LIMIT, ERR_INPUT, both "error.bad_reply"; detail never quotes the document.
 */
#ifndef NANOTIK_JSON_H
#define NANOTIK_JSON_H

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/strbuf.h"

struct json_limits {
    size_t bytes, depth, nodes; /* 0: 8 MiB, 64, 400,000 */
};

/* limits NULL: the defaults. */
bool json_parse(const char *text, size_t len, const struct json_limits *limits, cJSON **ret,
                struct err *e);
void json_free(cJSON **doc); /* for AUTO */

/* All take NULL for `object` and mean "absent". */
const cJSON *json_object(const cJSON *object, const char *name); /* NULL unless an object */
const cJSON *json_array(const cJSON *object, const char *name);  /* NULL unless an array */
const char *json_text(const cJSON *object, const char *name, const char *fallback);
bool json_true(const cJSON *object, const char *name);
bool json_has(const cJSON *object, const char *name);
/* Whole numbers up to 2^53 either way; false for anything else, *ret untouched. */
bool json_int(const cJSON *object, const char *name, int64_t *ret);
int64_t json_int_or(const cJSON *object, const char *name, int64_t fallback);
/* Finite numbers only. */
bool json_real(const cJSON *object, const char *name, double *ret);
bool json_item_int(const cJSON *item, int64_t *ret);

/* Writing: "text" with quotes and escapes; invalid UTF-8 becomes U+FFFD. */
void json_put_text(struct strbuf *out, const char *text);

#endif
