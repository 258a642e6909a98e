#include "core/db/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"
#include "core/db/private_place.h"

enum { ENV_MAX = 60, DUMP_MS = 24 * 3600 * 1000, SAID_MAX = 160 };

/* --- how the programs find the database --- */

struct target {
    char *env[ENV_MAX]; /* "PGHOST=..." and so on; NULL behind the last */
    size_t count;
    char *database; /* "--dbname=..." */
};

static void target_free(struct target *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->env[i]);
    free(t->database);
}

static void add_env(struct target *t, const char *name, const char *value)
{
    if (value && *value && t->count < ENV_MAX - 1)
        t->env[t->count++] = str_printf("%s=%s", name, value);
}

/* Asked of a connection that works, so that what the address leaves out is filled in. */
static bool target_read(struct target *t, const char *url, struct err *e)
{
    PGconn *conn = PQconnectdb(url);
    PQconninfoOption *options = PQstatus(conn) == CONNECTION_OK ? PQconninfo(conn) : NULL;
    if (options) {
        add_env(t, "PATH", "/usr/bin:/bin");
        add_env(t, "LC_ALL", "C.UTF-8");
        add_env(t, "HOME", getenv("HOME")); /* certificates have their usual place there */
        for (const PQconninfoOption *o = options; o->keyword; o++)
            if (o->envvar)
                add_env(t, o->envvar, o->val);
        t->database = str_printf("--dbname=%s", PQdb(conn));
    }
    PQconninfoFree(options);
    PQfinish(conn);
    return t->database || err_set(e, ERR_RETRY, "error.database", "no connection for a dump");
}

/* --- the programs --- */

struct newest {
    const char *program;
    int major;
    char *path;
};

static void consider(void *ctx, const char *version)
{
    struct newest *n = ctx;
    int64_t major;
    AUTO(free_ptr) char *path = str_printf("/usr/lib/postgresql/%s/bin/%s", version, n->program);
    if (!str_to_int(version, 1, 999, &major) || major <= n->major || access(path, X_OK) != 0)
        return;
    free(n->path);
    n->path = TAKE(path);
    n->major = (int)major;
}

/* The newest one: it knows the servers before it. */
static char *find_program(const char *program)
{
    struct newest n = {.program = program};
    place_list("/usr/lib/postgresql", consider, &n);
    return n.path ? n.path : str_dup(program);
}

/* What a program said last, on one line. */
static void read_said(int fd, char ret[static SAID_MAX])
{
    off_t end = lseek(fd, 0, SEEK_END);
    ssize_t n = pread(fd, ret, SAID_MAX - 1, MAX(end - (SAID_MAX - 1), 0));
    ret[MAX(n, 0)] = '\0';
    for (char *p = ret; *p; p++)
        if (*p == '\n')
            *p = ' ';
}

static bool ended_well(int status, int said_fd, const char *path, const struct cancel *cancel,
                       struct err *e)
{
    char said[SAID_MAX] = "";
    if (status == 0)
        return true;
    if (cancel_fired(cancel))
        return err_set(e, ERR_CANCELLED, "error.stopping", "%s: stopped", path);
    read_said(said_fd, said);
    if (strstr(said, "No space left") || strstr(said, "Disk quota"))
        return err_set_arg(e, ERR_DISK, "start.disk_full", path, "%s", said);
    return err_set_arg(e, ERR_INPUT, "cli.dump_failed", path, "%s", said);
}

/* argv[0] is a name; what it says goes to a file that is gone from its folder when this returns. */
static bool run(const char **argv, const struct target *t, const char *path,
                const struct cancel *cancel, struct err *e)
{
    AUTO(free_ptr) char *program = find_program(argv[0]);
    char said[] = "/tmp/nanotik-XXXXXX";
    int fd = mkostemp(said, O_CLOEXEC);
    if (fd < 0)
        return err_set_io(e, errno, said, "open");
    AUTO(proc_end) struct proc p = {.to = -1, .from = -1};
    struct proc_options o = {.env = (const char *const *)t->env, .err_path = said};
    argv[0] = program;
    bool ok = proc_start(&p, argv, &o, e);
    if (ok)
        ok = ended_well(proc_wait(&p, DUMP_MS, cancel), fd, path, cancel, e);
    else if (e->code == ERR_NOT_FOUND)
        err_set_arg(e, ERR_CONFIG, "start.no_postgres", "postgresql-client", "no %s", program);
    unlink(said);
    close(fd);
    return ok;
}

/* --- both ways --- */

/* For us alone: it holds what people asked for. */
static bool make_part(const char *part, struct err *e)
{
    unlink(part);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_io(e, errno, part, "create");
    close(fd);
    return true;
}

bool dump_write(const char *url, const char *path, const struct cancel *cancel, struct err *e)
{
    AUTO(free_ptr) char *part = str_printf("%s.part", path);
    AUTO(target_free) struct target t = {0};
    char full[PATH_MAX];
    if (!target_read(&t, url, e) || !make_part(part, e))
        return false;
    /* The program stands in another folder. */
    bool ok = realpath(part, full) || err_set_io(e, errno, part, "find");
    AUTO(free_ptr) char *file = str_printf("--file=%s", ok ? full : part);
    const char *argv[] = {"pg_dump", "--format=custom", "--no-owner", "--no-privileges",
                          file,      t.database,        NULL};
    ok = ok && run(argv, &t, path, cancel, e) && fs_publish(part, path, e);
    if (!ok)
        unlink(part);
    return ok;
}

bool dump_load(const char *url, const char *path, const struct cancel *cancel, struct err *e)
{
    AUTO(target_free) struct target t = {0};
    char full[PATH_MAX];
    if (!realpath(path, full))
        return err_set_io(e, errno, path, "find");
    if (!target_read(&t, url, e))
        return false;
    const char *argv[] = {"pg_restore",
                          "--single-transaction",
                          "--exit-on-error",
                          "--no-owner",
                          "--no-privileges",
                          t.database,
                          full,
                          NULL};
    return run(argv, &t, path, cancel, e);
}
