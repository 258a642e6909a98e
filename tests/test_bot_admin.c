/* /admin: who may, who sees nothing of it, what each part does, and that nothing of it is half done
   or done twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bot/command.h"
#include "tests/admin_world.h"
#include "tests/fixture_db.h"

/* --- who --- */

static void only_operators_alone_with_the_bot(void **state)
{
    (void)state;
    static const struct {
        const char *admins, *user;
        bool is_group, sits_here, may;
        const char *why;
    } rows[] = {
        {"fake:777",           "777", false, false, true,  "named"                              },
        {" fake:1 ,fake:777,", "777", false, false, true,  "named among others"                 },
        {"fake:777",           "77",  false, false, false, "a part of an id is another id"      },
        {"fake:77",            "777", false, false, false, "and so is a longer one"             },
        {"discord:777",        "777", false, false, false, "the same number on another network" },
        {"fake:777",           "777", true,  false, false, "others read in a group"             },
        {"",                   "777", false, false, false, "nobody is named, and this is a chat"},
        {NULL,                 "777", false, false, false, "the same without a setting"         },
        {"",                   "777", false, true,  true,  "nobody is named, and they sit here" },
        {"fake:1",             "777", false, true,  false, "somebody else is named"             },
        {"",                   "777", true,  true,  false, "even here: others read along"       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_open(&w, false);
        w.bot.admins = rows[i].admins;
        w.chat.abilities.shows_paths = rows[i].sits_here;
        w.event.user_id = rows[i].user;
        w.event.is_group = rows[i].is_group;
        w.event.is_group_admin = rows[i].is_group;
        /* As far from every known word as "admin" is: what an unknown command is told. */
        AUTO(free_ptr) char *unknown = str_dup(say(&w, "/apmin stop orders now"));
        size_t cards = w.cards;
        char *at = strstr(unknown, "/apmin");
        if (at)
            at[2] = 'd';
        AUTO(free_ptr) char *said = str_dup(say(&w, "/admin stop orders now"));
        bool same = w.cards == cards && strcmp(said, unknown) == 0;
        bool told = strstr(say(&w, "/help"), "/admin") != NULL;
        bool stopped = number(&w, "select count(*) from alarms") == 1;
        if (same == rows[i].may || told != rows[i].may || stopped != rows[i].may ||
            (number(&w, LOGGED) == 1) != rows[i].may)
            fail_msg("%s: \"%s\"", rows[i].why, said);
        world_close(&w);
    }
}

static void nothing_gives_it_away(void **state)
{
    (void)state;
    struct world w;
    admin_open(&w, false);
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, "admin") == 0)
            assert_false(command_listed(&w.bot, &commands[i])); /* no menu of any network */
    must_lack(say_as(&w, PERSON, "/adminn"), "/admin?");
    must_lack(say(&w, "/start admin"), "/admin");
    must_have(say(&w, "/start admin"), "Welcome");
    must_lack(say(&w, "/help"), "perator");
    /* A client may send any press. */
    w.event.kind = CHAT_BUTTON;
    must_have(say(&w, "/admin grant 42 5 me"), "There is no command");
    assert_int_equal(number(&w, LOGGED), 0);
    world_close(&w);
}

/* Where only what stands in everybody's menu can be said, a button asks for the words. */
static void a_button_where_nothing_can_be_typed(void **state)
{
    (void)state;
    struct world w;
    admin_open(&w, true);
    w.chat.abilities.asks = true;
    must_have(say(&w, "/help"), "[Operator|?/admin]");
    must_have(say(&w, "/admin\nstatus"), "NanoTik 0."); /* as a window sends it */
    must_have(say(&w, "/admin\nopen\norders"), "not stopped");
    must_lack(say_as(&w, PERSON, "/help"), "?/admin");
    world_close(&w);
}

static void what_can_be_said(void **state)
{
    (void)state;
    static const char *const langs[] = {"en", "zh", "ar"};
    static const char *const lines[] = {
        "/admin",          "/admin help",           "/admin nonsense",    "/admin stop",
        "/admin stop x y", "/admin stop orders",    "/admin open",        "/admin grant",
        "/admin grant x",  "/admin grant x 5",      "/admin grant x 0 y", "/admin grant x -5 y",
        "/admin pardon",   "/admin pardon x",       "/admin account",     "/admin cancel",
        "/admin cancel x", "/admin grant x 5e3 y",  "/admin grant x 5",   "/admin stop orders ",
        "/admin\tgrant",   "/admin grant x five y",
    };
    for (size_t l = 0; l < COUNT(langs); l++) {
        struct world w;
        admin_open(&w, false);
        w.event.lang = langs[l];
        for (size_t i = 0; i < COUNT(lines); i++) {
            const char *said = say(&w, lines[i]);
            assert_int_equal(w.cards, 1);
            must_have(said, "/admin "); /* how it goes */
            must_lack(said, "{");
            must_lack(said, "admin.");
        }
        static const char *const good[] = {"/admin status", "/admin open orders",
                                           "/admin stop orders a storm", "/admin status"};
        for (size_t i = 0; i < COUNT(good); i++) {
            must_lack(say(&w, good[i]), "{");
            must_lack(strbuf_text(&w.said), "admin.");
        }
        assert_int_equal(number(&w, LOGGED), 1); /* nothing but the stop */
        world_close(&w);
    }
}

static void long_words_are_refused(void **state)
{
    (void)state;
    struct world w;
    char account[UUID_TEXT], long_text[2000];
    admin_open(&w, false);
    account_of(&w, PERSON, account);
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    static const char *const begins[] = {"stop orders ", "open orders ", "grant %s 5 ",
                                         "pardon %s ",   "account %s ",  "cancel 12345678 "};
    for (size_t i = 0; i < COUNT(begins); i++) {
        AUTO(free_ptr)
        char *with = strstr(begins[i], "%s")
                         ? str_printf("%.*s%s ", (int)strcspn(begins[i], "%"), begins[i], account)
                         : str_dup(begins[i]);
        AUTO(free_ptr) char *line = str_printf("/admin %s%s", with, long_text);
        must_have(say(&w, line), "/admin ");
    }
    assert_int_equal(number(&w, LOGGED), 0);
    world_close(&w);
}

/* --- status --- */

static void status_says_what_the_monitor_reads(void **state)
{
    (void)state;
    struct world w;
    admin_open(&w, false);
    const char *said = say(&w, "/admin status");
    must_have(said, "Orders are taken, and the books agree.");
    must_have(said, "0 ready (the oldest for 0 s)");
    must_have(said,
              "Messages to send: 0 (the oldest for 0 s), without an answer: 0; events waiting: 0");
    say_as(&w, PERSON, "/make How tides work");
    fixture_db_sql(w.bot.db, "update jobs set started_at = clock_timestamp() - interval '90 s',"
                             " run_at = clock_timestamp() - interval '90 s'");
    fixture_db_sql(w.bot.db, "insert into leases(name, holder, until)"
                             " values ('x', 'y', clock_timestamp() + interval '1 min'),"
                             " ('z', 'y', clock_timestamp() - interval '1 min')");
    fixture_db_sql(w.bot.db, "insert into alarms(name, what) values ('ledger', 'money: it is odd'),"
                             " ('rescan', 'restored from a backup')");
    said = say_as(&w, OPERATOR, "/admin status");
    must_have(said, "1 ready (the oldest for 9");
    must_have(said, "duties held: 1");
    must_have(said, "Credits held: 1");
    must_have(said, "The books do not agree since 20");
    must_have(said, "money: it is odd");
    must_have(said, "No refunds since 20");
    must_have(said, "restored from a backup");
    must_lack(said, "Orders are taken");
    fixture_db_sql(w.bot.db, "update jobs set state = 'running', worker = 'w', attempt = 1,"
                             " lease_until = clock_timestamp() + interval '1 min'");
    must_have(say(&w, "/admin status"), "1 being made");
    must_have(strbuf_text(&w.said), "Workers with a video: 1");
    must_lack(strbuf_text(&w.said), "tides");
    assert_int_equal(number(&w, LOGGED), 0); /* nobody's account was looked into */
    world_close(&w);
}

/* A quote of the person's, and its id. */
static void quote(struct world *w, char ret_job[static UUID_TEXT])
{
    const char *go = strstr(say_as(w, PERSON, "/make How tides work"), "|/go ");
    assert_non_null(go);
    str_copy(ret_job, UUID_TEXT, go + strlen("|/go "));
}

/* A video of the person's that waits for a worker. */
static void order(struct world *w, char ret_job[static UUID_TEXT])
{
    quote(w, ret_job);
    AUTO(free_ptr) char *go = str_printf("/go %s", ret_job);
    say(w, go);
}

/* --- accounts --- */

static void a_grant_is_bounded_logged_and_given_once(void **state)
{
    (void)state;
    struct world w;
    char person[UUID_TEXT], operator[UUID_TEXT];
    admin_open(&w, false);
    account_of(&w, PERSON, person);
    account_of(&w, OPERATOR, operator);
    AUTO(free_ptr) char *line = str_printf("/admin grant %s 3 a film was cut short", person);
    must_have(say(&w, line), "Added 3 credits to ");
    must_have(strbuf_text(&w.said), "It has 4 credits now.");
    AUTO(free_ptr)
    char *logged = str_printf(LOGGED " where actor = '%s' and action = 'grant' and user_id = '%s'"
                                     " and amount = 3 and why = 'a film was cut short'",
                                     operator, person);
    assert_int_equal(number(&w, logged), 1);

    w.events--; /* the network offers the same event again */
    say(&w, line);
    assert_int_equal(w.cards, 0);
    fixture_db_sql(w.bot.db, "delete from inbox"); /* even when nobody remembers it */
    w.events--;
    must_have(say(&w, line), "nothing was added");
    assert_int_equal(number(&w, "select count(*) from transfers where verb = 'grant'"), 1);
    assert_int_equal(number(&w, LOGGED), 1);
    assert_int_equal(number(&w, "select count(*) from transfers where verb = 'grant'"
                                " and key ~ '^grant:[0-9a-f]{64}$'"),
                     1);

    AUTO(free_ptr) char *short_form = str_printf("/admin grant %s 1 x", person + 28);
    must_have(say(&w, short_form), "Added 1 credit to "); /* as the command line takes it */
    AUTO(free_ptr) char *above = str_printf("/admin grant %s 1001 x", person);
    must_have(say(&w, above), "Up to 1,000 credits");
    must_have(strbuf_text(&w.said), "nanotik grant");
    AUTO(free_ptr) char *huge = str_printf("/admin grant %s 9223372036854775807 x", person);
    must_have(say(&w, huge), "Up to 1,000 credits");
    must_have(say(&w, "/admin grant 99999999 5 x"), "There is no such account.");
    assert_int_equal(number(&w, "select count(*) from transfers where verb = 'grant'"), 2);

    AUTO(free_ptr) char *most = str_printf("/admin grant %s 1000 x", person);
    for (int i = 0; i < 4; i++)
        must_have(say(&w, most), "Added 1,000 credits");
    must_have(say(&w, most), "4,004 credits within 24 hours, and 5,000 is the limit");
    fixture_db_sql(w.bot.db, "alter table admin_log disable trigger admin_log_append_only");
    fixture_db_sql(w.bot.db, "update admin_log set at = at - interval '25 hours'");
    must_have(say(&w, most), "Added 1,000 credits");
    assert_int_equal(number(&w, "select coalesce(sum(avail), 0) from wallets where avail > 100"),
                     5005);
    world_close(&w);
}

static void a_pardon_ends_the_pause(void **state)
{
    (void)state;
    struct world w;
    char person[UUID_TEXT];
    admin_open(&w, false);
    w.bot.strikes = (struct strike_limits){.most = 2, .days = 30, .pause_hours = 72};
    account_of(&w, PERSON, person);
    AUTO(free_ptr)
    char *strikes = str_printf("insert into strikes(user_id, category)"
                               " select '%s', 'x' from generate_series(1, 2)",
                               person);
    AUTO(free_ptr)
    char *pause = str_printf("insert into pauses(user_id, until)"
                             " values ('%s', clock_timestamp() + interval '70 hours')",
                             person);
    fixture_db_sql(w.bot.db, strikes);
    fixture_db_sql(w.bot.db, pause);
    AUTO(free_ptr) char *look = str_printf("/admin account %s", person);
    must_have(say(&w, look), "Strikes within 30 days: 2");
    must_have(strbuf_text(&w.said), "Rests for about 70 more hours");
    must_have(say_as(&w, PERSON, "/make How tides work"), "rests for about");
    AUTO(free_ptr) char *line = str_printf("/admin pardon %s a false alarm", person);
    must_have(say_as(&w, OPERATOR, line), "2 strikes taken back");
    must_lack(say(&w, look), "Rests");
    assert_int_equal(number(&w, LOGGED " where action = 'pardon' and amount = 2"
                                       " and why = 'a false alarm'"),
                     1);
    must_have(say_as(&w, PERSON, "/make How tides work"), "Price");
    world_close(&w);
}

static void an_account_is_numbers_only(void **state)
{
    (void)state;
    struct world w;
    char person[UUID_TEXT], job[UUID_TEXT];
    admin_open(&w, true);
    account_of(&w, PERSON, person);
    order(&w, job);
    AUTO(free_ptr) char *line = str_printf("/admin account %s asked by mail", person + 28);
    const char *said = say_as(&w, OPERATOR, line);
    must_have(said, person);
    must_have(said, "Credits: 0; set aside: 1");
    must_have(said, job + 28);
    must_have(said, "free trial");
    must_lack(said, "tides");
    must_lack(said, PERSON " ");
    /* Somebody's account was looked into. */
    assert_int_equal(number(&w, LOGGED " where action = 'account' and user_id is not null"
                                       " and why = 'asked by mail'"),
                     1);
    must_have(say(&w, "/admin account nobody"), "There is no such account.");
    assert_int_equal(number(&w, LOGGED), 1);
    world_close(&w);
}

/* --- jobs --- */

static void a_video_is_stopped_and_paid_back(void **state)
{
    (void)state;
    static const struct {
        const char *make_it; /* SQL that brings the job there; NULL: as it is */
        const char *says, *is;
        bool back, logged;
    } rows[] = {
        {NULL,                                                                "Stopped; its credits are back", JOB_IS("cancelled"),                                     true,  true },
        {"update jobs set state = 'running', worker = 'w', attempt = 1,"
         " lease_until = clock_timestamp() + interval '1 min'",      "It will stop in a moment.",     "select count(*) from jobs where cancel_at is not null",
         false,                                                                                                                                                                true },
        {"update jobs set state = 'delivering', worker = 'w', attempt = 1,"
         " lease_until = clock_timestamp() + interval '1 min'",      "too late",                      JOB_IS("delivering"),                                    false, false},
        {"with kept as (update wallets set active = 0)"
         " update jobs set state = 'kept', kept_until = 'infinity'", "Stopped; its credits are back", JOB_IS("cancelled"),                                     true,  true },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        char job[UUID_TEXT];
        admin_open(&w, true);
        quote(&w, job);
        AUTO(free_ptr) char *line = str_printf("/admin cancel %s it is stuck", job + 28);
        must_have(say_as(&w, OPERATOR, line), "no video with that reference"); /* only a quote */
        AUTO(free_ptr) char *go = str_printf("/go %s", job);
        say_as(&w, PERSON, go);
        assert_int_equal(number(&w, "select sum(held) from wallets"), 1);
        if (rows[i].make_it)
            fixture_db_sql(w.bot.db, rows[i].make_it);
        must_have(say_as(&w, OPERATOR, line), rows[i].says);
        assert_int_equal(number(&w, rows[i].is), 1);
        assert_int_equal(number(&w, "select sum(held) from wallets"), rows[i].back ? 0 : 1);
        if (rows[i].back) { /* the person is told, in the place of the video's card */
            must_have(strbuf_text(&w.said), "The operator of this bot stopped this video.");
            must_have(strbuf_text(&w.said), "1 credit");
            must_have(say(&w, line), "no video with that reference");
        }
        AUTO(free_ptr)
        char *sql = str_printf(LOGGED " where action = 'cancel' and user_id is not null"
                                      " and amount = 1 and why = '%s: it is stuck'",
                               job + 28);
        assert_int_equal(number(&w, sql), rows[i].logged);
        assert_int_equal(number(&w, LOGGED), rows[i].logged);
        world_close(&w);
    }
}

/* --- halves --- */

/* What cannot be written down does not happen: both are one transaction. */
static void nothing_happens_without_its_line(void **state)
{
    (void)state;
    struct world w;
    char person[UUID_TEXT], job[UUID_TEXT];
    admin_open(&w, true);
    account_of(&w, PERSON, person);
    order(&w, job);
    AUTO(free_ptr)
    char *strike = str_printf("insert into strikes(user_id, category) values ('%s', 'x')", person);
    fixture_db_sql(w.bot.db, strike);
    fixture_db_sql(w.bot.db,
                   "alter table admin_log add constraint full_up check (why not like '%today%')");
    AUTO(free_ptr) char *grant = str_printf("/admin grant %s 5 today", person);
    AUTO(free_ptr) char *pardon = str_printf("/admin pardon %s today", person);
    AUTO(free_ptr) char *cancel = str_printf("/admin cancel %s today", job);
    AUTO(free_ptr) char *account = str_printf("/admin account %s today", person);
    const char *const lines[] = {"/admin stop orders today", grant, pardon, cancel, account};
    w.event.user_id = OPERATOR;
    for (size_t i = 0; i < COUNT(lines); i++) {
        const char *said = say(&w, lines[i]);
        assert_int_equal(w.cards, 1);
        must_lack(said, "Added");
        must_lack(said, "taken back");
        must_lack(said, "Stopped");
        must_lack(said, "stopped");
        must_lack(said, "free trial");
    }
    assert_int_equal(number(&w, "select count(*) from alarms"), 0);
    assert_int_equal(number(&w, "select count(*) from transfers where verb = 'grant'"), 0);
    assert_int_equal(number(&w, "select count(*) from strikes"), 1);
    assert_int_equal(number(&w, JOB_IS("ready")), 1);
    assert_int_equal(number(&w, LOGGED), 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_operators_alone_with_the_bot),
        cmocka_unit_test(nothing_gives_it_away),
        cmocka_unit_test(a_button_where_nothing_can_be_typed),
        cmocka_unit_test(what_can_be_said),
        cmocka_unit_test(long_words_are_refused),
        cmocka_unit_test(status_says_what_the_monitor_reads),
        cmocka_unit_test(a_grant_is_bounded_logged_and_given_once),
        cmocka_unit_test(a_pardon_ends_the_pause),
        cmocka_unit_test(an_account_is_numbers_only),
        cmocka_unit_test(a_video_is_stopped_and_paid_back),
        cmocka_unit_test(nothing_happens_without_its_line),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
