#include "core/db/private_place.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cancel.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "database"

enum { LOCK_TRIES = 5, SOCKET_PATH_MAX = 106, ROOM_MIN = 64 << 10 };

#define ELSEWHERE "/var/lib/nanotik" /* of clusters that cannot be in their data folder */

char *place_file(const char *data, const char *name)
{
    return str_printf("%s/%s", data, name);
}

void place_list(const char *folder, void (*on_name)(void *ctx, const char *name), void *ctx)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            on_name(ctx, entry->d_name);
    closedir(dir);
}

static bool fail_unusable(const char *data, struct err *e)
{
    int64_t room = fs_free_bytes(data);
    if (errno == ENOSPC || errno == EDQUOT || (room >= 0 && room < ROOM_MIN))
        return err_set_arg(e, ERR_DISK, "start.disk_full", data, "%s: %lld bytes free", data,
                           (long long)room);
    return err_set_arg(e, ERR_DISK, "start.data_unusable", data, "%s: %m", data);
}

/* --- locks --- */

/* A joiner looks at the lock for an instant, so one refusal does not count. */
static bool lock_file(const char *path, const char *data, int *ret_fd, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail_unusable(data, e);
    int r = -1;
    for (int i = 0; i < LOCK_TRIES && r != 0; i++) {
        r = flock(fd, LOCK_EX | LOCK_NB);
        if (r != 0 && errno != EWOULDBLOCK && errno != EINTR)
            break;
        if (r != 0)
            cancel_wait(NULL, 50);
    }
    if (r != 0) {
        bool taken = errno == EWOULDBLOCK;
        close(fd);
        if (!taken)
            return fail_unusable(data, e);
        return err_set_arg(e, ERR_CONFLICT, "start.data_in_use", data, "%s is locked", path);
    }
    *ret_fd = fd;
    return true;
}

/* --- the server's user --- */

static bool set_user(struct place *p, const struct passwd *entry)
{
    p->uid = entry->pw_uid;
    p->gid = entry->pw_gid;
    return str_copy(p->user, sizeof(p->user), entry->pw_name);
}

/* PostgreSQL refuses to run as root. A cluster that is there belongs to its owner. */
static bool choose_user(struct place *p, struct err *e)
{
    p->uid = geteuid();
    p->gid = getegid();
    if (p->uid != 0)
        return true;
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[4096];
    struct stat st;
    if (p->cluster && stat(p->cluster, &st) == 0 && st.st_uid != 0)
        getpwuid_r(st.st_uid, &entry, buffer, sizeof(buffer), &found);
    else
        getpwnam_r("postgres", &entry, buffer, sizeof(buffer), &found);
    if (!found)
        return err_set_arg(e, ERR_CONFIG, "start.no_postgres", "postgresql",
                           "no user to run the server as");
    return set_user(p, found);
}

static bool user_can_enter(const struct place *p, const char *folder)
{
    if (!*p->user)
        return true;
    const char *argv[] = {"/usr/bin/test", "-x", folder, NULL};
    struct err ignored = {0};
    return proc_run(argv, &(struct proc_options){.user = p->user}, 10000, 0, NULL, &ignored);
}

/* --- where the cluster is --- */

int place_version(const char *cluster)
{
    AUTO(free_ptr) char *path = place_file(cluster, "PG_VERSION");
    AUTO(free_ptr) char *text = NULL;
    struct err ignored = {0};
    int64_t major;
    if (!fs_read(path, 64, &text, NULL, &ignored))
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return str_to_int(text, 1, 999, &major) ? (int)major : 0;
}

static bool write_location(const struct place *p, bool is_new, struct err *e)
{
    AUTO(free_ptr) char *path = place_file(p->data, "postgres.location");
    AUTO(free_ptr) char *text = str_printf("%s\n%s", p->cluster, is_new ? "new\n" : "");
    return fs_write(path, text, strlen(text), e);
}

/* A cluster whose data folder was a temporary one and is gone can never be found again. Others are
   kept for ever: a missing folder may be a disk that is not there today. */
static void remove_if_orphan(void *ctx, const char *name)
{
    (void)ctx;
    AUTO(free_ptr) char *parent = str_printf(ELSEWHERE "/%s", name);
    AUTO(free_ptr) char *note = place_file(parent, "data-folder");
    AUTO(free_ptr) char *lock = place_file(parent, "postgres.lock");
    AUTO(free_ptr) char *data = NULL;
    struct err ignored = {0};
    if (!fs_read(note, PATH_MAX, &data, NULL, &ignored))
        return;
    data[strcspn(data, "\n")] = '\0';
    if ((!str_starts(data, "/tmp/") && !str_starts(data, "/var/tmp/")) || fs_exists(data))
        return;
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        fs_remove(parent);
    if (fd >= 0)
        close(fd);
}

/* A folder of another life of this data folder is never taken over: its name is random. */
static bool choose_elsewhere(struct place *p, struct err *e)
{
    unsigned char r[8];
    random_bytes(r, sizeof(r));
    AUTO(free_ptr)
    char *parent = str_printf(ELSEWHERE "/%02x%02x%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3],
                              r[4], r[5], r[6], r[7]);
    place_list(ELSEWHERE, remove_if_orphan, NULL);
    if (!fs_mkdirs(parent, 0711, e))
        return fail_unusable(parent, e);
    /* So that an operator who finds the folder knows whose it is. */
    AUTO(free_ptr) char *note = place_file(parent, "data-folder");
    AUTO(free_ptr) char *line = str_printf("%s\n", p->data);
    if (!fs_write(note, line, strlen(line), e))
        return false;
    p->cluster = place_file(parent, "postgres");
    p->is_new = true;
    log_info("the server's user cannot enter %s: the database goes to %s", p->data, p->cluster);
    return write_location(p, true, e);
}

/* *ret_found false: there is no location file. */
static bool read_location(struct place *p, bool *ret_found, struct err *e)
{
    AUTO(free_ptr) char *path = place_file(p->data, "postgres.location");
    AUTO(free_ptr) char *text = NULL;
    *ret_found = fs_exists(path);
    if (!*ret_found)
        return true;
    if (!fs_read(path, PATH_MAX, &text, NULL, e))
        return fail_unusable(p->data, e);
    size_t line = strcspn(text, "\n");
    bool may_be_new = str_starts(text + line, "\nnew\n");
    text[line] = '\0';
    if (*text != '/')
        return err_set_arg(e, ERR_CONFIG, "start.database_missing", path, "%s: not a path", path);
    p->cluster = TAKE(text);
    p->is_new = place_version(p->cluster) == 0;
    if (p->is_new && !may_be_new) /* an empty database instead would lose everybody's credits */
        return err_set_arg(e, ERR_CONFIG, "start.database_missing", p->cluster,
                           "%s names %s, which holds no database", path, p->cluster);
    return true;
}

static bool find_cluster(struct place *p, struct err *e)
{
    bool found;
    if (!read_location(p, &found, e))
        return false;
    if (found)
        return choose_user(p, e);
    AUTO(free_ptr) char *inside = place_file(p->data, "postgres");
    if (place_version(inside) > 0) {
        p->cluster = TAKE(inside);
        return choose_user(p, e);
    }
    if (!choose_user(p, e))
        return false;
    if (!user_can_enter(p, p->data))
        return choose_elsewhere(p, e);
    p->cluster = TAKE(inside);
    p->is_new = true;
    return true;
}

bool place_settled(struct place *p, struct err *e)
{
    p->is_new = false;
    AUTO(free_ptr) char *inside = place_file(p->data, "postgres");
    return strcmp(p->cluster, inside) == 0 || write_location(p, false, e);
}

/* --- the server's programs --- */

static bool has_server(const char *folder)
{
    AUTO(free_ptr) char *postgres = place_file(folder, "postgres");
    AUTO(free_ptr) char *initdb = place_file(folder, "initdb");
    return access(postgres, X_OK) == 0 && access(initdb, X_OK) == 0;
}

static int program_major(const char *folder)
{
    AUTO(free_ptr) char *postgres = place_file(folder, "postgres");
    AUTO(free_ptr) char *out = NULL;
    const char *argv[] = {postgres, "--version", NULL};
    struct err ignored = {0};
    if (!proc_run(argv, &(struct proc_options){0}, 10000, 200, &out, &ignored))
        return 0;
    const char *number = strpbrk(out, "0123456789"); /* "postgres (PostgreSQL) 15.20 (Debian…)" */
    return number ? (int)strtol(number, NULL, 10) : 0;
}

struct search {
    int wanted; /* 0: any, the highest */
    int best;
    char *folder;
};

static void consider(struct search *s, const char *folder)
{
    if (!has_server(folder))
        return;
    int major = program_major(folder);
    bool better = s->wanted && s->best != s->wanted ? major == s->wanted || major > s->best
                                                    : !s->wanted && major > s->best;
    if (!better)
        return;
    free(s->folder);
    s->folder = str_dup(folder);
    s->best = major;
}

static void consider_version(void *ctx, const char *name)
{
    AUTO(free_ptr) char *folder = str_printf("/usr/lib/postgresql/%s/bin", name);
    consider(ctx, folder);
}

static bool find_programs(struct place *p, struct err *e)
{
    struct search s = {.wanted = p->is_new ? 0 : place_version(p->cluster)};
    place_list("/usr/lib/postgresql", consider_version, &s);
    const char *at = getenv("PATH");
    while (at && *at && (s.best == 0 || (s.wanted && s.best != s.wanted))) {
        size_t len = strcspn(at, ":");
        AUTO(free_ptr) char *folder = str_printf("%.*s", (int)len, at);
        if (*folder == '/')
            consider(&s, folder);
        at += len + (at[len] == ':');
    }
    p->bin = s.folder;
    if (!p->bin)
        return err_set_arg(e, ERR_CONFIG, "start.no_postgres", "postgresql",
                           "no server programs in /usr/lib/postgresql/*/bin nor in PATH");
    if (s.wanted && s.best != s.wanted) {
        char versions[48];
        snprintf(versions, sizeof(versions), "%d (%d)", s.wanted, s.best);
        return err_set_arg(e, ERR_CONFIG, "start.postgres_version", versions,
                           "%s was made by PostgreSQL %d, installed is %d", p->cluster, s.wanted,
                           s.best);
    }
    return true;
}

/* --- the socket folder --- */

/* What a killed owner left; only a folder that has our name and our owner is removed. */
static void remove_old_socket(const struct place *p)
{
    AUTO(free_ptr) char *run = place_file(p->data, "postgres.run");
    AUTO(free_ptr) char *text = NULL;
    struct err ignored = {0};
    struct stat st;
    if (!fs_read(run, 512, &text, NULL, &ignored) || !str_starts(text, "host=/"))
        return;
    char *folder = text + strlen("host=");
    folder[strcspn(folder, " \n")] = '\0';
    const char *slash = strrchr(folder, '/');
    if (slash && str_starts(slash + 1, "nanotik-") && lstat(folder, &st) == 0 &&
        S_ISDIR(st.st_mode) && (st.st_uid == p->uid || st.st_uid == geteuid()))
        fs_remove(folder);
    unlink(run);
}

static bool try_socket_dir(struct place *p, const char *base)
{
    unsigned char r[6];
    random_bytes(r, sizeof(r));
    AUTO(free_ptr)
    char *folder =
        str_printf("%s/nanotik-%02x%02x%02x%02x%02x%02x", base, r[0], r[1], r[2], r[3], r[4], r[5]);
    if (*folder != '/' || strpbrk(folder, " '\\,") ||
        strlen(folder) + strlen("/.s.PGSQL.5432") > SOCKET_PATH_MAX)
        return false;
    /* The name is noted before the folder exists, so that a kill leaves nothing unknown. */
    AUTO(free_ptr) char *run = place_file(p->data, "postgres.run");
    AUTO(free_ptr) char *url = str_printf("host=%s user=nanotik dbname=nanotik", folder);
    struct err ignored = {0};
    if (!fs_write(run, url, strlen(url), &ignored) || mkdir(folder, 0700) != 0)
        return false;
    if (*p->user && (chown(folder, p->uid, p->gid) != 0 || !user_can_enter(p, folder))) {
        rmdir(folder);
        return false;
    }
    p->socket_dir = TAKE(folder);
    p->url = TAKE(url);
    return true;
}

static bool make_socket_dir(struct place *p, struct err *e)
{
    remove_old_socket(p);
    const char *first = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if ((first && *first && try_socket_dir(p, first)) || try_socket_dir(p, "/tmp"))
        return true;
    return fail_unusable(p->data, e);
}

/* --- all of it --- */

static bool open_data(const char *data, struct place *p, struct err *e)
{
    /* Others may pass through to what is open to them; the files in it are private by their own
       modes. Only as root: the server's user must get to its folder. */
    if (!fs_mkdirs(data, geteuid() == 0 ? 0711 : 0700, e))
        return fail_unusable(data, e);
    p->data = realpath(data, NULL);
    if (!p->data)
        return fail_unusable(data, e);
    p->log = place_file(p->data, "postgres.log");
    AUTO(free_ptr) char *lock = place_file(p->data, "lock");
    return lock_file(lock, p->data, &p->lock_fd, e);
}

/* A copied data folder names the same place elsewhere: the second one is refused here. */
static bool lock_cluster(struct place *p, struct err *e)
{
    assert(p->cluster);
    AUTO(free_ptr) char *inside = place_file(p->data, "postgres");
    if (strcmp(p->cluster, inside) == 0)
        return true;
    AUTO(free_ptr) char *lock = str_printf("%s.lock", p->cluster);
    return lock_file(lock, p->data, &p->cluster_lock_fd, e);
}

bool place_open(const char *data, struct place *ret, struct err *e)
{
    struct place p = {.lock_fd = -1, .cluster_lock_fd = -1};
    if (open_data(data, &p, e) && find_cluster(&p, e) && lock_cluster(&p, e) &&
        find_programs(&p, e) && make_socket_dir(&p, e)) {
        *ret = p;
        return true;
    }
    place_close(&p);
    return false;
}

void place_close(struct place *p)
{
    if (p->socket_dir) {
        AUTO(free_ptr) char *run = place_file(p->data, "postgres.run");
        unlink(run);
        fs_remove(p->socket_dir);
    }
    if (p->cluster_lock_fd >= 0)
        close(p->cluster_lock_fd);
    if (p->lock_fd >= 0)
        close(p->lock_fd);
    free(p->data);
    free(p->cluster);
    free(p->log);
    free(p->bin);
    free(p->socket_dir);
    free(p->url);
    *p = (struct place){.lock_fd = -1, .cluster_lock_fd = -1};
}
