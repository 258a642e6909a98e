#include <float.h>
#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include "core/base/strbuf.h"
#include "core/story/caption.h"
#include "core/story/caption_items.h"

enum { WRAP_TEXT_MAX = 8192, WRAP_LINES_MAX = 4, WRAP_ITEMS_MAX = 200 };

/* Every place where a line may end becomes a "word". */
static bool split(const char *text, const char *lang, struct speech_word **ret, size_t *ret_count,
                  struct err *e)
{
    UErrorCode status = U_ZERO_ERROR;
    UText utext = UTEXT_INITIALIZER;
    utext_openUTF8(&utext, text, -1, &status);
    UBreakIterator *lines = ubrk_open(UBRK_LINE, lang, NULL, 0, &status);
    struct speech_word *words = calloc(strlen(text) + 1, sizeof(*words));
    size_t count = 0;
    if (U_SUCCESS(status) && words) {
        ubrk_setUText(lines, &utext, &status);
        int32_t from = ubrk_first(lines);
        for (int32_t to = ubrk_next(lines); to != UBRK_DONE; to = ubrk_next(lines)) {
            words[count++] = (struct speech_word){.at = (size_t)from, .len = (size_t)(to - from)};
            from = to;
        }
    }
    ubrk_close(lines);
    utext_close(&utext);
    if (U_FAILURE(status) || !words) {
        free(words);
        return err_set(e, ERR_INTERNAL, "make.render_failed", "wrap: %s", u_errorName(status));
    }
    *ret = words;
    *ret_count = count;
    return true;
}

#define SPACE_WIDTH 0.26

/* Lines that greedy filling needs. */
static size_t count_lines(const struct caption_item *items, size_t count, double room)
{
    size_t lines = 1;
    double width = 0;
    for (size_t i = 0; i < count; i++) {
        double more =
            (i > 0 && items[i - 1].space_after && width > 0 ? SPACE_WIDTH : 0) + items[i].width;
        bool wraps = width > 0 && width + more > room && items[i - 1].break_after;
        lines += wraps;
        width = wraps ? items[i].width : width + more;
    }
    return lines;
}

/* How bad a line of this width is that ends with this item. */
static double line_cost(const struct caption_item *last, bool end, double width, double mean,
                        double room)
{
    double uneven = (width - mean) / mean;
    double cost = 4 * uneven * uneven + (width > room ? 20 * (width - room) / room : 0);
    if (!end)
        cost += last->mark != MARK_NONE ? 0 : last->leans ? 1.2 : 0.6;
    return cost;
}

struct wrap {
    const struct caption_item *items;
    size_t count;
    double room, mean;
    /* Per number of lines and item before which the last of them ends. */
    double cost[WRAP_LINES_MAX + 1][WRAP_ITEMS_MAX + 1];
    size_t from[WRAP_LINES_MAX + 1][WRAP_ITEMS_MAX + 1];
};

/* The best k-th line that ends before item `to`. */
static void choose_line(struct wrap *w, size_t k, size_t to)
{
    const struct caption_item *last = &w->items[to - 1];
    double width = 0;
    for (size_t at = to; at-- > 0;) {
        const struct caption_item *item = &w->items[at];
        width += item->width + (item->space_after && at + 1 < to ? SPACE_WIDTH : 0);
        double before = w->cost[k - 1][at];
        if (before == DBL_MAX)
            continue;
        double cost = before + line_cost(last, to == w->count, width, w->mean, w->room);
        if (cost >= w->cost[k][to])
            continue;
        w->cost[k][to] = cost;
        w->from[k][to] = at;
    }
}

/* Cheapest breaks into exactly `lines` lines. */
static void choose_breaks(struct wrap *w, size_t lines)
{
    w->mean = 0;
    for (size_t i = 0; i < w->count; i++)
        w->mean += w->items[i].width + (w->items[i].space_after ? SPACE_WIDTH : 0);
    w->mean = MAX(w->mean / (double)lines, 0.1);
    for (size_t k = 0; k <= lines; k++)
        for (size_t i = 0; i <= w->count; i++)
            w->cost[k][i] = k == 0 && i == 0 ? 0 : DBL_MAX;
    for (size_t k = 1; k <= lines; k++)
        for (size_t to = k; to <= w->count; to++)
            if (to == w->count || w->items[to - 1].break_after)
                choose_line(w, k, to);
}

bool caption_wrap(const char *text, const char *lang, double line_width, size_t max_lines,
                  char **ret_text, struct err *e)
{
    AUTO(free_ptr) struct speech_word *words = NULL;
    AUTO(free_ptr) struct caption_item *items = NULL;
    size_t word_count = 0, count = 0;
    if (!split(text, lang, &words, &word_count, e) ||
        !caption_items_build(text, words, word_count, lang, line_width, &items, &count, e))
        return false;
    count = MIN(count, (size_t)WRAP_ITEMS_MAX);
    size_t lines = MIN(count_lines(items, count, line_width), MIN(max_lines, WRAP_LINES_MAX));
    bool starts[WRAP_ITEMS_MAX + 1] = {0};
    struct wrap w = {.items = items, .count = count, .room = line_width};
    choose_breaks(&w, lines);
    for (size_t k = lines, to = count; k > 1; k--)
        starts[to = w.from[k][to]] = true;
    AUTO(strbuf_free) struct strbuf out = STRBUF(WRAP_TEXT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && starts[i])
            strbuf_addc(&out, '\n');
        else if (i > 0 && items[i - 1].space_after)
            strbuf_addc(&out, ' ');
        strbuf_add(&out, text + items[i].at, items[i].len);
    }
    char *wrapped = strbuf_take(&out);
    if (!wrapped)
        return err_set(e, ERR_LIMIT, "make.too_long", "title over %d bytes", WRAP_TEXT_MAX);
    *ret_text = wrapped;
    return true;
}
