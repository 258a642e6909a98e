/*
 * /remix, /dub, /subtitles: what else can be had of a film that is there.
 */
#include <stdlib.h>
#include <string.h>

#include "bot/command.h"
#include "bot/film.h"
#include "bot/make_args.h"
#include "bot/possible.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/job/cache.h"

enum { WORD_SIZE = 48 };

struct source {
    struct job job;
    struct storyboard story;
};

static void source_free(struct source *s)
{
    job_free(&s->job);
    storyboard_free(&s->story);
}

/* The film of `job`, with its scenes. */
static bool source_open(struct source *s, struct err *e)
{
    bool made = s->job.state == JOB_DONE || s->job.state == JOB_KEPT;
    if (!made || !s->job.story[0] || !s->job.topic[0])
        return err_set(e, ERR_NOT_FOUND, "film.none", "job %s has no film", s->job.id);
    if (!storyboard_from_json(s->job.story, strlen(s->job.story), &s->story, e))
        return err_set(e, ERR_INTERNAL, "error.internal", "stored story: %s", e->detail);
    return s->story.scene_count > 0 ||
           err_set(e, ERR_NOT_FOUND, "film.none", "job %s has no scenes", s->job.id);
}

/* --- remix --- */

static void drop_pictures(struct storyboard *s)
{
    for (size_t i = 0; i < s->scene_count; i++) {
        s->scenes[i].footage = (struct footage){0};
        s->scenes[i].second = (struct footage){0};
    }
}

bool cmd_remix(struct command_ctx *ctx, struct err *e)
{
    AUTO(source_free) struct source s = {0};
    if (!film_find(ctx, &s.job, e) || !source_open(&s, e))
        return false;
    drop_pictures(&s.story);
    quote_new_seed(&s.story.settings);
    struct quote_remake r = {.job = &s.job,
                             .topic = s.job.topic,
                             .story = &s.story,
                             .estimate_ms = s.job.video_ms,
                             .note_key = "quote.remix",
                             .percent = ctx->bot->remix_percent};
    return quote_remake(ctx, &r, e);
}

/* --- dub --- */

/* What follows the word at the front of *at; the word, cut when it is longer. */
static void take_word(const char **at, char ret[static WORD_SIZE])
{
    size_t len = strcspn(*at, " \t\n");
    snprintf(ret, WORD_SIZE, "%.*s", (int)MIN(len, (size_t)WORD_SIZE - 1), *at);
    *at += len;
    *at += strspn(*at, " \t\n");
}

/* A reference at the front, else the newest film. *ret_rest: what follows it. */
static bool find_source(struct command_ctx *ctx, struct source *s, const char **ret_rest,
                        struct err *e)
{
    char word[WORD_SIZE];
    const char *rest = ctx->args;
    take_word(&rest, word);
    bool is_ref =
        uuid_valid(word) || (strlen(word) == 8 && strspn(word, "0123456789abcdefABCDEF") == 8);
    *ret_rest = is_ref ? rest : ctx->args;
    if (is_ref)
        return job_find(ctx->tx, ctx->account.id, word, &s->job, e) && source_open(s, e);
    const char *args = ctx->args;
    ctx->args = "";
    bool ok = film_find(ctx, &s->job, e) && source_open(s, e);
    ctx->args = args;
    return ok;
}

static bool same_language(const char *a, const char *b)
{
    size_t len_a = strcspn(a, "-"), len_b = strcspn(b, "-");
    return len_a == len_b && strncasecmp(a, b, len_a) == 0;
}

/* Languages as buttons, as far as somebody speaks them. */
static bool ask_language(struct command_ctx *ctx, const struct source *s, struct err *e)
{
    static const char *const common[] = {"en", "zh", "es", "hi", "ar", "pt", "ru",
                                         "fr", "de", "ja", "it", "tr", "id", "ko"};
    AUTO(card_doc_free) struct card_doc doc;
    const char *ref = reply_job_ref(ctx, s->job.id);
    card_begin(&doc, ctx->lang);
    doc.card.title = card_excerpt(&doc, s->job.topic, 60);
    if (ctx->bot->own_words) {
        card_line(&doc, ctx->lang, "dub.own_words", I18N_TEXT("ref", job_short(s->job.id)));
        return reply_card(ctx, &doc, e);
    }
    card_line(&doc, ctx->lang, "dub.which");
    card_line(&doc, ctx->lang, "dub.type", I18N_TEXT("ref", job_short(s->job.id)));
    for (size_t i = 0; i < COUNT(common) && doc.card.button_count < CARD_BUTTONS_MAX; i++) {
        struct story_settings speaks = {.speed = s->story.settings.speed};
        struct err ignored;
        str_copy(speaks.lang, sizeof(speaks.lang), common[i]);
        if (same_language(common[i], s->story.settings.lang) ||
            !pipeline_check_voice(ctx->bot->tools, &speaks, &ignored))
            continue;
        card_choice(&doc, card_keep(&doc, i18n_lang_label(ctx->lang, common[i])), "/dub %s %s", ref,
                    common[i]);
    }
    return reply_card(ctx, &doc, e);
}

/* "zh", "pt-BR": as /make takes it. */
static bool take_language(struct command_ctx *ctx, const char *word, char ret_lang[static 16],
                          struct err *e)
{
    AUTO(make_args_free) struct make_args args = {0};
    AUTO(free_ptr) char *setting = str_printf("lang:%s", word);
    bool known = false;
    if (!make_args_word(setting, ctx->bot->seconds_max, &args, &known, e))
        return false;
    str_copy(ret_lang, 16, args.settings.lang);
    return true;
}

/* The story as it goes to WRITE: the scenes only for their pictures, and what is to be translated. */
static void set_dub(struct source *s, const char *lang, int seconds_max, bool own_words)
{
    struct story_settings *settings = &s->story.settings;
    s->story.dub = true;
    s->story.fell_back = false;
    str_copy(settings->lang, sizeof(settings->lang), lang);
    settings->voice[0] = '\0';
    settings->seconds =
        own_words ? 0 : CLAMP((int)(s->job.video_ms / 1000), MAKE_SECONDS_MIN, seconds_max);
}

bool cmd_dub(struct command_ctx *ctx, struct err *e)
{
    AUTO(source_free) struct source s = {0};
    char word[WORD_SIZE], lang[16];
    const char *rest;
    if (!find_source(ctx, &s, &rest, e))
        return false;
    bool own_words = ctx->bot->own_words;
    take_word(&rest, word);
    if (!word[0] || (own_words && !rest[0]))
        return ask_language(ctx, &s, e);
    if (!take_language(ctx, word, lang, e))
        return false;
    if (same_language(lang, s.story.settings.lang))
        return err_set(e, ERR_INPUT, "dub.same", "%s again", lang);
    set_dub(&s, lang, ctx->bot->seconds_max, own_words);
    struct quote_remake r = {.job = &s.job,
                             .topic = own_words ? rest : s.job.topic,
                             .story = &s.story,
                             .estimate_ms = own_words ? 0 : s.job.video_ms,
                             .note_key = "quote.dub",
                             .percent = ctx->bot->dub_percent};
    return quote_remake(ctx, &r, e);
}

/* --- subtitles --- */

bool cmd_subtitles(struct command_ctx *ctx, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    AUTO(card_doc_free) struct card_doc doc = {0};
    char path[CACHE_PATH_MAX];
    if (!film_find(ctx, &job, e))
        return false;
    if (!job.video_path[0] || !pipeline_beside(job.video_path, "srt", path, e) || !fs_exists(path))
        return err_set(e, ERR_NOT_FOUND, "send.gone", "no subtitles for job %s", job.id);
    card_begin(&doc, ctx->lang);
    doc.card.title = card_excerpt(&doc, job.topic ? job.topic : "", 60);
    card_line(&doc, ctx->lang, "subtitles.here");
    doc.card.file = arena_dup(&doc.arena, path);
    doc.card.file_name = arena_printf(&doc.arena, "%s.srt", job_short(job.id));
    return reply_card(ctx, &doc, e);
}
