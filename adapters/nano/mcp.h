/*
 * mcp - balances as a Nano MCP server tells them: an opinion, nothing more.
 *
 * What:    one method, getBalance, by name (the server knows no handshake). Its three shapes of
 *          error are told apart from an answer. It checks no checksums and shows no confirmation, so
 *          nothing is ever decided on what it says.
 * Secrets: nothing but an address is ever sent to it.
 * Owner:   plain values; the engine is borrowed and must trust the URL (net_trust_base).
 * Threads: from any thread, blocks at most 8 s.
 * Fails:   ERR_RETRY "pay.node_down", ERR_CANCELLED.
 * Source:  facts sheet "nano" section 13.
 */
#ifndef NANOTIK_NANO_MCP_H
#define NANOTIK_NANO_MCP_H

#include "core/money/raw.h"
#include "core/nano/account.h"
#include "core/net/net.h"

/* *ret: pocketed balance; "0" also for an account that was never opened. */
bool nano_mcp_balance(struct net_engine *net, const char *url, const struct nano_account *account,
                      struct raw *ret, const struct cancel *cancel, struct err *e);
/* Reads a body; any bytes. ERR_RETRY "pay.node_down" for each shape of error, ERR_INPUT for what is no
   answer at all. */
bool nano_mcp_read(const char *text, size_t len, struct raw *ret, struct err *e);

#endif
