/* Downloads. The links are foreign data: core/net holds each hop to https and public addresses;
 * here the bytes are held to what they claim to be. A download that was cut goes on where it
 * stood, also in the next attempt of the job. */
#define LOG_MODULE "footage"
#include "adapters/footage/stock_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"

enum {
    DOWNLOADS_MAX = 8, /* of the whole process */
    TRIES = 3,
    STALL_S = 20,
    STALL_RATE = 10000,
    DOWNLOAD_MS = 300000,
    SLOW_MS = 15000, /* a try that failed after so long is made once more, not twice */
    LOOK_MS = 50,
    SNIFF_BYTES = 12,
    BOXES_MAX = 1000,
};

struct download {
    const char *path; /* where it belongs */
    char *part, *tag_path;
    int fd;
    enum footage_kind kind;
    char tag[128];       /* ETag or date of what lies in the part; "" none */
    int64_t have, total; /* total -1: unknown */
    /* Of the present try. */
    bool ranged, restart, wrong;
    const char *why;
    int disk_errno;
};

/* --- what the bytes are --- */

bool stock_looks_like(const unsigned char *bytes, size_t len, enum footage_kind kind)
{
    if (len < SNIFF_BYTES)
        return false;
    if (kind == FOOTAGE_CLIP)
        return memcmp(bytes + 4, "ftyp", 4) == 0;
    return memcmp(bytes, "\xff\xd8\xff", 3) == 0 || memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0 ||
           (memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0);
}

static uint64_t big_endian(const unsigned char *b, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}

bool stock_mp4_whole(int fd, int64_t size)
{
    bool index = false, media = false;
    int64_t at = 0;
    for (int i = 0; i < BOXES_MAX && at + 8 <= size && !(index && media); i++) {
        unsigned char head[16] = {0};
        ssize_t got = pread(fd, head, sizeof(head), at);
        if (got < 8 || (i == 0 && memcmp(head + 4, "ftyp", 4) != 0))
            return false;
        uint64_t len = big_endian(head, 4);
        if (len == 1 && got == 16)
            len = big_endian(head + 8, 8);
        else if (len == 0)
            len = (uint64_t)(size - at); /* the last one: up to the end */
        if (len < 8 || len > (uint64_t)(size - at))
            return false;
        index = index || memcmp(head + 4, "moov", 4) == 0;
        media = media || memcmp(head + 4, "mdat", 4) == 0;
        at += (int64_t)len;
    }
    return index && media;
}

static bool is_whole(const struct download *d)
{
    unsigned char first[SNIFF_BYTES];
    ssize_t got = pread(d->fd, first, sizeof(first), 0);
    if (got < 0 || !stock_looks_like(first, (size_t)got, d->kind))
        return false;
    return d->kind != FOOTAGE_CLIP || stock_mp4_whole(d->fd, d->have);
}

/* --- callbacks of core/net, engine's thread --- */

static bool reject(struct download *d, const char *why)
{
    d->wrong = true;
    d->why = why;
    return false;
}

static bool is_page(const char *type)
{
    static const char *const pages[] = {"text/",
                                        "application/json",
                                        "application/xml",
                                        "application/xhtml",
                                        "application/vnd.apple.mpegurl",
                                        "application/x-mpegurl",
                                        "application/dash+xml"};
    for (size_t i = 0; i < COUNT(pages); i++)
        if (strncasecmp(type, pages[i], strlen(pages[i])) == 0)
            return true;
    return false;
}

static void cut(struct download *d)
{
    d->have = 0;
    d->total = -1;
    d->tag[0] = '\0';
    if (ftruncate(d->fd, 0) != 0 || lseek(d->fd, 0, SEEK_SET) != 0)
        d->disk_errno = errno;
}

/* "bytes 100-199/200" must go on exactly where the part ends. */
static bool read_range(struct download *d, const char *range)
{
    char text[96];
    int64_t from, to, all;
    d->restart = true;
    if (!str_starts(range, "bytes ") || !str_copy(text, sizeof(text), range + 6))
        return false;
    char *dash = strchr(text, '-'), *slash = strchr(text, '/');
    if (!dash || !slash || slash < dash)
        return false;
    *dash = *slash = '\0';
    if (!str_to_int(text, 0, INT64_MAX - 1, &from) ||
        !str_to_int(dash + 1, 0, INT64_MAX - 1, &to) ||
        !str_to_int(slash + 1, 0, INT64_MAX - 1, &all) || from != d->have || to < from ||
        all != to + 1)
        return false;
    d->restart = false;
    d->total = all;
    return true;
}

static bool on_answer(void *ctx, const struct net_reply *head)
{
    struct download *d = ctx;
    int64_t length = -1;
    if (is_page(net_reply_header(head, "content-type")))
        return reject(d, "it is a page or a playlist");
    str_to_int(net_reply_header(head, "content-length"), 0, INT64_MAX / 2, &length);
    if (head->status == 206) {
        if (!d->ranged)
            return reject(d, "a part that nobody asked for");
        if (!read_range(d, net_reply_header(head, "content-range")))
            return false;
    } else if (head->status == 200) {
        cut(d);
        d->total = length;
    } else {
        return reject(d, "an answer without a file");
    }
    if (d->total > STOCK_CLIP_BYTES_MAX)
        return reject(d, "it is too large");
    const char *tag = net_reply_header(head, "etag");
    if (tag[0] != '"') /* a weak one says nothing about bytes */
        tag = net_reply_header(head, "last-modified");
    if (!str_copy(d->tag, sizeof(d->tag), tag))
        d->tag[0] = '\0';
    return d->disk_errno == 0;
}

static bool on_chunk(void *ctx, const char *bytes, size_t len)
{
    struct download *d = ctx;
    if (d->have + (int64_t)len > STOCK_CLIP_BYTES_MAX)
        return reject(d, "it is too large");
    bool sniff = d->have < SNIFF_BYTES && d->have + (int64_t)len >= SNIFF_BYTES;
    while (len > 0) {
        ssize_t n = write(d->fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            d->disk_errno = errno;
            return false;
        }
        bytes += n;
        len -= (size_t)n;
        d->have += n;
    }
    unsigned char first[SNIFF_BYTES];
    if (sniff && (pread(d->fd, first, sizeof(first), 0) != SNIFF_BYTES ||
                  !stock_looks_like(first, sizeof(first), d->kind)))
        return reject(d, "it is something else");
    return true;
}

/* --- tries --- */

enum result { GOT_IT, TRY_AGAIN, GIVE_UP };

static bool not_fetched(struct err *e, enum err_code code, const char *what, int status)
{
    return err_set(e, code, "footage.not_fetched", "clip download: %s (%d)", what, status);
}

static enum result judge(struct download *d, const struct net_reply *reply, struct err *e)
{
    if (d->disk_errno) {
        err_set_io(e, d->disk_errno, d->part, "write");
        return GIVE_UP;
    }
    if (d->wrong) {
        cut(d);
        not_fetched(e, ERR_INPUT, d->why, reply->status);
        return GIVE_UP;
    }
    if (d->restart || (reply->outcome == NET_REPLY && reply->status == 416)) {
        cut(d);
        not_fetched(e, ERR_RETRY, "the file changed there", reply->status);
        return TRY_AGAIN;
    }
    if (reply->outcome == NET_CANCELLED || reply->outcome == NET_FORBIDDEN ||
        reply->outcome == NET_TOO_LARGE)
        return GIVE_UP; /* e is filled */
    if (reply->outcome != NET_REPLY)
        return TRY_AGAIN;
    if (reply->status != 200 && reply->status != 206) {
        bool again = net_should_retry(reply);
        not_fetched(e, again ? ERR_RETRY : ERR_NOT_FOUND, "no file", reply->status);
        return again ? TRY_AGAIN : GIVE_UP;
    }
    if (d->total >= 0 && d->have != d->total) {
        cut(d);
        not_fetched(e, ERR_RETRY, "not as long as announced", reply->status);
        return TRY_AGAIN;
    }
    if (is_whole(d))
        return GOT_IT;
    cut(d);
    not_fetched(e, ERR_INPUT, "it is cut short or something else", reply->status);
    return GIVE_UP;
}

static enum result try_once(struct download *d, struct net_engine *net, const char *url,
                            const struct cancel *cancel, struct err *e)
{
    AUTO(net_reply_free) struct net_reply reply = {0};
    char range[64], tag[160];
    const char *headers[] = {"Accept-Encoding: identity", range, tag};
    snprintf(range, sizeof(range), "Range: bytes=%lld-", (long long)d->have);
    snprintf(tag, sizeof(tag), "If-Range: %s", d->tag);
    if (d->have > 0 && !d->tag[0])
        cut(d);
    d->ranged = d->have > 0;
    d->restart = d->wrong = false;
    if (lseek(d->fd, d->have, SEEK_SET) < 0)
        d->disk_errno = errno;
    struct net_request request = {
        .log_name = "clip download",
        .url = url,
        .headers = headers,
        .header_count = d->ranged ? 3 : 1,
        .reply_max = 256 << 10,
        .total_ms = DOWNLOAD_MS,
        .stall_seconds = STALL_S,
        .stall_rate = STALL_RATE,
        .follow = true,
        .cancel = cancel,
        .on_answer = on_answer,
        .on_chunk = on_chunk,
        .ctx = d,
    };
    net_call(net, &request, &reply, e);
    return judge(d, &reply, e);
}

static bool try_all(struct download *d, struct net_engine *net, const char *url,
                    const struct cancel *cancel, struct err *e)
{
    for (int i = 0; i < TRIES; i++) {
        int64_t began = clock_mono_ms();
        switch (try_once(d, net, url, cancel, e)) {
        case GOT_IT:
            return true;
        case GIVE_UP:
            return false;
        case TRY_AGAIN:
            break;
        }
        if (clock_mono_ms() - began > SLOW_MS)
            i++;
        if (i + 1 < TRIES && cancel_wait(cancel, net_backoff_ms(i)))
            return err_set(e, ERR_CANCELLED, "make.cancelled", "clip download: stopped");
    }
    return false;
}

/* --- the part --- */

/* Opens the part and holds it alone, against other jobs and other processes. *ret_there: somebody
   finished the file meanwhile. */
static bool open_part(struct download *d, const struct cancel *cancel, bool *ret_there,
                      struct err *e)
{
    *ret_there = false;
    while (!cancel_fired(cancel)) {
        struct stat mine, there;
        if (fs_size(d->path) > 0) {
            *ret_there = true;
            return true;
        }
        d->fd = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (d->fd < 0)
            return err_set_io(e, errno, d->part, "open");
        bool locked = flock(d->fd, LOCK_EX | LOCK_NB) == 0;
        if (locked && fstat(d->fd, &mine) == 0 && stat(d->part, &there) == 0 &&
            mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
            d->have = mine.st_size;
            return true;
        }
        close(d->fd);
        d->fd = -1;
        if (!locked)
            cancel_wait(cancel, LOOK_MS);
    }
    return err_set(e, ERR_CANCELLED, "make.cancelled", "clip download: stopped");
}

static void read_tag(struct download *d)
{
    AUTO(free_ptr) char *tag = NULL;
    struct err ignored = {0};
    size_t len = 0;
    if (d->have > 0 && fs_read(d->tag_path, sizeof(d->tag) - 1, &tag, &len, &ignored) &&
        strlen(tag) == len && !strpbrk(tag, "\r\n"))
        str_copy(d->tag, sizeof(d->tag), tag);
    if (d->have > 0 && !d->tag[0])
        cut(d);
}

/* What is there of it is worth keeping when the rest can be asked for. */
static void leave_part(struct download *d)
{
    struct err ignored = {0};
    if (d->have > 0 && d->tag[0] && !d->disk_errno &&
        fs_write(d->tag_path, d->tag, strlen(d->tag), &ignored))
        return;
    unlink(d->part);
    unlink(d->tag_path);
}

/* --- a turn --- */

static atomic_int running;

/* Whoever waits for another's download of the same file takes no turn away. */
static bool take_turn(const struct cancel *cancel, struct err *e)
{
    while (!cancel_fired(cancel)) {
        if (atomic_fetch_add(&running, 1) < DOWNLOADS_MAX)
            return true;
        atomic_fetch_sub(&running, 1);
        cancel_wait(cancel, LOOK_MS);
    }
    return err_set(e, ERR_CANCELLED, "make.cancelled", "clip download: stopped");
}

static bool fetch_part(struct download *d, struct net_engine *net, const char *url,
                       const struct cancel *cancel, struct err *e)
{
    bool there = false;
    if (!open_part(d, cancel, &there, e))
        return false;
    if (there)
        return true;
    read_tag(d);
    bool ok = take_turn(cancel, e);
    if (ok) {
        ok = try_all(d, net, url, cancel, e);
        atomic_fetch_sub(&running, 1);
    }
    ok = ok && fs_publish(d->part, d->path, e);
    if (ok)
        unlink(d->tag_path);
    else
        leave_part(d);
    close(d->fd);
    return ok;
}

bool stock_download(struct net_engine *net, const char *url, const char *path,
                    enum footage_kind kind, const struct cancel *cancel, struct err *e)
{
    /* Used now: the cache removes what was not used for long. */
    if (fs_size(path) > 0) {
        utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
        return true;
    }
    AUTO(free_ptr) char *part = str_printf("%s.part", path);
    AUTO(free_ptr) char *tag_path = str_printf("%s.tag.part", path);
    struct download d = {
        .path = path, .part = part, .tag_path = tag_path, .fd = -1, .kind = kind, .total = -1};
    return fetch_part(&d, net, url, cancel, e);
}
