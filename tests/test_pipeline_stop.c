/* The pipeline with fakes: errors, cancel, a lost lease, clean-up. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "tests/pipe.h"

enum { ENOUGH_MS = 1000 };

/* --- errors and cancel --- */

struct stage_row {
    size_t step; /* offset in fake_tools */
    const char *name;
};
#define STEP(field, name)                        \
    {                                            \
        offsetof(struct fake_tools, field), name \
    }
static const struct stage_row stages[] = {
    STEP(write[0], "write"), STEP(speak[0], "speak"), STEP(search[0], "search"),
    STEP(fetch, "fetch"),    STEP(probe, "probe"),    STEP(segment, "segment"),
    STEP(sound, "sound"),    STEP(join, "join"),      STEP(check, "check"),
    STEP(poster, "poster"),
};

static struct fake_step *step_of(struct pipe *x, size_t i)
{
    return (struct fake_step *)((char *)x->f + stages[i].step);
}

static void an_error_anywhere_leaves_no_film_and_no_junk(void **state)
{
    struct pipe *x = *state;
    for (size_t i = 0; i < COUNT(stages); i++) {
        if (strcmp(stages[i].name, "search") == 0 || strcmp(stages[i].name, "fetch") == 0 ||
            strcmp(stages[i].name, "probe") == 0)
            continue; /* there are backdrops */
        pipe_story_reset(x);
        x->story.settings.seed = i + 100;
        *step_of(x, i) = (struct fake_step){.code = ERR_DISK, .times = -1};
        if (pipe_run(x) || x->err.code != ERR_DISK)
            fail_msg("%s: error %s", stages[i].name, err_code_name(x->err.code));
        if (pipe_out_files(x) != 0 || fake_files(x->f->folder, ".tmp.") != 0)
            fail_msg("%s: something was left behind", stages[i].name);
        *step_of(x, i) = (struct fake_step){0};
    }
}

static void *run_main(void *fixture)
{
    struct pipe *x = fixture;
    x->ended = pipe_run(x);
    return NULL;
}

static void wait_for(struct pipe *x, const char *what)
{
    int64_t until = clock_mono_ms() + 10000;
    while (fake_nth(x->f, what, '>', 0) < 0) {
        if (clock_mono_ms() > until)
            fail_msg("%s never began", what);
        cancel_wait(NULL, 5);
    }
}

static void cancel_at_any_stage_takes_less_than_a_second(void **state)
{
    static const char *const begins[] = {"write0",  "speak0", "search0", "fetch", "probe",
                                         "segment", "sound",  "join",    "check", "poster"};
    struct pipe *x = *state;
    for (size_t i = 0; i < COUNT(stages); i++) {
        pthread_t thread;
        pipe_story_reset(x);
        x->story.settings.seed = i + 200;
        fake_forget(x->f);
        cancel_init(&x->cancel, NULL);
        *step_of(x, i) = (struct fake_step){.ms = 60000};
        assert_int_equal(pthread_create(&thread, NULL, run_main, x), 0);
        wait_for(x, begins[i]);
        int64_t begun = clock_mono_ms();
        cancel_fire(&x->cancel);
        pthread_join(thread, NULL);
        if (clock_mono_ms() - begun >= ENOUGH_MS)
            fail_msg("%s: %d ms", stages[i].name, (int)(clock_mono_ms() - begun));
        if (x->ended || x->err.code != ERR_CANCELLED)
            fail_msg("%s: %s", stages[i].name, err_code_name(x->err.code));
        if (pipe_out_files(x) != 0 || fake_files(x->f->folder, ".tmp.") != 0)
            fail_msg("%s: something was left behind", stages[i].name);
        *step_of(x, i) = (struct fake_step){0};
    }
}

/* Queued behind another run's long segments, it must not wait for them. */
static void cancel_does_not_wait_for_another_run(void **state)
{
    struct pipe *x = *state;
    struct pipe other = {.f = x->f};
    pthread_t slow, thread;
    pipe_story_reset(&other);
    other.story.settings.seed = 99;
    cancel_init(&other.cancel, NULL);
    snprintf(other.out, sizeof other.out, "%s/other.mp4", x->f->folder);
    x->f->segment.ms = 60000;
    assert_int_equal(pthread_create(&slow, NULL, run_main, &other), 0);
    while (fake_count(x->f, "segment", '>') < 2)
        cancel_wait(NULL, 5);
    atomic_store(&x->composing, false);
    assert_int_equal(pthread_create(&thread, NULL, run_main, x), 0);
    while (!atomic_load(&x->composing))
        cancel_wait(NULL, 5);
    int64_t begun = clock_mono_ms();
    cancel_fire(&x->cancel);
    pthread_join(thread, NULL);
    assert_in_range(clock_mono_ms() - begun, 0, ENOUGH_MS);
    assert_int_equal(x->err.code, ERR_CANCELLED);
    cancel_fire(&other.cancel);
    pthread_join(slow, NULL);
    storyboard_free(&other.story);
}

static void a_lost_lease_stops_the_run(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    int saves = x->saves;
    assert_true(saves >= 2);
    for (int i = 1; i <= saves; i++) {
        pipe_story_reset(x);
        x->story.settings.seed = (uint64_t)i + 300;
        x->saves = 0;
        x->refuse_save = i;
        unlink(x->out);
        bool ok = pipe_run(x);
        if (!ok) {
            assert_int_equal(x->err.code, ERR_CONFLICT);
            assert_false(fs_exists(x->out));
        } else {
            assert_true(x->saves < i); /* saves are merged when things arrive together */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPE_CASE(an_error_anywhere_leaves_no_film_and_no_junk),
        PIPE_CASE(cancel_at_any_stage_takes_less_than_a_second),
        PIPE_CASE(cancel_does_not_wait_for_another_run),
        PIPE_CASE(a_lost_lease_stops_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
