#include "bot/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"

enum { LOOK_MS = 100 };

struct signals {
    struct cancel *stop;
    int64_t deadline_ms;
    void (*on_force)(void);
    pthread_t thread;
    atomic_int first;
    atomic_bool ended;
};

static sigset_t our_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

void signals_block(void)
{
    sigset_t set = our_set();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write, not our end */
}

static void force_exit(const struct signals *s)
{
    if (s->on_force)
        s->on_force();
    int first = atomic_load(&s->first);
    _exit(first == SIGINT ? 130 : 1);
}

static void *signals_main(void *data)
{
    struct signals *s = data;
    sigset_t set = our_set();
    struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    int64_t force_at = INT64_MAX;
    pthread_setname_np(pthread_self(), "signals");
    while (!atomic_load(&s->ended)) {
        int got = sigtimedwait(&set, NULL, &look);
        if (clock_mono_ms() >= force_at || (got > 0 && atomic_load(&s->first)))
            force_exit(s);
        if (got <= 0)
            continue;
        atomic_store(&s->first, got);
        cancel_fire(s->stop);
        if (s->deadline_ms > 0)
            force_at = clock_mono_ms() + s->deadline_ms;
    }
    return NULL;
}

bool signals_start(struct cancel *stop, int64_t deadline_ms, void (*on_force)(void),
                   struct signals **ret, struct err *e)
{
    struct signals *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, ERR_INTERNAL, "error.internal", "signals: no memory");
    s->stop = stop;
    s->deadline_ms = deadline_ms;
    s->on_force = on_force;
    int r = pthread_create(&s->thread, NULL, signals_main, s);
    if (r != 0) {
        free(s);
        return err_set_io(e, r, "signal thread", "start");
    }
    *ret = s;
    return true;
}

void signals_stop(struct signals *s)
{
    if (!s)
        return;
    atomic_store(&s->ended, true);
    pthread_join(s->thread, NULL);
    free(s);
}
