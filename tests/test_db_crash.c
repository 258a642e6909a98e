/*
 * kill -9 just before and just after every commit (facts sheet, section 6): a program that is started
 * again ends as one that nobody killed, to the last credit, and says nothing twice but the one message
 * that it was killed with.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_util.h"
#include "tests/crash_life.h"
#include "tests/fixture_db.h"

/* Runs this program as the one that is killed, at commit number `at`; adds what it said to `said`. */
static int run_life(const char *moment, int at, struct strbuf *said)
{
    int ends[2], status;
    char text[256];
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        snprintf(text, sizeof(text), "life.%s:%d", moment ? moment : "", at);
        if (moment)
            setenv("NANOTIK_CRASH_AT", text, 1);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "test_db_crash", "live", fixture_db_url(), NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], text, sizeof(text))) > 0)
        strbuf_add(said, text, (size_t)n);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* --- what there is in the end, without ids and times --- */

static const char *const books[] = {
    "select kind, forgotten_at is null, avail, held, active from wallets, users where id = user_id",
    "select state, price, charged, topic, payer_id is null, fail_key from jobs",
    "select state, amount, captured from holds",
    "select verb, amount from transfers",
    "select account, sum(amount) from entries group by 1",
    "select ref, state, credits, bonus, rest_after from deposits",
    "select state, received, bonus_given from orders",
    "select raw from rests",
    "select state, credits, bonus, raw, rest from refunds",
    "select state, kind, raw from blocks",
    "select state, path from deliveries",
    "select title, path from videos",
    "select state, sets_card, count(*) from outbox group by 1, 2",
    "select 'addresses', count(*) from deposit_addresses",
    "select 'identities', count(*) from identities",
    "select 'trials', count(*) from trials",
    "select 'awaiting', count(*) from awaiting",
    "select 'events', count(*) from events",
    "select 'inbox', count(*) from inbox",
    "select action, amount from admin_log",
};

static bool read_books(struct db_tx *tx, void *ctx, struct err *e)
{
    struct strbuf *out = ctx;
    strbuf_reset(out);
    for (size_t i = 0; i < COUNT(books); i++) {
        AUTO(db_rows_free) struct db_rows *rows = NULL;
        AUTO(free_ptr) char *sql = str_printf("select x::text from (%s) x order by 1", books[i]);
        if (!db_exec(tx, sql, NULL, 0, &rows, e))
            return false;
        for (size_t r = 0; r < db_count(rows); r++)
            strbuf_addf(out, "%s\n", row_text(rows, r, 0));
    }
    return true;
}

static void show_books(struct db *db, struct strbuf *out)
{
    struct err e = {0};
    if (!db_run(db, read_books, out, &e))
        fail_msg("books: %s", e.detail);
}

/* --- what was said --- */

/* Lines like this one; all lines with len 0. */
static int times(const char *said, const char *line, size_t len)
{
    int n = 0;
    for (const char *p = said; *p; p += strcspn(p, "\n") + 1)
        n += len == 0 || (strcspn(p, "\n") == len && memcmp(p, line, len) == 0);
    return n;
}

/* All that is said when nobody is killed, and one message once more at most. */
static void check_said(const char *said, const char *usual, int at)
{
    for (const char *p = usual; *p; p += strcspn(p, "\n") + 1) {
        size_t len = strcspn(p, "\n");
        if (times(said, p, len) < times(usual, p, len))
            fail_msg("killed at commit %d: \"%.*s\" is missing", at, (int)len, p);
    }
    int more = times(said, "", 0) - times(usual, "", 0);
    if (more > 1)
        fail_msg("killed at commit %d: %d messages too many\n%s", at, more, said);
}

/* --- the judge --- */

static bool was_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* Killed before its commit number `at`; started again, killed after the first one; started again. False:
   it has not so many commits. */
static bool judge(int at, const char *want, const char *usual, int *kills)
{
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    AUTO(strbuf_free) struct strbuf said = STRBUF(65536), got = STRBUF(65536);
    if (!was_killed(run_life("precommit", at, &said)))
        return false;
    fixture_db_check(db);
    if (was_killed(run_life("commit", 1, &said)))
        ++*kills;
    fixture_db_check(db);
    if (run_life(NULL, 0, &said) != 0)
        fail_msg("killed at commit %d: started again, it failed", at);
    show_books(db, &got);
    if (strcmp(strbuf_text(&got), want) != 0)
        fail_msg("killed at commit %d:\n%s\nusually:\n%s", at, strbuf_text(&got), want);
    check_said(strbuf_text(&said), usual, at);
    ++*kills;
    return true;
}

static void test_every_commit(void **state)
{
    AUTO(strbuf_free) struct strbuf usual = STRBUF(65536), want = STRBUF(65536);
    int at = 1, kills = 0;
    (void)state;
    {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
        assert_int_equal(run_life(NULL, 0, &usual), 0);
        show_books(db, &want);
    }
    while (judge(at, strbuf_text(&want), strbuf_text(&usual), &kills))
        at++;
    print_message("killed %d times around %d commits\n", kills, at - 1);
    assert_true(kills >= 200);
}

int main(int argc, char **argv)
{
    static const unsigned char key[32] = "a fixed key of the tests only..";
    if (argc == 3 && strcmp(argv[1], "live") == 0) {
        hash_setup();
        account_set_key(key);
        return crash_life(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_commit),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
