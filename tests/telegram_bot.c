#include "tests/telegram_bot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <inttypes.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"

struct telegram_bot tb = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void write_down(struct heard *h, const struct chat_event *ev)
{
    *h = (struct heard){.kind = ev->kind, .addr = ev->addr, .is_group = ev->is_group};
    str_copy(h->id, sizeof(h->id), ev->event_id);
    str_copy(h->text, sizeof(h->text), ev->text);
    str_copy(h->user, sizeof(h->user), ev->user_id);
    str_copy(h->ref, sizeof(h->ref), ev->card_ref);
    str_copy(h->press, sizeof(h->press), ev->press ? ev->press : "");
    for (size_t i = 0; i < MIN(ev->media_count, COUNT(h->media)); i++)
        str_copy(h->media[h->media_count++], sizeof(h->media[0]), ev->media[i]);
}

/* Stores all or nothing, as the database does. */
static bool on_events(void *ctx, const struct chat_event *events, size_t count, const char *cursor)
{
    (void)ctx;
    pthread_mutex_lock(&tb.lock);
    bool store = tb.refuse == 0 && tb.count + count <= COUNT(tb.heard);
    if (tb.refuse > 0)
        tb.refuse--;
    for (size_t i = 0; store && i < count; i++)
        write_down(&tb.heard[tb.count++], &events[i]);
    if (store) {
        tb.batches++;
        if (cursor)
            str_copy(tb.cursor, sizeof(tb.cursor), cursor);
    }
    pthread_mutex_unlock(&tb.lock);
    return store;
}

static bool cursor_get(void *ctx, char ret[static CHAT_CURSOR_MAX])
{
    (void)ctx;
    pthread_mutex_lock(&tb.lock);
    str_copy(ret, CHAT_CURSOR_MAX, tb.cursor);
    pthread_mutex_unlock(&tb.lock);
    return *ret != '\0';
}

size_t heard_count(void)
{
    pthread_mutex_lock(&tb.lock);
    size_t n = tb.count;
    pthread_mutex_unlock(&tb.lock);
    return n;
}

struct heard heard_at(size_t i)
{
    pthread_mutex_lock(&tb.lock);
    struct heard h = tb.heard[i];
    pthread_mutex_unlock(&tb.lock);
    return h;
}

void wait_heard(size_t n)
{
    for (int i = 0; i < 1000 && heard_count() < n; i++)
        usleep(10000);
    if (heard_count() != n)
        fail_msg("%zu events, %zu expected", heard_count(), n);
}

static void *run_main(void *arg)
{
    (void)arg;
    tb.run_ok = tb.chat.ops->run(tb.chat.self, on_events, NULL, &tb.run_error);
    return NULL;
}

static bool may_poll(void *ctx)
{
    (void)ctx;
    return atomic_load(&tb.may_poll);
}

static bool file_get(void *ctx, const char *key, char *ret_id, size_t size)
{
    (void)ctx, (void)key;
    return tb.file_id[0] && str_copy(ret_id, size, tb.file_id);
}

/* Notes of one video; only while `noting`. */
static bool recall(void *ctx, const char *key, char *ret, size_t size)
{
    (void)ctx;
    return tb.noting && strcmp(key, tb.note_key) == 0 && str_copy(ret, size, tb.note);
}

static bool keep(void *ctx, const char *key, const char *value, int seconds)
{
    (void)ctx;
    if (tb.note_fails || seconds < 86400)
        return false;
    str_copy(tb.note_key, sizeof(tb.note_key), key);
    str_copy(tb.note, sizeof(tb.note), value);
    return true;
}

static void file_put(void *ctx, const char *key, const char *id)
{
    (void)ctx, (void)key;
    str_copy(tb.file_id, sizeof(tb.file_id), id);
}

static const struct chat_command commands[] = {
    {"make", "Make a video" },
    {"help", "What I can do"}
};
static const struct chat_menu menus[] = {
    {"en",      "Turns a topic into a video.", "Videos from words", commands, 2},
    {"zh-hans", "主题变视频。",          "视频",            commands, 1},
};

void adapter_make(void)
{
    struct err e = {0};
    struct telegram_options o = {.net = tb.net,
                                 .token = FAKE_TOKEN,
                                 .api_url = tb.fake.url,
                                 .video_bytes_max = 50000000,
                                 .menus = menus,
                                 .menu_count = COUNT(menus),
                                 .poll_seconds = 2,
                                 .may_poll = may_poll,
                                 .cursor_get = cursor_get,
                                 .file_get = file_get,
                                 .file_put = file_put,
                                 .recall = recall,
                                 .keep = keep};
    if (!telegram_create(&o, &tb.chat, &e))
        fail_msg("%s", e.detail);
}

void adapter_run(void)
{
    pthread_create(&tb.thread, NULL, run_main, NULL);
    tb.runs = true;
}

void adapter_join(void)
{
    if (tb.runs)
        pthread_join(tb.thread, NULL);
    tb.runs = false;
}

void adapter_end(void)
{
    int64_t begin = clock_mono_ms();
    tb.chat.ops->stop(tb.chat.self);
    adapter_join();
    if (clock_mono_ms() - begin > 3000)
        fail_msg("run() did not return soon after stop()");
    tb.chat.ops->destroy(tb.chat.self);
    tb.chat.self = NULL;
}

int telegram_bot_setup(void **state)
{
    (void)state;
    struct err e = {0};
    char *bytes = calloc(1, 400000);
    tb.count = 0;
    tb.refuse = 0;
    tb.batches = 0;
    tb.cursor[0] = '\0';
    tb.file_id[0] = '\0';
    tb.run_error = (struct err){0};
    atomic_store(&tb.may_poll, true);
    snprintf(tb.dir, sizeof(tb.dir), "/tmp/test-telegram-XXXXXX");
    assert_non_null(mkdtemp(tb.dir));
    snprintf(tb.video, sizeof(tb.video), "%s/film.mp4", tb.dir);
    snprintf(tb.poster, sizeof(tb.poster), "%s/film.jpg", tb.dir);
    assert_true(fs_write(tb.video, bytes, 400000, &e));
    assert_true(fs_write(tb.poster, bytes, 3000, &e));
    free(bytes);
    fake_start(&tb.fake, NULL);
    fake_do(&tb.fake, "chat", "{\"id\":%" PRId64 "}", (int64_t)ANA);
    assert_true(net_engine_create(false, &tb.net, &e));
    adapter_make();
    return 0;
}

int telegram_bot_teardown(void **state)
{
    (void)state;
    if (tb.chat.self)
        adapter_end();
    net_engine_destroy(tb.net);
    fake_node_stop(&tb.fake);
    fs_remove(tb.dir);
    return 0;
}

struct chat_addr ana(void)
{
    return (struct chat_addr){.network = "telegram", .chat = "6123456789"};
}

struct card text_card(const char *title)
{
    return (struct card){.title = title,
                         .percent = -1,
                         .buttons = {{.label = "Go", .action = "/go 1"}},
                         .button_count = 1};
}

void must_send(const struct chat_addr *to, const char *title, char ref[CHAT_REF_MAX])
{
    struct err e = {0};
    struct card card = text_card(title);
    if (!tb.chat.ops->send(tb.chat.self, to, &card, ref, &e))
        fail_msg("send: %s", e.detail);
}
