/* Work: every engine computes the same; the pool shares, keeps, cancels, and believes nobody. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/nano/work_pool.h"
#include "tests/nano_vectors.h"

/* Cheap enough for sanitizers, dear enough that a slice does not always find one. */
#define EASY UINT64_C(0xfffff00000000000) /* 2^20 tries */
#define EASIER UINT64_C(0xffff000000000000)
#define NEVER UINT64_MAX

enum { LONG_MS = 60000 };

static struct nano_hash root_of(uint64_t n)
{
    struct nano_hash h = {{0}};
    memcpy(h.bytes, &n, sizeof(n));
    return h;
}

/* --- engines --- */

static void every_engine_finds_the_work_of_the_vectors(void **state)
{
    (void)state;
    for (int engine = 0; engine < NANO_WORK_ENGINES; engine++) {
        if (!nano_work_engine_there(engine)) {
            print_message("%s: not on this processor\n", nano_work_engine_name(engine));
            continue;
        }
        for (size_t i = 0; i < nano_vector_block_count; i++) {
            const struct nano_vector_block *v = &nano_vector_blocks[i];
            struct nano_block b = nano_vector_block_make(v);
            struct nano_hash root;
            uint64_t value;
            uint64_t work = 0;
            nano_block_root(&b, &root);
            value = nano_work_value(&root, b.work);
            assert_true(!v->value || value == v->value);
            /* in each of the lanes, and at exactly its value but no higher */
            for (uint64_t lane = 0; lane < 8; lane++) {
                uint64_t first = b.work - lane;
                if (!nano_work_search(engine, &root, value, first, 8, &work) || work != b.work)
                    fail_msg("%s, %s, lane %d", v->id, nano_work_engine_name(engine), (int)lane);
                assert_false(nano_work_search(engine, &root, value + 1, first, 8, &work));
            }
        }
    }
}

static void every_engine_finds_the_first_of_a_range(void **state)
{
    (void)state;
    struct rng r = rng_make(6, 6);
    for (int i = 0; i < 40; i++) {
        struct nano_hash root = root_of(rng_next(&r));
        uint64_t first = i == 0 ? UINT64_MAX - 100 : rng_next(&r); /* over the end and on from 0 */
        uint64_t threshold = UINT64_C(0xffe0000000000000);         /* one in 2048 */
        uint64_t want = 0;
        uint64_t n = 0;
        while (n < 8192 && nano_work_value(&root, first + n) < threshold)
            n++;
        for (int engine = 0; engine < NANO_WORK_ENGINES; engine++) {
            if (!nano_work_engine_there(engine))
                continue;
            bool found = nano_work_search(engine, &root, threshold, first, 8192, &want);
            assert_true(found == (n < 8192));
            if (found)
                assert_true(want == first + n);
        }
    }
}

static void thresholds_are_inclusive(void **state)
{
    (void)state;
    struct nano_hash root = root_of(5);
    uint64_t value = nano_work_value(&root, 77);
    assert_true(nano_work_valid(&root, 77, value));
    assert_false(nano_work_valid(&root, 77, value + 1));
    assert_true(nano_work_valid(&root, 77, 0));
    for (int engine = 0; engine < NANO_WORK_ENGINES; engine++) {
        uint64_t work;
        if (nano_work_engine_there(engine))
            assert_true(nano_work_search(engine, &root, 0, 9, 8, &work) && work == 9);
    }
    assert_true(nano_work_tries(NANO_WORK_SEND) == 536870912.0);
    assert_true(nano_work_tries(NANO_WORK_RECEIVE) == 8388608.0);
}

static void work_is_sixteen_digits(void **state)
{
    (void)state;
    uint64_t w = 7;
    char hex[NANO_WORK_HEX];
    static const char *const wrong[] = {"",
                                        "1",
                                        "0x00000000000001",
                                        "00000000000000001",
                                        "000000000000000",
                                        "000000000000000g",
                                        " 000000000000001"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(nano_work_parse(wrong[i], &w));
    assert_false(nano_work_parse(NULL, &w));
    assert_true(w == 7);
    assert_true(nano_work_parse("0d05b6980301C00A", &w) && w == UINT64_C(0x0d05b6980301c00a));
    nano_work_print(w, hex);
    assert_string_equal(hex, "0d05b6980301c00a");
}

/* --- the pool --- */

static struct work_pool *pool(struct work_pool_options o)
{
    struct work_pool *p = work_pool_create(&o);
    assert_non_null(p);
    return p;
}

static void work_is_made_and_kept(void **state)
{
    (void)state;
    struct work_pool *p = pool((struct work_pool_options){.threads = 2});
    struct err e = {0};
    uint64_t work = 0;
    uint64_t again = 0;
    for (uint64_t i = 0; i < 4; i++) {
        struct nano_hash root = root_of(i);
        assert_true(work_pool_wait(p, &root, EASY, LONG_MS, NULL, &work, &e));
        assert_true(nano_work_valid(&root, work, EASY));
        assert_true(work_pool_wait(p, &root, EASY, 0, NULL, &again, &e));
        assert_true(again == work);
        assert_true(work_pool_wait(p, &root, EASIER, 0, NULL, &again, &e)); /* good for less, too */
        assert_true(again == work);
    }
    assert_true(work_pool_state(p).made == 4 && work_pool_state(p).waiting == 0);
    work_pool_destroy(p);
}

struct waiter {
    struct work_pool *pool;
    struct nano_hash root;
    uint64_t threshold, work;
    int64_t timeout_ms;
    const struct cancel *cancel;
    atomic_bool started;
    bool ok;
    struct err e;
    pthread_t thread;
};

static void *wait_main(void *arg)
{
    struct waiter *w = arg;
    atomic_store(&w->started, true);
    w->ok =
        work_pool_wait(w->pool, &w->root, w->threshold, w->timeout_ms, w->cancel, &w->work, &w->e);
    return NULL;
}

static void start_waiter(struct waiter *w)
{
    assert_int_equal(pthread_create(&w->thread, NULL, wait_main, w), 0);
    while (!atomic_load(&w->started))
        sched_yield();
}

static void many_who_want_the_same_get_the_same(void **state)
{
    (void)state;
    struct work_pool *p = pool((struct work_pool_options){.threads = 1});
    struct waiter w[6];
    for (int i = 0; i < 6; i++) {
        w[i] = (struct waiter){
            .pool = p, .root = root_of(9), .threshold = EASY, .timeout_ms = LONG_MS};
        start_waiter(&w[i]);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(w[i].thread, NULL);
        assert_true(w[i].ok && w[i].work == w[0].work);
    }
    assert_true(work_pool_state(p).made == 1);
    work_pool_destroy(p);
}

/* A send would take a minute; the receive that came later is done at once. */
static void cheap_requests_pass_dear_ones(void **state)
{
    (void)state;
    struct work_pool *p = pool((struct work_pool_options){.threads = 1});
    struct err e = {0};
    uint64_t work;
    struct nano_hash never = root_of(1);
    struct nano_hash soon = root_of(2);
    assert_true(work_pool_submit(p, &never, NEVER, &e));
    assert_true(work_pool_submit(p, &never, NEVER, &e)); /* the same: no second one */
    assert_true(work_pool_state(p).waiting == 1);
    assert_true(work_pool_wait(p, &soon, EASY, LONG_MS, NULL, &work, &e));
    assert_true(work_pool_state(p).waiting == 1);
    work_pool_destroy(p); /* with one still wanted */
}

static void waits_end(void **state)
{
    (void)state;
    struct work_pool *p = pool((struct work_pool_options){.threads = 1});
    struct cancel cancel;
    cancel_init(&cancel, NULL);
    struct err e = {0};
    uint64_t work = 7;
    struct nano_hash root = root_of(1);
    assert_false(work_pool_wait(p, &root, NEVER, 1, NULL, &work, &e));
    assert_int_equal(e.code, ERR_RETRY);
    struct waiter w[2] = {
        {.pool = p, .root = root, .threshold = NEVER, .timeout_ms = -1,     .cancel = &cancel},
        {.pool = p,         .root = root,             .threshold = NEVER,           .timeout_ms = LONG_MS},
    };
    start_waiter(&w[0]);
    start_waiter(&w[1]);
    cancel_fire(&cancel);
    pthread_join(w[0].thread, NULL);
    assert_false(w[0].ok);
    assert_int_equal(w[0].e.code, ERR_CANCELLED);
    assert_true(work_pool_state(p).waiting == 1); /* the other one still wants it */
    work_pool_cancel(p, &root);
    pthread_join(w[1].thread, NULL);
    assert_false(w[1].ok);
    assert_int_equal(w[1].e.code, ERR_CANCELLED);
    assert_true(work_pool_state(p).waiting == 0);
    assert_true(work == 7);
    work_pool_destroy(p);
}

static void the_queue_has_an_end(void **state)
{
    (void)state;
    struct work_pool *p = pool((struct work_pool_options){.threads = 1, .max_waiting = 3});
    struct err e = {0};
    uint64_t work;
    for (uint64_t i = 0; i < 3; i++) {
        struct nano_hash root = root_of(i);
        assert_true(work_pool_submit(p, &root, NEVER, &e));
    }
    struct nano_hash more = root_of(3);
    struct nano_hash first = root_of(0);
    assert_false(work_pool_submit(p, &more, NEVER, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_false(work_pool_wait(p, &more, NEVER, LONG_MS, NULL, &work, &e));
    assert_true(work_pool_submit(p, &first, NEVER, &e)); /* is in it already */
    work_pool_cancel(p, &first);
    assert_true(work_pool_submit(p, &more, NEVER, &e));
    work_pool_destroy(p);
}

/* --- a work server --- */

struct outside {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int asked;
    bool lies, fails, stalls;
};
#define OUTSIDE                                                                \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

static bool generate(void *ctx, const struct nano_hash *root, uint64_t threshold,
                     const struct cancel *cancel, uint64_t *ret_work, struct err *e)
{
    struct outside *o = ctx;
    pthread_mutex_lock(&o->lock);
    o->asked++;
    bool lies = o->lies;
    bool fails = o->fails;
    bool stalls = o->stalls;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
    while (stalls && !cancel_wait(cancel, 1000))
        ;
    if (fails || stalls)
        return err_set(e, ERR_RETRY, "error.internal", "no work today");
    *ret_work = 1;
    return lies ||
           nano_work_search(NANO_WORK_PORTABLE, root, threshold, 0, UINT64_C(1) << 30, ret_work);
}

static void await_question(struct outside *o)
{
    pthread_mutex_lock(&o->lock);
    while (o->asked == 0)
        pthread_cond_wait(&o->changed, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

static void a_source_saves_the_processor(void **state)
{
    (void)state;
    struct outside o = OUTSIDE;
    struct work_pool *p = pool((struct work_pool_options){
        .threads = 1, .source_ms = 10 * LONG_MS, .source = {.generate = generate, .ctx = &o}
    });
    struct nano_hash root = root_of(4);
    struct err e = {0};
    uint64_t work = 0;
    assert_true(work_pool_wait(p, &root, EASY, LONG_MS, NULL, &work, &e));
    assert_true(nano_work_valid(&root, work, EASY));
    assert_true(work_pool_state(p).from_source == 1 && work_pool_state(p).made == 0);
    work_pool_destroy(p);
}

static void a_source_that_fails_or_lies_costs_nothing(void **state)
{
    (void)state;
    for (int lies = 0; lies < 2; lies++) {
        struct outside o = OUTSIDE;
        o.lies = lies;
        o.fails = !lies;
        struct work_pool *p = pool((struct work_pool_options){
            .threads = 1, .source_ms = 10 * LONG_MS, .source = {.generate = generate, .ctx = &o}
        });
        struct nano_hash root = root_of(4);
        struct err e = {0};
        uint64_t work = 0;
        assert_true(work_pool_wait(p, &root, EASY, LONG_MS, NULL, &work, &e));
        assert_true(nano_work_valid(&root, work, EASY));
        assert_true(work_pool_state(p).made == 1);
        assert_true(work_pool_state(p).refused == (uint64_t)lies);
        work_pool_destroy(p);
    }
}

/* The threads begin after source_ms, and the source hears that nobody waits for it any more. */
static void a_source_that_stalls_is_overtaken(void **state)
{
    (void)state;
    struct outside o = OUTSIDE;
    o.stalls = true;
    struct work_pool *p = pool((struct work_pool_options){
        .threads = 1, .source_ms = 20, .source = {.generate = generate, .ctx = &o}
    });
    struct nano_hash root = root_of(4);
    struct nano_hash other = root_of(5);
    struct err e = {0};
    uint64_t work = 0;
    assert_true(work_pool_wait(p, &root, EASY, LONG_MS, NULL, &work, &e));
    await_question(&o);
    assert_true(nano_work_valid(&root, work, EASY));
    assert_true(work_pool_wait(p, &other, EASY, LONG_MS, NULL, &work, &e));
    assert_true(work_pool_state(p).made == 2);
    assert_true(work_pool_submit(p, &root, NEVER, &e)); /* destroy frees it from this one */
    work_pool_destroy(p);
}

/* How the thread of this process that has the name is scheduled; -1 when there is none. */
static int policy_of(const char *name)
{
    DIR *tasks = opendir("/proc/self/task");
    int policy = -1;
    assert_non_null(tasks);
    for (struct dirent *d = readdir(tasks); d; d = readdir(tasks)) {
        char path[300];
        char comm[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", d->d_name);
        FILE *f = fopen(path, "re");
        if (f && fgets(comm, sizeof(comm), f) && strncmp(comm, name, strlen(name)) == 0)
            policy = sched_getscheduler((pid_t)strtol(d->d_name, NULL, 10));
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return policy;
}

static void the_threads_are_modest(void **state)
{
    (void)state;
    struct work_pool *p = pool((struct work_pool_options){.threads = 1});
    struct nano_hash root = root_of(4);
    struct err e = {0};
    uint64_t work;
    assert_true(work_pool_wait(p, &root, EASIER, LONG_MS, NULL, &work, &e)); /* it runs by now */
    assert_int_equal(policy_of("work"), SCHED_IDLE);
    work_pool_destroy(p);
    assert_int_equal(policy_of("work"), -1);
}

static int setup(void **state)
{
    (void)state;
    hash_setup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_engine_finds_the_work_of_the_vectors),
        cmocka_unit_test(every_engine_finds_the_first_of_a_range),
        cmocka_unit_test(thresholds_are_inclusive),
        cmocka_unit_test(work_is_sixteen_digits),
        cmocka_unit_test(work_is_made_and_kept),
        cmocka_unit_test(many_who_want_the_same_get_the_same),
        cmocka_unit_test(cheap_requests_pass_dear_ones),
        cmocka_unit_test(waits_end),
        cmocka_unit_test(the_queue_has_an_end),
        cmocka_unit_test(a_source_saves_the_processor),
        cmocka_unit_test(a_source_that_fails_or_lies_costs_nothing),
        cmocka_unit_test(a_source_that_stalls_is_overtaken),
        cmocka_unit_test(the_threads_are_modest),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
