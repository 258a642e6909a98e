/*
 * stream_parts - what the files of the confirmation stream share; nobody else includes it.
 *
 * Threads: the fields below `lock` only with it held; ws, frame_id and places belong to the stream's
 *          thread, as do all functions.
 */
#ifndef NANOTIK_NANO_STREAM_PARTS_H
#define NANOTIK_NANO_STREAM_PARTS_H

#include "adapters/nano/nano_parts.h"
#include "core/net/ws.h"

struct nano_place {
    char *url;
    bool no_update; /* found out: it knows only subscribe */
    size_t cap;     /* accounts that it takes then */
};

struct nano_stream {
    struct nano_limits limits;
    struct ws_engine *engine, *own_engine;
    struct nano_place places[NANO_NODES_MAX];
    size_t place_count;
    struct nano_watch watch;
    pthread_t thread;
    bool started;
    struct ws *ws;     /* of the stream's thread */
    unsigned frame_id; /* of the stream's thread */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    bool stopping, open, closed;
    bool refused;        /* the upgrade was answered with 4xx */
    char wanted_ack[24]; /* "" none; a frame is under way */
    bool acked, ponged;
    int64_t heard_ms;
    struct nano_set set;            /* what is to be watched */
    struct nano_set added, removed; /* since the last frame */
};

/* Up to ms for *flag (or for the end of the link); its value. */
bool nano_stream_wait(struct nano_stream *s, const bool *flag, int64_t ms);
/* With the lock held: until something changes, a second at most. */
void nano_stream_sleep(struct nano_stream *s, int64_t ms);

/* --- stream_subscribe.c: each frame waits for its answer; false: none came --- */

/* The whole list, whatever filter there was. */
bool nano_stream_subscribe(struct nano_stream *s, struct nano_place *p);
/* What was added and removed since. */
bool nano_stream_update(struct nano_stream *s, struct nano_place *p);
/* A node that still answers the protocol's pings may have stopped to read. */
bool nano_stream_ping(struct nano_stream *s);

#endif
