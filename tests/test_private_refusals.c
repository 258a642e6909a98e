/* A machine on which no private database can be had: the reason is told, and nothing is spoiled. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
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
#include "core/db/private_place.h"
#include "tests/cluster_folder.h"

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
    AUTO(cluster_remove_all) char *data = cluster_new_folder(0711);
    struct err e = {0};
    AUTO(free_ptr) char *cluster = place_file(data, "postgres");
    assert_true(fs_mkdirs(cluster, 0700, &e));
    if (geteuid() == 0) {
        struct passwd *p = getpwnam("postgres");
        assert_non_null(p);
        assert_int_equal(chown(cluster, p->pw_uid, p->pw_gid), 0);
    }
    cluster_put(cluster, "PG_VERSION", "11\n");
    expect_refusal(data, ERR_CONFIG, "start.postgres_version", "made by another major version");
    cluster_put(cluster, "PG_VERSION", "15\n"); /* only that: the server says what is missing */
    expect_refusal(data, ERR_RETRY, "start.database_failed", "a broken data folder");
    fs_remove(cluster);

    cluster_put(data, "postgres.location", "/nonexistent/postgres\n");
    expect_refusal(data, ERR_CONFIG, "start.database_missing", "never an empty one instead");
    cluster_put(data, "postgres.location", "relative\n");
    expect_refusal(data, ERR_CONFIG, "start.database_missing", "not a path");
    AUTO(free_ptr) char *location = place_file(data, "postgres.location");
    unlink(location);

    AUTO(free_ptr) char *file = place_file(data, "file");
    cluster_put(data, "file", "x");
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
    AUTO(cluster_remove_all) char *data = cluster_new_folder(0711);
    small_disk(data, "size=30m");
    expect_refusal(data, ERR_DISK, "start.disk_full", "too little room for a cluster");
    umount2(data, MNT_DETACH);
}

static void test_disk_gets_full(void **state)
{
    (void)state;
    AUTO(cluster_remove_all) char *data = cluster_new_folder(0711);
    small_disk(data, "size=110m");
    struct private_cluster *c = cluster_must_start(data, true);
    cluster_write_row(private_cluster_url(c), "kept");
    private_cluster_stop(c);
    assert_true(fill_up(data));
    expect_refusal(data, ERR_DISK, "start.disk_full", "full");
    AUTO(free_ptr) char *fill = place_file(data, "fill");
    unlink(fill);
    assert_int_equal(mount("tmpfs", data, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    expect_refusal(data, ERR_DISK, "start.data_unusable", "read-only");
    assert_int_equal(mount("tmpfs", data, "tmpfs", MS_REMOUNT, NULL), 0);
    c = cluster_must_start(data, true); /* all is well again, and nothing was lost */
    assert_true(cluster_has_table(private_cluster_url(c), "kept"));
    private_cluster_stop(c);
    umount2(data, MNT_DETACH);
}

/* --- a machine that lacks something --- */

/* In a process of its own, because none of this can be undone. */
struct machine {
    const char *hides;        /* a folder that is empty there */
    bool no_user;             /* root, and there is no user postgres */
    bool ordinary, read_only; /* not root; the data folder may not be written to */
};

enum { REFUSED_RIGHT, REFUSED_WRONG, CANNOT_TRY };

static bool hide(const struct machine *m, const char *data)
{
    AUTO(free_ptr) char *passwd = place_file(data, "passwd");
    if (m->no_user)
        cluster_put(data, "passwd", "root:x:0:0:root:/root:/bin/sh\n");
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           (!m->hides || mount("tmpfs", m->hides, "tmpfs", 0, NULL) == 0) &&
           (!m->no_user || mount(passwd, "/etc/passwd", NULL, MS_BIND, NULL) == 0);
}

static bool become_ordinary(void)
{
    const struct passwd *p = getpwnam("nobody");
    return geteuid() != 0 ||
           (p && setgroups(0, NULL) == 0 && setgid(p->pw_gid) == 0 && setuid(p->pw_uid) == 0);
}

static int try_to_start(const struct machine *m, const char *data, enum err_code code,
                        const char *key, const char *arg)
{
    struct err e = {0};
    struct private_cluster *c = NULL;
    if ((m->hides || m->no_user) && !hide(m, data))
        return CANNOT_TRY;
    if (m->read_only && chmod(data, 0555) != 0)
        return CANNOT_TRY;
    if (m->ordinary && !become_ordinary())
        return CANNOT_TRY;
    setenv("PATH", "/nonexistent", 1);
    if (private_cluster_start_unsafe(data, NULL, &c, &e)) {
        private_cluster_stop(c);
        return REFUSED_WRONG;
    }
    if (e.code == code && strcmp(e.user_key, key) == 0 && strcmp(e.arg, arg) == 0)
        return REFUSED_RIGHT;
    fprintf(stderr, "%s %s %s (%s)\n", err_code_name(e.code), e.user_key, e.arg, e.detail);
    return REFUSED_WRONG;
}

static void test_lacking_machines(void **state)
{
    static const struct {
        struct machine machine;
        enum err_code code;
        const char *key, *arg; /* arg NULL: the data folder */
        const char *why;
    } rows[] = {
        {{.hides = "/usr/lib/postgresql"},
         ERR_CONFIG, "start.no_postgres",
         "postgresql", "not installed"                   },
        {{.no_user = true},
         ERR_CONFIG, "start.no_postgres",
         "postgresql", "root, without the package's user"},
        {{.ordinary = true, .read_only = true},
         ERR_DISK,   "start.data_unusable",
         NULL,         "may not write there"             },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(cluster_remove_all) char *data = cluster_new_folder(0711);
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(try_to_start(&rows[i].machine, data, rows[i].code, rows[i].key,
                               rows[i].arg ? rows[i].arg : data));
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status == CANNOT_TRY << 8)
            print_message("not tried, needs more rights: %s\n", rows[i].why);
        else if (status != REFUSED_RIGHT)
            fail_msg("%s: %d", rows[i].why, status);
    }
}

int main(void)
{
    hash_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_room_at_first),
        cmocka_unit_test(test_disk_gets_full),
        cmocka_unit_test(test_lacking_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
