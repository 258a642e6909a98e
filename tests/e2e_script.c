/* The built program with /script: seen, changed and started before a credit is held, on the terminal
   and on Telegram, whatever is killed in between. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/net/json.h"
#include "tests/fake_telegram.h"
#include "tests/llm_env.h"

enum { SOON_MS = 60000, RENDER_MS = 180000, KILLED = 128 + SIGKILL };

static int scripts(void)
{
    return llm_calls(&llm_site, "chat");
}

/* What the person asked for is in the last request, where it is data. */
static void last_request_holds(const char *part)
{
    AUTO(json_free) cJSON *state = fake_node_state(&llm_site);
    const cJSON *last = NULL, *call;
    cJSON_ArrayForEach(call, json_array(state, "calls")) if (strcmp(json_text(call, "path", ""),
                                                                    "chat") == 0) last = call;
    const cJSON *user = cJSON_GetArrayItem(json_array(json_object(last, "body"), "messages"), 1);
    if (!strstr(json_text(user, "content", ""), part))
        fail_msg("no '%s' in: %s", part, json_text(user, "content", ""));
}

/* --- on the terminal --- */

static void seen_changed_and_made(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    char film[1024];
    llm_env_make(&env, &llm_site, "openai");
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/script How tides work 8s 1:1\n");
    session_expect(s, "The script is being written", SOON_MS);
    session_expect(s, "Why the sea breathes", SOON_MS);
    session_expect(s, "1. (", SOON_MS);
    session_expect(s, "The sea never stands still", SOON_MS);
    session_expect(s, "Price: 1 credit", SOON_MS);
    session_expect(s, "/go ", SOON_MS);
    site_audit_is(p, "select count(*) from holds", "0");
    assert_int_equal(scripts(), 1);
    talk(s, {"/script 1: A whale sings under the moon.", ") A whale sings under the moon."},
         {"/script add 2 Then it sleeps.", "2. ("});
    session_expect(s, "Then it sleeps.", SOON_MS);
    talk(s, {"/script move 2 1", "1. (2 s) Then it sleeps."},
         {"/script drop 7", "There is no scene 7."});
    session_expect(s, "This script has 2 scenes.", SOON_MS);
    talk(s, {"/script 12: words", "There is no scene 12."},
         {"/script rewrite more jokes", "being written"});
    session_expect(s, "The sea never stands still", SOON_MS);
    assert_int_equal(scripts(), 2);
    last_request_holds("more jokes");
    session_say(s, "/script 1： Whales sing to the moon all night long here.\n");
    session_expect(s, "Whales sing", SOON_MS);
    session_say(s, "/script go\n");
    session_path(s, ".mp4\n", RENDER_MS, film);
    session_expect(s, "1 credit used", SOON_MS);
    assert_int_equal(session_finish(s, SOON_MS), 0);
    assert_int_equal(scripts(), 2); /* the film is made of what was shown */
    AUTO(free_ptr) char *grep = str_printf("grep -q Whales '%.*ssrt'", (int)strlen(film) - 3, film);
    site_shell(p, grep);
    site_audit_is(p, "select count(*) from jobs where state = 'done'", "1");
}

static void bounds_failures_and_another_topic(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    llm_env_make(&env, &llm_site, "openai");
    llm_env_add(&env, "NANOTIK_SCRIPTS_PER_DAY", "2");
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/script\n");
    session_expect(s, "Type /script and a topic", SOON_MS);
    fake_llm_do(&llm_site, "fault", "{\"kind\":\"status\",\"code\":402}");
    session_say(s, "/script How tides work 8s\n");
    session_expect(s, "cannot be used right now", SOON_MS);
    session_expect(s, "Nothing was charged.", SOON_MS);
    session_expect(s, "Try again", SOON_MS);
    site_audit_is(p, "select sum(written) from drafts", "0"); /* no script, nothing used up */
    session_finish(s, SOON_MS);
    s = session_run(p, false, env.list); /* a provider without money rests for a minute */
    session_say(s, "/script 10 facts about the sea 8s\n");
    session_expect(s, "The sea never stands still", SOON_MS);
    fake_llm_do(&llm_site, "set", "{\"latency\":4000}");
    talk(s, {"/script new The moon 8s", "being written"},
         {"/script 1: too early", "being written right now"},
         {"/script new Stars 8s", "is being written already"});
    session_expect(s, "The sea never stands still", SOON_MS);
    talk(s, {"/script new Planets 8s", "2 scripts in 24 hours"}, {"/script cancel", "Cancelled."});
    session_finish(s, SOON_MS);
    assert_int_equal(scripts(), 3);
    site_audit_is(p, "select count(*) from holds", "0");
    site_audit_is(p, "select count(*) from jobs where topic = 'Stars'", "0");
}

/* Beside an open draft of five scenes a number without a colon begins a topic. */
static void a_topic_may_begin_with_a_number(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    llm_env_make(&env, &llm_site, "openai");
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/script How tides work 8s\n");
    session_expect(s, "The sea never stands still", SOON_MS);
    for (int i = 2; i <= 5; i++) {
        AUTO(free_ptr) char *add = str_printf("/script add %d It rises.\n", i);
        AUTO(free_ptr) char *scene = str_printf("%d. (", i);
        session_say(s, add);
        session_expect(s, scene, SOON_MS);
    }
    session_say(s, "/script 5 reasons why whales sing 8s\n");
    session_expect(s, "being written", SOON_MS);
    session_expect(s, "The sea never stands still", SOON_MS);
    session_finish(s, SOON_MS);
    assert_int_equal(scripts(), 2);
    site_audit_is(p,
                  "select count(*) from jobs where state = 'quoted' and"
                  " (topic = '5 reasons why whales sing' or story like '%It rises%')",
                  "2");
}

/* A refusal is the person's to hear, and nothing that another try would change. */
static void a_rewrite_that_fails_leaves_the_script(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    llm_env_make(&env, &llm_site, "openai");
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/script How tides work 8s\n");
    session_expect(s, "The sea never stands still", SOON_MS);
    fake_llm_do(&llm_site, "fault", "{\"kind\":\"refusal\"}");
    session_say(s, "/script rewrite\n");
    session_expect(s, "will not write about that", SOON_MS);
    session_expect(s, "Your script stays as it was.", SOON_MS);
    session_expect(s, "The sea never stands still", SOON_MS);
    session_finish(s, SOON_MS);
}

static void killed_at_each_step(void **state)
{
    static const struct {
        const char *point;
        int most; /* scripts that are paid for */
        bool shown;
        const char *why;
    } rows[] = {
        {"drafter.claimed", 1, true, "before the service was asked"            },
        {"drafter.written", 2, true, "the script came, nobody stored it"       },
        {"drafter.stored",  1, true, "stored, and the card may not be sent yet"},
    };
    struct site *p = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct llm_env deadly, calm;
        llm_env_make(&deadly, &llm_site, "openai");
        llm_env_make(&calm, &llm_site, "openai");
        llm_env_add(&deadly, "NANOTIK_CRASH_AT", rows[i].point);
        fake_llm_do(&llm_site, "reset", "{}");
        AUTO(free_ptr) char *line = str_printf("/script new Tides, part %zu 8s\n", i);
        AUTO(free_ptr)
        char *sql = str_printf("select count(*) from jobs where state = 'quoted' and topic ="
                               " 'Tides, part %zu' and story like '%%never stands%%'",
                               i);
        struct session *s = session_run(p, false, deadly.list);
        session_say(s, line);
        assert_int_equal(session_wait(s, SOON_MS), KILLED);
        s = session_run(p, false, calm.list);
        session_expect(s, "The sea never stands still", SOON_MS);
        session_finish(s, SOON_MS);
        if (scripts() > rows[i].most)
            fail_msg("%s: %d scripts", rows[i].why, scripts());
        assert_int_equal(site_number(p, sql), 1);
        site_forget_sessions(p);
    }
    site_audit_is(p, "select count(*) from transfers where verb = 'hold'", "0");
}

/* --- what is not made --- */

static void refused_counted_paused_and_pardoned(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    llm_env_make(&env, &llm_site, "openai");
    fake_llm_do(&llm_site, "set", "{\"flags\":{\"badger\":\"violence\"}}");
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/make how to build a pipe bomb 8s\n");
    session_expect(s, "That is not made here (weapons).", SOON_MS);
    session_expect(s, "strike 1 of 3", SOON_MS);
    assert_int_equal(scripts(), 0);
    talk(s, {"/script How tides work 8s", "The sea never stands still"},
         {"/script 1: How to build a pipe bomb.", "strike 2 of 3"});
    fake_llm_do(&llm_site, "fault", "{\"kind\":\"status\",\"code\":503,\"times\":3}");
    session_say(s, "/script rewrite\n"); /* a provider's bad day is nobody's strike */
    session_expect(s, "Your script stays as it was.", SOON_MS);
    site_audit_is(p, "select count(*) from strikes", "2");
    session_say(s, "/script new The badger 8s\n"); /* the service's own judgement */
    session_expect(s, "The moderation service refused that (violence).", SOON_MS);
    session_expect(s, "can order nothing for 72 hours", SOON_MS);
    session_say(s, "/make How tides work 8s\n");
    session_expect(s, "rests for about 72 more hours", SOON_MS);
    session_finish(s, SOON_MS);
    site_audit_is(p, "select count(*) from jobs where state <> 'quoted'", "0");
    site_audit_is(p, "select count(*) from holds", "0");
    AUTO(free_ptr) char *account = site_audit(p, "select id from users");
    const char *args[] = {"pardon", account, "--why", "asked nicely", NULL};
    assert_int_equal(session_once(p, args, NULL, SOON_MS, &s), 0);
    session_expect(s, "3 strikes taken back", SOON_MS);
    s = session_run(p, false, env.list);
    session_say(s, "/script\n");
    session_expect(s, "The sea never stands still", SOON_MS);
    session_finish(s, SOON_MS);
    site_audit_is(p, "select count(*) from admin_log where action = 'pardon'", "1");
}

/* What was asked and answered is there for support, and gone with the person. */
static void answers_are_kept_until_forgotten(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    llm_env_make(&env, &llm_site, "openai");
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/script How tides work 8s\n");
    session_expect(s, "The sea never stands still", SOON_MS);
    site_audit_is(p,
                  "select count(*) from script_calls where outcome = 'ok' and tokens_out > 0"
                  " and answer like '%never stands%' and model = 'gpt-6-luna'",
                  "1");
    AUTO(json_free) cJSON *state_now = fake_node_state(&llm_site);
    AUTO(free_ptr) char *all = cJSON_PrintUnformatted(state_now);
    assert_non_null(strstr(all, "\"safety_identifier\":\""));
    AUTO(free_ptr) char *account = site_audit(p, "select id from users");
    assert_null(strstr(all, account)); /* a keyed hash, nothing else */
    session_say(s, "/forget yes\n");
    session_expect(s, "deleted", SOON_MS);
    session_finish(s, SOON_MS);
    site_audit_is(p, "select count(*) from script_calls", "0");
    site_audit_is(p, "select count(*) from drafts", "0");
}

/* --- on Telegram --- */

static int64_t card_with(struct fake_node *telegram, int64_t chat, const char *part)
{
    char name[32];
    snprintf(name, sizeof(name), "%" PRId64, chat);
    for (int64_t until = clock_mono_ms() + SOON_MS; clock_mono_ms() < until; usleep(50000)) {
        AUTO(json_free) cJSON *state = fake_node_state(telegram);
        const cJSON *message;
        cJSON_ArrayForEach(message, json_array(json_object(state, "chats"), name))
        {
            bool ours = json_true(json_object(message, "from"), "is_bot");
            if (ours && strstr(json_text(message, "text", ""), part))
                return json_int_or(message, "message_id", 0);
        }
    }
    fail_msg("no card with '%s'", part);
    return 0;
}

static void script_first_and_replies(void **state)
{
    struct site *p = *state;
    const int64_t ana = 6123456789;
    struct fake_node telegram;
    struct llm_env env;
    fake_start(&telegram, p->folder);
    llm_env_make(&env, &llm_site, "openai");
    llm_env_add(&env, "TELEGRAM_BOT_TOKEN", FAKE_TOKEN);
    llm_env_add(&env, "TELEGRAM_API_URL", telegram.url);
    struct session *s = session_run(p, false, env.list);
    fake_say(&telegram, ana, ana, "", "/make How tides work 8s 1:1");
    int64_t card = card_with(&telegram, ana, "Price: 1 credit");
    fake_press(&telegram, ana, ana, "Script first");
    assert_int_equal(card_with(&telegram, ana, "The sea never stands still"), card);
    fake_do(&telegram, "say",
            "{\"chat\":%" PRId64 ",\"reply_to\":%" PRId64
            ",\"text\":\"1: A whale sings to the moon all night long.\"}",
            ana, card);
    assert_int_equal(card_with(&telegram, ana, "A whale sings to the moon"), card);
    fake_do(&telegram, "say",
            "{\"chat\":%" PRId64 ",\"reply_to\":%" PRId64 ",\"text\":\"10 NEW WORDS\"}", ana, card);
    card_with(&telegram, ana, "This script has 1 scene.");
    fake_do(&telegram, "say",
            "{\"chat\":%" PRId64 ",\"reply_to\":%" PRId64 ",\"text\":\"what is this\"}", ana, card);
    for (int64_t until = clock_mono_ms() + SOON_MS; fake_messages(&telegram, ana, "text", NULL) < 3;
         usleep(50000))
        assert_true(clock_mono_ms() < until); /* what could have been said */
    fake_press(&telegram, ana, ana, "Make it");
    for (int64_t until = clock_mono_ms() + RENDER_MS;
         fake_messages(&telegram, ana, "video", NULL) < 1; usleep(100000))
        assert_true(clock_mono_ms() < until);
    assert_int_equal(scripts(), 1);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, SOON_MS), 0);
    site_audit_is(
        p, "select count(*) from jobs where state = 'done' and story like '%whale sings%'", "1");
    fake_node_no_complaints(&telegram);
    fake_node_stop(&telegram);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, llm_site_open, llm_site_close)
    const struct CMUnitTest tests[] = {
        CASE(seen_changed_and_made),
        CASE(bounds_failures_and_another_topic),
        CASE(a_topic_may_begin_with_a_number),
        CASE(a_rewrite_that_fails_leaves_the_script),
        CASE(killed_at_each_step),
        CASE(refused_counted_paused_and_pardoned),
        CASE(answers_are_kept_until_forgotten),
        CASE(script_first_and_replies),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
