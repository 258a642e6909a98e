/* Blocks of ours that nodes refuse: nothing is given up on the word of a node, everything that time
 * mends is mended, the operator is told, and what provably lost makes room for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/pay/nano_internal.h"
#include "tests/fixture_db.h"
#include "tests/pay_world.h"

#define COLLECTED "select count(*) from deposits where collected"
#define REFUSED "select count(*) from blocks where state = 'refused'"
#define CONFIRMED "select count(*) from blocks where state = 'confirmed'"
#define AGAIN "update blocks set next_at = now() where state in ('stored', 'published')"

/* Rounds of the collector, by hand, and as if time went by; until sql says want. */
static void rounds(struct pay_world *w, const char *sql, int64_t want)
{
    struct nano_payment *p = w->pay.self;
    for (int i = 0; i < 300 && fixture_db_number(w->db, sql) != want; i++) {
        struct err e = {0};
        struct raw swept = RAW_ZERO;
        bool busy = false;
        p->receive_at = p->sweep_at = 0;
        (void)nano_collect_round(p, p->o.sweep_above, NULL, &busy, &swept, &e);
        fixture_db_sql(w->db, AGAIN);
        cancel_wait(NULL, 10);
    }
    assert_int_equal(fixture_db_number(w->db, sql), want);
}

/* A payment is credited by hand: no thread runs in these worlds. */
static void pay(struct pay_world *w, const char *address, const char *amount)
{
    char hash[65];
    struct nano_hash h;
    struct err e = {0};
    fake_nano_pay(&pay_fake, address, amount, hash);
    assert_true(nano_hash_parse(hash, &h));
    assert_true(nano_credit_hashes(w->pay.self, &h, 1, &e));
}

static void open_world(struct pay_world *w, struct db *db, const char *sweep)
{
    pay_open(w, db, &pay_fake, &(struct pay_options){.stopped = true, .sweep = sweep});
}

static int64_t stuck(struct db *db)
{
    return fixture_db_number(db, "select count(*) from blocks where refusals >= 5"
                                 " and state in ('stored', 'published')");
}

struct text_ctx {
    const char *sql;
    char *text;
};

static bool text_body(struct db_tx *tx, void *data, struct err *e)
{
    struct text_ctx *c = data;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, c->sql, NULL, 0, &rows, e))
        return false;
    free(c->text);
    c->text = str_dup(db_text(rows, 0, 0));
    return true;
}

static char *text_of(struct db *db, const char *sql)
{
    struct text_ctx c = {.sql = sql};
    struct err e = {0};
    if (!db_run(db, text_body, &c, &e))
        fail_msg("%s: %s", sql, e.detail);
    return c.text;
}

static struct nano_hash newest_ref(struct db *db)
{
    struct nano_hash h;
    AUTO(free_ptr) char *ref = text_of(db, "select ref from deposits order by at desc limit 1");
    assert_true(nano_hash_parse(ref, &h));
    return h;
}

/* Whatever every node says: the block stays, is tried ever more rarely, is listed, and in the end the
   money is received with the same bytes. */
static void nothing_is_given_up_on_a_nodes_word(void **state)
{
    static const char *const errors[] = {
        "Fork",
        "Unreceivable",
        "Bad signature",
        "Balance and amount delta do not match",
        "Invalid block balance for given subtype",
        "Gap previous block",
        "Gap source block",
        "Block work is insufficient",
        "This block cannot follow the previous block",
        "Block is invalid",
        "Negative spend",
    };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], address[PAY_ADDRESS];
    fixture_db_account(db, "ann", 0, ann);
    open_world(&w, db, NULL);
    pay_address(&w, ann, address);
    for (int i = 0; i < (int)COUNT(errors); i++) {
        fake_nano_tell(&pay_fake, "fault",
                       "{\"on\":\"process\",\"kind\":\"error\",\"error\":\"%s\",\"times\":-1}",
                       errors[i]);
        pay(&w, address, "1" XNO);
        rounds(&w, "select count(*) from blocks where refusals = 7", 1);
        if (fixture_db_number(db, REFUSED) != 0 || fixture_db_number(db, COLLECTED) != i)
            fail_msg("given up: %s", errors[i]);
        assert_int_equal(stuck(db), 1);
        /* It does not keep `nanotik sweep` waiting. */
        struct err e = {0};
        struct raw swept = RAW_ZERO;
        bool busy = true;
        fixture_db_sql(db, "update blocks set next_at = now() + interval '1 min'");
        assert_true(nano_collect_round(w.pay.self, RAW_ZERO, NULL, &busy, &swept, &e));
        assert_false(busy);
        assert_int_equal(pay_differences(&w, false), 1);
        fake_nano_tell(&pay_fake, "clear", "{}");
        fixture_db_sql(db, AGAIN);
        rounds(&w, COLLECTED, i + 1);
        assert_int_equal(stuck(db), 0);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks"), COUNT(errors));
    assert_int_equal(pay_differences(&w, true), 0);
    pay_close(&w);
}

/* A node that refuses a block, and shows others that are said to be in its place: of somebody else, or
   not final. */
static void made_up_rivals_prove_nothing(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], address[PAY_ADDRESS], stranger[65];
    fixture_db_account(db, "ann", 0, ann);
    open_world(&w, db, NULL);
    pay_address(&w, ann, address);
    fake_nano_pay(&pay_fake, PAY_WALLET, "1" XNO, stranger);
    for (int i = 0; i < 2; i++) { /* the first block of the account, and a later one */
        fake_nano_tell(&pay_fake, "fault",
                       "{\"on\":\"process\",\"kind\":\"error\",\"error\":\"Fork\",\"times\":-1}");
        fake_nano_tell(
            &pay_fake, "fault",
            "{\"on\":\"blocks_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":{\"blocks\":"
            "{\"*\":{\"successor\":\"%s\",\"receive_hash\":\"%s\"}}}}",
            stranger, stranger);
        pay(&w, address, "1" XNO);
        rounds(&w, "select count(*) from blocks where state = 'stored' and refusals > 0", 1);
        if (i == 0)
            fake_nano_tell(
                &pay_fake, "fault",
                "{\"on\":\"account_info\",\"kind\":\"reply\",\"times\":-1,\"reply\":{"
                "\"frontier\":\"%s\",\"open_block\":\"%s\",\"confirmed_frontier\":\"%s\","
                "\"balance\":\"1\",\"block_count\":\"1\",\"representative\":\"%s\"}}",
                stranger, stranger, stranger, PAY_WALLET);
        rounds(&w, "select count(*) from blocks where refusals = 4", 1);
        assert_int_equal(fixture_db_number(db, REFUSED), 0);
        fake_nano_tell(&pay_fake, "clear", "{}");
        rounds(&w, COLLECTED, i + 1);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from blocks"), 2);
    pay_close(&w);
}

/* The same with a block that would really exclude ours, if only we had signed it. */
static void an_unsigned_rival_proves_nothing(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    struct nano_account ours;
    struct nano_block rival;
    struct nano_hash hash;
    struct err e = {0};
    bool opened = false;
    char ann[UUID_TEXT], address[PAY_ADDRESS], hex[NANO_HEX];
    fixture_db_account(db, "ann", 0, ann);
    open_world(&w, db, NULL);
    pay_address(&w, ann, address);
    pay(&w, address, "1" XNO);
    rounds(&w, COLLECTED, 1);
    assert_true(nano_account_parse(address, &ours));
    assert_true(nano_read_frontier(w.pay.self, &ours, &rival, &opened, NULL, &e));
    pay(&w, address, "2" XNO);
    rival.link = newest_ref(db); /* it takes the place, and the payment too */
    assert_true(raw_add(rival.balance, RAW_XNO, &rival.balance));
    nano_block_hash(&rival, &hash);
    nano_hash_print(&hash, hex);
    AUTO(strbuf_free) struct strbuf text = STRBUF(4096);
    nano_block_put_json(&rival, &text);
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"process\",\"kind\":\"error\",\"error\":\"Fork\",\"times\":-1}");
    fake_nano_tell(
        &pay_fake, "fault",
        "{\"on\":\"blocks_info\",\"has\":\"%s\",\"kind\":\"reply\",\"times\":-1,\"reply\":{"
        "\"blocks\":{\"%s\":{\"block_account\":\"%s\",\"confirmed\":\"true\","
        "\"contents\":%s}},\"blocks_not_found\":\"\"}}",
        hex, hex, address, strbuf_text(&text));
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"blocks_info\",\"kind\":\"patch\",\"times\":-1,\"patch\":{\"blocks\":"
                   "{\"*\":{\"successor\":\"%s\",\"receive_hash\":\"%s\"}}}}",
                   hex, hex);
    rounds(&w, "select count(*) from blocks where refusals = 4", 1);
    assert_int_equal(fixture_db_number(db, REFUSED), 0);
    fake_nano_tell(&pay_fake, "clear", "{}");
    rounds(&w, COLLECTED, 2);
    pay_close(&w);
}

/* From 4 seconds to an hour. */
static void tries_become_rare(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    struct err e = {0};
    char ann[UUID_TEXT], address[PAY_ADDRESS];
    fixture_db_account(db, "ann", 0, ann);
    open_world(&w, db, NULL);
    pay_address(&w, ann, address);
    fake_nano_tell(
        &pay_fake, "fault",
        "{\"on\":\"process\",\"kind\":\"error\",\"error\":\"Bad signature\",\"times\":-1}");
    pay(&w, address, "1" XNO);
    int64_t before = 0;
    for (int i = 1; i <= 14; i++) {
        AUTO(free_ptr)
        char *so_many = str_printf("select count(*) from blocks where refusals = %d", i);
        rounds(&w, so_many, 1);
        /* rounds makes it due at once: one more look, undisturbed, shows the pace */
        struct raw swept = RAW_ZERO;
        bool busy = false;
        assert_true(nano_collect_round(w.pay.self, RAW_ZERO, NULL, &busy, &swept, &e));
        int64_t wait = fixture_db_number(
            db, "select round(extract(epoch from next_at - now()))::bigint from blocks");
        assert_in_range(wait, before, 3600);
        before = wait;
        i = (int)fixture_db_number(db, "select refusals from blocks");
    }
    assert_in_range(before, 3590, 3600);
    pay_close(&w);
}

/* A block by another wallet with this seed. */
static void by_another_wallet(struct pay_world *w, const char *address, uint32_t index,
                              const struct nano_hash *link, struct raw amount, bool sends)
{
    struct nano_payment *p = w->pay.self;
    struct nano_account ours;
    struct nano_block b;
    struct nano_hash root;
    struct err e = {0};
    bool opened = false;
    enum nano_published result;
    assert_true(nano_account_parse(address, &ours));
    assert_true(nano_read_frontier(p, &ours, &b, &opened, NULL, &e));
    b.link = *link;
    b.representative = ours; /* or it would be the very block that we make */
    assert_true(sends ? raw_sub(b.balance, amount, &b.balance)
                      : raw_add(b.balance, amount, &b.balance));
    assert_true(nano_block_sign(&b, p->o.seed, index, &e));
    nano_block_root(&b, &root);
    assert_true(work_pool_wait(p->o.work, &root, FAKE_NANO_SEND, -1, NULL, &b.work, &e));
    enum nano_subtype kind = sends ? NANO_SEND : opened ? NANO_RECEIVE : NANO_OPEN;
    assert_true(p->o.node.ops->process(p->o.node.self, &b, kind, &result, NULL, &e));
    assert_int_equal(result, NANO_PUBLISHED);
    cancel_wait(NULL, 30); /* confirmed */
}

/* Another wallet with this seed receives first: at the first block of the account, later, and before
   we have built anything. Nothing waits for ever, and the next payment is received by us. */
static void another_wallet_receives(void **state)
{
    (void)state;
    for (int opened = 0; opened < 2; opened++) {
        for (int built = 0; built < 2; built++) {
            AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
            struct pay_world w;
            char ann[UUID_TEXT], address[PAY_ADDRESS];
            pay_reset(NULL);
            fixture_db_account(db, "ann", 0, ann);
            open_world(&w, db, NULL);
            pay_address(&w, ann, address);
            if (opened) {
                pay(&w, address, "1" XNO);
                rounds(&w, COLLECTED, 1);
            }
            pay(&w, address, "2" XNO);
            struct nano_hash link = newest_ref(db);
            if (built) { /* ours is stored, not published */
                fake_nano_tell(&pay_fake, "fault",
                               "{\"on\":\"process\",\"kind\":\"status\",\"code\":500,\"times\":1}");
                rounds(&w, "select count(*) from blocks where state = 'stored'", 1);
            }
            struct raw two = {RAW_XNO.value * 2};
            by_another_wallet(&w, address, 1, &link, two, false);
            rounds(&w, COLLECTED, opened + 1);
            assert_int_equal(fixture_db_number(db, REFUSED), 1);
            pay(&w, address, "3" XNO);
            rounds(&w, COLLECTED, opened + 2);
            assert_int_equal(fixture_db_number(db, CONFIRMED), opened + 1);
            assert_int_equal(stuck(db), 0);
            pay_close(&w);
        }
    }
}

/* Another wallet takes the place of a stored receive with a send: it is built again behind that. */
static void another_wallet_is_in_our_place(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char ann[UUID_TEXT], address[PAY_ADDRESS];
    fixture_db_account(db, "ann", 0, ann);
    open_world(&w, db, NULL);
    pay_address(&w, ann, address);
    pay(&w, address, "2" XNO);
    rounds(&w, COLLECTED, 1);
    pay(&w, address, "3" XNO);
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"process\",\"kind\":\"status\",\"code\":500,\"times\":1}");
    rounds(&w, "select count(*) from blocks where state = 'stored'", 1);
    struct nano_payment *p = w.pay.self;
    struct nano_hash to = nano_hash_of(&p->wallet);
    by_another_wallet(&w, address, 1, &to, RAW_XNO, true);
    rounds(&w, COLLECTED, 2);
    assert_int_equal(fixture_db_number(db, REFUSED), 1);
    assert_int_equal(fixture_db_number(db, CONFIRMED), 2);
    pay_close(&w);
}

/* Accounts that cannot be swept do not keep the others, or `nanotik sweep`, waiting: one that another
   wallet with this seed went on with, one of an earlier seed. */
static void odd_accounts_keep_nobody_waiting(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    struct err e = {0};
    char id[3][UUID_TEXT], address[3][PAY_ADDRESS], moved[PAY_AMOUNT];
    static const char *const names[] = {"ann", "bob", "eve"};
    open_world(&w, db, NULL);
    for (int i = 0; i < 3; i++) {
        fixture_db_account(db, names[i], 0, id[i]);
        pay_address(&w, id[i], address[i]);
        pay(&w, address[i], "2" XNO);
    }
    rounds(&w, COLLECTED, 3);
    struct nano_payment *p = w.pay.self;
    struct nano_hash to = nano_hash_of(&p->wallet);
    by_another_wallet(&w, address[0], 1, &to, RAW_XNO, true);
    fixture_db_sql(db, "insert into deposit_seeds(print) values ('00000000000000ff')");
    AUTO(free_ptr)
    char *sql = str_printf(
        "update deposit_addresses set print = '00000000000000ff' where address = '%s'", address[1]);
    fixture_db_sql(db, sql);
    if (!w.pay.ops->collect(w.pay.self, NULL, moved, &e))
        fail_msg("sweep: %s", e.detail);
    assert_string_equal(moved, "2"); /* eve's */
    pay_close(&w);
}

/* A node that answers one block with something that nobody understands: the other accounts go on. */
static void one_block_holds_up_no_other(void **state)
{
    enum { MANY = 6 };
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    struct pay_world w;
    char id[UUID_TEXT], address[PAY_ADDRESS];
    open_world(&w, db, NULL);
    for (int i = 0; i < MANY; i++) {
        char name[8];
        snprintf(name, sizeof(name), "u%d", i);
        fixture_db_account(db, name, 0, id);
        pay_address(&w, id, address);
        pay(&w, address, "1" XNO);
    }
    AUTO(free_ptr) char *first = text_of(db, "select min(address) from deposit_addresses");
    fake_nano_tell(&pay_fake, "fault",
                   "{\"on\":\"process\",\"has\":\"%s\",\"kind\":\"error\",\"error\":\"Bad moon\","
                   "\"times\":-1}",
                   first);
    rounds(&w, COLLECTED, MANY - 1);
    fake_nano_tell(&pay_fake, "clear", "{}");
    rounds(&w, COLLECTED, MANY);
    pay_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PAY_CASE(nothing_is_given_up_on_a_nodes_word),
        PAY_CASE(made_up_rivals_prove_nothing),
        PAY_CASE(an_unsigned_rival_proves_nothing),
        PAY_CASE(tries_become_rare),
        PAY_CASE(another_wallet_receives),
        PAY_CASE(another_wallet_is_in_our_place),
        PAY_CASE(odd_accounts_keep_nobody_waiting),
        PAY_CASE(one_block_holds_up_no_other),
    };
    if (argc > 1) /* only this case */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, pay_start, pay_stop);
}
