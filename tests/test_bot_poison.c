/* What must not happen at the intake: the news of a move overtaken by the new chat; an event that
   ends the program ending it for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bot/bot.h"
#include "bot/inbox.h"
#include "core/base/strbuf.h"
#include "core/db/store_group.h"
#include "core/db/store_ledger.h"
#include "core/i18n/i18n.h"
#include "tests/fixture_db.h"
#include "tests/inbox_world.h"

static struct inbox_world w;
static enum { WELL, DIES_AT_WORK, DIES_ALWAYS } health;
static int asked, admin_after; /* is_admin: unknown so often at first */

static int is_admin(void *self, const struct chat_addr *where, const char *user_id)
{
    (void)self, (void)where, (void)user_id;
    if (health == DIES_AT_WORK)
        abort();
    return asked++ < admin_after ? -1 : 0;
}

static const struct chat_abilities *abilities(void *self)
{
    if (health == DIES_ALWAYS)
        abort();
    return &((struct fake_chat *)self)->abilities;
}

static int setup(void **state)
{
    (void)state;
    health = WELL;
    asked = admin_after = 0;
    inbox_world_open(&w, 4);
    w.ops.is_admin = is_admin;
    w.ops.abilities = abilities;
    w.ops.private_link = NULL; /* everything is said in the group */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    inbox_world_close(&w);
    return 0;
}

static int64_t number(const char *sql)
{
    return fixture_db_number(w.bot.db, sql);
}

/* So many cards that wait to be sent say this (a regular expression). */
static int cards_with(const char *words)
{
    AUTO(free_ptr) char *sql = str_printf("select count(*) from outbox where body ~ '%s'", words);
    return (int)number(sql);
}

static struct chat_event event(const char *id, const char *chat, const char *text)
{
    struct chat_event e = inbox_event(id, chat, text);
    e.user_id = "77";
    e.is_group = chat[0] == '-';
    return e;
}

static struct chat_event moved(const char *id, const char *from, const char *to)
{
    struct chat_event e = event(id, from, to);
    e.kind = CHAT_MOVED;
    e.user_id = "";
    return e;
}

/* --- moves --- */

static bool fill_purse(struct db_tx *tx, void *ctx, struct err *e)
{
    char id[UUID_TEXT];
    static const struct chat_addr where = {.network = "fake", .chat = "-1"};
    enum ledger_result r;
    (void)ctx;
    return group_find(tx, &where, true, id, e) &&
           ledger_grant(tx, "purse", id, 97, "test", "test", &r, e);
}

/* The move is held up as by a worker that has it and is slow: what is said in the new chat waits,
   and then finds the purse; what is said elsewhere does not wait. */
static void the_new_chat_waits_for_its_move(void **state)
{
    (void)state;
    struct err e;
    struct chat_event batch[] = {moved("1", "-1", "-2"), event("2", "-2", "/group"),
                                 event("3", "-1", "/group"), event("4", "-3", "/help")};
    assert_true(db_run(w.bot.db, fill_purse, NULL, &e));
    assert_true(bot_on_events(&w.bot, batch, COUNT(batch), NULL));
    fixture_db_sql(w.bot.db, "update events set not_before = now() + interval '1 h'"
                             " where lane2 is not null");
    assert_int_equal(bot_handle_one(&w.bot), BOT_ONE); /* the help */
    assert_int_equal(bot_handle_one(&w.bot), BOT_NOTHING);
    assert_int_equal(number("select count(*) from events"), 3);
    fixture_db_sql(w.bot.db, "update events set not_before = now()");
    for (int i = 0; i < 3; i++)
        assert_int_equal(bot_handle_one(&w.bot), BOT_ONE);
    assert_int_equal(number("select count(*) from events"), 0);
    assert_int_equal(number("select count(*) from users where kind = 'group'"), 1);
    assert_int_equal(cards_with("97 credits"), 2);
}

/* --- an event that ends the program --- */

/* A process of its own that deals with what is there: true when it lived to see the end of it. */
static bool process_survives(int as)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err e;
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        health = as;
        if (!db_open(fixture_db_url(), 4, &w.bot.db, &e) || !inbox_start(&w.bot, &w.bot.inbox, &e))
            _exit(2);
        for (int i = 0; i < 1000 && number("select count(*) from events") > 0; i++)
            usleep(10000);
        _exit(number("select count(*) from events") > 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGABRT);
    else
        assert_int_equal(WEXITSTATUS(status), 0);
    fixture_db_sql(w.bot.db, "update events set not_before = now()");
    return WIFEXITED(status);
}

static void what_ends_the_program_is_given_up(void **state)
{
    (void)state;
    /* /cancel asks who leads the group. */
    struct chat_event batch[] = {event("1", "-1", "/cancel 1234"), event("2", "-1", "/help"),
                                 event("3", "-2", "/help")};
    assert_true(bot_on_events(&w.bot, batch, COUNT(batch), NULL));
    for (int i = 0; i < BOT_BEGUN_MAX; i++) {
        assert_false(process_survives(DIES_AT_WORK));
        assert_int_equal(number("select count(*) from events where begun > 0"), 1);
        assert_int_equal(number("select max(begun) from events"), i + 1);
    }
    assert_int_equal(cards_with("given up"), 0);
    assert_true(process_survives(DIES_AT_WORK));
    assert_int_equal(number("select count(*) from events"), 0);
    assert_int_equal(number("select count(*) from outbox"),
                     3); /* the neighbours, and the apology */
    assert_int_equal(cards_with("given up.*Reference for support: .{0,3}[0-9a-f]{8}"), 1);
}

static void what_cannot_even_be_told_ends_too(void **state)
{
    (void)state;
    struct chat_event one = event("1", "9", "/help");
    assert_true(bot_on_events(&w.bot, &one, 1, NULL));
    for (int i = 0; i < BOT_BEGUN_MAX + 1; i++)
        assert_false(process_survives(DIES_ALWAYS));
    assert_int_equal(number("select count(*) from events"), 1);
    assert_true(process_survives(DIES_ALWAYS));
    assert_int_equal(number("select count(*) from outbox"), 0);
}

/* An old event that has to wait again and again, or whose process was killed for another reason, is
   no poison. */
static void an_old_event_may_wait_often(void **state)
{
    (void)state;
    struct chat_event one = event("1", "-1", "/cancel 1234");
    assert_true(bot_on_events(&w.bot, &one, 1, NULL));
    admin_after = 3 * BOT_BEGUN_MAX;
    w.bot.events_before = INT64_MAX;
    for (int i = 1; number("select count(*) from events") > 0 && i < 1000; i++) {
        w.bot.process = i; /* as if each were another process */
        if (bot_handle_one(&w.bot) == BOT_NOTHING)
            usleep(10000);
    }
    assert_int_equal(asked, 3 * BOT_BEGUN_MAX + 1);
    assert_int_equal(number("select count(*) from outbox"), 1);
    assert_int_equal(cards_with("given up"), 0);
}

static int start_all(void **state)
{
    struct err e;
    return i18n_setup(&e) ? fixture_db_start(state) : -1;
}

static int stop_all(void **state)
{
    i18n_teardown();
    return fixture_db_stop(state);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_new_chat_waits_for_its_move),
        CASE(what_ends_the_program_is_given_up),
        CASE(what_cannot_even_be_told_ends_too),
        CASE(an_old_event_may_wait_often),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
