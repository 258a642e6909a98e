#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_azure.h"

#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"

void fake_azure_start(struct fake_azure *f)
{
    struct err e = {0};
    char cwd[1024], line[64] = "";
    *f = (struct fake_azure){0};
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    const char *argv[] = {"/usr/bin/env", "node",         "tests/fakes/azure.mjs",
                          "--key",        FAKE_AZURE_KEY, NULL};
    struct proc_options o = {.cwd = cwd, .pipe_in = true, .pipe_out = true};
    if (!proc_start(&f->proc, argv, &o, &e))
        fail_msg("node: %s", e.detail);
    for (size_t n = 0; n + 1 < sizeof(line) && read(f->proc.from, line + n, 1) == 1; n++)
        if (line[n] == '\n')
            break;
    AUTO(json_free) cJSON *doc = cJSON_Parse(line);
    int port = (int)json_int_or(doc, "port", 0);
    if (port == 0)
        fail_msg("the fake server does not start (is node installed?): '%s'", line);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", port);
    assert_true(net_engine_create(false, &f->net, &e));
    assert_true(net_trust_base(f->net, f->url, &e));
}

void fake_azure_stop(struct fake_azure *f)
{
    net_engine_destroy(f->net);
    proc_end(&f->proc);
}

static cJSON *ask(struct fake_azure *f, const char *name, const char *fmt, va_list args)
{
    struct err e = {0};
    AUTO(strbuf_free) struct strbuf body = STRBUF(1 << 20);
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *url = str_printf("%s/control/%s", f->url, name);
    strbuf_addv(&body, fmt, args);
    struct net_request r = {
        .log_name = "fake", .url = url, .body = strbuf_text(&body), .body_len = body.len};
    if (!net_call(f->net, &r, &reply, &e) || reply.status != 200)
        fail_msg("control %s: %d %s %s", name, reply.status, e.detail, reply.body);
    cJSON *doc = cJSON_Parse(reply.body);
    assert_non_null(doc);
    return doc;
}

cJSON *fake_azure_ask(struct fake_azure *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON *doc = ask(f, name, fmt, args);
    va_end(args);
    return doc;
}

void fake_azure_do(struct fake_azure *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON_Delete(ask(f, name, fmt, args));
    va_end(args);
}
