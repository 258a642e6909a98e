#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_discord.h"

#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"

void dfake_start(struct fake_discord *f)
{
    struct err e = {0};
    char cwd[1024];
    char line[64] = "";
    memset(f, 0, sizeof(*f));
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    const char *argv[] = {"/usr/bin/env", "node",      "tests/fakes/discord.mjs",
                          "--token",      DFAKE_TOKEN, NULL};
    struct proc_options o = {.cwd = cwd, .pipe_in = true, .pipe_out = true};
    if (!proc_start(&f->proc, argv, &o, &e))
        fail_msg("node: %s", e.detail);
    for (size_t n = 0; n + 1 < sizeof(line) && read(f->proc.from, line + n, 1) == 1; n++)
        if (line[n] == '\n')
            break;
    AUTO(json_free) cJSON *doc = cJSON_Parse(line);
    f->port = (int)json_int_or(doc, "port", 0);
    if (f->port == 0)
        fail_msg("the fake Discord does not start (is node installed?): '%s'", line);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->port);
    snprintf(f->api, sizeof(f->api), "%s/api/v10", f->url);
    assert_true(net_engine_create(false, &f->net, &e));
    assert_true(net_trust_base(f->net, f->url, &e));
}

void dfake_stop(struct fake_discord *f)
{
    net_engine_destroy(f->net);
    proc_end(&f->proc);
}

static cJSON *ask(struct fake_discord *f, const char *name, const char *body)
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

cJSON *dfake_control(struct fake_discord *f, const char *name, const char *fmt, ...)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(8 << 20);
    va_list args;
    va_start(args, fmt);
    strbuf_addv(&body, fmt, args);
    va_end(args);
    return ask(f, name, strbuf_text(&body));
}

void dfake_do(struct fake_discord *f, const char *name, const char *fmt, ...)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(8 << 20);
    va_list args;
    va_start(args, fmt);
    strbuf_addv(&body, fmt, args);
    va_end(args);
    cJSON_Delete(ask(f, name, strbuf_text(&body)));
}

cJSON *dfake_state(struct fake_discord *f)
{
    return ask(f, "state", "{}");
}

int64_t dfake_number(struct fake_discord *f, const char *name)
{
    AUTO(json_free) cJSON *state = dfake_state(f);
    return json_int_or(state, name, -1);
}

size_t dfake_lines(struct fake_discord *f, const char *list, const char *text)
{
    AUTO(json_free) cJSON *state = dfake_state(f);
    const cJSON *line;
    size_t count = 0;
    cJSON_ArrayForEach(line, json_array(state, list)) count +=
        cJSON_IsString(line) && strstr(line->valuestring, text) != NULL;
    return count;
}

void dfake_wait_lines(struct fake_discord *f, const char *list, const char *text, size_t want)
{
    size_t count = 0;
    for (int i = 0; i < 500 && count < want; i++) {
        count = dfake_lines(f, list, text);
        if (count < want)
            usleep(10000);
    }
    if (count < want)
        fail_msg("'%s' was seen %zu times in %s, %zu expected", text, count, list, want);
}

const cJSON *dfake_message(struct fake_discord *f, const char *text, cJSON **ret_state)
{
    const cJSON *message;
    const cJSON *last = NULL;
    *ret_state = dfake_state(f);
    cJSON_ArrayForEach(
        message, json_array(*ret_state, "messages")) if (strstr(json_text(message, "content", ""),
                                                                text)) last = message;
    return last;
}

void dfake_no_complaints(struct fake_discord *f)
{
    AUTO(json_free) cJSON *state = dfake_state(f);
    const cJSON *first = cJSON_GetArrayItem(json_array(state, "complaints"), 0);
    if (first)
        fail_msg("the fake Discord complains: %s", first->valuestring);
}
