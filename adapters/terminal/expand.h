/*
 * expand - `/make -` and `/make @FILE`: longer text from the keyboard or a file of this machine.
 *
 * What:    the words behind - or @FILE are settings; the result is "/make SETTINGS" and the text
 *          from the next line on, so that nothing of the text is taken for a setting.
 * Threads: pure, but for reading the file.
 * Fails:   ERR_NOT_FOUND "error.file_missing", ERR_INPUT "error.file_directory",
 *          "error.file_binary", "error.file_name", "error.file_unreadable", ERR_LIMIT
 *          "error.file_too_large"; arg = the name.
 */
#ifndef NANOTIK_TERMINAL_EXPAND_H
#define NANOTIK_TERMINAL_EXPAND_H

#include "core/base/base.h"
#include "core/base/err.h"

enum expand_kind { EXPAND_NONE, EXPAND_LINES, EXPAND_FILE };

struct expand {
    enum expand_kind kind;
    char name[1024]; /* EXPAND_FILE: what was typed, "~/" resolved */
    char *head;      /* "/make SETTINGS\n"; free() */
};

/* The file's name behind an @ (name or "a name", "~/" resolved) and what follows it. */
const char *expand_name(const char *text, char *ret_name, size_t size);
/* Looks at a typed line. False: "@" without a name. */
bool expand_look(const char *line, struct expand *ret, struct err *e);
/* The whole command. */
bool expand_file(const struct expand *x, char **ret_line, struct err *e);

#endif
