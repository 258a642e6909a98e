/*
 * /admin: what an operator sees and decides from the chat. To everybody else, and in groups, there is
 * no such command.
 *
 * Repeats: a command is one transaction with the end of its event, so nothing here happens twice; a
 *          grant's key is made of the event besides. What changes something, or looks into somebody's
 *          account, leaves a line in admin_log in that transaction.
 * Bounds:  a stolen phone must not be a mint: GRANT_MAX credits at a time, GRANT_DAY in 24 hours. More
 *          takes somebody with access to the machine (`nanotik grant`), which is the second pair of
 *          eyes.
 * Privacy: accounts and references only; no ids of networks, nobody's words.
 */
#include "bot/admin.h"

#include <stdlib.h>
#include <string.h>

#include "bot/cli.h"
#include "bot/film.h"
#include "bot/pay_card.h"
#include "bot/reply.h"
#include "core/base/strbuf.h"
#include "core/db/store_admin.h"
#include "core/db/store_guard.h"
#include "core/db/store_ledger.h"
#include "core/db/store_stats.h"

enum {
    GRANT_MAX = 1000,
    GRANT_DAY = 5000,
    WHY_MAX = 500,
    REST_MAX = 900,
    JOBS_SHOWN = 10,
    LINES_READ = 24,
    WHAT_SHOWN = 200
};

bool admin_may(const struct bot *bot, const struct chat_event *event)
{
    const char *list = bot->admins ? bot->admins : "";
    char who[300];
    if (event->is_group || !event->user_id[0] || bot_is_overheard(bot, &event->addr))
        return false;
    if (!list[0])
        return bot_abilities(bot, event->addr.network)->shows_paths;
    int len = snprintf(who, sizeof(who), "%s:%s", event->addr.network, event->user_id);
    return len > 0 && (size_t)len < sizeof(who) && config_lists(list, who);
}

/* --- words --- */

#define BLANKS " \t\r\n"

/* The next word, "" when there is none; *rest goes behind it. */
static const char *take_word(struct command_ctx *ctx, const char **rest)
{
    const char *word = *rest + strspn(*rest, BLANKS);
    size_t len = strcspn(word, BLANKS);
    *rest = word + len + strspn(word + len, BLANKS);
    return arena_printf(&ctx->arena, "%.*s", (int)MIN(len, 300), word);
}

static bool is_reason(const char *why)
{
    return why[0] && strlen(why) <= WHY_MAX;
}

void admin_add_ask(const struct command_ctx *ctx, struct card_doc *doc)
{
    if (ctx->abilities->asks)
        card_button(doc, ctx->lang, "button.admin", true, "?/admin");
}

static bool answer(struct command_ctx *ctx, struct card_doc *doc, struct err *e)
{
    admin_add_ask(ctx, doc);
    return reply_send(ctx, doc, e);
}

static bool answer_line(struct command_ctx *ctx, struct err *e, const char *key,
                        const struct i18n_arg *args, size_t count)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_add_line(&doc, card_format(&doc, ctx->lang, key, args, count));
    return answer(ctx, &doc, e);
}
#define answer_text(ctx, e, key, ...) answer_line(ctx, e, key, CARD_ARGS(__VA_ARGS__))

/* --- status --- */

struct seen {
    struct {
        char name[32], label[16];
        int64_t value;
    } numbers[32];
    size_t count;
};

static void see(void *ctx, const char *name, const char *label, int64_t value)
{
    struct seen *s = ctx;
    if (s->count == COUNT(s->numbers))
        return;
    str_copy(s->numbers[s->count].name, sizeof(s->numbers[0].name), name);
    str_copy(s->numbers[s->count].label, sizeof(s->numbers[0].label), label);
    s->numbers[s->count++].value = value;
}

static struct i18n_arg seen_arg(const struct seen *s, const char *arg, const char *name,
                                const char *label)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->numbers[i].name, name) == 0 && strcmp(s->numbers[i].label, label) == 0)
            return I18N_NUM(arg, s->numbers[i].value);
    return I18N_NUM(arg, -1);
}
#define SEEN(arg, name, label) seen_arg(&seen, arg, name, label)

struct alarms {
    struct command_ctx *ctx;
    struct card_doc *doc;
    size_t count;
};

static void add_alarm(void *data, const char *name, const char *what, const char *since)
{
    struct alarms *a = data;
    struct card_doc *doc = a->doc;
    const char *key = strcmp(name, "orders") == 0   ? "admin.alarm_orders"
                      : strcmp(name, "ledger") == 0 ? "admin.alarm_books"
                                                    : "admin.alarm_refunds";
    a->count++;
    card_line(doc, a->ctx->lang, key, I18N_TEXT("what", card_excerpt(doc, what, WHAT_SHOWN)),
              I18N_TEXT("since", arena_dup(&doc->arena, since)));
}

static bool show_status(struct command_ctx *ctx, const char *rest, struct err *e)
{
    struct seen seen = {.count = 0};
    AUTO(card_doc_free) struct card_doc doc;
    struct alarms alarms = {.ctx = ctx, .doc = &doc};
    const char *lang = ctx->lang;
    (void)rest;
    card_begin(&doc, lang);
    card_title(&doc, lang, "admin.status", I18N_TEXT("version", NANOTIK_VERSION));
    if (!alarm_list(ctx->tx, add_alarm, &alarms, e) || !stats_read(ctx->tx, see, &seen, e))
        return false;
    if (alarms.count == 0)
        card_line(&doc, lang, "admin.no_alarm");
    card_line(&doc, lang, "admin.queue", SEEN("ready", "jobs", "ready"),
              SEEN("oldest", "oldest_ready_job_seconds", ""), SEEN("waiting", "jobs", "waiting"),
              SEEN("running", "jobs", "running"), SEEN("delivering", "jobs", "delivering"),
              SEEN("kept", "jobs", "kept"), SEEN("scripts", "scripts_waiting", ""));
    card_line(&doc, lang, "admin.workers", SEEN("busy", "workers_busy", ""),
              SEEN("leases", "leases_held", ""));
    struct i18n_arg events = SEEN("events", "events_waiting", "");
    events.number--; /* but this one */
    card_line(&doc, lang, "admin.cards", SEEN("waiting", "cards_waiting", ""),
              SEEN("oldest", "oldest_card_seconds", ""), SEEN("unanswered", "cards_unanswered", ""),
              events);
    card_line(&doc, lang, "admin.films", SEEN("films", "films_last_day", ""),
              SEEN("failed", "jobs_ended_last_hour", "failed"));
    card_line(&doc, lang, "admin.money", SEEN("held", "credits_held", ""),
              SEEN("blocks", "blocks_open", ""));
    return answer(ctx, &doc, e);
}

/* --- orders --- */

static bool stop_orders(struct command_ctx *ctx, const char *why, struct err *e)
{
    if (!is_reason(why))
        return answer_text(ctx, e, "admin.help_stop");
    const struct admin_act act = {.actor = ctx->account.id, .action = "stop_orders", .why = why};
    return orders_stop(ctx->tx, why, e) && admin_note(ctx->tx, &act, e) &&
           answer_text(ctx, e, "admin.stopped");
}

static bool open_orders(struct command_ctx *ctx, const char *rest, struct err *e)
{
    bool was = false;
    const struct admin_act act = {.actor = ctx->account.id, .action = "open_orders", .why = rest};
    return orders_open(ctx->tx, &was, e) && (!was || admin_note(ctx->tx, &act, e)) &&
           answer_text(ctx, e, was ? "admin.opened" : "admin.were_open");
}

/* --- accounts --- */

struct grant {
    const char *account, *why;
    int64_t credits;
};

static bool give(struct command_ctx *ctx, const struct grant *g, struct err *e)
{
    struct account found;
    enum ledger_result result;
    struct balance balance;
    int64_t granted = 0;
    char key[ADMIN_KEY_TEXT];
    admin_key(ctx->event->addr.network, ctx->event->event_id, key);
    if (!account_lookup(ctx->tx, g->account, &found, e) ||
        !admin_granted(ctx->tx, ctx->account.id, &granted, e))
        return false;
    if (granted + g->credits > GRANT_DAY)
        return answer_text(ctx, e, "admin.grant_day", I18N_NUM("most", GRANT_DAY),
                           I18N_NUM("granted", granted));
    if (!ledger_grant(ctx->tx, key, found.id, g->credits, ctx->account.id, g->why, &result, e) ||
        !ledger_balance(ctx->tx, found.id, &balance, e))
        return false;
    AUTO(free_ptr)
    char *has = i18n_text(ctx->lang, "unit.credits", I18N_NUM("count", balance.available));
    return answer_text(ctx, e, result == LEDGER_REPEATED ? "admin.repeated" : "cli.granted",
                       I18N_NUM("count", g->credits), I18N_TEXT("account", found.id),
                       I18N_TEXT("balance", has));
}

static bool grant(struct command_ctx *ctx, const char *rest, struct err *e)
{
    struct grant g = {.account = take_word(ctx, &rest)};
    const char *number = take_word(ctx, &rest);
    g.why = rest;
    if (!str_to_int(number, 1, INT64_MAX, &g.credits) || !is_reason(g.why))
        return answer_text(ctx, e, "admin.help_grant", I18N_NUM("most", GRANT_MAX));
    if (g.credits > GRANT_MAX)
        return answer_text(ctx, e, "admin.grant_above", I18N_NUM("most", GRANT_MAX));
    return give(ctx, &g, e);
}

static bool pardon(struct command_ctx *ctx, const char *rest, struct err *e)
{
    struct account found;
    int count = 0;
    const char *account = take_word(ctx, &rest);
    if (!is_reason(rest))
        return answer_text(ctx, e, "admin.help_pardon");
    return account_lookup(ctx->tx, account, &found, e) &&
           strike_clear(ctx->tx, found.id, ctx->account.id, rest, &count, e) &&
           answer_text(ctx, e, "cli.pardoned", I18N_NUM("count", count),
                       I18N_TEXT("account", found.id));
}

static bool add_jobs(struct command_ctx *ctx, struct card_doc *doc, const char *account,
                     struct err *e)
{
    struct job *list = NULL;
    size_t count = 0;
    if (!job_list(ctx->tx, account, true, JOBS_SHOWN, &list, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        char key[40];
        snprintf(key, sizeof(key), "state.%s", job_state_name(list[i].state));
        card_line(doc, ctx->lang, "admin.job",
                  I18N_TEXT("ref", arena_dup(&doc->arena, job_short(list[i].id))),
                  I18N_TEXT("state", card_text(doc, ctx->lang, key)),
                  I18N_TEXT("price", card_text(doc, ctx->lang, "unit.credits",
                                               I18N_NUM("count", list[i].price))));
        job_free(&list[i]);
    }
    free(list);
    return true;
}

static bool add_strikes(struct command_ctx *ctx, struct card_doc *doc, const char *account,
                        struct err *e)
{
    const int days = ctx->bot->strikes.days;
    int count = 0, hours = 0;
    if (!strike_count(ctx->tx, account, days, &count, e) ||
        !strike_pause(ctx->tx, account, &hours, e))
        return false;
    card_line(doc, ctx->lang, "admin.strikes", I18N_NUM("count", count), I18N_NUM("days", days));
    if (hours > 0)
        card_line(doc, ctx->lang, "admin.paused", I18N_NUM("hours", hours));
    return true;
}

static bool show_account(struct command_ctx *ctx, const char *rest, struct err *e)
{
    struct account found;
    struct balance balance;
    struct ledger_line lines[LINES_READ];
    size_t count = 0;
    const char *word = take_word(ctx, &rest);
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    if (!word[0])
        return answer_text(ctx, e, "admin.help_account");
    if (!account_lookup(ctx->tx, word, &found, e) ||
        !ledger_balance(ctx->tx, found.id, &balance, e) ||
        !ledger_history(ctx->tx, found.id, lines, COUNT(lines), &count, e))
        return false;
    doc.card.title = arena_dup(&doc.arena, found.id);
    card_line(&doc, ctx->lang, "admin.balance", I18N_NUM("available", balance.available),
              I18N_NUM("held", balance.held));
    if (!add_strikes(ctx, &doc, found.id, e) || !add_jobs(ctx, &doc, found.id, e))
        return false;
    for (size_t i = 0; i < count; i++)
        pay_card_moved(&doc, ctx->lang, &lines[i]);
    const struct admin_act act = {
        .actor = ctx->account.id, .action = "account", .account = found.id, .why = rest};
    return admin_note(ctx->tx, &act, e) && answer(ctx, &doc, e);
}

/* --- jobs --- */

/* It stands in the person's own chat, in their language. */
static bool tell_person(struct command_ctx *ctx, const struct job *job, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    film_cancelled_card(&doc, job->lang, job, "cancel.by_operator");
    str_copy(ctx->after.forget, sizeof(ctx->after.forget), job->id);
    return outbox_put_edit(ctx->tx, &job->addr, &doc, job->id, true, e);
}

static bool cancel(struct command_ctx *ctx, const char *rest, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    enum job_state state = JOB_CANCELLED;
    char price[24];
    const char *ref = take_word(ctx, &rest);
    if (!is_reason(rest))
        return answer_text(ctx, e, "admin.help_cancel");
    if (!job_find_live(ctx->tx, ref, &job, e) || !job_cancel(ctx->tx, job.id, &state, e))
        return false;
    snprintf(price, sizeof(price), "%lld", (long long)job.price);
    const struct admin_act act = {.actor = ctx->account.id,
                                  .action = "cancel",
                                  .account = job.account,
                                  .amount = price,
                                  .why =
                                      arena_printf(&ctx->arena, "%s: %s", job_short(job.id), rest)};
    if (!admin_note(ctx->tx, &act, e))
        return false;
    if (state == JOB_CANCELLED)
        return tell_person(ctx, &job, e) && answer_text(ctx, e, "admin.cancelled");
    str_copy(ctx->after.cancel, sizeof(ctx->after.cancel), job.id);
    return answer_text(ctx, e, "cancel.asked");
}

/* --- the table --- */

static const struct {
    const char *name, *object; /* "stop orders" */
    bool (*run)(struct command_ctx *ctx, const char *rest, struct err *e);
    const char *help_key;
} verbs[] = {
    {"status",  NULL,     show_status,  "admin.help_status" },
    {"stop",    "orders", stop_orders,  "admin.help_stop"   },
    {"open",    "orders", open_orders,  "admin.help_open"   },
    {"grant",   NULL,     grant,        "admin.help_grant"  },
    {"pardon",  NULL,     pardon,       "admin.help_pardon" },
    {"account", NULL,     show_account, "admin.help_account"},
    {"cancel",  NULL,     cancel,       "admin.help_cancel" },
};

static bool show_help(struct command_ctx *ctx, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "admin.help");
    for (size_t i = 0; i < COUNT(verbs); i++)
        card_line(&doc, ctx->lang, verbs[i].help_key, I18N_NUM("most", GRANT_MAX));
    return answer(ctx, &doc, e);
}

bool cmd_admin(struct command_ctx *ctx, struct err *e)
{
    const char *rest = ctx->args;
    const char *verb = take_word(ctx, &rest);
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (strcmp(verbs[i].name, verb) != 0)
            continue;
        bool whole = !verbs[i].object || strcmp(take_word(ctx, &rest), verbs[i].object) == 0;
        if (!whole || strlen(rest) > REST_MAX)
            return answer_text(ctx, e, verbs[i].help_key, I18N_NUM("most", GRANT_MAX));
        return verbs[i].run(ctx, rest, e);
    }
    return show_help(ctx, e);
}
