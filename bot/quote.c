/* From words to a stored quote: checks, length, price; other settings for one that is there. */
#include <string.h>

#include "bot/estimate.h"
#include "bot/guard.h"
#include "bot/quote_internal.h"
#include "bot/reply.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/store_admin.h"
#include "core/db/store_order.h"
#include "core/story/text.h"
#include "core/video/fit.h"

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
    bool stopped = false;
    if (!orders_stopped(ctx->tx, &stopped, e))
        return false;
    if (stopped)
        return err_set(e, ERR_REFUSED, "error.orders_stopped", "an operator stopped them");
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
    return check_fit(ctx, q, e) && quote_load_balance(ctx, q, e) && store_quote(ctx, q, e) &&
           payer_choose(ctx, q->id, &q->payer, e);
}

/* On a network without buttons the quote is accepted at once. */
bool quote_make(struct command_ctx *ctx, struct quote *q, struct err *e)
{
    if (!take_order(ctx, q, e))
        return false;
    AUTO(card_doc_free) struct card_doc doc;
    quote_card(ctx, &doc, q);
    if (!ctx->abilities->buttons)
        return reply_send(ctx, &doc, e) &&
               (quote_is_enough(q) ? quote_start(ctx, q->id, false, e)
                                   : await_credits(ctx->tx, ctx->account.id, q->id, e));
    quote_card_buttons(ctx, &doc, q);
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
bool quote_read(struct command_ctx *ctx, const char *words, struct make_args *args, struct quote *q,
                struct err *e)
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

bool quote_order(struct command_ctx *ctx, const char *words, char ret_id[static UUID_TEXT],
                 struct err *e)
{
    AUTO(make_args_free) struct make_args args = {0};
    struct quote q;
    if (!quote_read(ctx, words, &args, &q, e) || !take_order(ctx, &q, e))
        return false;
    str_copy(ret_id, UUID_TEXT, q.id);
    return true;
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
    return quote_make(ctx, &q, e);
}
