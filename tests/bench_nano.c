/* How fast work, signatures and addresses are on one core, against libsodium's BLAKE2b in the same
   run. Processor time, so that a busy machine changes little. Prints one line per number; fails when
   a goal is missed by half. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <time.h>

#include "core/base/hash.h"
#include "core/nano/block.h"
#include "core/nano/work.h"

enum { ROUNDS = 5, HASHES = 1 << 19, SEARCH = 1 << 21, TIMES = 1000 };
/* Of the sheet: MH/s with AVX2 on a server core of 2.5 GHz, and how much faster than libsodium. */
#define GOAL_RATE 15.0
#define GOAL_RATIO 2.8

static struct nano_hash root = {
    {1, 2, 3}
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double sodium_rate(void)
{
    volatile uint64_t keep = 0;
    double begin = seconds();
    for (uint64_t i = 0; i < HASHES; i++)
        keep = keep ^ nano_work_value(&root, i);
    return HASHES / (seconds() - begin) / 1e6;
}

static double engine_rate(enum nano_work_engine engine)
{
    uint64_t work;
    double begin = seconds();
    if (nano_work_search(engine, &root, UINT64_MAX, 0, SEARCH, &work))
        fail_msg("2^64 was reached");
    return SEARCH / (seconds() - begin) / 1e6;
}

static void work_rate(void **state)
{
    (void)state;
    double sodium = 0;
    double best[NANO_WORK_ENGINES] = {0};
    for (int i = 0; i < ROUNDS; i++) { /* in turns: what slows the machine slows all */
        sodium = MAX(sodium, sodium_rate());
        for (int k = 0; k < NANO_WORK_ENGINES; k++)
            if (nano_work_engine_there(k))
                best[k] = MAX(best[k], engine_rate(k));
    }
    printf("%-28s %8.1f MH/s per core\n", "work, libsodium", sodium);
    for (int k = 0; k < NANO_WORK_ENGINES; k++) {
        char name[64];
        snprintf(name, sizeof(name), "work, %s", nano_work_engine_name(k));
        if (!nano_work_engine_there(k)) {
            printf("%-28s not on this processor\n", name);
            continue;
        }
        printf("%-28s %8.1f MH/s per core, %.1f times libsodium; receive %.2f s, send %.1f s\n",
               name, best[k], best[k] / sodium, nano_work_tries(NANO_WORK_RECEIVE) / best[k] / 1e6,
               nano_work_tries(NANO_WORK_SEND) / best[k] / 1e6);
    }
    if (nano_work_engine_there(NANO_WORK_AVX2)) {
        printf("%-28s >= %.0f MH/s and %.1f times libsodium\n", "goal with AVX2", GOAL_RATE,
               GOAL_RATIO);
        assert_true(best[NANO_WORK_AVX2] >= GOAL_RATE / 2);
        assert_true(best[NANO_WORK_AVX2] / sodium >= GOAL_RATIO / 2);
    }
}

static void say(const char *what, double begin, double goal_us)
{
    double us = (seconds() - begin) / TIMES * 1e6;
    printf("%-28s %8.1f us  (goal <= %.0f)\n", what, us, goal_us);
    assert_true(us <= 2 * goal_us);
}

static void key_costs(void **state)
{
    (void)state;
    struct nano_seed *seed = NULL;
    struct nano_account a;
    struct nano_block b = {0};
    struct err e = {0};
    char address[NANO_ADDRESS];
    int good = 0;
    assert_true(nano_seed_parse("0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
                                &seed, &e));
    double begin = seconds();
    for (uint32_t i = 0; i < TIMES; i++) {
        good += nano_seed_account(seed, i, &a, &e);
        nano_account_print(&a, address);
    }
    say("derive and address", begin, 40);
    begin = seconds();
    for (int i = 0; i < TIMES; i++)
        good += nano_account_parse(address, &a);
    say("read an address", begin, 2);
    struct nano_hash hash = {{1}};
    struct nano_signature s;
    begin = seconds();
    for (uint32_t i = 0; i < TIMES; i++)
        good += nano_seed_sign(seed, i, &hash, &s, &e);
    say("sign a hash", begin, 80); /* the public key is made anew, see ed_sign */
    b.account = a;
    assert_true(nano_block_sign(&b, seed, TIMES - 1, &e));
    begin = seconds();
    for (int i = 0; i < TIMES; i++)
        good += nano_block_verify(&b);
    say("hash and verify a block", begin, 200);
    assert_int_equal(good, 4 * TIMES);
    nano_seed_destroy(seed);
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
        cmocka_unit_test(work_rate),
        cmocka_unit_test(key_costs),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
