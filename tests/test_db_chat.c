#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_chat.h"
#include "core/db/store_job.h"
#include "tests/fixture_db.h"

struct step {
    enum { ADD, CLAIM, SENT, FAILED, EXPIRE, PENDING, SWEEP, QUOTE, SET_CARD, GET } verb;
    const char *text; /* remote ref, card */
    struct outbox_row row, rows[20];
    size_t count;
    enum outbox_failure why;
    int delay_ms;
    int64_t number;
    char account[UUID_TEXT], job[UUID_TEXT];
    char card[CHAT_REF_MAX];
};

static bool quote(struct db_tx *tx, struct step *s, struct err *e)
{
    struct job spec = {
        .lang = "en", .addr = {.network = "test", .chat = "c"}
    };
    memcpy(spec.account, s->account, UUID_TEXT);
    return job_quote(tx, &spec, "event", s->job, e);
}

static bool get_card(struct db_tx *tx, struct step *s, struct err *e)
{
    AUTO(job_free) struct job j = {0};
    if (!job_get(tx, s->job, &j, e))
        return false;
    return str_copy(s->card, sizeof(s->card), j.card_ref);
}

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    switch (s->verb) {
    case ADD:
        return outbox_add(tx, &s->row, e);
    case CLAIM:
        return outbox_claim(tx, "test", COUNT(s->rows), s->rows, &s->count, e);
    case SENT:
        return outbox_sent(tx, &s->row, s->text, e);
    case FAILED:
        return outbox_failed(tx, &s->row, s->why, s->delay_ms, e);
    case EXPIRE:
        return outbox_expire(tx, "test", e);
    case PENDING:
        return outbox_pending(tx, "test", &s->number, e);
    case SWEEP:
        return chat_sweep(tx, 7, &s->number, e);
    case QUOTE:
        return quote(tx, s, e);
    case SET_CARD:
        return job_set_card(tx, s->job, s->text, e);
    case GET:
        return get_card(tx, s, e);
    }
    return false;
}

static void run(struct db *db, struct step *s)
{
    struct err e = {0};
    if (!db_run(db, step_body, s, &e))
        fail_msg("step %d: %s", (int)s->verb, e.detail);
}

static void add(struct db *db, const char *chat, const char *body, const char *edit_ref)
{
    struct step s = {.verb = ADD, .row = {.addr = {.network = "test"}}};
    str_copy(s.row.addr.chat, sizeof(s.row.addr.chat), chat);
    str_copy(s.row.edit_ref, sizeof(s.row.edit_ref), edit_ref);
    s.row.body = (char *)(uintptr_t)body;
    run(db, &s);
}

/* Claims and gives the bodies, joined by spaces. */
static const char *claim(struct db *db, struct step *s)
{
    static char text[400];
    *s = (struct step){.verb = CLAIM};
    run(db, s);
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < s->count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "", s->rows[i].body);
    return text;
}

static void let_go(struct step *s)
{
    for (size_t i = 0; i < s->count; i++)
        outbox_row_free(&s->rows[i]);
    s->count = 0;
}

static void finish(struct db *db, const struct outbox_row *row, const char *ref)
{
    struct step s = {.verb = SENT, .row = *row, .text = ref};
    run(db, &s);
}

static void test_lanes_keep_order(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    add(db, "a", "a1", "");
    add(db, "a", "a2", "");
    add(db, "b", "b1", "");
    struct step first, second;
    assert_string_equal(claim(db, &first), "a1 b1");
    assert_string_equal(first.rows[0].addr.chat, "a");
    assert_string_equal(first.rows[0].addr.network, "test");
    assert_int_equal(first.rows[0].tries, 1);
    assert_string_equal(claim(db, &second), ""); /* one in flight per lane */
    finish(db, &first.rows[1], "m1");
    assert_string_equal(claim(db, &second), "");

    /* The first failed for now: what follows in its lane waits with it. */
    struct step fail = {.verb = FAILED, .row = first.rows[0], .delay_ms = 60000};
    run(db, &fail);
    assert_string_equal(claim(db, &second), "");
    fixture_db_sql(db, "update outbox set not_before = now() where state = 'pending'");
    assert_string_equal(claim(db, &second), "a1");
    assert_int_equal(second.rows[0].tries, 2);
    run(db, &fail); /* an answer of the first try, too late: says nothing about the second */
    assert_int_equal(fixture_db_number(db, "select count(*) from outbox where state = 'sending'"),
                     1);
    finish(db, &second.rows[0], "m2");
    let_go(&second);
    assert_string_equal(claim(db, &second), "a2");
    let_go(&second);
    let_go(&first);
    struct step p = {.verb = PENDING};
    run(db, &p);
    assert_int_equal(p.number, 1);
    assert_int_equal(fixture_db_number(db, "select count(*) from outbox where state = 'sent'"
                                           " and body <> ''"),
                     0); /* what was said is not kept */
}

static void test_tries_run_out(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    add(db, "a", "a1", "");
    add(db, "a", "a2", "");
    fixture_db_sql(db, "update outbox set created_at = now() - interval '16 min'");
    for (int i = 0; i < 8; i++) {
        struct step s;
        assert_string_equal(claim(db, &s), "a1");
        struct step fail = {.verb = FAILED, .row = s.rows[0]};
        run(db, &fail);
        let_go(&s);
    }
    struct step s;
    assert_string_equal(claim(db, &s), "a2"); /* the lane goes on */
    struct step never = {.verb = FAILED, .row = s.rows[0], .why = OUTBOX_NEVER};
    run(db, &never);
    let_go(&s);
    assert_int_equal(fixture_db_number(db, "select count(*) from outbox where state = 'dead'"), 2);
}

/* No answer came: a send is tried once more and never again, an edit as often as any. */
static void test_unknown(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    static const struct {
        const char *edit_ref;
        int offered;
        const char *why;
    } rows[] = {
        {"",   2, "a send may be shown twice at worst"},
        {"m1", 8, "an edit may be repeated"           },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        add(db, "a", "x", rows[i].edit_ref);
        int offered = 0;
        for (; offered < 20; offered++) {
            struct step s;
            bool there = *claim(db, &s) != '\0';
            let_go(&s);
            if (!there)
                break;
            fixture_db_sql(db, "update outbox set sending_since = now() - interval '61 s'"
                               " where state = 'sending'");
        }
        if (offered != rows[i].offered)
            fail_msg("%s: offered %d times", rows[i].why, offered);
    }
    add(db, "b", "y", "");
    struct step s, expire = {.verb = EXPIRE};
    assert_string_equal(claim(db, &s), "y");
    struct outbox_row late = s.rows[0];
    run(db, &expire); /* its process was killed and is started again: not after 60 s */
    struct step again;
    assert_string_equal(claim(db, &again), "y");
    run(db, &expire);
    finish(db, &late, "m9"); /* the first answer came after all, though the row is dead: sent */
    assert_int_equal(fixture_db_number(db, "select count(*) from outbox where state = 'sent'"), 1);
    let_go(&s);
    let_go(&again);
}

/* Told why a send failed: resting is no try, an unclear send is repeated once, an unclear edit like
   any failure. */
static void test_failures(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    static const struct {
        const char *edit_ref;
        enum outbox_failure why;
        int offered;
        bool old; /* than the longest outage that is waited for */
    } rows[] = {
        {"",   OUTBOX_AGAIN,   40, false},
        {"",   OUTBOX_AGAIN,   8,  true },
        {"",   OUTBOX_HELD,    40, true },
        {"",   OUTBOX_UNCLEAR, 2,  false},
        {"m1", OUTBOX_UNCLEAR, 40, false},
        {"m1", OUTBOX_UNCLEAR, 8,  true },
        {"",   OUTBOX_NEVER,   1,  false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        add(db, "a", "x", rows[i].edit_ref);
        if (rows[i].old)
            fixture_db_sql(db, "update outbox set created_at = now() - interval '16 min'");
        int offered = 0;
        struct step s;
        for (; offered < 40 && *claim(db, &s); offered++) {
            struct step fail = {.verb = FAILED, .row = s.rows[0], .why = rows[i].why};
            run(db, &fail);
            let_go(&s);
        }
        if (offered != rows[i].offered)
            fail_msg("row %zu: offered %d times", i, offered);
        fixture_db_sql(db, "delete from outbox");
    }
}

static void test_edits_replace_edits(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    add(db, "a", "10%", "m1");
    add(db, "a", "hello", "");
    add(db, "a", "other", "m2");
    add(db, "a", "20%", "m1");
    add(db, "b", "theirs", "m1"); /* another chat may use the same name */
    struct step s;
    char seen[100] = "";
    for (int i = 0; i < 10 && *claim(db, &s); i++) {
        for (size_t k = 0; k < s.count; k++) {
            size_t n = strlen(seen);
            snprintf(seen + n, sizeof(seen) - n, "%s ", s.rows[k].body);
            finish(db, &s.rows[k], "");
        }
        let_go(&s);
    }
    assert_string_equal(seen, "hello theirs other 20% ");
}

/* A row may be written before the card it edits was sent. */
static void test_cards(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct step job = {.verb = QUOTE};
    fixture_db_account(db, "ann", 0, job.account);
    run(db, &job);
    struct step s = {
        .verb = ADD, .row = {.addr = {.network = "test", .chat = "a"}, .sets_card = true}
    };
    memcpy(s.row.job, job.job, UUID_TEXT);
    s.row.body = (char *)(uintptr_t) "quote";
    run(db, &s);
    s.row.edits_card = true;
    s.row.body = (char *)(uintptr_t) "5%";
    run(db, &s);
    s.row.body = (char *)(uintptr_t) "10%";
    run(db, &s); /* replaces the one before */
    struct step c;
    assert_string_equal(claim(db, &c), "quote");
    assert_string_equal(c.rows[0].edit_ref, "");
    finish(db, &c.rows[0], "msg 7");
    let_go(&c);
    job.verb = GET;
    run(db, &job);
    assert_string_equal(job.card, "msg 7");
    assert_string_equal(claim(db, &c), "10%");
    assert_string_equal(c.rows[0].edit_ref, "msg 7");
    assert_true(c.rows[0].sets_card && c.rows[0].edits_card);
    assert_string_equal(c.rows[0].job, job.job);
    let_go(&c);
}

/* --- two senders on the same lanes --- */

enum { LANES = 4, PER_LANE = 12 };

struct sender {
    struct db *db;
    atomic_int *in_flight, *next, *wrong;
};

static void *sender_main(void *arg)
{
    struct sender *p = arg;
    for (int idle = 0; idle < 3;) {
        struct step s = {.verb = CLAIM};
        run(p->db, &s);
        idle = s.count ? 0 : idle + 1;
        for (size_t i = 0; i < s.count; i++) {
            int lane = s.rows[i].addr.chat[0] - 'a';
            int64_t number;
            if (atomic_fetch_add(&p->in_flight[lane], 1) != 0 ||
                !str_to_int(s.rows[i].body, 0, PER_LANE, &number) ||
                atomic_fetch_add(&p->next[lane], 1) != (int)number)
                atomic_fetch_add(p->wrong, 1);
        }
        for (size_t i = 0; i < s.count; i++) {
            atomic_fetch_sub(&p->in_flight[s.rows[i].addr.chat[0] - 'a'], 1);
            finish(p->db, &s.rows[i], "m");
        }
        if (!s.count) {
            struct timespec t = {.tv_nsec = 20000000};
            nanosleep(&t, NULL);
        }
        let_go(&s);
    }
    return NULL;
}

static void test_two_senders(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(3);
    for (int i = 0; i < PER_LANE; i++) {
        for (int lane = 0; lane < LANES; lane++) {
            char chat[2] = {(char)('a' + lane), '\0'}, body[8];
            snprintf(body, sizeof(body), "%d", i);
            add(db, chat, body, "");
        }
    }
    atomic_int in_flight[LANES] = {0}, next[LANES] = {0}, wrong = 0;
    struct sender p = {.db = db, .in_flight = in_flight, .next = next, .wrong = &wrong};
    pthread_t t[3];
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_create(&t[i], NULL, sender_main, &p);
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_join(t[i], NULL);
    assert_int_equal(wrong, 0);
    for (int lane = 0; lane < LANES; lane++)
        assert_int_equal(next[lane], PER_LANE);
}

static void test_sweep(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct step s, sweep = {.verb = SWEEP};
    fixture_db_sql(db, "insert into inbox(network, event) values ('test', sha256('old'))");
    add(db, "a", "sent", "");
    claim(db, &s);
    finish(db, &s.rows[0], "m");
    let_go(&s);
    add(db, "a", "stuck", "");
    run(db, &sweep);
    assert_int_equal(sweep.number, 0); /* all of it is new */
    fixture_db_sql(db, "update inbox set received_at = now() - interval '8 days'");
    fixture_db_sql(db, "update outbox set created_at = now() - interval '8 days',"
                       " not_before = now() - interval '8 days'");
    fixture_db_sql(db, "insert into inbox(network, event) values ('test', sha256('new'))");
    run(db, &sweep);
    assert_int_equal(sweep.number, 3);
    assert_int_equal(fixture_db_number(db, "select count(*) from inbox"), 1);
    assert_int_equal(fixture_db_number(db, "select count(*) from outbox"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_keep_order),
        cmocka_unit_test(test_tries_run_out),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_edits_replace_edits),
        cmocka_unit_test(test_cards),
        cmocka_unit_test(test_two_senders),
        cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
