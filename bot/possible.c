#include "bot/possible.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/story/storyboard.h"

static bool lang_fits(const char *tag, const char *lang)
{
    size_t primary = strcspn(lang, "-");
    return strncmp(tag, lang, primary) == 0 && (tag[primary] == '\0' || tag[primary] == '-');
}

struct choices {
    struct card_doc *doc;
    const char *lang; /* of the card */
};

/* Calls `take` for the voices that speak a language ("": all), at most `max`. */
static void each_voice(const struct toolbox *tools, const char *lang, size_t max,
                       void (*take)(void *ctx, const struct speech_voice *voice), void *ctx)
{
    size_t shown = 0;
    for (size_t i = 0; i < tools->engine_count; i++) {
        size_t count = 0;
        const struct speech_voice *voices =
            tools->engines[i].ops->voices(tools->engines[i].self, &count);
        for (size_t v = 0; v < count && shown < max; v++) {
            if (*lang && !lang_fits(voices[v].lang, lang))
                continue;
            take(ctx, &voices[v]);
            shown++;
        }
    }
}

static void add_name(void *ctx, const struct speech_voice *voice)
{
    struct strbuf *out = ctx;
    strbuf_addf(out, "%s%s", out->len ? ", " : "", voice->name);
}

const char *possible_voices(struct card_doc *doc, const struct toolbox *tools, const char *lang,
                            size_t max)
{
    struct strbuf out = STRBUF(4096);
    each_voice(tools, lang, max, add_name, &out);
    return card_keep(doc, strbuf_take(&out));
}

static void add_choice(void *ctx, const struct speech_voice *voice)
{
    struct choices *to = ctx;
    const char *label = card_text(to->doc, to->lang, voice->female ? "voice.female" : "voice.male",
                                  I18N_TEXT("name", arena_dup(&to->doc->arena, voice->label)));
    card_choice(to->doc, label, "/voice %s", voice->name);
}

void possible_voice_choices(struct card_doc *doc, const char *lang, const struct toolbox *tools,
                            const char *speaks, size_t max)
{
    each_voice(tools, speaks, max, add_choice, &(struct choices){doc, lang});
}

/* "en, zh, ar, ..." of all voices, each once. */
static const char *spoken_langs(struct card_doc *doc, const struct toolbox *tools)
{
    struct strbuf out = STRBUF(4096);
    for (size_t i = 0; i < tools->engine_count; i++) {
        size_t count = 0;
        const struct speech_voice *voices =
            tools->engines[i].ops->voices(tools->engines[i].self, &count);
        for (size_t v = 0; v < count; v++) {
            char item[24];
            size_t primary = strcspn(voices[v].lang, "-");
            snprintf(item, sizeof(item), ", %.*s,", (int)MIN(primary, 8u), voices[v].lang);
            char seen[4200];
            snprintf(seen, sizeof(seen), ", %s,", strbuf_text(&out));
            if (!strstr(seen, item))
                strbuf_addf(&out, "%s%.*s", out.len ? ", " : "", (int)MIN(primary, 8u),
                            voices[v].lang);
        }
    }
    return card_keep(doc, strbuf_take(&out));
}

void possible_add(struct card_doc *doc, const char *lang, const struct toolbox *tools,
                  const char *error_key)
{
    const char *key = error_key;
    if (strcmp(key, "make.unknown_setting") == 0 || strcmp(key, "make.bad_value") == 0 ||
        strcmp(key, "make.bad_aspect") == 0)
        card_line(doc, lang, "make.settings_list");
    else if (strcmp(key, "make.unknown_style") == 0)
        card_line(doc, lang, "make.possible", I18N_TEXT("list", card_list(doc, story_styles)));
    else if (strcmp(key, "make.unknown_script") == 0)
        card_line(doc, lang, "make.possible", I18N_TEXT("list", card_list(doc, story_scripts)));
    else if (strcmp(key, "make.unknown_mood") == 0)
        card_line(doc, lang, "make.possible_moods", I18N_TEXT("list", card_list(doc, story_moods)));
    else if (strcmp(key, "make.bad_lang") == 0 || strcmp(key, "make.no_voice_for_language") == 0)
        card_line(doc, lang, "make.possible", I18N_TEXT("list", spoken_langs(doc, tools)));
    else if (strcmp(key, "make.unknown_voice") == 0)
        card_line(doc, lang, "make.see_voices");
    else if (strcmp(key, "make.bad_seconds") == 0)
        card_line(doc, lang, "make.possible_seconds", I18N_NUM("max", tools->seconds_max));
}
