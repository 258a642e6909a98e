/*
 * `nanotik run`: starts everything in order, waits, stops everything in the opposite order.
 *
 * --role: a gateway has the chats, payments, scripts before they are paid, and all cards; a worker
 * has the jobs, and of the chats only what uploads a film and moves its card. They meet in the
 * database and nowhere else. Upkeep (janitor) is done by both.
 */
#define LOG_MODULE "start"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bot/bot.h"
#include "bot/cli.h"
#include "bot/health.h"
#include "bot/inbox.h"
#include "bot/outbox.h"
#include "bot/pay_calls.h"
#include "bot/pay_card.h"
#include "bot/sampler.h"
#include "bot/script_card.h"
#include "bot/signals.h"
#include "bot/status.h"
#include "bot/wire.h"
#include "bot/worker_calls.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_chat.h"
#include "core/db/store_inbox.h"
#include "core/db/store_job.h"
#include "core/db/store_lease.h"
#include "core/nano/key.h"

enum { CONNECTIONS = 16, LOOK_MS = 100, CLUSTER_LOOK_MS = 1000, FLUSH_MS = 2000 };

struct intake {
    struct runner *runner;
    const struct chat_adapter *adapter;
    pthread_t thread;
    bool started;
    atomic_bool ended, failed, misfit; /* misfit: failed for a wrong setting, such as the token */
};

enum { ROLE_GATEWAY = 1, ROLE_WORKER = 2, ROLE_ALL = ROLE_GATEWAY | ROLE_WORKER };

struct runner {
    struct cli *cli;
    int role;
    struct bot bot;
    struct cli_db db;
    struct wire_tools *tools;
    struct wire_chats *chats;
    struct wire_pay *pay;
    struct pay_calls pay_calls;
    struct nano_seed *seed; /* until the payments have it */
    struct janitor *janitor;
    struct health *health; /* NULL: no pages */
    struct intake intakes[BOT_ADAPTERS_MAX];
    char worker[128];
    bool finishing_told;
};

static void *intake_main(void *data)
{
    struct intake *in = data;
    struct err e = {0};
    pthread_setname_np(pthread_self(), in->adapter->ops->name);
    if (!in->adapter->ops->run(in->adapter->self, bot_on_events, &in->runner->bot, &e)) {
        log_err(LOG_ERROR, LOG_MODULE, &e);
        atomic_store(&in->misfit, e.code == ERR_CONFIG);
        atomic_store(&in->failed, true);
    }
    atomic_store(&in->ended, true);
    return NULL;
}

/* A person draws on this terminal: what libraries and the log say goes to a file instead. */
static void move_log(const struct runner *r)
{
    if (!wire_chats_interactive(r->chats) || !isatty(STDERR_FILENO))
        return;
    AUTO(free_ptr) char *path = str_printf("%s/nanotik.log", cli_data(r->cli));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static bool expire_body(struct db_tx *tx, void *worker, struct err *e)
{
    return job_expire_leases(tx, worker, e) && draft_expire_leases(tx, worker, e) &&
           lease_expire(tx, e);
}

/* With a database of our own, whoever held a lease is dead: the data folder's lock says so. */
static bool forget_the_dead(struct runner *r, struct err *e)
{
    unsigned long long random = 0;
    char host[64] = "host";
    random_bytes(&random, sizeof(random));
    gethostname(host, sizeof(host) - 1);
    snprintf(r->worker, sizeof(r->worker), "%s:%d:%llx", host, (int)getpid(), random);
    return !r->db.cluster || db_run(r->db.db, expire_body, r->worker, e);
}

static bool start_workers(struct runner *r, struct err *e)
{
    char out_dir[1024];
    cli_out_dir(r->cli, out_dir);
    struct worker_options workers = {
        .db = r->db.db,
        .tools = r->bot.tools,
        .name = r->worker,
        .out_dir = out_dir,
        .keep_days = (int)config_int(r->cli->config, "VIDEO_KEEP_DAYS"),
        .calls = bot_worker_calls(&r->bot),
    };
    struct janitor_options janitor = {
        .db = r->db.db,
        .cache = r->bot.tools->cache,
        .out_dir = r->role & ROLE_WORKER ? out_dir : NULL,
        .on_failed = workers.calls.on_failed,
        .ctx = workers.calls.ctx,
    };
    return (!(r->role & ROLE_WORKER) || workers_start(&workers, &r->bot.workers, e)) &&
           janitor_start(&janitor, &r->janitor, e);
}

static bool start_drafter(struct runner *r, struct err *e)
{
    struct drafter_options drafter = {
        .db = r->db.db,
        .tools = r->bot.tools,
        .name = r->worker,
        .keep_days = (int)config_int(r->cli->config, "NANOTIK_SCRIPT_DAYS"),
        .calls = bot_drafter_calls(&r->bot),
    };
    return drafter_start(&drafter, &r->bot.drafter, e);
}

static bool start_intake(struct runner *r, struct err *e)
{
    for (size_t i = 0; i < r->bot.adapter_count; i++) {
        struct intake *in = &r->intakes[i];
        in->runner = r;
        in->adapter = &r->bot.adapters[i];
        int error = pthread_create(&in->thread, NULL, intake_main, in);
        if (error != 0)
            return err_set_io(e, error, "intake", "start");
        in->started = true;
    }
    return true;
}

static void read_config(struct runner *r)
{
    const struct config *c = r->cli->config;
    r->bot.prices[TIER_BASIC] = config_int(c, "NANOTIK_PRICE_BASIC");
    r->bot.prices[TIER_HD] = config_int(c, "NANOTIK_PRICE_HD");
    r->bot.prices[TIER_PREMIUM] = config_int(c, "NANOTIK_PRICE_PREMIUM");
    r->bot.remix_percent = (int)config_int(c, "NANOTIK_REMIX_PERCENT");
    r->bot.dub_percent = (int)config_int(c, "NANOTIK_DUB_PERCENT");
    r->bot.trial_credits = (int)config_int(c, "NANOTIK_TRIAL_CREDITS");
    r->bot.own_words_percent = (int)config_int(c, "NANOTIK_OWN_WORDS_PERCENT");
    r->bot.strikes = (struct strike_limits){
        .most = (int)config_int(c, "NANOTIK_STRIKES"),
        .days = (int)config_int(c, "NANOTIK_STRIKE_DAYS"),
        .pause_hours = (int)config_int(c, "NANOTIK_PAUSE_HOURS"),
    };
    r->bot.draft_limits = (struct draft_limits){
        .at_once = (int)config_int(c, "NANOTIK_SCRIPTS_AT_ONCE"),
        .per_day = (int)config_int(c, "NANOTIK_SCRIPTS_PER_DAY"),
    };
    r->bot.refunds = r->seed && strcmp(config_text(c, "NANO_REFUNDS"), "on") == 0;
    r->bot.seconds_max = (int)config_int(c, "VIDEO_MAX_DURATION");
    r->bot.admins = config_text(c, "NANOTIK_ADMINS");
    r->bot.support = config_text(c, "NANOTIK_SUPPORT");
}

/* Orders, and who watches for the money; before the chats, which may ask for an order at once. */
static bool start_pay(struct runner *r, struct err *e)
{
    if (!wire_pay_wanted(r->cli->config, r->seed))
        return true;
    struct ws_engine *ws = NULL;
    if (config_text(r->cli->config, "NANO_WS_URL")[0] && !wire_tools_ws(r->tools, &ws, e))
        return false;
    if (!wire_pay_make(r->cli->config, r->db.db, ws, &r->seed, &r->pay, e))
        return false;
    snprintf(r->bot.qr_dir, sizeof(r->bot.qr_dir), "%s/qr", cli_data(r->cli));
    if (!fs_mkdirs(r->bot.qr_dir, 0700, e))
        return false;
    pay_card_sweep(&r->bot);
    r->bot.pay = *wire_pay_method(r->pay);
    r->bot.fiat = wire_pay_fiat(r->pay);
    r->pay_calls = bot_pay_calls(&r->bot);
    return r->bot.pay.ops->start(r->bot.pay.self, &r->pay_calls, e);
}

/* A chat that ended by itself serves nobody any more. */
static const char *sick_chat(void *ctx)
{
    const struct runner *r = ctx;
    for (size_t i = 0; i < COUNT(r->intakes); i++)
        if (atomic_load(&r->intakes[i].failed))
            return r->intakes[i].adapter->ops->name;
    return NULL;
}

static bool start_health(struct runner *r, struct err *e)
{
    return health_start(&r->bot, config_text(r->cli->config, "NANOTIK_HTTP"), sick_chat, r,
                        &r->health, e);
}

static bool start_all(struct runner *r, struct err *e)
{
    read_config(r);
    if (!cli_db_open(r->cli, false, CONNECTIONS, &r->db, NULL, e) ||
        !cli_load_id_key(r->cli, r->db.db, e) || !forget_the_dead(r, e) ||
        !wire_tools_make(r->cli, &r->tools, e))
        return false;
    r->bot.db = r->db.db;
    r->bot.alone = r->db.cluster != NULL;
    r->bot.tools = wire_toolbox(r->tools);
    r->bot.own_words = r->bot.tools->writers[0].ops->own_words;
    bool listens = r->role & ROLE_GATEWAY;
    if (!wire_chats_make(r->cli, &r->bot, r->tools, listens, &r->chats, e))
        return false;
    move_log(r);
    if (!status_start(&r->bot, &r->bot.status, e))
        return false;
    if (!listens)
        return start_workers(r, e) && start_health(r, e);
    return outbox_start(&r->bot, &r->bot.outbox, e) && sampler_start(&r->bot, &r->bot.sampler, e) &&
           start_workers(r, e) && start_drafter(r, e) && start_pay(r, e) && start_health(r, e) &&
           inbox_start(&r->bot, &r->bot.inbox, e) && start_intake(r, e);
}

static void stop_all(struct runner *r)
{
    health_stop(TAKE(r->health));
    for (size_t i = 0; i < r->bot.adapter_count; i++)
        r->bot.adapters[i].ops->stop(r->bot.adapters[i].self);
    for (size_t i = 0; i < COUNT(r->intakes); i++)
        if (r->intakes[i].started)
            pthread_join(r->intakes[i].thread, NULL);
    inbox_stop(TAKE(r->bot.inbox));
    drafter_stop(TAKE(r->bot.drafter));
    if (r->bot.pay.ops)
        r->bot.pay.ops->stop(r->bot.pay.self);
    workers_stop(TAKE(r->bot.workers));
    janitor_stop(TAKE(r->janitor));
    sampler_stop(TAKE(r->bot.sampler));
    status_stop(TAKE(r->bot.status));
    outbox_stop(TAKE(r->bot.outbox), FLUSH_MS);
    wire_chats_free(TAKE(r->chats));
    wire_pay_free(TAKE(r->pay));
    nano_seed_destroy(TAKE(r->seed));
    wire_tools_free(TAKE(r->tools));
    cli_db_close(&r->db);
}

struct pending {
    const char *network;
    int64_t events, jobs, cards, scripts;
};

static bool pending_body(struct db_tx *tx, void *data, struct err *e)
{
    struct pending *p = data;
    /* In the order in which one becomes the other, so that nothing is overlooked. */
    return inbox_pending(tx, p->network, &p->events, e) &&
           draft_count_open(tx, p->network, &p->scripts, e) &&
           job_count_live(tx, p->network, &p->jobs, e) &&
           outbox_pending(tx, p->network, &p->cards, e);
}

/* All chats have ended: is anything left that one of them waits for? */
static bool all_done(struct runner *r)
{
    for (size_t i = 0; i < r->bot.adapter_count; i++) {
        const struct intake *in = &r->intakes[i];
        if (!atomic_load(&in->ended))
            return false;
        struct pending p = {.network = in->adapter->ops->name};
        struct err e;
        if (!db_run_soft(r->db.db, pending_body, &p, &e) || p.events > 0 || p.jobs > 0 ||
            p.scripts > 0 || p.cards > 0)
            return atomic_load(&in->failed);
    }
    return true;
}

/* The end of input with videos still being made: say that waiting goes on. */
static void tell_finishing(struct runner *r)
{
    if (r->finishing_told || !wire_chats_interactive(r->chats) ||
        !atomic_load(&r->intakes[0].ended))
        return;
    r->finishing_told = true;
    AUTO(free_ptr) char *text = i18n_text(r->cli->lang, "run.finishing");
    printf("%s\n", text);
    fflush(stdout);
}

static void wait_for_end(struct runner *r)
{
    int64_t look_at = 0;
    while (!cancel_wait(&r->cli->stop, LOOK_MS)) {
        if (all_done(r))
            return;
        tell_finishing(r);
        struct err e;
        if (!r->db.cluster || clock_mono_ms() < look_at)
            continue;
        if (!private_cluster_watch(r->db.cluster, &e))
            log_err(LOG_ERROR, LOG_MODULE, &e);
        look_at = clock_mono_ms() + CLUSTER_LOOK_MS;
    }
}

static void tell_unfinished(struct runner *r)
{
    struct pending p = {.network = r->bot.adapter_count ? r->bot.adapters[0].ops->name : ""};
    struct err e;
    if (!cancel_fired(&r->cli->stop) || !db_run_soft(r->db.db, pending_body, &p, &e) || p.jobs == 0)
        return;
    AUTO(free_ptr)
    char *text = i18n_text(r->cli->lang, "run.unfinished", I18N_NUM("count", p.jobs));
    printf("%s\n", text);
    fflush(stdout);
}

static int exit_code(const struct runner *r)
{
    for (size_t i = 0; i < COUNT(r->intakes); i++)
        if (atomic_load(&r->intakes[i].failed))
            return atomic_load(&r->intakes[i].misfit) ? CLI_CONFIG : CLI_FAILED;
    bool piped_to_end = !cancel_fired(&r->cli->stop) && !wire_chats_interactive(r->chats);
    return piped_to_end && atomic_load(&r->bot.job_failed) ? CLI_FAILED : CLI_OK;
}

static int run_failed(struct cli *cli, const struct err *e)
{
    cli_fail(cli, e);
    return e->code == ERR_CONFIG ? CLI_CONFIG : CLI_FAILED;
}

/* 0: usage was told. */
static int read_role(struct cli *cli)
{
    static const struct cli_option options[] = {
        {"role", 'r', true, '\0'},
        CLI_CONFIG_OPTION, {0 }
    };
    static const struct {
        const char *name;
        int role;
    } roles[] = {
        {"all",     ROLE_ALL    },
        {"gateway", ROLE_GATEWAY},
        {"worker",  ROLE_WORKER },
    };
    struct cli_args args = {0};
    bool ok = true;
    int role = ROLE_ALL;
    while (cli_option(cli, &args, options, &ok) == 'r') {
        role = 0;
        for (size_t i = 0; i < COUNT(roles); i++)
            if (strcmp(args.value, roles[i].name) == 0)
                role = roles[i].role;
        if (role == 0) {
            cli_usage(cli, "cli.bad_value", args.value);
            return 0;
        }
    }
    return ok && cli_words_ok(cli, &args, 0) ? role : 0;
}

/* Half of the program is of use only where the other half can find it. */
static bool role_fits(const struct cli *cli, int role, struct err *e)
{
    const struct config *c = cli->config;
    bool chats = config_text(c, "TELEGRAM_BOT_TOKEN")[0] || config_text(c, "DISCORD_BOT_TOKEN")[0];
    return role == ROLE_ALL || (chats && config_text(c, "DATABASE_URL")[0]) ||
           err_set(e, ERR_CONFIG, "start.role_alone", "%s", "");
}

int cli_run(struct cli *cli)
{
    struct err e = {0};
    int role = read_role(cli);
    if (role == 0)
        return CLI_USAGE;
    struct nano_seed *seed = NULL;
    if (!cli_load_config(cli, &e) || !role_fits(cli, role, &e))
        return run_failed(cli, &e);
    /* Before there are threads; a worker has no use for it. */
    if (role & ROLE_GATEWAY && !nano_seed_load(&seed, &e))
        return run_failed(cli, &e);
    struct signals *signals = NULL;
    int64_t deadline = config_int(cli->config, "NANOTIK_SHUTDOWN_SECONDS") * 1000;
    if (!signals_start(&cli->stop, deadline, wire_chats_restore, &signals, &e))
        return run_failed(cli, &e);
    struct runner *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->cli = cli;
    r->role = role;
    r->seed = seed;
    int code = CLI_FAILED;
    if (start_all(r, &e)) {
        wait_for_end(r);
        tell_unfinished(r);
        code = exit_code(r);
    } else if (cancel_fired(&cli->stop)) {
        code = CLI_OK;
    } else {
        code = run_failed(cli, &e);
    }
    stop_all(r);
    free(r);
    signals_stop(signals);
    return code;
}
