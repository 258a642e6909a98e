/*
 * pay_world - the Nano payment method over a real database and fake nodes, for tests and benches.
 *
 * What:    pay_open starts the watcher (and collector) against tests/fakes/nano.mjs; events are
 *          counted. A world may be opened twice on one database and one fake (`share`). Failures end
 *          the case through cmocka.
 * Owner:   pay_close; the database and the fake are the case's.
 * Threads: main; the counters from any.
 */
#ifndef NANOTIK_TESTS_PAY_WORLD_H
#define NANOTIK_TESTS_PAY_WORLD_H

#include <stdatomic.h>

#include "core/db/db.h"
#include "core/db/store_order.h"
#include "core/pay/nano_payment.h"
#include "tests/fake_nano.h"

struct pay_options {
    bool watch_only;    /* no seed: everybody pays to the wallet */
    const char *wallet; /* NULL: PAY_WALLET */
    bool stream;        /* with the WebSocket */
    bool reader;        /* with the MCP reader */
    size_t nodes;       /* 0: one */
    const char *second; /* second opinion from, XNO; NULL: never */
    const char *sweep;  /* XNO; NULL: never */
    int poll_ms, poll_all_ms;
    bool no_refunds;
    const char *refund_day; /* XNO; NULL: 20 */
    bool stopped;           /* do not start it */
    int lease_ms;           /* 0: 1 s */
};

struct pay_world {
    struct db *db;
    struct fake_node *fake;
    struct net_engine *net;
    struct nano_node node;
    struct payment_method pay;
    struct pay_calls calls;
    struct price_list prices;
    atomic_int seen, credited, redrawn, claims;
    _Atomic int64_t credits;
    atomic_int last_claim;
    atomic_int refund_states; /* bits: 1 << enum pay_refund_state, of what was told */
};

/* After an amount in whole XNO. */
#define XNO "000000000000000000000000000000"
#define PAY_CREDITED "select count(*) from deposits where state = 'credited'"

/* For a group of cases: databases to copy, and one fake that each case finds new. */
extern struct fake_node pay_fake;
int pay_start(void **state);
int pay_stop(void **state);
int pay_reset(void **state);
#define PAY_CASE(f) cmocka_unit_test_setup(f, pay_reset)

/* Of the operator, in all worlds. */
#define PAY_WALLET "nano_1ugyfqhfw337bgfwgqa617ynyj18ojx7ywuncn83xu8ad77zp9mip188iakf"

void pay_open(struct pay_world *w, struct db *db, struct fake_node *fake,
              const struct pay_options *o);
void pay_close(struct pay_world *w);
/* An order of this account. */
struct order pay_order(struct pay_world *w, const char *account, const char *amount);
/* Where this account pays to. */
void pay_address(struct pay_world *w, const char *account, char ret[static PAY_ADDRESS]);
/* Until the number is there, at most ms. */
void pay_wait(struct db *db, const char *sql, int64_t want, int ms);
int64_t pay_avail(struct db *db, const char *account);
/* Differences that reconcile lists; each is printed when `show`. */
int pay_differences(struct pay_world *w, bool show);

#endif
