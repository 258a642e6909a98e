#include "tests/writer_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/log.h"
#include "core/net/json.h"

struct fake_node writer_fake;

int writer_setup(void **state)
{
    (void)state;
    log_init(LOG_OFF, false);
    fake_llm_start(&writer_fake);
    return 0;
}

int writer_teardown(void **state)
{
    (void)state;
    fake_node_stop(&writer_fake);
    return 0;
}

int writer_fresh(void **state)
{
    (void)state;
    fake_llm_do(&writer_fake, "reset", "{}");
    return 0;
}

void writer_fault(const char *json)
{
    fake_llm_do(&writer_fake, "fault", json);
}

struct script_writer writer_of(const char *service, const char *model, const char *key)
{
    char base[96];
    struct script_writer w;
    struct err e = {0};
    const struct llm_profile *p = llm_profile_find(service, strlen(service));
    fake_llm_base(&writer_fake, service, base);
    struct llm_options o = {.net = writer_fake.net,
                            .profile = p,
                            .base_url = base,
                            .key = key,
                            .model = model ? model : p->model,
                            .pause_ms = 1};
    if (!llm_create(&o, &w, &e))
        fail_msg("%s", e.detail);
    return w;
}

struct written writer_write(struct script_writer *w, const char *lang, int rate)
{
    struct script_request r = {.topic = "How tides work",
                               .lang = lang,
                               .seconds = 60,
                               .units_per_minute = rate,
                               .style = ""};
    struct written ret = {0};
    ret.ok = w->ops->write(w->self, &r, &ret.script, &ret.err);
    return ret;
}

void writer_done(struct written *r)
{
    arena_free(&r->script.arena);
}

int writer_calls(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&writer_fake);
    return cJSON_GetArraySize(json_array(state, "calls"));
}

/* Body of the n-th question; caller deletes. */
cJSON *writer_body(int n)
{
    AUTO(json_free) cJSON *state = fake_node_state(&writer_fake);
    const cJSON *call = cJSON_GetArrayItem(json_array(state, "calls"), n);
    return cJSON_Duplicate(json_object(call, "body"), true);
}

void writer_no_complaints(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&writer_fake);
    const cJSON *first = cJSON_GetArrayItem(json_array(state, "complaints"), 0);
    if (first)
        fail_msg("the service complains: %s", first->valuestring);
}
