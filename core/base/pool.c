#include "core/base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "core/base/strbuf.h"

struct pool {
    size_t threads, max_queued;
    char name[16];
    pthread_mutex_t lock;
    pthread_cond_t work, room;
    /* --- below: only with lock held --- */
    bool closed;
    size_t queued;
    struct pool_task *first; /* heaviest first, then oldest */
    pthread_t thread[];
};

/* The pool whose thread this is; its own submits must not wait for room that only it can make. */
static _Thread_local struct pool *self_pool;

static struct pool_task *take_first(struct pool *p)
{
    struct pool_task *task = p->first;
    p->first = task->next;
    p->queued--;
    task->next = NULL;
    pthread_cond_signal(&p->room);
    return task;
}

static void insert(struct pool *p, struct pool_task *task)
{
    struct pool_task **at = &p->first;
    while (*at && (*at)->weight >= task->weight)
        at = &(*at)->next;
    task->next = *at;
    *at = task;
    p->queued++;
    pthread_cond_signal(&p->work);
}

static void *work_loop(void *arg)
{
    struct pool *p = arg;
    self_pool = p;
    pthread_setname_np(pthread_self(), p->name);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->closed)
            pthread_cond_wait(&p->work, &p->lock);
        if (!p->first)
            break;
        struct pool_task *task = take_first(p);
        pthread_mutex_unlock(&p->lock);
        task->run(task);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static size_t core_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (size_t)n : 1;
}

/* Signals are the main thread's; a pool thread takes none. */
static size_t start_threads(struct pool *p, size_t wanted)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    size_t n = 0;
    while (n < wanted && pthread_create(&p->thread[n], NULL, work_loop, p) == 0)
        n++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

struct pool *pool_create(const char *name, size_t threads, size_t max_queued)
{
    if (threads == 0)
        threads = core_count();
    struct pool *p = calloc(1, sizeof(*p) + threads * sizeof(p->thread[0]));
    if (!p)
        return NULL;
    p->max_queued = MAX(max_queued, (size_t)1);
    str_copy(p->name, sizeof(p->name), name);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->room, NULL);
    p->threads = start_threads(p, threads); /* fewer than asked still do the work */
    if (p->threads == 0) {
        pool_destroy(p);
        return NULL;
    }
    return p;
}

void pool_submit(struct pool *p, struct pool_task *task)
{
    struct pool_task *instead = NULL;
    pthread_mutex_lock(&p->lock);
    assert(!p->closed || self_pool == p);
    while (p->queued >= p->max_queued && self_pool != p)
        pthread_cond_wait(&p->room, &p->lock);
    if (p->queued >= p->max_queued)
        instead = take_first(p);
    insert(p, task);
    pthread_mutex_unlock(&p->lock);
    if (instead)
        instead->run(instead);
}

size_t pool_threads(const struct pool *p)
{
    return p->threads;
}

void pool_destroy(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->room);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
