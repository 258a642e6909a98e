/*
 * /make and /again: words, or an earlier job's words, become a quote.
 */
#include <stdlib.h>

#include "bot/quote_internal.h"

bool cmd_make(struct command_ctx *ctx, struct err *e)
{
    AUTO(make_args_free) struct make_args args = {0};
    struct quote q;
    return quote_read(ctx, ctx->args, &args, &q, e) && quote_make(ctx, &q, e);
}

/* The newest job, or the one that is named, once more with another seed. */
bool cmd_again(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    if (ctx->args[0]) {
        if (!job_find(ctx->tx, ctx->account.id, ctx->args, &job, e))
            return false;
    } else {
        struct job *list = NULL;
        size_t count = 0;
        if (!job_list(ctx->tx, ctx->account.id, false, 1, &list, &count, e))
            return false;
        if (count)
            job = list[0];
        free(list);
        if (!count)
            return err_set(e, ERR_NOT_FOUND, "again.nothing", "no job yet");
    }
    AUTO(storyboard_free) struct storyboard story = {0};
    if (!job.topic || !job.topic[0])
        return err_set(e, ERR_NOT_FOUND, "again.nothing", "topic was erased");
    if (!storyboard_from_json(job.story, strlen(job.story), &story, e))
        return err_set(e, ERR_INTERNAL, "error.internal", "stored story: %s", e->detail);
    struct quote q = {.topic = job.topic,
                      .settings = story.settings,
                      .has_lang = true,
                      .has_voice = true,
                      .media = job.media};
    quote_new_seed(&q.settings);
    return quote_make(ctx, &q, e);
}
