#include "core/story/text.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/story/text_break.h"

/* What is being written, and what waits to be written before the next character. */
struct cleaner {
    struct strbuf out;
    enum gap { GAP_NONE, GAP_SPACE, GAP_LINE } gap;
};

/* One line of the text, without its end. */
struct line {
    const char *text;
    size_t len;
};

static void put(struct cleaner *c, const char *bytes, size_t len)
{
    if (c->out.len && c->gap == GAP_LINE)
        strbuf_addc(&c->out, '\n');
    else if (c->out.len && c->gap == GAP_SPACE)
        strbuf_addc(&c->out, ' ');
    c->gap = GAP_NONE;
    strbuf_add(&c->out, bytes, len);
}

static void put_gap(struct cleaner *c, enum gap gap)
{
    c->gap = MAX(c->gap, gap);
}

static int32_t last_put(const struct cleaner *c)
{
    if (c->gap != GAP_NONE || c->out.len == 0)
        return ' ';
    return text_cp_before(c->out.text, c->out.len);
}

/* --- inline marks: each returns how many bytes it swallowed, 0 when it is none of its kind --- */

static bool has_prefix(struct line l, size_t at, const char *prefix)
{
    size_t n = strlen(prefix);
    return l.len - at >= n && strncasecmp(l.text + at, prefix, n) == 0;
}

/* "(https://x)": nothing is left of it. Returns the bytes of the closing bracket. */
static size_t drop_brackets(struct cleaner *c, struct line l, size_t end)
{
    static const char *const pairs[][2] = {
        {"(",   ")"  },
        {"（", "）"}
    };
    for (size_t i = 0; c->gap == GAP_NONE && i < COUNT(pairs); i++) {
        size_t open = strlen(pairs[i][0]);
        if (!has_prefix(l, end, pairs[i][1]) || c->out.len < open ||
            memcmp(c->out.text + c->out.len - open, pairs[i][0], open) != 0)
            continue;
        bool spaced = pairs[i][0][0] == '(';
        c->out.len -= open;
        while (c->out.len && c->out.text[c->out.len - 1] == ' ')
            c->out.len--;
        c->out.text[c->out.len] = '\0';
        put_gap(c, spaced ? GAP_SPACE : GAP_NONE);
        return strlen(pairs[i][1]);
    }
    return 0;
}

static size_t eat_url(struct cleaner *c, struct line l, size_t at)
{
    if (!has_prefix(l, at, "http://") && !has_prefix(l, at, "https://") &&
        !has_prefix(l, at, "www."))
        return 0;
    int32_t last = last_put(c);
    if (last < 0x80 && u_isalnum(last)) /* inside a word; Chinese has no space before a link */
        return 0;
    size_t end = at;
    /* Ends at anything not ASCII too: Chinese text follows a link without a space. */
    while (end < l.len && (unsigned char)l.text[end] > ' ' && (unsigned char)l.text[end] < 0x7F &&
           !memchr("<>\"", l.text[end], 3))
        end++;
    while (end > at && memchr(".,;:!?)]*_'", l.text[end - 1], 11))
        end--;
    return end + drop_brackets(c, l, end) - at;
}

static size_t eat_tag(struct line l, size_t at)
{
    enum { TAG_MAX = 300 };
    if (at + 1 >= l.len || l.text[at] != '<' ||
        !(u_isalpha(l.text[at + 1]) || l.text[at + 1] == '/' || l.text[at + 1] == '!'))
        return 0;
    const char *end = memchr(l.text + at, '>', MIN(l.len - at, (size_t)TAG_MAX));
    return end ? (size_t)(end - l.text) - at + 1 : 0;
}

static void clean_inline(struct cleaner *c, struct line l, int depth);

/* [label](target), ![label](target): the label stays. "word[12]" is a citation: goes. */
static size_t eat_link(struct cleaner *c, struct line l, size_t at, int depth)
{
    enum { LINK_MAX = 2000 };
    size_t from = at;
    if (l.text[at] == '!')
        at++;
    if (at >= l.len || l.text[at] != '[')
        return 0;
    const char *close = memchr(l.text + at, ']', MIN(l.len - at, (size_t)LINK_MAX));
    if (!close)
        return 0;
    struct line label = {l.text + at + 1, (size_t)(close - l.text) - at - 1};
    size_t after = (size_t)(close - l.text) + 1;
    if (after < l.len && l.text[after] == '(') {
        const char *end = memchr(l.text + after, ')', MIN(l.len - after, (size_t)LINK_MAX));
        if (!end)
            return 0;
        if (depth < 2)
            clean_inline(c, label, depth + 1);
        return (size_t)(end - l.text) + 1 - from;
    }
    bool digits = label.len > 0 && label.len <= 3;
    for (size_t i = 0; i < label.len && digits; i++)
        digits = label.text[i] >= '0' && label.text[i] <= '9';
    return digits && from == at && !u_isUWhiteSpace(last_put(c)) ? after - from : 0;
}

/* Whether a mark of one ASCII character is dropped here; before and after are its neighbours. */
static bool mark_drops(char mark, int32_t before, int32_t after)
{
    bool apart = u_isUWhiteSpace(before) && (after < 0 || u_isUWhiteSpace(after));
    switch (mark) {
    case '`':
        return true;
    case '~': /* ~~struck~~; "~5 km" stays */
        return before == '~' || after == '~';
    case '*':
        return !apart && !(u_isdigit(before) && u_isdigit(after));
    case '#': /* "C#" stays */
        return !u_isalnum(before);
    case '\\':
        return after > 0 && after < 0x7F && u_ispunct(after);
    default:
        return false;
    }
}

static void clean_char(struct cleaner *c, struct line l, size_t *at)
{
    size_t from = *at;
    int32_t before = from ? text_cp_before(l.text, from) : ' ';
    int32_t cp = utf8_next(l.text, l.len, at);
    int32_t after = text_cp_at(l.text, l.len, *at);
    if (u_isUWhiteSpace(cp)) {
        put_gap(c, GAP_SPACE);
    } else if (cp == '_') {                        /* emphasis goes; snake_case becomes two words */
        if (u_isalnum(before) && u_isalnum(after)) /* Han has no spaces between words */
            put_gap(c, text_cp_wide(before) || text_cp_wide(after) ? GAP_NONE : GAP_SPACE);
        else if (u_isUWhiteSpace(before) && (after < 0 || u_isUWhiteSpace(after)))
            put(c, "_", 1);
    } else if (!(cp < 0x7F && mark_drops((char)cp, before, after)) &&
               u_charType(cp) != U_CONTROL_CHAR && cp != 0xFFFD && cp != 0xAD) {
        put(c, l.text + from, *at - from);
    }
}

static void clean_inline(struct cleaner *c, struct line l, int depth)
{
    for (size_t at = 0; at < l.len;) {
        size_t eaten = 0;
        char ch = l.text[at];
        if (ch == 'h' || ch == 'H' || ch == 'w' || ch == 'W')
            eaten = eat_url(c, l, at);
        else if (ch == '<')
            eaten = eat_tag(l, at);
        else if (ch == '[' || ch == '!')
            eaten = eat_link(c, l, at, depth);
        if (eaten)
            at += eaten;
        else
            clean_char(c, l, &at);
    }
}

/* --- lines --- */

static struct line line_skip(struct line l, size_t n)
{
    return (struct line){l.text + n, l.len - n};
}

static struct line line_trim(struct line l)
{
    while (l.len && (l.text[0] == ' ' || l.text[0] == '\t'))
        l = line_skip(l, 1);
    while (l.len && (l.text[l.len - 1] == ' ' || l.text[l.len - 1] == '\t'))
        l.len--;
    return l;
}

/* "---", "***", "===", "```c", "|---|---|": nothing to say. */
static bool line_is_rule(struct line l)
{
    if (has_prefix(l, 0, "```") || has_prefix(l, 0, "~~~"))
        return true;
    if (l.len < 3)
        return false;
    for (size_t i = 0; i < l.len; i++)
        if (!memchr("-*_=|:+ ", l.text[i], 8))
            return false;
    return true;
}

/* Drops "## ", "> ", "- ", "* ", "+ ", "| "; sets ret_own when the line stands for itself. */
static struct line line_unmark(struct line l, bool *ret_own)
{
    *ret_own = false;
    for (int i = 0; i < 8 && l.len; i++) {
        size_t n = 0;
        while (n < l.len && n < 6 && l.text[n] == '#')
            n++;
        bool heading = n > 0 && n < l.len && l.text[n] == ' ';
        bool quote = l.text[0] == '>';
        bool bullet = l.len > 1 && memchr("-*+", l.text[0], 3) && l.text[1] == ' ';
        bool dot = has_prefix(l, 0, "•");
        bool cell = l.text[0] == '|';
        if (!heading && !quote && !bullet && !dot && !cell)
            break;
        *ret_own = *ret_own || heading || bullet || dot || cell;
        l = line_trim(line_skip(l, heading ? n : dot ? strlen("•") : 1));
    }
    if (l.len && l.text[l.len - 1] == '|')
        l.len--;
    return l;
}

/* A line this full was wrapped by an editor: the sentence goes on in the next one. */
static bool line_is_full(struct line l)
{
    size_t width = 0;
    int32_t cp;
    for (size_t at = 0; width < 50 && (cp = utf8_next(l.text, l.len, &at)) >= 0;)
        width += text_cp_wide(cp) ? 2 : 1;
    return width >= 50;
}

static void clean_lines(struct cleaner *c, const char *text)
{
    bool wrapped = false;
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        struct line l = line_trim((struct line){at, len});
        at += len + (at[len] != '\0');
        bool own = false;
        bool rule = line_is_rule(l);
        if (!rule)
            l = line_unmark(l, &own);
        put_gap(c, wrapped && !own && !rule && l.len ? GAP_SPACE : GAP_LINE);
        size_t before = c->out.len;
        if (rule || l.len == 0) {
            wrapped = false;
            continue;
        }
        /* Han runs on over a line end without a space. */
        if (c->gap == GAP_SPACE && c->out.len &&
            text_cp_wide(text_cp_before(c->out.text, c->out.len)) &&
            text_cp_wide(text_cp_at(l.text, l.len, 0)))
            c->gap = GAP_NONE;
        clean_inline(c, l, 0);
        wrapped = c->out.len > before && line_is_full(l);
    }
}

/* CR and CRLF become LF; invalid bytes and controls go. Caller frees. */
static char *prepare(const char *text)
{
    char *copy = str_dup(text), *to = copy;
    for (const char *from = copy; *from; from++)
        if (*from != '\r')
            *to++ = *from;
        else if (from[1] != '\n')
            *to++ = '\n';
    *to = '\0';
    utf8_clean(copy);
    return copy;
}

/* NFC; the text itself where ICU cannot (only when memory is gone). Takes text over. */
static char *compose(char *text)
{
    AUTO(free_ptr) char *in = text;
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
    size_t len = strlen(in), room = 3 * len + 1; /* NFC of UTF-16 grows at most threefold */
    AUTO(free_ptr) UChar *wide = calloc(len + 1, sizeof(*wide));
    AUTO(free_ptr) UChar *done = calloc(room, sizeof(*done));
    char *ret = malloc(3 * room);
    int32_t n = 0;
    if (wide && done && ret) {
        u_strFromUTF8(wide, (int32_t)len + 1, &n, in, (int32_t)len, &status);
        n = unorm2_normalize(nfc, wide, n, done, (int32_t)room, &status);
        u_strToUTF8(ret, (int32_t)(3 * room), NULL, done, n, &status);
        if (U_SUCCESS(status))
            return ret;
    }
    free(ret);
    return TAKE(in);
}

char *text_clean(const char *text)
{
    AUTO(free_ptr) char *copy = prepare(text);
    struct cleaner c = {.out = STRBUF(strlen(copy) + 16)};
    clean_lines(&c, copy);
    char *out = strbuf_take(&c.out);
    if (!out)
        abort(); /* never longer than the text; only memory can fail */
    return compose(out);
}
