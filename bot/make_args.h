/*
 * make_args - the words after /make: settings at the edges, the topic between them.
 *
 * What:    `60s`, `9:16|16:9|1:1`, `basic|hd|premium`, `voice:NAME`, `speed:0.8`-`1.3`, `lang:xx`, `style:NAME`, `script:NAME`,
 *          `wish:"WORDS"`, `music:off|MOOD`, `seed:N` count only as leading or trailing words; a word with a colon
 *          in the middle of the text is text. When the first line holds nothing but settings, all
 *          that follows is text, to the letter (files and dictated text).
 * Owner:   make_args_free (AUTO works).
 * Threads: pure.
 * Fails:   ERR_INPUT with arg = the word: "make.unknown_setting", "make.bad_seconds", "make.bad_speed",
 *          "make.bad_aspect", "make.unknown_style", "make.unknown_script", "make.unknown_mood", "make.bad_lang",
 *          "make.bad_value". The text may be empty: the caller decides what that means.
 */
#ifndef NANOTIK_BOT_MAKE_ARGS_H
#define NANOTIK_BOT_MAKE_ARGS_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/story/storyboard.h"

enum { MAKE_SECONDS_MIN = 5 };

struct make_args {
    char *text; /* trimmed; "" when there were only settings */
    struct story_settings settings;
    bool has_lang, has_voice, has_seed;
    bool has_settings; /* any setting was named */
};

/* settings start as `defaults`. */
bool make_args_parse(const char *typed, const struct story_settings *defaults, int seconds_max,
                     struct make_args *ret, struct err *e);
void make_args_free(struct make_args *args);

/* One word, e.g. "hd" or "style:neon". *ret_known false and success: it is no setting, but text. */
bool make_args_word(const char *word, int seconds_max, struct make_args *args, bool *ret_known,
                    struct err *e);
/* The language that the narration is read in when none was named: by the script of the text, then
   `saved` (the person's setting), then `ui` (the language of the interface). */
void make_args_guess_lang(const char *text, const char *saved, const char *ui,
                          char ret_lang[static 16]);

#endif
