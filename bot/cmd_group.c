/*
 * /group, /pay group, /credits group: a group's account, what its admins decide about it; /payer:
 * whose credits pay for one video.
 */
#include <string.h>

#include "bot/command.h"
#include "bot/group.h"
#include "bot/pay_card.h"
#include "bot/payer.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "core/base/strbuf.h"

/* --- the account --- */

/* Made when somebody first asks for it; where, is kept for the lines about payments, and is an
   admin's to change. */
static bool open_here(struct command_ctx *ctx, char ret_id[static UUID_TEXT], struct err *e)
{
    const struct chat_event *event = ctx->event;
    if (!event->is_group)
        return err_set(e, ERR_INPUT, "group.only_there", "not a group");
    struct chat_addr place = event->addr;
    place.reply[0] = '\0';
    return group_find(ctx->tx, &place, true, ret_id, e) &&
           group_set_place(ctx->tx, ret_id, ctx->lang, &place, event->is_group_admin, e);
}

bool group_named(struct command_ctx *ctx, const char *word, char ret_id[static UUID_TEXT],
                 struct err *e)
{
    ret_id[0] = '\0';
    if (strcmp(word, "group") == 0)
        return open_here(ctx, ret_id, e);
    return !group_link_is(word) || group_link_open(ctx->tx, word, ret_id, e);
}

static const char *credits(struct card_doc *doc, const char *lang, int64_t count)
{
    return card_text(doc, lang, "unit.credits", I18N_NUM("count", count));
}

static void add_rules(struct card_doc *doc, const char *lang, const struct group *g)
{
    if (!g->is_on)
        card_line(doc, lang, "group.off");
    else if (g->cap == GROUP_NO_CAP)
        card_line(doc, lang, "group.cap_none");
    else
        card_line(doc, lang, "group.cap", I18N_TEXT("credits", credits(doc, lang, g->cap)));
}

static void add_account(struct command_ctx *ctx, struct card_doc *doc, const struct group *g)
{
    const char *lang = ctx->lang;
    card_begin(doc, lang);
    card_title(doc, lang, "group.title", I18N_TEXT("have", credits(doc, lang, g->available)));
    if (g->held > 0)
        card_line(doc, lang, "credits.held", I18N_NUM("count", g->held));
    card_line(doc, lang, "group.used", I18N_TEXT("all", credits(doc, lang, g->used_all)),
              I18N_TEXT("mine", credits(doc, lang, g->used)));
    add_rules(doc, lang, g);
}

/* What buys for it; ref: how the buttons name the group. */
static void add_funding(struct command_ctx *ctx, struct card_doc *doc, const struct group *g,
                        const char *ref)
{
    const char *lang = ctx->lang;
    card_line(doc, lang, "group.fund");
    if (ctx->bot->pay.ops) {
        pay_card_offers(ctx->bot, doc, lang, ctx->abilities->buttons, ref, 0);
        card_line(doc, lang, "pay.free_amount",
                  I18N_TEXT("command", arena_printf(&doc->arena, "/pay 2.5 %s", ref)));
    } else {
        card_line(doc, lang, "pay.missing");
    }
    card_line(doc, lang, "group.account", I18N_TEXT("account", g->id));
}

bool group_card(struct command_ctx *ctx, const char *id, const char *word, struct err *e)
{
    struct group g;
    AUTO(card_doc_free) struct card_doc doc = {0};
    char link[GROUP_LINK_TEXT];
    const char *ref = word;
    if (!group_look(ctx->tx, id, ctx->account.id, &g, e))
        return false;
    /* Where a group cannot be whispered to, the private chat has to know which group it is. */
    const struct chat_adapter *adapter = bot_adapter(ctx->bot, ctx->event->addr.network);
    if (ctx->event->is_group && adapter && adapter->ops->private_link) {
        if (!group_link_make(ctx->tx, id, link, e))
            return false;
        ref = link;
    }
    add_account(ctx, &doc, &g);
    add_funding(ctx, &doc, &g, ref);
    return reply_private(ctx, &doc, arena_printf(&ctx->arena, "/pay_%s", ref), e);
}

/* --- what admins decide --- */

static bool say_rules(struct command_ctx *ctx, const char *id, struct err *e)
{
    struct group g;
    AUTO(card_doc_free) struct card_doc doc;
    if (!group_look(ctx->tx, id, ctx->account.id, &g, e))
        return false;
    card_begin(&doc, ctx->lang);
    add_rules(&doc, ctx->lang, &g);
    return reply_card(ctx, &doc, e);
}

bool cmd_group(struct command_ctx *ctx, struct err *e)
{
    char id[UUID_TEXT];
    int64_t cap = GROUP_NO_CAP;
    const char *args = ctx->args;
    bool on = strcmp(args, "on") == 0, off = strcmp(args, "off") == 0;
    bool caps = str_starts(args, "cap ") &&
                (strcmp(args + 4, "off") == 0 || str_to_int(args + 4, 0, GROUP_CAP_MAX, &cap));
    if (!open_here(ctx, id, e))
        return false;
    if (!args[0])
        return group_card(ctx, id, "group", e);
    if (!on && !off && !caps)
        return err_set(e, ERR_INPUT, "group.how", "no such word");
    if (!ctx->event->is_group_admin)
        return err_set(e, ERR_REFUSED, "group.only_admins", "not an admin");
    return (caps ? group_set_cap(ctx->tx, id, cap, e) : group_set_on(ctx->tx, id, on, e)) &&
           say_rules(ctx, id, e);
}

/* --- one video --- */

/* "ID group" or "ID own". */
bool cmd_payer(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    char group[UUID_TEXT];
    size_t len = strcspn(ctx->args, " ");
    bool to_group = strcmp(ctx->args + len, " group") == 0;
    if (!job_find(ctx->tx, ctx->account.id, arena_printf(&ctx->arena, "%.*s", (int)len, ctx->args),
                  &job, e) ||
        !payer_group_here(ctx, group, e))
        return false;
    if (job.state != JOB_QUOTED)
        return err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is not quoted", job.id);
    struct group g = {0};
    if (to_group && group[0] && !group_look(ctx->tx, group, ctx->account.id, &g, e))
        return false;
    bool can = group[0] && group_may_use(&g) >= job.price;
    return job_set_payer(ctx->tx, job.id, to_group && can ? group : NULL, e) &&
           quote_show(ctx, job.id, to_group && !can ? "payer.group_cannot" : NULL, e);
}
