/* The accounts that are watched: a list in the order in which they came, and a table to find them.
 * The keys are our own and as good as random: their first bytes are the hash. */
#include "adapters/nano/nano_parts.h"

enum { SLOTS_MIN = 64 };

static size_t home_of(const struct nano_set *s, const struct nano_account *a)
{
    uint64_t n;
    memcpy(&n, a->key, sizeof(n));
    return n & (s->slot_count - 1);
}

/* Where the account is, or the free slot where it belongs. */
static size_t slot_of(const struct nano_set *s, const struct nano_account *a)
{
    size_t at = home_of(s, a);
    while (s->slots[at] && !nano_account_equal(&s->items[s->slots[at] - 1], a))
        at = (at + 1) & (s->slot_count - 1);
    return at;
}

static void grow(struct nano_set *s)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : SLOTS_MIN / 2;
        s->items = reallocarray(s->items, s->room, sizeof(*s->items));
    }
    if (!s->items)
        abort(); /* 36 bytes an account */
    if (2 * (s->count + 1) <= s->slot_count)
        return;
    s->slot_count = s->slot_count ? 2 * s->slot_count : SLOTS_MIN;
    free(s->slots);
    s->slots = calloc(s->slot_count, sizeof(*s->slots));
    if (!s->slots)
        abort();
    for (size_t i = 0; i < s->count; i++)
        s->slots[slot_of(s, &s->items[i])] = (uint32_t)i + 1;
}

bool nano_set_has(const struct nano_set *s, const struct nano_account *a)
{
    return s->slot_count && s->slots[slot_of(s, a)];
}

bool nano_set_add(struct nano_set *s, const struct nano_account *a)
{
    if (nano_set_has(s, a))
        return false;
    grow(s);
    s->items[s->count++] = *a;
    s->slots[slot_of(s, a)] = (uint32_t)s->count;
    return true;
}

/* Closes the gap, so that what was pushed past it is still found. */
static void free_slot(struct nano_set *s, size_t gap)
{
    size_t mask = s->slot_count - 1;
    for (size_t at = (gap + 1) & mask; s->slots[at]; at = (at + 1) & mask) {
        size_t home = home_of(s, &s->items[s->slots[at] - 1]);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* it lies between its home and here: the gap is before both */
        s->slots[gap] = s->slots[at];
        gap = at;
    }
    s->slots[gap] = 0;
}

bool nano_set_remove(struct nano_set *s, const struct nano_account *a)
{
    if (!nano_set_has(s, a))
        return false;
    size_t slot = slot_of(s, a), index = s->slots[slot] - 1;
    free_slot(s, slot);
    s->count--;
    if (index != s->count) {
        s->slots[slot_of(s, &s->items[s->count])] = (uint32_t)index + 1;
        s->items[index] = s->items[s->count];
    }
    return true;
}

void nano_set_free(struct nano_set *s)
{
    free(s->items);
    free(s->slots);
    *s = (struct nano_set){0};
}
