/* Go where a service judges words: it is asked before anything is held, and no bad day of it, no second
   press and no dead process starts a job twice, leaves a quote stuck or takes a credit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bot/quote.h"
#include "bot/script_card.h"
#include "tests/fixture_db.h"
#include "tests/judged.h"

/* --- what comes of it --- */

static void words_decide(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        enum err_code ill;
        bool strict;
        const char *jobs, *card;
        int strikes;
        bool started;
        const char *why;
    } rows[] = {
        {"How tides work", ERR_NONE,   false, STATE("ready"),     "Starting",                      0, true,  "good words"},
        {"The badger",     ERR_NONE,   false, STATE("cancelled"), "refused that (violence)",       1, false,
         "flagged"                                                                                                       },
        {"The badger",     ERR_RETRY,  false, STATE("ready"),     "Starting",                      0, true,
         "a bad day of the service holds nobody up"                                                                      },
        {"The badger",     ERR_CONFIG, false, STATE("ready"),     "Starting",                      0, true,
         "nor do its money and keys"                                                                                     },
        {"The badger",     ERR_RETRY,  true,  STATE("quoted"),    "nothing is made here unjudged", 0, false,
         "unless the operator wants it so: Go is still there"                                                            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct judged p;
        judged_open(&p, true);
        p.judge.ill = rows[i].ill;
        p.w.tools.guard_strict = rows[i].strict;
        judged_quote(&p, rows[i].topic);
        judged_go(&p);
        judged_let_judge(&p);
        judged_wait(&p, rows[i].jobs, 1);
        judged_cards(&p, rows[i].card, 1);
        print_message("%s\n", rows[i].why);
        judged_is(&p, "select count(*) from strikes", rows[i].strikes);
        judged_is(&p, "select count(*) from holds", rows[i].started);
        judged_is(&p, "select held from wallets", rows[i].started);
        assert_int_equal(atomic_load(&p.judge.asked), 1);
        if (!rows[i].started)
            judged_no_credit_moved(&p);
        if (rows[i].strikes)
            judged_cards(&p, "strike 1 of 3", 1);
        if (rows[i].strict) {
            judged_cards(&p, "/go ", 1);
            p.judge.ill = ERR_NONE;
            judged_go(&p); /* the service is well again: it flags */
            judged_let_judge(&p);
            judged_wait(&p, STATE("cancelled"), 1);
        } else if (!rows[i].started) {
            judged_press(&p, "go", "no longer open");
        }
        judged_close(&p);
    }
}

/* Without buttons /make starts at once; with words that passed before, so does Go. */
static void only_when_it_must(void **state)
{
    (void)state;
    struct judged p;
    judged_open(&p, false);
    expect(&p.w, "/make How tides work", "Checking the topic");
    judged_wait(&p, STATE("ready"), 1);
    judged_close(&p);
    judged_open(&p, true);
    p.judge.remembers = true;
    judged_quote(&p, "How tides work");
    judged_press(&p, "go", "Starting");
    judged_is(&p, "select count(*) from drafts", 0);
    judged_close(&p);
    judged_open(&p, true);
    p.w.tools.guard.ops = NULL;
    judged_quote(&p, "The badger");
    judged_press(&p, "go", "Starting");
    judged_is(&p, "select count(*) from drafts", 0);
    judged_close(&p);
}

/* --- while it is asked --- */

static void pressed_twice_starts_once(void **state)
{
    (void)state;
    struct judged p;
    judged_begin(&p, "How tides work");
    judged_press(&p, "go", "Checking the topic");
    judged_press(&p, "script", "Checking the topic");
    judged_no_credit_moved(&p);
    static const struct {
        const char *line, *says;
    } busy[] = {
        {"change %s hd",     "being checked right now"},
        {"change %s back",   "being checked right now"},
        {"script %s first",  "being checked right now"},
        {"script %s 1: Sea", "being checked right now"},
    };
    for (size_t i = 0; i < COUNT(busy); i++) { /* what is judged is what is made */
        char line[120] = "/";
        const char *at = strstr(busy[i].line, "%s");
        snprintf(line, sizeof(line), "/%.*s%s%s", (int)(at - busy[i].line), busy[i].line, p.job,
                 at + 2);
        expect(&p.w, line, busy[i].says);
    }
    judged_let_judge(&p);
    judged_wait(&p, STATE("ready"), 1);
    assert_int_equal(atomic_load(&p.judge.asked), 1);
    judged_is(&p, "select count(*) from holds", 1);
    judged_press(&p, "go", "started already");
    judged_close(&p);
}

static void cancelled_meanwhile(void **state)
{
    (void)state;
    struct judged p;
    judged_begin(&p, "The badger");
    judged_press(&p, "cancel", "Cancelled.");
    judged_let_judge(&p);
    drafter_stop(TAKE(p.w.bot.drafter)); /* its turn has ended */
    judged_is(&p, STATE("cancelled"), 1);
    judged_is(&p, "select count(*) from strikes", 0); /* taken back in time */
    judged_no_credit_moved(&p);
    judged_close(&p);
}

static bool rescue_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return job_rescue(tx, NULL, NULL, NULL, e);
}

/* Go came in time: neither the end of a quote's day nor twenty newer ones take it away. */
static void a_quote_does_not_end_meanwhile(void **state)
{
    (void)state;
    struct judged p;
    struct err e = {0};
    judged_begin(&p, "How tides work");
    fixture_db_sql(p.w.bot.db, "update jobs set created_at = now() - interval '25 hours'");
    assert_true(db_run(p.w.bot.db, rescue_body, NULL, &e));
    for (int i = 0; i < JOB_QUOTES_MAX + 2; i++) {
        char line[40];
        snprintf(line, sizeof(line), "/make Cats %d", i);
        say(&p.w, line);
    }
    judged_is(&p, "select count(*) from jobs where topic = 'How tides work' and state = 'quoted'",
              1);
    judged_let_judge(&p);
    judged_wait(&p, STATE("ready"), 1);
    judged_is(&p, "select count(*) from holds", 1);
    judged_close(&p);
}

/* A process that hangs, another that takes over, and the first one comes back. */
static void two_processes(void **state)
{
    (void)state;
    struct judged p;
    judged_begin(&p, "How tides work");
    fixture_db_sql(p.w.bot.db, "update drafts set lease_until = now() - interval '1 s'");
    struct drafter *other = NULL;
    judged_drafter(&p, "two", &other);
    judged_wait_asked(&p, 2);
    judged_let_judge(&p);
    judged_wait(&p, STATE("ready"), 1);
    drafter_stop(other);
    drafter_stop(TAKE(p.w.bot.drafter));
    judged_is(&p, "select count(*) from transfers where verb = 'hold'", 1);
    judged_is(&p, "select held from wallets", 1);
    judged_close(&p);
}

/* A drain gives it back; who comes next asks again. */
static void stopped_meanwhile(void **state)
{
    (void)state;
    struct judged p;
    judged_begin(&p, "How tides work");
    drafter_stop(TAKE(p.w.bot.drafter));
    judged_is(&p, "select count(*) from drafts where state = 'wanted' and is_check and tries = 0",
              1);
    judged_no_credit_moved(&p);
    judged_let_judge(&p);
    judged_drafter(&p, "two", &p.w.bot.drafter);
    judged_wait(&p, STATE("ready"), 1);
    judged_close(&p);
}

static atomic_int refusals; /* of a database that is away */

static bool checked_late(struct db_tx *tx, void *bot, const struct job *job, const struct err *why,
                         struct err *e)
{
    if (atomic_fetch_sub(&refusals, 1) > 0)
        return err_set(e, ERR_RETRY, "error.database", "away");
    return quote_checked(tx, bot, job, why, e);
}

/* Its lease is kept as long as the process lives, so it does not give up either. */
static void the_database_is_away_at_the_end(void **state)
{
    (void)state;
    struct judged p;
    struct err e = {0};
    judged_open(&p, true);
    drafter_stop(TAKE(p.w.bot.drafter));
    struct drafter_options o = {
        .db = p.w.bot.db, .tools = &p.w.tools, .name = "two", .calls = bot_drafter_calls(&p.w.bot)};
    o.calls.checked = checked_late;
    atomic_store(&refusals, 6);
    assert_true(drafter_start(&o, &p.w.bot.drafter, &e));
    judged_quote(&p, "How tides work");
    judged_go(&p);
    judged_let_judge(&p);
    judged_wait(&p, STATE("ready"), 1);
    assert_int_equal(atomic_load(&p.judge.asked), 1);
    judged_is(&p, "select count(*) from holds", 1);
    judged_close(&p);
}

/* Too many wait for the judge, or those who asked it died: the rules alone decide. */
static void nobody_waits_for_ever(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        bool strict;
        int asked;
        const char *jobs, *why;
    } rows[] = {
        {"asked_at = now() - interval '1 min'",            false, 0, STATE("ready"),     "late"                   },
        {"asked_at = now() - interval '1 min'",            true,  1, STATE("cancelled"),
         "late, but it must be asked"                                                                             },
        {"asked_at = now() - interval '1 min', tries = 1", false, 1, STATE("cancelled"),
         "a process died: not late"                                                                               },
        {"tries = 3",                                      false, 0, STATE("ready"),     "died three times"       },
        {"tries = 3",                                      true,  0, STATE("quoted"),    "died, and must be asked"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct judged p;
        judged_open(&p, true);
        p.w.tools.guard_strict = rows[i].strict;
        drafter_stop(TAKE(p.w.bot.drafter));
        judged_quote(&p, "The badger");
        judged_press(&p, "go", "Checking the topic");
        AUTO(free_ptr) char *sql = str_printf("update drafts set %s", rows[i].set);
        fixture_db_sql(p.w.bot.db, sql);
        judged_drafter(&p, "two", &p.w.bot.drafter);
        print_message("%s\n", rows[i].why);
        judged_wait(&p, "select count(*) from drafts where state in ('wanted', 'writing')", 0);
        judged_is(&p, rows[i].jobs, 1);
        assert_int_equal(atomic_load(&p.judge.asked), rows[i].asked);
        judged_close(&p);
    }
}

/* A script that was changed is left for another change. */
static void a_script_stays_open(void **state)
{
    (void)state;
    struct judged p;
    judged_open(&p, true);
    judged_quote(&p, "How tides work");
    fixture_db_sql(p.w.bot.db, "insert into drafts(job_id, user_id, state, written)"
                               " select id, user_id, 'ready', 1 from jobs");
    fixture_db_sql(p.w.bot.db, "update jobs set story = jsonb_set(story::jsonb, '{scenes}',"
                               " '[{\"id\":\"s1\",\"narration\":\"The badger bites.\"}]')::text");
    judged_go(&p);
    judged_let_judge(&p);
    judged_wait(&p, "select count(*) from strikes", 1);
    judged_cards(&p, ") The badger bites.", 1);
    judged_is(&p, STATE("quoted"), 1);
    judged_no_credit_moved(&p);
    AUTO(free_ptr) char *line = str_printf("/script %s 1: The sea sleeps.", p.job);
    expect(&p.w, line, "The sea sleeps.");
    judged_go(&p);
    judged_let_judge(&p);
    judged_wait(&p, STATE("ready"), 1);
    judged_is(&p, "select count(*) from strikes", 1);
    judged_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_decide),
        cmocka_unit_test(only_when_it_must),
        cmocka_unit_test(pressed_twice_starts_once),
        cmocka_unit_test(cancelled_meanwhile),
        cmocka_unit_test(a_quote_does_not_end_meanwhile),
        cmocka_unit_test(two_processes),
        cmocka_unit_test(stopped_meanwhile),
        cmocka_unit_test(the_database_is_away_at_the_end),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(a_script_stays_open),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
