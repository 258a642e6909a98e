/*
 * A group moved, and somebody was faster than the news of it: the purse that the new id got becomes
 * part of the old one, and nothing of it is lost, also not what arrives later. Every case ends with
 * the ledger's invariants.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_deposit.h"
#include "core/db/store_group.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/db/store_move.h"
#include "core/money/price.h"
#include "tests/fixture_db.h"

#define OLD "-4987"
#define NEW "-1002233"

struct step {
    enum { FIND, MAKE, GRANT, ADDRESS, PAY, ORDER, START, CLAIM, FAIL, MOVE, DIE, LOOK } verb;
    const char *chat, *account, *member, *ref;
    int64_t amount; /* credits, or thousandths of a credit to PAY */
    char id[UUID_TEXT];
    struct job job;
    enum job_start started;
    struct group look;
    struct deposit_done done;
};

/* 0.01 XNO a credit; a thousandth of it is 10^25 raw. */
static bool pay(struct db_tx *tx, struct step *s, struct err *e)
{
    struct price_list prices;
    char raw[RAW_TEXT];
    struct deposit d = {.method = "nano", .ref = s->ref, .address = s->chat, .prices = &prices};
    snprintf(raw, sizeof(raw), "%lld0000000000000000000000000", (long long)s->amount);
    return price_list_parse("0.01", "", &prices, e) && raw_parse(raw, &d.amount) &&
           deposit_credit(tx, &d, &s->done, e);
}

static bool give_address(struct db_tx *tx, struct step *s, struct err *e)
{
    struct deposit_address a;
    bool found;
    if (!address_reserve(tx, s->account, "nano", "0123456789abcdef", &a, &found, e) || found)
        return false;
    str_copy(a.address, sizeof(a.address), s->chat);
    return address_add(tx, "nano", &a, e);
}

static bool order(struct db_tx *tx, struct step *s, struct err *e)
{
    struct job spec = {
        .price = s->amount, .lang = "en", .addr = {.network = "test", .chat = "c"}
    };
    str_copy(spec.account, sizeof(spec.account), s->member);
    return job_quote(tx, &spec, s->ref, s->id, e) && job_set_payer(tx, s->id, s->account, e);
}

static bool body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    struct chat_addr where = {.network = "test"};
    enum ledger_result r;
    switch (s->verb) {
    case FIND:
    case MAKE:
        str_copy(where.chat, sizeof(where.chat), s->chat);
        return group_find(tx, &where, s->verb == MAKE, s->id, e);
    case GRANT:
        return ledger_grant(tx, s->ref, s->account, s->amount, "test", "test", &r, e);
    case ADDRESS:
        return give_address(tx, s, e);
    case PAY:
        return pay(tx, s, e);
    case ORDER:
        return order(tx, s, e);
    case START:
        return job_start(tx, s->id, &s->started, e);
    case CLAIM:
        return job_claim(tx, "w", &s->job, e);
    case FAIL:
        return job_fail(tx, &s->job, "w", false, "fail.worker_lost", NULL, e);
    case MOVE:
        return chat_move(tx, "test", OLD, NEW, e);
    case DIE: /* at the very end of it */
        return chat_move(tx, "test", OLD, NEW, e) &&
               err_set(e, ERR_CANCELLED, "error.cancelled", "died");
    case LOOK:
        return group_look(tx, s->account, s->member, &s->look, e);
    }
    return false;
}

static void run(struct db *db, struct step *s)
{
    struct err e = {0};
    if (!db_run(db, body, s, &e) && s->verb != DIE)
        fail_msg("step %d: %s", (int)s->verb, e.detail);
}

/* The step's id. */
static void purse(struct db *db, const char *chat, int64_t credits, char ret[UUID_TEXT])
{
    struct step s = {.verb = MAKE, .chat = chat};
    run(db, &s);
    memcpy(ret, s.id, UUID_TEXT);
    if (credits > 0)
        run(db, &(struct step){.verb = GRANT, .account = ret, .ref = chat, .amount = credits});
}

static void leads_to(struct db *db, const char *chat, const char *account)
{
    struct step s = {.verb = FIND, .chat = chat};
    run(db, &s);
    assert_string_equal(s.id, account);
}

static void has(struct db *db, const char *account, int64_t avail, int64_t held)
{
    AUTO(free_ptr)
    char *a = str_printf("select avail from wallets where user_id = '%s'", account);
    AUTO(free_ptr)
    char *h = str_printf("select held from wallets where user_id = '%s'", account);
    assert_int_equal(fixture_db_number(db, a), avail);
    assert_int_equal(fixture_db_number(db, h), held);
}

/* A film that the group pays, at work. */
static void at_work(struct db *db, const char *group, const char *member, int64_t price,
                    struct step *ret)
{
    *ret = (struct step){
        .verb = ORDER, .account = group, .member = member, .ref = "cats", .amount = price};
    run(db, ret);
    ret->verb = START;
    run(db, ret);
    assert_int_equal(ret->started, JOB_STARTED);
    ret->verb = CLAIM;
    run(db, ret);
}

static void two_purses_become_one(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char old[UUID_TEXT], young[UUID_TEXT], ann[UUID_TEXT];
    struct step job;
    fixture_db_account(db, "ann", 1, ann);
    purse(db, OLD, 5, old);
    purse(db, NEW, 7, young);
    run(db, &(struct step){.verb = ADDRESS, .account = old, .chat = "nano_old"});
    run(db, &(struct step){.verb = ADDRESS, .account = young, .chat = "nano_young"});
    run(db, &(struct step){.verb = PAY, .chat = "nano_old", .ref = "A", .amount = 2700});
    run(db, &(struct step){.verb = PAY, .chat = "nano_young", .ref = "B", .amount = 4600});
    at_work(db, young, ann, 3, &job);
    struct step quote = {
        .verb = ORDER, .account = young, .member = ann, .ref = "dogs", .amount = 2};
    run(db, &quote);
    has(db, old, 7, 0);
    has(db, young, 8, 3);
    run(db, &(struct step){.verb = DIE});
    has(db, old, 7, 0);
    leads_to(db, NEW, young);
    for (int i = 0; i < 2; i++) { /* it is told in both chats */
        run(db, &(struct step){.verb = MOVE});
        leads_to(db, OLD, old);
        leads_to(db, NEW, old);
        has(db, old, 15, 0);
        has(db, young, 0, 3);
        fixture_db_check(db);
    }
    struct step look = {.verb = LOOK, .account = old, .member = ann};
    run(db, &look);
    assert_int_equal(look.look.used, 3); /* today's use is the group's, whichever of the two paid */
    /* 0.7 and 0.6 of a credit lie there; with another 0.7 they are two. */
    struct step late = {.verb = PAY, .chat = "nano_young", .ref = "C", .amount = 700};
    run(db, &late);
    assert_string_equal(late.done.account, old);
    assert_int_equal(late.done.credits, 2);
    has(db, old, 17, 0);
    /* What was held comes back to the one that is left. */
    job.verb = FAIL;
    run(db, &job);
    job_free(&job.job);
    has(db, old, 20, 0);
    has(db, young, 0, 0);
    /* The quote is paid by what is left. */
    quote.verb = START;
    run(db, &quote);
    assert_int_equal(quote.started, JOB_STARTED);
    has(db, old, 18, 2);
    run(db, &look);
    assert_int_equal(look.look.used, 2);
    /* An operator who still knows the young one by its id cannot strand anything there. */
    run(db, &(struct step){.verb = GRANT, .account = young, .ref = "gift", .amount = 4});
    has(db, old, 22, 2);
}

static void whoever_has_an_account_keeps_it(void **state)
{
    static const struct {
        bool old, young;
        const char *why;
    } rows[] = {
        {false, false, "nobody has one: nothing is made"             },
        {true,  false, "the usual move"                              },
        {false, true,  "only the new id has one: the old leads there"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
        char id[UUID_TEXT] = "";
        print_message("%s\n", rows[i].why);
        if (rows[i].old || rows[i].young)
            purse(db, rows[i].old ? OLD : NEW, 3, id);
        run(db, &(struct step){.verb = MOVE});
        leads_to(db, OLD, id);
        leads_to(db, NEW, id);
        assert_int_equal(fixture_db_number(db, "select count(*) from users"), *id != '\0');
    }
}

/* --- beside payments --- */

enum { PAYERS = 4, PAYMENTS = 25 };

struct payer {
    struct db *db;
    int number;
    struct err failed;
};

static void *payer_main(void *data)
{
    struct payer *p = data;
    for (int i = 0; i < PAYMENTS; i++) {
        char ref[24];
        snprintf(ref, sizeof(ref), "%d-%d", p->number, i);
        struct step s = {.verb = PAY,
                         .chat = (i + p->number) % 3 ? "nano_young" : "nano_old",
                         .ref = ref,
                         .amount = 1300};
        if (!db_run(p->db, body, &s, &p->failed))
            return data;
    }
    return NULL;
}

static void payments_beside_the_move(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(PAYERS + 1);
    char old[UUID_TEXT], young[UUID_TEXT];
    struct payer payers[PAYERS];
    pthread_t threads[PAYERS];
    purse(db, OLD, 0, old);
    purse(db, NEW, 0, young);
    run(db, &(struct step){.verb = ADDRESS, .account = old, .chat = "nano_old"});
    run(db, &(struct step){.verb = ADDRESS, .account = young, .chat = "nano_young"});
    for (int i = 0; i < PAYERS; i++) {
        payers[i] = (struct payer){.db = db, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, payer_main, &payers[i]), 0);
    }
    while (fixture_db_number(db, "select count(*) from deposits") < PAYERS * PAYMENTS / 4)
        ;
    run(db, &(struct step){.verb = MOVE});
    for (int i = 0; i < PAYERS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        if (failed)
            fail_msg("payer %d: %s", i, payers[i].failed.detail);
    }
    /* 100 payments of 1.3 credits; the two rests may still wait for the next payment. */
    run(db, &(struct step){.verb = PAY, .chat = "nano_young", .ref = "last", .amount = 1000});
    has(db, old, PAYERS * PAYMENTS * 13 / 10 + 1, 0);
    has(db, young, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_purses_become_one),
        cmocka_unit_test(whoever_has_an_account_keeps_it),
        cmocka_unit_test(payments_beside_the_move),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
