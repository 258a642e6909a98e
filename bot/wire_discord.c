/* Discord from the configuration, and what it asks of the rest: texts, completions, notes. */
#define LOG_MODULE "start"
#include <string.h>

#include "adapters/discord/discord.h"
#include "bot/wire.h"
#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/lease_keeper.h"
#include "core/db/store_note.h"
#include "core/i18n/i18n.h"
#include "core/story/storyboard.h"

static char *text(void *ctx, const char *lang, const char *key)
{
    (void)ctx;
    return i18n_text(lang, key);
}

static bool may_connect(void *ctx)
{
    const struct wire_discord *w = ctx;
    return w->link && lease_keeper_held(w->link);
}

static void left(void *ctx)
{
    const struct wire_discord *w = ctx;
    if (w->link)
        lease_keeper_give(w->link);
}

static bool keep(void *ctx, const struct discord_note *notes, size_t count, bool sure)
{
    const struct wire_discord *w = ctx;
    struct arena arena = {0};
    struct note *list = arena_alloc(&arena, count * sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = (struct note){notes[i].key, notes[i].value, notes[i].seconds};
    bool ok = wire_notes_put(w->bot, list, count, sure);
    arena_free(&arena);
    return ok;
}

/* Without an answer: as if it had never been. */
static bool recall(void *ctx, const char *key, char *ret, size_t size)
{
    const struct wire_discord *w = ctx;
    return wire_notes_get(w->bot, key, ret, size);
}

/* --- completions --- */

struct choices {
    char (*list)[DISCORD_CHOICE_SIZE];
    const char *typed;
    size_t count;
};

static void offer(struct choices *c, const char *value)
{
    bool fits = strcasestr(value, c->typed) && strlen(value) < DISCORD_CHOICE_SIZE;
    for (size_t i = 0; i < c->count && fits; i++)
        fits = strcmp(c->list[i], value) != 0;
    if (fits && *value && c->count < DISCORD_CHOICES_MAX)
        str_copy(c->list[c->count++], DISCORD_CHOICE_SIZE, value);
}

/* Voices of the person's language first. */
static void offer_voices(struct choices *c, const struct toolbox *tools, const char *lang)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < tools->engine_count; i++) {
            size_t count = 0;
            const struct speech_voice *voices =
                tools->engines[i].ops->voices(tools->engines[i].self, &count);
            for (size_t v = 0; v < count; v++) {
                bool own = strncmp(voices[v].lang, lang, 2) == 0;
                if (own == (pass == 0))
                    offer(c, voices[v].name);
            }
        }
}

static size_t complete(void *ctx, const char *command, const char *option, const char *typed,
                       const char *lang, char ret[][DISCORD_CHOICE_SIZE])
{
    const struct wire_discord *w = ctx;
    struct choices c = {.list = ret, .typed = typed};
    bool by_name = strcmp(option, "name") == 0;
    const char *what = by_name ? command : option;
    if (strcmp(what, "voice") == 0)
        offer_voices(&c, w->bot->tools, lang);
    else if (strcmp(what, "style") == 0)
        for (const char *const *s = story_styles; *s; s++)
            offer(&c, *s);
    else if (strcmp(what, "script") == 0)
        for (const char *const *s = story_scripts; *s; s++)
            offer(&c, *s);
    else if (strcmp(what, "music") == 0) {
        offer(&c, "off");
        for (const char *const *m = story_moods; *m; m++)
            offer(&c, *m);
    } else if (strcmp(what, "lang") == 0 || strcmp(option, "to") == 0)
        for (const char *const *l = i18n_langs(); *l; l++)
            offer(&c, *l);
    return c.count;
}

bool wire_discord_make(const struct config *config, struct wire_discord *w, struct net_engine *net,
                       struct ws_engine *ws, const struct chat_menu *menus, size_t menu_count,
                       struct chat_adapter *ret, struct err *e)
{
    struct discord_options options = {
        .net = net,
        .ws = ws,
        .token = config_text(config, "DISCORD_BOT_TOKEN"),
        .api_url = config_text(config, "DISCORD_API_URL"),
        .allow_plain = config_int(config, "NANOTIK_ALLOW_PLAIN"),
        .guild = config_text(config, "DISCORD_GUILD"),
        .seconds_max = (int)config_int(config, "VIDEO_MAX_DURATION"),
        .menus = menus,
        .menu_count = menu_count,
        .text = text,
        .complete = complete,
        .recall = recall,
        .keep = keep,
        .may_connect = may_connect,
        .left = left,
        .ctx = w,
    };
    return discord_create(&options, ret, e);
}
