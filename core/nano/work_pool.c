#include "core/nano/work_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/clock.h"

/* A slice is one to five milliseconds: the longest that cancel, stop or a cheaper request waits. */
enum { SLICE = 1 << 15, MAX_WAITING = 256, SOURCE_MS = 10000, LOOK_MS = 100 };

enum request_state { WAITING, DONE, CANCELLED };
enum source_state { SOURCE_WAITS, SOURCE_ASKED, SOURCE_OVER };

struct request {
    struct nano_hash root; /* root, threshold, since: fixed */
    uint64_t threshold;
    int64_t since;
    struct cancel cancel; /* for the source: fired when nobody needs its answer */
    /* --- below: only with the pool's lock held --- */
    enum request_state state;
    enum source_state source;
    uint64_t next; /* the nonce that the next slice begins with */
    uint64_t work; /* when DONE */
    int users;     /* the list, waiters, threads in a slice */
    struct request *after;
};

struct kept {
    struct nano_hash root;
    uint64_t value, work; /* value 0: empty */
};

struct work_pool {
    enum nano_work_engine engine;
    size_t threads, max_waiting;
    int64_t source_ms;
    struct work_source source;
    bool source_runs;
    pthread_t source_thread;
    struct cancel stop;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for threads: a request came, or a source gave up */
    pthread_cond_t done;    /* for waiters */
    /* --- below: only with lock held --- */
    struct request *first; /* WAITING ones, oldest first */
    struct work_pool_state stats;
    uint64_t slices;
    size_t kept_next;
    struct kept kept[WORK_KEPT];
    pthread_t thread[];
};

/* --- with lock held --- */

static bool keep_find(const struct work_pool *p, const struct nano_hash *root, uint64_t threshold,
                      uint64_t *ret)
{
    for (size_t i = 0; i < WORK_KEPT; i++)
        if (p->kept[i].value >= MAX(threshold, (uint64_t)1) &&
            nano_hash_equal(&p->kept[i].root, root)) {
            *ret = p->kept[i].work;
            return true;
        }
    return false;
}

static void keep(struct work_pool *p, const struct nano_hash *root, uint64_t work)
{
    p->kept[p->kept_next] = (struct kept){*root, nano_work_value(root, work), work};
    p->kept_next = (p->kept_next + 1) % WORK_KEPT;
}

static struct request *find(const struct work_pool *p, const struct nano_hash *root,
                            uint64_t threshold)
{
    struct request *r = p->first;
    while (r && !(r->threshold == threshold && nano_hash_equal(&r->root, root)))
        r = r->after;
    return r;
}

static void release(struct request *r)
{
    if (--r->users == 0)
        free(r);
}

/* Out of the list, whoever waits for it is woken. */
static void settle(struct work_pool *p, struct request *r, enum request_state state)
{
    struct request **at = &p->first;
    while (*at != r)
        at = &(*at)->after;
    *at = r->after;
    p->stats.waiting--;
    r->state = state;
    cancel_fire(&r->cancel);
    pthread_cond_broadcast(&p->done);
    release(r);
}

/* Ends every request that this work is good for, unless somebody else was first. */
static void finish(struct work_pool *p, struct request *r, uint64_t work, uint64_t *counter)
{
    if (r->state != WAITING)
        return;
    ++*counter;
    keep(p, &r->root, work);
    struct nano_hash root = r->root;
    uint64_t value = nano_work_value(&root, work);
    for (struct request *other = p->first, *after; other; other = after) {
        after = other->after;
        if (other->threshold > value || !nano_hash_equal(&other->root, &root))
            continue;
        other->work = work;
        settle(p, other, DONE);
    }
}

/* NULL when memory is gone or the list is full. */
static struct request *append(struct work_pool *p, const struct nano_hash *root, uint64_t threshold)
{
    struct request *r = p->stats.waiting < p->max_waiting ? calloc(1, sizeof(*r)) : NULL;
    if (!r)
        return NULL;
    r->root = *root;
    r->threshold = threshold;
    r->since = clock_mono_ms();
    cancel_init(&r->cancel, &p->stop);
    r->source = p->source.generate ? SOURCE_WAITS : SOURCE_OVER;
    randombytes_buf(&r->next, sizeof(r->next)); /* two processes do not try the same */
    r->users = 1;
    struct request **end = &p->first;
    while (*end)
        end = &(*end)->after;
    *end = r;
    p->stats.waiting++;
    pthread_cond_broadcast(&p->changed);
    return r;
}

/* How long the threads leave r to its source; 0 = not at all. */
static int64_t held_ms(const struct work_pool *p, const struct request *r)
{
    return r->source == SOURCE_OVER ? 0 : MAX(r->since + p->source_ms - clock_mono_ms(), 0);
}

/* The cheapest, every fourth time the oldest. NULL: none; *ret_ms says when to look again. */
static struct request *choose(struct work_pool *p, int64_t *ret_ms)
{
    bool oldest = p->slices++ % 4 == 3;
    struct request *best = NULL;
    *ret_ms = INT64_MAX;
    for (struct request *r = p->first; r; r = r->after) {
        int64_t held = held_ms(p, r);
        if (held > 0) {
            *ret_ms = MIN(*ret_ms, held);
            continue;
        }
        if (!best || r->threshold < best->threshold)
            best = r;
        if (oldest)
            break;
    }
    return best;
}

static struct request *choose_for_source(struct work_pool *p)
{
    struct request *r = p->first;
    while (r && r->source != SOURCE_WAITS)
        r = r->after;
    return r;
}

/* --- threads --- */

/* Runs only when a core has nothing else to do. */
static void be_modest(void)
{
    struct sched_param none = {0};
    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
}

static void run_slice(struct work_pool *p, struct request *r)
{
    uint64_t work;
    uint64_t first = r->next;
    r->next += SLICE;
    r->users++;
    pthread_mutex_unlock(&p->lock);
    bool hit = nano_work_search(p->engine, &r->root, r->threshold, first, SLICE, &work);
    pthread_mutex_lock(&p->lock);
    if (hit)
        finish(p, r, work, &p->stats.made);
    release(r);
}

static void *work_loop(void *arg)
{
    struct work_pool *p = arg;
    pthread_setname_np(pthread_self(), "work");
    be_modest();
    pthread_mutex_lock(&p->lock);
    while (!cancel_fired(&p->stop)) {
        int64_t held;
        struct request *r = choose(p, &held);
        if (r) {
            run_slice(p, r);
        } else if (held == INT64_MAX) {
            pthread_cond_wait(&p->changed, &p->lock);
        } else {
            struct timespec until = clock_until(held);
            pthread_cond_clockwait(&p->changed, &p->lock, CLOCK_MONOTONIC, &until);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void ask_source(struct work_pool *p, struct request *r)
{
    uint64_t work;
    struct err e = {0};
    r->source = SOURCE_ASKED;
    r->users++;
    pthread_mutex_unlock(&p->lock);
    bool given = p->source.generate(p->source.ctx, &r->root, r->threshold, &r->cancel, &work, &e);
    bool good = given && nano_work_valid(&r->root, work, r->threshold);
    pthread_mutex_lock(&p->lock);
    r->source = SOURCE_OVER;
    if (given && !good)
        p->stats.refused++;
    if (good)
        finish(p, r, work, &p->stats.from_source);
    release(r);
    pthread_cond_broadcast(&p->changed);
}

static void *source_loop(void *arg)
{
    struct work_pool *p = arg;
    pthread_setname_np(pthread_self(), "work-source");
    pthread_mutex_lock(&p->lock);
    while (!cancel_fired(&p->stop)) {
        struct request *r = choose_for_source(p);
        if (r)
            ask_source(p, r);
        else
            pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* --- the calls --- */

static size_t half_the_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 3 ? (size_t)n / 2 : 1;
}

/* Signals are the main thread's. */
static bool start_threads(struct work_pool *p, size_t wanted)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->threads < wanted && pthread_create(&p->thread[p->threads], NULL, work_loop, p) == 0)
        p->threads++;
    p->source_runs =
        p->source.generate && pthread_create(&p->source_thread, NULL, source_loop, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p->threads > 0 && (p->source_runs || !p->source.generate);
}

struct work_pool *work_pool_create(const struct work_pool_options *options)
{
    size_t threads = options->threads ? options->threads : half_the_cores();
    struct work_pool *p = calloc(1, sizeof(*p) + threads * sizeof(p->thread[0]));
    if (!p)
        return NULL;
    p->engine = nano_work_engine_best();
    p->max_waiting = options->max_waiting ? options->max_waiting : MAX_WAITING;
    p->source_ms = options->source_ms ? options->source_ms : SOURCE_MS;
    p->source = options->source;
    cancel_init(&p->stop, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    pthread_cond_init(&p->done, NULL);
    if (!start_threads(p, threads)) {
        work_pool_destroy(p);
        return NULL;
    }
    return p;
}

/* True: *ret_work is there. False with *ret_request: on its way, the caller is one of its users.
   False with NULL: no room. */
static bool begin(struct work_pool *p, const struct nano_hash *root, uint64_t threshold,
                  uint64_t *ret_work, struct request **ret_request)
{
    *ret_request = NULL;
    pthread_mutex_lock(&p->lock);
    bool there = keep_find(p, root, threshold, ret_work);
    if (!there) {
        *ret_request = find(p, root, threshold);
        if (!*ret_request)
            *ret_request = append(p, root, threshold);
        if (*ret_request)
            (*ret_request)->users++;
    }
    pthread_mutex_unlock(&p->lock);
    return there;
}

static bool no_room(struct err *e)
{
    return err_set(e, ERR_RETRY, "error.internal", "too many requests for work");
}

bool work_pool_submit(struct work_pool *p, const struct nano_hash *root, uint64_t threshold,
                      struct err *e)
{
    uint64_t work;
    struct request *r;
    if (begin(p, root, threshold, &work, &r))
        return true;
    if (!r)
        return no_room(e);
    pthread_mutex_lock(&p->lock);
    release(r);
    pthread_mutex_unlock(&p->lock);
    return true;
}

bool work_pool_wait(struct work_pool *p, const struct nano_hash *root, uint64_t threshold,
                    int64_t timeout_ms, const struct cancel *cancel, uint64_t *ret_work,
                    struct err *e)
{
    struct request *r;
    if (begin(p, root, threshold, ret_work, &r))
        return true;
    if (!r)
        return no_room(e);
    int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
    bool stopped = false;
    bool late = false;
    pthread_mutex_lock(&p->lock);
    while (r->state == WAITING && !stopped && !late) {
        struct timespec until = clock_until(LOOK_MS);
        pthread_cond_clockwait(&p->done, &p->lock, CLOCK_MONOTONIC, &until);
        stopped = cancel_fired(cancel) || cancel_fired(&p->stop);
        late = clock_mono_ms() >= deadline;
    }
    enum request_state state = r->state;
    if (state == DONE)
        *ret_work = r->work;
    release(r);
    pthread_mutex_unlock(&p->lock);
    if (state == DONE)
        return true;
    if (state == CANCELLED || stopped)
        return err_set(e, ERR_CANCELLED, "error.internal", "work is not needed any more");
    return err_set(e, ERR_RETRY, "error.internal", "work not ready in %lld ms",
                   (long long)timeout_ms);
}

void work_pool_cancel(struct work_pool *p, const struct nano_hash *root)
{
    pthread_mutex_lock(&p->lock);
    for (struct request *r = p->first, *after; r; r = after) {
        after = r->after;
        if (nano_hash_equal(&r->root, root))
            settle(p, r, CANCELLED);
    }
    pthread_mutex_unlock(&p->lock);
}

struct work_pool_state work_pool_state(struct work_pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct work_pool_state s = p->stats;
    pthread_mutex_unlock(&p->lock);
    return s;
}

void work_pool_destroy(struct work_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    cancel_fire(&p->stop);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->threads; i++) {
        /* On a busy machine a modest thread would take seconds to end its slice. */
        struct sched_param none = {0};
        (void)pthread_setschedparam(p->thread[i], SCHED_OTHER, &none);
        pthread_join(p->thread[i], NULL);
    }
    if (p->source_runs)
        pthread_join(p->source_thread, NULL);
    while (p->first)
        settle(p, p->first, CANCELLED);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
