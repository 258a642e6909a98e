#include "tests/llm_env.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "core/net/json.h"

enum { ANSWER_MS = 60000 };

void llm_env_add(struct llm_env *env, const char *name, const char *value)
{
    assert_true(env->count < LLM_ENV_MAX);
    char *text = env->text[env->count];
    snprintf(text, LLM_ENV_TEXT, "%s=%s", name, value);
    env->list[env->count++] = text;
    env->list[env->count] = NULL;
}

void llm_env_make(struct llm_env *env, const struct fake_node *llm, const char *services)
{
    *env = (struct llm_env){0};
    llm_env_add(env, "LLM_PROVIDER", services);
    for (const char *at = services; *at; at += strspn(at, ", ")) {
        char service[32], name[48], base[96];
        size_t len = strcspn(at, ", ");
        snprintf(service, sizeof(service), "%.*s", (int)len, at);
        fake_llm_base(llm, service, base);
        for (char *p = service; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        snprintf(name, sizeof(name), "%s_API_KEY", service);
        llm_env_add(env, name, FAKE_LLM_KEY);
        snprintf(name, sizeof(name), "%s_BASE_URL", service);
        llm_env_add(env, name, base);
        at += len;
    }
}

struct fake_node llm_site;

int llm_site_open(void **state)
{
    if (site_open(state) != 0)
        return -1;
    fake_llm_start(&llm_site);
    return 0;
}

int llm_site_close(void **state)
{
    fake_node_stop(&llm_site);
    return site_close(state);
}

int llm_calls(struct fake_node *llm, const char *path)
{
    AUTO(json_free) cJSON *state = fake_node_state(llm);
    const cJSON *call;
    int count = 0;
    cJSON_ArrayForEach(call, json_array(state, "calls")) count +=
        strcmp(json_text(call, "path", ""), path) == 0;
    return count;
}

void talk_through(struct session *s, const struct turn *turns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(free_ptr) char *line = str_printf("%s\n", turns[i].line);
        session_say(s, line);
        session_expect(s, turns[i].answer, ANSWER_MS);
    }
}
