/* The server of a private cluster as a process: an earlier one that has not left, start, end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/private_cluster_internal.h"

#define LOG_MODULE "database"

enum {
    READY_MS = 180000,   /* recovery of a large log may take minutes */
    LEFTOVER_MS = 60000, /* for an old server and its children to leave */
    ASK_OLD_MS = 3000,   /* then it is asked to stop ... */
    TELL_OLD_MS = 20000, /* ... and then told */
    OTHER_TRIES = 3,
    STOP_MS = 30000,
    LOG_MAX = 8 << 20,
};

void server_tell(struct private_cluster *c, const char *step)
{
    if (c->on_step)
        c->on_step(step);
}

/* --- what the server said --- */

/* The end of its log, from byte `from`, on one line; "" when there is none. */
static void log_tail(const struct private_cluster *c, int64_t from, char *ret, size_t size)
{
    *ret = '\0';
    int fd = open(c->place.log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    int64_t end = lseek(fd, 0, SEEK_END);
    int64_t start = MAX(from, end - (int64_t)size + 1);
    ssize_t n = pread(fd, ret, size - 1, start);
    close(fd);
    ret[MAX(n, 0)] = '\0';
    for (char *p = ret; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
}

bool server_fail(const struct private_cluster *c, int64_t from, const char *what, struct err *e)
{
    char tail[300];
    log_tail(c, from, tail, sizeof(tail));
    if (strstr(tail, "No space left") || strstr(tail, "Disk quota"))
        return err_set_arg(e, ERR_DISK, "start.disk_full", c->place.data, "%s: %s", what, tail);
    if (strstr(tail, "Read-only file system") || strstr(tail, "Permission denied"))
        return err_set_arg(e, ERR_DISK, "start.data_unusable", c->place.data, "%s: %s", what, tail);
    return err_set_arg(e, ERR_RETRY, "start.database_failed", c->place.data, "%s: %s", what, tail);
}

/* One old log is kept. */
static void rotate_log(const struct private_cluster *c)
{
    if (fs_size(c->place.log) < LOG_MAX)
        return;
    AUTO(free_ptr) char *old = str_printf("%s.old", c->place.log);
    if (rename(c->place.log, old) != 0)
        log_warn("rename %s: %m", c->place.log);
}

/* --- an earlier server that has not left yet --- */

/* The process that postmaster.pid names, 0 when it names none or that is gone. */
static pid_t noted_pid(const struct private_cluster *c)
{
    AUTO(free_ptr) char *path = place_file(c->place.cluster, "postmaster.pid");
    AUTO(free_ptr) char *text = NULL;
    struct err ignored = {0};
    int64_t pid;
    if (!fs_read(path, 4096, &text, NULL, &ignored))
        return 0;
    text[strcspn(text, "\n")] = '\0';
    if (!str_to_int(text, 2, INT_MAX, &pid) || (kill((pid_t)pid, 0) != 0 && errno == ESRCH))
        return 0;
    return (pid_t)pid;
}

/* A server stands in its own data folder; another process that got the same number does not. */
static bool is_our_server(const struct private_cluster *c, pid_t pid)
{
    char link[64], at[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
    ssize_t n = readlink(link, at, sizeof(at) - 1);
    if (n < 0)
        return false;
    at[n] = '\0';
    AUTO(free_ptr) char *cluster = realpath(c->place.cluster, NULL);
    return cluster && strcmp(at, cluster) == 0;
}

/* True while an old server lives. We hold the lock, so it has no owner: after a while it is asked
   to stop. */
static bool old_server_lives(const struct private_cluster *c, int64_t since, int *asked)
{
    pid_t pid = noted_pid(c);
    if (!pid || !is_our_server(c, pid))
        return false;
    int64_t waited = db_now_ms() - since;
    if (waited > ASK_OLD_MS && *asked == 0) {
        log_warn("an earlier server (%d) is still there: asking it to stop", (int)pid);
        kill(pid, SIGINT);
        *asked = 1;
    } else if (waited > TELL_OLD_MS && *asked == 1) {
        kill(pid, SIGQUIT);
        *asked = 2;
    }
    return true;
}

/* --- start --- */

static bool spawn(struct private_cluster *c, struct err *e)
{
    static const char *const usual[] = {
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "port=5432",
        "max_connections=40",
        "shared_buffers=16MB",
        "max_wal_size=256MB",
        "min_wal_size=32MB",
        "max_parallel_workers=0",
        "max_logical_replication_workers=0",
        "jit=off",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_checkpoints=off",
        "client_connection_check_interval=5s",
    };
    enum { ARGS_MAX = 2 * (COUNT(usual) + SETTINGS_MAX) + 16 };
    AUTO(free_ptr) char *program = place_file(c->place.bin, "postgres");
    AUTO(free_ptr) char *socket = str_printf("unix_socket_directories=%s", c->place.socket_dir);
    const char *argv[ARGS_MAX] = {program, "-D", c->place.cluster, "-c", socket};
    size_t n = 5;
    for (size_t i = 0; i < COUNT(usual); i++) {
        argv[n++] = "-c";
        argv[n++] = usual[i];
    }
    for (size_t i = 0; i < c->setting_count; i++) {
        argv[n++] = "-c";
        argv[n++] = c->settings[i];
    }
    /* A stale postmaster.pid may name a living process or thread that is no server (small numbers
       in containers). It must not be deleted; the server overlooks the pid that this names. */
    pid_t stale = noted_pid(c);
    char overlook[40];
    snprintf(overlook, sizeof(overlook), "PG_GRANDPARENT_PID=%d", (int)stale);
    const char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", stale ? overlook : NULL, NULL};
    rotate_log(c);
    struct proc_options o = {.env = env,
                             .user = *c->place.user ? c->place.user : NULL,
                             .err_path = c->place.log,
                             .death_signal = SIGINT}; /* = fast stop */
    return proc_start(&c->server, argv, &o, e);
}

enum ready { READY, EXITED, NOT_READY };

static enum ready wait_ready(struct private_cluster *c)
{
    int64_t begin = db_now_ms();
    bool told = false;
    AUTO(free_ptr)
    char *probe =
        str_printf("host=%s user=nanotik dbname=postgres connect_timeout=2", c->place.socket_dir);
    while (db_now_ms() - begin < READY_MS) {
        if (proc_wait(&c->server, 0, NULL) != -1)
            return EXITED;
        if (PQping(probe) == PQPING_OK)
            return READY;
        if (!told && db_now_ms() - begin > 1000) {
            server_tell(c, "recover");
            told = true;
        }
        if (cancel_wait(c->cancel, 30))
            return NOT_READY;
    }
    return NOT_READY;
}

/* These pass when the old server's last children have left. */
static bool passes_by_itself(const struct private_cluster *c, int64_t from)
{
    char tail[600];
    log_tail(c, from, tail, sizeof(tail));
    return !strstr(tail, "No space left") &&
           (strstr(tail, "lock file") || strstr(tail, "shared memory block"));
}

/* Before each try: an old server must have left. */
static bool wait_for_old(struct private_cluster *c, int64_t begin, struct err *e)
{
    int asked = 0;
    while (old_server_lives(c, begin, &asked)) {
        if (db_now_ms() - begin > LEFTOVER_MS)
            return err_set_arg(e, ERR_CONFLICT, "start.data_in_use", c->place.data,
                               "an earlier server does not stop");
        if (cancel_wait(c->cancel, 100))
            break;
    }
    return true;
}

bool server_start(struct private_cluster *c, struct err *e)
{
    int64_t begin = db_now_ms();
    server_tell(c, "start");
    for (int others = 0;;) {
        if (!wait_for_old(c, begin, e))
            return false;
        if (cancel_fired(c->cancel))
            return err_set(e, ERR_CANCELLED, "error.stopping", "start of the server stopped");
        int64_t from = MAX(fs_size(c->place.log), 0);
        if (!spawn(c, e))
            return false;
        enum ready r = wait_ready(c);
        if (r == READY)
            return true;
        proc_end(&c->server);
        if (cancel_fired(c->cancel))
            continue;
        if (r == NOT_READY)
            return server_fail(c, from, "the server did not get ready", e);
        if (!passes_by_itself(c, from))
            others++;
        if (others == OTHER_TRIES || db_now_ms() - begin > LEFTOVER_MS)
            return server_fail(c, from, "the server does not start", e);
        cancel_wait(c->cancel, 100);
    }
}

void server_stop(struct private_cluster *c)
{
    if (c->server.pid <= 0)
        return;
    kill(c->server.pid, SIGINT);
    if (proc_wait(&c->server, STOP_MS, NULL) == -1) {
        log_warn("the database server does not stop: told to quit");
        kill(c->server.pid, SIGQUIT);
        proc_wait(&c->server, STOP_MS / 6, NULL);
    }
    proc_end(&c->server);
}
