/*
 * cluster_folder - a data folder for tests that start real servers of their own, and looks into it.
 *
 * What:    all failures end the program's case through cmocka. Texts are the caller's, to free().
 * Threads: the main thread.
 */
#ifndef NANOTIK_CLUSTER_FOLDER_H
#define NANOTIK_CLUSTER_FOLDER_H

#include <sys/types.h>

#include "core/db/private_cluster.h"

/* An empty one below $TMPDIR or /tmp. */
char *cluster_new_folder(unsigned mode);
/* With its cluster, wherever that is; for AUTO. */
void cluster_remove_all(char **data);
/* NULL: there is no such file. */
char *cluster_read_file(const char *folder, const char *name);
void cluster_put(const char *folder, const char *name, const char *text);
/* Where the cluster went. */
char *cluster_place(const char *data);
char *cluster_socket_of(const char *url);
/* 0: none. */
pid_t cluster_postmaster_of(const char *data);

struct private_cluster *cluster_must_start(const char *data, bool unsafe);
bool cluster_answers(const char *url);
void cluster_write_row(const char *url, const char *table);
bool cluster_has_table(const char *url, const char *table);

#endif
