#include "core/story/text.h"

#include <math.h>

#include <unicode/uchar.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/story/storyboard.h"
#include "core/story/text_break.h"

/* Scenes of 5-10 s keep pictures changing without haste; a sentence longer than SENTENCE_MS is cut
   at its clauses, because a picture that stands longer looks frozen. */
enum {
    SCENE_LOW_MS = 4500,
    SCENE_GOAL_MS = 7000,
    SCENE_HIGH_MS = 10000,
    SENTENCE_MS = 15000,
    SCENE_WINDOW = 64, /* sentences looked at for one scene */
    SCENE_BYTES_MAX = 1900,
};

/* A sentence as bytes of the text. */
struct piece {
    size_t at, len;
    bool para; /* a paragraph starts here */
    bool cut;  /* goes on from the piece before: one sentence in the person's text */
    double ms; /* spoken length */
};

struct pieces {
    struct piece *list;
    size_t count, room;
};

static void pieces_free(struct pieces *p)
{
    free(p->list);
    p->list = NULL;
}

static void pieces_add(struct pieces *p, struct piece piece)
{
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 64;
        p->list = realloc(p->list, p->room * sizeof(*p->list));
        if (!p->list)
            abort(); /* as arena_alloc: small and of our own making */
    }
    p->list[p->count++] = piece;
}

static struct piece piece_trim(const char *text, size_t at, size_t end)
{
    size_t pos = at;
    while (pos < end && u_isUWhiteSpace(utf8_next(text, end, &pos)))
        at = pos;
    while (end > at && u_isUWhiteSpace(text_cp_before(text, end)))
        end = utf8_cut(text, end - 1);
    return (struct piece){.at = at, .len = end - at};
}

static bool piece_has_words(const char *text, const struct piece *p)
{
    size_t at = p->at, end = p->at + p->len;
    while (at < end)
        if (u_isalnum(utf8_next(text, end, &at)))
            return true;
    return false;
}

/* --- sentences --- */

/* A full stop after these ends no sentence. Lower case; checked without the last dot. */
static const char *const abbreviations[] = {
    "dr",     "mr",    "mrs", "ms",  "prof", "st",  "sr",   "sra", "dra", "gen",
    "col",    "capt",  "sgt", "lt",  "rev",  "hon", "vs",   "e.g", "i.e", "cf",
    "approx", "fig",   "mt",  "z.b", "d.h",  "bzw", "ca",   "nr",  "mme", "mlle",
    "p.ej",   "ee.uu", "т.е", "г",   "ул",   "им",  "проф",
};

/* The piece ends with "Dr." or an initial ("J.") or is a list number ("1."), so that the next piece
   belongs to it. */
static bool ends_open(const char *text, const struct piece *p)
{
    size_t end = p->at + p->len;
    if (p->len < 2 || text[end - 1] != '.')
        return false;
    end--;
    size_t at = end;
    while (at > p->at && !u_isUWhiteSpace(text_cp_before(text, at)))
        at = utf8_cut(text, at - 1);
    while (at < end && (text[at] == '(' || text[at] == '"'))
        at++;
    char word[16];
    size_t len = 0;
    bool digits = end > at;
    int letters = 0;
    int32_t cp, first = -1;
    for (size_t pos = at; pos < end; letters++) {
        cp = utf8_next(text, end, &pos);
        if (first < 0)
            first = cp;
        digits = digits && u_isdigit(cp);
        if (len + 4 >= sizeof(word))
            return false;
        len += utf8_put(word + len, u_tolower(cp));
    }
    word[len] = '\0';
    if (digits)
        return at == p->at;
    if (letters == 1)
        return u_isupper(first) && first != 'I';
    for (size_t i = 0; i < COUNT(abbreviations); i++)
        if (strcmp(word, abbreviations[i]) == 0)
            return true;
    return false;
}

/* The piece goes on after a quotation: "Go!" he said. */
static bool goes_on(const char *text, const struct piece *last, const struct piece *next)
{
    int8_t type = u_charType(text_cp_before(text, last->at + last->len));
    bool closed = text[last->at + last->len - 1] == '"' || type == U_FINAL_PUNCTUATION;
    return closed && u_islower(text_cp_at(text, next->at + next->len, next->at));
}

/* Adds text[at, end) as a piece, or joins it to the last one where it belongs there. */
static void sentence_add(struct pieces *out, const char *text, size_t at, size_t end)
{
    struct piece p = piece_trim(text, at, end);
    if (p.len == 0)
        return;
    struct piece *last = out->count ? &out->list[out->count - 1] : NULL;
    p.para = !last || memchr(text + last->at + last->len, '\n', p.at - last->at - last->len);
    bool joins = last && (!piece_has_words(text, &p) || !piece_has_words(text, last) ||
                          (!p.para && (ends_open(text, last) || goes_on(text, last, &p))));
    if (joins)
        last->len = p.at + p.len - last->at;
    else
        pieces_add(out, p);
}

/* Sentences of any length. UAX #29 keeps closing quotes and brackets with their sentence; it does
   not know that the Arabic semicolon ends one. */
static void sentences_find(struct pieces *out, const char *text, const char *lang)
{
    AUTO(text_break_close) struct text_break b = {0};
    size_t len = strlen(text), at = 0;
    text_break_open(&b, UBRK_SENTENCE, lang);
    text_break_set(&b, text, len);
    for (int32_t next; (next = ubrk_next(b.it)) != UBRK_DONE; at = (size_t)next) {
        size_t end = (size_t)next, from = at;
        static const char semicolon[] = "\xD8\x9B"; /* U+061B */
        const char *hit;
        while ((hit = memmem(text + from, end - from, semicolon, 2)) != NULL) {
            size_t stop = (size_t)(hit - text) + 2;
            sentence_add(out, text, from, stop);
            from = stop;
        }
        sentence_add(out, text, from, end);
    }
}

/* --- cutting what is too long --- */

static bool is_clause_mark(int32_t cp)
{
    static const int32_t marks[] = {',',    ';',    ':',    0x2014, 0x060C, 0x061B, 0xFF0C,
                                    0xFF1B, 0xFF1A, 0x3001, 0x2026, 0x0964, 0x3002};
    for (size_t i = 0; i < COUNT(marks); i++)
        if (marks[i] == cp)
            return true;
    return false;
}

/* The end of a clause in text[low, high] that is nearest to goal, or 0. */
static size_t clause_near(const char *text, size_t low, size_t high, size_t goal)
{
    size_t best = 0;
    for (size_t at = utf8_cut(text, low); at < high;) {
        int32_t cp = utf8_next(text, high, &at);
        if (!is_clause_mark(cp) || at > high)
            continue;
        bool free_after = text_cp_wide(cp) || u_isUWhiteSpace(text_cp_at(text, high, at));
        size_t distance = at > goal ? at - goal : goal - at;
        size_t best_distance = best > goal ? best - goal : goal - best;
        if (free_after && (!best || distance < best_distance))
            best = at;
    }
    return best;
}

/* Breakers of the window that the cut must fall into: a whole text of Thai would be looked up in
   the dictionary again for each cut. */
struct cutter {
    struct text_break words, clusters;
    bool open;
};

static void cutter_set(struct cutter *c, const char *window, size_t len, const char *lang)
{
    if (!c->open) { /* UAX #14 allows a break between any two Han characters: words are better */
        bool han = text_lang_unspaced(lang);
        text_break_open(&c->words, han ? UBRK_WORD : UBRK_LINE, lang);
        text_break_open(&c->clusters, UBRK_CHARACTER, lang);
        c->open = true;
    }
    text_break_set(&c->words, window, len);
    text_break_set(&c->clusters, window, len);
}

static void cutter_close(struct cutter *c)
{
    text_break_close(&c->words);
    text_break_close(&c->clusters);
}

/* How many bytes of text[0, len) to cut off; at most max, which is less than len. */
static size_t cut_find(struct cutter *c, const char *text, size_t len, size_t max, const char *lang)
{
    enum { SLACK = 64 }; /* what follows decides whether a break is allowed */
    size_t parts = (len + max - 1) / max, goal = len / parts;
    size_t cut = clause_near(text, goal / 2, max, goal);
    if (cut)
        return cut;
    size_t window = MIN(len, max + SLACK);
    cutter_set(c, text, window == len ? len : utf8_cut(text, window), lang);
    size_t above = utf8_cut(text, max); /* ICU wants the next character's start, not max + 1 */
    utf8_next(text, len, &above);
    int32_t pos = ubrk_preceding(c->words.it, (int32_t)above);
    while (pos != UBRK_DONE && (size_t)pos > max / 4) {
        int8_t type = u_charType(text_cp_at(text, len, (size_t)pos));
        if (u_isalnum(text_cp_at(text, len, (size_t)pos)) || type == U_START_PUNCTUATION ||
            type == U_INITIAL_PUNCTUATION)
            return (size_t)pos; /* no line starts with a comma */
        pos = ubrk_previous(c->words.it);
    }
    pos = ubrk_preceding(c->clusters.it, (int32_t)above);
    if (pos != UBRK_DONE && pos > 0)
        return (size_t)pos;
    return MAX(utf8_cut(text, max), 1); /* one cluster of hundreds of marks */
}

static void pieces_cut(struct pieces *out, const struct pieces *in, const char *text,
                       const char *lang, size_t max)
{
    AUTO(cutter_close) struct cutter c = {0};
    for (size_t i = 0; i < in->count; i++) {
        struct piece p = in->list[i];
        while (p.len > max) {
            size_t end = p.at + p.len;
            size_t stop = p.at + cut_find(&c, text + p.at, p.len, max, lang);
            struct piece head = piece_trim(text, p.at, stop);
            head.para = p.para;
            head.cut = p.cut;
            if (head.len)
                pieces_add(out, head);
            p = piece_trim(text, stop, end);
            p.cut = true;
        }
        if (p.len)
            pieces_add(out, p);
    }
}

const char **text_sentences(struct arena *a, const char *text, const char *lang, size_t max_bytes,
                            size_t *ret_count)
{
    AUTO(pieces_free) struct pieces whole = {0};
    AUTO(pieces_free) struct pieces cut = {0};
    sentences_find(&whole, text, lang);
    pieces_cut(&cut, &whole, text, lang, MAX(max_bytes, 16));
    const char **ret = arena_alloc(a, (cut.count + 1) * sizeof(*ret));
    for (size_t i = 0; i < cut.count; i++)
        ret[i] = arena_dup_n(a, text + cut.list[i].at, cut.list[i].len);
    *ret_count = cut.count;
    return ret;
}

/* --- scenes --- */

/* How far a scene of this length is from what an eye likes; 0 inside the range's middle. */
static double scene_cost(double ms)
{
    double off = (ms - SCENE_GOAL_MS) / 1000.0;
    double cost = off * off * 0.01;
    if (ms < SCENE_LOW_MS)
        cost += (SCENE_LOW_MS - ms) * (SCENE_LOW_MS - ms) / 2.4e6;
    if (ms > SCENE_HIGH_MS)
        cost += (ms - SCENE_HIGH_MS) * (ms - SCENE_HIGH_MS) / 4e6;
    return cost;
}

/* What it costs that this piece does not start a scene: joining paragraphs is a little bad, keeping
   a torn sentence together a little good. */
static double joint_cost(const struct piece *p)
{
    if (p->para)
        return 0.4;
    return p->cut ? -0.2 : 0;
}

/* The cheapest grouping: ret_first[j] is the first piece of the scene that ends before piece j.
   Dynamic programming over the ends, so that no small rest is left for the last scene. */
static void scenes_group(const struct pieces *p, size_t *ret_first, double *best)
{
    best[0] = 0;
    for (size_t j = 1; j <= p->count; j++) {
        const struct piece *last = &p->list[j - 1];
        double ms = 0, inside = 0;
        best[j] = INFINITY;
        for (size_t i = j; i-- > 0 && j - i <= SCENE_WINDOW;) {
            const struct piece *first = &p->list[i];
            ms += first->ms;
            if (first != last &&
                (ms > 2.5 * SCENE_GOAL_MS || last->at + last->len - first->at > SCENE_BYTES_MAX))
                break;
            if (first != last)
                inside += joint_cost(first + 1);
            double cost = best[i] + scene_cost(ms) + inside;
            if (cost < best[j]) {
                best[j] = cost;
                ret_first[j] = i;
            }
        }
    }
}

/* Text of the pieces [first, end) as one line: what stood on separate lines becomes separate
   sentences, so that the voice pauses there. */
static const char *scene_text(struct arena *a, const char *text, const struct piece *list,
                              size_t count)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF((size_t)1 << 20);
    for (size_t i = 0; i < count; i++) {
        const struct piece *p = &list[i];
        if (i > 0) {
            int32_t last = text_cp_before(out.text, out.len);
            int32_t next = text_cp_at(text, p->at + p->len, p->at);
            bool wide = text_cp_wide(last) && text_cp_wide(next);
            if (p->para && u_isalnum(last))
                strbuf_adds(&out, text_cp_wide(last) ? "。" : ".");
            if (!wide && p->at > list[i - 1].at + list[i - 1].len)
                strbuf_addc(&out, ' ');
        }
        strbuf_add(&out, text + p->at, p->len);
    }
    for (size_t k = 0; k < out.len; k++) /* joined pieces may hold a line end */
        if (out.text[k] == '\n')
            out.text[k] = ' ';
    return arena_dup_n(a, strbuf_text(&out), out.len);
}

/* Measures the pieces; returns their spoken length in all. */
static double pieces_measure(struct pieces *p, const char *text, const char *lang, int rate)
{
    AUTO(text_break_close) struct text_break words = {0};
    double total = 0;
    bool unspaced = text_lang_unspaced(lang);
    text_break_open(&words, UBRK_WORD, lang);
    for (size_t i = 0; i < p->count; i++) {
        struct piece *it = &p->list[i];
        it->ms = 60000.0 * (double)text_units_with(&words, text + it->at, it->len, unspaced) / rate;
        total += it->ms;
    }
    return total;
}

static void scene_pieces(struct pieces *ret, const char *text, const char *lang, int rate)
{
    AUTO(pieces_free) struct pieces whole = {0};
    sentences_find(&whole, text, lang);
    double ms = pieces_measure(&whole, text, lang, rate);
    size_t max = SCENE_BYTES_MAX;
    if (ms > SENTENCE_MS) /* bytes that take this long at the text's own density */
        max = CLAMP((size_t)((double)strlen(text) * SENTENCE_MS / ms), 80, SCENE_BYTES_MAX);
    pieces_cut(ret, &whole, text, lang, max);
    pieces_measure(ret, text, lang, rate);
}

const char **text_scenes(struct arena *a, const char *text, const char *lang, int units_per_minute,
                         size_t *ret_count)
{
    AUTO(pieces_free) struct pieces p = {0};
    scene_pieces(&p, text, lang, MAX(units_per_minute, 1));
    const char **ret = arena_alloc(a, (p.count + 1) * sizeof(*ret));
    AUTO(free_ptr) size_t *first = calloc(p.count + 1, sizeof(*first));
    AUTO(free_ptr) double *best = calloc(p.count + 1, sizeof(*best));
    if (!first || !best)
        abort();
    scenes_group(&p, first, best);
    size_t count = 0;
    for (size_t j = p.count; j > 0; j = first[j])
        count++;
    size_t k = count;
    for (size_t j = p.count; j > 0; j = first[j])
        ret[--k] = scene_text(a, text, p.list + first[j], j - first[j]);
    *ret_count = count;
    return ret;
}

int64_t text_duration_ms(const char *text, const char *lang, int units_per_minute)
{
    AUTO(arena_free) struct arena a = {0};
    size_t scenes;
    text_scenes(&a, text, lang, units_per_minute, &scenes);
    if (scenes == 0)
        return 0;
    double spoken = 60000.0 * (double)text_units(text, lang) / MAX(units_per_minute, 1);
    return (int64_t)spoken + (int64_t)scenes * (STORY_HEAD_MS + STORY_TAIL_MS);
}
