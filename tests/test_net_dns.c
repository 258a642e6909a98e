/* A name server that does not answer holds up whoever asked for the name, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>

#include "core/base/clock.h"
#include "tests/net_world.h"

#define SLOW "slow.example"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* --- with lock held --- */
static bool answers;
static int asking;

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void wait_for_the_answer(void)
{
    pthread_mutex_lock(&lock);
    asking++;
    while (!answers)
        pthread_cond_wait(&changed, &lock);
    asking--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* In place of libc's: this one name is not answered before the end of the test. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai)
{
    if (name && strcmp(name, SLOW) == 0) {
        wait_for_the_answer();
        return EAI_AGAIN;
    }
    resolver *real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    return real ? real(name, service, req, pai) : EAI_FAIL;
}

static int dns_setup(void **state)
{
    pthread_mutex_lock(&lock);
    answers = false;
    pthread_mutex_unlock(&lock);
    return net_setup(state);
}

/* Those who ask may outlive everybody, but not the test. */
static int dns_teardown(void **state)
{
    pthread_mutex_lock(&lock);
    answers = true;
    pthread_cond_broadcast(&changed);
    while (asking > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return net_teardown(state);
}

static void wait_asking(void)
{
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&lock);
        bool begun = asking > 0;
        pthread_mutex_unlock(&lock);
        if (begun)
            return;
        usleep(10000);
    }
    fail_msg("the name was never asked for");
}

static void others_go_on(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply;
    struct net_request slow = {.log_name = "t", .url = "https://" SLOW "/", .connect_ms = 300};
    int64_t begin = clock_mono_ms();
    assert_false(net_call(net_world.engine, &slow, &reply, &e));
    assert_int_equal(reply.outcome, NET_NOT_SENT);
    assert_true(clock_mono_ms() - begin < 3000);
    wait_asking(); /* and nobody waits for it */
    net_reply_free(&reply);
    begin = clock_mono_ms();
    assert_int_equal(net_get("/ok", (struct net_request){0}, &reply, &e), NET_REPLY);
    assert_true(clock_mono_ms() - begin < 3000);
}

static void on_done(void *ctx, struct net_reply *reply, const struct err *e)
{
    (void)e;
    atomic_store((atomic_int *)ctx, (int)reply->outcome);
    net_reply_free(reply);
}

static void cancel_and_shutdown_do_not_wait(void **state)
{
    (void)state;
    struct err e = {0};
    struct cancel cancel;
    struct net_engine *engine;
    atomic_int first = -1, second = -1;
    cancel_init(&cancel, NULL);
    assert_true(net_engine_create(false, &engine, &e));
    struct net_request slow = {.log_name = "t", .url = "https://" SLOW "/", .cancel = &cancel};
    assert_true(net_submit(engine, &slow, on_done, &first, &e));
    slow.cancel = NULL;
    assert_true(net_submit(engine, &slow, on_done, &second, &e));
    wait_asking();
    int64_t begin = clock_mono_ms();
    cancel_fire(&cancel);
    while (atomic_load(&first) < 0 && clock_mono_ms() - begin < 3000)
        usleep(5000);
    assert_int_equal(atomic_load(&first), NET_CANCELLED);
    net_engine_destroy(engine);
    assert_int_equal(atomic_load(&second), NET_CANCELLED);
    assert_true(clock_mono_ms() - begin < 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(others_go_on, dns_setup, dns_teardown),
        cmocka_unit_test_setup_teardown(cancel_and_shutdown_do_not_wait, dns_setup, dns_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
