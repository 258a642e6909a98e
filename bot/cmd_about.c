/*
 * /start, /help, /terms, /privacy, /support, /forget.
 */
#include <stdlib.h>
#include <string.h>

#include "bot/admin.h"
#include "bot/command.h"
#include "bot/reply.h"
#include "core/db/store_group.h"
#include "core/job/pipeline.h"

enum { FILES_MAX = 3 * 4096, TEXT_LINES_MAX = 12, JOBS_SEEN = 10 };

/* key.1, key.2 ... as long as there are any. */
static void add_numbered(struct card_doc *doc, const char *lang, const char *prefix)
{
    for (int i = 1; i <= TEXT_LINES_MAX; i++) {
        char key[48];
        snprintf(key, sizeof(key), "%s.%d", prefix, i);
        if (!i18n_has("en", key))
            return;
        card_line(doc, lang, key);
    }
}

/* "/start pay": a link from a group brought the person here to say /pay. "/start pay_WORD": with that
   word, which only /pay takes. */
static const struct command *linked_command(struct command_ctx *ctx, const char **ret_args)
{
    if (!ctx->args[0])
        return NULL;
    int len = (int)MIN(strcspn(ctx->args, "_"), 24);
    const char *word = ctx->args + len + (ctx->args[len] == '_');
    const struct command *c =
        command_find(arena_printf(&ctx->arena, "/%.*s", len, ctx->args), ret_args);
    *ret_args = c && c->run == cmd_pay && group_link_is(word) ? word : "";
    return c && c->run != cmd_start && c->flags & (CMD_MONEY | CMD_PERSON) ? c : NULL;
}

bool cmd_start(struct command_ctx *ctx, struct err *e)
{
    const char *args = "";
    const struct command *linked = linked_command(ctx, &args);
    if (linked && linked->run != cmd_forget) {
        ctx->command = linked;
        ctx->args = args;
        return linked->run(ctx, e);
    }
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "start.title");
    add_numbered(&doc, ctx->lang, "start");
    if (ctx->account.is_new && ctx->bot->trial_credits > 0)
        card_line(&doc, ctx->lang, "start.trial");
    if (ctx->bot->own_words)
        card_line(&doc, ctx->lang, "quote.own_words");
    card_button(&doc, ctx->lang, "button.help", true, "/help");
    return reply_send(ctx, &doc, e);
}

bool cmd_help(struct command_ctx *ctx, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    bool admin = admin_may(ctx->bot, ctx->event);
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "help.title");
    for (size_t i = 0; i < command_count; i++)
        if (command_listed(ctx->bot, &commands[i]) || (admin && commands[i].flags & CMD_ADMIN))
            card_line(&doc, ctx->lang, "help.line",
                      I18N_TEXT("command", arena_printf(&doc.arena, "/%s", commands[i].name)),
                      I18N_TEXT("what", card_text(&doc, ctx->lang, commands[i].help_key)));
    card_line(&doc, ctx->lang, "make.settings_list");
    card_line(&doc, ctx->lang, "help.example");
    if (ctx->abilities->shows_paths)
        card_line(&doc, ctx->lang, "help.files");
    else if (bot_adapter(ctx->bot, ctx->event->addr.network)->ops->fetch)
        card_line(&doc, ctx->lang, "help.media");
    if (admin)
        admin_add_ask(ctx, &doc);
    return reply_send(ctx, &doc, e);
}

static bool reply_document(struct command_ctx *ctx, const char *prefix, struct err *e)
{
    char title[48];
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    snprintf(title, sizeof(title), "%s.title", prefix);
    card_title(&doc, ctx->lang, title);
    add_numbered(&doc, ctx->lang, prefix);
    return reply_send(ctx, &doc, e);
}

bool cmd_terms(struct command_ctx *ctx, struct err *e)
{
    return reply_document(ctx, "terms", e);
}

bool cmd_privacy(struct command_ctx *ctx, struct err *e)
{
    return reply_document(ctx, "privacy", e);
}

/* What an operator needs to find something: the account, and the last video that failed. */
bool cmd_support(struct command_ctx *ctx, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    struct job *list = NULL;
    size_t count = 0, failed = 0;
    const char *where = ctx->bot->support;
    if (!job_list(ctx->tx, ctx->account.id, false, JOBS_SEEN, &list, &count, e))
        return false;
    while (failed < count && list[failed].state != JOB_FAILED)
        failed++;
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "support.title");
    if (where && where[0])
        card_line(&doc, ctx->lang, "support.where", I18N_TEXT("where", where));
    else
        card_line(&doc, ctx->lang, "support.nowhere");
    card_line(&doc, ctx->lang, "credits.account", I18N_TEXT("account", ctx->account.id));
    if (failed < count)
        card_line(&doc, ctx->lang, "support.failed",
                  I18N_TEXT("ref", arena_dup(&doc.arena, job_short(list[failed].id))));
    for (size_t i = 0; i < count; i++)
        job_free(&list[i]);
    free(list);
    return reply_send(ctx, &doc, e);
}

/* Remembers a file to delete after the commit; the body may run again. */
static void remember(struct command_ctx *ctx, const char *path)
{
    if (!ctx->after.files)
        ctx->after.files = arena_alloc(&ctx->arena, FILES_MAX * sizeof(*ctx->after.files));
    if (ctx->after.file_count < FILES_MAX && path[0])
        ctx->after.files[ctx->after.file_count++] = arena_dup(&ctx->arena, path);
}

/* A film goes with its poster and the subtitles, which hold the person's words. */
static void remember_film(void *data, const char *path)
{
    static const char *const beside[] = {"jpg", "srt"};
    struct command_ctx *ctx = data;
    remember(ctx, path);
    for (size_t i = 0; path[0] && i < COUNT(beside); i++) {
        char file[CACHE_PATH_MAX];
        struct err ignored;
        if (pipeline_beside(path, beside[i], file, &ignored))
            remember(ctx, file);
    }
}

bool cmd_forget(struct command_ctx *ctx, struct err *e)
{
    if (strcmp(ctx->args, "yes") != 0) {
        AUTO(card_doc_free) struct card_doc doc;
        card_begin(&doc, ctx->lang);
        card_title(&doc, ctx->lang, "forget.title");
        add_numbered(&doc, ctx->lang, "forget");
        card_button(&doc, ctx->lang, "button.forget", true, "/forget yes");
        return reply_send(ctx, &doc, e);
    }
    const struct strike_limits *strikes = &ctx->bot->strikes;
    return account_forget(ctx->tx, ctx->account.id, strikes->most ? strikes->days : 0,
                          remember_film, ctx, e) &&
           reply_text(ctx, e, "forget.done");
}
