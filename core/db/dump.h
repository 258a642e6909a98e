/*
 * dump - a whole database into one file and back, by PostgreSQL's own pg_dump and pg_restore.
 *
 * What:    dump_write makes one consistent picture of a database that may be in use; the file has its
 *          name only once it is whole and on disk. dump_load puts it into an empty database, all of
 *          it or nothing.
 * Secrets: what the address of the database holds goes to the programs in their environment, never
 *          on a command line.
 * Threads: any; blocks until the program has ended. The programs die with the thread.
 * Fails:   ERR_CONFIG "start.no_postgres" (arg = package to install), ERR_DISK "start.disk_full",
 *          ERR_RETRY "error.database", ERR_CANCELLED "error.stopping", else ERR_INPUT
 *          "cli.dump_failed" (arg = file; the program's own words are in detail).
 */
#ifndef NANOTIK_DUMP_H
#define NANOTIK_DUMP_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

/* url: of a database that answers. A file of that name is replaced. */
bool dump_write(const char *url, const char *path, const struct cancel *cancel, struct err *e);
bool dump_load(const char *url, const char *path, const struct cancel *cancel, struct err *e);

#endif
