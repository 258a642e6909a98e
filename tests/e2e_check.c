/* The built program where OpenAI's moderation judges words before anything is held: flagged, down, slow,
   killed at each step, on the terminal and under Telegram's Go. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>

#include "core/base/clock.h"
#include "tests/fake_telegram.h"
#include "tests/llm_env.h"

enum { SOON_MS = 60000, RENDER_MS = 180000, KILLED = 128 + SIGKILL };

/* Writers that take a minute: a job that began stays where it is. */
#define NEVER_WRITTEN "{\"path\":\"chat\",\"kind\":\"slow\",\"ms\":60000,\"times\":99}"

static int open_all(void **state)
{
    if (llm_site_open(state) != 0)
        return -1;
    fake_llm_do(&llm_site, "set", "{\"flags\":{\"badger\":\"violence\"}}");
    return 0;
}

static void flagged_words_cost_nothing(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    llm_env_make(&env, &llm_site, "openai");
    fake_llm_do(&llm_site, "fault", "{\"path\":\"moderations\",\"kind\":\"slow\",\"ms\":2000}");
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/make The badger 8s\n");
    session_expect(s, "Checking the topic", SOON_MS);
    session_expect(s, "refused that (violence)", SOON_MS);
    session_expect(s, "Nothing was charged.", SOON_MS);
    session_expect(s, "strike 1 of 3", SOON_MS);
    talk(s, {"/again", "strike 2 of 3"}, {"/credits", "1 credit"});
    assert_int_equal(session_finish(s, SOON_MS), 1); /* nothing was made */
    site_audit_is(p, "select count(*) from holds", "0");
    site_audit_is(p, "select count(*) from transfers where verb <> 'trial'", "0");
    site_audit_is(p, "select count(*) from jobs where state <> 'cancelled'", "0");
    assert_int_equal(llm_calls(&llm_site, "chat"), 0);
}

static void a_bad_day_of_the_service_hurts_nobody(void **state)
{
    static const struct {
        const char *fault;
        int most_ms;
        const char *log; /* for the operator */
    } rows[] = {
        {"\"kind\":\"status\",\"code\":503",                   15000, "moderation: retry"       },
        {"\"kind\":\"status\",\"code\":402",                   15000, "moderation: fatal_quota" },
        {"\"kind\":\"status\",\"code\":401",                   15000, "moderation: fatal_config"},
        {"\"kind\":\"junk\",\"body\":\"{\\\"results\\\":7}\"", 15000, "moderation: retry"       },
        {"\"kind\":\"slow\",\"ms\":60000",                     20000, "moderation: retry"       },
    };
    struct site *p = *state;
    struct llm_env env;
    llm_env_make(&env, &llm_site, "openai");
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr)
        char *fault = str_printf("{\"path\":\"moderations\",%s,\"times\":99}", rows[i].fault);
        fake_llm_do(&llm_site, "reset", "{}");
        fake_llm_do(&llm_site, "fault", fault);
        fake_llm_do(&llm_site, "fault", NEVER_WRITTEN);
        struct session *s = session_run(p, false, env.list);
        session_say(s, "/credits\n");
        session_expect(s, "1 credit", SOON_MS);
        int64_t begun = clock_mono_ms();
        session_say(s, "/make How tides work 8s\n");
        site_wait_number(p, "select count(*) from transfers where verb = 'hold'", (int64_t)i + 1,
                         SOON_MS);
        if (clock_mono_ms() - begun > rows[i].most_ms)
            fail_msg("%s: %d ms", rows[i].fault, (int)(clock_mono_ms() - begun));
        session_say(s, "/cancel\n");
        session_expect(s, "1 credit came back", SOON_MS);
        session_finish(s, SOON_MS);
        AUTO(free_ptr) char *log = session_log(s);
        if (!strstr(log, rows[i].log))
            fail_msg("no '%s' in: %s", rows[i].log, log);
        assert_null(strstr(strbuf_text(&s->seen), "moderation"));
        assert_null(strstr(log, FAKE_LLM_KEY));
        site_forget_sessions(p);
    }
    site_audit_is(p, "select count(*) from strikes", "0");
}

static void killed_at_each_step(void **state)
{
    static const struct {
        const char *point;
        bool bad;
    } rows[] = {
        {"draft_check.precommit",   false},
        {"draft_check.commit",      false},
        {"drafter.claimed",         false},
        {"drafter.written",         true },
        {"draft_checked.precommit", false},
        {"draft_checked.precommit", true },
        {"draft_checked.commit",    false},
        {"draft_checked.commit",    true },
        {"drafter.stored",          false},
    };
    struct site *p = *state;
    int64_t held = 0, strikes = 0;
    fake_llm_do(&llm_site, "fault", NEVER_WRITTEN);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct llm_env deadly, calm;
        llm_env_make(&calm, &llm_site, "openai");
        llm_env_add(&calm, "NANOTIK_STRIKES", "0");
        deadly = calm;
        for (size_t k = 0; k < deadly.count; k++)
            deadly.list[k] = deadly.text[k];
        llm_env_add(&deadly, "NANOTIK_CRASH_AT", rows[i].point);
        struct session *s = session_run(p, false, deadly.list);
        session_say(s, rows[i].bad ? "/make The badger 8s\n" : "/make How tides work 8s\n");
        assert_int_equal(session_wait(s, SOON_MS), KILLED);
        s = session_run(p, false, calm.list);
        talk(s, {"/lang en", "English"}); /* what was said before was dealt with */
        site_wait_number(p, "select count(*) from jobs where state = 'quoted'", 0, SOON_MS);
        held += !rows[i].bad;
        strikes += rows[i].bad;
        int64_t holds = site_number(p, "select count(*) from transfers where verb = 'hold'");
        if (holds != held || site_number(p, "select count(*) from strikes") != strikes)
            fail_msg("%s: %" PRId64 " holds", rows[i].point, holds);
        if (!rows[i].bad)
            talk(s, {"/cancel", "came back"});
        session_finish(s, SOON_MS);
        site_forget_sessions(p);
    }
    site_audit_is(p, "select avail from wallets where held = 0", "1");
}

/* The person sees that Go was taken; pressed twice it is one job. Words that passed are not sent again
   when the job begins. */
static void go_on_telegram(void **state)
{
    struct site *p = *state;
    const int64_t ana = 6123456789;
    struct fake_node telegram;
    struct llm_env env;
    fake_start(&telegram, p->folder);
    llm_env_make(&env, &llm_site, "openai");
    llm_env_add(&env, "TELEGRAM_BOT_TOKEN", FAKE_TOKEN);
    llm_env_add(&env, "TELEGRAM_API_URL", telegram.url);
    fake_llm_do(&llm_site, "fault", "{\"path\":\"moderations\",\"kind\":\"slow\",\"ms\":3000}");
    struct session *s = session_run(p, false, env.list);
    fake_say(&telegram, ana, ana, "", "/make How tides work 8s 1:1");
    fake_wait_text(&telegram, ana, "text", "Price: 1 credit", SOON_MS);
    fake_press(&telegram, ana, ana, "Make it");
    fake_wait_text(&telegram, ana, "text", "Checking the topic", SOON_MS);
    site_audit_is(p, "select count(*) from holds", "0");
    free(fake_wait_messages(&telegram, ana, "video", 1, RENDER_MS));
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, SOON_MS), 0);
    assert_int_equal(llm_calls(&llm_site, "moderations"), 2); /* the topic, and what was written */
    site_audit_is(p, "select count(*) from transfers where verb = 'hold'", "1");
    site_audit_is(p, "select count(*) from jobs where state = 'done'", "1");
    fake_node_no_complaints(&telegram);
    fake_node_stop(&telegram);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_all, llm_site_close)
    const struct CMUnitTest tests[] = {
        CASE(flagged_words_cost_nothing),
        CASE(a_bad_day_of_the_service_hurts_nobody),
        CASE(killed_at_each_step),
        CASE(go_on_telegram),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
