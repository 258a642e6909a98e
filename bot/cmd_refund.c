/*
 * /refund: bought credits that were not used go back to an address that the person types, and agrees
 * to on a card that shows all of it.
 */
#include <string.h>

#include "bot/command.h"
#include "bot/pay_card.h"
#include "bot/reply.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"

enum { WORDS = 3, WORD_MAX = 160, CREDITS_MAX = 1000000000 };

static bool say(struct command_ctx *ctx, const struct pay_refund *r, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc = {0};
    pay_card_refund(&doc, ctx->lang, r);
    return reply_send(ctx, &doc, e);
}

static bool ask(struct command_ctx *ctx, const char *address, const char *credits, struct err *e)
{
    const struct payment_method *pay = &ctx->bot->pay;
    struct pay_refund r;
    int64_t count = 0;
    if (credits[0] && !str_to_int(credits, 1, CREDITS_MAX, &count))
        return err_set(e, ERR_INPUT, "refund.how", "no number of credits");
    return pay->ops->refund_ask(pay->self, ctx->tx, ctx->account.id, address, count, ctx->lang,
                                &ctx->event->addr, &r, e) &&
           say(ctx, &r, e);
}

static bool agree(struct command_ctx *ctx, const char *id, struct err *e)
{
    const struct payment_method *pay = &ctx->bot->pay;
    struct pay_refund r;
    if (id[0] && !uuid_valid(id))
        return err_set(e, ERR_NOT_FOUND, "refund.gone", "no id");
    return pay->ops->refund_agree(pay->self, ctx->tx, ctx->account.id, id, &r, e) &&
           say(ctx, &r, e);
}

static bool cancel(struct command_ctx *ctx, struct err *e)
{
    const struct payment_method *pay = &ctx->bot->pay;
    bool found = false;
    if (!pay->ops->refund_cancel(pay->self, ctx->tx, ctx->account.id, &found, e))
        return false;
    return found ? reply_text(ctx, e, "refund.cancelled")
                 : err_set(e, ERR_NOT_FOUND, "refund.gone", "no question is open");
}

/* What belongs to one person is not asked where others read: a link leads to the private chat, and
   the words are said again there. */
static bool is_elsewhere(const struct command_ctx *ctx)
{
    const struct chat_adapter *adapter = bot_adapter(ctx->bot, ctx->event->addr.network);
    return ctx->event->is_group && adapter && adapter->ops->private_link;
}

static bool how(struct command_ctx *ctx, struct err *e)
{
    return reply_text(ctx, e, "refund.how");
}

bool cmd_refund(struct command_ctx *ctx, struct err *e)
{
    char words[WORDS][WORD_MAX];
    const char *args = ctx->args;
    if (!ctx->bot->pay.ops || !ctx->bot->pay.ops->refund_ask)
        return err_set(e, ERR_UNSUPPORTED, "refund.off", "no payment method");
    for (int i = 0; i < WORDS; i++) {
        size_t len = strcspn(args, " \t\n\r");
        snprintf(words[i], WORD_MAX, "%.*s", (int)MIN(len, WORD_MAX - 1), args);
        args += len;
        args += strspn(args, " \t\n\r");
    }
    if (!words[0][0] || words[2][0] || is_elsewhere(ctx))
        return how(ctx, e);
    if (strcmp(words[0], "yes") == 0)
        return agree(ctx, words[1], e);
    if (strcmp(words[0], "no") == 0)
        return cancel(ctx, e);
    return ask(ctx, words[0], words[1], e);
}
