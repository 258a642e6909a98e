/* Commands against a real database: what each answers, in three languages; groups; forgetting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "bot/command.h"
#include "core/base/fs.h"
#include "core/db/store_job.h"
#include "tests/bot_world.h"

static void test_every_command_answers_in_three_languages(void **state)
{
    (void)state;
    static const char *const langs[] = {"en", "zh", "ar"};
    static const char *const extra[] = {
        "hello there",     "/nonsense",     "/make",
        "/make style:x y", "/cancel",       "/go",
        "/go 12345678",    "/settings hd",  "/settings what is this",
        "/voice ann",      "/voice nobody", "/voice auto",
        "/style neon",     "/style ugly",   "/lang xx",
        "/forget yes"};
    for (size_t l = 0; l < COUNT(langs); l++) {
        struct world w;
        world_open(&w, false);
        w.event.lang = langs[l];
        for (size_t i = 0; i < command_count + COUNT(extra); i++) {
            AUTO(free_ptr)
            char *line = i < command_count ? str_printf("/%s", commands[i].name)
                                           : str_dup(extra[i - command_count]);
            const char *said = say(&w, line);
            if (w.cards != 1 || !said[0])
                fail_msg("%s: \"%s\" gave %zu cards", langs[l], line, w.cards);
            /* A key or a placeholder that shows is a text that is missing. */
            if (strchr(said, '{') || strstr(said, "error.") || strstr(said, "help.") ||
                strstr(said, "make."))
                fail_msg("%s: \"%s\" was answered with:\n%s", langs[l], line, said);
        }
        world_close(&w);
    }
}

static void test_repeated_event(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    say(&w, "/make How tides work");
    w.events--; /* the network offers the same event again */
    say(&w, "/make How tides work");
    assert_int_equal(w.cards, 0);
    assert_int_equal(number(&w, "select count(*) from jobs"), 1);
    /* A refusal is remembered too: the same event must not start a job after a top-up. */
    say(&w, "/make style:ugly x");
    w.events--;
    say(&w, "/make style:ugly x");
    assert_int_equal(w.cards, 0);
    world_close(&w);
}

static void test_groups(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    w.event.is_group = true;
    say(&w, "just talking");
    assert_int_equal(w.cards, 0); /* people talk to each other */
    say(&w, "/weather tomorrow");
    assert_int_equal(w.cards, 0); /* or to another bot */
    expect(&w, "/mak", "Did you mean /make?");
    say(&w, "/credits");
    assert_true(w.any_private); /* money is nobody else's business */
    say(&w, "/help");
    assert_false(w.any_private);
    const char *said = say(&w, "/make How tides work");
    assert_false(w.any_private);
    char id[37];
    str_copy(id, sizeof(id), strstr(said, "|/cancel ") + 9);
    AUTO(free_ptr) char *cancel = str_printf("/cancel %s", id);
    w.event.user_id = "u2";
    w.event.kind = CHAT_BUTTON;
    AUTO(free_ptr) char *go = str_printf("/go %s", id);
    expect(&w, go, "for the person who asked for the video");
    expect(&w, cancel, "Only the person who asked");
    w.event.is_moderator = true; /* or whoever leads the group */
    expect(&w, cancel, "Cancelled.");
    world_close(&w);
}

static void test_admin_of_another_chat(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    w.event.is_group = true;
    const char *said = say(&w, "/make How tides work");
    AUTO(free_ptr) char *cancel = str_printf("/cancel %.36s", strstr(said, "|/cancel ") + 9);
    w.event.user_id = "u2";
    w.event.is_group_admin = true;
    str_copy(w.event.addr.chat, sizeof(w.event.addr.chat), "c2");
    expect(&w, cancel, "no video with that reference");
    world_close(&w);
}

static void test_forget(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    say(&w, "/make How tides work");
    say(&w, "/cancel");
    static const char *const kinds[] = {"mp4", "jpg", "srt"};
    char folder[300], path[400];
    const char *tmp = getenv("TMPDIR");
    struct err e = {0};
    snprintf(folder, sizeof(folder), "%.200s/forget-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < COUNT(kinds); i++) {
        snprintf(path, sizeof(path), "%s/film.%s", folder, kinds[i]);
        assert_true(fs_write(path, "x", 1, &e));
    }
    AUTO(free_ptr)
    char *film = str_printf("insert into videos(job_id, user_id, title, path, duration_ms, bytes)"
                            " select id, user_id, 't', '%s/film.mp4', 1, 1 from jobs returning 1",
                            folder);
    assert_int_equal(number(&w, film), 1);
    expect(&w, "/forget", "/forget yes");
    assert_int_equal(number(&w, "select count(*) from identities"), 1);
    expect(&w, "/forget yes", "has been deleted");
    assert_int_equal(number(&w, "select count(*) from identities"), 0);
    assert_int_equal(rmdir(folder), 0); /* film, poster and subtitles went with the rest */
    expect(&w, "/credits", "You have 0 credits"); /* a new account, but no second trial */
    world_close(&w);
}

static void test_language(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    expect(&w, "/lang zh", "中文");
    expect(&w, "/help", "可用命令");
    expect(&w, "/lang ar", "العربية");
    expect(&w, "/credits", "نقطة واحدة");
    expect(&w, "/lang klingon", "klingon");
    expect(&w, "/lang en", "English");
    world_close(&w);
}

static void test_voices_are_found_or_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says, *why;
    } rows[] = {
        {"/voice",         "ann",                    "those of the chat's language"      },
        {"/voice zh",      "mei",                    "those of a language"               },
        {"/voice zh-CN",   "mei",                    "a country does not matter"         },
        {"/voice zh-Hant", "mei",                    "nor a script"                      },
        {"/voice en-emma", "no voice “en-emma”", "a wrong name is no wish for a list"},
        {"/voice emma",    "no voice “emma”",    "the same"                          },
        {"/voice bob",     "Bob",                    "a voice"                           },
    };
    struct world w;
    world_open(&w, false);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (!strstr(say(&w, rows[i].line), rows[i].says))
            fail_msg("%s: %s gave %s", rows[i].why, rows[i].line, strbuf_text(&w.said));
    world_close(&w);
}

static void test_cancel_ends_an_open_script(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    w.bot.draft_limits = (struct draft_limits){.at_once = 1, .per_day = 10};
    expect(&w, "/cancel", "nothing to cancel");
    expect(&w, "/script How tides work", "being written");
    expect(&w, "/cancel", "Cancelled.");
    expect(&w, "/cancel", "nothing to cancel");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'cancelled'"), 1);
    world_close(&w);
}

static bool fail_body(struct db_tx *tx, void *data, struct err *e)
{
    struct job *job = data;
    job_free(job);
    return job_claim(tx, "worker", job, e) &&
           job_fail(tx, job, "worker", false, "error.internal", "", e);
}

/* Where to write, and what finds the matter again. */
static void test_support(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    AUTO(job_free) struct job job = {0};
    world_open(&w, false);
    expect(&w, "/support", "Nobody is named here");
    w.bot.support = "@example_support";
    expect(&w, "/support", "@example_support");
    assert_null(strstr(strbuf_text(&w.said), "failed"));
    expect(&w, "/make How tides work.", "Price");
    assert_true(db_run(w.bot.db, fail_body, &job, &e));
    expect(&w, "/support", job.id + strlen(job.id) - 8);
    world_close(&w);
}

static void test_unknown_commands(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    expect(&w, "/mkae cats", "Did you mean /make?");
    expect(&w, "/HELP", "What you can type");
    expect(&w, "/help@nanotik_bot", "What you can type");
    expect(&w, "/xyzzyplugh", "There is no command /xyzzyplugh.");
    expect(&w, "How do tides work?", "/make How do tides work?");
    world_close(&w);
}

static void test_refused_and_repaired(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    w.event.kind = CHAT_REFUSED;
    w.event.quoted = "256 kB";
    expect(&w, "error.too_long", "at most 256 kB");
    w.event.user_id = "";
    expect(&w, "error.too_long", "at most 256 kB");
    assert_int_equal(number(&w, "select count(*) from users"), 1); /* nobody got no account */
    w.event.user_id = "u1";
    w.event.kind = CHAT_LINE;
    w.event.repaired = true;
    expect(&w, "/make How tides work", "not valid UTF-8");
    world_close(&w);
}

static void test_quoted_message(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    w.event.quoted = "Whales sing across oceans.";
    expect(&w, "/make", "Whales sing");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_answers_in_three_languages),
        cmocka_unit_test(test_repeated_event),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_admin_of_another_chat),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_voices_are_found_or_named),
        cmocka_unit_test(test_cancel_ends_an_open_script),
        cmocka_unit_test(test_support),
        cmocka_unit_test(test_unknown_commands),
        cmocka_unit_test(test_refused_and_repaired),
        cmocka_unit_test(test_quoted_message),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
