/*
 * /send: films that wait for their person, and films that were delivered, once more.
 */
#include <stdlib.h>
#include <string.h>

#include "bot/command.h"
#include "bot/film.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"

enum { OFFERS_MAX = 3 };

/* --- kept films --- */

void film_kept_card(struct card_doc *doc, const char *lang, const struct job *job)
{
    card_begin(doc, lang);
    doc->card.title = card_excerpt(doc, job->topic ? job->topic : "", 60);
    card_line(doc, lang, "kept.ready");
    card_line(doc, lang, job->fail_key[0] ? job->fail_key : "error.internal",
              I18N_TEXT("what", job->fail_arg));
}

static bool offer(struct command_ctx *ctx, const struct job *job, struct err *e)
{
    const struct chat_event *event = ctx->event;
    AUTO(card_doc_free) struct card_doc doc;
    film_kept_card(&doc, ctx->lang, job);
    const char *ref = reply_job_ref(ctx, job->id);
    if (ctx->abilities->buttons) {
        card_button(&doc, ctx->lang, "button.send_here", false, "/send %s", ref);
        card_button(&doc, ctx->lang, "button.pay_back", true, "/cancel %s", ref);
    } else {
        card_line(&doc, ctx->lang, "kept.how",
                  I18N_TEXT("send", arena_printf(&doc.arena, "/send %s", ref)),
                  I18N_TEXT("cancel", arena_printf(&doc.arena, "/cancel %s", ref)));
    }
    /* What was asked for elsewhere is nobody's business here. */
    bool asked_here = strcmp(job->addr.chat, event->addr.chat) == 0;
    return event->is_group && !asked_here ? reply_private(ctx, &doc, "/send", e)
                                          : reply_card(ctx, &doc, e);
}

static void free_jobs(struct job *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        job_free(&list[i]);
    free(list);
}

bool film_offer_kept(struct command_ctx *ctx, struct err *e)
{
    struct job *list = NULL;
    size_t count = 0;
    if (!job_offer_kept(ctx->tx, ctx->account.id, ctx->event->addr.network, OFFERS_MAX, &list,
                        &count, e))
        return false;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++)
        ok = offer(ctx, &list[i], e);
    free_jobs(list, count);
    return ok;
}

/* --- sending --- */

/* The storyboard with the limit of this chat. */
static bool story_for_here(struct command_ctx *ctx, const struct job *job, char **ret,
                           struct err *e)
{
    AUTO(storyboard_free) struct storyboard story = {0};
    if (!storyboard_from_json(job->story, strlen(job->story), &story, e))
        return err_set(e, ERR_INTERNAL, "error.internal", "stored story: %s", e->detail);
    story.settings.byte_limit = quote_byte_limit(ctx);
    return storyboard_to_json(&story, ret, e);
}

static bool answer_start(struct command_ctx *ctx, const char *id, enum job_start started,
                         struct err *e)
{
    switch (started) {
    case JOB_STARTED:
        return quote_started(ctx, id, e);
    case JOB_QUEUE_FULL:
        return reply_text(
            ctx, e, "go.queue_full", I18N_NUM("count", JOB_WAITING_MAX),
            I18N_TEXT("command", arena_printf(&ctx->arena, "/send %s", reply_job_ref(ctx, id))));
    default:
        return reply_text(ctx, e, "send.on_its_way");
    }
}

static bool send_kept(struct command_ctx *ctx, const struct job *job, struct err *e)
{
    AUTO(free_ptr) char *story = NULL;
    enum job_start started;
    return story_for_here(ctx, job, &story, e) &&
           job_send_kept(ctx->tx, job->id, &ctx->event->addr, story, &started, e) &&
           answer_start(ctx, job->id, started, e);
}

static bool send_again(struct command_ctx *ctx, const struct job *job, struct err *e)
{
    AUTO(free_ptr) char *story = NULL;
    enum job_start started;
    char key[160], id[UUID_TEXT];
    if (!fs_exists(job->video_path) || !job->story[0])
        return err_set(e, ERR_NOT_FOUND, "send.gone", "no file for job %s", job->id);
    if (!story_for_here(ctx, job, &story, e))
        return false;
    snprintf(key, sizeof(key), "%s:%s", ctx->event->addr.network, ctx->event->event_id);
    struct job spec = {.estimate_ms = job->video_ms,
                       .topic = job->topic,
                       .story = story,
                       .addr = ctx->event->addr};
    str_copy(spec.account, sizeof(spec.account), ctx->account.id);
    str_copy(spec.lang, sizeof(spec.lang), ctx->lang);
    return job_resend(ctx->tx, &spec, job, key, &started, id, e) &&
           answer_start(ctx, started == JOB_STARTED ? id : job->id, started, e);
}

/* The newest film that is kept, else the newest that was delivered. */
static bool find_newest(struct command_ctx *ctx, struct job *ret, struct err *e)
{
    static const enum job_state wanted[] = {JOB_KEPT, JOB_DONE};
    struct job *list = NULL;
    size_t count = 0;
    if (!job_list(ctx->tx, ctx->account.id, false, 20, &list, &count, e))
        return false;
    bool found = false;
    for (size_t s = 0; s < COUNT(wanted) && !found; s++)
        for (size_t i = 0; i < count && !found; i++)
            if (list[i].state == wanted[s]) {
                *ret = list[i];
                list[i] = (struct job){0};
                found = true;
            }
    free_jobs(list, count);
    return found || err_set(e, ERR_NOT_FOUND, "film.none", "no film yet");
}

bool film_find(struct command_ctx *ctx, struct job *ret, struct err *e)
{
    return ctx->args[0] ? job_find(ctx->tx, ctx->account.id, ctx->args, ret, e)
                        : find_newest(ctx, ret, e);
}

bool cmd_send(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    if (!film_find(ctx, &job, e))
        return false;
    switch (job.state) {
    case JOB_KEPT:
        return send_kept(ctx, &job, e);
    case JOB_DONE:
        return send_again(ctx, &job, e);
    case JOB_FAILED:
    case JOB_CANCELLED:
    case JOB_QUOTED:
        return err_set(e, ERR_NOT_FOUND, "send.nothing", "job %s has no film", job.id);
    default:
        return reply_text(ctx, e, "send.on_its_way");
    }
}
