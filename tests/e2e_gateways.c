/* Two processes serve one Telegram bot from one database: one polls, the other takes over. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fake_telegram.h"
#include "tests/fixture_db.h"
#include "tests/session.h"

enum { START_MS = 60000, WAIT_MS = 30000, STOP_MS = 30000 };

static struct {
    struct fake_node fake;
    struct db *db;
} w;

static int open_all(void **state)
{
    if (site_open(state) != 0)
        return -1;
    w.db = fixture_db_fresh(2);
    fake_start(&w.fake, NULL);
    return 0;
}

static int close_all(void **state)
{
    struct site *p = *state;
    site_forget_sessions(p);
    fake_node_stop(&w.fake);
    fixture_db_done(&w.db);
    return site_close(state);
}

/* Each with a data folder of its own, as on two machines. */
static struct session *start_with(struct site *p, int number, int lease_seconds, const char *id_key)
{
    AUTO(free_ptr) char *url = str_printf("TELEGRAM_API_URL=%s", w.fake.url);
    AUTO(free_ptr) char *db = str_printf("DATABASE_URL=%s", fixture_db_url());
    AUTO(free_ptr) char *data = str_printf("NANOTIK_DATA=%s/data%d", p->folder, number);
    AUTO(free_ptr) char *lease = str_printf("NANOTIK_LEASE_SECONDS=%d", lease_seconds);
    AUTO(free_ptr) char *key = str_printf("NANOTIK_ID_KEY=%s", id_key);
    static const char token[] = "TELEGRAM_BOT_TOKEN=" FAKE_TOKEN;
    const char *env[] = {token, key, url, db, data, lease, NULL};
    return session_run(p, false, env);
}

static struct session *start(struct site *p, int number, int lease_seconds)
{
    return start_with(p, number, lease_seconds, "the same key on both machines");
}

static int64_t number(const char *sql)
{
    return fixture_db_number(w.db, sql);
}

static bool is_polling(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&w.fake);
    return json_true(state, "polling");
}

/* The process that has the lease is named in it. */
static bool polls(const struct session *s)
{
    AUTO(free_ptr)
    char *sql = str_printf("select count(*) from leases where name = 'telegram:7000000001' and"
                           " split_part(holder, ':', 2) = '%d'",
                           (int)s->pid);
    return number(sql) == 1;
}

static void wait_polls(const struct session *s, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    while (!(polls(s) && is_polling()) && clock_mono_ms() < until)
        usleep(20000);
    if (!polls(s) || !is_polling())
        fail_msg("process %d does not poll", (int)s->pid);
}

/* So many people say something, each in a chat of their own. */
static void people_say(int from, int count)
{
    for (int i = from; i < from + count; i++)
        fake_do(&w.fake, "say", "{\"chat\":%d,\"from\":{\"id\":%d},\"text\":\"/help\"}", 5000 + i,
                5000 + i);
}

/* Killed in the middle of a stream of messages: each is answered by exactly one card. */
static void a_killed_poller_is_followed(void **state)
{
    enum { EACH = 150, LEASE_S = 2 };
    struct site *p = *state;
    struct session *a = start(p, 1, LEASE_S);
    wait_polls(a, START_MS);
    struct session *b = start(p, 2, LEASE_S);
    people_say(0, EACH);
    fixture_db_wait(w.db, "select count(*) from outbox", EACH, WAIT_MS);
    assert_true(polls(a)); /* b has looked often enough meanwhile */
    people_say(EACH, EACH / 2);
    session_signal(a, SIGKILL);
    int64_t killed = clock_mono_ms();
    people_say(EACH + EACH / 2, EACH / 2);
    assert_int_equal(session_wait(a, STOP_MS), 128 + SIGKILL);
    wait_polls(b, WAIT_MS);
    int64_t took = clock_mono_ms() - killed;
    print_message("taken over after %" PRId64 " ms, lease of %d s\n", took, LEASE_S);
    assert_true(took < 2 * LEASE_S * 1000);
    fixture_db_wait(w.db, "select count(*) from outbox", 2 * EACH, WAIT_MS);
    fixture_db_wait(w.db, "select count(*) from events", 0, WAIT_MS);
    assert_int_equal(number("select count(*) from inbox"), 2 * EACH);
    assert_int_equal(number("select count(distinct lane) from outbox"), 2 * EACH);
    assert_int_equal(number("select count(*) from users"), 2 * EACH);
    assert_int_equal(fake_number(&w.fake, "conflicts"), 0); /* never two polls at once */
    session_signal(b, SIGTERM);
    assert_int_equal(session_wait(b, STOP_MS), 0);
    assert_int_equal(fake_number(&w.fake, "queued"), 0);
    assert_int_equal(number("select count(*) from leases"), 0);
    fake_node_no_complaints(&w.fake);
}

/* A clean stop hands over at once, long before the lease would end; and so again, back and forth. */
static void a_stopped_poller_is_followed_at_once(void **state)
{
    struct site *p = *state;
    struct session *s[4] = {start(p, 0, 20)};
    wait_polls(s[0], START_MS);
    for (int i = 1; i < 4; i++) {
        s[i] = start(p, i, 20);
        people_say(100 * i, 10);
        fixture_db_wait(w.db, "select count(*) from outbox", (int64_t)20 * i - 10, WAIT_MS);
        AUTO(free_ptr) char *log = session_log(s[i]);
        for (int k = 0; k < 500 && !strstr(log, "polling as"); k++) {
            usleep(20000);
            free(log);
            log = session_log(s[i]);
        }
        session_signal(s[i - 1], SIGTERM);
        people_say(100 * i + 50, 10);
        assert_int_equal(session_wait(s[i - 1], STOP_MS), 0);
        int64_t ended = clock_mono_ms();
        wait_polls(s[i], WAIT_MS);
        assert_true(clock_mono_ms() - ended < 5000);
        fixture_db_wait(w.db, "select count(*) from outbox", (int64_t)20 * i, WAIT_MS);
    }
    fixture_db_wait(w.db, "select count(*) from events", 0, WAIT_MS);
    assert_int_equal(number("select count(distinct lane) from outbox"), 60);
    session_signal(s[3], SIGTERM);
    assert_int_equal(session_wait(s[3], STOP_MS), 0);
    /* A goodbye may overtake the end of the poll that it replaced: its own, not another's. */
    assert_true(fake_number(&w.fake, "conflicts") <= 4);
    fake_node_no_complaints(&w.fake);
}

/* It would take everybody for new: other accounts, other credits, another free video. */
static void a_machine_without_the_key_is_refused(void **state)
{
    struct site *p = *state;
    struct session *a = start(p, 1, 20);
    wait_polls(a, START_MS);
    people_say(0, 1);
    fixture_db_wait(w.db, "select count(*) from outbox", 1, WAIT_MS);
    struct session *b = start_with(p, 2, 20, "a key that this machine made itself");
    assert_int_equal(session_wait(b, START_MS), 78); /* no use in starting it again */
    AUTO(free_ptr) char *log = session_log(b);
    assert_non_null(strstr(log, "known by another key"));
    assert_null(strstr(log, "made itself"));
    session_signal(a, SIGTERM);
    assert_int_equal(session_wait(a, STOP_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_machine_without_the_key_is_refused, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_killed_poller_is_followed, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_stopped_poller_is_followed_at_once, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
