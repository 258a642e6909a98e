/*
 * fake_llm - the fake chat-completion services (tests/fakes/llm.mjs) as a C test sees it; see fake_node.h.
 */
#ifndef NANOTIK_TESTS_FAKE_LLM_H
#define NANOTIK_TESTS_FAKE_LLM_H

#include "tests/fake_node.h"

#define FAKE_LLM_KEY "sk-fake-0123456789abcdef"

void fake_llm_start(struct fake_node *f);
/* "http://127.0.0.1:PORT/SERVICE/v1" */
void fake_llm_base(const struct fake_node *f, const char *service, char ret[static 96]);
/* POST /control/NAME with this JSON. */
void fake_llm_do(struct fake_node *f, const char *name, const char *json);

#endif
