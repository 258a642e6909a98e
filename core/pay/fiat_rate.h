/*
 * fiat_rate - what 1 XNO costs in money that people know, for their eyes only: nothing is ever
 * counted by it.
 *
 * What:    asks a JSON source every 10 minutes in the background; a rate older than 30 minutes is not
 *          shown. Integer arithmetic, cut, never rounded up.
 * Owner:   fiat_rate_stop; the engine is borrowed until then.
 * Threads: one of its own; fiat_rate_hint from any.
 * Fails:   start: ERR_CONFIG "start.bad_url", or no thread. A source that is away or says nonsense is
 *          logged once and asked again.
 */
#ifndef NANOTIK_FIAT_RATE_H
#define NANOTIK_FIAT_RATE_H

#include "core/base/base.h"
#include "core/base/err.h"

enum { FIAT_TEXT = 48 };

struct net_engine;
struct fiat_rate;

struct fiat_rate_options {
    const char *url;
    const char *field;      /* "nano.usd" */
    const char *currency;   /* "USD", up to 11 bytes */
    int every_ms, stale_ms; /* 0: 10 and 30 min */
};

bool fiat_rate_start(struct net_engine *net, const struct fiat_rate_options *o,
                     struct fiat_rate **ret, struct err *e);
void fiat_rate_stop(struct fiat_rate *r); /* NULL is fine */
/* amount: XNO as text. "0.93 USD"; false while no fresh rate is known. */
bool fiat_rate_hint(struct fiat_rate *r, const char *amount, char ret[static FIAT_TEXT]);

#endif
