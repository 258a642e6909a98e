#include "tests/fixture_db.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/private_cluster.h"
#include "core/db/store_account.h"
#include "core/db/store_ledger.h"

static struct private_cluster *cluster;
static char folder[256];
static char host[200]; /* "host=/run/nanotik-…" */
static char *fresh_url;
static int fresh_count;

static void must(bool good, const char *what, const struct err *e)
{
    if (!good)
        fail_msg("%s: %s (%s)", what, e->detail, e->user_key ? e->user_key : "");
}

/* Statements that may not run inside a transaction. */
static void admin_sql(const char *sql)
{
    struct err e = {0};
    struct db_params params;
    struct db_conn conn = {0};
    AUTO(free_ptr) char *url = str_printf("%s user=nanotik dbname=postgres", host);
    must(db_params_make(url, &params, &e), "url", &e);
    bool good = conn_open(&conn, &params, NULL, &e) &&
                conn_simple(&conn, sql, DB_STATEMENT_MS, NULL, NULL, &e) == TX_GOOD;
    conn_close(&conn);
    db_params_free(&params);
    must(good, sql, &e);
}

static struct db *open_named(const char *name, size_t connections)
{
    struct err e = {0};
    struct db *db = NULL;
    free(fresh_url);
    fresh_url = str_printf("%s user=nanotik dbname=%s", host, name);
    must(db_open(fresh_url, connections, &db, &e), "open", &e);
    return db;
}

int fixture_db_start(void **state)
{
    (void)state;
    static const unsigned char key[32] = "a fixed key of the tests only..";
    struct err e = {0};
    const char *base = getenv("TMPDIR");
    hash_setup();
    account_set_key(key);
    snprintf(folder, sizeof(folder), "%s/nanotik-test-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder) || chmod(folder, 0711) != 0)
        fail_msg("mkdtemp %s", folder);
    must(private_cluster_start_unsafe(folder, NULL, &cluster, &e), "private cluster", &e);
    const char *url = private_cluster_url(cluster);
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(url, " "), url);
    admin_sql("create database template_nanotik");
    struct db *db = open_named("template_nanotik", 1);
    bool good = db_migrate(db, NULL, &e);
    db_close(db);
    must(good, "migrate", &e);
    return 0;
}

int fixture_db_stop(void **state)
{
    (void)state;
    private_cluster_stop(cluster);
    cluster = NULL;
    free(fresh_url);
    fresh_url = NULL;
    fs_remove(folder);
    return 0;
}

static struct db *copy_of(const char *template, size_t connections)
{
    char name[40], sql[120];
    snprintf(name, sizeof(name), "case_%d", ++fresh_count);
    snprintf(sql, sizeof(sql), "create database %s template %s strategy file_copy", name, template);
    admin_sql(sql);
    return open_named(name, connections);
}

struct db *fixture_db_fresh(size_t connections)
{
    return copy_of("template_nanotik", connections);
}

struct db *fixture_db_empty(size_t connections)
{
    return copy_of("template0", connections);
}

void fixture_db_done(struct db **db)
{
    if (!*db)
        return;
    int number = (int)fixture_db_number(*db, "select substr(current_database(), 6)::int");
    fixture_db_check(*db);
    db_close(*db);
    *db = NULL;
    char sql[120];
    snprintf(sql, sizeof(sql), "drop database case_%d with (force)", number);
    admin_sql(sql);
}

const char *fixture_db_url(void)
{
    return fresh_url;
}

static void print_fault(void *ctx, const char *what)
{
    (void)ctx;
    print_error("broken: %s\n", what);
}

static bool check_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return ledger_check(tx, print_fault, NULL, ctx, e);
}

void fixture_db_check(struct db *db)
{
    struct err e = {0};
    size_t faults = 0;
    must(db_run(db, check_body, &faults, &e), "ledger_check", &e);
    if (faults)
        fail_msg("%zu invariants are broken", faults);
}

struct sql_ctx {
    const char *sql;
    int64_t number;
};

static bool sql_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct sql_ctx *c = ctx;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, c->sql, NULL, 0, &rows, e))
        return false;
    c->number = db_count(rows) ? db_int(rows, 0, 0) : 0;
    return true;
}

void fixture_db_sql(struct db *db, const char *sql)
{
    fixture_db_number(db, sql);
}

int64_t fixture_db_number(struct db *db, const char *sql)
{
    struct err e = {0};
    struct sql_ctx c = {.sql = sql};
    must(db_run(db, sql_body, &c, &e), sql, &e);
    return c.number;
}

void fixture_db_wait(struct db *db, const char *sql, int64_t want, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    while (fixture_db_number(db, sql) != want && clock_mono_ms() < until)
        cancel_wait(NULL, 20);
    int64_t is = fixture_db_number(db, sql);
    if (is != want)
        fail_msg("%s is %" PRId64 ", not %" PRId64, sql, is, want);
}

struct account_ctx {
    const char *platform_id;
    int credits;
    char *id;
};

static bool account_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct account_ctx *c = ctx;
    struct account a;
    enum ledger_result r;
    if (!account_find(tx, "test", c->platform_id, false, 0, &a, e))
        return false;
    memcpy(c->id, a.id, UUID_TEXT);
    return c->credits == 0 ||
           ledger_grant(tx, c->platform_id, a.id, c->credits, "test", "fixture", &r, e);
}

void fixture_db_account(struct db *db, const char *platform_id, int credits, char *ret_id37)
{
    struct err e = {0};
    struct account_ctx c = {.platform_id = platform_id, .credits = credits, .id = ret_id37};
    must(db_run(db, account_body, &c, &e), "account", &e);
}
