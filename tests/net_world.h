/*
 * net_world - the HTTP client against a server that is rude in every way.
 *
 * Use:     net_setup and net_teardown around the cases of a program; everything is in `net_world`.
 * Threads: main; net_serve runs on the server's threads.
 */
#ifndef NANOTIK_TEST_NET_WORLD_H
#define NANOTIK_TEST_NET_WORLD_H

#include "core/net/net.h"
#include "tests/http_server.h"

struct net_world {
    struct http_server server;
    struct net_engine *engine;
    char base[64];
    char dir[64];          /* bomb.gz: a small file that unpacks to 48 MiB */
    atomic_int other_port; /* where /to-other leads */
};
extern struct net_world net_world;

int net_setup(void **state);
int net_teardown(void **state);
/* Behaves as its path says: "/ok", "/hang", "/huge-endless" ... */
bool net_serve(struct http_server *s, const struct http_request *r);
/* One call; what must hold of every call is looked at. */
enum net_outcome net_get(const char *path, struct net_request r, struct net_reply *reply,
                         struct err *e);

#endif
