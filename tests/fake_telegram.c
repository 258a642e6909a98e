#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_telegram.h"

#include <inttypes.h>
#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"

void fake_start(struct fake_telegram *f, const char *dir)
{
    struct err e = {0};
    char cwd[1024];
    char line[64] = "";
    memset(f, 0, sizeof(*f));
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    const char *argv[] = {"/usr/bin/env", "node",     "tests/fakes/telegram.mjs",
                          "--token",      FAKE_TOKEN, "--dir",
                          dir ? dir : "", NULL};
    if (!dir)
        argv[5] = NULL;
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

void fake_stop(struct fake_telegram *f)
{
    net_engine_destroy(f->net);
    proc_end(&f->proc);
}

static cJSON *ask(struct fake_telegram *f, const char *name, const char *body)
{
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *url = str_printf("%s/control/%s", f->url, name);
    struct net_request r = {.log_name = "fake",
                            .url = url,
                            .body = body,
                            .body_len = strlen(body),
                            .reply_max = 64 << 20};
    if (!net_call(f->net, &r, &reply, &e) || reply.status != 200)
        fail_msg("control %s: %d %s %s", name, reply.status, e.detail, reply.body);
    cJSON *doc = cJSON_Parse(reply.body);
    assert_non_null(doc);
    return doc;
}

cJSON *fake_control(struct fake_telegram *f, const char *name, const char *fmt, ...)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(8 << 20);
    va_list args;
    va_start(args, fmt);
    strbuf_addv(&body, fmt, args);
    va_end(args);
    return ask(f, name, strbuf_text(&body));
}

void fake_do(struct fake_telegram *f, const char *name, const char *fmt, ...)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(8 << 20);
    va_list args;
    va_start(args, fmt);
    strbuf_addv(&body, fmt, args);
    va_end(args);
    cJSON_Delete(ask(f, name, strbuf_text(&body)));
}

cJSON *fake_state(struct fake_telegram *f)
{
    return ask(f, "state", "{}");
}

int64_t fake_number(struct fake_telegram *f, const char *name)
{
    AUTO(json_free) cJSON *state = fake_state(f);
    return json_int_or(state, name, -1);
}

int64_t fake_calls(struct fake_telegram *f, const char *method)
{
    AUTO(json_free) cJSON *state = fake_state(f);
    return json_int_or(json_object(state, "calls"), method, 0);
}

size_t fake_messages(struct fake_telegram *f, int64_t chat, const char *field, char **ret_last)
{
    AUTO(json_free) cJSON *state = fake_state(f);
    char name[32];
    size_t count = 0;
    const cJSON *message;
    const cJSON *last = NULL;
    snprintf(name, sizeof(name), "%" PRId64, chat);
    cJSON_ArrayForEach(message, json_array(json_object(state, "chats"), name))
    {
        if (!json_true(json_object(message, "from"), "is_bot") || !json_has(message, field))
            continue;
        count++;
        last = message;
    }
    if (ret_last)
        *ret_last = last ? cJSON_PrintUnformatted(last) : str_dup("");
    return count;
}

void fake_no_complaints(struct fake_telegram *f)
{
    AUTO(json_free) cJSON *state = fake_state(f);
    const cJSON *list = json_array(state, "complaints");
    const cJSON *first = cJSON_GetArrayItem(list, 0);
    if (first)
        fail_msg("the fake server complains: %s", first->valuestring);
}
