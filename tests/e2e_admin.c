/* The built program with operators from NANOTIK_ADMINS: on Telegram and Discord at once, over a restart,
   and at the terminal. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/discord_site.h"

#define GROUP (-4987654321LL)
#define ANA 6123456789LL
#define BEN 6200000009LL
#define DORA "880000000000000777"

/* crash: a named place (core/base/crash.h), or NULL. */
static struct session *start(struct site *p, const char *crash)
{
    AUTO(free_ptr) char *at = str_printf("NANOTIK_CRASH_AT=%s", crash ? crash : "");
    AUTO(free_ptr) char *discord = str_printf("DISCORD_API_URL=%s", dsite.fake.api);
    AUTO(free_ptr) char *telegram = str_printf("TELEGRAM_API_URL=%s", dsite.other.url);
    const char *env[] = {"DISCORD_BOT_TOKEN=" DFAKE_TOKEN,
                         "TELEGRAM_BOT_TOKEN=" FAKE_TOKEN,
                         "NANOTIK_ADMINS=telegram:6123456789, discord:" DORA,
                         "NANOTIK_LOG=debug",
                         discord,
                         telegram,
                         crash ? at : NULL,
                         NULL};
    return session_run(p, false, env);
}

static void tell(int64_t chat, int64_t user, const char *text, const char *answer)
{
    fake_say(&dsite.other, chat, user, "", text);
    fake_wait_text(&dsite.other, chat, "text", answer, DSITE_START_MS);
}

/* /help of a direct message; the card's id. */
static void ask_for_help(const char *user, char ret_card[32])
{
    dfake_do(&dsite.fake, "command", "{\"name\":\"help\",\"where\":\"dm\",\"user\":\"%s\"}", user);
    dsite_wait("What you can type", NULL, DSITE_START_MS, ret_card);
}

static void say_in_window(const char *card, const char *text)
{
    char custom[128] = "";
    dsite_press(card, "Operator", "dm", DORA);
    for (int64_t until = clock_mono_ms() + DSITE_ANSWER_MS; !custom[0] && clock_mono_ms() < until;
         usleep(50000)) {
        AUTO(json_free) cJSON *now = fake_node_state(&dsite.fake);
        str_copy(custom, sizeof(custom), json_text(json_object(now, "modal"), "custom_id", ""));
    }
    assert_non_null(strstr(custom, "/admin"));
    dfake_do(&dsite.fake, "modal",
             "{\"custom_id\":\"%s\",\"text\":\"%s\",\"where\":\"dm\",\"user\":\"" DORA "\"}",
             custom, text);
}

static void nobody_else_can_see_it(void)
{
    AUTO(json_free) cJSON *discord = fake_node_state(&dsite.fake);
    AUTO(json_free) cJSON *telegram = NULL;
    AUTO(free_ptr) char *menus = cJSON_PrintUnformatted(json_array(discord, "commands"));
    assert_non_null(menus);
    assert_non_null(strstr(menus, "\"name\":\"forget\""));
    assert_null(strstr(menus, "admin\""));
    const cJSON *list = NULL;
    for (int64_t until = clock_mono_ms() + DSITE_ANSWER_MS; !list && clock_mono_ms() < until;) {
        json_free(&telegram);
        telegram = fake_node_state(&dsite.other);
        list = json_array(json_object(telegram, "menus"), "c:ar"); /* the last one */
    }
    AUTO(free_ptr) char *all = cJSON_PrintUnformatted(json_object(telegram, "menus"));
    assert_non_null(strstr(all, "{\"command\":\"forget\""));
    assert_null(strstr(all, "{\"command\":\"admin\""));
}

static void operators_of_two_networks(void **state)
{
    struct site *p = *state;
    char card[32];
    fake_do(&dsite.other, "chat", "{\"id\":%lld}", GROUP);
    struct session *s = start(p, NULL);
    dsite_wait_ready();
    tell(BEN, BEN, "/admin stop orders now", "There is no command");
    ask_for_help("7001", card);
    dsite_find("What you can type", "Operator", card);
    assert_string_equal(card, "");
    tell(ANA, ANA, "/admin stop orders a storm comes", "Orders are stopped.");
    tell(GROUP, ANA, "/admin@ExampleClipBot status", "There is no command");
    tell(BEN, BEN, "/make How tides work", "No new videos are taken");
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, DSITE_STOP_MS), 0);

    static const char *const doctor[] = {"doctor", NULL};
    session_once(p, doctor, NULL, DSITE_START_MS, &s);
    session_expect(s, "a storm comes", 0);

    s = start(p, NULL); /* as it was */
    dsite_wait_ready();
    tell(ANA, ANA, "/admin status", "a storm comes");
    ask_for_help(DORA, card);
    dsite_wait("What you can type", "Operator", DSITE_ANSWER_MS, card);
    say_in_window(card, "open orders");
    dsite_wait("Orders are taken again.", "Operator", DSITE_ANSWER_MS, card);
    tell(BEN, BEN, "/make How tides work", "Make it");
    nobody_else_can_see_it();
    dsite_stop(s);

    assert_int_equal(site_number(p, "select count(*) from alarms"), 0);
    site_audit_is(p,
                  "select string_agg(action || ':' || why, ' ' order by l.id) from admin_log l"
                  " join users u on u.id::text = l.actor",
                  "stop_orders:a storm comes open_orders:");
    site_nowhere(p, "6123456789");
    site_nowhere(p, DORA);
    AUTO(free_ptr) char *log = session_log(s);
    assert_null(strstr(log, "6123456789"));
    assert_null(strstr(log, DORA));
    fake_node_no_complaints(&dsite.fake);
    fake_node_no_complaints(&dsite.other);
}

/* Killed before the commit, or before anybody knew of it: credits, line and answer come once. */
static void a_grant_outlives_a_kill(void **state)
{
    struct site *p = *state;
    static const char *const places[] = {"grant.precommit", "grant.commit"};
    struct session *s = start(p, NULL);
    tell(BEN, BEN, "/start", "Welcome");
    for (size_t i = 0; i < COUNT(places); i++) {
        dsite_stop(s);
        s = start(p, places[i]);
        AUTO(free_ptr)
        char *line = str_printf("/admin grant telegram:6200000009 %zu sorry", 5 + i);
        AUTO(free_ptr) char *answer = str_printf("Added %zu credits", 5 + i);
        fake_say(&dsite.other, ANA, ANA, "", line);
        assert_int_equal(session_wait(s, DSITE_START_MS), 128 + SIGKILL);
        s = start(p, NULL);
        fake_wait_text(&dsite.other, ANA, "text", answer, DSITE_START_MS);
    }
    tell(ANA, ANA, "/admin status", "NanoTik 0."); /* all before it is dealt with */
    dsite_stop(s);
    site_audit_is(p,
                  "select string_agg(amount::text, ' ' order by at) from transfers"
                  " where verb = 'grant'",
                  "5 6");
    site_audit_is(p, "select string_agg(amount::text, ' ' order by id) from admin_log", "5 6");
    assert_int_equal(fake_messages(&dsite.other, ANA, "text", NULL), 3);
    site_nowhere(p, "6200000009"); /* also not where the operator wrote it */
    fake_node_no_complaints(&dsite.other);
}

static void a_name_is_no_operator(void **state)
{
    struct site *p = *state;
    const char *env[] = {"NANOTIK_ADMINS=telegram:5,telegram:@bob", NULL};
    struct session *s = session_run(p, false, env);
    assert_int_equal(session_wait(s, DSITE_START_MS), 78);
    AUTO(free_ptr) char *log = session_log(s);
    assert_non_null(strstr(log, "NANOTIK_ADMINS: \"telegram:@bob\" must be"));
}

/* Who sits at the machine could run `nanotik grant`; when others are named, they are not asked. */
static void who_sits_at_the_machine(void **state)
{
    struct site *p = *state;
    const char *none[] = {"NANOTIK_ADMINS=", NULL}, *others[] = {"NANOTIK_ADMINS=discord:5", NULL};
    struct session *s = session_run(p, false, none);
    session_say(s, "/help\n/admin status\n");
    session_expect(s, "/admin", DSITE_START_MS);
    session_expect(s, "Orders are taken, and the books agree.", DSITE_START_MS);
    assert_int_equal(session_finish(s, DSITE_START_MS), 0);
    s = session_run(p, false, others);
    session_say(s, "/admin status\n");
    session_expect(s, "There is no command", DSITE_START_MS);
    assert_int_equal(session_finish(s, DSITE_START_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(operators_of_two_networks, dsite_open, dsite_close),
        cmocka_unit_test_setup_teardown(a_grant_outlives_a_kill, dsite_open, dsite_close),
        cmocka_unit_test_setup_teardown(a_name_is_no_operator, site_open, site_close),
        cmocka_unit_test_setup_teardown(who_sits_at_the_machine, site_open, site_close),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
