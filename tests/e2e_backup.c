/* The built program, its database in a file and back: what happened since the backup is neither done
   again nor forgotten where the Nano network knows it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"
#include "tests/fixture_db.h"
#include "tests/pay_site.h"

enum { START_MS = 60000, ANSWER_MS = 20000, VIDEO_MS = 180000, STOP_MS = 30000, SLOW_MS = 180000 };

#define XNO "000000000000000000000000000000"

static int open_all(void **state)
{
    if (pay_site_open(state) != 0)
        return -1;
    site_shell(*state, "mkdir -p clips && ffmpeg -nostdin -v error -f lavfi -i "
                       "testsrc2=s=320x320:r=30:d=8 -c:v libx264 -preset ultrafast clips/moon.mp4");
    return 0;
}

/* With clips of our own. crash and url may be NULL. */
static void env_make(struct pay_env *e, struct site *p, const char *crash, const char *url)
{
    pay_env_make(e, crash);
    pay_env_put(e, str_printf("NANOTIK_FOOTAGE_DIR=%s/clips", p->folder));
    if (url)
        pay_env_put(e, str_printf("DATABASE_URL=%s", url));
}

static struct session *begin(struct site *p, const char *command, const char *argument,
                             const char *crash, const char *url)
{
    struct pay_env e;
    env_make(&e, p, crash, url);
    const char *args[] = {command, argument, NULL};
    struct session *s = session_start(p, &(struct session_options){.args = args, .env = e.list});
    pay_env_free(&e);
    return s;
}

/* Ends with this status, having said this (NULL: whatever) on standard output or error. */
static void shell(struct site *p, const char *command, const char *argument, const char *url,
                  int status, const char *says)
{
    struct session *s = begin(p, command, argument, NULL, url);
    int got = session_finish(s, START_MS);
    AUTO(free_ptr) char *log = session_log(s);
    if (got != status || (says && !strstr(strbuf_text(&s->seen), says) && !strstr(log, says))) {
        session_show(s);
        fail_msg("%s %s: %d, not %d, %s", command, argument ? argument : "", got, status, says);
    }
    site_forget_sessions(p);
}

static void stop(struct session *s)
{
    session_signal(s, SIGTERM);
    int status = session_wait(s, STOP_MS);
    if (status != 0) {
        session_show(s);
        fail_msg("ended with %d", status);
    }
}

static int times(const struct session *s, const char *text)
{
    int count = 0;
    for (const char *at = strbuf_text(&s->seen); (at = strstr(at, text)); at++)
        count++;
    return count;
}

#define COLLECTED "select count(*) from deposits where collected"
#define MADE "select count(*) from jobs where state = 'done'"

/* The machine is lost and there is a backup of before a video and a payment. */
static void restored_elsewhere(void **state)
{
    struct site *p = *state;
    char path[1024], file[SITE_MAX + 16];
    struct stat st;
    snprintf(file, sizeof(file), "%s/night.dump", p->folder);
    struct session *s = begin(p, "run", NULL, "job_start.commit", NULL);
    session_say(s, "/pay 1\n");
    session_expect(s, "nano:nano_", START_MS);
    AUTO(free_ptr) char *address = site_audit(p, "select address from deposit_addresses");
    fake_nano_pay(&pay_site_nano, address, "1" XNO, NULL);
    session_expect(s, "+100 credits", ANSWER_MS);
    site_wait_number(p, COLLECTED, 1, ANSWER_MS);
    session_say(s, "/make The moon pulls the sea.\n");
    assert_int_equal(session_wait(s, START_MS), 128 + SIGKILL);
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'ready'"), 1);
    assert_true(site_number(p, "select count(*) from outbox where state = 'pending'") > 0);
    site_forget_sessions(p);
    shell(p, "backup", file, NULL, 0, "the whole database");
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    /* What the backup does not know: the video was delivered, more was paid, collected and sent on. */
    s = begin(p, "run", NULL, NULL, NULL);
    session_path(s, ".mp4", VIDEO_MS, path);
    site_wait_number(p, MADE, 1, ANSWER_MS);
    fake_nano_pay(&pay_site_nano, address, "2" XNO, NULL);
    session_expect(s, "+200 credits", ANSWER_MS);
    site_wait_number(p, COLLECTED, 2, ANSWER_MS);
    site_wait_number(p, "select count(*) from blocks where kind = 'send' and state = 'confirmed'",
                     2, ANSWER_MS);
    shell(p, "backup", "running.dump", NULL, 0, "the whole database"); /* beside a running bot */
    s = NULL; /* forgotten, and with it ended */
    shell(p, "reconcile", NULL, NULL, 0, NULL);
    shell(p, "restore", file, NULL, 1, "not empty");

    /* A new machine: the key, and the file. */
    site_shell(p, "mv data lost && mkdir -m 711 data");
    shell(p, "backup", file, NULL, 1, "nothing to back up"); /* and the good one stays */
    shell(p, "restore", file, NULL, 1, "id.key of the old data folder");
    site_shell(p, "cp lost/id.key data/");
    s = begin(p, "restore", file, "restore_settle.precommit", NULL);
    assert_int_equal(session_wait(s, START_MS), 128 + SIGKILL);
    shell(p, "run", NULL, NULL, 78, "nanotik restore");
    shell(p, "backup", "half.dump", NULL, 1, "nanotik restore");
    shell(p, "restore", file, NULL, 0, "paid back: 1.");
    shell(p, "restore", file, NULL, 1, "not empty"); /* once */
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'failed'"
                                    " and fail_key = 'fail.restored'"),
                     1);
    assert_int_equal(site_number(p, "select avail from wallets"), 101);
    assert_int_equal(site_number(p, "select count(*) from admin_log where action = 'restore'"), 1);

    s = begin(p, "run", NULL, NULL, NULL);
    session_expect(s, "went back to a backup", START_MS);
    session_expect(s, "+200 credits", ANSWER_MS); /* found again, although it was collected */
    session_say(s, "/credits\n");
    session_expect(s, "Your account", ANSWER_MS);
    site_wait_number(p, "select count(*) from alarms", 0, ANSWER_MS);
    assert_int_equal(site_number(p, "select count(*) from deposits"), 2);
    assert_int_equal(site_number(p, "select avail from wallets"), 301);
    assert_int_equal(times(s, ".mp4"), 0);
    assert_int_equal(times(s, "went back to a backup"), 1);
    /* It goes on as ever: a video, and a payment that reaches the wallet. */
    session_say(s, "/make The moon is round.\n");
    session_path(s, ".mp4", VIDEO_MS, path);
    fake_nano_pay(&pay_site_nano, address, "1" XNO, NULL);
    session_expect(s, "+100 credits", ANSWER_MS);
    site_wait_number(p, "select count(*) from blocks where kind = 'send' and state = 'confirmed'",
                     3, ANSWER_MS);
    stop(s);
    assert_int_equal(site_number(p, "select avail from wallets"), 301 - 3 + 100);
    assert_int_equal(site_number(p, "select count(*) from blocks where state = 'refused'"), 0);
    shell(p, "reconcile", NULL, NULL, 0, NULL);
    fake_node_no_complaints(&pay_site_nano);
}

/* --- refunds --- */

#define HOME "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define SENDS                                                            \
    "select count(*) from blocks where kind = 'send' and address not in" \
    " (select address from deposit_addresses)"

static void refund(struct session *s, const char *credits)
{
    AUTO(free_ptr) char *ask = str_printf("/refund " HOME " %s\n", credits);
    session_say(s, ask);
    session_expect(s, HOME, START_MS);
    session_say(s, "/refund yes\n");
}

/* One refund waits when the backup is made; since then it went out, and so did another one. Neither is
   paid again; what the backup does not know of is the operator's to decide. */
static void refunds_since_the_backup(void **state)
{
    struct site *p = *state;
    char file[SITE_MAX + 16];
    snprintf(file, sizeof(file), "%s/night.dump", p->folder);
    struct session *s = begin(p, "run", NULL, NULL, NULL);
    session_say(s, "/pay 2\n");
    session_expect(s, "nano:nano_", START_MS);
    AUTO(free_ptr) char *address = site_audit(p, "select address from deposit_addresses");
    fake_nano_pay(&pay_site_nano, address, "2" XNO, NULL);
    session_expect(s, "+220 credits", ANSWER_MS);
    refund(s, "10");
    site_wait_number(p, "select count(*) from refunds where state = 'waiting'", 1, ANSWER_MS);
    session_say(s, "/refund\n");
    session_expect(s, "/refund ADDRESS", ANSWER_MS);
    site_wait_number(p, COLLECTED, 1, ANSWER_MS);
    stop(s);
    site_forget_sessions(p);
    shell(p, "backup", file, NULL, 0, "the whole database");

    s = begin(p, "address", "--treasury", NULL, NULL);
    assert_int_equal(session_finish(s, START_MS), 0);
    AUTO(free_ptr) char *treasury = str_printf("%.65s", strstr(strbuf_text(&s->seen), "nano_"));
    fake_nano_pay(&pay_site_nano, treasury, "5" XNO, NULL);
    s = begin(p, "run", NULL, NULL, NULL);
    session_say(s, "/credits\n");
    session_expect(s, "Your account", START_MS);
    site_wait_number(p, "select count(*) from refunds where told = 'done'", 1, START_MS);
    refund(s, "20");
    site_wait_number(p, "select count(*) from refunds where told = 'done'", 2, START_MS);
    stop(s);
    AUTO(free_ptr)
    char *left = site_audit(p, "select 'treasury has ' || balance from blocks where"
                               " kind = 'send' and address not in (select address"
                               " from deposit_addresses) order by balance limit 1");

    site_shell(p, "mv data lost && mkdir -m 711 data && cp lost/id.key data/");
    site_forget_sessions(p);
    shell(p, "restore", file, NULL, 0, "paid back: 0.");
    assert_int_equal(site_number(p, "select count(*) from refunds where state = 'waiting'"), 1);
    shell(p, "reconcile", NULL, NULL, 1, "are not looked through yet");
    s = begin(p, "run", NULL, NULL, NULL);
    session_say(s, "/credits\n");
    session_expect(s, "Your account", START_MS);
    site_wait_number(p, "select count(*) from alarms where name = 'rescan'", 0, START_MS);
    site_wait_number(p, "select count(*) from refunds where told = 'done'", 1, ANSWER_MS);
    refund(s, "20"); /* these came back with the backup, and were paid out before */
    session_expect(s, "the bookkeeping is being looked at", ANSWER_MS);
    shell(p, "reconcile", NULL, NULL, 1, "sent by the treasury after the backup");
    shell(p, "restore", "--open-refunds", NULL, 0, "Refunds go on.");
    shell(p, "restore", "--open-refunds", NULL, 0, "Nothing held");
    shell(p, "reconcile", NULL, NULL, 0, NULL);
    assert_int_equal(site_number(p, SENDS), 2);
    AUTO(free_ptr)
    char *still = site_audit(p, "select 'treasury has ' || balance from blocks where"
                                " kind = 'send' and address not in (select address"
                                " from deposit_addresses) order by balance limit 1");
    assert_string_equal(still, left);
    s = begin(p, "run", NULL, NULL, NULL);
    refund(s, "5");
    site_wait_number(p, "select count(*) from refunds where told = 'done'", 2, START_MS);
    stop(s);
    assert_int_equal(site_number(p, SENDS), 3);
    site_forget_sessions(p);
    shell(p, "reconcile", NULL, NULL, 0, NULL);
    fake_node_no_complaints(&pay_site_nano);
}

/* --- a server of the operator's own; killed anywhere --- */

static void sql(const char *url, const char *text)
{
    AUTO(free_ptr) char *said = NULL;
    AUTO(free_ptr) char *where = str_printf("--dbname=%s", url);
    const char *argv[] = {"psql", "-qXtA", "-v", "ON_ERROR_STOP=1", where, "-c", text, NULL};
    struct err e = {0};
    if (!proc_run(argv, &(struct proc_options){0}, START_MS, 1000, &said, &e))
        fail_msg("%s: %s", text, e.detail);
}

/* With what the program said, when it does not come true. */
static void wait_db(struct session *s, struct db *db, const char *query, int64_t want)
{
    int64_t end = clock_mono_ms() + SLOW_MS, got;
    while ((got = fixture_db_number(db, query)) != want) {
        if (clock_mono_ms() > end) {
            session_show(s);
            fail_msg("%s: %lld, not %lld", query, (long long)got, (long long)want);
        }
        cancel_wait(NULL, 50);
    }
}

/* The same server, another database: "... dbname=NAME". */
static char *other_database(const char *name)
{
    const char *url = fixture_db_url(), *at = strstr(url, "dbname=");
    assert_non_null(at);
    size_t rest = strcspn(at, " ");
    return str_printf("%.*sdbname=%s%s", (int)(at - url), url, name, at + rest);
}

/* Killed around each step of the look at the accounts' own blocks: each payment counts once. */
static void rescan_killed_at_each_step(void **state)
{
    static const char *const places[] = {
        "rescan.credited",
        "block_adopt.precommit",
        "block_adopt.commit",
        "rescan.stored:2",
    };
    struct site *p = *state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char file[SITE_MAX + 16];
    AUTO(free_ptr) char *mine = str_dup(fixture_db_url());
    AUTO(free_ptr) char *url = other_database("put_back");
    snprintf(file, sizeof(file), "%s/server.dump", p->folder);
    struct session *s = begin(p, "run", NULL, NULL, mine);
    session_say(s, "/pay 1\n");
    session_expect(s, "  nano_", START_MS);
    char address[80];
    snprintf(address, sizeof(address), "%.65s", strstr(strbuf_text(&s->seen), "  nano_") + 2);
    shell(p, "backup", file, mine, 0, "the whole database");
    s = begin(p, "run", NULL, NULL, mine);
    for (int i = 1; i <= 3; i++) { /* received, sent on, received again ... */
        fake_nano_pay(&pay_site_nano, address, "1" XNO, NULL);
        wait_db(s, db, "select count(*) from blocks where kind = 'send' and state = 'confirmed'",
                i);
    }
    stop(s);
    site_forget_sessions(p);
    shell(p, "restore", file, mine, 1, "not empty");

    sql(mine, "create database put_back");
    shell(p, "restore", "--loaded", url, 1, "nothing was loaded");
    shell(p, "restore", file, url, 0, "paid back: 0.");
    for (size_t i = 0; i < COUNT(places); i++) {
        s = begin(p, "run", NULL, places[i], url);
        if (session_wait(s, START_MS) != 128 + SIGKILL)
            fail_msg("%s was not reached", places[i]);
    }
    s = begin(p, "run", NULL, NULL, url);
    struct err e = {0};
    struct db *put_back = NULL;
    assert_true(db_open(url, 1, &put_back, &e));
    wait_db(s, put_back, "select count(*) from alarms", 0);
    assert_int_equal(fixture_db_number(put_back, "select avail from wallets"), 301);
    assert_int_equal(fixture_db_number(put_back, "select count(*) from deposits where collected"),
                     3);
    assert_int_equal(fixture_db_number(put_back, "select count(*) from blocks"), 6);
    fixture_db_check(put_back);
    struct session *too_early = begin(p, "restore", "--loaded", NULL, url);
    assert_int_equal(session_finish(too_early, START_MS), 1);
    AUTO(free_ptr) char *log = session_log(too_early);
    assert_non_null(strstr(log, "A bot is working with this database"));
    stop(s);
    site_forget_sessions(p);
    shell(p, "restore", "--loaded", url, 0, "paid back: 0.");
    shell(p, "reconcile", NULL, url, 1, "are not looked through yet");
    db_close(put_back);
    sql(mine, "drop database put_back");
    fake_node_no_complaints(&pay_site_nano);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_all, pay_site_close)
    const struct CMUnitTest tests[] = {
        CASE(restored_elsewhere),
        CASE(refunds_since_the_backup),
        CASE(rescan_killed_at_each_step),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
