/*
 * /change, behind the button Change of a quote: other settings for the same words, before anything is
 * held. The quote stays one job and one card.
 */
#include <string.h>

#include "bot/make_args.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "core/base/strbuf.h"
#include "core/i18n/i18n.h"

static const char *const aspects[] = {"9:16", "16:9", "1:1", NULL};
static const char *const tiers[] = {"basic", "hd", "premium", NULL};
static const int lengths[] = {30, 60, 90};

/* One row of words, each its own button. */
static void add_row(struct card_doc *doc, const char *job, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        card_button_text(doc, words[i], !words[i + 1],
                         arena_printf(&doc->arena, "/change %s %s", job, words[i]));
}

/* Only where a script is written to a length; own words take as long as they take. */
static void add_lengths(struct command_ctx *ctx, struct card_doc *doc, const char *job)
{
    for (size_t i = 0; i < COUNT(lengths) && !ctx->bot->own_words; i++)
        if (lengths[i] <= ctx->bot->seconds_max)
            card_button_text(doc, card_duration(doc, ctx->lang, lengths[i] * 1000LL),
                             i + 1 == COUNT(lengths),
                             arena_printf(&doc->arena, "/change %s %ds", job, lengths[i]));
}

static bool show_choices(struct command_ctx *ctx, const struct job *job,
                         const struct storyboard *story, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    const struct story_settings *s = &story->settings;
    card_begin(&doc, ctx->lang);
    doc.card.title = card_excerpt(&doc, job->topic, 60);
    card_line(&doc, ctx->lang, "quote.film",
              I18N_TEXT("length", card_duration(&doc, ctx->lang, job->estimate_ms)),
              I18N_TEXT("aspect", story_aspect_name(s->aspect)),
              I18N_TEXT("tier", story_tier_name(s->tier)));
    card_line(&doc, ctx->lang, "change.more",
              I18N_TEXT("command", arena_printf(&doc.arena, "/change %s", job_short(job->id))));
    if (!ctx->abilities->buttons)
        return reply_send(ctx, &doc, e);
    add_row(&doc, job->id, aspects);
    add_row(&doc, job->id, tiers);
    add_lengths(ctx, &doc, job->id);
    card_button(&doc, ctx->lang, "button.back", true, "/change %s back", job->id);
    return outbox_put_edit(ctx->tx, &job->addr, &doc, job->id, false, e);
}

bool cmd_change(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    AUTO(storyboard_free) struct storyboard story = {0};
    AUTO(make_args_free) struct make_args args = {0};
    size_t len = strcspn(ctx->args, " ");
    const char *words = ctx->args + len + strspn(ctx->args + len, " ");
    if (len == 0)
        return err_set(e, ERR_INPUT, "go.which", "no reference");
    if (!job_find(ctx->tx, ctx->account.id, arena_printf(&ctx->arena, "%.*s", (int)len, ctx->args),
                  &job, e))
        return false;
    if (!storyboard_from_json(job.story, strlen(job.story), &story, e))
        return err_set(e, ERR_INTERNAL, "error.internal", "stored story: %s", e->detail);
    /* A script that is there already is changed by answering its card. */
    if (job.state != JOB_QUOTED || story.scene_count > 0)
        return err_set(e, ERR_CONFLICT, "make.quote_gone", "job %s is no plain quote", job.id);
    if (words[0] == '\0')
        return show_choices(ctx, &job, &story, e);
    if (strcmp(words, "back") == 0)
        return quote_show(ctx, job.id, NULL, e);
    if (!make_args_parse(words, &story.settings, ctx->bot->seconds_max, &args, e))
        return false;
    if (args.text[0]) {
        AUTO(card_doc_free) struct card_doc doc;
        card_begin(&doc, ctx->lang);
        return err_set_arg(e, ERR_INPUT, "make.unknown_setting", card_excerpt(&doc, args.text, 30),
                           "change: other words");
    }
    return quote_change(ctx, &job, &story, &args, e);
}
