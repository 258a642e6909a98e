/* What of an account's credits may go back, and for how much: histories of buying, gifts, spending and
 * refunds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/db/store_deposit.h"
#include "core/db/store_ledger.h"
#include "core/db/store_refund.h"
#include "tests/fixture_db.h"

static const struct chat_addr here = {.network = "test", .chat = "c"};

struct step {
    char
        verb; /* b: buys, p: 100 for 1 XNO with n of bonus, f: gets free, s: spends (a film), r: refund of so many, x: it failed */
    int64_t n;      /* credits */
    const char *at; /* b: XNO per credit */
};

static const struct {
    const char *why;
    struct step steps[8];
    int64_t credits;
    const char *raw; /* XNO */
} histories[] = {
    {"all of it",                             {{'b', 10, "0.01"}},                                     10, "0.1" },
    {"free ones never",                       {{'f', 10, NULL}},                                       0,  "0"   },
    {"free ones are spent first",             {{'f', 4, NULL}, {'b', 10, "0.01"}, {'s', 6, NULL}},     8,  "0.08"},
    {"later free ones do not replace bought",
     {{'b', 10, "0.01"}, {'s', 10, NULL}, {'f', 10, NULL}},
     0,                                                                                                    "0"   },
    {"used up",                               {{'b', 5, "0.01"}, {'s', 5, NULL}},                      0,  "0"   },
    {"the oldest are spent first",
     {{'b', 10, "0.01"}, {'b', 10, "0.03"}, {'s', 10, NULL}},
     10,                                                                                                   "0.3" },
    {"each at its own price",                 {{'b', 10, "0.01"}, {'b', 10, "0.03"}, {'s', 5, NULL}},  15, "0.35"},
    {"what went back is gone",                {{'b', 10, "0.01"}, {'b', 10, "0.03"}, {'r', 12, NULL}}, 8,  "0.24"},
    {"what came back is there",
     {{'b', 10, "0.01"}, {'b', 10, "0.03"}, {'x', 12, NULL}, {'s', 1, NULL}},
     19,                                                                                                   "0.39"},
    {"the bonus ends with it",                {{'p', 20, NULL}, {'r', 40, NULL}},                      60, "0.6" },
    {"a used bonus was bought",               {{'p', 20, NULL}, {'s', 15, NULL}},                      85, "0.85"},
    {"a bonus of two payments",
     {{'p', 20, NULL}, {'x', 40, NULL}, {'p', 20, NULL}, {'s', 60, NULL}},
     140,                                                                                                  "1.4" },
    {"refunds and films",
     {{'f', 3, NULL}, {'b', 10, "0.02"}, {'r', 4, NULL}, {'s', 5, NULL}, {'b', 2, "0.05"}},
     6,                                                                                                    "0.18"},
};

struct play {
    const char *account;
    const struct step *step;
    int number;
    struct refund refund;
};

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct play *p = ctx;
    const struct step *s = p->step;
    enum ledger_result r;
    char ref[40], job[UUID_TEXT];
    snprintf(ref, sizeof(ref), "step %d", p->number);
    if (s->verb == 'f')
        return ledger_grant(tx, ref, p->account, s->n, "test", "free", &r, e);
    if (s->verb == 'p') {
        struct price_list prices;
        struct deposit_done done;
        struct order o = {.method = "nano",
                          .address = "somewhere",
                          .amount = RAW_XNO,
                          .credits = 100,
                          .bonus = s->n,
                          .lang = "en",
                          .addr = here};
        struct deposit d = {.method = "nano",
                            .ref = ref,
                            .address = "somewhere",
                            .prices = &prices,
                            .amount = RAW_XNO,
                            .account = p->account};
        bool made = false;
        str_copy(o.account, sizeof(o.account), p->account);
        return price_list_parse("0.01", "1=120", &prices, e) &&
               (o.per_credit = prices.per_credit, order_open(tx, &o, 3600, &made, e)) &&
               deposit_credit(tx, &d, &done, e);
    }
    if (s->verb == 'b') {
        struct price_list prices;
        struct deposit_done done;
        struct deposit d = {.method = "nano",
                            .ref = ref,
                            .address = "somewhere",
                            .prices = &prices,
                            .account = p->account};
        return price_list_parse(s->at, "", &prices, e) &&
               raw_mul(prices.per_credit, (uint64_t)s->n, &d.amount) &&
               deposit_credit(tx, &d, &done, e);
    }
    uuid_make(job);
    AUTO(free_ptr)
    char *made = str_printf(
        "insert into jobs(id, user_id, dedupe_key, state, price, charged, estimate_ms, topic, "
        "story,"
        " lang, network, addr, fair_at, started_at, ended_at) values ('%s', '%s', sha256('%s'),"
        " 'done', %d, %d, 1, '', '', 'en', 'test', '', now(), now(), now())",
        job, p->account, job, (int)s->n, (int)s->n);
    AUTO(free_ptr)
    char *given = str_printf("insert into deliveries(job_id, state, attempt, path, duration_ms,"
                             " bytes) values ('%s', 'delivered', 1, '', 1, 1)",
                             job);
    return db_exec(tx, made, NULL, 0, NULL, e) && db_exec(tx, given, NULL, 0, NULL, e) &&
           ledger_hold(tx, job, p->account, s->n, &r, e) && ledger_capture(tx, job, s->n, &r, e);
}

static bool ask_store(struct db_tx *tx, void *ctx, struct err *e)
{
    struct play *p = ctx;
    p->refund = (struct refund){.method = "nano", .address = "to", .lang = "en", .addr = here};
    p->refund.credits = p->step ? p->step->n : 0;
    str_copy(p->refund.account, sizeof(p->refund.account), p->account);
    return refund_ask(tx, &p->refund, e);
}

static bool agree_store(struct db_tx *tx, void *ctx, struct err *e)
{
    struct play *p = ctx;
    return refund_agree(tx, p->account, p->refund.id, RAW_MAX, &p->refund, e);
}

static bool end_store(struct db_tx *tx, void *ctx, struct err *e)
{
    struct play *p = ctx;
    bool linked = false, done = p->step->verb == 'r';
    char block[REFUND_BLOCK_MAX], raw[RAW_TEXT];
    AUTO(free_ptr) char *from = str_printf("%064d", p->number + 1);
    snprintf(block, sizeof(block), "%064d", p->number);
    raw_print(p->refund.amount, raw);
    AUTO(free_ptr)
    char *sql = str_printf("insert into blocks(hash, address, previous, kind, link, raw, balance,"
                           " representative, signature, state) values ('%s', '%s', '%s', 'send',"
                           " '%s', %s, 0, '', '%0128d', '%s')",
                           block, p->refund.id, from, from, raw, 0, done ? "confirmed" : "refused");
    return db_exec(tx, sql, NULL, 0, NULL, e) && refund_link(tx, p->refund.id, block, &linked, e) &&
           linked && refund_end(tx, block, done, e) && refund_end(tx, block, !done, e);
}

static void must(struct db *db, db_body *body, struct play *p, const char *why)
{
    struct err e = {0};
    if (!db_run(db, body, p, &e))
        fail_msg("%s, step %d: %s %s", why, p->number, e.user_key, e.detail);
}

static void test_what_may_go_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(histories); i++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
        char ann[UUID_TEXT], got[XNO_TEXT];
        struct err e = {0};
        fixture_db_account(db, "ann", 0, ann);
        struct play p = {.account = ann};
        for (const struct step *s = histories[i].steps; s->verb; s++) {
            bool refund = s->verb == 'r' || s->verb == 'x';
            p.step = s;
            p.number++;
            must(db, refund ? ask_store : step_body, &p, histories[i].why);
            if (refund) {
                must(db, agree_store, &p, histories[i].why);
                must(db, end_store, &p, histories[i].why);
            }
        }
        p.step = NULL;
        bool any = db_run(db, ask_store, &p, &e);
        if (any != (histories[i].credits > 0))
            fail_msg("%s: %s", histories[i].why, any ? "something" : e.user_key);
        if (any) {
            raw_to_xno(p.refund.amount, got);
            if (p.refund.credits - p.refund.bonus != histories[i].credits ||
                strcmp(got, histories[i].raw) != 0)
                fail_msg("%s: %lld credits, %s XNO", histories[i].why,
                         (long long)(p.refund.credits - p.refund.bonus), got);
        } else {
            assert_string_equal(e.user_key, "refund.nothing");
        }
        fixture_db_check(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_go_back),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
