#include "tests/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

bool cost_measure(void (*work)(int arg), int arg, struct cost *ret)
{
    struct rusage u;
    int status = 0;
    int64_t begin = clock_mono_ms();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        work(arg);
        _exit(0);
    }
    if (child < 0 || wait4(child, &status, 0, &u) != child || status != 0)
        return false;
    *ret = (struct cost){(double)(clock_mono_ms() - begin) / 1000,
                         seconds(u.ru_utime) + seconds(u.ru_stime), (double)u.ru_maxrss / 1024};
    return true;
}

void cost_add(struct cost *sum, struct cost c)
{
    sum->wall += c.wall;
    sum->cpu += c.cpu;
    sum->mib = MAX(sum->mib, c.mib);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double cost_middle(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(double), by_value);
    return values[count / 2];
}

struct cost cost_median(const struct cost *c, int count)
{
    double wall[COST_ROUNDS_MAX], cpu[COST_ROUNDS_MAX], mib[COST_ROUNDS_MAX];
    for (int i = 0; i < count; i++) {
        wall[i] = c[i].wall;
        cpu[i] = c[i].cpu;
        mib[i] = c[i].mib;
    }
    return (struct cost){cost_middle(wall, count), cost_middle(cpu, count),
                         cost_middle(mib, count)};
}

int cost_setting(const char *name, int otherwise, int most)
{
    int64_t value;
    const char *text = getenv(name);
    return text && str_to_int(text, 1, most, &value) ? (int)value : otherwise;
}

int64_t cost_now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t cost_own_kb(void)
{
    AUTO(free_ptr) char *text = NULL;
    size_t len;
    struct err e = {0};
    const char *at =
        fs_read("/proc/self/status", 16384, &text, &len, &e) ? strstr(text, "RssAnon:") : NULL;
    return at ? strtoll(at + 8, NULL, 10) : 0;
}
