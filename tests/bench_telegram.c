/* How fast the Telegram adapter is on loopback, against the servers of the tests:
   updates decoded and handed over, replies sent, an answer's time while films are uploaded, and
   what memory it takes. Prints one line per number; fails when a goal is missed by half. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "adapters/telegram/decode.h"
#include "adapters/telegram/telegram.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/cost.h"
#include "tests/http_server.h"

#define TOKEN "7000000001:AAExampleTokenForTests_abcdefghijk"

enum { UPDATES = 60000, REPLIES = 4000, SENDERS = 8, UPLOADS = 4, FILM = 48 * 1000 * 1000 };

static struct {
    struct http_server server;
    struct net_engine *net;
    struct chat_adapter chat;
    char film[64];
    atomic_int heard, sent, next_chat, failed;
    atomic_int served; /* updates given out */
} b;

/* --- the server: whole batches as fast as they are asked for --- */

static bool serve_updates(const struct http_request *r)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(1 << 20);
    int first = atomic_load(&b.served);
    const char *offset = strstr(r->body, "\"offset\":");
    if (offset)
        first = (int)strtol(offset + 9, NULL, 10) - 1;
    strbuf_adds(&out, "{\"ok\":true,\"result\":[");
    for (int i = first; i < MIN(first + 100, UPDATES); i++)
        strbuf_addf(
            &out,
            "%s{\"update_id\":%d,\"message\":{\"message_id\":%d,\"from\":{\"id\":6123456789,"
            "\"is_bot\":false,\"first_name\":\"Ana\",\"username\":\"ana_s\","
            "\"language_code\":\"pt-br\"},\"chat\":{\"id\":6123456789,\"type\":\"private\","
            "\"first_name\":\"Ana\"},\"date\":1780000002,\"text\":\"/make how tides work\","
            "\"entities\":[{\"type\":\"bot_command\",\"offset\":0,\"length\":5}]}}",
            i == first ? "" : ",", i + 1, i + 1);
    strbuf_adds(&out, "]}");
    if (first >= UPDATES)
        usleep(20000);
    return http_reply(r->fd, 200, "", strbuf_text(&out));
}

static bool serve(struct http_server *s, const struct http_request *r)
{
    (void)s;
    const char *method = strrchr(r->path, '/');
    if (strcmp(method, "/getUpdates") == 0)
        return serve_updates(r);
    if (strcmp(method, "/getMe") == 0)
        return http_reply(r->fd, 200, "",
                          "{\"ok\":true,\"result\":{\"id\":7000000001,\"is_bot\":true,"
                          "\"username\":\"ExampleClipBot\"}}");
    return http_reply(r->fd, 200, "", "{\"ok\":true,\"result\":{\"message_id\":5}}");
}

/* --- what is measured --- */

static bool on_events(void *ctx, const struct chat_event *e, size_t count, const char *cursor)
{
    (void)ctx, (void)e, (void)cursor;
    atomic_fetch_add(&b.heard, (int)count);
    return true;
}

static void *run_main(void *arg)
{
    struct err e = {0};
    (void)arg;
    b.chat.ops->run(b.chat.self, on_events, NULL, &e);
    return NULL;
}

static bool send_one(void)
{
    struct err e = {0};
    char ref[CHAT_REF_MAX];
    struct chat_addr to = {.network = "telegram"};
    struct card card = {.title = "Quote", .lines = {"45 s"}, .line_count = 1, .percent = -1};
    snprintf(to.chat, sizeof(to.chat), "%d", 1000 + atomic_fetch_add(&b.next_chat, 1));
    return b.chat.ops->send(b.chat.self, &to, &card, ref, &e);
}

/* The pace of 25 a second is Telegram's, not ours: one request after another is what is measured. */
static void *reply_main(void *arg)
{
    (void)arg;
    struct err e = {0};
    AUTO(free_ptr)
    char *url = str_printf("http://127.0.0.1:%d/bot" TOKEN "/sendMessage", b.server.port);
    const char *body = "{\"chat_id\":1,\"text\":\"x\"}";
    struct net_request r = {
        .log_name = "bench", .url = url, .body = body, .body_len = strlen(body), .once = true};
    while (atomic_fetch_add(&b.sent, 1) < REPLIES) {
        AUTO(net_reply_free) struct net_reply reply;
        AUTO(json_free) cJSON *doc = NULL;
        if (!net_call(b.net, &r, &reply, &e) || !json_parse(reply.body, reply.len, NULL, &doc, &e))
            atomic_fetch_add(&b.failed, 1);
    }
    return NULL;
}

static void *upload_main(void *arg)
{
    struct err e = {0};
    char ref[CHAT_REF_MAX];
    struct chat_addr to = {.network = "telegram"};
    struct card caption = {.title = "Film", .percent = -1};
    struct chat_video video = {.path = b.film,
                               .bytes = FILM,
                               .width = 720,
                               .height = 1280,
                               .duration_ms = 60000,
                               .caption = &caption};
    snprintf(to.chat, sizeof(to.chat), "%d", 500 + (int)(intptr_t)arg);
    if (!b.chat.ops->deliver(b.chat.self, &to, "", &video, NULL, ref, &e))
        atomic_fetch_add(&b.failed, 1);
    return NULL;
}

static int compare(const void *x, const void *y)
{
    int64_t d = *(const int64_t *)x - *(const int64_t *)y;
    return (d > 0) - (d < 0);
}

static double bench_updates(void)
{
    pthread_t thread;
    int64_t begin = cost_now_us();
    pthread_create(&thread, NULL, run_main, NULL);
    while (atomic_load(&b.heard) < UPDATES)
        usleep(1000);
    double rate = UPDATES * 1e6 / (double)(cost_now_us() - begin);
    b.chat.ops->stop(b.chat.self);
    pthread_join(thread, NULL);
    return rate;
}

static double bench_decode(void)
{
    static const struct tg_me me = {.id = 7, .username = "ExampleClipBot"};
    static const char text[] =
        "{\"update_id\":5,\"message\":{\"message_id\":12,\"from\":{\"id\":6123456789},\"chat\":{"
        "\"id\":6123456789,\"type\":\"private\"},\"date\":1,\"text\":\"/make how tides work\","
        "\"entities\":[{\"type\":\"bot_command\",\"offset\":0,\"length\":5}]}}";
    enum { N = 100000 };
    int64_t begin = cost_now_us();
    for (int i = 0; i < N; i++) {
        AUTO(arena_free) struct arena a = {0};
        AUTO(json_free) cJSON *doc = NULL;
        struct err e;
        struct tg_update u;
        if (!json_parse(text, sizeof(text) - 1, NULL, &doc, &e) || !tg_decode(doc, &me, &a, &u))
            atomic_fetch_add(&b.failed, 1);
    }
    return N * 1e6 / (double)(cost_now_us() - begin);
}

static double bench_replies(void)
{
    pthread_t threads[SENDERS];
    int64_t begin = cost_now_us();
    for (int i = 0; i < SENDERS; i++)
        pthread_create(&threads[i], NULL, reply_main, NULL);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    return REPLIES * 1e6 / (double)(cost_now_us() - begin);
}

/* Answers while four films go out; returns p99 in ms and the memory that an upload took. */
static double bench_answers(int64_t *ret_kb)
{
    enum { N = 60 };
    static int64_t took[N];
    pthread_t threads[UPLOADS];
    int64_t before = cost_own_kb(), most = 0;
    for (int i = 0; i < UPLOADS; i++)
        pthread_create(&threads[i], NULL, upload_main, (void *)(intptr_t)i);
    for (int i = 0; i < N; i++) {
        int64_t begin = cost_now_us();
        if (!send_one())
            atomic_fetch_add(&b.failed, 1);
        took[i] = cost_now_us() - begin;
        most = MAX(most, cost_own_kb());
        usleep(50000); /* below the pace, so that the pace is not what is measured */
    }
    for (int i = 0; i < UPLOADS; i++)
        pthread_join(threads[i], NULL);
    *ret_kb = (most - before) / UPLOADS;
    qsort(took, N, sizeof(took[0]), compare);
    size_t p99 = N - 1 - N / 100;
    return (double)took[p99] / 1000.0;
}

static int line(const char *what, double value, const char *unit, double goal, bool at_most)
{
    bool missed = at_most ? value > 2 * goal : value < goal / 2;
    printf("%-52s %10.1f %-4s goal %s %.0f%s\n", what, value, unit, at_most ? "<=" : ">=", goal,
           missed ? "  MISSED" : "");
    return missed;
}

static bool make_adapter(struct err *e)
{
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", b.server.port);
    struct telegram_options o = {.net = b.net, .token = TOKEN, .api_url = url, .poll_seconds = 1};
    return telegram_create(&o, &b.chat, e);
}

int main(void)
{
    struct err e = {0};
    int missed = 0;
    int64_t upload_kb = 0;
    log_init(LOG_OFF, false);
    snprintf(b.film, sizeof(b.film), "/tmp/bench-telegram-XXXXXX");
    int fd = mkstemp(b.film);
    if (fd < 0 || posix_fallocate(fd, 0, FILM) != 0 || !http_server_start(&b.server, serve, NULL) ||
        !net_engine_create(false, &b.net, &e) || !make_adapter(&e))
        return 1;
    close(fd);
    missed += line("updates parsed and decoded, one by one", bench_decode(), "/s", 20000, false);
    missed +=
        line("updates polled, decoded, handed over (no-op)", bench_updates(), "/s", 20000, false);
    b.chat.ops->destroy(b.chat.self);
    missed +=
        line("replies on loopback, keep-alive, 8 senders", bench_replies(), "/s", 1500, false);
    if (!make_adapter(&e))
        return 1;
    double p99 = bench_answers(&upload_kb);
    missed += line("answer while 4 uploads of 48 MB run, p99", p99, "ms", 50, true);
    missed += line("memory per upload of 48 MB, 1 MB of the test's included",
                   (double)upload_kb / 1024.0, "MB", 3, true);
    b.chat.ops->destroy(b.chat.self);
    net_engine_destroy(b.net);
    http_server_stop(&b.server);
    unlink(b.film);
    printf("%d failed calls\n", atomic_load(&b.failed));
    return missed > 0 || atomic_load(&b.failed) > 0;
}
