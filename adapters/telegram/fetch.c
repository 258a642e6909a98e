/* Files that people sent along: getFile, then a download (or, with an own server on this machine,
 * a copy). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/telegram/telegram_internal.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/net/json.h"

#define FETCH_OWN_MAX (200LL * 1000 * 1000)

enum { TRIES = 3, FETCH_MS = 300000 };

/* For AUTO. */
static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Path as the server names it: plain characters, and no way upwards. */
static bool path_is_plain(const char *path)
{
    for (const char *p = path; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-/", *p))
            return false;
    return *path && !strstr(path, "..");
}

static char *local_name(const char *media, const char *server_path, const char *folder)
{
    struct hash h;
    char hex[HASH_HEX];
    hash_begin(&h, "telegram-media");
    hash_text(&h, "id", media);
    hash_end(&h, hex);
    const char *dot = strrchr(server_path, '.');
    bool good = dot && strlen(dot) <= 5 && !strchr(dot, '/');
    return str_printf("%s/%s%s", folder, hex, good ? dot : media[0] == 'v' ? ".mp4" : ".jpg");
}

static bool copy_file(const char *from, const char *to, struct err *e)
{
    AUTO(close_fd) int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    AUTO(free_ptr) char *part = str_printf("%s.part", to);
    struct stat st;
    if (in < 0 || fstat(in, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "the server's file cannot be read: %m");
    if (st.st_size > FETCH_OWN_MAX)
        return err_set(e, ERR_LIMIT, "chat.file_too_large", "media of %lld bytes",
                       (long long)st.st_size);
    AUTO(close_fd) int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        return err_set_io(e, errno, part, "open");
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(out, in, NULL, (size_t)MIN(left, 1 << 20));
        if (n <= 0)
            return err_set_io(e, n == 0 ? EIO : errno, part, "copy");
        left -= n;
    }
    return fs_publish(part, to, e);
}

static bool download(struct telegram *t, const char *server_path, const char *to,
                     const struct cancel *cancel, struct err *e)
{
    AUTO(free_ptr) char *url = tg_url(t, "/file", server_path);
    struct net_request r = {.log_name = "telegram file",
                            .url = url,
                            .save_path = to,
                            .save_max = FETCH_OWN_MAX,
                            .total_ms = FETCH_MS,
                            .stall_seconds = 30,
                            .cancel = cancel};
    for (int i = 0;; i++) {
        AUTO(net_reply_free) struct net_reply reply = {0};
        bool ok = net_call(t->net, &r, &reply, e);
        if (ok && reply.status == 200)
            return true;
        if (ok && !net_should_retry(&reply))
            return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "telegram file: %d", reply.status);
        if (ok)
            err_set(e, ERR_RETRY, "error.network", "telegram file: %d", reply.status);
        if (i + 1 == TRIES || !net_should_retry(&reply) || cancel_wait(cancel, net_backoff_ms(i)))
            return false;
    }
}

static bool get_path(struct telegram *t, const char *file_id, const struct cancel *cancel,
                     char **ret_path, struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(1000);
    strbuf_adds(&body, "{\"file_id\":");
    json_put_text(&body, file_id);
    strbuf_addc(&body, '}');
    struct tg_call c = {.method = "getFile", .body = strbuf_text(&body), .cancel = cancel};
    for (int i = 0;; i++) {
        AUTO(tg_reply_free) struct tg_reply r = {0};
        if (tg_call(t, &c, &r, e)) {
            const char *path = json_text(r.result, "file_path", "");
            if (!path_is_plain(path))
                return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "getFile gave no usable path");
            *ret_path = str_dup(path);
            return true;
        }
        if (r.action == TG_TOO_BIG)
            return err_set(e, ERR_LIMIT, "chat.file_too_large", "getFile: too big");
        bool again = r.action == TG_RETRY || r.action == TG_UNCLEAR || r.action == TG_WAIT;
        if (!again)
            return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "getFile: %d %s", r.code,
                           r.description);
        int wait = r.action == TG_WAIT ? (int)MIN(r.retry_ms, 60000) : net_backoff_ms(i);
        if (i + 1 == TRIES || cancel_wait(cancel, wait))
            return false;
    }
}

bool tg_fetch(void *self, const char *media, const char *folder, const struct cancel *cancel,
              char **ret_path, struct err *e)
{
    struct telegram *t = self;
    AUTO(free_ptr) char *server_path = NULL;
    if ((media[0] != 'p' && media[0] != 'v') || media[1] != ':')
        return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "not a name of this adapter");
    if (!get_path(t, media + 2, cancel, &server_path, e))
        return false;
    AUTO(free_ptr) char *path = local_name(media, server_path, folder);
    bool ok =
        fs_exists(path) || (server_path[0] == '/' ? copy_file(server_path, path, e)
                                                  : download(t, server_path, path, cancel, e));
    if (ok)
        *ret_path = TAKE(path);
    return ok;
}
