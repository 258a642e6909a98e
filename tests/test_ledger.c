#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

/* One ledger call as a transaction of its own. */
struct call {
    enum { GRANT, HOLD, CAPTURE, RELEASE, BALANCE, HISTORY } verb;
    const char *key, *account, *job;
    int64_t credits;
    enum ledger_result result;
    struct balance balance;
    struct ledger_line lines[20];
    size_t line_count;
};

static bool call_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    switch (c->verb) {
    case GRANT:
        return ledger_grant(tx, c->key, c->account, c->credits, "test", "because", &c->result, e);
    case HOLD:
        return ledger_hold(tx, c->job, c->account, c->credits, &c->result, e);
    case CAPTURE:
        return ledger_capture(tx, c->job, c->credits, &c->result, e);
    case RELEASE:
        return ledger_release(tx, c->job, &c->result, e);
    case BALANCE:
        return ledger_balance(tx, c->account, &c->balance, e);
    case HISTORY:
        return ledger_history(tx, c->account, c->lines, COUNT(c->lines), &c->line_count, e);
    }
    return false;
}

static enum ledger_result run_call(struct db *db, struct call *c)
{
    struct err e = {0};
    if (!db_run(db, call_body, c, &e))
        fail_msg("ledger: %s", e.detail);
    return c->result;
}

static enum err_code refused(struct db *db, struct call c)
{
    struct err e = {0};
    return db_run(db, call_body, &c, &e) ? ERR_NONE : e.code;
}

static void expect_balance(struct db *db, const char *account, int64_t available, int64_t held)
{
    struct call c = {.verb = BALANCE, .account = account};
    run_call(db, &c);
    assert_int_equal(c.balance.available, available);
    assert_int_equal(c.balance.held, held);
}

/* A job that is in work, without the job store: these tests are about the ledger only. */
static void bare_job(struct db *db, const char *account, int64_t price, char ret_id[UUID_TEXT])
{
    uuid_make(ret_id);
    AUTO(free_ptr)
    char *sql = str_printf("insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms,"
                           " topic, story, lang, network, addr, fair_at, started_at) values ('%s',"
                           " '%s', sha256('%s'), 'ready', %d, 1, '', '', 'en', 'test', '', now(),"
                           " now())",
                           ret_id, account, ret_id, (int)price);
    fixture_db_sql(db, sql);
}

static void end_job(struct db *db, const char *job, int charged)
{
    AUTO(free_ptr)
    char *sql = str_printf("with d as (insert into deliveries(job_id, state, attempt, path,"
                           " duration_ms, bytes) select '%s', 'delivered', 1, '', 1, 1"
                           " where %d > 0 returning 1) update jobs set charged = %d, state ="
                           " case when %d > 0 then 'done' else 'failed' end, ended_at = now()"
                           " where id = '%s'",
                           job, charged, charged, charged, job);
    fixture_db_sql(db, sql);
}

static void test_grant(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char a[UUID_TEXT], b[UUID_TEXT];
    fixture_db_account(db, "ann", 0, a);
    fixture_db_account(db, "bob", 0, b);
    struct call c = {.verb = GRANT, .key = "ticket 1", .account = a, .credits = 10};
    assert_int_equal(run_call(db, &c), LEDGER_DONE);
    assert_int_equal(run_call(db, &c), LEDGER_REPEATED);
    expect_balance(db, a, 10, 0);
    assert_int_equal(fixture_db_number(db, "select count(*) from admin_log"), 1);

    static const struct {
        const char *key;
        int64_t credits;
        enum err_code code;
        const char *why;
    } rows[] = {
        {"ticket 1", 11,      ERR_CONFLICT, "the key stands for another amount"},
        {"ticket 2", 0,       ERR_INPUT,    "nothing"                          },
        {"ticket 2", -5,      ERR_INPUT,    "taking is not giving"             },
        {"ticket 2", 1000001, ERR_INPUT,    "above the bound"                  },
        {"",         5,       ERR_INPUT,    "no key"                           },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (refused(db, (struct call){.verb = GRANT,
                                      .key = rows[i].key,
                                      .account = a,
                                      .credits = rows[i].credits}) != rows[i].code)
            fail_msg("%s", rows[i].why);
    c.account = b;
    assert_int_equal(refused(db, c), ERR_CONFLICT); /* another person */
    c.account = "00000000-0000-7000-8000-000000000000";
    c.key = "ticket 3";
    assert_int_equal(refused(db, c), ERR_NOT_FOUND);
    c.account = "ann";
    assert_int_equal(refused(db, c), ERR_NOT_FOUND);
    expect_balance(db, a, 10, 0);
    expect_balance(db, b, 0, 0);
}

static void test_two_phases(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char a[UUID_TEXT], job[UUID_TEXT], other[UUID_TEXT], third[UUID_TEXT];
    fixture_db_account(db, "ann", 10, a);
    bare_job(db, a, 6, job);
    struct call hold = {.verb = HOLD, .job = job, .account = a, .credits = 6};
    assert_int_equal(run_call(db, &hold), LEDGER_DONE);
    assert_int_equal(run_call(db, &hold), LEDGER_REPEATED);
    expect_balance(db, a, 4, 6);

    bare_job(db, a, 5, other);
    struct call too_much = {.verb = HOLD, .job = other, .account = a, .credits = 5};
    assert_int_equal(run_call(db, &too_much), LEDGER_SHORT); /* held credits are not there twice */
    expect_balance(db, a, 4, 6);
    end_job(db, other, 0);

    /* Charged for what was really made; the rest comes back in the same movement. */
    struct call capture = {.verb = CAPTURE, .job = job, .credits = 4};
    assert_int_equal(run_call(db, &capture), LEDGER_DONE);
    assert_int_equal(run_call(db, &capture), LEDGER_REPEATED);
    assert_int_equal(refused(db, (struct call){.verb = RELEASE, .job = job}), ERR_CONFLICT);
    expect_balance(db, a, 6, 0);
    end_job(db, job, 4);

    bare_job(db, a, 6, third);
    struct call again = {.verb = HOLD, .job = third, .account = a, .credits = 6};
    assert_int_equal(run_call(db, &again), LEDGER_DONE);
    struct call release = {.verb = RELEASE, .job = third};
    assert_int_equal(run_call(db, &release), LEDGER_DONE);
    assert_int_equal(run_call(db, &release), LEDGER_REPEATED);
    assert_int_equal(refused(db, (struct call){.verb = CAPTURE, .job = third, .credits = 6}),
                     ERR_CONFLICT);
    expect_balance(db, a, 6, 0);
    end_job(db, third, 0);
    fixture_db_sql(db, "update wallets set active = 0");

    struct call h = {.verb = HISTORY, .account = a};
    run_call(db, &h);
    static const struct {
        const char *verb;
        int64_t credits;
    } lines[] = {
        {"release", 0 },
        {"hold",    0 },
        {"capture", -4},
        {"hold",    0 },
        {"grant",   10},
    };
    assert_int_equal(h.line_count, COUNT(lines));
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_string_equal(h.lines[i].verb, lines[i].verb);
        assert_int_equal(h.lines[i].credits, lines[i].credits);
    }
    assert_string_equal(h.lines[2].job, job);
    assert_int_equal(strlen(h.lines[0].at), strlen("2026-11-22T14:57:58Z"));
}

static void test_capture_bounds(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char a[UUID_TEXT];
    fixture_db_account(db, "ann", 30, a);
    static const struct {
        int64_t held, wanted, charged;
        const char *why;
    } rows[] = {
        {5, 5,   5, "all of it"                                },
        {5, 900, 5, "never more than was held"                 },
        {5, 1,   1, "a part"                                   },
        {5, 0,   0, "nothing was made: all comes back"         },
        {5, -3,  0, "a negative charge would be a gift of ours"},
    };
    int64_t left = 30;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char job[UUID_TEXT];
        bare_job(db, a, rows[i].held, job);
        struct call hold = {.verb = HOLD, .job = job, .account = a, .credits = rows[i].held};
        struct call capture = {.verb = CAPTURE, .job = job, .credits = rows[i].wanted};
        assert_int_equal(run_call(db, &hold), LEDGER_DONE);
        assert_int_equal(run_call(db, &capture), LEDGER_DONE);
        end_job(db, job, (int)rows[i].charged);
        left -= rows[i].charged;
        struct call c = {.verb = BALANCE, .account = a};
        run_call(db, &c);
        if (c.balance.available != left || c.balance.held != 0)
            fail_msg("%s", rows[i].why);
    }
    struct call nothing = {.verb = CAPTURE, .job = "00000000-0000-7000-8000-000000000000"};
    assert_int_equal(run_call(db, &nothing), LEDGER_DONE); /* a free job has no hold */
}

/* --- the books cannot be rewritten, and a false book is found --- */

static bool sql_fails(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_exec(tx, ctx, NULL, 0, NULL, e);
}

static void test_append_only(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char a[UUID_TEXT];
    fixture_db_account(db, "ann", 3, a);
    static char *const tries[] = {
        "update entries set amount = amount * 2",
        "delete from entries",
        "truncate entries",
        "update transfers set amount = 100",
        "delete from transfers",
        "truncate transfers cascade",
        "delete from admin_log",
        "update wallets set avail = -1",
        "update wallets set held = -1",
    };
    for (size_t i = 0; i < COUNT(tries); i++) {
        struct err e = {0};
        if (db_run(db, sql_fails, tries[i], &e))
            fail_msg("%s was allowed", tries[i]);
    }
    expect_balance(db, a, 3, 0);
}

static bool count_faults(struct db_tx *tx, void *ctx, struct err *e)
{
    return ledger_check(tx, NULL, NULL, ctx, e);
}

static const struct {
    const char *damage, *repair, *why;
} damages[] = {
    {"update wallets set avail = avail + 1",                                                        "update wallets set avail = avail - 1",
     "3: a balance without entries"                                                                                                                                                                           },
    {"insert into entries(key, account, amount) values ('grant:ann', 'promo', 1)",
     "alter table entries disable trigger all; delete from entries where amount = 1;"
     " alter table entries enable trigger all",                                                                                                        "1, 2: a transfer that does not add up"                },
    {"insert into transfers(key, verb, user_id, amount) select 'x', 'grant', id, 1 from users",
     "alter table transfers disable trigger all; delete from transfers where key = 'x';"
     " alter table transfers enable trigger all",                                                                                                      "1: a transfer without entries"                        },
    {"update wallets set active = 1",                                                               "update wallets set active = 0",
     "10: a place in use that nobody uses"                                                                                                                                                                    },
    {"insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic, story, lang,"
     " network, addr, fair_at, started_at) select '00000000-0000-7000-8000-000000000002', id,"
     " sha256('j'), 'waiting', 2, 1, '', '', 'en', 'test', '', now(), now() from users",       "delete from jobs",                                "5, 10: a live job without a hold, waiting for nothing"},
    {"insert into jobs(id, user_id, dedupe_key, state, price, charged, estimate_ms, topic, story,"
     " lang, network, addr, fair_at, started_at, ended_at) select"
     " '00000000-0000-7000-8000-000000000003', id, sha256('j'), 'done', 2, 2, 1, '', '', 'en',"
     " 'test', '', now(), now(), now() from users",                                            "delete from jobs",                                "6: done without delivery and capture"                 },
    {"insert into outbox(network, lane, addr, body, state, not_before, created_at) values ('test',"
     " sha256('l'), '', '', 'pending', now() - interval '1 hour', now() - interval '1 hour')", "delete from outbox",                              "12: a message that nobody sends"                      },
    {"insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic, story, lang,"
     " network, addr, fair_at, started_at, worker, lease_until) select"
     " '00000000-0000-7000-8000-000000000004', id, sha256('j'), 'running', 0, 1, '', '', 'en',"
     " 'test', '', now(), now(), 'w', now() - interval '4 min' from users;"
     " update wallets set active = 1",                                                         "delete from jobs; update wallets set active = 0", "11: a lease that nobody ended"                        },
};

static bool run_script(struct db_tx *tx, void *ctx, struct err *e)
{
    AUTO(free_ptr) char *all = str_dup(ctx);
    char *rest = all;
    for (char *one; (one = strsep(&rest, ";"));)
        if (!db_exec(tx, one, NULL, 0, NULL, e))
            return false;
    return true;
}

static void test_check_finds_damage(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char a[UUID_TEXT];
    struct err e = {0};
    fixture_db_account(db, "ann", 3, a);
    for (size_t i = 0; i < COUNT(damages); i++) {
        size_t faults = 0;
        if (!db_run(db, run_script, (void *)(uintptr_t)damages[i].damage, &e) ||
            !db_run(db, count_faults, &faults, &e))
            fail_msg("%s: %s", damages[i].why, e.detail);
        if (faults == 0)
            fail_msg("not found: %s", damages[i].why);
        if (!db_run(db, run_script, (void *)(uintptr_t)damages[i].repair, &e) ||
            !db_run(db, count_faults, &faults, &e) || faults != 0)
            fail_msg("repair of: %s: %s", damages[i].why, e.detail);
    }
}

/* --- random operations against a model of a few lines --- */

enum { MODEL_USERS = 4, MODEL_JOBS = 60, MODEL_STEPS = 1500 };

struct model {
    int64_t avail[MODEL_USERS], held[MODEL_USERS];
    struct {
        enum { FRESH, OPEN, CAPTURED, RELEASED } state;
        int user;
        int64_t price, charged;
    } jobs[MODEL_JOBS];
    bool granted[200];
};

struct world {
    struct db *db;
    struct rng rng;
    struct model m;
    char users[MODEL_USERS][UUID_TEXT], jobs[MODEL_JOBS][UUID_TEXT];
};

static void step_grant(struct world *w)
{
    char key[16];
    int k = rng_below(&w->rng, 200);
    snprintf(key, sizeof(key), "k%d", k);
    int user = k % MODEL_USERS;
    struct call c = {.verb = GRANT, .key = key, .account = w->users[user], .credits = 1 + k % 9};
    assert_int_equal(run_call(w->db, &c), w->m.granted[k] ? LEDGER_REPEATED : LEDGER_DONE);
    if (!w->m.granted[k])
        w->m.avail[user] += c.credits;
    w->m.granted[k] = true;
}

static void step_hold(struct world *w, int j)
{
    int user = w->m.jobs[j].user;
    int64_t price = w->m.jobs[j].price;
    struct call c = {.verb = HOLD, .job = w->jobs[j], .account = w->users[user], .credits = price};
    enum ledger_result want = w->m.jobs[j].state != FRESH ? LEDGER_REPEATED
                              : w->m.avail[user] < price  ? LEDGER_SHORT
                                                          : LEDGER_DONE;
    assert_int_equal(run_call(w->db, &c), want);
    if (want != LEDGER_DONE)
        return;
    w->m.avail[user] -= price;
    w->m.held[user] += price;
    w->m.jobs[j].state = OPEN;
}

static void step_resolve(struct world *w, int j, int64_t wanted)
{
    struct call c = {.verb = wanted ? CAPTURE : RELEASE, .job = w->jobs[j], .credits = wanted};
    int user = w->m.jobs[j].user;
    int64_t price = w->m.jobs[j].price, charged = MIN(wanted, price);
    if (w->m.jobs[j].state == CAPTURED || w->m.jobs[j].state == RELEASED) {
        bool same = (w->m.jobs[j].state == CAPTURED) == (charged > 0);
        if (same)
            assert_int_equal(run_call(w->db, &c), LEDGER_REPEATED);
        else
            assert_int_equal(refused(w->db, c), ERR_CONFLICT);
        return;
    }
    assert_int_equal(run_call(w->db, &c), LEDGER_DONE);
    if (w->m.jobs[j].state == FRESH)
        return; /* nothing was held */
    w->m.held[user] -= price;
    w->m.avail[user] += price - charged;
    w->m.jobs[j].state = charged ? CAPTURED : RELEASED;
    w->m.jobs[j].charged = charged;
}

static void compare(struct world *w)
{
    for (int u = 0; u < MODEL_USERS; u++)
        expect_balance(w->db, w->users[u], w->m.avail[u], w->m.held[u]);
}

/* The jobs of the model never ran, so their rows are made to agree before the invariants. */
static void settle_jobs(struct world *w)
{
    for (int j = 0; j < MODEL_JOBS; j++)
        if (w->m.jobs[j].state == OPEN)
            step_resolve(w, j, 0);
    for (int j = 0; j < MODEL_JOBS; j++)
        end_job(w->db, w->jobs[j], (int)w->m.jobs[j].charged);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
        struct world w = {.db = db, .rng = rng_make(seed, 0)};
        print_message("seed %d\n", (int)seed);
        for (int u = 0; u < MODEL_USERS; u++) {
            char name[8];
            snprintf(name, sizeof(name), "u%d", u);
            fixture_db_account(db, name, 0, w.users[u]);
        }
        for (int j = 0; j < MODEL_JOBS; j++) {
            w.m.jobs[j].user = rng_below(&w.rng, MODEL_USERS);
            w.m.jobs[j].price = 1 + rng_below(&w.rng, 12);
            bare_job(db, w.users[w.m.jobs[j].user], w.m.jobs[j].price, w.jobs[j]);
        }
        for (int i = 0; i < MODEL_STEPS; i++) {
            int j = rng_below(&w.rng, MODEL_JOBS);
            switch (rng_below(&w.rng, 5)) {
            case 0:
                step_grant(&w);
                break;
            case 1:
            case 2:
                step_hold(&w, j);
                break;
            case 3:
                step_resolve(&w, j, 1 + rng_below(&w.rng, 14));
                break;
            default:
                step_resolve(&w, j, 0);
            }
            if (i % 50 == 0)
                compare(&w);
        }
        settle_jobs(&w);
        compare(&w);
    }
}

/* --- threads on the same wallets, while connections are killed; every call is repeated with its
   key until it is certain --- */

enum { HAMMERS = 4, HAMMER_JOBS = 30 };

struct hammer {
    struct db *db;
    uint64_t seed;
    char (*users)[UUID_TEXT];
    char (*jobs)[UUID_TEXT];
    int in_doubt, captured, short_of;
    struct err failed;
};

/* What a caller does with "unknown": the same again. */
static bool certain(struct hammer *h, struct call *c)
{
    for (int i = 0; i < 30; i++) {
        struct err e = {0};
        if (db_run(h->db, call_body, c, &e))
            return true;
        if (e.code != ERR_RETRY) {
            h->failed = e;
            return false;
        }
        h->in_doubt++;
    }
    err_set(&h->failed, ERR_RETRY, "error.database", "30 times");
    return false;
}

static void *hammer_main(void *arg)
{
    struct hammer *h = arg;
    struct rng rng = rng_make(h->seed, 7);
    for (int i = 0; i < HAMMER_JOBS; i++) {
        const char *account = h->users[i % 3];
        struct call hold = {.verb = HOLD, .job = h->jobs[i], .account = account, .credits = 2};
        bool keep = rng_below(&rng, 2);
        struct call end = {.verb = keep ? CAPTURE : RELEASE, .job = h->jobs[i], .credits = 1};
        if (!certain(h, &hold))
            return NULL;
        if (hold.result == LEDGER_SHORT) {
            h->short_of++;
            continue;
        }
        if (!certain(h, &end))
            return NULL;
        h->captured += keep;
    }
    return NULL;
}

static void *killer_main(void *arg)
{
    struct db *db = NULL;
    struct err e = {0};
    atomic_bool *stop = arg;
    if (!db_open(fixture_db_url(), 1, &db, &e))
        return NULL;
    static char sql[] =
        "select pg_terminate_backend(pid) from (select pid from pg_stat_activity where datname ="
        " current_database() and pid <> pg_backend_pid() order by random() limit 1) one";
    while (!atomic_load(stop)) {
        db_run(db, sql_fails, sql, &e);
        struct timespec ts = {.tv_nsec = 12000000};
        nanosleep(&ts, NULL);
    }
    db_close(db);
    return NULL;
}

static void test_hammer_with_kills(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(HAMMERS);
    char users[3][UUID_TEXT], jobs[HAMMERS][HAMMER_JOBS][UUID_TEXT];
    for (int u = 0; u < 3; u++) {
        char name[8];
        snprintf(name, sizeof(name), "u%d", u);
        fixture_db_account(db, name, 20, users[u]);
    }
    struct hammer h[HAMMERS];
    pthread_t t[HAMMERS], killer;
    for (int i = 0; i < HAMMERS; i++)
        for (int j = 0; j < HAMMER_JOBS; j++)
            bare_job(db, users[j % 3], 2, jobs[i][j]);
    atomic_bool stop = false;
    pthread_create(&killer, NULL, killer_main, &stop);
    for (int i = 0; i < HAMMERS; i++) {
        h[i] = (struct hammer){.db = db, .seed = (uint64_t)i + 1, .users = users, .jobs = jobs[i]};
        pthread_create(&t[i], NULL, hammer_main, &h[i]);
    }
    int64_t captured = 0;
    int short_of = 0, in_doubt = 0;
    for (int i = 0; i < HAMMERS; i++) {
        pthread_join(t[i], NULL);
        captured += h[i].captured;
        short_of += h[i].short_of;
        in_doubt += h[i].in_doubt;
    }
    atomic_store(&stop, true);
    pthread_join(killer, NULL);
    for (int i = 0; i < HAMMERS; i++)
        if (h[i].failed.code != ERR_NONE)
            fail_msg("thread %d: %s", i, h[i].failed.detail);
    print_message("%d captured, %d short, %d in doubt\n", (int)captured, short_of, in_doubt);
    assert_int_equal(fixture_db_number(db, "select sum(avail) from wallets"), 60 - captured);
    assert_int_equal(fixture_db_number(db, "select sum(held) from wallets"), 0);
    assert_int_equal(fixture_db_number(db, "select sum(captured) from holds"), captured);
    assert_int_equal(fixture_db_number(db, "select count(*) from holds where state = 'open'"), 0);
    /* The jobs' rows follow their holds, for the invariants. */
    fixture_db_sql(db, "insert into deliveries(job_id, state, attempt, path, duration_ms, bytes)"
                       " select job_id, 'delivered', 1, '', 1, 1 from holds where captured > 0");
    fixture_db_sql(db, "update jobs set ended_at = now(), charged = coalesce((select captured from"
                       " holds where job_id = id), 0), state = case when exists (select from holds"
                       " where job_id = id and captured > 0) then 'done' else 'failed' end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grant),
        cmocka_unit_test(test_two_phases),
        cmocka_unit_test(test_capture_bounds),
        cmocka_unit_test(test_append_only),
        cmocka_unit_test(test_check_finds_damage),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_hammer_with_kills),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
