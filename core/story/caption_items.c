#include "core/story/caption_items.h"

#include <strings.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include "core/base/utf8.h"
#include "core/story/caption.h"

struct breaks {
    UText text;
    UBreakIterator *line, *word, *cluster;
};

static void breaks_close(struct breaks *b)
{
    ubrk_close(b->line);
    ubrk_close(b->word);
    ubrk_close(b->cluster);
    utext_close(&b->text);
}

static bool breaks_open(struct breaks *b, const char *text, const char *lang, struct err *e)
{
    UErrorCode status = U_ZERO_ERROR;
    *b = (struct breaks){.text = UTEXT_INITIALIZER};
    utext_openUTF8(&b->text, text, -1, &status);
    b->line = ubrk_open(UBRK_LINE, lang, NULL, 0, &status);
    b->word = ubrk_open(UBRK_WORD, lang, NULL, 0, &status);
    b->cluster = ubrk_open(UBRK_CHARACTER, lang, NULL, 0, &status);
    if (U_SUCCESS(status)) {
        ubrk_setUText(b->line, &b->text, &status);
        ubrk_setUText(b->word, &b->text, &status);
        ubrk_setUText(b->cluster, &b->text, &status);
    }
    if (U_FAILURE(status))
        return err_set(e, ERR_INTERNAL, "make.render_failed", "ICU break iterators for %s: %s",
                       lang, u_errorName(status));
    return true;
}

/* A line may end before byte `at` without cutting a dictionary word. */
static bool breaks_allow(struct breaks *b, size_t at)
{
    return ubrk_isBoundary(b->line, (int32_t)at) && ubrk_isBoundary(b->word, (int32_t)at);
}

static bool is_space_at(const char *text, size_t len, size_t at)
{
    int32_t cp = utf8_next(text, len, &at);
    return cp == '\n' || cp == '\t' || u_isUWhiteSpace(cp);
}

/* Opening marks go with the word behind them. */
static bool opens(int32_t cp)
{
    int8_t type = u_charType(cp);
    return type == U_START_PUNCTUATION || type == U_INITIAL_PUNCTUATION || cp == 0xBF ||
           cp == 0xA1 || type == U_CURRENCY_SYMBOL || cp == '#' || cp == '@';
}

/* Where in the gap [from, to) between two words the next word's text begins. */
static size_t gap_split(const char *text, size_t from, size_t to)
{
    size_t split = to;
    bool open_run = false;
    for (size_t pos = from; pos < to;) {
        size_t here = pos;
        bool space = is_space_at(text, to, here);
        int32_t cp = utf8_next(text, to, &pos);
        bool open = opens(cp) || ((cp == '"' || cp == '\'') &&
                                  (here == from ? false : is_space_at(text, to, here - 1)));
        if (open && !open_run)
            split = here;
        open_run = open && !space;
        if (!open_run)
            split = to;
    }
    return split;
}

static bool is_closing_quote(int32_t cp)
{
    int8_t type = u_charType(cp);
    return type == U_END_PUNCTUATION || type == U_FINAL_PUNCTUATION || cp == '"' || cp == '\'' ||
           type == U_NON_SPACING_MARK || u_hasBinaryProperty(cp, UCHAR_EMOJI_PRESENTATION) ||
           cp == 0xFE0F || cp == ' ';
}

static enum item_mark mark_of(int32_t cp)
{
    if (u_hasBinaryProperty(cp, UCHAR_S_TERM) || cp == 0x2026)
        return MARK_SENTENCE;
    if (u_hasBinaryProperty(cp, UCHAR_TERMINAL_PUNCTUATION) || cp == 0x2014 || cp == 0x2013)
        return MARK_CLAUSE;
    return MARK_NONE;
}

/* What the piece ends: its last mark, looking behind closing quotes and brackets. */
static enum item_mark ending(const char *text, size_t len)
{
    enum item_mark mark = MARK_NONE;
    for (size_t pos = 0; pos < len;) {
        int32_t cp = utf8_next(text, len, &pos);
        if (!is_closing_quote(cp))
            mark = mark_of(cp);
    }
    return mark;
}

/* Bytes of a word that fit on a line, cut behind a mark such as / - . when one is not far from the
   end, else between clusters. */
static size_t long_word_cut(struct breaks *b, const char *text, size_t at, size_t len, double room)
{
    size_t fits = 0, nice = 0;
    for (int32_t pos = ubrk_following(b->cluster, (int32_t)at);
         pos != UBRK_DONE && (size_t)pos <= at + len; pos = ubrk_following(b->cluster, pos)) {
        size_t here = (size_t)pos - at;
        if (caption_width(text + at, here) > room && fits)
            break;
        fits = here;
        if (strchr("/-._?&=#:", text[pos - 1]) || ubrk_isBoundary(b->line, pos))
            nice = here;
    }
    if (!fits)
        return len;
    return nice * 3 > fits && fits < len ? nice : fits;
}

/* Short words that read badly at the end of a line. Two letters are enough in any language. */
static bool leans(const char *text, size_t len)
{
    static const char *const words[] = {"the", "and", "but",  "for", "with", "from", "los",
                                        "las", "una", "que",  "por", "con",  "les",  "des",
                                        "der", "die", "das",  "und", "del",  "den",  "dem",
                                        "uma", "com", "para", "gli", "per",  "nor"};
    if (len <= 2)
        return u_isalpha((unsigned char)text[0]);
    for (size_t i = 0; i < COUNT(words); i++)
        if (strlen(words[i]) == len && strncasecmp(words[i], text, len) == 0)
            return true;
    return false;
}

struct item_list {
    struct caption_item *items;
    size_t count, room;
};

static void items_push(struct item_list *l, struct caption_item item)
{
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->items = realloc(l->items, l->room * sizeof(l->items[0]));
        if (!l->items)
            abort(); /* a few kilobytes of our own */
    }
    l->items[l->count++] = item;
}

/* Adds a word, in pieces when it is wider than a line; its time is shared by width. */
static void items_add(struct item_list *l, struct breaks *b, const char *text,
                      struct caption_item item, double room)
{
    item.width = caption_width(text + item.at, item.len);
    double total = MAX(item.width, 0.01);
    double done = 0;
    int from_ms = item.start_ms, span = item.end_ms - item.start_ms;
    while (item.width > room) {
        size_t cut = long_word_cut(b, text, item.at, item.len, room);
        if (cut >= item.len)
            break;
        struct caption_item piece = item;
        piece.len = cut;
        piece.width = caption_width(text + item.at, cut);
        done += piece.width;
        piece.end_ms = from_ms + (int)(span * MIN(done / total, 1.0));
        piece.space_after = false;
        piece.break_after = true;
        piece.mark = MARK_NONE;
        items_push(l, piece);
        item.at += cut;
        item.len -= cut;
        item.width = caption_width(text + item.at, item.len);
        item.start_ms = piece.end_ms;
    }
    items_push(l, item);
}

/* A run that may not be broken but is wider than a line is broken between its words after all. */
static void items_free_long_runs(struct caption_item *items, size_t count, double room)
{
    for (size_t from = 0; from < count;) {
        size_t to = from;
        double width = 0;
        while (to < count) {
            width += items[to].width;
            if (items[to++].break_after)
                break;
        }
        for (size_t i = from; width > room && i < to; i++)
            items[i].break_after = true;
        from = to;
    }
}

static bool word_is_usable(const struct speech_word *w, size_t after, size_t len)
{
    return w->len > 0 && w->at >= after && w->at <= len && w->len <= len - w->at;
}

/* Next usable word at or behind index i; COUNT of words when there is none. */
static size_t next_word(const struct speech_word *words, size_t count, size_t i, size_t after,
                        size_t len)
{
    while (i < count && !word_is_usable(&words[i], after, len))
        i++;
    return i;
}

bool caption_items_build(const char *narration, const struct speech_word *words, size_t word_count,
                         const char *lang, double line_width, struct caption_item **ret_items,
                         size_t *ret_count, struct err *e)
{
    size_t len = strlen(narration);
    AUTO(breaks_close) struct breaks b;
    if (!breaks_open(&b, narration, lang, e))
        return false;
    struct item_list l = {0};
    size_t begin = 0; /* where this word's text starts */
    int last_ms = 0;
    for (size_t i = next_word(words, word_count, 0, 0, len); i < word_count;) {
        size_t word_end = words[i].at + words[i].len;
        size_t next = next_word(words, word_count, i + 1, word_end, len);
        size_t end = next < word_count ? gap_split(narration, word_end, words[next].at) : len;
        size_t from = begin, to = end;
        while (from < to && is_space_at(narration, len, from))
            utf8_next(narration, len, &from);
        size_t ink = from;
        for (size_t pos = from; pos < to;) {
            bool space = is_space_at(narration, len, pos);
            utf8_next(narration, len, &pos);
            ink = space ? ink : pos;
        }
        int start_ms = MAX(words[i].start_ms, last_ms);
        last_ms = start_ms;
        struct caption_item item = {
            .at = from,
            .len = ink - from,
            .start_ms = start_ms,
            .end_ms = MAX(words[i].end_ms, start_ms),
            .space_after = ink < end,
            .break_after = end >= len || breaks_allow(&b, end),
            .mark = ending(narration + from, ink - from),
            .leans = leans(narration + from, ink - from),
        };
        if (item.len)
            items_add(&l, &b, narration, item, line_width);
        begin = end;
        i = next;
    }
    items_free_long_runs(l.items, l.count, line_width);
    *ret_items = l.items;
    *ret_count = l.count;
    return true;
}
