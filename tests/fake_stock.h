/*
 * fake_stock - the fakes of Pexels and Pixabay (tests/fakes/stock.mjs, Node) as a C test sees them.
 *
 * What:    starts them on a free port of this machine, asks their control endpoints. Failures end
 *          the case through cmocka.
 * Owner:   fake_stock_start / fake_stock_stop; documents returned are the caller's (json_free).
 * Threads: control calls from any thread; start and stop on one.
 */
#ifndef NANOTIK_TESTS_FAKE_STOCK_H
#define NANOTIK_TESTS_FAKE_STOCK_H

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/proc.h"
#include "core/net/net.h"

struct fake_stock {
    struct proc proc;
    struct net_engine *net; /* trusts the fake */
    char url[64];
};

/* clip: an MP4 that every clip link gives; NULL: one without anything to see in it. */
void fake_stock_start(struct fake_stock *f, const char *clip);
void fake_stock_stop(struct fake_stock *f);
/* POST /control/NAME with this JSON. */
cJSON *fake_stock_ask(struct fake_stock *f, const char *name, const char *body);
void fake_stock_tell(struct fake_stock *f, const char *name, const char *body);
/* How many of "calls" or "clipCalls" there were; a text field of the n-th, valid until the eighth
   next question. */
int fake_stock_calls(struct fake_stock *f, const char *list);
const char *fake_stock_field(struct fake_stock *f, const char *list, int n, const char *field);
/* Nothing was asked that the real services would have refused. */
void fake_stock_no_complaints(struct fake_stock *f);

#endif
