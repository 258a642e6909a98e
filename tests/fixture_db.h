/*
 * fixture_db - a real PostgreSQL for a test program, with a fresh database for each case.
 *
 * What:    fixture_db_start makes one throw-away private cluster (nothing synced to disk) below
 *          $TMPDIR or /tmp and a migrated template; fixture_db_fresh opens a new database copied
 *          from it (about 50 ms); fixture_db_check ends a case: every ledger invariant must hold.
 *          All failures end the program's case through cmocka.
 * Use:     int main(void) { ... return cmocka_run_group_tests(tests, fixture_db_start,
 *          fixture_db_stop); } and in a case:
 *              AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
 * Threads: start, fresh, stop on the main thread.
 */
#ifndef NANOTIK_FIXTURE_DB_H
#define NANOTIK_FIXTURE_DB_H

#include "core/db/db.h"

/* Group set-up and tear-down of cmocka; also sets a fixed identity key. */
int fixture_db_start(void **state);
int fixture_db_stop(void **state);

struct db *fixture_db_fresh(size_t connections);
/* The same without any table. */
struct db *fixture_db_empty(size_t connections);
/* Checks the invariants, closes, drops the database; for AUTO. */
void fixture_db_done(struct db **db);
/* Of the database that fixture_db_fresh made last: for programs under test, further pools. */
const char *fixture_db_url(void);
/* Each broken invariant is printed and fails the case. */
void fixture_db_check(struct db *db);

/* One SQL text without parameters, committed. */
void fixture_db_sql(struct db *db, const char *sql);
/* First column of the first row, 0 when there is none. */
int64_t fixture_db_number(struct db *db, const char *sql);
/* Waits until it is that, for what programs under test do; else the case fails. */
void fixture_db_wait(struct db *db, const char *sql, int64_t want, int ms);
/* An account with this many credits. */
void fixture_db_account(struct db *db, const char *platform_id, int credits, char *ret_id37);

#endif
