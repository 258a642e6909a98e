/* How fast work, signatures and addresses are on one core, against libsodium's BLAKE2b in the same
   run. Processor time, so that a busy machine changes little. Prints one line per number; fails when
   a goal is missed by half. */
#include <time.h>

#include "core/base/hash.h"
#include "core/nano/block.h"
#include "core/nano/work.h"

enum { ROUNDS = 5, HASHES = 1 << 19, SEARCH = 1 << 21, TIMES = 1000 };
/* What a server core of 2.5 GHz reached with simpler programs of the same kind. */
static const struct {
    double rate, ratio;
} goals[NANO_WORK_ENGINES] = {
    [NANO_WORK_PORTABLE] = {7.2, 1.3},
    [NANO_WORK_AVX2] = {15,  2.8},
    [NANO_WORK_AVX512] = {27,  5  },
};

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
        return 0; /* nobody finds that */
    return SEARCH / (seconds() - begin) / 1e6;
}

static int line(const char *what, double value, const char *unit, double goal, bool at_most)
{
    bool missed = at_most ? value > 2 * goal : value < goal / 2;
    printf("%-32s %8.1f %-14s goal %s %.1f%s\n", what, value, unit, at_most ? "<=" : ">=", goal,
           missed ? "  MISSED" : "");
    return missed;
}

static int work_rate(void)
{
    double sodium = 0;
    double best[NANO_WORK_ENGINES] = {0};
    int missed = 0;
    for (int i = 0; i < ROUNDS; i++) { /* in turns: what slows the machine slows all */
        sodium = MAX(sodium, sodium_rate());
        for (int k = 0; k < NANO_WORK_ENGINES; k++)
            if (nano_work_engine_there(k))
                best[k] = MAX(best[k], engine_rate(k));
    }
    printf("%-32s %8.1f MH/s per core\n", "work with libsodium", sodium);
    for (int k = 0; k < NANO_WORK_ENGINES; k++) {
        char name[64];
        snprintf(name, sizeof(name), "work, %s", nano_work_engine_name(k));
        if (!nano_work_engine_there(k)) {
            printf("%-32s not on this processor\n", name);
            continue;
        }
        missed += line(name, best[k], "MH/s per core", goals[k].rate, false);
        missed += line("  against libsodium", best[k] / sodium, "times", goals[k].ratio, false);
        printf("  so a receive takes %.2f s, a send %.1f s\n",
               nano_work_tries(NANO_WORK_RECEIVE) / best[k] / 1e6,
               nano_work_tries(NANO_WORK_SEND) / best[k] / 1e6);
    }
    return missed;
}

static double cost_us(double begin)
{
    return (seconds() - begin) / TIMES * 1e6;
}

static int key_costs(struct nano_seed *seed)
{
    struct nano_account a;
    struct nano_block b = {0};
    struct nano_hash hash = {{1}};
    struct nano_signature s;
    struct err e = {0};
    char address[NANO_ADDRESS];
    int good = 0;
    int missed = 0;
    double begin = seconds();
    for (uint32_t i = 0; i < TIMES; i++) {
        good += nano_seed_account(seed, i, &a, &e);
        nano_account_print(&a, address);
    }
    missed += line("derive a key and its address", cost_us(begin), "us", 30, true);
    begin = seconds();
    for (int i = 0; i < TIMES; i++)
        good += nano_account_parse(address, &a);
    missed += line("read an address", cost_us(begin), "us", 1, true);
    begin = seconds();
    for (uint32_t i = 0; i < TIMES; i++)
        good += nano_seed_sign(seed, i, &hash, &s, &e);
    missed += line("derive a key and sign a hash", cost_us(begin), "us", 60, true);
    b.account = a;
    good += nano_block_sign(&b, seed, TIMES - 1, &e);
    begin = seconds();
    for (int i = 0; i < TIMES; i++)
        good += nano_block_verify(&b);
    missed += line("hash and verify a block", cost_us(begin), "us", 180, true);
    return missed + (good != 4 * TIMES + 1);
}

int main(void)
{
    struct nano_seed *seed = NULL;
    struct err e = {0};
    hash_setup();
    if (!nano_seed_parse("0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", &seed,
                         &e))
        return 1;
    int missed = work_rate() + key_costs(seed);
    nano_seed_destroy(seed);
    return missed > 0;
}
