/*
 * config - environment > config.toml > defaults, checked before anything starts.
 *
 * What:    one table (config.c) lists every name with its kind, default, bounds and one line of
 *          help; that table also prints config.example.toml (`nanotik doctor --config-example`) so
 *          that they cannot disagree.
 * Files:   `name = value` at top level of the TOML file, with the environment names in lower case
 *          (NANOTIK_DATA is `nanotik_data`). Secrets are refused in the file: they come from the
 *          environment, from NAME_FILE, or from $CREDENTIALS_DIRECTORY/NAME; each is registered
 *          with log_secret.
 * Errors:  ERR_CONFIG naming file, line and key: unknown key, wrong type, value out of bounds.
 * Threads: load at start; afterwards read-only.
 */
#ifndef NANOTIK_CONFIG_H
#define NANOTIK_CONFIG_H

#include <stdio.h>

#include "core/base/base.h"
#include "core/base/err.h"

struct config;

/* path NULL: ./config.toml when it exists. An explicitly named file must exist. */
bool config_load(const char *path, struct config **ret_config, struct err *e);
void config_free(struct config *c);
/* "" when unset and without default. Asking for a name that is not in the table aborts: our bug. */
const char *config_text(const struct config *c, const char *name);
int64_t config_int(const struct config *c, const char *name);
/* Whether this item stands in a comma list, blanks around it or not. */
bool config_lists(const char *list, const char *item);
/* True when it came from the environment or the file. */
bool config_is_set(const struct config *c, const char *name);
void config_print_example(FILE *out);

#endif
