#include "core/story/rules.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uregex.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include "core/base/embed.h"
#include "core/base/log.h"

#define LOG_MODULE "rules"

enum {
    LINE_MAX_BYTES = 1000,
    CATEGORIES_MAX = 64,
    TIME_LIMIT = 200, /* ICU's units: about as many milliseconds */
    STACK_LIMIT = 1 << 20,
};

EMBED(rules_default, "assets/rules.txt");

struct rule {
    URegularExpression *re;
    uint8_t category;
    bool allow;
};

struct rules {
    char names[CATEGORIES_MAX][RULES_NAME_MAX];
    size_t name_count;
    struct rule *list;
    size_t count;
};

/* A text of UTF-16. */
struct utext {
    UChar *text;
    int32_t len;
};

static void utext_clear(struct utext *t)
{
    free(TAKE(t->text));
}

/* --- one form for rules and texts --- */

static bool from_utf8(const char *text, struct utext *ret)
{
    UErrorCode status = U_ZERO_ERROR;
    size_t len = strlen(text);
    if (len > INT32_MAX / 8)
        return false;
    *ret = (struct utext){.text = malloc((len + 1) * sizeof(UChar))};
    if (!ret->text)
        return false;
    u_strFromUTF8WithSub(ret->text, (int32_t)len + 1, &ret->len, text, (int32_t)len, 0xFFFD, NULL,
                         &status);
    return U_SUCCESS(status) != 0;
}

static bool normalize(const UNormalizer2 *how, struct utext *t)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t room = 4 * t->len + 64;
    UChar *out = malloc((size_t)room * sizeof(*out));
    if (!out)
        return false;
    int32_t len = unorm2_normalize(how, t->text, t->len, out, room, &status);
    free(t->text);
    *t = (struct utext){out, len};
    return U_SUCCESS(status) && len < room;
}

/* Accents and vowel signs that may be left out; not the signs of Indic scripts, which are letters. */
static bool is_ornament(UChar32 c)
{
    UErrorCode status = U_ZERO_ERROR;
    return c == 0x0640 || (u_charType(c) == U_NON_SPACING_MARK &&
                           uscript_getScript(c, &status) == USCRIPT_INHERITED);
}

/* Hebrew points have a script of their own. */
static bool is_point(UChar32 c)
{
    return c >= 0x0591 && c <= 0x05C7 && u_charType(c) == U_NON_SPACING_MARK;
}

static void drop_ornaments(struct utext *t)
{
    int32_t to = 0;
    for (int32_t at = 0; at < t->len;) {
        UChar32 c;
        U16_NEXT(t->text, at, t->len, c);
        if (!is_ornament(c) && !is_point(c))
            U16_APPEND_UNSAFE(t->text, to, c);
    }
    t->len = to;
}

/* Caller clears. fold: also case, width and invisible characters; else the text is a pattern, whose
   upper case means something. */
static bool plain(const char *text, bool fold, struct utext *ret)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *folds = unorm2_getNFKCCasefoldInstance(&status);
    const UNormalizer2 *apart = unorm2_getNFDInstance(&status);
    const UNormalizer2 *together = unorm2_getNFCInstance(&status);
    *ret = (struct utext){0};
    bool ok = U_SUCCESS(status) && from_utf8(text, ret) && (!fold || normalize(folds, ret)) &&
              normalize(apart, ret);
    if (ok)
        drop_ornaments(ret);
    ok = ok && normalize(together, ret);
    if (!ok)
        utext_clear(ret);
    return ok;
}

/* --- rules --- */

static bool bad_line(struct err *e, int line, const char *what)
{
    char arg[120];
    snprintf(arg, sizeof(arg), "NANOTIK_RULES_FILE: line %d: %s", line, what);
    return err_set_arg(e, ERR_CONFIG, "start.bad_config", arg, "%s", arg);
}

/* Written without spaces between words. */
static bool runs_on(UChar32 c)
{
    UErrorCode status = U_ZERO_ERROR;
    UScriptCode s = uscript_getScript(c, &status);
    return s == USCRIPT_HAN || s == USCRIPT_HIRAGANA || s == USCRIPT_KATAKANA ||
           s == USCRIPT_THAI || s == USCRIPT_LAO || s == USCRIPT_KHMER || s == USCRIPT_MYANMAR;
}

struct words {
    struct utext out;
    int32_t room;
};

static void put(struct words *w, const char *ascii)
{
    for (; *ascii && w->out.len < w->room; ascii++)
        w->out.text[w->out.len++] = (UChar)*ascii;
}

static void put_letter(struct words *w, UChar32 c)
{
    if (w->out.len + 2 < w->room)
        U16_APPEND_UNSAFE(w->out.text, w->out.len, c);
}

#define NO_LETTER "[^\\p{L}\\p{N}]"

/* "pipe bomb*" as a pattern: whole words with anything that is no letter between them. */
static bool words_to_pattern(const struct utext *in, struct utext *ret)
{
    struct words w = {.room = 40 * in->len + 120};
    w.out.text = malloc((size_t)w.room * sizeof(UChar));
    UChar32 before = 0;
    bool gap = false, open_end = false;
    if (!w.out.text)
        return false;
    for (int32_t at = 0; at < in->len;) {
        UChar32 c;
        U16_NEXT(in->text, at, in->len, c);
        if (!u_isalnum(c) && u_charType(c) != U_COMBINING_SPACING_MARK &&
            u_charType(c) != U_NON_SPACING_MARK) {
            gap = before != 0;
            open_end = c == '*';
            continue;
        }
        if (!before && !runs_on(c))
            put(&w, "(?<![\\p{L}\\p{N}])");
        if (gap && open_end)
            put(&w, "[\\p{L}\\p{N}]*");
        if (gap)
            put(&w, runs_on(c) || runs_on(before) ? NO_LETTER "*" : NO_LETTER "+");
        gap = open_end = false;
        put_letter(&w, c);
        before = c;
    }
    if (before && !runs_on(before) && !open_end)
        put(&w, "(?![\\p{L}\\p{N}])");
    *ret = w.out;
    return before != 0;
}

static bool add_rule(struct rules *r, const struct utext *pattern, bool allow, int line,
                     struct err *e)
{
    UErrorCode status = U_ZERO_ERROR;
    UParseError where;
    if (r->count == RULES_MAX)
        return bad_line(e, line, "too many rules");
    if (r->name_count == 0 && !allow)
        return bad_line(e, line, "a rule before the first [category]");
    URegularExpression *re = uregex_open(pattern->text, pattern->len,
                                         UREGEX_CASE_INSENSITIVE | UREGEX_DOTALL, &where, &status);
    if (U_FAILURE(status)) {
        uregex_close(re);
        return bad_line(e, line, "not a regular expression");
    }
    r->list[r->count++] =
        (struct rule){.re = re, .category = (uint8_t)MAX(r->name_count, 1) - 1, .allow = allow};
    return true;
}

static bool read_rule(struct rules *r, char *text, int line, struct err *e)
{
    struct utext in = {0}, pattern = {0};
    bool allow = text[0] == '+', ok;
    text += allow ? 1 + strspn(text + 1, " \t") : 0;
    size_t len = strlen(text);
    bool is_pattern = len > 2 && text[0] == '/' && text[len - 1] == '/';
    if (is_pattern) {
        text[len - 1] = '\0';
        ok = plain(text + 1, false, &pattern);
    } else {
        ok = plain(text, true, &in) && words_to_pattern(&in, &pattern);
    }
    ok = ok ? add_rule(r, &pattern, allow, line, e) : bad_line(e, line, "no words in it");
    utext_clear(&in);
    utext_clear(&pattern);
    return ok;
}

static bool read_category(struct rules *r, const char *text, int line, struct err *e)
{
    size_t len = strlen(text);
    if (text[len - 1] != ']' || len < 3 || len - 2 >= RULES_NAME_MAX)
        return bad_line(e, line, "not a [category]");
    if (r->name_count == CATEGORIES_MAX)
        return bad_line(e, line, "too many categories");
    snprintf(r->names[r->name_count++], RULES_NAME_MAX, "%.*s", (int)len - 2, text + 1);
    return true;
}

static bool read_line(struct rules *r, const char *from, size_t len, int line, struct err *e)
{
    char text[LINE_MAX_BYTES + 1];
    while (len && (from[len - 1] == ' ' || from[len - 1] == '\t' || from[len - 1] == '\r'))
        len--;
    while (len && (*from == ' ' || *from == '\t')) {
        from++;
        len--;
    }
    if (len == 0 || *from == '#')
        return true;
    if (len > LINE_MAX_BYTES)
        return bad_line(e, line, "too long");
    snprintf(text, sizeof(text), "%.*s", (int)len, from);
    return text[0] == '[' ? read_category(r, text, line, e) : read_rule(r, text, line, e);
}

bool rules_parse(const char *text, struct rules **ret, struct err *e)
{
    struct rules *r = calloc(1, sizeof(*r));
    if (r)
        r->list = calloc(RULES_MAX, sizeof(*r->list));
    if (!r || !r->list) {
        free(r);
        return err_set(e, ERR_INTERNAL, "error.internal", "rules: no memory");
    }
    int line = 1;
    for (const char *at = text; *at; line++) {
        size_t len = strcspn(at, "\n");
        if (!read_line(r, at, len, line, e)) {
            rules_free(r);
            return false;
        }
        at += len + (at[len] == '\n');
    }
    *ret = r;
    return true;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        uregex_close(r->list[i].re);
    free(r->list);
    free(r);
}

/* --- texts --- */

/* Does the rule match? A clone, because a pattern remembers its text. blank: what matched is blanked
   out of the text. */
static bool matches(const struct rule *rule, struct utext *t, bool blank)
{
    UErrorCode status = U_ZERO_ERROR;
    bool any = false;
    URegularExpression *re = uregex_clone(rule->re, &status);
    uregex_setTimeLimit(re, TIME_LIMIT, &status); /* a clone has none */
    uregex_setStackLimit(re, STACK_LIMIT, &status);
    if (U_SUCCESS(status))
        uregex_setText(re, t->text, t->len, &status);
    while (U_SUCCESS(status) && uregex_findNext(re, &status) && U_SUCCESS(status)) {
        any = true;
        int32_t end = uregex_end(re, 0, &status);
        for (int32_t i = uregex_start(re, 0, &status); blank && i < end; i++)
            t->text[i] = ' ';
        if (!blank)
            break;
    }
    if (U_FAILURE(status))
        log_warn("a rule could not be tried: %s", u_errorName(status));
    uregex_close(re);
    return any;
}

const char *rules_match(const struct rules *r, const char *text)
{
    struct utext t = {0};
    const char *category = NULL;
    if (!r || r->count == 0 || !plain(text, true, &t))
        return NULL;
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].allow)
            matches(&r->list[i], &t, true);
    for (size_t i = 0; i < r->count && !category; i++)
        if (!r->list[i].allow && matches(&r->list[i], &t, false))
            category = r->names[r->list[i].category];
    utext_clear(&t);
    return category;
}
