/* clock, cancel, rng, hash, ids, crash. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/hash.h"
#include "core/base/rng.h"

static void clock_can_be_set(void **state)
{
    (void)state;
    int64_t real = clock_wall_ms();
    assert_true(real > 1700000000000);
    int64_t mono = clock_mono_ms();
    assert_true(clock_mono_ms() >= mono);
    clock_fake(7, 1000);
    assert_int_equal(clock_mono_ms(), 7);
    assert_int_equal(clock_wall_ms(), 1000);
    clock_fake(-1, 0);
    assert_true(clock_wall_ms() >= real);
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0,             "1970-01-01T00:00:00Z"},
        {-1,            "1969-12-31T23:59:59Z"},
        {951782399999,  "2000-02-28T23:59:59Z"},
        {951782400000,  "2000-02-29T00:00:00Z"},
        {1795359478000, "2026-11-22T14:57:58Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[32];
        clock_iso(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
    }
    char text[32];
    clock_iso(INT64_MAX, text); /* no year that fits: still a text */
    assert_true(strlen(text) < 32);
}

static void *fire_soon(void *arg)
{
    usleep(50000);
    cancel_fire(arg);
    return NULL;
}

static void cancel_reaches_below(void **state)
{
    (void)state;
    struct cancel program, job, scene;
    cancel_init(&program, NULL);
    cancel_init(&job, &program);
    cancel_init(&scene, &job);
    assert_false(cancel_fired(NULL));
    assert_false(cancel_fired(&scene));
    assert_false(cancel_wait(&scene, 1));
    cancel_fire(&job);
    assert_true(cancel_fired(&scene));
    assert_false(cancel_fired(&program)); /* upwards nothing happens */

    struct cancel other;
    cancel_init(&other, &program);
    int64_t begin = clock_mono_ms();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fire_soon, &program), 0);
    assert_true(cancel_wait(&other, 60000));
    pthread_join(thread, NULL);
    assert_true(clock_mono_ms() - begin < 5000);
    begin = clock_mono_ms();
    assert_false(cancel_wait(NULL, 60));
    assert_true(clock_mono_ms() - begin >= 59);
}

static void rng_repeats(void **state)
{
    (void)state;
    /* These very numbers: a changed generator would change every saved video. */
    struct rng r = rng_make(1, 2);
    static const uint64_t want[] = {0x828FA3E0AFC3E80Bu, 0x2C2735727CF6A7D5u, 0x858B9A4A2B6ACF94u};
    for (size_t i = 0; i < COUNT(want); i++)
        assert_int_equal(rng_next(&r), want[i]);
    struct rng a = rng_make(1, 1), b = rng_make(1, 2), c = rng_make(2, 1), d = rng_make(1, 1);
    uint64_t first = rng_next(&a);
    assert_int_not_equal(first, rng_next(&b));
    assert_int_not_equal(first, rng_next(&c));
    assert_int_equal(first, rng_next(&d));
}

static void rng_ranges(void **state)
{
    (void)state;
    struct rng r = rng_make(42, 0);
    int seen[6] = {0};
    double sum = 0;
    for (int i = 0; i < 60000; i++) {
        double u = rng_unit(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
        double x = rng_range(&r, -2, 3);
        assert_true(x >= -2 && x < 3);
        int n = rng_below(&r, 6);
        assert_in_range(n, 0, 5);
        seen[n]++;
    }
    assert_true(sum > 29000 && sum < 31000);
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 9500, 10500);
    assert_int_equal(rng_below(&r, 1), 0);
}

static void digest(char ret_hex[static HASH_HEX], const char *purpose, const char *a_name,
                   const char *a, const char *b_name, const char *b)
{
    struct hash h;
    hash_begin(&h, purpose);
    hash_text(&h, a_name, a);
    hash_text(&h, b_name, b);
    hash_end(&h, ret_hex);
}

static void hash_fields_do_not_run_together(void **state)
{
    (void)state;
    char all[9][HASH_HEX];
    digest(all[0], "p", "a", "xy", "b", "z");
    digest(all[1], "p", "a", "x", "b", "yz");
    digest(all[2], "p", "ax", "y", "b", "z");
    digest(all[3], "p", "a", "xy", "c", "z");
    digest(all[4], "q", "a", "xy", "b", "z");
    digest(all[5], "p", "a", "", "b", "z");
    digest(all[6], "p", "a", NULL, "b", "z");
    struct hash h;
    hash_begin(&h, "p");
    hash_int(&h, "a", 1);
    hash_end(&h, all[7]);
    hash_begin(&h, "p");
    hash_bytes(&h, "a", "\1\0\0\0\0\0\0\0", 8);
    hash_end(&h, all[8]);
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_int_equal(strlen(all[i]), HASH_HEX - 1);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(all[i], all[k]);
    }
    char again[HASH_HEX];
    digest(again, "p", "a", "xy", "b", "z");
    assert_string_equal(again, all[0]);
}

static void mac_is_the_standard_one(void **state)
{
    (void)state;
    /* RFC 4231 test case 1: its 20 byte key, padded with zero bytes as HMAC does itself. */
    unsigned char key[32] = {0};
    memset(key, 0x0b, 20);
    static const unsigned char want[] = {0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53,
                                         0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
                                         0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7,
                                         0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7};
    unsigned char mac[MAC_BYTES];
    hash_mac(key, "Hi There", mac);
    assert_memory_equal(mac, want, sizeof(want));
}

static void ids_rise_and_look_right(void **state)
{
    (void)state;
    char last[UUID_TEXT] = "", id[UUID_TEXT];
    clock_fake(0, 1795359478123);
    for (int i = 0; i < 20000; i++) { /* more than one millisecond has room for */
        if (i == 10000)
            clock_fake(0, 1795359470000); /* the clock steps back */
        uuid_make(id);
        assert_true(uuid_valid(id));
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        if (strcmp(id, last) <= 0)
            fail_msg("%s after %s", id, last);
        if (i == 0)
            assert_memory_equal(id, "01a203c3-916b", 13); /* the first bits are the time */
        memcpy(last, id, sizeof(last));
    }
    clock_fake(-1, 0);
    static const char *const bad[] = {"",
                                      "01a0398a-faab-7000-8000-00000000000",
                                      "01a0398a-faab-7000-8000-0000000000000",
                                      "01A0398A-faab-7000-8000-000000000000",
                                      "01a0398a0faab-7000-8000-000000000000",
                                      "01a0398a-faab-7000-8000-00000000000g",
                                      "01a0398a-faab-7000-8000-00000000000 "};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(uuid_valid(bad[i]));
    unsigned char random[2][16];
    random_bytes(random[0], 16);
    random_bytes(random[1], 16);
    assert_memory_not_equal(random[0], random[1], 16);
}

/* How a child ends that passes three crash points with this in NANOTIK_CRASH_AT. */
static int crash_child(const char *value)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (value)
            setenv("NANOTIK_CRASH_AT", value, 1);
        else
            unsetenv("NANOTIK_CRASH_AT");
        crash_at("one");
        crash_at("two");
        crash_at("two");
        _exit(7);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void crash_points(void **state)
{
    (void)state;
    assert_int_equal(crash_child(NULL), 7);
    assert_int_equal(crash_child(""), 7);
    assert_int_equal(crash_child("other"), 7);
    assert_int_equal(crash_child("one"), -SIGKILL);
    assert_int_equal(crash_child("two:2"), -SIGKILL);
    assert_int_equal(crash_child("two:3"), 7);
    assert_int_equal(crash_child("one:2"), 7);
}

int main(void)
{
    hash_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_can_be_set),
        cmocka_unit_test(cancel_reaches_below),
        cmocka_unit_test(rng_repeats),
        cmocka_unit_test(rng_ranges),
        cmocka_unit_test(hash_fields_do_not_run_together),
        cmocka_unit_test(mac_is_the_standard_one),
        cmocka_unit_test(ids_rise_and_look_right),
        cmocka_unit_test(crash_points),
    };
    return cmocka_run_group_tests_name("base_core", tests, NULL, NULL);
}
