#include "adapters/terminal/lines.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void lines_init(struct lines *l, int fd, int wake_fd, size_t max)
{
    *l = (struct lines){.fd = fd, .wake_fd = wake_fd, .max = max, .line = STRBUF(max)};
}

void lines_free(struct lines *l)
{
    strbuf_free(&l->line);
}

/* False: nothing more will come (ended), or somebody wants us to stop. */
static bool fill(struct lines *l, bool *ret_stopped)
{
    struct pollfd fds[2] = {
        {.fd = l->fd,      .events = POLLIN},
        {.fd = l->wake_fd, .events = POLLIN}
    };
    *ret_stopped = false;
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return false;
        if (fds[1].revents) {
            *ret_stopped = true;
            return false;
        }
        if (!fds[0].revents)
            continue;
        ssize_t n = read(l->fd, l->chunk, sizeof(l->chunk));
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        l->at = 0;
        l->filled = n > 0 ? (size_t)n : 0;
        return n > 0;
    }
}

/* Takes bytes up to the line's end; true when the end was seen. */
static bool take(struct lines *l, bool *too_long)
{
    const char *from = l->chunk + l->at;
    size_t left = l->filled - l->at;
    const char *end = memchr(from, '\n', left);
    size_t len = end ? (size_t)(end - from) : left;
    l->at += len + (end ? 1 : 0);
    while (len > 0 && !*too_long) {
        const char *nul = memchr(from, '\0', len);
        size_t piece = nul ? (size_t)(nul - from) : len;
        strbuf_add(&l->line, from, piece);
        *too_long = l->line.failed;
        if (nul) {
            l->had_nul = true;
            piece++;
        }
        from += piece;
        len -= piece;
    }
    return end != NULL;
}

enum lines_result lines_next(struct lines *l, char **ret_line, bool *ret_had_nul)
{
    bool too_long = false, any = false, complete = false;
    strbuf_reset(&l->line);
    l->had_nul = false;
    while (!complete && !l->ended) {
        bool stopped = false;
        if (l->at == l->filled && !fill(l, &stopped)) {
            if (stopped)
                return LINES_STOPPED;
            l->ended = true;
            break;
        }
        any = true;
        complete = take(l, &too_long);
    }
    if (!any)
        return LINES_END;
    if (too_long)
        return LINES_TOO_LONG;
    if (l->line.len && l->line.text[l->line.len - 1] == '\r')
        l->line.text[--l->line.len] = '\0';
    strbuf_add(&l->line, "", 0);
    *ret_line = l->line.text ? l->line.text : (char *)"";
    *ret_had_nul = l->had_nul;
    return LINES_ONE;
}
