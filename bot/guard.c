#include "bot/guard.h"

#include <string.h>

#include "bot/reply.h"
#include "core/base/log.h"
#include "core/story/rules.h"

#define LOG_MODULE "guard"

bool guard_words(const struct bot *bot, const char *words, struct err *e)
{
    const char *category = rules_match(bot->tools->rules, words ? words : "");
    return !category ||
           err_set_arg(e, ERR_REFUSED, "guard.refused", category, "rules: %s", category);
}

bool guard_account(struct command_ctx *ctx, struct err *e)
{
    int hours = 0;
    char text[16];
    if (!strike_pause(ctx->tx, ctx->account.id, &hours, e))
        return false;
    snprintf(text, sizeof(text), "%d", hours);
    return hours == 0 || err_set_arg(e, ERR_REFUSED, "guard.paused", text, "%d h to rest", hours);
}

bool guard_strike(struct db_tx *tx, const struct bot *bot, const char *account, const char *lang,
                  const char *category, struct card_doc *doc, struct err *e)
{
    const struct strike_limits *limits = &bot->strikes;
    int count = 0;
    bool paused = false;
    char name[64];
    snprintf(name, sizeof(name), "%.40s", category && category[0] ? category : "-");
    if (!strike_add(tx, account, name, limits, &count, &paused, e))
        return false;
    log_warn("strike %d of account %s: %s", count, account, name);
    if (paused)
        card_line(doc, lang, "guard.now_paused", I18N_NUM("hours", limits->pause_hours));
    else if (limits->most > 0)
        card_line(doc, lang, "guard.strike", I18N_NUM("count", count),
                  I18N_NUM("most", limits->most), I18N_NUM("days", limits->days));
    return true;
}

bool guard_reply(struct command_ctx *ctx, const struct err *what, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, what->user_key, I18N_TEXT("what", what->arg));
    return guard_strike(ctx->tx, ctx->bot, ctx->account.id, ctx->lang, what->arg, &doc, e) &&
           reply_send(ctx, &doc, e);
}
