/*
 * fake_llm - the fake chat-completion services (tests/fakes/llm.mjs, Node) as a C test sees them.
 *
 * What:    starts them on a free port of this machine, asks their control endpoints. Failures end the
 *          case through cmocka.
 * Owner:   fake_llm_start / fake_llm_stop.
 * Threads: control calls from any thread; start and stop on one.
 */
#ifndef NANOTIK_TESTS_FAKE_LLM_H
#define NANOTIK_TESTS_FAKE_LLM_H

#include <cjson/cJSON.h>

#include "core/base/base.h"
#include "core/base/proc.h"
#include "core/net/net.h"

#define FAKE_LLM_KEY "sk-fake-0123456789abcdef"

struct fake_llm {
    struct proc proc;
    struct net_engine *net; /* trusts the fake */
    int port;
    char url[64];
};

void fake_llm_start(struct fake_llm *f);
void fake_llm_stop(struct fake_llm *f);
/* "http://127.0.0.1:PORT/SERVICE/v1" */
void fake_llm_base(const struct fake_llm *f, const char *service, char ret[static 96]);
/* POST /control/NAME with this JSON. */
void fake_llm_do(struct fake_llm *f, const char *name, const char *json);
/* What was asked so far; caller deletes. */
cJSON *fake_llm_state(struct fake_llm *f);

#endif
