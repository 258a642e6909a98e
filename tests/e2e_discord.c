/* The built program as a Discord bot, beside Telegram in one process: a scripted person commands and
   presses, the fakes judge, and whatever happens there is one video and one charge. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/discord_site.h"

/* What people can choose from while they type, in their language. */
static void commands_are_all_there(void)
{
    static const char *const wanted[] = {
        "\"zh-CN\":\"制作\"", "\"ar\":\"اصنع\"",      "\"autocomplete\":true",
        "\"max_value\":180",  "\"type\":11",          "\"9:16\"",
        "\"Make video\"",     "\"name\":\"script\"",  "\"name\":\"pay\"",
        "\"name\":\"terms\"", "\"name\":\"privacy\"", "\"name\":\"forget\"",
        "\"name\":\"group\"", "\"name\":\"account\"", "\"name\":\"claim\"",
        "\"name\":\"speed\"",
    };
    AUTO(json_free) cJSON *state = fake_node_state(&dsite.fake);
    AUTO(free_ptr) char *all = cJSON_PrintUnformatted(json_array(state, "commands"));
    for (size_t i = 0; i < COUNT(wanted); i++)
        if (!strstr(all, wanted[i]))
            fail_msg("no %s in %s", wanted[i], all);
    assert_string_equal(json_text(state, "commandsAt", ""),
                        "/applications/1180000000000000001/commands");
}

/* A menu of many voices: chosen by what a person reads there. */
static void choose_a_voice(const char *where, const char *user)
{
    char id[32];
    dfake_do(&dsite.fake, "command", "{\"name\":\"voice\",\"where\":\"%s\",\"user\":\"%s\"}", where,
             user);
    dsite_wait("Voices for", NULL, DSITE_ANSWER_MS, id);
    AUTO(json_free) cJSON *seen = NULL;
    const cJSON *row = cJSON_GetArrayItem(
        json_array(dfake_message(&dsite.fake, "Voices for", &seen), "components"), 0);
    const cJSON *menu = cJSON_GetArrayItem(json_array(row, "components"), 0);
    const cJSON *option = cJSON_GetArrayItem(json_array(menu, "options"), 1);
    assert_non_null(option);
    dfake_do(&dsite.fake, "press",
             "{\"message\":\"%s\",\"option\":\"%s\",\"where\":\"%s\",\"user\":\"%s\"}", id,
             json_text(option, "label", ""), where, user);
    const char *label = json_text(option, "label", "");
    AUTO(free_ptr)
    char *chosen = str_printf("read by %.*s.", (int)strcspn(label, "("), label);
    char *gap = strstr(chosen, " .");
    assert_non_null(gap); /* "Anna (female)" */
    memmove(gap, gap + 1, strlen(gap));
    dsite_wait(chosen, NULL, DSITE_ANSWER_MS, id);
    /* And heard: a file that Discord plays by its name. */
    dsite_wait("This is ", NULL, DSITE_ANSWER_MS, id);
    AUTO(json_free) cJSON *sample = NULL;
    const cJSON *files = json_array(dfake_message(&dsite.fake, "This is ", &sample), "attachments");
    assert_true(str_ends(json_text(cJSON_GetArrayItem(files, 0), "filename", ""), ".ogg"));
}

/* --- cases --- */

static void from_make_to_a_video_on_both_networks(void **state)
{
    struct site *p = *state;
    char id[32];
    struct session *s = dsite_start(p, NULL, true);
    dsite_wait_ready();
    dsite_make("guild", "7001", "How tides work. The moon pulls the sea.");
    dsite_wait("How tides work", "Make it", DSITE_START_MS, id);
    /* What only its owner sees cannot be pressed by others; a forged press is not theirs either. */
    dsite_press(id, "Make it", "guild", "7009");
    dsite_press(id, "Cancel", "guild", "7009");
    dsite_wait("That button is for the person who asked", NULL, DSITE_ANSWER_MS, id);
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'quoted'"), 1);
    /* A moderator may stop another's. */
    dsite_make("guild", "7003", "Whales sing.");
    dsite_wait("Whales sing", "Cancel", DSITE_ANSWER_MS, id);
    dfake_do(&dsite.fake, "press",
             "{\"message\":\"%s\",\"label\":\"Cancel\",\"user\":\"7009\",\"moderator\":true}", id);
    int64_t until = clock_mono_ms() + DSITE_ANSWER_MS;
    while (site_number(p, "select count(*) from jobs where state = 'quoted'") != 1 &&
           clock_mono_ms() < until)
        usleep(200000);
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'quoted'"), 1);
    dsite_wait("How tides work", "Make it", DSITE_ANSWER_MS, id);
    dsite_press(id, "Make it", "guild", "7001");
    fake_do(&dsite.other, "say", "{\"text\":\"/start\"}");
    dsite_wait_films("1090000000000000020", 1);
    AUTO(json_free) cJSON *seen = NULL;
    const cJSON *film = dfake_message(&dsite.fake, "<@7001>", &seen);
    assert_non_null(film);
    assert_int_equal(json_int_or(film, "flags", -1), 0);
    assert_int_equal(cJSON_GetArraySize(json_array(film, "pings")), 1);
    assert_true(dsite_has_button(film, "Again") || dsite_has_button(film, "again"));
    dsite_wait("Ready", NULL, DSITE_ANSWER_MS, id);
    AUTO(json_free) cJSON *seen_ready = NULL;
    const cJSON *ready = dfake_message(&dsite.fake, "Ready", &seen_ready);
    if (json_int_or(ready, "flags", -1) != 64) {
        AUTO(free_ptr) char *all = cJSON_Print(seen_ready);
        fail_msg("the balance was told in public: %s", all);
    }
    /* The other network was served meanwhile. */
    AUTO(free_ptr) char *hello = NULL;
    assert_true(fake_messages(&dsite.other, 6123456789, "text", &hello) >= 1);
    /* In direct messages the card becomes the video. */
    dsite_make("dm", "7002", "The sea is deep.");
    dsite_wait("The sea is deep", "Make it", DSITE_ANSWER_MS, id);
    dsite_press(id, "Make it", "dm", "7002");
    dsite_wait_films("1230000000000000044", 1);
    char card[32];
    dsite_find("The sea is deep", NULL, card);
    assert_string_equal(card, id);
    choose_a_voice("dm", "7002");
    dfake_do(&dsite.fake, "command",
             "{\"name\":\"lang\",\"where\":\"dm\",\"user\":\"7002\","
             "\"options\":{\"to\":\"zh\"}}");
    dsite_wait("中文", NULL, DSITE_ANSWER_MS, id);
    dfake_do(&dsite.fake, "complete", "{\"name\":\"make\",\"option\":\"voice\",\"typed\":\"en\"}");
    for (int i = 0; i < 100 && dfake_number(&dsite.fake, "unanswered") > 0; i++)
        usleep(50000);
    AUTO(json_free) cJSON *offered = fake_node_state(&dsite.fake);
    int choices = cJSON_GetArraySize(json_array(offered, "choices"));
    dsite_stop(s);
    AUTO(free_ptr) char *log = session_log(s);
    assert_null(strstr(log, DFAKE_TOKEN)); /* the token is nowhere */
    commands_are_all_there();
    assert_true(choices > 0);
    assert_int_equal(dfake_number(&dsite.fake, "unanswered"), 0);
    fake_node_no_complaints(&dsite.fake);
    site_ledger_must_hold(p);
    site_nowhere(p, "1230000000000000044"); /* the channel of the direct messages */
    site_nowhere(p, "6123456789");
}

/* The account of the server, from any of its channels; who keeps order in one has no say in it. */
static void a_server_has_one_account(void **state)
{
    struct site *p = *state;
    char id[32];
    struct session *s = dsite_start(p, NULL, false);
    dsite_wait_ready();
    dfake_do(&dsite.fake, "command",
             "{\"name\":\"credits\",\"where\":\"guild\",\"user\":\"7001\",\"options\":{\"account\":"
             "\"group\"}}");
    dsite_wait("The group's account: 0 credits", NULL, DSITE_START_MS, id);
    dfake_do(&dsite.fake, "command",
             "{\"name\":\"group\",\"where\":\"thread\",\"user\":\"7002\",\"moderator\":true,"
             "\"options\":{\"change\":\"cap 3\"}}");
    dsite_wait("Only admins of this group", NULL, DSITE_ANSWER_MS, id);
    dfake_do(&dsite.fake, "command",
             "{\"name\":\"group\",\"where\":\"thread\",\"user\":\"7003\",\"manager\":true,"
             "\"options\":{\"change\":\"cap 3\"}}");
    dsite_wait("Each member may use this much", NULL, DSITE_ANSWER_MS, id);
    assert_int_equal(site_number(p, "select count(*) from users where kind = 'group'"), 1);
    assert_int_equal(site_number(p, "select max(cap)::bigint from group_settings"), 3);
    dsite_stop(s);
    fake_node_no_complaints(&dsite.fake);
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The button "Change" asks for words in a window of its own. */
static void a_script_is_changed_in_a_modal(void **state)
{
    struct site *p = *state;
    char card[32], custom[128] = "";
    struct session *s = dsite_start(p, NULL, false);
    dsite_wait_ready();
    dfake_do(&dsite.fake, "command",
             "{\"name\":\"script\",\"where\":\"guild\",\"user\":\"7001\",\"options\":{\"topic\":"
             "\"The moon pulls the sea all night. 9:16\"}}");
    dsite_wait("pulls the sea", "Change", DSITE_START_MS, card);
    dsite_press(card, "Change", "guild", "7001");
    for (int64_t until = clock_mono_ms() + DSITE_ANSWER_MS; !custom[0] && clock_mono_ms() < until;
         usleep(50000)) {
        AUTO(json_free) cJSON *now = fake_node_state(&dsite.fake);
        str_copy(custom, sizeof(custom), json_text(json_object(now, "modal"), "custom_id", ""));
    }
    assert_non_null(strstr(custom, "/script "));
    dfake_do(&dsite.fake, "modal",
             "{\"custom_id\":\"%s\",\"text\":\"1 Whales sing to the moon.\",\"where\":\"guild\","
             "\"user\":\"7001\"}",
             custom);
    dsite_wait("Whales sing to the moon", "Make it", DSITE_ANSWER_MS, card);
    assert_int_equal(site_number(p, "select count(*) from holds"), 0);
    dsite_stop(s);
    fake_node_no_complaints(&dsite.fake);
}

/* 200 commands in one second, stored in the real database while it makes a film: the time from the
   frame to the first answer, as Discord sees it. */
static void first_answers_of_a_busy_second(void **state)
{
    enum { N = 200, USERS = 50 };
    struct site *p = *state;
    double ms[N];
    char id[32];
    struct session *s = dsite_start(p, NULL, false);
    dsite_wait_ready();
    dsite_make("guild", "7001", "How tides work. The moon pulls the sea.");
    dsite_wait("How tides work", "Make it", DSITE_START_MS, id);
    dsite_press(id, "Make it", "guild", "7001");
    dsite_wait("%", NULL, DSITE_ANSWER_MS, id); /* it is being made */
    int64_t before = dfake_number(&dsite.fake, "seen");
    dfake_do(&dsite.fake, "burst", "{\"name\":\"credits\",\"count\":%d,\"ms\":1000,\"users\":%d}",
             N, USERS);
    int64_t until = clock_mono_ms() + DSITE_ANSWER_MS;
    while ((dfake_number(&dsite.fake, "seen") < before + N ||
            dfake_number(&dsite.fake, "unanswered") > 0) &&
           clock_mono_ms() < until)
        usleep(100000);
    AUTO(json_free) cJSON *seen = fake_node_state(&dsite.fake);
    const cJSON *acks = json_array(seen, "acks");
    int count = cJSON_GetArraySize(acks);
    assert_true(count >= N);
    for (int i = 0; i < N; i++)
        ms[i] = cJSON_GetArrayItem(acks, count - N + i)->valuedouble;
    qsort(ms, N, sizeof(ms[0]), by_number);
    print_message("frame to first answer: p50 %.0f ms, p99 %.0f ms, slowest %.0f ms\n", ms[N / 2],
                  ms[N * 99 / 100], ms[N - 1]);
    assert_int_equal(json_int_or(seen, "unanswered", -1), 0);
    assert_true(ms[N * 99 / 100] <= 1000); /* far from three seconds on any machine */
    dsite_stop(s);
    site_ledger_must_hold(p);
}

/* Bytes of the newest film. */
static int64_t film_bytes(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&dsite.fake);
    const cJSON *message;
    int64_t bytes = 0;
    cJSON_ArrayForEach(message, json_array(state, "messages"))
    {
        const cJSON *file = cJSON_GetArrayItem(json_array(message, "attachments"), 0);
        if (file)
            bytes = json_int_or(file, "size", 0);
    }
    return bytes;
}

static void wait_jobs(struct site *p, const char *state, int64_t count)
{
    AUTO(free_ptr) char *sql = str_printf("select count(*) from jobs where state = '%s'", state);
    site_wait_number(p, sql, count, DSITE_VIDEO_MS);
}

static void the_film_fits_the_chat(void **state)
{
    struct site *p = *state;
    char id[32];
    struct session *s = dsite_start(p, NULL, false);
    dsite_wait_ready();
    /* As told, before anything is refused. */
    dfake_do(&dsite.fake, "command",
             "{\"name\":\"make\",\"where\":\"guild\",\"user\":\"7301\",\"limit\":240000,"
             "\"options\":{\"topic\":\"The moon pulls the sea.\",\"aspect\":\"9:16\"}}");
    dsite_wait("The moon pulls", "Make it", DSITE_START_MS, id);
    dsite_press(id, "Make it", "guild", "7301");
    dsite_wait_films(NULL, 1);
    assert_in_range(film_bytes(), 228000 * 92 / 100, 228000); /* 5 % less than told */
    assert_int_equal(dfake_number(&dsite.fake, "tooLarge"), 0);
    /* Told more than is taken: the same scenes once more, smaller. */
    dfake_do(&dsite.fake, "set", "{\"uploadLimit\":300000}");
    dsite_make("guild", "7302", "The sea is deep. Stars are far.");
    dsite_wait("The sea is deep", "Make it", DSITE_ANSWER_MS, id);
    dsite_press(id, "Make it", "guild", "7302");
    dsite_wait_films(NULL, 2);
    assert_true(film_bytes() <= 300000);
    assert_true(dfake_number(&dsite.fake, "tooLarge") >= 1);
    wait_jobs(p, "done", 2);
    assert_int_equal(site_number(p, "select sum(charged)::bigint from jobs"), 2);
    assert_int_equal(site_number(p, "select max(attempt) from jobs"), 1);
    dsite_stop(s);
    AUTO(free_ptr) char *log = session_log(s);
    assert_null(strstr(log, DFAKE_TOKEN));
    site_ledger_must_hold(p);
}

/* The channel is gone and direct messages are closed: offered at the next command. */
static void what_nobody_can_be_given_is_kept(void **state)
{
    struct site *p = *state;
    char id[32];
    struct session *s = dsite_start(p, NULL, false);
    dsite_wait_ready();
    dfake_do(&dsite.fake, "set", "{\"tokenMs\":1}");
    dsite_make("guild", "7401", "The sea is deep.");
    dsite_wait("The sea is deep", "Make it", DSITE_START_MS, id);
    dsite_press(id, "Make it", "guild", "7401");
    dfake_do(&dsite.fake, "set", "{\"noAccess\":true,\"dmClosed\":true}");
    wait_jobs(p, "kept", 1);
    assert_int_equal(dsite_films(NULL), 0);
    assert_int_equal(site_number(p, "select sum(held)::bigint from wallets"), 1);
    dfake_do(&dsite.fake, "set", "{\"tokenMs\":900000,\"noAccess\":false,\"dmClosed\":false}");
    dfake_do(&dsite.fake, "command", "{\"name\":\"queue\",\"where\":\"dm\",\"user\":\"7401\"}");
    dsite_wait("kept for you", "Send it here", DSITE_ANSWER_MS, id);
    dsite_press(id, "Send it here", "dm", "7401");
    dsite_wait_films("1230000000000000044", 1);
    wait_jobs(p, "done", 1);
    assert_int_equal(dsite_films(NULL), 1);
    assert_int_equal(site_number(p, "select sum(charged)::bigint from jobs"), 1);
    dsite_stop(s);
    site_ledger_must_hold(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_make_to_a_video_on_both_networks, dsite_open,
                                        dsite_close),
        cmocka_unit_test_setup_teardown(first_answers_of_a_busy_second, dsite_open, dsite_close),
        cmocka_unit_test_setup_teardown(a_script_is_changed_in_a_modal, dsite_open, dsite_close),
        cmocka_unit_test_setup_teardown(a_server_has_one_account, dsite_open, dsite_close),
        cmocka_unit_test_setup_teardown(the_film_fits_the_chat, dsite_open, dsite_close),
        cmocka_unit_test_setup_teardown(what_nobody_can_be_given_is_kept, dsite_open, dsite_close),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
