/* The cache: names, temporary names, trimming. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/job/cache.h"

enum { HOUR = 3600, DAY = 24 * HOUR, KIB = 1024 };

static char folder[256];
static struct cache *cache;

static int setup(void **state)
{
    struct err e;
    const char *tmp = getenv("TMPDIR");
    (void)state;
    hash_setup();
    snprintf(folder, sizeof folder, "%s/nanotik-cache-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return !mkdtemp(folder) || !cache_open(folder, 100 * KIB, &cache, &e);
}

static int teardown(void **state)
{
    (void)state;
    cache_close(cache);
    fs_remove(folder);
    return 0;
}

static void key_of(int n, char ret_key[static HASH_HEX])
{
    struct hash h;
    hash_begin(&h, "test");
    hash_int(&h, "n", n);
    hash_end(&h, ret_key);
}

static void age(const char *path, int seconds)
{
    struct timespec when = {.tv_sec = time(NULL) - seconds};
    struct timespec times[2] = {when, when};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A file of this many KiB, last used so long ago. */
static void artifact(int n, int kib, int used_before, char ret_path[static CACHE_PATH_MAX])
{
    static char bytes[100 * KIB];
    char key[HASH_HEX];
    struct err e;
    memset(bytes, 'x', sizeof bytes);
    key_of(n, key);
    assert_true(cache_path(cache, key, "bin", ret_path, &e));
    assert_true(fs_write(ret_path, bytes, (size_t)kib * KIB, &e));
    age(ret_path, used_before);
}

static void a_key_names_a_file_below_its_first_two_letters(void **state)
{
    char key[HASH_HEX], path[CACHE_PATH_MAX], want[CACHE_PATH_MAX];
    struct err e;
    (void)state;
    key_of(1, key);
    assert_true(cache_path(cache, key, "mp4", path, &e));
    snprintf(want, sizeof want, "%s/%.2s/%s.mp4", folder, key, key);
    assert_string_equal(path, want);
    assert_false(cache_touch(path));
    assert_true(fs_write(path, "x", 1, &e));
    assert_true(cache_touch(path));
}

static void an_empty_file_or_a_link_is_no_artifact(void **state)
{
    char path[CACHE_PATH_MAX], link_path[CACHE_PATH_MAX];
    struct err e;
    (void)state;
    artifact(1, 1, 0, path);
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    assert_int_equal(symlink(path, link_path), 0);
    assert_false(cache_touch(link_path));
    assert_true(fs_write(path, "", 0, &e));
    assert_false(cache_touch(path));
}

static void temporary_names_differ_and_keep_the_extension(void **state)
{
    char a[CACHE_PATH_MAX], b[CACHE_PATH_MAX];
    struct err e;
    (void)state;
    assert_true(cache_temp("/some/where/film.one.mp4", a, &e));
    assert_true(cache_temp("/some/where/film.one.mp4", b, &e));
    assert_string_not_equal(a, b);
    assert_true(str_ends(a, ".mp4"));
    assert_true(str_starts(a, "/some/where/."));
}

static void publishing_replaces_whole_files(void **state)
{
    char path[CACHE_PATH_MAX], temp[CACHE_PATH_MAX];
    struct err e;
    (void)state;
    artifact(1, 4, 0, path);
    assert_true(cache_temp(path, temp, &e));
    assert_true(fs_write(temp, "new", 3, &e));
    assert_true(cache_publish(temp, path, &e));
    assert_int_equal(fs_size(path), 3);
    assert_false(fs_exists(temp));
}

static void least_recently_used_files_go_first(void **state)
{
    char oldest[CACHE_PATH_MAX], used[CACHE_PATH_MAX], newer[CACHE_PATH_MAX];
    (void)state;
    artifact(1, 60, 5 * HOUR, used);
    artifact(2, 60, 4 * HOUR, oldest);
    artifact(3, 20, 2 * HOUR, newer);
    assert_true(cache_touch(used)); /* so it is not the oldest any more */
    cache_trim(cache);
    assert_true(fs_exists(used));
    assert_false(fs_exists(oldest));
    assert_true(fs_exists(newer));
}

static void what_was_used_within_the_hour_stays_even_above_the_bound(void **state)
{
    char a[CACHE_PATH_MAX], b[CACHE_PATH_MAX];
    (void)state;
    artifact(1, 90, 60, a);
    artifact(2, 90, 120, b);
    cache_trim(cache);
    assert_true(fs_exists(a));
    assert_true(fs_exists(b));
}

static void below_the_bound_nothing_goes(void **state)
{
    char a[CACHE_PATH_MAX];
    (void)state;
    artifact(1, 50, 300 * DAY, a);
    cache_trim(cache);
    assert_true(fs_exists(a));
}

static void unfinished_files_go_after_a_day(void **state)
{
    static const struct {
        const char *ending;
        int age;
        bool stays;
        const char *why;
    } rows[] = {
        {".mp4.part",           2 * DAY,  false, "a maker was killed"                     },
        {".mp4.part",           2 * HOUR, true,  "a maker may be at it"                   },
        {".1-2-3.tmp.mp4",      2 * DAY,  false, "a maker was killed"                     },
        {".1-2-3.tmp.mp4",      2 * HOUR, true,  "a maker may be at it"                   },
        {".1-2-3.tmp.mp4.part", 2 * DAY,  false, "killed while writing the temporary file"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[CACHE_PATH_MAX], junk[CACHE_PATH_MAX + 32];
        struct err e;
        artifact((int)i, 1, 0, path);
        snprintf(junk, sizeof junk, "%s%s", path, rows[i].ending);
        assert_true(fs_write(junk, "x", 1, &e));
        age(junk, rows[i].age);
        cache_trim(cache);
        if (fs_exists(junk) != rows[i].stays)
            fail_msg("%s: %s", rows[i].ending, rows[i].why);
    }
}

static void files_of_others_are_left_alone(void **state)
{
    char path[CACHE_PATH_MAX];
    char old[CACHE_PATH_MAX];
    struct err e;
    (void)state;
    artifact(1, 90, 2 * DAY, old);
    artifact(2, 90, 3 * DAY, old);
    snprintf(path, sizeof path, "%s/notes.txt", folder);
    assert_true(fs_write(path, "mine", 4, &e));
    age(path, 100 * DAY);
    cache_trim(cache);
    assert_true(fs_exists(path));
}

static void a_deleted_cache_grows_again(void **state)
{
    char key[HASH_HEX], path[CACHE_PATH_MAX];
    struct err e;
    (void)state;
    fs_remove(folder);
    key_of(7, key);
    assert_true(cache_path(cache, key, "bin", path, &e));
    assert_true(fs_write(path, "x", 1, &e));
    fs_remove(folder);
    cache_trim(cache);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_key_names_a_file_below_its_first_two_letters),
        CASE(an_empty_file_or_a_link_is_no_artifact),
        CASE(temporary_names_differ_and_keep_the_extension),
        CASE(publishing_replaces_whole_files),
        CASE(least_recently_used_files_go_first),
        CASE(what_was_used_within_the_hour_stays_even_above_the_bound),
        CASE(below_the_bound_nothing_goes),
        CASE(unfinished_files_go_after_a_day),
        CASE(files_of_others_are_left_alone),
        CASE(a_deleted_cache_grows_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
