#include "adapters/terminal/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "adapters/terminal/draw.h"

enum { DRAWN_MAX = 2 * DRAW_MAX }; /* wrapped, with carriage returns */

void screen_init(struct screen *s, int fd, bool fancy)
{
    *s = (struct screen){.fd = fd, .fancy = fancy};
    pthread_mutex_init(&s->lock, NULL);
}

void screen_free(struct screen *s)
{
    for (size_t i = 0; i < s->card_count; i++)
        free(s->cards[i].text);
    s->card_count = 0;
    pthread_mutex_destroy(&s->lock);
}

void screen_lock(struct screen *s)
{
    pthread_mutex_lock(&s->lock);
}

void screen_unlock(struct screen *s)
{
    pthread_mutex_unlock(&s->lock);
}

static void window(const struct screen *s, int *ret_rows, int *ret_columns)
{
    struct winsize size = {0};
    bool known = ioctl(s->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *ret_rows = known ? size.ws_row : 24;
    *ret_columns = known ? size.ws_col : 80;
}

int screen_columns(const struct screen *s)
{
    int rows = 0, columns = 0;
    window(s, &rows, &columns);
    return columns;
}

static void put(struct screen *s, const char *text, size_t len)
{
    while (len > 0 && !s->broken) {
        ssize_t n = write(s->fd, text, len);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = s->fd, .events = POLLOUT};
            poll(&pfd, 1, 100);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            s->broken = true;
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

/* On a terminal in raw mode a line feed alone would not go back to the first column. */
static void put_lines(struct screen *s, const char *text)
{
    if (!s->fancy) {
        put(s, text, strlen(text));
        return;
    }
    struct strbuf out = STRBUF(DRAWN_MAX);
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            strbuf_addc(&out, '\r');
        strbuf_addc(&out, *p);
    }
    put(s, strbuf_text(&out), out.len);
    strbuf_free(&out);
}

void screen_wipe(struct screen *s)
{
    if (!s->fancy)
        return;
    int up = s->live_rows + (s->prompt ? s->cursor_row(s->ctx) : 0);
    char text[32];
    int len = up > 0 ? snprintf(text, sizeof(text), "\r\033[%dA\033[J", up)
                     : snprintf(text, sizeof(text), "\r\033[J");
    put(s, text, (size_t)len);
    s->live_rows = 0;
}

/* The lines of one card, cut to the width; returns how many. */
static int add_live(struct strbuf *out, const char *text, int columns, int rows)
{
    int used = 0;
    while (*text && used < rows) {
        size_t len = strcspn(text, "\n");
        size_t fit = draw_fit(text, len, columns - 1);
        strbuf_add(out, text, fit);
        strbuf_adds(out, fit < len ? "\033[0m\n" : "\n");
        text += len + (text[len] == '\n');
        used++;
    }
    return used;
}

static void draw(struct screen *s)
{
    if (!s->fancy)
        return;
    int rows = 0, columns = 0;
    window(s, &rows, &columns);
    struct strbuf out = STRBUF(DRAW_MAX);
    for (size_t i = 0; i < s->card_count; i++)
        if (s->cards[i].live && s->cards[i].text)
            s->live_rows +=
                add_live(&out, s->cards[i].text, columns, MAX(rows - 4 - s->live_rows, 0));
    put_lines(s, strbuf_text(&out));
    strbuf_free(&out);
    if (s->prompt)
        s->redraw(s->ctx);
}

void screen_print(struct screen *s, const char *text)
{
    screen_wipe(s);
    put_lines(s, text);
    draw(s);
}

static struct screen_card *card_find(struct screen *s, const char *ref)
{
    for (size_t i = 0; i < s->card_count; i++)
        if (strcmp(s->cards[i].ref, ref) == 0)
            return &s->cards[i];
    return NULL;
}

static struct screen_card *card_new(struct screen *s, const char *ref)
{
    if (s->card_count == SCREEN_CARDS) {
        /* The oldest that does not move any more goes; if all move, the oldest. */
        size_t drop = 0;
        while (drop + 1 < SCREEN_CARDS && s->cards[drop].live)
            drop++;
        if (s->cards[drop].live)
            drop = 0;
        free(s->cards[drop].text);
        memmove(&s->cards[drop], &s->cards[drop + 1],
                (SCREEN_CARDS - drop - 1) * sizeof(s->cards[0]));
        s->card_count--;
    }
    struct screen_card *card = &s->cards[s->card_count++];
    *card = (struct screen_card){.percent_told = -1};
    str_copy(card->ref, sizeof(card->ref), ref);
    return card;
}

static unsigned stages_of(const struct card *card)
{
    unsigned all = 0;
    for (size_t i = 0; i < card->stage_count; i++)
        all = all * 4 + (unsigned)card->stages[i].state;
    return all;
}

/* Plain output: only what is worth a line. */
static void tell_progress(struct screen *s, struct screen_card *card, const struct card *now)
{
    int quarter = MAX(now->percent, 0) / 25;
    unsigned stages = stages_of(now);
    if (card->percent_told == quarter && card->stages_told == stages)
        return;
    card->percent_told = quarter;
    card->stages_told = stages;
    struct strbuf out = STRBUF(DRAW_MAX);
    draw_progress(&out, now);
    put_lines(s, strbuf_text(&out));
    strbuf_free(&out);
}

static void show(struct screen *s, struct screen_card *card, const struct card *now)
{
    struct strbuf out = STRBUF(DRAW_MAX);
    draw_card(&out, now, s->fancy);
    screen_wipe(s);
    free(card->text);
    card->text = NULL;
    if (card->live && s->fancy) {
        card->text = str_dup(strbuf_text(&out));
    } else if (s->fancy) {
        struct strbuf wrapped = STRBUF(DRAWN_MAX);
        draw_wrapped(&wrapped, strbuf_text(&out), screen_columns(s) - 1);
        put_lines(s, strbuf_text(&wrapped));
        strbuf_free(&wrapped);
    } else {
        put_lines(s, strbuf_text(&out));
    }
    draw(s);
    strbuf_free(&out);
}

void screen_add(struct screen *s, const char *ref, const struct card *card)
{
    struct screen_card *kept = card_new(s, ref);
    kept->live = draw_is_live(card);
    kept->stages_told = stages_of(card);
    kept->percent_told = MAX(card->percent, 0) / 25;
    show(s, kept, card);
}

bool screen_change(struct screen *s, const char *ref, const struct card *card)
{
    struct screen_card *kept = card_find(s, ref);
    if (!kept)
        return false;
    bool was_live = kept->live;
    kept->live = draw_is_live(card);
    if (!s->fancy && was_live && kept->live)
        tell_progress(s, kept, card);
    else
        show(s, kept, card);
    return true;
}

bool screen_end_card(struct screen *s, const char *ref)
{
    struct screen_card *card = card_find(s, ref);
    if (!card)
        return false;
    screen_wipe(s);
    free(card->text);
    card->text = NULL;
    card->live = false;
    draw(s);
    return true;
}
