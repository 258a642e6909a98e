#include "bot/reply.h"

#include <stdlib.h>
#include <string.h>

#include "bot/possible.h"
#include "core/base/strbuf.h"

const char *job_short(const char *job_id)
{
    size_t len = strlen(job_id);
    return len >= JOB_SHORT ? job_id + len - (JOB_SHORT - 1) : job_id;
}

const char *reply_job_ref(const struct command_ctx *ctx, const char *job_id)
{
    return ctx->abilities->buttons ? job_id : job_short(job_id);
}

static bool put_row(struct db_tx *tx, struct outbox_row *row, const struct card_doc *doc,
                    const char *job, struct err *e)
{
    AUTO(free_ptr) char *body = NULL;
    if (!card_to_json(&doc->card, &body, e))
        return false;
    row->body = body;
    str_copy(row->job, sizeof(row->job), job ? job : "");
    return outbox_add(tx, row, e);
}

bool outbox_put(struct db_tx *tx, const struct chat_addr *addr, const struct card_doc *doc,
                const char *job, const char *edit_ref, bool sets_card, struct err *e)
{
    struct outbox_row row = {.addr = *addr, .sets_card = sets_card};
    str_copy(row.edit_ref, sizeof(row.edit_ref), edit_ref ? edit_ref : "");
    return put_row(tx, &row, doc, job, e);
}

bool outbox_put_edit(struct db_tx *tx, const struct chat_addr *addr, const struct card_doc *doc,
                     const char *job, bool is_last, struct err *e)
{
    struct outbox_row row = {.addr = *addr, .edits_card = true, .sets_card = !is_last};
    return put_row(tx, &row, doc, job, e);
}

bool outbox_put_order(struct db_tx *tx, const struct card_doc *doc, const struct order *order,
                      bool edits, struct err *e)
{
    struct outbox_row row = {.addr = order->addr, .edits_card = edits, .sets_card = true};
    str_copy(row.order, sizeof(row.order), order->id);
    return put_row(tx, &row, doc, NULL, e);
}

/* What is for one person's eyes, on a network that cannot whisper in a group: a way to the private
   chat instead. */
static bool reply_link(struct command_ctx *ctx, const char *url, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, "private.line");
    card_link(&doc, ctx->lang, "private.button", url);
    return outbox_put(ctx->tx, &ctx->event->addr, &doc, NULL, NULL, false, e);
}

/* action: what the person says in the private chat where cards for one pair of eyes have to go. */
static bool send_card(struct command_ctx *ctx, const struct card_doc *doc, bool is_private,
                      const char *action, struct err *e)
{
    const struct chat_event *event = ctx->event;
    const struct chat_adapter *adapter = bot_adapter(ctx->bot, event->addr.network);
    struct card_doc copy = *doc; /* shares the arena; not freed here */
    copy.card.is_private |= event->is_group && is_private;
    if (copy.card.is_private && event->is_group && adapter && adapter->ops->private_link) {
        char url[256];
        if (adapter->ops->private_link(adapter->self, action, url, sizeof(url)))
            return reply_link(ctx, url, e);
    }
    return outbox_put(ctx->tx, &event->addr, &copy, NULL, NULL, false, e);
}

bool reply_send(struct command_ctx *ctx, const struct card_doc *doc, struct err *e)
{
    unsigned flags = ctx->command ? ctx->command->flags : 0;
    const char *action =
        arena_printf(&ctx->arena, "/%s", ctx->command ? ctx->command->name : "start");
    return send_card(ctx, doc, flags & (CMD_MONEY | CMD_PERSON), action, e);
}

bool reply_card(struct command_ctx *ctx, const struct card_doc *doc, struct err *e)
{
    return send_card(ctx, doc, false, "/start", e);
}

bool reply_private(struct command_ctx *ctx, const struct card_doc *doc, const char *action,
                   struct err *e)
{
    return send_card(ctx, doc, true, action, e);
}

bool reply_job_card(struct command_ctx *ctx, const struct card_doc *doc, const char *job,
                    const char *edit_ref, struct err *e)
{
    return outbox_put(ctx->tx, &ctx->event->addr, doc, job, edit_ref, true, e);
}

bool reply_line(struct command_ctx *ctx, struct err *e, const char *key,
                const struct i18n_arg *args, size_t count)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_add_line(&doc, card_format(&doc, ctx->lang, key, args, count));
    return reply_send(ctx, &doc, e);
}

/* What is said about the button of somebody else's card; NULL: it is another error. */
static const char *not_yours_key(const struct command_ctx *ctx, const struct err *what)
{
    if (!ctx->event->is_group || ctx->event->kind != CHAT_BUTTON)
        return NULL;
    if (strcmp(what->user_key, "error.no_job") == 0)
        return "error.not_your_card";
    return strcmp(what->user_key, "cancel.not_yours") == 0 ? what->user_key : NULL;
}

/* That is no news for the others. False: this network cannot tell one person alone. */
static bool say_alone(struct command_ctx *ctx, const char *key)
{
    const struct chat_adapter *a = bot_adapter(ctx->bot, ctx->event->addr.network);
    if (!a || !a->ops->pressed || !ctx->event->press || !*ctx->event->press)
        return false;
    AUTO(free_ptr) char *text = i18n_text(ctx->lang, key);
    str_copy(ctx->after.toast, sizeof(ctx->after.toast), text);
    return true;
}

bool reply_error(struct command_ctx *ctx, const struct err *what, struct err *e)
{
    const char *key = not_yours_key(ctx, what);
    if (key && say_alone(ctx, key))
        return true;
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, key ? key : what->user_key, I18N_TEXT("what", what->arg));
    possible_add(&doc, ctx->lang, ctx->bot->tools, what->user_key);
    return reply_send(ctx, &doc, e);
}
