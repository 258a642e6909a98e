/* The built program as a Telegram bot: a scripted person writes and presses, the fake server
   judges, and whatever happens there is one video and one charge. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fake_telegram.h"
#include "tests/session.h"

enum { START_MS = 60000, ANSWER_MS = 15000, VIDEO_MS = 180000, STOP_MS = 30000 };
#define GROUP (-4987654321LL)
#define FORUM (-1002233445566LL)

static struct fake_node fake;

static int open_all(void **state)
{
    if (site_open(state) != 0)
        return -1;
    struct site *p = *state;
    fake_start_keeping(&fake, p->folder);
    fake_do(&fake, "chat", "{\"id\":%lld}", GROUP);
    fake_do(&fake, "chat", "{\"id\":%lld,\"type\":\"supergroup\",\"topics\":{\"42\":\"open\"}}",
            FORUM);
    return 0;
}

static int close_all(void **state)
{
    fake_node_stop(&fake);
    return site_close(state);
}

/* crash: a named place (core/base/crash), or NULL. */
static struct session *start(struct site *p, const char *crash)
{
    AUTO(free_ptr) char *url = str_printf("TELEGRAM_API_URL=%s", fake.url);
    AUTO(free_ptr) char *at = str_printf("NANOTIK_CRASH_AT=%s", crash ? crash : "");
    const char *env[] = {"TELEGRAM_BOT_TOKEN=" FAKE_TOKEN, url, crash ? at : NULL, NULL};
    return session_run(p, false, env);
}

static void stop(struct session *s)
{
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
}

/* --- the person --- */

/* From /make to the pressed button. */
static void order(int64_t chat, int64_t user, const char *more, const char *command)
{
    size_t before = fake_messages(&fake, chat, "text", NULL);
    fake_say(&fake, chat, user, more, command);
    free(fake_wait_messages(&fake, chat, "text", before + 1, START_MS));
    fake_wait_text(&fake, chat, "text", "Make it", ANSWER_MS);
    fake_press(&fake, chat, user, "Make it");
}

static void must_be_a_good_film(struct site *p)
{
    site_shell(p, "f=$(ls uploads/video_*.bin | tail -1) && "
                  "ffprobe -v error -show_entries stream=codec_name,width,height -of csv=p=0 $f "
                  "| tr '\\n' ' ' | grep -q 'h264,720,1280 aac' && "
                  "ffmpeg -v error -i $f -f null - && "
                  "test $(ls uploads/thumb_*.bin | wc -l) -ge 1 && "
                  "f=$(ls uploads/thumb_*.bin | tail -1) && test $(stat -c %s $f) -lt 200000");
}

/* --- cases --- */

static void from_start_to_a_video(void **state)
{
    struct site *p = *state;
    const int64_t ana = 6123456789;
    struct session *s = start(p, NULL);
    fake_say(&fake, ana, ana, "", "/start");
    AUTO(free_ptr) char *hello = fake_wait_messages(&fake, ana, "text", 1, START_MS);
    assert_non_null(strstr(hello, "/make"));
    order(ana, ana, "", "/make How tides work. The moon pulls the sea. 9:16");
    AUTO(free_ptr) char *video = fake_wait_messages(&fake, ana, "video", 1, VIDEO_MS);
    assert_non_null(strstr(video, "\"width\":720,\"height\":1280"));
    assert_non_null(strstr(video, "\"thumbnail\""));
    assert_non_null(strstr(video, "/again"));
    must_be_a_good_film(p);
    fake_wait_text(&fake, ana, "text", "Ready", ANSWER_MS); /* the line that notifies */
    assert_int_equal(fake_messages(&fake, ana, "video", NULL), 1);
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'done'"), 1);
    /* A voice says how it sounds. */
    fake_say(&fake, ana, ana, "", "/voice en-tom");
    AUTO(free_ptr) char *voice = fake_wait_messages(&fake, ana, "voice", 1, ANSWER_MS);
    assert_non_null(strstr(voice, "This is Tom."));
    /* The interface changes its language; voice notes and photos get help. */
    fake_say(&fake, ana, ana, "", "/lang zh");
    fake_wait_text(&fake, ana, "text", "中文", ANSWER_MS);
    fake_say(&fake, ana, ana, "", "/voice zh");
    fake_wait_text(&fake, ana, "text", "伟（男声）", ANSWER_MS);
    fake_do(&fake, "say", "{\"extra\":{\"voice\":{\"file_id\":\"A\",\"duration\":3}}}");
    fake_wait_text(&fake, ana, "text", "语音", ANSWER_MS);
    stop(s);
    assert_int_equal(fake_number(&fake, "queued"), 0);
    /* The goodbye may overtake the end of the poll that it replaced. */
    assert_true(fake_number(&fake, "conflicts") <= 1);
    AUTO(free_ptr) char *log = session_log(s);
    assert_null(strstr(log, "AAExample")); /* the token is nowhere */
    fake_node_no_complaints(&fake);
    site_ledger_must_hold(p);
}

/* So many presses were answered with words that only who pressed sees. */
static void wait_told_alone(const char *words, int count)
{
    int told = 0;
    for (int64_t until = clock_mono_ms() + ANSWER_MS; told < count && clock_mono_ms() < until;) {
        AUTO(json_free) cJSON *state = fake_node_state(&fake);
        const cJSON *query;
        told = 0;
        cJSON_ArrayForEach(query, json_array(state, "queries"))
        {
            told += str_starts(json_text(query, "text", ""), words);
        }
        cancel_wait(NULL, 50);
    }
    assert_int_equal(told, count);
}

static void groups_topics_and_money(void **state)
{
    struct site *p = *state;
    const int64_t ben = 6200000001, eva = 6200000002;
    struct session *s = start(p, NULL);
    const char *topic = ",\"thread\":42";
    fake_say(&fake, FORUM, ben, topic, "just talking to people");
    order(FORUM, ben, topic, "/make@ExampleClipBot The sea is deep. 9:16");
    AUTO(free_ptr) char *video = fake_wait_messages(&fake, FORUM, "video", 1, VIDEO_MS);
    assert_non_null(strstr(video, "\"message_thread_id\":42"));
    /* What somebody has left is told to nobody else. */
    fake_wait_text(&fake, FORUM, "text", "1 credit used", ANSWER_MS);
    AUTO(free_ptr) char *ready = NULL;
    fake_messages(&fake, FORUM, "text", &ready);
    assert_null(strstr(ready, "left"));
    size_t before = fake_messages(&fake, FORUM, "text", NULL);
    fake_say(&fake, FORUM, ben, topic, "/make@ExampleClipBot The sea is wide. hd");
    AUTO(free_ptr) char *few = fake_wait_messages(&fake, FORUM, "text", before + 1, ANSWER_MS);
    assert_non_null(strstr(few, "Your credits are not enough"));
    assert_null(strstr(few, "you have"));
    /* Somebody else may not stop or start what is not theirs. */
    before = fake_messages(&fake, GROUP, "text", NULL);
    fake_say(&fake, GROUP, ben, "", "/make@ExampleClipBot The wind is strong. 9:16");
    free(fake_wait_messages(&fake, GROUP, "text", before + 1, ANSWER_MS));
    fake_press(&fake, GROUP, eva, "Make it");
    fake_press(&fake, GROUP, eva, "Cancel");
    wait_told_alone("That button is for the person who asked", 1);
    wait_told_alone("Only the person who", 1);
    assert_int_equal(fake_messages(&fake, GROUP, "text", NULL), before + 1); /* the group is not */
    assert_int_equal(site_number(p, "select count(*) from jobs where state <> 'quoted' and "
                                    "topic like 'The wind%'"),
                     0);
    /* Money talk is private: a link, no number. */
    before = fake_messages(&fake, GROUP, "text", NULL);
    fake_say(&fake, GROUP, ben, "", "/credits@ExampleClipBot");
    AUTO(free_ptr) char *link = fake_wait_messages(&fake, GROUP, "text", before + 1, ANSWER_MS);
    assert_non_null(strstr(link, "https://t.me/ExampleClipBot?start=credits"));
    fake_say(&fake, ben, ben, "", "/start credits");
    AUTO(free_ptr) char *credits = fake_wait_messages(&fake, ben, "text", 1, ANSWER_MS);
    assert_null(strstr(credits, "Welcome"));
    /* Nobody is billed for a group that speaks as itself. */
    before = fake_messages(&fake, GROUP, "text", NULL);
    int64_t users = site_number(p, "select count(*) from users");
    fake_do(&fake, "say",
            "{\"chat\":%lld,\"from\":{\"id\":1087968824,\"is_bot\":true},\"text\":"
            "\"/make@ExampleClipBot x\",\"extra\":{\"sender_chat\":{\"id\":%lld}}}",
            GROUP, GROUP);
    free(fake_wait_messages(&fake, GROUP, "text", before + 1, ANSWER_MS));
    assert_int_equal(site_number(p, "select count(*) from users"), users);
    stop(s);
    fake_node_no_complaints(&fake);
    site_ledger_must_hold(p);
}

static int64_t upload_count(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&fake);
    return cJSON_GetArraySize(json_array(state, "uploads"));
}

static void wait_jobs(struct site *p, const char *state, int64_t count)
{
    AUTO(free_ptr) char *sql = str_printf("select count(*) from jobs where state = '%s'", state);
    int64_t until = clock_mono_ms() + VIDEO_MS;
    while (site_number(p, sql) != count && clock_mono_ms() < until)
        usleep(200000);
    assert_int_equal(site_number(p, sql), count);
}

/* Blocked, or moved to a supergroup, while the video is being made. */
static void chats_that_change_meanwhile(void **state)
{
    struct site *p = *state;
    const int64_t cleo = 6300000001, dan = 6300000002;
    struct session *s = start(p, NULL);
    order(cleo, cleo, "", "/make Cats sleep a lot. 9:16");
    fake_do(&fake, "chat", "{\"id\":%" PRId64 ",\"blocked\":true}", cleo);
    const int64_t old = -777001, fresh = -1007770012345;
    fake_do(&fake, "chat", "{\"id\":%" PRId64 "}", old);
    order(old, dan, "", "/make@ExampleClipBot Dogs run a lot. 9:16");
    fake_do(&fake, "migrate", "{\"from\":%" PRId64 ",\"to\":%" PRId64 "}", old, fresh);
    free(fake_wait_messages(&fake, fresh, "video", 1, VIDEO_MS));
    wait_jobs(p, "done", 1);
    wait_jobs(p, "kept", 1);
    assert_int_equal(fake_messages(&fake, fresh, "video", NULL), 1);
    site_ledger_must_hold(p); /* the credit of the one who blocked us is set aside */
    assert_int_equal(site_number(p, "select sum(held)::bigint from wallets"), 1);
    /* Unblocked: offered with the answer to whatever is said, and given once. */
    fake_do(&fake, "chat", "{\"id\":%" PRId64 ",\"blocked\":false}", cleo);
    assert_int_equal(fake_messages(&fake, cleo, "video", NULL), 0);
    fake_say(&fake, cleo, cleo, "", "/queue");
    fake_wait_text(&fake, cleo, "text", "Send it here", ANSWER_MS);
    fake_press(&fake, cleo, cleo, "Send it here");
    fake_press(&fake, cleo, cleo, "Send it here");
    wait_jobs(p, "done", 2);
    assert_int_equal(fake_messages(&fake, cleo, "video", NULL), 1);
    assert_int_equal(site_number(p, "select sum(held)::bigint from wallets"), 0);
    /* What was sent can be sent again, and costs nothing. */
    fake_say(&fake, cleo, cleo, "", "/history");
    fake_wait_text(&fake, cleo, "text", "Send: Cats sleep", ANSWER_MS);
    int64_t uploads_before = upload_count();
    fake_press(&fake, cleo, cleo, "Send: Cats sleep");
    free(fake_wait_messages(&fake, cleo, "video", 2, VIDEO_MS));
    assert_int_equal(upload_count(), uploads_before); /* by the id that it has there already */
    wait_jobs(p, "done", 3);
    assert_int_equal(site_number(p, "select sum(charged)::bigint from jobs"), 2);
    stop(s);
    fake_node_no_complaints(&fake);
    site_ledger_must_hold(p);
}

static bool is_polling(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&fake);
    return json_true(state, "polling");
}

/* A question to a program that just starts would take its lock. */
static struct session *start_and_poll(struct site *p, const char *crash)
{
    struct session *s = start(p, crash);
    int64_t until = clock_mono_ms() + START_MS;
    while (!is_polling() && clock_mono_ms() < until)
        usleep(50000);
    assert_true(is_polling());
    return s;
}

/* The buttons below a finished film. */
static void what_else_a_film_gives(void **state)
{
    struct site *p = *state;
    const int64_t eve = 6250000001;
    AUTO(free_ptr) char *url = str_printf("TELEGRAM_API_URL=%s", fake.url);
    static const char token[] = "TELEGRAM_BOT_TOKEN=" FAKE_TOKEN;
    const char *env[] = {token, url, "NANOTIK_TRIAL_CREDITS=9", "NANOTIK_PRICE_BASIC=4", NULL};
    struct session *s = session_run(p, false, env);
    order(eve, eve, "", "/make The sea is deep. Stars are far. 9:16");
    AUTO(free_ptr) char *video = fake_wait_messages(&fake, eve, "video", 1, VIDEO_MS);
    assert_non_null(strstr(video, "Other language"));
    wait_jobs(p, "done", 1);
    /* Other pictures, half the price. */
    fake_press(&fake, eve, eve, "Remix");
    fake_wait_text(&fake, eve, "text", "with other pictures", ANSWER_MS);
    fake_press(&fake, eve, eve, "Make it");
    wait_jobs(p, "done", 2);
    assert_int_equal(fake_messages(&fake, eve, "video", NULL), 2);
    site_audit_is(p, "select string_agg(charged::text, ' ' order by created_at) from jobs", "4 2");
    /* The words are the same, and the pictures are not. */
    assert_int_equal(site_number(p, "select count(distinct story::json->'scenes'->0->>'narration')"
                                    " from jobs"),
                     1);
    assert_int_equal(site_number(p, "select count(distinct story::json->'scenes'->0->'footage'->>"
                                    "'seed') from jobs"),
                     2);
    /* Subtitles as a file. */
    fake_press(&fake, eve, eve, "Subtitles");
    AUTO(free_ptr) char *file = fake_wait_messages(&fake, eve, "document", 1, ANSWER_MS);
    assert_non_null(strstr(file, ".srt"));
    /* Nobody translates here, so the person does; the pictures stay. */
    fake_press(&fake, eve, eve, "Other language");
    fake_wait_text(&fake, eve, "text", "Translate it yourself", ANSWER_MS);
    fake_say(&fake, eve, eve, "", "/dub de Das Meer ist tief. Die Sterne sind fern.");
    fake_wait_text(&fake, eve, "text", "told in this language", ANSWER_MS);
    fake_press(&fake, eve, eve, "Make it");
    wait_jobs(p, "done", 3);
    assert_int_equal(site_number(p, "select count(distinct story::json->'scenes'->0->'footage'->>"
                                    "'seed') from jobs"),
                     2);
    assert_int_equal(site_number(p, "select count(*) from jobs where story::json->'scenes'->0->>"
                                    "'narration' like 'Das Meer%'"),
                     1);
    site_audit_is(p, "select string_agg(charged::text, ' ' order by created_at) from jobs",
                  "4 2 2");
    stop(s);
    fake_node_no_complaints(&fake);
    site_ledger_must_hold(p);
}

/* Killed while a film is put aside, or on its way at last: still one film and one charge. */
static void kept_films_survive(void **state)
{
    struct site *p = *state;
    static const char *const places[] = {"worker.keeping", "telegram.delivered"};
    for (size_t i = 0; i < COUNT(places); i++) {
        int64_t user = 6500000000 + (int64_t)i;
        print_message("killed at %s\n", places[i]);
        struct session *s = start(p, i == 0 ? places[i] : NULL);
        order(user, user, "", "/make Stars are far away. 9:16");
        fake_do(&fake, "chat", "{\"id\":%" PRId64 ",\"blocked\":true}", user);
        if (i == 0) {
            assert_int_equal(session_wait(s, VIDEO_MS), 128 + SIGKILL);
            s = start_and_poll(p, NULL);
        }
        wait_jobs(p, "kept", 1);
        fake_do(&fake, "chat", "{\"id\":%" PRId64 ",\"blocked\":false}", user);
        if (i == 1) {
            stop(s);
            s = start_and_poll(p, places[i]);
        }
        fake_say(&fake, user, user, "", "/queue");
        fake_wait_text(&fake, user, "text", "Send it here", START_MS);
        fake_press(&fake, user, user, "Send it here");
        if (i == 1) {
            assert_int_equal(session_wait(s, VIDEO_MS), 128 + SIGKILL);
            s = start_and_poll(p, NULL);
        }
        wait_jobs(p, "done", (int64_t)i + 1);
        stop(s);
        assert_int_equal(fake_messages(&fake, user, "video", NULL), 1);
        assert_int_equal(site_number(p, "select sum(charged)::bigint from jobs"), (int64_t)i + 1);
        site_ledger_must_hold(p);
        site_forget_sessions(p);
    }
}

static bool is_dead(const struct session *s)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* Presses once, as soon as there is something to press, until the program dies or `done` jobs are
   done. True: it died. */
static bool follow(struct site *p, const struct session *s, int64_t user, int64_t done,
                   bool *pressed)
{
    int64_t until = clock_mono_ms() + VIDEO_MS;
    while (clock_mono_ms() < until) {
        AUTO(free_ptr) char *last = NULL;
        if (is_dead(s))
            return true;
        fake_messages(&fake, user, "text", &last);
        if (!*pressed && strstr(last, "Make it")) {
            fake_press(&fake, user, user, "Make it");
            *pressed = true;
        }
        /* Asked only once it polls: a question to a program that just starts would take its lock. */
        if (*pressed && done > 0 && fake_messages(&fake, user, "video", NULL) > 0 && is_polling() &&
            site_number(p, "select count(*) from jobs where state = 'done'") >= done)
            return false;
        usleep(100000);
    }
    fail_msg("neither dead nor done");
    return false;
}

/* With everything logged, after faults that quote URLs: the token is in no file (logs, database,
   films), no argument list, no helper's environment. When it is revoked, polling ends for good. */
static void the_token_is_nowhere(void **state)
{
    struct site *p = *state;
    const int64_t fay = 6300000004;
    AUTO(free_ptr) char *url = str_printf("TELEGRAM_API_URL=%s", fake.url);
    const char *env[] = {"TELEGRAM_BOT_TOKEN=" FAKE_TOKEN, url, "NANOTIK_LOG=debug", NULL};
    static const char *const faults[] = {"reset", "html", "cut", "lost"};
    for (size_t i = 0; i < COUNT(faults); i++)
        fake_do(&fake, "fault", "{\"methods\":[\"getUpdates\",\"sendMessage\"],\"kind\":\"%s\"}",
                faults[i]);
    struct session *s = session_run(p, false, env);
    order(fay, fay, "", "/make Foxes are clever. 9:16");
    free(fake_wait_messages(&fake, fay, "video", 1, VIDEO_MS));
    AUTO(free_ptr)
    char *look =
        str_printf("for c in %d $(pgrep -P %d); do ! grep -q AAExample /proc/$c/cmdline || "
                   "exit 1; done; for c in $(pgrep -P %d); do "
                   "! grep -q AAExample /proc/$c/environ || exit 1; done",
                   (int)s->pid, (int)s->pid, (int)s->pid);
    site_shell(p, look);
    fake_do(&fake, "set", "{\"token\":\"7000000001:revoked\"}");
    assert_int_equal(session_wait(s, VIDEO_MS), 78); /* starting again would not help */
    assert_true(fake_number(&fake, "unauthorized") <= 3);
    site_shell(p, "! grep -raq AAExampleToken log* data films");
    site_ledger_must_hold(p);
}

/* The group moves while its video is made, the program dies: the new start knows only what was
   stored, and the video comes to the new group, once. */
static void a_moved_group_outlives_a_kill(void **state)
{
    struct site *p = *state;
    const int64_t old = -777002, fresh = -1007770054321, eve = 6300000003;
    struct session *s = start(p, "worker.rendered");
    fake_do(&fake, "chat", "{\"id\":%" PRId64 "}", old);
    order(old, eve, "", "/make@ExampleClipBot Birds sing in the morning. 9:16");
    fake_do(&fake, "migrate", "{\"from\":%" PRId64 ",\"to\":%" PRId64 "}", old, fresh);
    assert_int_equal(session_wait(s, VIDEO_MS), 128 + SIGKILL);
    s = start(p, NULL);
    free(fake_wait_messages(&fake, fresh, "video", 1, VIDEO_MS));
    fake_wait_text(&fake, fresh, "text", "Ready", ANSWER_MS);
    assert_int_equal(fake_messages(&fake, fresh, "video", NULL), 1);
    assert_int_equal(fake_messages(&fake, old, "video", NULL), 0);
    stop(s);
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'done'"), 1);
    site_ledger_must_hold(p);
}

/* kill -9 between any two requests: after a restart exactly one video and one charge. */
static void killed_anywhere(void **state)
{
    struct site *p = *state;
    static const char *const places[] = {
        "outbox.before_send", "outbox.after_send",    "worker.claimed",     "worker.rendered",
        "worker.delivering",  "telegram.deliver",     "telegram.delivered", "worker.delivered",
        "worker.done",        "outbox.before_send:2",
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        int64_t user = 6400000000 + (int64_t)i;
        bool pressed = false;
        print_message("killed at %s\n", places[i]);
        struct session *s = start(p, places[i]);
        fake_say(&fake, user, user, "", "/make Stars are far away. 9:16");
        if (!follow(p, s, user, 0, &pressed))
            fail_msg("%s was never reached", places[i]);
        assert_int_equal(session_wait(s, STOP_MS), 128 + SIGKILL);
        s = start(p, NULL);
        if (follow(p, s, user, (int64_t)i + 1, &pressed)) {
            AUTO(free_ptr) char *log = session_log(s);
            fail_msg("it ended after the restart with %d:\n%s", session_wait(s, STOP_MS), log);
        }
        fake_wait_text(&fake, user, "text", "Ready", ANSWER_MS);
        stop(s);
        assert_int_equal(fake_messages(&fake, user, "video", NULL), 1);
        site_ledger_must_hold(p);
        site_forget_sessions(p);
    }
    assert_int_equal(site_number(p, "select count(*) from jobs"), COUNT(places));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_start_to_a_video, open_all, close_all),
        cmocka_unit_test_setup_teardown(groups_topics_and_money, open_all, close_all),
        cmocka_unit_test_setup_teardown(chats_that_change_meanwhile, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_else_a_film_gives, open_all, close_all),
        cmocka_unit_test_setup_teardown(kept_films_survive, open_all, close_all),
        cmocka_unit_test_setup_teardown(the_token_is_nowhere, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_moved_group_outlives_a_kill, open_all, close_all),
        cmocka_unit_test_setup_teardown(killed_anywhere, open_all, close_all),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
