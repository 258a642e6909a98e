/* The job store under threads of users, workers and janitors, with dying workers and killed connections:
   the fence, the limits and the money hold. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/hash.h"
#include "core/base/rng.h"
#include "tests/fixture_db.h"
#include "tests/job_act.h"

enum { TALKERS = 3, WORKERS = 4, TALKS = 80 };

struct crowd {
    struct db *db;
    char (*users)[UUID_TEXT];
    int number;
    atomic_bool *stop;
    atomic_int *failures, *doubts;
};

/* Repeats what is in doubt; the store's keys and fences make that harmless. */
static enum err_code surely(struct crowd *c, struct job_act *s)
{
    for (int i = 0; i < 50; i++) {
        struct err e = {0};
        if (db_run(c->db, job_act_body, s, &e))
            return ERR_NONE;
        if (e.code != ERR_RETRY) {
            if (e.code == ERR_INTERNAL) {
                print_error("step %d: %s\n", (int)s->verb, e.detail);
                atomic_fetch_add(c->failures, 1);
            }
            return e.code;
        }
        atomic_fetch_add(c->doubts, 1);
    }
    atomic_fetch_add(c->failures, 1);
    return ERR_RETRY;
}

static void *talker_main(void *arg)
{
    struct crowd *c = arg;
    struct rng rng = rng_make((uint64_t)c->number + 1, 2);
    for (int i = 0; i < TALKS; i++) {
        char key[32];
        snprintf(key, sizeof(key), "%d/%d", c->number, i);
        struct job_act s = {.verb = QUOTE, .account = c->users[rng_below(&rng, 2)], .key = key};
        s.number = 1 + rng_below(&rng, 2);
        if (surely(c, &s) != ERR_NONE)
            continue;
        s.verb = START;
        surely(c, &s);
        if (rng_below(&rng, 6) == 0) {
            s.verb = CANCEL;
            surely(c, &s);
        }
        cancel_wait(NULL, 5);
    }
    return NULL;
}

static void *worker_main(void *arg)
{
    struct crowd *c = arg;
    struct rng rng = rng_make((uint64_t)c->number + 1, 3);
    char name[16];
    snprintf(name, sizeof(name), "w%d", c->number);
    struct job_act s = {.worker = name};
    while (!atomic_load(c->stop)) {
        s.verb = CLAIM;
        if (surely(c, &s) != ERR_NONE || !*s.job.id) {
            cancel_wait(NULL, 5);
            continue;
        }
        int fate = rng_below(&rng, 10);
        if (fate == 0)
            continue; /* it dies: says nothing more */
        if (fate == 1)
            cancel_wait(NULL, 60); /* it sleeps too long, and then goes on */
        s.verb = s.job.cancel_asked || fate == 2 ? FAIL : fate == 3 ? RETRY : DELIVERING;
        if (surely(c, &s) != ERR_NONE || s.verb != DELIVERING)
            continue;
        s.verb = DONE;
        s.number = 1;
        surely(c, &s);
    }
    job_free(&s.job);
    return NULL;
}

static bool sql_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_exec(tx, ctx, NULL, 0, NULL, e);
}

/* Leases here are 30 ms, so that sleepers lose theirs; retries are due at once. */
static void *janitor_main(void *arg)
{
    static char shorten[] =
        "update jobs set lease_until = clock_timestamp() - interval '1 ms' where id in (select id"
        " from jobs where state in ('running', 'delivering') and lease_until < clock_timestamp()"
        " + interval '59.97 s' for update skip locked)";
    static char due[] = "update jobs set run_at = now() where id in (select id from jobs where"
                        " state = 'ready' and run_at > now() for update skip locked)";
    struct crowd *c = arg;
    while (!atomic_load(c->stop)) {
        struct err e = {0};
        struct job_act s = {.verb = RESCUE};
        db_run(c->db, sql_body, shorten, &e);
        surely(c, &s);
        db_run(c->db, sql_body, due, &e);
        cancel_wait(NULL, 10);
    }
    return NULL;
}

static void *killer_main(void *arg)
{
    static char sql[] =
        "select pg_terminate_backend(pid) from (select pid from pg_stat_activity where datname ="
        " current_database() and pid <> pg_backend_pid() order by random() limit 1) one";
    struct crowd *c = arg;
    struct db *db = NULL;
    struct err e = {0};
    if (!db_open(fixture_db_url(), 1, &db, &e))
        return NULL;
    while (!atomic_load(c->stop)) {
        db_run(db, sql_body, sql, &e);
        cancel_wait(NULL, 10);
    }
    db_close(db);
    return NULL;
}

/* The killer meets this connection too: an answer that did not come is asked for again. */
static bool live_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return job_count_live(tx, NULL, ctx, e);
}

static void test_everybody_at_once(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(6);
    char users[2][UUID_TEXT];
    atomic_bool stop = false;
    atomic_int failures = 0, doubts = 0;
    struct crowd c[TALKERS + WORKERS + 2];
    pthread_t t[COUNT(c)], killer;
    fixture_db_sql(db, "create table effects(job uuid)");
    fixture_db_account(db, "ann", 60, users[0]);
    fixture_db_account(db, "bob", 60, users[1]);
    for (size_t i = 0; i < COUNT(c); i++) {
        c[i] = (struct crowd){.db = db,
                              .users = users,
                              .number = (int)i,
                              .stop = &stop,
                              .failures = &failures,
                              .doubts = &doubts};
        pthread_create(&t[i], NULL,
                       i < TALKERS             ? talker_main
                       : i < TALKERS + WORKERS ? worker_main
                                               : janitor_main,
                       &c[i]);
    }
    pthread_create(&killer, NULL, killer_main, &c[0]);
    for (int i = 0; i < TALKERS; i++)
        pthread_join(t[i], NULL);
    /* Everything comes to an end although workers died: nothing is stuck. */
    int64_t live = 1;
    for (int i = 0; i < 600 && live; i++) {
        cancel_wait(NULL, 25);
        struct err e = {0};
        if (!db_run(db, live_body, &live, &e))
            live = 1;
    }
    atomic_store(&stop, true);
    for (size_t i = TALKERS; i < COUNT(c); i++)
        pthread_join(t[i], NULL);
    pthread_join(killer, NULL);
    assert_int_equal(live, 0);
    assert_int_equal(failures, 0);
    int64_t done = fixture_db_number(db, "select count(*) from jobs where state = 'done'");
    print_message("%d done, %d in doubt\n", (int)done, (int)doubts);
    assert_true(done > 0);
    assert_int_equal(fixture_db_number(db, "select count(*) from effects"), done);
    assert_int_equal(fixture_db_number(db, "select count(distinct job) from effects"), done);
    assert_int_equal(fixture_db_number(db, "select sum(avail) from wallets"), 120 - done);
    assert_int_equal(fixture_db_number(db, "select sum(held) + sum(active) from wallets"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_at_once),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
