#include "core/db/private_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/crash.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/private_place.h"

#define LOG_MODULE "database"

enum {
    SETTINGS_MAX = 32,
    INIT_MS = 120000,
    READY_MS = 180000,   /* recovery of a large log may take minutes */
    LEFTOVER_MS = 60000, /* for an old server and its children to leave */
    ASK_OLD_MS = 3000,   /* then it is asked to stop ... */
    TELL_OLD_MS = 20000, /* ... and then told */
    OTHER_TRIES = 3,
    STOP_MS = 30000,
    INIT_ROOM = 80 << 20, /* a fresh cluster has 39 MB and a first WAL segment */
    LOG_MAX = 8 << 20,
};

struct private_cluster {
    struct place place;
    struct proc server;
    const struct cancel *cancel;
    void (*on_step)(const char *step);
    bool unsafe;
    const char *settings[SETTINGS_MAX]; /* the tests' own, borrowed for the cluster's life */
    size_t setting_count;
};

static void tell(struct private_cluster *c, const char *step)
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

static bool fail_with_log(const struct private_cluster *c, int64_t from, const char *what,
                          struct err *e)
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

/* --- initdb: in a folder beside, renamed when it is whole --- */

static void remove_if_half_made(void *ctx, const char *name)
{
    const struct private_cluster *c = ctx;
    const char *slash = strrchr(c->place.cluster, '/');
    AUTO(free_ptr) char *prefix = str_printf("%s.new-", slash + 1);
    AUTO(free_ptr)
    char *path = str_printf("%.*s/%s", (int)(slash - c->place.cluster), c->place.cluster, name);
    if (str_starts(name, prefix))
        fs_remove(path);
}

static bool run_initdb(struct private_cluster *c, const char *folder, struct err *e)
{
    AUTO(free_ptr) char *program = place_file(c->place.bin, "initdb");
    const char *argv[16] = {program,
                            "-D",
                            folder,
                            "-A",
                            "trust",
                            "-U",
                            "nanotik",
                            "-E",
                            "UTF8",
                            "--locale=C.UTF-8",
                            "--no-instructions"};
    if (c->unsafe)
        argv[11] = "--no-sync";
    int64_t from = MAX(fs_size(c->place.log), 0);
    AUTO(proc_end) struct proc p = {.to = -1, .from = -1};
    struct proc_options o = {.user = *c->place.user ? c->place.user : NULL,
                             .err_path = c->place.log};
    if (!proc_start(&p, argv, &o, e))
        return false;
    int status = proc_wait(&p, INIT_MS, c->cancel);
    if (cancel_fired(c->cancel))
        return err_set(e, ERR_CANCELLED, "error.stopping", "initdb stopped");
    return status == 0 || fail_with_log(c, from, "initdb failed", e);
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool make_cluster(struct private_cluster *c, struct err *e)
{
    const struct place *p = &c->place;
    AUTO(free_ptr) char *parent = str_dup(p->cluster);
    *strrchr(parent, '/') = '\0';
    int64_t room = fs_free_bytes(parent);
    if (room >= 0 && room < INIT_ROOM)
        return err_set_arg(e, ERR_DISK, "start.disk_full", p->data, "%s: %lld bytes free", parent,
                           (long long)room);
    tell(c, "initdb");
    place_list(parent, remove_if_half_made, c);
    AUTO(free_ptr) char *folder = str_printf("%s.new-XXXXXX", p->cluster);
    if (!mkdtemp(folder) || (*p->user && chown(folder, p->uid, p->gid) != 0))
        return err_set_arg(e, ERR_DISK, "start.data_unusable", p->data, "%s: %m", folder);
    if (!run_initdb(c, folder, e)) {
        fs_remove(folder);
        return false;
    }
    crash_at("initdb.rename");
    rmdir(p->cluster); /* an empty folder of that name is no database */
    if (rename(folder, p->cluster) != 0 || !sync_folder(parent)) {
        err_set_arg(e, ERR_DISK, "start.data_unusable", p->data, "rename to %s: %m", p->cluster);
        fs_remove(folder);
        return false;
    }
    return place_settled(&c->place, e);
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
            tell(c, "recover");
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

static bool start_server(struct private_cluster *c, struct err *e)
{
    int64_t begin = db_now_ms();
    tell(c, "start");
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
            return fail_with_log(c, from, "the server did not get ready", e);
        if (!passes_by_itself(c, from))
            others++;
        if (others == OTHER_TRIES || db_now_ms() - begin > LEFTOVER_MS)
            return fail_with_log(c, from, "the server does not start", e);
        cancel_wait(c->cancel, 100);
    }
}

/* The database in it; made here so that a kill between initdb and now heals. */
static bool ensure_database(struct private_cluster *c, struct err *e)
{
    AUTO(free_ptr)
    char *url = str_printf("host=%s user=nanotik dbname=postgres", c->place.socket_dir);
    struct db_params params;
    struct db_conn conn = {0};
    PGresult *res = NULL;
    if (!db_params_make(url, &params, e))
        return false;
    bool good = conn_open(&conn, &params, c->cancel, e) &&
                conn_simple(&conn, "select 1 from pg_database where datname='nanotik'",
                            DB_STATEMENT_MS, c->cancel, &res, e) == TX_GOOD;
    if (good && PQntuples(res) == 0) /* a slow disk may need more than a statement's usual time */
        good =
            conn_simple(&conn, "set statement_timeout=0", DB_STATEMENT_MS, c->cancel, NULL, e) ==
                TX_GOOD &&
            conn_simple(&conn, "create database nanotik", INIT_MS, c->cancel, NULL, e) == TX_GOOD;
    PQclear(res);
    conn_close(&conn);
    db_params_free(&params);
    return good;
}

/* --- the public side --- */

static bool start(struct private_cluster *c, const char *data, struct private_cluster **ret,
                  struct err *e)
{
    c->server = (struct proc){.to = -1, .from = -1};
    if (place_open(data, &c->place, e)) {
        if ((!c->place.is_new || make_cluster(c, e)) && start_server(c, e) &&
            ensure_database(c, e)) {
            *ret = c;
            return true;
        }
        private_cluster_stop(c);
        return false;
    }
    free(c);
    return false;
}

static struct private_cluster *make(void)
{
    struct private_cluster *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    return c;
}

bool private_cluster_start(const char *data, const struct cancel *cancel,
                           void (*on_step)(const char *step), struct private_cluster **ret,
                           struct err *e)
{
    struct private_cluster *c = make();
    c->cancel = cancel;
    c->on_step = on_step;
    return start(c, data, ret, e);
}

bool private_cluster_start_unsafe(const char *data, const char *const *settings,
                                  struct private_cluster **ret, struct err *e)
{
    struct private_cluster *c = make();
    c->unsafe = true;
    c->settings[c->setting_count++] = "fsync=off";
    c->settings[c->setting_count++] = "full_page_writes=off";
    for (; settings && *settings && c->setting_count < SETTINGS_MAX; settings++)
        c->settings[c->setting_count++] = *settings;
    return start(c, data, ret, e);
}

const char *private_cluster_url(const struct private_cluster *c)
{
    return c->place.url;
}

bool private_cluster_watch(struct private_cluster *c, struct err *e)
{
    if (c->server.pid > 0) {
        int status = proc_wait(&c->server, 0, NULL);
        if (status == -1)
            return true;
        log_warn("the database server ended (status %d): starting it again", status);
        proc_end(&c->server);
    }
    return start_server(c, e);
}

void private_cluster_stop(struct private_cluster *c)
{
    if (!c)
        return;
    if (c->server.pid > 0) {
        kill(c->server.pid, SIGINT);
        if (proc_wait(&c->server, STOP_MS, NULL) == -1) {
            log_warn("the database server does not stop: told to quit");
            kill(c->server.pid, SIGQUIT);
            proc_wait(&c->server, STOP_MS / 6, NULL);
        }
        proc_end(&c->server);
    }
    place_close(&c->place);
    free(c);
}

/* The owner holds the lock, so getting it means that nobody is there. */
bool private_cluster_join(const char *data, char **ret_url, struct err *e)
{
    AUTO(free_ptr) char *lock = place_file(data, "lock");
    AUTO(free_ptr) char *run = place_file(data, "postgres.run");
    AUTO(free_ptr) char *text = NULL;
    struct err ignored = {0};
    int fd = open(lock, O_RDONLY | O_CLOEXEC);
    bool free_now = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    if (free_now || !fs_read(run, 512, &text, NULL, &ignored) || !str_starts(text, "host=/"))
        return err_set_arg(e, ERR_NOT_FOUND, "start.not_running", data, "nobody serves %s", data);
    *ret_url = TAKE(text);
    return true;
}
