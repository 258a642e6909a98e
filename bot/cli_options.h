/*
 * cli_options - long options of one subcommand, one after the other.
 *
 * What:    "--name value", "--name=value", "-o value", "--" ends them; words that are no option are
 *          collected in their order.
 * Threads: main only; no hidden state.
 */
#ifndef NANOTIK_BOT_CLI_OPTIONS_H
#define NANOTIK_BOT_CLI_OPTIONS_H

#include "core/base/base.h"

struct cli_option {
    const char *name; /* without the dashes */
    int id;           /* what cli_next returns: > 0 */
    bool has_value;
    char letter; /* '\0': none */
};

enum { CLI_END = 0, CLI_WRONG = -1, CLI_WORDS_MAX = 4 };

struct cli_args {
    int argc;
    char **argv;       /* argv[0] is the subcommand */
    int at;            /* next to look at; begins at 1 */
    bool stop_at_word; /* options of the program itself: the first word ends them */
    /* --- results --- */
    const char *value; /* of the option just returned */
    const char *words[CLI_WORDS_MAX];
    size_t word_count;
    const char *wrong; /* the argument that was not understood, or one word too many */
};

/* The next option's id, CLI_END, or CLI_WRONG. `options` ends with a NULL name. */
int cli_next(struct cli_args *a, const struct cli_option *options);

#endif
