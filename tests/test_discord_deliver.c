/* Films to Discord: by which way, what becomes of a lost answer, of a token's end, of a refusal. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/net/json.h"
#include "tests/discord_bot.h"

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
    dbot_adapter_run();
    for (size_t i = 0; i < COUNT(ladder); i++) {
        char ref[CHAT_REF_MAX], film[CHAT_REF_MAX] = "";
        struct err e = {0};
        dfake_do(&w.fake, "set",
                 "{\"tokenMs\":900000,\"noAccess\":false,\"dmClosed\":false,"
                 "\"botHere\":true}");
        dfake_do(&w.fake, "command",
                 "{\"name\":\"make\",\"where\":\"%s\",\"options\":{\"topic\":\"%zu\"}}",
                 ladder[i].where, i);
        struct heard h = dbot_wait_heard(i + 1);
        dbot_must_send(&h.addr, "Quote", ref);
        usleep(2000);
        dfake_do(&w.fake, "set", "%s", ladder[i].set);
        w.film++;
        bool ok = dbot_deliver(&h.addr, ref, film, &e);
        if (e.code != ladder[i].code || ok != (e.code == ERR_NONE))
            fail_msg("%s: %d %s", ladder[i].why, e.code, e.detail);
        if (ok)
            dbot_expect_message("<@" ANA ">", 0, ladder[i].channel, 1, 1);
        else
            assert_string_equal(e.user_key, "deliver.unreachable");
        if (ok)
            continue;
        /* Refusals are counted against the bot: not asked again for a while. */
        size_t asked = dfake_lines(&w.fake, "log", "POST /channels/99");
        assert_false(dbot_deliver(&h.addr, ref, film, &e));
        assert_int_equal(e.code, ERR_REFUSED);
        assert_int_equal(dfake_lines(&w.fake, "log", "POST /channels/99"), asked);
    }
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
    dbot_adapter_run();
    for (size_t i = 0; i < COUNT(lost); i++) {
        char ref[CHAT_REF_MAX], film[CHAT_REF_MAX] = "", again[CHAT_REF_MAX] = "";
        struct err e = {0};
        dfake_do(&w.fake, "set", "{\"tokenMs\":900000,\"botHere\":%s,\"nonceMs\":600000}",
                 strcmp(lost[i].where, "other") == 0 ? "false" : "true");
        dfake_do(&w.fake, "command",
                 "{\"name\":\"make\",\"where\":\"%s\",\"options\":{\"topic\":\"%zu\"}}",
                 lost[i].where, i);
        struct heard h = dbot_wait_heard(i + 1);
        dbot_must_send(&h.addr, "Quote", ref);
        w.film++;
        size_t before = dbot_films();
        /* So often that this attempt gives up, without knowing. */
        dfake_do(&w.fake, "fault", "{\"match\":\"%s\",\"times\":99,\"lost\":true}", lost[i].fault);
        assert_false(dbot_deliver(&h.addr, ref, film, &e));
        assert_int_equal(e.code, ERR_RETRY);
        if (dbot_films() != before + 1)
            fail_msg("%s: it should be there, unknown to us", lost[i].why);
        dbot_adapter_end(); /* nothing but the notes is left */
        dfake_do(&w.fake, "set", "{\"faults\":[]}");
        dfake_do(&w.fake, "set", "%s", lost[i].then);
        dbot_adapter_make_with(DFAKE_TOKEN);
        dbot_adapter_run();
        bool ok = dbot_deliver(&h.addr, ref, film, &e);
        if (!ok || dbot_films() != before + 1)
            fail_msg("%s: %zu films more, %s", lost[i].why, dbot_films() - before, e.detail);
        size_t all = dbot_messages();
        ok =
            dbot_deliver(&h.addr, ref, again, &e); /* its end was not stored: asked for once more */
        if (!ok || dbot_films() != before + 1 || dbot_messages() > all || strcmp(film, again) != 0)
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
    dbot_adapter_end();
    w.token_ms = 3000;
    dfake_do(&w.fake, "set", "{\"tokenMs\":3000}");
    dbot_adapter_make_with(DFAKE_TOKEN);
    dbot_adapter_run();
    int64_t begin = clock_mono_ms();
    dfake_do(&w.fake, "command", "{\"name\":\"make\",\"options\":{\"topic\":\"x\"}}");
    struct heard h = dbot_wait_heard(1);
    dbot_must_send(&h.addr, "Quote", ref);
    struct card card = dbot_text_card("Making");
    card.percent = 20;
    card.lang = "ar";
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    AUTO(json_free) cJSON *early = NULL;
    assert_null(dfake_message(&w.fake, "discord.later", &early));
    /* Nothing moves for a while: told all the same, in the language of the card. */
    while (clock_mono_ms() - begin < 2750)
        usleep(10000);
    dbot_expect_message("ar discord.later\\_here", 64, CHANNEL, 0, 0);
    dbot_expect_message("20 %", 64, CHANNEL, 0, 0);
    card.percent = 30;
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    dbot_expect_message("30 %", 64, CHANNEL, 0, 0);
    dbot_expect_message("ar discord.later\\_here", 64, CHANNEL, 0, 0);
    while (clock_mono_ms() - begin < 3100)
        usleep(10000);
    card.percent = 40;
    assert_false(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(w.chat.ops->send(w.chat.self, &h.addr, &card, moved, &e));
    dbot_expect_message("40 %", 0, "99" ANA, 0, 0);
    card.percent = 50;
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, moved, &card, &e));
    dbot_expect_message("50 %", 0, "99" ANA, 0, 0);
    if (!dbot_deliver(&h.addr, moved, film, &e))
        fail_msg("%s", e.detail);
    dbot_expect_message("<@" ANA ">", 0, CHANNEL, 1, 1);
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
    dbot_adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"make\",\"options\":{\"topic\":\"x\"}}");
    struct heard h = dbot_wait_heard(1);
    dbot_must_send(&h.addr, "Quote", ref);
    usleep(300000);
    pthread_mutex_lock(&w.lock);
    w.keep_refuse = 1;
    pthread_mutex_unlock(&w.lock);
    assert_false(dbot_deliver(&h.addr, ref, film, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_int_equal(dbot_films(), 0);
    assert_true(dbot_deliver(&h.addr, ref, film, &e));
    assert_int_equal(dbot_films(), 1);
}

static void too_large_is_said(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX], film[CHAT_REF_MAX] = "";
    struct err e = {0};
    dbot_adapter_run();
    dfake_do(&w.fake, "set", "{\"uploadLimit\":1000}");
    dfake_do(&w.fake, "command", "{\"name\":\"make\",\"options\":{\"topic\":\"x\"}}");
    struct heard h = dbot_wait_heard(1);
    dbot_must_send(&h.addr, "Quote", ref);
    assert_false(dbot_deliver(&h.addr, ref, film, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(strtol(e.arg, NULL, 10), dbot_video_bytes() / 2); /* no limit is so small */
    assert_int_equal(truncate(w.video, 150000), 0);
    assert_false(dbot_deliver(&h.addr, ref, film, &e));
    assert_string_equal(e.arg, ""); /* nothing smaller is worth looking at */
    /* A server that told more than it takes: what everybody takes is asked for. */
    dfake_do(&w.fake, "set", "{\"uploadLimit\":10485760}");
    assert_int_equal(truncate(w.video, 12 << 20), 0);
    assert_false(dbot_deliver(&h.addr, ref, film, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(strtol(e.arg, NULL, 10), 10485760 / 100 * 95);
    assert_int_equal(truncate(w.video, strtol(e.arg, NULL, 10)), 0);
    if (!dbot_deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    assert_int_equal(dbot_films(), 1);
    assert_true(w.chat.ops->abilities(w.chat.self)->video_bytes_max < 10 * 1024 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_ladder_is_climbed, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(a_lost_answer_is_no_second_film, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(work_that_outlives_the_token, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(no_note_no_film, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(too_large_is_said, dbot_setup, dbot_teardown),
    };
    hash_setup();
    log_init(getenv("LOUD") ? LOG_INFO : LOG_OFF, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
