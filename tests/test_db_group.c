/*
 * A group's purse: who may spend from it and how much a day, when two order at once, when things
 * fail, and that no credit is lost or made on the way. Every case ends with the ledger's invariants.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_group.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/db/store_move.h"
#include "tests/fixture_db.h"

struct call {
    enum {
        GROUP,
        GRANT,
        CAP,
        ON,
        ORDER,
        START,
        CLAIM,
        DONE,
        FAIL,
        CANCEL,
        LOOK,
        MOVE,
        FORGET,
        EXPIRE,
        RESCUE
    } verb;
    const char *group, *member, *text;
    struct chat_addr where;
    int64_t amount;
    char id[UUID_TEXT];
    enum job_start started;
    struct job job;
    struct group look;
};

static bool order(struct db_tx *tx, struct call *c, struct err *e)
{
    static _Atomic int count;
    char key[24];
    struct job spec = {
        .price = c->amount, .lang = "en", .addr = {.network = "test", .chat = "c"}
    };
    snprintf(key, sizeof(key), "order %d", ++count);
    str_copy(spec.account, sizeof(spec.account), c->member);
    return job_quote(tx, &spec, key, c->id, e) &&
           (!c->group || job_set_payer(tx, c->id, c->group, e));
}

static bool deliver(struct db_tx *tx, struct call *c, struct err *e)
{
    return job_delivering(tx, &c->job, "w", "/x.mp4", 1, 1, e) &&
           job_done(tx, &c->job, "w", "msg", c->amount, "t", e);
}

static bool body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct call *c = ctx;
    enum ledger_result r;
    enum job_state state;
    switch (c->verb) {
    case GROUP:
        return group_find(tx, &c->where, c->amount > 0, c->id, e);
    case GRANT:
        return ledger_grant(tx, c->text, c->group, c->amount, "test", "test", &r, e);
    case CAP:
        return group_set_cap(tx, c->group, c->amount, e);
    case ON:
        return group_set_on(tx, c->group, c->amount > 0, e);
    case ORDER:
        return order(tx, c, e);
    case START:
        return job_start(tx, c->id, &c->started, e);
    case CLAIM:
        job_free(&c->job);
        return job_claim(tx, "w", &c->job, e);
    case DONE:
        return deliver(tx, c, e);
    case FAIL:
        return job_fail(tx, &c->job, "w", false, "fail.worker_lost", NULL, e);
    case CANCEL:
        return job_cancel(tx, c->id, &state, e);
    case LOOK:
        return group_look(tx, c->group, c->member, &c->look, e);
    case MOVE:
        return chat_move(tx, "test", "-1", "-2", e);
    case RESCUE:
        return job_rescue(tx, NULL, NULL, NULL, e);
    case EXPIRE:
        return db_exec(tx,
                       "update jobs set lease_until = clock_timestamp() where id in (select id"
                       " from jobs where state in ('running', 'delivering')"
                       " for update skip locked)",
                       NULL, 0, NULL, e);
    case FORGET:
        return account_forget(tx, c->member, 30, NULL, NULL, e);
    }
    return false;
}

static void run(struct db *db, struct call *c)
{
    struct err e = {0};
    if (!db_run(db, body, c, &e))
        fail_msg("step %d: %s", c->verb, e.detail);
}

static void purse(struct db *db, const char *chat, int64_t credits, char ret[UUID_TEXT])
{
    struct call find = {.verb = GROUP, .where = {.network = "test"}, .amount = 1};
    str_copy(find.where.chat, sizeof(find.where.chat), chat);
    run(db, &find);
    memcpy(ret, find.id, UUID_TEXT);
    if (credits > 0)
        run(db, &(struct call){.verb = GRANT, .group = ret, .text = chat, .amount = credits});
}

static enum job_start try_order(struct db *db, const char *member, const char *group, int64_t price,
                                char ret_id[UUID_TEXT])
{
    struct call c = {.verb = ORDER, .group = group, .member = member, .amount = price};
    run(db, &c);
    c.verb = START;
    run(db, &c);
    memcpy(ret_id, c.id, UUID_TEXT);
    return c.started;
}

/* The next one of the queue, to its end; charged < 0: it fails. */
static void work(struct db *db, int64_t charged)
{
    struct call c = {.verb = CLAIM};
    run(db, &c);
    assert_true(*c.job.id);
    c.verb = charged < 0 ? FAIL : DONE;
    c.amount = charged;
    run(db, &c);
    job_free(&c.job);
}

static struct group look(struct db *db, const char *group, const char *member)
{
    struct call c = {.verb = LOOK, .group = group, .member = member};
    run(db, &c);
    return c.look;
}

static void expect_group(struct db *db, const char *group, const char *member, int64_t available,
                         int64_t held, int64_t used)
{
    struct group g = look(db, group, member);
    if (g.available != available || g.held != held || g.used != used)
        fail_msg("%d + %d held, %d used", (int)g.available, (int)g.held, (int)g.used);
}

static int64_t own(struct db *db, const char *member)
{
    char sql[120];
    snprintf(sql, sizeof(sql), "select avail from wallets where user_id = '%s'", member);
    return fixture_db_number(db, sql);
}

/* --- the rule --- */

static void test_what_a_member_may_use(void **state)
{
    static const struct {
        bool is_on;
        int64_t cap, used, available, may;
        const char *why;
    } rows[] = {
        {true,  GROUP_NO_CAP, 90, 10, 10, "no bound: all there is"        },
        {true,  3,            0,  10, 3,  "a fresh day"                   },
        {true,  3,            2,  10, 1,  "what is left of it"            },
        {true,  3,            3,  10, 0,  "used up"                       },
        {true,  3,            5,  10, 0,  "the admin lowered it meanwhile"},
        {true,  3,            0,  2,  2,  "the purse is the smaller one"  },
        {true,  0,            0,  10, 0,  "nobody"                        },
        {false, GROUP_NO_CAP, 0,  10, 0,  "switched off"                  },
        {true,  3,            9,  0,  0,  "over the cap and empty"        },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct group g = {.is_on = rows[i].is_on,
                          .cap = rows[i].cap,
                          .used = rows[i].used,
                          .available = rows[i].available};
        if (group_may_use(&g) != rows[i].may)
            fail_msg("%s: %d", rows[i].why, (int)group_may_use(&g));
    }
}

/* --- the life of a job that a group pays --- */

static void test_group_pays(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], bob[UUID_TEXT], group[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 5, ann);
    fixture_db_account(db, "bob", 0, bob);
    purse(db, "-1", 10, group);
    run(db, &(struct call){.verb = CAP, .group = group, .amount = 4});
    assert_int_equal(try_order(db, ann, group, 3, id), JOB_STARTED);
    expect_group(db, group, ann, 7, 3, 3);
    expect_group(db, group, bob, 7, 3, 0);
    assert_int_equal(own(db, ann), 5);
    /* Held credits count already; nothing is taken from anybody instead. */
    assert_int_equal(try_order(db, ann, group, 2, id), JOB_GROUP_CANNOT);
    assert_int_equal(own(db, ann), 5);
    work(db, 2); /* it cost less: the rest is the group's, and free to use again */
    expect_group(db, group, ann, 8, 0, 2);
    assert_int_equal(try_order(db, ann, group, 2, id), JOB_STARTED);
    work(db, -1); /* given back, and not counted */
    expect_group(db, group, ann, 8, 0, 2);
    assert_int_equal(try_order(db, ann, group, 2, id), JOB_STARTED);
    struct call cancel = {.verb = CANCEL};
    memcpy(cancel.id, id, UUID_TEXT);
    run(db, &cancel);
    expect_group(db, group, ann, 8, 0, 2);
    run(db, &(struct call){.verb = ON, .group = group, .amount = 0});
    assert_int_equal(try_order(db, bob, group, 1, id), JOB_GROUP_CANNOT);
    run(db, &(struct call){.verb = ON, .group = group, .amount = 1});
    run(db, &(struct call){.verb = CAP, .group = group, .amount = GROUP_NO_CAP});
    assert_int_equal(try_order(db, bob, group, 9, id), JOB_GROUP_CANNOT); /* more than there is */
    assert_int_equal(try_order(db, bob, group, 8, id), JOB_STARTED);
    assert_int_equal(own(db, bob), 0);
    work(db, 8);
    expect_group(db, group, bob, 0, 0, 8);
}

/* A day later a member may use the group's credits again. */
static void test_each_day_counts_anew(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], group[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    purse(db, "-1", 10, group);
    run(db, &(struct call){.verb = CAP, .group = group, .amount = 2});
    assert_int_equal(try_order(db, ann, group, 2, id), JOB_STARTED);
    work(db, 2);
    assert_int_equal(try_order(db, ann, group, 1, id), JOB_GROUP_CANNOT);
    fixture_db_sql(db, "alter table transfers disable trigger user");
    fixture_db_sql(db, "update transfers set at = date_trunc('day', clock_timestamp() at time zone"
                       " 'UTC') at time zone 'UTC' - interval '1 ms'");
    fixture_db_sql(db, "alter table transfers enable trigger user");
    expect_group(db, group, ann, 8, 0, 0);
    assert_int_equal(try_order(db, ann, group, 2, id), JOB_STARTED);
    work(db, 2);
}

/* Who left leaves the group's books as they are; what was kept for them is the group's again. */
static void test_member_is_forgotten(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], group[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    purse(db, "-1", 10, group);
    assert_int_equal(try_order(db, ann, group, 2, id), JOB_STARTED);
    work(db, 2);
    assert_int_equal(try_order(db, ann, group, 3, id), JOB_STARTED);
    fixture_db_sql(db,
                   "update jobs set state = 'kept', kept_until = 'infinity' where state = 'ready'");
    fixture_db_sql(db, "update wallets set active = 0");
    expect_group(db, group, ann, 5, 3, 5);
    run(db, &(struct call){.verb = FORGET, .member = ann});
    expect_group(db, group, ann, 8, 0, 2);
    /* Back the same day, as somebody new to us: the day's use is not. */
    char again[UUID_TEXT];
    fixture_db_account(db, "ann", 0, again);
    assert_string_not_equal(again, ann);
    expect_group(db, group, again, 8, 0, 2);
    assert_int_equal(try_order(db, again, group, 3, id), JOB_STARTED);
    work(db, 3);
    run(db, &(struct call){.verb = FORGET, .member = again});
    fixture_db_account(db, "ann", 0, again);
    expect_group(db, group, again, 5, 0, 5); /* and once more */
    fixture_db_sql(db, "update group_used set at = at - interval '1 day'");
    expect_group(db, group, again, 5, 0, 0);
    run(db, &(struct call){.verb = FORGET, .member = again});
    assert_int_equal(fixture_db_number(db, "select count(*) from group_used"), 0);
}

/* Many channels, one account; a channel that had one of its own before keeps it. */
static void test_a_server_is_one_group(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char old[UUID_TEXT], server[UUID_TEXT];
    purse(db, "20", 10, old);
    static const struct {
        const char *chat, *group;
        bool makes;
        int whose; /* 0: nobody's, 1: the old one, 2: the server's, 3: another one */
        const char *why;
    } rows[] = {
        {"21", "7", false, 0, "nobody asked for it yet"                          },
        {"20", "7", false, 1, "a channel's own one stays its own"                },
        {"20", "7", true,  1, "also when asked for"                              },
        {"21", "7", true,  2, "a channel opens the server's"                     },
        {"22", "7", false, 2, "which others find"                                },
        {"22", "7", true,  2, "and do not make again"                            },
        {"20", "7", false, 1, "the old one is not lost by it"                    },
        {"22", "",  false, 0, "a chat of the same name that belongs to no server"},
        {"22", "8", true,  3, "another server"                                   },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct call c = {.verb = GROUP, .where = {.network = "test"}, .amount = rows[i].makes};
        str_copy(c.where.chat, sizeof(c.where.chat), rows[i].chat);
        str_copy(c.where.group, sizeof(c.where.group), rows[i].group);
        run(db, &c);
        if (i == 3)
            memcpy(server, c.id, UUID_TEXT);
        const char *want = rows[i].whose == 1 ? old : rows[i].whose == 2 ? server : "";
        if (rows[i].whose == 3 ? !c.id[0] || strcmp(c.id, server) == 0 : strcmp(c.id, want) != 0)
            fail_msg("%s: '%s'", rows[i].why, c.id);
    }
    assert_string_not_equal(old, server);
    assert_int_equal(fixture_db_number(db, "select count(*) from users where kind = 'group'"), 3);
}

static void test_purse_moves_with_the_chat(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char old[UUID_TEXT];
    purse(db, "-1", 10, old);
    run(db, &(struct call){.verb = MOVE});
    run(db, &(struct call){.verb = MOVE}); /* told twice */
    struct call find = {
        .verb = GROUP, .where = {.network = "test", .chat = "-2"}
    };
    run(db, &find);
    assert_string_equal(find.id, old);
    struct call none = {
        .verb = GROUP, .where = {.network = "test", .chat = "-3"}
    };
    run(db, &none);
    assert_string_equal(none.id, "");
}

/* --- many at once --- */

enum { MEMBERS = 4, ROUNDS = 40, CAP_A_DAY = 30, IN_PURSE = 70 };

struct crowd {
    struct db *db;
    uint64_t seed;
    char member[UUID_TEXT], group[UUID_TEXT];
    int started, refused;
    struct err failed;
};

/* What may fail because of others is done again, as the bot does. */
static bool surely(struct crowd *c, struct call *call)
{
    for (int i = 0; i < 50; i++) {
        if (db_run(c->db, body, call, &c->failed))
            return true;
        if (c->failed.code != ERR_RETRY)
            return false;
    }
    return false;
}

static bool is_gone(const struct crowd *c)
{
    return c->failed.code == ERR_CONFLICT; /* somebody else ended it */
}

static bool round_of(struct crowd *c, struct rng *rng)
{
    struct call order = {.verb = ORDER,
                         .group = rng_below(rng, 4) ? c->group : NULL,
                         .member = c->member,
                         .amount = 1 + rng_below(rng, 5)};
    if (!surely(c, &order))
        return false;
    order.verb = START;
    if (!surely(c, &order))
        return is_gone(c);
    c->started += order.group && order.started == JOB_STARTED;
    c->refused += order.started == JOB_GROUP_CANNOT;
    if (rng_below(rng, 5) == 0) {
        order.verb = CANCEL;
        return surely(c, &order) || is_gone(c);
    }
    struct call job = {.verb = CLAIM}, expire = {.verb = EXPIRE}, rescue = {.verb = RESCUE};
    if (!surely(c, &job))
        return false;
    if (rng_below(rng, 8) == 0 && (!surely(c, &expire) || !surely(c, &rescue)))
        return false;
    bool ok = true;
    if (*job.job.id) {
        job.verb = rng_below(rng, 3) ? DONE : FAIL;
        job.amount = rng_below(rng, 6);
        ok = surely(c, &job) || is_gone(c);
    }
    job_free(&job.job);
    return ok;
}

static void *crowd_main(void *data)
{
    struct crowd *c = data;
    struct rng rng = rng_make(c->seed, 0);
    for (int i = 0; i < ROUNDS; i++)
        if (!round_of(c, &rng))
            return data;
    return NULL;
}

/* Random members, prices, ends: what the purse lost is what was charged, and nobody passed the cap. */
static void test_crowd(void **state)
{
    (void)state;
    int started = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        AUTO(fixture_db_done) struct db *db = fixture_db_fresh(MEMBERS + 1);
        struct crowd crowd[2 * MEMBERS] = {0};
        pthread_t threads[2 * MEMBERS];
        char group[UUID_TEXT];
        print_message("seed %d\n", (int)seed);
        purse(db, "-1", IN_PURSE, group);
        run(db, &(struct call){.verb = CAP, .group = group, .amount = CAP_A_DAY});
        for (int i = 0; i < 2 * MEMBERS; i++) {
            char name[8];
            snprintf(name, sizeof(name), "u%d", i / 2); /* each one on two devices */
            crowd[i].db = db;
            crowd[i].seed = seed * 100 + (uint64_t)i;
            memcpy(crowd[i].group, group, UUID_TEXT);
            fixture_db_account(db, name, 5, crowd[i].member);
        }
        for (int i = 0; i < 2 * MEMBERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowd[i]), 0);
        for (int i = 0; i < 2 * MEMBERS; i++) {
            void *failed;
            pthread_join(threads[i], &failed);
            if (failed)
                fail_msg("member %d: %s", i, crowd[i].failed.detail);
            started += crowd[i].started;
            refused += crowd[i].refused;
        }
        fixture_db_check(db);
        /* Two wallets are taken in one order, so nobody waits in a circle. */
        assert_int_equal(fixture_db_number(db, "select deadlocks from pg_stat_database"
                                               " where datname = current_database()"),
                         0);
        assert_int_equal(fixture_db_number(db, "select sum(avail + held) + (select"
                                               " coalesce(sum(captured), 0) from holds)"
                                               " from wallets"),
                         IN_PURSE + MEMBERS * 5);
        assert_int_equal(
            fixture_db_number(db, "select count(*) from (select j.user_id from holds h join jobs j"
                                  " on j.id = h.job_id where j.payer_id is not null and"
                                  " h.state <> 'released' group by j.user_id having"
                                  " sum(case h.state when 'open' then h.amount else h.captured end)"
                                  " > 30) over_cap"),
            0);
    }
    print_message("%d paid by the group, %d refused\n", started, refused);
    assert_true(started > 0 && refused > 0);
}

/* Two orders at the same moment, each of which alone would be within the cap. */
static void *start_main(void *data)
{
    struct crowd *c = data;
    struct call start = {.verb = START};
    memcpy(start.id, c->member, UUID_TEXT);
    c->started = surely(c, &start) && start.started == JOB_STARTED;
    return NULL;
}

static void test_two_orders_race(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(3);
    char ann[UUID_TEXT], group[UUID_TEXT];
    fixture_db_account(db, "ann", 0, ann);
    purse(db, "-1", 100, group);
    run(db, &(struct call){.verb = CAP, .group = group, .amount = 3});
    for (int i = 0; i < 10; i++) {
        struct crowd racers[2] = {0};
        pthread_t threads[2];
        for (int k = 0; k < 2; k++) {
            struct call c = {.verb = ORDER, .group = group, .member = ann, .amount = 2};
            run(db, &c);
            racers[k].db = db;
            memcpy(racers[k].member, c.id, UUID_TEXT);
        }
        for (int k = 0; k < 2; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, start_main, &racers[k]), 0);
        for (int k = 0; k < 2; k++)
            pthread_join(threads[k], NULL);
        assert_int_equal(racers[0].started + racers[1].started, 1);
        work(db, -1); /* the day is free again */
    }
    expect_group(db, group, ann, 100, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_member_may_use),
        cmocka_unit_test(test_group_pays),
        cmocka_unit_test(test_each_day_counts_anew),
        cmocka_unit_test(test_member_is_forgotten),
        cmocka_unit_test(test_a_server_is_one_group),
        cmocka_unit_test(test_purse_moves_with_the_chat),
        cmocka_unit_test(test_two_orders_race),
        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
