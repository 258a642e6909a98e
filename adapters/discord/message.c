/* Cards as messages: Discord's markdown, rows of buttons, nobody pinged but who is meant. */
#include "adapters/discord/discord_internal.h"
#include "core/base/utf8.h"
#include "core/net/json.h"
#include "core/port/card_text.h"

enum {
    CONTENT_UNITS = 1990, /* of 2000 UTF-16 units */
    LAST_UNITS = 300,
    TITLE_UNITS = 256,
    LABEL_UNITS = 80,
    OPTION_UNITS = 100,
    OPTIONS_MAX = 25,
    SELECT_MIN = 3, /* fewer stay buttons */
    URL_MAX = 512,
    ROWS_MAX = 5,
    ROW_MAX = 5,
};

struct page {
    struct strbuf text;
    int left; /* UTF-16 units */
};

static int units_of(int32_t cp)
{
    return cp > 0xffff ? 2 : 1;
}

static bool is_markup(int32_t c)
{
    return c == '*' || c == '_' || c == '~' || c == '|' || c == '<' || c == '[' || c == '`' ||
           c == '\\';
}

static void put_raw(struct page *p, const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;)
        p->left -= units_of(utf8_next(text, len, &at));
    strbuf_adds(&p->text, text);
}

static bool starts_link(const char *text)
{
    return str_starts(text, "http://") || str_starts(text, "https://");
}

/* What Discord too takes for a part of a link; whatever else comes is text again. */
static bool in_link(int32_t c)
{
    return c > ' ' && c < 0x7f && !strchr("<>[]|\\`\"", (int)c);
}

/* Bytes of the code span that begins here, marks included; 0: none. Only what Discord reads as one in
   any case, so that a single mark in somebody's topic does not turn the rest into anything. */
static size_t code_span(const char *text)
{
    if (text[0] != '`' || text[1] == '`')
        return 0;
    size_t len = strcspn(text + 1, "`\n");
    bool closed = len > 0 && text[1 + len] == '`' && text[2 + len] != '`';
    return closed ? len + 2 : 0;
}

/* The text with its markup made harmless, except code spans (the catalog's) and links; at most
   `units`, with an ellipsis when cut. */
static void put_text(struct page *p, const char *text, int units)
{
    size_t len = strlen(text), code_from = 0, code_to = 0;
    bool link = false, line_start = true;
    int end = p->left - MIN(units, p->left);
    for (size_t at = 0; at < len;) {
        size_t before = at;
        if (before >= code_to) {
            code_from = before;
            code_to = before + code_span(text + before);
        }
        int32_t c = utf8_next(text, len, &at);
        bool code = before < code_to;
        link = in_link(c) && (link || starts_link(text + before));
        bool quoted = line_start && (c == '#' || c == '>' || c == '-');
        bool escape = !code && !link && (is_markup(c) || quoted);
        if (p->left - units_of(c) - escape - 1 < end) {
            put_raw(p, code && before > code_from ? "`…" : "…");
            return;
        }
        if (escape)
            put_raw(p, "\\");
        strbuf_add(&p->text, text + before, at - before);
        p->left -= units_of(c);
        line_start = c == '\n';
    }
}

static void put_break(struct page *p)
{
    if (p->text.len > 0)
        put_raw(p, "\n");
}

static void put_progress(struct page *p, const struct card *card)
{
    for (size_t i = 0; i < MIN(card->stage_count, CARD_STAGES_MAX); i++) {
        put_break(p);
        put_raw(p, card_stage_mark(card->stages[i].state));
        put_text(p, card->stages[i].label, 60);
    }
    if (card->percent >= 0) {
        char bar[CARD_BAR_TEXT];
        card_bar(card->percent, bar);
        put_break(p);
        put_raw(p, bar);
    }
    if (card->eta && *card->eta) {
        put_raw(p, card->percent >= 0 ? " · " : "\n");
        put_text(p, card->eta, 80);
    }
}

/* Discord has no button that fills the clipboard: what it would hold is shown as code. */
static void put_copies(struct page *p, const struct card *card)
{
    for (size_t i = 0; i < MIN(card->button_count, CARD_BUTTONS_MAX); i++)
        if (!card->buttons[i].action && !card->buttons[i].url && card->buttons[i].copy) {
            put_break(p);
            put_raw(p, "`");
            strbuf_adds(&p->text, card->buttons[i].copy);
            p->left -= (int)strlen(card->buttons[i].copy);
            put_raw(p, "`");
        }
}

static void put_content(struct page *p, const struct card *card, const char *mention)
{
    if (*mention) {
        put_raw(p, "<@");
        put_raw(p, mention);
        put_raw(p, ">");
    }
    if (card->title && *card->title) {
        put_break(p);
        put_raw(p, "**");
        put_text(p, card->title, TITLE_UNITS);
        put_raw(p, "**");
    }
    int tail = 400 + (int)card->stage_count * 64;
    for (size_t i = 0; i < MIN(card->line_count, CARD_LINES_MAX) && p->left > tail; i++) {
        put_break(p);
        put_text(p, card->lines[i], p->left - tail);
    }
    put_copies(p, card);
    put_progress(p, card);
    if (p->text.len == 0)
        put_raw(p, "…"); /* an empty message is refused */
}

void dc_put_plain(struct strbuf *out, const char *text, int units)
{
    size_t len = strlen(text), end = 0;
    for (size_t at = 0; at < len; end = at) {
        units -= units_of(utf8_next(text, len, &at));
        if (units < 0)
            break;
    }
    AUTO(strbuf_free) struct strbuf cut = STRBUF(1024);
    strbuf_add(&cut, text, end);
    json_put_text(out, strbuf_text(&cut));
}

static bool acts(const struct chat_button *b)
{
    return b->label && *b->label && b->action && *b->action && strlen(b->action) <= CHAT_ACTION_MAX;
}

static bool put_button(struct discord *d, struct strbuf *out, const struct chat_button *b, int nth,
                       bool first)
{
    char custom[DC_CUSTOM_MAX + 1];
    bool link = !b->action && b->label && *b->label && b->url && starts_link(b->url) &&
                strlen(b->url) <= URL_MAX;
    if (!link && !acts(b))
        return false;
    strbuf_addf(out, "{\"type\":2,\"style\":%d,\"label\":", link ? 5 : first ? 1 : 2);
    dc_put_plain(out, b->label, LABEL_UNITS);
    if (!link)
        dc_sign(d->key, b->action, nth, custom);
    strbuf_adds(out, link ? ",\"url\":" : ",\"custom_id\":");
    json_put_text(out, link ? b->url : custom);
    strbuf_addc(out, '}');
    return true;
}

/* How many choices of one command stand together from here. */
static size_t choices_from(const struct card *card, size_t at)
{
    size_t n = 0, count = MIN(card->button_count, CARD_BUTTONS_MAX);
    const char *first = card->buttons[at].action;
    while (at + n < count && n < OPTIONS_MAX) {
        const struct chat_button *b = &card->buttons[at + n];
        size_t word = acts(b) && b->is_choice ? strcspn(b->action, " ") : 0;
        if (word == 0 || strncmp(b->action, first, word + 1) != 0)
            break;
        n++;
    }
    return n;
}

/* A menu: each option's value is the signed action of its button. */
static void put_select(struct discord *d, struct strbuf *out, const struct card *card, size_t at,
                       size_t count)
{
    char custom[DC_CUSTOM_MAX + 1];
    dc_sign(d->key, "=", (int)at, custom);
    strbuf_adds(out, "{\"type\":1,\"components\":[{\"type\":3,\"custom_id\":");
    json_put_text(out, custom);
    strbuf_adds(out, ",\"options\":[");
    for (size_t i = at; i < at + count; i++) {
        dc_sign(d->key, card->buttons[i].action, (int)i, custom);
        strbuf_adds(out, i > at ? ",{\"label\":" : "{\"label\":");
        dc_put_plain(out, card->buttons[i].label, OPTION_UNITS);
        strbuf_adds(out, ",\"value\":");
        json_put_text(out, custom);
        strbuf_addc(out, '}');
    }
    strbuf_adds(out, "]}]}");
}

/* The next button, in the row that is open or in a new one; how many are in the row then. */
static int put_in_row(struct discord *d, struct strbuf *out, const struct card *card, size_t i,
                      int row, bool any_row)
{
    size_t mark = out->len;
    if (row > 0)
        strbuf_addc(out, ',');
    else
        strbuf_adds(out,
                    any_row ? ",{\"type\":1,\"components\":[" : "{\"type\":1,\"components\":[");
    if (put_button(d, out, &card->buttons[i], (int)i, !any_row && row == 0)) {
        row++;
    } else if (!out->failed) { /* a button that cannot be shown leaves no hole */
        out->len = mark;
        out->text[mark] = '\0';
    }
    if (row == 0 || (!card->ends_row[i] && row < ROW_MAX))
        return row;
    strbuf_adds(out, "]}");
    return 0;
}

static void put_components(struct discord *d, struct strbuf *out, const struct card *card)
{
    int row = 0, rows = 0;
    size_t count = MIN(card->button_count, CARD_BUTTONS_MAX);
    strbuf_adds(out, ",\"components\":[");
    for (size_t i = 0; i < count && (rows < ROWS_MAX || row > 0);) {
        size_t n = choices_from(card, i);
        if (n >= SELECT_MIN) {
            if (row > 0)
                strbuf_adds(out, "]}");
            row = 0;
            if (rows == ROWS_MAX)
                break;
            if (rows++ > 0)
                strbuf_addc(out, ',');
            put_select(d, out, card, i, n);
            i += n;
            continue;
        }
        size_t before = out->len;
        bool opens = row == 0;
        row = put_in_row(d, out, card, i, row, rows > 0);
        rows += opens && out->len > before;
        i++;
    }
    if (row > 0)
        strbuf_adds(out, "]}");
    strbuf_addc(out, ']');
}

void dc_put_message(struct discord *d, struct strbuf *out, const struct card *card,
                    const char *mention, const char *last, int flags)
{
    int reserve = *last ? LAST_UNITS : 0;
    struct page p = {.text = STRBUF(32768), .left = CONTENT_UNITS - reserve};
    put_content(&p, card, mention);
    p.left += reserve;
    if (*last) {
        put_break(&p);
        put_text(&p, last, LAST_UNITS);
    }
    strbuf_adds(out, "{\"content\":");
    json_put_text(out, strbuf_text(&p.text));
    strbuf_free(&p.text);
    strbuf_adds(out, ",\"allowed_mentions\":{\"parse\":[]");
    if (*mention)
        strbuf_addf(out, ",\"users\":[\"%s\"]", mention);
    strbuf_addc(out, '}');
    put_components(d, out, card);
    if (flags >= 0)
        strbuf_addf(out, ",\"flags\":%d", flags);
}

void dc_nonce(char ret[static DC_NONCE_SIZE], const char *a, const char *b)
{
    struct hash h;
    char hex[HASH_HEX];
    hash_begin(&h, "discord-nonce");
    hash_text(&h, "a", a);
    hash_text(&h, "b", b);
    hash_end(&h, hex);
    snprintf(ret, DC_NONCE_SIZE, "%.24s", hex);
}

const struct chat_menu *dc_menu(const struct discord *d, const char *lang)
{
    for (size_t i = 0; i < d->o.menu_count; i++)
        if (strncmp(d->o.menus[i].lang, lang, 2) == 0 && strlen(lang) >= 2)
            return &d->o.menus[i];
    return d->o.menu_count ? &d->o.menus[0] : NULL;
}
