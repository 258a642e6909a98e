/* Films: the card becomes one, new ones are repeated once at most, uploads are reused and stopped. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/telegram_bot.h"

static int64_t film_bytes = 400000; /* as the film is announced to the adapter */

static bool deliver(const struct chat_addr *to, const char *ref, char ret_ref[CHAT_REF_MAX],
                    struct err *e)
{
    struct card caption = text_card("How tides <work>");
    struct chat_video video = {.path = tb.video,
                               .poster = tb.poster,
                               .thumb = tb.poster,
                               .width = 720,
                               .height = 1280,
                               .duration_ms = 45200,
                               .bytes = film_bytes,
                               .caption = &caption};
    *e = (struct err){0};
    return tb.chat.ops->deliver(tb.chat.self, to, ref, &video, NULL, ret_ref, e);
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
        tb.file_id[0] = '\0';
        fake_do(&tb.fake, "chat", "{\"id\":%lld}", chat);
        must_send(&to, "Quote", ref);
        if (rows[i].fault)
            fake_do(&tb.fake, "fault", "{\"method\":\"editMessageMedia\",%s", rows[i].fault + 1);
        bool ok = deliver(&to, ref, done, &e);
        AUTO(free_ptr) char *last = NULL;
        size_t count = fake_messages(&tb.fake, chat, "video", &last);
        if (ok != rows[i].ok || (!ok && e.code != rows[i].code) || count != rows[i].videos)
            fail_msg("%s: %d, code %d, %zu videos: %s", rows[i].why, ok, e.code, count, e.detail);
        if (!ok)
            continue;
        assert_non_null(strstr(last, "\"duration\":45,\"width\":720,\"height\":1280"));
        assert_non_null(strstr(last, "\"thumbnail\":{"));
        assert_non_null(strstr(last, "\"caption\":\"How tides <work>\""));
        assert_non_null(strstr(last, "\"callback_data\":\"/go 1\""));
        assert_true(done[0] != '\0' && tb.file_id[0] != '\0');
    }
    fake_node_no_complaints(&tb.fake);
}

static void new_videos_are_repeated_once_at_most(void **state)
{
    (void)state;
    struct err e = {0};
    char done[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    fake_do(&tb.fake, "fault", "{\"method\":\"sendVideo\",\"kind\":\"lost\",\"times\":9}");
    assert_false(deliver(&to, "", done, &e));
    assert_int_equal(e.code, ERR_CONFLICT); /* and says that nobody knows */
    assert_int_equal(fake_messages(&tb.fake, ANA, "video", NULL), 2);
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
    fake_do(&tb.fake, "fault",
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

/* What one process did, the next one knows. */
static void new_videos_are_written_down(void **state)
{
    (void)state;
    struct err e = {0};
    char first[CHAT_REF_MAX] = "", second[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    tb.noting = true;
    assert_true(deliver(&to, "", first, &e));
    assert_true(deliver(&to, "", second, &e)); /* it died before it could say so */
    assert_string_equal(second, first);
    assert_int_equal(fake_messages(&tb.fake, ANA, "video", NULL), 1);
    /* Unclear twice, in two processes: no third one. */
    str_copy(to.reply, sizeof(to.reply), "77");
    fake_do(&tb.fake, "fault", "{\"method\":\"sendVideo\",\"kind\":\"lost\",\"times\":2}");
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(fake_messages(&tb.fake, ANA, "video", NULL), 3);
    assert_string_equal(tb.note, "2");
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(fake_messages(&tb.fake, ANA, "video", NULL), 3);
    /* A refusal is no doubt; without a note nothing is sent. */
    str_copy(to.reply, sizeof(to.reply), "78");
    fake_do(&tb.fake, "chat", "{\"id\":%" PRId64 ",\"blocked\":true}", (int64_t)ANA);
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_string_equal(tb.note, "0");
    tb.note_fails = true;
    int64_t calls = fake_calls(&tb.fake, "sendVideo");
    assert_false(deliver(&to, "", second, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(fake_calls(&tb.fake, "sendVideo"), calls);
    tb.noting = tb.note_fails = false;
}

/* The first job of a start may be delivered before the server was asked who we are, and a process
   that only renders never asks. */
static void notes_do_not_wait_for_the_servers_answer(void **state)
{
    (void)state;
    struct err e = {0};
    char first[CHAT_REF_MAX] = "", second[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    tb.noting = true;
    assert_true(deliver(&to, "", first, &e));
    adapter_run();
    for (int i = 0; i < 1000 && fake_calls(&tb.fake, "getUpdates") == 0; i++)
        usleep(10000);
    assert_true(deliver(&to, "", second, &e));
    assert_string_equal(second, first);
    assert_int_equal(fake_messages(&tb.fake, ANA, "video", NULL), 1);
    tb.noting = false;
}

static void uploads_are_reused(void **state)
{
    (void)state;
    struct err e = {0};
    char done[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    assert_true(deliver(&to, "", done, &e));
    AUTO(json_free) cJSON *first = fake_node_state(&tb.fake);
    int uploads = cJSON_GetArraySize(json_array(first, "uploads"));
    assert_true(deliver(&to, "", done, &e));
    AUTO(json_free) cJSON *second = fake_node_state(&tb.fake);
    assert_int_equal(cJSON_GetArraySize(json_array(second, "uploads")), uploads);
    str_copy(tb.file_id, sizeof(tb.file_id), "of_another_bot");
    assert_true(deliver(&to, "", done, &e)); /* refused, so uploaded */
    assert_string_not_equal(tb.file_id, "of_another_bot");
    fake_node_no_complaints(&tb.fake);
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
    struct chat_video video = {.path = tb.video,
                               .bytes = 400000,
                               .caption = &caption,
                               .width = 1,
                               .height = 1,
                               .duration_ms = 1000};
    struct chat_addr to = ana();
    cancel_init(&cancel, NULL);
    fake_do(&tb.fake, "fault", "{\"method\":\"sendVideo\",\"kind\":\"slow\",\"ms\":5000}");
    pthread_create(&thread, NULL, cancel_soon, &cancel);
    int64_t begin = clock_mono_ms();
    assert_false(tb.chat.ops->deliver(tb.chat.self, &to, "", &video, &cancel, done, &e));
    assert_true(clock_mono_ms() - begin < 2000);
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(thread, NULL);
    video.bytes = 50000001;
    assert_false(tb.chat.ops->deliver(tb.chat.self, &to, "", &video, NULL, done, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, telegram_bot_setup, telegram_bot_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_card_becomes_the_video),
        CASE(new_videos_are_repeated_once_at_most),
        CASE(too_large_is_said_with_a_size_that_may_fit),
        CASE(new_videos_are_written_down),
        CASE(notes_do_not_wait_for_the_servers_answer),
        CASE(uploads_are_reused),
        CASE(uploads_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
