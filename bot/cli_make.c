/*
 * `nanotik make` and `nanotik render`: one video without chat, database and credits.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bot/cli.h"
#include "bot/estimate.h"
#include "bot/make_args.h"
#include "bot/signals.h"
#include "bot/wire.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/job/pipeline.h"
#include "core/port/chat.h"
#include "core/story/text.h"

enum {
    BAR = 24,
    OPT_LANG = 256,
    OPT_ASPECT,
    OPT_QUALITY,
    OPT_SECONDS,
    OPT_VOICE,
    OPT_STYLE,
    OPT_MUSIC,
    OPT_SEED,
    OPT_STORY,
    OPT_CONFIG
};

struct order {
    const char *out, *story_path;
    char *text;
    struct make_args args; /* settings only */
};

static const struct option options[] = {
    {"output",  required_argument, NULL, 'o'        },
    {"lang",    required_argument, NULL, OPT_LANG   },
    {"aspect",  required_argument, NULL, OPT_ASPECT },
    {"quality", required_argument, NULL, OPT_QUALITY},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"voice",   required_argument, NULL, OPT_VOICE  },
    {"style",   required_argument, NULL, OPT_STYLE  },
    {"music",   required_argument, NULL, OPT_MUSIC  },
    {"seed",    required_argument, NULL, OPT_SEED   },
    {"story",   required_argument, NULL, OPT_STORY  },
    {"config",  required_argument, NULL, OPT_CONFIG },
    {NULL,      0,                 NULL, 0          },
};

/* An option's value as the word that a chat would take. */
static bool set_word(struct order *order, int option, const char *value, struct err *e)
{
    static const struct {
        int option;
        const char *format;
    } words[] = {
        {OPT_LANG,    "lang:%s" },
        {OPT_ASPECT,  "%s"      },
        {OPT_QUALITY, "%s"      },
        {OPT_SECONDS, "%ss"     },
        {OPT_VOICE,   "voice:%s"},
        {OPT_STYLE,   "style:%s"},
        {OPT_MUSIC,   "music:%s"},
        {OPT_SEED,    "seed:%s" },
    };
    char word[128];
    bool known = false;
    size_t i = 0;
    while (words[i].option != option)
        i++;
    size_t skip = strlen(words[i].format) - 2 - (option == OPT_SECONDS ? 1 : 0);
    snprintf(word, sizeof(word), "%.*s%s%s", (int)skip, words[i].format, value,
             option == OPT_SECONDS ? "s" : "");
    struct story_settings before = order->args.settings;
    if (!make_args_word(word, 3600, &order->args, &known, e))
        return false;
    bool wrong_kind = (option == OPT_ASPECT && before.tier != order->args.settings.tier) ||
                      (option == OPT_QUALITY && before.aspect != order->args.settings.aspect);
    if (!known || wrong_kind)
        return err_set_arg(e, ERR_INPUT, "cli.bad_value", value, "option value");
    return true;
}

/* False: the exit code is in *ret_code. */
static bool read_options(struct cli *cli, struct order *order, int *ret_code)
{
    struct err e;
    int option = 0;
    *ret_code = CLI_USAGE;
    opterr = 0;
    optind = 0;
    while ((option = getopt_long(cli->argc, cli->argv, ":o:", options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            cli_bad_option(cli);
            return false;
        }
        if (option == 'o')
            order->out = optarg;
        else if (option == OPT_STORY)
            order->story_path = optarg;
        else if (option == OPT_CONFIG)
            cli->config_path = optarg;
        else if (!set_word(order, option, optarg, &e)) {
            cli_usage(cli, e.user_key, e.arg);
            return false;
        }
    }
    if (optind >= cli->argc) {
        cli_usage(cli, strcmp(cli->argv[0], "render") == 0 ? "cli.need_story" : "cli.need_text",
                  NULL);
        return false;
    }
    if (!cli_at_end(cli, optind + 1))
        return false;
    if (!order->out || !str_ends(order->out, ".mp4")) {
        cli_usage(cli, order->out ? "cli.output_name" : "cli.need_output", order->out);
        return false;
    }
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
        s->seed = 1;
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
        cli_complain(cli, e.user_key, e.arg);
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
    int code = CLI_USAGE;
    if (!read_options(cli, &order, &code))
        return code;
    const char *text = cli->argv[optind];
    if (strcmp(text, "-") != 0) {
        order.text = str_dup(text);
    } else if (!read_stdin(&order.text, &e)) {
        cli_complain(cli, e.user_key, e.arg);
        return CLI_FAILED;
    }
    code = with_tools(cli, &order, make_with);
    free(order.text);
    return code;
}

int cli_render(struct cli *cli)
{
    struct order order = {0};
    struct err e = {0};
    size_t len = 0;
    int code = CLI_USAGE;
    if (!read_options(cli, &order, &code))
        return code;
    const char *path = cli->argv[optind];
    if (!fs_read(path, STORY_JSON_MAX, &order.text, &len, &e)) {
        if (e.code == ERR_NOT_FOUND)
            cli_complain(cli, "error.file_missing", path);
        else
            cli_fail(cli, &e);
        return CLI_FAILED;
    }
    code = with_tools(cli, &order, render_with);
    free(order.text);
    return code;
}
