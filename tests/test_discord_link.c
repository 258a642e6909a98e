/* The whole adapter against the fake Discord, with the faults of a bad day. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/discord_bot.h"

/* --- links that break --- */

static void say_and_hear(size_t n)
{
    dfake_do(&w.fake, "command", "{\"name\":\"help\"}");
    dbot_wait_heard(n);
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
        dbot_adapter_run();
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
        dbot_adapter_end();
        dbot_adapter_make_with(DFAKE_TOKEN);
    }
    assert_true(resumes >= 10); /* all but two breaks, and the restarts between them */
}

/* Nobody answers where the session could be resumed: after three tries a fresh one begins. And a
   gateway that refuses before Hello is asked again and again, but with growing pauses. */
static void dead_hosts_and_refusals(void **state)
{
    (void)state;
    struct discord_stats s;
    dfake_do(&w.fake, "set", "{\"resumeUrl\":\"ws://127.0.0.1:9\"}");
    dbot_adapter_run();
    say_and_hear(1);
    dfake_do(&w.fake, "gateway", "{\"do\":\"cut\"}");
    for (int i = 0; i < 1500 && dfake_number(&w.fake, "identifies") < 2; i++)
        usleep(10000);
    discord_stats(&w.chat, &s);
    assert_int_equal(s.resumes, 3);
    assert_int_equal(dfake_number(&w.fake, "identifies"), 2);
    dfake_do(&w.fake, "set", "{\"resumeUrl\":\"\",\"refuseUpgrade\":4}");
    say_and_hear(2);
    dbot_adapter_end();
    dbot_adapter_make_with(DFAKE_TOKEN);
    int64_t begin = clock_mono_ms();
    w.kept_count = 0; /* a fresh start */
    dfake_do(&w.fake, "forget", "{}");
    dbot_adapter_run();
    for (int i = 0; i < 1500 && dfake_number(&w.fake, "identifies") < 3; i++)
        usleep(10000);
    assert_int_equal(dfake_number(&w.fake, "identifies"), 3);
    assert_true(clock_mono_ms() - begin >= 25 + 50 + 100 + 200); /* pauses of 50 ms, doubling */
    dfake_do(&w.fake, "gateway", "{\"do\":\"op1\"}");            /* a heartbeat that is asked for */
    dfake_wait_lines(&w.fake, "ops", "op 1", 1);
}

static void what_was_missed_comes_with_the_resume(void **state)
{
    (void)state;
    dbot_adapter_run();
    say_and_hear(1);
    dbot_adapter_end(); /* the bot is restarted */
    dfake_do(&w.fake, "command", "{\"name\":\"credits\"}");
    dbot_adapter_make_with(DFAKE_TOKEN);
    dbot_adapter_run();
    struct heard h = dbot_wait_heard(2);
    assert_string_equal(h.text, "/credits");
    assert_int_equal(dfake_number(&w.fake, "identifies"), 1);
    assert_int_equal(dfake_number(&w.fake, "resumes"), 1);
    /* Buttons and tokens survive it too. */
    char ref[CHAT_REF_MAX];
    dbot_must_send(&h.addr, "Balance", ref);
    dbot_adapter_end();
    dbot_adapter_make_with(DFAKE_TOKEN);
    struct card card = dbot_text_card("Edited");
    struct err e = {0};
    if (!w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e))
        fail_msg("%s", e.detail);
    dbot_expect_message("Edited", 64, CHANNEL, 0, 0);
}

static void a_silent_link_is_noticed(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"heartbeat\":1000,\"mute\":true}");
    dbot_adapter_run();
    dfake_wait_lines(&w.fake, "ops", "op 1", 1);
    dfake_wait_lines(&w.fake, "ops", "close 4000", 1);
    dfake_do(&w.fake, "set", "{\"mute\":false}");
    dfake_wait_lines(&w.fake, "ops", "op 6", 1);
}

static void hostile_frames_are_stepped_over(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"split\":\"fragments\",\"guilds\":20000}"); /* a READY of 1 MiB */
    dbot_adapter_run();
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
    dbot_adapter_run();
    dbot_adapter_join();
    assert_false(w.run_ok);
    assert_int_equal(w.run_error.code, ERR_CONFIG);
    assert_string_equal(w.run_error.user_key, "start.discord_closed");
    dbot_adapter_end();
    dbot_adapter_make_with("not-the-token");
    dbot_adapter_run();
    dbot_adapter_join();
    assert_false(w.run_ok);
    assert_string_equal(w.run_error.user_key, "start.discord_token");
    assert_null(strstr(w.run_error.detail, "not-the-token"));
    /* Whatever is asked with it from now on would only add to a ban. */
    char ref[CHAT_REF_MAX];
    struct err refused = {0};
    struct card card = dbot_text_card("Anything");
    const struct chat_addr to = {.network = "discord", .chat = CHANNEL};
    size_t asked = dfake_lines(&w.fake, "log", "POST");
    assert_false(w.chat.ops->send(w.chat.self, &to, &card, ref, &refused));
    assert_int_equal(refused.code, ERR_CONFIG);
    assert_int_equal(dfake_lines(&w.fake, "log", "POST"), asked);
    dbot_adapter_end();
    /* Another number of shards is no reason to give up. */
    dfake_do(&w.fake, "set", "{\"closeOnIdentify\":4011,\"shards\":2,\"maxConcurrency\":2}");
    dbot_adapter_make_with(DFAKE_TOKEN);
    dbot_adapter_run();
    dfake_wait_lines(&w.fake, "ops", "op", 3);
    for (int i = 0; i < 80 && dbot_heard_count() == 0; i++) {
        dfake_do(&w.fake, "command", "{\"name\":\"help\"}");
        usleep(100000);
    }
    assert_true(dbot_heard_count() > 0);
    struct chat_adapter none;
    struct err e = {0};
    struct discord_options o = {.net = w.net, .token = "a\r\nb", .api_url = w.fake.api};
    assert_false(discord_create(&o, &none, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

/* Beyond its last identify of a day a bot loses its token. */
static void nobody_identifies_beyond_the_budget(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"remaining\":3}"); /* kept back */
    dbot_adapter_run();
    for (int i = 0; i < 300 && dfake_number(&w.fake, "links") < 1; i++)
        usleep(10000);
    usleep(300000);
    assert_int_equal(dfake_number(&w.fake, "links"), 1);
    assert_int_equal(dfake_number(&w.fake, "identifies"), 0);
}

static void set_another(bool another)
{
    pthread_mutex_lock(&w.lock);
    w.another = another;
    pthread_mutex_unlock(&w.lock);
}

static void wait_links(int64_t want)
{
    for (int i = 0; i < 300 && dfake_number(&w.fake, "links") != want; i++)
        usleep(10000);
    assert_int_equal(dfake_number(&w.fake, "links"), want);
}

/* Of several processes with one token, one is connected; where it stopped, the next one goes on. */
static void one_process_is_connected(void **state)
{
    (void)state;
    char before[1600], after[1600];
    set_another(true);
    dbot_adapter_run();
    usleep(400000);
    assert_int_equal(dfake_number(&w.fake, "links"), 0);
    assert_int_equal(dfake_number(&w.fake, "identifies"), 0);
    set_another(false);
    wait_links(1);
    say_and_hear(1);
    usleep(400000);
    assert_true(dbot_recall(NULL, "discord.session.0", before, sizeof(before)));
    set_another(true); /* or nobody knows: the database is away */
    say_and_hear(2);   /* the link stays, but what is kept may be another's by now */
    usleep(400000);
    assert_true(dbot_recall(NULL, "discord.session.0", after, sizeof(after)));
    assert_string_equal(after, before);
    dfake_do(&w.fake, "gateway", "{\"do\":\"cut\"}");
    usleep(600000); /* pauses of 50 ms, doubling */
    assert_int_equal(dfake_number(&w.fake, "links"), 0);
    dfake_do(&w.fake, "command", "{\"name\":\"credits\"}");
    set_another(false);
    wait_links(1);
    for (int i = 0; i < 300 && dbot_heard_count() < 4; i++)
        usleep(10000);
    assert_int_equal(dbot_heard_count(), 4); /* what was kept, so the last one heard once more */
    assert_string_equal(w.heard[2].id, w.heard[1].id);
    assert_string_equal(w.heard[3].text, "/credits");
    assert_int_equal(dfake_number(&w.fake, "identifies"), 1);
}

/* --- three seconds, many at once, limits --- */

static void first_answers_are_quick(void **state)
{
    (void)state;
    enum { N = 200 };
    w.store_ms = 8; /* a database at work */
    dbot_adapter_run();
    dfake_do(&w.fake, "burst", "{\"name\":\"make\",\"count\":%d}", N);
    dbot_wait_heard(N);
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

/* The acknowledgement follows the note; without a note it still comes in time. */
static void written_down_before_the_answer(void **state)
{
    (void)state;
    w.keep_ms = 150;
    w.keep_refuse = 2; /* the session's, and the first try of the interaction's */
    dbot_adapter_run();
    dfake_wait_lines(&w.fake, "ops", "op 2", 1);
    usleep(400000);
    w.store_ms = 1500; /* the bot itself is slower than that */
    AUTO(json_free)
    cJSON *told = dfake_control(&w.fake, "command", "{\"name\":\"help\"}");
    AUTO(free_ptr) char *key = str_printf("discord.i.%s", json_text(told, "id", ""));
    int64_t begin = clock_mono_ms();
    while (dfake_lines(&w.fake, "log", "/callback") == 0 && clock_mono_ms() - begin < 3000) {
        bool kept = dbot_is_kept(key);
        if (!kept)
            assert_int_equal(dfake_lines(&w.fake, "log", "/callback"), 0);
        usleep(5000);
    }
    assert_true(dbot_is_kept(key));
    assert_in_range(clock_mono_ms() - begin, 100, 1000);
    dbot_wait_heard(1);
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
    dbot_adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"help\",\"times\":3}");
    for (int i = 0; i < 400 && dbot_heard_count() < 3; i++)
        usleep(10000);
    assert_int_equal(dbot_heard_count(), 3); /* the bot's inbox knows the id */
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
    dbot_adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"help\"}");
    struct heard h = dbot_wait_heard(1);
    dbot_must_send(&h.addr, "Card", ref);
    for (int i = 0; i < 20; i++) {
        struct card card = dbot_text_card("Card");
        card.line_count = 1;
        card.lines[0] = i % 2 ? "odd" : "even";
        if (!w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e))
            fail_msg("edit %d: %s", i, e.detail);
    }
    assert_int_equal(dfake_number(&w.fake, "tooFast"), 0);
    /* 429 of every kind, pages of a proxy, cut connections: an edit gets through in the end. */
    static const struct {
        const char *fault;
        int64_t least_ms; /* that it has to be left alone */
    } faults[] = {
        {"{\"match\":\"PATCH\",\"status\":429,\"headers\":{\"X-RateLimit-Scope\":\"shared\"},"
         "\"body\":{\"message\":\"x\",\"retry_after\":0.2,\"global\":false}}", 200 },
        {"{\"match\":\"PATCH\",\"status\":429,\"headers\":{\"X-RateLimit-Global\":\"true\"},"
         "\"body\":{\"message\":\"x\",\"retry_after\":0.2,\"global\":true}}",  200 },
        {"{\"match\":\"PATCH\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"},"
         "\"html\":\"<html>slow down</html>\"}",                               1000},
        {"{\"match\":\"PATCH\",\"status\":502,\"html\":\"<html>bad gateway</html>\"}",  0   },
        {"{\"match\":\"PATCH\",\"reset\":true}",                                        0   },
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct card card = dbot_text_card("After a fault");
        dfake_do(&w.fake, "fault", "%s", faults[i].fault);
        int64_t begin = clock_mono_ms();
        if (!w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e))
            fail_msg("fault %zu: %s", i, e.detail);
        if (clock_mono_ms() - begin < faults[i].least_ms)
            fail_msg("fault %zu: asked again too soon", i);
    }
    fake_node_no_complaints(&w.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_break_is_mended, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(dead_hosts_and_refusals, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(what_was_missed_comes_with_the_resume, dbot_setup,
                                        dbot_teardown),
        cmocka_unit_test_setup_teardown(nobody_identifies_beyond_the_budget, dbot_setup,
                                        dbot_teardown),
        cmocka_unit_test_setup_teardown(one_process_is_connected, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(a_silent_link_is_noticed, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(hostile_frames_are_stepped_over, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(fatal_codes_end_it, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(first_answers_are_quick, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(written_down_before_the_answer, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_heard_twice_or_lost, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(limits_are_kept, dbot_setup, dbot_teardown),
    };
    hash_setup();
    log_init(getenv("LOUD") ? LOG_INFO : LOG_OFF, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
