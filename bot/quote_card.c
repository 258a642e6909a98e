/* The card of a quote: what, how long, for how much, who pays, and what a person who is short can do. */
#include <string.h>

#include "bot/pay_card.h"
#include "bot/possible.h"
#include "bot/quote_internal.h"
#include "bot/reply.h"
#include "bot/script_card.h"
#include "core/base/strbuf.h"
#include "core/db/store_draft.h"

bool quote_load_balance(struct command_ctx *ctx, struct quote *q, struct err *e)
{
    struct ledger_line lines[2];
    size_t count = 0;
    if (!ledger_balance(ctx->tx, ctx->account.id, &q->balance, e) ||
        !ledger_history(ctx->tx, ctx->account.id, lines, COUNT(lines), &count, e))
        return false;
    q->first = count == 1 && strcmp(lines[0].verb, "trial") == 0;
    return true;
}

/* The engine's first voice of the language when none was chosen. */
static const char *voice_name(const struct command_ctx *ctx, const struct story_settings *s,
                              struct card_doc *doc)
{
    if (s->voice[0])
        return s->voice;
    return possible_voices(doc, ctx->bot->tools, s->lang, 1);
}

/* The same where others read: neither what they have nor what is missing. */
static void add_shortage_here(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q)
{
    card_line(doc, ctx->lang, "quote.short_here");
    if (!ctx->bot->pay.ops) {
        card_line(doc, ctx->lang, "quote.how_to_pay");
        return;
    }
    card_line(doc, ctx->lang, "quote.pay_now");
    pay_card_offers(ctx->bot, doc, ctx->lang, ctx->abilities->buttons, q->id, 0);
}

/* What a person without enough credits can do: a cheaper video, more credits, this quote later. */
static void add_shortage(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q)
{
    struct story_settings cheaper = q->settings;
    cheaper.tier = TIER_BASIC;
    card_line(doc, ctx->lang, "quote.short", I18N_NUM("count", q->price),
              I18N_NUM("have", q->balance.available));
    int64_t basic = bot_price(ctx->bot, &cheaper, q->estimate_ms);
    int64_t minute = bot_price(ctx->bot, &cheaper, 1);
    if (basic < q->price && basic <= q->balance.available)
        card_line(doc, ctx->lang, "quote.try_basic", I18N_NUM("count", basic));
    else if (minute <= q->balance.available)
        card_line(doc, ctx->lang, "quote.try_shorter",
                  I18N_NUM("seconds", 60 * (q->balance.available / MAX(minute, 1))));
    if (ctx->bot->pay.ops) {
        card_line(doc, ctx->lang, "quote.pay_now");
        pay_card_offers(ctx->bot, doc, ctx->lang, ctx->abilities->buttons, q->id,
                        q->price - q->balance.available);
        return;
    }
    card_line(doc, ctx->lang, "quote.how_to_pay");
    card_line(doc, ctx->lang, "quote.then_go",
              I18N_TEXT("command", arena_printf(&doc->arena, "/go %s", job_short(q->id))));
}

static int64_t count_lines(const char *text)
{
    int64_t count = 1;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

void quote_card(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q)
{
    const char *lang = ctx->lang;
    const struct story_settings *s = &q->settings;
    card_begin(doc, lang);
    doc->card.title = card_excerpt(doc, q->topic, 60);
    if (ctx->event->repaired)
        card_line(doc, lang, "make.repaired");
    card_line(doc, lang, "quote.film",
              I18N_TEXT("length", card_duration(doc, lang, q->estimate_ms)),
              I18N_TEXT("aspect", story_aspect_name(s->aspect)),
              I18N_TEXT("tier", story_tier_name(s->tier)));
    card_line(doc, lang, "quote.voice",
              I18N_TEXT("lang", card_keep(doc, i18n_lang_label(lang, s->lang))),
              I18N_TEXT("voice", voice_name(ctx, s, doc)));
    if (q->note_key)
        card_line(doc, lang, q->note_key);
    if (q->media)
        card_line(doc, lang, "quote.own_media", I18N_NUM("count", count_lines(q->media)));
    if (ctx->bot->own_words && !q->story)
        card_line(doc, lang, "quote.own_words");
    card_line(doc, lang, "quote.price", I18N_NUM("count", q->price));
    payer_add_line(doc, lang, &q->payer, q->price);
    if (q->payer.by_group)
        return;
    bool overheard = bot_is_overheard(ctx->bot, &ctx->event->addr);
    if (q->balance.available < q->price) {
        (overheard ? add_shortage_here : add_shortage)(ctx, doc, q);
        return;
    }
    if (overheard && q->first)
        card_line(doc, lang, "quote.trial_here");
    if (overheard)
        return;
    card_line(doc, lang, q->first ? "quote.trial" : "quote.balance",
              I18N_NUM("count", q->balance.available - q->price));
}

bool quote_is_enough(const struct quote *q)
{
    return q->payer.by_group || q->balance.available >= q->price;
}

void quote_card_buttons(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q)
{
    if (quote_is_enough(q) || !ctx->bot->pay.ops)
        card_button(doc, ctx->lang, "button.go", false, "/go %s", q->id);
    if (!q->story) {
        card_button(doc, ctx->lang, "button.change", false, "/change %s", q->id);
        card_button(doc, ctx->lang, "button.script", false, "/script %s first", q->id);
    }
    card_button(doc, ctx->lang, "button.cancel", true, "/cancel %s", q->id);
    payer_add_button(doc, ctx->lang, &q->payer, q->price, q->id);
}

/* The quote as it was stored, drawn again. */
static bool draw_quote(struct command_ctx *ctx, const struct job *job, struct storyboard *story,
                       struct card_doc *doc, struct err *e)
{
    struct quote q = {.topic = job->topic,
                      .settings = story->settings,
                      .estimate_ms = job->estimate_ms,
                      .price = job->price,
                      .media = job->media,
                      .story = story->scene_count > 0 ? story : NULL};
    str_copy(q.id, sizeof(q.id), job->id);
    if (!quote_load_balance(ctx, &q, e) || !payer_load(ctx->tx, ctx->bot, job, &q.payer, e))
        return false;
    q.payer.in_group |= ctx->event->is_group;
    quote_card(ctx, doc, &q);
    if (ctx->abilities->buttons)
        quote_card_buttons(ctx, doc, &q);
    return true;
}

bool quote_show(struct command_ctx *ctx, const char *id, const char *note_key, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    AUTO(storyboard_free) struct storyboard story = {0};
    AUTO(card_doc_free) struct card_doc doc = {0};
    bool is_draft;
    enum draft_turn turn;
    if (!job_get(ctx->tx, id, &job, e) || !draft_look(ctx->tx, id, &is_draft, &turn, e) ||
        !draft_must_rest(turn, e))
        return false;
    if (!storyboard_from_json(job.story, strlen(job.story), &story, e))
        return err_set(e, ERR_INTERNAL, "error.internal", "stored story: %s", e->detail);
    bool ok;
    if (is_draft && story.scene_count > 0) {
        card_begin(&doc, ctx->lang);
        ok = script_card(ctx->tx, ctx->bot, &job, &story, 1, &doc, e);
    } else {
        ok = draw_quote(ctx, &job, &story, &doc, e);
    }
    if (!ok)
        return false;
    if (note_key)
        card_line(&doc, ctx->lang, note_key);
    return job.card_ref[0] || ctx->abilities->buttons
               ? outbox_put_edit(ctx->tx, &job.addr, &doc, id, false, e)
               : reply_job_card(ctx, &doc, id, "", e);
}
