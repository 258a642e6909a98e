#include "tests/pay_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/nano/mcp.h"
#include "adapters/nano/rpc.h"
#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/money/raw.h"
#include "tests/fixture_db.h"

static const char seed_hex[] = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";

struct fake_node pay_fake;

int pay_start(void **state)
{
    if (fixture_db_start(state) != 0)
        return 1;
    fake_nano_start(&pay_fake);
    return 0;
}

int pay_stop(void **state)
{
    fake_node_stop(&pay_fake);
    return fixture_db_stop(state);
}

int pay_reset(void **state)
{
    (void)state;
    fake_nano_tell(&pay_fake, "reset", "{}");
    return 0;
}

static bool on_seen(struct db_tx *tx, void *ctx, const struct order *order, struct err *e)
{
    struct pay_world *w = ctx;
    (void)tx, (void)order, (void)e;
    atomic_fetch_add(&w->seen, 1);
    return true;
}

static bool on_credited(struct db_tx *tx, void *ctx, const struct pay_credited *c, struct err *e)
{
    struct pay_world *w = ctx;
    (void)tx, (void)e;
    atomic_fetch_add(&w->credited, 1);
    atomic_fetch_add(&w->credits, c->credits + c->bonus);
    return true;
}

static bool on_redraw(struct db_tx *tx, void *ctx, const struct order *order, struct err *e)
{
    struct pay_world *w = ctx;
    (void)tx, (void)order, (void)e;
    atomic_fetch_add(&w->redrawn, 1);
    return true;
}

static bool on_claim(struct db_tx *tx, void *ctx, const char *lang, const struct chat_addr *addr,
                     enum pay_claim result, struct err *e)
{
    struct pay_world *w = ctx;
    (void)tx, (void)e;
    assert_string_equal(lang, "en");
    assert_string_equal(addr->chat, "c");
    atomic_store(&w->last_claim, (int)result);
    atomic_fetch_add(&w->claims, 1);
    return true;
}

static bool on_refund(struct db_tx *tx, void *ctx, const struct pay_refund *r, struct err *e)
{
    struct pay_world *w = ctx;
    (void)tx, (void)e;
    atomic_fetch_or(&w->refund_states, 1 << (int)r->state);
    return true;
}

static void after(void *ctx)
{
    (void)ctx;
}

static void make_node(struct pay_world *w, const struct pay_options *o)
{
    struct err e = {0};
    char url[3][80], ws[80];
    const char *names[] = {"main", "second", "third"};
    struct strbuf urls = STRBUF(400);
    for (size_t i = 0; i < MAX(o->nodes, 1); i++) {
        fake_nano_url(w->fake, names[i], url[i]);
        strbuf_addf(&urls, "%s%s", i ? "," : "", url[i]);
    }
    fake_nano_ws_url(w->fake, "main", ws);
    const struct nano_rpc_options rpc = {
        .net = w->net,
        .urls = strbuf_text(&urls),
        .keys = "",
        .ws_urls = o->stream ? ws : "",
        .work_url = "",
        .network_id = "",
        .limits = {.call_ms = 2000, .connect_ms = 1000, .reconnect_ms = 50}
    };
    if (!nano_rpc_create(&rpc, &w->node, &e))
        fail_msg("node: %s", e.detail);
    strbuf_free(&urls);
}

static bool other_balance(void *ctx, const struct nano_account *account, struct raw *ret,
                          const struct cancel *cancel, struct err *e)
{
    struct pay_world *w = ctx;
    char url[80];
    fake_nano_mcp_url(w->fake, url);
    return net_trust_base(w->net, url, e) && nano_mcp_balance(w->net, url, account, ret, cancel, e);
}

static struct raw xno(const char *text)
{
    struct raw r = RAW_ZERO;
    if (text && !raw_from_xno(text, &r))
        fail_msg("%s is no amount", text);
    return r;
}

void pay_open(struct pay_world *w, struct db *db, struct fake_node *fake,
              const struct pay_options *o)
{
    struct err e = {0};
    *w = (struct pay_world){.db = db, .fake = fake};
    assert_true(net_engine_create(false, &w->net, &e));
    make_node(w, o);
    assert_true(price_list_parse("0.01", "1=100,2=220,5=600,10=1250", &w->prices, &e));
    struct nano_payment_options options = {
        .db = db,
        .node = w->node,
        .wallet = o->wallet ? o->wallet : PAY_WALLET,
        .prices = &w->prices,
        .other_balance = o->reader ? other_balance : NULL,
        .other_ctx = w,
        .minimum = xno("0.001"),
        .second_opinion = xno(o->second),
        .sweep_above = xno(o->sweep),
        .refunds = !o->no_refunds,
        .refund_min = xno("0.01"),
        .refund_max = xno("5"),
        .refund_day = xno(o->refund_day ? o->refund_day : "20"),
        .send_threshold = FAKE_NANO_SEND,
        .receive_threshold = FAKE_NANO_RECEIVE,
        .order_seconds = 3600,
        .poll_ms = o->poll_ms,
        .poll_all_ms = o->poll_all_ms,
        .lease_ms = o->lease_ms ? o->lease_ms : 1000,
    };
    if (!o->watch_only) {
        assert_true(nano_seed_parse(seed_hex, &options.seed, &e));
        options.work = work_pool_create(&(struct work_pool_options){.threads = 1});
    }
    if (!nano_payment_create(&options, &w->pay, &e))
        fail_msg("payment method: %s", e.detail);
    w->calls = (struct pay_calls){.on_seen = on_seen,
                                  .on_credited = on_credited,
                                  .on_redraw = on_redraw,
                                  .on_claim = on_claim,
                                  .on_refund = on_refund,
                                  .after = after,
                                  .ctx = w};
    if (!o->stopped && !w->pay.ops->start(w->pay.self, &w->calls, &e))
        fail_msg("start: %s", e.detail);
}

void pay_close(struct pay_world *w)
{
    if (w->pay.ops)
        w->pay.ops->stop(w->pay.self);
    if (w->node.ops)
        w->node.ops->destroy(w->node.self);
    if (w->pay.ops)
        w->pay.ops->destroy(w->pay.self);
    net_engine_destroy(w->net);
    *w = (struct pay_world){0};
}

struct ask {
    struct pay_world *w;
    const char *account, *amount;
    struct order order;
    char *address;
};

static bool order_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    static const struct chat_addr addr = {.network = "test", .chat = "c"};
    return a->w->pay.ops->open(a->w->pay.self, tx, a->account, a->amount, "en", &addr, &a->order,
                               e);
}

struct order pay_order(struct pay_world *w, const char *account, const char *amount)
{
    struct err e = {0};
    struct ask a = {.w = w, .account = account, .amount = amount};
    if (!db_run(w->db, order_body, &a, &e))
        fail_msg("order: %s", e.detail);
    return a.order;
}

static bool address_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    return a->w->pay.ops->address(a->w->pay.self, tx, a->account, a->address, e);
}

void pay_address(struct pay_world *w, const char *account, char ret[static PAY_ADDRESS])
{
    struct err e = {0};
    struct ask a = {.w = w, .account = account, .address = ret};
    if (!db_run(w->db, address_body, &a, &e))
        fail_msg("address: %s", e.detail);
}

void pay_wait(struct db *db, const char *sql, int64_t want, int ms)
{
    int64_t end = clock_mono_ms() + ms, got;
    while ((got = fixture_db_number(db, sql)) != want) {
        if (clock_mono_ms() > end)
            fail_msg("%s: %lld, not %lld", sql, (long long)got, (long long)want);
        cancel_wait(NULL, 10);
    }
}

int64_t pay_avail(struct db *db, const char *account)
{
    AUTO(free_ptr) char *sql = str_printf("select avail from wallets where user_id='%s'", account);
    return fixture_db_number(db, sql);
}

struct difference {
    int count;
    bool show;
};

static void on_difference(void *ctx, const char *what)
{
    struct difference *d = ctx;
    d->count++;
    if (d->show)
        print_error("difference: %s\n", what);
}

int pay_differences(struct pay_world *w, bool show)
{
    struct err e = {0};
    struct difference d = {.show = show};
    int64_t checked = 0;
    if (!w->pay.ops->reconcile(w->pay.self, on_difference, &d, NULL, &checked, &e))
        fail_msg("reconcile: %s", e.detail);
    return d.count;
}
