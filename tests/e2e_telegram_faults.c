/* Bad answers in the middle of a whole journey, and people who change their mind: always one video
   and one charge, or none and the credits back. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "tests/fake_telegram.h"
#include "tests/session.h"

enum { START_MS = 20000, ANSWER_MS = 20000, VIDEO_MS = 120000, STOP_MS = 30000 };
#define GROUP (-4987654321LL)
/* Long enough that its video is still being made when somebody presses. */
#define LONG_TEXT                                                                                \
    "The sea is deep and wide. Rivers bring it water from far away. The wind makes waves on it " \
    "all day long. Fish live in it, small ones and large ones. Ships cross it from shore to "    \
    "shore. The moon pulls it, and twice a day it rises and falls. In the north it freezes in "  \
    "winter. In the south it is warm and clear. Nobody has seen all of it."

static struct fake_node fake;
static struct site *place;
static struct session *s;

static int open_all(void **state)
{
    if (site_open(state) != 0)
        return -1;
    place = *state;
    fake_start(&fake, NULL);
    AUTO(free_ptr) char *url = str_printf("TELEGRAM_API_URL=%s", fake.url);
    const char *env[] = {"TELEGRAM_BOT_TOKEN=" FAKE_TOKEN, url, "NANOTIK_TRIAL_CREDITS=3", NULL};
    s = session_run(place, false, env);
    return 0;
}

static int close_all(void **state)
{
    fake_node_stop(&fake);
    return site_close(state);
}

static void stop(void)
{
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    fake_node_no_complaints(&fake);
    site_ledger_must_hold(place);
}

static int64_t count(const char *what, const char *where)
{
    AUTO(free_ptr) char *sql = str_printf("select count(*) from %s where %s", what, where);
    return site_number(place, sql);
}

static void quote(int64_t chat, int64_t user, const char *command)
{
    fake_say(&fake, chat, user, "", command);
    fake_wait_text(&fake, chat, "text", "Make it", START_MS);
}

static void journeys_through_bad_weather(void **state)
{
    static const struct {
        const char *fault, *why;
        size_t quotes; /* cards with a price at most: an unclear one is sent once more */
    } rows[] = {
        {"\"method\":\"sendMessage\",\"kind\":\"status\",\"code\":429,\"description\":\"Too Many "
         "Requests: retry after 1\",\"parameters\":{\"retry_after\":1}",                    "the quote has to wait",          1},
        {"\"method\":\"sendMessage\",\"kind\":\"status\",\"code\":500,\"description\":\"Internal "
         "Server Error: restart\",\"times\":2",                                             "the quote is refused twice",     1},
        {"\"method\":\"sendMessage\",\"kind\":\"lost\"",                                             "the quote's answer is lost",     2},
        {"\"method\":\"sendMessage\",\"kind\":\"html\",\"code\":502",                                "a proxy answers",                1},
        {"\"method\":\"answerCallbackQuery\",\"kind\":\"status\",\"code\":400,\"description\":"
         "\"Bad "
         "Request: query is too old and response timeout expired or query ID is invalid\"", "the press is answered too late", 1},
        {"\"method\":\"editMessageText\",\"kind\":\"status\",\"code\":429,\"description\":\"Too "
         "Many "
         "Requests: retry after 1\",\"parameters\":{\"retry_after\":1}",                    "progress is too much",           1},
        {"\"method\":\"editMessageMedia\",\"kind\":\"cut\",\"after\":60000",
         "reset in the middle of the upload",                                                                                          1},
        {"\"method\":\"editMessageMedia\",\"kind\":\"lost\"",                                        "the video's answer is lost",     1},
        {"\"method\":\"editMessageMedia\",\"kind\":\"status\",\"code\":502,\"description\":\"Bad "
         "Gateway\"",                                                                       "the upload ends in a 502",       1},
        {"\"method\":\"editMessageMedia\",\"kind\":\"status\",\"code\":429,\"description\":\"Too "
         "Many "
         "Requests: retry after 1\",\"parameters\":{\"retry_after\":1}",                    "the video has to wait",          1},
        {"\"method\":\"getUpdates\",\"kind\":\"lost\",\"times\":2",                                  "updates get lost on the way",
         1                                                                                                                              },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t user = 6600000000 + (int64_t)i;
        print_message("%s\n", rows[i].why);
        fake_do(&fake, "fault", "{%s}", rows[i].fault);
        quote(user, user, "/make Stars are far away. 9:16");
        fake_press(&fake, user, user, "Make it");
        free(fake_wait_messages(&fake, user, "video", 1, VIDEO_MS));
        fake_wait_text(&fake, user, "text", "Ready", ANSWER_MS);
        if (fake_messages(&fake, user, "video", NULL) != 1 ||
            fake_messages(&fake, user, "text", NULL) > rows[i].quotes)
            fail_msg("%s: %zu videos, %zu other cards", rows[i].why,
                     fake_messages(&fake, user, "video", NULL),
                     fake_messages(&fake, user, "text", NULL));
        fake_do(&fake, "set", "{\"faults\":[]}");
    }
    stop();
    assert_int_equal(count("jobs", "state = 'done'"), COUNT(rows));
    assert_int_equal(count("transfers", "verb = 'capture'"), COUNT(rows));
}

static void wait_cancelled(void)
{
    int64_t until = clock_mono_ms() + VIDEO_MS;
    while (count("jobs", "state = 'cancelled'") == 0 && clock_mono_ms() < until)
        usleep(200000);
}

/* Stopped by its person while it is made: nothing is charged, nothing comes. */
static void cancelled_in_the_middle(void **state)
{
    const int64_t gil = 6700000001;
    (void)state;
    quote(gil, gil, "/make " LONG_TEXT " 9:16");
    fake_press(&fake, gil, gil, "Make it");
    fake_wait_text(&fake, gil, "text", "%", ANSWER_MS); /* it shows progress */
    fake_press(&fake, gil, gil, "Cancel");
    wait_cancelled();
    stop();
    assert_int_equal(fake_messages(&fake, gil, "video", NULL), 0);
    assert_int_equal(count("jobs", "state = 'cancelled'"), 1);
    assert_int_equal(count("wallets", "avail = 3 and held = 0"), 1);
}

/* In a group: nobody else may stop it, but whoever leads the group may, with the first press. */
static void a_leader_stops_with_the_first_press(void **state)
{
    const int64_t ben = 6700000002, eva = 6700000003, max = 6700000004;
    (void)state;
    fake_do(&fake, "chat", "{\"id\":%lld,\"admins\":[%" PRId64 "]}", GROUP, eva);
    quote(GROUP, ben, "/make@ExampleClipBot " LONG_TEXT " 9:16");
    fake_press(&fake, GROUP, ben, "Make it");
    fake_wait_text(&fake, GROUP, "text", "%", ANSWER_MS);
    fake_press(&fake, GROUP, max, "Cancel");
    fake_press(&fake, GROUP, eva, "Cancel");
    wait_cancelled();
    stop();
    assert_int_equal(fake_messages(&fake, GROUP, "video", NULL), 0);
    assert_int_equal(count("jobs", "state = 'cancelled'"), 1);
    assert_int_equal(count("wallets", "avail = 3 and held = 0"), 3);
}

/* Buttons of a video make the next one. */
static void once_more(void **state)
{
    const int64_t kim = 6700000005;
    (void)state;
    quote(kim, kim, "/make Stars are far away. 9:16");
    fake_press(&fake, kim, kim, "Make it");
    free(fake_wait_messages(&fake, kim, "video", 1, VIDEO_MS));
    fake_wait_text(&fake, kim, "text", "Ready", ANSWER_MS);
    fake_press(&fake, kim, kim, "Again");
    fake_wait_text(&fake, kim, "text", "Make it", ANSWER_MS);
    fake_press(&fake, kim, kim, "Make it");
    free(fake_wait_messages(&fake, kim, "video", 2, VIDEO_MS));
    fake_say(&fake, kim, kim, "", "/lang ar");
    fake_wait_text(&fake, kim, "text", "العربية", ANSWER_MS);
    stop();
    assert_int_equal(count("jobs", "state = 'done'"), 2);
    assert_int_equal(count("wallets", "avail = 1 and held = 0"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(journeys_through_bad_weather, open_all, close_all),
        cmocka_unit_test_setup_teardown(cancelled_in_the_middle, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_leader_stops_with_the_first_press, open_all, close_all),
        cmocka_unit_test_setup_teardown(once_more, open_all, close_all),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
