/* Upkeep: jobs of dead workers, invariants of the ledger, old rows, the cache. */
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_chat.h"
#include "core/db/store_ledger.h"
#include "core/job/worker_internal.h"

#define LOG_MODULE "janitor"

enum {
    RESCUE_MS = 10 * 1000,
    LEDGER_MS = 5 * 60 * 1000,
    SWEEP_MS = 10 * 60 * 1000,
    TRIM_MS = 10 * 60 * 1000,
    KEEP_DAYS = 30,
    OWN_SECONDS = 24 * 3600,
    FILMS_MS = 3600 * 1000,
};

struct janitor {
    struct janitor_options o;
    char *out_dir; /* ours; NULL: none */
    struct cancel stop;
    pthread_t thread;
    bool away; /* the database did not answer last time: said once */
};

struct chore {
    struct janitor *j;
    int count;
    int64_t removed;
    bool closed;
};

static bool rescue_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct chore *c = ctx;
    return job_rescue(tx, c->j->o.on_failed, c->j->o.ctx, &c->count, e);
}

static void on_fault(void *ctx, const char *what)
{
    (void)ctx;
    log_error("ledger: %s", what);
}

static bool ledger_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct chore *c = ctx;
    return ledger_watch(tx, on_fault, NULL, &c->closed, e);
}

static bool sweep_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct chore *c = ctx;
    int days = c->j->o.keep_days ? c->j->o.keep_days : KEEP_DAYS;
    return chat_sweep(tx, days, &c->removed, e);
}

static bool run_chore(struct janitor *j, db_body *body, struct chore *c)
{
    struct err e = {0};
    *c = (struct chore){.j = j};
    if (db_run(j->o.db, body, c, &e)) {
        j->away = false;
        return true;
    }
    if (!j->away || e.code != ERR_RETRY)
        log_err(LOG_WARN, LOG_MODULE, &e);
    j->away = true;
    return false;
}

/* Due on the first call, then each `every` ms. */
static bool due(int64_t *next_ms, int64_t now, int every)
{
    if (now < *next_ms)
        return false;
    *next_ms = now + every;
    return true;
}

/* What a killed worker left of the files that people had sent along. */
static void sweep_own(const struct janitor *j)
{
    AUTO(free_ptr) char *folder = str_printf("%s/" WORKER_OWN_FOLDER, j->out_dir);
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        AUTO(free_ptr) char *path = str_printf("%s/%s", folder, entry->d_name);
        struct stat st;
        if (entry->d_name[0] != '.' && stat(path, &st) == 0 &&
            clock_wall_ms() / 1000 - st.st_mtime > OWN_SECONDS)
            fs_remove(path);
    }
    if (dir)
        closedir(dir);
}

static void *janitor_main(void *janitor)
{
    struct janitor *j = janitor;
    int64_t rescue = 0, ledger = 0, sweep = 0, trim = 0, own = 0, films = 0;
    int rescue_ms = j->o.rescue_ms ? j->o.rescue_ms : RESCUE_MS;
    do {
        int64_t now = clock_mono_ms();
        struct chore c;
        if (due(&rescue, now, rescue_ms) && run_chore(j, rescue_body, &c) && c.count > 0)
            log_warn("%d jobs of lost workers were taken back", c.count);
        if (due(&ledger, now, LEDGER_MS) && run_chore(j, ledger_body, &c) && c.closed)
            log_error("orders and refunds are stopped until the books agree: see `nanotik doctor`");
        if (due(&sweep, now, SWEEP_MS))
            run_chore(j, sweep_body, &c);
        if (j->out_dir && due(&own, now, SWEEP_MS))
            sweep_own(j);
        if (j->out_dir && due(&films, now, FILMS_MS))
            sweep_films(j->o.db, j->out_dir, &j->stop);
        if (j->o.cache && due(&trim, now, TRIM_MS))
            cache_trim(j->o.cache);
    } while (!cancel_wait(&j->stop, MIN(rescue_ms, 1000)));
    return NULL;
}

bool janitor_start(const struct janitor_options *o, struct janitor **ret, struct err *e)
{
    struct janitor *j = calloc(1, sizeof *j);
    if (!j)
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    j->o = *o;
    j->out_dir = o->out_dir ? str_dup(o->out_dir) : NULL;
    cancel_init(&j->stop, NULL);
    if (pthread_create(&j->thread, NULL, janitor_main, j) != 0) {
        free(j->out_dir);
        free(j);
        return err_set(e, ERR_RETRY, "error.busy", "no thread for the janitor");
    }
    pthread_setname_np(j->thread, "janitor");
    *ret = j;
    return true;
}

void janitor_stop(struct janitor *j)
{
    if (!j)
        return;
    cancel_fire(&j->stop);
    pthread_join(j->thread, NULL);
    free(j->out_dir);
    free(j);
}
