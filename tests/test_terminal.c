/* The terminal chat through a pipe and a pseudo-terminal: lines, files, cards, stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <termios.h>
#include <unistd.h>

#include "adapters/terminal/draw.h"
#include "adapters/terminal/terminal.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"

enum { SEEN_MAX = 64 };

struct seen {
    enum chat_event_kind kind;
    char *text, *quoted, *event_id;
    bool repaired;
};

/* A terminal adapter that runs on a thread of its own, and what it heard. */
struct rig {
    struct chat_adapter chat;
    int type;   /* write what the person types here */
    int screen; /* read what the person sees here */
    int in, out;
    pthread_t thread;
    bool result;
    atomic_int refuse; /* how many offers are refused */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct seen seen[SEEN_MAX];
    size_t count;
    struct chat_addr addr;
};

static bool on_events(void *ctx, const struct chat_event *event, size_t count, const char *cursor)
{
    assert_int_equal(count, 1);
    (void)cursor;
    struct rig *r = ctx;
    if (atomic_load(&r->refuse) > 0) {
        atomic_fetch_sub(&r->refuse, 1);
        return false;
    }
    pthread_mutex_lock(&r->lock);
    assert_true(r->count < SEEN_MAX);
    r->seen[r->count++] = (struct seen){event->kind, str_dup(event->text), str_dup(event->quoted),
                                        str_dup(event->event_id), event->repaired};
    r->addr = event->addr;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return true;
}

static void *rig_main(void *data)
{
    struct rig *r = data;
    struct err e = {0};
    r->result = r->chat.ops->run(r->chat.self, on_events, r, &e);
    return NULL;
}

static void rig_start(struct rig *r, const char *history)
{
    struct err e = {0};
    struct terminal_options o = {
        .in_fd = r->in, .out_fd = r->out, .lang = "en", .history_path = history, .user_id = "me"};
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    assert_true(terminal_create(&o, &r->chat, &e));
    assert_int_equal(pthread_create(&r->thread, NULL, rig_main, r), 0);
}

static void rig_pipe(struct rig *r)
{
    int in[2], out[2];
    memset(r, 0, sizeof(*r));
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    r->in = in[0];
    r->type = in[1];
    r->screen = out[0];
    r->out = out[1];
    rig_start(r, NULL);
}

static void rig_pty(struct rig *r, const char *history)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    memset(r, 0, sizeof(*r));
    assert_int_equal(openpty(&r->type, &r->in, NULL, NULL, &size), 0);
    r->screen = r->type;
    r->out = r->in;
    rig_start(r, history);
}

/* Waits up to 10 s for so many events. */
static void rig_wait(struct rig *r, size_t count)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&r->lock);
    while (r->count < count && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    size_t there = r->count;
    pthread_mutex_unlock(&r->lock);
    if (there < count)
        fail_msg("%zu events of %zu came", there, count);
}

static void type_text(struct rig *r, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(r->type, text, len);
        assert_true(n > 0);
        text += n;
        len -= (size_t)n;
    }
}

static void type_line(struct rig *r, const char *text)
{
    type_text(r, text, strlen(text));
}

/* Everything shown until `needle`; NUL-terminated. Fails after 10 s. */
static char *rig_read_until(struct rig *r, const char *needle)
{
    struct strbuf all = STRBUF(1 << 22);
    int64_t end = clock_mono_ms() + 10000;
    while (!strstr(strbuf_text(&all), needle)) {
        char chunk[4096];
        struct pollfd pfd = {.fd = r->screen, .events = POLLIN};
        if (clock_mono_ms() > end)
            fail_msg("\"%s\" did not come; there was: %s", needle, strbuf_text(&all));
        if (poll(&pfd, 1, 100) <= 0)
            continue;
        ssize_t n = read(r->screen, chunk, sizeof(chunk));
        if (n <= 0)
            fail_msg("the end came before \"%s\": %s", needle, strbuf_text(&all));
        strbuf_add(&all, chunk, (size_t)n);
    }
    return strbuf_take(&all);
}

static void rig_end(struct rig *r)
{
    r->chat.ops->stop(r->chat.self);
    pthread_join(r->thread, NULL);
    r->chat.ops->destroy(r->chat.self);
    if (r->type != r->screen)
        close(r->screen);
    if (r->type >= 0)
        close(r->type);
    close(r->in);
    if (r->out != r->in)
        close(r->out);
    for (size_t i = 0; i < r->count; i++) {
        free(r->seen[i].text);
        free(r->seen[i].quoted);
        free(r->seen[i].event_id);
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
}

/* --- lines --- */

static void test_lines_of_a_pipe(void **state)
{
    (void)state;
    struct rig r;
    rig_pipe(&r);
    static const char bytes[] = "one\r\n\n   \ntwo \xff\xfe bad\nnul\0inside\nlast without end";
    type_text(&r, bytes, sizeof(bytes) - 1);
    close(r.type);
    r.type = -1;
    pthread_join(r.thread, NULL);
    assert_true(r.result);
    assert_int_equal(r.count, 4); /* blank lines are nothing */
    assert_string_equal(r.seen[0].text, "one");
    assert_false(r.seen[0].repaired);
    assert_string_equal(r.seen[1].text, "two  bad");
    assert_true(r.seen[1].repaired);
    assert_string_equal(r.seen[2].text, "nulinside");
    assert_true(r.seen[2].repaired);
    assert_string_equal(r.seen[3].text, "last without end");
    assert_string_not_equal(r.seen[0].event_id, r.seen[1].event_id);
    pthread_create(&r.thread, NULL, rig_main, &r); /* ended input ends it again at once */
    rig_end(&r);
}

static void test_endless_line(void **state)
{
    (void)state;
    struct rig r;
    rig_pipe(&r);
    AUTO(free_ptr) char *block = malloc(1 << 16);
    memset(block, 'x', 1 << 16);
    for (int i = 0; i < 256; i++) /* 16 MB on one line */
        type_text(&r, block, 1 << 16);
    type_line(&r, "\nafter\n");
    rig_wait(&r, 2);
    assert_int_equal(r.seen[0].kind, CHAT_REFUSED);
    assert_string_equal(r.seen[0].text, "error.too_long");
    assert_string_equal(r.seen[1].text, "after");
    rig_end(&r);
}

static void test_refused_offer_is_repeated(void **state)
{
    (void)state;
    struct rig r;
    rig_pipe(&r);
    atomic_store(&r.refuse, 1);
    type_line(&r, "hello\n");
    rig_wait(&r, 1);
    assert_string_equal(r.seen[0].text, "hello");
    rig_end(&r);
}

static void test_stop_is_quick(void **state)
{
    (void)state;
    struct rig r;
    rig_pipe(&r);
    int64_t before = clock_mono_ms();
    rig_end(&r);
    assert_true(clock_mono_ms() - before < 1000);
}

/* --- longer text --- */

static void write_file(const char *folder, const char *name, const void *bytes, size_t len)
{
    AUTO(free_ptr) char *path = str_printf("%s/%s", folder, name);
    struct err e = {0};
    assert_true(fs_write(path, bytes, len, &e));
}

static void test_files(void **state)
{
    const char *folder = *state;
    struct rig r;
    static const char binary[] = "abc\0def";
    AUTO(free_ptr) char *big = malloc(300000);
    memset(big, 'b', 300000);
    write_file(folder, "story.txt", "First line.\nSecond 30s", 22);
    write_file(folder, "two words.txt", "Quoted.", 7);
    write_file(folder, "binary", binary, sizeof(binary));
    write_file(folder, "latin", "\xe9\xe8\xe7\xe0\xe9\xe8", 6);
    write_file(folder, "big", big, 300000);
    static const struct {
        const char *format, *text, *error, *why;
    } rows[] = {
        {"/make @%s/story.txt hd 20s\n",  "/make hd 20s\nFirst line.\nSecond 30s", NULL,
         "the words behind the name are settings; the text comes on lines of its own"                                         },
        {"/MAKE @\"%s/two words.txt\"\n", "/make \nQuoted.",                       NULL,       "a quoted name"                },
        {"/make @%s/none.txt\n",          "error.file_missing",                    "none.txt", "no such file"                 },
        {"/make @%s\n",                   "error.file_directory",                  "",         "a folder"                     },
        {"/make @%s/binary\n",            "error.file_binary",                     "binary",   "NUL bytes"                    },
        {"/make @%s/latin\n",             "error.file_binary",                     "latin",    "no UTF-8"                     },
        {"/make @%s/big\n",               "error.file_too_large",                  "big",      "over the limit"               },
        {"/make @ %s\n",                  "error.file_name",                       "",         "no name"                      },
        {"/makes @%s/story.txt\n",        NULL,                                    NULL,       "another command reads no file"},
        {"/make about @%s/story.txt\n",   NULL,                                    NULL,       "in the text it is text"       },
    };
    rig_pipe(&r);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[4096], plain[4096];
        snprintf(line, sizeof(line), rows[i].format, folder);
        snprintf(plain, sizeof(plain), "%.*s", (int)strlen(line) - 1, line);
        type_line(&r, line);
        rig_wait(&r, i + 1);
        const struct seen *s = &r.seen[i];
        if (strcmp(s->text, rows[i].text ? rows[i].text : plain) != 0)
            fail_msg("%s: heard \"%s\"", rows[i].why, s->text);
        if (s->kind != (rows[i].error ? CHAT_REFUSED : CHAT_LINE) ||
            (rows[i].error && !str_ends(s->quoted, rows[i].error)))
            fail_msg("%s: quoted \"%s\"", rows[i].why, s->quoted);
    }
    rig_end(&r);
}

static void test_dictated_text(void **state)
{
    (void)state;
    struct rig r;
    rig_pipe(&r);
    type_line(&r, "/make - hd\nline one\n\n/help is text here\n.\n/queue\n");
    rig_wait(&r, 2);
    assert_string_equal(r.seen[0].text, "/make hd\nline one\n\n/help is text here\n");
    assert_string_equal(r.seen[1].text, "/queue");
    type_line(&r, "/make -\nup to the end");
    close(r.type);
    r.type = -1;
    rig_wait(&r, 3);
    assert_string_equal(r.seen[2].text, "/make \nup to the end\n");
    rig_end(&r);
}

/* --- cards --- */

static const struct card plain_card = {
    .title = "Title", .lines = {"one", "two"},
         .line_count = 2, .percent = -1
};

static struct card progress_card(int percent, int stage)
{
    struct card card = {
        .title = "Film",
        .stages = {{"Voice", stage > 0 ? STAGE_DONE : STAGE_RUNNING},
                   {"Video", stage > 0 ? STAGE_RUNNING : STAGE_WAITING}},
        .stage_count = 2,
        .percent = percent,
        .eta = "about 5 s left",
        .buttons = {{.label = "Cancel", .action = "/cancel 1"}                                                },
        .button_count = 1,
    };
    return card;
}

static void test_cards_on_a_pipe(void **state)
{
    const char *folder = *state;
    struct rig r;
    struct err e = {0};
    char ref[CHAT_REF_MAX], other[CHAT_REF_MAX];
    rig_pipe(&r);
    const struct chat_adapter_ops *ops = r.chat.ops;
    struct card card = progress_card(0, 0);
    assert_true(ops->send(r.chat.self, &r.addr, &plain_card, other, &e));
    assert_true(ops->send(r.chat.self, &r.addr, &card, ref, &e));
    assert_string_not_equal(ref, other);
    for (int percent = 1; percent <= 60; percent++) {
        card = progress_card(percent, percent >= 40);
        assert_true(ops->edit(r.chat.self, &r.addr, ref, &card, &e));
    }
    write_file(folder, "film.mp4", "x", 1);
    write_file(folder, "film.jpg", "x", 1);
    AUTO(free_ptr) char *film = str_printf("%s/film.mp4", folder);
    AUTO(free_ptr) char *poster = str_printf("%s/film.jpg", folder);
    AUTO(free_ptr) char *srt = str_printf("%s/none.srt", folder);
    struct chat_video video = {.path = film, .poster = poster, .srt = srt, .caption = &plain_card};
    assert_true(ops->deliver(r.chat.self, &r.addr, ref, &video, NULL, other, &e));
    AUTO(free_ptr) char *shown = rig_read_until(&r, "film.jpg\n");
    AUTO(free_ptr)
    char *wanted = str_printf("Title\n  one\n  two\n"
                              "Film\n  /cancel 1  (Cancel)\n"
                              "[ 25 %%] Voice · about 5 s left\n"
                              "[ 40 %%] Video · about 5 s left\n"
                              "[ 50 %%] Video · about 5 s left\n"
                              "Title\n  one\n  two\n%s\n%s\n",
                              film, poster);
    assert_string_equal(shown, wanted); /* and so: no control codes */
    assert_false(ops->edit(r.chat.self, &r.addr, "another:1", &card, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    rig_end(&r);
}

static void test_nobody_reads(void **state)
{
    (void)state;
    struct rig r;
    struct err e = {0};
    char ref[CHAT_REF_MAX];
    rig_pipe(&r);
    close(r.screen);
    r.screen = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_false(r.chat.ops->send(r.chat.self, &r.addr, &plain_card, ref, &e));
    assert_int_equal(e.code, ERR_RETRY);
    pthread_join(r.thread, NULL); /* the chat ends by itself */
    assert_false(r.result);
    pthread_create(&r.thread, NULL, rig_main, &r);
    rig_end(&r);
}

/* --- a pseudo-terminal --- */

static void test_typing(void **state)
{
    const char *folder = *state;
    struct rig r;
    struct err e = {0};
    char ref[CHAT_REF_MAX];
    AUTO(free_ptr) char *history = str_printf("%s/history", folder);
    rig_pty(&r, history);
    free(rig_read_until(&r, "> "));
    type_line(&r, "/mke\x08\x08"
                  "ake cats 猫\r"); /* mended with two backspaces */
    rig_wait(&r, 1);
    assert_string_equal(r.seen[0].text, "/make cats 猫");
    type_line(&r, "half a li");
    free(rig_read_until(&r, "half a li"));
    struct card card = progress_card(10, 0);
    assert_true(r.chat.ops->send(r.chat.self, &r.addr, &card, ref, &e));
    AUTO(free_ptr) char *shown = rig_read_until(&r, "half a li"); /* drawn again below the card */
    assert_non_null(strstr(shown, "Film"));
    assert_non_null(strstr(shown, "10 %"));
    card = progress_card(20, 1);
    assert_true(r.chat.ops->edit(r.chat.self, &r.addr, ref, &card, &e));
    AUTO(free_ptr) char *edited = rig_read_until(&r, "half a li");
    assert_non_null(strstr(edited, "\033[4A\033[J")); /* four rows up, wiped: in place */
    assert_non_null(strstr(edited, "20 %"));
    type_line(&r, "ne\r");
    rig_wait(&r, 2);
    assert_string_equal(r.seen[1].text, "half a line");
    type_line(&r, "\x1b[A\x1b[A\r"); /* up, up: the first line again */
    rig_wait(&r, 3);
    assert_string_equal(r.seen[2].text, "/make cats 猫");
    type_line(&r, "\x04"); /* Ctrl-D ends the chat */
    pthread_join(r.thread, NULL);
    assert_true(r.result);
    assert_true(fs_size(history) > 10);
    pthread_create(&r.thread, NULL, rig_main, &r);
    rig_end(&r);
}

static void test_escape_does_not_block(void **state)
{
    (void)state;
    struct rig r;
    struct err e = {0};
    char ref[CHAT_REF_MAX];
    rig_pty(&r, NULL);
    free(rig_read_until(&r, "> "));
    type_line(&r, "\x1b"); /* the editor waits for the rest of a key */
    struct card card = plain_card;
    assert_true(r.chat.ops->send(r.chat.self, &r.addr, &card, ref, &e));
    free(rig_read_until(&r, "two"));
    int64_t before = clock_mono_ms();
    rig_end(&r);
    assert_true(clock_mono_ms() - before < 1000);
}

static void test_modes_come_back(void **state)
{
    (void)state;
    struct rig r;
    struct termios before, after;
    int master = -1, slave = -1;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    tcgetattr(slave, &before);
    memset(&r, 0, sizeof(r));
    r.type = r.screen = master;
    r.in = r.out = slave;
    int keep = dup(slave);
    rig_start(&r, NULL);
    free(rig_read_until(&r, "> "));
    r.chat.ops->stop(r.chat.self);
    pthread_join(r.thread, NULL);
    tcgetattr(keep, &after);
    assert_int_equal(before.c_lflag, after.c_lflag);
    assert_int_equal(before.c_iflag, after.c_iflag);
    assert_int_equal(before.c_oflag, after.c_oflag);
    pthread_create(&r.thread, NULL, rig_main, &r);
    rig_end(&r);
    close(keep);
}

/* --- drawing --- */

static void test_widths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int columns, width;
        const char *fits;
    } rows[] = {
        {"abc",                                       2, 3, "ab"                },
        {"潮汐是",                                 5, 6, "潮汐"            },
        {"\033[1mbold\033[0m",                        4, 4, "\033[1mbold\033[0m"},
        {"\033]8;;file:///a\033\\link\033]8;;\033\\", 4, 4, NULL                },
        {"é",                                        1, 1, "é"                },
        {"",                                          5, 0, ""                  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].text);
        assert_int_equal(draw_width(rows[i].text, len), rows[i].width);
        size_t fit = draw_fit(rows[i].text, len, rows[i].columns);
        assert_int_equal(fit, rows[i].fits ? strlen(rows[i].fits) : len);
    }
}

static void test_wrapping(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int columns;
        const char *wrapped;
    } rows[] = {
        {"one two three\n",   8,  "one two \nthree\n"    },
        {"  one two three\n", 9,  "  one two\n  three\n" },
        {"abcdefghij\n",      4,  "abcd\nefgh\nij\n"     },
        {"潮汐是怎样\n", 4,  "潮汐\n是怎\n样\n"},
        {"\nshort\n",         20, "\nshort\n"            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct strbuf out = STRBUF(1024);
        draw_wrapped(&out, rows[i].text, rows[i].columns);
        assert_string_equal(strbuf_text(&out), rows[i].wrapped);
        strbuf_free(&out);
    }
}

static int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *folder = str_printf("%s/nanotik-terminal-XXXXXX", base ? base : "/tmp");
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int drop_folder(void **state)
{
    fs_remove(*state);
    free(*state);
    return 0;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    hash_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_of_a_pipe),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_refused_offer_is_repeated),
        cmocka_unit_test(test_stop_is_quick),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_dictated_text),
        cmocka_unit_test(test_cards_on_a_pipe),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_typing),
        cmocka_unit_test(test_escape_does_not_block),
        cmocka_unit_test(test_modes_come_back),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_wrapping),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
