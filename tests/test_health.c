/* What a monitor reads of the bot: is it well, and its numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bot/health.h"
#include "tests/bot_world.h"
#include "tests/fixture_db.h"

static int port;
static const char *sick; /* what the program says of itself */

static const char *how_it_is(void *ctx)
{
    (void)ctx;
    return sick;
}

static int open_socket(int at)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)at),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = at ? connect(fd, (struct sockaddr *)&a, len) : bind(fd, (struct sockaddr *)&a, len);
    assert_int_equal(r, 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    port = at ? at : ntohs(a.sin_port);
    return fd;
}

static char *ask(const char *path)
{
    struct strbuf all = STRBUF(1 << 17);
    char bytes[4096];
    int fd = open_socket(port);
    AUTO(free_ptr)
    char *request = str_printf("GET %s HTTP/1.1\r\nHost: monitor\r\n"
                               "Connection: close\r\n\r\n",
                               path);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (ssize_t n; (n = recv(fd, bytes, sizeof(bytes), 0)) > 0;)
        strbuf_add(&all, bytes, (size_t)n);
    close(fd);
    return strbuf_take(&all);
}

static void must_say(const char *path, const char *const *says)
{
    AUTO(free_ptr) char *said = ask(path);
    for (; *says; says++)
        if (!strstr(said, *says))
            fail_msg("%s lacks \"%s\": %s", path, *says, said);
}
#define SAYS(path, ...) must_say(path, (const char *const[]){__VA_ARGS__, NULL})

static struct health *start(struct world *w)
{
    struct health *h = NULL;
    struct err e = {0};
    close(open_socket(0)); /* a port that was free just now */
    AUTO(free_ptr) char *address = str_printf("127.0.0.1:%d", port);
    if (!health_start(&w->bot, address, how_it_is, NULL, &h, &e))
        fail_msg("%s", e.detail);
    return h;
}

static void health_is_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    struct health *h = start(&w);
    SAYS("/health", "HTTP/1.1 200", "\r\n\r\nok\n");
    sick = "telegram";
    SAYS("/health", "HTTP/1.1 503", "\r\n\r\ntelegram\n");
    sick = NULL;
    SAYS("/health", "HTTP/1.1 200");
    SAYS("/", "HTTP/1.1 404");
    health_stop(h);
    world_close(&w);
}

static void numbers_follow_the_tables(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    struct health *h = start(&w);
    SAYS("/metrics", "nanotik_alarms 0\n", "nanotik_orders_stopped 0\n",
         "nanotik_films_last_day 0\n", "nanotik_workers_busy 0\n", "nanotik_leases_held 0\n",
         "nanotik_oldest_card_seconds 0\n", "nanotik_cards_unanswered 0\n",
         "nanotik_jobs{state=\"ready\"} 0\n", "nanotik_jobs{state=\"waiting\"} 0\n",
         "nanotik_jobs{state=\"running\"} 0\n", "nanotik_jobs{state=\"delivering\"} 0\n",
         "nanotik_jobs{state=\"kept\"} 0\n", "nanotik_jobs_ended_last_hour{state=\"failed\"} 0\n",
         "nanotik_oldest_ready_job_seconds 0\n", "nanotik_events_waiting 0\n",
         "nanotik_cards_waiting 0\n", "nanotik_scripts_waiting 0\n", "nanotik_credits_held 0\n",
         "nanotik_blocks_open 0\n");
    expect(&w, "/make How tides work.", "Price");
    fixture_db_sql(w.bot.db, "update jobs set started_at = clock_timestamp() - interval '90 s',"
                             " run_at = clock_timestamp() - interval '90 s'");
    SAYS("/metrics", "nanotik_jobs{state=\"ready\"} 1\n", "nanotik_credits_held 1\n",
         "nanotik_oldest_ready_job_seconds 9");
    AUTO(free_ptr) char *said = ask("/metrics");
    assert_null(strstr(said, "tides")); /* nobody's words */
    say(&w, "/cancel");
    SAYS("/metrics", "nanotik_jobs{state=\"ready\"} 0\n", "nanotik_credits_held 0\n",
         "nanotik_jobs_ended_last_hour{state=\"cancelled\"} 1\n");
    fixture_db_sql(w.bot.db, "insert into alarms(name, what) values ('orders', 'a storm')");
    SAYS("/metrics", "nanotik_alarms 0\n", "nanotik_orders_stopped 1\n"); /* is no fault */
    fixture_db_sql(w.bot.db,
                   "insert into outbox(network, lane, addr, body, state, lost, created_at,"
                   " not_before) select 'fake', '', '', '', 'pending', lost,"
                   " clock_timestamp() - interval '90 s', clock_timestamp() - interval"
                   " '90 s' from generate_series(0, 1) lost");
    SAYS("/metrics", "nanotik_cards_waiting 2\n", "nanotik_cards_unanswered 1\n",
         "nanotik_oldest_card_seconds 9");
    health_stop(h);
    world_close(&w);
}

/* Away: nobody may connect to it, and whoever was is put out. */
static void an_absent_database_is_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    AUTO(fixture_db_done) struct db *other = fixture_db_fresh(1);
    struct health *h = start(&w);
    fixture_db_sql(other, "update pg_database set datallowconn = datname = current_database()"
                          " where datname like 'case%'");
    fixture_db_sql(other, "select pg_terminate_backend(pid) from pg_stat_activity"
                          " where datname like 'case%' and pid <> pg_backend_pid()");
    SAYS("/health", "HTTP/1.1 503", "\r\n\r\nthe database does not answer\n");
    SAYS("/metrics", "HTTP/1.1 503");
    fixture_db_sql(other, "update pg_database set datallowconn = true where datname like 'case%'");
    SAYS("/health", "HTTP/1.1 200");
    health_stop(h);
    world_close(&w);
}

static void it_can_be_off(void **state)
{
    (void)state;
    struct health *h = NULL;
    struct err e = {0};
    assert_true(health_start(NULL, "off", how_it_is, NULL, &h, &e));
    assert_null(h);
    health_stop(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_is_told),
        cmocka_unit_test(numbers_follow_the_tables),
        cmocka_unit_test(an_absent_database_is_told),
        cmocka_unit_test(it_can_be_off),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
