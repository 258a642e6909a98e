/* Scripts before they are paid, in the database: bounds per account, leases, turns; strikes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_draft.h"
#include "core/db/store_guard.h"
#include "tests/fixture_db.h"

struct step {
    enum {
        QUOTE,
        ASK,
        CHECK,
        CLAIM,
        CLAIM_CHECK,
        DONE,
        FAIL,
        CHECKED,
        GIVE_BACK,
        FIND,
        CANCEL,
        STRIKE,
        PAUSE,
        CALL
    } verb;
    const char *account, *worker, *text;
    char id[UUID_TEXT];
    struct draft_limits limits;
    struct strike_limits strikes;
    enum draft_ask asked;
    struct draft draft;
    bool before, paused, ordered;
    int count;
};

static bool guard_body(struct db_tx *tx, struct step *s, struct err *e)
{
    struct script_call call = {.writer = "w",
                               .model = "m",
                               .outcome = "ok",
                               .tokens_in = -1,
                               .tokens_out = 7,
                               .text = s->text,
                               .text_len = s->text ? strlen(s->text) : 0};
    switch (s->verb) {
    case STRIKE:
        return strike_add(tx, s->account, "weapons", &s->strikes, &s->count, &s->paused, e);
    case PAUSE:
        return strike_pause(tx, s->account, &s->count, e);
    default:
        return script_call_add(tx, s->id, s->account, &call, e);
    }
}

static bool body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct job spec = {
        .price = 1, .estimate_ms = 8000, .topic = (char *)"Tides", .story = (char *)"{}"};
    enum job_state state;
    switch (s->verb) {
    case QUOTE:
        str_copy(spec.account, sizeof(spec.account), s->account);
        str_copy(spec.lang, sizeof(spec.lang), "en");
        str_copy(spec.addr.network, sizeof(spec.addr.network), "test");
        return job_quote(tx, &spec, s->text, s->id, e);
    case ASK:
        return draft_ask(tx, s->id, s->text, &s->limits, &s->asked, e);
    case CLAIM:
        return draft_claim(tx, s->worker, false, &s->draft, e);
    case CLAIM_CHECK:
        return draft_claim(tx, s->worker, true, &s->draft, e);
    case CHECK:
        return draft_check(tx, s->id, &s->ordered, e);
    case CHECKED:
        return draft_checked(tx, &s->draft, s->worker, &s->before, e);
    case DONE:
        return draft_done(tx, &s->draft, s->worker, &s->before, e);
    case FAIL:
        return draft_fail(tx, &s->draft, s->worker, &s->before, e);
    case GIVE_BACK:
        return draft_give_back(tx, &s->draft, s->worker, e);
    case FIND:
        return draft_find(tx, s->account, NULL, s->id, e);
    case CANCEL:
        return job_cancel(tx, s->id, &state, e);
    default:
        return guard_body(tx, s, e);
    }
}

static void must(struct db *db, struct step *s)
{
    struct err e = {0};
    if (!db_run(db, body, s, &e))
        fail_msg("step %d: %s", (int)s->verb, e.detail);
}

static const char *key_of_failure(struct db *db, struct step *s)
{
    static struct err e;
    e = (struct err){0};
    assert_false(db_run(db, body, s, &e));
    return e.user_key;
}

static void quote(struct db *db, const char *account, const char *key, char ret[static UUID_TEXT])
{
    struct step s = {.verb = QUOTE, .account = account, .text = key};
    must(db, &s);
    str_copy(ret, UUID_TEXT, s.id);
}

static enum draft_ask ask(struct db *db, const char *job, int at_once, int per_day)
{
    struct step s = {
        .verb = ASK, .text = "a wish", .limits = {at_once, per_day}
    };
    str_copy(s.id, sizeof(s.id), job);
    must(db, &s);
    return s.asked;
}

static struct step claim(struct db *db, const char *worker)
{
    struct step s = {.verb = CLAIM, .worker = worker};
    must(db, &s);
    return s;
}

static void bounds_of_an_account(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ana[UUID_TEXT], ben[UUID_TEXT], a[UUID_TEXT], b[UUID_TEXT], c[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    fixture_db_account(db, "ben", 5, ben);
    quote(db, ana, "1", a);
    quote(db, ana, "2", b);
    quote(db, ben, "1", c);
    assert_int_equal(ask(db, a, 1, 2), DRAFT_ASKED);
    assert_int_equal(ask(db, a, 1, 2), DRAFT_IN_WORK);
    assert_int_equal(ask(db, b, 1, 2), DRAFT_BUSY);
    assert_int_equal(ask(db, c, 1, 2), DRAFT_ASKED); /* somebody else's are their own */
    struct step s = claim(db, "w1");
    assert_string_equal(s.draft.job, a);
    assert_string_equal(s.draft.wish, "a wish");
    s.verb = FAIL; /* was not worth anything: does not count */
    must(db, &s);
    assert_int_equal(ask(db, a, 1, 2), DRAFT_ASKED);
    s = claim(db, "w1");
    s = s.draft.job[0] && strcmp(s.draft.job, a) == 0 ? s : claim(db, "w1");
    s.verb = DONE;
    must(db, &s);
    assert_int_equal(ask(db, b, 1, 2), DRAFT_ASKED);
    assert_int_equal(ask(db, a, 2, 2), DRAFT_USED_UP);
    assert_int_equal(ask(db, a, 2, 0), DRAFT_ASKED); /* 0: no bound */
    struct step late = {.verb = CANCEL};
    str_copy(late.id, sizeof(late.id), b);
    must(db, &late);
    late.verb = ASK;
    assert_string_equal(key_of_failure(db, &late), "make.quote_gone");
}

static void turns_and_leases(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ana[UUID_TEXT], a[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    quote(db, ana, "1", a);
    ask(db, a, 1, 0);
    struct step first = claim(db, "w1");
    assert_string_equal(first.draft.job, a);
    assert_string_equal(claim(db, "w2").draft.job, ""); /* w1 has it */
    fixture_db_sql(db, "update drafts set lease_until = now() - interval '1 s'");
    struct step second = claim(db, "w2");
    assert_string_equal(second.draft.job, a);
    assert_int_equal(second.draft.tries, 2);
    first.verb = DONE;
    assert_string_equal(key_of_failure(db, &first), "error.lease_lost");
    second.verb = DONE;
    must(db, &second);
    assert_false(second.before);
    must(db, &second); /* its commit was in doubt: said once */
    assert_true(second.before);
    ask(db, a, 1, 0);
    struct step third = claim(db, "w1");
    assert_int_equal(third.draft.tries, 1);
    third.verb = GIVE_BACK;
    must(db, &third);
    third = claim(db, "w1");
    assert_int_equal(third.draft.tries, 1); /* a drain costs no try */
    third.verb = FAIL;
    must(db, &third);
    assert_int_equal(fixture_db_number(db, "select count(*) from drafts where state = 'ready'"), 1);
    struct step gone = {.verb = CANCEL};
    ask(db, a, 1, 0);
    struct step fourth = claim(db, "w1");
    str_copy(gone.id, sizeof(gone.id), a);
    must(db, &gone);
    fourth.verb = DONE;
    assert_string_equal(key_of_failure(db, &fourth), "make.quote_gone");
    gone = (struct step){.verb = FIND, .account = ana};
    must(db, &gone);
    assert_string_equal(gone.id, "");
}

/* Checks: no script, no place in the bounds, before every script, one turn of a job at a time. */
static void checks_have_turns_of_their_own(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ana[UUID_TEXT], a[UUID_TEXT], b[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    quote(db, ana, "1", a);
    quote(db, ana, "2", b);
    ask(db, a, 1, 1);
    struct step check = {.verb = CHECK}, none = {.verb = CLAIM_CHECK, .worker = "w3"};
    str_copy(check.id, sizeof(check.id), a);
    assert_string_equal(key_of_failure(db, &check), "script.in_work");
    must(db, &none);
    assert_string_equal(none.draft.job, ""); /* scripts are not for this thread */
    str_copy(check.id, sizeof(check.id), b);
    must(db, &check);
    assert_true(check.ordered);
    must(db, &check);
    assert_false(check.ordered); /* pressed twice */
    struct step script = {
        .verb = ASK, .limits = {9, 0}
    };
    str_copy(script.id, sizeof(script.id), b);
    assert_string_equal(key_of_failure(db, &script), "go.in_check");
    struct step find = {.verb = FIND, .account = ana};
    must(db, &find);
    assert_string_equal(find.id, a); /* b is no draft */
    struct step first = claim(db, "w1");
    assert_string_equal(first.draft.job, b); /* asked later, and first: somebody waits for Go */
    assert_true(first.draft.is_check);
    assert_false(first.draft.is_late);
    fixture_db_sql(db, "update drafts set lease_until = now() - interval '1 s' where is_check");
    struct step second = claim(db, "w2");
    assert_string_equal(second.draft.job, b);
    first.verb = second.verb = CHECKED;
    assert_string_equal(key_of_failure(db, &first), "error.lease_lost");
    must(db, &second);
    assert_false(second.before);
    must(db, &second);
    assert_true(second.before);                     /* its commit was in doubt */
    assert_int_equal(ask(db, b, 1, 2), DRAFT_BUSY); /* that of a is written */
    struct step third = claim(db, "w1");
    assert_string_equal(third.draft.job, a);
    third.verb = DONE;
    must(db, &third);
    assert_int_equal(ask(db, b, 1, 2), DRAFT_ASKED); /* a check counted for nothing */
    third = claim(db, "w1");
    third.verb = DONE;
    must(db, &third);
    must(db, &check); /* Go under the script */
    third = claim(db, "w1");
    third.verb = CHECKED;
    must(db, &third);
    assert_int_equal(fixture_db_number(db, "select count(*) from drafts where state = 'ready'"), 2);
    find.id[0] = '\0';
    must(db, &find);
    assert_string_equal(find.id, b); /* and it is a draft as before */
}

static void strikes_pause_an_account(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ana[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    struct step s = {
        .verb = STRIKE, .account = ana, .strikes = {3, 30, 72}
    };
    struct step look = {.verb = PAUSE, .account = ana};
    must(db, &s);
    must(db, &s);
    fixture_db_sql(db, "update strikes set at = now() - interval '31 days' where id ="
                       " (select min(id) from strikes)");
    must(db, &s); /* the first one is too old to count */
    assert_int_equal(s.count, 2);
    assert_false(s.paused);
    must(db, &look);
    assert_int_equal(look.count, 0);
    must(db, &s);
    assert_true(s.paused);
    must(db, &look);
    assert_int_equal(look.count, 72);
    fixture_db_sql(db, "update pauses set until = now() - interval '1 s'");
    must(db, &look);
    assert_int_equal(look.count, 0);
    s.strikes.most = 0;
    must(db, &s);
    assert_false(s.paused); /* an operator who pauses nobody */
}

/* Whatever came is stored as valid text, bounded. */
static void answers_are_bounded(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ana[UUID_TEXT], a[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    quote(db, ana, "1", a);
    struct strbuf big = STRBUF((size_t)1 << 20);
    while (big.len < 50000)
        strbuf_adds(&big, "\xE6\xBD\xAE\xFF");
    struct step s = {.verb = CALL, .account = ana, .text = strbuf_text(&big)};
    str_copy(s.id, sizeof(s.id), a);
    for (int i = 0; i < 45; i++)
        must(db, &s);
    assert_int_equal(fixture_db_number(db, "select count(*) from script_calls"), 40);
    assert_true(fixture_db_number(db, "select max(octet_length(answer)) from script_calls") <=
                16384);
    assert_true(fixture_db_number(db, "select min(length(answer)) from script_calls") > 3000);
    strbuf_free(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_of_an_account),
        cmocka_unit_test(turns_and_leases),
        cmocka_unit_test(checks_have_turns_of_their_own),
        cmocka_unit_test(strikes_pause_an_account),
        cmocka_unit_test(answers_are_bounded),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
