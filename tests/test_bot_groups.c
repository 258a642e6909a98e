/* A group's account against a real database: who pays, who may, how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/db/store_group.h"
#include "core/db/store_job.h"
#include "tests/bot_world.h"
#include "tests/fixture_db.h"

static bool purse_body(struct db_tx *tx, void *data, struct err *e)
{
    const struct chat_addr where = {.network = "fake", .chat = "c1"};
    struct gift *gift = data;
    return group_find(tx, &where, true, gift->account, e) && gift_body(tx, gift, e);
}

static void fill_purse(struct world *w, int64_t credits)
{
    struct gift gift = {.credits = credits};
    struct err e = {0};
    assert_true(db_run(w->bot.db, purse_body, &gift, &e));
}

static int64_t avail_of(struct world *w, const char *kind)
{
    AUTO(free_ptr)
    char *sql = str_printf("select sum(avail)::bigint from wallets join users on id = user_id"
                           " where kind = '%s'",
                           kind);
    return number(w, sql);
}

/* Says /make and gives the id of the quote; its card must have this line. */
static void quote_paid_by(struct world *w, const char *words, const char *who, char ret[37])
{
    w->event.kind = CHAT_LINE;
    const char *said = say(w, words);
    if (!strstr(said, who))
        fail_msg("%swithout \"%s\"", said, who);
    str_copy(ret, 37, strstr(said, "|/cancel ") + 9);
}

static void press(struct world *w, const char *command, const char *id, const char *word,
                  const char *needle)
{
    AUTO(free_ptr) char *line = str_printf("/%s %s%s", command, id, word);
    w->event.kind = CHAT_BUTTON;
    expect(w, line, needle);
}

static void test_a_group_pays(void **state)
{
    (void)state;
    struct world w;
    char id[37];
    world_open(&w, true);
    w.event.is_group = true;
    quote_paid_by(&w, "/make How tides work", "Paid by: your own account.", id);
    fill_purse(&w, 10);
    quote_paid_by(&w, "/make Why cats purr", "Paid by: this group. Its account has 10 credits.",
                  id);
    press(&w, "go", id, "", "Paid by: this group.");
    assert_int_equal(avail_of(&w, "group"), 9);
    assert_int_equal(avail_of(&w, "person"), 1);
    /* There and back. */
    quote_paid_by(&w, "/make What is rain", "Paid by: this group.", id);
    press(&w, "payer", id, " own", "Paid by: your own account.");
    press(&w, "payer", id, " group", "Paid by: this group.");
    press(&w, "payer", id, " own", "Let the group pay|/payer");
    press(&w, "go", id, "", "place ");
    assert_int_equal(avail_of(&w, "group"), 9);
    assert_int_equal(avail_of(&w, "person"), 0);
    /* Somebody else, who has nothing, is paid for too; but their video is theirs. */
    w.event.user_id = "u2";
    press(&w, "payer", id, " group", "for the person who asked for the video");
    quote_paid_by(&w, "/make Ten facts about bees premium", "Paid by: this group.", id);
    w.event.user_id = "u3";
    press(&w, "go", id, "", "for the person who asked for the video");
    w.event.user_id = "u2";
    /* From another chat the group does not pay: the card says so, and nothing is taken. */
    str_copy(w.event.addr.chat, sizeof(w.event.addr.chat), "c2");
    press(&w, "go", id, "", "The group does not pay for this one now");
    press(&w, "payer", id, " group", "The group does not pay for this one now");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted'"), 2);
    assert_int_equal(avail_of(&w, "group"), 9);
    w.event.is_group = false;
    w.event.kind = CHAT_LINE;
    assert_null(strstr(say(&w, "/make How tides work"), "Paid by"));
    world_close(&w);
}

static bool written_body(struct db_tx *tx, void *id, struct err *e)
{
    struct script_scene scenes[] = {{.narration = "The moon pulls the sea."}};
    const struct script script = {.scenes = scenes, .scene_count = COUNT(scenes), .title = "Tides"};
    AUTO(storyboard_free) struct storyboard story = {0}, ordered = {0};
    AUTO(job_free) struct job job = {0};
    AUTO(free_ptr) char *json = NULL;
    return job_get(tx, id, &job, e) &&
           storyboard_from_json(job.story, strlen(job.story), &ordered, e) &&
           storyboard_from_script(&story, &script, &ordered.settings, e) &&
           storyboard_to_json(&story, &json, e) && job_requote(tx, id, json, 1, 5000, e);
}

static void test_a_script_is_paid_by_the_group(void **state)
{
    (void)state;
    struct world w;
    char id[37];
    world_open(&w, true);
    w.event.is_group = true;
    w.bot.draft_limits = (struct draft_limits){.at_once = 2, .per_day = 10};
    fill_purse(&w, 5);
    quote_paid_by(&w, "/make The moon pulls the sea.", "Paid by: this group.", id);
    w.event.kind = CHAT_BUTTON;
    AUTO(free_ptr) char *script = str_printf("/script %s first", id);
    say(&w, script);
    press(&w, "payer", id, " own",
          "being written right now"); /* its card is not there to be changed */
    assert_int_equal(number(&w, "select count(*) from jobs where payer_id is not null"), 1);
    /* Written: its card says who pays, and lets them choose. */
    fixture_db_sql(w.bot.db, "update drafts set state = 'ready'");
    struct err e = {0};
    assert_true(db_run(w.bot.db, written_body, id, &e));
    press(&w, "payer", id, " group", "Paid by: this group.");
    assert_non_null(strstr(strbuf_text(&w.said), "The moon pulls the sea."));
    press(&w, "payer", id, " own", "Paid by: your own account.");
    press(&w, "payer", id, " group", "Pay it myself|/payer");
    AUTO(free_ptr) char *go = str_printf("/script %s go", id);
    expect(&w, go, "Paid by: this group.");
    assert_int_equal(avail_of(&w, "group"), 4);
    assert_int_equal(avail_of(&w, "person"), 1);
    world_close(&w);
}

static void test_admins_set_the_cap(void **state)
{
    static const struct {
        const char *line, *says;
        bool admin;
    } rows[] = {
        {"/group cap 1",    "Only admins",                                       false},
        {"/group off",      "Only admins",                                       false},
        {"/group cap",      "Admins say",                                        true },
        {"/group cap -1",   "Admins say",                                        true },
        {"/group cap many", "Admins say",                                        true },
        {"/group shut",     "Admins say",                                        true },
        {"/group cap 0",    "0 credits",                                         true },
        {"/group cap off",  "Members may use all",                               true },
        {"/group off",      "switched off",                                      true },
        {"/group on",       "Members may use all",                               true },
        {"/group cap 2",    "may use this much of the group's account a day: 2", true },
    };
    (void)state;
    struct world w;
    char id[37], second[37];
    world_open(&w, true);
    expect(&w, "/group", "Only a group has such an account");
    expect(&w, "/pay group", "Only a group has such an account");
    expect(&w, "/pay g0123456789abcdef0123456789abcdef", "This link has run out");
    w.event.is_group = true;
    fill_purse(&w, 10);
    for (size_t i = 0; i < COUNT(rows); i++) {
        w.event.is_group_admin = rows[i].admin;
        expect(&w, rows[i].line, rows[i].says);
    }
    w.event.is_group_admin = false;
    quote_paid_by(&w, "/make Why cats purr hd", "you may use 2 credits of that today", id);
    quote_paid_by(&w, "/make Why dogs bark hd", "you may use 2 credits of that today", second);
    press(&w, "go", id, "", "Starting");
    press(&w, "go", second, "", "The group does not pay for this one now");
    assert_int_equal(avail_of(&w, "group"), 8);
    quote_paid_by(&w, "/make What is rain", "you may use 0 credits of that today", id);
    assert_non_null(strstr(strbuf_text(&w.said), "Paid by: your own account."));
    w.event.kind = CHAT_LINE;
    expect(&w, "/credits group", "The group's account: 8 credits");
    assert_true(w.any_private);
    assert_non_null(
        strstr(strbuf_text(&w.said), "Used today: 2 credits by everybody, 2 credits by you."));
    w.event.user_id = "u2";
    expect(&w, "/pay group", "2 credits by everybody, 0 credits by you.");
    assert_true(w.any_private);
    assert_non_null(strstr(strbuf_text(&w.said), "belong to the group"));
    w.event.is_group_admin = true;
    say(&w, "/group off");
    quote_paid_by(&w, "/make What is rain", "The group's account is switched off.", id);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_group_pays),
        cmocka_unit_test(test_a_script_is_paid_by_the_group),
        cmocka_unit_test(test_admins_set_the_cap),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
