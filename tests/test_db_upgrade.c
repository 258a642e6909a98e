/* A database of every earlier version, with rows in each of its tables, becomes one of today: people are
   found again, nobody's credits change, and every invariant holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/embed.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_account.h"
#include "tests/fixture_db.h"

#define ANN "00000000-0000-4000-8000-00000000000a"
#define PART "\n-- since "

EMBED(upgrade_rows, "tests/upgrade_rows.sql");

/* --- calls --- */

struct text_ctx {
    const char *sql;
    char *text;
};

static bool script_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return db_exec_script(tx, ctx, e);
}

static bool text_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct text_ctx *c = ctx;
    AUTO(db_rows_free) struct db_rows *found = NULL;
    if (!db_exec(tx, c->sql, NULL, 0, &found, e))
        return false;
    free(c->text);
    c->text = str_dup(db_text(found, 0, 0) ? db_text(found, 0, 0) : "");
    return true;
}

static char *ask(struct db *db, const char *sql)
{
    struct err e = {0};
    struct text_ctx c = {.sql = sql};
    if (!db_run(db, text_body, &c, &e))
        fail_msg("%s: %s", sql, e.detail);
    return c.text;
}

static void replace_all(char *text, const char *name, const char *hex)
{
    AUTO(free_ptr) char *rest = NULL;
    for (char *at; (at = strstr(text, name));) {
        free(rest);
        rest = str_dup(at + strlen(name));
        memcpy(at, hex, strlen(hex));
        memcpy(at + strlen(hex), rest, strlen(rest) + 1);
    }
}

/* One part of the file; the identity's hash and the key's mark in hex. */
static void fill(struct db *db, const char *part, size_t len, const char *ann, const char *key)
{
    struct err e = {0};
    AUTO(free_ptr) char *sql = calloc(1, len + 1000);
    assert_non_null(sql);
    memcpy(sql, part, len);
    replace_all(sql, "ANNMAC", ann);
    replace_all(sql, "KEYMAC", key);
    if (!db_run(db, script_body, sql, &e))
        fail_msg("%s: %.60s", e.detail, sql);
}

/* All parts that this version knows. */
static void fill_all(struct db *db, int version, const char *ann, const char *key)
{
    for (const char *at = strstr(upgrade_rows, PART), *next; at; at = next) {
        next = strstr(at + 1, PART);
        const char *sql = strchr(at + 1, '\n');
        if (strtol(at + strlen(PART), NULL, 10) <= version)
            fill(db, sql, next ? (size_t)(next - sql) : strlen(sql), ann, key);
    }
}

#define COUNTS                                                                                \
    "select string_agg(relname || '=' || (xpath('/row/c/text()', query_to_xml(format("        \
    "'select count(*) c from %I', relname), false, true, '')))[1]::text || ';', ' ' order by" \
    " relname) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"   \
    " and relname <> 'schema_migrations'"

/* Neither credits nor the state of a job, nor what was said and paid, may change. */
#define BOOKS                                                                                \
    "select (select string_agg(user_id || ':' || avail || '+' || held || '/' || active, ' '" \
    "   order by user_id) from wallets)"                                                     \
    " || (select string_agg(id || ':' || state || price || charged || topic || addr, ' '"    \
    "   order by id) from jobs)"                                                             \
    " || (select string_agg(key || ':' || amount, ' ' order by id) from entries)"            \
    " || (select string_agg(state, ' ' order by id) from outbox)"                            \
    " || (select lang || voice || tier || style from settings)"

/* Each table had rows, and has as many. */
static void compare_counts(const char *before, const char *after, int version)
{
    if (strstr(before, "=0;"))
        fail_msg("version %d: a table is not filled: %s", version, before);
    for (const char *at = before; *at;) {
        char one[100];
        snprintf(one, sizeof(one), "%.*s", (int)strcspn(at, ";") + 1, at);
        if (!strstr(after, one))
            fail_msg("version %d: had %s now: %s", version, one, after);
        at += strlen(one);
        at += *at == ' ';
    }
}

static void upgrade_from(int version, const char *ann, const char *key)
{
    AUTO(fixture_db_done) struct db *db = fixture_db_empty(1);
    struct err e = {0};
    char id[UUID_TEXT];
    int applied = 0;
    if (!db_migrate_upto(db, version, &applied, &e) || applied != version)
        fail_msg("version %d: %d: %s", version, applied, e.detail);
    fill_all(db, version, ann, key);
    AUTO(free_ptr) char *counts = ask(db, COUNTS);
    AUTO(free_ptr) char *books = ask(db, BOOKS);
    if (!db_migrate(db, &applied, &e) || applied != db_schema_newest() - version)
        fail_msg("from version %d: %d applied: %s", version, applied, e.detail);
    AUTO(free_ptr) char *counts_now = ask(db, COUNTS);
    AUTO(free_ptr) char *books_now = ask(db, BOOKS);
    compare_counts(counts, counts_now, version);
    assert_string_equal(books_now, books);
    fixture_db_check(db);
    /* Known by the same key, and as the same account; new ones can be made. */
    if (!account_check_key(db, &e))
        fail_msg("from version %d: %s", version, e.detail);
    fixture_db_account(db, "ann", 0, id);
    assert_string_equal(id, ANN);
    fixture_db_account(db, "bob", 7, id);
    assert_string_not_equal(id, ANN);
    /* Names of messages are not kept in clear; a block that only nodes refused is tried again. */
    assert_int_equal(fixture_db_number(db, "select count(*) from deliveries where remote_ref ="
                                           " 'chat:4'"),
                     version >= 22);
    if (version >= 6)
        assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state ="
                                               " 'stored'"),
                         version < 19);
    int again = -1;
    assert_true(db_migrate(db, &again, &e));
    assert_int_equal(again, 0);
}

static void test_from_every_version(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *newest = fixture_db_fresh(1);
    struct err e = {0};
    char id[UUID_TEXT];
    fixture_db_account(newest, "ann", 0, id);
    assert_true(account_check_key(newest, &e));
    AUTO(free_ptr) char *ann = ask(newest, "select encode(mac, 'hex') from identities");
    AUTO(free_ptr) char *key = ask(newest, "select encode(mac, 'hex') from id_key");
    for (int version = 1; version < db_schema_newest(); version++)
        upgrade_from(version, ann, key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_every_version),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
