/*
 * The job store as a whole: random steps against a small model, then threads of users, workers and
 * janitors with dying workers and killed connections. The fence, the limits and the money must hold
 * after every case.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

enum verb {
    QUOTE,
    START,
    CANCEL,
    CLAIM,
    BEAT,
    DELIVERING,
    DONE,
    FAIL,
    RETRY,
    KEEP,
    RESCUE,
    BALANCE
};

struct step {
    enum verb verb;
    const char *account, *worker, *key;
    char id[UUID_TEXT];
    struct job job;
    int64_t number;
    enum job_start started;
    enum job_state state;
    bool answer;
    int rescued;
};

static bool quote(struct db_tx *tx, struct step *s, struct err *e)
{
    struct job spec = {.price = s->number, .lang = "en"};
    str_copy(spec.account, sizeof(spec.account), s->account);
    str_copy(spec.addr.network, sizeof(spec.addr.network), "test");
    return job_quote(tx, &spec, s->key, s->id, e);
}

/* What the outside would see of a delivery: nothing here forbids a second one. */
static bool done_with_effect(struct db_tx *tx, struct step *s, struct err *e)
{
    const char *params[] = {s->job.id};
    return db_exec(tx, "insert into effects values ($1)", params, 1, NULL, e) &&
           job_done(tx, &s->job, s->worker, "m", s->number, "t", e);
}

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct balance b;
    bool asked;
    switch (s->verb) {
    case QUOTE:
        return quote(tx, s, e);
    case START:
        return job_start(tx, s->id, &s->started, e);
    case CANCEL:
        return job_cancel(tx, s->id, &s->state, e);
    case CLAIM:
        job_free(&s->job);
        return job_claim(tx, s->worker, &s->job, e);
    case BEAT:
        return job_heartbeat(tx, &s->job, s->worker, "write", 1, &asked, e);
    case DELIVERING:
        return job_delivering(tx, &s->job, s->worker, "/x", 1, 1, e);
    case DONE:
        return done_with_effect(tx, s, e);
    case FAIL:
        return job_fail(tx, &s->job, s->worker, s->job.cancel_asked, "fail.x", "", e);
    case RETRY:
    case KEEP:
        return job_retry(tx, &s->job, s->worker, s->verb == KEEP, 0, "fail.x", "", &s->answer, e);
    case RESCUE:
        return job_rescue(tx, NULL, NULL, &s->rescued, e);
    case BALANCE:
        if (!ledger_balance(tx, s->account, &b, e))
            return false;
        s->number = b.available;
        return true;
    }
    return false;
}

static enum err_code run(struct db *db, struct step *s)
{
    struct err e = {0};
    if (db_run(db, step_body, s, &e))
        return ERR_NONE;
    if (e.code == ERR_INTERNAL)
        fail_msg("step %d: %s", (int)s->verb, e.detail);
    return e.code;
}

/* --- the model --- */

enum { USERS = 3, JOBS_MAX = 400, CREDITS = 120, STEPS = 1200 };

struct model_job {
    char id[UUID_TEXT];
    int user, attempt, tries;
    int64_t price, charged;
    enum job_state state;
    int64_t order; /* of starting: who moves up first */
};

struct world {
    struct db *db;
    struct rng rng;
    char users[USERS][UUID_TEXT];
    int64_t available[USERS];
    struct model_job jobs[JOBS_MAX];
    size_t count;
    int64_t clock;
    struct step held[6]; /* claims as workers remember them, stale ones too */
    size_t held_count;
};

static int active(const struct world *w, int user)
{
    int n = 0;
    for (size_t i = 0; i < w->count; i++)
        n += w->jobs[i].user == user &&
             (w->jobs[i].state == JOB_READY || w->jobs[i].state == JOB_RUNNING ||
              w->jobs[i].state == JOB_DELIVERING);
    return n;
}

static int waiting(const struct world *w, int user)
{
    int n = 0;
    for (size_t i = 0; i < w->count; i++)
        n += w->jobs[i].user == user && w->jobs[i].state == JOB_WAITING;
    return n;
}

static struct model_job *by_id(struct world *w, const char *id)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->jobs[i].id, id) == 0)
            return &w->jobs[i];
    fail_msg("unknown job");
    return NULL;
}

static void promote(struct world *w, int user)
{
    struct model_job *next = NULL;
    for (size_t i = 0; i < w->count; i++) {
        struct model_job *j = &w->jobs[i];
        if (j->user == user && j->state == JOB_WAITING && (!next || j->order < next->order))
            next = j;
    }
    if (next && active(w, user) < JOB_RUNNING_MAX)
        next->state = JOB_READY;
}

static void finish(struct world *w, struct model_job *j, enum job_state to, int64_t charged)
{
    j->state = to;
    j->charged = charged;
    w->available[j->user] += j->price - charged;
    promote(w, j->user);
}

static void step_start(struct world *w)
{
    if (w->count == JOBS_MAX)
        return;
    struct model_job *j = &w->jobs[w->count];
    char key[24];
    int user = rng_below(&w->rng, USERS);
    snprintf(key, sizeof(key), "event %zu", w->count);
    struct step s = {.verb = QUOTE, .account = w->users[user], .key = key};
    s.number = rng_below(&w->rng, 4);
    *j = (struct model_job){.user = user, .price = s.number, .order = ++w->clock};
    assert_int_equal(run(w->db, &s), ERR_NONE);
    memcpy(j->id, s.id, UUID_TEXT);
    s.verb = START;
    assert_int_equal(run(w->db, &s), ERR_NONE);
    bool full = active(w, user) >= JOB_RUNNING_MAX && waiting(w, user) >= JOB_WAITING_MAX;
    bool poor = w->available[user] < j->price;
    assert_int_equal(s.started, full ? JOB_QUEUE_FULL : poor ? JOB_NO_CREDITS : JOB_STARTED);
    if (s.started == JOB_STARTED) {
        j->state = active(w, user) < JOB_RUNNING_MAX ? JOB_READY : JOB_WAITING;
        w->available[user] -= j->price;
        assert_int_equal(run(w->db, &s), ERR_NONE);
        assert_int_equal(s.started, JOB_STARTED_BEFORE);
    } else {
        s.verb = CANCEL;
        assert_int_equal(run(w->db, &s), ERR_NONE);
        j->state = JOB_CANCELLED;
    }
    w->count++;
}

static void step_cancel(struct world *w)
{
    if (w->count == 0)
        return;
    struct model_job *j = &w->jobs[rng_below(&w->rng, (int)w->count)];
    if (j->state == JOB_RUNNING)
        return; /* a wish; the worker's side is in test_job_store */
    struct step s = {.verb = CANCEL};
    memcpy(s.id, j->id, UUID_TEXT);
    bool open = j->state == JOB_READY || j->state == JOB_WAITING;
    assert_int_equal(run(w->db, &s), open ? ERR_NONE : ERR_CONFLICT);
    if (open)
        finish(w, j, JOB_CANCELLED, 0);
}

static void step_claim(struct world *w)
{
    struct step *s = &w->held[w->held_count % COUNT(w->held)];
    int ready = 0;
    for (size_t i = 0; i < w->count; i++)
        ready += w->jobs[i].state == JOB_READY;
    job_free(&s->job);
    *s = (struct step){.verb = CLAIM, .worker = "w"};
    assert_int_equal(run(w->db, s), ERR_NONE);
    assert_int_equal(*s->job.id != '\0', ready > 0);
    if (!ready)
        return;
    struct model_job *j = by_id(w, s->job.id);
    assert_int_equal(j->state, JOB_READY);
    j->state = JOB_RUNNING;
    j->attempt++;
    j->tries++;
    assert_int_equal(s->job.attempt, j->attempt);
    w->held_count++;
}

/* What a worker's write does when its claim still holds. */
static void apply(struct world *w, struct step *s, struct model_job *j)
{
    switch (s->verb) {
    case DELIVERING:
        j->state = JOB_DELIVERING;
        break;
    case DONE:
        finish(w, j, JOB_DONE, MIN(s->number, j->price));
        break;
    case FAIL:
        finish(w, j, JOB_FAILED, 0);
        break;
    case RETRY:
        assert_int_equal(s->answer, j->tries >= JOB_ATTEMPTS_MAX);
        if (s->answer)
            finish(w, j, JOB_FAILED, 0);
        else
            j->state = JOB_READY;
        break;
    case KEEP:
        assert_false(s->answer);
        j->state = JOB_READY;
        j->tries--;
        break;
    default:
        break;
    }
}

static void step_work(struct world *w)
{
    static const enum verb verbs[] = {BEAT, DELIVERING, DONE, DONE, FAIL, RETRY, KEEP};
    if (w->held_count == 0)
        return;
    struct step *s = &w->held[rng_below(&w->rng, (int)MIN(w->held_count, COUNT(w->held)))];
    if (!*s->job.id)
        return;
    struct model_job *j = by_id(w, s->job.id);
    bool ours =
        (j->state == JOB_RUNNING || j->state == JOB_DELIVERING) && j->attempt == s->job.attempt;
    s->verb = verbs[rng_below(&w->rng, COUNT(verbs))];
    s->number = rng_below(&w->rng, 5);
    if (s->verb == DONE && j->state == JOB_RUNNING)
        s->verb = DELIVERING;
    assert_int_equal(run(w->db, s), ours ? ERR_NONE : ERR_CONFLICT);
    if (ours)
        apply(w, s, j);
}

static void step_rescue(struct world *w)
{
    fixture_db_sql(w->db, "update jobs set lease_until = now() where state in ('running',"
                          " 'delivering')");
    struct step s = {.verb = RESCUE};
    int lost = 0;
    assert_int_equal(run(w->db, &s), ERR_NONE);
    for (size_t i = 0; i < w->count; i++) {
        struct model_job *j = &w->jobs[i];
        if (j->state != JOB_RUNNING && j->state != JOB_DELIVERING)
            continue;
        lost++;
        if (j->tries >= JOB_ATTEMPTS_MAX)
            finish(w, j, JOB_FAILED, 0);
        else
            j->state = JOB_READY;
    }
    assert_int_equal(s.rescued, lost);
    fixture_db_sql(w->db, "update jobs set run_at = now() where state = 'ready'");
}

static void compare(struct world *w)
{
    for (int u = 0; u < USERS; u++) {
        struct step s = {.verb = BALANCE, .account = w->users[u]};
        assert_int_equal(run(w->db, &s), ERR_NONE);
        assert_int_equal(s.number, w->available[u]);
    }
    for (size_t i = 0; i < w->count; i++) {
        AUTO(free_ptr)
        char *sql =
            str_printf("select count(*) from jobs where id = '%s' and state = '%s'"
                       " and charged = %d",
                       w->jobs[i].id, job_state_name(w->jobs[i].state), (int)w->jobs[i].charged);
        if (fixture_db_number(w->db, sql) != 1)
            fail_msg("job %zu is not %s", i, job_state_name(w->jobs[i].state));
    }
    fixture_db_check(w->db);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
        struct world w = {.db = db, .rng = rng_make(seed, 1)};
        print_message("seed %d\n", (int)seed);
        fixture_db_sql(db, "create table effects(job uuid)");
        for (int u = 0; u < USERS; u++) {
            char name[8];
            snprintf(name, sizeof(name), "u%d", u);
            fixture_db_account(db, name, CREDITS, w.users[u]);
            w.available[u] = CREDITS;
        }
        for (int i = 0; i < STEPS; i++) {
            int r = rng_below(&w.rng, 20);
            if (r < 5)
                step_start(&w);
            else if (r < 6)
                step_cancel(&w);
            else if (r < 11)
                step_claim(&w);
            else if (r < 19)
                step_work(&w);
            else
                step_rescue(&w);
            if (i % 150 == 0)
                compare(&w);
        }
        compare(&w);
        for (size_t i = 0; i < COUNT(w.held); i++)
            job_free(&w.held[i].job);
        assert_int_equal(
            fixture_db_number(db, "select count(*) - count(distinct job) from effects"), 0);
    }
}

/* --- everybody at once --- */

enum { TALKERS = 3, WORKERS = 4, TALKS = 80 };

struct crowd {
    struct db *db;
    char (*users)[UUID_TEXT];
    int number;
    atomic_bool *stop;
    atomic_int *failures, *doubts;
};

/* Repeats what is in doubt; the store's keys and fences make that harmless. */
static enum err_code surely(struct crowd *c, struct step *s)
{
    for (int i = 0; i < 50; i++) {
        struct err e = {0};
        if (db_run(c->db, step_body, s, &e))
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
        struct step s = {.verb = QUOTE, .account = c->users[rng_below(&rng, 2)], .key = key};
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
    struct step s = {.worker = name};
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
        struct step s = {.verb = RESCUE};
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
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_everybody_at_once),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
