/*
 * /settings, /voice, /style, /lang: what a video of this person starts from.
 */
#include <string.h>

#include "bot/command.h"
#include "bot/make_args.h"
#include "bot/possible.h"
#include "bot/reply.h"
#include "core/base/strbuf.h"
#include "core/i18n/i18n.h"

enum { VOICES_SHOWN = 40, CHOICES_SHOWN = 24 };

/* "" -> "automatic" */
static const char *or_auto(struct command_ctx *ctx, struct card_doc *doc, const char *text)
{
    return text[0] ? text : card_text(doc, ctx->lang, "settings.auto");
}

/* Without a choice it is always the first. */
static const char *style_name(const struct story_settings *s)
{
    return s->style[0] ? s->style : story_styles[0];
}

/* As it is typed: 120 -> "1.2" */
static const char *speed_text(struct card_doc *doc, int percent)
{
    bool tenths = percent % 10 == 0;
    return card_keep(doc, str_printf(tenths ? "%d.%d" : "%d.%02d", percent / 100,
                                     tenths ? percent / 10 % 10 : percent % 100));
}

static bool show_settings(struct command_ctx *ctx, const struct story_settings *s, bool changed,
                          struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    const char *lang = ctx->lang;
    card_begin(&doc, lang);
    card_title(&doc, lang, changed ? "settings.saved" : "settings.title");
    card_line(&doc, lang, "settings.aspect", I18N_TEXT("value", story_aspect_name(s->aspect)));
    card_line(&doc, lang, "settings.tier", I18N_TEXT("value", story_tier_name(s->tier)));
    card_line(&doc, lang, "settings.seconds",
              I18N_TEXT("value", s->seconds > 0
                                     ? card_duration(&doc, lang, (int64_t)s->seconds * 1000)
                                     : card_text(&doc, lang, "settings.as_long_as_needed")));
    card_line(&doc, lang, "settings.lang", I18N_TEXT("value", or_auto(ctx, &doc, s->lang)));
    card_line(&doc, lang, "settings.voice", I18N_TEXT("value", or_auto(ctx, &doc, s->voice)));
    if (s->speed)
        card_line(&doc, lang, "settings.speed", I18N_TEXT("value", speed_text(&doc, s->speed)));
    card_line(&doc, lang, "settings.style", I18N_TEXT("value", style_name(s)));
    card_line(&doc, lang, "settings.script", I18N_TEXT("value", or_auto(ctx, &doc, s->script)));
    card_line(&doc, lang, "settings.music", I18N_TEXT("value", or_auto(ctx, &doc, s->music)));
    if (!changed)
        card_line(&doc, lang, "settings.how");
    return reply_send(ctx, &doc, e);
}

/* "reset", or words as after /make; all of them must be settings. */
static bool change_settings(struct command_ctx *ctx, const char *words, struct story_settings *s,
                            struct err *e)
{
    if (strcmp(words, "reset") == 0) {
        *s = (struct story_settings){0};
        return true;
    }
    AUTO(make_args_free) struct make_args args = {0};
    if (!make_args_parse(words, s, ctx->bot->seconds_max, &args, e))
        return false;
    if (args.settings.wish[0]) /* belongs to one video; not silently forgotten */
        return err_set_arg(e, ERR_INPUT, "make.bad_value", "wish", "settings: a wish is not kept");
    if (args.text[0]) {
        AUTO(card_doc_free) struct card_doc doc;
        card_begin(&doc, ctx->lang);
        return err_set_arg(e, ERR_INPUT, "make.unknown_setting", card_excerpt(&doc, args.text, 30),
                           "settings: other words");
    }
    if (args.settings.voice[0] && args.settings.lang[0] &&
        !pipeline_check_voice(ctx->bot->tools, &args.settings, e)) {
        if (args.has_voice)
            return false;
        args.settings.voice[0] = '\0'; /* a new language drops the old voice */
        if (!pipeline_check_voice(ctx->bot->tools, &args.settings, e))
            return false;
    }
    if (args.has_lang && !pipeline_check_voice(ctx->bot->tools, &args.settings, e))
        return false;
    *s = args.settings;
    s->seed = 0;
    return true;
}

bool cmd_settings(struct command_ctx *ctx, struct err *e)
{
    struct story_settings s;
    if (!account_get_settings(ctx->tx, ctx->account.id, &s, e))
        return false;
    if (ctx->args[0] == '\0')
        return show_settings(ctx, &s, false, e);
    return change_settings(ctx, ctx->args, &s, e) &&
           account_set_settings(ctx->tx, ctx->account.id, &s, e) && show_settings(ctx, &s, true, e);
}

static bool show_voices(struct command_ctx *ctx, const struct story_settings *s, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc;
    const char *speaks = s->lang[0] ? s->lang : ctx->lang;
    card_begin(&doc, ctx->lang);
    card_title(&doc, ctx->lang, "voice.title",
               I18N_TEXT("lang", card_keep(&doc, i18n_lang_label(ctx->lang, speaks))));
    card_add_line(&doc, possible_voices(&doc, ctx->bot->tools, speaks, VOICES_SHOWN));
    card_line(&doc, ctx->lang, "voice.now", I18N_TEXT("value", or_auto(ctx, &doc, s->voice)));
    card_line(&doc, ctx->lang, "voice.how");
    if (ctx->abilities->buttons)
        possible_voice_choices(&doc, ctx->lang, ctx->bot->tools, speaks, CHOICES_SHOWN);
    return reply_send(ctx, &doc, e);
}

/* The language of "zh", "zh-CN", "zh-Hans", "lang:zh"; "en-emma" is a voice that is not there. */
static const char *asked_lang(const char *arg)
{
    if (str_starts(arg, "lang:"))
        return arg + 5;
    const char *rest = strchrnul(arg, '-');
    bool is_tag = !*rest || strlen(rest) == 3 || strncasecmp(rest, "-han", 4) == 0;
    return is_tag ? i18n_match(arg) : "";
}

bool cmd_voice(struct command_ctx *ctx, struct err *e)
{
    struct story_settings s;
    if (!account_get_settings(ctx->tx, ctx->account.id, &s, e))
        return false;
    const char *arg = ctx->args;
    const char *lang = asked_lang(arg);
    if (arg[0] == '\0')
        return show_voices(ctx, &s, e);
    if (strcmp(arg, "auto") == 0) {
        s.voice[0] = '\0';
        return account_set_settings(ctx->tx, ctx->account.id, &s, e) &&
               reply_text(ctx, e, "voice.auto");
    }
    const struct speech_voice *voice = pipeline_find_voice(ctx->bot->tools, arg, NULL);
    if (!voice && lang[0] && strlen(lang) < sizeof(s.lang)) {
        str_copy(s.lang, sizeof(s.lang), lang); /* "/voice zh": voices of that language */
        s.voice[0] = '\0';
        return pipeline_check_voice(ctx->bot->tools, &s, e) && show_voices(ctx, &s, e);
    }
    if (!voice || !str_copy(s.voice, sizeof(s.voice), voice->name))
        return err_set_arg(e, ERR_UNSUPPORTED, "make.unknown_voice", arg, "voice %.60s", arg);
    if (s.lang[0] && strncmp(s.lang, voice->lang, strcspn(voice->lang, "-")) != 0)
        str_copy(s.lang, sizeof(s.lang), ""); /* the text's language decides again */
    str_copy(ctx->after.sample, sizeof(ctx->after.sample), voice->name);
    ctx->after.sample_speed = story_speed(&s);
    return account_set_settings(ctx->tx, ctx->account.id, &s, e) &&
           reply_text(ctx, e, "voice.saved", I18N_TEXT("value", voice->label));
}

bool cmd_style(struct command_ctx *ctx, struct err *e)
{
    struct story_settings s;
    if (!account_get_settings(ctx->tx, ctx->account.id, &s, e))
        return false;
    if (ctx->args[0] == '\0') {
        AUTO(card_doc_free) struct card_doc doc;
        card_begin(&doc, ctx->lang);
        card_title(&doc, ctx->lang, "style.title");
        for (size_t i = 0; story_styles[i]; i++) {
            char key[48];
            snprintf(key, sizeof(key), "style.%s", story_styles[i]);
            card_line(&doc, ctx->lang, "style.line", I18N_TEXT("name", story_styles[i]),
                      I18N_TEXT("what", card_text(&doc, ctx->lang, key)));
            card_choice(&doc, card_text(&doc, ctx->lang, key), "/style %s", story_styles[i]);
        }
        card_line(&doc, ctx->lang, "style.now", I18N_TEXT("value", style_name(&s)));
        return reply_send(ctx, &doc, e);
    }
    char words[64];
    if (snprintf(words, sizeof(words), "style:%s", ctx->args) >= (int)sizeof(words))
        return err_set_arg(e, ERR_INPUT, "make.unknown_style", ctx->args, "style too long");
    struct make_args args = {.settings = s};
    bool known = false;
    if (!make_args_word(words, ctx->bot->seconds_max, &args, &known, e))
        return false;
    return account_set_settings(ctx->tx, ctx->account.id, &args.settings, e) &&
           reply_text(ctx, e, "style.saved", I18N_TEXT("value", args.settings.style));
}

bool cmd_lang(struct command_ctx *ctx, struct err *e)
{
    const char *match = i18n_match(ctx->args);
    if (ctx->args[0] && match[0]) {
        if (!account_set_lang(ctx->tx, ctx->account.id, match, e))
            return false;
        str_copy(ctx->lang, sizeof(ctx->lang), match);
        return reply_text(ctx, e, "lang.saved", I18N_TEXT("value", i18n_lang_name(match)));
    }
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, ctx->lang);
    if (ctx->args[0])
        card_line(&doc, ctx->lang, "lang.unknown",
                  I18N_TEXT("what", card_excerpt(&doc, ctx->args, 24)));
    else
        card_title(&doc, ctx->lang, "lang.title");
    for (const char *const *lang = i18n_langs(); *lang; lang++) {
        card_line(&doc, ctx->lang, "lang.line", I18N_TEXT("tag", *lang),
                  I18N_TEXT("name", i18n_lang_name(*lang)));
        char key[24];
        snprintf(key, sizeof(key), "lang.name.%s", *lang);
        card_choice(&doc, card_text(&doc, ctx->lang, key), "/lang %s", *lang);
    }
    return reply_send(ctx, &doc, e);
}
