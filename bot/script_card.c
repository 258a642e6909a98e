#include "bot/script_card.h"

#include <stdlib.h>
#include <string.h>

#include "bot/guard.h"
#include "bot/outbox.h"
#include "bot/payer.h"
#include "bot/possible.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/db/store_ledger.h"
#include "core/story/text.h"

enum {
    FACTS_UNITS = 900, /* of a card: everything but the scenes */
    LAST_LINES = 8,    /* below the scenes */
    STARTS_FREE = 1,   /* sources that need no search terms: backdrops */
};

static const struct chat_abilities *abilities(const struct bot *bot, const struct job *job)
{
    return bot_abilities(bot, job->addr.network);
}

/* "/script REF rewrite": what a person types, or a button carries. */
static const char *ref_of(const struct bot *bot, const struct job *job)
{
    return abilities(bot, job)->buttons ? job->id : job_short(job->id);
}

bool script_store(struct db_tx *tx, const struct bot *bot, struct job *job,
                  const struct storyboard *story, struct err *e)
{
    AUTO(free_ptr) char *json = NULL;
    int64_t ms = pipeline_script_ms(bot->tools, story);
    if (bot->seconds_max > 0 && ms > (int64_t)bot->seconds_max * 1000) {
        AUTO(free_ptr) char *length = i18n_duration(job->lang, ms);
        AUTO(free_ptr) char *limit = i18n_duration(job->lang, (int64_t)bot->seconds_max * 1000);
        AUTO(free_ptr)
        char *both = i18n_text(job->lang, "make.length_of_limit", I18N_TEXT("length", length),
                               I18N_TEXT("limit", limit));
        return err_set_arg(e, ERR_LIMIT, "make.text_too_long", both, "script of %lld ms",
                           (long long)ms);
    }
    job->estimate_ms = ms;
    job->price = bot_story_price(bot, story, ms);
    return storyboard_to_json(story, &json, e) && job_requote(tx, job->id, json, job->price, ms, e);
}

/* --- the card --- */

static int units_of(const char *text)
{
    size_t len = strlen(text);
    int units = 1; /* the line's end */
    int32_t cp;
    for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0;)
        units += cp > 0xffff ? 2 : 1;
    return units;
}

static const char *terms_of(struct card_doc *doc, const struct scene *s)
{
    struct strbuf out = STRBUF(1000);
    for (size_t i = 0; i < s->term_count; i++)
        strbuf_addf(&out, "%s%s", i ? ", " : "", s->terms[i]);
    return card_keep(doc, strbuf_take(&out));
}

static void add_scenes(const struct bot *bot, const struct job *job, const struct storyboard *story,
                       int from, struct card_doc *doc)
{
    int room = abilities(bot, job)->card_units;
    room = room > 0 ? room - FACTS_UNITS : INT32_MAX;
    bool searched = bot->tools->source_count > STARTS_FREE;
    size_t i = (size_t)MAX(from, 1) - 1;
    for (size_t first = i; i < story->scene_count; i++) {
        const struct scene *s = &story->scenes[i];
        int64_t ms = pipeline_scene_ms(bot->tools, &story->settings, s->narration);
        const char *line =
            card_text(doc, job->lang, "script.scene", I18N_NUM("n", (int64_t)i + 1),
                      I18N_NUM("seconds", (ms + 500) / 1000), I18N_TEXT("text", s->narration));
        const char *terms =
            searched && s->term_count
                ? card_text(doc, job->lang, "script.terms", I18N_TEXT("list", terms_of(doc, s)))
                : NULL;
        room -= units_of(line) + (terms ? units_of(terms) : 0);
        if ((room < 0 && i > first) || doc->card.line_count + 2 + LAST_LINES > CARD_LINES_MAX)
            break;
        card_add_line(doc, line);
        if (terms)
            card_add_line(doc, terms);
    }
    if (i < story->scene_count)
        card_line(doc, job->lang, "script.more",
                  I18N_NUM("count", (int64_t)(story->scene_count - i)),
                  I18N_TEXT("command", arena_printf(&doc->arena, "/script %s show %zu",
                                                    job_short(job->id), i + 1)));
}

static void add_price(const struct bot *bot, const struct job *job, const struct balance *balance,
                      const struct payer *payer, struct card_doc *doc)
{
    const char *lang = job->lang;
    bool overheard = bot_is_overheard(bot, &job->addr);
    card_line(doc, lang, "quote.price", I18N_NUM("count", job->price));
    payer_add_line(doc, lang, payer, job->price);
    if (payer->by_group)
        return;
    if (balance->available >= job->price) {
        if (!overheard)
            card_line(doc, lang, "quote.balance",
                      I18N_NUM("count", balance->available - job->price));
        return;
    }
    if (overheard)
        card_line(doc, lang, "quote.short_here");
    else
        card_line(doc, lang, "quote.short", I18N_NUM("count", job->price),
                  I18N_NUM("have", balance->available));
    card_line(doc, lang, "quote.how_to_pay");
}

static void add_ways(const struct bot *bot, const struct job *job, const struct payer *payer,
                     struct card_doc *doc)
{
    const struct chat_abilities *can = abilities(bot, job);
    const char *ref = ref_of(bot, job);
    card_line(doc, job->lang, can->replies || can->asks ? "script.how_reply" : "script.how_typed");
    card_button(doc, job->lang, "button.go", false, "/go %s", ref);
    if (can->asks)
        card_button(doc, job->lang, "button.edit", false, "?/script %s", ref);
    if (!bot->own_words)
        card_button(doc, job->lang, "button.rewrite", false, "/script %s rewrite", ref);
    card_button(doc, job->lang, "button.cancel", true, "/cancel %s", ref);
    payer_add_button(doc, job->lang, payer, job->price, ref);
}

bool script_card(struct db_tx *tx, const struct bot *bot, const struct job *job,
                 const struct storyboard *story, int from, struct card_doc *doc, struct err *e)
{
    const char *lang = job->lang;
    const struct story_settings *s = &story->settings;
    struct balance balance;
    struct payer payer;
    if (!ledger_balance(tx, job->account, &balance, e) || !payer_load(tx, bot, job, &payer, e))
        return false;
    const char *title = story->title && story->title[0] ? story->title
                        : job->topic                    ? job->topic
                                                        : "";
    doc->card.title = card_excerpt(doc, title, 80);
    if (story->fell_back)
        card_line(doc, lang, "script.fell_back", I18N_NUM("percent", bot->own_words_percent));
    card_line(doc, lang, "quote.film",
              I18N_TEXT("length", card_duration(doc, lang, job->estimate_ms)),
              I18N_TEXT("aspect", story_aspect_name(s->aspect)),
              I18N_TEXT("tier", story_tier_name(s->tier)));
    card_line(
        doc, lang, "quote.voice", I18N_TEXT("lang", card_keep(doc, i18n_lang_label(lang, s->lang))),
        I18N_TEXT("voice", s->voice[0] ? s->voice : possible_voices(doc, bot->tools, s->lang, 1)));
    add_scenes(bot, job, story, from, doc);
    add_price(bot, job, &balance, &payer, doc);
    add_ways(bot, job, &payer, doc);
    return true;
}

void script_wait_card(const struct bot *bot, const struct job *job, struct card_doc *doc)
{
    card_begin(doc, job->lang);
    doc->card.title = card_excerpt(doc, job->topic ? job->topic : "", 60);
    card_line(doc, job->lang, "script.writing");
    card_button(doc, job->lang, "button.cancel", true, "/cancel %s", ref_of(bot, job));
}

/* --- from the drafter's threads --- */

static bool on_written(struct db_tx *tx, void *ctx, const struct job *job,
                       const struct storyboard *story, struct err *e)
{
    const struct bot *bot = ctx;
    struct job priced = *job; /* shares its texts */
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, job->lang);
    return script_store(tx, bot, &priced, story, e) &&
           script_card(tx, bot, &priced, story, 1, &doc, e) &&
           outbox_put_edit(tx, &job->addr, &doc, job->id, false, e);
}

/* With an earlier script, that one stands; without, the topic is still there for another try. */
static bool on_failed(struct db_tx *tx, void *ctx, const struct job *job, const struct err *why,
                      struct err *e)
{
    const struct bot *bot = ctx;
    AUTO(storyboard_free) struct storyboard story = {0};
    AUTO(card_doc_free) struct card_doc doc;
    struct err ignored = {0};
    bool known = storyboard_from_json(job->story, strlen(job->story), &story, &ignored);
    card_begin(&doc, job->lang);
    card_line(&doc, job->lang, why->user_key, I18N_TEXT("what", why->arg));
    if (strcmp(why->user_key, "guard.flagged") == 0 &&
        !guard_strike(tx, bot, job->account, job->lang, why->arg, &doc, e))
        return false;
    if (known && story.scene_count > 0) {
        card_line(&doc, job->lang, "script.kept");
        return script_card(tx, bot, job, &story, 1, &doc, e) &&
               outbox_put_edit(tx, &job->addr, &doc, job->id, false, e);
    }
    doc.card.title = card_excerpt(&doc, job->topic ? job->topic : "", 60);
    card_line(&doc, job->lang, "script.nothing_charged");
    if (why->code != ERR_REFUSED)
        card_button(&doc, job->lang, "button.retry", false, "/script %s rewrite", ref_of(bot, job));
    card_button(&doc, job->lang, "button.cancel", true, "/cancel %s", ref_of(bot, job));
    return outbox_put_edit(tx, &job->addr, &doc, job->id, false, e);
}

static void stored(void *ctx)
{
    struct bot *bot = ctx;
    outbox_wake(bot->outbox);
    if (bot->workers)
        workers_wake(bot->workers);
}

struct drafter_calls bot_drafter_calls(struct bot *bot)
{
    return (struct drafter_calls){
        .written = on_written,
        .failed = on_failed,
        .checked = quote_checked,
        .stored = stored,
        .ctx = bot,
    };
}
