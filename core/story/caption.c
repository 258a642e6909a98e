#include "core/story/caption.h"

#include <float.h>

#include "core/base/strbuf.h"
#include "core/story/caption_items.h"
#include "core/story/text.h"

enum {
    HOLD_MS = 800,    /* how long a page outlives its last word when nothing follows */
    PAUSE_MS = 220,   /* silence that is as good as a comma */
    GLIMPSE_MS = 500, /* a page shorter than this cannot be read */
    PAGE_TEXT_MAX = 16384,
};

#define SPACE_WIDTH 0.26

/* How one page ends up on one or two lines. */
struct page_shape {
    size_t second; /* first item of line two; 0 = one line */
    double cost;   /* DBL_MAX: does not fit */
};

/* Best way to fill pages up to some item. */
struct page_plan {
    double cost;
    size_t from;
    size_t second;
};

static double run_width(const struct caption_item *items, size_t from, size_t to)
{
    double width = 0;
    for (size_t i = from; i < to; i++)
        width += items[i].width + (items[i].space_after && i + 1 < to ? SPACE_WIDTH : 0);
    return width;
}

/* The line would end one word into a new clause. */
static bool dangles(const struct caption_item *items, size_t from, size_t to)
{
    return to - from >= 2 && items[to - 1].mark == MARK_NONE && items[to - 2].mark != MARK_NONE;
}

static struct page_shape shape_page(const struct caption_item *items, size_t from, size_t to,
                                    double room)
{
    double total = run_width(items, from, to);
    struct page_shape best = {.cost = total <= room ? 0 : DBL_MAX};
    if (total <= room)
        return best;
    double first = 0;
    for (size_t k = from + 1; k < to; k++) {
        const struct caption_item *last = &items[k - 1];
        first += last->width;
        double second = total - first - (last->space_after ? SPACE_WIDTH : 0);
        bool fits = first <= room && second <= room && last->break_after;
        first += last->space_after ? SPACE_WIDTH : 0;
        if (!fits)
            continue;
        double uneven = (first - second) / room;
        double cost = 4 * uneven * uneven + (last->leans ? 1.2 : 0) +
                      (dangles(items, from, k) ? 7 : 0) - (last->mark == MARK_NONE ? 0 : 1.0);
        if (cost < best.cost)
            best = (struct page_shape){.second = k, .cost = cost};
    }
    return best;
}

static double page_end_cost(const struct caption_item *items, size_t to, size_t count)
{
    const struct caption_item *last = &items[to - 1];
    if (to == count || last->mark == MARK_SENTENCE)
        return 0;
    if (last->mark == MARK_CLAUSE)
        return 1.5;
    if (items[to].start_ms - last->end_ms >= PAUSE_MS)
        return 2;
    return last->leans ? 12 : 7;
}

static double page_cost(const struct caption_item *items, size_t from, size_t to, size_t count,
                        double room)
{
    double width = run_width(items, from, to);
    double cost = 4 + page_end_cost(items, to, count);
    double empty = MAX(0, 1 - width / (1.6 * room));
    cost += 3 * empty * empty;
    bool ends_well = to == count || items[to - 1].mark != MARK_NONE;
    cost += to < count && dangles(items, from, to) ? 5 : 0;
    for (size_t i = from; i + 1 < to; i++) {
        cost += items[i].mark == MARK_SENTENCE ? 9 : 0;
        cost += items[i].mark == MARK_CLAUSE && !ends_well ? 4 : 0;
    }
    if (count > 1 && to - from == 1 && width < 4)
        cost += 10;
    int until = to < count ? items[to].start_ms : items[to - 1].end_ms + HOLD_MS;
    if (until - items[from].start_ms < GLIMPSE_MS)
        cost += 8;
    return cost;
}

/* The best page that ends before `to`, given the best plans for all that may come before it. */
static struct page_plan plan_page(const struct page_plan *plans, const struct caption_item *items,
                                  size_t to, size_t count, double room)
{
    struct page_plan best = {.cost = DBL_MAX};
    double width = 0;
    for (size_t from = to; from-- > 0;) {
        width += items[from].width;
        if (width > 2 * room && from + 1 < to)
            break;
        if (plans[from].cost == DBL_MAX)
            continue;
        struct page_shape shape = shape_page(items, from, to, room);
        if (shape.cost == DBL_MAX)
            continue;
        double cost = plans[from].cost + shape.cost + page_cost(items, from, to, count, room);
        if (cost < best.cost)
            best = (struct page_plan){.cost = cost, .from = from, .second = shape.second};
    }
    return best;
}

/* Cheapest pages for all items: plans[to] tells where the page that ends before `to` begins. */
static struct page_plan *plan_pages(const struct caption_item *items, size_t count, double room)
{
    struct page_plan *plans = calloc(count + 1, sizeof(*plans));
    for (size_t to = 1; plans && to <= count; to++) {
        bool may_end = to == count || items[to - 1].break_after;
        plans[to].cost = DBL_MAX;
        if (may_end)
            plans[to] = plan_page(plans, items, to, count, room);
        if (plans[to].cost == DBL_MAX && to == count) /* one item wider than any line */
            plans[to].from = to - 1;
    }
    return plans;
}

/* Copies an item's text, white space inside as one space. */
static void add_item_text(struct strbuf *out, const char *text, size_t len)
{
    bool space = false;
    for (size_t i = 0; i < len; i++) {
        bool blank = text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';
        if (!blank)
            strbuf_addc(out, text[i]);
        else if (!space)
            strbuf_addc(out, ' ');
        space = blank;
    }
}

static bool fill_page(struct caption_page *page, const char *narration,
                      const struct caption_item *items, const struct page_plan *plan, size_t to,
                      size_t count, int offset_ms)
{
    AUTO(strbuf_free) struct strbuf text = STRBUF(PAGE_TEXT_MAX);
    size_t from = plan->from;
    page->words = calloc(to - from, sizeof(page->words[0]));
    if (!page->words)
        return false;
    page->start_ms = items[from].start_ms + offset_ms;
    page->end_ms = items[to - 1].end_ms + HOLD_MS + offset_ms;
    if (to < count)
        page->end_ms = MIN(page->end_ms, items[to].start_ms + offset_ms);
    for (size_t i = from; i < to; i++) {
        struct speech_word *w = &page->words[page->word_count++];
        w->at = text.len;
        add_item_text(&text, narration + items[i].at, items[i].len);
        w->len = text.len - w->at;
        w->start_ms = items[i].start_ms + offset_ms;
        w->end_ms = i + 1 < to ? items[i + 1].start_ms + offset_ms : page->end_ms;
        if (i + 1 == plan->second)
            strbuf_addc(&text, '\n');
        else if (i + 1 < to && items[i].space_after)
            strbuf_addc(&text, ' ');
    }
    page->text = strbuf_take(&text);
    return page->text != NULL;
}

static bool fill_track(struct caption_track *t, const char *narration,
                       const struct caption_item *items, const struct page_plan *plans,
                       size_t count, int offset_ms)
{
    size_t pages = 0;
    for (size_t to = count; to > 0; to = plans[to].from)
        pages++;
    t->pages = calloc(pages, sizeof(t->pages[0]));
    if (!t->pages)
        return false;
    t->page_count = pages;
    for (size_t to = count, k = pages; to > 0; to = plans[to].from)
        if (!fill_page(&t->pages[--k], narration, items, &plans[to], to, count, offset_ms))
            return false;
    return true;
}

bool caption_build(const char *narration, const struct speech_word *words, size_t word_count,
                   const char *lang, int offset_ms, double line_width, struct caption_track *ret,
                   struct err *e)
{
    struct caption_track track = {.rtl = text_is_rtl(lang)};
    str_copy(track.lang, sizeof(track.lang), lang);
    AUTO(free_ptr) struct caption_item *items = NULL;
    size_t count = 0;
    if (!caption_items_build(narration, words, word_count, lang, line_width, &items, &count, e))
        return false;
    if (count) {
        AUTO(free_ptr) struct page_plan *plans = plan_pages(items, count, line_width);
        if (!plans || !fill_track(&track, narration, items, plans, count, offset_ms)) {
            caption_track_free(&track);
            return err_set(e, ERR_INTERNAL, "make.render_failed", "captions: out of memory");
        }
    }
    *ret = track;
    return true;
}

void caption_track_free(struct caption_track *t)
{
    for (size_t i = 0; i < t->page_count; i++) {
        free(t->pages[i].text);
        free(t->pages[i].words);
    }
    free(t->pages);
    *t = (struct caption_track){0};
}
