/*
 * private_cluster_internal - what private_cluster.c and private_server.c share; nobody else includes
 * it.
 */
#ifndef NANOTIK_PRIVATE_CLUSTER_INTERNAL_H
#define NANOTIK_PRIVATE_CLUSTER_INTERNAL_H

#include "core/base/cancel.h"
#include "core/base/proc.h"
#include "core/db/private_place.h"

enum { SETTINGS_MAX = 32 };

struct private_cluster {
    struct place place;
    struct proc server;
    const struct cancel *cancel;
    void (*on_step)(const char *step);
    bool unsafe;
    const char *settings[SETTINGS_MAX]; /* the tests' own, borrowed for the cluster's life */
    size_t setting_count;
};

/* --- private_server.c --- */

/* Starts it and waits until it answers. An earlier server of this cluster, which has no owner any
   more, is waited for and asked to stop. */
bool server_start(struct private_cluster *c, struct err *e);
void server_stop(struct private_cluster *c); /* fine when there is none */
/* The start has come to this step. */
void server_tell(struct private_cluster *c, const char *step);
/* Always false: `what`, with what the log says from byte `from` on. */
bool server_fail(const struct private_cluster *c, int64_t from, const char *what, struct err *e);

#endif
