#include "adapters/terminal/draw.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <unicode/uchar.h>

#include "core/base/utf8.h"

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

enum { BAR = 24 };

bool draw_is_live(const struct card *card)
{
    return card->percent >= 0 || card->stage_count > 0;
}

static const char *stage_mark(enum card_stage_state state)
{
    switch (state) {
    case STAGE_WAITING:
        return "·";
    case STAGE_RUNNING:
        return "▸";
    case STAGE_DONE:
        return "✓";
    case STAGE_FAILED:
        break;
    }
    return "✗";
}

/* A text of several lines keeps them, each indented. */
static void add_indented(struct strbuf *out, const char *indent, const char *text)
{
    for (;;) {
        size_t len = strcspn(text, "\n");
        strbuf_addf(out, "%s%.*s\n", indent, (int)len, text);
        if (text[len] == '\0')
            return;
        text += len + 1;
    }
}

static void add_bar(struct strbuf *out, const struct card *card)
{
    int full = card->percent * BAR / 100;
    strbuf_adds(out, "  ");
    for (int i = 0; i < BAR; i++)
        strbuf_adds(out, i < full ? "█" : "░");
    strbuf_addf(out, " %d %%", card->percent);
    if (card->eta)
        strbuf_addf(out, "  %s", card->eta);
    strbuf_addc(out, '\n');
}

static void add_buttons(struct strbuf *out, const struct card *card, bool fancy)
{
    for (size_t i = 0; i < card->button_count; i++) {
        const struct chat_button *b = &card->buttons[i];
        const char *what = b->action ? b->action : b->url ? b->url : b->copy;
        strbuf_addf(out, "  %s%s  (%s)%s\n", fancy ? DIM : "", what ? what : "", b->label,
                    fancy ? PLAIN : "");
    }
}

void draw_card(struct strbuf *out, const struct card *card, bool fancy)
{
    if (card->title)
        strbuf_addf(out, "%s%s%s\n", fancy ? BOLD : "", card->title, fancy ? PLAIN : "");
    for (size_t i = 0; i < card->line_count; i++)
        add_indented(out, card->title ? "  " : "", card->lines[i]);
    if (fancy && card->stage_count) {
        strbuf_adds(out, "  ");
        for (size_t i = 0; i < card->stage_count; i++)
            strbuf_addf(out, "%s%s %s", i ? "  " : "", stage_mark(card->stages[i].state),
                        card->stages[i].label);
        strbuf_addc(out, '\n');
    }
    if (fancy && card->percent >= 0)
        add_bar(out, card);
    if (card->picture)
        strbuf_addf(out, "  %s\n", card->picture);
    if (card->file)
        strbuf_addf(out, "  %s\n", card->file);
    add_buttons(out, card, fancy);
}

void draw_progress(struct strbuf *out, const struct card *card)
{
    bool any = false;
    strbuf_addf(out, "[%3d %%]", MAX(card->percent, 0));
    for (size_t i = 0; i < card->stage_count; i++) {
        if (card->stages[i].state != STAGE_RUNNING)
            continue;
        strbuf_addf(out, "%s%s", any ? ", " : " ", card->stages[i].label);
        any = true;
    }
    if (card->eta)
        strbuf_addf(out, "%s%s", any ? " · " : " ", card->eta);
    strbuf_addc(out, '\n');
}

/* OSC 8: terminals that know it make the path clickable, others skip it. */
static void add_path(struct strbuf *out, const char *path, bool fancy)
{
    AUTO(free_ptr) char *real = realpath(path, NULL);
    const char *shown = real ? real : path;
    if (!fancy) {
        strbuf_addf(out, "%s\n", shown);
        return;
    }
    strbuf_adds(out, "\033]8;;file://");
    for (const char *p = shown; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            strchr("/-._~", *p))
            strbuf_addc(out, *p);
        else
            strbuf_addf(out, "%%%02X", (unsigned char)*p);
    }
    strbuf_addf(out, "\033\\%s\033]8;;\033\\\n", shown);
}

void draw_video(struct strbuf *out, const struct chat_video *video, bool fancy)
{
    if (video->caption)
        draw_card(out, video->caption, fancy);
    add_path(out, video->path, fancy);
    if (video->poster && access(video->poster, R_OK) == 0)
        add_path(out, video->poster, fancy);
    if (video->srt && access(video->srt, R_OK) == 0)
        add_path(out, video->srt, fancy);
}

int draw_char_width(int32_t cp)
{
    int wide = u_getIntPropertyValue(cp, UCHAR_EAST_ASIAN_WIDTH);
    int8_t kind = u_charType(cp);
    if (cp < 32 || kind == U_NON_SPACING_MARK || kind == U_ENCLOSING_MARK ||
        kind == U_FORMAT_CHAR || kind == U_CONTROL_CHAR)
        return 0;
    return wide == U_EA_WIDE || wide == U_EA_FULLWIDTH ? 2 : 1;
}

/* Bytes of the escape sequence that starts here, 0 when none does. */
static size_t escape_len(const char *text, size_t len)
{
    if (len < 2 || text[0] != '\033')
        return 0;
    size_t i = 2;
    if (text[1] == '[') {
        while (i < len && (text[i] < '@' || text[i] > '~'))
            i++;
        return MIN(i + 1, len);
    }
    if (text[1] == ']') {
        while (i + 1 < len && !(text[i] == '\033' && text[i + 1] == '\\'))
            i++;
        return MIN(i + 2, len);
    }
    return 2;
}

/* Goes as far as `columns` reach; escapes take none. */
static size_t walk(const char *text, size_t len, int columns, int *ret_used)
{
    size_t pos = 0;
    int used = 0;
    while (pos < len) {
        size_t escape = escape_len(text + pos, len - pos);
        if (escape) {
            pos += escape;
            continue;
        }
        size_t next = pos;
        int width = draw_char_width(utf8_next(text, len, &next));
        if (used + width > columns)
            break;
        used += width;
        pos = next;
    }
    *ret_used = used;
    return pos;
}

size_t draw_fit(const char *text, size_t len, int columns)
{
    int used;
    return walk(text, len, columns, &used);
}

int draw_width(const char *text, size_t len)
{
    int used;
    walk(text, len, INT_MAX / 2, &used);
    return used;
}

/* Bytes of the next row of a line: up to the last space that fits, else as much as fits. */
static size_t row_len(const char *text, size_t len, int columns)
{
    size_t fit = draw_fit(text, len, columns);
    if (fit >= len || fit == 0)
        return fit ? fit : len;
    size_t cut = fit;
    if (text[cut] != ' ')
        while (cut > 0 && text[cut - 1] != ' ')
            cut--;
    /* A text without spaces (Chinese, a path) is cut where it has to be. */
    return cut * 2 > fit ? cut : fit;
}

void draw_wrapped(struct strbuf *out, const char *text, int columns)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        size_t indent = MIN(strspn(text, " "), (size_t)columns / 2);
        const char *rest = text;
        size_t left = len;
        for (bool first = true; first || left > 0; first = false) {
            int room = columns - (first ? 0 : (int)indent);
            size_t row = row_len(rest, left, room);
            strbuf_addf(out, "%*s%.*s\n", first ? 0 : (int)indent, "", (int)row, rest);
            rest += row;
            left -= row;
            while (left > 0 && *rest == ' ') {
                rest++;
                left--;
            }
        }
        text += len + (text[len] == '\n');
    }
}
