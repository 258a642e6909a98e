/* One process has the chats, others only render: they share nothing but a database. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "tests/fake_discord.h"
#include "tests/fake_telegram.h"
#include "tests/fixture_db.h"
#include "tests/session.h"

enum { START_MS = 60000, VIDEO_MS = 180000, STOP_MS = 30000, PERSON = 7001 };
#define TOPIC "Stars are far away. Their light is old when it comes to us."

static struct {
    struct fake_node telegram, discord;
    struct db *db;
    int port; /* of the pages of who was started last */
} w;

static int open_all(void **state)
{
    if (site_open(state) != 0)
        return -1;
    w.db = fixture_db_fresh(2);
    fake_start(&w.telegram, NULL);
    dfake_start(&w.discord);
    return 0;
}

static int close_all(void **state)
{
    site_forget_sessions(*state);
    fake_node_stop(&w.telegram);
    fake_node_stop(&w.discord);
    fixture_db_done(&w.db);
    return site_close(state);
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

/* Both halves tell a monitor how they are. */
static void must_be_well(struct site *p)
{
    AUTO(free_ptr)
    char *ask = str_printf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d && "
                           "printf \"GET /health HTTP/1.0\\r\\n\\r\\n\" >&3 && "
                           "grep -q \"200 OK\" <&3'",
                           w.port);
    site_shell(p, ask);
}

/* Each with a data folder of its own, as on machines of their own. */
static struct session *start(struct site *p, const char *role, int number)
{
    AUTO(free_ptr) char *telegram = str_printf("TELEGRAM_API_URL=%s", w.telegram.url);
    AUTO(free_ptr) char *discord = str_printf("DISCORD_API_URL=%s", w.discord.api);
    AUTO(free_ptr) char *db = str_printf("DATABASE_URL=%s", fixture_db_url());
    AUTO(free_ptr) char *data = str_printf("NANOTIK_DATA=%s/data%d", p->folder, number);
    w.port = free_port();
    AUTO(free_ptr) char *http = str_printf("NANOTIK_HTTP=127.0.0.1:%d", w.port);
    const char *const args[] = {"run", "--role", role, NULL};
    const char *const env[] = {"TELEGRAM_BOT_TOKEN=" FAKE_TOKEN,
                               http,
                               "DISCORD_BOT_TOKEN=" DFAKE_TOKEN,
                               "NANOTIK_ID_KEY=the same key on all machines",
                               telegram,
                               discord,
                               db,
                               data,
                               NULL};
    return session_start(p, &(struct session_options){.args = args, .env = env});
}

static void stop(struct session *s)
{
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
}

static int64_t number(const char *sql)
{
    return fixture_db_number(w.db, sql);
}

/* From /make to the pressed button. */
static void order(void)
{
    fake_say(&w.telegram, PERSON, PERSON, "", "/make " TOPIC " 9:16");
    fake_wait_text(&w.telegram, PERSON, "text", "Make it", START_MS);
    fake_press(&w.telegram, PERSON, PERSON, "Make it");
}

static void must_have_made_nothing(struct site *p, int data)
{
    AUTO(free_ptr)
    char *find = str_printf("! find data%d -name '*.mp4' -o -name '*.wav' | grep .", data);
    site_shell(p, find);
}

/* The gateway answers and sells but makes nothing; a worker makes it, is killed, and another one
   finishes it into the same card. */
static void a_worker_is_followed_by_another(void **state)
{
    struct site *p = *state;
    struct session *gateway = start(p, "gateway", 1);
    order();
    must_be_well(p);
    fixture_db_wait(w.db, "select count(*) from jobs where state = 'ready'", 1, START_MS);
    struct session *first = start(p, "worker", 2);
    fixture_db_wait(w.db, "select count(*) from jobs where state = 'running' and story <> ''", 1,
                    START_MS);
    must_be_well(p);
    session_signal(first, SIGKILL);
    assert_int_equal(session_wait(first, STOP_MS), 128 + SIGKILL);
    assert_int_equal(number("select count(*) from jobs where state = 'running'"), 1);
    struct session *second = start(p, "worker", 3);
    fixture_db_sql(w.db, "update jobs set lease_until = clock_timestamp() - interval '1 second'"
                         " where state = 'running'"); /* a minute later */
    free(fake_wait_messages(&w.telegram, PERSON, "video", 1, VIDEO_MS));
    fake_wait_text(&w.telegram, PERSON, "text", "Ready", START_MS);
    assert_int_equal(number("select count(*) from jobs where state = 'done' and attempt = 2"), 1);
    assert_int_equal(number("select count(*) from transfers where verb = 'capture'"), 1);
    assert_int_equal(fake_messages(&w.telegram, PERSON, "video", NULL), 1);
    /* Polling is the gateway's alone. */
    AUTO(free_ptr)
    char *sql = str_printf("select count(*) from leases where name like 'telegram:%%' and"
                           " split_part(holder, ':', 2) = '%d'",
                           (int)gateway->pid);
    assert_int_equal(number(sql), 1);
    assert_int_equal(fake_number(&w.telegram, "conflicts"), 0);
    must_have_made_nothing(p, 1);
    stop(second);
    fake_say(&w.telegram, PERSON, PERSON, "", "/history"); /* nobody renders, the bot answers */
    fake_wait_text(&w.telegram, PERSON, "text", "Stars are far away", START_MS);
    stop(gateway);
    fake_node_no_complaints(&w.telegram);
}

static size_t films(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&w.discord);
    const cJSON *message;
    size_t count = 0;
    cJSON_ArrayForEach(message, json_array(state, "messages"))
    {
        count += cJSON_GetArraySize(json_array(message, "attachments")) > 0;
    }
    return count;
}

/* The newest message with this text; fails the case when none comes. */
static void wait_discord(const char *text, char ret_id[32])
{
    int64_t until = clock_mono_ms() + START_MS;
    const cJSON *message = NULL;
    while (!message && clock_mono_ms() < until) {
        AUTO(json_free) cJSON *state = NULL;
        message = dfake_message(&w.discord, text, &state);
        str_copy(ret_id, 32, json_text(message, "id", ""));
        usleep(50000);
    }
    if (!*ret_id)
        fail_msg("no message says '%s'", text);
}

/* A worker moves, fills and clears away cards through interactions that only the gateway heard. */
static void a_worker_delivers_to_discord(void **state)
{
    struct site *p = *state;
    char card[32], ready[32];
    struct session *gateway = start(p, "gateway", 1);
    struct session *worker = start(p, "worker", 2);
    int64_t until = clock_mono_ms() + START_MS;
    while (dfake_lines(&w.discord, "ops", "op 2") == 0 && clock_mono_ms() < until)
        usleep(50000);
    dfake_do(&w.discord, "command",
             "{\"name\":\"make\",\"where\":\"guild\",\"user\":\"7001\","
             "\"options\":{\"topic\":\"%s\",\"aspect\":\"9:16\"}}",
             TOPIC);
    wait_discord("Stars are far away", card);
    dfake_do(&w.discord, "press",
             "{\"message\":\"%s\",\"label\":\"Make it\",\"where\":\"guild\",\"user\":\"7001\"}",
             card);
    fixture_db_wait(w.db, "select count(*) from jobs where state = 'done'", 1, VIDEO_MS);
    wait_discord("Ready", ready);
    assert_int_equal(films(), 1);
    assert_int_equal(number("select count(*) from transfers where verb = 'capture'"), 1);
    must_have_made_nothing(p, 1);
    stop(worker);
    stop(gateway);
    assert_int_equal(dfake_lines(&w.discord, "ops", "op 2"), 1);
    assert_int_equal(dfake_number(&w.discord, "unanswered"), 0);
    fake_node_no_complaints(&w.discord);
}

static void half_a_program_alone_is_refused(void **state)
{
    struct site *p = *state;
    static const struct {
        const char *role, *setting;
        int status;
        const char *says, *why;
    } rows[] = {
        {"worker",  NULL,                                      78, "DATABASE_URL",         "a worker has nobody to work for"},
        {"gateway", NULL,                                      78, "DATABASE_URL",         "its own database reaches nobody"},
        {"worker",  "DATABASE_URL=postgresql://u@localhost/x", 78, "token of a chat",
         "there is no chat to send a film to"                                                                               },
        {"king",    NULL,                                      2,  "king is not possible", "no such role"                   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const args[] = {"run", "--role", rows[i].role, NULL};
        const char *const env[] = {rows[i].setting, NULL};
        struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
        if (session_wait(s, STOP_MS) != rows[i].status)
            fail_msg("%s: status %d", rows[i].why, s->status);
        AUTO(free_ptr) char *log = session_log(s);
        if (!strstr(log, rows[i].says))
            fail_msg("%s: it says %s", rows[i].why, log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(half_a_program_alone_is_refused, site_open, site_close),
        cmocka_unit_test_setup_teardown(a_worker_is_followed_by_another, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_worker_delivers_to_discord, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
