#include "adapters/terminal/media.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/terminal/expand.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"

#define FETCH_MAX (200LL << 20)
enum { CHUNK = 4 << 20 };

void media_free(struct media *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->names[i]);
    free(m->line);
    *m = (struct media){0};
}

/* 'p', 'v', or NUL: neither picture nor clip by its name. */
static char kind_of(const char *name)
{
    static const struct {
        const char *ending;
        char kind;
    } endings[] = {
        {".jpg",  'p'},
        {".jpeg", 'p'},
        {".png",  'p'},
        {".webp", 'p'},
        {".mp4",  'v'},
        {".mov",  'v'},
        {".m4v",  'v'},
        {".webm", 'v'},
        {".mkv",  'v'},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < COUNT(endings); i++)
        if (strcasecmp(dot, endings[i].ending) == 0)
            return endings[i].kind;
    return '\0';
}

static bool take_one(struct media *m, const char *name, struct err *e)
{
    char real[PATH_MAX];
    struct stat st;
    if (m->count == MEDIA_FILES_MAX)
        return err_set_arg(e, ERR_LIMIT, "error.too_many_files", name, "over %d files",
                           MEDIA_FILES_MAX);
    if (!realpath(name, real) || stat(real, &st) != 0 || !S_ISREG(st.st_mode) || strchr(real, '\n'))
        return err_set_arg(e, ERR_NOT_FOUND, "error.file_missing", name, "no such file: %m");
    m->names[m->count++] = str_printf("%c:%s", kind_of(name), real);
    return true;
}

bool media_take(const char *line, struct media *ret, struct err *e)
{
    const char *at = line + 5;
    AUTO(media_free) struct media m = {0};
    *ret = (struct media){0};
    if (strncasecmp(line, "/make", 5) != 0 || (*at != ' ' && *at != '\t'))
        return true;
    for (;;) {
        char name[1024];
        at += strspn(at, " \t");
        const char *rest = *at == '@' ? expand_name(at + 1, name, sizeof(name)) : NULL;
        if (!rest || !kind_of(name))
            break;
        if (!take_one(&m, name, e))
            return false;
        at = rest;
    }
    if (m.count == 0)
        return true;
    m.line = str_printf("/make %s", at);
    *ret = m;
    m = (struct media){0};
    return true;
}

/* For AUTO. */
static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool copy(int in, off_t size, const char *to, const struct cancel *cancel, struct err *e)
{
    AUTO(free_ptr) char *part = str_printf("%s.part", to);
    AUTO(close_fd) int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        return err_set_io(e, errno, part, "open");
    while (size > 0) {
        ssize_t n =
            cancel_fired(cancel) ? -1 : sendfile(out, in, NULL, MIN((size_t)size, (size_t)CHUNK));
        if (n <= 0) {
            unlink(part);
            return cancel_fired(cancel)
                       ? err_set(e, ERR_CANCELLED, "make.cancelled", "stopped while copying")
                       : err_set_io(e, n == 0 ? EIO : errno, part, "copy");
        }
        size -= n;
    }
    return fs_publish(part, to, e);
}

bool media_fetch(void *self, const char *media, const char *folder, const struct cancel *cancel,
                 char **ret_path, struct err *e)
{
    struct stat st;
    struct hash h;
    char hex[HASH_HEX];
    (void)self;
    if ((media[0] != 'p' && media[0] != 'v') || media[1] != ':')
        return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "not a name of this adapter");
    AUTO(close_fd) int in = open(media + 2, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in < 0 || fstat(in, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "%s: %m", media + 2);
    if (st.st_size > FETCH_MAX)
        return err_set(e, ERR_LIMIT, "chat.file_too_large", "%lld bytes", (long long)st.st_size);
    hash_begin(&h, "terminal-media");
    hash_text(&h, "path", media + 2);
    hash_end(&h, hex);
    AUTO(free_ptr) char *path = str_printf("%s/%s", folder, hex);
    if (!fs_exists(path) && !copy(in, st.st_size, path, cancel, e))
        return false;
    *ret_path = TAKE(path);
    return true;
}
