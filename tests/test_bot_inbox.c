/* From arrival to answer: command workers, order per chat, and what must not hold up others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bot/bot.h"
#include "bot/event_json.h"
#include "bot/inbox.h"
#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "tests/fixture_db.h"
#include "tests/inbox_world.h"

static struct inbox_world w;
static atomic_int asked, admin_after; /* is_admin: unknown so often at first */

static int is_admin(void *self, const struct chat_addr *where, const char *user_id)
{
    (void)self, (void)where;
    if (atomic_fetch_add(&asked, 1) < atomic_load(&admin_after))
        return -1;
    return strcmp(user_id, "boss") == 0;
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&asked, 0);
    atomic_store(&admin_after, 0);
    inbox_world_open(&w, 8);
    w.ops.is_admin = is_admin;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    inbox_world_close(&w);
    return 0;
}

static void start_workers(void)
{
    struct err e;
    assert_true(inbox_start(&w.bot, &w.bot.inbox, &e));
}

static int64_t number(const char *sql)
{
    return fixture_db_number(w.bot.db, sql);
}

static void wait_number(const char *sql, int64_t want)
{
    fixture_db_wait(w.bot.db, sql, want, 10000);
}

static void every_field_survives_the_wait(void **state)
{
    (void)state;
    static const char *const media[] = {"p:AgAC", "v:BAAC"};
    struct chat_event out,
        in = inbox_event("7:12:99", "-100", "/make \"tides\"\n\\ \xf0\x9f\x8c\x8a");
    AUTO(arena_free) struct arena arena = {0};
    struct err e;
    in.kind = CHAT_BUTTON;
    in.card_ref = "-100:5";
    in.quoted = "before";
    in.press = "4382b";
    in.is_group = in.is_group_admin = in.is_moderator = in.repaired = true;
    in.video_bytes_max = 1LL << 40;
    in.media = media;
    in.media_count = 2;
    str_copy(in.addr.thread, sizeof(in.addr.thread), "42");
    str_copy(in.addr.reply, sizeof(in.addr.reply), "977");
    str_copy(in.addr.group, sizeof(in.addr.group), "-9");
    AUTO(free_ptr) char *json = event_to_json(&in);
    assert_true(event_from_json(json, &arena, &out, &e));
    AUTO(free_ptr) char *again = event_to_json(&out);
    assert_string_equal(json, again);
    assert_string_equal(out.text, in.text);
    assert_string_equal(out.press, in.press);
    assert_string_equal(out.event_id, in.event_id);
    assert_memory_equal(&out.addr, &in.addr, sizeof(in.addr));
    assert_int_equal(out.video_bytes_max, in.video_bytes_max);
    assert_string_equal(out.media[1], "v:BAAC");
    assert_false(event_from_json("[1", &arena, &out, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
}

/* One transaction for all and the cursor; a repeat, also in parts, changes nothing but the cursor. */
static void a_batch_is_stored_with_its_cursor(void **state)
{
    (void)state;
    enum { N = 100 };
    struct chat_event batch[N];
    char id[N][8], chat[N][8], cursor[CHAT_CURSOR_MAX];
    for (int i = 0; i < N; i++) {
        snprintf(id[i], sizeof(id[i]), "%d", i);
        snprintf(chat[i], sizeof(chat[i]), "c%d", i % 7);
        batch[i] = inbox_event(id[i], chat[i], "/help");
    }
    assert_false(bot_cursor(&w.bot, "fake", cursor));
    assert_true(bot_on_events(&w.bot, batch, N, "7:100"));
    assert_int_equal(number("select count(distinct xmin::text) from events"), 1);
    assert_true(bot_cursor(&w.bot, "fake", cursor));
    assert_string_equal(cursor, "7:100");
    assert_true(bot_on_events(&w.bot, batch + 50, 50, "7:50")); /* numbering went down */
    assert_true(bot_cursor(&w.bot, "fake", cursor));
    assert_string_equal(cursor, "7:50");
    start_workers();
    wait_number("select count(*) from events", 0);
    assert_int_equal(number("select count(*) from outbox"), N);
}

/* What no key opens and no parser reads is ended alone; its neighbours are answered. */
static void poison_harms_only_itself(void **state)
{
    (void)state;
    struct chat_event batch[] = {inbox_event("1", "a", "/help"), inbox_event("2", "b", "/help"),
                                 inbox_event("3", "c", "/help"), inbox_event("4", "b", "/terms")};
    size_t huge = 17u << 20;
    char *text = malloc(huge + 1);
    memset(text, 'x', huge);
    text[huge] = '\0';
    batch[2].text = text; /* longer than an event may be */
    assert_true(bot_on_events(&w.bot, batch, COUNT(batch), NULL));
    free(text);
    fixture_db_sql(w.bot.db, "update events set body = 'nonsense' where id ="
                             " (select id from events order by id offset 1 limit 1)");
    start_workers();
    wait_number("select count(*) from events", 0);
    assert_int_equal(number("select count(*) from outbox"), 2); /* a's help and b's terms */
}

struct hold {
    atomic_bool held, let_go;
};

static bool hold_body(struct db_tx *tx, void *data, struct err *e)
{
    struct hold *h = data;
    if (!db_exec(tx, "select 1 from wallets for update", NULL, 0, NULL, e))
        return false;
    atomic_store(&h->held, true);
    while (!atomic_load(&h->let_go))
        usleep(1000);
    return true;
}

static void *hold_main(void *data)
{
    struct err e;
    db_run(w.bot.db, hold_body, data, &e);
    return NULL;
}

/* Somebody's command waits for a lock for long: others are stored and answered meanwhile, and the
   rest of that chat keeps its order. */
static void a_slow_command_holds_up_its_own_chat_only(void **state)
{
    (void)state;
    struct hold hold = {0};
    pthread_t thread;
    struct chat_event hello = inbox_event("0", "slow", "/start");
    assert_true(bot_on_events(&w.bot, &hello, 1, NULL));
    start_workers();
    wait_number("select count(*) from outbox", 1);
    assert_int_equal(pthread_create(&thread, NULL, hold_main, &hold), 0);
    while (!atomic_load(&hold.held))
        usleep(1000);
    struct chat_event batch[] = {inbox_event("1", "slow", "/forget yes"),
                                 inbox_event("2", "slow", "/lang zh"),
                                 inbox_event("3", "quick", "/start")};
    int64_t begin = clock_mono_ms();
    assert_true(bot_on_events(&w.bot, batch, COUNT(batch), NULL));
    wait_number("select count(*) from events", 2);
    assert_int_equal(number("select count(*) from outbox"), 2);
    struct chat_event more[] = {inbox_event("4", "other", "/start"),
                                inbox_event("5", "third", "/help")};
    assert_true(bot_on_events(&w.bot, more, COUNT(more), NULL));
    wait_number("select count(*) from outbox", 4);
    assert_true(clock_mono_ms() - begin < 8000); /* the lock is held all the time */
    atomic_store(&hold.let_go, true);
    pthread_join(thread, NULL);
    wait_number("select count(*) from events", 0);
    /* First forgotten, then a new account that speaks Chinese. */
    assert_int_equal(number("select count(*) from users where forgotten_at is not null"), 1);
    assert_int_equal(number("select count(*) from users where lang = 'zh'"), 1);
}

/* Each chat hears its numbers in order, whoever deals with them. */
static void order_is_kept_per_chat(void **state)
{
    (void)state;
    enum { CHATS = 5, PER_CHAT = 30 };
    struct chat_event batch[CHATS * PER_CHAT];
    char id[CHATS * PER_CHAT][8], chat[CHATS][8];
    static const char *const langs[] = {"/lang en", "/lang zh", "/lang ar"};
    for (int i = 0; i < CHATS * PER_CHAT; i++) {
        snprintf(chat[i % CHATS], sizeof(chat[0]), "c%d", i % CHATS);
        snprintf(id[i], sizeof(id[i]), "%d", i);
        batch[i] = inbox_event(id[i], chat[i % CHATS], langs[i / CHATS % COUNT(langs)]);
    }
    start_workers();
    for (int i = 0; i < CHATS * PER_CHAT; i += 50)
        assert_true(bot_on_events(&w.bot, batch + i, 50, NULL));
    wait_number("select count(*) from events", 0);
    /* Answers come in the language just chosen: in the order of asking. */
    assert_int_equal(number("select count(*) from (select body, lag(body, 3) over"
                            " (partition by lane order by id) as before from outbox) o"
                            " where before is not null and body <> before"),
                     0);
    assert_int_equal(number("select count(*) from outbox"), CHATS * PER_CHAT);
}

/* Faster than the network takes answers: that chat waits, its cards stay bounded. */
static void a_flood_waits_for_its_answers(void **state)
{
    (void)state;
    enum { N = 150 };
    struct chat_event batch[N], quick = inbox_event("q", "quick", "/help");
    char id[N][8];
    for (int i = 0; i < N; i++) {
        snprintf(id[i], sizeof(id[i]), "%d", i);
        batch[i] = inbox_event(id[i], "flood", "/help");
    }
    start_workers();
    assert_true(bot_on_events(&w.bot, batch, N, NULL));
    wait_number("select count(*) from events", N - 64);
    assert_true(bot_on_events(&w.bot, &quick, 1, NULL));
    wait_number("select count(*) from outbox", 65);
    usleep(600000);
    assert_int_equal(number("select count(*) from outbox"), 65);
    fixture_db_sql(w.bot.db, "update outbox set state = 'sent'");
    wait_number("select count(*) from events", N - 128);
}

/* As many wait as may: the network keeps the rest, also for a process that just started; it goes on
   as soon as there is room. */
static void a_full_inbox_takes_no_more(void **state)
{
    (void)state;
    struct chat_event one = inbox_event("1", "a", "/help");
    fixture_db_sql(w.bot.db, "insert into events(network, lane, body, not_before)"
                             " select 'fake', sha256(n::text::bytea), 'x', now() + interval '1 h'"
                             " from generate_series(1, 5000) n");
    start_workers();
    int64_t begin = clock_mono_ms();
    assert_false(bot_on_events(&w.bot, &one, 1, NULL));
    assert_true(clock_mono_ms() - begin < 5000); /* the poller is not held for long */
    assert_int_equal(number("select count(*) from events"), 5000);
    fixture_db_sql(w.bot.db, "delete from events");
    assert_true(bot_on_events(&w.bot, &one, 1, NULL));
    wait_number("select count(*) from outbox", 1);
}

/* A moderator's first press counts: the command waits until it is known who leads the group. */
static void leaders_are_known_before_the_command_runs(void **state)
{
    (void)state;
    struct chat_event talk = inbox_event("1", "g", "/help"),
                      stop = inbox_event("2", "g", "/cancel 1234");
    talk.is_group = stop.is_group = true;
    atomic_store(&admin_after, 3);
    start_workers();
    assert_true(bot_on_events(&w.bot, &talk, 1, NULL));
    wait_number("select count(*) from events", 0);
    assert_int_equal(atomic_load(&asked), 0); /* it does not matter for /help */
    assert_true(bot_on_events(&w.bot, &stop, 1, NULL));
    wait_number("select count(*) from events", 0);
    assert_int_equal(atomic_load(&asked), 4);
    /* When nobody can say it, the person does not lead, and is answered within seconds. */
    struct chat_event again = inbox_event("3", "g", "/cancel 1234");
    again.is_group = true;
    atomic_store(&admin_after, 1000);
    assert_true(bot_on_events(&w.bot, &again, 1, NULL));
    wait_number("select count(*) from events", 0);
    assert_int_equal(number("select count(*) from outbox"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_field_survives_the_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_is_stored_with_its_cursor, setup, teardown),
        cmocka_unit_test_setup_teardown(poison_harms_only_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_command_holds_up_its_own_chat_only, setup, teardown),
        cmocka_unit_test_setup_teardown(order_is_kept_per_chat, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_waits_for_its_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_inbox_takes_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(leaders_are_known_before_the_command_runs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
