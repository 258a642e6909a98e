/*
 * net_internal - what the files of core/net share; nobody else includes it.
 */
#ifndef NANOTIK_NET_INTERNAL_H
#define NANOTIK_NET_INTERNAL_H

#include <pthread.h>

#include <curl/curl.h>

#include "core/base/strbuf.h"
#include "core/net/net.h"

enum {
    NET_ACTIVE_MAX = 256,   /* transfers at one time */
    NET_WAITING_MAX = 4096, /* and behind them */
    NET_BASES_MAX = 32,
    NET_HOPS_MAX = 5,
    NET_HEADERS_MAX = 32 * 1024,
    NET_TICK_MS = 50, /* cancel, stall and progress are looked at this often */
};

/* Which addresses a URL may lead to. */
enum net_reach { REACH_PUBLIC, REACH_LOOPBACK, REACH_ANY };

struct net_origin {
    char scheme[8];
    char host[256]; /* lower case, no brackets, no dot at the end */
    int port;
};

struct transfer {
    struct transfer *next, *prev;
    struct net_engine *engine;
    struct net_request req; /* a copy: the texts are the caller's */
    net_done_fn *on_done;
    void *ctx;
    /* --- engine's thread only, from here on --- */
    CURL *easy;
    struct curl_slist *headers;
    curl_mime *mime;
    struct net_origin origin;
    enum net_reach reach;
    int hops;
    struct strbuf body;
    struct strbuf head;
    int fd; /* the .part file, -1 when none */
    char *part_path;
    int64_t saved;
    bool answered; /* on_answer was called on the present hop */
    int tries;     /* times the request was about to be sent on the present hop */
    bool refused;  /* an address was against the rules */
    bool too_large, repeated;
    int disk_errno;
    int64_t mark_ms, mark_bytes, low_since_ms, sent_ms, told_ms; /* stall rule and progress */
};

/* rules.c */
bool net_origin_parse(const char *url, struct net_origin *ret);
bool net_origin_same(const struct net_origin *a, const struct net_origin *b);
bool net_engine_is_base(struct net_engine *engine, const struct net_origin *o,
                        bool *ret_allow_plain);
/* Fills t->origin and t->reach for a hop. */
bool net_rules_check(struct transfer *t, const char *url);

/* transfer.c, engine's thread */
bool transfer_begin(struct transfer *t, CURLM *multi, struct err *e);
long transfer_status(struct transfer *t); /* HTTP's, of the present hop; 0 none */
/* True: ended, `reply` and `e` filled. False: went on to the next hop. */
bool transfer_finish(struct transfer *t, CURLM *multi, CURLcode code, struct net_reply *reply,
                     struct err *e);
/* CURLE_OK, or why it has to end now. */
CURLcode transfer_tick(struct transfer *t, int64_t now_ms);
void transfer_free(struct transfer *t, CURLM *multi);
/* transfer_setup.c: everything but the URL. disk_errno is set when a file to send is not there. */
CURLcode transfer_set_up(struct transfer *t);
/* with_callers: also those of the request. */
CURLcode transfer_set_headers(struct transfer *t, bool with_callers);

int64_t net_now_ms(void); /* CLOCK_BOOTTIME, also when clock.h is faked */

#endif
