#include "bot/make_args.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/uscript.h>

#include "core/base/strbuf.h"
#include "core/story/text.h"

enum { WORD_MAX = 128 };

void make_args_free(struct make_args *args)
{
    free(TAKE(args->text));
}

static bool in_list(const char *const *list, const char *text)
{
    for (; *list; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

/* "60s" */
static bool word_is_seconds(const char *word)
{
    size_t digits = strspn(word, "0123456789");
    return digits > 0 && digits <= 5 && strcmp(word + digits, "s") == 0;
}

/* Ratios of pictures that people ask for; "12:30" is a time of day and stays text. */
static bool word_is_ratio(const char *word)
{
    static const char *const ratios[] = {"4:3", "3:4", "21:9", "4:5", "5:4",
                                         "2:3", "3:2", "2:1",  NULL};
    return in_list(ratios, word);
}

/* Bytes of the key in "key:value" that looks like a setting; 0 when it looks like prose. */
static size_t word_key_len(const char *word)
{
    size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz");
    if (len < 3 || len > 12 || word[len] != ':' || str_starts(word + len, "://"))
        return 0;
    return word[len + 1] ? len : 0;
}

static bool lang_is_tag(const char *text)
{
    size_t primary = 0;
    while (isalpha((unsigned char)text[primary]))
        primary++;
    if (primary < 2 || primary > 3 || strlen(text) >= sizeof((struct story_settings){0}.lang))
        return false;
    for (const char *p = text + primary; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '-')
            return false;
    return text[primary] == '\0' || text[primary] == '-';
}

static bool set_lang(struct make_args *args, const char *value, struct err *e)
{
    if (!lang_is_tag(value))
        return err_set_arg(e, ERR_INPUT, "make.bad_lang", value, "lang: %s", value);
    str_copy(args->settings.lang, sizeof(args->settings.lang), value);
    for (char *p = args->settings.lang; *p && *p != '-'; p++)
        *p = (char)tolower((unsigned char)*p);
    args->has_lang = true;
    return true;
}

/* "1.2" is 120 percent. */
static bool set_speed(struct make_args *args, const char *value, const char *word, struct err *e)
{
    int64_t units = 0, parts = 0;
    size_t len = strlen(value), point = strcspn(value, ".");
    char whole[8], rest[8] = "0";
    bool ok = point < sizeof(whole) && len <= point + 3;
    if (ok) {
        str_copy(whole, point + 1, value);
        if (point + 1 < len)
            snprintf(rest, sizeof(rest), "%s%s", value + point + 1, len == point + 2 ? "0" : "");
        ok = str_to_int(whole, 0, 2, &units) && str_to_int(rest, 0, 99, &parts);
    }
    int64_t percent = units * 100 + parts;
    if (!ok || percent < STORY_SPEED_MIN || percent > STORY_SPEED_MAX)
        return err_set_arg(e, ERR_INPUT, "make.bad_speed", word, "speed: %s", value);
    args->settings.speed = percent == 100 ? 0 : (int)percent;
    return true;
}

static bool set_voice(struct make_args *args, const char *value, const char *word, struct err *e)
{
    struct story_settings *s = &args->settings;
    if (!str_copy(s->voice, sizeof(s->voice), value))
        return err_set_arg(e, ERR_INPUT, "make.bad_value", word, "voice name too long");
    args->has_voice = true;
    return true;
}

static bool set_wish(struct make_args *args, const char *value, const char *word, struct err *e)
{
    struct story_settings *s = &args->settings;
    return str_copy(s->wish, sizeof(s->wish), value) ||
           err_set_arg(e, ERR_INPUT, "make.bad_value", word, "wish too long");
}

static bool set_seed(struct make_args *args, const char *value, const char *word, struct err *e)
{
    int64_t seed = 0;
    if (!str_to_int(value, 0, INT64_MAX, &seed))
        return err_set_arg(e, ERR_INPUT, "make.bad_value", word, "seed: %s", value);
    args->settings.seed = (uint64_t)seed;
    args->has_seed = true;
    return true;
}

/* A value of a list, or the word that stands for none of it. */
static bool set_listed(char *ret, size_t size, const char *const *list, const char *none,
                       const char *value, const char *error_key, struct err *e)
{
    bool is_none = *value == '\0' || (none && strcmp(value, none) == 0);
    if (!is_none && !in_list(list, value))
        return err_set_arg(e, ERR_INPUT, error_key, value, "%s: %s", error_key, value);
    str_copy(ret, size, value);
    return true;
}

static bool set_named(struct make_args *args, const char *word, size_t key_len, struct err *e)
{
    struct story_settings *s = &args->settings;
    const char *value = word + key_len + 1;
    char key[WORD_MAX];
    memcpy(key, word, key_len);
    key[key_len] = '\0';
    if (strcmp(key, "voice") == 0)
        return set_voice(args, value, word, e);
    if (strcmp(key, "speed") == 0)
        return set_speed(args, value, word, e);
    if (strcmp(key, "lang") == 0)
        return set_lang(args, value, e);
    if (strcmp(key, "wish") == 0)
        return set_wish(args, value, word, e);
    if (strcmp(key, "seed") == 0)
        return set_seed(args, value, word, e);
    if (strcmp(key, "style") == 0)
        return set_listed(s->style, sizeof(s->style), story_styles, NULL, value,
                          "make.unknown_style", e);
    if (strcmp(key, "music") == 0)
        return set_listed(s->music, sizeof(s->music), story_moods, "off", value,
                          "make.unknown_mood", e);
    if (strcmp(key, "script") == 0)
        return set_listed(s->script, sizeof(s->script), story_scripts, NULL,
                          strcmp(value, "auto") == 0 ? "" : value, "make.unknown_script", e);
    return err_set_arg(e, ERR_INPUT, "make.unknown_setting", word, "setting: %s", word);
}

bool make_args_word(const char *word, int seconds_max, struct make_args *args, bool *ret_known,
                    struct err *e)
{
    struct story_settings *s = &args->settings;
    *ret_known = true;
    if (word_is_seconds(word)) {
        int64_t seconds = 0;
        char number[WORD_MAX];
        str_copy(number, strlen(word), word);
        if (!str_to_int(number, MAKE_SECONDS_MIN, seconds_max, &seconds))
            return err_set_arg(e, ERR_INPUT, "make.bad_seconds", word, "seconds: %s", word);
        s->seconds = (int)seconds;
        return true;
    }
    if (story_aspect_parse(word, &s->aspect) || story_tier_parse(word, &s->tier))
        return true;
    if (word_is_ratio(word))
        return err_set_arg(e, ERR_INPUT, "make.bad_aspect", word, "aspect: %s", word);
    size_t key_len = word_key_len(word);
    if (key_len)
        return set_named(args, word, key_len, e);
    *ret_known = false;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Chinese is typed without blanks: behind such a mark a word may begin. Bytes of the mark that ends at
   `at`; 0: none. All of them have three. */
static size_t mark_before(const char *from, const char *at)
{
    static const char *const marks[] = {"。", "！", "？", "，", "；", "、", "」", "”", "）"};
    enum { BYTES = 3 };
    for (size_t i = 0; i < COUNT(marks) && at - from >= BYTES; i++)
        if (memcmp(at - BYTES, marks[i], BYTES) == 0)
            return BYTES;
    return 0;
}

/* Wide blanks of a Chinese keyboard, in the first line: what follows it is text to the letter. */
static void narrow_blanks(char *line)
{
    static const char wide[] = "　";
    char *end = strchrnul(line, '\n');
    for (char *at = line; (at = strstr(at, wide)) && at < end;)
        memset(at, ' ', strlen(wide));
}

/* "9：16" is what a Chinese keyboard makes of "9:16". */
static void narrow_colons(char *word)
{
    static const char wide[] = "：";
    for (char *at; (at = strstr(word, wide));) {
        *at = ':';
        memmove(at + 1, at + strlen(wide), strlen(at + strlen(wide)) + 1);
    }
}

/* The word [from, to) as a setting. Long words are text. */
static bool take_word(const char *from, const char *to, int seconds_max, struct make_args *args,
                      bool *ret_known, struct err *e)
{
    char word[WORD_MAX];
    *ret_known = false;
    size_t len = (size_t)(to - from);
    if (len == 0 || len >= sizeof(word))
        return true;
    memcpy(word, from, len);
    word[len] = '\0';
    narrow_colons(word);
    if (!make_args_word(word, seconds_max, args, ret_known, e))
        return false;
    args->has_settings |= *ret_known;
    return true;
}

/* Settings at the start of [*from, to); *from moves behind them. */
static bool take_leading(const char **from, const char *to, int seconds_max, struct make_args *args,
                         struct err *e)
{
    for (;;) {
        while (*from < to && is_space(**from))
            (*from)++;
        const char *end = *from;
        while (end < to && !is_space(*end))
            end++;
        bool known = false;
        if (!take_word(*from, end, seconds_max, args, &known, e))
            return false;
        if (!known)
            return true;
        *from = end;
    }
}

static bool take_trailing(const char *from, const char **to, int seconds_max,
                          struct make_args *args, struct err *e)
{
    /* Read from the back, so the last of two equal settings would lose: remember where they start
       and read them forward. */
    const char *start = *to;
    for (;;) {
        const char *end = start;
        while (end > from && is_space(end[-1]))
            end--;
        const char *begin = end;
        while (begin > from && !is_space(begin[-1]) && !mark_before(from, begin))
            begin--;
        struct make_args trial = *args;
        bool known = false;
        if (!take_word(begin, end, seconds_max, &trial, &known, e))
            return false;
        if (!known) {
            *to = end;
            break;
        }
        start = begin;
    }
    const char *again = start;
    return take_leading(&again, start + strlen(start), seconds_max, args, e);
}

/* The mark that ends a wish which begins here; NULL: it begins with no mark. */
static const char *closing_mark(const char *open)
{
    static const char *const marks[][2] = {
        {"\"",  "\"" },
        {"“", "”"},
        {"«",  "»" },
        {"「", "」"},
    };
    for (size_t i = 0; i < COUNT(marks); i++)
        if (str_starts(open, marks[i][0]))
            return marks[i][1];
    return NULL;
}

/* wish:"more jokes" anywhere in the first line, taken out of it: the only setting with blanks in
   it. */
static bool take_wish(char *line, struct make_args *args, struct err *e)
{
    char *end = line + strcspn(line, "\n");
    for (char *at = line; (at = strstr(at, "wish:")) && at < end; at++) {
        char *from = at + strlen("wish:");
        const char *mark = closing_mark(from);
        if ((at > line && !is_space(at[-1])) || !mark)
            continue;
        from += strlen(mark); /* as long as the opening one */
        char *to = strstr(from, mark);
        char text[STORY_WISH_MAX + 1];
        if (!to || to > end || to - from > STORY_WISH_MAX)
            return err_set_arg(e, ERR_INPUT, "make.bad_value", "wish", "wish without an end");
        snprintf(text, sizeof(text), "%.*s", (int)(to - from), from);
        str_copy(args->settings.wish, sizeof(args->settings.wish), text);
        args->has_settings = true;
        memset(at, ' ', (size_t)(to - at) + strlen(mark));
        return true;
    }
    return true;
}

bool make_args_parse(const char *typed, const struct story_settings *defaults, int seconds_max,
                     struct make_args *ret, struct err *e)
{
    struct make_args args = {.settings = *defaults};
    AUTO(free_ptr) char *line = str_dup(typed);
    narrow_blanks(line);
    if (!take_wish(line, &args, e))
        return false;
    const char *from = line;
    const char *to = line + strlen(line);
    const char *first_end = strchr(line, '\n');
    bool literal = false;
    if (first_end) {
        const char *rest = line;
        if (!take_leading(&rest, first_end, seconds_max, &args, e))
            return false;
        literal = rest == first_end;
        from = rest;
    }
    if (!literal && (!take_leading(&from, to, seconds_max, &args, e) ||
                     !take_trailing(from, &to, seconds_max, &args, e)))
        return false;
    while (from < to && is_space(*from))
        from++;
    while (to > from && is_space(to[-1]))
        to--;
    args.text = strndup(from, (size_t)(to - from));
    if (!args.text)
        return err_set(e, ERR_INTERNAL, "error.internal", "topic: no memory");
    *ret = args;
    return true;
}

static bool lang_is_latin(const char *lang)
{
    UScriptCode codes[8];
    UErrorCode status = U_ZERO_ERROR;
    int32_t count = uscript_getCode(lang, codes, COUNT(codes), &status);
    return U_SUCCESS(status) && count > 0 && codes[0] == USCRIPT_LATIN;
}

static bool same_primary(const char *tag, const char *primary)
{
    size_t len = strlen(primary);
    return strncmp(tag, primary, len) == 0 && (tag[len] == '\0' || tag[len] == '-');
}

void make_args_guess_lang(const char *text, const char *saved, const char *ui,
                          char ret_lang[static 16])
{
    const char *script = text_script_lang(text);
    const char *lang = script;
    if (!*script)
        lang = *saved && lang_is_latin(saved) ? saved : lang_is_latin(ui) ? ui : "en";
    else if (*saved && same_primary(saved, script))
        lang = saved;
    else if (same_primary(ui, script))
        lang = ui;
    str_copy(ret_lang, 16, lang);
}
