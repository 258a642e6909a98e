#include "bot/cli_options.h"

#include <string.h>

static int wrong(struct cli_args *a, const char *word)
{
    a->wrong = word;
    return CLI_WRONG;
}

static int take_word(struct cli_args *a, const char *word)
{
    if (a->word_count == CLI_WORDS_MAX)
        return wrong(a, word);
    a->words[a->word_count++] = word;
    return CLI_END;
}

/* inline_value: behind "=", or NULL. */
static int take_option(struct cli_args *a, const struct cli_option *o, const char *word,
                       const char *inline_value)
{
    a->value = inline_value;
    if (!o->has_value)
        return inline_value ? wrong(a, word) : o->id;
    if (!a->value && a->at < a->argc)
        a->value = a->argv[a->at++];
    return a->value ? o->id : wrong(a, word);
}

static int take_dashed(struct cli_args *a, const struct cli_option *options, const char *word)
{
    bool is_long = word[1] == '-';
    size_t len = strcspn(word + 2, "=");
    for (const struct cli_option *o = options; o->name; o++) {
        if (is_long && strlen(o->name) == len && strncmp(o->name, word + 2, len) == 0)
            return take_option(a, o, word, word[2 + len] ? word + 3 + len : NULL);
        if (!is_long && o->letter && o->letter == word[1])
            return take_option(a, o, word, word[2] ? word + 2 : NULL);
    }
    return wrong(a, word);
}

int cli_next(struct cli_args *a, const struct cli_option *options)
{
    a->at = a->at > 0 ? a->at : 1;
    while (a->at < a->argc) {
        const char *word = a->argv[a->at];
        bool dashed = word[0] == '-' && word[1] != '\0';
        if (!dashed && a->stop_at_word)
            return CLI_END;
        a->at++;
        if (dashed && strcmp(word, "--") != 0)
            return take_dashed(a, options, word);
        if (!dashed && take_word(a, word) == CLI_WRONG)
            return CLI_WRONG;
        while (dashed && a->at < a->argc)
            if (take_word(a, a->argv[a->at++]) == CLI_WRONG)
                return CLI_WRONG;
    }
    return CLI_END;
}
