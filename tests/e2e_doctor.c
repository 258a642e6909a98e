/* `nanotik doctor` where something is wrong: it is named, with what to do; and the film that is made
   without it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "tests/fake_azure.h"
#include "tests/fake_discord.h"
#include "tests/fake_telegram.h"
#include "tests/film.h"
#include "tests/session.h"

enum { SOON_MS = 60000, RENDER_MS = 120000 };

static struct fake_node telegram, discord;

static int open_all(void **state)
{
    fake_start(&telegram, NULL);
    dfake_start(&discord);
    return site_open(state);
}

static int close_all(void **state)
{
    fake_node_stop(&telegram);
    fake_node_stop(&discord);
    return site_close(state);
}

/* What doctor says with these settings; its status must be this. */
static const char *doctor(struct site *p, const char *const *env, int status, const char *why)
{
    static const char *const args[] = {"doctor", NULL};
    struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
    int got = session_finish(s, SOON_MS);
    if (got != status)
        fail_msg("%s: status %d: %s", why, got, strbuf_text(&s->seen));
    return strbuf_text(&s->seen);
}

/* A token is of use only when the network knows it. */
static void chats_are_asked(void **state)
{
    static const struct {
        const char *telegram, *discord;
        bool served;
        int status;
        const char *says, *why;
    } rows[] = {
        {FAKE_TOKEN,                                      NULL,        true,  0, "chat on Telegram: @",      "the name that people see"},
        {NULL,                                            DFAKE_TOKEN, true,  0, "chat on Discord: makebot", "the name that people see"},
        {"7000000001:AAAnotherTokenForTests_abcdefghijk", NULL,        true,  1, "@BotFather",               "revoked"                 },
        {"hello",                                         NULL,        true,  1, "@BotFather",               "not a token"             },
        {NULL,                                            "revoked",   true,  1, "Discord token",            "revoked"                 },
        {FAKE_TOKEN,                                      DFAKE_TOKEN, false, 1, "did not answer",           "nobody is there"         },
    };
    struct site *p = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr)
        char *t_url =
            str_printf("TELEGRAM_API_URL=%s", rows[i].served ? telegram.url : "http://127.0.0.1:9");
        AUTO(free_ptr)
        char *d_url =
            str_printf("DISCORD_API_URL=%s", rows[i].served ? discord.api : "http://127.0.0.1:9");
        AUTO(free_ptr)
        char *t = str_printf("TELEGRAM_BOT_TOKEN=%s", rows[i].telegram ? rows[i].telegram : "");
        AUTO(free_ptr)
        char *d = str_printf("DISCORD_BOT_TOKEN=%s", rows[i].discord ? rows[i].discord : "");
        const char *const env[] = {t_url, d_url, t, d, NULL};
        const char *said = doctor(p, env, rows[i].status, rows[i].why);
        if (!strstr(said, rows[i].says))
            fail_msg("%s: it says %s", rows[i].why, said);
        if ((rows[i].telegram && rows[i].telegram[0] == '7' && strstr(said, ":AA")) ||
            strstr(said, DFAKE_TOKEN))
            fail_msg("%s: a token is shown: %s", rows[i].why, said);
        site_forget_sessions(p);
    }
}

/* Key, region and voices, and what a video costs; what is wrong is named. */
static void the_service_of_voices_is_asked(void **state)
{
    static const struct {
        const char *key, *region;
        bool served, all;
        int status;
        const char *says, *why;
    } rows[] = {
        {FAKE_AZURE_KEY,     "",             true,  true,  0, "Azure voices (about $0.014 for a video",
         "all is well"                                                                                                        },
        {FAKE_AZURE_KEY,     "",             true,  false, 1, "no voice en-US-JennyNeural",             "a voice is not there"},
        {"another-key-0123", "",             true,  true,  1, "does not accept the key",                "a wrong key"         },
        {FAKE_AZURE_KEY,     "West Europe!", false, true,  1, "AZURE_SPEECH_REGION",                    "no region's name"    },
        {"",                 "",             false, true,  0, "AZURE_SPEECH_KEY is not set",            "nothing configured"  },
    };
    struct site *p = *state;
    struct fake_node azure;
    fake_azure_start(&azure);
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *key = str_printf("AZURE_SPEECH_KEY=%s", rows[i].key);
        AUTO(free_ptr) char *region = str_printf("AZURE_SPEECH_REGION=%s", rows[i].region);
        AUTO(free_ptr)
        char *url = str_printf("AZURE_SPEECH_URL=%s", rows[i].served ? azure.url : "");
        const char *const env[] = {key, region, url, NULL};
        fake_azure_voices(&azure, rows[i].all);
        const char *said = doctor(p, env, rows[i].status, rows[i].why);
        if (!strstr(said, rows[i].says))
            fail_msg("%s: it says %s", rows[i].why, said);
        if (rows[i].key[0] && strstr(said, rows[i].key))
            fail_msg("%s: the key is shown: %s", rows[i].why, said);
        site_forget_sessions(p);
    }
    fake_node_stop(&azure);
}

/* The package is named, and a film is made all the same: whole, with its subtitles beside it. */
static void missing_fonts_are_told_with_their_package(void **state)
{
    static const char nothing[] = "<fontconfig><dir>/nonexistent</dir></fontconfig>";
    struct site *p = *state;
    struct err e = {0};
    AUTO(free_ptr) char *conf = str_printf("%s/fonts.conf", p->folder);
    AUTO(free_ptr) char *file = str_printf("FONTCONFIG_FILE=%s", conf);
    AUTO(free_ptr) char *film = str_printf("%s/out.mp4", p->folder);
    AUTO(free_ptr) char *srt = str_printf("%s/out.srt", p->folder);
    assert_true(fs_write(conf, nothing, strlen(nothing), &e));
    const char *const env[] = {file, NULL};
    const char *said = doctor(p, env, 1, "no fonts");
    assert_non_null(strstr(said, "fonts-noto-core"));
    assert_non_null(strstr(said, "fonts-noto-cjk"));
    const char *const args[] = {"make", "The sea is deep.", "-o", film, NULL};
    struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
    assert_int_equal(session_finish(s, RENDER_MS), 0);
    AUTO(free_ptr) char *log = session_log(s);
    assert_non_null(strstr(log, "fonts-noto-core"));
    assert_true(fs_exists(srt));
    struct film_facts facts;
    film_read(film, &facts);
    assert_int_equal(facts.height, 1280);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chats_are_asked, open_all, close_all),
        cmocka_unit_test_setup_teardown(the_service_of_voices_is_asked, site_open, site_close),
        cmocka_unit_test_setup_teardown(missing_fonts_are_told_with_their_package, site_open,
                                        site_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
