#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_stock.h"

#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"

void fake_stock_start(struct fake_stock *f, const char *clip)
{
    struct err e = {0};
    char cwd[1024], line[64] = "";
    *f = (struct fake_stock){0};
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    const char *argv[] = {"/usr/bin/env",         "node", "tests/fakes/stock.mjs",
                          clip ? "--clip" : NULL, clip,   NULL};
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

void fake_stock_stop(struct fake_stock *f)
{
    net_engine_destroy(f->net);
    proc_end(&f->proc);
}

cJSON *fake_stock_ask(struct fake_stock *f, const char *name, const char *body)
{
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *url = str_printf("%s/control/%s", f->url, name);
    struct net_request r = {.log_name = "fake",
                            .url = url,
                            .body = body,
                            .body_len = strlen(body),
                            .reply_max = 8 << 20};
    if (!net_call(f->net, &r, &reply, &e) || reply.status != 200)
        fail_msg("control %s: %d %s %s", name, reply.status, e.detail, reply.body);
    cJSON *doc = cJSON_Parse(reply.body);
    assert_non_null(doc);
    return doc;
}

void fake_stock_tell(struct fake_stock *f, const char *name, const char *body)
{
    cJSON_Delete(fake_stock_ask(f, name, body));
}

int fake_stock_calls(struct fake_stock *f, const char *list)
{
    AUTO(json_free) cJSON *state = fake_stock_ask(f, "state", "{}");
    return cJSON_GetArraySize(json_array(state, list));
}

const char *fake_stock_field(struct fake_stock *f, const char *list, int n, const char *field)
{
    static char kept[8][256];
    static int next;
    AUTO(json_free) cJSON *state = fake_stock_ask(f, "state", "{}");
    const cJSON *call = cJSON_GetArrayItem(json_array(state, list), n);
    char *slot = kept[next++ % 8];
    str_copy(slot, sizeof(kept[0]), json_text(call, field, "-"));
    return slot;
}

void fake_stock_no_complaints(struct fake_stock *f)
{
    AUTO(json_free) cJSON *state = fake_stock_ask(f, "state", "{}");
    const cJSON *first = cJSON_GetArrayItem(json_array(state, "complaints"), 0);
    if (first)
        fail_msg("the fake complains: %s", first->valuestring);
}
