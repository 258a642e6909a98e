#include "core/base/arena.h"

#include <stdarg.h>

enum { BLOCK_BYTES = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t used, room;
    max_align_t bytes[]; /* aligned for any type */
};

void *arena_alloc(struct arena *a, size_t bytes)
{
    const size_t align = _Alignof(max_align_t);
    if (bytes > SIZE_MAX / 2)
        abort();
    size_t need = (MAX(bytes, (size_t)1) + align - 1) / align * align;
    struct arena_block *b = a->blocks;
    if (!b || b->room - b->used < need) {
        size_t room = MAX(need, (size_t)BLOCK_BYTES);
        b = calloc(1, sizeof(*b) + room);
        if (!b)
            abort();
        b->room = room;
        if (a->blocks && room > BLOCK_BYTES) {
            /* a large one goes behind the current block, which still has room */
            b->next = a->blocks->next;
            a->blocks->next = b;
        } else {
            b->next = a->blocks;
            a->blocks = b;
        }
    }
    void *p = (char *)b->bytes + b->used;
    b->used += need;
    return p;
}

char *arena_dup_n(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_alloc(a, len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    return copy; /* zeroed: terminated */
}

char *arena_dup(struct arena *a, const char *text)
{
    return arena_dup_n(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        abort();
    char *text = arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
}
