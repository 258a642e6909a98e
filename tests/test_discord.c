/* The whole adapter against the fake Discord: journeys, the kinds of events, commands. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/net/json.h"
#include "tests/discord_bot.h"

/* --- the journey --- */

static void a_journey_in_a_server(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "", film[CHAT_REF_MAX] = "";
    struct err e = {0};
    dbot_adapter_run();
    dfake_do(&w.fake, "command",
             "{\"name\":\"make\",\"options\":{\"topic\":\"how _tides_ work\","
             "\"length\":45,\"aspect\":\"16:9\"}}");
    struct heard h = dbot_wait_heard(1);
    assert_string_equal(h.text, "/make 45s 16:9\nhow _tides_ work");
    assert_string_equal(h.user, ANA);
    assert_true(h.is_group);
    assert_false(h.is_admin);
    dbot_must_send(&h.addr, "Quote <one>", ref);
    dbot_expect_message("**Quote \\<one>**", 64, CHANNEL, 0, 0);
    assert_int_equal(dfake_lines(&w.fake, "log", "/callback"), 1);
    dbot_press(ref, "");
    h = dbot_wait_heard(2);
    assert_int_equal(h.kind, CHAT_BUTTON);
    assert_string_equal(h.text, "/go 1");
    assert_string_equal(h.ref, ref);
    struct card card = dbot_text_card("Making");
    card.percent = 40;
    assert_true(w.chat.ops->edit(w.chat.self, &h.addr, ref, &card, &e));
    dbot_expect_message("Making", 64, CHANNEL, 0, 0);
    if (!dbot_deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    dbot_expect_message("<@" ANA ">\n**How \\*tides\\* work**", 0, CHANNEL, 1, 1);
    dfake_wait_lines(&w.fake, "log", "DELETE /webhooks", 1);
    dbot_must_send(&h.addr, "Ready, 3 credits left", ref);
    dbot_expect_message("Ready", 64, CHANNEL, 0, 0); /* a balance is for one person */
    /* A stranger presses the public button: heard as what it is, answered in private. */
    dbot_press(film, ",\"user\":\"700000000000000009\"");
    h = dbot_wait_heard(3);
    assert_string_equal(h.user, "700000000000000009");
    dbot_must_send(&h.addr, "Not yours", ref);
    dbot_expect_message("Not yours", 64, CHANNEL, 0, 0);
    dbot_adapter_end();
    assert_true(w.run_ok);
    assert_int_equal(dfake_lines(&w.fake, "ops", "close 4000"), 1);
    fake_node_no_complaints(&w.fake);
}

static void a_journey_in_direct_messages(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX] = "", film[CHAT_REF_MAX] = "";
    struct err e = {0};
    dbot_adapter_run();
    dfake_do(&w.fake, "command",
             "{\"name\":\"make\",\"where\":\"dm\",\"locale\":\"zh-CN\","
             "\"options\":{\"topic\":\"sky 30s\"}}");
    struct heard h = dbot_wait_heard(1);
    assert_string_equal(h.text, "/make sky 30s");
    assert_string_equal(h.lang, "zh-CN");
    assert_false(h.is_group);
    dbot_must_send(&h.addr, "Quote", ref);
    dbot_press(ref, ",\"where\":\"dm\"");
    h = dbot_wait_heard(2);
    if (!dbot_deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    assert_string_equal(film, ref); /* the card became the video */
    dbot_expect_message("tides", 0, "1230000000000000044", 1, 0);
    w.film++;
    /* Once more after the token is over: with the bot's own. */
    dfake_do(&w.fake, "set", "{\"tokenMs\":1}");
    if (!dbot_deliver(&h.addr, ref, film, &e))
        fail_msg("%s", e.detail);
    assert_string_equal(film, ref);
    assert_int_equal(dfake_lines(&w.fake, "log", "PATCH /channels"), 1);
    fake_node_no_complaints(&w.fake);
}

/* What everybody may read is the one card that is not for one person. */
static void news_for_all_come_to_the_channel(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX];
    struct err e = {0};
    dbot_adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"group\"}");
    struct heard h = dbot_wait_heard(1);
    assert_string_equal(h.addr.group, "1090000000000000007");
    struct chat_addr place = h.addr;
    for (int i = 0; i < 2; i++) { /* with the interaction, and after it */
        struct card card = dbot_text_card(i ? "5 credits" : "4 credits");
        card.is_public = true;
        assert_true(w.chat.ops->send(w.chat.self, &place, &card, ref, &e));
        dbot_expect_message(card.title, 0, CHANNEL, 0, 0);
        place.reply[0] = '\0';
    }
    dbot_must_send(&place, "Yours", ref); /* others do not read this */
    dbot_expect_message("Yours", 0, "99" ANA, 0, 0);
}

/* --- the other kinds of events --- */

static void modals_choices_menus_and_files(void **state)
{
    (void)state;
    dbot_adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"script\"}");
    for (int i = 0; i < 300 && dfake_lines(&w.fake, "log", "/callback") < 1; i++)
        usleep(10000);
    AUTO(json_free) cJSON *s = fake_node_state(&w.fake);
    const char *custom = json_text(json_object(s, "modal"), "custom_id", "");
    assert_true(*custom);
    dfake_do(&w.fake, "modal", "{\"custom_id\":\"%s\",\"text\":\"One. 30s\\nTwo.\"}", custom);
    struct heard h = dbot_wait_heard(1);
    assert_string_equal(h.text, "/make\nOne. 30s\nTwo.");
    char ref[CHAT_REF_MAX];
    dbot_must_send(&h.addr, "Quote", ref);
    dbot_expect_message("Quote", 64, CHANNEL, 0, 0);
    dfake_do(&w.fake, "complete", "{\"name\":\"voice\",\"option\":\"name\",\"typed\":\"am\"}");
    dfake_wait_lines(&w.fake, "log", "/callback", 3);
    AUTO(json_free) cJSON *s2 = fake_node_state(&w.fake);
    const cJSON *choice = cJSON_GetArrayItem(json_array(s2, "choices"), 0);
    assert_string_equal(json_text(choice, "value", ""), "voice-name-am");
    dfake_do(
        &w.fake, "command",
        "{\"name\":\"Make video\",\"target\":\"1250000000000000900\",\"resolved\":{\"messages\":"
        "{\"1250000000000000900\":{\"id\":\"1250000000000000900\",\"content\":\"The sea\"}}}}");
    h = dbot_wait_heard(2);
    assert_string_equal(h.text, "/make");
    assert_string_equal(h.quoted, "The sea");
    dfake_do(
        &w.fake, "command",
        "{\"name\":\"make\",\"options\":{\"topic\":\"me\",\"media\":\"1250000000000000901\"},"
        "\"resolved\":{\"attachments\":{\"1250000000000000901\":{\"id\":\"1250000000000000901\","
        "\"content_type\":\"image/png\",\"url\":\"https://cdn.discordapp.com/a/b.png\"}}}}");
    h = dbot_wait_heard(3);
    assert_string_equal(h.media, "p:https://cdn.discordapp.com/a/b.png");
    dfake_do(&w.fake, "press",
             "{\"message\":\"1\",\"custom_id\":\"/cancel 1|0|0123456789abcdef\"}");
    h = dbot_wait_heard(4); /* nobody but us makes buttons */
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
    dbot_adapter_run();
    dfake_do(&w.fake, "command", "{\"name\":\"voice\"}");
    struct heard h = dbot_wait_heard(1);
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
    dbot_adapter_end();
    dbot_adapter_make_with(DFAKE_TOKEN);
    dbot_adapter_run();
    dfake_do(&w.fake, "press", "{\"message\":\"%.*s\",\"option\":\"Voice 26\"}",
             (int)strcspn(ref, ":"), ref);
    h = dbot_wait_heard(2);
    assert_int_equal(h.kind, CHAT_BUTTON);
    assert_string_equal(h.text, "/voice v-26");
    /* What was never offered is not taken. */
    dfake_do(&w.fake, "press",
             "{\"message\":\"%.*s\",\"custom_id\":\"x\",\"values\":[\"/grant me 1000\"]}",
             (int)strcspn(ref, ":"), ref);
    h = dbot_wait_heard(3);
    assert_int_equal(h.kind, CHAT_REFUSED);
    fake_node_no_complaints(&w.fake);
}

static void commands_are_registered_when_they_changed(void **state)
{
    (void)state;
    dfake_do(&w.fake, "set", "{\"noArabic\":true}");
    dbot_adapter_run();
    for (int i = 0; i < 500 && dfake_number(&w.fake, "registrations") < 1; i++)
        usleep(10000);
    usleep(100000);
    dbot_adapter_end();
    assert_int_equal(dfake_number(&w.fake, "registrations"), 1);
    AUTO(json_free) cJSON *s = fake_node_state(&w.fake);
    const cJSON *make = cJSON_GetArrayItem(json_array(s, "commands"), 0);
    assert_string_equal(json_text(make, "name", ""), "make");
    assert_false(json_has(json_object(make, "description_localizations"), "ar"));
    assert_true(cJSON_GetArraySize(json_array(make, "options")) >= 7);
    assert_int_equal(cJSON_GetArraySize(json_array(s, "commands")), DBOT_COMMANDS + 1);
    dbot_adapter_make_with(DFAKE_TOKEN);
    dbot_adapter_run();
    dfake_wait_lines(&w.fake, "log", "GET /applications/@me", 2);
    usleep(300000);
    assert_int_equal(dfake_number(&w.fake, "registrations"), 1);
    dbot_adapter_end();
    w.guild = "1090000000000000007"; /* for trying out: there only */
    dbot_adapter_make_with(DFAKE_TOKEN);
    dbot_adapter_run();
    for (int i = 0; i < 500 && dfake_number(&w.fake, "registrations") < 2; i++)
        usleep(10000);
    AUTO(json_free) cJSON *s2 = fake_node_state(&w.fake);
    assert_string_equal(json_text(s2, "commandsAt", ""),
                        "/applications/1180000000000000001/guilds/1090000000000000007/commands");
}

/* Discord is out when the bot starts: the commands come when it is back, without another start. */
static void commands_wait_for_an_outage(void **state)
{
    (void)state;
    dfake_do(&w.fake, "fault",
             "{\"match\":\"PUT /applications\",\"times\":4,\"status\":503,\"html\":\"<html>\"}");
    dbot_adapter_run();
    for (int i = 0; i < 1500 && dfake_number(&w.fake, "registrations") < 1; i++)
        usleep(10000);
    assert_int_equal(dfake_number(&w.fake, "registrations"), 1);
    assert_int_equal(dfake_lines(&w.fake, "log", "PUT /applications"), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_journey_in_a_server, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(a_journey_in_direct_messages, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(news_for_all_come_to_the_channel, dbot_setup,
                                        dbot_teardown),
        cmocka_unit_test_setup_teardown(modals_choices_menus_and_files, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(choices_become_menus, dbot_setup, dbot_teardown),
        cmocka_unit_test_setup_teardown(commands_are_registered_when_they_changed, dbot_setup,
                                        dbot_teardown),
        cmocka_unit_test_setup_teardown(commands_wait_for_an_outage, dbot_setup, dbot_teardown),
    };
    hash_setup();
    log_init(getenv("LOUD") ? LOG_INFO : LOG_OFF, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
