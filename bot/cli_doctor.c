/*
 * `nanotik doctor`: what is there, what is missing, and what the missing things cost.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>

#include "bot/cli.h"
#include "bot/signals.h"
#include "bot/wire.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/db/store_admin.h"
#include "core/db/store_block.h"
#include "core/db/store_ledger.h"
#include "core/nano/key.h"
#include "core/story/rules.h"
#include "core/video/video.h"

enum {
    ROOM_NEEDED = 1000000000,
    YEAR_2024_S = 1704067200,
    YEAR_2100_S = 4102444800,
    NANO_BEHIND = 1000,
    STUCK_SHOWN = 5,
};

struct report {
    struct cli *cli;
    bool bad;
    int nodes; /* of Nano, that were told */
};

enum verdict { GOOD, OPTIONAL, BAD };

/* One line; cost (already a text) follows on a line of its own. */
static void tell(struct report *r, enum verdict verdict, const char *name_key, const char *what,
                 const char *cost)
{
    static const char *const marks[] = {"doctor.ok", "doctor.optional", "doctor.missing"};
    AUTO(free_ptr) char *mark = i18n_text(r->cli->lang, marks[verdict]);
    AUTO(free_ptr) char *name = i18n_text(r->cli->lang, name_key, I18N_TEXT("what", what));
    printf("%-8s %s\n", mark, name);
    if (verdict != GOOD && cost && cost[0])
        printf("         %s\n", cost);
    r->bad |= verdict == BAD;
}

static void tell_key(struct report *r, enum verdict verdict, const char *name_key, const char *what,
                     const char *cost_key)
{
    AUTO(free_ptr) char *cost = i18n_text(r->cli->lang, cost_key, I18N_TEXT("what", what));
    tell(r, verdict, name_key, what, cost);
}

static void tell_err(struct report *r, const char *name_key, const char *what, const struct err *e)
{
    AUTO(free_ptr) char *text = i18n_text(r->cli->lang, e->user_key, I18N_TEXT("what", e->arg));
    AUTO(free_ptr) char *cost = str_printf("%s (%s)", text, e->detail);
    tell(r, BAD, name_key, what, cost);
}

static void check_data(struct report *r)
{
    const char *data = cli_data(r->cli);
    struct err e = {0};
    AUTO(free_ptr) char *probe = str_printf("%s/.doctor.%d", data, (int)getpid());
    bool ok = cli_make_data(r->cli, &e) && fs_write(probe, "ok", 2, &e);
    fs_remove(probe);
    if (!ok) {
        tell_err(r, "doctor.data", data, &e);
        return;
    }
    tell(r, GOOD, "doctor.data", data, NULL);
    int64_t room = fs_free_bytes(data);
    AUTO(free_ptr) char *text = i18n_bytes(r->cli->lang, room);
    tell_key(r, room < ROOM_NEEDED ? OPTIONAL : GOOD, "doctor.disk", text, "doctor.disk_low");
}

static void on_fault(void *data, const char *what)
{
    struct strbuf *all = data;
    strbuf_addf(all, "%s%s", all->len ? "; " : "", what);
}

static bool faults_body(struct db_tx *tx, void *data, struct err *e)
{
    size_t count = 0;
    strbuf_reset(data);
    return ledger_check(tx, on_fault, data, &count, e);
}

struct stuck_ctx {
    char after[PAY_ADDRESS_MAX];
    struct own_block block;
    bool found;
};

static bool stuck_body(struct db_tx *tx, void *data, struct err *e)
{
    struct stuck_ctx *s = data;
    return block_stuck(tx, s->after, &s->block, &s->found, e);
}

/* Blocks of ours that no node takes; the first few. */
static void check_stuck(struct report *r, struct db *db)
{
    struct stuck_ctx s = {.found = true};
    struct err e = {0};
    for (int i = 0; i < STUCK_SHOWN && s.found; i++) {
        if (!db_run(db, stuck_body, &s, &e)) {
            tell_err(r, "doctor.database", "", &e);
            return;
        }
        AUTO(free_ptr) char *what = str_printf("%s (%s)", s.block.address, s.block.why);
        if (s.found)
            tell_key(r, BAD, "doctor.block_stuck", what, "doctor.block_stuck_cost");
        str_copy(s.after, sizeof(s.after), s.block.address);
    }
}

static void on_alarm(void *data, const char *name, const char *what, const char *since)
{
    if (strcmp(name, "orders") == 0)
        strbuf_addf(data, "%s, %s", since, what);
}

static bool alarms_body(struct db_tx *tx, void *data, struct err *e)
{
    strbuf_reset(data);
    return alarm_list(tx, on_alarm, data, e);
}

static void check_orders(struct report *r, struct db *db)
{
    struct err e = {0};
    struct strbuf stopped = STRBUF(4096);
    if (!db_run(db, alarms_body, &stopped, &e))
        tell_err(r, "doctor.database", "", &e);
    else if (stopped.len)
        tell_key(r, OPTIONAL, "doctor.orders", strbuf_text(&stopped), "doctor.orders_stopped");
    strbuf_free(&stopped);
}

static void check_database(struct report *r)
{
    struct cli_db d = {0};
    struct err e = {0};
    struct strbuf faults = STRBUF(4096);
    if (!cli_db_open(r->cli, true, 2, &d, NULL, &e)) {
        tell_err(r, "doctor.database", "", &e);
        return;
    }
    tell(r, GOOD, "doctor.database", "", NULL);
    if (!db_run(d.db, faults_body, &faults, &e))
        tell_err(r, "doctor.ledger", "", &e);
    else
        tell_key(r, faults.len ? BAD : GOOD, "doctor.ledger", strbuf_text(&faults),
                 "doctor.ledger_faults");
    check_orders(r, d.db);
    check_stuck(r, d.db);
    strbuf_free(&faults);
    cli_db_close(&d);
}

static void check_fonts(struct report *r)
{
    for (const char *const *lang = i18n_langs(); *lang; lang++) {
        struct err e = {0};
        AUTO(free_ptr) char *name = i18n_lang_label(r->cli->lang, *lang);
        if (video_font_check(*lang, &e))
            tell(r, GOOD, "doctor.fonts", name, NULL);
        else
            tell_err(r, "doctor.fonts", name, &e);
    }
}

static void check_media(struct report *r)
{
    struct err e = {0};
    tell_key(r, wire_check_speech(&e) ? GOOD : BAD, "doctor.speech", "", "doctor.speech_cost");
    tell_key(r, avcodec_find_encoder_by_name("libx264") ? GOOD : BAD, "doctor.encoder", "",
             "doctor.encoder_cost");
    const char *folder = config_text(r->cli->config, "NANOTIK_FOOTAGE_DIR");
    DIR *dir = folder[0] ? opendir(folder) : NULL;
    if (!folder[0])
        tell_key(r, OPTIONAL, "doctor.footage", "", "doctor.footage_cost");
    else
        tell_key(r, dir ? GOOD : OPTIONAL, "doctor.footage", folder, "doctor.footage_bad");
    if (dir)
        closedir(dir);
}

static void check_clock(struct report *r)
{
    char now[32];
    int64_t wall = clock_wall_ms();
    clock_iso(wall, now);
    bool sane = wall / 1000 > YEAR_2024_S && wall / 1000 < YEAR_2100_S;
    tell_key(r, sane ? GOOD : BAD, "doctor.clock", now, "doctor.clock_wrong");
}

static void tell_writer(void *ctx, const char *name, int64_t cost, const struct err *why)
{
    struct report *r = ctx;
    char dollars[32];
    snprintf(dollars, sizeof(dollars), "%.4f", (double)cost / 1e6);
    AUTO(free_ptr)
    char *full = cost < 0 ? str_dup(name)
                          : i18n_text(r->cli->lang, "doctor.writer_price", I18N_TEXT("name", name),
                                      I18N_TEXT("dollars", dollars));
    if (why)
        tell_err(r, "doctor.writer_named", full, why);
    else
        tell(r, GOOD, "doctor.writer_named", full, NULL);
}

static void tell_stock(void *ctx, const char *name, const struct err *why)
{
    if (why)
        tell_err(ctx, "doctor.stock_named", name, why);
    else
        tell(ctx, GOOD, "doctor.stock_named", name, NULL);
}

static void tell_chat(void *ctx, const char *name, const struct err *why)
{
    if (why)
        tell_err(ctx, "doctor.chat_named", name, why);
    else
        tell(ctx, GOOD, "doctor.chat_named", name, NULL);
}

static void check_services(struct report *r)
{
    struct err e = {0};
    if (!wire_speech_wanted(r->cli->config))
        tell_key(r, OPTIONAL, "doctor.azure", "", "doctor.azure_cost");
    else if (wire_speech_check(r->cli, &e))
        tell(r, GOOD, "doctor.azure_price", "0.014", NULL);
    else
        tell_err(r, "doctor.azure", "", &e);
    if (!wire_footage_wanted(r->cli->config))
        tell_key(r, OPTIONAL, "doctor.stock", "", "doctor.stock_cost");
    else if (!wire_footage_check(r->cli->config, tell_stock, r, &e))
        tell_err(r, "doctor.stock", "", &e);
    if (!config_text(r->cli->config, "LLM_PROVIDER")[0])
        tell_key(r, OPTIONAL, "doctor.writer", "", "doctor.writer_cost");
    else if (!wire_writers_check(r->cli, tell_writer, r, &e))
        tell_err(r, "doctor.writer", "", &e);
    bool chats = config_text(r->cli->config, "TELEGRAM_BOT_TOKEN")[0] ||
                 config_text(r->cli->config, "DISCORD_BOT_TOKEN")[0];
    if (!chats)
        tell_key(r, OPTIONAL, "doctor.chats", "", "doctor.chats_cost");
    else if (!wire_chats_check(r->cli, tell_chat, r, &e))
        tell_err(r, "doctor.chats", "", &e);
}

static bool credential_there(const char *name)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    AUTO(free_ptr) char *path = folder ? str_printf("%s/%s", folder, name) : NULL;
    return path && access(path, R_OK) == 0;
}

static void tell_node(void *ctx, const struct nano_health *h)
{
    struct report *r = ctx;
    r->nodes++;
    if (!h->ok) {
        tell_err(r, "doctor.node", h->name, &h->why);
        return;
    }
    AUTO(free_ptr)
    char *name = str_printf("%s: %s, %lld ms", h->name, h->vendor[0] ? h->vendor : "?",
                            (long long)h->answer_ms);
    AUTO(free_ptr) char *cost = i18n_text(r->cli->lang, "doctor.node_behind");
    tell(r, h->behind > NANO_BEHIND ? BAD : GOOD, "doctor.node", name, cost);
}

/* An untrusted opinion: never a reason to fail. */
static void tell_reader(void *ctx, const struct err *why, bool differs)
{
    struct report *r = ctx;
    AUTO(free_ptr) char *text = i18n_text(r->cli->lang, "doctor.nano_differs");
    tell(r, why || differs ? OPTIONAL : GOOD, "doctor.nano_reader", "", why ? why->detail : text);
}

/* What is there to send back, from the seed's first account. */
static void check_treasury(struct report *r)
{
    struct err e = {0};
    struct nano_seed *seed = NULL;
    struct wire_pay *pay = NULL;
    char address[PAY_ADDRESS] = "", balance[PAY_AMOUNT] = "";
    bool ok =
        nano_seed_load(&seed, &e) && wire_pay_make(r->cli->config, NULL, NULL, &seed, &pay, &e);
    if (ok) {
        const struct payment_method *method = wire_pay_method(pay);
        ok = method->ops->treasury(method->self, &r->cli->stop, address, balance, &e);
    }
    if (!ok) {
        tell_err(r, "doctor.treasury", "", &e);
    } else {
        AUTO(free_ptr) char *name = str_printf("%s XNO", balance);
        AUTO(free_ptr)
        char *text =
            i18n_text(r->cli->lang, "doctor.treasury_empty", I18N_TEXT("address", address));
        tell(r, strcmp(balance, "0") == 0 ? OPTIONAL : GOOD, "doctor.treasury", name, text);
    }
    wire_pay_free(pay);
    nano_seed_destroy(seed);
}

/* The seed is read only for the treasury: whether it is there decides what payments can do. */
static void check_pay(struct report *r)
{
    struct err e = {0};
    bool seed = getenv("NANO_SEED") || getenv("NANO_SEED_FILE") || credential_there("NANO_SEED");
    bool wallet = config_text(r->cli->config, "NANO_WALLET_ADDRESS")[0];
    bool nodes = wire_nano_wanted(r->cli->config);
    if (!seed && !wallet) {
        tell_key(r, OPTIONAL, "doctor.pay", "", "doctor.pay_cost");
        return;
    }
    tell_key(r, nodes ? GOOD : BAD, seed ? "doctor.pay_seed" : "doctor.pay_watch", "",
             "doctor.pay_no_node");
    if (seed && !wallet)
        tell_key(r, OPTIONAL, "doctor.pay_wallet", "", "doctor.pay_no_wallet");
    if (seed && nodes && strcmp(config_text(r->cli->config, "NANO_REFUNDS"), "on") == 0)
        check_treasury(r);
    if (nodes && !wire_nano_check(r->cli, tell_node, tell_reader, r, &e))
        tell_err(r, "doctor.node", "", &e);
    if (r->nodes == 1)
        tell_key(r, OPTIONAL, "doctor.node_alone", "", "doctor.node_alone_cost");
}

static void check_rules(struct report *r)
{
    struct err e = {0};
    struct rules *rules = NULL;
    const char *path = config_text(r->cli->config, "NANOTIK_RULES_FILE");
    const char *name = path[0] ? path : "assets/rules.txt";
    if (!wire_rules_load(r->cli->config, &rules, &e))
        tell_err(r, "doctor.rules", name, &e);
    else
        tell_key(r, rules ? GOOD : OPTIONAL, "doctor.rules", name, "doctor.rules_off");
    rules_free(rules);
    if (!wire_guard_wanted(r->cli->config))
        return;
    if (wire_guard_check(r->cli, &e))
        tell(r, GOOD, "doctor.moderation", "", NULL);
    else
        tell_key(r, OPTIONAL, "doctor.moderation", "", "doctor.moderation_silent");
}

static bool read_options(struct cli *cli, bool *ret_example)
{
    static const struct cli_option options[] = {
        {"config-example", 'e', false, 0},
        CLI_CONFIG_OPTION, {0          }
    };
    struct cli_args args = {0};
    bool ok = true;
    while (cli_option(cli, &args, options, &ok) != CLI_END)
        *ret_example = true;
    return ok && cli_words_ok(cli, &args, 0);
}

int cli_doctor(struct cli *cli)
{
    struct report report = {.cli = cli};
    struct signals *signals = NULL;
    struct err e = {0};
    bool example = false;
    if (!read_options(cli, &example))
        return CLI_USAGE;
    if (example) {
        config_print_example(stdout);
        return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
    }
    if (!cli_load_config(cli, &e) || !signals_start(&cli->stop, 0, NULL, &signals, &e))
        return cli_fail(cli, &e);
    tell(&report, GOOD, "doctor.config", "", NULL);
    check_data(&report);
    check_database(&report);
    check_fonts(&report);
    check_media(&report);
    check_clock(&report);
    check_services(&report);
    check_rules(&report);
    check_pay(&report);
    AUTO(free_ptr) char *sum = i18n_text(cli->lang, report.bad ? "doctor.bad" : "doctor.good");
    printf("%s\n", sum);
    signals_stop(signals);
    return report.bad ? CLI_FAILED : CLI_OK;
}
