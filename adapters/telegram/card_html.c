#include "adapters/telegram/card_html.h"

#include "adapters/telegram/utf16.h"
#include "core/net/json.h"
#include "core/port/card_text.h"

enum {
    TITLE_UNITS = 256,
    STAGE_UNITS = 60,
    ETA_UNITS = 80,
    LABEL_UNITS = 48,
};

struct page {
    struct strbuf *out;
    int64_t left; /* units that may still be added */
    bool plain;
};

/* Never leaves a joiner, a variation mark or half a flag hanging: looks back to a blank if one is
   near, else drops what cannot stand alone. */
static size_t cut_nicely(const char *text, size_t len)
{
    for (size_t back = 0; back < 24 && back < len; back++)
        if (text[len - back - 1] == ' ' || text[len - back - 1] == '\n')
            return len - back - 1;
    while (len > 3 && memcmp(text + len - 3, "\xe2\x80\x8d", 3) == 0)
        len -= 3;
    return len;
}

static void put_escaped(struct page *p, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (p->plain || (c != '&' && c != '<' && c != '>'))
            strbuf_addc(p->out, c);
        else
            strbuf_adds(p->out, c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;");
    }
}

static void put_raw(struct page *p, const char *text)
{
    strbuf_adds(p->out, text);
    p->left -= tg_utf16_units(text, strlen(text));
}

static void put_tag(struct page *p, const char *tag)
{
    if (!p->plain)
        strbuf_adds(p->out, tag);
}

/* At most `units` of the text, with an ellipsis when it was cut. */
static void put_text(struct page *p, const char *text, int64_t units)
{
    size_t len = strlen(text);
    int64_t need = tg_utf16_units(text, len);
    units = MIN(units, p->left);
    if (need <= units) {
        put_escaped(p, text, len);
        p->left -= need;
        return;
    }
    if (units < 2)
        return;
    size_t cut = cut_nicely(text, tg_utf16_bytes(text, units - 1));
    put_escaped(p, text, cut);
    p->left -= tg_utf16_units(text, cut);
    put_raw(p, "…");
}

static void put_break(struct page *p)
{
    if (p->out->len > 0 && p->left > 0)
        put_raw(p, "\n");
}

static void put_stages(struct page *p, const struct card *card)
{
    for (size_t i = 0; i < MIN(card->stage_count, CARD_STAGES_MAX); i++) {
        put_break(p);
        put_raw(p, card_stage_mark(card->stages[i].state));
        put_text(p, card->stages[i].label, STAGE_UNITS);
    }
}

static void put_progress(struct page *p, const struct card *card)
{
    if (card->percent >= 0) {
        char bar[CARD_BAR_TEXT];
        card_bar(card->percent, bar);
        put_break(p);
        put_raw(p, bar);
    }
    if (card->eta && *card->eta) {
        if (card->percent >= 0)
            put_raw(p, " · ");
        else
            put_break(p);
        put_text(p, card->eta, ETA_UNITS);
    }
}

/* What stages and progress will take: kept free while the lines are written. */
static int64_t tail_units(const struct card *card)
{
    int64_t units = 0;
    for (size_t i = 0; i < MIN(card->stage_count, CARD_STAGES_MAX); i++)
        units += 5 + MIN(STAGE_UNITS, (int64_t)strlen(card->stages[i].label));
    if (card->percent >= 0)
        units += 24;
    if (card->eta)
        units += ETA_UNITS + 4;
    return units;
}

void tg_card_text(struct strbuf *out, const struct card *card, int64_t max_units, bool plain)
{
    strbuf_reset(out);
    struct page p = {.out = out, .left = max_units - tail_units(card), .plain = plain};
    if (card->title && *card->title) {
        put_tag(&p, "<b>");
        put_text(&p, card->title, TITLE_UNITS);
        put_tag(&p, "</b>");
    }
    for (size_t i = 0; i < MIN(card->line_count, CARD_LINES_MAX) && p.left > 1; i++) {
        put_break(&p);
        put_text(&p, card->lines[i], p.left);
    }
    p.left += tail_units(card);
    put_stages(&p, card);
    put_progress(&p, card);
    if (out->len == 0 && !out->failed)
        strbuf_adds(out, "…"); /* an empty text would be refused */
}

/* --- keyboard --- */

static bool put_button(struct strbuf *out, const struct chat_button *b)
{
    const char *kind = b->action ? "callback_data" : b->url ? "url" : "copy_text";
    const char *value = b->action ? b->action : b->url ? b->url : b->copy;
    size_t len = value ? strlen(value) : 0;
    bool fits = b->action ? len <= CHAT_ACTION_MAX : b->url ? len <= 2048 : len <= 256;
    if (len == 0 || !fits || !b->label || !*b->label)
        return false;
    AUTO(strbuf_free) struct strbuf label = STRBUF(1024);
    struct page p = {.out = &label, .left = LABEL_UNITS, .plain = true};
    put_text(&p, b->label, LABEL_UNITS);
    strbuf_adds(out, "{\"text\":");
    json_put_text(out, strbuf_text(&label));
    strbuf_addf(out, b->action || b->url ? ",\"%s\":" : ",\"%s\":{\"text\":", kind);
    json_put_text(out, value);
    strbuf_adds(out, b->action || b->url ? "}" : "}}");
    return true;
}

void tg_card_keyboard(struct strbuf *out, const struct card *card)
{
    strbuf_adds(out, "{\"inline_keyboard\":[");
    bool row_open = false, any_row = false;
    for (size_t i = 0; i < MIN(card->button_count, CARD_BUTTONS_MAX); i++) {
        size_t mark = out->len;
        if (row_open)
            strbuf_addc(out, ',');
        else
            strbuf_adds(out, any_row ? ",[" : "[");
        if (put_button(out, &card->buttons[i])) {
            row_open = any_row = true;
        } else if (!out->failed) { /* a button that cannot be shown leaves no hole */
            out->len = mark;
            out->text[mark] = '\0';
        }
        if (card->ends_row[i] && row_open) {
            strbuf_addc(out, ']');
            row_open = false;
        }
    }
    if (row_open)
        strbuf_addc(out, ']');
    strbuf_adds(out, "]}");
}
