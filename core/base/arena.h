/*
 * arena - many small allocations, freed together.
 *
 * What:    memory that lives exactly as long as the arena: parsed documents, one command's texts.
 * Owner:   arena_free; AUTO(arena_free) works. Zero-initialised `struct arena` is empty and ready.
 * Threads: none. Memory exhausted: abort (blocks are small and of our own making).
 */
#ifndef NANOTIK_ARENA_H
#define NANOTIK_ARENA_H

#include "core/base/base.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
};

/* Zeroed, aligned for any type. */
MUST_USE void *arena_alloc(struct arena *a, size_t bytes);
MUST_USE char *arena_dup(struct arena *a, const char *text);
MUST_USE char *arena_dup_n(struct arena *a, const char *text, size_t len);
MUST_USE char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
void arena_free(struct arena *a);

#endif
