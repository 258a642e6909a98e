/*
 * One stored event becomes one transaction: its row goes, the command's effects and the cards that
 * answer it come.
 */
#define LOG_MODULE "bot"
#include <string.h>

#include "bot/admin.h"
#include "bot/bot.h"
#include "bot/command.h"
#include "bot/event_json.h"
#include "bot/film.h"
#include "bot/guard.h"
#include "bot/outbox.h"
#include "bot/reply.h"
#include "bot/sampler.h"
#include "bot/status.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/store_inbox.h"
#include "core/db/store_move.h"
#include "core/i18n/i18n.h"

enum { CROWDED_MS = 250, ASK_MS = 100, ASKS_MAX = 50, OUTAGE_MS = 60000 };

const struct chat_adapter *bot_adapter(const struct bot *bot, const char *network)
{
    for (size_t i = 0; i < bot->adapter_count; i++)
        if (strcmp(bot->adapters[i].ops->name, network) == 0)
            return &bot->adapters[i];
    return NULL;
}

const struct chat_abilities *bot_abilities(const struct bot *bot, const char *network)
{
    static const struct chat_abilities none = {.edit_interval_ms = 5000};
    const struct chat_adapter *adapter = bot_adapter(bot, network);
    return adapter ? adapter->ops->abilities(adapter->self) : &none;
}

bool bot_is_overheard(const struct bot *bot, const struct chat_addr *where)
{
    const struct chat_adapter *adapter = bot_adapter(bot, where->network);
    return adapter && adapter->ops->is_overheard &&
           adapter->ops->is_overheard(adapter->self, where);
}

int64_t bot_price(const struct bot *bot, const struct story_settings *settings, int64_t duration_ms)
{
    int64_t minutes = MAX((duration_ms + 59999) / 60000, 1);
    return minutes * bot->prices[settings->tier];
}

int64_t bot_story_price(const struct bot *bot, const struct storyboard *story, int64_t duration_ms)
{
    int64_t full = bot_price(bot, &story->settings, duration_ms);
    return story->fell_back ? full * bot->own_words_percent / 100 : full;
}

struct dispatch {
    struct command_ctx ctx;
    struct chat_event event;
    struct arena texts; /* of the event */
    int64_t id;         /* of its row; 0: nothing to do */
    int64_t only;       /* not the first transaction: this row */
    int begun;          /* by so many processes, this one included; 0: it was not counted */
    bool careful;       /* bot.careful is ours */
    bool later;
    const struct err *error; /* what is told instead of an effect */
    bool give_up;            /* nothing but the end of it */
};

static bool hint(struct command_ctx *ctx, struct err *e)
{
    const struct chat_event *event = ctx->event;
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    if (event->text[0] == '/') {
        const struct command *near = command_nearest(event->text);
        if (!near && event->is_group)
            return true; /* it may be for another bot */
        const char *word = card_excerpt(&doc, event->text, 24);
        if (near)
            card_line(&doc, ctx->lang, "error.unknown_command_near", I18N_TEXT("what", word),
                      I18N_TEXT("near", arena_printf(&doc.arena, "/%s", near->name)));
        else
            card_line(&doc, ctx->lang, "error.unknown_command", I18N_TEXT("what", word));
    } else if (event->is_group || event->text[strspn(event->text, " \t\n\r")] == '\0') {
        return true; /* people talk to each other */
    } else {
        const char *words = card_excerpt(&doc, event->text, 40);
        card_line(&doc, ctx->lang, "hint.plain_text",
                  I18N_TEXT("command", arena_printf(&doc.arena, "/make %s", words)));
    }
    return reply_send(ctx, &doc, e);
}

static void ctx_reset(struct command_ctx *ctx)
{
    arena_free(&ctx->arena);
    memset(&ctx->after, 0, sizeof(ctx->after));
    memset(&ctx->account, 0, sizeof(ctx->account));
    ctx->command = NULL;
    ctx->args = "";
}

static void ctx_set_lang(struct command_ctx *ctx)
{
    const char *lang = i18n_match(ctx->account.lang);
    if (!*lang)
        lang = i18n_match(ctx->event->lang);
    str_copy(ctx->lang, sizeof(ctx->lang), *lang ? lang : "en");
}

/* Commands whose effect depends on who leads the group wait for the answer; when none comes, the
   person does not. False in *ret_known: later. */
static void learn_admin(struct command_ctx *ctx, struct chat_event *event, int tries,
                        bool *ret_known)
{
    const struct chat_adapter *a = bot_adapter(ctx->bot, event->addr.network);
    *ret_known = true;
    if (!event->is_group || event->is_group_admin || !ctx->command ||
        !(ctx->command->flags & CMD_LEADER) || !a || !a->ops->is_admin)
        return;
    int is_admin = a->ops->is_admin(a->self, &event->addr, event->user_id);
    event->is_group_admin = is_admin == 1;
    *ret_known = is_admin >= 0 || tries >= ASKS_MAX;
}

static void find_command(struct command_ctx *ctx)
{
    const struct chat_event *event = ctx->event;
    ctx->command = command_find(event->text, &ctx->args);
    if (ctx->command && ctx->command->flags & CMD_ADMIN && !admin_may(ctx->bot, event))
        ctx->command = NULL;
}

static bool take_words(struct command_ctx *ctx, struct err *e)
{
    bool taken = false;
    return script_reply(ctx, &taken, e) && (taken || hint(ctx, e));
}

static bool run_command(struct command_ctx *ctx, struct err *e)
{
    if (ctx->command->flags & CMD_ORDERS && !guard_account(ctx, e))
        return false;
    return ctx->command->run(ctx, e) && film_offer_kept(ctx, e);
}

static bool answer(struct dispatch *d, int tries, struct err *e)
{
    struct command_ctx *ctx = &d->ctx;
    struct chat_event *event = &d->event;
    bool nobody = event->user_id[0] == '\0', known = false;
    if (event->kind == CHAT_MOVED)
        return d->error ||
               chat_move(ctx->tx, event->addr.network, event->addr.chat, event->text, e);
    if (nobody && event->kind != CHAT_REFUSED)
        return true;
    if (event->kind != CHAT_REFUSED)
        find_command(ctx);
    if (d->error)
        known = true;
    else
        learn_admin(ctx, event, tries, &known);
    d->later = !known;
    if (d->later)
        return inbox_postpone(ctx->tx, d->id, ASK_MS, true, e);
    if (!nobody && !account_find(ctx->tx, event->addr.network, event->user_id, false,
                                 ctx->bot->trial_credits, &ctx->account, e))
        return false;
    ctx_set_lang(ctx);
    if (d->error && strcmp(d->error->user_key, "guard.refused") == 0)
        return guard_reply(ctx, d->error, e);
    if (d->error)
        return reply_error(ctx, d->error, e);
    if (event->kind == CHAT_REFUSED)
        return reply_text(ctx, e, event->text, I18N_TEXT("what", event->quoted));
    return ctx->command ? run_command(ctx, e) : take_words(ctx, e);
}

static bool claim(struct dispatch *d, struct inbox_row *row, struct err *e)
{
    const struct bot *bot = d->ctx.bot;
    const char *networks[BOT_ADAPTERS_MAX + 1] = {0};
    for (size_t i = 0; i < bot->adapter_count; i++)
        networks[i] = bot->adapters[i].ops->name;
    if (!inbox_claim(d->ctx.tx, networks, d->only, row, e))
        return false;
    d->id = row->id;
    return true;
}

/* One at a time, so that what ends the process is the one that was counted. */
static bool begin(struct dispatch *d, struct err *e)
{
    struct bot *bot = d->ctx.bot;
    d->careful = d->careful || !atomic_exchange(&bot->careful, true);
    d->later = !d->careful;
    return d->later || inbox_begin(d->ctx.tx, d->id, bot->process, &d->begun, e);
}

static bool dispatch_body(struct db_tx *tx, void *data, struct err *e)
{
    struct dispatch *d = data;
    AUTO(inbox_row_free) struct inbox_row row = {0};
    ctx_reset(&d->ctx);
    arena_free(&d->texts);
    d->ctx.tx = tx;
    d->later = false;
    d->id = 0;
    d->begun = d->only ? d->begun : 0;
    if (!claim(d, &row, e))
        return false;
    if (!d->id)
        return true;
    if (!d->only && d->id <= d->ctx.bot->events_before)
        return begin(d, e);
    if (d->give_up)
        return inbox_done(tx, d->id, e);
    if (row.cards >= INBOX_CARDS_MAX) { /* somebody asks faster than the network takes answers */
        d->later = true;
        return inbox_postpone(tx, d->id, CROWDED_MS, false, e);
    }
    if (!row.body)
        return err_set(e, ERR_INTERNAL, "error.internal", "an event was sealed with another key");
    if (!event_from_json(row.body, &d->texts, &d->event, e))
        return false;
    d->ctx.event = &d->event;
    d->ctx.abilities = bot_abilities(d->ctx.bot, d->event.addr.network);
    return answer(d, row.tries, e) && (d->later || inbox_done(tx, d->id, e));
}

/* The person can be told; the database is well. */
static bool error_is_answer(const struct err *e)
{
    return e->code != ERR_RETRY && e->code != ERR_CANCELLED &&
           (!e->user_key || strcmp(e->user_key, "error.database") != 0);
}

static void end_press(struct bot *bot, struct command_ctx *ctx)
{
    const struct chat_event *event = ctx->event;
    const struct chat_adapter *a = event ? bot_adapter(bot, event->addr.network) : NULL;
    if (a && a->ops->pressed && event->press && *event->press)
        a->ops->pressed(a->self, event->press, ctx->after.toast[0] ? ctx->after.toast : NULL);
}

static void after_commit(struct bot *bot, struct command_ctx *ctx)
{
    outbox_wake(bot->outbox);
    end_press(bot, ctx);
    if (ctx->after.forget[0])
        status_end(bot->status, ctx->after.forget);
    if (ctx->after.watch[0])
        status_watch(bot->status, ctx->after.watch);
    if (ctx->after.job_started && bot->workers)
        workers_wake(bot->workers);
    if (ctx->after.script_ordered)
        drafter_wake(bot->drafter);
    if (ctx->after.cancel[0] && bot->workers)
        workers_check(bot->workers, ctx->after.cancel);
    if (ctx->after.sample[0]) {
        struct sampler_wish wish = {.addr = ctx->event->addr, .speed = ctx->after.sample_speed};
        str_copy(wish.user, sizeof(wish.user), ctx->account.id);
        str_copy(wish.lang, sizeof(wish.lang), ctx->lang);
        str_copy(wish.voice, sizeof(wish.voice), ctx->after.sample);
        sampler_ask(bot->sampler, &wish);
    }
    for (size_t i = 0; i < ctx->after.file_count; i++)
        fs_remove(ctx->after.files[i]);
}

void bot_tell_outage(struct bot *bot, const struct chat_event *event)
{
    static _Atomic int64_t told_at = INT64_MIN / 2;
    int64_t now = clock_mono_ms();
    int64_t before = atomic_load(&told_at);
    if (now - before < OUTAGE_MS || !atomic_compare_exchange_strong(&told_at, &before, now))
        return;
    const struct chat_adapter *adapter = bot_adapter(bot, event->addr.network);
    const char *lang = i18n_match(event->lang);
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, *lang ? lang : "en");
    card_line(&doc, *lang ? lang : "en", "error.database");
    char ref[CHAT_REF_MAX];
    struct err e;
    if (adapter && !adapter->ops->send(adapter->self, &event->addr, &doc.card, ref, &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
}

/* The first transaction failed: tell the person, or at least end what can never work. */
static bool after_failure(struct bot *bot, struct dispatch *d, struct err *e)
{
    struct err said = *e;
    if (d->id == 0 || !error_is_answer(e))
        return false;
    if (e->code == ERR_INTERNAL || e->code == ERR_DISK || e->code == ERR_CONFIG)
        log_err(LOG_ERROR, LOG_MODULE, e);
    d->only = d->id;
    d->error = &said;
    if (db_run(bot->db, dispatch_body, d, e))
        return true;
    log_err(LOG_ERROR, LOG_MODULE, e);
    if (e->code != ERR_INTERNAL)
        return false;
    d->give_up = true;
    return db_run(bot->db, dispatch_body, d, e);
}

/* It ended whoever began with it: the person is told, and if even that cannot be done, nothing is. */
static void give_up(struct dispatch *d, struct err *why)
{
    char ref[12];
    unsigned random;
    random_bytes(&random, sizeof(random));
    snprintf(ref, sizeof(ref), "%08x", random);
    err_set_arg(why, ERR_INTERNAL, "error.gave_up", ref,
                "event %lld is given up (%s): %d processes began with it and ended",
                (long long)d->id, ref, d->begun - 1);
    log_err(LOG_ERROR, LOG_MODULE, why);
    d->error = why;
    d->give_up = d->begun > BOT_BEGUN_MAX + 1;
}

/* The next event, or its first half: an old one is counted before anything is done about it. */
static bool take_one(struct bot *bot, struct dispatch *d, struct err *why, struct err *e)
{
    if (!db_run(bot->db, dispatch_body, d, e))
        return false;
    if (!d->begun)
        return true;
    d->only = d->id;
    if (d->begun > BOT_BEGUN_MAX)
        give_up(d, why);
    return db_run(bot->db, dispatch_body, d, e);
}

enum bot_did bot_handle_one(struct bot *bot)
{
    struct dispatch d = {.ctx = {.bot = bot}};
    struct err e = {0}, why = {0};
    enum bot_did did = BOT_AWAY;
    if (take_one(bot, &d, &why, &e) || after_failure(bot, &d, &e))
        did = d.later ? BOT_LATER : d.id ? BOT_ONE : BOT_NOTHING;
    else if (e.code != ERR_CANCELLED)
        log_err(LOG_WARN, LOG_MODULE, &e);
    if (d.careful)
        atomic_store(&bot->careful, false);
    if (did == BOT_ONE)
        after_commit(bot, &d.ctx);
    arena_free(&d.ctx.arena);
    arena_free(&d.texts);
    return did;
}
