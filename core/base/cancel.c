#include "core/base/cancel.h"

#include <errno.h>

enum { SLICE_MS = 20 };

void cancel_init(struct cancel *c, const struct cancel *parent)
{
    atomic_init(&c->fired, false);
    c->parent = parent;
}

void cancel_fire(struct cancel *c)
{
    atomic_store(&c->fired, true);
}

bool cancel_fired(const struct cancel *c)
{
    for (; c; c = c->parent)
        if (atomic_load(&c->fired))
            return true;
    return false;
}

bool cancel_wait(const struct cancel *c, int ms)
{
    for (; ms > 0 && !cancel_fired(c); ms -= SLICE_MS) {
        struct timespec slice = {.tv_nsec = (long)MIN(ms, SLICE_MS) * 1000000};
        while (nanosleep(&slice, &slice) != 0 && errno == EINTR)
            if (cancel_fired(c))
                return true;
    }
    return cancel_fired(c);
}
