/*
 * net - HTTP for every module: one thread, one libcurl multi handle, limits on everything.
 *
 * What:    net_call blocks the caller for one exchange; net_submit calls back on the engine's
 *          thread. A reply of any HTTP status is success here; what a status means is the caller's.
 * Rules:   https to public addresses, or the exact scheme, host and port of a base URL that the
 *          operator configured (net_trust_base); each hop and each resolved address is checked.
 *          No redirects unless asked (GET only, at most 5), no proxy or netrc from the
 *          environment, certificates always verified, HTTP/2 where offered (uploads: HTTP/1.1, so
 *          that a long upload never holds up short calls).
 * Secrets: URL, headers and bodies never enter a log or an err; messages say `log_name`.
 * Owner:   everything a request points to is borrowed until net_call returns / on_done was called.
 *          A reply is the caller's: net_reply_free.
 * Threads: all functions from any thread; net_engine_destroy after the callers were joined (what
 *          is still under way ends as NET_CANCELLED).
 * Fails:   ERR_RETRY (surely without effect there), ERR_CONFLICT (sent, answer lost: unknown),
 *          ERR_LIMIT, ERR_CANCELLED, ERR_CONFIG / ERR_REFUSED (address rules), ERR_DISK.
 */
#ifndef NANOTIK_NET_H
#define NANOTIK_NET_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

struct net_engine;

/* allow_plain: NANOTIK_ALLOW_PLAIN=1, http:// bases need not be loopback. */
bool net_engine_create(bool allow_plain, struct net_engine **ret, struct err *e);
void net_engine_destroy(struct net_engine *engine); /* NULL is fine */
/* A base URL from the configuration. ERR_CONFIG "start.bad_url" (arg = scheme and host) when it is
   no http(s) URL, carries a user name, or is plain http to another machine. At most 32. */
bool net_trust_base(struct net_engine *engine, const char *url, struct err *e);
/* The same test for any of http, https, ws, wss, without an engine. */
bool net_base_url_ok(const char *url, bool allow_plain, struct err *e);
/* Public, routable address: not private, link-local, loopback, multicast, documentation, also not
   in IPv6 clothes. `address` is a struct sockaddr. */
bool net_address_is_public(const void *address);
bool net_address_is_loopback(const void *address);

/* One part of multipart/form-data: a text, or a file streamed from disk. */
struct net_part {
    const char *name;
    const char *value;     /* text part (file NULL) */
    const char *file;      /* path */
    const char *file_name; /* as told to the server */
    const char *mime;      /* "video/mp4", may be NULL */
};

struct net_reply;
struct net_request {
    const char *log_name;       /* REQUIRED: "telegram sendVideo" */
    const char *url;            /* REQUIRED */
    const char *method;         /* NULL: POST with a body or parts, else GET */
    const char *const *headers; /* "Name: value" */
    size_t header_count;
    const void *body; /* or parts, or neither */
    size_t body_len;
    const struct net_part *parts;
    size_t part_count;
    /* Limits. 0 takes the default in brackets. */
    size_t reply_max;  /* bytes kept in memory after decompression [4 MiB] */
    int connect_ms;    /* [10 s] */
    int total_ms;      /* [120 s]; -1: none, then the stall rule below must end it */
    int stall_seconds; /* below stall_rate for so long ends it [total_ms < 0: 30 s; else off] */
    int stall_rate;    /* bytes per second [1000] */
    int answer_ms;     /* stall rule only: wait for the answer once all is sent [300 s] */
    /* Download (status 200 only): to save_path.part, published as save_path when whole. */
    const char *save_path;
    int64_t save_max; /* [200 MiB] */
    bool follow;      /* redirects */
    /* Never sent a second time behind the caller's back (libcurl repeats a request itself when a
       kept connection turns out dead): for calls that are not safe to repeat. */
    bool once;
    const struct cancel *cancel; /* obeyed within 100 ms; may be NULL */
    /* Engine's thread, must not block, at most 5 a second; may be NULL. Totals are -1 if unknown.
     */
    void (*on_progress)(void *ctx, int64_t sent, int64_t send_total, int64_t got,
                        int64_t get_total);
    /* Engine's thread, must not block, may be NULL: once per 2xx reply of a call with on_chunk,
       before its first byte; only status and headers of `head` are filled. False ends the call
       (NET_TOO_LARGE). A part asked for with Range is told from a whole file here. */
    bool (*on_answer)(void *ctx, const struct net_reply *head);
    /* Engine's thread, must not block: body of a 2xx reply as it comes, instead of reply.body.
       False ends the call (NET_TOO_LARGE). */
    bool (*on_chunk)(void *ctx, const char *bytes, size_t len);
    void *ctx;
};

enum net_outcome {
    NET_REPLY,     /* a whole HTTP reply */
    NET_NOT_SENT,  /* refused, DNS, TLS, or cut before the request was whole: surely no effect */
    NET_UNKNOWN,   /* sent, and no whole answer */
    NET_TOO_LARGE, /* the answer passed its cap */
    NET_CANCELLED, /* by cancel or shutdown; `sent` says whether it can have had an effect */
    NET_FORBIDDEN, /* URL or address against the rules */
    NET_DISK,      /* could not read what to send or write what came */
};

struct net_reply {
    enum net_outcome outcome;
    int status; /* NET_REPLY only, else 0 */
    char *body; /* NUL-terminated, never NULL after a call */
    size_t len;
    int64_t saved;      /* bytes in save_path */
    bool sent;          /* the whole request may have reached the server */
    int retry_after_ms; /* from retry-after-ms or Retry-After; -1 when absent */
    char *headers;      /* name, NUL, value, NUL, ...; see net_reply_header */
    size_t headers_len;
};

/* True for NET_REPLY. *ret_reply is always filled and always needs net_reply_free. */
bool net_call(struct net_engine *engine, const struct net_request *request,
              struct net_reply *ret_reply, struct err *e);
/* `reply` is the callback's to free (move it out or net_reply_free it); e->code ERR_NONE for
   NET_REPLY. Runs on the engine's thread: must not block, may submit again. */
typedef void net_done_fn(void *ctx, struct net_reply *reply, const struct err *e);
/* False (ERR_RETRY, on_done not called) when too many wait already or the engine is stopping. */
bool net_submit(struct net_engine *engine, const struct net_request *request, net_done_fn *on_done,
                void *ctx, struct err *e);
void net_reply_free(struct net_reply *reply); /* for AUTO; zeroed is fine */
/* Value of the last header of this name (any letter case), "" when absent. */
const char *net_reply_header(const struct net_reply *reply, const char *name);

/* 0.5 s x 2^attempt, at most 8 s, shortened by up to a quarter; attempt counts from 0. */
int net_backoff_ms(int attempt);
/* "12", "1.5" or an HTTP date -> milliseconds from wall_ms, 0 to one day; -1 when unreadable. */
int net_parse_retry_after(const char *value, int64_t wall_ms);
/* What became of a request, for callers with words of their own for it. */
enum net_fate {
    NET_FATE_ANSWERED,
    NET_FATE_NO_EFFECT, /* surely: another try is harmless */
    NET_FATE_UNCLEAR,   /* it may have had its effect */
    NET_FATE_FORBIDDEN, /* by our own rules */
    NET_FATE_BAD_FILE,  /* what was to be sent or saved */
};
enum net_fate net_reply_fate(const struct net_reply *reply);
/* Worth another try: no effect there, or 408, 425, 429, 5xx, or an empty 200. */
bool net_should_retry(const struct net_reply *reply);

#endif
