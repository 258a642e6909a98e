#define LOG_MODULE "terminal"
#include "adapters/terminal/terminal.h"

#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "adapters/terminal/draw.h"
#include "adapters/terminal/edit.h"
#include "adapters/terminal/expand.h"
#include "adapters/terminal/lines.h"
#include "adapters/terminal/media.h"
#include "adapters/terminal/screen.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"

enum { OFFER_AGAIN_MS = 500, LIVE_EDIT_MS = 250, PLAIN_EDIT_MS = 500 };

struct terminal {
    struct screen screen;
    struct lines lines; /* plain input */
    struct edit *edit;  /* interactive input */
    int in_fd, wake_fd;
    bool interactive, greet;
    char lang[36], user_id[64], session[UUID_TEXT];
    char *history_path;
    struct chat_abilities abilities;
    atomic_bool stopping;
    atomic_ullong events, refs;
    chat_events_fn *on_events;
    void *ctx;
};

/* One per process: what a fatal signal has to put back. */
static struct termios saved_modes;
static volatile sig_atomic_t saved_fd = -1;

void terminal_restore(void)
{
    if (saved_fd >= 0)
        tcsetattr(saved_fd, TCSANOW, &saved_modes);
}

bool terminal_is_interactive(const struct terminal_options *o)
{
    const char *term = getenv("TERM");
    return isatty(o->in_fd) && isatty(o->out_fd) && !(term && strcmp(term, "dumb") == 0);
}

static const struct chat_abilities *terminal_abilities(void *self)
{
    return &((struct terminal *)self)->abilities;
}

static void terminal_stop(void *self)
{
    struct terminal *t = self;
    uint64_t one = 1;
    atomic_store(&t->stopping, true);
    if (write(t->wake_fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: it is readable already */
}

/* Nobody reads what we say: there is no chat any more. */
static bool check_output(struct terminal *t, struct err *e)
{
    if (!t->screen.broken)
        return true;
    terminal_stop(t);
    return err_set(e, ERR_RETRY, "error.network", "the terminal's output is closed");
}

static void new_ref(struct terminal *t, char ret_ref[CHAT_REF_MAX])
{
    snprintf(ret_ref, CHAT_REF_MAX, "%s:%llu", t->session, atomic_fetch_add(&t->refs, 1) + 1);
}

static bool terminal_send(void *self, const struct chat_addr *to, const struct card *card,
                          char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct terminal *t = self;
    (void)to;
    new_ref(t, ret_ref);
    screen_lock(&t->screen);
    screen_add(&t->screen, ret_ref, card);
    bool ok = check_output(t, e);
    screen_unlock(&t->screen);
    return ok;
}

static bool terminal_edit(void *self, const struct chat_addr *to, const char *ref,
                          const struct card *card, struct err *e)
{
    struct terminal *t = self;
    (void)to;
    screen_lock(&t->screen);
    bool found = screen_change(&t->screen, ref, card);
    bool ok = check_output(t, e);
    screen_unlock(&t->screen);
    if (ok && !found)
        return err_set(e, ERR_NOT_FOUND, "error.internal", "card %s is not on this terminal", ref);
    return ok;
}

static bool terminal_deliver(void *self, const struct chat_addr *to, const char *ref,
                             const struct chat_video *video, const struct cancel *cancel,
                             char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct terminal *t = self;
    struct strbuf out = STRBUF(DRAW_MAX);
    (void)to;
    (void)cancel;
    draw_video(&out, video, t->screen.fancy);
    screen_lock(&t->screen);
    /* A card of an earlier terminal is gone; the film is told all the same. */
    if (!ref[0] || !screen_end_card(&t->screen, ref))
        new_ref(t, ret_ref);
    else
        str_copy(ret_ref, CHAT_REF_MAX, ref);
    screen_print(&t->screen, strbuf_text(&out));
    bool ok = check_output(t, e);
    screen_unlock(&t->screen);
    strbuf_free(&out);
    return ok;
}

/* --- what was typed --- */

/* Offers the event until it is stored. False: we have to stop. */
static bool offer(struct terminal *t, struct chat_event *event)
{
    char id[64];
    snprintf(id, sizeof(id), "%s:%llu", t->session, atomic_fetch_add(&t->events, 1) + 1);
    event->event_id = id;
    event->user_id = t->user_id;
    event->lang = t->lang;
    event->card_ref = "";
    str_copy(event->addr.network, sizeof(event->addr.network), "terminal");
    str_copy(event->addr.chat, sizeof(event->addr.chat), t->user_id);
    struct pollfd wake = {.fd = t->wake_fd, .events = POLLIN};
    while (!atomic_load(&t->stopping)) {
        if (t->on_events(t->ctx, event, 1, NULL))
            return true;
        poll(&wake, 1, OFFER_AGAIN_MS);
    }
    return false;
}

static bool say(struct terminal *t, char *text, bool had_nul)
{
    struct chat_event event = {.kind = CHAT_LINE, .text = text, .quoted = ""};
    event.repaired = utf8_clean(text) > 0 || had_nul;
    return offer(t, &event);
}

static bool say_with(struct terminal *t, const struct media *media, bool had_nul)
{
    const char *names[MEDIA_FILES_MAX];
    for (size_t i = 0; i < media->count; i++)
        names[i] = media->names[i];
    struct chat_event event = {.kind = CHAT_LINE,
                               .text = media->line,
                               .quoted = "",
                               .media = names,
                               .media_count = media->count};
    event.repaired = utf8_clean(media->line) > 0 || had_nul;
    return offer(t, &event);
}

static bool refuse(struct terminal *t, const char *key, const char *what)
{
    struct chat_event event = {.kind = CHAT_REFUSED, .text = key, .quoted = what};
    return offer(t, &event);
}

static enum lines_result next_line(struct terminal *t, const char *prompt, char **ret_line,
                                   bool *ret_had_nul)
{
    *ret_had_nul = false;
    if (!t->interactive)
        return lines_next(&t->lines, ret_line, ret_had_nul);
    screen_lock(&t->screen);
    screen_print(&t->screen, "");
    enum lines_result result = edit_line(t->edit, prompt, ret_line);
    screen_unlock(&t->screen);
    return result;
}

/* `/make -`: up to a single dot or the end of input. False: stop. */
static bool dictate(struct terminal *t, const char *head)
{
    struct strbuf text = STRBUF(CHAT_LINE_MAX);
    bool too_long = false, had_nul = false, nul = false;
    char *line = NULL;
    enum lines_result r = LINES_ONE;
    strbuf_adds(&text, head);
    while ((r = next_line(t, "… ", &line, &nul)) == LINES_ONE || r == LINES_TOO_LONG) {
        if (r == LINES_ONE && strcmp(line, ".") == 0)
            break;
        had_nul |= nul;
        if (r == LINES_ONE)
            strbuf_addf(&text, "%s\n", line);
        too_long |= r == LINES_TOO_LONG || text.failed;
    }
    bool ok = r != LINES_STOPPED;
    if (ok && too_long) {
        ok = refuse(t, "error.too_long", "256 kB");
    } else if (ok) {
        AUTO(free_ptr) char *all = strbuf_take(&text);
        ok = say(t, all, had_nul);
    }
    strbuf_free(&text);
    return ok;
}

static bool take_line(struct terminal *t, char *line, bool had_nul)
{
    struct expand x;
    struct err e;
    if (line[strspn(line, " \t")] == '\0')
        return true;
    if (t->edit && strcmp(line, "/forget yes") == 0)
        edit_forget(t->edit);
    AUTO(media_free) struct media media = {0};
    if (!media_take(line, &media, &e))
        return refuse(t, e.user_key, e.arg);
    if (media.line)
        return say_with(t, &media, had_nul);
    if (!expand_look(line, &x, &e))
        return refuse(t, e.user_key, e.arg);
    AUTO(free_ptr) char *head = x.head;
    AUTO(free_ptr) char *whole = NULL;
    if (x.kind == EXPAND_LINES)
        return dictate(t, head);
    if (x.kind == EXPAND_NONE)
        return say(t, line, had_nul);
    if (!expand_file(&x, &whole, &e))
        return refuse(t, e.user_key, e.arg);
    return say(t, whole, false);
}

static void save_modes(struct terminal *t)
{
    if (t->interactive && tcgetattr(t->in_fd, &saved_modes) == 0)
        saved_fd = t->in_fd;
}

static bool terminal_run(void *self, chat_events_fn *on_events, void *ctx, struct err *e)
{
    struct terminal *t = self;
    t->on_events = on_events;
    t->ctx = ctx;
    save_modes(t);
    if (t->interactive &&
        !edit_create(&t->screen, t->in_fd, t->wake_fd, t->history_path, &t->edit, e))
        return false;
    char greeting[] = "/start";
    bool go_on = !t->interactive || !t->greet || say(t, greeting, false);
    while (go_on && !atomic_load(&t->stopping)) {
        char *line = NULL;
        bool had_nul = false;
        enum lines_result r = next_line(t, "> ", &line, &had_nul);
        if (r == LINES_TOO_LONG)
            go_on = refuse(t, "error.too_long", "256 kB");
        else
            go_on = r == LINES_ONE && take_line(t, line, had_nul);
    }
    screen_lock(&t->screen);
    if (t->interactive)
        screen_print(&t->screen, "");
    edit_destroy(TAKE(t->edit));
    screen_unlock(&t->screen);
    saved_fd = -1;
    return !t->screen.broken || check_output(t, e);
}

static void terminal_destroy(void *self)
{
    struct terminal *t = self;
    if (!t)
        return;
    lines_free(&t->lines);
    screen_free(&t->screen);
    if (t->wake_fd >= 0)
        close(t->wake_fd);
    free(t->history_path);
    free(t);
}

static const struct chat_adapter_ops terminal_ops = {
    .name = "terminal",
    .run = terminal_run,
    .stop = terminal_stop,
    .abilities = terminal_abilities,
    .send = terminal_send,
    .edit = terminal_edit,
    .deliver = terminal_deliver,
    .fetch = media_fetch,
    .destroy = terminal_destroy,
};

/* The user's name on this machine, else the number. */
static void os_user(char *ret, size_t size)
{
    struct passwd entry, *found = NULL;
    char room[4096];
    if (getpwuid_r(getuid(), &entry, room, sizeof(room), &found) == 0 && found)
        str_copy(ret, size, found->pw_name);
    else
        snprintf(ret, size, "uid-%lu", (unsigned long)getuid());
}

bool terminal_create(const struct terminal_options *o, struct chat_adapter *ret, struct err *e)
{
    struct terminal *t = calloc(1, sizeof(*t));
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!t || wake_fd < 0) {
        free(t);
        return err_set(e, ERR_INTERNAL, "error.internal", "terminal: %m");
    }
    t->in_fd = o->in_fd;
    t->wake_fd = wake_fd;
    t->interactive = terminal_is_interactive(o);
    t->greet = o->greet;
    screen_init(&t->screen, o->out_fd, t->interactive);
    lines_init(&t->lines, o->in_fd, wake_fd, CHAT_LINE_MAX);
    t->abilities = (struct chat_abilities){
        .edit_interval_ms = t->interactive ? LIVE_EDIT_MS : PLAIN_EDIT_MS,
        .shows_paths = true,
    };
    str_copy(t->lang, sizeof(t->lang), o->lang ? o->lang : "");
    if (o->user_id)
        str_copy(t->user_id, sizeof(t->user_id), o->user_id);
    else
        os_user(t->user_id, sizeof(t->user_id));
    uuid_make(t->session);
    t->history_path = o->history_path ? str_dup(o->history_path) : NULL;
    *ret = (struct chat_adapter){.ops = &terminal_ops, .self = t};
    return true;
}
