#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/private_cluster.h"
#include "core/db/private_place.h"
#include "tests/fixture_db.h"

/* These start real servers, so there are few cases and each proves several things. */

static char *new_folder(unsigned mode)
{
    const char *base = getenv("TMPDIR");
    char *path = str_printf("%s/nanotik-pc-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path) || chmod(path, mode) != 0)
        fail_msg("%s", path);
    return path;
}

static char *read_file(const char *folder, const char *name)
{
    AUTO(free_ptr) char *path = place_file(folder, name);
    char *text = NULL;
    struct err e = {0};
    return fs_read(path, 4096, &text, NULL, &e) ? text : NULL;
}

/* Where the cluster went, as a text to free(). */
static char *cluster_of(const char *data)
{
    char *text = read_file(data, "postgres.location");
    if (!text)
        return place_file(data, "postgres");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static char *socket_of(const char *url)
{
    const char *at = url + strlen("host=");
    return str_printf("%.*s", (int)strcspn(at, " "), at);
}

static pid_t postmaster_of(const char *data)
{
    AUTO(free_ptr) char *cluster = cluster_of(data);
    AUTO(free_ptr) char *text = read_file(cluster, "postmaster.pid");
    int64_t pid;
    if (!text)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return str_to_int(text, 2, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

static void put(const char *folder, const char *name, const char *text)
{
    struct err e = {0};
    AUTO(free_ptr) char *path = place_file(folder, name);
    assert_true(fs_write(path, text, strlen(text), &e));
}

static void remove_all(char **data)
{
    AUTO(free_ptr) char *cluster = cluster_of(*data);
    if (str_starts(cluster, "/var/lib/nanotik/")) {
        *strrchr(cluster, '/') = '\0';
        fs_remove(cluster);
    }
    fs_remove(*data);
    free(*data);
    *data = NULL;
}

static bool answers(const char *url)
{
    struct err e = {0};
    struct db *db = NULL;
    bool good = db_open(url, 1, &db, &e) && db_ping(db, &e);
    db_close(db);
    return good;
}

static struct private_cluster *must_start(const char *data, bool unsafe)
{
    struct err e = {0};
    struct private_cluster *c = NULL;
    bool good = unsafe ? private_cluster_start_unsafe(data, NULL, &c, &e)
                       : private_cluster_start(data, NULL, NULL, &c, &e);
    if (!good)
        fail_msg("start: %s (%s %s)", e.detail, e.user_key, e.arg);
    return c;
}

static void write_row(const char *url, const char *table)
{
    struct err e = {0};
    struct db *db = NULL;
    AUTO(free_ptr) char *sql = str_printf("create table if not exists %s()", table);
    assert_true(db_open(url, 1, &db, &e));
    fixture_db_sql(db, sql);
    db_close(db);
}

static bool has_table(const char *url, const char *table)
{
    struct err e = {0};
    struct db *db = NULL;
    AUTO(free_ptr)
    char *sql = str_printf("select count(*) from pg_tables where tablename = '%s'", table);
    assert_true(db_open(url, 1, &db, &e));
    bool there = fixture_db_number(db, sql) == 1;
    db_close(db);
    return there;
}

/* --- start, share, refuse, stop --- */

static int steps_told;

static void on_step(const char *step)
{
    steps_told += strcmp(step, "initdb") == 0 ? 100 : 1;
}

static int64_t setting_is_safe(const char *url)
{
    struct err e = {0};
    struct db *db = NULL;
    assert_true(db_open(url, 1, &db, &e));
    int64_t n = fixture_db_number(
        db, "select count(*) from pg_settings where (name, setting) in (('fsync', 'on'),"
            " ('full_page_writes', 'on'), ('synchronous_commit', 'on'), ('listen_addresses', ''),"
            " ('unix_socket_permissions', '0700'))");
    db_close(db);
    return n;
}

static void test_life(void **state)
{
    (void)state;
    AUTO(remove_all) char *data = new_folder(0700); /* as root: postgres cannot enter it */
    struct err e = {0};
    struct private_cluster *c = NULL, *second = NULL;
    char *joined = NULL;
    assert_false(private_cluster_join(data, &joined, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    if (!private_cluster_start(data, NULL, on_step, &c, &e))
        fail_msg("%s", e.detail);
    assert_true(steps_told >= 101); /* initdb, start */
    const char *url = private_cluster_url(c);
    assert_int_equal(setting_is_safe(url), 5); /* real money, no TCP */
    write_row(url, "kept");

    /* Only the server's user and root may come near. */
    AUTO(free_ptr) char *socket = socket_of(url);
    AUTO(free_ptr) char *cluster = cluster_of(data);
    struct stat st;
    assert_int_equal(stat(socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(cluster, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    if (geteuid() == 0) {
        assert_true(st.st_uid != 0);
        assert_true(str_starts(cluster, "/var/lib/nanotik/"));
    }

    /* A second owner is told, a helper is let in. */
    assert_false(private_cluster_start(data, NULL, NULL, &second, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(e.user_key, "start.data_in_use");
    assert_true(strlen(e.arg) > 0);
    assert_true(private_cluster_join(data, &joined, &e));
    assert_true(has_table(joined, "kept"));
    free(joined);

    pid_t server = postmaster_of(data);
    assert_true(server > 0);
    private_cluster_stop(c);
    assert_int_equal(kill(server, 0), -1); /* not left running */
    assert_int_equal(access(socket, F_OK), -1);

    c = must_start(data, false);
    assert_true(has_table(private_cluster_url(c), "kept"));

    /* A copy of the data folder names the same cluster: it must not become a second owner. */
    if (geteuid() == 0) {
        AUTO(free_ptr) char *copy = new_folder(0700);
        AUTO(free_ptr) char *location = read_file(data, "postgres.location");
        AUTO(free_ptr) char *path = place_file(copy, "postgres.location");
        assert_true(fs_write(path, location, strlen(location), &e));
        assert_false(private_cluster_start(copy, NULL, NULL, &second, &e));
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_true(answers(private_cluster_url(c)));
        fs_remove(copy);
    }
    private_cluster_stop(c);
}

/* As root: data below a folder that postgres cannot enter; what is left of deleted temporary data
   folders is removed, of others never. */
static void test_orphans(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* then every cluster is inside its data folder */
    struct err e = {0};
    static const struct {
        const char *name, *data;
        bool kept;
        const char *why;
    } rows[] = {
        {"/var/lib/nanotik/test-gone",  "/tmp/nanotik-gone/var\n", false, "temporary and gone"   },
        {"/var/lib/nanotik/test-there", "/tmp\n",                  true,  "not below a temporary"},
        {"/var/lib/nanotik/test-disk",  "/mnt/nanotik-gone/var\n", true,  "may come back"        },
        {"/var/lib/nanotik/test-old",   NULL,                      true,  "nobody knows whose"   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(fs_mkdirs(rows[i].name, 0711, &e));
        if (rows[i].data)
            put(rows[i].name, "data-folder", rows[i].data);
    }
    AUTO(remove_all) char *data = new_folder(0700);
    struct private_cluster *c = must_start(data, true);
    private_cluster_stop(c);
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool kept = fs_exists(rows[i].name);
        fs_remove(rows[i].name);
        if (kept != rows[i].kept)
            fail_msg("%s", rows[i].why);
    }
}

/* --- what kills leave --- */

/* A process that ended but was not yet collected (by whoever collects orphans) is gone too. */
static bool is_gone(pid_t pid)
{
    char link[40], at[8];
    snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    return readlink(link, at, sizeof(at)) < 0;
}

/* This program again, as "own FOLDER": owns the cluster until it is killed. */
static int own(const char *data)
{
    struct err e = {0};
    struct private_cluster *c = NULL;
    if (!private_cluster_start_unsafe(data, NULL, &c, &e)) {
        print_error("child: %s\n", e.detail);
        return 1;
    }
    write_row(private_cluster_url(c), "by_the_killed");
    if (write(STDOUT_FILENO, "!", 1) != 1)
        return 1;
    for (;;)
        pause();
}

/* crash_at (may be NULL): where the child is to be killed; *ret_from reads what it writes. */
static pid_t run_child(const char *data, const char *crash_at, int *ret_from)
{
    int pipe_ends[2];
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        if (crash_at)
            setenv("NANOTIK_CRASH_AT", crash_at, 1);
        dup2(pipe_ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test_private_cluster", "own", data, NULL);
        _exit(127);
    }
    close(pipe_ends[1]);
    *ret_from = pipe_ends[0];
    return child;
}

static pid_t own_in_child(const char *data)
{
    char ok;
    int from;
    pid_t child = run_child(data, NULL, &from);
    assert_int_equal(read(from, &ok, 1), 1);
    close(from);
    return child;
}

static void kill_child(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_owner_killed(void **state)
{
    (void)state;
    AUTO(remove_all) char *data = new_folder(0711);
    pid_t child = own_in_child(data);
    AUTO(free_ptr) char *run = read_file(data, "postgres.run");
    AUTO(free_ptr) char *socket = socket_of(run);
    pid_t server = postmaster_of(data);
    assert_true(server > 0);
    kill_child(child);
    struct private_cluster *c = must_start(data, true); /* at once, the old one is still leaving */
    assert_int_not_equal(postmaster_of(data), server);
    assert_true(is_gone(server));
    assert_true(has_table(private_cluster_url(c), "by_the_killed"));
    assert_int_equal(access(socket, F_OK), -1); /* its socket folder is gone too */
    private_cluster_stop(c);

    /* Owner and server killed together: recovery. */
    child = own_in_child(data);
    server = postmaster_of(data);
    kill(server, SIGKILL);
    kill_child(child);
    c = must_start(data, true);
    assert_true(has_table(private_cluster_url(c), "by_the_killed"));

    /* The server alone: watch brings it back under the same address. */
    assert_true(private_cluster_watch(c, &(struct err){0}));
    server = postmaster_of(data);
    kill(server, SIGKILL);
    for (int i = 0; i < 100 && postmaster_of(data) == server; i++) {
        struct err e = {0};
        if (!private_cluster_watch(c, &e))
            fail_msg("watch: %s", e.detail);
        cancel_wait(NULL, 20);
    }
    assert_int_not_equal(postmaster_of(data), server);
    assert_true(answers(private_cluster_url(c)));
    private_cluster_stop(c);
}

/* A kill between initdb and its last step: the half-made folder is thrown away. */
static void test_killed_in_initdb(void **state)
{
    (void)state;
    AUTO(remove_all) char *data = new_folder(0711);
    int from, status;
    pid_t child = run_child(data, "initdb.rename", &from);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(from);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(postmaster_of(data), 0);
    struct private_cluster *c = must_start(data, true);
    assert_true(answers(private_cluster_url(c)));
    AUTO(free_ptr) char *pattern = str_printf("ls -d '%s'/postgres.new-* 2>/dev/null", data);
    FILE *f = popen(pattern, "r");
    assert_non_null(f);
    assert_int_equal(fgetc(f), EOF);
    pclose(f);

    /* A stale postmaster.pid that names a living process which is no server of ours: this test
       program. The file stays untouched and the start works. */
    private_cluster_stop(c);
    AUTO(free_ptr) char *cluster = cluster_of(data);
    AUTO(free_ptr) char *path = place_file(cluster, "postmaster.pid");
    FILE *pid_file = fopen(path, "we");
    assert_non_null(pid_file);
    fprintf(pid_file, "%d\n%s\n1700000000\n5432\n/tmp\n\n", (int)getpid(), cluster);
    fclose(pid_file);
    struct stat st;
    assert_int_equal(stat(cluster, &st), 0);
    assert_int_equal(chown(path, st.st_uid, st.st_gid), 0);
    c = must_start(data, true);
    assert_true(answers(private_cluster_url(c)));
    private_cluster_stop(c);
}

/* --- refusals --- */

static void expect_refusal(const char *data, enum err_code code, const char *key, const char *why)
{
    struct err e = {0};
    struct private_cluster *c = NULL;
    if (private_cluster_start_unsafe(data, NULL, &c, &e)) {
        private_cluster_stop(c);
        fail_msg("started: %s", why);
    }
    if (e.code != code || strcmp(e.user_key, key) != 0)
        fail_msg("%s: %s %s (%s)", why, err_code_name(e.code), e.user_key, e.detail);
}

static void test_refusals(void **state)
{
    (void)state;
    AUTO(remove_all) char *data = new_folder(0711);
    struct err e = {0};
    AUTO(free_ptr) char *cluster = place_file(data, "postgres");
    assert_true(fs_mkdirs(cluster, 0700, &e));
    if (geteuid() == 0) {
        struct passwd *p = getpwnam("postgres");
        assert_non_null(p);
        assert_int_equal(chown(cluster, p->pw_uid, p->pw_gid), 0);
    }
    put(cluster, "PG_VERSION", "11\n");
    expect_refusal(data, ERR_CONFIG, "start.postgres_version", "made by another major version");
    put(cluster, "PG_VERSION", "15\n"); /* only that: the server says what is missing */
    expect_refusal(data, ERR_RETRY, "start.database_failed", "a broken data folder");
    fs_remove(cluster);

    put(data, "postgres.location", "/nonexistent/postgres\n");
    expect_refusal(data, ERR_CONFIG, "start.database_missing", "never an empty one instead");
    put(data, "postgres.location", "relative\n");
    expect_refusal(data, ERR_CONFIG, "start.database_missing", "not a path");
    AUTO(free_ptr) char *location = place_file(data, "postgres.location");
    unlink(location);

    AUTO(free_ptr) char *file = place_file(data, "file");
    put(data, "file", "x");
    expect_refusal(file, ERR_DISK, "start.data_unusable", "the data folder is a file");
    expect_refusal("/proc/nanotik", ERR_DISK, "start.data_unusable", "a place without writing");

    struct cancel stop;
    struct private_cluster *c = NULL;
    cancel_init(&stop, NULL);
    cancel_fire(&stop);
    assert_false(private_cluster_start(data, &stop, NULL, &c, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
}

/* --- a full and a read-only disk --- */

static bool fill_up(const char *folder)
{
    AUTO(free_ptr) char *path = place_file(folder, "fill");
    static char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    for (size_t n = sizeof(block); n > 0; n /= 2)
        while (write(fd, block, n) > 0)
            ;
    close(fd);
    return true;
}

static void small_disk(const char *folder, const char *size)
{
    if (geteuid() != 0 || mount("tmpfs", folder, "tmpfs", 0, size) != 0) {
        rmdir(folder);
        skip(); /* needs the right to mount */
    }
    if (chmod(folder, 0711) != 0)
        fail_msg("%s", folder);
}

static void test_no_room_at_first(void **state)
{
    (void)state;
    AUTO(remove_all) char *data = new_folder(0711);
    small_disk(data, "size=30m");
    expect_refusal(data, ERR_DISK, "start.disk_full", "too little room for a cluster");
    umount2(data, MNT_DETACH);
}

static void test_disk_gets_full(void **state)
{
    (void)state;
    AUTO(remove_all) char *data = new_folder(0711);
    small_disk(data, "size=110m");
    struct private_cluster *c = must_start(data, true);
    write_row(private_cluster_url(c), "kept");
    private_cluster_stop(c);
    assert_true(fill_up(data));
    expect_refusal(data, ERR_DISK, "start.disk_full", "full");
    AUTO(free_ptr) char *fill = place_file(data, "fill");
    unlink(fill);
    assert_int_equal(mount("tmpfs", data, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    expect_refusal(data, ERR_DISK, "start.data_unusable", "read-only");
    assert_int_equal(mount("tmpfs", data, "tmpfs", MS_REMOUNT, NULL), 0);
    c = must_start(data, true); /* all is well again, and nothing was lost */
    assert_true(has_table(private_cluster_url(c), "kept"));
    private_cluster_stop(c);
    umount2(data, MNT_DETACH);
}

/* As root the server runs as another user; as an ordinary user it runs as that user. */
static void test_as_ordinary_user(void **state)
{
    (void)state;
    struct passwd *p = getpwnam("nobody");
    int self = open("/proc/self/exe", O_RDONLY);
    int status;
    if (geteuid() != 0 || !p)
        skip(); /* then all the others have shown it */
    assert_true(self >= 0);
    pid_t child = fork();
    if (child == 0) {
        char *const argv[] = {"test_private_cluster", "life", NULL};
        char *const env[] = {"PATH=/usr/bin:/bin", NULL};
        dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO); /* failures are told on stderr */
        if (chdir("/") == 0 && setgroups(0, NULL) == 0 && setgid(p->pw_gid) == 0 &&
            setuid(p->pw_uid) == 0)
            fexecve(self, argv, env);
        _exit(127);
    }
    close(self);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    hash_setup();
    const struct CMUnitTest life[] = {cmocka_unit_test(test_life)};
    if (argc == 2 && strcmp(argv[1], "life") == 0)
        return cmocka_run_group_tests(life, NULL, NULL);
    if (argc == 3 && strcmp(argv[1], "own") == 0)
        return own(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),           cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_owner_killed),   cmocka_unit_test(test_killed_in_initdb),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_no_room_at_first),
        cmocka_unit_test(test_disk_gets_full), cmocka_unit_test(test_as_ordinary_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
