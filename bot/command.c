#include "bot/command.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 24 };

/* In the order of /help. */
const struct command commands[] = {
    {"make",      cmd_make,      "help.make",      CMD_ORDERS             },
    {"script",    cmd_script,    "help.script",    CMD_ORDERS             },
    {"again",     cmd_again,     "help.again",     CMD_ORDERS             },
    {"remix",     cmd_remix,     "help.remix",     0                      },
    {"dub",       cmd_dub,       "help.dub",       0                      },
    {"queue",     cmd_queue,     "help.queue",     CMD_PERSON             },
    {"cancel",    cmd_cancel,    "help.cancel",    CMD_LEADER             },
    {"history",   cmd_history,   "help.history",   CMD_PERSON             },
    {"send",      cmd_send,      "help.send",      0                      },
    {"subtitles", cmd_subtitles, "help.subtitles", 0                      },
    {"credits",   cmd_credits,   "help.credits",   CMD_MONEY              },
    {"pay",       cmd_pay,       "help.pay",       CMD_MONEY              },
    {"refund",    cmd_refund,    "help.refund",    CMD_MONEY | CMD_REFUND },
    {"group",     cmd_group,     "help.group",     CMD_LEADER             },
    {"settings",  cmd_settings,  "help.settings",  0                      },
    {"voice",     cmd_voice,     "help.voice",     0                      },
    {"style",     cmd_style,     "help.style",     0                      },
    {"lang",      cmd_lang,      "help.lang",      0                      },
    {"help",      cmd_help,      "help.help",      0                      },
    {"start",     cmd_start,     "help.start",     CMD_HIDDEN             },
    {"terms",     cmd_terms,     "help.terms",     0                      },
    {"privacy",   cmd_privacy,   "help.privacy",   0                      },
    {"support",   cmd_support,   "help.support",   CMD_PERSON             },
    {"forget",    cmd_forget,    "help.forget",    CMD_PERSON             },
    {"admin",     cmd_admin,     "help.admin",     CMD_ADMIN              },
    {"payer",     cmd_payer,     "help.payer",     CMD_HIDDEN             },
    {"change",    cmd_change,    "help.change",    CMD_HIDDEN | CMD_ORDERS},
    {"go",        cmd_go,        "help.go",        CMD_HIDDEN | CMD_ORDERS},
};
const size_t command_count = COUNT(commands);

/* The word after the slash, lower case, without "@bot"; its length in the text, 0 when too long. */
static size_t command_word(const char *text, char ret_word[static WORD_MAX])
{
    size_t len = strcspn(text, " \t\n\r");
    size_t name = MIN(len, strcspn(text, "@"));
    if (*text != '/' || name < 2 || name > WORD_MAX)
        return 0;
    for (size_t i = 1; i < name; i++)
        ret_word[i - 1] = (char)tolower((unsigned char)text[i]);
    ret_word[name - 1] = '\0';
    return len;
}

const struct command *command_find(const char *text, const char **ret_args)
{
    char word[WORD_MAX];
    size_t len = command_word(text, word);
    if (!len)
        return NULL;
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(commands[i].name, word) != 0)
            continue;
        /* A line end stays: /make reads what follows it to the letter. */
        *ret_args = text + len + strspn(text + len, " \t");
        return &commands[i];
    }
    return NULL;
}

bool command_listed(const struct bot *bot, const struct command *c)
{
    return !(c->flags & (CMD_HIDDEN | CMD_ADMIN)) && (!(c->flags & CMD_REFUND) || bot->refunds);
}

/* Insertions, deletions and replacements between two short words. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t columns = strlen(b);
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns];
}

const struct command *command_nearest(const char *text)
{
    char word[WORD_MAX];
    const struct command *best = NULL;
    size_t best_distance = 3;
    if (!command_word(text, word))
        return NULL;
    for (size_t i = 0; i < COUNT(commands); i++) {
        size_t distance = edit_distance(word, commands[i].name);
        if (commands[i].flags & (CMD_HIDDEN | CMD_ADMIN) || distance >= best_distance)
            continue;
        best = &commands[i];
        best_distance = distance;
    }
    return best;
}
