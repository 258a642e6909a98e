/* The hint in money that people know: read from a source, cut, gone when it is old; never a number
   that the source did not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/strbuf.h"
#include "core/net/net.h"
#include "core/pay/fiat_rate.h"
#include "tests/http_server.h"

enum { SHORT_MS = 50, WAIT_MS = 5000 };

struct source {
    _Atomic int status;
    const char *body;
};

static bool answer(struct http_server *s, const struct http_request *r)
{
    const struct source *source = s->ctx;
    return http_reply(r->fd, atomic_load(&source->status), "", source->body);
}

struct world {
    struct http_server server;
    struct source source;
    struct net_engine *net;
    struct fiat_rate *rate;
};

static void world_open(struct world *w, const char *body, const char *field, int stale_ms)
{
    struct err e = {0};
    w->source = (struct source){.body = body};
    atomic_store(&w->source.status, 200);
    assert_true(http_server_start(&w->server, answer, &w->source));
    assert_true(net_engine_create(false, &w->net, &e));
    AUTO(free_ptr) char *url = str_printf("http://127.0.0.1:%d/rate?of=nano", w->server.port);
    const struct fiat_rate_options o = {
        .url = url, .field = field, .currency = "USD", .every_ms = SHORT_MS, .stale_ms = stale_ms};
    if (!fiat_rate_start(w->net, &o, &w->rate, &e))
        fail_msg("%s", e.detail);
}

static void world_close(struct world *w)
{
    fiat_rate_stop(w->rate);
    net_engine_destroy(w->net);
    http_server_stop(&w->server);
}

/* Until two answers were read, so that a missing hint is no accident of time. */
static bool hint_after(struct world *w, const char *amount, char ret[static FIAT_TEXT])
{
    int from = atomic_load(&w->server.requests);
    for (int i = 0; i < WAIT_MS / 10 && atomic_load(&w->server.requests) < from + 3; i++)
        cancel_wait(NULL, 10);
    return fiat_rate_hint(w->rate, amount, ret);
}

static void test_what_is_read(void **state)
{
    static const struct {
        const char *why, *body, *field, *amount, *want; /* want NULL: nothing is shown */
    } rows[] = {
        {"a number",         "{\"nano\":{\"usd\":0.934512}}",  "nano.usd", "1",    "0.93 USD"        },
        {"a text",           "{\"price\":\"1.25\"}",           "price",    "10",   "12.50 USD"       },
        {"cut, not rounded", "{\"nano\":{\"usd\":0.999999}}",  "nano.usd", "1",    "0.99 USD"        },
        {"parts",            "{\"nano\":{\"usd\":2}}",         "nano.usd", "2.5",  "5.00 USD"        },
        {"next to nothing",  "{\"nano\":{\"usd\":0.5}}",       "nano.usd", "0.01", "<0.01 USD"       },
        {"large",            "{\"a\":{\"b\":{\"c\":123456}}}", "a.b.c",    "1000", "123456000.00 USD"},
        {"no such field",    "{\"nano\":{\"eur\":1}}",         "nano.usd", "1",    NULL              },
        {"no object there",  "{\"nano\":1}",                   "nano.usd", "1",    NULL              },
        {"zero",             "{\"nano\":{\"usd\":0}}",         "nano.usd", "1",    NULL              },
        {"below zero",       "{\"nano\":{\"usd\":-1}}",        "nano.usd", "1",    NULL              },
        {"beyond belief",    "{\"nano\":{\"usd\":1e300}}",     "nano.usd", "1",    NULL              },
        {"words",            "{\"nano\":{\"usd\":\"much\"}}",  "nano.usd", "1",    NULL              },
        {"not JSON",         "<html>",                         "nano.usd", "1",    NULL              },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        char text[FIAT_TEXT] = "";
        world_open(&w, rows[i].body, rows[i].field, 0);
        bool shown = hint_after(&w, rows[i].amount, text);
        if (shown != (rows[i].want != NULL) || (shown && strcmp(text, rows[i].want) != 0))
            fail_msg("%s: %s", rows[i].why, shown ? text : "nothing");
        assert_false(fiat_rate_hint(w.rate, "much", text));
        world_close(&w);
    }
}

/* The source falls silent: the last rate is shown until it is old, then none; then it is back. */
static void test_old_rates_are_not_shown(void **state)
{
    struct world w;
    char text[FIAT_TEXT];
    (void)state;
    world_open(&w, "{\"usd\":3}", "usd", 1500);
    assert_true(hint_after(&w, "1", text));
    atomic_store(&w.source.status, 503);
    assert_true(fiat_rate_hint(w.rate, "1", text));
    cancel_wait(NULL, 1600);
    assert_false(fiat_rate_hint(w.rate, "1", text));
    atomic_store(&w.source.status, 200);
    assert_true(hint_after(&w, "1", text));
    world_close(&w);
}

static void test_bad_settings(void **state)
{
    static const struct {
        const char *why, *url, *currency;
    } rows[] = {
        {"plain http to another machine", "http://example.com/",   "USD"               },
        {"no URL",                        "rate",                  "USD"               },
        {"a user name in it",             "https://a:b@c.example", "USD"               },
        {"a currency beyond its room",    "https://c.example/",    "Dollars of America"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_engine *net = NULL;
        struct fiat_rate *rate = NULL;
        struct err e = {0};
        const struct fiat_rate_options o = {
            .url = rows[i].url, .field = "usd", .currency = rows[i].currency};
        assert_true(net_engine_create(false, &net, &e));
        if (fiat_rate_start(net, &o, &rate, &e) || e.code != ERR_CONFIG)
            fail_msg("%s", rows[i].why);
        net_engine_destroy(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_old_rates_are_not_shown),
        cmocka_unit_test(test_bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
