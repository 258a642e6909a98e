/*
 * fake_node - a fake service (tests/fakes/NAME.mjs, Node) as a C test sees it.
 *
 * What:    starts it on a free port of this machine, asks its control endpoints. Failures end the
 *          case through cmocka. What one service needs besides is in fake_SERVICE.h.
 * Owner:   fake_node_start / fake_node_stop; documents returned are the caller's (json_free).
 * Threads: control calls from any thread; start and stop on one.
 */
#ifndef NANOTIK_TESTS_FAKE_NODE_H
#define NANOTIK_TESTS_FAKE_NODE_H

#include <stdarg.h>

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/proc.h"
#include "core/net/net.h"

struct fake_node {
    struct proc proc;
    struct net_engine *net; /* trusts the fake; for control calls */
    int port;
    char url[64]; /* http://127.0.0.1:PORT */
    char api[80]; /* what the program is given as the service's address; url unless said */
};

/* options: pairs of "--name", value after the script, ended by NULL; a pair with a NULL value ends
   the list. */
void fake_node_start(struct fake_node *f, const char *script, const char *const *options);
void fake_node_stop(struct fake_node *f);
/* POST /control/NAME with this JSON. */
cJSON *fake_node_ask(struct fake_node *f, const char *name, const char *json);
cJSON *fake_node_askv(struct fake_node *f, const char *name, const char *fmt, va_list args)
    PRINTF(3, 0);
/* POST /control/state {}: everything it has seen. */
cJSON *fake_node_state(struct fake_node *f);
/* Nothing was sent that the real service would have refused, ignored or shown badly. */
void fake_node_no_complaints(struct fake_node *f);

#endif
