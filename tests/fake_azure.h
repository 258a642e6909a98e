/*
 * fake_azure - the fake of Azure AI Speech (tests/fakes/azure.mjs) as a C test sees it; see fake_node.h.
 */
#ifndef NANOTIK_TESTS_FAKE_AZURE_H
#define NANOTIK_TESTS_FAKE_AZURE_H

#include "tests/fake_node.h"

#define FAKE_AZURE_KEY "examplekey0123456789"

void fake_azure_start(struct fake_node *f);
/* POST /control/NAME with this JSON (printf). The caller frees the document. */
cJSON *fake_azure_ask(struct fake_node *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
void fake_azure_do(struct fake_node *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* Its list: all voices that we know, or all but our first. */
void fake_azure_voices(struct fake_node *f, bool all);

#endif
