#define LOG_MODULE "start"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/discord/discord.h"
#include "adapters/telegram/telegram.h"
#include "adapters/terminal/terminal.h"
#include "bot/command.h"
#include "bot/inbox.h"
#include "bot/wire.h"
#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/lease_keeper.h"
#include "core/net/net.h"

enum { FILE_SECONDS = 180 * 86400, MENUS_MAX = 8 };

struct wire_chats {
    struct bot *bot;
    struct net_engine *net;
    struct arena arena;
    struct chat_menu menus[MENUS_MAX];
    size_t menu_count;
    struct lease_keeper *polling; /* one process at a time polls for a Telegram token */
    struct wire_discord discord;
    bool listens, interactive;
};

/* The command table in each language, for networks that show it while typing. */
static void make_menus(struct wire_chats *c)
{
    for (const char *const *lang = i18n_langs(); *lang && c->menu_count < MENUS_MAX; lang++) {
        struct chat_menu *menu = &c->menus[c->menu_count++];
        struct chat_command *list = arena_alloc(&c->arena, command_count * sizeof(*list));
        AUTO(free_ptr) char *about = i18n_text(*lang, "start.1");
        AUTO(free_ptr) char *brief = i18n_text(*lang, "start.about");
        *menu = (struct chat_menu){.lang = *lang,
                                   .about = arena_dup(&c->arena, about),
                                   .about_short = arena_dup(&c->arena, brief),
                                   .commands = list};
        for (size_t i = 0; i < command_count; i++) {
            if (!command_listed(c->bot, &commands[i]))
                continue;
            AUTO(free_ptr) char *help = i18n_text(*lang, commands[i].help_key);
            list[menu->command_count++] =
                (struct chat_command){.name = commands[i].name, .help = arena_dup(&c->arena, help)};
        }
    }
}

static bool telegram_may_poll(void *ctx)
{
    struct wire_chats *c = ctx;
    return lease_keeper_held(c->polling);
}

static void telegram_polled(void *ctx)
{
    struct wire_chats *c = ctx;
    lease_keeper_give(c->polling);
}

static bool telegram_cursor(void *ctx, char ret[static CHAT_CURSOR_MAX])
{
    struct wire_chats *c = ctx;
    return bot_cursor(c->bot, "telegram", ret);
}

/* One process at a time listens with a token: by the bot's id, which stands before the first mark and
   is no secret. */
static bool start_lease(struct wire_chats *c, const struct config *config, const char *network,
                        const char *token, struct lease_keeper **ret, struct err *e)
{
    char name[LEASE_NAME_MAX];
    snprintf(name, sizeof(name), "%s:%.*s", network, (int)MIN(strcspn(token, ":."), 40), token);
    int ttl_ms = (int)config_int(config, "NANOTIK_LEASE_SECONDS") * 1000;
    return !c->listens || lease_keeper_start(c->bot->db, name, ttl_ms, ret, e);
}

/* A film that was uploaded once is sent by its id from then on. */
static bool telegram_file_get(void *ctx, const char *key, char *ret_id, size_t size)
{
    struct wire_chats *c = ctx;
    char name[100];
    snprintf(name, sizeof(name), "telegram.file.%s", key);
    return wire_notes_get(c->bot, name, ret_id, size);
}

static void telegram_file_put(void *ctx, const char *key, const char *id)
{
    struct wire_chats *c = ctx;
    char name[100];
    snprintf(name, sizeof(name), "telegram.file.%s", key);
    wire_notes_put(c->bot, &(struct note){name, id, FILE_SECONDS}, 1, false);
}

static bool telegram_recall(void *ctx, const char *key, char *ret, size_t size)
{
    struct wire_chats *c = ctx;
    return wire_notes_get(c->bot, key, ret, size);
}

static bool telegram_keep(void *ctx, const char *key, const char *value, int seconds)
{
    struct wire_chats *c = ctx;
    return wire_notes_put(c->bot, &(struct note){key, value, seconds}, 1, true);
}

static bool add_telegram(struct wire_chats *c, const struct config *config, struct err *e)
{
    const char *token = config_text(config, "TELEGRAM_BOT_TOKEN");
    if (!token[0])
        return true;
    if (!c->net && !net_engine_create(config_int(config, "NANOTIK_ALLOW_PLAIN"), &c->net, e))
        return false;
    struct telegram_options options = {
        .net = c->net,
        .token = token,
        .api_url = config_text(config, "TELEGRAM_API_URL"),
        .menus = c->menus,
        .menu_count = c->menu_count,
        .may_poll = telegram_may_poll,
        .file_get = telegram_file_get,
        .file_put = telegram_file_put,
        .recall = telegram_recall,
        .keep = telegram_keep,
        .polled = telegram_polled,
        .cursor_get = telegram_cursor,
        .ctx = c,
    };
    if (!net_trust_base(c->net, options.api_url, e) ||
        !telegram_create(&options, &c->bot->adapters[c->bot->adapter_count], e))
        return false;
    c->bot->adapter_count++;
    return start_lease(c, config, "telegram", token, &c->polling, e);
}

static bool add_discord(struct wire_chats *c, const struct config *config, struct wire_tools *tools,
                        struct err *e)
{
    struct ws_engine *ws = NULL;
    const char *token = config_text(config, "DISCORD_BOT_TOKEN");
    if (!token[0])
        return true;
    c->discord.bot = c->bot;
    if (!c->net && !net_engine_create(config_int(config, "NANOTIK_ALLOW_PLAIN"), &c->net, e))
        return false;
    return wire_tools_ws(tools, &ws, e) &&
           start_lease(c, config, "discord", token, &c->discord.link, e) &&
           wire_discord_make(config, &c->discord, c->net, ws, c->menus, c->menu_count,
                             &c->bot->adapters[c->bot->adapter_count], e) &&
           ++c->bot->adapter_count;
}

static bool add_terminal(struct wire_chats *c, const struct cli *cli, struct err *e)
{
    AUTO(free_ptr) char *history = str_printf("%s/history", cli_data(cli));
    struct terminal_options options = {
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
        .lang = cli->lang,
        .history_path = history,
        .greet = true,
    };
    if (!terminal_create(&options, &c->bot->adapters[c->bot->adapter_count], e))
        return false;
    c->bot->adapter_count++;
    c->interactive = terminal_is_interactive(&options);
    return true;
}

bool wire_chats_make(struct cli *cli, struct bot *bot, struct wire_tools *tools, bool listens,
                     struct wire_chats **ret, struct err *e)
{
    struct wire_chats *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(e, ERR_INTERNAL, "error.internal", "chats: no memory");
    c->bot = bot;
    c->listens = listens;
    make_menus(c);
    bool ok = add_telegram(c, cli->config, e) && add_discord(c, cli->config, tools, e);
    if (ok && bot->adapter_count == 0)
        ok = add_terminal(c, cli, e);
    if (!ok) {
        wire_chats_free(c);
        return false;
    }
    *ret = c;
    return true;
}

bool wire_chats_check(struct cli *cli,
                      void (*tell)(void *ctx, const char *name, const struct err *why), void *ctx,
                      struct err *e)
{
    const struct config *config = cli->config;
    struct net_engine *net = NULL;
    struct telegram_options telegram = {.token = config_text(config, "TELEGRAM_BOT_TOKEN"),
                                        .api_url = config_text(config, "TELEGRAM_API_URL")};
    struct discord_options discord = {.token = config_text(config, "DISCORD_BOT_TOKEN"),
                                      .api_url = config_text(config, "DISCORD_API_URL"),
                                      .allow_plain = config_int(config, "NANOTIK_ALLOW_PLAIN")};
    if (!net_engine_create(discord.allow_plain, &net, e))
        return false;
    telegram.net = discord.net = net;
    for (int i = 0; i < 2; i++) {
        struct chat_adapter chat = {0};
        struct err why = {0};
        char who[64] = "", name[100];
        if (!(i == 0 ? telegram.token : discord.token)[0])
            continue;
        bool ok = (i == 0 ? telegram_create(&telegram, &chat, &why)
                          : discord_create(&discord, &chat, &why)) &&
                  chat.ops->whoami(chat.self, who, sizeof(who), &cli->stop, &why);
        snprintf(name, sizeof(name), "%s%s%s", i == 0 ? "Telegram" : "Discord", who[0] ? ": " : "",
                 who);
        tell(ctx, name, ok ? NULL : &why);
        if (chat.ops)
            chat.ops->destroy(chat.self);
    }
    net_engine_destroy(net);
    return true;
}

void wire_chats_free(struct wire_chats *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->bot->adapter_count; i++)
        c->bot->adapters[i].ops->destroy(c->bot->adapters[i].self);
    c->bot->adapter_count = 0;
    lease_keeper_stop(c->polling);
    lease_keeper_stop(c->discord.link);
    net_engine_destroy(c->net);
    arena_free(&c->arena);
    free(c);
}

bool wire_chats_interactive(const struct wire_chats *c)
{
    return c->interactive;
}

void wire_chats_restore(void)
{
    terminal_restore();
}
