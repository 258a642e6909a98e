/*
 * nanotik: the program. Reads the first words of the command line and hands over to a subcommand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bot/cli.h"
#include "bot/signals.h"
#include "core/base/hash.h"
#include "core/video/video.h"

static const struct {
    const char *name;
    int (*run)(struct cli *cli);
} subcommands[] = {
    {"run",       cli_run      },
    {"make",      cli_make     },
    {"render",    cli_render   },
    {"grant",     cli_grant    },
    {"pardon",    cli_pardon   },
    {"migrate",   cli_migrate  },
    {"backup",    cli_backup   },
    {"restore",   cli_restore  },
    {"reconcile", cli_reconcile},
    {"sweep",     cli_sweep    },
    {"address",   cli_address  },
    {"doctor",    cli_doctor   },
};

static const char *env_lang(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value && value[0]) {
            const char *lang = i18n_match(value);
            return lang[0] ? lang : "en";
        }
    }
    return "en";
}

static int print_help(const struct cli *cli)
{
    AUTO(free_ptr) char *text = i18n_text(cli->lang, "cli.help");
    printf("%s\n", text);
    return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int run_subcommand(struct cli *cli, const char *name)
{
    if (strcmp(name, "help") == 0)
        return print_help(cli);
    for (int i = 1; i < cli->argc && strcmp(cli->argv[i], "--") != 0; i++)
        if (strcmp(cli->argv[i], "--help") == 0)
            return print_help(cli);
    for (size_t i = 0; i < COUNT(subcommands); i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return subcommands[i].run(cli);
    return cli_usage(cli, "cli.unknown_command", name);
}

/* Options before the subcommand. True: *ret_code is the end; else *ret_at is the subcommand. */
static bool read_globals(struct cli *cli, int *ret_at, int *ret_code)
{
    static const struct cli_option options[] = {
        {"help", 'h', false, 'h'},
        {"version", 'V', false, 'V'},
        CLI_CONFIG_OPTION, {0     }
    };
    struct cli_args args = {.stop_at_word = true};
    bool ok = true;
    int option = cli_option(cli, &args, options, &ok);
    *ret_at = args.at;
    if (!ok)
        *ret_code = CLI_USAGE;
    else if (option == 'h')
        *ret_code = print_help(cli);
    else if (option == 'V')
        *ret_code = printf("nanotik %s\n", NANOTIK_VERSION) > 0 && fflush(stdout) == 0 ? CLI_OK
                                                                                       : CLI_FAILED;
    return !ok || option != CLI_END;
}

int main(int argc, char **argv)
{
    static char run_name[] = "run";
    static char *run_argv[] = {run_name, NULL};
    struct err e = {0};
    struct cli cli = {.lang = "en", .argc = argc, .argv = argv};
    int code = CLI_OK, at = 1;
    signals_block();
    hash_setup();
    cancel_init(&cli.stop, NULL);
    if (!i18n_setup(&e)) {
        fprintf(stderr, "nanotik: %s\n", e.detail);
        return CLI_FAILED;
    }
    cli.lang = env_lang();
    if (!read_globals(&cli, &at, &code)) {
        video_setup();
        cli.argc = at < argc ? argc - at : 1;
        cli.argv = at < argc ? argv + at : run_argv;
        code = run_subcommand(&cli, cli.argv[0]);
    }
    config_free(cli.config);
    i18n_teardown();
    return code;
}
