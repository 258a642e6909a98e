#include "adapters/terminal/edit.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "adapters/terminal/draw.h"
#include "core/base/utf8.h"

enum { HISTORY_LINES = 500, HISTORY_LINE_MAX = 4096, KEYS = 4096 };

struct edit {
    struct screen *screen;
    int in_fd, wake_fd;
    FILE *in, *out, *err;
    EditLine *el;
    History *history;
    char *history_path;
    const char *prompt;
    char *line;
    locale_t locale; /* libedit turns characters into bytes by it */
    bool stopped;
    int columns;
    unsigned char keys[KEYS];
    size_t key_at, key_count;
};

static char *prompt_text(EditLine *el)
{
    void *edit = NULL;
    el_get(el, EL_CLIENTDATA, &edit);
    return (char *)((struct edit *)edit)->prompt;
}

/* Waits for bytes with the screen free for others. False: end of input, or stop. */
static bool fill_keys(struct edit *edit)
{
    struct pollfd fds[2] = {
        {.fd = edit->in_fd,   .events = POLLIN},
        {.fd = edit->wake_fd, .events = POLLIN}
    };
    ssize_t n = -1;
    screen_unlock(edit->screen);
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents) {
            edit->stopped = true;
            break;
        }
        if (!fds[0].revents)
            continue;
        n = read(edit->in_fd, edit->keys, sizeof(edit->keys));
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            break;
    }
    screen_lock(edit->screen);
    edit->key_at = 0;
    edit->key_count = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool next_byte(struct edit *edit, unsigned char *ret)
{
    if (edit->key_at == edit->key_count && !fill_keys(edit))
        return false;
    *ret = edit->keys[edit->key_at++];
    return true;
}

/* libedit asks for one character: 1 = there, 0 = end. */
static int read_key(EditLine *el, wchar_t *ret)
{
    void *data = NULL;
    el_get(el, EL_CLIENTDATA, &data);
    struct edit *edit = data;
    char bytes[4];
    unsigned char byte = 0;
    if (!next_byte(edit, &byte))
        return 0;
    size_t need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    bytes[0] = (char)byte;
    for (size_t i = 1; i < need; i++) {
        if (!next_byte(edit, &byte))
            return 0;
        bytes[i] = (char)byte;
    }
    size_t pos = 0;
    *ret = (wchar_t)utf8_next(bytes, need, &pos);
    return 1;
}

static int text_width(const wchar_t *from, const wchar_t *to)
{
    int used = 0;
    for (; from < to; from++)
        used += *from < 32 || *from == 127 ? 2 : draw_char_width(*from); /* ^X */
    return used;
}

static int cursor_row(void *ctx)
{
    struct edit *edit = ctx;
    const LineInfoW *info = el_wline(edit->el);
    int used =
        draw_width(edit->prompt, strlen(edit->prompt)) + text_width(info->buffer, info->cursor);
    return used / MAX(screen_columns(edit->screen), 1);
}

static void redraw(void *ctx)
{
    struct edit *edit = ctx;
    int columns = screen_columns(edit->screen);
    if (columns != edit->columns)
        el_resize(edit->el);
    edit->columns = columns;
    locale_t before = uselocale(edit->locale);
    el_set(edit->el, EL_REFRESH);
    fflush(edit->out);
    uselocale(before);
}

static void history_open(struct edit *edit, const char *path)
{
    HistEvent event;
    edit->history = history_init();
    if (!edit->history)
        return;
    history(edit->history, &event, H_SETSIZE, HISTORY_LINES);
    history(edit->history, &event, H_SETUNIQUE, 1);
    el_set(edit->el, EL_HIST, history, edit->history);
    if (path) {
        edit->history_path = str_dup(path);
        history(edit->history, &event, H_LOAD, path);
    }
}

bool edit_create(struct screen *screen, int in_fd, int wake_fd, const char *history_path,
                 struct edit **ret, struct err *e)
{
    struct edit *edit = calloc(1, sizeof(*edit));
    if (!edit)
        return err_set(e, ERR_INTERNAL, "error.internal", "line editor: no memory");
    *edit = (struct edit){.screen = screen, .in_fd = in_fd, .wake_fd = wake_fd, .prompt = "> "};
    edit->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    int in = dup(in_fd), out = dup(screen->fd), err = dup(screen->fd);
    edit->in = in >= 0 ? fdopen(in, "r") : NULL;
    edit->out = out >= 0 ? fdopen(out, "w") : NULL;
    edit->err = err >= 0 ? fdopen(err, "w") : NULL;
    locale_t before = edit->locale ? uselocale(edit->locale) : NULL;
    if (edit->in && edit->out && edit->err && edit->locale)
        edit->el = el_init("nanotik", edit->in, edit->out, edit->err);
    if (before)
        uselocale(before);
    if (!edit->el) {
        edit_destroy(edit);
        return err_set(e, ERR_INTERNAL, "error.internal", "line editor: %m");
    }
    el_set(edit->el, EL_CLIENTDATA, edit);
    el_set(edit->el, EL_PROMPT, prompt_text);
    el_set(edit->el, EL_EDITOR, "emacs");
    el_set(edit->el, EL_SIGNAL, 0);
    el_set(edit->el, EL_GETCFN, read_key);
    /* Between two lines, too, keys come one by one and are not echoed: a Ctrl-D typed ahead would
       otherwise arrive as a NUL, and an echo would stand in the middle of a card. */
    el_set(edit->el, EL_SETTY, "-x", "-icanon", "-echo", NULL);
    el_set(edit->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    history_open(edit, history_path);
    edit->columns = screen_columns(screen);
    screen->cursor_row = cursor_row;
    screen->redraw = redraw;
    screen->ctx = edit;
    *ret = edit;
    return true;
}

/* The typed line moves up, above the cards that still change. */
static void settle_line(struct edit *edit, const char *line)
{
    struct screen *s = edit->screen;
    int columns = MAX(screen_columns(s), 1);
    int width = draw_width(edit->prompt, strlen(edit->prompt)) + draw_width(line, strlen(line));
    s->prompt = false;
    if (s->live_rows == 0)
        return;
    s->live_rows += width / columns + 1; /* the prompt's rows; the cursor is below them */
    screen_wipe(s);
    AUTO(free_ptr) char *echo = str_printf("%s%s\n", edit->prompt, line);
    screen_print(s, echo);
}

enum lines_result edit_line(struct edit *edit, const char *prompt, char **ret_line)
{
    int count = 0;
    edit->prompt = prompt;
    edit->screen->prompt = true;
    locale_t before = uselocale(edit->locale);
    const char *typed = el_gets(edit->el, &count);
    uselocale(before);
    if (!typed || count <= 0) {
        edit->screen->prompt = false;
        return edit->stopped ? LINES_STOPPED : LINES_END;
    }
    free(edit->line);
    edit->line = str_dup(typed);
    edit->line[strcspn(edit->line, "\n")] = '\0';
    settle_line(edit, edit->line);
    size_t len = strlen(edit->line);
    if (edit->history && len > 0 && len < HISTORY_LINE_MAX) {
        HistEvent event;
        history(edit->history, &event, H_ENTER, edit->line);
    }
    *ret_line = edit->line;
    return LINES_ONE;
}

void edit_forget(struct edit *edit)
{
    HistEvent event;
    if (edit->history)
        history(edit->history, &event, H_CLEAR);
    if (edit->history_path)
        unlink(edit->history_path);
}

void edit_destroy(struct edit *edit)
{
    if (!edit)
        return;
    HistEvent event;
    if (edit->history && edit->history_path)
        history(edit->history, &event, H_SAVE, edit->history_path);
    if (edit->el)
        el_end(edit->el);
    if (edit->history)
        history_end(edit->history);
    if (edit->in)
        fclose(edit->in);
    if (edit->out)
        fclose(edit->out);
    if (edit->err)
        fclose(edit->err);
    edit->screen->prompt = false;
    edit->screen->cursor_row = NULL;
    if (edit->locale)
        freelocale(edit->locale);
    free(edit->history_path);
    free(edit->line);
    free(edit);
}
