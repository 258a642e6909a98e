#include "core/base/crash.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/strbuf.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char *wanted; /* NULL: never */
static atomic_long left = 1;

static void setup(void)
{
    const char *text = getenv("NANOTIK_CRASH_AT");
    if (!text || !*text)
        return;
    static char name[64];
    str_copy(name, sizeof(name), text);
    char *colon = strrchr(name, ':');
    int64_t times;
    if (colon && str_to_int(colon + 1, 1, 1000000, &times)) {
        atomic_store(&left, (long)times);
        *colon = '\0';
    }
    wanted = name;
}

void crash_at(const char *name)
{
    pthread_once(&once, setup);
    if (!wanted || strcmp(wanted, name) != 0)
        return;
    if (atomic_fetch_sub(&left, 1) == 1) {
        kill(getpid(), SIGKILL);
        pause();
    }
}
