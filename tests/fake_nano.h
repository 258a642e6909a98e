/*
 * fake_nano - the fake nodes (tests/fakes/nano.mjs) as a C test sees them; see fake_node.h.
 *
 * What:    f->api is the node "main"; other nodes see the same ledger under addresses of their own.
 *          Thresholds are low: FAKE_NANO_SEND, FAKE_NANO_RECEIVE.
 */
#ifndef NANOTIK_TESTS_FAKE_NANO_H
#define NANOTIK_TESTS_FAKE_NANO_H

#include "tests/fake_node.h"

#define FAKE_NANO_SEND UINT64_C(0xffc0000000000000)
#define FAKE_NANO_RECEIVE UINT64_C(0xf000000000000000)

void fake_nano_start(struct fake_node *f);
/* Addresses of a node, "" or NULL: main. http:// and ws://; of the MCP reader. */
void fake_nano_url(const struct fake_node *f, const char *node, char ret_url[static 80]);
void fake_nano_ws_url(const struct fake_node *f, const char *node, char ret_url[static 80]);
void fake_nano_mcp_url(const struct fake_node *f, char ret_url[static 80]);
/* POST /control/NAME with this JSON; what comes back is dropped. */
void fake_nano_tell(struct fake_node *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* A confirmed send of payer 1; amount in raw. ret_hash: 64 hex digits and NUL, or NULL. */
void fake_nano_pay(struct fake_node *f, const char *to, const char *amount, char *ret_hash);
/* The same, not confirmed yet. */
void fake_nano_pay_unconfirmed(struct fake_node *f, const char *to, const char *amount,
                               char *ret_hash);
/* How often a node was asked for an action: "main block_info". */
int fake_nano_calls(struct fake_node *f, const char *what);

#endif
