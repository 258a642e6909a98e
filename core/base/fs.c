#include "core/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/strbuf.h"

enum { REMOVE_DEPTH = 64 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool fail(struct err *e, const char *what, const char *path)
{
    bool missing = errno == ENOENT || errno == ENOTDIR;
    return err_set(e, missing ? ERR_NOT_FOUND : ERR_DISK, "error.disk", "%s %s: %m", what, path);
}

bool fs_mkdirs(const char *path, unsigned mode, struct err *e)
{
    char part[PATH_MAX];
    if (!str_copy(part, sizeof(part), path) || part[0] == '\0')
        return err_set(e, ERR_DISK, "error.disk", "mkdir %.200s: bad path", path);
    for (char *slash = part + 1;; slash++) {
        char c = *slash;
        if (c != '/' && c != '\0')
            continue;
        *slash = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST && errno != EISDIR) {
            int why = errno;
            struct stat st; /* a read-only file system says EROFS for folders that are there */
            if (stat(part, &st) != 0) {
                errno = why;
                return err_set(e, ERR_DISK, "error.disk", "mkdir %s: %m", part);
            }
        }
        if (c == '\0')
            break;
        *slash = c;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(e, ERR_DISK, "error.disk", "mkdir %s: a file is in the way", path);
    return true;
}

/* The whole file into text (room for max + 1 bytes and a NUL); -1 with errno. */
static ssize_t read_all(int fd, char *text, size_t max)
{
    size_t len = 0;
    while (len < max) {
        ssize_t n = read(fd, text + len, max - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

bool fs_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct err *e)
{
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(e, "open", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_NOT_FOUND, "error.disk", "read %s: not a regular file", path);
    if (st.st_size > 0 && (size_t)st.st_size > max)
        return err_set(e, ERR_LIMIT, "error.disk", "read %s: over %zu bytes", path, max);
    /* Files in /proc say size 0 and a file may grow: one byte more than allowed tells. */
    size_t room = st.st_size > 0 ? (size_t)st.st_size + 1 : max + 1;
    room = MIN(room, max + 1);
    AUTO(free_ptr) char *text = malloc(room + 1);
    if (!text)
        return err_set(e, ERR_RETRY, "error.disk", "read %s: no memory", path);
    ssize_t len = read_all(fd, text, room);
    if (len < 0)
        return fail(e, "read", path);
    if ((size_t)len > max)
        return err_set(e, ERR_LIMIT, "error.disk", "read %s: over %zu bytes", path, max);
    text[len] = '\0';
    if (ret_len)
        *ret_len = (size_t)len;
    *ret_text = TAKE(text);
    return true;
}

static bool sync_folder_of(const char *path, struct err *e)
{
    char folder[PATH_MAX];
    if (!str_copy(folder, sizeof(folder), path))
        return err_set(e, ERR_DISK, "error.disk", "path too long: %.200s", path);
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        folder[1] = '\0';
    else if (slash)
        *slash = '\0';
    AUTO(close_fd) int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(e, "open folder of", path);
    if (fsync(fd) != 0 && errno != EINVAL) /* EINVAL: this file system has nothing to sync */
        return fail(e, "sync folder of", path);
    return true;
}

bool fs_publish(const char *part, const char *path, struct err *e)
{
    AUTO(close_fd) int fd = open(part, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(e, "open", part);
    if (fsync(fd) != 0)
        return fail(e, "sync", part);
    if (rename(part, path) != 0)
        return fail(e, "rename to", path);
    return sync_folder_of(path, e);
}

static bool write_part(const char *part, const char *bytes, size_t len, struct err *e)
{
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return fail(e, "create", part);
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail(e, "write", part);
            close(fd);
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    if (close(fd) != 0)
        return fail(e, "close", part);
    return true;
}

bool fs_write(const char *path, const void *bytes, size_t len, struct err *e)
{
    static atomic_uint counter; /* two writers of one path must not share a part file */
    char part[PATH_MAX];
    int n = snprintf(part, sizeof(part), "%s.%d-%u.part", path, (int)getpid(),
                     atomic_fetch_add(&counter, 1));
    if (n < 0 || (size_t)n >= sizeof(part))
        return err_set(e, ERR_DISK, "error.disk", "path too long: %.200s", path);
    if (write_part(part, bytes, len, e) && fs_publish(part, path, e))
        return true;
    unlink(part);
    return false;
}

bool fs_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

int64_t fs_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

/* Everything by descriptor, so that a folder swapped for a link in the middle leads nowhere. */
static void remove_at(int dir, const char *name, int depth)
{
    if (unlinkat(dir, name, 0) == 0 || (errno != EISDIR && errno != EPERM) || depth == 0)
        return;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(d)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_at(dirfd(d), entry->d_name, depth - 1);
    closedir(d);
    unlinkat(dir, name, AT_REMOVEDIR);
}

void fs_remove(const char *path)
{
    remove_at(AT_FDCWD, path, REMOVE_DEPTH);
}

int64_t fs_free_bytes(const char *path)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return -1;
    return (int64_t)st.f_bavail * (int64_t)st.f_frsize;
}
