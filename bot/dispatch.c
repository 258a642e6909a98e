/*
 * One event becomes one transaction: inbox row, the command's effects and the cards that answer it.
 */
#define LOG_MODULE "bot"
#include <stdlib.h>
#include <string.h>

#include "bot/bot.h"
#include "bot/command.h"
#include "bot/outbox.h"
#include "bot/reply.h"
#include "bot/status.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/i18n/i18n.h"

enum { BACKLOG_EVERY = 32, BACKLOG_MAX = 256 };

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
    const struct err *error; /* what the second transaction tells; NULL in the first */
};

static bool hint(struct command_ctx *ctx, struct err *e)
{
    const struct chat_event *event = ctx->event;
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    if (event->text[0] == '/') {
        const struct command *near = command_nearest(event->text);
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

static bool dispatch_body(struct db_tx *tx, void *data, struct err *e)
{
    struct dispatch *d = data;
    struct command_ctx *ctx = &d->ctx;
    const struct chat_event *event = ctx->event;
    ctx_reset(ctx);
    ctx->tx = tx;
    bool is_new = false;
    if (!inbox_add(tx, event->addr.network, event->event_id, &is_new, e))
        return false;
    if (!is_new)
        return true; /* its answers are stored or sent already */
    bool nobody = event->user_id[0] == '\0';
    if (nobody && event->kind != CHAT_REFUSED)
        return true; /* a moved chat: jobs keep their sealed address, the adapter maps it */
    if (!nobody && !account_find(tx, event->addr.network, event->user_id, false,
                                 ctx->bot->trial_credits, &ctx->account, e))
        return false;
    ctx_set_lang(ctx);
    if (event->kind != CHAT_REFUSED)
        ctx->command = command_find(event->text, &ctx->args);
    if (d->error)
        return reply_error(ctx, d->error, e);
    if (event->kind == CHAT_REFUSED)
        return reply_text(ctx, e, event->text, I18N_TEXT("what", event->quoted));
    bool taken = false;
    if (!ctx->command && !script_reply(ctx, &taken, e))
        return false;
    if (!ctx->command)
        return taken || hint(ctx, e);
    return ctx->command->run(ctx, e);
}

/* The person can be told; the database is well. */
static bool error_is_answer(const struct err *e)
{
    return e->code != ERR_RETRY && e->code != ERR_CANCELLED &&
           (!e->user_key || strcmp(e->user_key, "error.database") != 0);
}

static void after_commit(struct bot *bot, struct command_ctx *ctx)
{
    outbox_wake(bot->outbox);
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
    for (size_t i = 0; i < ctx->after.file_count; i++)
        fs_remove(ctx->after.files[i]);
}

/* While the database is away nothing can be stored: say so at most once a minute, past the outbox.
 */
static void tell_outage(struct bot *bot, const struct chat_event *event)
{
    static _Atomic int64_t told_at = INT64_MIN / 2;
    int64_t now = clock_mono_ms();
    int64_t before = atomic_load(&told_at);
    if (now - before < 60000 || !atomic_compare_exchange_strong(&told_at, &before, now))
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

struct backlog {
    const char *network;
    int64_t cards;
};

static bool backlog_body(struct db_tx *tx, void *data, struct err *e)
{
    struct backlog *b = data;
    return outbox_pending(tx, b->network, &b->cards, e);
}

/* Somebody pours in lines faster than the network takes answers (a file on standard input, a
   flood): let it wait. Asked now and then, and each time while it is so. */
static bool is_crowded(struct bot *bot, const char *network)
{
    struct backlog b = {.network = network};
    struct err e;
    unsigned nth = atomic_fetch_add(&bot->events, 1);
    if (nth % BACKLOG_EVERY != BACKLOG_EVERY - 1 && !atomic_load(&bot->crowded))
        return false;
    if (db_run_soft(bot->db, backlog_body, &b, &e))
        atomic_store(&bot->crowded, b.cards > BACKLOG_MAX);
    return atomic_load(&bot->crowded);
}

bool bot_on_event(void *data, const struct chat_event *event)
{
    struct bot *bot = data;
    struct err e = {0}, said;
    struct dispatch d = {
        .ctx = {.bot = bot, .event = event, .abilities = bot_abilities(bot, event->addr.network)},
    };
    if (is_crowded(bot, event->addr.network))
        return false;
    bool ok = db_run(bot->db, dispatch_body, &d, &e);
    if (!ok && error_is_answer(&e)) {
        if (e.code == ERR_INTERNAL || e.code == ERR_DISK || e.code == ERR_CONFIG)
            log_err(LOG_ERROR, LOG_MODULE, &e);
        said = e;
        d.error = &said;
        ok = db_run(bot->db, dispatch_body, &d, &e);
    }
    if (ok) {
        after_commit(bot, &d.ctx);
    } else {
        log_err(LOG_WARN, LOG_MODULE, &e);
        if (e.code != ERR_CANCELLED)
            tell_outage(bot, event);
    }
    arena_free(&d.ctx.arena);
    /* What can never be stored is dropped; the rest is offered again. */
    return ok || (error_is_answer(&e) && e.code == ERR_INTERNAL);
}
