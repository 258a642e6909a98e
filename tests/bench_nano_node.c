/* How fast nodes are asked, against the fake nodes (one more process of this machine): the look at
 * all addresses after a start, blocks with their hashes and signatures checked, and the time from
 * a payment to its hint. Prints one line per number; fails when a goal is missed by half. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "adapters/nano/rpc.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "tests/fake_nano.h"

enum { ADDRESSES = 10000, PAYMENTS = 1000, HINTS = 41 };

static struct {
    struct fake_node fake;
    struct net_engine *net;
    struct nano_node node;
    struct nano_account accounts[ADDRESSES];
    struct nano_hash hashes[PAYMENTS];
    size_t hash_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int hints, ups;
    int missed;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void line(const char *what, double value, const char *unit, double goal, bool at_most)
{
    bool missed = at_most ? value > 2 * goal : value < goal / 2;
    printf("%-44s %8.1f %-10s goal %s %.1f%s\n", what, value, unit, at_most ? "<=" : ">=", goal,
           missed ? "  MISSED" : "");
    world.missed += missed;
}

static void on_hint(void *ctx, const struct nano_account *account, const struct nano_hash *hash)
{
    (void)ctx, (void)account, (void)hash;
    pthread_mutex_lock(&world.lock);
    world.hints++;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

static void on_link(void *ctx, bool up)
{
    (void)ctx;
    pthread_mutex_lock(&world.lock);
    world.ups += up;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

static void await(const int *number, int least)
{
    struct timespec until = clock_until(20000);
    pthread_mutex_lock(&world.lock);
    while (*number < least)
        if (pthread_cond_clockwait(&world.changed, &world.lock, CLOCK_MONOTONIC, &until) != 0)
            fail_msg("nothing comes");
    pthread_mutex_unlock(&world.lock);
}

/* Every tenth address gets a payment. */
static void pay_some(void)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(1 << 20);
    for (size_t i = 0; i < PAYMENTS; i++) {
        char address[NANO_ADDRESS];
        nano_account_print(&world.accounts[i * (ADDRESSES / PAYMENTS)], address);
        strbuf_addf(&body, "%s{\"to\":\"%s\",\"amount\":\"1000000000000000000000000000000\"}",
                    i ? "," : "[", address);
    }
    strbuf_adds(&body, "]");
    cJSON_Delete(fake_node_ask(&world.fake, "pay", strbuf_text(&body)));
}

static void start(void)
{
    struct err e = {0};
    char url[80], ws[80];
    hash_setup();
    fake_nano_start(&world.fake);
    for (size_t i = 0; i < ADDRESSES; i++)
        random_bytes(world.accounts[i].key, NANO_BYTES);
    pay_some();
    fake_nano_url(&world.fake, "main", url);
    fake_nano_ws_url(&world.fake, "main", ws);
    struct nano_watch watch = {.on_hint = on_hint, .on_link = on_link};
    assert_true(net_engine_create(false, &world.net, &e));
    struct nano_rpc_options o = {
        .net = world.net, .urls = url, .keys = "", .ws_urls = ws, .work_url = "", .network_id = ""};
    assert_true(nano_rpc_create(&o, &world.node, &e));
    assert_true(world.node.ops->watch(world.node.self, &watch, &e));
}

static void catch_up(void)
{
    struct err e = {0};
    struct nano_receivables r;
    struct nano_receivable_query q = {.accounts = world.accounts, .count = ADDRESSES};
    int64_t begin = clock_mono_ms();
    if (!world.node.ops->receivables(world.node.self, &q, &r, &e))
        fail_msg("%s", e.detail);
    double took = (double)(clock_mono_ms() - begin) / 1000.0;
    assert_int_equal(r.count, PAYMENTS);
    for (size_t i = 0; i < r.count; i++)
        world.hashes[world.hash_count++] = r.items[i].hash;
    free(r.items);
    free(r.cut);
    line("catch-up of 10,000 addresses", took, "s", 2, true);
}

static void look_at_blocks(void)
{
    struct err e = {0};
    struct nano_block_info *infos = calloc(PAYMENTS, sizeof(*infos));
    int64_t begin = clock_mono_ms();
    if (!infos || !world.node.ops->blocks(world.node.self, world.hashes, PAYMENTS, infos, NULL, &e))
        fail_msg("%s", e.detail);
    double took = (double)(clock_mono_ms() - begin) / 1000.0;
    for (size_t i = 0; i < PAYMENTS; i++)
        assert_true(infos[i].is_signed && infos[i].confirmed);
    free(infos);
    line("blocks fetched, hash and signature checked", PAYMENTS / took, "a second", 1000, false);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void hint_times(void)
{
    int64_t took[HINTS];
    char address[NANO_ADDRESS];
    int64_t begin = clock_mono_ms();
    world.node.ops->watch_add(world.node.self, world.accounts, ADDRESSES);
    await(&world.ups, 1);
    line("10,000 addresses subscribed", (double)(clock_mono_ms() - begin) / 1000.0, "s", 2, true);
    nano_account_print(&world.accounts[ADDRESSES - 1], address);
    for (int i = 0; i < HINTS; i++) {
        begin = clock_mono_ms();
        fake_nano_pay(&world.fake, address, "1", NULL);
        await(&world.hints, i + 1);
        took[i] = clock_mono_ms() - begin;
    }
    qsort(took, HINTS, sizeof(took[0]), by_size);
    const int64_t *median = &took[HINTS / 2];
    line("payment made to hint, median", (double)*median, "ms", 20, true);
}

static void nodes_are_asked_fast(void **state)
{
    (void)state;
    start();
    catch_up();
    look_at_blocks();
    hint_times();
    world.node.ops->destroy(world.node.self);
    net_engine_destroy(world.net);
    fake_node_stop(&world.fake);
    assert_int_equal(world.missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nodes_are_asked_fast)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
