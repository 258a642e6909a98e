/* Files that came with the words: they go with the job, and nothing of them stays. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "tests/fixture_db.h"
#include "tests/worker_crew.h"

static bool own_search(void *self, const struct footage_query *q, struct footage *hits, size_t max,
                       size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    (void)self, (void)q, (void)hits, (void)max, (void)cancel, (void)e;
    *ret_count = 0;
    return true;
}

static void own_nothing(void *self)
{
    (void)self;
}

/* The chat has given two files; scenes show others. */
static bool own_footage(void *ctx, const struct job *job, const char *folder,
                        struct footage_source *ret, struct err *e)
{
    static const struct footage_source_ops ops = {
        .name = FOOTAGE_OWN, .search = own_search, .destroy = own_nothing};
    struct crew *w = ctx;
    AUTO(free_ptr) char *file = str_printf("%s/one", folder);
    assert_string_equal(job->media, "p:one\nv:two");
    if (atomic_fetch_add(&w->own_asked, 1) == w->own_refused)
        return err_set(e, ERR_UNSUPPORTED, "chat.file_gone", "test");
    assert_true(fs_mkdirs(folder, 0700, e) && fs_write(file, "x", 1, e));
    *ret = (struct footage_source){.ops = &ops};
    return true;
}

static int own_lost(struct crew *w, const char *id)
{
    struct job j AUTO(job_free) = crew_look(w, id);
    AUTO(storyboard_free) struct storyboard story = {0};
    struct err e;
    assert_true(storyboard_from_json(j.story, strlen(j.story), &story, &e));
    return story.own_lost;
}

static void files_that_came_with_a_job_go_with_it(void **state)
{
    struct crew *w = *state;
    char ids[3][UUID_TEXT];
    AUTO(free_ptr) char *folder = str_printf("%s/" WORKER_OWN_FOLDER, w->out_dir);
    w->options.calls.own_footage = own_footage;
    w->options.threads = 1;
    w->own_refused = 1; /* the second time */
    for (int i = 0; i < 3; i++) {
        struct new_job n = {.w = w, .account = w->account, .media = "p:one\nv:two"};
        snprintf(n.key, sizeof n.key, "own %d", i);
        crew_must(w, crew_job_body, &n);
        str_copy(ids[i], UUID_TEXT, n.id);
    }
    w->f->join = (struct fake_step){.code = ERR_INPUT, .times = -1, .at = 3};
    crew_start(w);
    crew_wait_state(w, ids[0], JOB_DONE);
    crew_wait_state(w, ids[1], JOB_DONE);
    crew_wait_state(w, ids[2], JOB_FAILED);
    crew_stop(w);
    assert_int_equal(atomic_load(&w->own_asked), 3);
    assert_int_equal(own_lost(w, ids[0]), 0);
    assert_int_equal(own_lost(w, ids[1]), 2); /* made without them, and it is said */
    assert_int_equal(fake_files(folder, "one"), 0);
}

static void what_a_killed_worker_left_of_them_is_swept(void **state)
{
    struct crew *w = *state;
    struct janitor *janitor;
    struct err e;
    struct timespec old[2] = {{0}};
    AUTO(free_ptr) char *folder = str_printf("%s/" WORKER_OWN_FOLDER, w->out_dir);
    AUTO(free_ptr) char *gone = str_printf("%s/gone/1", folder);
    AUTO(free_ptr) char *fresh = str_printf("%s/fresh/1", folder);
    AUTO(free_ptr) char *file = str_printf("%s/picture", gone);
    struct janitor_options o = {
        .db = w->db, .on_failed = w->options.calls.on_failed, .ctx = w, .out_dir = w->out_dir};
    assert_true(fs_mkdirs(gone, 0700, &e) && fs_mkdirs(fresh, 0700, &e));
    assert_true(fs_write(file, "x", 1, &e));
    clock_gettime(CLOCK_REALTIME, &old[0]);
    old[0].tv_sec -= 25 * 3600;
    old[1] = old[0];
    gone[strlen(gone) - 2] = '\0';
    assert_int_equal(utimensat(AT_FDCWD, gone, old, 0), 0);
    assert_true(janitor_start(&o, &janitor, &e));
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; fs_exists(file) && clock_mono_ms() < until;)
        usleep(20000);
    janitor_stop(janitor);
    assert_false(fs_exists(gone));
    assert_true(fs_exists(fresh));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, crew_setup, crew_teardown)
    const struct CMUnitTest tests[] = {
        CASE(files_that_came_with_a_job_go_with_it),
        CASE(what_a_killed_worker_left_of_them_is_swept),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
