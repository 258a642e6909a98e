/* The whole adapter against the fake Discord, with the faults of a bad day. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/discord/discord.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fake_discord.h"

#define ANA "700000000000000003"
#define CHANNEL "1090000000000000020"

/* --- a bot without a mind: it writes down what it hears --- */

struct heard {
    enum chat_event_kind kind;
    struct chat_addr addr;
    char id[96], text[300], user[32], ref[CHAT_REF_MAX], quoted[100], media[100], lang[16];
    bool is_group, is_admin;
};

static struct {
    struct fake_node fake;
    struct net_engine *net;
    struct chat_adapter chat;
    char dir[64], video[96];
    pthread_t thread;
    bool runs, run_ok;
    struct err run_error;
    int64_t token_ms;
    const char *guild;
    int film; /* which one is delivered */
    pthread_mutex_t lock;
    /* --- with lock held --- */
    struct heard heard[512];
    size_t count;
    int refuse;   /* so many events cannot be stored at first */
    int store_ms; /* how long storing takes */
    int keep_refuse, keep_ms;
    struct {
        char key[80], value[1600];
    } kept[1024];
    size_t kept_count;
} w = {.lock = PTHREAD_MUTEX_INITIALIZER};

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

static size_t heard_count(void)
{
    pthread_mutex_lock(&w.lock);
    size_t n = w.count;
    pthread_mutex_unlock(&w.lock);
    return n;
}

static struct heard wait_heard(size_t n)
{
    for (int i = 0; i < 1500 && heard_count() < n; i++)
        usleep(10000);
    if (heard_count() != n)
        fail_msg("%zu events, %zu expected", heard_count(), n);
    pthread_mutex_lock(&w.lock);
    struct heard h = w.heard[n - 1];
    pthread_mutex_unlock(&w.lock);
    return h;
}

static bool recall(void *ctx, const char *key, char *ret, size_t size)
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

static const struct chat_command commands[] = {
    {"make",  "make a video"},
    {"voice", "narrator"    },
    {"help",  "this list"   },
};
static const struct chat_menu menus[] = {
    {"en", "Turns a topic into a video.", "Videos",     commands, COUNT(commands)},
    {"ar", "فيديو",                  "فيديو", commands, COUNT(commands)},
};

static void adapter_make_with(const char *token)
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
                                .recall = recall,
                                .keep = keep};
    if (!discord_create(&o, &w.chat, &e))
        fail_msg("%s", e.detail);
}

static void *run_main(void *arg)
{
    (void)arg;
    w.run_ok = w.chat.ops->run(w.chat.self, on_events, NULL, &w.run_error);
    return NULL;
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
    w.count = w.kept_count = 0;
    w.refuse = w.store_ms = w.keep_refuse = w.keep_ms = 0;
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
    adapter_make_with(DFAKE_TOKEN);
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

static int64_t video_bytes(void)
{
    struct stat st;
    assert_int_equal(stat(w.video, &st), 0);
    return st.st_size;
}

static bool deliver(const struct chat_addr *to, const char *ref, char ret_ref[CHAT_REF_MAX],
                    struct err *e)
{
    struct card caption = text_card("How *tides* work");
    char id[24];
    snprintf(id, sizeof(id), "film %d", w.film);
    struct chat_video video = {.id = id,
                               .path = w.video,
                               .title = "How tides work",
                               .width = 720,
                               .height = 1280,
                               .duration_ms = 45200,
                               .bytes = video_bytes(),
                               .caption = &caption};
    *e = (struct err){0};
    return w.chat.ops->deliver(w.chat.self, to, ref, &video, NULL, ret_ref, e);
}

/* What the newest message with this text looks like. */
static void expect_message(const char *content, int64_t flags, const char *channel, size_t files,
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

static void press(const char *ref, const char *more)
{
    dfake_do(&w.fake, "press", "{\"message\":\"%.*s\",\"label\":\"Go\"%s}", (int)strcspn(ref, ":"),
             ref, more);
}

/* --- the journey --- */

static void a_journey_in_a_server(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "", film[CHAT_REF_MAX] = "";
    struct err e = {0};
    adapter_run();
    dfake_do(&w.fake, "command",
             "{\"name\":\"make\",\"options\":{\"topic\":\"how _tides_ work\","
             "\"length\":45,\"aspect\":\"16:9\"}}");
    struct heard h = wait_heard(1);
    assert_string_equal(h.text, "/make 45s 16:9\nhow _tides_ work");
    assert_string_equal(h.user, ANA);
    assert_true(h.is_group);
    assert_false(h.is_admin);
    must_send(&h.addr, "Quote <one>", ref);
    expect_message("**Quote \\<one>**", 64, CHANNEL, 0, 0);
    assert_int_equal(dfake_lines(&w.fake, "log", "/callback"), 1);
    press(ref, "");
    h = wait_heard(2);
    assert_int_equal(h.kind, CHAT_BUTTON);
    assert_string_equal(h.text, "/go 1");
    assert_string_equal(h.ref, ref);
    struct card card = text_card("Making");
    card.percent = 40;
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    expect_message("Making", 64, CHANNEL, 0, 0);
    if (!deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    expect_message("<@" ANA ">\n**How \\*tides\\* work**", 0, CHANNEL, 1, 1);
    dfake_wait_lines(&w.fake, "log", "DELETE /webhooks", 1);
    must_send(&h.addr, "Ready, 3 credits left", ref);
    expect_message("Ready", 64, CHANNEL, 0, 0); /* a balance is for one person */
    /* A stranger presses the public button: heard as what it is, answered in private. */
    press(film, ",\"user\":\"700000000000000009\"");
    h = wait_heard(3);
    assert_string_equal(h.user, "700000000000000009");
    must_send(&h.addr, "Not yours", ref);
    expect_message("Not yours", 64, CHANNEL, 0, 0);
    adapter_end();
    assert_true(w.run_ok);
    assert_int_equal(dfake_lines(&w.fake, "ops", "close 4000"), 1);
    fake_node_no_complaints(&w.fake);
}

static void a_journey_in_direct_messages(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "", film[CHAT_REF_MAX] = "";
    struct err e = {0};
    adapter_run();
    dfake_do(&w.fake, "command",
             "{\"name\":\"make\",\"where\":\"dm\",\"locale\":\"zh-CN\","
             "\"options\":{\"topic\":\"sky 30s\"}}");
    struct heard h = wait_heard(1);
    assert_string_equal(h.text, "/make sky 30s");
    assert_string_equal(h.lang, "zh-CN");
    assert_false(h.is_group);
    must_send(&h.addr, "Quote", ref);
    press(ref, ",\"where\":\"dm\"");
    h = wait_heard(2);
    if (!deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    assert_string_equal(film, ref); /* the card became the video */
    expect_message("tides", 0, "1230000000000000044", 1, 0);
    w.film++;
    /* Once more after the token is over: with the bot's own. */
    dfake_do(&w.fake, "set", "{\"tokenMs\":1}");
    if (!deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    assert_string_equal(film, ref);
    assert_int_equal(dfake_lines(&w.fake, "log", "PATCH /channels"), 1);
    fake_node_no_complaints(&w.fake);
}

/* --- the ladder of delivery --- */

static const struct {
    const char *set;
    const char *where, *channel, *pings_in;
    enum err_code code;
    const char *why;
} ladder[] = {
    {"{}",                                                  "thread", "1090000000000000021", "token",   ERR_NONE,    "as a message of the thread"},
    {"{\"noAccess\":true}",                                 "guild",  CHANNEL,               "token",   ERR_NONE,
     "no right to write there: through the token"                                                                                                },
    {"{\"tokenMs\":1}",                                     "guild",  CHANNEL,               "channel", ERR_NONE,
     "the token is over: as a message of the channel"                                                                                            },
    {"{\"tokenMs\":1,\"noAccess\":true}",                   "guild",  "99" ANA,              "dm",      ERR_NONE,
     "no right to write there: direct messages"                                                                                                  },
    {"{\"tokenMs\":1,\"botHere\":false}",                   "other",  "99" ANA,              "dm",      ERR_NONE,
     "installed to a person only"                                                                                                                },
    {"{\"tokenMs\":1,\"noAccess\":true,\"dmClosed\":true}", "guild",  "",                    "",        ERR_REFUSED,
     "nowhere: the reason is told"                                                                                                               },
};

static void the_ladder_is_climbed(void **state)
{
    (void)state;
    adapter_run();
    for (size_t i = 0; i < COUNT(ladder); i++) {
        char ref[CHAT_REF_MAX], film[CHAT_REF_MAX] = "";
        struct err e = {0};
        dfake_do(&w.fake, "set",
                 "{\"tokenMs\":900000,\"noAccess\":false,\"dmClosed\":false,"
                 "\"botHere\":true}");
        dfake_do(&w.fake, "command",
                 "{\"name\":\"make\",\"where\":\"%s\",\"options\":{\"topic\":\"%zu\"}}",
                 ladder[i].where, i);
        struct heard h = wait_heard(i + 1);
        must_send(&h.addr, "Quote", ref);
        usleep(2000);
        dfake_do(&w.fake, "set", "%s", ladder[i].set);
        w.film++;
        bool ok = deliver(&h.addr, ref, film, &e);
        if (e.code != ladder[i].code || ok != (e.code == ERR_NONE))
            fail_msg("%s: %d %s", ladder[i].why, e.code, e.detail);
        if (ok)
            expect_message("<@" ANA ">", 0, ladder[i].channel, 1, 1);
        else
            assert_string_equal(e.user_key, "deliver.unreachable");
    }
}

static size_t films(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&w.fake);
    const cJSON *m;
    size_t count = 0;
    cJSON_ArrayForEach(m, json_array(state, "messages")) count +=
        cJSON_GetArraySize(json_array(m, "attachments")) > 0;
    return count;
}

static size_t messages(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&w.fake);
    return (size_t)cJSON_GetArraySize(json_array(state, "messages"));
}

/* The request worked and its answer is lost, or the program with it: what the next attempt does. */
static const struct {
    const char *where, *fault, *then;
    const char *why;
} lost[] = {
    {"guild",  "POST /channels/1090000000000000020/messages", "{}",              "the nonce finds the first one"                 },
    {"guild",  "POST /channels/1090000000000000020/messages", "{\"nonceMs\":0}",
     "an hour later the nonce is forgotten: the file's name finds it"                                                            },
    {"thread", "POST /channels/1090000000000000021/messages", "{\"nonceMs\":0}", "in a thread"                                   },
    {"dm",     "PATCH /webhooks",                             "{}",              "into the card: the same edit once more"        },
    {"dm",     "PATCH /webhooks",                             "{\"tokenMs\":1}", "into the card, and the token is over meanwhile"},
    {"other",  "PATCH /webhooks",                             "{}",
     "through the token: the text below the answer became the video"                                                             },
};

static void a_lost_answer_is_no_second_film(void **state)
{
    (void)state;
    adapter_run();
    for (size_t i = 0; i < COUNT(lost); i++) {
        char ref[CHAT_REF_MAX], film[CHAT_REF_MAX] = "", again[CHAT_REF_MAX] = "";
        struct err e = {0};
        dfake_do(&w.fake, "set", "{\"tokenMs\":900000,\"botHere\":%s,\"nonceMs\":600000}",
                 strcmp(lost[i].where, "other") == 0 ? "false" : "true");
        dfake_do(&w.fake, "command",
                 "{\"name\":\"make\",\"where\":\"%s\",\"options\":{\"topic\":\"%zu\"}}",
                 lost[i].where, i);
        struct heard h = wait_heard(i + 1);
        must_send(&h.addr, "Quote", ref);
        w.film++;
        size_t before = films();
        /* So often that this attempt gives up, without knowing. */
        dfake_do(&w.fake, "fault", "{\"match\":\"%s\",\"times\":99,\"lost\":true}", lost[i].fault);
        assert_false(deliver(&h.addr, ref, film, &e));
        assert_int_equal(e.code, ERR_RETRY);
        if (films() != before + 1)
            fail_msg("%s: it should be there, unknown to us", lost[i].why);
        adapter_end(); /* nothing but the notes is left */
        dfake_do(&w.fake, "set", "{\"faults\":[]}");
        dfake_do(&w.fake, "set", "%s", lost[i].then);
        adapter_make_with(DFAKE_TOKEN);
        adapter_run();
        bool ok = deliver(&h.addr, ref, film, &e);
        if (!ok || films() != before + 1)
            fail_msg("%s: %zu films more, %s", lost[i].why, films() - before, e.detail);
        size_t all = messages();
        ok = deliver(&h.addr, ref, again, &e); /* its end was not stored: asked for once more */
        if (!ok || films() != before + 1 || messages() > all || strcmp(film, again) != 0)
            fail_msg("%s: delivered after it was done", lost[i].why);
    }
    fake_node_no_complaints(&w.fake);
}

/* 15 minutes in 3 seconds: before the token ends the person is told where the video will come; the
   work's card goes on in direct messages; the video comes to the channel, and the card goes. */
static void work_that_outlives_the_token(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "", moved[CHAT_REF_MAX] = "", film[CHAT_REF_MAX] = "";
    struct err e = {0};
    adapter_end();
    w.token_ms = 3000;
    dfake_do(&w.fake, "set", "{\"tokenMs\":3000}");
    adapter_make_with(DFAKE_TOKEN);
    adapter_run();
    int64_t begin = clock_mono_ms();
    dfake_do(&w.fake, "command", "{\"name\":\"make\",\"options\":{\"topic\":\"x\"}}");
    struct heard h = wait_heard(1);
    must_send(&h.addr, "Quote", ref);
    struct card card = text_card("Making");
    card.percent = 20;
    card.lang = "ar";
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    AUTO(json_free) cJSON *early = NULL;
    assert_null(dfake_message(&w.fake, "discord.later", &early));
    /* Nothing moves for a while: told all the same, in the language of the card. */
    while (clock_mono_ms() - begin < 2750)
        usleep(10000);
    expect_message("ar discord.later\\_here", 64, CHANNEL, 0, 0);
    expect_message("20 %", 64, CHANNEL, 0, 0);
    card.percent = 30;
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    expect_message("30 %", 64, CHANNEL, 0, 0);
    expect_message("ar discord.later\\_here", 64, CHANNEL, 0, 0);
    while (clock_mono_ms() - begin < 3100)
        usleep(10000);
    card.percent = 40;
    assert_false(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(w.chat.ops->send(w.chat.self, &h.addr, &card, moved, &e));
    expect_message("40 %", 0, "99" ANA, 0, 0);
    card.percent = 50;
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, moved, &card, &e));
    expect_message("50 %", 0, "99" ANA, 0, 0);
    if (!deliver(&h.addr, moved, film, &e))
        fail_msg("%s", e.detail);
    expect_message("<@" ANA ">", 0, CHANNEL, 1, 1);
    AUTO(json_free) cJSON *late = NULL;
    assert_null(dfake_message(&w.fake, "50 %", &late));
    fake_node_no_complaints(&w.fake);
}

/* Nothing is sent that could not be noted. */
static void no_note_no_film(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX], film[CHAT_REF_MAX] = "";
    struct err e = {0};
    adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"make\",\"options\":{\"topic\":\"x\"}}");
    struct heard h = wait_heard(1);
    must_send(&h.addr, "Quote", ref);
    usleep(300000);
    pthread_mutex_lock(&w.lock);
    w.keep_refuse = 1;
    pthread_mutex_unlock(&w.lock);
    assert_false(deliver(&h.addr, ref, film, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(films(), 0);
    assert_true(deliver(&h.addr, ref, film, &e));
    assert_int_equal(films(), 1);
}

static void too_large_is_said(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX], film[CHAT_REF_MAX] = "";
    struct err e = {0};
    adapter_run();
    dfake_do(&w.fake, "set", "{\"uploadLimit\":1000}");
    dfake_do(&w.fake, "command", "{\"name\":\"make\",\"options\":{\"topic\":\"x\"}}");
    struct heard h = wait_heard(1);
    must_send(&h.addr, "Quote", ref);
    assert_false(deliver(&h.addr, ref, film, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(strtol(e.arg, NULL, 10), video_bytes() / 2); /* no limit is so small */
    assert_int_equal(truncate(w.video, 150000), 0);
    assert_false(deliver(&h.addr, ref, film, &e));
    assert_string_equal(e.arg, ""); /* nothing smaller is worth looking at */
    /* A server that told more than it takes: what everybody takes is asked for. */
    dfake_do(&w.fake, "set", "{\"uploadLimit\":10485760}");
    assert_int_equal(truncate(w.video, 12 << 20), 0);
    assert_false(deliver(&h.addr, ref, film, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(strtol(e.arg, NULL, 10), 10485760 / 100 * 95);
    assert_int_equal(truncate(w.video, strtol(e.arg, NULL, 10)), 0);
    if (!deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    assert_int_equal(films(), 1);
    assert_true(w.chat.ops->abilities(w.chat.self)->video_bytes_max < 10 * 1024 * 1024);
}

/* --- the other kinds of events --- */

static void modals_choices_menus_and_files(void **state)
{
    (void)state;
    adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"script\"}");
    for (int i = 0; i < 300 && dfake_lines(&w.fake, "log", "/callback") < 1; i++)
        usleep(10000);
    AUTO(json_free) cJSON *s = fake_node_state(&w.fake);
    const char *custom = json_text(json_object(s, "modal"), "custom_id", "");
    assert_true(*custom);
    dfake_do(&w.fake, "modal", "{\"custom_id\":\"%s\",\"text\":\"One. 30s\\nTwo.\"}", custom);
    struct heard h = wait_heard(1);
    assert_string_equal(h.text, "/make\nOne. 30s\nTwo.");
    char ref[CHAT_REF_MAX];
    must_send(&h.addr, "Quote", ref);
    expect_message("Quote", 64, CHANNEL, 0, 0);
    dfake_do(&w.fake, "complete", "{\"name\":\"voice\",\"option\":\"name\",\"typed\":\"am\"}");
    dfake_wait_lines(&w.fake, "log", "/callback", 3);
    AUTO(json_free) cJSON *s2 = fake_node_state(&w.fake);
    const cJSON *choice = cJSON_GetArrayItem(json_array(s2, "choices"), 0);
    assert_string_equal(json_text(choice, "value", ""), "voice-name-am");
    dfake_do(
        &w.fake, "command",
        "{\"name\":\"Make video\",\"target\":\"1250000000000000900\",\"resolved\":{\"messages\":"
        "{\"1250000000000000900\":{\"id\":\"1250000000000000900\",\"content\":\"The sea\"}}}}");
    h = wait_heard(2);
    assert_string_equal(h.text, "/make");
    assert_string_equal(h.quoted, "The sea");
    dfake_do(
        &w.fake, "command",
        "{\"name\":\"make\",\"options\":{\"topic\":\"me\",\"media\":\"1250000000000000901\"},"
        "\"resolved\":{\"attachments\":{\"1250000000000000901\":{\"id\":\"1250000000000000901\","
        "\"content_type\":\"image/png\",\"url\":\"https://cdn.discordapp.com/a/b.png\"}}}}");
    h = wait_heard(3);
    assert_string_equal(h.media, "p:https://cdn.discordapp.com/a/b.png");
    dfake_do(&w.fake, "press",
             "{\"message\":\"1\",\"custom_id\":\"/cancel 1|0|0123456789abcdef\"}");
    h = wait_heard(4); /* nobody but us makes buttons */
    assert_int_equal(h.kind, CHAT_REFUSED);
    assert_string_equal(h.text, "chat.old_button");
    fake_node_no_complaints(&w.fake);
}

/* Many choices become menus, few stay buttons; both survive a restart of the bot. */
static void choices_become_menus(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "", labels[30][24], actions[30][24];
    struct err e = {0};
    struct card card = {.title = "Which voice?", .percent = -1};
    card.buttons[card.button_count++] = (struct chat_button){.label = "Go", .action = "/go"};
    for (size_t i = 0; i < 28; i++) {
        snprintf(labels[i], sizeof(labels[i]), "Voice %zu", i);
        snprintf(actions[i], sizeof(actions[i]), "/voice v-%zu", i);
        card.buttons[card.button_count++] =
            (struct chat_button){.label = labels[i], .action = actions[i], .is_choice = true};
    }
    for (size_t i = 0; i < 2; i++)
        card.buttons[card.button_count++] =
            (struct chat_button){.label = i ? "Bold" : "Fine",
                                 .action = i ? "/style bold" : "/style fine",
                                 .is_choice = true};
    adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"voice\"}");
    struct heard h = wait_heard(1);
    if (!w.chat.ops->send(w.chat.self, &h.addr, &card, ref, &e))
        fail_msg("%s", e.detail);
    AUTO(json_free) cJSON *s = NULL;
    const cJSON *rows = json_array(dfake_message(&w.fake, "Which voice", &s), "components");
    static const int want[] = {1, 25, 3, 2}; /* a button, two menus, two buttons */
    assert_int_equal(cJSON_GetArraySize(rows), COUNT(want));
    for (int i = 0; i < (int)COUNT(want); i++) {
        const cJSON *parts = json_array(cJSON_GetArrayItem(rows, i), "components");
        const cJSON *options = json_array(cJSON_GetArrayItem(parts, 0), "options");
        assert_int_equal(cJSON_GetArraySize(options ? options : parts), want[i]);
    }
    adapter_end();
    adapter_make_with(DFAKE_TOKEN);
    adapter_run();
    dfake_do(&w.fake, "press", "{\"message\":\"%.*s\",\"option\":\"Voice 26\"}",
             (int)strcspn(ref, ":"), ref);
    h = wait_heard(2);
    assert_int_equal(h.kind, CHAT_BUTTON);
    assert_string_equal(h.text, "/voice v-26");
    /* What was never offered is not taken. */
    dfake_do(&w.fake, "press",
             "{\"message\":\"%.*s\",\"custom_id\":\"x\",\"values\":[\"/grant me 1000\"]}",
             (int)strcspn(ref, ":"), ref);
    h = wait_heard(3);
    assert_int_equal(h.kind, CHAT_REFUSED);
    fake_node_no_complaints(&w.fake);
}

static void commands_are_registered_when_they_changed(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"noArabic\":true}");
    adapter_run();
    for (int i = 0; i < 500 && dfake_number(&w.fake, "registrations") < 1; i++)
        usleep(10000);
    usleep(100000);
    adapter_end();
    assert_int_equal(dfake_number(&w.fake, "registrations"), 1);
    AUTO(json_free) cJSON *s = fake_node_state(&w.fake);
    const cJSON *make = cJSON_GetArrayItem(json_array(s, "commands"), 0);
    assert_string_equal(json_text(make, "name", ""), "make");
    assert_false(json_has(json_object(make, "description_localizations"), "ar"));
    assert_int_equal(cJSON_GetArraySize(json_array(make, "options")), 12);
    assert_int_equal(cJSON_GetArraySize(json_array(s, "commands")), COUNT(commands) + 1);
    adapter_make_with(DFAKE_TOKEN);
    adapter_run();
    dfake_wait_lines(&w.fake, "log", "GET /applications/@me", 2);
    usleep(300000);
    assert_int_equal(dfake_number(&w.fake, "registrations"), 1);
    adapter_end();
    w.guild = "1090000000000000007"; /* for trying out: there only */
    adapter_make_with(DFAKE_TOKEN);
    adapter_run();
    for (int i = 0; i < 500 && dfake_number(&w.fake, "registrations") < 2; i++)
        usleep(10000);
    AUTO(json_free) cJSON *s2 = fake_node_state(&w.fake);
    assert_string_equal(json_text(s2, "commandsAt", ""),
                        "/applications/1180000000000000001/guilds/1090000000000000007/commands");
}

/* --- links that break --- */

static void say_and_hear(size_t n)
{
    dfake_do(&w.fake, "command", "{\"name\":\"help\"}");
    wait_heard(n);
}

static void every_break_is_mended(void **state)
{
    (void)state;
    static const char *const breaks[] = {
        "{\"do\":\"cut\"}",
        "{\"do\":\"op7\"}",
        "{\"do\":\"op9\",\"d\":true}",
        "{\"do\":\"op9\",\"d\":false}",
        "{\"do\":\"close\",\"code\":4000}",
        "{\"do\":\"close\",\"code\":4009,\"reason\":\"Session timed out.\"}",
        "{\"do\":\"garbage\",\"hex\":\"00ff00ff0000ffff\"}",
    };
    int64_t resumes = 0;
    for (size_t i = 0; i < COUNT(breaks); i++) {
        size_t before;
        adapter_run();
        say_and_hear(2 * i + 1);
        before = dfake_lines(&w.fake, "ops", "op 2") + dfake_lines(&w.fake, "ops", "op 6");
        dfake_do(&w.fake, "gateway", "%s", breaks[i]);
        for (int k = 0; k < 800; k++) {
            usleep(10000);
            if (dfake_lines(&w.fake, "ops", "op 2") + dfake_lines(&w.fake, "ops", "op 6") > before)
                break;
        }
        usleep(50000);
        say_and_hear(2 * i + 2);
        struct discord_stats s;
        discord_stats(&w.chat, &s);
        assert_int_equal(s.dropped, 0);
        resumes += s.resumes;
        adapter_end();
        adapter_make_with(DFAKE_TOKEN);
    }
    assert_true(resumes >= 10); /* all but two breaks, and the restarts between them */
}

static void what_was_missed_comes_with_the_resume(void **state)
{
    (void)state;
    adapter_run();
    say_and_hear(1);
    adapter_end(); /* the bot is restarted */
    dfake_do(&w.fake, "command", "{\"name\":\"credits\"}");
    adapter_make_with(DFAKE_TOKEN);
    adapter_run();
    struct heard h = wait_heard(2);
    assert_string_equal(h.text, "/credits");
    assert_int_equal(dfake_number(&w.fake, "identifies"), 1);
    assert_int_equal(dfake_number(&w.fake, "resumes"), 1);
    /* Buttons and tokens survive it too. */
    char ref[CHAT_REF_MAX];
    must_send(&h.addr, "Balance", ref);
    adapter_end();
    adapter_make_with(DFAKE_TOKEN);
    struct card card = text_card("Edited");
    struct err e = {0};
    if (!w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e))
        fail_msg("%s", e.detail);
    expect_message("Edited", 64, CHANNEL, 0, 0);
}

static void a_silent_link_is_noticed(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"heartbeat\":1000,\"mute\":true}");
    adapter_run();
    dfake_wait_lines(&w.fake, "ops", "op 1", 1);
    dfake_wait_lines(&w.fake, "ops", "close 4000", 1);
    dfake_do(&w.fake, "set", "{\"mute\":false}");
    dfake_wait_lines(&w.fake, "ops", "op 6", 1);
}

static void hostile_frames_are_stepped_over(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"split\":\"fragments\",\"guilds\":20000}"); /* a READY of 1 MiB */
    adapter_run();
    say_and_hear(1);
    dfake_do(&w.fake, "gateway", "{\"do\":\"raw\",\"text\":\"{\\\"a\\\":\",\"times\":2000}");
    dfake_do(&w.fake, "gateway", "{\"do\":\"raw\",\"text\":\"{\\\"op\\\":99,\\\"d\\\":[]}\"}");
    dfake_do(&w.fake, "gateway", "{\"do\":\"raw\",\"text\":\"{\\\"op\\\":\\\"x\\\"}\"}");
    dfake_do(&w.fake, "gateway",
             "{\"do\":\"dispatch\",\"t\":\"INTERACTION_CREATE\",\"d\":{\"id\":7}}");
    dfake_do(&w.fake, "gateway", "{\"do\":\"dispatch\",\"t\":\"NEVER_HEARD_OF\",\"d\":null}");
    dfake_do(&w.fake, "set", "{\"split\":\"messages\"}");
    say_and_hear(2);
    assert_int_equal(dfake_number(&w.fake, "identifies"), 1);
}

static void fatal_codes_end_it(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"closeOnIdentify\":4014}");
    adapter_run();
    adapter_join();
    assert_false(w.run_ok);
    assert_int_equal(w.run_error.code, ERR_CONFIG);
    assert_string_equal(w.run_error.user_key, "start.discord_closed");
    adapter_end();
    adapter_make_with("not-the-token");
    adapter_run();
    adapter_join();
    assert_false(w.run_ok);
    assert_string_equal(w.run_error.user_key, "start.discord_token");
    assert_null(strstr(w.run_error.detail, "not-the-token"));
    adapter_end();
    /* Another number of shards is no reason to give up. */
    dfake_do(&w.fake, "set", "{\"closeOnIdentify\":4011,\"shards\":2,\"maxConcurrency\":2}");
    adapter_make_with(DFAKE_TOKEN);
    adapter_run();
    dfake_wait_lines(&w.fake, "ops", "op", 3);
    for (int i = 0; i < 80 && heard_count() == 0; i++) {
        dfake_do(&w.fake, "command", "{\"name\":\"help\"}");
        usleep(100000);
    }
    assert_true(heard_count() > 0);
    struct chat_adapter none;
    struct err e = {0};
    struct discord_options o = {.net = w.net, .token = "a\r\nb", .api_url = w.fake.api};
    assert_false(discord_create(&o, &none, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

/* --- three seconds, many at once, limits --- */

static void first_answers_are_quick(void **state)
{
    (void)state;
    enum { N = 200 };
    w.store_ms = 8; /* a database at work */
    adapter_run();
    dfake_do(&w.fake, "burst", "{\"name\":\"make\",\"count\":%d}", N);
    wait_heard(N);
    struct discord_stats s;
    for (int i = 0; i < 300; i++) {
        discord_stats(&w.chat, &s);
        if (s.acks == N && dfake_number(&w.fake, "unanswered") == 0)
            break;
        usleep(10000);
    }
    assert_int_equal(s.acks, N);
    assert_int_equal(dfake_number(&w.fake, "unanswered"), 0);
    print_message("slowest of %d answers left after %lld ms\n", N, (long long)s.ack_ms_max);
    assert_true(s.ack_ms_max < 1500);
}

static bool is_kept(const char *key)
{
    char value[1600];
    return recall(NULL, key, value, sizeof(value));
}

/* The acknowledgement follows the note; without a note it still comes in time. */
static void written_down_before_the_answer(void **state)
{
    (void)state;
    w.keep_ms = 150;
    w.keep_refuse = 2; /* the session's, and the first try of the interaction's */
    adapter_run();
    dfake_wait_lines(&w.fake, "ops", "op 2", 1);
    usleep(400000);
    w.store_ms = 1500; /* the bot itself is slower than that */
    AUTO(json_free)
    cJSON *told = dfake_control(&w.fake, "command", "{\"name\":\"help\"}");
    AUTO(free_ptr) char *key = str_printf("discord.i.%s", json_text(told, "id", ""));
    int64_t begin = clock_mono_ms();
    while (dfake_lines(&w.fake, "log", "/callback") == 0 && clock_mono_ms() - begin < 3000) {
        bool kept = is_kept(key);
        if (!kept)
            assert_int_equal(dfake_lines(&w.fake, "log", "/callback"), 0);
        usleep(5000);
    }
    assert_true(is_kept(key));
    assert_in_range(clock_mono_ms() - begin, 100, 1000);
    wait_heard(1);
    pthread_mutex_lock(&w.lock);
    w.keep_refuse = 1000; /* the store is away */
    w.keep_ms = w.store_ms = 0;
    pthread_mutex_unlock(&w.lock);
    say_and_hear(2);
    dfake_wait_lines(&w.fake, "log", "/callback", 2);
    AUTO(json_free) cJSON *s = fake_node_state(&w.fake);
    const cJSON *ms;
    cJSON_ArrayForEach(ms, json_array(s, "acks")) assert_true(ms->valuedouble < 2000);
}

static void nothing_is_heard_twice_or_lost(void **state)
{
    (void)state;
    w.refuse = 2;
    adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"help\",\"times\":3}");
    for (int i = 0; i < 400 && heard_count() < 3; i++)
        usleep(10000);
    assert_int_equal(heard_count(), 3); /* the bot's inbox knows the id */
    for (int i = 0; i < 3; i++)
        assert_string_equal(w.heard[i].id, w.heard[0].id);
    dfake_wait_lines(&w.fake, "log", "/callback", 1);
    usleep(100000);
    assert_int_equal(dfake_lines(&w.fake, "log", "/callback"), 1);
}

static void limits_are_kept(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX];
    struct err e = {0};
    adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"help\"}");
    struct heard h = wait_heard(1);
    must_send(&h.addr, "Card", ref);
    for (int i = 0; i < 20; i++) {
        struct card card = text_card("Card");
        card.line_count = 1;
        card.lines[0] = i % 2 ? "odd" : "even";
        if (!w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e))
            fail_msg("edit %d: %s", i, e.detail);
    }
    assert_int_equal(dfake_number(&w.fake, "tooFast"), 0);
    /* 429 of every kind, pages of a proxy, cut connections: an edit gets through in the end. */
    static const char *const faults[] = {
        "{\"match\":\"PATCH\",\"status\":429,\"headers\":{\"X-RateLimit-Scope\":\"shared\"},"
        "\"body\":{\"message\":\"x\",\"retry_after\":0.2,\"global\":false}}",
        "{\"match\":\"PATCH\",\"status\":429,\"headers\":{\"X-RateLimit-Global\":\"true\"},"
        "\"body\":{\"message\":\"x\",\"retry_after\":0.2,\"global\":true}}",
        "{\"match\":\"PATCH\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"},"
        "\"html\":\"<html>slow down</html>\"}",
        "{\"match\":\"PATCH\",\"status\":502,\"html\":\"<html>bad gateway</html>\"}",
        "{\"match\":\"PATCH\",\"reset\":true}",
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct card card = text_card("After a fault");
        dfake_do(&w.fake, "fault", "%s", faults[i]);
        if (!w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e))
            fail_msg("fault %zu: %s", i, e.detail);
    }
    fake_node_no_complaints(&w.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_journey_in_a_server, setup, teardown),
        cmocka_unit_test_setup_teardown(a_journey_in_direct_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ladder_is_climbed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_answer_is_no_second_film, setup, teardown),
        cmocka_unit_test_setup_teardown(work_that_outlives_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(no_note_no_film, setup, teardown),
        cmocka_unit_test_setup_teardown(too_large_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(modals_choices_menus_and_files, setup, teardown),
        cmocka_unit_test_setup_teardown(choices_become_menus, setup, teardown),
        cmocka_unit_test_setup_teardown(commands_are_registered_when_they_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(every_break_is_mended, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_missed_comes_with_the_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_link_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_frames_are_stepped_over, setup, teardown),
        cmocka_unit_test_setup_teardown(fatal_codes_end_it, setup, teardown),
        cmocka_unit_test_setup_teardown(first_answers_are_quick, setup, teardown),
        cmocka_unit_test_setup_teardown(written_down_before_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_heard_twice_or_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_are_kept, setup, teardown),
    };
    hash_setup();
    log_init(getenv("LOUD") ? LOG_INFO : LOG_OFF, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
