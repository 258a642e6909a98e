#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/private_cluster.h"
#include "core/db/private_place.h"
#include "tests/cluster_folder.h"
#include "tests/fixture_db.h"

/* These start real servers, so there are few cases and each proves several things. */

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
    AUTO(cluster_remove_all)
    char *data = cluster_new_folder(0700); /* as root: postgres cannot enter it */
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
    cluster_write_row(url, "kept");

    /* Only the server's user and root may come near. */
    AUTO(free_ptr) char *socket = cluster_socket_of(url);
    AUTO(free_ptr) char *cluster = cluster_place(data);
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
    assert_true(cluster_has_table(joined, "kept"));
    free(joined);

    pid_t server = cluster_postmaster_of(data);
    assert_true(server > 0);
    private_cluster_stop(c);
    assert_int_equal(kill(server, 0), -1); /* not left running */
    assert_int_equal(access(socket, F_OK), -1);

    c = cluster_must_start(data, false);
    assert_true(cluster_has_table(private_cluster_url(c), "kept"));

    /* A copy of the data folder names the same cluster: it must not become a second owner. */
    if (geteuid() == 0) {
        AUTO(free_ptr) char *copy = cluster_new_folder(0700);
        AUTO(free_ptr) char *location = cluster_read_file(data, "postgres.location");
        AUTO(free_ptr) char *path = place_file(copy, "postgres.location");
        assert_true(fs_write(path, location, strlen(location), &e));
        assert_false(private_cluster_start(copy, NULL, NULL, &second, &e));
        assert_int_equal(e.code, ERR_CONFLICT);
        assert_true(cluster_answers(private_cluster_url(c)));
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
            cluster_put(rows[i].name, "data-folder", rows[i].data);
    }
    AUTO(cluster_remove_all) char *data = cluster_new_folder(0700);
    struct private_cluster *c = cluster_must_start(data, true);
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
    cluster_write_row(private_cluster_url(c), "by_the_killed");
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
    AUTO(cluster_remove_all) char *data = cluster_new_folder(0711);
    pid_t child = own_in_child(data);
    AUTO(free_ptr) char *run = cluster_read_file(data, "postgres.run");
    AUTO(free_ptr) char *socket = cluster_socket_of(run);
    pid_t server = cluster_postmaster_of(data);
    assert_true(server > 0);
    kill_child(child);
    struct private_cluster *c =
        cluster_must_start(data, true); /* at once, the old one is still leaving */
    assert_int_not_equal(cluster_postmaster_of(data), server);
    assert_true(is_gone(server));
    assert_true(cluster_has_table(private_cluster_url(c), "by_the_killed"));
    assert_int_equal(access(socket, F_OK), -1); /* its socket folder is gone too */
    private_cluster_stop(c);

    /* Owner and server killed together: recovery. */
    child = own_in_child(data);
    server = cluster_postmaster_of(data);
    kill(server, SIGKILL);
    kill_child(child);
    c = cluster_must_start(data, true);
    assert_true(cluster_has_table(private_cluster_url(c), "by_the_killed"));

    /* The server alone: watch brings it back under the same address. */
    assert_true(private_cluster_watch(c, &(struct err){0}));
    server = cluster_postmaster_of(data);
    kill(server, SIGKILL);
    for (int i = 0; i < 100 && cluster_postmaster_of(data) == server; i++) {
        struct err e = {0};
        if (!private_cluster_watch(c, &e))
            fail_msg("watch: %s", e.detail);
        cancel_wait(NULL, 20);
    }
    assert_int_not_equal(cluster_postmaster_of(data), server);
    assert_true(cluster_answers(private_cluster_url(c)));
    private_cluster_stop(c);
}

/* A kill between initdb and its last step: the half-made folder is thrown away. */
static void test_killed_in_initdb(void **state)
{
    (void)state;
    AUTO(cluster_remove_all) char *data = cluster_new_folder(0711);
    int from, status;
    pid_t child = run_child(data, "initdb.rename", &from);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(from);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(cluster_postmaster_of(data), 0);
    struct private_cluster *c = cluster_must_start(data, true);
    assert_true(cluster_answers(private_cluster_url(c)));
    AUTO(free_ptr) char *pattern = str_printf("ls -d '%s'/postgres.new-* 2>/dev/null", data);
    FILE *f = popen(pattern, "r");
    assert_non_null(f);
    assert_int_equal(fgetc(f), EOF);
    pclose(f);

    /* A stale postmaster.pid that names a living process which is no server of ours: this test
       program. The file stays untouched and the start works. */
    private_cluster_stop(c);
    AUTO(free_ptr) char *cluster = cluster_place(data);
    AUTO(free_ptr) char *path = place_file(cluster, "postmaster.pid");
    FILE *pid_file = fopen(path, "we");
    assert_non_null(pid_file);
    fprintf(pid_file, "%d\n%s\n1700000000\n5432\n/tmp\n\n", (int)getpid(), cluster);
    fclose(pid_file);
    struct stat st;
    assert_int_equal(stat(cluster, &st), 0);
    assert_int_equal(chown(path, st.st_uid, st.st_gid), 0);
    c = cluster_must_start(data, true);
    assert_true(cluster_answers(private_cluster_url(c)));
    private_cluster_stop(c);
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
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_owner_killed),
        cmocka_unit_test(test_killed_in_initdb),
        cmocka_unit_test(test_as_ordinary_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
