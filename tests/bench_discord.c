/* How fast the Discord adapter is on loopback, against the fake Discord: interactions decoded, first
   answers in a burst, start, memory. Prints one line per number; fails when a goal is missed by
   half. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "adapters/discord/decode.h"
#include "adapters/discord/discord.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/cost.h"
#include "tests/fake_discord.h"

enum { BURST = 200, DECODES = 60000, COMMIT_US = 3000, WAIT_MS = 10000 };

static struct {
    struct fake_node fake;
    struct net_engine *net;
    struct chat_adapter chat;
} b;

/* A bot that commits: so long takes a small transaction on a busy disk. */
static bool on_events(void *ctx, const struct chat_event *ev, size_t count, const char *cursor)
{
    (void)ctx, (void)ev, (void)count, (void)cursor;
    usleep(COMMIT_US);
    return true;
}

static bool keep(void *ctx, const struct discord_note *notes, size_t count, bool sure)
{
    (void)ctx, (void)notes, (void)count;
    usleep(sure ? COMMIT_US : COMMIT_US / 10);
    return true;
}

static void *run_main(void *arg)
{
    (void)arg;
    struct err e = {0};
    b.chat.ops->run(b.chat.self, on_events, NULL, &e);
    return NULL;
}

static char *text(void *ctx, const char *lang, const char *key)
{
    (void)ctx, (void)lang;
    return str_dup(key);
}

static double bench_decode(void)
{
    static const unsigned char key[32] = {1};
    AUTO(free_ptr) char *frame = NULL;
    size_t len = 0;
    struct err e = {0};
    if (!fs_read("tests/seeds/discord/command_guild.json", 1 << 20, &frame, &len, &e))
        return 0;
    int64_t begin = clock_mono_ms();
    for (int i = 0; i < DECODES; i++) {
        struct dc_event ev;
        AUTO(json_free) cJSON *doc = NULL;
        if (!json_parse(frame, len, NULL, &doc, &e) || !dc_decode(json_object(doc, "d"), key, &ev))
            return 0;
        dc_event_free(&ev);
    }
    return DECODES * 1000.0 / (double)MAX(clock_mono_ms() - begin, 1);
}

static int64_t quantile(const struct discord_stats *s, int percent)
{
    int64_t seen = 0;
    for (int i = 0; i < DISCORD_ACK_SLOTS; i++) {
        seen += s->ack_ms[i];
        if (seen * 100 >= s->acks * percent)
            return i;
    }
    return DISCORD_ACK_SLOTS;
}

static int line(const char *what, double value, const char *unit, double goal, bool at_most)
{
    bool missed = at_most ? value > 2 * goal : value < goal / 2;
    printf("%-52s %10.1f %-4s goal %s %.0f%s\n", what, value, unit, at_most ? "<=" : ">=", goal,
           missed ? "  MISSED" : "");
    return missed;
}

int main(void)
{
    struct err e = {0};
    struct discord_stats s = {.acks = 0};
    pthread_t thread;
    int missed = 0;
    hash_setup();
    log_init(LOG_OFF, false);
    missed +=
        line("interactions parsed and decoded, one by one", bench_decode(), "/s", 20000, false);
    dfake_start(&b.fake);
    if (!net_engine_create(false, &b.net, &e))
        return 1;
    int64_t before = cost_own_kb();
    int64_t begin = clock_mono_ms();
    struct discord_options o = {
        .net = b.net, .token = DFAKE_TOKEN, .api_url = b.fake.api, .text = text, .keep = keep};
    if (!discord_create(&o, &b.chat, &e))
        return 1;
    pthread_create(&thread, NULL, run_main, NULL);
    while (dfake_lines(&b.fake, "ops", "op 2") == 0 && clock_mono_ms() - begin < WAIT_MS)
        usleep(5000);
    missed += line("ready after a start", (double)(clock_mono_ms() - begin), "ms", 1000, true);
    dfake_do(&b.fake, "burst", "{\"name\":\"make\",\"count\":%d}", BURST);
    for (begin = clock_mono_ms(); s.acks < BURST && clock_mono_ms() - begin < WAIT_MS;) {
        usleep(10000);
        discord_stats(&b.chat, &s);
    }
    missed +=
        line("200 at once: frame to first answer, p50", (double)quantile(&s, 50), "ms", 150, true);
    missed +=
        line("200 at once: frame to first answer, p99", (double)quantile(&s, 99), "ms", 150, true);
    missed +=
        line("memory of the adapter", (double)(cost_own_kb() - before) / 1024.0, "MB", 16, true);
    b.chat.ops->stop(b.chat.self);
    pthread_join(thread, NULL);
    b.chat.ops->destroy(b.chat.self);
    net_engine_destroy(b.net);
    fake_node_stop(&b.fake);
    return missed > 0 || s.acks < BURST;
}
