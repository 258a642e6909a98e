/*
 * The list of commands, in the languages of the catalog, registered only when it changed: Discord
 * allows 200 new ones a day.
 */
#include "adapters/discord/discord_internal.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "discord"

enum {
    KEEP_SECONDS = 400 * 86400,
    PATIENCE_MS = 60000,
    PAUSES_GROW = 7, /* then one after PAUSE_MAX_MS each */
    PAUSE_MAX_MS = 60000,
    TEXT_UNITS = 100,
    SECONDS_MIN = 5,
    SECONDS_MAX = 3600
};

enum option_type { STRING = 3, INTEGER = 4, ATTACHMENT = 11 };

/* Options by command; those of a command stand together, in the order in which the bot wants their
   words. choices: "a b c". */
static const struct {
    const char *command, *name;
    enum option_type type;
    bool required, completes;
    const char *choices, *key;
} options[] = {
    {"make",      "topic",   STRING,     true,  false, NULL,                      "discord.option.topic"  },
    {"make",      "length",  INTEGER,    false, false, NULL,                      "discord.option.length" },
    {"make",      "aspect",  STRING,     false, false, "9:16 16:9 1:1",           "discord.option.aspect" },
    {"make",      "tier",    STRING,     false, false, "basic hd premium",        "discord.option.tier"   },
    {"make",      "voice",   STRING,     false, true,  NULL,                      "discord.option.voice"  },
    {"make",      "style",   STRING,     false, true,  NULL,                      "discord.option.style"  },
    {"make",      "script",  STRING,     false, true,  NULL,                      "discord.option.told"   },
    {"make",      "wish",    STRING,     false, false, NULL,                      "discord.option.wish"   },
    {"make",      "speed",   STRING,     false, false, "0.8 0.9 1.0 1.1 1.2 1.3", "discord.option.speed"  },
    {"make",      "music",   STRING,     false, true,  NULL,                      "discord.option.music"  },
    {"make",      "lang",    STRING,     false, true,  NULL,                      "discord.option.lang"   },
    {"make",      "media",   ATTACHMENT, false, false, NULL,                      "discord.option.media"  },
    {"make",      "media2",  ATTACHMENT, false, false, NULL,                      "discord.option.media"  },
    {"make",      "media3",  ATTACHMENT, false, false, NULL,                      "discord.option.media"  },
    {"make",      "media4",  ATTACHMENT, false, false, NULL,                      "discord.option.media"  },
    {"script",    "topic",   STRING,     false, false, NULL,                      "discord.option.script" },
    {"script",    "change",  STRING,     false, false, NULL,                      "discord.option.edit"   },
    {"again",     "video",   STRING,     false, false, NULL,                      "discord.option.video"  },
    {"cancel",    "video",   STRING,     false, false, NULL,                      "discord.option.video"  },
    {"remix",     "video",   STRING,     false, false, NULL,                      "discord.option.video"  },
    {"dub",       "video",   STRING,     false, false, NULL,                      "discord.option.video"  },
    {"dub",       "to",      STRING,     false, true,  NULL,                      "discord.option.lang"   },
    {"subtitles", "video",   STRING,     false, false, NULL,                      "discord.option.video"  },
    {"send",      "video",   STRING,     false, false, NULL,                      "discord.option.video"  },
    {"credits",   "account", STRING,     false, false, "group",                   "discord.option.account"},
    {"pay",       "amount",  STRING,     false, false, NULL,                      "discord.option.amount" },
    {"pay",       "account", STRING,     false, false, "group",                   "discord.option.account"},
    {"pay",       "claim",   STRING,     false, false, NULL,                      "discord.option.claim"  },
    {"refund",    "address", STRING,     false, false, NULL,                      "discord.option.address"},
    {"refund",    "amount",  STRING,     false, false, NULL,                      "discord.option.credits"},
    {"group",     "change",  STRING,     false, false, NULL,                      "discord.option.group"  },
    {"settings",  "change",  STRING,     false, false, NULL,                      "discord.option.change" },
    {"voice",     "name",    STRING,     false, true,  NULL,                      "discord.option.voice"  },
    {"style",     "name",    STRING,     false, true,  NULL,                      "discord.option.style"  },
    {"lang",      "to",      STRING,     false, true,  NULL,                      "discord.option.lang"   },
};

const char *dc_option_name(const char *command, size_t nth)
{
    for (size_t i = 0; i < COUNT(options); i++)
        if (strcmp(options[i].command, command) == 0 && nth-- == 0)
            return options[i].name;
    return NULL;
}

/* What Discord calls the languages of the catalog. Arabic is not in its documented table. */
static const struct {
    const char *lang, *locales[3];
} locales[] = {
    {"en", {"en-US", "en-GB", NULL} },
    {"zh", {"zh-CN", NULL, NULL}    },
    {"ar", {"ar", NULL, NULL}       },
    {"hi", {"hi", NULL, NULL}       },
    {"es", {"es-ES", "es-419", NULL}},
    {"fr", {"fr", NULL, NULL}       },
    {"ru", {"ru", NULL, NULL}       },
    {"pt", {"pt-BR", NULL, NULL}    },
    {"de", {"de", NULL, NULL}       },
    {"ja", {"ja", NULL, NULL}       },
};

struct builder {
    struct discord *d;
    struct strbuf *out;
    bool arabic;
};

/* A text of this language, the caller's: the help of a command, or of a key. "" when none. */
static char *text_of(const struct builder *b, const struct chat_menu *m, const char *key,
                     const char *command)
{
    if (key)
        return b->d->o.text(b->d->o.ctx, m->lang, key);
    for (size_t i = 0; command && i < m->command_count; i++)
        if (strcmp(m->commands[i].name, command) == 0)
            return str_dup(m->commands[i].help);
    return str_dup("");
}

/* "en-US":"...","en-GB":"..." for a language of the catalog. */
static void put_locales(struct builder *b, const char *lang, const char *text, bool *any)
{
    for (size_t k = 0; k < COUNT(locales); k++) {
        bool left_out = !b->arabic && strcmp(locales[k].lang, "ar") == 0;
        if (left_out || strncmp(locales[k].lang, lang, 2) != 0)
            continue;
        for (size_t n = 0; locales[k].locales[n]; n++) {
            strbuf_addf(b->out, "%s\"%s\":", *any ? "," : "", locales[k].locales[n]);
            dc_put_plain(b->out, text, TEXT_UNITS);
            *any = true;
        }
    }
}

/* ,"description":"...","description_localizations":{...} */
static void put_texts(struct builder *b, const char *field, const char *key, const char *command)
{
    bool any = false;
    for (size_t i = 0; i < b->d->o.menu_count; i++) {
        const struct chat_menu *m = &b->d->o.menus[i];
        AUTO(free_ptr) char *text = text_of(b, m, key, command);
        if (i == 0) { /* also for languages that have none */
            strbuf_addf(b->out, ",\"%s\":", field);
            dc_put_plain(b->out, text, TEXT_UNITS);
            strbuf_addf(b->out, ",\"%s_localizations\":{", field);
        }
        if (*text)
            put_locales(b, m->lang, text, &any);
    }
    strbuf_addc(b->out, '}');
}

/* ,"name":"make","name_localizations":{...}, as far as the catalog's list "make=制作 pay=充值" has
   it. */
static void put_name(struct builder *b, const char *name)
{
    bool any = false;
    char word[40];
    int len = snprintf(word, sizeof(word), "%s=", name);
    strbuf_addf(b->out, ",\"name\":\"%s\",\"name_localizations\":{", name);
    for (size_t i = 0; i < b->d->o.menu_count && len < (int)sizeof(word); i++) {
        const char *lang = b->d->o.menus[i].lang;
        AUTO(free_ptr) char *list = b->d->o.text(b->d->o.ctx, lang, "discord.names");
        for (char *save = NULL, *at = strtok_r(list, " ", &save); at;
             at = strtok_r(NULL, " ", &save))
            if (strncmp(at, word, (size_t)len) == 0)
                put_locales(b, lang, at + len, &any);
    }
    strbuf_addc(b->out, '}');
}

static void put_choices(struct strbuf *out, const char *choices)
{
    strbuf_adds(out, ",\"choices\":[");
    for (const char *at = choices; *at;) {
        size_t len = strcspn(at, " ");
        strbuf_addf(out, "%s{\"name\":\"%.*s\",\"value\":\"%.*s\"}", at == choices ? "" : ",",
                    (int)len, at, (int)len, at);
        at += len + (at[len] == ' ');
    }
    strbuf_addc(out, ']');
}

static void put_options(struct builder *b, const char *command)
{
    struct strbuf *out = b->out;
    bool any = false;
    strbuf_adds(out, ",\"options\":[");
    for (size_t i = 0; i < COUNT(options); i++) {
        if (strcmp(options[i].command, command) != 0)
            continue;
        strbuf_addf(out, "%s{\"type\":%d", any ? "," : "", (int)options[i].type);
        put_name(b, options[i].name);
        any = true;
        put_texts(b, "description", options[i].key, NULL);
        if (options[i].required)
            strbuf_adds(out, ",\"required\":true");
        if (options[i].completes)
            strbuf_adds(out, ",\"autocomplete\":true");
        if (options[i].choices)
            put_choices(out, options[i].choices);
        if (options[i].type == INTEGER)
            strbuf_addf(out, ",\"min_value\":%d,\"max_value\":%d", SECONDS_MIN,
                        b->d->o.seconds_max ? b->d->o.seconds_max : SECONDS_MAX);
        strbuf_addc(out, '}');
    }
    strbuf_addc(out, ']');
}

/* Also where the bot is not: installed to a person it works everywhere. */
#define EVERYWHERE ",\"integration_types\":[0,1],\"contexts\":[0,1,2]}"

static void build(struct builder *b)
{
    struct strbuf *out = b->out;
    const struct chat_menu *m = b->d->o.menus;
    strbuf_reset(out);
    strbuf_addc(out, '[');
    for (size_t i = 0; i < m->command_count; i++) {
        strbuf_adds(out, i ? ",{\"type\":1" : "{\"type\":1");
        put_name(b, m->commands[i].name);
        put_texts(b, "description", NULL, m->commands[i].name);
        put_options(b, m->commands[i].name);
        strbuf_adds(out, EVERYWHERE);
    }
    strbuf_adds(out, ",{\"type\":3");
    put_texts(b, "name", "discord.make_video", NULL);
    strbuf_adds(out, EVERYWHERE "]");
}

static bool put(struct discord *d, const char *body, struct dc_reply *r, struct err *e)
{
    bool guild = d->guild[0];
    char app[DC_ID_MAX];
    pthread_mutex_lock(&d->lock);
    str_copy(app, sizeof(app), d->app);
    pthread_mutex_unlock(&d->lock);
    struct dc_call c = {.name = "register commands",
                        .method = "PUT",
                        .route = guild ? "PUT /applications/{}/guilds/{}/commands"
                                       : "PUT /applications/{}/commands",
                        .major = guild ? d->guild : "",
                        .path =
                            guild ? str_printf("/applications/%s/guilds/%s/commands", app, d->guild)
                                  : str_printf("/applications/%s/commands", app),
                        .body = body,
                        .patience_ms = PATIENCE_MS,
                        .cancel = &d->stop};
    return dc_call(d, &c, r, e);
}

/* What is in the way may go by itself: an outage of theirs at our start must not leave people without
   commands until the next one. */
static bool may_pass(enum dc_action action)
{
    return action == DC_RETRY || action == DC_WAIT || action == DC_UNCLEAR;
}

static bool put_patiently(struct discord *d, const char *body, struct dc_reply *r, struct err *e)
{
    for (int i = 0;; i++) {
        dc_reply_free(r);
        if (put(d, body, r, e))
            return true;
        if (!may_pass(r->action) || cancel_fired(&d->stop))
            return false;
        log_err(i == 0 ? LOG_WARN : LOG_INFO, LOG_MODULE, e);
        int pause = i < PAUSES_GROW ? net_backoff_ms(i) : PAUSE_MAX_MS;
        if (cancel_wait(&d->stop, (int)MAX(r->retry_ms, pause)))
            return false;
    }
}

void dc_commands_publish(struct discord *d)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(1 << 20);
    AUTO(dc_reply_free) struct dc_reply r = {0};
    struct builder b = {.d = d, .out = &body, .arabic = true};
    struct err e = {0};
    struct hash h;
    char key[64], hex[HASH_HEX], known[HASH_HEX + 8] = "";
    if (d->o.menu_count == 0)
        return;
    build(&b);
    if (body.failed) {
        log_error("the list of commands is too long");
        return;
    }
    hash_begin(&h, "discord-commands");
    hash_text(&h, "app", d->app);
    hash_text(&h, "body", body.text);
    hash_end(&h, hex);
    snprintf(key, sizeof(key), "discord.commands.%s", d->guild);
    if (d->o.recall && d->o.recall(d->o.ctx, key, known, sizeof(known)) && strcmp(known, hex) == 0)
        return;
    bool ok = put_patiently(d, strbuf_text(&body), &r, &e);
    if (!ok && r.code == 50035 && strstr(r.detail, ".ar:")) {
        b.arabic = false;
        build(&b);
        ok = put_patiently(d, strbuf_text(&body), &r, &e);
    }
    if (!ok) {
        if (!cancel_fired(&d->stop))
            log_err(LOG_WARN, LOG_MODULE, &e);
        return;
    }
    AUTO(dc_notes_free) struct dc_notes notes = {.count = 0};
    dc_notes_add(&notes, KEEP_SECONDS, hex, "%s", key);
    dc_keep(d, &notes, false);
    log_info("commands registered");
}
