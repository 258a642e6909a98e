/* Events: stored once and sealed, handed out in order per chat, never lost with who had them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/db/store_chat.h"
#include "core/db/store_inbox.h"
#include "tests/fixture_db.h"

enum { ITEMS_MAX = 16 };

/* "chat:words" per event, "chat+other:words" where two chats wait for it; the words are its id too. */
struct step {
    enum { PUT, TAKE, HOLD, HOLD_AND_DIE, POSTPONE, GIVE_BACK, BEGIN } verb;
    const char *const *events;
    struct db *db; /* HOLD: what others get meanwhile */
    int64_t fresh, process, only, id;
    int tries, cards, begun;
    bool found;
    char got[64], others[64];
};

static const char *const networks[] = {"test", NULL};

static bool put(struct db_tx *tx, struct step *s, struct err *e)
{
    struct inbox_item items[ITEMS_MAX];
    struct chat_addr addr[ITEMS_MAX] = {0}, also[ITEMS_MAX] = {0};
    size_t n = 0;
    for (; s->events[n]; n++) {
        const char *colon = strchr(s->events[n], ':');
        size_t chat = strcspn(s->events[n], "+:");
        bool two = s->events[n][chat] == '+';
        str_copy(addr[n].chat, MIN(sizeof(addr[n].chat), chat + 1), s->events[n]);
        if (two)
            str_copy(also[n].chat, MIN(sizeof(also[n].chat), (size_t)(colon - s->events[n]) - chat),
                     s->events[n] + chat + 1);
        items[n] = (struct inbox_item){.event_id = colon + 1,
                                       .addr = &addr[n],
                                       .body = colon + 1,
                                       .also = two ? &also[n] : NULL};
    }
    return inbox_put(tx, "test", items, n, &s->fresh, e);
}

static void take(struct db *db, char ret[64]);

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    AUTO(inbox_row_free) struct inbox_row row = {0};
    if (s->verb == PUT)
        return put(tx, s, e);
    if (!inbox_claim(tx, networks, s->only, &row, e))
        return false;
    s->found = row.id != 0;
    s->id = row.id;
    s->tries = row.tries;
    s->cards = row.cards;
    str_copy(s->got, sizeof(s->got), row.id ? row.body : "");
    switch (s->verb) {
    case HOLD: /* ours is not done yet: somebody else looks for work */
        take(s->db, s->others);
        return inbox_done(tx, row.id, e);
    case HOLD_AND_DIE:
        take(s->db, s->others);
        return err_set(e, ERR_CANCELLED, "error.cancelled", "died in the middle");
    case BEGIN:
        return inbox_begin(tx, row.id, s->process, &s->begun, e);
    case POSTPONE:
        return inbox_postpone(tx, row.id, 60000, true, e);
    case GIVE_BACK:
        return err_set(e, ERR_CANCELLED, "error.cancelled", "died in the middle");
    default:
        return !row.id || inbox_done(tx, row.id, e);
    }
}

static void run(struct db *db, struct step *s)
{
    struct err e = {0};
    if (!db_run(db, step_body, s, &e) && e.code != ERR_CANCELLED)
        fail_msg("step %d: %s", (int)s->verb, e.detail);
}

static void take(struct db *db, char ret[64])
{
    struct step s = {.verb = TAKE};
    run(db, &s);
    str_copy(ret, 64, s.got);
}

static int64_t store(struct db *db, const char *const *events)
{
    struct step s = {.verb = PUT, .events = events};
    run(db, &s);
    return s.fresh;
}

static void takes(struct db *db, const char *want)
{
    char got[64];
    take(db, got);
    assert_string_equal(got, want);
}

static void each_is_stored_once(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    static const char *const first[] = {"987654321:one", "987654321:two", "987654321:one", NULL};
    static const char *const again[] = {"987654321:two", "987654321:three", NULL};
    assert_int_equal(store(db, first), 2);
    assert_int_equal(store(db, again), 1);
    takes(db, "one");
    takes(db, "two");
    assert_int_equal(store(db, first), 0); /* also when it was dealt with long ago */
    takes(db, "three");
    takes(db, "");
    /* Neither words nor places are readable. */
    assert_int_equal(store(db, (const char *const[]){"987654321:secret words", NULL}), 1);
    assert_int_equal(fixture_db_number(db, "select count(*) from inbox i where i::text"
                                           " ~ '987654321|secret'"),
                     0);
    assert_int_equal(fixture_db_number(db, "select count(*) from events i where i::text"
                                           " ~ '987654321|secret'"),
                     0);
    takes(db, "secret words");
    assert_int_equal(fixture_db_number(db, "select count(*) from events"), 0);
}

static void a_chat_waits_for_itself_only(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(3);
    static const char *const events[] = {"a:a1", "a:a2", "b:b1", "a:a3", "b:b2", NULL};
    assert_int_equal(store(db, events), 5);
    struct step s = {.verb = HOLD, .db = db};
    run(db, &s);
    assert_string_equal(s.got, "a1");
    assert_string_equal(s.others, "b1"); /* not a2: a1 is still at work */
    s.verb = GIVE_BACK;
    run(db, &s);
    assert_string_equal(s.got, "a2");
    takes(db, "a2"); /* whoever had it died */
    s.verb = POSTPONE;
    run(db, &s);
    assert_string_equal(s.got, "a3");
    assert_int_equal(s.tries, 0);
    takes(db, "b2");
    takes(db, ""); /* a3 is not due */
    fixture_db_sql(db, "update events set not_before = now()");
    s.verb = TAKE;
    run(db, &s);
    assert_string_equal(s.got, "a3");
    assert_int_equal(s.tries, 1);
}

/* A move (of a to b) is dealt with behind what came before it in either chat, and before what comes
   behind it in either. */
static void two_chats_wait_for_a_move(void **state)
{
    (void)state;
    static const struct {
        const char *events[8], *held, *others[4];
        const char *why;
    } rows[] = {
        {{"a+b:move", "b:b1", "a:a1", "c:c1"},   "move", {"c1", ""},       "both chats wait for it"   },
        {{"b:b1", "a+b:move", "b:b2", "c:c1"},   "b1",   {"c1", ""},       "it waits for the new chat"},
        {{"a:a1", "a+b:move", "b:b1", "c:c1"},   "a1",   {"c1", ""},       "it waits for the old chat"},
        {{"a+b:m1", "a+b:m2", "b:b1"},           "m1",   {""},             "told in both chats"       },
        {{"a+b:m1", "c+b:m2", "d+a:m3", "c:c1"}, "m1",   {""},             "chains keep their order"  },
        {{"a+b:m1", "c+d:m2", "d:d1"},           "m1",   {"m2", "d1", ""}, "other moves go on"        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(3);
        print_message("%s\n", rows[i].why);
        store(db, rows[i].events);
        struct step s = {.verb = HOLD, .db = db};
        size_t n = 0;
        do {
            /* Again and again the first one is held and dies, until others have nothing left. */
            s.verb = HOLD_AND_DIE;
            run(db, &s);
            assert_string_equal(s.got, rows[i].held);
            assert_string_equal(s.others, rows[i].others[n]);
        } while (rows[i].others[n++][0]);
    }
}

/* A count of the processes that began with an event and were gone before its end. */
static void processes_that_ended_are_counted(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    static const struct {
        int64_t process;
        int begun;
        const char *why;
    } rows[] = {
        {11, 1, "the first"                                              },
        {11, 1, "the same once more: it is alive, so it failed otherwise"},
        {-7, 2, "another one"                                            },
        {11, 3, "the first again: it cannot tell that it is alive"       },
    };
    assert_int_equal(store(db, (const char *const[]){"a:a1", "a:a2", NULL}), 2);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct step s = {.verb = BEGIN, .process = rows[i].process};
        print_message("%s\n", rows[i].why);
        run(db, &s);
        assert_int_equal(s.begun, rows[i].begun);
        takes(db, ""); /* nobody else takes it now, nor what comes behind it */
        fixture_db_sql(db, "update events set not_before = now()");
    }
    struct step s = {.verb = POSTPONE};
    run(db, &s); /* it came to an end, for now */
    fixture_db_sql(db, "update events set not_before = now()");
    s = (struct step){.verb = BEGIN, .process = 5};
    run(db, &s);
    assert_int_equal(s.begun, 1);
    s = (struct step){.verb = TAKE, .only = s.id};
    run(db, &s); /* by its id it is ours, although it is not due */
    assert_string_equal(s.got, "a1");
    takes(db, "a2");
}

static bool say(struct db_tx *tx, void *ctx, struct err *e)
{
    char body[] = "{}";
    struct outbox_row row = {
        .addr = {.network = "test", .chat = "a"},
          .body = body
    };
    (void)ctx;
    return outbox_add(tx, &row, e);
}

static void unsent_cards_of_the_chat_are_counted(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    struct err e;
    assert_int_equal(store(db, (const char *const[]){"a:1", "b:2", NULL}), 2);
    for (int i = 0; i < INBOX_CARDS_MAX + 3; i++)
        assert_true(db_run(db, say, NULL, &e));
    struct step s = {.verb = TAKE};
    run(db, &s);
    assert_int_equal(s.cards, INBOX_CARDS_MAX);
    run(db, &s);
    assert_int_equal(s.cards, 0);
}

enum { LOOKS = 20 };

static bool look_for_the_next(struct db_tx *tx, void *ctx, struct err *e)
{
    AUTO(inbox_row_free) struct inbox_row row = {0};
    (void)ctx;
    for (int i = 0; i < LOOKS; i++)
        if (!inbox_claim(tx, networks, 0, &row, e) || row.id != 1)
            return false;
    return true;
}

static bool sort_them_all(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    for (int i = 0; i < LOOKS; i++)
        if (!db_exec(tx, "select count(*) from (select 1 from events order by lane offset 0) all_",
                     NULL, 0, NULL, e))
            return false;
    return true;
}

static int64_t time_of(struct db *db, db_body *body)
{
    struct err e = {0};
    int64_t begin = clock_mono_ms();
    if (!db_run(db, body, NULL, &e))
        fail_msg("%s", e.detail);
    return clock_mono_ms() - begin;
}

/* A crowd came into an empty table, of which the planner knows nothing yet. */
static void a_crowd_is_not_sorted(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    fixture_db_sql(db,
                   "insert into events(network, lane, body)"
                   " select 'test', sha256(n::text::bytea), 'x' from generate_series(1, 5000) n");
    int64_t next = time_of(db, look_for_the_next), sorted = time_of(db, sort_them_all);
    print_message("next: %lld ms, sorted: %lld ms\n", (long long)next, (long long)sorted);
    assert_true(next < sorted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_stored_once),
        cmocka_unit_test(a_chat_waits_for_itself_only),
        cmocka_unit_test(two_chats_wait_for_a_move),
        cmocka_unit_test(processes_that_ended_are_counted),
        cmocka_unit_test(a_crowd_is_not_sorted),
        cmocka_unit_test(unsent_cards_of_the_chat_are_counted),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
