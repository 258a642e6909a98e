/*
 * rpc - Nano's network through the RPC and WebSocket of one or more nodes.
 *
 * What:    nano_node "rpc". The first node of the list that works is used (each tenth question goes to
 *          another good one first, so that none can hide a payment for ever); one that fails, lags or
 *          tells nonsense rests (1 s, doubled each time, at most 2 min) and is used again only when no
 *          other one answers; one that says 429 is left alone for as long as it says. A refusal to
 *          take a block is believed only when every node that answers refuses.
 * Bounds:  one node costs a call at most call_ms, and when it is looked at (first use, each look_ms)
 *          up to 3 s three times more; the whole call at most that times the nodes.
 * Secrets: a key goes only to the node of the same place in the list; no address, key or body enters
 *          a log, messages name host and port.
 * Owner:   ops->destroy. Options are copied; net is borrowed, its user trusts nothing itself.
 * Threads: as core/port/nano_node.h says. A thread of its own and one of libwebsockets when there is
 *          a stream.
 * Fails:   create: ERR_CONFIG "start.bad_url" (arg: scheme and host), "start.bad_nano" (arg: what).
 * Source:  facts sheet "nano" sections 5-8.
 */
#ifndef NANOTIK_NANO_RPC_H
#define NANOTIK_NANO_RPC_H

#include "core/net/net.h"
#include "core/net/ws.h"
#include "core/port/nano_node.h"

/* 0 takes the default in brackets. */
struct nano_limits {
    int connect_ms;     /* [4 s] */
    int call_ms;        /* one call to one node [8 s] */
    int work_ms;        /* work_generate [30 s] */
    int ack_ms;         /* stream: answer to a frame [5 s] */
    int ping_ms;        /* stream: silence before a ping [30 s] */
    int reconnect_ms;   /* stream: first wait, doubled up to 60 s [1 s] */
    int look_ms;        /* between looks at how far a node is behind [10 min] */
    size_t batch;       /* accounts per call [400] */
    size_t stream_part; /* accounts per frame [500] */
};

struct nano_rpc_options {
    struct net_engine *net;
    struct ws_engine *ws; /* borrowed until destroy; NULL: one of its own, where ws_urls are */
    const char *urls;     /* comma list, at least one */
    const char *keys;     /* comma list in the same order, "" for none: a word goes into the header
                               Authorization and the body's "key"; "Name: value" is a header;
                               "name=value" a field of the body */
    const char *ws_urls;  /* comma list, "" none */
    const char *work_url; /* "" none */
    const char *network_id; /* 64 hex digits; "" any */
    bool allow_plain;
    struct nano_limits limits;
};

bool nano_rpc_create(const struct nano_rpc_options *options, struct nano_node *ret, struct err *e);

#endif
