#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include "core/base/strbuf.h"
#include "core/story/caption.h"
#include "core/story/caption_items.h"

enum { WRAP_TEXT_MAX = 8192, NARROWINGS = 24 };

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

/* Lines that greedy filling needs; writes them when out is given. */
static size_t fill(const char *text, const struct caption_item *items, size_t count, double room,
                   struct strbuf *out)
{
    size_t lines = 1;
    double width = 0;
    for (size_t i = 0; i < count; i++) {
        bool space = i > 0 && items[i - 1].space_after;
        double more = (space && width > 0 ? 0.26 : 0) + items[i].width;
        bool wraps = width > 0 && width + more > room && items[i - 1].break_after;
        lines += wraps;
        width = wraps ? items[i].width : width + more;
        if (!out)
            continue;
        if (wraps)
            strbuf_addc(out, '\n');
        else if (space)
            strbuf_addc(out, ' ');
        strbuf_add(out, text + items[i].at, items[i].len);
    }
    return lines;
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
    double total = 1;
    for (size_t i = 0; i < count; i++)
        total += items[i].width + 0.26;
    size_t lines = MIN(fill(text, items, count, line_width, NULL), max_lines);
    double low = 0, high = total; /* high always fits in `lines` */
    for (int i = 0; i < NARROWINGS; i++) {
        double mid = (low + high) / 2;
        if (fill(text, items, count, mid, NULL) <= lines)
            high = mid;
        else
            low = mid;
    }
    AUTO(strbuf_free) struct strbuf out = STRBUF(WRAP_TEXT_MAX);
    fill(text, items, count, high, &out);
    char *wrapped = strbuf_take(&out);
    if (!wrapped)
        return err_set(e, ERR_LIMIT, "make.too_long", "title over %d bytes", WRAP_TEXT_MAX);
    *ret_text = wrapped;
    return true;
}
