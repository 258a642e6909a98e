#include "core/db/private_cluster.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/crash.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/private_cluster_internal.h"

#define LOG_MODULE "database"

enum {
    INIT_MS = 120000,
    INIT_ROOM = 80 << 20, /* a fresh cluster has 39 MB and a first WAL segment */
};

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
    return status == 0 || server_fail(c, from, "initdb failed", e);
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
    server_tell(c, "initdb");
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

/* --- the database in it --- */

/* Made here so that a kill between initdb and now heals. */
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
        if ((!c->place.is_new || make_cluster(c, e)) && server_start(c, e) &&
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
    return server_start(c, e);
}

void private_cluster_stop(struct private_cluster *c)
{
    if (!c)
        return;
    server_stop(c);
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
