/* What the adapter says: cards, refusals, progress, files, menus; and never its token. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "tests/telegram_bot.h"

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
        fake_do(&tb.fake, "chat", "%s", body);
        if (rows[i].fault)
            fake_do(&tb.fake, "fault", "%s", rows[i].fault);
        bool ok = tb.chat.ops->send(tb.chat.self, &to, &card, ref, &e);
        size_t count = fake_messages(&tb.fake, chat, "text", NULL);
        if (ok != rows[i].ok || (!ok && e.code != rows[i].code) || count != rows[i].messages)
            fail_msg("%s: %d, code %d, %zu messages: %s", rows[i].why, ok, e.code, count, e.detail);
        if (ok)
            assert_true(ref[0] != '\0');
        if (e.code == ERR_RETRY)
            assert_in_range(tb.chat.ops->hold_ms(tb.chat.self, &to), 90000, 100000);
    }
    fake_node_no_complaints(&tb.fake);
}

static void topics_are_answered_in_place(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "";
    AUTO(free_ptr) char *last = NULL;
    struct chat_addr to = {.network = "telegram", .chat = "-1009", .thread = "42"};
    fake_do(&tb.fake, "chat",
            "{\"id\":-1009,\"type\":\"supergroup\",\"topics\":{\"42\":\"open\","
            "\"43\":\"closed\"}}");
    must_send(&to, "in the topic", ref);
    fake_messages(&tb.fake, -1009, "text", &last);
    assert_non_null(strstr(last, "\"message_thread_id\":42"));
    str_copy(to.thread, sizeof(to.thread), "43");
    must_send(&to, "the topic is closed", ref);
    free(last);
    fake_messages(&tb.fake, -1009, "text", &last);
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
        assert_true(tb.chat.ops->edit(tb.chat.self, &to, ref, &card, &e));
    }
    assert_true(clock_mono_ms() - begin < 1000); /* progress never waits */
    for (int i = 0; i < 600; i++) {
        free(last);
        fake_messages(&tb.fake, ANA, "text", &last);
        if (strstr(last, "60 %"))
            break;
        usleep(10000);
    }
    assert_non_null(strstr(last, "60 %")); /* the newest one wins */
    assert_true(fake_calls(&tb.fake, "editMessageText") <= 3);
    /* What comes after progress is never overwritten by it. */
    struct card late = {.title = "Making", .percent = 61};
    struct card failed = text_card("Failed");
    assert_true(tb.chat.ops->edit(tb.chat.self, &to, ref, &late, &e));
    assert_true(tb.chat.ops->edit(tb.chat.self, &to, ref, &failed, &e));
    usleep(300000);
    free(last);
    fake_messages(&tb.fake, ANA, "text", &last);
    assert_non_null(strstr(last, "\"text\":\"Failed\""));
    /* A deleted card is told at the next edit. */
    fake_do(&tb.fake, "delete", "{\"chat\":%" PRId64 ",\"message_id\":1}", (int64_t)ANA);
    bool gone = false;
    for (int i = 0; i < 700 && !gone; i++) {
        struct card card = {.title = "Making", .percent = 1 + i % 90};
        gone = !tb.chat.ops->edit(tb.chat.self, &to, ref, &card, &e);
        usleep(10000);
    }
    assert_true(gone);
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void a_card_brings_a_file(void **state)
{
    (void)state;
    struct err e = {0};
    char ref[CHAT_REF_MAX] = "";
    struct chat_addr to = ana();
    struct card card = text_card("Subtitles");
    card.file = tb.poster;
    card.file_name = "How tides work.srt";
    if (!tb.chat.ops->send(tb.chat.self, &to, &card, ref, &e))
        fail_msg("%s", e.detail);
    AUTO(free_ptr) char *last = NULL;
    assert_int_equal(fake_messages(&tb.fake, ANA, "document", &last), 1);
    assert_non_null(strstr(last, "\"file_name\":\"How tides work.srt\""));
    assert_non_null(strstr(last, "\"caption\":\"Subtitles\""));
    fake_node_no_complaints(&tb.fake);
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
        card.file = tb.poster;
        card.file_name = "en-anna.ogg";
        card.is_voice_note = true;
        fake_do(&tb.fake, "chat", "{\"id\":%" PRId64 ",\"no_voice\":%s}", (int64_t)ANA,
                rows[i].refuses ? "true" : "false");
        if (!tb.chat.ops->send(tb.chat.self, &to, &card, ref, &e))
            fail_msg("%s: %s", rows[i].field, e.detail);
        AUTO(free_ptr) char *last = NULL;
        assert_int_equal(fake_messages(&tb.fake, ANA, rows[i].field, &last), 1);
        assert_non_null(strstr(last, "\"caption\":\"This is Anna.\""));
    }
    fake_node_no_complaints(&tb.fake);
}

static void menus_are_written_once(void **state)
{
    (void)state;
    adapter_run();
    for (int i = 0; i < 500 && fake_number(&tb.fake, "menuWrites") < 9; i++)
        usleep(10000);
    assert_int_equal(fake_number(&tb.fake, "menuWrites"), 9); /* default, en, zh x 3 */
    adapter_end();
    int64_t before = fake_calls(&tb.fake, "getMyShortDescription");
    adapter_make();
    adapter_run();
    for (int i = 0; i < 500 && fake_calls(&tb.fake, "getMyShortDescription") < before + 3; i++)
        usleep(10000);
    adapter_end();
    assert_int_equal(fake_number(&tb.fake, "menuWrites"), 9);
    fake_node_no_complaints(&tb.fake);
}

/* The canary: whatever goes wrong, the token is in no line of the log and in no error. */
static void the_token_is_nowhere(void **state)
{
    (void)state;
    char log_path[96];
    snprintf(log_path, sizeof(log_path), "%s/log", tb.dir);
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
        fake_do(&tb.fake, "fault", "{\"method\":\"sendMessage\",%s}", kinds[i]);
        fake_do(&tb.fake, "fault", "{\"method\":\"getUpdates\",%s}", kinds[i]);
        if (!tb.chat.ops->send(tb.chat.self, &to, &card, ref, &e))
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, telegram_bot_setup, telegram_bot_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(refusals_are_answered_with_a_way),
        CASE(topics_are_answered_in_place),
        CASE(progress_is_coalesced),
        CASE(a_card_brings_a_file),
        CASE(a_voice_is_sent),
        CASE(menus_are_written_once),
        CASE(the_token_is_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
