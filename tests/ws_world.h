/*
 * ws_world - the WebSocket client against a server that is slow, rude or wrong, frame by frame.
 *
 * Use:     ws_world_setup and ws_world_teardown around each case; what both sides saw is in `ws_world`.
 * Threads: main; the server has its own, callbacks come on the engine's.
 */
#ifndef NANOTIK_TEST_WS_WORLD_H
#define NANOTIK_TEST_WS_WORLD_H

#include "core/net/ws.h"
#include "tests/http_server.h"

struct ws_world {
    struct http_server server;
    struct ws_engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- with lock held --- */
    int opened, closed, messages, close_seen;
    size_t bytes;
    char text[256]; /* the last message, its begin */
    bool is_text;
    struct ws_end end;
    char head[4096];   /* of the upgrade request */
    char got[400][24]; /* what the server got, in order */
    int got_count, pongs;
};
extern struct ws_world ws_world;

int ws_world_setup(void **state);
int ws_world_teardown(void **state);
/* Behaves as its path says: "/echo", "/pieces", "/silent" ... */
bool ws_world_serve(struct http_server *s, const struct http_request *r);
/* To this path of the server, heard by `ws_world`; url: room for 200 bytes. */
struct ws_request ws_world_request(char *url, const char *path);
struct ws *ws_world_connect(const struct ws_request *r);
struct ws *ws_world_open(const char *path);
/* A counter of `ws_world` comes to be `want`; fails when that takes too long or it goes beyond. */
void ws_world_await(const int *counter, int want);
void ws_world_closed(void *ctx, const struct ws_end *end); /* on_closed of the requests */

#endif
