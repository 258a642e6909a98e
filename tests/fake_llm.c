#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_llm.h"

void fake_llm_start(struct fake_node *f)
{
    fake_node_start(f, "llm", (const char *[]){"--key", FAKE_LLM_KEY, NULL});
}

void fake_llm_base(const struct fake_node *f, const char *service, char ret[static 96])
{
    snprintf(ret, 96, "%s/%s/v1", f->url, service);
}

void fake_llm_do(struct fake_node *f, const char *name, const char *json)
{
    cJSON_Delete(fake_node_ask(f, name, json));
}
