/* From an update to its answer with everything in between: the Telegram adapter, the bot and a
   private PostgreSQL that syncs to disk, against a Bot API server on loopback. Prints one line per
   number; fails when a goal is missed by half. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/telegram/telegram.h"
#include "bot/bot.h"
#include "bot/inbox.h"
#include "bot/outbox.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/private_cluster.h"
#include "core/db/store_account.h"
#include "core/i18n/i18n.h"
#include "tests/cost.h"
#include "tests/http_server.h"

#define TOKEN "7000000001:AAExampleTokenForTests_abcdefghijk"

enum {
    STORED = 20000,
    HANDLED = 4000,
    BACKLOG = 100000,
    CHATS = 5000,
    SAMPLES = 100,
    SAMPLE_CHAT = 900000, /* chats whose answers are timed */
    UPLOADS = 4,
    FILM = 48 * 1000 * 1000
};

static struct {
    struct http_server server;
    struct net_engine *net;
    struct bot bot;
    struct toolbox tools;
    struct private_cluster *cluster;
    char dir[64], film[80];
    pthread_t poller;
    atomic_int there;  /* updates with smaller numbers can be asked for */
    atomic_int timed;  /* those from here on are samples, each of a chat of its own */
    atomic_int stored; /* events that were taken */
    atomic_int uploads, failed;
    atomic_bool uploading;
    _Atomic int64_t asked_us[SAMPLES], answered_us[SAMPLES];
} b;

/* --- the server --- */

static int chat_of(int number)
{
    int timed = atomic_load(&b.timed);
    return number >= timed ? SAMPLE_CHAT + number - timed : 1000 + number % CHATS;
}

static bool serve_updates(const struct http_request *r)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(1 << 20);
    const char *offset = strstr(r->body, "\"offset\":");
    int first = offset ? (int)strtol(offset + 9, NULL, 10) - 1 : 0;
    for (int i = 0; i < 2000 && first >= atomic_load(&b.there); i++)
        usleep(500); /* a held poll */
    strbuf_adds(&out, "{\"ok\":true,\"result\":[");
    for (int i = first; i < MIN(first + 100, atomic_load(&b.there)); i++)
        strbuf_addf(&out,
                    "%s{\"update_id\":%d,\"message\":{\"message_id\":%d,\"from\":{\"id\":%d,"
                    "\"is_bot\":false,\"first_name\":\"Ana\",\"language_code\":\"en\"},\"chat\":{"
                    "\"id\":%d,\"type\":\"private\"},\"date\":1780000002,\"text\":\"/help\","
                    "\"entities\":[{\"type\":\"bot_command\",\"offset\":0,\"length\":5}]}}",
                    i == first ? "" : ",", i + 1, i + 1, chat_of(i), chat_of(i));
    strbuf_adds(&out, "]}");
    return http_reply(r->fd, 200, "", strbuf_text(&out));
}

static void note_answer(const struct http_request *r)
{
    const char *chat = strstr(r->body, "\"chat_id\":");
    long sample = chat ? strtol(chat + 10, NULL, 10) - SAMPLE_CHAT : -1;
    if (sample >= 0 && sample < SAMPLES)
        atomic_store(&b.answered_us[sample], cost_now_us());
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
    if (strcmp(method, "/sendMessage") == 0)
        note_answer(r);
    return http_reply(r->fd, 200, "", "{\"ok\":true,\"result\":{\"message_id\":5}}");
}

/* --- the bot --- */

static bool on_events(void *ctx, const struct chat_event *events, size_t count, const char *cursor)
{
    if (!bot_on_events(ctx, events, count, cursor))
        return false;
    atomic_fetch_add(&b.stored, (int)count);
    return true;
}

static void *poll_main(void *arg)
{
    struct err e = {0};
    (void)arg;
    b.bot.adapters[0].ops->run(b.bot.adapters[0].self, on_events, &b.bot, &e);
    return NULL;
}

static bool sql_body(struct db_tx *tx, void *data, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const char **sql = data;
    if (!db_exec(tx, *sql, NULL, 0, &rows, e))
        return false;
    *sql = db_count(rows) && *db_text(rows, 0, 0) == '0' ? NULL : *sql;
    return true;
}

static bool is_zero(const char *sql)
{
    struct err e;
    return db_run(b.bot.db, sql_body, &sql, &e) && !sql;
}

static void *upload_main(void *arg)
{
    struct card caption = {.title = "Film", .percent = -1};
    struct chat_video video = {.path = b.film,
                               .bytes = FILM,
                               .width = 720,
                               .height = 1280,
                               .duration_ms = 60000,
                               .caption = &caption};
    const struct chat_adapter *a = &b.bot.adapters[0];
    for (int i = 0; atomic_load(&b.uploading); i++) {
        struct err e = {0};
        char ref[CHAT_REF_MAX];
        struct chat_addr to = {.network = "telegram"};
        snprintf(to.chat, sizeof(to.chat), "%d", 100000 * (int)(intptr_t)arg + i);
        if (a->ops->deliver(a->self, &to, "", &video, NULL, ref, &e))
            atomic_fetch_add(&b.uploads, 1);
        else
            atomic_fetch_add(&b.failed, 1);
    }
    return NULL;
}

/* --- what is measured --- */

static void offer(int count)
{
    atomic_fetch_add(&b.there, count);
}

static double bench_stored(void)
{
    int64_t begin = cost_now_us();
    int want = atomic_load(&b.stored) + STORED;
    offer(STORED);
    while (atomic_load(&b.stored) < want)
        usleep(1000);
    return STORED * 1e6 / (double)(cost_now_us() - begin);
}

static double bench_handled(struct err *e)
{
    const char *sql = "delete from events where id > (select min(id) from events) + 3999";
    if (!db_run(b.bot.db, sql_body, &sql, e))
        return 0;
    int64_t begin = cost_now_us();
    if (!inbox_start(&b.bot, &b.bot.inbox, e))
        return 0;
    while (!is_zero("select count(*) from events"))
        usleep(5000);
    return HANDLED * 1e6 / (double)(cost_now_us() - begin);
}

/* The server has 100,000; a few thousand of them wait here. Returns what that took at most. */
static double bench_backlog(double *ret_rate)
{
    int64_t before = cost_own_kb(), most = before, begin = cost_now_us();
    int first = atomic_load(&b.stored);
    offer(BACKLOG);
    while (cost_now_us() - begin < 15 * 1000000 && atomic_load(&b.stored) < first + BACKLOG) {
        most = MAX(most, cost_own_kb());
        usleep(20000);
    }
    *ret_rate = (atomic_load(&b.stored) - first) * 1e6 / (double)(cost_now_us() - begin);
    return (double)(most - before) / 1024.0;
}

static int compare(const void *x, const void *y)
{
    int64_t d = *(const int64_t *)x - *(const int64_t *)y;
    return (d > 0) - (d < 0);
}

static void wait_answer(int sample)
{
    int64_t begin = cost_now_us();
    while (atomic_load(&b.answered_us[sample]) == 0)
        if (usleep(1000) != 0 || cost_now_us() - begin > 10 * 1000000) {
            atomic_fetch_add(&b.failed, 1);
            atomic_store(&b.answered_us[sample], cost_now_us());
        }
}

/* Ten commands a second, below every pace; ms until the server has the answer. */
static void bench_answers(bool uploads, double *ret_median, double *ret_p99)
{
    static int64_t took[SAMPLES];
    pthread_t threads[UPLOADS];
    atomic_store(&b.uploading, uploads);
    for (int i = 0; i < UPLOADS; i++)
        pthread_create(&threads[i], NULL, upload_main, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < SAMPLES; i++)
        atomic_store(&b.answered_us[i], 0);
    atomic_store(&b.timed, atomic_load(&b.there));
    for (int i = 0; i < SAMPLES; i++) {
        atomic_store(&b.asked_us[i], cost_now_us());
        offer(1);
        wait_answer(i);
        took[i] = atomic_load(&b.answered_us[i]) - atomic_load(&b.asked_us[i]);
        usleep(100000);
    }
    atomic_store(&b.uploading, false);
    for (int i = 0; i < UPLOADS; i++)
        pthread_join(threads[i], NULL);
    qsort(took, SAMPLES, sizeof(took[0]), compare);
    int64_t median = took[SAMPLES / 2], p99 = took[SAMPLES - 2];
    *ret_median = (double)median / 1000.0;
    *ret_p99 = (double)p99 / 1000.0;
}

static int line(const char *what, double value, const char *unit, double goal, bool at_most)
{
    bool missed = goal > 0 && (at_most ? value > 2 * goal : value < goal / 2);
    printf("%-56s %10.1f %-4s", what, value, unit);
    if (goal > 0)
        printf(" goal %s %.0f%s", at_most ? "<=" : ">=", goal, missed ? "  MISSED" : "");
    putchar('\n');
    return missed;
}

static bool make_film(void)
{
    snprintf(b.film, sizeof(b.film), "%s/film.mp4", b.dir);
    int fd = open(b.film, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && posix_fallocate(fd, 0, FILM) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool start(struct err *e)
{
    static const unsigned char key[32] = "a fixed key of the bench only...";
    char url[64];
    snprintf(b.dir, sizeof(b.dir), "/tmp/bench-intake-XXXXXX");
    if (!mkdtemp(b.dir) || chmod(b.dir, 0711) != 0 || !make_film() ||
        !http_server_start(&b.server, serve, NULL))
        return false;
    hash_setup();
    account_set_key(key);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", b.server.port);
    struct telegram_options o = {.token = TOKEN, .api_url = url, .poll_seconds = 1};
    if (!i18n_setup(e) || !private_cluster_start(b.dir, NULL, NULL, &b.cluster, e) ||
        !db_open(private_cluster_url(b.cluster), 16, &b.bot.db, e) ||
        !db_migrate(b.bot.db, NULL, e) || !net_engine_create(false, &b.net, e))
        return false;
    o.net = b.net;
    b.tools.seconds_max = 180;
    b.bot.tools = &b.tools;
    b.bot.seconds_max = 180;
    b.bot.trial_credits = 1;
    b.bot.adapter_count = 1;
    atomic_store(&b.timed, INT32_MAX);
    return telegram_create(&o, &b.bot.adapters[0], e) &&
           pthread_create(&b.poller, NULL, poll_main, NULL) == 0;
}

static void stop(void)
{
    const struct chat_adapter *a = &b.bot.adapters[0];
    a->ops->stop(a->self);
    pthread_join(b.poller, NULL);
    inbox_stop(b.bot.inbox);
    outbox_stop(b.bot.outbox, 0);
    a->ops->destroy(a->self);
    net_engine_destroy(b.net);
    db_close(b.bot.db);
    private_cluster_stop(b.cluster);
    http_server_stop(&b.server);
    fs_remove(b.dir);
}

int main(void)
{
    struct err e = {0};
    int missed = 0;
    double rate = 0, median = 0, p99 = 0, mb;
    log_init(LOG_OFF, false);
    if (!start(&e)) {
        fprintf(stderr, "bench_intake: %s\n", e.detail);
        return 1;
    }
    missed += line("updates stored, one transaction per batch, synced", bench_stored(), "/s", 2000,
                   false);
    missed += line("commands dealt with, four workers, a transaction each", bench_handled(&e), "/s",
                   0, false);
    mb = bench_backlog(&rate);
    line("backlog of 100,000 on the server: taken", rate, "/s", 0, false);
    missed += line("... memory that this takes", mb, "MB", 16, true);
    atomic_store(&b.there, 0); /* enough of it: the rest is taken back */
    sleep(2);
    atomic_store(&b.there, atomic_load(&b.stored));
    while (!is_zero("select count(*) from events"))
        usleep(100000);
    const char *empty = "truncate outbox";
    if (!db_run(b.bot.db, sql_body, &empty, &e) || !outbox_start(&b.bot, &b.bot.outbox, &e))
        return 1;
    bench_answers(false, &median, &p99);
    missed += line("command to answer, nothing else to do, median", median, "ms", 0, true);
    missed += line("... p99", p99, "ms", 50, true);
    bench_answers(true, &median, &p99);
    missed += line("command to answer while 4 uploads of 48 MB run, median", median, "ms", 0, true);
    missed += line("... p99", p99, "ms", 50, true);
    line("... films uploaded meanwhile", atomic_load(&b.uploads), "", 0, false);
    stop();
    printf("%d failed calls\n", atomic_load(&b.failed));
    return missed > 0 || atomic_load(&b.failed) > 0;
}
