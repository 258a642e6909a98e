/* pool: heaviest first, bounded, nothing lost at the end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/pool.h"

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open, reached;
};
#define GATE                                                              \
    {                                                                     \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false \
    }

static void gate_set(struct gate *g, bool *field)
{
    pthread_mutex_lock(&g->lock);
    *field = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_await(struct gate *g, const bool *field)
{
    pthread_mutex_lock(&g->lock);
    while (!*field)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

struct blocker {
    struct pool_task task;
    struct gate *gate;
};

static void run_blocker(struct pool_task *task)
{
    struct gate *g = ((struct blocker *)task)->gate;
    gate_set(g, &g->reached);
    gate_await(g, &g->open);
}

struct job {
    struct pool_task task;
    int id;
};
static int order[64];
static atomic_int ran;

static void run_job(struct pool_task *task)
{
    order[atomic_fetch_add(&ran, 1)] = ((struct job *)task)->id;
}

static void heaviest_first_then_oldest(void **state)
{
    (void)state;
    atomic_store(&ran, 0);
    struct gate gate = GATE;
    struct blocker block = {.task.run = run_blocker, .gate = &gate};
    struct pool *p = pool_create("a name that is too long", 1, 16);
    assert_int_equal(pool_threads(p), 1);
    pool_submit(p, &block.task);
    gate_await(&gate, &gate.reached);
    static const int64_t weights[] = {5, 9, 5, 1, 9, -3};
    static const int want[] = {1, 4, 0, 2, 3, 5};
    struct job jobs[COUNT(weights)];
    for (size_t i = 0; i < COUNT(weights); i++) {
        jobs[i] = (struct job){
            {.run = run_job, .weight = weights[i]},
            (int)i
        };
        pool_submit(p, &jobs[i].task);
    }
    gate_set(&gate, &gate.open);
    pool_destroy(p); /* and what is queued still runs */
    assert_int_equal(atomic_load(&ran), COUNT(weights));
    for (size_t i = 0; i < COUNT(want); i++)
        assert_int_equal(order[i], want[i]);
}

struct flood {
    struct pool *pool;
    struct job jobs[20];
    atomic_int submitted;
};

static void *submit_all(void *arg)
{
    struct flood *f = arg;
    for (size_t i = 0; i < COUNT(f->jobs); i++) {
        f->jobs[i] = (struct job){{.run = run_job}, (int)i};
        pool_submit(f->pool, &f->jobs[i].task);
        atomic_fetch_add(&f->submitted, 1);
    }
    return NULL;
}

static void a_full_queue_makes_the_submitter_wait(void **state)
{
    (void)state;
    atomic_store(&ran, 0);
    struct gate gate = GATE;
    struct blocker block = {.task.run = run_blocker, .gate = &gate};
    static struct flood flood;
    flood.pool = pool_create("small", 1, 3);
    pool_submit(flood.pool, &block.task);
    gate_await(&gate, &gate.reached);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, submit_all, &flood), 0);
    for (int i = 0; i < 5000 && atomic_load(&flood.submitted) < 3; i++)
        usleep(1000);
    usleep(30000); /* the time in which a pool without a bound would take all twenty */
    assert_int_equal(atomic_load(&flood.submitted), 3);
    gate_set(&gate, &gate.open);
    pthread_join(thread, NULL);
    pool_destroy(flood.pool);
    assert_int_equal(atomic_load(&ran), COUNT(flood.jobs));
}

struct parent {
    struct pool_task task;
    struct pool *pool;
    struct job children[8];
};

static void run_parent(struct pool_task *task)
{
    struct parent *p = (struct parent *)task;
    for (size_t i = 0; i < COUNT(p->children); i++) {
        p->children[i] = (struct job){{.run = run_job}, (int)i};
        pool_submit(p->pool, &p->children[i].task);
    }
}

static void a_task_may_submit_to_its_own_full_pool(void **state)
{
    (void)state;
    atomic_store(&ran, 0);
    static struct parent parents[4];
    struct pool *pool = pool_create("nested", 2, 1);
    for (size_t i = 0; i < COUNT(parents); i++) {
        parents[i] = (struct parent){.task.run = run_parent, .pool = pool};
        pool_submit(pool, &parents[i].task);
    }
    pool_destroy(pool);
    assert_int_equal(atomic_load(&ran), 32);
}

enum { MANY = 5000 };
struct counted {
    struct pool_task task;
    int runs;
};

static void run_counted(struct pool_task *task)
{
    ((struct counted *)task)->runs++; /* by one thread only, or the thread sanitizer says so */
}

static void each_task_runs_once(void **state)
{
    (void)state;
    struct counted *tasks = calloc(MANY, sizeof(*tasks));
    struct pool *p = pool_create("many", 4, 64);
    for (int i = 0; i < MANY; i++) {
        tasks[i].task = (struct pool_task){.run = run_counted, .weight = i % 7};
        pool_submit(p, &tasks[i].task);
    }
    pool_destroy(p);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(tasks[i].runs, 1);
    free(tasks);
}

static void ends_without_work(void **state)
{
    (void)state;
    struct pool *p = pool_create("idle", 0, 0);
    assert_true(pool_threads(p) >= 1);
    pool_destroy(p);
    pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaviest_first_then_oldest),
        cmocka_unit_test(a_full_queue_makes_the_submitter_wait),
        cmocka_unit_test(a_task_may_submit_to_its_own_full_pool),
        cmocka_unit_test(each_task_runs_once),
        cmocka_unit_test(ends_without_work),
    };
    return cmocka_run_group_tests_name("base_pool", tests, NULL, NULL);
}
