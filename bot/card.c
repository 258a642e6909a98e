#include "bot/card.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"

void card_begin(struct card_doc *doc, const char *lang)
{
    *doc = (struct card_doc){
        .card = {.percent = -1, .rtl = i18n_is_rtl(lang)}
    };
    doc->card.lang = arena_dup(&doc->arena, lang);
}

const char *card_keep(struct card_doc *doc, char *owned)
{
    const char *kept = arena_dup(&doc->arena, owned ? owned : "");
    free(owned);
    return kept;
}

const char *card_format(struct card_doc *doc, const char *lang, const char *key,
                        const struct i18n_arg *args, size_t count)
{
    return card_keep(doc, i18n_format(lang, key, args, count));
}

void card_add_line(struct card_doc *doc, const char *text)
{
    if (doc->card.line_count < CARD_LINES_MAX)
        doc->card.lines[doc->card.line_count++] = text;
}

/* False: a network could not carry it, or there is no room; the command can still be typed. */
static bool add_action(struct card_doc *doc, const char *label, bool ends_row, const char *fmt,
                       va_list args)
{
    char action[CHAT_ACTION_MAX + 1];
    int len = vsnprintf(action, sizeof(action), fmt, args);
    if (len < 0 || len > CHAT_ACTION_MAX || doc->card.button_count == CARD_BUTTONS_MAX)
        return false;
    size_t i = doc->card.button_count++;
    doc->card.buttons[i] =
        (struct chat_button){.label = label, .action = arena_dup(&doc->arena, action)};
    doc->card.ends_row[i] = ends_row;
    return true;
}

void card_button(struct card_doc *doc, const char *lang, const char *label_key, bool ends_row,
                 const char *action_fmt, ...)
{
    va_list args;
    va_start(args, action_fmt);
    add_action(doc, card_text(doc, lang, label_key), ends_row, action_fmt, args);
    va_end(args);
}

void card_choice(struct card_doc *doc, const char *label, const char *action_fmt, ...)
{
    struct card *card = &doc->card;
    size_t last = card->button_count - 1; /* unused when there is none */
    bool goes_on = card->button_count > 0 && card->buttons[last].is_choice;
    bool second = goes_on && !card->ends_row[last];
    if (card->button_count > 0 && !goes_on)
        card->ends_row[last] = true;
    va_list args;
    va_start(args, action_fmt);
    if (add_action(doc, label, second, action_fmt, args))
        card->buttons[card->button_count - 1].is_choice = true;
    va_end(args);
}

void card_button_text(struct card_doc *doc, const char *label, bool ends_row, const char *action)
{
    if (strlen(action) > CHAT_ACTION_MAX || doc->card.button_count == CARD_BUTTONS_MAX)
        return;
    size_t i = doc->card.button_count++;
    doc->card.buttons[i] = (struct chat_button){.label = arena_dup(&doc->arena, label),
                                                .action = arena_dup(&doc->arena, action)};
    doc->card.ends_row[i] = ends_row;
}

void card_copy(struct card_doc *doc, const char *lang, const char *label_key, bool ends_row,
               const char *text)
{
    if (doc->card.button_count == CARD_BUTTONS_MAX)
        return;
    size_t i = doc->card.button_count++;
    doc->card.buttons[i] = (struct chat_button){.label = card_text(doc, lang, label_key),
                                                .copy = arena_dup(&doc->arena, text)};
    doc->card.ends_row[i] = ends_row;
}

void card_link(struct card_doc *doc, const char *lang, const char *label_key, const char *url)
{
    if (doc->card.button_count == CARD_BUTTONS_MAX)
        return;
    size_t i = doc->card.button_count++;
    doc->card.buttons[i] = (struct chat_button){
        .label = card_text(doc, lang, label_key),
        .url = arena_dup(&doc->arena, url),
    };
    doc->card.ends_row[i] = true;
}

const char *card_duration(struct card_doc *doc, const char *lang, int64_t ms)
{
    return card_keep(doc, i18n_duration(lang, ms));
}

const char *card_bytes(struct card_doc *doc, const char *lang, int64_t bytes)
{
    return card_keep(doc, i18n_bytes(lang, bytes));
}

/* Where to cut a text that goes on: before the last word when it is a short way back. */
static size_t excerpt_cut(const char *text, size_t len)
{
    size_t cut = len;
    while (cut > 0 && len - cut < 24 && text[cut - 1] != ' ')
        cut--;
    return cut > 1 && text[cut - 1] == ' ' && cut > len / 2 ? cut - 1 : len;
}

const char *card_excerpt(struct card_doc *doc, const char *text, size_t max)
{
    struct strbuf out = STRBUF(4 * max + 8);
    size_t len = strlen(text), pos = 0, shown = 0;
    bool space = false;
    while (pos < len && shown < max) {
        size_t start = pos;
        int32_t cp = utf8_next(text, len, &pos);
        if (cp == ' ' || cp == '\n' || cp == '\t') {
            space = shown > 0;
            continue;
        }
        if (space)
            strbuf_addc(&out, ' ');
        space = false;
        strbuf_add(&out, text + start, pos - start);
        shown++;
    }
    bool whole = pos >= len || text[pos + strspn(text + pos, " \n\t")] == '\0';
    if (whole)
        return card_keep(doc, strbuf_take(&out));
    bool in_word = text[pos] != ' ' && text[pos] != '\n';
    size_t cut = in_word ? excerpt_cut(strbuf_text(&out), out.len) : out.len;
    const char *kept = arena_printf(&doc->arena, "%.*s…", (int)cut, strbuf_text(&out));
    strbuf_free(&out);
    return kept;
}

const char *card_list(struct card_doc *doc, const char *const *items)
{
    struct strbuf out = STRBUF(8192);
    for (size_t i = 0; items[i]; i++)
        strbuf_addf(&out, "%s%s", i ? ", " : "", items[i]);
    return card_keep(doc, strbuf_take(&out));
}
