/*
 * /go, and Go under any quote: from a quote to a job with credits held. Where a service judges words,
 * it is asked before that, by the drafter; what follows comes in the transaction that ends its turn.
 */
#include <string.h>

#include "bot/guard.h"
#include "bot/payer.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "bot/script_card.h"
#include "bot/status.h"
#include "core/base/strbuf.h"
#include "core/db/store_draft.h"
#include "core/db/store_order.h"

/* The card of a job that was just started. */
static bool show_started(struct command_ctx *ctx, const char *id, bool edits_card, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    AUTO(card_doc_free) struct card_doc doc = {0};
    if (!job_get(ctx->tx, id, &job, e))
        return false;
    status_card(&doc, &job, NULL, ctx->abilities->buttons);
    ctx->after.job_started = true;
    str_copy(ctx->after.watch, sizeof(ctx->after.watch), id);
    return edits_card ? outbox_put_edit(ctx->tx, &job.addr, &doc, id, false, e)
                      : reply_job_card(ctx, &doc, id, "", e);
}

bool quote_started(struct command_ctx *ctx, const char *id, struct err *e)
{
    return show_started(ctx, id, false, e);
}

/* Nobody's own credits are taken without a word: the card says who would pay now, and waits. */
static bool own_pays(struct command_ctx *ctx, const char *id, struct err *e)
{
    return job_set_payer(ctx->tx, id, NULL, e) && quote_show(ctx, id, "payer.group_cannot", e);
}

/* --- the words are judged first --- */

bool quote_check(struct db_tx *tx, const struct bot *bot, const struct job *job, bool *ret_must,
                 struct err *e)
{
    AUTO(storyboard_free) struct storyboard story = {0};
    bool ordered;
    *ret_must = false;
    if (job->state != JOB_QUOTED)
        return true;
    if (!storyboard_from_json(job->story, strlen(job->story), &story, e))
        return err_set(e, ERR_INTERNAL, "error.internal", "stored story: %s", e->detail);
    *ret_must = pipeline_must_check(bot->tools, job->topic, &story);
    return !*ret_must || draft_check(tx, job->id, &ordered, e);
}

void quote_check_card(struct card_doc *doc, const struct job *job, bool buttons)
{
    card_begin(doc, job->lang);
    doc->card.title = card_excerpt(doc, job->topic ? job->topic : "", 60);
    card_line(doc, job->lang, "go.checking");
    card_button(doc, job->lang, "button.cancel", true, "/cancel %s",
                buttons ? job->id : job_short(job->id));
}

static bool show_check(struct command_ctx *ctx, const struct job *job, bool edits_card,
                       struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    quote_check_card(&doc, job, ctx->abilities->buttons);
    ctx->after.script_ordered = true;
    return edits_card ? outbox_put_edit(ctx->tx, &job->addr, &doc, job->id, false, e)
                      : reply_job_card(ctx, &doc, job->id, "", e);
}

/* --- the start --- */

/* was_checked: the card says that the words are judged; it has to say something else now. */
static bool start(struct command_ctx *ctx, const char *id, bool edits_card, bool was_checked,
                  struct err *e)
{
    enum job_start result = JOB_STARTED;
    if (!job_start(ctx->tx, id, &result, e))
        return false;
    bool begun = result == JOB_STARTED || result == JOB_STARTED_BEFORE;
    if (was_checked && !begun && result != JOB_GROUP_CANNOT && !quote_show(ctx, id, NULL, e))
        return false;
    switch (result) {
    case JOB_STARTED:
        return show_started(ctx, id, edits_card, e);
    case JOB_STARTED_BEFORE:
        return reply_text(ctx, e, "go.already");
    case JOB_QUEUE_FULL:
        return reply_text(ctx, e, "go.queue_full", I18N_NUM("count", JOB_WAITING_MAX),
                          I18N_TEXT("command", arena_printf(&ctx->arena, "/go %s", job_short(id))));
    case JOB_GROUP_CANNOT:
        return own_pays(ctx, id, e);
    case JOB_CLOSED:
        return reply_text(ctx, e, "error.closed");
    case JOB_STOPPED:
        return reply_text(ctx, e, "error.orders_stopped");
    case JOB_NO_CREDITS:
        break;
    }
    return await_credits(ctx->tx, ctx->account.id, id, e) &&
           reply_text(ctx, e, ctx->bot->pay.ops ? "go.pay_first" : "go.no_credits");
}

bool quote_start(struct command_ctx *ctx, const char *id, bool edits_card, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    bool must = false;
    return job_get(ctx->tx, id, &job, e) && quote_check(ctx->tx, ctx->bot, &job, &must, e) &&
           (must ? show_check(ctx, &job, edits_card, e) : start(ctx, id, edits_card, false, e));
}

/* A script can be changed, and is left as it is; other words are no quote any more. */
static bool refuse(struct command_ctx *ctx, const struct job *job, const struct err *why,
                   struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    AUTO(storyboard_free) struct storyboard story = {0};
    bool is_draft;
    enum draft_turn turn;
    enum job_state state;
    card_begin(&doc, ctx->lang);
    card_line(&doc, ctx->lang, why->user_key, I18N_TEXT("what", why->arg));
    card_line(&doc, ctx->lang, "script.nothing_charged");
    if ((strcmp(why->user_key, "guard.flagged") == 0 &&
         !guard_strike(ctx->tx, ctx->bot, job->account, ctx->lang, why->arg, &doc, e)) ||
        !draft_look(ctx->tx, job->id, &is_draft, &turn, e) ||
        !storyboard_from_json(job->story, strlen(job->story), &story, e))
        return false;
    if (is_draft && story.scene_count > 0)
        return script_card(ctx->tx, ctx->bot, job, &story, 1, &doc, e) &&
               outbox_put_edit(ctx->tx, &job->addr, &doc, job->id, false, e);
    doc.card.title = card_excerpt(&doc, job->topic ? job->topic : "", 60);
    card_line(&doc, ctx->lang, "advice.other_words");
    atomic_store(&ctx->bot->job_failed, true);
    return job_cancel(ctx->tx, job->id, &state, e) &&
           outbox_put_edit(ctx->tx, &job->addr, &doc, job->id, true, e);
}

bool quote_checked(struct db_tx *tx, void *bot, const struct job *job, const struct err *why,
                   struct err *e)
{
    struct bot *b = bot;
    struct chat_event event = {
        .addr = job->addr, .kind = CHAT_BUTTON, .user_id = "", .text = "", .quoted = ""};
    struct command_ctx ctx = {.bot = b,
                              .tx = tx,
                              .event = &event,
                              .abilities = bot_abilities(b, job->addr.network),
                              .args = ""};
    str_copy(ctx.account.id, sizeof(ctx.account.id), job->account);
    str_copy(ctx.lang, sizeof(ctx.lang), job->lang);
    bool ok = !why                       ? start(&ctx, job->id, true, true, e)
              : why->code == ERR_REFUSED ? refuse(&ctx, job, why, e)
                                         : quote_show(&ctx, job->id, why->user_key, e);
    if (ok && ctx.after.watch[0]) /* looks at the job itself: harmless when this is rolled back */
        status_watch(b->status, ctx.after.watch);
    arena_free(&ctx.arena);
    return ok;
}

bool quote_go(struct command_ctx *ctx, const struct job *job, struct err *e)
{
    char here[UUID_TEXT];
    if (!payer_group_here(ctx, here, e))
        return false;
    /* A group pays for what is started among its members, not from elsewhere. */
    if (job->state == JOB_QUOTED && job->payer[0] && strcmp(job->payer, here) != 0)
        return own_pays(ctx, job->id, e);
    return quote_start(ctx, job->id, job->card_ref[0] || ctx->abilities->buttons, e);
}

bool cmd_go(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    if (ctx->args[0] == '\0')
        return err_set(e, ERR_INPUT, "go.which", "no reference");
    if (!job_find(ctx->tx, ctx->account.id, ctx->args, &job, e))
        return false;
    return quote_go(ctx, &job, e);
}
