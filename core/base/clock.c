#include "core/base/clock.h"

#include <stdatomic.h>

static atomic_bool faked;
static _Atomic int64_t fake_mono, fake_wall;

static int64_t read_ms(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        abort();
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return atomic_load(&faked) ? atomic_load(&fake_mono) : read_ms(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return atomic_load(&faked) ? atomic_load(&fake_wall) : read_ms(CLOCK_REALTIME);
}

void clock_fake(int64_t mono_ms, int64_t wall_ms)
{
    atomic_store(&fake_mono, mono_ms);
    atomic_store(&fake_wall, wall_ms);
    atomic_store(&faked, mono_ms >= 0);
}

void clock_iso(int64_t wall_ms, char ret_text[static 32])
{
    /* floor, so that times before 1970 are right too */
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0));
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(ret_text, 32, "?");
}

struct timespec clock_until(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + MAX(ms, 0) % 1000 * 1000000;
    t.tv_sec += MAX(ms, 0) / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}
