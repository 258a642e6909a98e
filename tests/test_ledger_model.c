/* The ledger against a model of a few lines, and under threads whose connections are killed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"
#include "tests/ledger_call.h"

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
    struct ledger_call c = {
        .verb = GRANT, .key = key, .account = w->users[user], .credits = 1 + k % 9};
    assert_int_equal(ledger_call_run(w->db, &c), w->m.granted[k] ? LEDGER_REPEATED : LEDGER_DONE);
    if (!w->m.granted[k])
        w->m.avail[user] += c.credits;
    w->m.granted[k] = true;
}

static void step_hold(struct world *w, int j)
{
    int user = w->m.jobs[j].user;
    int64_t price = w->m.jobs[j].price;
    struct ledger_call c = {
        .verb = HOLD, .job = w->jobs[j], .account = w->users[user], .credits = price};
    enum ledger_result want = w->m.jobs[j].state != FRESH ? LEDGER_REPEATED
                              : w->m.avail[user] < price  ? LEDGER_SHORT
                                                          : LEDGER_DONE;
    assert_int_equal(ledger_call_run(w->db, &c), want);
    if (want != LEDGER_DONE)
        return;
    w->m.avail[user] -= price;
    w->m.held[user] += price;
    w->m.jobs[j].state = OPEN;
}

static void step_resolve(struct world *w, int j, int64_t wanted)
{
    struct ledger_call c = {
        .verb = wanted ? CAPTURE : RELEASE, .job = w->jobs[j], .credits = wanted};
    int user = w->m.jobs[j].user;
    int64_t price = w->m.jobs[j].price, charged = MIN(wanted, price);
    if (w->m.jobs[j].state == CAPTURED || w->m.jobs[j].state == RELEASED) {
        bool same = (w->m.jobs[j].state == CAPTURED) == (charged > 0);
        if (same)
            assert_int_equal(ledger_call_run(w->db, &c), LEDGER_REPEATED);
        else
            assert_int_equal(ledger_call_refused(w->db, c), ERR_CONFLICT);
        return;
    }
    assert_int_equal(ledger_call_run(w->db, &c), LEDGER_DONE);
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
        ledger_expect(w->db, w->users[u], w->m.avail[u], w->m.held[u]);
}

/* The jobs of the model never ran, so their rows are made to agree before the invariants. */
static void settle_jobs(struct world *w)
{
    for (int j = 0; j < MODEL_JOBS; j++)
        if (w->m.jobs[j].state == OPEN)
            step_resolve(w, j, 0);
    for (int j = 0; j < MODEL_JOBS; j++)
        ledger_end_job(w->db, w->jobs[j], (int)w->m.jobs[j].charged);
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
            ledger_bare_job(db, w.users[w.m.jobs[j].user], w.m.jobs[j].price, w.jobs[j]);
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
static bool certain(struct hammer *h, struct ledger_call *c)
{
    for (int i = 0; i < 30; i++) {
        struct err e = {0};
        if (db_run(h->db, ledger_call_body, c, &e))
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
        struct ledger_call hold = {
            .verb = HOLD, .job = h->jobs[i], .account = account, .credits = 2};
        bool keep = rng_below(&rng, 2);
        struct ledger_call end = {
            .verb = keep ? CAPTURE : RELEASE, .job = h->jobs[i], .credits = 1};
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

static bool sql_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_exec(tx, ctx, NULL, 0, NULL, e);
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
        db_run(db, sql_body, sql, &e);
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
            ledger_bare_job(db, users[j % 3], 2, jobs[i][j]);
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
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_hammer_with_kills),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
