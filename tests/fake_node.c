#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_node.h"

#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"

enum { ARGS_MAX = 12, BODY_MAX = 8 << 20, STATE_MAX = 64 << 20 };

/* Its first line is {"port":N}. */
static int read_port(struct fake_node *f, const char *script)
{
    char line[64] = "";
    for (size_t n = 0; n + 1 < sizeof(line) && read(f->proc.from, line + n, 1) == 1; n++)
        if (line[n] == '\n')
            break;
    AUTO(json_free) cJSON *doc = cJSON_Parse(line);
    int port = (int)json_int_or(doc, "port", 0);
    if (port == 0)
        fail_msg("%s does not start (is node installed?): '%s'", script, line);
    return port;
}

void fake_node_start(struct fake_node *f, const char *script, const char *const *options)
{
    struct err e = {0};
    char cwd[1024], path[128];
    const char *argv[ARGS_MAX] = {"/usr/bin/env", "node", path};
    *f = (struct fake_node){0};
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    snprintf(path, sizeof(path), "tests/fakes/%s.mjs", script);
    size_t count = 3;
    for (; options && options[0] && options[1] && count + 2 < ARGS_MAX; options += 2) {
        argv[count++] = options[0];
        argv[count++] = options[1];
    }
    struct proc_options o = {.cwd = cwd, .pipe_in = true, .pipe_out = true};
    if (!proc_start(&f->proc, argv, &o, &e))
        fail_msg("node: %s", e.detail);
    f->port = read_port(f, script);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->port);
    str_copy(f->api, sizeof(f->api), f->url);
    assert_true(net_engine_create(false, &f->net, &e));
    assert_true(net_trust_base(f->net, f->url, &e));
}

void fake_node_stop(struct fake_node *f)
{
    net_engine_destroy(f->net);
    proc_end(&f->proc);
}

cJSON *fake_node_ask(struct fake_node *f, const char *name, const char *json)
{
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *url = str_printf("%s/control/%s", f->url, name);
    struct net_request r = {.log_name = "fake",
                            .url = url,
                            .body = json,
                            .body_len = strlen(json),
                            .reply_max = STATE_MAX};
    if (!net_call(f->net, &r, &reply, &e) || reply.status != 200)
        fail_msg("control %s: %d %s %s", name, reply.status, e.detail, reply.body);
    cJSON *doc = cJSON_Parse(reply.body);
    assert_non_null(doc);
    return doc;
}

cJSON *fake_node_askv(struct fake_node *f, const char *name, const char *fmt, va_list args)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(BODY_MAX);
    strbuf_addv(&body, fmt, args);
    return fake_node_ask(f, name, strbuf_text(&body));
}

cJSON *fake_node_state(struct fake_node *f)
{
    return fake_node_ask(f, "state", "{}");
}

void fake_node_no_complaints(struct fake_node *f)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    const cJSON *first = cJSON_GetArrayItem(json_array(state, "complaints"), 0);
    if (first)
        fail_msg("the fake complains: %s", first->valuestring);
}
