/* The built program as a Discord bot, killed anywhere: one video, one charge, nothing unheard. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/discord_site.h"

static void press_label(const char *text, const char *label, const char *where, const char *user)
{
    char id[32];
    dsite_wait(text, label, DSITE_ANSWER_MS, id);
    dsite_press(id, label, where, user);
}

static bool is_dead(const struct session *s)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* kill -9: the next process resumes the same session and hears what was said meanwhile, once. */
static void killed_and_resumed(void **state)
{
    struct site *p = *state;
    char id[32];
    struct session *s = dsite_start(p, NULL, false);
    dsite_wait_ready();
    dsite_make("dm", "7002", "Stars shine.");
    dsite_wait("Stars shine", "Make it", DSITE_ANSWER_MS, id);
    usleep(500000); /* the session's number is written at most a fifth of a second later */
    session_signal(s, SIGKILL);
    assert_int_equal(session_wait(s, DSITE_STOP_MS), 128 + SIGKILL);
    dfake_do(&dsite.fake, "command", "{\"name\":\"terms\",\"where\":\"dm\",\"user\":\"7002\"}");
    s = dsite_start(p, NULL, false);
    dsite_wait("The rules", NULL, DSITE_START_MS, id);
    dfake_wait_lines(&dsite.fake, "ops", "op 6", 1);
    assert_int_equal(dfake_number(&dsite.fake, "identifies"), 1);
    assert_int_equal(site_number(p, "select count(*) from jobs"), 1);
    press_label("Stars shine", "Make it", "dm", "7002"); /* a button of before */
    dsite_wait_films("1230000000000000044", 1);
    dsite_stop(s);
    site_ledger_must_hold(p);
}

/* Where a person is and what the bot may do there: each its own way of delivery. */
static const struct {
    const char *place, *where, *here;
} kills[] = {
    {"outbox.before_send", "guild",  "true" },
    {"outbox.after_send",  "guild",  "true" },
    {"worker.delivering",  "guild",  "true" },
    {"discord.deliver",    "guild",  "true" },
    {"discord.delivered",  "guild",  "true" },
    {"discord.noted",      "guild",  "true" },
    {"discord.delivered",  "thread", "true" },
    {"discord.announced",  "other",  "false"}, /* through the token only */
    {"discord.deliver",    "other",  "false"},
    {"discord.delivered",  "other",  "false"},
    {"discord.delivered",  "dm",     "true" },
};

/* The killed one is started again; true once that happened. */
static bool restarted(struct site *p, struct session **s)
{
    if (!is_dead(*s))
        return false;
    assert_int_equal(session_wait(*s, DSITE_STOP_MS), 128 + SIGKILL);
    dfake_do(&dsite.fake, "set", "{\"nonceMs\":0}"); /* it took long: only the notes help */
    *s = dsite_start(p, NULL, false);
    return true;
}

/* kill -9 around each request that matters: after a restart exactly one video and one charge. */
static void killed_anywhere(void **state)
{
    struct site *p = *state;
    for (size_t i = 0; i < COUNT(kills); i++) {
        char user[16], topic[32], id[32];
        bool pressed = false, again = false;
        snprintf(user, sizeof(user), "71%02zu", i);
        snprintf(topic, sizeof(topic), "Stars number %zu shine.", i);
        print_message("killed at %s in %s\n", kills[i].place, kills[i].where);
        dfake_do(&dsite.fake, "set", "{\"nonceMs\":300000,\"botHere\":%s}", kills[i].here);
        struct session *s = dsite_start(p, kills[i].place, false);
        dsite_make(kills[i].where, user, topic);
        int64_t until = clock_mono_ms() + 2LL * DSITE_VIDEO_MS;
        while (dsite_films(NULL) <= i && clock_mono_ms() < until) {
            again |= restarted(p, &s);
            dsite_find(topic, "Make it", id);
            if (!pressed && *id) {
                dsite_press(id, "Make it", kills[i].where, user);
                pressed = true;
            }
            usleep(100000);
        }
        for (int k = 0; k < 50 && !again; k++) { /* it died just after the video had come */
            again = restarted(p, &s);
            usleep(100000);
        }
        assert_true(again);
        while (clock_mono_ms() < until) {
            usleep(300000);
            /* Asked only once it serves: a question to a program that just starts would take its
               lock. An interaction may stay without an acknowledgement: the kill was before it. */
            if (dfake_number(&dsite.fake, "links") > 0 &&
                site_number(p, "select count(*) from jobs where state = 'done'") > (int64_t)i)
                break;
        }
        dsite_stop(s);
        assert_int_equal(dsite_films(NULL), i + 1);
        site_ledger_must_hold(p);
        site_forget_sessions(p);
    }
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'done'"),
                     COUNT(kills));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_and_resumed, dsite_open, dsite_close),
        cmocka_unit_test_setup_teardown(killed_anywhere, dsite_open, dsite_close),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
