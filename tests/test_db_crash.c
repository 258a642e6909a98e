/*
 * kill -9 just before and just after every commit of a job's life (facts sheet, section 6): a
 * program that is started again finds everything as it was before or after, never between; the job
 * ends once, is charged once and is told once or, at worst, twice.
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
#include "core/db/store_chat.h"
#include "core/db/store_group.h"
#include "core/db/store_inbox.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

/* --- the program that is killed: one event, one job, two messages --- */

struct life {
    enum payer { PERSON, GROUP, GROUP_FAILS /* and gets its credits back */ } payer;
    char worker[32];
    struct job job;
    struct outbox_row rows[4];
    size_t count;
};

static bool fund(struct db_tx *tx, void *ctx, struct err *e)
{
    struct account a;
    enum ledger_result r;
    struct life *l = ctx;
    char group[UUID_TEXT];
    return account_find(tx, "test", "ann", false, 1, &a, e) &&
           ledger_grant(tx, "gift", a.id, 5, "test", "crash", &r, e) &&
           (l->payer == PERSON ||
            (group_find(tx, "test", "c", true, group, e) && group_set_cap(tx, group, 2, e) &&
             ledger_grant(tx, "purse", group, 7, "test", "crash", &r, e)));
}

static bool say(struct db_tx *tx, const char *job, const char *text, bool card, struct err *e)
{
    struct outbox_row row = {
        .addr = {.network = "test", .chat = "c"},
        .body = (char *)(uintptr_t)text,
        .sets_card = card
    };
    str_copy(row.job, sizeof(row.job), job);
    return outbox_add(tx, &row, e);
}

/* What arrives is stored first... */
static bool store_event(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct chat_addr addr = {.network = "test", .chat = "c"};
    const struct inbox_item item = {.event_id = "event 1", .addr = &addr, .body = "/make"};
    int64_t fresh;
    (void)ctx;
    return inbox_put(tx, "test", &item, 1, &fresh, e);
}

/* ...then one transaction deals with it: event, quote, hold, job, answer. */
static bool take_event(struct db_tx *tx, void *ctx, struct err *e)
{
    static const char *const networks[] = {"test", NULL};
    AUTO(inbox_row_free) struct inbox_row row = {0};
    struct account a;
    struct job spec = {
        .price = 2, .lang = "en", .addr = {.network = "test", .chat = "c"}
    };
    char id[UUID_TEXT], group[UUID_TEXT];
    enum job_start started;
    struct life *l = ctx;
    if (!inbox_claim(tx, networks, 0, &row, e))
        return false;
    if (!row.id)
        return true;
    if (!inbox_done(tx, row.id, e) || !account_find(tx, "test", "ann", false, 1, &a, e))
        return false;
    memcpy(spec.account, a.id, UUID_TEXT);
    return job_quote(tx, &spec, "event 1", id, e) &&
           (l->payer == PERSON ||
            (group_find(tx, "test", "c", false, group, e) && job_set_payer(tx, id, group, e))) &&
           job_start(tx, id, &started, e) && say(tx, id, "card", true, e);
}

static bool recover(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return job_expire_leases(tx, l->worker, e) && job_rescue(tx, NULL, NULL, NULL, e) &&
           outbox_expire(tx, "test", e);
}

static bool take_messages(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return outbox_claim(tx, "test", COUNT(l->rows), l->rows, &l->count, e);
}

static bool message_sent(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return outbox_sent(tx, &l->rows[0], "msg", e);
}

static bool send_all(struct db *db, struct life *l, struct err *e)
{
    for (;;) {
        if (!db_run(db, take_messages, l, e))
            return false;
        if (l->count == 0)
            return true;
        printf("said %s\n", l->rows[0].body);
        fflush(stdout);
        bool good = db_run(db, message_sent, l, e);
        outbox_row_free(&l->rows[0]);
        if (!good)
            return false;
    }
}

static bool take_job(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    job_free(&l->job);
    return job_claim(tx, l->worker, &l->job, e);
}

static bool hand_over(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    return job_delivering(tx, &l->job, l->worker, "/x.mp4", 1, 1, e);
}

static bool finish_job(struct db_tx *tx, void *ctx, struct err *e)
{
    struct life *l = ctx;
    if (l->payer == GROUP_FAILS)
        return job_fail(tx, &l->job, l->worker, false, "fail.worker_lost", NULL, e) &&
               say(tx, l->job.id, "ready", false, e);
    return job_done(tx, &l->job, l->worker, "msg", 2, "t", e) &&
           say(tx, l->job.id, "ready", false, e);
}

static int live(const char *url, enum payer payer)
{
    struct err e = {0};
    struct db *db = NULL;
    struct life l = {.payer = payer};
    snprintf(l.worker, sizeof(l.worker), "w%d", (int)getpid());
    bool good = db_open(url, 1, &db, &e) && db_run(db, fund, &l, &e) &&
                db_run(db, recover, &l, &e) && db_run(db, store_event, &l, &e) &&
                db_run(db, take_event, &l, &e) && send_all(db, &l, &e) &&
                db_run(db, take_job, &l, &e);
    if (good && *l.job.id)
        good = db_run(db, hand_over, &l, &e) && db_run(db, finish_job, &l, &e);
    good = good && send_all(db, &l, &e);
    if (!good)
        fprintf(stderr, "life: %s\n", e.detail);
    job_free(&l.job);
    db_close(db);
    return good ? 0 : 1;
}

/* --- the judge --- */

/* Runs this program as the one above; adds what it said to `said`. */
static int run_life(enum payer payer, const char *crash_at, struct strbuf *said)
{
    int ends[2], status;
    char text[256];
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        if (crash_at)
            setenv("NANOTIK_CRASH_AT", crash_at, 1);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        const char *who[] = {[PERSON] = "person", [GROUP] = "group", [GROUP_FAILS] = "group-fails"};
        execl("/proc/self/exe", "test_db_crash", "live", fixture_db_url(), who[payer], NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], text, sizeof(text))) > 0)
        strbuf_add(said, text, (size_t)n);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int times(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

static void expect(struct db *db, const char *crash_at, const char *sql, int64_t want)
{
    int64_t got = fixture_db_number(db, sql);
    if (got != want)
        fail_msg("killed at %s: %s is %d, not %d", crash_at, sql, (int)got, (int)want);
}

static void expect_books(struct db *db, enum payer payer, const char *at)
{
    bool fails = payer == GROUP_FAILS;
    expect(db, at, "select count(*) from jobs where state = 'done' and charged = 2", !fails);
    expect(db, at, "select count(*) from jobs where state = 'failed' and charged = 0", fails);
    expect(db, at, "select count(*) from jobs", 1);
    expect(
        db, at,
        "select avail from wallets join users on id = user_id where kind = 'person' and held = 0",
        payer == PERSON ? 1 + 5 - 2 : 1 + 5);
    if (payer != PERSON)
        expect(db, at,
               "select avail from wallets join users on id = user_id"
               " where kind = 'group' and held = 0",
               fails ? 7 : 7 - 2);
    expect(db, at, "select count(*) from transfers where verb = 'capture'", !fails);
    expect(db, at, "select count(*) from transfers where verb = 'release'", fails);
    expect(db, at, "select count(*) from admin_log", payer == PERSON ? 1 : 2);
}

static void judge(enum payer payer, const char *crash_at)
{
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    AUTO(strbuf_free) struct strbuf said = STRBUF(4096);
    int status = run_life(payer, crash_at, &said);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s was not reached (%d)", crash_at, status);
    fixture_db_check(db);
    for (int i = 0; i < 2; i++) /* started again, and once more for nothing */
        if ((status = run_life(payer, NULL, &said)) != 0)
            fail_msg("killed at %s: started again: %d", crash_at, status);
    expect_books(db, payer, crash_at);
    expect(db, crash_at, "select count(*) from outbox where state = 'sent'", 2);
    expect(db, crash_at, "select count(*) from outbox", 2);
    /* Said, but killed before that was noted: unknown, so said once more. */
    bool twice = strcmp(crash_at, "outbox.sent.precommit") == 0;
    assert_int_equal(times(strbuf_text(&said), "said card"), twice ? 2 : 1);
    assert_int_equal(times(strbuf_text(&said), "said ready"), 1);
}

static void test_every_commit(void **state)
{
    static const char *const names[] = {
        "grant",        "inbox",       "inbox.done", "job_quote",      "job_start",
        "outbox.claim", "outbox.sent", "job_claim",  "job_delivering", "job_done",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        for (int after = 0; after < 2; after++) {
            char name[64];
            snprintf(name, sizeof(name), "%s.%s", names[i], after ? "commit" : "precommit");
            judge(PERSON, name);
        }
    }
}

/* Two wallets in one transaction: the person's counts the job, the group's pays for it. */
static void test_every_commit_of_a_group(void **state)
{
    static const struct {
        enum payer payer;
        const char *name;
    } rows[] = {
        {GROUP,       "job_set_payer"},
        {GROUP,       "job_start"    },
        {GROUP,       "job_claim"    },
        {GROUP,       "job_done"     },
        {GROUP_FAILS, "job_end"      },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int after = 0; after < 2; after++) {
            char name[64];
            snprintf(name, sizeof(name), "%s.%s", rows[i].name, after ? "commit" : "precommit");
            judge(rows[i].payer, name);
        }
    }
}

int main(int argc, char **argv)
{
    static const unsigned char key[32] = "a fixed key of the tests only..";
    if (argc == 4 && strcmp(argv[1], "live") == 0) {
        hash_setup();
        account_set_key(key);
        return live(argv[2], strcmp(argv[3], "group") == 0         ? GROUP
                             : strcmp(argv[3], "group-fails") == 0 ? GROUP_FAILS
                                                                   : PERSON);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_commit),
        cmocka_unit_test(test_every_commit_of_a_group),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
