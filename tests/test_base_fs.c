/* fs: files are whole or not there. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fs.h"

static char folder[256];

static const char *at(const char *name)
{
    static _Thread_local char path[4][512];
    static _Thread_local unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, 512, "%s/%s", folder, name);
    return p;
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void put(const char *path, const char *text)
{
    struct err e;
    if (!fs_write(path, text, strlen(text), &e))
        fail_msg("%s", e.detail);
}

static void assert_content(const char *path, const char *want)
{
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    struct err e;
    if (!fs_read(path, 1 << 20, &text, &len, &e))
        fail_msg("%s", e.detail);
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
}

static void folders_are_made(void **state)
{
    (void)state;
    struct err e;
    assert_true(fs_mkdirs(at("a/b/c"), 0700, &e));
    assert_true(fs_mkdirs(at("a/b/c/"), 0700, &e));
    assert_true(fs_mkdirs(at("a//d"), 0700, &e));
    assert_true(fs_mkdirs("/", 0700, &e));
    assert_true(fs_mkdirs(".", 0700, &e));
    struct stat st;
    assert_int_equal(stat(at("a/b"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    put(at("a/file"), "x");
    assert_false(fs_mkdirs(at("a/file"), 0700, &e));
    assert_int_equal(e.code, ERR_DISK);
    assert_false(fs_mkdirs(at("a/file/b"), 0700, &e));
    assert_non_null(strstr(e.detail, "a/file"));
    assert_false(fs_mkdirs("", 0700, &e));
    char longer[5000];
    memset(longer, 'x', sizeof(longer));
    longer[4999] = '\0';
    assert_false(fs_mkdirs(longer, 0700, &e));
}

static void reading_is_bounded(void **state)
{
    (void)state;
    put(at("ten"), "0123456789");
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    struct err e;
    assert_true(fs_read(at("ten"), 10, &text, &len, &e));
    assert_string_equal(text, "0123456789");
    assert_int_equal(len, 10);
    char *other = (char *)1;
    assert_false(fs_read(at("ten"), 9, &other, &len, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(fs_read(at("none"), 9, &other, &len, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.detail, "none"));
    assert_false(fs_read(at("ten/x"), 9, &other, &len, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(fs_read(folder, 9, &other, &len, &e));
    assert_false(fs_read("/dev/zero", 9, &other, &len, &e)); /* would never end */
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_false(fs_read(at("fifo"), 9, &other, &len, &e)); /* would wait for ever */
    assert_ptr_equal(other, (char *)1);
    assert_int_equal(len, 10);
    /* Files of /proc say that they have 0 bytes. */
    AUTO(free_ptr) char *status = NULL;
    assert_true(fs_read("/proc/self/status", 1 << 16, &status, NULL, &e));
    assert_non_null(strstr(status, "Pid:"));
    assert_false(fs_read("/proc/self/status", 20, &other, NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    put(at("empty"), "");
    AUTO(free_ptr) char *empty = NULL;
    assert_true(fs_read(at("empty"), 0, &empty, NULL, &e));
    assert_string_equal(empty, "");
}

static void writing_replaces_at_once(void **state)
{
    (void)state;
    struct err e;
    assert_true(fs_mkdirs(at("w"), 0700, &e));
    put(at("w/f"), "old");
    put(at("w/f"), "new");
    assert_content(at("w/f"), "new");
    assert_int_equal(entries(at("w")), 1);
    assert_false(fs_write(at("missing/f"), "x", 1, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(mkdir(at("w/dir"), 0700), 0);
    assert_false(fs_write(at("w/dir"), "x", 1, &e));
    assert_int_equal(entries(at("w")), 2); /* and no part is left */
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct err e;
    assert_true(fs_mkdirs(at("full"), 0700, &e));
    put(at("full/f"), "old");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit small = {5000, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    static char big[10000];
    bool ok = fs_write(at("full/f"), big, sizeof(big), &e);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_false(ok);
    assert_int_equal(e.code, ERR_DISK);
    assert_content(at("full/f"), "old");
    assert_int_equal(entries(at("full")), 1);
}

/* In a child with its own mounts: a file system of 64 KiB. 0 good, 77 not allowed here. */
static int on_a_full_disk(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mkdir(at("tiny"), 0700) != 0 || mount("none", at("tiny"), "tmpfs", 0, "size=64k") != 0)
        return 77;
    struct err e = {0};
    static char big[200000];
    if (!fs_write(at("tiny/f"), "old", 3, &e) || fs_free_bytes(at("tiny")) > 65536)
        return 1;
    if (fs_write(at("tiny/f"), big, sizeof(big), &e) || e.code != ERR_DISK ||
        !strstr(e.detail, "No space left") || strcmp(e.user_key, "error.disk") != 0)
        return 2;
    if (fs_size(at("tiny/f")) != 3 || entries(at("tiny")) != 1)
        return 3;
    if (mount("none", at("tiny"), NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
        return 77;
    if (fs_write(at("tiny/f"), "x", 1, &e) || e.code != ERR_DISK)
        return 4;
    if (fs_mkdirs(at("tiny/new"), 0700, &e) || e.code != ERR_DISK ||
        !fs_mkdirs(at("tiny"), 0700, &e))
        return 5;
    return 0;
}

static void full_and_read_only_disks(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(on_a_full_disk());
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void publishing(void **state)
{
    (void)state;
    struct err e;
    assert_true(fs_mkdirs(at("p"), 0700, &e));
    put(at("p/x.part"), "whole");
    assert_true(fs_publish(at("p/x.part"), at("p/x"), &e));
    assert_content(at("p/x"), "whole");
    assert_false(fs_exists(at("p/x.part")));
    assert_false(fs_publish(at("p/none.part"), at("p/x"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_content(at("p/x"), "whole");
    assert_int_equal(chdir(at("p")), 0);
    put("plain-name", "x"); /* no slash: its folder is the current one */
    assert_content(at("p/plain-name"), "x");
    assert_int_equal(chdir("/"), 0);
}

static void *write_often(void *arg)
{
    struct err e;
    for (int i = 0; i < 40; i++)
        if (!fs_write(at("race/f"), arg, strlen(arg), &e))
            return arg;
    return NULL;
}

static void writers_of_one_path_do_not_mix(void **state)
{
    (void)state;
    struct err e;
    assert_true(fs_mkdirs(at("race"), 0700, &e));
    static char texts[2][5001];
    memset(texts[0], 'a', 5000);
    memset(texts[1], 'b', 3000);
    put(at("race/f"), texts[0]);
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_often, texts[i]), 0);
    for (int i = 0; i < 200; i++) {
        AUTO(free_ptr) char *seen = NULL;
        if (!fs_read(at("race/f"), 1 << 16, &seen, NULL, &e))
            fail_msg("%s", e.detail);
        assert_true(strcmp(seen, texts[0]) == 0 || strcmp(seen, texts[1]) == 0);
    }
    for (int i = 0; i < 2; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(entries(at("race")), 1);
}

static void removing(void **state)
{
    (void)state;
    struct err e;
    assert_true(fs_mkdirs(at("r/a/b"), 0700, &e));
    assert_true(fs_mkdirs(at("keep"), 0700, &e));
    put(at("keep/me"), "x");
    put(at("r/a/file"), "x");
    assert_int_equal(symlink(at("keep"), at("r/a/link")), 0);
    assert_int_equal(symlink("/nowhere", at("r/a/b/dangling")), 0);
    fs_remove(at("r"));
    assert_false(fs_exists(at("r")));
    assert_content(at("keep/me"), "x"); /* behind the link */
    assert_int_equal(symlink(at("keep"), at("link")), 0);
    fs_remove(at("link"));
    assert_content(at("keep/me"), "x");
    fs_remove(at("keep/me"));
    assert_false(fs_exists(at("keep/me")));
    fs_remove(at("keep/me"));
}

static void sizes(void **state)
{
    (void)state;
    put(at("three"), "abc");
    assert_int_equal(fs_size(at("three")), 3);
    assert_int_equal(fs_size(at("nothing")), -1);
    assert_int_equal(fs_size(folder), -1);
    assert_true(fs_exists(folder) && fs_exists(at("three")) && !fs_exists(at("nothing")));
    assert_true(fs_free_bytes(folder) >= 0);
    assert_int_equal(fs_free_bytes(at("nothing")), -1);
}

static int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/fs.XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    fs_remove(folder);
    return fs_exists(folder) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(reading_is_bounded),
        cmocka_unit_test(writing_replaces_at_once),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(full_and_read_only_disks),
        cmocka_unit_test(publishing),
        cmocka_unit_test(writers_of_one_path_do_not_mix),
        cmocka_unit_test(removing),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests_name("base_fs", tests, make_folder, remove_folder);
}
