/*
 * /queue, /history, /cancel: jobs of one person.
 */
#include <stdlib.h>
#include <string.h>

#include "bot/command.h"
#include "bot/film.h"
#include "bot/reply.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"

enum { QUEUE_SHOWN = 10, HISTORY_SHOWN = 10, SEND_SHOWN = 4 };

struct job_array {
    struct job *jobs;
    size_t count;
};

static void job_array_free(struct job_array *a)
{
    for (size_t i = 0; i < a->count; i++)
        job_free(&a->jobs[i]);
    free(a->jobs);
    *a = (struct job_array){0};
}

static const char *state_text(struct card_doc *doc, const char *lang, const struct job *job)
{
    char key[40];
    snprintf(key, sizeof(key), "state.%s", job_state_name(job->state));
    return card_text(doc, lang, key);
}

static void add_job(struct card_doc *doc, const char *lang, const struct job *job)
{
    const char *topic = job->topic && job->topic[0] ? card_excerpt(doc, job->topic, 40)
                                                    : card_text(doc, lang, "history.erased");
    const char *state = state_text(doc, lang, job);
    if (job->place > 0)
        state = card_text(doc, lang, "queue.place", I18N_NUM("place", job->place));
    else if (job->state == JOB_RUNNING && job->percent > 0)
        state = card_text(doc, lang, "queue.percent", I18N_TEXT("state", state),
                          I18N_NUM("percent", job->percent));
    card_line(doc, lang, "queue.line", I18N_TEXT("ref", job_short(job->id)),
              I18N_TEXT("topic", topic), I18N_TEXT("state", state));
}

bool cmd_queue(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_array_free) struct job_array live = {0};
    AUTO(card_doc_free) struct card_doc doc;
    int64_t everybody = 0;
    if (!job_list(ctx->tx, ctx->account.id, true, QUEUE_SHOWN, &live.jobs, &live.count, e) ||
        !job_count_live(ctx->tx, ctx->event->addr.network, &everybody, e))
        return false;
    card_begin(&doc, ctx->lang);
    if (live.count == 0)
        card_line(&doc, ctx->lang, "queue.empty");
    else
        card_title(&doc, ctx->lang, "queue.title", I18N_NUM("count", (int64_t)live.count));
    for (size_t i = 0; i < live.count; i++) {
        add_job(&doc, ctx->lang, &live.jobs[i]);
        if (ctx->abilities->buttons && live.count <= 4)
            card_button(&doc, ctx->lang, "button.cancel", true, "/cancel %s", live.jobs[i].id);
    }
    if (live.count && !ctx->abilities->buttons)
        card_line(&doc, ctx->lang, "queue.how_to_cancel");
    if (everybody > (int64_t)live.count)
        card_line(&doc, ctx->lang, "queue.others", I18N_NUM("count", everybody));
    return reply_send(ctx, &doc, e);
}

static void add_ended(struct command_ctx *ctx, struct card_doc *doc, const struct job *job)
{
    const char *lang = ctx->lang;
    add_job(doc, lang, job);
    if (job->state == JOB_DONE && ctx->abilities->shows_paths && job->video_path[0])
        card_line(doc, lang, "history.file", I18N_TEXT("path", job->video_path),
                  I18N_TEXT("length", card_duration(doc, lang, job->video_ms)));
    else if (job->state == JOB_DONE)
        card_line(doc, lang, "history.length",
                  I18N_TEXT("length", card_duration(doc, lang, job->video_ms)));
    else if ((job->state == JOB_FAILED || job->state == JOB_KEPT) && job->fail_key[0])
        card_line(doc, lang, "history.reason",
                  I18N_TEXT("reason",
                            card_text(doc, lang, job->fail_key, I18N_TEXT("what", job->fail_arg))));
}

/* The newest films that are there, each with a button that sends it. */
static void add_send_buttons(struct command_ctx *ctx, struct card_doc *doc,
                             const struct job_array *all)
{
    size_t shown = 0;
    for (size_t i = 0; i < all->count && shown < SEND_SHOWN; i++) {
        const struct job *job = &all->jobs[i];
        bool there = job->state == JOB_KEPT ||
                     (job->state == JOB_DONE && job->video_path[0] && fs_exists(job->video_path));
        if (!there)
            continue;
        shown++;
        if (!ctx->abilities->buttons)
            continue;
        size_t at = doc->card.button_count;
        card_button(doc, ctx->lang, "button.send_again", true, "/send %s", job->id);
        if (doc->card.button_count > at)
            doc->card.buttons[at].label =
                card_text(doc, ctx->lang, "button.send_topic",
                          I18N_TEXT("topic", card_excerpt(doc, job->topic ? job->topic : "", 24)));
    }
    if (shown && !ctx->abilities->buttons)
        card_line(doc, ctx->lang, "history.how_to_send");
}

bool cmd_history(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_array_free) struct job_array all = {0};
    AUTO(card_doc_free) struct card_doc doc;
    if (!job_list(ctx->tx, ctx->account.id, false, HISTORY_SHOWN, &all.jobs, &all.count, e))
        return false;
    card_begin(&doc, ctx->lang);
    if (all.count == 0)
        card_line(&doc, ctx->lang, "history.empty");
    else
        card_title(&doc, ctx->lang, "history.title");
    for (size_t i = 0; i < all.count; i++)
        add_ended(ctx, &doc, &all.jobs[i]);
    add_send_buttons(ctx, &doc, &all);
    return reply_send(ctx, &doc, e);
}

/* In a group whoever leads it or keeps order there may stop any job that answers there. */
static bool find_job(struct command_ctx *ctx, const char *ref, struct job *ret, struct err *e)
{
    if (job_find(ctx->tx, ctx->account.id, ref, ret, e))
        return true;
    const struct chat_event *event = ctx->event;
    if (e->code != ERR_NOT_FOUND || !event->is_group || !uuid_valid(ref))
        return false;
    if (!job_get(ctx->tx, ref, ret, e))
        return false;
    bool here = strcmp(ret->addr.network, event->addr.network) == 0 &&
                strcmp(ret->addr.chat, event->addr.chat) == 0;
    if (here && (event->is_group_admin || event->is_moderator))
        return true;
    job_free(ret);
    return here ? err_set(e, ERR_REFUSED, "cancel.not_yours", "job of another person")
                : err_set(e, ERR_NOT_FOUND, "error.no_job", "job of another chat");
}

/* Without a reference: the only job there is, else the script that is being looked at. */
static bool find_only_job(struct command_ctx *ctx, struct job *ret, struct err *e)
{
    AUTO(job_array_free) struct job_array live = {0};
    char draft[UUID_TEXT] = "";
    if (!job_list(ctx->tx, ctx->account.id, true, 2, &live.jobs, &live.count, e) ||
        (live.count == 0 && !draft_find(ctx->tx, ctx->account.id, NULL, draft, e)))
        return false;
    if (draft[0])
        return job_get(ctx->tx, draft, ret, e);
    if (live.count == 0)
        return err_set(e, ERR_NOT_FOUND, "cancel.nothing", "no live job");
    if (live.count > 1)
        return err_set(e, ERR_INPUT, "cancel.which", "several live jobs");
    *ret = live.jobs[0];
    live.count = 0;
    return true;
}

void film_cancelled_card(struct card_doc *doc, const char *lang, const struct job *job,
                         const char *key)
{
    card_begin(doc, lang);
    doc->card.title = card_excerpt(doc, job->topic ? job->topic : "", 60);
    card_line(doc, lang, key);
    if (job->state != JOB_QUOTED && job->price > 0)
        card_line(doc, lang, "fail.refunded", I18N_NUM("count", job->price));
}

bool cmd_cancel(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    enum job_state state = JOB_CANCELLED;
    bool found = ctx->args[0] ? find_job(ctx, ctx->args, &job, e) : find_only_job(ctx, &job, e);
    if (!found || !job_cancel(ctx->tx, job.id, &state, e))
        return false;
    if (state != JOB_CANCELLED) {
        str_copy(ctx->after.cancel, sizeof(ctx->after.cancel), job.id);
        return reply_text(ctx, e, "cancel.asked");
    }
    AUTO(card_doc_free) struct card_doc doc;
    film_cancelled_card(&doc, ctx->lang, &job, "cancel.done");
    str_copy(ctx->after.forget, sizeof(ctx->after.forget), job.id);
    if (job.state == JOB_QUOTED && !ctx->abilities->buttons)
        return reply_send(ctx, &doc, e); /* its quote is no card of the job */
    return outbox_put_edit(ctx->tx, &job.addr, &doc, job.id, true, e);
}
