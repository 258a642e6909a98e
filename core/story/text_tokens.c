#include "core/story/text.h"

#include <assert.h>

#include <unicode/uchar.h>

#include "core/base/utf8.h"
#include "core/story/text_break.h"

/* A UAX #29 segment, seen as what it means for the highlight. */
enum seg_kind { SEG_SPACE, SEG_WORD, SEG_OPENER, SEG_DASH, SEG_MARK };

struct segment {
    size_t at, end;
    enum seg_kind kind;
    bool unspaced; /* a dictionary word of a script without spaces */
};

static struct segment segment_read(struct text_break *words, const char *text, size_t at,
                                   size_t end)
{
    struct segment s = {.at = at, .end = end};
    int32_t cp = text_cp_at(text, end, at);
    int8_t type = u_charType(cp);
    if (u_isUWhiteSpace(cp))
        s.kind = SEG_SPACE;
    else if (ubrk_getRuleStatus(words->it) >= UBRK_WORD_NONE_LIMIT || text_is_emoji(cp) ||
             u_isalnum(cp))
        s.kind = SEG_WORD;
    else if (type == U_START_PUNCTUATION || type == U_INITIAL_PUNCTUATION)
        s.kind = SEG_OPENER;
    else if (cp == 0x2014 || cp == 0x2013 || cp == 0x2026 || cp == 0x2E3A)
        s.kind = SEG_DASH;
    else
        s.kind = SEG_MARK;
    s.unspaced = s.kind == SEG_WORD && text_cp_unspaced(cp);
    return s;
}

/* The tokens so far, and what the last one ends with. */
struct token_list {
    struct text_token *tokens;
    size_t count, room;
    bool has_word, ends_unspaced, ends_dash;
};

static bool list_start(struct token_list *l, const struct segment *s)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        struct text_token *more = realloc(l->tokens, room * sizeof(*more));
        if (!more)
            return false;
        l->tokens = more;
        l->room = room;
    }
    l->tokens[l->count++] = (struct text_token){.at = s->at, .len = s->end - s->at};
    l->has_word = l->ends_unspaced = l->ends_dash = false;
    return true;
}

/* Only marks, then white space or the end, follow: nothing to join to on that side. */
static bool marks_only_after(const char *text, size_t len, size_t at)
{
    for (int i = 0; i < 16; i++) { /* longer runs of marks are no writing; bounded for speed */
        int32_t cp = utf8_next(text, len, &at);
        if (cp < 0 || u_isUWhiteSpace(cp))
            return true;
        if (u_isalnum(cp) || text_is_emoji(cp))
            return false;
    }
    return false;
}

/* Whether this segment begins a new token. space: white space came before it; alone: nothing
   that it could join follows. */
static bool starts_token(const struct token_list *l, const struct segment *s, bool space,
                         bool alone)
{
    if (l->count == 0)
        return true;
    switch (s->kind) {
    case SEG_WORD: /* a first word joins the marks before it */
        if (!l->has_word)
            return false;
        return space || s->unspaced || l->ends_unspaced || l->ends_dash;
    case SEG_OPENER:
        return l->has_word && !alone && (space || l->ends_unspaced || l->ends_dash);
    default: /* a mark that stands alone stays with the word before it */
        return l->has_word && space && !alone;
    }
}

static bool list_add(struct token_list *l, const struct segment *s, bool space, bool alone)
{
    if (starts_token(l, s, space, alone) && !list_start(l, s))
        return false;
    assert(l->tokens && l->count > 0); /* the first segment always starts one */
    struct text_token *last = &l->tokens[l->count - 1];
    last->len = s->end - last->at;
    if (s->kind == SEG_WORD) {
        l->has_word = true;
        l->ends_unspaced = s->unspaced;
    }
    l->ends_dash = s->kind == SEG_DASH;
    return true;
}

struct text_token *text_tokens(struct arena *a, const char *text, const char *lang,
                               size_t *ret_count)
{
    AUTO(text_break_close) struct text_break words = {0};
    struct token_list list = {0};
    size_t len = strlen(text);
    text_break_open(&words, UBRK_WORD, lang);
    text_break_set(&words, text, len);
    bool space = true;
    size_t at = 0;
    for (int32_t end; (end = ubrk_next(words.it)) != UBRK_DONE; at = (size_t)end) {
        struct segment s = segment_read(&words, text, at, (size_t)end);
        if (s.kind != SEG_SPACE) {
            bool alone = s.kind != SEG_WORD && marks_only_after(text, len, s.end);
            if (!list_add(&list, &s, space, alone))
                abort(); /* a few words of memory, as in arena_alloc */
        }
        space = s.kind == SEG_SPACE;
    }
    struct text_token *ret = arena_alloc(a, (list.count + 1) * sizeof(*ret));
    if (list.count)
        memcpy(ret, list.tokens, list.count * sizeof(*ret));
    *ret_count = list.count;
    free(list.tokens);
    return ret;
}
