#include "core/db/lease_keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "lease"

struct lease_keeper {
    struct db *db;
    char name[LEASE_NAME_MAX], holder[LEASE_HOLDER_MAX];
    int ttl_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    int64_t until_ms; /* ours until then, by our clock; 0: not ours */
    bool given;       /* not wanted any more */
};

struct turn {
    const struct lease_keeper *k;
    int64_t asked_ms;
    bool held;
};

static bool take_body(struct db_tx *tx, void *data, struct err *e)
{
    struct turn *t = data;
    t->asked_ms = clock_mono_ms(); /* before the database counts: ours ends first */
    return lease_take(tx, t->k->name, t->k->holder, t->k->ttl_ms, &t->held, e);
}

static bool give_body(struct db_tx *tx, void *data, struct err *e)
{
    const struct lease_keeper *k = data;
    return lease_give(tx, k->name, k->holder, e);
}

bool lease_keeper_held(struct lease_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    bool held = k->until_ms > 0 && clock_mono_ms() < k->until_ms - k->ttl_ms / 10;
    pthread_mutex_unlock(&k->lock);
    return held;
}

const char *lease_keeper_holder(const struct lease_keeper *k)
{
    return k->holder;
}

/* Asks once; ms until the next time. */
static int look(struct lease_keeper *k)
{
    struct turn t = {.k = k};
    struct err e;
    bool ok = db_run(k->db, take_body, &t, &e);
    if (!ok && e.code != ERR_CANCELLED)
        log_err(LOG_WARN, LOG_MODULE, &e);
    pthread_mutex_lock(&k->lock);
    bool had = k->until_ms > 0;
    if (ok && !k->given)
        k->until_ms = t.held ? t.asked_ms + k->ttl_ms : 0;
    else if (clock_mono_ms() >= k->until_ms) /* an unanswered question takes nothing away yet */
        k->until_ms = 0;
    bool has = k->until_ms > 0;
    pthread_mutex_unlock(&k->lock);
    if (had != has)
        log_info("%s: %s", k->name, has ? "ours now" : "not ours any more");
    return ok && t.held ? k->ttl_ms / 4 : CLAMP(k->ttl_ms / 20, 20, 1000);
}

static bool wait_for_turn(struct lease_keeper *k, int ms)
{
    struct timespec until = clock_until(ms);
    int r = 0;
    pthread_mutex_lock(&k->lock);
    while (!k->given && r == 0)
        r = pthread_cond_clockwait(&k->changed, &k->lock, CLOCK_MONOTONIC, &until);
    bool on = !k->given;
    pthread_mutex_unlock(&k->lock);
    return on;
}

static void *keeper_main(void *data)
{
    struct lease_keeper *k = data;
    struct err e;
    pthread_setname_np(pthread_self(), "lease");
    while (wait_for_turn(k, look(k)))
        ;
    if (!db_run(k->db, give_body, k, &e)) /* it runs out by itself */
        log_err(LOG_INFO, LOG_MODULE, &e);
    return NULL;
}

bool lease_keeper_start(struct db *db, const char *name, int ttl_ms, struct lease_keeper **ret,
                        struct err *e)
{
    struct lease_keeper *k = calloc(1, sizeof(*k));
    unsigned long long random = 0;
    char host[64] = "host";
    if (!k)
        return err_set(e, ERR_INTERNAL, "error.internal", "lease: no memory");
    random_bytes(&random, sizeof(random));
    gethostname(host, sizeof(host) - 1);
    snprintf(k->holder, sizeof(k->holder), "%s:%d:%llx", host, (int)getpid(), random);
    str_copy(k->name, sizeof(k->name), name);
    k->db = db;
    k->ttl_ms = ttl_ms > 0 ? ttl_ms : LEASE_MS;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    int r = pthread_create(&k->thread, NULL, keeper_main, k);
    if (r != 0) {
        free(k);
        return err_set_io(e, r, "lease thread", "start");
    }
    *ret = k;
    return true;
}

void lease_keeper_give(struct lease_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->given = true;
    k->until_ms = 0;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

void lease_keeper_stop(struct lease_keeper *k)
{
    if (!k)
        return;
    lease_keeper_give(k);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
