#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/discord_bot.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"

struct dbot w = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool on_events(void *ctx, const struct chat_event *ev, size_t count, const char *cursor)
{
    assert_int_equal(count, 1);
    (void)cursor;
    (void)ctx;
    pthread_mutex_lock(&w.lock);
    int store_ms = w.store_ms;
    bool store = w.refuse == 0 && w.count < COUNT(w.heard);
    w.refuse -= w.refuse > 0;
    if (store) {
        struct heard *h = &w.heard[w.count++];
        *h = (struct heard){.kind = ev->kind,
                            .addr = ev->addr,
                            .is_group = ev->is_group,
                            .is_admin = ev->is_group_admin};
        str_copy(h->id, sizeof(h->id), ev->event_id);
        str_copy(h->text, sizeof(h->text), ev->text);
        str_copy(h->user, sizeof(h->user), ev->user_id);
        str_copy(h->ref, sizeof(h->ref), ev->card_ref);
        str_copy(h->quoted, sizeof(h->quoted), ev->quoted);
        str_copy(h->lang, sizeof(h->lang), ev->lang);
        if (ev->media_count)
            str_copy(h->media, sizeof(h->media), ev->media[0]);
    }
    pthread_mutex_unlock(&w.lock);
    if (store_ms)
        usleep((unsigned)store_ms * 1000);
    return store;
}

size_t dbot_heard_count(void)
{
    pthread_mutex_lock(&w.lock);
    size_t n = w.count;
    pthread_mutex_unlock(&w.lock);
    return n;
}

struct heard dbot_wait_heard(size_t n)
{
    for (int i = 0; i < 1500 && dbot_heard_count() < n; i++)
        usleep(10000);
    if (dbot_heard_count() != n)
        fail_msg("%zu events, %zu expected", dbot_heard_count(), n);
    pthread_mutex_lock(&w.lock);
    struct heard h = w.heard[n - 1];
    pthread_mutex_unlock(&w.lock);
    return h;
}

bool dbot_recall(void *ctx, const char *key, char *ret, size_t size)
{
    (void)ctx;
    bool found = false;
    pthread_mutex_lock(&w.lock);
    for (size_t i = 0; i < w.kept_count && !found; i++)
        if (strcmp(w.kept[i].key, key) == 0)
            found = str_copy(ret, size, w.kept[i].value);
    pthread_mutex_unlock(&w.lock);
    return found;
}

static void keep_one(const char *key, const char *value)
{
    size_t i = 0;
    while (i < w.kept_count && strcmp(w.kept[i].key, key) != 0)
        i++;
    if (i < COUNT(w.kept)) {
        str_copy(w.kept[i].key, sizeof(w.kept[i].key), key);
        str_copy(w.kept[i].value, sizeof(w.kept[i].value), value);
        w.kept_count = MAX(w.kept_count, i + 1);
    }
}

static bool keep(void *ctx, const struct discord_note *notes, size_t count, bool sure)
{
    (void)ctx, (void)sure;
    pthread_mutex_lock(&w.lock);
    int keep_ms = w.keep_ms;
    bool ok = w.keep_refuse == 0;
    w.keep_refuse -= w.keep_refuse > 0;
    pthread_mutex_unlock(&w.lock);
    if (keep_ms)
        usleep((unsigned)keep_ms * 1000);
    pthread_mutex_lock(&w.lock);
    for (size_t i = 0; i < count && ok; i++)
        keep_one(notes[i].key, notes[i].value);
    pthread_mutex_unlock(&w.lock);
    return ok;
}

static bool may_connect(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&w.lock);
    bool ours = !w.another;
    pthread_mutex_unlock(&w.lock);
    return ours;
}

static char *text(void *ctx, const char *lang, const char *key)
{
    (void)ctx;
    return str_printf("%s %s", lang, key);
}

static size_t complete(void *ctx, const char *command, const char *option, const char *typed,
                       const char *lang, char ret[][DISCORD_CHOICE_SIZE])
{
    (void)ctx, (void)lang;
    snprintf(ret[0], DISCORD_CHOICE_SIZE, "%s-%s-%s", command, option, typed);
    return 1;
}

static const struct chat_command commands[DBOT_COMMANDS] = {
    {"make",  "make a video"},
    {"voice", "narrator"    },
    {"help",  "this list"   },
};
static const struct chat_menu menus[] = {
    {"en", "Turns a topic into a video.", "Videos",     commands, COUNT(commands)},
    {"ar", "فيديو",                  "فيديو", commands, COUNT(commands)},
};

void dbot_adapter_make_with(const char *token)
{
    struct err e = {0};
    struct discord_options o = {.net = w.net,
                                .token = token,
                                .api_url = w.fake.api,
                                .guild = w.guild,
                                .token_ms = w.token_ms,
                                .backoff_ms = 50,
                                .menus = menus,
                                .menu_count = COUNT(menus),
                                .text = text,
                                .complete = complete,
                                .recall = dbot_recall,
                                .keep = keep,
                                .may_connect = may_connect};
    if (!discord_create(&o, &w.chat, &e))
        fail_msg("%s", e.detail);
}

static void *run_main(void *arg)
{
    (void)arg;
    w.run_ok = w.chat.ops->run(w.chat.self, on_events, NULL, &w.run_error);
    return NULL;
}

void dbot_adapter_run(void)
{
    pthread_create(&w.thread, NULL, run_main, NULL);
    w.runs = true;
}

void dbot_adapter_join(void)
{
    if (w.runs)
        pthread_join(w.thread, NULL);
    w.runs = false;
}

void dbot_adapter_end(void)
{
    int64_t begin = clock_mono_ms();
    w.chat.ops->stop(w.chat.self);
    dbot_adapter_join();
    if (clock_mono_ms() - begin > 3000)
        fail_msg("run() did not return soon after stop()");
    w.chat.ops->destroy(w.chat.self);
    w.chat.self = NULL;
}

int dbot_setup(void **state)
{
    (void)state;
    struct err e = {0};
    char *bytes = calloc(1, 400000);
    w.count = w.kept_count = 0;
    w.refuse = w.store_ms = w.keep_refuse = w.keep_ms = 0;
    w.another = false;
    w.token_ms = 0;
    w.guild = NULL;
    w.run_error = (struct err){0};
    snprintf(w.dir, sizeof(w.dir), "/tmp/test-discord-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    snprintf(w.video, sizeof(w.video), "%s/film.mp4", w.dir);
    assert_true(fs_write(w.video, bytes, 400000, &e));
    free(bytes);
    dfake_start(&w.fake);
    assert_true(net_engine_create(false, &w.net, &e));
    dbot_adapter_make_with(DFAKE_TOKEN);
    return 0;
}

int dbot_teardown(void **state)
{
    (void)state;
    if (w.chat.self)
        dbot_adapter_end();
    net_engine_destroy(w.net);
    fake_node_stop(&w.fake);
    fs_remove(w.dir);
    return 0;
}

struct card dbot_text_card(const char *title)
{
    return (struct card){.title = title,
                         .percent = -1,
                         .buttons = {{.label = "Go", .action = "/go 1"}},
                         .button_count = 1};
}

void dbot_must_send(const struct chat_addr *to, const char *title, char ref[CHAT_REF_MAX])
{
    struct err e = {0};
    struct card card = dbot_text_card(title);
    if (!w.chat.ops->send(w.chat.self, to, &card, ref, &e))
        fail_msg("send: %s", e.detail);
}

int64_t dbot_video_bytes(void)
{
    struct stat st;
    assert_int_equal(stat(w.video, &st), 0);
    return st.st_size;
}

bool dbot_deliver(const struct chat_addr *to, const char *ref, char ret_ref[CHAT_REF_MAX],
                  struct err *e)
{
    struct card caption = dbot_text_card("How *tides* work");
    char id[24];
    snprintf(id, sizeof(id), "film %d", w.film);
    struct chat_video video = {.id = id,
                               .path = w.video,
                               .title = "How tides work",
                               .width = 720,
                               .height = 1280,
                               .duration_ms = 45200,
                               .bytes = dbot_video_bytes(),
                               .caption = &caption};
    *e = (struct err){0};
    return w.chat.ops->deliver(w.chat.self, to, ref, &video, NULL, ret_ref, e);
}

/* What the newest message with this text looks like. */
void dbot_expect_message(const char *content, int64_t flags, const char *channel, size_t files,
                         size_t pings)
{
    AUTO(json_free) cJSON *state = NULL;
    const cJSON *m = dfake_message(&w.fake, content, &state);
    if (!m)
        fail_msg("no message says '%s'", content);
    assert_int_equal(json_int_or(m, "flags", -1), flags);
    assert_string_equal(json_text(m, "channel_id", ""), channel);
    assert_int_equal(cJSON_GetArraySize(json_array(m, "attachments")), files);
    assert_int_equal(cJSON_GetArraySize(json_array(m, "pings")), pings);
}

void dbot_press(const char *ref, const char *more)
{
    dfake_do(&w.fake, "press", "{\"message\":\"%.*s\",\"label\":\"Go\"%s}", (int)strcspn(ref, ":"),
             ref, more);
}

size_t dbot_films(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&w.fake);
    const cJSON *m;
    size_t count = 0;
    cJSON_ArrayForEach(m, json_array(state, "messages")) count +=
        cJSON_GetArraySize(json_array(m, "attachments")) > 0;
    return count;
}

size_t dbot_messages(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&w.fake);
    return (size_t)cJSON_GetArraySize(json_array(state, "messages"));
}

bool dbot_is_kept(const char *key)
{
    char value[1600];
    return dbot_recall(NULL, key, value, sizeof(value));
}
