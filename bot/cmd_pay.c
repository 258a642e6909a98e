/*
 * /pay: offers, an order for one of them or for any amount, and "this payment is mine".
 */
#include <string.h>

#include "bot/command.h"
#include "bot/group.h"
#include "bot/pay_card.h"
#include "bot/reply.h"
#include "core/base/strbuf.h"

enum { WORDS = 3, WORD_MAX = 160 };

/* No payment method is set up: say what is missing, and who can help until then. */
static bool say_missing(struct command_ctx *ctx, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "pay.title");
    card_line(&doc, ctx->lang, "pay.missing");
    card_line(&doc, ctx->lang, "pay.operator");
    card_line(&doc, ctx->lang, "pay.grant",
              I18N_TEXT("command", arena_printf(&doc.arena, "nanotik grant %s 10 --why \"…\"",
                                                ctx->account.id)));
    return reply_send(ctx, &doc, e);
}

static bool say_offers(struct command_ctx *ctx, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "pay.choose");
    pay_card_offers(ctx->bot, &doc, ctx->lang, ctx->abilities->buttons, NULL, 0);
    card_line(&doc, ctx->lang, "pay.free_amount",
              I18N_TEXT("command", arena_printf(&doc.arena, "/pay 2.5")));
    return reply_send(ctx, &doc, e);
}

/* Where a group cannot be whispered to, the order is made in the private chat. */
static bool is_elsewhere(const struct command_ctx *ctx)
{
    const struct chat_adapter *adapter = bot_adapter(ctx->bot, ctx->event->addr.network);
    return ctx->event->is_group && adapter && adapter->ops->private_link;
}

/* group: the one that it is for, "": the person's own account; word: how they named it. */
static bool make_order(struct command_ctx *ctx, const char *amount, const char *group,
                       const char *word, struct err *e)
{
    struct payment_method *pay = &ctx->bot->pay;
    struct order order;
    if (is_elsewhere(ctx))
        return group[0] ? group_card(ctx, group, word, e) : say_offers(ctx, e);
    AUTO(card_doc_free) struct card_doc doc = {0};
    if (!pay->ops->open(pay->self, ctx->tx, group[0] ? group : ctx->account.id, amount, ctx->lang,
                        &ctx->event->addr, &order, e) ||
        !pay_card_order(ctx->bot, &doc, &order, e))
        return false;
    doc.card.is_private = ctx->event->is_group;
    return outbox_put_order(ctx->tx, &doc, &order, false, e);
}

/* The video that this payment is for starts by itself. */
static bool wait_for(struct command_ctx *ctx, const char *ref, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    if (!job_find(ctx->tx, ctx->account.id, ref, &job, e))
        return false;
    return job.state != JOB_QUOTED || (job_set_payer(ctx->tx, job.id, NULL, e) &&
                                       await_credits(ctx->tx, ctx->account.id, job.id, e));
}

/* word: names the group that it was paid for, "": the person's own account. The answer comes later and
   has to find them: where a group cannot be whispered to, only what is the group's is asked there. */
static bool make_claim(struct command_ctx *ctx, const char *ref, const char *word, struct err *e)
{
    struct payment_method *pay = &ctx->bot->pay;
    AUTO(card_doc_free) struct card_doc doc = {0};
    char group[UUID_TEXT];
    if (!ref[0] || !pay->ops->claim)
        return err_set(e, ERR_INPUT, "claim.bad_ref", "no reference");
    if (!group_named(ctx, word, group, e))
        return false;
    if (is_elsewhere(ctx) && !group[0])
        return reply_text(ctx, e, "claim.bad_ref"); /* a way to the private chat */
    if (!pay->ops->claim(pay->self, ctx->tx, group[0] ? group : ctx->account.id, ref, ctx->lang,
                         &ctx->event->addr, e))
        return false;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, "claim.asked");
    return is_elsewhere(ctx) ? reply_card(ctx, &doc, e) : reply_send(ctx, &doc, e);
}

/* Three words at most; the rest is left out. */
static void split(const char *args, char ret[WORDS][WORD_MAX])
{
    for (int i = 0; i < WORDS; i++) {
        size_t len = strcspn(args, " \t\n\r");
        snprintf(ret[i], WORD_MAX, "%.*s", (int)MIN(len, WORD_MAX - 1), args);
        args += len;
        args += strspn(args, " \t\n\r");
    }
}

bool cmd_pay(struct command_ctx *ctx, struct err *e)
{
    char words[WORDS][WORD_MAX], group[UUID_TEXT];
    split(ctx->args, words);
    if (!group_named(ctx, words[0], group, e))
        return false;
    if (group[0])
        return group_card(ctx, group, words[0], e);
    if (!ctx->bot->pay.ops)
        return say_missing(ctx, e);
    if (!words[0][0])
        return say_offers(ctx, e);
    if (strcmp(words[0], "claim") == 0)
        return make_claim(ctx, words[1], words[2], e);
    return group_named(ctx, words[1], group, e) &&
           (!words[1][0] || group[0] || wait_for(ctx, words[1], e)) &&
           make_order(ctx, words[0], group, words[1], e);
}
