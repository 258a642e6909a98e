/* `/make @cat.jpg …`: which words are files, and that a fetched one is a copy. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "adapters/terminal/media.h"
#include "core/base/fs.h"
#include "core/base/hash.h"

static char folder[64], start[1024];

static int setup(void **state)
{
    (void)state;
    static const char *const names[] = {"a.jpg", "b B.MP4", "c.txt", "d.png"};
    struct err e = {0};
    hash_setup();
    snprintf(folder, sizeof folder, "/tmp/test-media-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_non_null(getcwd(start, sizeof start));
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_true(fs_write(names[i], names[i], strlen(names[i]), &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(chdir(start), 0);
    fs_remove(folder);
    return 0;
}

static void words_that_are_files(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want; /* want: the rest; NULL: nothing taken */
        size_t count;
        const char *key, *why;
    } rows[] = {
        {"/make @a.jpg how cats sleep",                                                          "/make how cats sleep", 1, NULL,                   "one picture"                  },
        {"/MAKE\t@a.jpg @\"b B.MP4\" 9:16 x",                                                    "/make 9:16 x",         2, NULL,
         "a clip with a blank in its name"                                                                                                                                         },
        {"/make @a.jpg",                                                                         "/make ",               1, NULL,                   "no topic yet: the bot says so"},
        {"/make how @a.jpg sleeps",                                                              NULL,                   0, NULL,                   "only right behind the command"},
        {"/make @c.txt hd",                                                                      NULL,                   0, NULL,                   "a text file is a text"        },
        {"/make -",                                                                              NULL,                   0, NULL,                   "lines that follow"            },
        {"/makes @a.jpg x",                                                                      NULL,                   0, NULL,                   "another command"              },
        {"/help",                                                                                NULL,                   0, NULL,                   "a short one"                  },
        {"/make @no.jpg x",                                                                      NULL,                   0, "error.file_missing",   "not there"                    },
        {"/make @. x",                                                                           NULL,                   0, NULL,                   "no picture by its name"       },
        {"/make @a.jpg @a.jpg @a.jpg @a.jpg @a.jpg @a.jpg @a.jpg @a.jpg @a.jpg @a.jpg @d.png x",
         NULL,                                                                                                           0, "error.too_many_files", "eleven"                       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(media_free) struct media m = {0};
        struct err e = {0};
        bool ok = media_take(rows[i].line, &m, &e);
        if (ok != (rows[i].key == NULL) || (!ok && strcmp(e.user_key, rows[i].key) != 0))
            fail_msg("%s: %s", rows[i].why, e.user_key);
        if (m.count != rows[i].count || !m.line != !rows[i].want ||
            (m.line && strcmp(m.line, rows[i].want) != 0))
            fail_msg("%s: %zu files, '%s'", rows[i].why, m.count, m.line);
    }
}

static void a_copy_is_fetched(void **state)
{
    (void)state;
    AUTO(media_free) struct media m = {0};
    AUTO(free_ptr) char *path = NULL;
    AUTO(free_ptr) char *again = NULL;
    struct err e = {0};
    assert_true(media_take("/make @a.jpg x", &m, &e));
    assert_true(m.names[0][0] == 'p' && m.names[0][2] == '/');
    assert_true(fs_mkdirs("job", 0700, &e));
    assert_true(media_fetch(NULL, m.names[0], "job", NULL, &path, &e));
    assert_int_equal(fs_size(path), 5);
    assert_true(media_fetch(NULL, m.names[0], "job", NULL, &again, &e));
    assert_string_equal(path, again);
    fs_remove("job");
    assert_int_equal(fs_size("a.jpg"), 5);
    static const char *const bad[] = {"p:/nowhere/x.jpg", "x:/etc/passwd", "p", "",
                                      "v:/dev/zero",      "p:/tmp"};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (media_fetch(NULL, bad[i], ".", NULL, &path, &e))
            fail_msg("%s was fetched", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_that_are_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_is_fetched, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
