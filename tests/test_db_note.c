/* Notes: kept for their time, sealed, replaced, swept. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/db/seal.h"
#include "core/db/store_note.h"
#include "tests/fixture_db.h"

struct asked {
    const char *name, *value;
    int seconds;
    char ret[SEAL_TEXT_MAX + 1];
    bool found;
};

static bool put_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *n = ctx;
    const struct note one = {n->name, n->value, n->seconds};
    return note_put(tx, &one, 1, e);
}

static bool get_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct asked *n = ctx;
    return note_get(tx, n->name, n->ret, sizeof(n->ret), &n->found, e);
}

static bool found(struct db *db, const char *name, const char *value)
{
    struct asked n = {.name = name};
    struct err e = {0};
    if (!db_run(db, get_body, &n, &e))
        fail_msg("%s", e.detail);
    return n.found && strcmp(n.ret, value) == 0;
}

static void put(struct db *db, const char *name, const char *value, int seconds)
{
    struct asked n = {.name = name, .value = value, .seconds = seconds};
    struct err e = {0};
    if (!db_run(db, put_body, &n, &e))
        fail_msg("%s", e.detail);
}

struct notes {
    const struct note *list;
    size_t count;
};

static bool put_many_body(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct notes *n = ctx;
    return note_put(tx, n->list, n->count, e);
}

static void put_many(struct db *db, const struct note *list, size_t count)
{
    struct notes n = {list, count};
    struct err e = {0};
    if (!db_run(db, put_many_body, &n, &e))
        fail_msg("%s", e.detail);
}

static void notes_are_kept_for_their_time(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char longest[SEAL_TEXT_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[SEAL_TEXT_MAX] = '\0';
    assert_false(found(db, "session", "a"));
    put(db, "session", "a", 600);
    assert_true(found(db, "session", "a"));
    put(db, "session", "a token", 600);
    assert_true(found(db, "session", "a token"));
    assert_false(found(db, "sessions", "a token"));
    put(db, "long", longest, 600);
    assert_true(found(db, "long", longest));
    put(db, "empty", "", 600);
    assert_true(found(db, "empty", ""));
    /* Neither name nor value can be read by who reads the database. */
    assert_int_equal(fixture_db_number(db, "select count(*) from notes where value like '%token%'"),
                     0);
    fixture_db_sql(db, "update notes set until = clock_timestamp() - interval '1 s'");
    assert_false(found(db, "session", "a token"));
    put(db, "new", "b", 600); /* sweeps */
    assert_int_equal(fixture_db_number(db, "select count(*) from notes"), 1);
    fixture_db_sql(db, "update notes set value = 'not what we sealed'");
    assert_false(found(db, "new", "b"));
    longest[SEAL_TEXT_MAX] = 'x';
    longest[SEAL_TEXT_MAX + 1] = '\0';
    const struct note many[] = {
        {"one", "1", 600},
        {"two", "2", 600},
        {"one", "3", 600}
    };
    put_many(db, many, COUNT(many));
    assert_true(found(db, "one", "3")); /* the last of those with the same name */
    assert_true(found(db, "two", "2"));
    struct asked n = {.name = "longer", .value = longest, .seconds = 1};
    struct err e = {0};
    assert_false(db_run(db, put_body, &n, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(notes_are_kept_for_their_time)};
    hash_setup();
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
