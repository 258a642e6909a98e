/*
 * Order of work: file, then environment over it, then checks that need several values. Every
 * message says where the value came from, what it is called there, and what would be right.
 */
#include "core/base/config.h"

#include <unistd.h>

#include "core/base/config_toml.h"
#include "core/base/config_value.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"

enum { FILE_MAX = 1 << 20, WHERE_MAX = 300 };

/* clang-format off */
static const struct option options[] = {
    /* name, kind, default, low, high, choices, help */
    {"DATABASE_URL", KIND_DB_URL, "", 0, 0, NULL,
     "PostgreSQL to use, postgresql://user:password@host/name. Empty: a private one in nanotik_data."},
    {"NANOTIK_DATA", KIND_FOLDER, "./var", 0, 0, NULL,
     "Folder of everything that is kept: private database, caches, finished videos."},
    {"NANOTIK_ID_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Key of the identity hashes. Empty: made once and kept in nanotik_data."},
    {"NANOTIK_LOG", KIND_CHOICE, "warn", 0, 0, "warn info debug json",
     "What the log on standard error tells; json is info with one JSON object per line."},
    {"VIDEO_OUTPUT_DIR", KIND_FOLDER, "", 0, 0, NULL,
     "Folder of finished videos. Empty: videos in nanotik_data."},
    {"VIDEO_TEMP_DIR", KIND_FOLDER, "", 0, 0, NULL,
     "Folder in which the cache is made, see nanotik_cache_mb. Empty: nanotik_data."},
    {"VIDEO_MAX_DURATION", KIND_INT, "180", 10, 3600, NULL,
     "Longest video that may be ordered, in seconds."},
    {"VIDEO_KEEP_DAYS", KIND_INT, "14", 1, 365, NULL,
     "Days that a video which could not be delivered is kept, with its credits set aside."},
    {"NANOTIK_FOOTAGE_DIR", KIND_FOLDER, "", 0, 0, NULL,
     "Folder with your own clips and photos; words in file names choose the scene. Empty: none."},
    {"NANOTIK_CACHE_MB", KIND_INT, "2048", 64, 1 << 24, NULL,
     "Room for the cache of spoken scenes, clips and segments, in MB."},
    {"NANOTIK_TRIAL_CREDITS", KIND_INT, "1", 0, 1000, NULL,
     "Credits that a new account gets once."},
    {"NANOTIK_PRICE_BASIC", KIND_INT, "1", 0, 10000, NULL,
     "Credits per started 60 s of a basic video."},
    {"NANOTIK_PRICE_HD", KIND_INT, "2", 0, 10000, NULL,
     "Credits per started 60 s of an hd video."},
    {"NANOTIK_PRICE_PREMIUM", KIND_INT, "3", 0, 10000, NULL,
     "Credits per started 60 s of a premium video."},
    {"NANOTIK_REMIX_PERCENT", KIND_INT, "50", 0, 100, NULL,
     "Per cent of the price for a video with the words of an earlier one and other pictures."},
    {"NANOTIK_DUB_PERCENT", KIND_INT, "50", 0, 100, NULL,
     "Per cent of the price for a video with the pictures of an earlier one in another language."},
    {"NANOTIK_OWN_WORDS_PERCENT", KIND_INT, "50", 0, 100, NULL,
     "Per cent of the price when no script writer can be reached and a text is narrated as it is."},
    {"NANOTIK_SCRIPTS_AT_ONCE", KIND_INT, "1", 1, 20, NULL,
     "Scripts of one account that /script writes at once."},
    {"NANOTIK_SCRIPTS_PER_DAY", KIND_INT, "20", 0, 10000, NULL,
     "Scripts of one account that /script writes in 24 hours before anything is paid; 0 is no bound."},
    {"NANOTIK_SCRIPT_DAYS", KIND_INT, "14", 1, 3650, NULL,
     "Days that answers and token counts of script writers are kept with a job, for support."},
    {"NANOTIK_RULES_FILE", KIND_TEXT, "", 0, 0, NULL,
     "File that says what is not made here; assets/rules.txt shows the form. Empty: that set; off: none."},
    {"NANOTIK_MODERATION", KIND_CHOICE, "auto", 0, 0, "auto off strict",
     "OpenAI's moderation, where its key is set: auto asks it and goes on while it cannot be reached, strict makes nothing then."},
    {"NANOTIK_STRIKES", KIND_INT, "3", 0, 1000, NULL,
     "Refused topics after which an account may order nothing for a while; 0 is never."},
    {"NANOTIK_STRIKE_DAYS", KIND_INT, "30", 1, 400, NULL,
     "Days within which those count."},
    {"NANOTIK_PAUSE_HOURS", KIND_INT, "72", 1, 8760, NULL,
     "Hours that the account then rests; `nanotik pardon` ends it."},
    {"NANOTIK_HTTP", KIND_TEXT, "off", 0, 0, NULL,
     "ADDRESS:PORT of /health and /metrics for a monitor, e.g. 127.0.0.1:8080; off: none."},
    {"NANOTIK_SUPPORT", KIND_TEXT, "", 0, 0, NULL,
     "Where people reach you: @name, a link or an address; /support shows it. Empty: nowhere."},
    {"NANOTIK_ADMINS", KIND_PEOPLE, "", 0, 0, "telegram discord",
     "Operators, who may say /admin in a private chat: telegram:ID,discord:ID, never names. Empty: only who sits at the terminal."},
    {"NANOTIK_RENDER_THREADS", KIND_INT, "0", 0, 256, NULL,
     "Threads that render; 0 is one per core."},
    {"NANOTIK_SHUTDOWN_SECONDS", KIND_INT, "20", 1, 600, NULL,
     "Longest time that a stop may take, in seconds."},
    {"NANOTIK_LEASE_SECONDS", KIND_INT, "20", 1, 20, NULL,
     "After a crash another process on the same database takes over its duties this much later."},
    {"NANOTIK_ALLOW_PLAIN", KIND_INT, "0", 0, 1, NULL,
     "1 accepts http:// base addresses of other machines (without it: of this machine only)."},
    {"LLM_PROVIDER", KIND_TEXT, "", 0, 0, NULL,
     "Script writers, tried in order: openai, deepseek, moonshot, openrouter, custom. Empty: own words."},
    {"OPENAI_API_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Key of OpenAI."},
    {"OPENAI_BASE_URL", KIND_URL, "https://api.openai.com/v1", 0, 0, NULL,
     "Where OpenAI answers."},
    {"OPENAI_MODEL_NAME", KIND_TEXT, "gpt-6-luna", 0, 0, NULL,
     "Model that writes scripts at OpenAI."},
    {"DEEPSEEK_API_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Key of DeepSeek."},
    {"DEEPSEEK_BASE_URL", KIND_URL, "https://api.deepseek.com/v1", 0, 0, NULL,
     "Where DeepSeek answers."},
    {"DEEPSEEK_MODEL_NAME", KIND_TEXT, "deepseek-flash", 0, 0, NULL,
     "Model that writes scripts at DeepSeek."},
    {"MOONSHOT_API_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Key of Moonshot (Kimi); those of .ai and .cn are not interchangeable."},
    {"MOONSHOT_BASE_URL", KIND_URL, "https://api.moonshot.ai/v1", 0, 0, NULL,
     "Where Moonshot answers; in China https://api.moonshot.cn/v1."},
    {"MOONSHOT_MODEL_NAME", KIND_TEXT, "kimi-k2.6", 0, 0, NULL,
     "Model that writes scripts at Moonshot."},
    {"OPENROUTER_API_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Key of OpenRouter."},
    {"OPENROUTER_BASE_URL", KIND_URL, "https://openrouter.ai/api/v1", 0, 0, NULL,
     "Where OpenRouter answers."},
    {"OPENROUTER_MODEL_NAME", KIND_TEXT, "openrouter/auto", 0, 0, NULL,
     "Model that writes scripts at OpenRouter."},
    {"CUSTOM_API_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Key of another service that speaks OpenAI's protocol; Ollama, llama.cpp and vLLM need none."},
    {"CUSTOM_BASE_URL", KIND_URL, "http://127.0.0.1:11434/v1", 0, 0, NULL,
     "Where that service answers, with /v1 if it wants one."},
    {"CUSTOM_MODEL_NAME", KIND_TEXT, "", 0, 0, NULL,
     "Model that writes scripts there; has to be named."},
    {"AZURE_SPEECH_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Key of Azure AI Speech. Empty: the local voice only."},
    {"AZURE_SPEECH_REGION", KIND_TEXT, "", 0, 0, NULL,
     "Region of that key, like westeurope."},
    {"AZURE_SPEECH_URL", KIND_URL, "", 0, 0, NULL,
     "Where Azure AI Speech answers. Empty: the region's own address."},
    {"PEXELS_API_KEYS", KIND_SECRET, "", 0, 0, NULL,
     "Keys of Pexels, tried in order (comma list): a spare one stands in for one that is refused or used up. Empty: no clips from there."},
    {"PEXELS_API_URL", KIND_URL, "https://api.pexels.com/v1", 0, 0, NULL,
     "Where Pexels answers."},
    {"PIXABAY_API_KEYS", KIND_SECRET, "", 0, 0, NULL,
     "Keys of Pixabay, tried in order (comma list). Empty: no clips from there."},
    {"PIXABAY_API_URL", KIND_URL, "https://pixabay.com/api", 0, 0, NULL,
     "Where Pixabay answers."},
    {"NANO_RPC_URL", KIND_URLS, "", 0, 0, NULL,
     "Nano nodes (comma list): the first that works is used, sums above a limit are asked of all. Empty: no payments."},
    {"NANO_RPC_KEY", KIND_SECRET, "", 0, 0, NULL,
     "Their keys in the same order, empty where none (comma list): KEY, Header-Name: KEY, or field=KEY."},
    {"NANO_WS_URL", KIND_WS_URLS, "", 0, 0, NULL,
     "WebSocket of a node, ws:// or wss:// (comma list, tried in order): payments are seen within a second. Empty: polling only."},
    {"NANO_WORK_URL", KIND_URL, "", 0, 0, NULL,
     "Server that makes the work of blocks (work_generate). Empty: this machine makes it."},
    {"NANO_MCP_URL", KIND_URL, "", 0, 0, NULL,
     "Nano MCP server, only read: a second opinion on balances for doctor and reconcile. Empty: none."},
    {"NANO_NETWORK_ID", KIND_TEXT, "991CF190094C00F0B68E2E5F75F6BEE95A2E0BD93CEAA4A6734DB9F19B728948", 0, 0, NULL,
     "Network identifier that nodes must have; a node of another network is not used."},
    {"NANO_WALLET_ADDRESS", KIND_TEXT, "", 0, 0, NULL,
     "Your Nano address: payments are swept to it. Without NANO_SEED (environment or file only) everybody pays to it directly."},
    {"NANO_REPRESENTATIVE", KIND_TEXT, "", 0, 0, NULL,
     "Representative of the accounts that payments arrive on. Empty: the wallet."},
    {"NANO_PER_CREDIT", KIND_TEXT, "0.01", 0, 0, NULL,
     "What a credit costs in XNO."},
    {"NANO_PACKAGES", KIND_TEXT, "1=100,2=220,5=600,10=1250", 0, 0, NULL,
     "Packages, XNO=credits, rising; what is more than the plain price is the bonus."},
    {"NANO_ORDER_MINUTES", KIND_INT, "60", 1, 10080, NULL,
     "How long a price is promised, in minutes."},
    {"NANO_MINIMUM", KIND_TEXT, "0.001", 0, 0, NULL,
     "Smaller payments in XNO are not looked at."},
    {"NANO_SECOND_OPINION", KIND_TEXT, "10", 0, 0, NULL,
     "From this many XNO on every node of nano_rpc_url must call a payment confirmed; 0 is never."},
    {"NANO_SWEEP_ABOVE", KIND_TEXT, "1", 0, 0, NULL,
     "An account with this many XNO is emptied to the wallet; 0 is only with nanotik sweep."},
    {"NANO_FIAT_URL", KIND_URL, "", 0, 0, NULL,
     "JSON with the price of 1 XNO in money people know, asked every 10 minutes: a hint beside prices, nothing counts by it. Empty: none."},
    {"NANO_FIAT_FIELD", KIND_TEXT, "nano.usd", 0, 0, NULL,
     "Where the price stands in it, names with dots between."},
    {"NANO_FIAT_CURRENCY", KIND_TEXT, "USD", 0, 0, NULL,
     "What that price is in, as it is shown."},
    {"NANO_REFUNDS", KIND_CHOICE, "off", 0, 0, "off on",
     "Whether /refund sends unused bought credits back, from the treasury (nanotik address --treasury); needs the seed."},
    {"NANO_REFUND_MIN", KIND_TEXT, "0.01", 0, 0, NULL,
     "Smallest refund, in XNO."},
    {"NANO_REFUND_MAX", KIND_TEXT, "5", 0, 0, NULL,
     "Largest refund, in XNO."},
    {"NANO_REFUND_DAY", KIND_TEXT, "20", 0, 0, NULL,
     "All refunds of 24 hours together, in XNO."},
    {"NANO_SEND_DIFFICULTY", KIND_TEXT, "fffffff800000000", 0, 0, NULL,
     "Work threshold of sends, 16 hex digits; other networks have others."},
    {"NANO_RECEIVE_DIFFICULTY", KIND_TEXT, "fffffe0000000000", 0, 0, NULL,
     "Work threshold of receives."},
    {"TELEGRAM_BOT_TOKEN", KIND_SECRET, "", 0, 0, NULL,
     "Token from @BotFather. Empty: no Telegram."},
    {"TELEGRAM_API_URL", KIND_URL, "https://api.telegram.org", 0, 0, NULL,
     "Bot API server."},
    {"DISCORD_BOT_TOKEN", KIND_SECRET, "", 0, 0, NULL,
     "Token from the Discord developer portal. Empty: no Discord."},
    {"DISCORD_GUILD", KIND_TEXT, "", 0, 0, NULL,
     "Id of one server: commands are registered there only, and at once (for trying out). Empty: everywhere."},
    {"DISCORD_API_URL", KIND_URL, "https://discord.com/api/v10", 0, 0, NULL,
     "Discord's REST API."},
};
/* clang-format on */

/* Names that are no setting: hooks of the tests, and the place of the voice helper. Everything else that begins with NANOTIK_ and is
   not in the table is a typing error. */
static const char *const hooks[] = {"NANOTIK_CRASH_AT", "NANOTIK_SPEAK", "NANOTIK_TEST_"};

struct config {
    struct value value[COUNT(options)];
    char where[COUNT(options)][WHERE_MAX]; /* for messages: "config.toml:3: video_max_duration" */
};

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < COUNT(options) && strcmp(options[i].name, name) != 0)
        i++;
    return i;
}

static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

/* Takes over a value; text "" means "not set" and lets the fallback count. */
static bool set_value(struct config *c, size_t i, const char *where, const char *text,
                      struct err *e)
{
    struct value *v = &c->value[i];
    str_copy(c->where[i], sizeof(c->where[i]), where);
    if (strlen(text) >= VALUE_MAX)
        return config_wrong(e, where, "is longer than 4095 bytes");
    free(v->text);
    v->text = NULL;
    if (text[0] == '\0')
        return true;
    if (!config_check(&options[i], where, text, v, e))
        return false;
    v->text = str_dup(text);
    return true;
}

struct reader {
    struct config *c;
    const char *path;
    struct err *e;
};

static bool is_kind(const struct option *o, const struct toml_item *item)
{
    return item->kind == (o->kind == KIND_INT ? TOML_INT : TOML_TEXT);
}

static bool take_item(void *ctx, const struct toml_item *item)
{
    const struct reader *r = ctx;
    char where[WHERE_MAX];
    snprintf(where, sizeof(where), "%s:%d: %.100s", r->path, item->line, item->key);
    size_t i = 0;
    for (; i < COUNT(options); i++) {
        char name[64];
        str_copy(name, sizeof(name), options[i].name);
        lower(name);
        if (strcmp(name, item->key) == 0)
            break;
    }
    if (i == COUNT(options))
        return config_wrong(r->e, where, "no such setting");
    if (options[i].kind == KIND_SECRET)
        return config_wrong(r->e, where,
                            "secrets do not belong into this file: use the environment, a "
                            "_FILE variable or a systemd credential");
    if (!is_kind(&options[i], item))
        return config_wrong(
            r->e, where, options[i].kind == KIND_INT ? "must be a whole number" : "must be a text");
    char number[32];
    snprintf(number, sizeof(number), "%lld", (long long)item->integer);
    return set_value(r->c, i, where, item->kind == TOML_INT ? number : item->text, r->e);
}

static bool load_file(struct config *c, const char *path, struct err *e)
{
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    struct err why = {0};
    if (!fs_read(path, FILE_MAX, &text, &len, &why))
        return config_wrong(e, path, why.detail);
    struct reader r = {.c = c, .path = path, .e = e};
    int line;
    char problem[200] = "";
    if (config_toml_parse(text, len, take_item, &r, &line, problem, sizeof(problem)))
        return true;
    if (line == 0)
        return false; /* take_item has said why */
    char where[WHERE_MAX];
    snprintf(where, sizeof(where), "%.200s:%d", path, line);
    return config_wrong(e, where, problem);
}

/* A secret from a file, without the line end that editors add. */
static bool set_from_file(struct config *c, size_t i, const char *source, const char *path,
                          struct err *e)
{
    char where[WHERE_MAX];
    snprintf(where, sizeof(where), "%.80s (%.200s)", source, path);
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    struct err why = {0};
    if (!fs_read(path, VALUE_MAX - 1, &text, &len, &why))
        return config_wrong(e, where, why.detail);
    if (strlen(text) != len)
        return config_wrong(e, where, "has a zero byte");
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] == '\0')
        return config_wrong(e, where, "is empty");
    return set_value(c, i, where, text, e);
}

static bool has_file_form(const struct option *o)
{
    return o->kind == KIND_SECRET || o->kind == KIND_DB_URL;
}

static bool load_option_env(struct config *c, size_t i, struct err *e)
{
    const struct option *o = &options[i];
    const char *direct = getenv(o->name);
    if (direct && !*direct)
        direct = NULL;
    if (!has_file_form(o))
        return !direct || set_value(c, i, o->name, direct, e);
    char name[96];
    snprintf(name, sizeof(name), "%s_FILE", o->name);
    const char *file = getenv(name);
    if (file && !*file)
        file = NULL;
    if (direct && file)
        return config_wrong(e, name,
                            "set together with the variable itself; one of the two is enough");
    if (direct)
        return set_value(c, i, o->name, direct, e);
    if (file)
        return set_from_file(c, i, name, file, e);
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (!folder || !*folder)
        return true;
    AUTO(free_ptr) char *path = str_printf("%s/%s", folder, o->name);
    return !fs_exists(path) || set_from_file(c, i, "systemd credential", path, e);
}

static bool known_name(const char *name)
{
    for (size_t i = 0; i < COUNT(hooks); i++)
        if (str_ends(hooks[i], "_") ? str_starts(name, hooks[i]) : strcmp(name, hooks[i]) == 0)
            return true;
    if (find(name) < COUNT(options))
        return true;
    for (size_t i = 0; i < COUNT(options); i++)
        if (has_file_form(&options[i]) && str_starts(name, options[i].name) &&
            strcmp(name + strlen(options[i].name), "_FILE") == 0)
            return true;
    return false;
}

static bool load_env(struct config *c, struct err *e)
{
    for (char **entry = environ; entry && *entry; entry++) {
        char name[96];
        str_copy(name, sizeof(name), *entry);
        name[strcspn(name, "=")] = '\0';
        if (str_starts(name, "NANOTIK_") && !known_name(name))
            return config_wrong(e, name, "no such setting (from the environment)");
    }
    for (size_t i = 0; i < COUNT(options); i++)
        if (!load_option_env(c, i, e))
            return false;
    return true;
}

static bool check_plain(const struct config *c, struct err *e)
{
    if (config_int(c, "NANOTIK_ALLOW_PLAIN") == 1)
        return true;
    for (size_t i = 0; i < COUNT(options); i++) {
        enum kind kind = options[i].kind;
        bool is_address = kind == KIND_URL || kind == KIND_URLS || kind == KIND_WS_URLS;
        bool plain = false;
        if (is_address && c->value[i].text && config_is_address(kind, c->value[i].text, &plain) &&
            plain)
            return config_wrong(
                e, c->where[i],
                kind == KIND_WS_URLS
                    ? "plain ws:// only for this machine, unless NANOTIK_ALLOW_PLAIN=1"
                    : "plain http:// only for this machine, unless NANOTIK_ALLOW_PLAIN=1");
    }
    return true;
}

bool config_load(const char *path, struct config **ret_config, struct err *e)
{
    struct config *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    bool ok = true;
    if (path || fs_exists("config.toml"))
        ok = load_file(c, path ? path : "config.toml", e);
    if (!ok || !load_env(c, e) || !check_plain(c, e)) {
        config_free(c);
        return false;
    }
    *ret_config = c;
    return true;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < COUNT(options); i++)
        free(c->value[i].text);
    free(c);
}

static size_t must_find(const char *name)
{
    size_t i = find(name);
    if (i == COUNT(options))
        abort();
    return i;
}

const char *config_text(const struct config *c, const char *name)
{
    size_t i = must_find(name);
    return c->value[i].text ? c->value[i].text : options[i].fallback;
}

int64_t config_int(const struct config *c, const char *name)
{
    size_t i = must_find(name);
    if (options[i].kind != KIND_INT)
        abort();
    int64_t value = c->value[i].integer;
    if (!c->value[i].text && !str_to_int(options[i].fallback, INT64_MIN, INT64_MAX, &value))
        abort();
    return value;
}

bool config_lists(const char *list, const char *item)
{
    char one[VALUE_MAX];
    while (config_next_item(&list, one))
        if (strcmp(one, item) == 0)
            return true;
    return false;
}

bool config_is_set(const struct config *c, const char *name)
{
    return c->value[must_find(name)].text != NULL;
}

void config_print_example(FILE *out)
{
    fputs(
        "# NanoTik settings with their defaults. A line without its # changes one; the same name\n"
        "# in capitals in the environment wins over this file.\n",
        out);
    for (size_t i = 0; i < COUNT(options); i++) {
        const struct option *o = &options[i];
        char name[64];
        str_copy(name, sizeof(name), o->name);
        lower(name);
        fprintf(out, "\n# %s\n", o->help);
        if (o->kind == KIND_SECRET)
            fprintf(out, "# Secret: %s, %s_FILE or a systemd credential, never this file.\n",
                    o->name, o->name);
        else if (o->kind == KIND_INT)
            fprintf(out, "# %lld to %lld\n#%s = %s\n", (long long)o->low, (long long)o->high, name,
                    o->fallback);
        else if (o->kind == KIND_CHOICE)
            fprintf(out, "# one of: %s\n#%s = \"%s\"\n", o->choices, name, o->fallback);
        else
            fprintf(out, "#%s = \"%s\"\n", name, o->fallback);
    }
}
