/*
 * llm_env - the built program with the fake script services in its environment.
 * Threads: main. Failures end the case through cmocka.
 */
#ifndef NANOTIK_TESTS_LLM_ENV_H
#define NANOTIK_TESTS_LLM_ENV_H

#include "tests/fake_llm.h"
#include "tests/session.h"

enum { LLM_ENV_MAX = 12, LLM_ENV_TEXT = 160 };

struct llm_env {
    char text[LLM_ENV_MAX][LLM_ENV_TEXT];
    const char *list[LLM_ENV_MAX + 1]; /* NULL-terminated, for session_run */
    size_t count;
};

/* LLM_PROVIDER is this comma list of fake services; each with its key and base. */
void llm_env_make(struct llm_env *env, const struct fake_node *llm, const char *services);
void llm_env_add(struct llm_env *env, const char *name, const char *value);

/* cmocka set-up and tear-down: a site, and script services that all answer well. */
extern struct fake_node llm_site;
int llm_site_open(void **state);
int llm_site_close(void **state);

/* Calls of this kind ("chat", "moderations") that the services got. */
int llm_calls(struct fake_node *llm, const char *path);

/* Types each line and waits for its answer. */
struct turn {
    const char *line, *answer;
};
void talk_through(struct session *s, const struct turn *turns, size_t count);
#define talk(s, ...)                                      \
    talk_through((s), (const struct turn[]){__VA_ARGS__}, \
                 COUNT(((const struct turn[]){__VA_ARGS__})))

#endif
