/* The confirmation stream against the fake nodes: hints arrive, and whatever a service does wrong ends
 * in a new link, never in silence for ever. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "adapters/nano/nano_parts.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "tests/fake_nano.h"

enum { HINTS_MAX = 64, WAIT_MS = 15000 };

struct told {
    struct nano_account account;
    struct nano_hash hash;
};

static struct {
    struct fake_node fake;
    struct net_engine *net;
    struct nano_node node;
    struct nano_account account[3];
    char address[3][NANO_ADDRESS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct told hints[HINTS_MAX];
    size_t hint_count;
    int ups, downs;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

#define OPS world.node.ops
#define SELF world.node.self

static void on_hint(void *ctx, const struct nano_account *account, const struct nano_hash *hash)
{
    (void)ctx;
    pthread_mutex_lock(&world.lock);
    if (world.hint_count < HINTS_MAX)
        world.hints[world.hint_count++] = (struct told){*account, *hash};
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

static void on_link(void *ctx, bool up)
{
    (void)ctx;
    pthread_mutex_lock(&world.lock);
    world.ups += up;
    world.downs += !up;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

/* Until the number that is looked at reaches `least`. */
static bool reaches(const int *number, int least)
{
    struct timespec until = clock_until(WAIT_MS);
    pthread_mutex_lock(&world.lock);
    while (*number < least &&
           pthread_cond_clockwait(&world.changed, &world.lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    bool ok = *number >= least;
    pthread_mutex_unlock(&world.lock);
    return ok;
}

static bool hinted(size_t account, const char *hex)
{
    struct timespec until = clock_until(WAIT_MS);
    struct nano_hash hash;
    bool found = false;
    assert_true(nano_hash_parse(hex, &hash));
    pthread_mutex_lock(&world.lock);
    for (int wait = 0; !found && wait == 0;) {
        for (size_t i = 0; i < world.hint_count; i++)
            found |= nano_hash_equal(&world.hints[i].hash, &hash) &&
                     nano_account_equal(&world.hints[i].account, &world.account[account]);
        if (!found)
            wait = pthread_cond_clockwait(&world.changed, &world.lock, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&world.lock);
    return found;
}

static size_t hint_count(void)
{
    pthread_mutex_lock(&world.lock);
    size_t n = world.hint_count;
    pthread_mutex_unlock(&world.lock);
    return n;
}

static int group_setup(void **state)
{
    (void)state;
    hash_setup();
    for (size_t i = 0; i < COUNT(world.account); i++) {
        memset(world.account[i].key, (int)(0x31 + i), NANO_BYTES);
        nano_account_print(&world.account[i], world.address[i]);
    }
    fake_nano_start(&world.fake);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    fake_node_stop(&world.fake);
    return 0;
}

static void tell(const char *name, const char *body)
{
    fake_nano_tell(&world.fake, name, "%s", body);
}

static int setup(void **state)
{
    struct err e = {0};
    (void)state;
    tell("reset", "{}");
    world.hint_count = 0;
    world.ups = world.downs = 0;
    assert_true(net_engine_create(false, &world.net, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (OPS)
        OPS->destroy(SELF);
    world.node = (struct nano_node){0};
    net_engine_destroy(world.net);
    fake_node_no_complaints(&world.fake);
    return 0;
}

static void create(const char *ws_urls)
{
    struct err e = {0};
    struct nano_watch watch = {.on_hint = on_hint, .on_link = on_link};
    struct nano_rpc_options o = {
        .net = world.net,
        .urls = world.fake.url,
        .keys = "",
        .ws_urls = ws_urls,
        .work_url = "",
        .network_id = "",
        .limits = {.connect_ms = 2000,
                   .ack_ms = 1000,
                   .ping_ms = 500,
                   .reconnect_ms = 20,
                   .stream_part = 100}
    };
    assert_true(nano_rpc_create(&o, &world.node, &e));
    assert_true(OPS->watch(SELF, &watch, &e));
}

static void create_main(void)
{
    char url[80];
    fake_nano_ws_url(&world.fake, "main", url);
    create(url);
}

/* On main, with the first two accounts, up. */
static void create_up(void)
{
    create_main();
    OPS->watch_add(SELF, world.account, 2);
    assert_true(reaches(&world.ups, 1));
}

/* --- the good day --- */

static void a_payment_is_hinted_at(void **state)
{
    char hash[65], other[65];
    (void)state;
    create_up();
    fake_nano_pay(&world.fake, world.address[2], "5", other); /* nobody's */
    fake_nano_pay(&world.fake, world.address[0], "5", hash);
    assert_true(hinted(0, hash));
    assert_int_equal(hint_count(), 1);
    OPS->watch_add(SELF, &world.account[2], 1);
    OPS->watch_add(SELF, &world.account[2], 1); /* twice is once */
    OPS->watch_remove(SELF, &world.account[0], 1);
    fake_nano_pay(&world.fake, world.address[1], "5", hash);
    assert_true(hinted(1, hash));
    /* The update is acknowledged some time; then it holds. */
    for (int tries = 0; tries < 100; tries++) {
        fake_nano_pay(&world.fake, world.address[2], "5", hash);
        cancel_wait(NULL, 20);
        if (hint_count() > 2)
            break;
    }
    assert_true(hinted(2, hash));
    size_t before = hint_count();
    fake_nano_pay(&world.fake, world.address[0], "5", NULL);
    fake_nano_pay(&world.fake, world.address[1], "6", hash);
    assert_true(hinted(1, hash));
    assert_int_equal(hint_count(), before + 1); /* the removed account is silent */
    assert_int_equal(world.ups, 1);
}

static void nothing_connects_without_accounts(void **state)
{
    (void)state;
    create_main();
    cancel_wait(NULL, 100);
    assert_int_equal(fake_nano_calls(&world.fake, "main upgrade"), 0);
    OPS->watch_add(SELF, world.account, 1);
    assert_true(reaches(&world.ups, 1));
    OPS->watch_remove(SELF, world.account, 1); /* an empty filter would deliver all, or nothing */
    assert_true(reaches(&world.downs, 1));
    OPS->watch_add(SELF, world.account, 1);
    assert_true(reaches(&world.ups, 2));
}

static struct nano_account *many(size_t count)
{
    struct nano_account *a = calloc(count, sizeof(*a));
    assert_non_null(a);
    for (size_t i = 0; i < count; i++) {
        hash_mac((const unsigned char *)"0123456789abcdef0123456789abcdef", "x", a[i].key);
        a[i].key[0] = (unsigned char)i;
        a[i].key[1] = (unsigned char)(i >> 8);
    }
    return a;
}

/* What the fake has of the one link. */
static int64_t subscribed(size_t *ret_frames)
{
    AUTO(json_free) cJSON *state = fake_node_state(&world.fake);
    const cJSON *peer = cJSON_GetArrayItem(json_array(state, "peers"), 0);
    *ret_frames = (size_t)cJSON_GetArraySize(json_array(peer, "frames"));
    return json_int_or(peer, "accounts", -1);
}

static const struct {
    const char *why, *settings;
    size_t add;
    int64_t subscribed, after_one_more;
} services[] = {
    {"parts that are acknowledged one by one",       "{}",                                  250, 250, 251},
    {"a service without update gets the whole list", "{\"noUpdate\":true}",                 250, 250, 251},
    {"one that caps the list gets the newest",       "{\"noUpdate\":true,\"listCap\":130}", 250, 125,
     125                                                                                                 },
};

static void long_lists_fit_the_service(void **state)
{
    (void)state;
    AUTO(free_ptr) struct nano_account *a = many(251);
    for (size_t i = 0; i < COUNT(services); i++) {
        char address[NANO_ADDRESS], hash[65];
        size_t frames;
        tell("reset", "{}");
        tell("node", services[i].settings);
        world.ups = 0;
        create_main();
        OPS->watch_add(SELF, a, services[i].add);
        if (!reaches(&world.ups, 1) || subscribed(&frames) != services[i].subscribed)
            fail_msg("%s: %d subscribed", services[i].why, (int)subscribed(&frames));
        OPS->watch_add(SELF, &a[250], 1);
        nano_account_print(&a[250], address);
        world.account[2] = a[250];
        size_t before = hint_count();
        for (int tries = 0; tries < 100 && hint_count() == before; tries++) {
            fake_nano_pay(&world.fake, address, "5", hash);
            cancel_wait(NULL, 30);
        }
        if (hint_count() == before || subscribed(&frames) != services[i].after_one_more)
            fail_msg("%s: %d after one more", services[i].why, (int)subscribed(&frames));
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
    }
    memset(world.account[2].key, 0x33, NANO_BYTES);
}

/* --- bad days --- */

static void links_are_made_anew(void **state)
{
    char hash[65];
    (void)state;
    create_up();
    tell("restart", "{}");
    assert_true(reaches(&world.downs, 1) && reaches(&world.ups, 2));
    fake_nano_pay(&world.fake, world.address[1], "5", hash);
    assert_true(hinted(1, hash)); /* it subscribed again, to all of them */
}

static const struct {
    const char *why, *fault;
    int ups; /* that follow */
} bad_days[] = {
    {"a message that is cut off",     "{\"on\":\"ws\",\"kind\":\"cut\"}",                                                 2},
    {"a message of 9 MB",             "{\"on\":\"ws\",\"kind\":\"huge\"}",                                                2},
    {"no JSON",                       "{\"on\":\"ws\",\"kind\":\"text\",\"text\":\"<html>\"}",                            1},
    {"an empty message",              "{\"on\":\"ws\",\"kind\":\"text\",\"text\":\"\"}",                                  1},
    {"a list",                        "{\"on\":\"ws\",\"kind\":\"text\",\"text\":\"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\"}",
     1                                                                                                                     },
    {"no message",
     "{\"on\":\"ws\",\"kind\":\"text\",\"text\":\"{\\\"topic\\\":\\\"confirmation\\\"}\"}",                               1},
    {"a hash that is none",
     "{\"on\":\"ws\",\"kind\":\"patch\",\"patch\":{\"message\":{\"hash\":\"12\"}}}",                                      1},
    {"an acknowledgement of nothing",
     "{\"on\":\"ws\",\"kind\":\"text\",\"text\":\"{\\\"ack\\\":\\\"update\\\",\\\"id\\\":"
     "\\\"999\\\"}\"}",                                                                                                   1},
    {"a message that never comes",    "{\"on\":\"ws\",\"kind\":\"lose\"}",                                                1},
};

static void a_bad_message_costs_no_more_than_the_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_days); i++) {
        char hash[65];
        tell("reset", "{}");
        world.ups = world.downs = 0;
        world.hint_count = 0;
        create_up();
        tell("fault", bad_days[i].fault);
        fake_nano_pay(&world.fake, world.address[0], "5", NULL); /* this one goes wrong */
        if (!reaches(&world.ups, bad_days[i].ups))
            fail_msg("%s: no new link", bad_days[i].why);
        fake_nano_pay(&world.fake, world.address[0], "6", hash);
        if (!hinted(0, hash) || hint_count() != 1)
            fail_msg("%s: %zu hints", bad_days[i].why, hint_count());
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
    }
}

static void repeated_and_late_hints_are_hints(void **state)
{
    char first[65], second[65];
    (void)state;
    create_up();
    tell("fault", "{\"on\":\"ws\",\"kind\":\"late\",\"ms\":150}");
    fake_nano_pay(&world.fake, world.address[0], "5", first);
    tell("fault", "{\"on\":\"ws\",\"kind\":\"repeat\",\"count\":3}");
    fake_nano_pay(&world.fake, world.address[1], "5", second);
    assert_true(hinted(1, second));
    assert_true(hinted(0, first)); /* after the second */
    assert_int_equal(hint_count(), 4);
}

/* Without the block itself only the sender is known: nothing to say, no crash. */
static void a_message_without_its_block_is_no_hint_of_a_payment(void **state)
{
    char hash[65];
    (void)state;
    create_up();
    tell("fault",
         "{\"on\":\"ws\",\"kind\":\"patch\",\"patch\":{\"message\":{\"block\":\"(gone)\"}}}");
    fake_nano_pay(&world.fake, world.address[0], "5", NULL);
    tell("fault", "{\"on\":\"ws\",\"kind\":\"patch\",\"patch\":{\"message\":{\"block\":{"
                  "\"link_as_account\":\"(gone)\"}}}}");
    fake_nano_pay(&world.fake, world.address[0], "6", hash);
    assert_true(hinted(0, hash)); /* by the link's key */
    assert_int_equal(hint_count(), 1);
}

static void a_zombie_is_left(void **state)
{
    char hash[65];
    (void)state;
    create_up();
    tell("fault",
         "{\"on\":\"frame\",\"kind\":\"deaf\"}"); /* stops reading at the next frame: a ping */
    assert_true(reaches(&world.downs, 1) && reaches(&world.ups, 2));
    fake_nano_pay(&world.fake, world.address[0], "5", hash);
    assert_true(hinted(0, hash));
}

static void a_subscription_that_is_not_acknowledged_does_not_count(void **state)
{
    (void)state;
    tell("fault", "{\"on\":\"frame\",\"kind\":\"deaf\"}");
    create_main();
    OPS->watch_add(SELF, world.account, 2);
    assert_true(reaches(&world.ups, 1));
    assert_int_equal(fake_nano_calls(&world.fake, "main upgrade"), 2);
}

static void the_next_address_is_tried(void **state)
{
    char main_url[80], second[80], hash[65];
    (void)state;
    fake_nano_ws_url(&world.fake, "main", main_url);
    fake_nano_ws_url(&world.fake, "second", second);
    AUTO(free_ptr) char *urls = str_printf("%s, %s", main_url, second);
    tell("fault", "{\"on\":\"upgrade\",\"kind\":\"status\",\"code\":404,\"times\":-1}");
    create(urls);
    OPS->watch_add(SELF, world.account, 2);
    assert_true(reaches(&world.ups, 1));
    fake_nano_pay(&world.fake, world.address[0], "5", hash);
    assert_true(hinted(0, hash));
}

static void it_stops_whatever_it_is_doing(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "{\"on\":\"upgrade\",\"kind\":\"stall\",\"times\":-1}",
        "{\"on\":\"frame\",\"kind\":\"mute\",\"times\":-1}",
        "{\"on\":\"upgrade\",\"kind\":\"status\",\"code\":500,\"times\":-1}",
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        tell("fault", faults[i]);
        create_main();
        OPS->watch_add(SELF, world.account, 2);
        cancel_wait(NULL, 60);
        int64_t begin = clock_mono_ms();
        OPS->destroy(SELF);
        world.node = (struct nano_node){0};
        assert_true(clock_mono_ms() - begin < 5000);
        tell("clear", "{}");
    }
    struct err e = {0};
    struct nano_rpc_options o = {.net = world.net,
                                 .urls = world.fake.url,
                                 .keys = "",
                                 .ws_urls = "http://127.0.0.1:1",
                                 .work_url = "",
                                 .network_id = ""};
    assert_false(nano_rpc_create(&o, &world.node, &e)); /* not a stream's address */
    assert_int_equal(e.code, ERR_CONFIG);
}

/* --- the set --- */

static void the_set_holds_what_was_added(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct nano_set set = {0};
    AUTO(free_ptr) struct nano_account *a = many(N);
    for (size_t i = 0; i < N; i += 7) /* one home for many: the worst case of the table */
        a[i].key[0] = a[i].key[1] = 0, a[i].key[9] = (unsigned char)i,
        a[i].key[10] = (unsigned char)(i >> 8);
    assert_false(nano_set_has(&set, &a[0]));
    for (size_t i = 0; i < N; i++)
        assert_true(nano_set_add(&set, &a[i]));
    assert_false(nano_set_add(&set, &a[77]));
    for (size_t i = 0; i < N; i += 3)
        assert_true(nano_set_remove(&set, &a[i]));
    assert_false(nano_set_remove(&set, &a[0]));
    for (size_t i = 0; i < N; i++)
        if (nano_set_has(&set, &a[i]) != (i % 3 != 0))
            fail_msg("account %zu", i);
    assert_int_equal(set.count, N - (N + 2) / 3);
    nano_set_free(&set);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_payment_is_hinted_at),
        CASE(nothing_connects_without_accounts),
        CASE(long_lists_fit_the_service),
        CASE(links_are_made_anew),
        CASE(a_bad_message_costs_no_more_than_the_link),
        CASE(repeated_and_late_hints_are_hints),
        CASE(a_message_without_its_block_is_no_hint_of_a_payment),
        CASE(a_zombie_is_left),
        CASE(a_subscription_that_is_not_acknowledged_does_not_count),
        CASE(the_next_address_is_tried),
        CASE(it_stops_whatever_it_is_doing),
        cmocka_unit_test(the_set_holds_what_was_added),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
