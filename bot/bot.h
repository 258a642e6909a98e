/*
 * bot - what the parts of bot/ share: one value, filled by bot/runner, read by all threads.
 *
 * Owner:   bot/runner.
 * Threads: read-only after start, except what says otherwise.
 */
#ifndef NANOTIK_BOT_H
#define NANOTIK_BOT_H

#include <stdatomic.h>

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/config.h"
#include "core/db/db.h"
#include "core/db/store_draft.h"
#include "core/db/store_guard.h"
#include "core/job/drafter.h"
#include "core/job/pipeline.h"
#include "core/job/worker.h"
#include "core/port/chat.h"
#include "core/port/payment_method.h"

enum { BOT_ADAPTERS_MAX = 4, BOT_TIERS = 3 };

struct fiat_rate;
struct inbox;
struct outbox;
struct sampler;
struct status;

struct bot {
    struct db *db;
    const struct toolbox *tools;
    struct chat_adapter adapters[BOT_ADAPTERS_MAX];
    size_t adapter_count;
    struct inbox *inbox;            /* NULL until started */
    int64_t events_before;          /* set by inbox_start: events up to this one were there */
    int64_t process;                /* a random number that names this process */
    atomic_bool careful;            /* one of those events is being dealt with */
    struct outbox *outbox;          /* NULL until started */
    struct status *status;          /* NULL until started */
    struct sampler *sampler;        /* NULL until started */
    struct workers *workers;        /* NULL in a process without workers */
    struct drafter *drafter;        /* NULL in a process without workers */
    struct payment_method pay;      /* ops NULL: credits cannot be bought */
    struct fiat_rate *fiat;         /* NULL: no rate source */
    bool refunds;                   /* /refund is offered */
    const char *admins;             /* config's list of operators; NULL or "": nobody is named */
    const char *support;            /* where people reach the operator; NULL or "": not said */
    char qr_dir[1024];              /* pictures of orders; "": none are drawn */
    int64_t prices[BOT_TIERS];      /* credits per started minute, by enum story_tier */
    int remix_percent, dub_percent; /* of the price, for what is made of a film that is there */
    int trial_credits;
    int own_words_percent; /* of the price, where own words stand in for an ordered script */
    struct draft_limits draft_limits;
    struct strike_limits strikes;
    int seconds_max;
    bool alone;             /* the database is this process's own: no other serves it */
    bool own_words;         /* no script writer is configured */
    atomic_bool job_failed; /* any job of this session */
};

/* NULL when this process does not serve that network. */
const struct chat_adapter *bot_adapter(const struct bot *bot, const char *network);
const struct chat_abilities *bot_abilities(const struct bot *bot, const char *network);
/* Others read there too, and nothing can be whispered: balances are not told. */
bool bot_is_overheard(const struct bot *bot, const struct chat_addr *where);
int64_t bot_price(const struct bot *bot, const struct story_settings *settings,
                  int64_t duration_ms);
/* The same, less where own words had to do. */
int64_t bot_story_price(const struct bot *bot, const struct storyboard *story, int64_t duration_ms);

/* One stored event of any network of this process: one transaction, its answers are rows of the
   outbox. One that was there before this process may be why the last one ended: such are dealt with
   one at a time, each is counted first, and after BOT_BEGUN_MAX processes it is given up. */
enum { BOT_BEGUN_MAX = 3 };
enum bot_did { BOT_NOTHING, BOT_ONE, BOT_LATER /* its chat has to wait a little */, BOT_AWAY };
enum bot_did bot_handle_one(struct bot *bot);
/* While the database is away nothing can be stored: says so at most once a minute, past the
   outbox. */
void bot_tell_outage(struct bot *bot, const struct chat_event *event);

#endif
