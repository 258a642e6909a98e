/*
 * node_world - the node client over fake nodes (tests/fakes/nano.mjs), for tests.
 *
 * What:    node_world_open is a group's setup, node_case_open a case's: a new ledger, no node yet;
 *          node_connect makes one, main, second and third over the same ledger. Failures end the case
 *          through cmocka.
 * Owner:   node_world_close, node_case_close.
 * Threads: main.
 */
#ifndef NANOTIK_TESTS_NODE_WORLD_H
#define NANOTIK_TESTS_NODE_WORLD_H

#include "adapters/nano/rpc.h"
#include "core/base/base.h"
#include "core/nano/key.h"
#include "tests/fake_nano.h"

#define XNO "1000000000000000000000000000000"

struct node_world {
    struct fake_node fake;
    struct net_engine *net;
    struct nano_node node;
    struct nano_seed *seed;
    struct nano_account account[4];
    char address[4][NANO_ADDRESS];
};
extern struct node_world world;

#define OPS world.node.ops
#define SELF world.node.self

int node_world_open(void **state);
int node_world_close(void **state);
int node_case_open(void **state);
int node_case_close(void **state);
#define NODE_CASE(name) cmocka_unit_test_setup_teardown(name, node_case_open, node_case_close)

/* With calls of at most `batch` addresses. */
void node_connect_batches(size_t nodes, const char *keys, size_t batch);
void node_connect(size_t nodes, const char *keys);
/* POST /control/NAME */
void node_tell(const char *name, const char *body);

struct nano_hash node_hash(const char *hex);
struct raw node_raw(const char *text);
/* Of all accounts. */
bool node_list(const char *threshold, struct nano_receivables *ret, struct err *e);
void node_list_free(struct nano_receivables *r);
uint64_t node_work(const struct nano_hash *root, uint64_t threshold);

#endif
