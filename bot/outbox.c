#define LOG_MODULE "outbox"
#include "bot/outbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bot/card_json.h"
#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_chat.h"
#include "core/db/store_job.h"

/* Several senders per network, so that a chat that must rest or a slow answer holds up nobody else;
   the database gives each chat's cards to one of them at a time. */
enum { CLAIM_MAX = 4, SENDERS_MAX = 8, POLL_MS = 1000, AWAY_MS = 2000, SETTLE_MS = 200 };

struct lane {
    struct outbox *outbox;
    const struct chat_adapter *adapter;
    pthread_t thread;
    bool started;
};

struct outbox {
    struct bot *bot;
    struct lane lanes[BOT_ADAPTERS_MAX * SENDERS_MAX];
    size_t lane_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    uint64_t wakes;
    bool stopping;
    int unsettled;   /* results that the database does not have yet */
    int64_t stop_at; /* monotonic, once stopping */
};

struct batch {
    const char *network;
    struct outbox_row rows[CLAIM_MAX];
    size_t count;
};

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        outbox_row_free(&b->rows[i]);
    b->count = 0;
}

static bool claim_body(struct db_tx *tx, void *data, struct err *e)
{
    struct batch *b = data;
    batch_free(b);
    return outbox_claim(tx, b->network, CLAIM_MAX, b->rows, &b->count, e);
}

struct result {
    const struct outbox_row *row;
    char ref[CHAT_REF_MAX];
    bool ok;
    enum outbox_failure why;
    int delay_ms;
};

static bool result_body(struct db_tx *tx, void *data, struct err *e)
{
    struct result *r = data;
    if (r->ok)
        return outbox_sent(tx, r->row, r->ref, e);
    return outbox_failed(tx, r->row, r->why, r->delay_ms, e);
}

struct stale {
    const char *job;
    bool ended;
};

static bool stale_body(struct db_tx *tx, void *data, struct err *e)
{
    struct stale *stale = data;
    AUTO(job_free) struct job job = {0};
    if (!job_get(tx, stale->job, &job, e))
        return false;
    stale->ended = job.state == JOB_DONE || job.state == JOB_FAILED || job.state == JOB_CANCELLED;
    return true;
}

/* "Queued" after "ready" would be a lie: the first card of an ended job is not sent any more. */
static bool row_is_stale(struct outbox *o, const struct outbox_row *row)
{
    struct stale stale = {.job = row->job};
    struct err e;
    return row->sets_card && row->job[0] && db_run_soft(o->bot->db, stale_body, &stale, &e) &&
           stale.ended;
}

static bool row_give(const struct lane *lane, const struct outbox_row *row,
                     char ret_ref[CHAT_REF_MAX], struct err *e)
{
    const struct chat_adapter *a = lane->adapter;
    AUTO(card_doc_free) struct card_doc doc = {0};
    if (!card_from_json(row->body, &doc, e))
        return false;
    if (doc.card.picture && !fs_exists(doc.card.picture))
        doc.card.picture = NULL; /* on another machine, or swept: the words say all of it */
    if (row->edit_ref[0]) {
        if (a->ops->edit(a->self, &row->addr, row->edit_ref, &doc.card, e)) {
            str_copy(ret_ref, CHAT_REF_MAX, row->edit_ref);
            return true;
        }
        if (e->code != ERR_NOT_FOUND)
            return false;
    }
    return a->ops->send(a->self, &row->addr, &doc.card, ret_ref, e);
}

static enum outbox_failure why_failed(const struct err *e, bool held)
{
    switch (e->code) {
    case ERR_RETRY:
        return held ? OUTBOX_HELD : OUTBOX_AGAIN;
    case ERR_CANCELLED:
        return OUTBOX_AGAIN;
    case ERR_CONFLICT:
        return OUTBOX_UNCLEAR;
    default:
        return OUTBOX_NEVER;
    }
}

static bool lane_may_go_on(struct outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool on = !o->stopping || clock_mono_ms() < o->stop_at;
    pthread_mutex_unlock(&o->lock);
    return on;
}

static void count_unsettled(struct outbox *o, int change)
{
    pthread_mutex_lock(&o->lock);
    o->unsettled += change;
    pthread_mutex_unlock(&o->lock);
}

static bool all_settled(struct outbox *o)
{
    pthread_mutex_lock(&o->lock);
    bool settled = o->unsettled == 0;
    pthread_mutex_unlock(&o->lock);
    return settled;
}

/* What became of it is known here and nowhere else: it is written down once the database is back,
   before anything is claimed. Else the row would keep its lane waiting, and be sent again. */
static void row_settle(struct outbox *o, struct result *r)
{
    struct err e = {0};
    if (db_run(o->bot->db, result_body, r, &e))
        return;
    log_err(LOG_WARN, LOG_MODULE, &e);
    count_unsettled(o, 1);
    while (e.code == ERR_RETRY && lane_may_go_on(o)) {
        cancel_wait(NULL, SETTLE_MS);
        if (db_run(o->bot->db, result_body, r, &e))
            break;
    }
    count_unsettled(o, -1);
}

static void row_send(struct lane *lane, const struct outbox_row *row)
{
    struct outbox *o = lane->outbox;
    struct result r = {.row = row, .ok = true};
    struct err e = {0};
    crash_at("outbox.before_send");
    if (!row_is_stale(o, row))
        r.ok = row_give(lane, row, r.ref, &e);
    crash_at("outbox.after_send");
    if (!r.ok) {
        const struct chat_adapter *a = lane->adapter;
        int64_t hold = a->ops->hold_ms ? a->ops->hold_ms(a->self, &row->addr) : 0;
        bool held = e.code == ERR_RETRY && hold > 0;
        r.why = why_failed(&e, held);
        r.delay_ms = held ? (int)MIN(hold, 3600000) : 1000 << MIN(row->tries - 1, 2);
        log_err(r.why == OUTBOX_NEVER ? LOG_ERROR : held ? LOG_INFO : LOG_WARN, LOG_MODULE, &e);
    }
    row_settle(o, &r);
}

/* Waits for a wake-up, at most ms; true when the thread has to end. */
static bool lane_wait(struct outbox *o, uint64_t *seen, int ms)
{
    struct timespec until = clock_until(ms);
    pthread_mutex_lock(&o->lock);
    int r = 0;
    while (*seen == o->wakes && !o->stopping && r == 0)
        r = pthread_cond_timedwait(&o->changed, &o->lock, &until);
    *seen = o->wakes;
    bool stopping = o->stopping;
    pthread_mutex_unlock(&o->lock);
    return stopping;
}

static void *lane_main(void *data)
{
    struct lane *lane = data;
    struct outbox *o = lane->outbox;
    uint64_t seen = 0;
    pthread_setname_np(pthread_self(), "outbox");
    for (;;) {
        struct batch batch = {.network = lane->adapter->ops->name};
        struct err e = {0};
        /* A claim that a crash forgets is claimed again: the same as a send of unknown result. */
        bool ok = all_settled(o) && db_run_soft(o->bot->db, claim_body, &batch, &e);
        if (!ok && e.code != ERR_NONE && e.code != ERR_CANCELLED)
            log_err(LOG_WARN, LOG_MODULE, &e);
        for (size_t i = 0; ok && i < batch.count && lane_may_go_on(o); i++)
            row_send(lane, &batch.rows[i]);
        bool more = ok && batch.count > 0;
        batch_free(&batch);
        if (!lane_may_go_on(o))
            return NULL;
        if (!more && lane_wait(o, &seen, ok ? POLL_MS : AWAY_MS))
            return NULL; /* stopping, and nothing was due */
    }
}

static bool expire_body(struct db_tx *tx, void *network, struct err *e)
{
    return outbox_expire(tx, network, e);
}

static bool start_network(struct outbox *o, const struct chat_adapter *adapter, struct err *e)
{
    struct err ignored;
    int senders = CLAMP(adapter->ops->abilities(adapter->self)->senders, 1, SENDERS_MAX);
    if (o->bot->alone && !db_run(o->bot->db, expire_body, (void *)adapter->ops->name, &ignored))
        log_err(LOG_WARN, LOG_MODULE, &ignored);
    for (int i = 0; i < senders; i++) {
        struct lane *lane = &o->lanes[o->lane_count];
        *lane = (struct lane){.outbox = o, .adapter = adapter};
        int r = pthread_create(&lane->thread, NULL, lane_main, lane);
        if (r != 0)
            return err_set_io(e, r, "outbox thread", "start");
        lane->started = true;
        o->lane_count++;
    }
    return true;
}

bool outbox_start(struct bot *bot, struct outbox **ret, struct err *e)
{
    struct outbox *o = calloc(1, sizeof(*o));
    if (!o)
        return err_set(e, ERR_INTERNAL, "error.internal", "outbox: no memory");
    o->bot = bot;
    pthread_mutex_init(&o->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&o->changed, &attr);
    pthread_condattr_destroy(&attr);
    for (size_t i = 0; i < bot->adapter_count; i++) {
        if (start_network(o, &bot->adapters[i], e))
            continue;
        outbox_stop(o, 0);
        return false;
    }
    *ret = o;
    return true;
}

void outbox_wake(struct outbox *o)
{
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    o->wakes++;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

void outbox_stop(struct outbox *o, int flush_ms)
{
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    o->stopping = true;
    o->stop_at = clock_mono_ms() + flush_ms;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
    for (size_t i = 0; i < COUNT(o->lanes); i++)
        if (o->lanes[i].started)
            pthread_join(o->lanes[i].thread, NULL);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->lock);
    free(o);
}
