/* The built program and money: /make without credits, a payment, the film; on the terminal and on
   Telegram; killed around each step between the payment and the operator's wallet; told from the
   shell. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "tests/fake_telegram.h"
#include "tests/fixture_db.h"
#include "tests/http_server.h"
#include "tests/pay_site.h"
#include "tests/pay_world.h"

enum { START_MS = 60000, ANSWER_MS = 20000, VIDEO_MS = 180000, STOP_MS = 30000 };

/* With the stream of confirmations. crash may be NULL. */
static void env_make(struct pay_env *e, const char *crash)
{
    char ws[80];
    pay_env_make(e, crash);
    fake_nano_ws_url(&pay_site_nano, "main", ws);
    pay_env_put(e, str_printf("NANO_WS_URL=%s", ws));
}

static struct session *start(struct site *p, const char *crash)
{
    struct pay_env e;
    env_make(&e, crash);
    struct session *s = session_run(p, false, e.list);
    pay_env_free(&e);
    return s;
}

static int shell(struct site *p, const char *command, const char *argument, struct session **ret)
{
    struct pay_env e;
    env_make(&e, NULL);
    const char *args[] = {command, argument, NULL};
    struct session *s = session_start(p, &(struct session_options){.args = args, .env = e.list});
    pay_env_free(&e);
    *ret = s;
    return session_finish(s, ANSWER_MS * 3);
}

/* --- the terminal --- */

static void make_pay_film(void **state)
{
    struct site *p = *state;
    char path[1024], hash[65], key[65];
    struct session *s = start(p, NULL), *told;
    session_say(s, "/make The moon pulls the sea.\n");
    session_expect(s, "/pay 0.02 ", START_MS); /* what is missing, not a package */
    session_say(s, "/pay 0.02\n");
    session_expect(s, "nano:nano_", ANSWER_MS);
    session_expect(s, "amount=20000000000000000000000000000", ANSWER_MS);
    AUTO(free_ptr) char *address = site_audit(p, "select address from deposit_addresses");
    fake_nano_pay(&pay_site_nano, address, "4000000000000000000000000000",
                  NULL); /* no credit yet */
    session_expect(s, "Part payment: 0.004 XNO", ANSWER_MS);
    session_expect(s, "amount=16000000000000000000000000000", ANSWER_MS);
    fake_nano_pay(&pay_site_nano, address, "11000000000000000000000000000", NULL); /* too little */
    session_expect(s, "+1 credit", ANSWER_MS);
    session_expect(s, "amount=5000000000000000000000000000", ANSWER_MS); /* the rest, anew */
    fake_nano_pay(&pay_site_nano, address, "5000000000000000000000000000", hash);
    session_expect(s, "+1 credit", ANSWER_MS);
    session_expect(s, "Your video has started with it.", ANSWER_MS);
    session_expect(s, "You have 0 credits", ANSWER_MS); /* the video holds them */
    session_path(s, ".mp4", VIDEO_MS, path);            /* by itself */
    session_say(s, "/credits\n");
    memcpy(key, hash, sizeof(key));
    session_expect(s, key, ANSWER_MS);
    site_wait_number(p, "select count(*) from deposits where collected", 3, ANSWER_MS);
    assert_int_equal(session_finish(s, STOP_MS), 0);
    assert_int_equal(site_number(p, "select avail from wallets"), 0);
    AUTO(free_ptr) char *log = session_log(s);
    assert_null(strstr(log, PAY_SITE_SEED));
    /* From the shell: the books agree, the money goes to the wallet, and they still agree. */
    assert_int_equal(shell(p, "reconcile", NULL, &told), 0);
    assert_int_equal(shell(p, "sweep", NULL, &told), 0);
    session_expect(told, "0.02 XNO", 1000);
    assert_int_equal(shell(p, "reconcile", NULL, &told), 0);
    fake_node_no_complaints(&pay_site_nano);
    /* Receipts that the network does not know are told, and the exit status says so. */
    fake_nano_tell(&pay_site_nano, "reset", "{}");
    assert_int_equal(shell(p, "reconcile", NULL, &told), 1);
    session_expect(told, hash, 1000);
}

static bool tell_rate(struct http_server *s, const struct http_request *r)
{
    (void)s;
    return http_reply(r->fd, 200, "", "{\"nano\":{\"usd\":0.934512}}");
}

/* Prices in money that people know, where the operator names a source. */
static void fiat_beside_prices(void **state)
{
    struct site *p = *state;
    struct http_server server;
    struct pay_env e;
    assert_true(http_server_start(&server, tell_rate, NULL));
    env_make(&e, NULL);
    pay_env_put(&e, str_printf("NANO_FIAT_URL=http://127.0.0.1:%d/price", server.port));
    struct session *s = session_run(p, false, e.list);
    pay_env_free(&e);
    for (int i = 0; i < START_MS / 20 && atomic_load(&server.requests) == 0; i++)
        cancel_wait(NULL, 20);
    session_say(s, "/credits\n"); /* by then the answer was read */
    session_expect(s, "Your account", START_MS);
    session_say(s, "/pay\n");
    session_expect(s, "100 credits for 1 XNO ≈ 0.93 USD", ANSWER_MS);
    session_say(s, "/pay 2.5\n");
    session_expect(s, "about 2.33 USD", ANSWER_MS);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    assert_int_equal(atomic_load(&server.requests), 1);
    http_server_stop(&server);
    /* Without a source, none. */
    s = start(p, NULL);
    session_say(s, "/pay\n");
    session_expect(s, "100 credits for 1 XNO", START_MS);
    session_say(s, "/credits\n");
    session_expect(s, "Your account", ANSWER_MS);
    assert_null(strstr(strbuf_text(&s->seen), "≈"));
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
}

/* --- Telegram --- */

static struct session *run_telegram(struct site *p, const struct fake_node *telegram)
{
    struct pay_env e;
    env_make(&e, NULL);
    pay_env_put(&e, str_dup("TELEGRAM_BOT_TOKEN=" FAKE_TOKEN));
    pay_env_put(&e, str_printf("TELEGRAM_API_URL=%s", telegram->url));
    struct session *s = session_run(p, false, e.list);
    pay_env_free(&e);
    return s;
}

static void telegram_make_pay_film(void **state)
{
    struct site *p = *state;
    const int64_t ana = 6123456789;
    struct fake_node telegram;
    fake_start_keeping(&telegram, p->folder);
    struct session *s = run_telegram(p, &telegram);
    fake_say(&telegram, ana, ana, "", "/make How tides work. The moon pulls the sea. 9:16");
    fake_wait_text(&telegram, ana, "text", "2 credits for 0.02 XNO", START_MS);
    fake_press(&telegram, ana, ana, "2 credits for 0.02 XNO");
    AUTO(free_ptr) char *photo = fake_wait_messages(&telegram, ana, "photo", 1, ANSWER_MS);
    assert_non_null(strstr(photo, "nano:nano_"));
    assert_non_null(strstr(photo, "copy_text"));
    AUTO(free_ptr) char *address = site_audit(p, "select address from deposit_addresses");
    assert_non_null(strstr(photo, address));
    fake_nano_pay(&pay_site_nano, address, "20000000000000000000000000000", NULL);
    fake_wait_text(&telegram, ana, "photo", "+2 credits", ANSWER_MS); /* the same message */
    free(fake_wait_messages(&telegram, ana, "video", 1, VIDEO_MS));
    assert_int_equal(fake_messages(&telegram, ana, "photo", NULL), 1);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    assert_int_equal(site_number(p, "select count(*) from jobs where state = 'done'"), 1);
    fake_node_no_complaints(&telegram);
    fake_node_stop(&telegram);
    site_ledger_must_hold(p);
}

/* In a group nobody sees an address or a balance: a link leads to the private chat. */
#define BURN "nano_1111111111111111111111111111111111111111111111111111hifc8npp"

static void telegram_group(void **state)
{
    enum { GROUP_ID = 4987654 };
    const int64_t ana = 6123456789, group = -(int64_t)GROUP_ID;
    struct site *p = *state;
    struct fake_node telegram;
    fake_start_keeping(&telegram, p->folder);
    fake_do(&telegram, "chat", "{\"id\":%lld}", (long long)group);
    struct session *s = run_telegram(p, &telegram);
    fake_say(&telegram, group, ana, "", "/pay@ExampleClipBot 1");
    AUTO(free_ptr) char *link = fake_wait_messages(&telegram, group, "text", 1, START_MS);
    assert_non_null(strstr(link, "start=pay"));
    assert_null(strstr(link, "nano_"));
    assert_int_equal(site_number(p, "select count(*) from orders"), 0);
    /* Claims: one's own only where the answer can be whispered, the group's in the group. */
    char foreign[65];
    fake_nano_pay(&pay_site_nano, BURN, "1000000000000000000000000000000", foreign);
    AUTO(free_ptr) char *mine = str_printf("/pay@ExampleClipBot claim %s", foreign);
    AUTO(free_ptr) char *ours = str_printf("%s group", mine);
    fake_say(&telegram, group, ana, "", mine);
    free(fake_wait_messages(&telegram, group, "text", 2, ANSWER_MS));
    assert_int_equal(site_number(p, "select count(*) from claims"), 0);
    fake_say(&telegram, group, ana, "", ours);
    fake_wait_text(&telegram, group, "text", "No confirmed payment", START_MS);
    assert_int_equal(site_number(p, "select count(*) from claims join users on id = user_id"
                                    " where kind = 'group' and state = 'refused'"),
                     1);
    fake_say(&telegram, ana, ana, "", "/start pay"); /* the link was followed */
    fake_wait_text(&telegram, ana, "text", "100 credits for 1 XNO", ANSWER_MS);
    fake_press(&telegram, ana, ana, "100 credits for 1 XNO");
    free(fake_wait_messages(&telegram, ana, "photo", 1, ANSWER_MS));
    AUTO(free_ptr) char *address = site_audit(p, "select address from deposit_addresses");
    fake_nano_pay(&pay_site_nano, address, "1000000000000000000000000000000", NULL);
    fake_wait_text(&telegram, ana, "photo", "+100 credits", ANSWER_MS);
    assert_int_equal(fake_messages(&telegram, group, "text", NULL), 4);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    fake_node_no_complaints(&telegram);
    fake_node_stop(&telegram);
}

/* One member fills the group's purse, another's video is paid from it, up to what an admin allows;
   the purse goes along when the group becomes a supergroup. */
static void telegram_group_pays(void **state)
{
    const int64_t ana = 6123456789, bob = 6123456790, group = -4987654, super = -1009876543210;
    struct site *p = *state;
    struct fake_node telegram;
    char token[40];
    fake_start_keeping(&telegram, p->folder);
    fake_do(&telegram, "chat", "{\"id\":%lld,\"admins\":[%lld]}", (long long)group, (long long)ana);
    struct session *s = run_telegram(p, &telegram);
    /* The link carries neither the group's id nor its account. */
    fake_say(&telegram, group, ana, "", "/pay@ExampleClipBot group");
    AUTO(free_ptr) char *link = fake_wait_messages(&telegram, group, "text", 1, START_MS);
    const char *at = strstr(link, "start=pay_");
    assert_non_null(at);
    snprintf(token, sizeof(token), "%.33s", at + strlen("start=pay_"));
    AUTO(free_ptr) char *follow = str_printf("/start pay_%s", token);
    fake_say(&telegram, ana, ana, "", follow);
    fake_wait_text(&telegram, ana, "text", "belong to the group", ANSWER_MS);
    fake_press(&telegram, ana, ana, "100 credits for 1 XNO");
    AUTO(free_ptr) char *photo = fake_wait_messages(&telegram, ana, "photo", 1, ANSWER_MS);
    assert_non_null(strstr(photo, "belongs to the group"));
    AUTO(free_ptr) char *address = site_audit(p, "select address from deposit_addresses");
    fake_nano_pay(&pay_site_nano, address, "1000000000000000000000000000000", NULL);
    fake_wait_text(&telegram, ana, "photo", "+100 credits", ANSWER_MS);
    fake_wait_text(&telegram, group, "text", "100 credits for this group", ANSWER_MS);
    assert_int_equal(site_number(p, "select avail from wallets join users on id = user_id"
                                    " where kind = 'group'"),
                     100);
    /* Somebody else spends it, as far as an admin allows. */
    fake_say(&telegram, group, bob, "", "/group cap 4");
    fake_wait_text(&telegram, group, "text", "Only admins", ANSWER_MS);
    fake_say(&telegram, group, ana, "", "/group cap 4");
    fake_wait_text(&telegram, group, "text", "a day: 4 credits", ANSWER_MS);
    fake_say(&telegram, group, bob, "", "/make How tides work. The moon pulls the sea. 9:16");
    fake_wait_text(&telegram, group, "text", "Paid by: this group", ANSWER_MS);
    fake_press(&telegram, group, bob, "Make it");
    free(fake_wait_messages(&telegram, group, "video", 1, VIDEO_MS));
    site_wait_number(p, "select count(*) from jobs where state = 'done' and charged = 3", 1,
                     ANSWER_MS);
    fake_say(&telegram, group, bob, "", "/make Why cats purr. They are happy.");
    fake_wait_text(&telegram, group, "text", "Paid by: your own account", ANSWER_MS);
    /* The chat has another id from now on; the purse is the same, also for who speaks at once. */
    fake_do(&telegram, "migrate", "{\"from\":%lld,\"to\":%lld}", (long long)group,
            (long long)super);
    fake_say(&telegram, super, ana, "", "/make Why dogs bark. They are glad.");
    fake_wait_text(&telegram, super, "text", "Its account has 97 credits", START_MS);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    assert_int_equal(site_number(p, "select avail from wallets join users on id = user_id"
                                    " where kind = 'group' and held = 0"),
                     97);
    struct session *told;
    assert_int_equal(shell(p, "reconcile", NULL, &told), 0);
    fake_node_no_complaints(&telegram);
    fake_node_stop(&telegram);
    site_ledger_must_hold(p);
    site_nowhere(p, "6123456789");
    site_nowhere(p, "6123456790");
    site_nowhere(p, "4987654");
    site_nowhere(p, "9876543210");
}

/* --- kill -9 between each pair of steps --- */

static void killed_at_each_step(void **state)
{
    static const char *const places[] = {
        "address_add.precommit", "order_open.precommit", "order_open.commit", "pay.before_credit",
        "deposit.precommit",     "deposit.commit",       "pay.after_credit",  "collect.signed",
        "block_store.precommit", "block_store.commit",   "collect.stored",    "collect.published",
        "block_move.precommit",  "block_move.commit",    "collect.confirmed",
    };
    struct site *p = *state;
    char address[160] = "";
    for (int i = 0; i < (int)COUNT(places); i++) {
        AUTO(free_ptr) char *paid = str_printf("select count(*) from deposits");
        struct session *s = start(p, places[i]);
        bool early = i < 3; /* while the order is made: nobody has seen an address yet */
        session_say(s, "/pay 1\n");
        if (early) {
            if (session_wait(s, START_MS) != 128 + SIGKILL)
                fail_msg("%s was not reached", places[i]);
            s = start(p, NULL);
            session_say(s, "/pay 1\n");
        }
        session_expect(s, "nano:nano_", START_MS);
        if (!address[0]) {
            AUTO(free_ptr) char *text = site_audit(p, "select address from deposit_addresses");
            str_copy(address, sizeof(address), text);
        }
        fake_nano_pay(&pay_site_nano, address, "1000000000000000000000000000000", NULL);
        if (!early) {
            if (session_wait(s, START_MS) != 128 + SIGKILL)
                fail_msg("%s was not reached", places[i]);
            s = start(p, NULL);
            session_say(s, "/credits\n"); /* it has the database before this test looks into it */
            session_expect(s, "Your account", START_MS);
        }
        site_wait_number(p, paid, i + 1, START_MS);
        site_wait_number(p, "select count(*) from deposits where collected", i + 1, START_MS);
        session_signal(s, SIGTERM);
        assert_int_equal(session_wait(s, STOP_MS), 0);
        if (site_number(p, "select avail from wallets") != 1 + 100 * (i + 1))
            fail_msg("%s: %lld credits", places[i],
                     (long long)site_number(p, "select avail from wallets"));
        site_forget_sessions(p);
    }
    assert_int_equal(site_number(p, "select count(*) from deposit_addresses"), 1);
    assert_int_equal(site_number(p, "select count(*) from blocks where state <> 'confirmed'"), 0);
    struct session *told;
    assert_int_equal(shell(p, "reconcile", NULL, &told), 0);
    fake_node_no_complaints(&pay_site_nano);
}

/* --- refunds --- */

#define HOME "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"

/* Asked, agreed to, sent, confirmed: killed at each step, told in the end, once on the chain. */
static void refund_killed_at_each_step(void **state)
{
    static const char *const places[] = {
        "refund_ask.precommit", "refund_ask.commit", "refund_agree.precommit",
        "refund_agree.commit",  "refund.signed",     "refund_link.precommit",
        "refund_link.commit",   "refund.stored",     "collect.published",
        "refund_end.precommit", "refund_end.commit",
    };
    enum { EACH = 10 };
    struct site *p = *state;
    struct session *s = start(p, NULL), *told;
    session_say(s, "/pay 2\n");
    session_expect(s, "nano:nano_", START_MS);
    AUTO(free_ptr) char *address = site_audit(p, "select address from deposit_addresses");
    fake_nano_pay(&pay_site_nano, address, "2000000000000000000000000000000", NULL);
    session_expect(s, "+220 credits", ANSWER_MS);
    session_say(s, "/refund\n");
    session_expect(s, "/refund ADDRESS", ANSWER_MS);
    session_say(s, "/refund " HOME "x\n");
    session_expect(s, "no Nano address", ANSWER_MS);
    session_say(s, "/help\n");
    session_expect(s, "/refund: ", ANSWER_MS);
    site_wait_number(p, "select count(*) from deposits where collected", 1, START_MS);
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, STOP_MS), 0);
    assert_int_equal(shell(p, "address", "--treasury", &told), 0);
    session_expect(told, "0 XNO", 1000);
    char treasury[NANO_ADDRESS];
    snprintf(treasury, sizeof(treasury), "%.65s", strstr(strbuf_text(&told->seen), "nano_"));
    fake_nano_pay(&pay_site_nano, treasury, "5000000000000000000000000000000", NULL);
    assert_int_equal(shell(p, "address", "--treasury", &told), 0);
    session_expect(told, "5 XNO", 1000);
    (void)shell(p, "doctor", NULL, &told);
    session_expect(told, "money for refunds: 5 XNO", 1000);
    for (int i = 0; i < (int)COUNT(places); i++) {
        site_forget_sessions(p);
        s = start(p, places[i]);
        session_say(s, "/refund " HOME " 10\n");
        if (i >= 2) {
            session_expect(s, HOME, START_MS);
            session_say(s, "/refund yes\n");
        }
        if (session_wait(s, START_MS) != 128 + SIGKILL)
            fail_msg("%s was not reached", places[i]);
        s = start(p, NULL);
        if (i < 3) { /* nothing had moved yet, whatever was answered */
            session_say(s, "/refund " HOME " 10\n");
            session_expect(s, HOME, START_MS);
            session_say(s, "/refund yes\n");
        } else {
            session_say(s, "/credits\n");
            session_expect(s, "Your account", START_MS);
        }
        site_wait_number(p, "select count(*) from refunds where told = 'done'", i + 1, START_MS);
        session_signal(s, SIGTERM);
        assert_int_equal(session_wait(s, STOP_MS), 0);
    }
    assert_int_equal(site_number(p, "select avail from wallets"), 1 + 200 - EACH * COUNT(places));
    assert_int_equal(site_number(p, "select count(*) from blocks where kind = 'send' and address"
                                    " not in (select address from deposit_addresses)"),
                     COUNT(places));
    assert_int_equal(shell(p, "reconcile", NULL, &told), 0);
    fake_node_no_complaints(&pay_site_nano);
    site_ledger_must_hold(p);
}

/* --- two machines, one database --- */

static struct session *start_on(struct site *p, int machine)
{
    struct pay_env e;
    env_make(&e, NULL);
    pay_env_put(&e, str_printf("DATABASE_URL=%s", fixture_db_url()));
    pay_env_put(&e, str_printf("NANOTIK_DATA=%s/data%d", p->folder, machine));
    pay_env_put(&e, str_dup("NANOTIK_ID_KEY=the same key on both machines"));
    struct session *s = session_run(p, false, e.list);
    pay_env_free(&e);
    return s;
}

/* The one that watches for payments dies in the middle of them, twice; the other goes on. */
static void two_machines(void **state)
{
    enum { ROUNDS = 3, EACH = 12 };
    struct site *p = *state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    struct session *s[2] = {start_on(p, 0), start_on(p, 1)};
    session_say(s[0], "/pay 1\n");
    session_expect(s[0], "  nano_", START_MS);
    char address[NANO_ADDRESS];
    const char *line = strstr(strbuf_text(&s[0]->seen), "  nano_");
    snprintf(address, sizeof(address), "%.65s", line + 2);
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < EACH; k++)
            fake_nano_pay(&pay_site_nano, address, "10000000000000000000000000000", NULL);
        if (i == ROUNDS - 1)
            break;
        AUTO(free_ptr)
        char *sql = str_printf("select count(*) from leases where name = 'payments'"
                               " and split_part(holder, ':', 2) = '%d'",
                               (int)s[0]->pid);
        int holder = fixture_db_number(db, sql) ? 0 : 1;
        session_signal(s[holder], SIGKILL);
        session_wait(s[holder], STOP_MS);
        s[holder] = start_on(p, holder);
    }
    pay_wait(db, "select count(*) from deposits", ROUNDS * EACH, START_MS);
    pay_wait(db, "select sum(avail)::bigint from wallets", 1 + ROUNDS * EACH, ANSWER_MS);
    pay_wait(db, "select count(*) from deposits where collected", ROUNDS * EACH, 2 * START_MS);
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks where state = 'refused'"),
                     0);
    for (int i = 0; i < 2; i++) {
        session_signal(s[i], SIGTERM);
        assert_int_equal(session_wait(s[i], STOP_MS), 0);
    }
    fake_node_no_complaints(&pay_site_nano);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, pay_site_open, pay_site_close)
    const struct CMUnitTest tests[] = {
        CASE(make_pay_film),
        CASE(telegram_make_pay_film),
        CASE(telegram_group),
        CASE(telegram_group_pays),
        CASE(two_machines),
        CASE(killed_at_each_step),
        CASE(refund_killed_at_each_step),
        CASE(fiat_beside_prices),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
