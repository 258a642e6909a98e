/* config: where a value comes from, and what each wrong one is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/config.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"

static char folder[256];
static char source[1024]; /* the folder that the program was started in: the repository */

static void put(const char *name, const char *text)
{
    struct err e;
    if (!fs_write(name, text, strlen(text), &e))
        fail_msg("%s", e.detail);
}

/* An empty environment and an empty folder before each case. */
static int fresh(void **state)
{
    (void)state;
    clearenv();
    fs_remove(folder);
    struct err e;
    return fs_mkdirs(folder, 0700, &e) && chdir(folder) == 0 ? 0 : -1;
}

static struct config *must_load(const char *path)
{
    struct config *c = NULL;
    struct err e = {0};
    if (!config_load(path, &c, &e))
        fail_msg("%s", e.detail);
    return c;
}

static void defaults_without_anything(void **state)
{
    (void)state;
    struct config *c = must_load(NULL);
    assert_string_equal(config_text(c, "NANOTIK_DATA"), "./var");
    assert_string_equal(config_text(c, "DATABASE_URL"), "");
    assert_string_equal(config_text(c, "TELEGRAM_API_URL"), "https://api.telegram.org");
    static const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"VIDEO_MAX_DURATION",       180 },
        {"NANOTIK_CACHE_MB",         2048},
        {"NANOTIK_TRIAL_CREDITS",    1   },
        {"NANOTIK_PRICE_BASIC",      1   },
        {"NANOTIK_PRICE_HD",         2   },
        {"NANOTIK_PRICE_PREMIUM",    3   },
        {"NANOTIK_RENDER_THREADS",   0   },
        {"NANOTIK_SHUTDOWN_SECONDS", 20  },
        {"NANOTIK_LEASE_SECONDS",    20  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(config_int(c, rows[i].name), rows[i].value);
        assert_false(config_is_set(c, rows[i].name));
    }
    config_free(c);
    config_free(NULL);
}

static void environment_over_file_over_default(void **state)
{
    (void)state;
    put("config.toml", "# a comment\nvideo_max_duration = 60\nnanotik_data = \"/from/file\"\n"
                       "nanotik_log = 'json'\nnanotik_price_hd = 1_000\n");
    setenv("NANOTIK_DATA", "/from/env", 1);
    setenv("VIDEO_TEMP_DIR", "", 1); /* empty is as good as not set */
    struct config *c = must_load(NULL);
    assert_string_equal(config_text(c, "NANOTIK_DATA"), "/from/env");
    assert_int_equal(config_int(c, "VIDEO_MAX_DURATION"), 60);
    assert_int_equal(config_int(c, "NANOTIK_PRICE_HD"), 1000);
    assert_string_equal(config_text(c, "NANOTIK_LOG"), "json");
    assert_true(config_is_set(c, "NANOTIK_DATA") && config_is_set(c, "VIDEO_MAX_DURATION"));
    assert_false(config_is_set(c, "VIDEO_TEMP_DIR"));
    config_free(c);
    put("other.toml", "video_max_duration = 61");
    c = must_load("other.toml"); /* a named file instead of ./config.toml, not as well */
    assert_int_equal(config_int(c, "VIDEO_MAX_DURATION"), 61);
    assert_string_equal(config_text(c, "NANOTIK_LOG"), "warn");
    config_free(c);
    /* A bad value that the environment overrides is still an error of the file. */
    put("config.toml", "video_max_duration = 5");
    setenv("VIDEO_MAX_DURATION", "60", 1);
    struct err e;
    assert_false(config_load(NULL, &c, &e));
}

static void each_mistake_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *file; /* NULL: none */
        const char *env;  /* "NAME=value" or NULL */
        const char *want; /* what the message must be */
    } rows[] = {
        {"\n\nvideo_max_durations = 60",                                   NULL,
         "config.toml:3: video_max_durations: no such setting"                                                                                                                        },
        {"[nanotik]\ndata = 'x'",                                          NULL,                                               "config.toml:1: is not: name = number"                 },
        {"VIDEO_MAX_DURATION = 60",                                        NULL,                                               "config.toml:1: VIDEO_MAX_DURATION: no such setting"   },
        {"x = 1\nvideo_max_duration = 'x",                                 NULL,                                               "config.toml:2: "                                      },
        {"nanotik_data = 'a'\nnanotik_data = 'b'",                         NULL,                                               "config.toml:2: "                                      },
        {"video_max_duration = '60'",                                      NULL,
         "config.toml:1: video_max_duration: must be a whole number"                                                                                                                  },
        {"video_max_duration = 60.0",                                      NULL,
         "config.toml:1: video_max_duration: must be a whole number"                                                                                                                  },
        {"video_max_duration = true",                                      NULL,
         "config.toml:1: video_max_duration: must be a whole number"                                                                                                                  },
        {"\nnanotik_data = 7",                                             NULL,                                               "config.toml:2: nanotik_data: must be a text"          },
        {"nanotik_data = ['a']",                                           NULL,                                               "config.toml:1: is not: name = number"                 },
        {"nanotik_data = \"a\\u0000b\"",                                   NULL,                                               "config.toml:1: nanotik_data: must be a text"          },
        {"a = 1\n  [|]",                                                   NULL,                                               "config.toml:2: is not: name = number"                 },
        {"\nvideo_max_duration = 60s",                                     NULL,                                               "config.toml:2: "                                      },
        {"[nanotik_data]\nx = 1",                                          NULL,                                               "config.toml:1: is not: name = number"                 },
        {"# \u4e2d\nnanotik_data = '\u4e2d'\nvideo_max_duration = \u4e2d", NULL,
         "config.toml:3: is not: name = number"                                                                                                                                       },
        {"\nx = [1, 7n05-=5]",                                             NULL,                                               "config.toml:2: is not: name = number"                 },
        {"nanotik_data.x = 1",                                             NULL,                                               "config.toml:1: nanotik_data: must be a text"          },
        {"nanotik_data = 'a\x01'",                                         NULL,                                               "config.toml:1: "                                      },
        {"video_max_duration = 9",                                         NULL,
         "config.toml:1: video_max_duration: must be a whole number from 10 to 3600"                                                                                                  },
        {"nanotik_log = 'loud'",                                           NULL,
         "config.toml:1: nanotik_log: must be one of: warn info debug json"                                                                                                           },
        {"nanotik_log = 'info debug'",                                     NULL,                                               "config.toml:1: nanotik_log: must be one of"           },
        {"telegram_bot_token = '1:a'",                                     NULL,
         "config.toml:1: telegram_bot_token: secrets do not belong"                                                                                                                   },
        {"nanotik_id_key = 'a'",                                           NULL,                                               "config.toml:1: nanotik_id_key: secrets do not belong" },
        {"\n\ntelegram_api_url = 'http://example.org'",                    NULL,
         "config.toml:3: telegram_api_url: plain http:// only for this machine"                                                                                                       },
        {"nanotik_data = '\xff'",                                          NULL,                                               "config.toml:1: "                                      },
        {NULL,                                                             "NANOTIK_CACHE=7",                                  "NANOTIK_CACHE: no such setting (from the environment)"},
        {NULL,                                                             "NANOTIK_CRASH=7",                                  "NANOTIK_CRASH: no such setting"                       },
        {NULL,                                                             "NANOTIK_CRASH_ATX=7",                              "NANOTIK_CRASH_ATX: no such setting"                   },
        {NULL,                                                             "NANOTIK_CACHE_MB_FILE=/x",                         "NANOTIK_CACHE_MB_FILE: no such setting"               },
        {NULL,                                                             "VIDEO_MAX_DURATION=60s",
         "VIDEO_MAX_DURATION: must be a whole number from 10 to 3600"                                                                                                                 },
        {NULL,                                                             "VIDEO_MAX_DURATION= 60",                           "VIDEO_MAX_DURATION: must be"                          },
        {NULL,                                                             "VIDEO_MAX_DURATION=99999999999999999999",          "VIDEO_MAX_DURATION: must be"                          },
        {NULL,                                                             "NANOTIK_LOG=Info",                                 "NANOTIK_LOG: must be one of"                          },
        {NULL,                                                             "NANOTIK_ALLOW_PLAIN=yes",                          "NANOTIK_ALLOW_PLAIN: must be"                         },
        {NULL,                                                             "TELEGRAM_API_URL=ftp://x",                         "TELEGRAM_API_URL: must be an http"                    },
        {NULL,                                                             "TELEGRAM_API_URL=https://",                        "TELEGRAM_API_URL: must be an http"                    },
        {NULL,                                                             "TELEGRAM_API_URL=https://user@host",               "TELEGRAM_API_URL: must be an http"                    },
        {NULL,                                                             "TELEGRAM_API_URL=http://127.0.0.1.evil.org",
         "TELEGRAM_API_URL: plain http:// only"                                                                                                                                       },
        {NULL,                                                             "TELEGRAM_API_URL=http://10.0.0.1:80",              "TELEGRAM_API_URL: plain http:// only"                 },
        {NULL,                                                             "NANO_RPC_URL=node.example",                        "NANO_RPC_URL: must be http:// or https:// addresses"  },
        {NULL,                                                             "NANO_RPC_URL=http://127.0.0.1:1,ftp://x",
         "NANO_RPC_URL: must be http:// or https://"                                                                                                                                  },
        {NULL,                                                             "NANO_RPC_URL=https://a.example, http://b.example",
         "NANO_RPC_URL: plain http:// only"                                                                                                                                           },
        {NULL,                                                             "NANO_WS_URL=https://a.example",                    "NANO_WS_URL: must be ws:// or wss:// addresses"       },
        {NULL,                                                             "NANO_WS_URL=ws://a.example",                       "NANO_WS_URL: plain ws:// only"                        },
        {NULL,                                                             "NANOTIK_ADMINS=telegram:@bob",
         "NANOTIK_ADMINS: \"telegram:@bob\" must be NETWORK:ID with the id in digits, the network "
         "one of: telegram discord"                                                                                                                                                   },
        {NULL,                                                             "NANOTIK_ADMINS=telegram:1, 12345 ,discord:2",      "NANOTIK_ADMINS: \"12345\" must be"                    },
        {NULL,                                                             "NANOTIK_ADMINS=telegram:1,discord:2x",             "NANOTIK_ADMINS: \"discord:2x\" must be"               },
        {NULL,                                                             "NANOTIK_ADMINS=discord:",                          "NANOTIK_ADMINS: \"discord:\" must be"                 },
        {NULL,                                                             "NANOTIK_ADMINS=discord:007",                       "NANOTIK_ADMINS: \"discord:007\" must be"              },
        {NULL,                                                             "NANOTIK_ADMINS=telegram:-100123",                  "NANOTIK_ADMINS: \"telegram:-100123\" must be"         },
        {NULL,                                                             "NANOTIK_ADMINS=telegram: 5",                       "NANOTIK_ADMINS: \"telegram: 5\" must be"              },
        {NULL,                                                             "NANOTIK_ADMINS=discord:123456789012345678901",
         "NANOTIK_ADMINS: \"discord:123456789012345678901\" must be"                                                                                                                  },
        {NULL,                                                             "NANOTIK_ADMINS=irc:5",                             "NANOTIK_ADMINS: \"irc:5\" must be"                    },
        {"nanotik_admins = 'Telegram:5'",                                  NULL,
         "config.toml:1: nanotik_admins: \"Telegram:5\" must be"                                                                                                                      },
        {NULL,                                                             "DATABASE_URL=mysql://x",                           "DATABASE_URL: must be a postgresql:// address"        },
        {NULL,                                                             "TELEGRAM_BOT_TOKEN_FILE=/no/such/file",
         "TELEGRAM_BOT_TOKEN_FILE (/no/such/file): open"                                                                                                                              },
        {NULL,                                                             "TELEGRAM_BOT_TOKEN_FILE=/dev/null",                "TELEGRAM_BOT_TOKEN_FILE (/dev/null): read"            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        fresh(NULL);
        if (rows[i].file)
            put("config.toml", rows[i].file);
        if (rows[i].env) {
            char name[64];
            snprintf(name, sizeof(name), "%.*s", (int)strcspn(rows[i].env, "="), rows[i].env);
            setenv(name, strchr(rows[i].env, '=') + 1, 1);
        }
        struct config *c = (struct config *)1;
        struct err e = {0};
        if (config_load(NULL, &c, &e))
            fail_msg("accepted: %s", rows[i].want);
        assert_ptr_equal(c, (struct config *)1);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_string_equal(e.user_key, "start.bad_config");
        if (!str_starts(e.detail, rows[i].want))
            fail_msg("\"%s\" instead of \"%s\"", e.detail, rows[i].want);
        assert_true(str_starts(e.detail, e.arg)); /* the person reads the same, perhaps shorter */
    }
}

static void files_that_cannot_be_read(void **state)
{
    (void)state;
    struct config *c;
    struct err e;
    assert_false(config_load("missing.toml", &c, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_true(str_starts(e.detail, "missing.toml: open missing.toml: No such file"));
    assert_false(config_load(folder, &c, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    fs_remove("config.toml");
    struct err why;
    assert_true(fs_mkdirs("config.toml", 0700, &why)); /* there, but no file */
    assert_false(config_load(NULL, &c, &e));
    fs_remove("config.toml");
    static char big[(1 << 20) + 2];
    memset(big, '\n', sizeof(big) - 1);
    put("config.toml", big);
    assert_false(config_load(NULL, &c, &e));
}

static void accepted_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"TELEGRAM_API_URL",    "http://127.0.0.1:8081"                         },
        {"TELEGRAM_API_URL",    "http://localhost"                              },
        {"TELEGRAM_API_URL",    "http://[::1]:8081/bot"                         },
        {"TELEGRAM_API_URL",    "https://example.org/path"                      },
        {"NANO_RPC_URL",        " http://127.0.0.1:7076 , https://a.example/x,,"},
        {"NANO_WS_URL",         "ws://localhost:7078,wss://a.example"           },
        {"DATABASE_URL",        "postgresql://u:p@host/db"                      },
        {"DATABASE_URL",        "host=/run/postgresql dbname=x"                 },
        {"NANOTIK_FOOTAGE_DIR", "/a folder/with \xe4\xb8\xad"                   },
        {"NANOTIK_ADMINS",      " telegram:1 , discord:18446744073709551615,,"  },
        {"NANOTIK_LOG",         "debug"                                         },
        {"NANOTIK_CRASH_AT",    NULL                                            },
        {"NANOTIK_TEST_FAKE",   NULL                                            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        fresh(NULL);
        setenv(rows[i].name, rows[i].value ? rows[i].value : "hook", 1);
        struct config *c = must_load(NULL);
        if (rows[i].value)
            assert_string_equal(config_text(c, rows[i].name), rows[i].value);
        config_free(c);
    }
    setenv("NANOTIK_ALLOW_PLAIN", "1", 1);
    setenv("TELEGRAM_API_URL", "http://10.0.0.1:8081", 1);
    config_free(must_load(NULL));
}

static void items_of_a_list(void **state)
{
    (void)state;
    static const struct {
        const char *list, *item;
        bool has;
    } rows[] = {
        {"telegram:1",               "telegram:1",           true },
        {" telegram:1 ,\tdiscord:2", "discord:2",            true },
        {"telegram:12",              "telegram:1",           false},
        {"telegram:1",               "telegram:12",          false},
        {"telegram:1,discord:2",     "telegram:1,discord:2", false},
        {"",                         "telegram:1",           false},
        {",,",                       "",                     false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (config_lists(rows[i].list, rows[i].item) != rows[i].has)
            fail_msg("\"%s\" in \"%s\"", rows[i].item, rows[i].list);
}

static void assert_token(const char *want)
{
    struct config *c = must_load(NULL);
    assert_string_equal(config_text(c, "TELEGRAM_BOT_TOKEN"), want);
    assert_true(config_is_set(c, "TELEGRAM_BOT_TOKEN"));
    config_free(c);
    char line[128];
    snprintf(line, sizeof(line), "GET /bot%s/getMe", want);
    log_redact(line);
    assert_string_equal(line, "GET /bot[secret]/getMe");
}

static void secrets_from_three_places(void **state)
{
    (void)state;
    setenv("TELEGRAM_BOT_TOKEN", "111:from-the-environment", 1);
    assert_token("111:from-the-environment");

    fresh(NULL);
    put("token", "222:from-a-file\n");
    setenv("TELEGRAM_BOT_TOKEN_FILE", "token", 1);
    assert_token("222:from-a-file");

    fresh(NULL);
    put("TELEGRAM_BOT_TOKEN", "333:from-systemd\r\n");
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    assert_token("333:from-systemd");
    setenv("TELEGRAM_BOT_TOKEN", "444:wins-over-it", 1);
    assert_token("444:wins-over-it");

    struct config *c;
    struct err e;
    setenv("TELEGRAM_BOT_TOKEN_FILE", "TELEGRAM_BOT_TOKEN", 1);
    assert_false(config_load(NULL, &c, &e)); /* which of the two is meant? */
    fresh(NULL);
    put("token", "\n");
    setenv("TELEGRAM_BOT_TOKEN_FILE", "token", 1);
    assert_false(config_load(NULL, &c, &e));
    assert_true(str_ends(e.detail, "is empty"));
}

static void database_passwords_are_hidden(void **state)
{
    (void)state;
    static const struct {
        const char *url, *line, *want;
    } rows[] = {
        {"postgresql://me:hunter2hunter2@host/db",   "x hunter2hunter2 y",   "x [secret] y"     },
        {"postgresql://me:with@sign:inside@host/db", "x with@sign:inside y", "x [secret] y"     },
        {"host=h password=plainword user=u",         "x plainword y",        "x [secret] y"     },
        {"host=h password='two words' user=u",       "x two words y",        "x [secret] y"     },
        {"postgresql://h/db?password=inquery&x=1",   "x inquery y",          "x [secret y"      },
        {"postgresql://somebody@somehost/db",        "somebody somehost",    "somebody somehost"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        fresh(NULL);
        setenv("DATABASE_URL", rows[i].url, 1);
        config_free(must_load(NULL));
        char line[64];
        str_copy(line, sizeof(line), rows[i].line);
        log_redact(line);
        if (strcmp(line, rows[i].want) != 0)
            fail_msg("%s: \"%s\"", rows[i].url, line);
    }
}

static char *example(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    config_print_example(out);
    fclose(out);
    return text;
}

static void the_example_is_current(void **state)
{
    (void)state;
    AUTO(free_ptr) char *path = str_printf("%s/config.example.toml", source);
    AUTO(free_ptr) char *file = NULL;
    struct err e;
    if (!fs_read(path, 1 << 20, &file, NULL, &e))
        fail_msg("%s", e.detail);
    AUTO(free_ptr) char *now = example();
    assert_string_equal(file, now); /* else: make example */
}

static void the_example_holds_the_defaults(void **state)
{
    (void)state;
    AUTO(free_ptr) char *text = example();
    AUTO(strbuf_free) struct strbuf active = STRBUF(1 << 16);
    int settings = 0;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        bool setting = line[0] == '#' && line[1] != ' '; /* "#name = value" */
        settings += setting;
        strbuf_addf(&active, "%s\n", setting ? line + 1 : line);
    }
    assert_true(settings > 10);
    put("config.toml", strbuf_text(&active)); /* every line made active still loads */
    struct config *c = must_load(NULL);
    assert_int_equal(config_int(c, "VIDEO_MAX_DURATION"), 180);
    assert_true(config_is_set(c, "VIDEO_MAX_DURATION"));
    assert_string_equal(config_text(c, "NANOTIK_DATA"), "./var");
    config_free(c);
}

static int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    if (!getcwd(source, sizeof(source)))
        return -1;
    snprintf(folder, sizeof(folder), "%s/config.XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    fs_remove(folder);
    return chdir(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_without_anything, fresh),
        cmocka_unit_test_setup(environment_over_file_over_default, fresh),
        cmocka_unit_test_setup(each_mistake_is_named, fresh),
        cmocka_unit_test_setup(files_that_cannot_be_read, fresh),
        cmocka_unit_test_setup(accepted_values, fresh),
        cmocka_unit_test_setup(items_of_a_list, fresh),
        cmocka_unit_test_setup(secrets_from_three_places, fresh),
        cmocka_unit_test_setup(database_passwords_are_hidden, fresh),
        cmocka_unit_test_setup(the_example_is_current, fresh),
        cmocka_unit_test_setup(the_example_holds_the_defaults, fresh),
    };
    return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
