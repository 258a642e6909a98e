/* What the adapter hears of the fake Bot API server, on good days and bad ones. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/telegram_bot.h"

static void hears_answers_and_sees_buttons(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    AUTO(free_ptr) char *last = NULL;
    adapter_run();
    fake_do(&tb.fake, "say", "{\"text\":\"/make how tides work\"}");
    wait_heard(1);
    struct heard h = heard_at(0);
    assert_string_equal(h.text, "/make how tides work");
    assert_string_equal(h.user, "6123456789");
    must_send(&h.addr, "Quote & <price>", ref);
    assert_int_equal(fake_messages(&tb.fake, ANA, "text", &last), 1);
    assert_non_null(strstr(last, "\"text\":\"Quote & <price>\""));
    assert_non_null(strstr(last, "\"reply_to_message\":{"));
    fake_do(&tb.fake, "press", "{\"chat\":%" PRId64 ",\"message_id\":2,\"label\":\"Go\"}",
            (int64_t)ANA);
    wait_heard(2);
    h = heard_at(1);
    assert_int_equal(h.kind, CHAT_BUTTON);
    assert_string_equal(h.text, "/go 1");
    assert_string_equal(h.ref, ref);
    for (int i = 0; i < 1000 && fake_calls(&tb.fake, "answerCallbackQuery") < 1; i++)
        usleep(10000);
    assert_int_equal(fake_calls(&tb.fake, "answerCallbackQuery"), 1);
    struct card card = text_card("Queued");
    struct err e = {0};
    assert_true(tb.chat.ops->edit(tb.chat.self, &h.addr, ref, &card, &e));
    assert_true(
        tb.chat.ops->edit(tb.chat.self, &h.addr, ref, &card, &e)); /* not modified is well */
    free(last);
    assert_int_equal(fake_messages(&tb.fake, ANA, "text", &last), 1);
    assert_non_null(strstr(last, "\"text\":\"Queued\""));
    adapter_end();
    assert_true(tb.run_ok);
    assert_int_equal(fake_number(&tb.fake, "queued"), 0); /* the goodbye confirmed the rest */
    fake_node_no_complaints(&tb.fake);
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
        fake_do(&tb.fake, "press", "{\"chat\":%" PRId64 ",\"message_id\":1,\"label\":\"Go\"}",
                (int64_t)ANA);
        wait_heard((size_t)i);
    }
    assert_string_not_equal(heard_at(0).press, heard_at(1).press);
    for (size_t n = 0; n < 600; n += strlen(words + n))
        snprintf(words + n, sizeof(words) - n, "not yours 🐙 ");
    tb.chat.ops->pressed(tb.chat.self, heard_at(0).press, words);
    int64_t begin = clock_mono_ms();
    for (int i = 0; i < 1000 && fake_calls(&tb.fake, "answerCallbackQuery") < 2; i++)
        usleep(10000);
    assert_true(clock_mono_ms() - begin < 8000);
    AUTO(json_free) cJSON *now = fake_node_state(&tb.fake);
    const cJSON *queries = json_array(now, "queries");
    assert_true(str_starts(json_text(cJSON_GetArrayItem(queries, 0), "text", ""), "not yours"));
    assert_string_equal(json_text(cJSON_GetArrayItem(queries, 1), "text", ""), "");
    for (int i = 0; i < 2; i++)
        assert_true(json_has(cJSON_GetArrayItem(queries, i), "answered"));
    assert_int_equal(fake_calls(&tb.fake, "answerCallbackQuery"), 2);
    fake_node_no_complaints(&tb.fake);
}

static void nothing_is_lost_or_repeated(void **state)
{
    (void)state;
    enum { N = 250 };
    tb.refuse = 2;
    for (int i = 0; i < N; i++)
        fake_do(&tb.fake, "say", "{\"text\":\"/make number %d\"}", i);
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
    assert_in_range(tb.batches, 3, 5);
    assert_string_equal(tb.cursor, "7000000001:880100451");
    /* A second start hears only what is new, also when numbering began anew, lower. */
    adapter_make();
    fake_do(&tb.fake, "set", "{\"nextUpdate\":100}");
    fake_do(&tb.fake, "say", "{\"text\":\"/help\"}");
    adapter_run();
    wait_heard(N + 1);
    fake_do(&tb.fake, "say", "{\"text\":\"/terms\"}");
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
    fake_do(&tb.fake, "set", "{\"webhook\":\"https://example.org/old\"}");
    fake_do(&tb.fake, "fault", "%s", faults[7]);
    adapter_run();
    fake_do(&tb.fake, "say", "{\"text\":\"/help 0\"}");
    wait_heard(1); /* after the webhook was removed */
    for (size_t i = 0; i < COUNT(faults) - 1; i++) {
        fake_do(&tb.fake, "fault", "%s", faults[i]);
        fake_do(&tb.fake, "say", "{\"text\":\"/help a\"}"); /* ends the poll that is open */
        wait_heard(2 + 2 * i);
        fake_do(&tb.fake, "say", "{\"text\":\"/help b\"}");
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
    fake_do(&tb.fake, "set", "{\"allowed\":null}");
    fake_do(&tb.fake, "say", "{\"text\":\"/help 1\"}");
    fake_do(&tb.fake, "update", "{\"message\":null}");
    fake_do(&tb.fake, "update", "{\"message\":{\"message_id\":\"x\",\"chat\":7}}");
    fake_do(&tb.fake, "update", "{\"message\":%s}", deep.text); /* too deep: cannot be read */
    fake_do(&tb.fake, "update", "{\"callback_query\":{\"id\":[1],\"data\":{}}}");
    fake_do(&tb.fake, "say", "{\"text\":\"/help 2\"}");
    adapter_run();
    wait_heard(2);
    assert_string_equal(heard_at(1).text, "/help 2");
}

static void wrong_token_ends_it(void **state)
{
    (void)state;
    fake_do(&tb.fake, "set", "{\"token\":\"1:somebodyelsestokensomebodyelses\"}");
    adapter_run();
    adapter_join();
    assert_false(tb.run_ok);
    assert_int_equal(tb.run_error.code, ERR_CONFIG);
    assert_string_equal(tb.run_error.user_key, "start.telegram_token");
    assert_null(strstr(tb.run_error.detail, "AAExample"));
    struct chat_adapter none = {0};
    static const char *const bad[] = {"",           "abc",
                                      "12:short",   "7000000001:AAExample/../../x?y=zzzzzz",
                                      "7000000001", ":AAExampleTokenForTests_abcdefghijk"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        struct telegram_options o = {.net = tb.net, .token = bad[i], .api_url = tb.fake.url};
        assert_false(telegram_create(&o, &none, &e));
        assert_int_equal(e.code, ERR_CONFIG);
    }
}

static bool polling_becomes(bool want)
{
    bool polling = !want;
    for (int i = 0; i < 150 && polling != want; i++) {
        AUTO(json_free) cJSON *state = fake_node_state(&tb.fake);
        polling = json_true(state, "polling");
        usleep(10000);
    }
    return polling == want;
}

static void one_poller_at_a_time(void **state)
{
    (void)state;
    atomic_store(&tb.may_poll, false);
    adapter_run();
    fake_do(&tb.fake, "say", "{\"text\":\"/help\"}");
    usleep(400000);
    assert_int_equal(heard_count(), 0);
    atomic_store(&tb.may_poll, true);
    wait_heard(1);
    assert_true(polling_becomes(true));
    atomic_store(&tb.may_poll, false); /* also ends the poll that is open */
    assert_true(polling_becomes(false));
}

static void albums_and_files_arrive(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(free_ptr) char *path = NULL;
    adapter_run();
    for (int i = 1; i <= 3; i++)
        fake_do(&tb.fake, "say",
                "{\"text\":%s,\"extra\":{\"media_group_id\":\"9\",\"photo\":[{\"file_id\":\"F%d\","
                "\"width\":100,\"height\":100}]}}",
                i == 1 ? "\"/make our trip\"" : "null", i);
    fake_do(&tb.fake, "say", "{\"text\":\"/help\"}");
    wait_heard(2);
    struct heard h = heard_at(0);
    assert_string_equal(h.text, "/make our trip");
    assert_int_equal(h.media_count, 3);
    assert_string_equal(h.media[2], "p:F3");
    fake_do(&tb.fake, "file",
            "{\"file_id\":\"F3\",\"file_path\":\"photos/f3.jpg\","
            "\"text\":\"jpeg bytes\"}");
    if (!tb.chat.ops->fetch(tb.chat.self, h.media[2], tb.dir, NULL, &path, &e))
        fail_msg("%s", e.detail);
    assert_true(str_ends(path, ".jpg"));
    assert_int_equal(fs_size(path), 10);
    char *none = NULL;
    assert_false(tb.chat.ops->fetch(tb.chat.self, "p:F9", tb.dir, NULL, &none, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    fake_do(&tb.fake, "file", "{\"file_id\":\"F7\",\"file_path\":\"../../etc/passwd\"}");
    assert_false(tb.chat.ops->fetch(tb.chat.self, "p:F7", tb.dir, NULL, &none, &e));
    fake_do(&tb.fake, "file", "{\"file_id\":\"F8\",\"file_size\":30000000}");
    assert_false(tb.chat.ops->fetch(tb.chat.self, "v:F8", tb.dir, NULL, &none, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static int wait_admin(const struct chat_addr *where, const char *user)
{
    int is_admin = -1;
    for (int i = 0; i < 500 && is_admin < 0; i++) {
        is_admin = tb.chat.ops->is_admin(tb.chat.self, where, user);
        usleep(10000);
    }
    return is_admin;
}

static void groups_know_their_admins_and_move(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    fake_do(&tb.fake, "chat", "{\"id\":-4987654321,\"admins\":[6123456789]}");
    adapter_run();
    fake_do(&tb.fake, "say", "{\"chat\":-4987654321,\"text\":\"/help@ExampleClipBot\"}");
    wait_heard(1);
    assert_true(heard_at(0).is_group);
    struct chat_addr group = heard_at(0).addr;
    assert_int_equal(fake_calls(&tb.fake, "getChatAdministrators"), 0); /* nobody wanted to know */
    assert_int_equal(tb.chat.ops->is_admin(tb.chat.self, &group, "6123456789"), -1);
    assert_int_equal(wait_admin(&group, "6123456789"), 1);
    assert_int_equal(wait_admin(&group, "77"), 0);
    assert_int_equal(fake_calls(&tb.fake, "getChatAdministrators"), 1);
    struct chat_addr own = ana();
    assert_int_equal(tb.chat.ops->is_admin(tb.chat.self, &own, "6123456789"), 0);
    size_t n = 1;
    /* Migration: the old address goes on working, old cards are gone. */
    must_send(&group, "before", ref);
    fake_do(&tb.fake, "migrate", "{\"from\":-4987654321,\"to\":-1002233445566}");
    wait_heard(n + 2);
    assert_int_equal(heard_at(n).kind, CHAT_MOVED);
    assert_string_equal(heard_at(n).addr.chat, "-4987654321");
    assert_string_equal(heard_at(n).text, "-1002233445566");
    struct err e = {0};
    struct card card = text_card("x");
    assert_false(tb.chat.ops->edit(tb.chat.self, &group, ref, &card, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    must_send(&group, "after", ref);
    assert_true(str_starts(ref, "-1002233445566:"));
    /* Also without having heard of it: the server says so itself. */
    fake_do(&tb.fake, "chat", "{\"id\":-55,\"migratedTo\":-1009}");
    fake_do(&tb.fake, "chat", "{\"id\":-1009,\"type\":\"supergroup\"}");
    struct chat_addr other = {.network = "telegram", .chat = "-55"};
    must_send(&other, "found", ref);
    assert_true(str_starts(ref, "-1009:"));
    /* Money talk does not go to a group. */
    card.is_private = true;
    assert_false(tb.chat.ops->send(tb.chat.self, &group, &card, ref, &e));
    char url[128];
    assert_true(tb.chat.ops->private_link(tb.chat.self, "/pay", url, sizeof(url)));
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
    fake_do(&tb.fake, "chat", "{\"id\":-1002233445566,\"type\":\"supergroup\"}");
    fake_do(&tb.fake, "say", "{\"chat\":-1002233445566,\"text\":\"/help@ExampleClipBot\"}");
    fake_do(&tb.fake, "migrate", "{\"from\":-4987654321,\"to\":-1002233445566}");
    adapter_run();
    wait_heard(3);
    is_move(0, "-4987654321", "-1002233445566");
    is_move(1, "-4987654321", "-1002233445566");
    assert_string_equal(heard_at(2).text, "/help");
    fake_do(&tb.fake, "chat", "{\"id\":-55,\"migratedTo\":-1009}");
    fake_do(&tb.fake, "chat", "{\"id\":-1009,\"type\":\"supergroup\"}");
    struct chat_addr other = {.network = "telegram", .chat = "-55"};
    must_send(&other, "found", ref);
    must_send(&other, "known", ref);
    fake_do(&tb.fake, "say", "{\"chat\":-1009,\"text\":\"/help@ExampleClipBot\"}");
    wait_heard(5);
    is_move(3, "-55", "-1009");
    assert_string_equal(heard_at(4).addr.chat, "-1009");
    fake_do(&tb.fake, "say", "{\"chat\":-1009,\"text\":\"/queue@ExampleClipBot\"}");
    wait_heard(6); /* it is told once */
    assert_string_equal(heard_at(5).text, "/queue");
    /* While another process polls, what is learnt here is told too. */
    fake_do(&tb.fake, "chat", "{\"id\":-56,\"migratedTo\":-1010}");
    fake_do(&tb.fake, "chat", "{\"id\":-1010,\"type\":\"supergroup\"}");
    atomic_store(&tb.may_poll, false);
    str_copy(other.chat, sizeof(other.chat), "-56");
    must_send(&other, "found", ref);
    wait_heard(7);
    is_move(6, "-56", "-1010");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, telegram_bot_setup, telegram_bot_teardown)
int main(void)
{
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
