/*
 * nano_parts - what the files of the node client share. Internal to adapters/nano.
 *
 * Owner:   as said beside each; documents are the caller's (json_free).
 * Threads: readers are pure functions; the rest from any thread.
 */
#ifndef NANOTIK_NANO_PARTS_H
#define NANOTIK_NANO_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "adapters/nano/rpc.h"
#include "core/base/strbuf.h"
#include "core/nano/work.h"
#include "core/net/json.h"

enum {
    NANO_NODES_MAX = 8,
    NANO_REPLY_MAX = 16 << 20,
    NANO_ERROR_TEXT = 96,
    NANO_HASHES_MAX = 100, /* blocks per call */
    NANO_FIRST = 16,       /* receivables per account of the first list */
    NANO_PAGED = 10, /* a list this long may be cut: some services cap what they are asked for */
    NANO_PAGE = 50,
    NANO_MOST = 1000,
};

/* --- replies (read.c, read_block.c): no network, hostile input --- */

/* A JSON object; *ret_error is the node's own error text, "" when it has none. False: HTML, cut,
   huge, deep, or no object: ERR_INPUT / ERR_LIMIT. */
bool nano_read_reply(const char *text, size_t len, cJSON **ret,
                     char ret_error[static NANO_ERROR_TEXT], struct err *e);
/* "true", true. Absent, "1" and all else: false. */
bool nano_read_true(const cJSON *object, const char *name);
/* Whole number in a text, or a JSON number; 0 when absent or odd. */
int64_t nano_read_count(const cJSON *object, const char *name);
/* Only from a text. */
bool nano_read_raw(const cJSON *object, const char *name, struct raw *ret);

/* Receivables that grow; each hash once per account. */
struct nano_list {
    struct nano_receivable *items;
    size_t count, room;
};
/* One account's part of a reply ("blocks" of receivable, or what an address holds in that of
   accounts_receivable). Adds what is new and at least threshold of the first NANO_MOST; *ret_seen
   counts all. */
bool nano_read_entries(const cJSON *entries, size_t account, struct raw threshold,
                       struct nano_list *list, size_t *ret_seen, struct err *e);
/* accounts[0..count) were asked for; first is the index of the first in the query. seen[i]: entries
   of each. An account that was not asked for is an error. */
bool nano_read_receivables(const cJSON *doc, const struct nano_account *accounts, size_t count,
                           size_t first, struct raw threshold, struct nano_list *list,
                           size_t *ret_seen, struct err *e);
bool nano_read_account(const cJSON *doc, struct nano_account_info *ret, struct err *e);
/* One object of block_info or blocks_info; its contents must hash to `hash`. */
bool nano_read_block(const cJSON *info, const struct nano_hash *hash, struct nano_block_info *ret,
                     struct err *e);
/* ret_infos[i] for each hash, not found included. A hash that is neither there nor among those not
   found is an error. */
bool nano_read_blocks(const cJSON *doc, const struct nano_hash *hashes, size_t count,
                      struct nano_block_info *ret_infos, struct err *e);
/* What an error text of process means. False: it says nothing about the block (the node's own
   trouble). *ret_look: ask for the hash before believing it. */
bool nano_read_refusal(const char *error, enum nano_published *ret, bool *ret_look);
bool nano_read_work(const cJSON *doc, const struct nano_hash *root, uint64_t threshold,
                    uint64_t *ret, struct err *e);

/* --- one node (peer.c) --- */

struct nano_peer {
    char *url;
    char name[NANO_NODE_NAME];
    char *header;     /* "Authorization: k", may be NULL */
    char *body_field; /* "\"key\":\"k\"", may be NULL */
    pthread_mutex_t lock;
    /* --- below: only with lock held --- */
    int faults;                           /* in a row */
    int64_t rest_until_ms, told_until_ms; /* after faults; after 429 */
    int64_t look_at_ms;                   /* next look at version and lag */
    bool known;                           /* was looked at, and is of the right network */
    bool wrong_network, lagging;
};

enum nano_verdict {
    NANO_FINE,
    NANO_NEXT,  /* no answer, or not one that can be believed: another node; e says why */
    NANO_FINAL, /* no use in asking another one */
};

struct nano_rpc {
    struct net_engine *net;
    struct nano_limits limits;
    char *network_id;
    struct nano_peer peers[NANO_NODES_MAX];
    size_t peer_count;
    struct nano_peer work; /* url NULL: none */
    struct nano_stream *stream;
    /* Addresses per call that a service turned out to take, and how long that is believed. */
    atomic_size_t small_batch;
    atomic_size_t asked; /* questions */
    _Atomic int64_t small_until_ms;
};

/* Fills peers from the lists. */
bool nano_peers_make(struct nano_rpc *r, const struct nano_rpc_options *o, struct err *e);
void nano_peers_free(struct nano_rpc *r);
/* One call, no failover. body: the JSON object without its opening brace: "\"action\":\"version\"}".
   NANO_FINE: *ret_doc, and the node's error text or "". */
enum nano_verdict nano_call(struct nano_rpc *r, struct nano_peer *p, const char *body, int total_ms,
                            const struct cancel *cancel, cJSON **ret_doc,
                            char ret_error[static NANO_ERROR_TEXT], struct err *e);
/* For calls under way together: the request of nano_call, and its reading. */
struct nano_post {
    char *body, *log_name;
    const char *headers[2];
    struct net_request request;
};
void nano_post_make(struct nano_rpc *r, const struct nano_peer *p, const char *body, int total_ms,
                    const struct cancel *cancel, struct nano_post *ret);
void nano_post_free(struct nano_post *post);
enum nano_verdict nano_post_read(struct nano_peer *p, const struct net_reply *reply,
                                 cJSON **ret_doc, char ret_error[static NANO_ERROR_TEXT],
                                 struct err *e);
/* A reply that made no sense, or the node's own words instead of an answer: e becomes "pay.node_down". */
enum nano_verdict nano_unbelievable(const char *error, struct err *e);
/* It works; it does not, or tells nonsense. */
void nano_peer_good(struct nano_peer *p);
void nano_peer_bad(struct nano_peer *p);
/* It said 429, and for how long. */
bool nano_peer_waits(struct nano_peer *p);

/* --- one question to whichever node answers (ask.c) --- */

struct nano_question {
    const char *what; /* "block_info", for messages */
    const char *body; /* as nano_call */
    /* Judges a reply; error is the node's text or "". NANO_NEXT for one that cannot be believed. */
    enum nano_verdict (*take)(void *ctx, const cJSON *doc, const char *error, struct err *e);
    void *ctx;
    const struct cancel *cancel;
    bool
        shrinks; /* ERR_LIMIT may come back: question or answer was too large, the caller asks less */
};
/* True when a take said NANO_FINE. */
bool nano_ask(struct nano_rpc *r, const struct nano_question *q, struct err *e);
/* Version and lag of a node, if it is time; NANO_NEXT when it is not to be used. */
enum nano_verdict nano_look(struct nano_rpc *r, struct nano_peer *p, const struct cancel *cancel,
                            struct err *e);

/* --- the slots (money.c, blocks.c, opinion.c, ask.c) --- */

bool rpc_receivables(void *self, const struct nano_receivable_query *query,
                     struct nano_receivables *ret, struct err *e);
bool rpc_blocks(void *self, const struct nano_hash *hashes, size_t count,
                struct nano_block_info *ret_infos, const struct cancel *cancel, struct err *e);
bool rpc_account(void *self, const struct nano_account *account, struct nano_account_info *ret,
                 const struct cancel *cancel, struct err *e);
bool rpc_process(void *self, const struct nano_block *block, enum nano_subtype subtype,
                 enum nano_published *ret, const struct cancel *cancel, struct err *e);
bool rpc_confirm(void *self, const struct nano_hash *hash, const struct cancel *cancel,
                 struct err *e);
bool rpc_confirmed_by(void *self, const struct nano_hash *hash, size_t *ret_asked, size_t *ret_yes,
                      const struct cancel *cancel, struct err *e);
bool rpc_work(void *self, const struct nano_hash *root, uint64_t threshold,
              const struct cancel *cancel, uint64_t *ret_work, struct err *e);
size_t rpc_health(void *self, struct nano_health *ret, size_t max, const struct cancel *cancel);

/* --- stream (stream.c, stream_subscribe.c, stream_set.c, stream_frame.c) --- */

/* Accounts in the order in which they came, found by key. */
struct nano_set {
    struct nano_account *items;
    size_t count, room;
    uint32_t *slots; /* index + 1, 0 free */
    size_t slot_count;
};
bool nano_set_add(struct nano_set *s, const struct nano_account *a);    /* false: was there */
bool nano_set_remove(struct nano_set *s, const struct nano_account *a); /* false: was not there */
bool nano_set_has(const struct nano_set *s, const struct nano_account *a);
void nano_set_free(struct nano_set *s); /* zeroed is fine */

/* A frame from the node. */
enum nano_frame { NANO_FRAME_OTHER, NANO_FRAME_ACK, NANO_FRAME_PONG, NANO_FRAME_BLOCK };
struct nano_hint {
    char ack_id[24]; /* NANO_FRAME_ACK; "" when the node does not repeat ids */
    struct nano_hash hash;
    bool has_account, has_link;
    struct nano_account account, link;
};
enum nano_frame nano_read_frame(const char *text, size_t len, struct nano_hint *ret);

struct nano_stream;
bool nano_stream_create(const char *urls, struct ws_engine *ws, bool allow_plain,
                        const struct nano_limits *limits, struct nano_stream **ret, struct err *e);
bool nano_stream_watch(struct nano_stream *s, const struct nano_watch *watch, struct err *e);
void nano_stream_change(struct nano_stream *s, const struct nano_account *accounts, size_t count,
                        bool add);
void nano_stream_destroy(struct nano_stream *s); /* NULL is fine */

#endif
