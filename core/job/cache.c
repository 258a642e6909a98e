#include "core/job/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"

/* Files used within the grace are never removed, even above the bound: a running job holds them. */
enum { GRACE_S = 3600, TEMP_MAX_AGE_S = 24 * 3600, FILES_MAX = 1 << 20 };

static const char temp_mark[] = ".tmp.";

struct cache {
    char *folder;
    int64_t max_bytes;
};

bool cache_open(const char *folder, int64_t max_bytes, struct cache **ret, struct err *e)
{
    if (strlen(folder) > CACHE_PATH_MAX / 2)
        return err_set_arg(e, ERR_CONFIG, "error.disk", folder, "cache folder name is too long");
    if (!fs_mkdirs(folder, 0700, e))
        return false;
    struct cache *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    c->folder = str_dup(folder);
    c->max_bytes = max_bytes;
    *ret = c;
    return true;
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    free(c->folder);
    free(c);
}

bool cache_path(struct cache *c, const char key[static HASH_HEX], const char *ext,
                char ret_path[static CACHE_PATH_MAX], struct err *e)
{
    char path[CACHE_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%.2s", c->folder, key);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, ERR_INTERNAL, "error.disk", "cache path too long");
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        /* The whole cache may have been deleted under us. */
        if (errno != ENOENT)
            return err_set_io(e, errno, path, "mkdir");
        if (!fs_mkdirs(path, 0700, e))
            return false;
    }
    n = snprintf(path, sizeof path, "%s/%.2s/%s.%s", c->folder, key, key, ext);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, ERR_INTERNAL, "error.disk", "cache path too long");
    str_copy(ret_path, CACHE_PATH_MAX, path);
    return true;
}

bool cache_holds(const struct cache *c, const char *path)
{
    size_t n = strlen(c->folder);
    return strncmp(path, c->folder, n) == 0 && path[n] == '/';
}

bool cache_touch(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return false;
    /* A read-only cache still serves what it has. */
    return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

bool cache_temp(const char *path, char ret_temp[static CACHE_PATH_MAX], struct err *e)
{
    static _Atomic unsigned counter;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    int stem = (int)(dot ? dot - name : (ptrdiff_t)strlen(name));
    char temp[CACHE_PATH_MAX];
    int n = snprintf(temp, sizeof temp, "%.*s.%.*s.%ld-%u-%" PRIx32 "%s%s", (int)(name - path),
                     path, stem, name, (long)getpid(), atomic_fetch_add(&counter, 1),
                     (uint32_t)time(NULL), temp_mark, dot ? dot + 1 : "");
    if (n < 0 || (size_t)n >= sizeof temp)
        return err_set(e, ERR_INTERNAL, "error.disk", "temporary path too long: %s", path);
    str_copy(ret_temp, CACHE_PATH_MAX, temp);
    return true;
}

bool cache_publish(const char *temp, const char *path, struct err *e)
{
    if (rename(temp, path) != 0)
        return err_set_io(e, errno, path, "rename");
    return true;
}

/* --- trimming --- */

struct cached_file {
    char *path;
    int64_t bytes;
    int64_t used_s;
};

struct cached_files {
    struct cached_file *list;
    size_t count, room;
    int64_t bytes;
};

static bool is_unfinished(const char *name)
{
    return strstr(name, temp_mark) || str_ends(name, ".part");
}

static void files_add(struct cached_files *files, const char *path, const struct stat *st)
{
    if (files->count == files->room) {
        size_t room = files->room ? files->room * 2 : 256;
        if (room > FILES_MAX)
            return;
        struct cached_file *list = realloc(files->list, room * sizeof *list);
        if (!list)
            return; /* trims what it knows; the next trim goes on */
        files->list = list;
        files->room = room;
    }
    files->list[files->count++] = (struct cached_file){
        .path = str_dup(path), .bytes = st->st_blocks * 512, .used_s = st->st_mtime};
    files->bytes += st->st_blocks * 512;
}

static void files_free(struct cached_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->list[i].path);
    free(files->list);
}

/* files NULL: only unfinished ones are looked at. */
static void scan_folder(const char *folder, struct cached_files *files, int64_t now_s)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[CACHE_PATH_MAX];
        struct stat st;
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n < 0 || (size_t)n >= sizeof path || lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (is_unfinished(entry->d_name)) {
            if (now_s - st.st_mtime > TEMP_MAX_AGE_S)
                unlink(path);
        } else if (files)
            files_add(files, path, &st);
    }
    closedir(dir);
}

void cache_sweep_temp(const char *folder)
{
    scan_folder(folder, NULL, (int64_t)time(NULL));
}

static void scan_cache(const char *folder, struct cached_files *files, int64_t now_s)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[CACHE_PATH_MAX];
        /* Only our own two-letter folders: whatever else lies here is not ours to remove. */
        if (strlen(entry->d_name) != 2 || strspn(entry->d_name, "0123456789abcdef") != 2)
            continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n > 0 && (size_t)n < sizeof path)
            scan_folder(path, files, now_s);
    }
    closedir(dir);
}

static int by_age(const void *a, const void *b)
{
    const struct cached_file *x = a, *y = b;
    if (x->used_s != y->used_s)
        return x->used_s < y->used_s ? -1 : 1;
    return strcmp(x->path, y->path);
}

static void trim_locked(struct cache *c)
{
    int64_t now_s = (int64_t)time(NULL);
    struct cached_files files = {0};
    scan_cache(c->folder, &files, now_s);
    if (files.count > 0)
        qsort(files.list, files.count, sizeof *files.list, by_age);
    int64_t left = files.bytes;
    for (size_t i = 0; i < files.count && left > c->max_bytes; i++) {
        if (now_s - files.list[i].used_s < GRACE_S)
            break;      /* sorted: all that follow are younger */
        struct stat st; /* somebody may have taken it up since the scan */
        if (lstat(files.list[i].path, &st) == 0 && now_s - st.st_mtime < GRACE_S)
            continue;
        if (unlink(files.list[i].path) == 0 || errno == ENOENT)
            left -= files.list[i].bytes;
    }
    files_free(&files);
}

void cache_trim(struct cache *c)
{
    char path[CACHE_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/trim.lock", c->folder);
    if (n < 0 || (size_t)n >= sizeof path)
        return;
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    /* One process at a time; the others have nothing to add. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        trim_locked(c);
    close(fd);
}
