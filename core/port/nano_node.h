/*
 * nano_node - what is known about Nano's ledger, and the way into it.
 *
 * What:    one or more nodes behind one interface. Which of them is asked, failover and waiting are
 *          the implementation's; a call costs a bounded time also when a node stalls.
 * Trust:   a node is a witness, never a judge. The hash of each block that comes back was computed
 *          here, or the block is not returned. Amounts, subtypes, `confirmed` and lists are claims:
 *          nano_block_meaning says what two blocks prove, `confirmed_by` asks for a second opinion.
 * Owner:   values are plain; lists are the caller's to free as said beside them.
 * Threads: every slot but destroy from any thread; all block, and obey cancel within 100 ms. Watch
 *          callbacks come on a thread of the implementation.
 * Fails:   ERR_RETRY "pay.node_down" (nobody answers), ERR_CANCELLED, ERR_CONFIG "pay.node_down"
 *          (key or network is wrong). They all mean "not known", never "no".
 * Source:  facts sheet "nano" sections 5-8.
 */
#ifndef NANOTIK_PORT_NANO_NODE_H
#define NANOTIK_PORT_NANO_NODE_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/money/raw.h"
#include "core/nano/block.h"

/* --- money that waits --- */

struct nano_receivable {
    size_t account; /* index in the query */
    struct nano_hash hash;
    struct nano_account source; /* who sent it, as the node says */
    struct raw amount;          /* as the node says */
};

struct nano_receivable_query {
    const struct nano_account *accounts;
    size_t count; /* any number: asked in batches */
    /* Smaller sends are left out, so that dust cannot hide a payment; zero asks for all. */
    struct raw threshold;
    size_t most; /* entries per account; 0: 1,000 */
    const struct cancel *cancel;
};

struct nano_receivables {
    struct nano_receivable *items; /* free(); by account, each hash once */
    size_t count;
    /* free(); one per account of the query: true when there may be more than is listed, and then the
       largest are listed as far as the node obeys. */
    bool *cut;
    size_t cut_count; /* how many of them are true */
};

/* --- blocks and accounts --- */

struct nano_block_info {
    bool found;     /* the node has it; nothing else is filled in otherwise */
    bool confirmed; /* claim */
    /* A state block, and `block` has the hash that was asked for. False: a legacy block of before
       2018, from which nothing can be computed; `block` is zero. */
    bool is_state;
    bool is_signed; /* the signature is the account's (false: an epoch block, or a lie) */
    struct nano_block block;
    bool has_subtype; /* claim */
    enum nano_subtype subtype;
    bool has_amount; /* claim; false on pruned nodes: subtract the balance of the block before */
    struct raw amount;
    int64_t height;   /* claim; 0 unknown */
    int64_t stored_s; /* Unix time when that node stored it; 0 unknown */
    bool has_successor;
    struct nano_hash successor; /* claim */
    bool has_receiver;
    struct nano_hash receiver; /* claim; of a send: the block that received it */
};

struct nano_account_info {
    bool opened; /* false: no block of its own yet (money may wait for it all the same) */
    struct nano_hash frontier;
    struct nano_hash first; /* claim: its first block; zero unknown */
    struct nano_account representative;
    struct raw balance;      /* after the frontier */
    bool frontier_confirmed; /* claim: the frontier itself is cemented */
    int64_t block_count;
};

/* --- publishing --- */

enum nano_published {
    NANO_PUBLISHED, /* taken now */
    NANO_ALREADY,   /* in the ledger: as good as taken. Was made sure of by asking for the hash */
    NANO_FORK,      /* another block has this previous: reload the account, sign nothing blindly */
    NANO_GAP_PREVIOUS, /* the node lacks the block before: publish that one, or wait */
    NANO_GAP_SOURCE,   /* the node lacks the send: wait */
    NANO_UNRECEIVABLE, /* already pocketed, or not for this account */
    NANO_NEEDS_WORK,   /* below the threshold: other work, same block */
    NANO_INVALID,      /* our bug (signature, balance, subtype): stop and tell, never loop */
};

/* --- watching --- */

struct nano_watch {
    /* A hint to look at this account now; never a reason to credit. account is one that was added;
       hash may be of a block of its own. Hints may be repeated, others never come. */
    void (*on_hint)(void *ctx, const struct nano_account *account, const struct nano_hash *hash);
    /* The stream is up (again) and acknowledged, or gone. What happened in between is not told: look
       at everything once when it is up. */
    void (*on_link)(void *ctx, bool up);
    void *ctx; /* both must not block for long */
};

/* --- health --- */

enum { NANO_NODE_NAME = 96 };

struct nano_health {
    char name[NANO_NODE_NAME]; /* host and port, nothing else of the address */
    char vendor[48];           /* "Nano V28.2"; "" unknown */
    bool ok;                   /* answers, and is on the right network */
    int64_t behind;            /* cemented blocks behind what the network says; -1 unknown */
    int64_t answer_ms;
    struct err why; /* ok false */
};

struct nano_node_ops {
    const char *name; /* REQUIRED. "rpc" */
    /* REQUIRED. Confirmed sends to these accounts that are not pocketed yet. False when a batch could
       not be read: nothing to free then. */
    bool (*receivables)(void *self, const struct nano_receivable_query *query,
                        struct nano_receivables *ret, struct err *e);
    /* REQUIRED. ret_infos[i] is about hashes[i]; not found (by any good node) is success. */
    bool (*blocks)(void *self, const struct nano_hash *hashes, size_t count,
                   struct nano_block_info *ret_infos, const struct cancel *cancel, struct err *e);
    /* REQUIRED. All from one reply, so that a block may be built on it. */
    bool (*account)(void *self, const struct nano_account *account, struct nano_account_info *ret,
                    const struct cancel *cancel, struct err *e);
    /* REQUIRED. The same bytes may be published any number of times. False: unknown what became of
       it, publish the same bytes later. */
    bool (*process)(void *self, const struct nano_block *block, enum nano_subtype subtype,
                    enum nano_published *ret, const struct cancel *cancel, struct err *e);
    /* REQUIRED. Asks for an election, which also spreads the block; harmless. ERR_NOT_FOUND
       "pay.no_such_block" when the node does not have it. */
    bool (*confirm)(void *self, const struct nano_hash *hash, const struct cancel *cancel,
                    struct err *e);
    /* REQUIRED. A second opinion: asks every node for this block, all at one time (but one that said
       how long to leave it alone, and one of another network). ret_asked gave an answer, ret_yes of them say confirmed (and showed a block of this hash). False: none did. */
    bool (*confirmed_by)(void *self, const struct nano_hash *hash, size_t *ret_asked,
                         size_t *ret_yes, const struct cancel *cancel, struct err *e);
    /* REQUIRED. How many nodes confirmed_by asks. */
    size_t (*node_count)(void *self);
    /* REQUIRED. Fits work_source.generate (core/nano/work_pool.h): work from elsewhere, checked here.
       ERR_UNSUPPORTED "pay.node_down": there is no work server (make it yourself). */
    bool (*work)(void *self, const struct nano_hash *root, uint64_t threshold,
                 const struct cancel *cancel, uint64_t *ret_work, struct err *e);
    /* REQUIRED. Each node asked now, also those that rest. Returns how many were filled in. */
    size_t (*health)(void *self, struct nano_health *ret, size_t max, const struct cancel *cancel);
    /* REQUIRED. Whom to tell; once, before accounts are added. Without a stream: true, and nothing
       ever comes. */
    bool (*watch)(void *self, const struct nano_watch *watch, struct err *e);
    /* REQUIRED. What is watched, any number; kept over reconnects. Do not block. */
    void (*watch_add)(void *self, const struct nano_account *accounts, size_t count);
    void (*watch_remove)(void *self, const struct nano_account *accounts, size_t count);
    /* REQUIRED. No callback runs once it returned. Accepts a half-built self. */
    void (*destroy)(void *self);
};

struct nano_node {
    const struct nano_node_ops *ops;
    void *self;
};

#endif
