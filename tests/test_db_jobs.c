/* The job store: random steps against a small model; limits and money must hold after every one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "tests/fixture_db.h"
#include "tests/job_act.h"

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
    struct job_act held[6]; /* claims as workers remember them, stale ones too */
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
    struct job_act s = {.verb = QUOTE, .account = w->users[user], .key = key};
    s.number = rng_below(&w->rng, 4);
    *j = (struct model_job){.user = user, .price = s.number, .order = ++w->clock};
    assert_int_equal(job_act_run(w->db, &s), ERR_NONE);
    memcpy(j->id, s.id, UUID_TEXT);
    s.verb = START;
    assert_int_equal(job_act_run(w->db, &s), ERR_NONE);
    bool full = active(w, user) >= JOB_RUNNING_MAX && waiting(w, user) >= JOB_WAITING_MAX;
    bool poor = w->available[user] < j->price;
    assert_int_equal(s.started, full ? JOB_QUEUE_FULL : poor ? JOB_NO_CREDITS : JOB_STARTED);
    if (s.started == JOB_STARTED) {
        j->state = active(w, user) < JOB_RUNNING_MAX ? JOB_READY : JOB_WAITING;
        w->available[user] -= j->price;
        assert_int_equal(job_act_run(w->db, &s), ERR_NONE);
        assert_int_equal(s.started, JOB_STARTED_BEFORE);
    } else {
        s.verb = CANCEL;
        assert_int_equal(job_act_run(w->db, &s), ERR_NONE);
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
    struct job_act s = {.verb = CANCEL};
    memcpy(s.id, j->id, UUID_TEXT);
    bool open = j->state == JOB_READY || j->state == JOB_WAITING;
    assert_int_equal(job_act_run(w->db, &s), open ? ERR_NONE : ERR_CONFLICT);
    if (open)
        finish(w, j, JOB_CANCELLED, 0);
}

static void step_claim(struct world *w)
{
    struct job_act *s = &w->held[w->held_count % COUNT(w->held)];
    int ready = 0;
    for (size_t i = 0; i < w->count; i++)
        ready += w->jobs[i].state == JOB_READY;
    job_free(&s->job);
    *s = (struct job_act){.verb = CLAIM, .worker = "w"};
    assert_int_equal(job_act_run(w->db, s), ERR_NONE);
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
static void apply(struct world *w, struct job_act *s, struct model_job *j)
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
    static const enum job_verb verbs[] = {BEAT, DELIVERING, DONE, DONE, FAIL, RETRY, KEEP};
    if (w->held_count == 0)
        return;
    struct job_act *s = &w->held[rng_below(&w->rng, (int)MIN(w->held_count, COUNT(w->held)))];
    if (!*s->job.id)
        return;
    struct model_job *j = by_id(w, s->job.id);
    bool ours =
        (j->state == JOB_RUNNING || j->state == JOB_DELIVERING) && j->attempt == s->job.attempt;
    s->verb = verbs[rng_below(&w->rng, COUNT(verbs))];
    s->number = rng_below(&w->rng, 5);
    if (s->verb == DONE && j->state == JOB_RUNNING)
        s->verb = DELIVERING;
    assert_int_equal(job_act_run(w->db, s), ours ? ERR_NONE : ERR_CONFLICT);
    if (ours)
        apply(w, s, j);
}

static void step_rescue(struct world *w)
{
    fixture_db_sql(w->db, "update jobs set lease_until = now() where state in ('running',"
                          " 'delivering')");
    struct job_act s = {.verb = RESCUE};
    int lost = 0;
    assert_int_equal(job_act_run(w->db, &s), ERR_NONE);
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
        struct job_act s = {.verb = BALANCE, .account = w->users[u]};
        assert_int_equal(job_act_run(w->db, &s), ERR_NONE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
