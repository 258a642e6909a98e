#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/seal.h"
#include "core/db/store_account.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

struct find {
    struct db *db;
    const char *network, *platform_id;
    bool is_group;
    int trial;
    struct account account;
    bool good;
};

static bool find_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct find *f = ctx;
    return account_find(tx, f->network, f->platform_id, f->is_group, f->trial, &f->account, e);
}

static struct account find(struct db *db, const char *network, const char *id, int trial)
{
    struct err e = {0};
    struct find f = {.network = network, .platform_id = id, .trial = trial};
    if (!db_run(db, find_body, &f, &e))
        fail_msg("find: %s", e.detail);
    return f.account;
}

static bool lookup_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct find *f = ctx;
    return account_lookup(tx, f->platform_id, &f->account, e);
}

static bool balance_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct find *f = ctx;
    struct balance b;
    bool good = ledger_balance(tx, f->account.id, &b, e);
    f->trial = (int)b.available;
    return good;
}

static int64_t credits(struct db *db, const struct account *a)
{
    struct err e = {0};
    struct find f = {.account = *a};
    assert_true(db_run(db, balance_body, &f, &e));
    return f.trial;
}

static void test_find(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct account a = find(db, "telegram", "42", 1);
    assert_true(a.is_new && uuid_valid(a.id));
    assert_int_equal(credits(db, &a), 1);
    struct account again = find(db, "telegram", "42", 1);
    assert_false(again.is_new);
    assert_string_equal(again.id, a.id);
    assert_int_equal(credits(db, &a), 1);
    struct account other = find(db, "discord", "42", 1);
    assert_string_not_equal(other.id, a.id); /* the same number on another network */
    struct err e = {0};
    struct find bad = {.network = "a:b", .platform_id = "c"};
    assert_false(db_run(db, find_body, &bad, &e)); /* could be read as network a, id "b:c" */
}

/* What is in the tables cannot be turned back into who somebody is. */
static void test_nothing_in_clear(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    find(db, "telegram", "987654321", 1);
    assert_int_equal(fixture_db_number(db, "select count(*) from identities where"
                                           " mac = sha256('telegram:987654321')"),
                     0); /* a plain hash of a guessable id would be no protection */
    static const char *const tables[] = {"users", "identities", "trials", "transfers", "wallets"};
    for (size_t i = 0; i < COUNT(tables); i++) {
        AUTO(free_ptr)
        char *sql =
            str_printf("select count(*) from %s x where x::text like '%%987654321%%'", tables[i]);
        assert_int_equal(fixture_db_number(db, sql), 0);
    }
    /* The used trial cannot be tied to the account by anybody, not even with the key. */
    assert_int_equal(fixture_db_number(db, "select count(*) from trials t join identities i"
                                           " on t.mac = i.mac"),
                     0);
}

static void *find_main(void *arg)
{
    struct find *f = arg;
    struct err e = {0};
    f->good = db_run(f->db, find_body, f, &e);
    return NULL;
}

static void test_found_by_many_at_once(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(4);
    for (int round = 0; round < 10; round++) {
        struct find f[4];
        pthread_t t[4];
        char id[8];
        int made = 0;
        snprintf(id, sizeof(id), "u%d", round);
        for (int i = 0; i < 4; i++) {
            f[i] = (struct find){.db = db, .network = "test", .platform_id = id, .trial = 1};
            pthread_create(&t[i], NULL, find_main, &f[i]);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(t[i], NULL);
            assert_true(f[i].good);
            assert_string_equal(f[i].account.id, f[0].account.id);
            made += f[i].account.is_new;
        }
        assert_int_equal(made, 1);
    }
    assert_int_equal(fixture_db_number(db, "select sum(avail) from wallets"), 10);
    assert_int_equal(fixture_db_number(db, "select count(*) from users"), 10);
}

static void test_lookup(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    fixture_db_sql(db, "insert into users(id, kind) values"
                       " ('0190aaaa-0000-7000-8000-00000000aaaa', 'person'),"
                       " ('0190aaaa-0000-7000-8000-00000000bbbb', 'person')");
    struct account a = find(db, "test", "someone", 0);
    static const struct {
        const char *text;
        const char *end; /* of the id that is found; NULL: none */
        const char *why;
    } rows[] = {
        {"0190aaaa-0000-7000-8000-00000000aaaa", "aaaa", "the whole id"             },
        {"0190AAAA-0000-7000-8000-00000000BBBB", "bbbb", "typed in capitals"        },
        {"0190aaaa",                             NULL,   "two begin so"             },
        {"0000aaaa",                             "aaaa", "the short form people see"},
        {"00aaaa",                               NULL,   "too short to be meant"    },
        {"%%%%%%%%",                             NULL,   "no pattern"               },
        {"test:nobody",                          NULL,   "nobody of that name"      },
        {"",                                     NULL,   "nothing"                  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        struct find f = {.platform_id = rows[i].text};
        bool good = db_run(db, lookup_body, &f, &e);
        if (good != (rows[i].end != NULL) || (!good && e.code != ERR_NOT_FOUND))
            fail_msg("%s: %s", rows[i].why, e.detail);
        if (good && !str_ends(f.account.id, rows[i].end))
            fail_msg("%s: %s", rows[i].why, f.account.id);
    }
    struct err e = {0};
    struct find f = {.platform_id = "test:someone"};
    assert_true(db_run(db, lookup_body, &f, &e));
    assert_string_equal(f.account.id, a.id);
}

struct settings_ctx {
    const char *account;
    struct story_settings set, got;
};

static bool settings_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct settings_ctx *c = ctx;
    return account_set_settings(tx, c->account, &c->set, e) &&
           account_get_settings(tx, c->account, &c->got, e) &&
           account_set_lang(tx, c->account, "ar", e);
}

static bool get_settings_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct settings_ctx *c = ctx;
    return account_get_settings(tx, c->account, &c->got, e);
}

static void test_settings(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    struct account a = find(db, "test", "x", 0);
    struct err e = {0};
    struct settings_ctx c = {.account = a.id};
    assert_true(db_run(db, get_settings_body, &c, &e));
    assert_int_equal(c.got.aspect, ASPECT_9_16);
    assert_string_equal(c.got.voice, "");
    c.set = (struct story_settings){.lang = "zh",
                                    .voice = "Mei",
                                    .aspect = ASPECT_1_1,
                                    .tier = TIER_PREMIUM,
                                    .seconds = 90,
                                    .style = "neon",
                                    .music = "calm",
                                    .speed = 120,
                                    .seed = 5,
                                    .byte_limit = 7};
    for (int i = 0; i < 2; i++) /* first new, then over it */
        assert_true(db_run(db, settings_body, &c, &e));
    assert_string_equal(c.got.lang, "zh");
    assert_string_equal(c.got.voice, "Mei");
    assert_int_equal(c.got.aspect, ASPECT_1_1);
    assert_int_equal(c.got.tier, TIER_PREMIUM);
    assert_int_equal(c.got.seconds, 90);
    assert_string_equal(c.got.style, "neon");
    assert_string_equal(c.got.music, "calm");
    assert_int_equal(c.got.speed, 120);
    assert_true(c.got.seed == 0 && c.got.byte_limit == 0); /* belong to one video */
    assert_string_equal(find(db, "test", "x", 0).lang, "ar");
}

/* --- sealed addresses --- */

/* A second machine that was not given the key, or a data folder that was lost. */
static void test_other_key_is_refused(void **state)
{
    (void)state;
    static const unsigned char ours[32] = "a fixed key of the tests only..", other[32] = "another";
    struct db *db = fixture_db_fresh(2);
    struct err e = {0};
    account_set_key(other);
    assert_true(account_check_key(db, &e)); /* nobody is there yet */
    account_set_key(ours);
    assert_true(account_check_key(db, &e));
    fixture_db_sql(db, "insert into users(id, kind) values (gen_random_uuid(), 'person')");
    fixture_db_sql(db, "insert into identities(mac, user_id) select sha256('ann'), id from users");
    assert_true(account_check_key(db, &e));
    account_set_key(other);
    assert_false(account_check_key(db, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.user_key, "start.other_id_key");
    account_set_key(ours);
    assert_true(account_check_key(db, &e));
    fixture_db_done(&db);
}

static void test_seal(void **state)
{
    (void)state;
    struct chat_addr got,
        a = {.network = "telegram", .chat = "-1001234567890", .thread = "17", .reply = "4711"};
    AUTO(free_ptr) char *one = seal_addr(&a);
    AUTO(free_ptr) char *two = seal_addr(&a);
    assert_string_not_equal(one, two); /* equal addresses do not look equal */
    assert_null(strstr(one, "1234567890"));
    assert_true(seal_open_addr(one, &got));
    assert_memory_equal(&got, &a, sizeof(a));
    str_copy(a.group, sizeof(a.group), "99");
    AUTO(free_ptr) char *shared = seal_addr(&a);
    assert_true(seal_open_addr(shared, &got));
    assert_memory_equal(&got, &a, sizeof(a));
    one[10] = one[10] == 'A' ? 'B' : 'A';
    assert_false(seal_open_addr(one, &got));
    assert_string_equal(got.network, "");
    static const char *const broken[] = {"", "AAAA", "not base64!", "=", "~"};
    for (size_t i = 0; i < COUNT(broken); i++)
        assert_false(seal_open_addr(broken[i], &got));
    struct chat_addr longest;
    memset(&longest, 'x', sizeof(longest));
    longest.network[sizeof(longest.network) - 1] = '\0';
    longest.chat[sizeof(longest.chat) - 1] = '\0';
    longest.thread[sizeof(longest.thread) - 1] = '\0';
    longest.reply[sizeof(longest.reply) - 1] = '\0';
    longest.group[sizeof(longest.group) - 1] = '\0';
    AUTO(free_ptr) char *text = seal_addr(&longest);
    assert_true(seal_open_addr(text, &got));
    assert_memory_equal(&got, &longest, sizeof(got));
}

/* Names of files, sealed line by line. */
static void test_seal_lines(void **state)
{
    (void)state;
    AUTO(free_ptr) char *sealed = seal_lines("p:AgAC-1\nv:BAAC_2\nhttps://cdn.example/x?y=1&z=2");
    AUTO(free_ptr) char *none = seal_lines(NULL);
    assert_null(strstr(sealed, "AgAC"));
    assert_string_equal(none, "");
    assert_null(seal_open_lines(none));
    AUTO(free_ptr) char *back = seal_open_lines(sealed);
    assert_string_equal(back, "p:AgAC-1\nv:BAAC_2\nhttps://cdn.example/x?y=1&z=2");
    sealed[10] = sealed[10] == 'A' ? 'B' : 'A'; /* the first is spoilt, the others are not */
    AUTO(free_ptr) char *rest = seal_open_lines(sealed);
    assert_string_equal(rest, "v:BAAC_2\nhttps://cdn.example/x?y=1&z=2");
    char text[SEAL_TEXT_MAX + 20];
    memset(text, 'x', sizeof(text));
    memcpy(text, "p:1\n", 4);
    text[sizeof(text) - 1] = '\0';
    AUTO(free_ptr) char *longer = seal_lines(text);
    AUTO(free_ptr) char *kept = seal_open_lines(longer);
    assert_string_equal(kept, "p:1"); /* what is too long for a name is left out */
}

/* A message's name: nobody reads the chat's number in it, and the same one is found again. */
static void test_seal_ref(void **state)
{
    char back[CHAT_REF_MAX], small[4];
    (void)state;
    AUTO(free_ptr) char *one = seal_ref("6123456789:42"), *again = seal_ref("6123456789:42");
    AUTO(free_ptr) char *other = seal_ref("6123456789:43"), *none = seal_ref("");
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_null(strstr(one, "6123456789"));
    assert_string_equal(none, "");
    seal_open_ref(one, back, sizeof(back));
    assert_string_equal(back, "6123456789:42");
    static const char *const bad[] = {"", "6123456789:42", "not sealed", "////"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        seal_open_ref(bad[i], back, sizeof(back));
        assert_string_equal(back, "");
    }
    seal_open_ref(one, small, sizeof(small)); /* does not fit */
    assert_string_equal(small, "");
    one[strlen(one) - 3] ^= 1;
    seal_open_ref(one, back, sizeof(back));
    assert_string_equal(back, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_nothing_in_clear),
        cmocka_unit_test(test_found_by_many_at_once),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_other_key_is_refused),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_seal_lines),
        cmocka_unit_test(test_seal_ref),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
