/*
 * fake_azure - the fake of Azure AI Speech (tests/fakes/azure.mjs, Node) as a C test sees it.
 *
 * Owner:   fake_azure_start / fake_azure_stop; failures end the case through cmocka.
 * Threads: one.
 */
#ifndef NANOTIK_TESTS_FAKE_AZURE_H
#define NANOTIK_TESTS_FAKE_AZURE_H

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/proc.h"
#include "core/net/net.h"

#define FAKE_AZURE_KEY "examplekey0123456789"

struct fake_azure {
    struct proc proc;
    struct net_engine *net;
    char url[64];
};

void fake_azure_start(struct fake_azure *f);
void fake_azure_stop(struct fake_azure *f);
/* POST /control/NAME with this JSON (printf). The caller frees the document. */
cJSON *fake_azure_ask(struct fake_azure *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
void fake_azure_do(struct fake_azure *f, const char *name, const char *fmt, ...) PRINTF(3, 4);

#endif
