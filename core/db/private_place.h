/*
 * private_place - where a private cluster lives: data folder, lock, server programs, socket folder.
 *
 * What:    DATA/lock       held (flock) by the owner for as long as it runs
 *          DATA/postgres   the cluster, or
 *          DATA/postgres.location  "<folder>\n" when it had to live elsewhere; a second line "new"
 *                          until the first initdb there was complete
 *          DATA/postgres.run       how to connect to the running server
 *          DATA/postgres.log       what the server said
 * Owner:   place_close frees and unlocks; fine on a half-built place.
 * Threads: none.
 */
#ifndef NANOTIK_PRIVATE_PLACE_H
#define NANOTIK_PRIVATE_PLACE_H

#include <sys/types.h>

#include "core/base/base.h"
#include "core/base/err.h"

struct place {
    char *data;       /* absolute */
    char *cluster;    /* the server's data folder */
    char *log;        /* DATA/postgres.log */
    char *bin;        /* folder of initdb and postgres */
    char *socket_dir; /* only the server's user and root may enter */
    char *url;
    char user[64]; /* the server's user, "" = we ourselves */
    uid_t uid;     /* the same as numbers */
    gid_t gid;
    bool is_new; /* initdb is still to be done */
    int lock_fd, cluster_lock_fd;
};

/* Everything up to, not including, initdb and start. */
bool place_open(const char *data, struct place *ret, struct err *e);
/* The cluster is complete: it will never be taken for a new one again. */
bool place_settled(struct place *p, struct err *e);
void place_close(struct place *p);

/* Major version in the folder's PG_VERSION, 0 when there is none. */
int place_version(const char *cluster);
/* Calls on_name for each name in the folder; a folder that is not there has none. */
void place_list(const char *folder, void (*on_name)(void *ctx, const char *name), void *ctx);
/* A file of the data folder, as a text to free(). */
char *place_file(const char *data, const char *name);

#endif
