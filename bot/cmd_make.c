/*
 * /make, /go, /again: from words to a quote, and from a quote to a job with credits held.
 */
#include <stdlib.h>
#include <string.h>

#include "bot/command.h"
#include "bot/estimate.h"
#include "bot/guard.h"
#include "bot/make_args.h"
#include "bot/pay_card.h"
#include "bot/payer.h"
#include "bot/possible.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "bot/script_card.h"
#include "bot/status.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/store_draft.h"
#include "core/db/store_ledger.h"
#include "core/db/store_order.h"
#include "core/i18n/i18n.h"
#include "core/story/text.h"
#include "core/video/fit.h"

/* What will be made if the person agrees. */
struct quote {
    const char *topic;
    struct story_settings settings;
    bool has_lang, has_voice; /* named by the person, not guessed or remembered */
    char id[UUID_TEXT];
    int64_t estimate_ms, price;
    struct balance balance;
    bool first;               /* nothing but the trial credits was ever moved */
    const char *media;        /* names of the person's own files, one a line; NULL: none */
    struct storyboard *story; /* of an earlier film, in part; NULL: made from the topic */
    const char *note_key;     /* what becomes of it; NULL: nothing to say */
    int percent;              /* of the usual price, with story */
    struct payer payer;
};

static bool check_topic(struct command_ctx *ctx, struct quote *q, struct err *e)
{
    AUTO(free_ptr) char *clean = text_clean(q->topic);
    if (q->topic[0] == '\0')
        return err_set(e, ERR_INPUT, "make.empty", "no topic");
    if (!clean || !text_has_words(clean))
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "topic without words");
    if (!q->has_lang) {
        char saved[16];
        str_copy(saved, sizeof(saved), q->settings.lang);
        make_args_guess_lang(clean, saved, ctx->lang, q->settings.lang);
    }
    return true;
}

/* A remembered voice that does not speak this language gives way; a named one is an error. */
static bool check_voice(struct command_ctx *ctx, struct quote *q, struct err *e)
{
    if (pipeline_check_voice(ctx->bot->tools, &q->settings, e))
        return true;
    if (q->has_voice || q->settings.voice[0] == '\0')
        return false;
    q->settings.voice[0] = '\0';
    return pipeline_check_voice(ctx->bot->tools, &q->settings, e);
}

static bool store_quote(struct command_ctx *ctx, struct quote *q, struct err *e)
{
    AUTO(free_ptr) char *story = NULL;
    struct storyboard empty = {0};
    struct storyboard *board = q->story ? q->story : &empty;
    board->settings = q->settings;
    if (!storyboard_to_json(board, &story, e))
        return false;
    char key[160];
    snprintf(key, sizeof(key), "%s:%s", ctx->event->addr.network, ctx->event->event_id);
    struct job spec = {
        .price = q->price,
        .estimate_ms = q->estimate_ms,
        .topic = (char *)q->topic,
        .story = story,
        .media = (char *)q->media,
        .addr = ctx->event->addr,
    };
    str_copy(spec.account, sizeof(spec.account), ctx->account.id);
    str_copy(spec.lang, sizeof(spec.lang), ctx->lang);
    return job_quote(ctx->tx, &spec, key, q->id, e);
}

static bool load_balance(struct command_ctx *ctx, struct quote *q, struct err *e)
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

static void build_quote(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q)
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

static bool start_job(struct command_ctx *ctx, const char *id, bool edits_card, struct err *e);

/* The largest file that the chat takes; 0: any. What was told for this one chat counts more. */
int64_t quote_byte_limit(const struct command_ctx *ctx)
{
    int64_t here = ctx->event->video_bytes_max;
    return here > 0 ? here : ctx->abilities->video_bytes_max;
}

/* A film that could not be made to fit is refused before it costs anything. */
static bool check_fit(struct command_ctx *ctx, const struct quote *q, struct err *e)
{
    const struct story_settings *s = &q->settings;
    int width, height;
    if (s->byte_limit <= 0)
        return true;
    story_size(s->aspect, s->tier, &width, &height);
    int64_t longest = fit_longest_ms(width, height, s->byte_limit);
    if (q->estimate_ms <= longest)
        return true;
    AUTO(free_ptr) char *text = i18n_duration(ctx->lang, longest / 1000 * 1000);
    return err_set_arg(e, ERR_LIMIT, "make.too_long_for_chat", text, "%lld bytes allowed",
                       (long long)s->byte_limit);
}

/* Checks and stores. */
static bool take_order(struct command_ctx *ctx, struct quote *q, struct err *e)
{
    if (!check_topic(ctx, q, e) || !guard_words(ctx->bot, q->topic, e) ||
        !guard_words(ctx->bot, q->settings.wish, e) || !check_voice(ctx, q, e))
        return false;
    if (q->estimate_ms == 0 &&
        !estimate_length(ctx->bot->tools, ctx->lang, q->topic, &q->settings, &q->estimate_ms, e))
        return false;
    q->price = bot_price(ctx->bot, &q->settings, q->estimate_ms);
    if (q->story)
        q->price = (q->price * q->percent + 99) / 100;
    q->settings.byte_limit = quote_byte_limit(ctx);
    return check_fit(ctx, q, e) && load_balance(ctx, q, e) && store_quote(ctx, q, e) &&
           payer_choose(ctx, q->id, &q->payer, e);
}

static bool is_enough(const struct quote *q)
{
    return q->payer.by_group || q->balance.available >= q->price;
}

static void add_buttons(struct command_ctx *ctx, struct card_doc *doc, const struct quote *q)
{
    if (is_enough(q) || !ctx->bot->pay.ops)
        card_button(doc, ctx->lang, "button.go", false, "/go %s", q->id);
    if (!q->story) {
        card_button(doc, ctx->lang, "button.change", false, "/change %s", q->id);
        card_button(doc, ctx->lang, "button.script", false, "/script %s first", q->id);
    }
    card_button(doc, ctx->lang, "button.cancel", true, "/cancel %s", q->id);
    payer_add_button(doc, ctx->lang, &q->payer, q->price, q->id);
}

/* On a network without buttons the quote is accepted at once. */
static bool make_quote(struct command_ctx *ctx, struct quote *q, struct err *e)
{
    if (!take_order(ctx, q, e))
        return false;
    AUTO(card_doc_free) struct card_doc doc;
    build_quote(ctx, &doc, q);
    if (!ctx->abilities->buttons)
        return reply_send(ctx, &doc, e) &&
               (is_enough(q) ? start_job(ctx, q->id, false, e)
                             : await_credits(ctx->tx, ctx->account.id, q->id, e));
    add_buttons(ctx, &doc, q);
    return reply_job_card(ctx, &doc, q->id, "", e);
}

void quote_new_seed(struct story_settings *s)
{
    random_bytes(&s->seed, sizeof(s->seed));
    s->seed &= (UINT64_C(1) << 53) - 1; /* exact as a JSON number */
}

/* Names of the files that came with the words; NULL when there are none, or when nobody could get
   them. */
static const char *own_media(struct command_ctx *ctx)
{
    const struct chat_adapter *chat = bot_adapter(ctx->bot, ctx->event->addr.network);
    const char *names = NULL;
    for (size_t i = 0; chat && chat->ops->fetch && i < ctx->event->media_count; i++)
        names = names ? arena_printf(&ctx->arena, "%s\n%s", names, ctx->event->media[i])
                      : ctx->event->media[i];
    return names;
}

/* Words as a person types them; args keeps the texts that q borrows. */
static bool read_words(struct command_ctx *ctx, const char *words, struct make_args *args,
                       struct quote *q, struct err *e)
{
    struct story_settings saved;
    if (!account_get_settings(ctx->tx, ctx->account.id, &saved, e) ||
        !make_args_parse(words, &saved, ctx->bot->seconds_max, args, e))
        return false;
    *q = (struct quote){
        .topic = args->text[0]        ? args->text
                 : ctx->event->quoted ? ctx->event->quoted
                                      : "",
        .settings = args->settings,
        .has_lang = args->has_lang,
        .has_voice = args->has_voice,
        .media = own_media(ctx),
    };
    if (!args->has_seed)
        quote_new_seed(&q->settings);
    return true;
}

bool cmd_make(struct command_ctx *ctx, struct err *e)
{
    AUTO(make_args_free) struct make_args args = {0};
    struct quote q;
    return read_words(ctx, ctx->args, &args, &q, e) && make_quote(ctx, &q, e);
}

bool quote_order(struct command_ctx *ctx, const char *words, char ret_id[static UUID_TEXT],
                 struct err *e)
{
    AUTO(make_args_free) struct make_args args = {0};
    struct quote q;
    if (!read_words(ctx, words, &args, &q, e) || !take_order(ctx, &q, e))
        return false;
    str_copy(ret_id, UUID_TEXT, q.id);
    return true;
}

/* The card of a job that was just started. */
static bool send_started(struct command_ctx *ctx, const char *id, bool edits_card, struct err *e)
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
    return send_started(ctx, id, false, e);
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
    if (!load_balance(ctx, &q, e) || !payer_load(ctx->tx, ctx->bot, job, &q.payer, e))
        return false;
    q.payer.in_group |= ctx->event->is_group;
    build_quote(ctx, doc, &q);
    if (ctx->abilities->buttons)
        add_buttons(ctx, doc, &q);
    return true;
}

bool quote_show(struct command_ctx *ctx, const char *id, const char *note_key, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    AUTO(storyboard_free) struct storyboard story = {0};
    AUTO(card_doc_free) struct card_doc doc = {0};
    bool is_draft, in_work;
    if (!job_get(ctx->tx, id, &job, e) || !draft_look(ctx->tx, id, &is_draft, &in_work, e))
        return false;
    if (in_work)
        return err_set(e, ERR_CONFLICT, "script.in_work", "script is being written");
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

/* Nobody's own credits are taken without a word: the card says who would pay now, and waits. */
static bool own_pays(struct command_ctx *ctx, const char *id, struct err *e)
{
    return job_set_payer(ctx->tx, id, NULL, e) && quote_show(ctx, id, "payer.group_cannot", e);
}

static bool start_job(struct command_ctx *ctx, const char *id, bool edits_card, struct err *e)
{
    enum job_start result = JOB_STARTED;
    if (!job_start(ctx->tx, id, &result, e))
        return false;
    switch (result) {
    case JOB_STARTED:
        return send_started(ctx, id, edits_card, e);
    case JOB_STARTED_BEFORE:
        return reply_text(ctx, e, "go.already");
    case JOB_QUEUE_FULL:
        return reply_text(ctx, e, "go.queue_full", I18N_NUM("count", JOB_WAITING_MAX),
                          I18N_TEXT("command", arena_printf(&ctx->arena, "/go %s", job_short(id))));
    case JOB_GROUP_CANNOT:
        return own_pays(ctx, id, e);
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
    return start_job(ctx, job->id, job->card_ref[0] || ctx->abilities->buttons, e);
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

bool quote_change(struct command_ctx *ctx, const struct job *job, struct storyboard *story,
                  const struct make_args *args, struct err *e)
{
    struct quote q = {.topic = job->topic,
                      .settings = args->settings,
                      .has_lang = true,
                      .has_voice = args->has_voice};
    AUTO(free_ptr) char *text = NULL;
    if (!guard_words(ctx->bot, q.settings.wish, e) || !check_voice(ctx, &q, e) ||
        !estimate_length(ctx->bot->tools, ctx->lang, q.topic, &q.settings, &q.estimate_ms, e) ||
        !check_fit(ctx, &q, e))
        return false;
    story->settings = q.settings;
    return storyboard_to_json(story, &text, e) &&
           job_requote(ctx->tx, job->id, text, bot_price(ctx->bot, &q.settings, q.estimate_ms),
                       q.estimate_ms, e) &&
           quote_show(ctx, job->id, NULL, e);
}

bool quote_remake(struct command_ctx *ctx, const struct quote_remake *r, struct err *e)
{
    struct quote q = {.topic = r->topic,
                      .settings = r->story->settings,
                      .has_lang = true,
                      .estimate_ms = r->estimate_ms,
                      .media = r->job->media,
                      .story = r->story,
                      .note_key = r->note_key,
                      .percent = r->percent};
    return make_quote(ctx, &q, e);
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
    return make_quote(ctx, &q, e);
}
