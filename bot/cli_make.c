/*
 * `nanotik make` and `nanotik render`: one video without chat, database and credits.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bot/cli.h"
#include "bot/estimate.h"
#include "bot/make_args.h"
#include "bot/possible.h"
#include "bot/signals.h"
#include "bot/wire.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/job/pipeline.h"
#include "core/port/chat.h"
#include "core/story/text.h"

enum {
    BAR = 24,
    SECONDS_MAX = 3600, /* the highest VIDEO_MAX_DURATION */
    VOICES_SHOWN = 40,
    OPT_LANG = 256,
    OPT_ASPECT,
    OPT_QUALITY,
    OPT_SECONDS,
    OPT_VOICE,
    OPT_SPEED,
    OPT_STYLE,
    OPT_SCRIPT,
    OPT_WISH,
    OPT_MUSIC,
    OPT_SEED,
    OPT_STORY,
};

struct order {
    const char *word; /* the text, "-", or the storyboard's file */
    const char *out, *story_path;
    char *text;
    struct make_args args; /* settings only */
};

static const struct cli_option options[] = {
    {"output",     'o', true, 'o'},
    {"lang",        OPT_LANG, true, 0},
    {"aspect",            OPT_ASPECT, true, 0},
    {"quality",OPT_QUALITY, true, 0},
    {"seconds",           OPT_SECONDS, true, 0},
    {"voice",     OPT_VOICE, true, 0},
    {"speed",        OPT_SPEED, true, 0},
    {"style",            OPT_STYLE, true, 0},
    {"script",     OPT_SCRIPT, true, 0},
    {"wish",           OPT_WISH, true, 0},
    {"music",    OPT_MUSIC, true, 0},
    {"seed",        OPT_SEED, true, 0},
    {"story",            OPT_STORY, true, 0},
    CLI_CONFIG_OPTION,
    {0},
};

/* An option's value as the word that a chat would take. */
static bool set_word(struct order *order, int option, const char *value, struct err *e)
{
    static const struct {
        int option;
        const char *format;
    } words[] = {
        {OPT_LANG,    "lang:%s"  },
        {OPT_ASPECT,  "%s"       },
        {OPT_QUALITY, "%s"       },
        {OPT_SECONDS, "%ss"      },
        {OPT_VOICE,   "voice:%s" },
        {OPT_SPEED,   "speed:%s" },
        {OPT_STYLE,   "style:%s" },
        {OPT_SCRIPT,  "script:%s"},
        {OPT_WISH,    "wish:%s"  },
        {OPT_MUSIC,   "music:%s" },
        {OPT_SEED,    "seed:%s"  },
    };
    char word[STORY_WISH_MAX + 16];
    bool known = false;
    size_t i = 0;
    while (words[i].option != option)
        i++;
    size_t skip = strlen(words[i].format) - 2 - (option == OPT_SECONDS ? 1 : 0);
    snprintf(word, sizeof(word), "%.*s%s%s", (int)skip, words[i].format, value,
             option == OPT_SECONDS ? "s" : "");
    struct story_settings before = order->args.settings;
    if (!make_args_word(word, SECONDS_MAX, &order->args, &known, e))
        return false;
    bool wrong_kind = (option == OPT_ASPECT && before.tier != order->args.settings.tier) ||
                      (option == OPT_QUALITY && before.aspect != order->args.settings.aspect);
    if (!known || wrong_kind)
        return err_set_arg(e, ERR_INPUT, "cli.bad_value", value, "option value");
    return true;
}

/* Better known before an hour of rendering than after it. */
static bool folder_writable(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO(free_ptr) char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : str_dup(".");
    return folder && access(folder, W_OK | X_OK) == 0;
}

/* Before minutes of work, not after. */
static bool output_possible(struct cli *cli, const struct order *o)
{
    assert(o->out); /* read_options asked for it */
    bool possible = folder_writable(o->out);
    if (!possible)
        cli_complain(cli, "cli.output_folder", o->out);
    return possible;
}

/* False: usage was told. */
static bool read_options(struct cli *cli, struct order *order)
{
    struct cli_args args = {0};
    struct err e;
    bool ok = true;
    int option = 0;
    while ((option = cli_option(cli, &args, options, &ok)) != CLI_END) {
        if (option == 'o') {
            order->out = args.value;
        } else if (option == OPT_STORY) {
            order->story_path = args.value;
        } else if (!set_word(order, option, args.value, &e)) {
            const struct toolbox none = {.seconds_max = SECONDS_MAX};
            AUTO(card_doc_free) struct card_doc doc;
            card_begin(&doc, cli->lang);
            if (strcmp(e.user_key, "make.bad_aspect") != 0)
                possible_add(&doc, cli->lang, &none, e.user_key);
            cli_usage(cli, e.user_key, e.arg);
            if (doc.card.line_count)
                fprintf(stderr, "%s\n", doc.card.lines[0]);
            return false;
        }
    }
    if (!ok || !cli_words_ok(cli, &args, 1))
        return false;
    const char *missing = strcmp(cli->argv[0], "render") == 0 ? "cli.need_story" : "cli.need_text";
    if (args.word_count == 0 || !order->out)
        return cli_usage(cli, args.word_count ? "cli.need_output" : missing, NULL) == CLI_OK;
    if (!str_ends(order->out, ".mp4"))
        return cli_usage(cli, "cli.output_name", order->out) == CLI_OK;
    order->word = args.words[0];
    return true;
}

static bool read_stdin(char **ret, struct err *e)
{
    struct strbuf text = STRBUF(CHAT_LINE_MAX);
    char chunk[16384];
    size_t n = 0;
    while (!text.failed && (n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        for (size_t at = 0; at < n;) { /* NUL bytes are no text */
            size_t len = strnlen(chunk + at, n - at);
            strbuf_add(&text, chunk + at, len);
            at += len + 1;
        }
    bool too_long = text.failed;
    *ret = strbuf_take(&text);
    return !too_long || err_set(e, ERR_LIMIT, "cli.stdin_too_long", "over %d bytes", CHAT_LINE_MAX);
}

/* The same words give the same film, other words other pictures. */
static uint64_t seed_of(const char *text)
{
    struct hash h;
    char hex[HASH_HEX];
    hash_begin(&h, "seed");
    hash_text(&h, "text", text);
    hash_end(&h, hex);
    hex[12] = '\0';
    return strtoull(hex, NULL, 16);
}

static bool check_order(struct cli *cli, struct order *o, const struct toolbox *tools,
                        struct err *e)
{
    struct story_settings *s = &o->args.settings;
    utf8_clean(o->text);
    AUTO(free_ptr) char *clean = text_clean(o->text);
    if (!o->text[strspn(o->text, " \t\r\n")])
        return err_set(e, ERR_INPUT, "cli.need_text", "%s", "");
    if (!clean || !text_has_words(clean))
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "%s", "");
    if (!o->args.has_lang)
        make_args_guess_lang(clean, "", cli->lang, s->lang);
    if (!o->args.has_seed)
        s->seed = seed_of(clean);
    int64_t estimate_ms = 0;
    return pipeline_check_voice(tools, s, e) &&
           estimate_length(tools, cli->lang, o->text, s, &estimate_ms, e);
}

static void show_progress(void *data, const struct pipeline_progress *p)
{
    const struct cli *cli = data;
    struct strbuf line = STRBUF(1024);
    strbuf_adds(&line, "\r\033[K");
    for (int i = 0; i < BAR; i++)
        strbuf_adds(&line, i < p->percent * BAR / 100 ? "█" : "░");
    strbuf_addf(&line, " %d %%", p->percent);
    for (int i = 0; i < PIPE_STAGES; i++) {
        char key[32];
        if (p->stages[i] != PIPE_RUNNING)
            continue;
        snprintf(key, sizeof(key), "stage.%s", pipeline_stage_name((enum pipeline_stage)i));
        AUTO(free_ptr) char *stage = i18n_text(cli->lang, key);
        strbuf_addf(&line, " %s", stage);
    }
    if (p->left_ms >= 0) {
        AUTO(free_ptr) char *time = i18n_duration(cli->lang, p->left_ms);
        AUTO(free_ptr) char *left = i18n_text(cli->lang, "status.left", I18N_TEXT("time", time));
        strbuf_addf(&line, " %s", left);
    }
    fputs(strbuf_text(&line), stderr);
    fflush(stderr);
    strbuf_free(&line);
}

/* Runs the storyboard, saves it when asked, prints where the film is. */
static int run_story(struct cli *cli, const struct order *o, const struct toolbox *tools,
                     struct storyboard *story)
{
    struct err e = {0};
    struct pipeline_result result;
    bool bar = isatty(STDERR_FILENO);
    struct pipeline_run run = {
        .tools = tools,
        .topic = o->text,
        .story = story,
        .out_path = o->out,
        .cancel = &cli->stop,
        .on_progress = bar ? show_progress : NULL,
        .ctx = cli,
    };
    bool ok = pipeline_run(&run, &result, &e);
    if (bar)
        fputs("\r\033[K", stderr);
    if (!ok && cancel_fired(&cli->stop)) {
        cli_complain(cli, "cli.interrupted", NULL);
        return CLI_INTERRUPTED;
    }
    AUTO(free_ptr) char *json = NULL;
    if (!ok || (o->story_path && (!storyboard_to_json(story, &json, &e) ||
                                  !fs_write(o->story_path, json, strlen(json), &e))))
        return cli_fail(cli, &e);
    printf("%s\n", o->out);
    return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int make_with(struct cli *cli, struct order *o, const struct toolbox *tools)
{
    struct err e = {0};
    if (!check_order(cli, o, tools, &e)) {
        AUTO(card_doc_free) struct card_doc doc;
        cli_complain(cli, e.user_key, e.arg);
        card_begin(&doc, cli->lang);
        if (strcmp(e.user_key, "make.unknown_voice") == 0)
            card_add_line(&doc, possible_voices(&doc, tools, o->args.settings.lang, VOICES_SHOWN));
        else
            possible_add(&doc, cli->lang, tools, e.user_key);
        if (doc.card.line_count)
            fprintf(stderr, "%s\n", doc.card.lines[0]);
        return CLI_FAILED;
    }
    AUTO(storyboard_free) struct storyboard story = {.settings = o->args.settings};
    return run_story(cli, o, tools, &story);
}

static int render_with(struct cli *cli, struct order *o, const struct toolbox *tools)
{
    struct err e = {0};
    AUTO(storyboard_free) struct storyboard story = {0};
    if (!storyboard_from_json(o->text, strlen(o->text), &story, &e) ||
        !pipeline_check_voice(tools, &story.settings, &e))
        return cli_fail(cli, &e);
    if (story.scene_count == 0) {
        cli_complain(cli, "make.nothing_to_say", NULL);
        return CLI_FAILED;
    }
    return run_story(cli, o, tools, &story);
}

/* Signals, configuration and tools around the work itself. */
static int with_tools(struct cli *cli, struct order *o,
                      int (*work)(struct cli *, struct order *, const struct toolbox *))
{
    struct err e = {0};
    struct signals *signals = NULL;
    struct wire_tools *tools = NULL;
    int code = CLI_FAILED;
    if (!cli_load_config(cli, &e) || !signals_start(&cli->stop, 0, NULL, &signals, &e) ||
        !wire_tools_make(cli, &tools, &e))
        cli_fail(cli, &e);
    else
        code = work(cli, o, wire_toolbox(tools));
    wire_tools_free(tools);
    signals_stop(signals);
    return code;
}

int cli_make(struct cli *cli)
{
    struct order order = {0};
    struct err e = {0};
    if (!read_options(cli, &order))
        return CLI_USAGE;
    if (!output_possible(cli, &order))
        return CLI_FAILED;
    const char *text = order.word;
    if (strcmp(text, "-") != 0) {
        order.text = str_dup(text);
    } else if (!read_stdin(&order.text, &e)) {
        cli_complain(cli, e.user_key, e.arg);
        return CLI_FAILED;
    }
    int code = with_tools(cli, &order, make_with);
    free(order.text);
    return code;
}

int cli_render(struct cli *cli)
{
    struct order order = {0};
    struct err e = {0};
    size_t len = 0;
    if (!read_options(cli, &order))
        return CLI_USAGE;
    if (!output_possible(cli, &order))
        return CLI_FAILED;
    const char *path = order.word;
    if (!fs_read(path, STORY_JSON_MAX, &order.text, &len, &e)) {
        if (e.code == ERR_NOT_FOUND)
            cli_complain(cli, "error.file_missing", path);
        else
            cli_fail(cli, &e);
        return CLI_FAILED;
    }
    int code = with_tools(cli, &order, render_with);
    free(order.text);
    return code;
}
