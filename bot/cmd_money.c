/*
 * /credits: balance, prices, what moved, receipts.
 */
#include <string.h>

#include "bot/command.h"
#include "bot/group.h"
#include "bot/pay_card.h"
#include "bot/reply.h"
#include "core/base/strbuf.h"
#include "core/db/store_deposit.h"
#include "core/db/store_ledger.h"
#include "core/story/storyboard.h"

enum { LINES_READ = 24, RECEIPTS_READ = 5 };

static void add_prices(struct command_ctx *ctx, struct card_doc *doc)
{
    struct strbuf out = STRBUF(512);
    for (int tier = TIER_BASIC; tier <= TIER_PREMIUM; tier++) {
        AUTO(free_ptr)
        char *credits =
            i18n_text(ctx->lang, "unit.credits", I18N_NUM("count", ctx->bot->prices[tier]));
        strbuf_addf(&out, "%s%s: %s", tier ? " · " : "", story_tier_name((enum story_tier)tier),
                    credits);
    }
    card_line(doc, ctx->lang, "credits.prices",
              I18N_TEXT("list", card_keep(doc, strbuf_take(&out))));
}

/* What is less than a credit, and the last payments with their names on the network. */
static bool add_payments(struct command_ctx *ctx, struct card_doc *doc, struct err *e)
{
    const struct payment_method *pay = &ctx->bot->pay;
    struct receipt list[RECEIPTS_READ];
    char rest[PAY_AMOUNT] = "0";
    size_t count = 0;
    if (!receipt_list(ctx->tx, ctx->account.id, list, COUNT(list), &count, e) ||
        (pay->ops && !pay->ops->rest(pay->self, ctx->tx, ctx->account.id, rest, e)))
        return false;
    if (pay->ops && strcmp(rest, "0") != 0)
        card_line(doc, ctx->lang, "pay.rest", I18N_TEXT("rest", arena_dup(&doc->arena, rest)),
                  I18N_TEXT("unit", pay->ops->unit));
    if (count > 0)
        card_line(doc, ctx->lang, "credits.receipts");
    for (size_t i = 0; i < count; i++) {
        char amount[XNO_TEXT], day[11];
        raw_to_xno_short(list[i].amount, 6, amount);
        str_copy(day, sizeof(day), list[i].at);
        card_line(doc, ctx->lang, "credits.receipt", I18N_TEXT("day", arena_dup(&doc->arena, day)),
                  I18N_TEXT("amount", arena_dup(&doc->arena, amount)),
                  I18N_NUM("credits", list[i].credits + list[i].bonus),
                  I18N_TEXT("ref", arena_dup(&doc->arena, list[i].ref)));
    }
    return true;
}

bool cmd_credits(struct command_ctx *ctx, struct err *e)
{
    struct balance balance;
    struct ledger_line lines[LINES_READ];
    size_t count = 0;
    if (strcmp(ctx->args, "group") == 0) {
        char group[UUID_TEXT];
        return group_named(ctx, ctx->args, group, e) && group_card(ctx, group, ctx->args, e);
    }
    if (!ledger_balance(ctx->tx, ctx->account.id, &balance, e) ||
        !ledger_history(ctx->tx, ctx->account.id, lines, COUNT(lines), &count, e))
        return false;
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "credits.balance", I18N_NUM("count", balance.available));
    if (balance.held > 0)
        card_line(&doc, ctx->lang, "credits.held", I18N_NUM("count", balance.held));
    add_prices(ctx, &doc);
    for (size_t i = 0; i < count; i++)
        pay_card_moved(&doc, ctx->lang, &lines[i]);
    if (!add_payments(ctx, &doc, e))
        return false;
    card_line(&doc, ctx->lang, "credits.account", I18N_TEXT("account", ctx->account.id));
    return reply_send(ctx, &doc, e);
}
