/*
 * /go, and Go under any quote: from a quote to a job with credits held.
 */
#include <string.h>

#include "bot/payer.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "bot/status.h"
#include "core/base/strbuf.h"
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

bool quote_start(struct command_ctx *ctx, const char *id, bool edits_card, struct err *e)
{
    enum job_start result = JOB_STARTED;
    if (!job_start(ctx->tx, id, &result, e))
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
    case JOB_NO_CREDITS:
        break;
    }
    return await_credits(ctx->tx, ctx->account.id, id, e) &&
           reply_text(ctx, e, ctx->bot->pay.ops ? "go.pay_first" : "go.no_credits");
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
