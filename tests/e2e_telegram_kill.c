/* kill -9 at the Nth request of a whole journey, for every N: before the server did it, after it
   did, and in the middle of the upload. After a restart there is one video and one charge. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "tests/fake_telegram.h"
#include "tests/session.h"

enum { JOURNEY_MS = 120000, STOP_MS = 30000, MOST = 40 };

static struct fake_node fake;
static struct site *place;
static struct session *now;
static int64_t users = 6500000000;

static int open_all(void **state)
{
    if (site_open(state) != 0)
        return -1;
    place = *state;
    fake_start(&fake, NULL);
    return 0;
}

static int close_all(void **state)
{
    fake_node_stop(&fake);
    return site_close(state);
}

static void start(void)
{
    AUTO(free_ptr) char *url = str_printf("TELEGRAM_API_URL=%s", fake.url);
    const char *env[] = {"TELEGRAM_BOT_TOKEN=" FAKE_TOKEN, url, NULL};
    site_forget_sessions(place);
    now = session_run(place, false, env);
}

static bool is_dead(void)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)now->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
}

/* The person: presses once there is something to press, until the film is announced (true) or the
   program is dead. */
static bool follow(int64_t user, bool *pressed)
{
    int64_t until = clock_mono_ms() + JOURNEY_MS;
    while (clock_mono_ms() < until && !is_dead()) {
        AUTO(free_ptr) char *last = NULL;
        fake_messages(&fake, user, "text", &last);
        if (!*pressed && strstr(last, "Make it")) {
            fake_press(&fake, user, user, "Make it");
            *pressed = true;
        }
        if (strstr(last, "Ready"))
            return true;
        usleep(20000);
    }
    if (!is_dead())
        fail_msg("neither dead nor done");
    return false;
}

/* False: the journey has no such request. */
static bool killed_at(int request, const char *how)
{
    int64_t user = users++;
    bool pressed = false;
    fake_do(&fake, "fault",
            "{\"methods\":[\"getUpdates\",\"sendMessage\",\"editMessageText\",\"sendChatAction\","
            "\"answerCallbackQuery\",\"editMessageMedia\",\"sendVideo\"],"
            "\"kind\":\"kill\",\"pid\":%d,\"skip\":%d,%s}",
            (int)now->pid, request, how);
    fake_say(&fake, user, user, "", "/make Stars are far away. 9:16");
    bool done = follow(user, &pressed);
    if (done && fake_number(&fake, "faults") > 0) {
        fake_do(&fake, "set", "{\"faults\":[]}");
        assert_int_equal(fake_messages(&fake, user, "video", NULL), 1);
        return false;
    }
    assert_int_equal(session_wait(now, STOP_MS), 128 + SIGKILL);
    start();
    if (!follow(user, &pressed))
        fail_msg("request %d, %s: it died after the restart", request, how);
    if (fake_messages(&fake, user, "video", NULL) != 1)
        fail_msg("request %d, %s: %zu videos", request, how,
                 fake_messages(&fake, user, "video", NULL));
    return true;
}

static void every_request(const char *how)
{
    int64_t first = users;
    start();
    int n = 0;
    while (n < MOST && killed_at(n, how))
        n++;
    print_message("killed at each of %d requests, %s\n", n, how);
    assert_in_range(n, 6, MOST - 1);
    session_signal(now, SIGTERM);
    assert_int_equal(session_wait(now, STOP_MS), 0);
    assert_int_equal(site_number(place, "select count(*) from jobs where state = 'done'"),
                     users - first);
    assert_int_equal(site_number(place, "select count(*) from transfers where verb = 'capture'"),
                     users - first);
    assert_int_equal(site_number(place, "select count(*) from events"), 0);
    assert_int_equal(site_number(place, "select count(*) from jobs"), users - first);
    fake_node_no_complaints(&fake);
    site_ledger_must_hold(place);
}

static void before_each_request(void **state)
{
    (void)state;
    every_request("\"done\":false");
}

static void after_each_request(void **state)
{
    (void)state;
    every_request("\"done\":true");
}

static void in_the_middle_of_the_upload(void **state)
{
    int64_t user = users++;
    bool pressed = false;
    (void)state;
    start();
    fake_do(&fake, "fault",
            "{\"method\":\"editMessageMedia\",\"kind\":\"kill\",\"pid\":%d,\"after\":60000}",
            (int)now->pid);
    fake_say(&fake, user, user, "", "/make Stars are far away. 9:16");
    assert_false(follow(user, &pressed));
    assert_int_equal(session_wait(now, STOP_MS), 128 + SIGKILL);
    start();
    assert_true(follow(user, &pressed));
    assert_int_equal(fake_messages(&fake, user, "video", NULL), 1);
    session_signal(now, SIGTERM);
    assert_int_equal(session_wait(now, STOP_MS), 0);
    site_ledger_must_hold(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(before_each_request, open_all, close_all),
        cmocka_unit_test_setup_teardown(after_each_request, open_all, close_all),
        cmocka_unit_test_setup_teardown(in_the_middle_of_the_upload, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
