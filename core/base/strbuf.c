#include "core/base/strbuf.h"

#include <errno.h>

#include "core/base/utf8.h"

/* Room for `more` further bytes and the NUL; false marks the buffer as failed. */
static bool grow(struct strbuf *b, size_t more)
{
    if (b->failed)
        return false;
    if (b->len > b->max || more > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->room)
        return true;
    size_t room = MAX(b->room * 2, (size_t)64);
    room = MAX(room, need);
    char *text = realloc(b->text, room);
    if (!text) {
        b->failed = true;
        return false;
    }
    b->text = text;
    b->room = room;
    return true;
}

void strbuf_add(struct strbuf *b, const void *bytes, size_t len)
{
    if (!grow(b, len))
        return;
    if (len > 0)
        memcpy(b->text + b->len, bytes, len);
    b->len += len;
    b->text[b->len] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_addc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_addv(struct strbuf *b, const char *fmt, va_list args)
{
    int saved = errno; /* for %m, and for the caller's own use of it */
    va_list again;
    va_copy(again, args);
    char small[256];
    int n = vsnprintf(small, sizeof(small), fmt, args);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < sizeof(small)) {
        strbuf_add(b, small, (size_t)n);
    } else if (grow(b, (size_t)n)) {
        errno = saved;
        vsnprintf(b->text + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    errno = saved;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    strbuf_addv(b, fmt, args);
    va_end(args);
}

void strbuf_reset(struct strbuf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->text)
        b->text[0] = '\0';
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->text ? b->text : "";
}

char *strbuf_take(struct strbuf *b)
{
    if (!b->failed)
        strbuf_add(b, "", 0);
    if (b->failed) {
        strbuf_free(b);
        return NULL;
    }
    char *text = b->text;
    b->text = NULL;
    b->len = 0;
    b->room = 0;
    return text;
}

void strbuf_free(struct strbuf *b)
{
    free(b->text);
    b->text = NULL;
    b->len = 0;
    b->room = 0;
    b->failed = false;
}

bool str_copy(char *dest, size_t size, const char *src)
{
    if (size == 0)
        return false;
    size_t len = strnlen(src, size);
    bool whole = len < size;
    if (!whole)
        len = utf8_cut(src, size - 1);
    memcpy(dest, src, len);
    dest[len] = '\0';
    return whole;
}

char *str_dup(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

char *str_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0)
        abort();
    va_end(args);
    return text;
}

bool str_to_int(const char *text, int64_t low, int64_t high, int64_t *ret_value)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || digits[count] != '\0')
        return false;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno != 0 || value < low || value > high)
        return false;
    *ret_value = value;
    return true;
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t tail = strlen(suffix);
    return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}
