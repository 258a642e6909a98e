/* Helper processes of the local voice: bad ones, many at once, cancelled ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "adapters/speech/espeak.h"
#include "core/base/pool.h"
#include "core/base/strbuf.h"
#include "tests/speech_world.h"

/* --- helpers that fail --- */

static void write_script(const char *name, const char *body, char ret_path[static 400])
{
    snprintf(ret_path, 400, "%s/%s", spw.folder, name);
    FILE *f = fopen(ret_path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    assert_int_equal(chmod(ret_path, 0755), 0);
}

static void real_helper(char ret_path[static 512])
{
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(ret_path, 512, "%s/../nanotik-speak", self);
}

static void test_bad_helpers_cost_a_retry_not_the_program(void **state)
{
    static const struct {
        const char *name, *body, *why;
    } rows[] = {
        {"exits",   "exit 3",                                                                 "a helper that ends at once"   },
        {"killed",  "kill -SEGV $$",                                                          "a helper that crashes"        },
        {"deaf",    "exec 0<&-; exec sleep 100",                                              "a helper that does not listen"},
        {"hangs",   "exec sleep 100",                                                         "a helper that hangs"          },
        {"garbage", "exec yes garbage",                                                       "a helper that talks nonsense" },
        {"short",   "printf 'SKR1'; exec sleep 100",                                          "half an answer"               },
        {"half",    "printf 'SKR1\\0\\0\\0\\0\\042\\126\\0\\0\\0\\020\\0\\0\\0\\0\\0\\0abc'",
         "cut sound"                                                                                                         },
        {"huge",
         "printf 'SKR1\\0\\0\\0\\0\\042\\126\\0\\0\\377\\377\\377\\377\\0\\0\\0\\0'; exec sleep "
         "100",                                                                               "sizes beyond all bounds"      },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[400];
        write_script(rows[i].name, rows[i].body, path);
        struct espeak_options o = {.helper = path, .helpers = 1, .deadline_ms = 120};
        struct speech_engine en;
        struct spw_file f;
        struct err e = {0};
        assert_true(espeak_create_with(&o, &en, &e));
        for (int round = 0; round < 2; round++) { /* the second finds a working thread again */
            assert_false(spw_speak_with(&en, "en", "", 1, "hello", NULL, &f, &e));
            assert_int_equal(e.code, ERR_RETRY);
            assert_string_equal(e.user_key, "make.voice_failed");
        }
        en.ops->destroy(en.self);
    }
}

static void test_one_crash_is_not_seen(void **state)
{
    static const char *const crashes[] = {"exit 1", "kill -KILL $$", "printf nonsense-nonsense-no",
                                          "exec sleep 100"};
    (void)state;
    for (size_t i = 0; i < COUNT(crashes); i++) {
        char path[400], real[512];
        real_helper(real);
        char *body =
            str_printf("if [ ! -e %s/seen%zu ]; then : > %s/seen%zu; %s; exit; fi\nexec %s",
                       spw.folder, i, spw.folder, i, crashes[i], real);
        write_script("once", body, path);
        free(body);
        struct espeak_options o = {.helper = path, .helpers = 1, .deadline_ms = 3000};
        struct speech_engine en;
        struct spw_file f;
        struct err e = {0};
        if (i == 3) /* the hang: as short as a slow machine allows for the second try */
            o.deadline_ms = 1500;
        assert_true(espeak_create_with(&o, &en, &e));
        if (!spw_speak_with(&en, "en", "", 1, "hello world", NULL, &f, &e))
            fail_msg("%s: %s", crashes[i], e.detail);
        assert_int_equal(f.result.word_count, 2);
        spw_file_free(&f);
        en.ops->destroy(en.self);
    }
}

static void test_no_helper(void **state)
{
    (void)state;
    struct speech_engine en;
    struct err e = {0};
    assert_false(espeak_create("/nonexistent/helper", &en, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.user_key, "doctor.no_speak_helper");
    setenv("NANOTIK_SPEAK", "/nonexistent/named", 1);
    assert_false(espeak_create(NULL, &en, &e));
    assert_string_equal(e.arg, "/nonexistent/named");
    unsetenv("NANOTIK_SPEAK");
}

/* --- threads --- */

struct crowd_task {
    struct pool_task task;
    char text[64];
    struct spw_file spoken;
    bool ok;
};

static void crowd_run(struct pool_task *task)
{
    struct crowd_task *t = (struct crowd_task *)task;
    struct err e = {0};
    t->ok = spw_speak_with(&spw.engine, "en", "en-anna", 1, t->text, NULL, &t->spoken, &e);
}

/* Two threads in one espeak-ng gave wrong lengths, and a reused one never speaks a text twice the
   same way; helpers give the same bytes whatever else is spoken. */
static void test_the_same_text_is_the_same_sound(void **state)
{
    (void)state;
    struct crowd_task tasks[12] = {0}, alone[12];
    for (size_t i = 0; i < COUNT(tasks); i++) {
        tasks[i].task.run = crowd_run;
        snprintf(tasks[i].text, sizeof(tasks[i].text), "Number %zu is %s.", i,
                 i % 2 ? "odd and goes on for longer" : "even");
        alone[i] = tasks[i];
        crowd_run(&alone[i].task);
        assert_true(alone[i].ok);
    }
    struct pool *p = pool_create("crowd", 6, 32);
    for (size_t i = 0; i < COUNT(tasks); i++)
        pool_submit(p, &tasks[i].task);
    pool_destroy(p);
    for (size_t i = 0; i < COUNT(tasks); i++) {
        const struct spw_file *a = &alone[i].spoken, *b = &tasks[i].spoken;
        assert_true(tasks[i].ok);
        assert_true(a->result.duration_ms > 300);
        assert_int_equal(a->count, b->count);
        assert_memory_equal(a->samples, b->samples, a->count * sizeof(*a->samples));
        assert_memory_equal(a->result.words, b->result.words,
                            a->result.word_count * sizeof(*a->result.words));
        spw_file_free(&alone[i].spoken);
        spw_file_free(&tasks[i].spoken);
    }
}

static void cancel_run(struct pool_task *task)
{
    (void)task;
    usleep(100000);
    extern struct cancel test_cancel;
    cancel_fire(&test_cancel);
}
struct cancel test_cancel;

static void test_cancel_is_quick(void **state)
{
    (void)state;
    char path[400];
    write_script("sleeps", "exec sleep 100", path);
    struct espeak_options o = {.helper = path, .helpers = 1, .deadline_ms = 60000};
    struct speech_engine en;
    struct spw_file f;
    struct err e = {0};
    assert_true(espeak_create_with(&o, &en, &e));
    cancel_init(&test_cancel, NULL);
    struct pool *p = pool_create("cancel", 1, 4);
    struct pool_task task = {.run = cancel_run};
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pool_submit(p, &task);
    assert_false(spw_speak_with(&en, "en", "", 1, "hello", &test_cancel, &f, &e));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(to.tv_sec - from.tv_sec <= 2);
    assert_false(
        spw_speak_with(&en, "en", "", 1, "hello", &test_cancel, &f, &e)); /* fired before */
    assert_int_equal(e.code, ERR_CANCELLED);
    pool_destroy(p);
    en.ops->destroy(en.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_helpers_cost_a_retry_not_the_program),
        cmocka_unit_test(test_one_crash_is_not_seen),
        cmocka_unit_test(test_no_helper),
        cmocka_unit_test(test_the_same_text_is_the_same_sound),
        cmocka_unit_test(test_cancel_is_quick),
    };
    return cmocka_run_group_tests(tests, spw_open, spw_close);
}
