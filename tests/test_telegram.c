/* The whole adapter against the fake Bot API server, with the faults of a bad day. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "adapters/telegram/telegram.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fake_telegram.h"

#define ANA 6123456789

/* --- a bot without a mind: it writes down what it hears --- */

struct heard {
    enum chat_event_kind kind;
    struct chat_addr addr;
    char id[96], text[256], user[32], ref[CHAT_REF_MAX], press[80], media[8][64];
    size_t media_count;
    bool is_group;
};

static struct {
    struct fake_node fake;
    struct net_engine *net;
    struct chat_adapter chat;
    char dir[64], video[96], poster[96];
    pthread_t thread;
    bool runs, run_ok;
    struct err run_error;
    atomic_bool may_poll;
    char file_id[256];
    bool noting, note_fails;                   /* what is kept about videos of their own */
    char note_key[80], note[CHAT_REF_MAX + 8]; /* one remembered upload */
    pthread_mutex_t lock;
    /* --- with lock held --- */
    struct heard heard[512];
    size_t count;
    size_t batches;
    char cursor[CHAT_CURSOR_MAX];
    int refuse; /* so many batches cannot be stored at first */
} w = {.lock = PTHREAD_MUTEX_INITIALIZER};

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
    pthread_mutex_lock(&w.lock);
    bool store = w.refuse == 0 && w.count + count <= COUNT(w.heard);
    if (w.refuse > 0)
        w.refuse--;
    for (size_t i = 0; store && i < count; i++)
        write_down(&w.heard[w.count++], &events[i]);
    if (store) {
        w.batches++;
        if (cursor)
            str_copy(w.cursor, sizeof(w.cursor), cursor);
    }
    pthread_mutex_unlock(&w.lock);
    return store;
}

static bool cursor_get(void *ctx, char ret[static CHAT_CURSOR_MAX])
{
    (void)ctx;
    pthread_mutex_lock(&w.lock);
    str_copy(ret, CHAT_CURSOR_MAX, w.cursor);
    pthread_mutex_unlock(&w.lock);
    return *ret != '\0';
}

static size_t heard_count(void)
{
    pthread_mutex_lock(&w.lock);
    size_t n = w.count;
    pthread_mutex_unlock(&w.lock);
    return n;
}

static struct heard heard_at(size_t i)
{
    pthread_mutex_lock(&w.lock);
    struct heard h = w.heard[i];
    pthread_mutex_unlock(&w.lock);
    return h;
}

static void wait_heard(size_t n)
{
    for (int i = 0; i < 1000 && heard_count() < n; i++)
        usleep(10000);
    if (heard_count() != n)
        fail_msg("%zu events, %zu expected", heard_count(), n);
}

static void *run_main(void *arg)
{
    (void)arg;
    w.run_ok = w.chat.ops->run(w.chat.self, on_events, NULL, &w.run_error);
    return NULL;
}

static bool may_poll(void *ctx)
{
    (void)ctx;
    return atomic_load(&w.may_poll);
}

static bool file_get(void *ctx, const char *key, char *ret_id, size_t size)
{
    (void)ctx, (void)key;
    return w.file_id[0] && str_copy(ret_id, size, w.file_id);
}

/* Notes of one video; only while `noting`. */
static bool recall(void *ctx, const char *key, char *ret, size_t size)
{
    (void)ctx;
    return w.noting && strcmp(key, w.note_key) == 0 && str_copy(ret, size, w.note);
}

static bool keep(void *ctx, const char *key, const char *value, int seconds)
{
    (void)ctx;
    if (w.note_fails || seconds < 86400)
        return false;
    str_copy(w.note_key, sizeof(w.note_key), key);
    str_copy(w.note, sizeof(w.note), value);
    return true;
}

static void file_put(void *ctx, const char *key, const char *id)
{
    (void)ctx, (void)key;
    str_copy(w.file_id, sizeof(w.file_id), id);
}

static const struct chat_command commands[] = {
    {"make", "Make a video" },
    {"help", "What I can do"}
};
static const struct chat_menu menus[] = {
    {"en",      "Turns a topic into a video.", "Videos from words", commands, 2},
    {"zh-hans", "主题变视频。",          "视频",            commands, 1},
};

static void adapter_make(void)
{
    struct err e = {0};
    struct telegram_options o = {.net = w.net,
                                 .token = FAKE_TOKEN,
                                 .api_url = w.fake.url,
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
    if (!telegram_create(&o, &w.chat, &e))
        fail_msg("%s", e.detail);
}

static void adapter_run(void)
{
    pthread_create(&w.thread, NULL, run_main, NULL);
    w.runs = true;
}

static void adapter_join(void)
{
    if (w.runs)
        pthread_join(w.thread, NULL);
    w.runs = false;
}

static void adapter_end(void)
{
    int64_t begin = clock_mono_ms();
    w.chat.ops->stop(w.chat.self);
    adapter_join();
    if (clock_mono_ms() - begin > 3000)
        fail_msg("run() did not return soon after stop()");
    w.chat.ops->destroy(w.chat.self);
    w.chat.self = NULL;
}

static int setup(void **state)
{
    (void)state;
    struct err e = {0};
    char *bytes = calloc(1, 400000);
    w.count = 0;
    w.refuse = 0;
    w.batches = 0;
    w.cursor[0] = '\0';
    w.file_id[0] = '\0';
    w.run_error = (struct err){0};
    atomic_store(&w.may_poll, true);
    snprintf(w.dir, sizeof(w.dir), "/tmp/test-telegram-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    snprintf(w.video, sizeof(w.video), "%s/film.mp4", w.dir);
    snprintf(w.poster, sizeof(w.poster), "%s/film.jpg", w.dir);
    assert_true(fs_write(w.video, bytes, 400000, &e));
    assert_true(fs_write(w.poster, bytes, 3000, &e));
    free(bytes);
    fake_start(&w.fake, NULL);
    fake_do(&w.fake, "chat", "{\"id\":%" PRId64 "}", (int64_t)ANA);
    assert_true(net_engine_create(false, &w.net, &e));
    adapter_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (w.chat.self)
        adapter_end();
    net_engine_destroy(w.net);
    fake_node_stop(&w.fake);
    fs_remove(w.dir);
    return 0;
}

static struct chat_addr ana(void)
{
    return (struct chat_addr){.network = "telegram", .chat = "6123456789"};
}

static struct card text_card(const char *title)
{
    return (struct card){.title = title,
                         .percent = -1,
                         .buttons = {{.label = "Go", .action = "/go 1"}},
                         .button_count = 1};
}

static void must_send(const struct chat_addr *to, const char *title, char ref[CHAT_REF_MAX])
{
    struct err e = {0};
    struct card card = text_card(title);
    if (!w.chat.ops->send(w.chat.self, to, &card, ref, &e))
        fail_msg("send: %s", e.detail);
}

static int64_t film_bytes = 400000; /* as the film is announced to the adapter */

static bool deliver(const struct chat_addr *to, const char *ref, char ret_ref[CHAT_REF_MAX],
                    struct err *e)
{
    struct card caption = text_card("How tides <work>");
    struct chat_video video = {.path = w.video,
                               .poster = w.poster,
                               .thumb = w.poster,
                               .width = 720,
                               .height = 1280,
                               .duration_ms = 45200,
                               .bytes = film_bytes,
                               .caption = &caption};
    *e = (struct err){0};
    return w.chat.ops->deliver(w.chat.self, to, ref, &video, NULL, ret_ref, e);
}

/* --- hearing --- */

static void hears_answers_and_sees_buttons(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    AUTO(free_ptr) char *last = NULL;
    adapter_run();
    fake_do(&w.fake, "say", "{\"text\":\"/make how tides work\"}");
    wait_heard(1);
    struct heard h = heard_at(0);
    assert_string_equal(h.text, "/make how tides work");
    assert_string_equal(h.user, "6123456789");
    must_send(&h.addr, "Quote & <price>", ref);
    assert_int_equal(fake_messages(&w.fake, ANA, "text", &last), 1);
    assert_non_null(strstr(last, "\"text\":\"Quote & <price>\""));
    assert_non_null(strstr(last, "\"reply_to_message\":{"));
    fake_do(&w.fake, "press", "{\"chat\":%" PRId64 ",\"message_id\":2,\"label\":\"Go\"}",
            (int64_t)ANA);
    wait_heard(2);
    h = heard_at(1);
    assert_int_equal(h.kind, CHAT_BUTTON);
    assert_string_equal(h.text, "/go 1");
    assert_string_equal(h.ref, ref);
    for (int i = 0; i < 1000 && fake_calls(&w.fake, "answerCallbackQuery") < 1; i++)
        usleep(10000);
    assert_int_equal(fake_calls(&w.fake, "answerCallbackQuery"), 1);
    struct card card = text_card("Queued");
    struct err e = {0};
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e)); /* not modified is well */
    free(last);
    assert_int_equal(fake_messages(&w.fake, ANA, "text", &last), 1);
    assert_non_null(strstr(last, "\"text\":\"Queued\""));
    adapter_end();
    assert_true(w.run_ok);
    assert_int_equal(fake_number(&w.fake, "queued"), 0); /* the goodbye confirmed the rest */
    fake_node_no_complaints(&w.fake);
}

/* The words are for who pressed; a press that nobody deals with ends all the same, and one that is no
   event ends at once. */
static void presses_are_answered_once(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "", words[900] = "";
    struct chat_addr to = ana();
    adapter_run();
    must_send(&to, "Quote", ref);
    for (int i = 1; i <= 2; i++) {
        fake_do(&w.fake, "press", "{\"chat\":%" PRId64 ",\"message_id\":1,\"label\":\"Go\"}",
                (int64_t)ANA);
        wait_heard((size_t)i);
    }
    assert_string_not_equal(heard_at(0).press, heard_at(1).press);
    for (size_t n = 0; n < 600; n += strlen(words + n))
        snprintf(words + n, sizeof(words) - n, "not yours 🐙 ");
    w.chat.ops->pressed(w.chat.self, heard_at(0).press, words);
    int64_t begin = clock_mono_ms();
    for (int i = 0; i < 1000 && fake_calls(&w.fake, "answerCallbackQuery") < 2; i++)
        usleep(10000);
    assert_true(clock_mono_ms() - begin < 8000);
    AUTO(json_free) cJSON *now = fake_node_state(&w.fake);
    const cJSON *queries = json_array(now, "queries");
    assert_true(str_starts(json_text(cJSON_GetArrayItem(queries, 0), "text", ""), "not yours"));
    assert_string_equal(json_text(cJSON_GetArrayItem(queries, 1), "text", ""), "");
    for (int i = 0; i < 2; i++)
        assert_true(json_has(cJSON_GetArrayItem(queries, i), "answered"));
    assert_int_equal(fake_calls(&w.fake, "answerCallbackQuery"), 2);
    fake_node_no_complaints(&w.fake);
}

static void nothing_is_lost_or_repeated(void **state)
{
    (void)state;
    enum { N = 250 };
    w.refuse = 2;
    for (int i = 0; i < N; i++)
        fake_do(&w.fake, "say", "{\"text\":\"/make number %d\"}", i);
    adapter_run();
    wait_heard(N);
    adapter_end();
    for (int i = 0; i < N; i++) {
        char want[64];
        struct heard h = heard_at((size_t)i);
        snprintf(want, sizeof(want), "/make number %d", i);
        assert_string_equal(h.text, want);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(h.id, heard_at((size_t)k).id);
    }
    /* Each batch was stored as one, with the place behind it. */
    assert_in_range(w.batches, 3, 5);
    assert_string_equal(w.cursor, "7000000001:880100451");
    /* A second start hears only what is new, also when numbering began anew, lower. */
    adapter_make();
    fake_do(&w.fake, "set", "{\"nextUpdate\":100}");
    fake_do(&w.fake, "say", "{\"text\":\"/help\"}");
    adapter_run();
    wait_heard(N + 1);
    fake_do(&w.fake, "say", "{\"text\":\"/terms\"}");
    wait_heard(N + 2);
    assert_string_equal(heard_at(N + 1).text, "/terms");
}

static void bad_days_of_polling_are_survived(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "{\"method\":\"getUpdates\",\"kind\":\"html\",\"code\":502}",
        "{\"method\":\"getUpdates\",\"kind\":\"reset\"}",
        "{\"method\":\"getUpdates\",\"kind\":\"status\",\"code\":409,\"description\":\"Conflict: "
        "terminated by other getUpdates request; make sure that only one bot instance is "
        "running\"}",
        "{\"method\":\"getUpdates\",\"kind\":\"junk\",\"body\":\"{\\\"ok\\\":tr\"}",
        "{\"method\":\"getUpdates\",\"kind\":\"junk\",\"body\":\"{\\\"ok\\\":true}\"}",
        "{\"method\":\"getUpdates\",\"kind\":\"status\",\"code\":500,"
        "\"description\":\"Internal Server Error: restart\"}",
        "{\"method\":\"getUpdates\",\"kind\":\"status\",\"code\":429,\"description\":\"Too Many "
        "Requests: retry after 1\",\"parameters\":{\"retry_after\":1}}",
        "{\"method\":\"getMe\",\"kind\":\"reset\"}",
    };
    fake_do(&w.fake, "set", "{\"webhook\":\"https://example.org/old\"}");
    fake_do(&w.fake, "fault", "%s", faults[7]);
    adapter_run();
    fake_do(&w.fake, "say", "{\"text\":\"/help 0\"}");
    wait_heard(1); /* after the webhook was removed */
    for (size_t i = 0; i < COUNT(faults) - 1; i++) {
        fake_do(&w.fake, "fault", "%s", faults[i]);
        fake_do(&w.fake, "say", "{\"text\":\"/help a\"}"); /* ends the poll that is open */
        wait_heard(2 + 2 * i);
        fake_do(&w.fake, "say", "{\"text\":\"/help b\"}");
        wait_heard(3 + 2 * i);
    }
}

static void hostile_updates_are_stepped_over(void **state)
{
    (void)state;
    AUTO(strbuf_free) struct strbuf deep = STRBUF(1 << 20);
    for (int i = 0; i < 500; i++)
        strbuf_adds(&deep, "{\"a\":");
    strbuf_adds(&deep, "1");
    for (int i = 0; i < 500; i++)
        strbuf_adds(&deep, "}");
    fake_do(&w.fake, "set", "{\"allowed\":null}");
    fake_do(&w.fake, "say", "{\"text\":\"/help 1\"}");
    fake_do(&w.fake, "update", "{\"message\":null}");
    fake_do(&w.fake, "update", "{\"message\":{\"message_id\":\"x\",\"chat\":7}}");
    fake_do(&w.fake, "update", "{\"message\":%s}", deep.text); /* too deep: cannot be read */
    fake_do(&w.fake, "update", "{\"callback_query\":{\"id\":[1],\"data\":{}}}");
    fake_do(&w.fake, "say", "{\"text\":\"/help 2\"}");
    adapter_run();
    wait_heard(2);
    assert_string_equal(heard_at(1).text, "/help 2");
}

static void wrong_token_ends_it(void **state)
{
    (void)state;
    fake_do(&w.fake, "set", "{\"token\":\"1:somebodyelsestokensomebodyelses\"}");
    adapter_run();
    adapter_join();
    assert_false(w.run_ok);
    assert_int_equal(w.run_error.code, ERR_CONFIG);
    assert_string_equal(w.run_error.user_key, "start.telegram_token");
    assert_null(strstr(w.run_error.detail, "AAExample"));
    struct chat_adapter none = {0};
    static const char *const bad[] = {"",           "abc",
                                      "12:short",   "7000000001:AAExample/../../x?y=zzzzzz",
                                      "7000000001", ":AAExampleTokenForTests_abcdefghijk"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        struct telegram_options o = {.net = w.net, .token = bad[i], .api_url = w.fake.url};
        assert_false(telegram_create(&o, &none, &e));
        assert_int_equal(e.code, ERR_CONFIG);
    }
}

static bool polling_becomes(bool want)
{
    bool polling = !want;
    for (int i = 0; i < 150 && polling != want; i++) {
        AUTO(json_free) cJSON *state = fake_node_state(&w.fake);
        polling = json_true(state, "polling");
        usleep(10000);
    }
    return polling == want;
}

static void one_poller_at_a_time(void **state)
{
    (void)state;
    atomic_store(&w.may_poll, false);
    adapter_run();
    fake_do(&w.fake, "say", "{\"text\":\"/help\"}");
    usleep(400000);
    assert_int_equal(heard_count(), 0);
    atomic_store(&w.may_poll, true);
    wait_heard(1);
    assert_true(polling_becomes(true));
    atomic_store(&w.may_poll, false); /* also ends the poll that is open */
    assert_true(polling_becomes(false));
}

static void albums_and_files_arrive(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(free_ptr) char *path = NULL;
    adapter_run();
    for (int i = 1; i <= 3; i++)
        fake_do(&w.fake, "say",
                "{\"text\":%s,\"extra\":{\"media_group_id\":\"9\",\"photo\":[{\"file_id\":\"F%d\","
                "\"width\":100,\"height\":100}]}}",
                i == 1 ? "\"/make our trip\"" : "null", i);
    fake_do(&w.fake, "say", "{\"text\":\"/help\"}");
    wait_heard(2);
    struct heard h = heard_at(0);
    assert_string_equal(h.text, "/make our trip");
    assert_int_equal(h.media_count, 3);
    assert_string_equal(h.media[2], "p:F3");
    fake_do(&w.fake, "file",
            "{\"file_id\":\"F3\",\"file_path\":\"photos/f3.jpg\","
            "\"text\":\"jpeg bytes\"}");
    if (!w.chat.ops->fetch(w.chat.self, h.media[2], w.dir, NULL, &path, &e))
        fail_msg("%s", e.detail);
    assert_true(str_ends(path, ".jpg"));
    assert_int_equal(fs_size(path), 10);
    char *none = NULL;
    assert_false(w.chat.ops->fetch(w.chat.self, "p:F9", w.dir, NULL, &none, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    fake_do(&w.fake, "file", "{\"file_id\":\"F7\",\"file_path\":\"../../etc/passwd\"}");
    assert_false(w.chat.ops->fetch(w.chat.self, "p:F7", w.dir, NULL, &none, &e));
    fake_do(&w.fake, "file", "{\"file_id\":\"F8\",\"file_size\":30000000}");
    assert_false(w.chat.ops->fetch(w.chat.self, "v:F8", w.dir, NULL, &none, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static int wait_admin(const struct chat_addr *where, const char *user)
{
    int is_admin = -1;
    for (int i = 0; i < 500 && is_admin < 0; i++) {
        is_admin = w.chat.ops->is_admin(w.chat.self, where, user);
        usleep(10000);
    }
    return is_admin;
}

static void groups_know_their_admins_and_move(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    fake_do(&w.fake, "chat", "{\"id\":-4987654321,\"admins\":[6123456789]}");
    adapter_run();
    fake_do(&w.fake, "say", "{\"chat\":-4987654321,\"text\":\"/help@ExampleClipBot\"}");
    wait_heard(1);
    assert_true(heard_at(0).is_group);
    struct chat_addr group = heard_at(0).addr;
    assert_int_equal(fake_calls(&w.fake, "getChatAdministrators"), 0); /* nobody wanted to know */
    assert_int_equal(w.chat.ops->is_admin(w.chat.self, &group, "6123456789"), -1);
    assert_int_equal(wait_admin(&group, "6123456789"), 1);
    assert_int_equal(wait_admin(&group, "77"), 0);
    assert_int_equal(fake_calls(&w.fake, "getChatAdministrators"), 1);
    struct chat_addr own = ana();
    assert_int_equal(w.chat.ops->is_admin(w.chat.self, &own, "6123456789"), 0);
    size_t n = 1;
    /* Migration: the old address goes on working, old cards are gone. */
    must_send(&group, "before", ref);
    fake_do(&w.fake, "migrate", "{\"from\":-4987654321,\"to\":-1002233445566}");
    wait_heard(n + 2);
    assert_int_equal(heard_at(n).kind, CHAT_MOVED);
    assert_string_equal(heard_at(n).addr.chat, "-4987654321");
    assert_string_equal(heard_at(n).text, "-1002233445566");
    struct err e = {0};
    struct card card = text_card("x");
    assert_false(w.chat.ops->edit(w.chat.self, &group, ref, &card, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    must_send(&group, "after", ref);
    assert_true(str_starts(ref, "-1002233445566:"));
    /* Also without having heard of it: the server says so itself. */
    fake_do(&w.fake, "chat", "{\"id\":-55,\"migratedTo\":-1009}");
    fake_do(&w.fake, "chat", "{\"id\":-1009,\"type\":\"supergroup\"}");
    struct chat_addr other = {.network = "telegram", .chat = "-55"};
    must_send(&other, "found", ref);
    assert_true(str_starts(ref, "-1009:"));
    /* Money talk does not go to a group. */
    card.is_private = true;
    assert_false(w.chat.ops->send(w.chat.self, &group, &card, ref, &e));
    char url[128];
    assert_true(w.chat.ops->private_link(w.chat.self, "/pay", url, sizeof(url)));
    assert_string_equal(url, "https://t.me/ExampleClipBot?start=pay");
}

static void is_move(size_t i, const char *from, const char *to)
{
    struct heard h = heard_at(i);
    assert_int_equal(h.kind, CHAT_MOVED);
    assert_string_equal(h.addr.chat, from);
    assert_string_equal(h.text, to);
}

/* What is said in the new chat never overtakes it, however the updates are ordered, and also when a
   message to the old one was the first to learn of it. */
static void news_of_a_move_comes_first(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    fake_do(&w.fake, "chat", "{\"id\":-1002233445566,\"type\":\"supergroup\"}");
    fake_do(&w.fake, "say", "{\"chat\":-1002233445566,\"text\":\"/help@ExampleClipBot\"}");
    fake_do(&w.fake, "migrate", "{\"from\":-4987654321,\"to\":-1002233445566}");
    adapter_run();
    wait_heard(3);
    is_move(0, "-4987654321", "-1002233445566");
    is_move(1, "-4987654321", "-1002233445566");
    assert_string_equal(heard_at(2).text, "/help");
    fake_do(&w.fake, "chat", "{\"id\":-55,\"migratedTo\":-1009}");
    fake_do(&w.fake, "chat", "{\"id\":-1009,\"type\":\"supergroup\"}");
    struct chat_addr other = {.network = "telegram", .chat = "-55"};
    must_send(&other, "found", ref);
    must_send(&other, "known", ref);
    fake_do(&w.fake, "say", "{\"chat\":-1009,\"text\":\"/help@ExampleClipBot\"}");
    wait_heard(5);
    is_move(3, "-55", "-1009");
    assert_string_equal(heard_at(4).addr.chat, "-1009");
    fake_do(&w.fake, "say", "{\"chat\":-1009,\"text\":\"/queue@ExampleClipBot\"}");
    wait_heard(6); /* it is told once */
    assert_string_equal(heard_at(5).text, "/queue");
    /* While another process polls, what is learnt here is told too. */
    fake_do(&w.fake, "chat", "{\"id\":-56,\"migratedTo\":-1010}");
    fake_do(&w.fake, "chat", "{\"id\":-1010,\"type\":\"supergroup\"}");
    atomic_store(&w.may_poll, false);
    str_copy(other.chat, sizeof(other.chat), "-56");
    must_send(&other, "found", ref);
    wait_heard(7);
    is_move(6, "-56", "-1010");
}

/* --- saying --- */

static void refusals_are_answered_with_a_way(void **state)
{
    (void)state;
    static const struct {
        const char *chat, *fault;
        bool ok;
        enum err_code code;
        size_t messages;
        const char *why;
    } rows[] = {
        {"{\"id\":%lld}",                  NULL,                                                          true,  ERR_NONE,     1, "the plain case"           },
        {"{\"id\":%lld,\"blocked\":true}", NULL,                                                          false, ERR_REFUSED,  0, "blocked"                  },
        {"{\"id\":%lld,\"kicked\":true}",  NULL,                                                          false, ERR_REFUSED,  0, "kicked"                   },
        {"{\"id\":%lld,\"muted\":true}",   NULL,                                                          false, ERR_REFUSED,  0, "muted"                    },
        {"{\"id\":%lld}",
         "{\"method\":\"sendMessage\",\"kind\":\"status\",\"code\":400,\"description\":\"Bad "
         "Request: can't parse entities: x\"}",                                                           true,  ERR_NONE,     1, "once more as plain text"  },
        {"{\"id\":%lld}",
         "{\"method\":\"sendMessage\",\"kind\":\"status\",\"code\":400,\"description\":\"Bad "
         "Request: BUTTON_DATA_INVALID\"}",                                                               true,  ERR_NONE,     1, "once more without buttons"},
        {"{\"id\":%lld}",
         "{\"method\":\"sendMessage\",\"kind\":\"status\",\"code\":400,\"description\":\"Bad "
         "Request: message is too long\"}",                                                               true,  ERR_NONE,     1, "once more, shorter"       },
        {"{\"id\":%lld}",                  "{\"method\":\"sendMessage\",\"kind\":\"lost\"}",              false, ERR_CONFLICT, 1,
         "sent, answer lost: unknown, and not sent twice"                                                                                                    },
        {"{\"id\":%lld}",                  "{\"method\":\"sendMessage\",\"kind\":\"html\",\"code\":504}", false,
         ERR_CONFLICT,                                                                                                         0, "gateway timeout: unknown" },
        {"{\"id\":%lld}",
         "{\"method\":\"sendMessage\",\"kind\":\"status\",\"code\":429,\"description\":\"Too Many "
         "Requests: retry after 100\",\"parameters\":{\"retry_after\":100}}",                             false, ERR_RETRY,    0, "flood: later"             },
        {"{\"id\":%lld}",
         "{\"method\":\"sendMessage\",\"kind\":\"status\",\"code\":401,\"description\":"
         "\"Unauthorized\"}",                                                                             false, ERR_CONFIG,   0, "revoked token"            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        char ref[CHAT_REF_MAX] = "";
        char body[128];
        struct card card = text_card("Card");
        struct chat_addr to = {.network = "telegram"};
        long long chat = 1000 + (long long)i;
        snprintf(to.chat, sizeof(to.chat), "%lld", chat);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(body, sizeof(body), rows[i].chat, chat);
#pragma GCC diagnostic pop
        fake_do(&w.fake, "chat", "%s", body);
        if (rows[i].fault)
            fake_do(&w.fake, "fault", "%s", rows[i].fault);
        bool ok = w.chat.ops->send(w.chat.self, &to, &card, ref, &e);
        size_t count = fake_messages(&w.fake, chat, "text", NULL);
        if (ok != rows[i].ok || (!ok && e.code != rows[i].code) || count != rows[i].messages)
            fail_msg("%s: %d, code %d, %zu messages: %s", rows[i].why, ok, e.code, count, e.detail);
        if (ok)
            assert_true(ref[0] != '\0');
        if (e.code == ERR_RETRY)
            assert_in_range(w.chat.ops->hold_ms(w.chat.self, &to), 90000, 100000);
    }
    fake_node_no_complaints(&w.fake);
}

static void topics_are_answered_in_place(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    AUTO(free_ptr) char *last = NULL;
    struct chat_addr to = {.network = "telegram", .chat = "-1009", .thread = "42"};
    fake_do(&w.fake, "chat",
            "{\"id\":-1009,\"type\":\"supergroup\",\"topics\":{\"42\":\"open\","
            "\"43\":\"closed\"}}");
    must_send(&to, "in the topic", ref);
    fake_messages(&w.fake, -1009, "text", &last);
    assert_non_null(strstr(last, "\"message_thread_id\":42"));
    str_copy(to.thread, sizeof(to.thread), "43");
    must_send(&to, "the topic is closed", ref);
    free(last);
    fake_messages(&w.fake, -1009, "text", &last);
    assert_null(strstr(last, "message_thread_id"));
}

static void progress_is_coalesced(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    struct err e = {0};
    AUTO(free_ptr) char *last = NULL;
    struct chat_addr to = ana();
    must_send(&to, "Quote", ref);
    int64_t begin = clock_mono_ms();
    for (int i = 0; i <= 60; i++) {
        struct card card = {.title = "Making", .percent = i};
        assert_true(w.chat.ops->edit(w.chat.self, &to, ref, &card, &e));
    }
    assert_true(clock_mono_ms() - begin < 1000); /* progress never waits */
    for (int i = 0; i < 600; i++) {
        free(last);
        fake_messages(&w.fake, ANA, "text", &last);
        if (strstr(last, "60 %"))
            break;
        usleep(10000);
    }
    assert_non_null(strstr(last, "60 %")); /* the newest one wins */
    assert_true(fake_calls(&w.fake, "editMessageText") <= 3);
    /* What comes after progress is never overwritten by it. */
    struct card late = {.title = "Making", .percent = 61};
    struct card failed = text_card("Failed");
    assert_true(w.chat.ops->edit(w.chat.self, &to, ref, &late, &e));
    assert_true(w.chat.ops->edit(w.chat.self, &to, ref, &failed, &e));
    usleep(300000);
    free(last);
    fake_messages(&w.fake, ANA, "text", &last);
    assert_non_null(strstr(last, "\"text\":\"Failed\""));
    /* A deleted card is told at the next edit. */
    fake_do(&w.fake, "delete", "{\"chat\":%" PRId64 ",\"message_id\":1}", (int64_t)ANA);
    bool gone = false;
    for (int i = 0; i < 700 && !gone; i++) {
        struct card card = {.title = "Making", .percent = 1 + i % 90};
        gone = !w.chat.ops->edit(w.chat.self, &to, ref, &card, &e);
        usleep(10000);
    }
    assert_true(gone);
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void the_card_becomes_the_video(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        bool ok;
        enum err_code code;
        size_t videos;
        const char *why;
    } rows[] = {
        {NULL,                                                                              true,  ERR_NONE,    1, "the plain case"                             },
        {"{\"kind\":\"cut\",\"after\":100000}",                                             true,  ERR_NONE,    1, "reset in the middle"                        },
        {"{\"kind\":\"lost\"}",                                                             true,  ERR_NONE,    1, "answer lost: repeated into the same message"},
        {"{\"kind\":\"html\",\"code\":502}",                                                true,  ERR_NONE,    1, "gateway"                                    },
        {"{\"kind\":\"status\",\"code\":500,\"description\":\"Internal Server Error\"}",    true,
         ERR_NONE,                                                                                              1, "their trouble"                              },
        {"{\"kind\":\"status\",\"code\":429,\"description\":\"Too Many Requests: retry after 1\","
         "\"parameters\":{\"retry_after\":1}}",                                    true,  ERR_NONE,    1, "flood, a short one"                         },
        {"{\"kind\":\"status\",\"code\":429,\"description\":\"Too Many Requests: retry after 300\","
         "\"parameters\":{\"retry_after\":300}}",                                  false, ERR_RETRY,   0, "flood, a long one: the job comes again"     },
        {"{\"kind\":\"status\",\"code\":400,\"description\":\"Bad Request: message to edit not "
         "found\"}",                                                               true,  ERR_NONE,    1, "card gone: a new message"                   },
        {"{\"kind\":\"status\",\"code\":413,\"description\":\"Request Entity Too Large\"}", false,
         ERR_LIMIT,                                                                                             0, "too large for them"                         },
        {"{\"kind\":\"status\",\"code\":403,\"description\":\"Forbidden: bot was blocked by the "
         "user\"}",                                                                false, ERR_REFUSED, 0, "blocked meanwhile"                          },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        char ref[CHAT_REF_MAX] = "", done[CHAT_REF_MAX] = "";
        struct chat_addr to = {.network = "telegram"};
        long long chat = 2000 + (long long)i;
        snprintf(to.chat, sizeof(to.chat), "%lld", chat);
        w.file_id[0] = '\0';
        fake_do(&w.fake, "chat", "{\"id\":%lld}", chat);
        must_send(&to, "Quote", ref);
        if (rows[i].fault)
            fake_do(&w.fake, "fault", "{\"method\":\"editMessageMedia\",%s", rows[i].fault + 1);
        bool ok = deliver(&to, ref, done, &e);
        AUTO(free_ptr) char *last = NULL;
        size_t count = fake_messages(&w.fake, chat, "video", &last);
        if (ok != rows[i].ok || (!ok && e.code != rows[i].code) || count != rows[i].videos)
            fail_msg("%s: %d, code %d, %zu videos: %s", rows[i].why, ok, e.code, count, e.detail);
        if (!ok)
            continue;
        assert_non_null(strstr(last, "\"duration\":45,\"width\":720,\"height\":1280"));
        assert_non_null(strstr(last, "\"thumbnail\":{"));
        assert_non_null(strstr(last, "\"caption\":\"How tides <work>\""));
        assert_non_null(strstr(last, "\"callback_data\":\"/go 1\""));
        assert_true(done[0] != '\0' && w.file_id[0] != '\0');
    }
    fake_node_no_complaints(&w.fake);
}

static void new_videos_are_repeated_once_at_most(void **state)
{
    (void)state;
    struct err e = {0};
    char done[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    fake_do(&w.fake, "fault", "{\"method\":\"sendVideo\",\"kind\":\"lost\",\"times\":9}");
    assert_false(deliver(&to, "", done, &e));
    assert_int_equal(e.code, ERR_CONFLICT); /* and says that nobody knows */
    assert_int_equal(fake_messages(&w.fake, ANA, "video", NULL), 2);
}

static void too_large_is_said_with_a_size_that_may_fit(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *fit, *why;
    } rows[] = {
        {150000,     "",         "nothing smaller is worth looking at"        },
        {400000,     "200000",   "no limit is known that is smaller: half"    },
        {45000000,   "19900000", "what a proxy may take"                      },
        {49990000,   "49900000", "what the public server takes"               },
        {2100000000, "50000000", "over the limit of this chat: not even tried"},
    };
    fake_do(&w.fake, "fault",
            "{\"method\":\"sendVideo\",\"kind\":\"status\",\"code\":413,"
            "\"description\":\"Request Entity Too Large\",\"times\":9}");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        char done[CHAT_REF_MAX] = "";
        struct chat_addr to = ana();
        film_bytes = rows[i].bytes;
        assert_false(deliver(&to, "", done, &e));
        if (e.code != ERR_LIMIT || strcmp(e.user_key, "deliver.too_large") != 0)
            fail_msg("%s: %d %s", rows[i].why, e.code, e.detail);
        if (strcmp(e.arg, rows[i].fit) != 0)
            fail_msg("%s: fit into '%s'", rows[i].why, e.arg);
    }
    film_bytes = 400000;
}

static void a_card_brings_a_file(void **state)
{
    (void)state;
    struct err e = {0};
    char ref[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    struct card card = text_card("Subtitles");
    card.file = w.poster;
    card.file_name = "How tides work.srt";
    if (!w.chat.ops->send(w.chat.self, &to, &card, ref, &e))
        fail_msg("%s", e.detail);
    AUTO(free_ptr) char *last = NULL;
    assert_int_equal(fake_messages(&w.fake, ANA, "document", &last), 1);
    assert_non_null(strstr(last, "\"file_name\":\"How tides work.srt\""));
    assert_non_null(strstr(last, "\"caption\":\"Subtitles\""));
    fake_node_no_complaints(&w.fake);
}

/* As a voice message, to those who take them; else as a file. */
static void a_voice_is_sent(void **state)
{
    (void)state;
    static const struct {
        bool refuses;
        const char *field;
    } rows[] = {
        {false, "voice"   },
        {true,  "document"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        char ref[CHAT_REF_MAX] = "";
        struct chat_addr to = ana();
        struct card card = text_card("This is Anna.");
        card.file = w.poster;
        card.file_name = "en-anna.ogg";
        card.is_voice_note = true;
        fake_do(&w.fake, "chat", "{\"id\":%" PRId64 ",\"no_voice\":%s}", (int64_t)ANA,
                rows[i].refuses ? "true" : "false");
        if (!w.chat.ops->send(w.chat.self, &to, &card, ref, &e))
            fail_msg("%s: %s", rows[i].field, e.detail);
        AUTO(free_ptr) char *last = NULL;
        assert_int_equal(fake_messages(&w.fake, ANA, rows[i].field, &last), 1);
        assert_non_null(strstr(last, "\"caption\":\"This is Anna.\""));
    }
    fake_node_no_complaints(&w.fake);
}

/* What one process did, the next one knows. */
static void new_videos_are_written_down(void **state)
{
    (void)state;
    struct err e = {0};
    char first[CHAT_REF_MAX] = "", second[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    w.noting = true;
    assert_true(deliver(&to, "", first, &e));
    assert_true(deliver(&to, "", second, &e)); /* it died before it could say so */
    assert_string_equal(second, first);
    assert_int_equal(fake_messages(&w.fake, ANA, "video", NULL), 1);
    /* Unclear twice, in two processes: no third one. */
    str_copy(to.reply, sizeof(to.reply), "77");
    fake_do(&w.fake, "fault", "{\"method\":\"sendVideo\",\"kind\":\"lost\",\"times\":2}");
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(fake_messages(&w.fake, ANA, "video", NULL), 3);
    assert_string_equal(w.note, "2");
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(fake_messages(&w.fake, ANA, "video", NULL), 3);
    /* A refusal is no doubt; without a note nothing is sent. */
    str_copy(to.reply, sizeof(to.reply), "78");
    fake_do(&w.fake, "chat", "{\"id\":%" PRId64 ",\"blocked\":true}", (int64_t)ANA);
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_string_equal(w.note, "0");
    w.note_fails = true;
    int64_t calls = fake_calls(&w.fake, "sendVideo");
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(fake_calls(&w.fake, "sendVideo"), calls);
    w.noting = w.note_fails = false;
}

/* The first job of a start may be delivered before the server was asked who we are, and a process
   that only renders never asks. */
static void notes_do_not_wait_for_the_servers_answer(void **state)
{
    (void)state;
    struct err e = {0};
    char first[CHAT_REF_MAX] = "", second[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    w.noting = true;
    assert_true(deliver(&to, "", first, &e));
    adapter_run();
    for (int i = 0; i < 1000 && fake_calls(&w.fake, "getUpdates") == 0; i++)
        usleep(10000);
    assert_true(deliver(&to, "", second, &e));
    assert_string_equal(second, first);
    assert_int_equal(fake_messages(&w.fake, ANA, "video", NULL), 1);
    w.noting = false;
}

static void uploads_are_reused(void **state)
{
    (void)state;
    struct err e = {0};
    char done[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    assert_true(deliver(&to, "", done, &e));
    AUTO(json_free) cJSON *first = fake_node_state(&w.fake);
    int uploads = cJSON_GetArraySize(json_array(first, "uploads"));
    assert_true(deliver(&to, "", done, &e));
    AUTO(json_free) cJSON *second = fake_node_state(&w.fake);
    assert_int_equal(cJSON_GetArraySize(json_array(second, "uploads")), uploads);
    str_copy(w.file_id, sizeof(w.file_id), "of_another_bot");
    assert_true(deliver(&to, "", done, &e)); /* refused, so uploaded */
    assert_string_not_equal(w.file_id, "of_another_bot");
    fake_node_no_complaints(&w.fake);
}

static void *cancel_soon(void *arg)
{
    usleep(150000);
    cancel_fire(arg);
    return NULL;
}

static void uploads_can_be_stopped(void **state)
{
    (void)state;
    struct cancel cancel;
    struct err e = {0};
    char done[CHAT_REF_MAX] = "";
    pthread_t thread;
    struct card caption = text_card("x");
    struct chat_video video = {.path = w.video,
                               .bytes = 400000,
                               .caption = &caption,
                               .width = 1,
                               .height = 1,
                               .duration_ms = 1000};
    struct chat_addr to = ana();
    cancel_init(&cancel, NULL);
    fake_do(&w.fake, "fault", "{\"method\":\"sendVideo\",\"kind\":\"slow\",\"ms\":5000}");
    pthread_create(&thread, NULL, cancel_soon, &cancel);
    int64_t begin = clock_mono_ms();
    assert_false(w.chat.ops->deliver(w.chat.self, &to, "", &video, &cancel, done, &e));
    assert_true(clock_mono_ms() - begin < 2000);
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    video.bytes = 50000001;
    assert_false(w.chat.ops->deliver(w.chat.self, &to, "", &video, NULL, done, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

/* --- the rest --- */

static void menus_are_written_once(void **state)
{
    (void)state;
    adapter_run();
    for (int i = 0; i < 500 && fake_number(&w.fake, "menuWrites") < 9; i++)
        usleep(10000);
    assert_int_equal(fake_number(&w.fake, "menuWrites"), 9); /* default, en, zh x 3 */
    adapter_end();
    int64_t before = fake_calls(&w.fake, "getMyShortDescription");
    adapter_make();
    adapter_run();
    for (int i = 0; i < 500 && fake_calls(&w.fake, "getMyShortDescription") < before + 3; i++)
        usleep(10000);
    adapter_end();
    assert_int_equal(fake_number(&w.fake, "menuWrites"), 9);
    fake_node_no_complaints(&w.fake);
}

/* The canary: whatever goes wrong, the token is in no line of the log and in no error. */
static void the_token_is_nowhere(void **state)
{
    (void)state;
    char log_path[96];
    snprintf(log_path, sizeof(log_path), "%s/log", w.dir);
    int old = dup(STDERR_FILENO);
    int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDERR_FILENO);
    log_init(LOG_DEBUG, false);
    struct err e = {0};
    char ref[CHAT_REF_MAX] = "", all[4096] = "";
    struct chat_addr to = ana();
    struct card card = text_card("x");
    static const char *const kinds[] = {
        "\"kind\":\"reset\"", "\"kind\":\"html\",\"code\":502", "\"kind\":\"cut\"",
        "\"kind\":\"status\",\"code\":400,\"description\":\"Bad /bot" FAKE_TOKEN "/x\""};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        fake_do(&w.fake, "fault", "{\"method\":\"sendMessage\",%s}", kinds[i]);
        fake_do(&w.fake, "fault", "{\"method\":\"getUpdates\",%s}", kinds[i]);
        if (!w.chat.ops->send(w.chat.self, &to, &card, ref, &e))
            log_err(LOG_ERROR, "test", &e);
    }
    adapter_run();
    usleep(1500000);
    adapter_end();
    log_init(LOG_WARN, false);
    dup2(old, STDERR_FILENO);
    close(old);
    close(fd);
    AUTO(free_ptr) char *log = NULL;
    size_t len = 0;
    assert_true(fs_read(log_path, 1 << 20, &log, &len, &e));
    assert_true(len > 100); /* there was something to look at */
    assert_null(strstr(log, "AAExample"));
    str_copy(all, sizeof(all), e.detail);
    assert_null(strstr(all, "/bot7000000001:AA"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(hears_answers_and_sees_buttons),
        CASE(presses_are_answered_once),
        CASE(nothing_is_lost_or_repeated),
        CASE(bad_days_of_polling_are_survived),
        CASE(hostile_updates_are_stepped_over),
        CASE(wrong_token_ends_it),
        CASE(one_poller_at_a_time),
        CASE(albums_and_files_arrive),
        CASE(groups_know_their_admins_and_move),
        CASE(news_of_a_move_comes_first),
        CASE(refusals_are_answered_with_a_way),
        CASE(topics_are_answered_in_place),
        CASE(progress_is_coalesced),
        CASE(the_card_becomes_the_video),
        CASE(new_videos_are_repeated_once_at_most),
        CASE(new_videos_are_written_down),
        CASE(notes_do_not_wait_for_the_servers_answer),
        CASE(uploads_are_reused),
        CASE(too_large_is_said_with_a_size_that_may_fit),
        CASE(a_card_brings_a_file),
        CASE(a_voice_is_sent),
        CASE(uploads_can_be_stopped),
        CASE(menus_are_written_once),
        CASE(the_token_is_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
