/* Go where a service judges words: it is asked before anything is held, and no bad day of it, no second
   press and no dead process starts a job twice, leaves a quote stuck or takes a credit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "bot/pay_calls.h"
#include "bot/quote.h"
#include "bot/script_card.h"
#include "core/base/clock.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "tests/bot_world.h"
#include "tests/fixture_db.h"

enum { SOON_MS = 20000 };

/* --- the judge --- */

struct judge {
    atomic_bool holds; /* asked, and says nothing yet */
    atomic_int asked;
    enum err_code ill;
    bool remembers;
};

static bool judge_check(void *self, const char *text, const struct cancel *cancel, struct err *e)
{
    struct judge *j = self;
    atomic_fetch_add(&j->asked, 1);
    while (atomic_load(&j->holds))
        if (cancel_wait(cancel, 5))
            return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped");
    if (j->ill)
        return err_set(e, j->ill, "writer.down", "the judge is ill");
    return !strstr(text, "badger") ||
           err_set_arg(e, ERR_REFUSED, "guard.flagged", "violence", "flagged");
}

static bool judge_let_pass(void *self, const char *text)
{
    const struct judge *j = self;
    return j->remembers && !strstr(text, "badger");
}

static void judge_gone(void *self)
{
    (void)self;
}

/* --- a bot whose drafter runs --- */

struct place {
    struct world w;
    struct judge judge;
    char job[UUID_TEXT];
};

static void start_drafter(struct place *p, const char *name, struct drafter **ret)
{
    struct err e = {0};
    struct drafter_options o = {.db = p->w.bot.db,
                                .tools = &p->w.tools,
                                .name = name,
                                .calls = bot_drafter_calls(&p->w.bot)};
    if (!drafter_start(&o, ret, &e))
        fail_msg("%s", e.detail);
}

static void place_open(struct place *p, bool buttons)
{
    static const struct script_guard_ops ops = {
        .name = "judge", .check = judge_check, .destroy = judge_gone, .let_pass = judge_let_pass};
    *p = (struct place){0};
    world_open(&p->w, buttons);
    p->w.tools.guard = (struct script_guard){&ops, &p->judge};
    p->w.bot.strikes = (struct strike_limits){.most = 3, .days = 30, .pause_hours = 72};
    start_drafter(p, "one", &p->w.bot.drafter);
}

static void place_close(struct place *p)
{
    atomic_store(&p->judge.holds, false);
    drafter_stop(p->w.bot.drafter);
    world_close(&p->w);
}

/* Other threads work on it. */
static void wait_for(struct place *p, const char *sql, int64_t want)
{
    int64_t got = -1;
    for (int64_t until = clock_mono_ms() + SOON_MS; clock_mono_ms() < until; usleep(5000))
        if ((got = number(&p->w, sql)) == want)
            return;
    fail_msg("%s is %lld, not %lld", sql, (long long)got, (long long)want);
}

static void wait_asked(struct place *p, int want)
{
    for (int64_t until = clock_mono_ms() + SOON_MS; atomic_load(&p->judge.asked) < want;
         usleep(2000))
        assert_true(clock_mono_ms() < until);
}

static void is(struct place *p, const char *sql, int64_t want)
{
    assert_int_equal(number(&p->w, sql), want);
}

static void no_credit_moved(struct place *p)
{
    is(p, "select count(*) from holds", 0);
    is(p, "select count(*) from transfers where verb <> 'trial'", 0);
}

static void cards_with(struct place *p, const char *text, int64_t want)
{
    AUTO(free_ptr)
    char *sql = str_printf("select count(*) from outbox where body like '%%%s%%'", text);
    wait_for(p, sql, want);
}

static void quote(struct place *p, const char *topic)
{
    AUTO(free_ptr) char *line = str_printf("/make %s", topic);
    p->w.event.kind = CHAT_LINE;
    const char *go = strstr(say(&p->w, line), "|/go ");
    assert_non_null(go);
    str_copy(p->job, sizeof(p->job), go + 5);
    p->w.event.kind = CHAT_BUTTON;
}

static void press(struct place *p, const char *verb, const char *needle)
{
    AUTO(free_ptr) char *line = str_printf("/%s %s", verb, p->job);
    expect(&p->w, line, needle);
}

/* The judge says nothing before the answer to Go was read. */
static void go(struct place *p)
{
    atomic_store(&p->judge.holds, true);
    press(p, "go", "Checking the topic");
}

static void let_judge(struct place *p)
{
    atomic_store(&p->judge.holds, false);
}

#define STATE(s) "select count(*) from jobs where state = '" s "'"

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
        struct place p;
        place_open(&p, true);
        p.judge.ill = rows[i].ill;
        p.w.tools.guard_strict = rows[i].strict;
        quote(&p, rows[i].topic);
        go(&p);
        let_judge(&p);
        wait_for(&p, rows[i].jobs, 1);
        cards_with(&p, rows[i].card, 1);
        print_message("%s\n", rows[i].why);
        is(&p, "select count(*) from strikes", rows[i].strikes);
        is(&p, "select count(*) from holds", rows[i].started);
        is(&p, "select held from wallets", rows[i].started);
        assert_int_equal(atomic_load(&p.judge.asked), 1);
        if (!rows[i].started)
            no_credit_moved(&p);
        if (rows[i].strikes)
            cards_with(&p, "strike 1 of 3", 1);
        if (rows[i].strict) {
            cards_with(&p, "/go ", 1);
            p.judge.ill = ERR_NONE;
            go(&p); /* the service is well again: it flags */
            let_judge(&p);
            wait_for(&p, STATE("cancelled"), 1);
        } else if (!rows[i].started) {
            press(&p, "go", "no longer open");
        }
        place_close(&p);
    }
}

/* Without buttons /make starts at once; with words that passed before, so does Go. */
static void only_when_it_must(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, false);
    expect(&p.w, "/make How tides work", "Checking the topic");
    wait_for(&p, STATE("ready"), 1);
    place_close(&p);
    place_open(&p, true);
    p.judge.remembers = true;
    quote(&p, "How tides work");
    press(&p, "go", "Starting");
    is(&p, "select count(*) from drafts", 0);
    place_close(&p);
    place_open(&p, true);
    p.w.tools.guard.ops = NULL;
    quote(&p, "The badger");
    press(&p, "go", "Starting");
    is(&p, "select count(*) from drafts", 0);
    place_close(&p);
}

/* --- while it is asked --- */

static void pressed_twice_starts_once(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    quote(&p, "How tides work");
    go(&p);
    wait_asked(&p, 1);
    press(&p, "go", "Checking the topic");
    press(&p, "script", "Checking the topic");
    no_credit_moved(&p);
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
    let_judge(&p);
    wait_for(&p, STATE("ready"), 1);
    assert_int_equal(atomic_load(&p.judge.asked), 1);
    is(&p, "select count(*) from holds", 1);
    press(&p, "go", "started already");
    place_close(&p);
}

static void cancelled_meanwhile(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    quote(&p, "The badger");
    go(&p);
    wait_asked(&p, 1);
    press(&p, "cancel", "Cancelled.");
    let_judge(&p);
    drafter_stop(TAKE(p.w.bot.drafter)); /* its turn has ended */
    is(&p, STATE("cancelled"), 1);
    is(&p, "select count(*) from strikes", 0); /* taken back in time */
    no_credit_moved(&p);
    place_close(&p);
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
    struct place p;
    struct err e = {0};
    place_open(&p, true);
    quote(&p, "How tides work");
    go(&p);
    wait_asked(&p, 1);
    fixture_db_sql(p.w.bot.db, "update jobs set created_at = now() - interval '25 hours'");
    assert_true(db_run(p.w.bot.db, rescue_body, NULL, &e));
    for (int i = 0; i < JOB_QUOTES_MAX + 2; i++) {
        char line[40];
        snprintf(line, sizeof(line), "/make Cats %d", i);
        say(&p.w, line);
    }
    is(&p, "select count(*) from jobs where topic = 'How tides work' and state = 'quoted'", 1);
    let_judge(&p);
    wait_for(&p, STATE("ready"), 1);
    is(&p, "select count(*) from holds", 1);
    place_close(&p);
}

/* A process that hangs, another that takes over, and the first one comes back. */
static void two_processes(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    quote(&p, "How tides work");
    go(&p);
    wait_asked(&p, 1);
    fixture_db_sql(p.w.bot.db, "update drafts set lease_until = now() - interval '1 s'");
    struct drafter *other = NULL;
    start_drafter(&p, "two", &other);
    wait_asked(&p, 2);
    let_judge(&p);
    wait_for(&p, STATE("ready"), 1);
    drafter_stop(other);
    drafter_stop(TAKE(p.w.bot.drafter));
    is(&p, "select count(*) from transfers where verb = 'hold'", 1);
    is(&p, "select held from wallets", 1);
    place_close(&p);
}

/* A drain gives it back; who comes next asks again. */
static void stopped_meanwhile(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    quote(&p, "How tides work");
    go(&p);
    wait_asked(&p, 1);
    drafter_stop(TAKE(p.w.bot.drafter));
    is(&p, "select count(*) from drafts where state = 'wanted' and is_check and tries = 0", 1);
    no_credit_moved(&p);
    let_judge(&p);
    start_drafter(&p, "two", &p.w.bot.drafter);
    wait_for(&p, STATE("ready"), 1);
    place_close(&p);
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
    struct place p;
    struct err e = {0};
    place_open(&p, true);
    drafter_stop(TAKE(p.w.bot.drafter));
    struct drafter_options o = {
        .db = p.w.bot.db, .tools = &p.w.tools, .name = "two", .calls = bot_drafter_calls(&p.w.bot)};
    o.calls.checked = checked_late;
    atomic_store(&refusals, 6);
    assert_true(drafter_start(&o, &p.w.bot.drafter, &e));
    quote(&p, "How tides work");
    go(&p);
    let_judge(&p);
    wait_for(&p, STATE("ready"), 1);
    assert_int_equal(atomic_load(&p.judge.asked), 1);
    is(&p, "select count(*) from holds", 1);
    place_close(&p);
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
        struct place p;
        place_open(&p, true);
        p.w.tools.guard_strict = rows[i].strict;
        drafter_stop(TAKE(p.w.bot.drafter));
        quote(&p, "The badger");
        press(&p, "go", "Checking the topic");
        AUTO(free_ptr) char *sql = str_printf("update drafts set %s", rows[i].set);
        fixture_db_sql(p.w.bot.db, sql);
        start_drafter(&p, "two", &p.w.bot.drafter);
        print_message("%s\n", rows[i].why);
        wait_for(&p, "select count(*) from drafts where state in ('wanted', 'writing')", 0);
        is(&p, rows[i].jobs, 1);
        assert_int_equal(atomic_load(&p.judge.asked), rows[i].asked);
        place_close(&p);
    }
}

/* A script that was changed is left for another change. */
static void a_script_stays_open(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    quote(&p, "How tides work");
    fixture_db_sql(p.w.bot.db, "insert into drafts(job_id, user_id, state, written)"
                               " select id, user_id, 'ready', 1 from jobs");
    fixture_db_sql(p.w.bot.db, "update jobs set story = jsonb_set(story::jsonb, '{scenes}',"
                               " '[{\"id\":\"s1\",\"narration\":\"The badger bites.\"}]')::text");
    go(&p);
    let_judge(&p);
    wait_for(&p, "select count(*) from strikes", 1);
    cards_with(&p, ") The badger bites.", 1);
    is(&p, STATE("quoted"), 1);
    no_credit_moved(&p);
    AUTO(free_ptr) char *line = str_printf("/script %s 1: The sea sleeps.", p.job);
    expect(&p.w, line, "The sea sleeps.");
    go(&p);
    let_judge(&p);
    wait_for(&p, STATE("ready"), 1);
    is(&p, "select count(*) from strikes", 1);
    place_close(&p);
}

/* --- credits --- */

struct payment {
    struct bot *bot;
    struct gift gift;
};

static bool pay_body(struct db_tx *tx, void *data, struct err *e)
{
    struct payment *p = data;
    enum ledger_result r;
    struct pay_calls calls = bot_pay_calls(p->bot);
    char key[40];
    snprintf(key, sizeof(key), "pay:%d", (int)p->gift.credits);
    const struct pay_credited c = {.account = p->gift.account,
                                   .credits = p->gift.credits,
                                   .amount = "1",
                                   .unit = "XNO",
                                   .rest = "0",
                                   .ref = "x"};
    return ledger_grant(tx, key, p->gift.account, p->gift.credits, "test", "paid", &r, e) &&
           calls.on_credited(tx, calls.ctx, &c, e);
}

static void account_of(struct place *p, char ret[static UUID_TEXT])
{
    p->w.event.kind = CHAT_LINE;
    const char *at = strstr(say(&p->w, "/credits"), "Your account: ");
    assert_non_null(at);
    str_copy(ret, UUID_TEXT, at + strlen("Your account: "));
}

/* Short at the end of the check: what Go says today. The payment then starts it by itself, once its
   words were judged, and only then. */
static void credits_come_later(void **state)
{
    (void)state;
    static const struct {
        const char *topic, *jobs;
        bool remembers;
    } rows[] = {
        {"How tides work premium", STATE("ready"),     false},
        {"How tides work premium", STATE("ready"),     true },
        {"The badger premium",     STATE("cancelled"), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct place p;
        struct err e = {0};
        place_open(&p, true);
        struct payment pay = {.bot = &p.w.bot};
        bool bad = strstr(rows[i].topic, "badger") != NULL;
        quote(&p, rows[i].topic);
        if (bad) { /* it waits since before anybody judged */
            fixture_db_sql(p.w.bot.db, "insert into awaiting(user_id, job_id)"
                                       " select user_id, id from jobs");
        } else {
            go(&p);
            let_judge(&p);
            cards_with(&p, "not enough credits", 1);
            cards_with(&p, "This needs 3 credits", 1); /* the quote is back */
            is(&p, "select count(*) from awaiting", 1);
        }
        no_credit_moved(&p);
        p.judge.remembers = rows[i].remembers;
        account_of(&p, pay.gift.account);
        pay.gift.credits = 1; /* still short: nobody is asked, nothing is said */
        int asked = atomic_load(&p.judge.asked);
        assert_true(db_run(p.w.bot.db, pay_body, &pay, &e));
        is(&p, "select count(*) from drafts where state in ('wanted', 'writing')", 0);
        pay.gift.credits = 5;
        assert_true(db_run(p.w.bot.db, pay_body, &pay, &e));
        wait_for(&p, rows[i].jobs, 1);
        assert_int_equal(atomic_load(&p.judge.asked), asked + !rows[i].remembers);
        is(&p, "select held from wallets", bad ? 0 : 3);
        is(&p, "select count(*) from transfers where verb = 'hold'", !bad);
        place_close(&p);
    }
}

/* The queue filled up while the words were judged. */
static void no_room_at_the_end(void **state)
{
    (void)state;
    struct place p;
    struct err e = {0};
    struct gift gift = {.credits = 20};
    place_open(&p, true);
    account_of(&p, gift.account);
    assert_true(db_run(p.w.bot.db, gift_body, &gift, &e));
    quote(&p, "How tides work");
    atomic_store(&p.judge.holds, true);
    press(&p, "go", "Checking the topic");
    wait_asked(&p, 1);
    fixture_db_sql(
        p.w.bot.db,
        "insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic,"
        " story, lang, network, addr, fair_at, run_at, started_at)"
        " select gen_random_uuid(), user_id, sha256(n::text::bytea),"
        " case n when 1 then 'ready' else 'waiting' end, 0, 1, '', '{}', 'en', 'fake', '',"
        " now(), now(), now() from jobs, generate_series(1, 4) n");
    fixture_db_sql(p.w.bot.db, "update wallets set active = 1");
    let_judge(&p);
    cards_with(&p, "3 videos are waiting already", 1);
    is(&p, STATE("quoted"), 1);
    is(&p, "select count(*) from holds", 0);
    place_close(&p);
}

/* Operators have orders stopped meanwhile: the quote is back, for later. */
static void closed_at_the_end(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    quote(&p, "How tides work");
    go(&p);
    wait_asked(&p, 1);
    fixture_db_sql(p.w.bot.db, "insert into alarms(name, what) values ('ledger', 'test')");
    let_judge(&p);
    cards_with(&p, "/go ", 1);
    is(&p, STATE("quoted"), 1);
    no_credit_moved(&p);
    place_close(&p);
}

/* --- scripts that are written first --- */

static int sentences; /* of the next script, four seconds each */

static bool write_long(void *self, const struct script_request *r, struct script *ret,
                       struct err *e)
{
    (void)self, (void)r, (void)e;
    *ret = (struct script){.title = "Tides", .mood = "calm"};
    ret->scenes = arena_alloc(&ret->arena, (size_t)sentences * sizeof(*ret->scenes));
    for (int i = 0; i < sentences; i++)
        ret->scenes[ret->scene_count++].narration =
            "The moon pulls the whole sea up and down twice each day.";
    return true;
}

static void use_writer(struct place *p)
{
    static const struct script_writer_ops ops = {
        .name = "long", .write = write_long, .destroy = judge_gone};
    drafter_stop(TAKE(p->w.bot.drafter));
    p->w.tools.writers[0].ops = &ops;
    p->w.bot.own_words = false;
    p->w.bot.draft_limits = (struct draft_limits){.at_once = 1};
    start_drafter(p, "two", &p->w.bot.drafter);
}

/* A script that may not be stored is a failure that is told, not a turn without end. */
static void a_script_that_is_too_long_ends(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    use_writer(&p);
    sentences = 60;
    atomic_store(&p.judge.holds, true);
    expect(&p.w, "/script How tides work", "being written");
    let_judge(&p);
    wait_for(&p, "select count(*) from drafts where state = 'failed' and written = 0", 1);
    cards_with(&p, "Nothing was charged.", 1);
    place_close(&p);
}

/* The wish of a rewrite is the person's own, whatever stood there before. */
static void a_flagged_wish_counts(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, true);
    use_writer(&p);
    sentences = 10;
    say(&p.w, "/script How tides work");
    wait_for(&p, "select count(*) from drafts where state = 'ready'", 1);
    atomic_store(&p.judge.holds, true);
    expect(&p.w, "/script rewrite with a badger", "being written");
    let_judge(&p);
    wait_for(&p, "select count(*) from strikes", 1);
    wait_for(&p, "select count(*) from drafts where state = 'ready'", 1);
    cards_with(&p, "Your script stays as it was.", 1);
    no_credit_moved(&p);
    place_close(&p);
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
        cmocka_unit_test(credits_come_later),
        cmocka_unit_test(no_room_at_the_end),
        cmocka_unit_test(closed_at_the_end),
        cmocka_unit_test(a_script_that_is_too_long_ends),
        cmocka_unit_test(a_flagged_wish_counts),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
