#include "adapters/terminal/expand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/port/chat.h"

const char *expand_name(const char *text, char *ret_name, size_t size)
{
    char quote = *text;
    if (quote != '"' && quote != '\'')
        quote = '\0';
    if (quote)
        text++;
    size_t len = strcspn(text, quote == '"' ? "\"" : quote ? "'" : " \t");
    const char *home = str_starts(text, "~/") ? getenv("HOME") : NULL;
    snprintf(ret_name, size, "%s%.*s", home ? home : "", (int)(len - (home ? 1 : 0)),
             text + (home ? 1 : 0));
    text += len;
    return quote && *text == quote ? text + 1 : text;
}

bool expand_look(const char *line, struct expand *ret, struct err *e)
{
    *ret = (struct expand){.kind = EXPAND_NONE};
    size_t word = strcspn(line, " \t");
    if (word != 5 || strncasecmp(line, "/make", 5) != 0)
        return true;
    const char *rest = line + word + strspn(line + word, " \t");
    if (rest[0] == '-' && (rest[1] == '\0' || rest[1] == ' ' || rest[1] == '\t')) {
        ret->kind = EXPAND_LINES;
        rest++;
    } else if (rest[0] == '@') {
        ret->kind = EXPAND_FILE;
        rest = expand_name(rest + 1, ret->name, sizeof(ret->name));
        if (ret->name[0] == '\0') {
            ret->kind = EXPAND_NONE;
            return err_set(e, ERR_INPUT, "error.file_name", "no name behind @");
        }
    } else {
        return true;
    }
    rest += strspn(rest, " \t");
    ret->head = str_printf("/make %s\n", rest);
    return true;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool read_text(int fd, const char *name, struct strbuf *out, struct err *e)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_arg(e, ERR_INPUT, "error.file_unreadable", name, "read: %m");
        if (n == 0)
            return true;
        if (memchr(chunk, '\0', (size_t)n))
            return err_set_arg(e, ERR_INPUT, "error.file_binary", name, "NUL byte in the file");
        strbuf_add(out, chunk, (size_t)n);
        if (out->failed)
            return err_set_arg(e, ERR_LIMIT, "error.file_too_large", name, "over %d bytes",
                               CHAT_LINE_MAX);
    }
}

/* A picture or a program has no NUL sometimes; a text is nearly all valid UTF-8. */
static bool is_text(const char *text, size_t len)
{
    size_t pos = 0, bad = 0;
    while (pos < len) {
        int32_t cp = utf8_next(text, len, &pos);
        bad += cp == 0xfffd || (cp < 32 && cp != '\n' && cp != '\t' && cp != '\r' && cp != '\f');
    }
    return bad * 20 <= len;
}

bool expand_file(const struct expand *x, char **ret_line, struct err *e)
{
    struct stat st;
    AUTO(close_fd) int fd = open(x->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG))
        return err_set_arg(e, ERR_NOT_FOUND, "error.file_missing", x->name, "open: %m");
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_set_arg(e, ERR_INPUT, "error.file_unreadable", x->name, "open: %m");
    if (S_ISDIR(st.st_mode))
        return err_set_arg(e, ERR_INPUT, "error.file_directory", x->name, "a folder");
    if (!S_ISREG(st.st_mode))
        return err_set_arg(e, ERR_INPUT, "error.file_unreadable", x->name, "no regular file");
    struct strbuf text = STRBUF(CHAT_LINE_MAX - 256);
    bool ok = read_text(fd, x->name, &text, e);
    if (ok && !is_text(strbuf_text(&text), text.len))
        ok = err_set_arg(e, ERR_INPUT, "error.file_binary", x->name, "not UTF-8");
    if (ok)
        *ret_line = str_printf("%s%s", x->head, strbuf_text(&text));
    strbuf_free(&text);
    return ok;
}
