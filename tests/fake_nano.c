#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_nano.h"

#include "core/base/strbuf.h"
#include "core/net/json.h"

void fake_nano_start(struct fake_node *f)
{
    fake_node_start(f, "nano", NULL);
}

static void url_of(const struct fake_node *f, const char *scheme, const char *node,
                   char ret_url[static 80])
{
    bool is_main = !node || !node[0] || strcmp(node, "main") == 0;
    snprintf(ret_url, 80, "%s://127.0.0.1:%d%s%s", scheme, f->port, is_main ? "" : "/n/",
             is_main ? "" : node);
}

void fake_nano_url(const struct fake_node *f, const char *node, char ret_url[static 80])
{
    url_of(f, "http", node, ret_url);
}

void fake_nano_ws_url(const struct fake_node *f, const char *node, char ret_url[static 80])
{
    url_of(f, "ws", node, ret_url);
}

void fake_nano_mcp_url(const struct fake_node *f, char ret_url[static 80])
{
    snprintf(ret_url, 80, "http://127.0.0.1:%d/mcp", f->port);
}

void fake_nano_tell(struct fake_node *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON_Delete(fake_node_askv(f, name, fmt, args));
    va_end(args);
}

static void pay(struct fake_node *f, const char *to, const char *amount, const char *confirm,
                char *ret_hash)
{
    AUTO(free_ptr)
    char *body =
        str_printf("{\"to\":\"%s\",\"amount\":\"%s\",\"confirm\":%s}", to, amount, confirm);
    AUTO(json_free) cJSON *doc = fake_node_ask(f, "pay", body);
    const char *hash = json_text(doc, "hash", "");
    assert_int_equal(strlen(hash), 64);
    if (ret_hash)
        memcpy(ret_hash, hash, 65);
}

void fake_nano_pay(struct fake_node *f, const char *to, const char *amount, char *ret_hash)
{
    pay(f, to, amount, "true", ret_hash);
}

void fake_nano_pay_unconfirmed(struct fake_node *f, const char *to, const char *amount,
                               char *ret_hash)
{
    pay(f, to, amount, "false", ret_hash);
}

int fake_nano_calls(struct fake_node *f, const char *what)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    return (int)json_int_or(json_object(state, "calls"), what, 0);
}
