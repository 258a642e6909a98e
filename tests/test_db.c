#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "tests/fixture_db.h"

struct ask {
    const char *sql;
    const char *params[4];
    size_t count;
    int runs;
    char text[200];
    int64_t affected;
};

static bool ask_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    a->runs++;
    if (!db_exec(tx, a->sql, a->params, a->count, &rows, e))
        return false;
    a->affected = db_affected(rows);
    if (db_count(rows))
        str_copy(a->text, sizeof(a->text), db_text(rows, 0, 0) ? db_text(rows, 0, 0) : "NULL");
    return true;
}

static void test_parameters(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct err e = {0};
    static const struct {
        const char *value, *seen, *why;
    } rows[] = {
        {"plain",                      "plain",                      "a text"                          },
        {"'; drop table users;",       "'; drop table users;",       "a parameter is never part of SQL"},
        {NULL,                         "NULL",                       "no value"                        },
        {"",                           "",                           "empty is not null"               },
        {"月の引力 ‏القمر", "月の引力 ‏القمر", "any script"                      },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ask a = {.sql = "select $1::text", .params = {rows[i].value}, .count = 1};
        assert_true(db_run(db, ask_body, &a, &e));
        if (strcmp(a.text, rows[i].seen) != 0)
            fail_msg("%s: %s", rows[i].why, a.text);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from pg_prepared_statements where"
                                           " statement = 'select $1::text'"),
                     1);
}

static const struct {
    const char *sql;
    enum err_code code;
    const char *state, *why;
} failures[] = {
    {"select nothing from nowhere",                                        ERR_INTERNAL, "42P01", "our SQL is wrong"     },
    {"select 1/0",                                                         ERR_INTERNAL, "22012", "data that SQL refuses"},
    {"insert into users(id, kind) values ('00000000-0000-7000-8000-000000000001', 'person'),"
     " ('00000000-0000-7000-8000-000000000001', 'person')",           ERR_CONFLICT, "23505", "a unique rule"        },
    {"do $$ begin raise exception 'full' using errcode = '53100'; end $$", ERR_RETRY,    "53100",
     "disk full pauses intake"                                                                                           },
    {"set local statement_timeout = '50ms'; ",                             ERR_NONE,     "",      "control: works"       },
};

static void test_error_classes(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct err e = {0};
        struct ask a = {.sql = failures[i].sql};
        bool good = db_run(db, ask_body, &a, &e);
        if (good != (failures[i].code == ERR_NONE) || e.code != failures[i].code ||
            !strstr(e.detail, failures[i].state) || a.runs != 1)
            fail_msg("%s: %s after %d runs", failures[i].why, e.detail, a.runs);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from users"), 0);
}

static bool slow_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return db_exec(tx, "set local statement_timeout = '80ms'", NULL, 0, NULL, e) &&
           db_exec(tx, "select pg_sleep(5)", NULL, 0, NULL, e);
}

static void test_statement_timeout(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct err e = {0};
    assert_false(db_run(db, slow_body, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
    struct ask a = {.sql = "show statement_timeout"};
    assert_true(db_run(db, ask_body, &a, &e));
    assert_string_equal(a.text, "10s");
    a.sql = "show idle_in_transaction_session_timeout";
    assert_true(db_run(db, ask_body, &a, &e));
    assert_string_equal(a.text, "15s");
}

/* The body overlooks an error: the commit must not say yes. */
static bool careless_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    db_exec(tx, "insert into trials(mac) values (sha256('x'))", NULL, 0, NULL, e);
    db_exec(tx, "select 1/0", NULL, 0, NULL, e);
    db_exec(tx, "select 1", NULL, 0, NULL, e);
    return true;
}

static bool refusing_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return db_exec(tx, "insert into trials(mac) values (sha256('x'))", NULL, 0, NULL, e) &&
           err_set(e, ERR_REFUSED, "error.refused", "as the body says");
}

static void test_rollback(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct err e = {0};
    assert_false(db_run(db, careless_body, NULL, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_false(db_run(db, refusing_body, NULL, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_int_equal(fixture_db_number(db, "select count(*) from trials"), 0);
    assert_true(db_run_soft(db, careless_body, NULL, &e) == false);
}

/* Two transactions that lock in opposite order: the server ends one, which then runs again. */
struct cross {
    struct db *db;
    const char *first, *second;
    pthread_barrier_t *meet;
    int runs;
    bool good;
};

static bool cross_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct cross *c = ctx;
    const char *add = "update counters set n = n + 1 where name = $1";
    if (!db_exec(tx, add, &c->first, 1, NULL, e))
        return false;
    if (c->runs++ == 0)
        pthread_barrier_wait(c->meet);
    return db_exec(tx, add, &c->second, 1, NULL, e);
}

static void *cross_main(void *arg)
{
    struct cross *c = arg;
    struct err e = {0};
    c->good = db_run(c->db, cross_body, c, &e);
    return NULL;
}

static void test_deadlock_runs_again(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    fixture_db_sql(db, "create table counters(name text primary key, n int)");
    fixture_db_sql(db, "insert into counters values ('a', 0), ('b', 0)");
    fixture_db_sql(db, "do $$ begin execute format('alter database %I set deadlock_timeout ="
                       " ''50ms''', current_database()); end $$");
    pthread_barrier_t meet;
    pthread_barrier_init(&meet, NULL, 2);
    /* New connections, so that they have the new setting. */
    struct db *other = NULL;
    struct err e = {0};
    assert_true(db_open(fixture_db_url(), 2, &other, &e));
    struct cross c[2] = {
        {.db = other, .first = "a", .second = "b", .meet = &meet},
        {.db = other, .first = "b", .second = "a", .meet = &meet},
    };
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, cross_main, &c[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    pthread_barrier_destroy(&meet);
    db_close(other);
    assert_true(c[0].good && c[1].good);
    assert_true(c[0].runs + c[1].runs >= 3); /* one of them again, at least */
    assert_int_equal(fixture_db_number(db, "select sum(n) from counters"), 4);
}

/* --- lost connections --- */

/* Ends its own backend in the first run: the body must run again on another connection. */
static bool suicide_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    if (!db_exec(tx, "insert into trials(mac) values (sha256('once'))", NULL, 0, NULL, e))
        return false;
    if (a->runs++ == 0)
        return db_exec(tx, "select pg_terminate_backend(pg_backend_pid())", NULL, 0, NULL, e);
    return true;
}

static void test_lost_before_commit(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    struct err e = {0};
    struct ask a = {0};
    assert_true(db_run(db, suicide_body, &a, &e));
    assert_int_equal(a.runs, 2);
    assert_int_equal(fixture_db_number(db, "select count(*) from trials"), 1);
}

static void test_idle_connections_killed(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(3);
    struct err e = {0};
    assert_true(db_ping(db, &e));
    struct db *killer = NULL;
    assert_true(db_open(fixture_db_url(), 1, &killer, &e));
    for (int i = 0; i < 5; i++) {
        fixture_db_sql(killer, "select pg_terminate_backend(pid, 2000) from pg_stat_activity"
                               " where datname = current_database() and pid <> pg_backend_pid()");
        if (!db_ping(db, &e))
            fail_msg("round %d: %s", i, e.detail);
    }
    db_close(killer);
}

/* The commit itself ends the connection: a deferred trigger kills the backend. */
static void test_lost_in_commit_is_unknown(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    fixture_db_sql(db, "create table fuse(n int)");
    fixture_db_sql(db, "create function burn() returns trigger language plpgsql as $$ begin"
                       " perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1);"
                       " return null; end $$");
    fixture_db_sql(db, "create constraint trigger burn after insert on fuse deferrable initially"
                       " deferred for each row execute function burn()");
    struct err e = {0};
    struct ask a = {.sql = "insert into fuse values (1)"};
    assert_false(db_run(db, ask_body, &a, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_non_null(strstr(e.detail, "commit unknown"));
    assert_int_equal(a.runs, 1); /* never repeated by itself */
    assert_true(db_ping(db, &e));
}

static void test_server_away(void **state)
{
    (void)state;
    struct err e = {0};
    struct db *db = NULL;
    assert_true(db_open("host=/nonexistent user=x dbname=x", 1, &db, &e));
    int64_t start = db_now_ms();
    assert_false(db_ping(db, &e));
    assert_int_equal(e.code, ERR_RETRY);
    assert_string_equal(e.user_key, "error.database");
    assert_true(e.told); /* by the pool: its many callers need not */
    int64_t took = db_now_ms() - start;
    assert_true(took >= DB_PATIENCE_MS && took < DB_PATIENCE_MS + 3000);
    db_close(db);
    assert_false(db_open("postgres://u:secret@[broken", 1, &db, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_null(strstr(e.detail, "secret"));
}

/* --- pool and cancel --- */

struct crowd {
    struct db *db;
    atomic_int failed;
    atomic_int inside, most;
};

static bool crowd_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct crowd *c = ctx;
    int now = atomic_fetch_add(&c->inside, 1) + 1;
    int most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        ;
    bool good = db_exec(tx, "update counters set n = n + 1", NULL, 0, NULL, e);
    atomic_fetch_sub(&c->inside, 1);
    return good;
}

static void *crowd_main(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 25; i++) {
        struct err e = {0};
        if (!db_run(c->db, crowd_body, c, &e))
            atomic_fetch_add(&c->failed, 1);
    }
    return NULL;
}

static void test_pool_is_bounded(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(3);
    fixture_db_sql(db, "create table counters(n int)");
    fixture_db_sql(db, "insert into counters values (0)");
    struct crowd c = {.db = db};
    pthread_t t[8];
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_create(&t[i], NULL, crowd_main, &c);
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_join(t[i], NULL);
    assert_int_equal(c.failed, 0);
    assert_true(c.most <= 3);
    assert_int_equal(fixture_db_number(db, "select n from counters"), 200);
    assert_true(fixture_db_number(db, "select count(*) from pg_stat_activity where datname ="
                                      " current_database()") <= 3);
}

static void *fire_main(void *arg)
{
    usleep(150000);
    cancel_fire(arg);
    return NULL;
}

static void test_cancel_ends_a_wait(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct err e = {0};
    struct db *other = NULL;
    struct cancel cancel;
    pthread_t t;
    cancel_init(&cancel, NULL);
    assert_true(db_open(fixture_db_url(), 1, &other, &e));
    db_set_cancel(other, &cancel);
    pthread_create(&t, NULL, fire_main, &cancel);
    struct ask a = {.sql = "select pg_sleep(8)"};
    int64_t start = db_now_ms();
    assert_false(db_run(other, ask_body, &a, &e));
    pthread_join(t, NULL);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(db_now_ms() - start < 2000);
    db_close(other);
}

/* --- listener --- */

struct ear {
    atomic_int hints;
};

static void on_hint(void *ctx)
{
    atomic_fetch_add(&((struct ear *)ctx)->hints, 1);
}

/* True as soon as more hints than `seen` came. */
static bool hint_within(struct ear *ear, int seen, int ms)
{
    for (int64_t end = db_now_ms() + ms; db_now_ms() < end; cancel_wait(NULL, 2))
        if (atomic_load(&ear->hints) > seen)
            return true;
    return false;
}

static void test_listener(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct err e = {0};
    struct ear ear = {0};
    struct db_listener *l = NULL;
    assert_true(db_listen(db, "nanotik_jobs", 600000, on_hint, &ear, &l, &e));
    assert_true(hint_within(&ear, 0, 5000)); /* after connecting */
    int64_t listening = 0;
    for (int i = 0; i < 500 && !listening; i++)
        listening = fixture_db_number(db, "select count(*) from pg_stat_activity where"
                                          " datname = current_database() and query like 'listen%'");
    int seen = atomic_load(&ear.hints);
    fixture_db_sql(db, "select pg_notify('nanotik_jobs', '')");
    assert_true(hint_within(&ear, seen, 5000)); /* the notification: polling is ten minutes away */
    seen = atomic_load(&ear.hints);
    fixture_db_sql(db, "select pg_terminate_backend(pid) from pg_stat_activity where"
                       " datname = current_database() and query like 'listen%'");
    assert_true(hint_within(&ear, seen, 10000)); /* reconnected: something may have been missed */
    db_listen_stop(l);

    assert_true(db_listen(db, "nanotik_jobs", 20, on_hint, &ear, &l, &e));
    seen = atomic_load(&ear.hints);
    assert_true(hint_within(&ear, seen + 3, 5000)); /* polls without any notification */
    db_listen_stop(l);
}

/* --- migrations --- */

static void *migrate_main(void *arg)
{
    struct err e = {0};
    int applied = 0;
    bool good = db_migrate(arg, &applied, &e);
    return good ? (void *)(intptr_t)(applied + 1) : NULL;
}

static void test_migrations(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct err e = {0};
    int applied = -1;
    assert_true(db_migrate(db, &applied, &e));
    assert_int_equal(applied, 0);

    fixture_db_sql(db, "create schema old");
    fixture_db_sql(db, "do $$ declare t text; begin for t in select tablename from pg_tables"
                       " where schemaname = 'public' loop execute 'alter table ' || t ||"
                       " ' set schema old'; end loop; end $$");
    fixture_db_sql(db, "drop schema old cascade");
    fixture_db_sql(db, "drop function refuse_change");
    pthread_t t[4];
    intptr_t sum = 0;
    for (size_t i = 0; i < COUNT(t); i++)
        pthread_create(&t[i], NULL, migrate_main, db);
    for (size_t i = 0; i < COUNT(t); i++) {
        void *r;
        pthread_join(t[i], &r);
        assert_non_null(r);
        sum += (intptr_t)r - 1;
    }
    assert_int_equal(sum, db_schema_newest()); /* four at once: applied once */

    fixture_db_sql(db, "update schema_migrations set checksum = 'x' where version = 1");
    assert_false(db_migrate(db, &applied, &e));
    assert_string_equal(e.user_key, "start.schema_changed");
    fixture_db_sql(db, "insert into schema_migrations(version, name, checksum)"
                       " values (999, 'later', 'y')");
    assert_false(db_migrate(db, &applied, &e));
    assert_string_equal(e.user_key, "start.schema_newer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_error_classes),
        cmocka_unit_test(test_statement_timeout),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_deadlock_runs_again),
        cmocka_unit_test(test_lost_before_commit),
        cmocka_unit_test(test_idle_connections_killed),
        cmocka_unit_test(test_lost_in_commit_is_unknown),
        cmocka_unit_test(test_server_away),
        cmocka_unit_test(test_pool_is_bounded),
        cmocka_unit_test(test_cancel_ends_a_wait),
        cmocka_unit_test(test_listener),
        cmocka_unit_test(test_migrations),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
