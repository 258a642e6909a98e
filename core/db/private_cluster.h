/*
 * private_cluster - a PostgreSQL server of our own when DATABASE_URL is unset.
 *
 * What:    initdb once in DATA/postgres (below /var/lib/nanotik when the server's user cannot enter
 *          DATA; the place is then written to DATA/postgres.location and logged), start on a unix
 *          socket in a short private folder, no TCP; stop at exit; a parent-death signal stops it
 *          when we are killed. As root it runs as user `postgres`.
 * Locks:   DATA/lock is held with flock for as long as the server runs; a second owner gets
 *          ERR_CONFLICT "start.data_in_use" (arg = data folder). private_cluster_join instead uses
 *          the running one of another process (grant, doctor).
 * Threads: start, watch and stop on the main thread (the parent-death signal is its).
 * Errors:  ERR_CONFIG "start.no_postgres" (arg = package to install), "start.postgres_version"
 *          (arg = wanted and found), "start.database_missing" (arg = folder); ERR_DISK
 *          "start.data_unusable" (arg = folder), "start.disk_full" (arg = folder); ERR_RETRY
 *          "start.database_failed" (the server's own words are in detail).
 * Source:  facts sheet "jobs and ledger", section 8.
 */
#ifndef NANOTIK_PRIVATE_CLUSTER_H
#define NANOTIK_PRIVATE_CLUSTER_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

struct private_cluster;
/* on_step (may be NULL) is told "initdb", "start", "recover" for a progress line. Restarts the
   server when it dies while we run (private_cluster_watch). */
bool private_cluster_start(const char *data, const struct cancel *cancel,
                           void (*on_step)(const char *step), struct private_cluster **ret,
                           struct err *e);
/* For tests only: nothing is synced to disk; settings (NULL-terminated "name=value") are added. */
bool private_cluster_start_unsafe(const char *data, const char *const *settings,
                                  struct private_cluster **ret, struct err *e);
/* The server of a running owner; false with ERR_NOT_FOUND when nobody runs one. The result needs
 * free() only. */
bool private_cluster_join(const char *data, char **ret_url, struct err *e);
const char *private_cluster_url(const struct private_cluster *c);
/* Call each second or so on the main thread: restarts the server when it has died. */
bool private_cluster_watch(struct private_cluster *c, struct err *e);
void private_cluster_stop(struct private_cluster *c); /* fast stop, then frees; NULL is fine */

#endif
