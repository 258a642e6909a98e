/* What a check of the words ends in besides yes and no: credits that come later, no room, closed books, and
   scripts that are judged while they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fixture_db.h"
#include "tests/judged.h"

/* --- credits --- */

static void account_of(struct judged *p, char ret[static UUID_TEXT])
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
        struct judged p;
        struct err e = {0};
        judged_open(&p, true);
        struct purchase pay = {.bot = &p.w.bot};
        bool bad = strstr(rows[i].topic, "badger") != NULL;
        judged_quote(&p, rows[i].topic);
        if (bad) { /* it waits since before anybody judged */
            fixture_db_sql(p.w.bot.db, "insert into awaiting(user_id, job_id)"
                                       " select user_id, id from jobs");
        } else {
            judged_go(&p);
            judged_let_judge(&p);
            judged_cards(&p, "not enough credits", 1);
            judged_cards(&p, "This needs 3 credits", 1); /* the quote is back */
            judged_is(&p, "select count(*) from awaiting", 1);
        }
        judged_no_credit_moved(&p);
        p.judge.remembers = rows[i].remembers;
        account_of(&p, pay.gift.account);
        pay.gift.credits = 1; /* still short: nobody is asked, nothing is said */
        int asked = atomic_load(&p.judge.asked);
        assert_true(db_run(p.w.bot.db, purchase_body, &pay, &e));
        judged_is(&p, "select count(*) from drafts where state in ('wanted', 'writing')", 0);
        pay.gift.credits = 5;
        assert_true(db_run(p.w.bot.db, purchase_body, &pay, &e));
        judged_wait(&p, rows[i].jobs, 1);
        assert_int_equal(atomic_load(&p.judge.asked), asked + !rows[i].remembers);
        judged_is(&p, "select held from wallets", bad ? 0 : 3);
        judged_is(&p, "select count(*) from transfers where verb = 'hold'", !bad);
        judged_close(&p);
    }
}

/* The queue filled up while the words were judged. */
static void no_room_at_the_end(void **state)
{
    (void)state;
    struct judged p;
    struct err e = {0};
    struct gift gift = {.credits = 20};
    judged_open(&p, true);
    account_of(&p, gift.account);
    assert_true(db_run(p.w.bot.db, gift_body, &gift, &e));
    judged_quote(&p, "How tides work");
    atomic_store(&p.judge.holds, true);
    judged_press(&p, "go", "Checking the topic");
    judged_wait_asked(&p, 1);
    fixture_db_sql(
        p.w.bot.db,
        "insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic,"
        " story, lang, network, addr, fair_at, run_at, started_at)"
        " select gen_random_uuid(), user_id, sha256(n::text::bytea),"
        " case n when 1 then 'ready' else 'waiting' end, 0, 1, '', '{}', 'en', 'fake', '',"
        " now(), now(), now() from jobs, generate_series(1, 4) n");
    fixture_db_sql(p.w.bot.db, "update wallets set active = 1");
    judged_let_judge(&p);
    judged_cards(&p, "3 videos are waiting already", 1);
    judged_is(&p, STATE("quoted"), 1);
    judged_is(&p, "select count(*) from holds", 0);
    judged_close(&p);
}

/* Operators have orders stopped meanwhile: the quote is back, for later. */
static void closed_at_the_end(void **state)
{
    (void)state;
    struct judged p;
    judged_begin(&p, "How tides work");
    fixture_db_sql(p.w.bot.db, "insert into alarms(name, what) values ('ledger', 'test')");
    judged_let_judge(&p);
    judged_cards(&p, "/go ", 1);
    judged_is(&p, STATE("quoted"), 1);
    judged_no_credit_moved(&p);
    judged_close(&p);
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

static void writer_gone(void *self)
{
    (void)self;
}

static void use_writer(struct judged *p)
{
    static const struct script_writer_ops ops = {
        .name = "long", .write = write_long, .destroy = writer_gone};
    drafter_stop(TAKE(p->w.bot.drafter));
    p->w.tools.writers[0].ops = &ops;
    p->w.bot.own_words = false;
    p->w.bot.draft_limits = (struct draft_limits){.at_once = 1};
    judged_drafter(p, "two", &p->w.bot.drafter);
}

/* A script that may not be stored is a failure that is told, not a turn without end. */
static void a_script_that_is_too_long_ends(void **state)
{
    (void)state;
    struct judged p;
    judged_open(&p, true);
    use_writer(&p);
    sentences = 60;
    atomic_store(&p.judge.holds, true);
    expect(&p.w, "/script How tides work", "being written");
    judged_let_judge(&p);
    judged_wait(&p, "select count(*) from drafts where state = 'failed' and written = 0", 1);
    judged_cards(&p, "Nothing was charged.", 1);
    judged_close(&p);
}

/* The wish of a rewrite is the person's own, whatever stood there before. */
static void a_flagged_wish_counts(void **state)
{
    (void)state;
    struct judged p;
    judged_open(&p, true);
    use_writer(&p);
    sentences = 10;
    say(&p.w, "/script How tides work");
    judged_wait(&p, "select count(*) from drafts where state = 'ready'", 1);
    atomic_store(&p.judge.holds, true);
    expect(&p.w, "/script rewrite with a badger", "being written");
    judged_let_judge(&p);
    judged_wait(&p, "select count(*) from strikes", 1);
    judged_wait(&p, "select count(*) from drafts where state = 'ready'", 1);
    judged_cards(&p, "Your script stays as it was.", 1);
    judged_no_credit_moved(&p);
    judged_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credits_come_later),    cmocka_unit_test(no_room_at_the_end),
        cmocka_unit_test(closed_at_the_end),     cmocka_unit_test(a_script_that_is_too_long_ends),
        cmocka_unit_test(a_flagged_wish_counts),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
