#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_llm.h"

#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"

void fake_llm_start(struct fake_llm *f)
{
    struct err e = {0};
    char cwd[1024];
    char line[64] = "";
    memset(f, 0, sizeof(*f));
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    const char *argv[] = {"/usr/bin/env", "node",       "tests/fakes/llm.mjs",
                          "--key",        FAKE_LLM_KEY, NULL};
    struct proc_options o = {.cwd = cwd, .pipe_in = true, .pipe_out = true};
    if (!proc_start(&f->proc, argv, &o, &e))
        fail_msg("node: %s", e.detail);
    for (size_t n = 0; n + 1 < sizeof(line) && read(f->proc.from, line + n, 1) == 1; n++)
        if (line[n] == '\n')
            break;
    AUTO(json_free) cJSON *doc = cJSON_Parse(line);
    f->port = (int)json_int_or(doc, "port", 0);
    if (f->port == 0)
        fail_msg("the fake server does not start (is node installed?): '%s'", line);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->port);
    assert_true(net_engine_create(false, &f->net, &e));
    assert_true(net_trust_base(f->net, f->url, &e));
}

void fake_llm_stop(struct fake_llm *f)
{
    net_engine_destroy(f->net);
    proc_end(&f->proc);
}

void fake_llm_base(const struct fake_llm *f, const char *service, char ret[static 96])
{
    snprintf(ret, 96, "%s/%s/v1", f->url, service);
}

static cJSON *ask(struct fake_llm *f, const char *name, const char *json)
{
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *url = str_printf("%s/control/%s", f->url, name);
    struct net_request r = {.log_name = "fake", .url = url, .body = json, .body_len = strlen(json)};
    if (!net_call(f->net, &r, &reply, &e) || reply.status != 200)
        fail_msg("control %s: %d %s %s", name, reply.status, e.detail, reply.body);
    cJSON *doc = cJSON_Parse(reply.body);
    assert_non_null(doc);
    return doc;
}

void fake_llm_do(struct fake_llm *f, const char *name, const char *json)
{
    cJSON_Delete(ask(f, name, json));
}

cJSON *fake_llm_state(struct fake_llm *f)
{
    return ask(f, "state", "{}");
}
