#include <stdlib.h>
#include <string.h>

#include "core/base/embed.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/db.h"
#include "core/db/db_internal.h"

#define LOG_MODULE "db.migrate"

EMBED(schema_0001, "schema/0001_start.sql");
EMBED(schema_0002, "schema/0002_notes.sql");
EMBED(schema_0003, "schema/0003_speed.sql");
EMBED(schema_0004, "schema/0004_leases.sql");
EMBED(schema_0005, "schema/0005_drafts.sql");
EMBED(schema_0006, "schema/0006_money.sql");
EMBED(schema_0007, "schema/0007_job_media.sql");
EMBED(schema_0008, "schema/0008_events.sql");
EMBED(schema_0009, "schema/0009_kept.sql");
EMBED(schema_0010, "schema/0010_guard.sql");
EMBED(schema_0011, "schema/0011_outbox_due.sql");
EMBED(schema_0012, "schema/0012_id_key.sql");
EMBED(schema_0013, "schema/0013_refunds.sql");
EMBED(schema_0014, "schema/0014_groups.sql");
EMBED(schema_0015, "schema/0015_strike_marks.sql");
EMBED(schema_0016, "schema/0016_wallet_chain.sql");
EMBED(schema_0017, "schema/0017_clips.sql");
EMBED(schema_0018, "schema/0018_alarms.sql");
EMBED(schema_0019, "schema/0019_stuck_blocks.sql");
EMBED(schema_0020, "schema/0020_checks.sql");
EMBED(schema_0021, "schema/0021_moves.sql");
EMBED(schema_0022, "schema/0022_refs.sql");
EMBED(schema_0023, "schema/0023_next_event.sql");

/* In order, without gaps; a file that was released is never edited again. */
static const struct {
    const char *name;
    const char *sql;
} migrations[] = {
    {"0001_start",        schema_0001},
    {"0002_notes",        schema_0002},
    {"0003_speed",        schema_0003},
    {"0004_leases",       schema_0004},
    {"0005_drafts",       schema_0005},
    {"0006_money",        schema_0006},
    {"0007_job_media",    schema_0007},
    {"0008_events",       schema_0008},
    {"0009_kept",         schema_0009},
    {"0010_guard",        schema_0010},
    {"0011_outbox_due",   schema_0011},
    {"0012_id_key",       schema_0012},
    {"0013_refunds",      schema_0013},
    {"0014_groups",       schema_0014},
    {"0015_strike_marks", schema_0015},
    {"0016_wallet_chain", schema_0016},
    {"0017_clips",        schema_0017},
    {"0018_alarms",       schema_0018},
    {"0019_stuck_blocks", schema_0019},
    {"0020_checks",       schema_0020},
    {"0021_moves",        schema_0021},
    {"0022_refs",         schema_0022},
    {"0023_next_event",   schema_0023},
};

enum { LOCK_TRIES = 30 };

int db_schema_newest(void)
{
    return (int)COUNT(migrations);
}

static void checksum(const char *sql, char ret_hex[static HASH_HEX])
{
    struct hash h;
    hash_begin(&h, "migration");
    hash_text(&h, "sql", sql);
    hash_end(&h, ret_hex);
}

/* What is there fits what we know: known versions, same texts. *ret_next is the first missing. */
static bool check_applied(struct db_tx *tx, size_t *ret_next, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select version, checksum from schema_migrations order by version", NULL, 0,
                 &rows, e))
        return false;
    size_t count = db_count(rows);
    int64_t newest = count ? db_int(rows, count - 1, 0) : 0;
    if (newest > db_schema_newest())
        return err_set(e, ERR_CONFIG, "start.schema_newer",
                       "the database is at version %lld, this program knows %d", (long long)newest,
                       db_schema_newest());
    for (size_t i = 0; i < count; i++) {
        char hex[HASH_HEX];
        checksum(migrations[i].sql, hex);
        const char *stored = db_text(rows, i, 1);
        if (db_int(rows, i, 0) != (int64_t)i + 1 || !stored || strcmp(stored, hex) != 0)
            return err_set_arg(e, ERR_CONFIG, "start.schema_changed", migrations[i].name,
                               "migration %s was applied with another text", migrations[i].name);
    }
    *ret_next = count;
    return true;
}

struct migrate_ctx {
    size_t newest;  /* where to end */
    size_t applied; /* index + 1 of the one this transaction applied; 0: nothing was missing */
};

/* One missing migration: its statements and its row commit together. */
static bool apply_next(struct db_tx *tx, void *ctx, struct err *e)
{
    struct migrate_ctx *m = ctx;
    m->applied = 0;
    static const char prepare[] =
        "set local lock_timeout='2s'; set local statement_timeout=0;"
        "set local idle_in_transaction_session_timeout='60s';"
        "select pg_advisory_xact_lock(hashtext('nanotik.migrate'));"
        "create table if not exists schema_migrations (version int primary key, name text not "
        "null, checksum text not null, applied_at timestamptz not null default now())";
    if (!db_exec_script(tx, prepare, e))
        return false;
    size_t next = 0;
    if (!check_applied(tx, &next, e))
        return false;
    if (next >= m->newest)
        return true;
    if (!db_exec_script(tx, migrations[next].sql, e))
        return false;
    char version[24], hex[HASH_HEX];
    snprintf(version, sizeof(version), "%zu", next + 1);
    checksum(migrations[next].sql, hex);
    const char *params[] = {version, migrations[next].name, hex};
    if (!db_exec(tx, "insert into schema_migrations(version, name, checksum) values ($1, $2, $3)",
                 params, 3, NULL, e))
        return false;
    DB_CRASH(tx, "migrate");
    m->applied = next + 1;
    return true;
}

bool db_migrate_upto(struct db *db, int newest, int *ret_applied, struct err *e)
{
    int applied = 0;
    struct migrate_ctx m = {.newest = MIN((size_t)newest, COUNT(migrations))};
    for (int tries = 0;;) {
        if (db_run(db, apply_next, &m, e)) {
            if (!m.applied)
                break;
            log_info("applied %s", migrations[m.applied - 1].name);
            applied++;
        } else if (e->code != ERR_RETRY || ++tries == LOCK_TRIES) {
            return false; /* another migrator holds the lock for seconds at most */
        } else if (cancel_wait(db_cancel(db), 100)) {
            return err_set(e, ERR_CANCELLED, "error.stopping", "migration stopped");
        }
    }
    if (ret_applied)
        *ret_applied = applied;
    return true;
}

bool db_migrate(struct db *db, int *ret_applied, struct err *e)
{
    return db_migrate_upto(db, db_schema_newest(), ret_applied, e);
}
