#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/db/store_job.h"
#include "core/db/store_job_internal.h"
#include "core/db/store_ledger.h"
#include "tests/fixture_db.h"

/* One step of a job's life as a transaction of its own. */
struct step {
    enum {
        QUOTE,
        REQUOTE,
        START,
        CANCEL,
        CLAIM,
        BEAT,
        SAVE,
        DELIVERING,
        DONE,
        FAIL,
        RETRY,
        RESCUE,
        EXPIRE,
        GET,
        FIND,
        LIST,
        MOVE,
        BALANCE,
        COUNT_LIVE,
    } verb;
    const char *account, *worker, *text;
    char id[UUID_TEXT];
    struct job job; /* of the worker, after CLAIM; result of GET and FIND */
    int64_t number; /* price, credits */
    bool flag;      /* keep_attempt, cancelled, live_only */
    int delay_ms;
    enum job_state from, to, state;
    enum job_start started;
    bool answer; /* cancel asked, failed */
    int rescued, told;
    struct job *list;
    size_t count;
};

static bool on_failed(struct db_tx *tx, void *ctx, const struct job *j, struct err *e)
{
    struct step *s = ctx;
    (void)tx;
    if (j->state != JOB_FAILED || !*j->fail_key)
        return err_set(e, ERR_INTERNAL, "error.internal", "told of a job that did not fail");
    s->told++;
    return true;
}

static bool run_quote(struct db_tx *tx, struct step *s, struct err *e)
{
    struct job spec = {
        .price = s->number,
        .estimate_ms = 60000,
        .topic = (char *)(uintptr_t) "tides",
        .story = (char *)(uintptr_t) "{}",
        .lang = "en",
        .addr = {.network = "test", .chat = "c1"}
    };
    str_copy(spec.account, sizeof(spec.account), s->account);
    return job_quote(tx, &spec, s->text, s->id, e);
}

static bool run_worker(struct db_tx *tx, struct step *s, struct err *e)
{
    const struct job *j = &s->job;
    switch (s->verb) {
    case BEAT:
        return job_heartbeat(tx, j, s->worker, "speak", 40, &s->answer, e);
    case SAVE:
        return job_save_story(tx, j, s->worker, s->text, e);
    case DELIVERING:
        return job_delivering(tx, j, s->worker, "/films/x.mp4", 61000, 12345, e);
    case DONE:
        return job_done(tx, j, s->worker, "msg 1", s->number, "Tides", e);
    case FAIL:
        return job_fail(tx, j, s->worker, s->flag, s->text, "the reason", e);
    default:
        return job_retry(tx, j, s->worker, s->flag, s->delay_ms, "fail.voice", "espeak", &s->answer,
                         e);
    }
}

static bool run_read(struct db_tx *tx, struct step *s, struct err *e)
{
    struct balance b;
    switch (s->verb) {
    case GET:
        return job_get(tx, s->id, &s->job, e);
    case FIND:
        return job_find(tx, s->account, s->text, &s->job, e);
    case LIST:
        return job_list(tx, s->account, s->flag, 10, &s->list, &s->count, e);
    case COUNT_LIVE:
        return job_count_live(tx, s->text, &s->number, e);
    default:
        if (!ledger_balance(tx, s->account, &b, e))
            return false;
        s->number = b.available;
        return true;
    }
}

static bool step_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct step *s = ctx;
    switch (s->verb) {
    case QUOTE:
        return run_quote(tx, s, e);
    case REQUOTE:
        return job_requote(tx, s->id, s->text, s->number, 30000, e);
    case START:
        return job_start(tx, s->id, &s->started, e);
    case CANCEL:
        return job_cancel(tx, s->id, &s->state, e);
    case CLAIM:
        job_free(&s->job);
        return job_claim(tx, s->worker, &s->job, e);
    case RESCUE:
        s->told = 0;
        return job_rescue(tx, on_failed, s, &s->rescued, e);
    case EXPIRE:
        return job_expire_leases(tx, s->worker, e);
    case MOVE:
        return job_move(tx, s->id, s->from, s->to, e);
    case GET:
    case FIND:
    case LIST:
    case BALANCE:
    case COUNT_LIVE:
        return run_read(tx, s, e);
    default:
        return run_worker(tx, s, e);
    }
}

static void run(struct db *db, struct step *s)
{
    struct err e = {0};
    if (!db_run(db, step_body, s, &e))
        fail_msg("step %d: %s (%s)", (int)s->verb, e.detail, e.user_key);
}

/* The user key of the refusal, "" when it was not refused. */
static const char *refused(struct db *db, struct step *s)
{
    struct err e = {0};
    return db_run(db, step_body, s, &e) ? "" : e.user_key;
}

static enum job_start start(struct db *db, const char *account, int64_t price, const char *key,
                            char ret_id[UUID_TEXT])
{
    struct step s = {.verb = QUOTE, .account = account, .number = price, .text = key};
    run(db, &s);
    memcpy(ret_id, s.id, UUID_TEXT);
    s.verb = START;
    run(db, &s);
    return s.started;
}

static enum job_state state_of(struct db *db, const char *id)
{
    struct step s = {.verb = GET};
    memcpy(s.id, id, UUID_TEXT);
    run(db, &s);
    enum job_state state = s.job.state;
    job_free(&s.job);
    return state;
}

static int64_t available(struct db *db, const char *account)
{
    struct step s = {.verb = BALANCE, .account = account};
    run(db, &s);
    return s.number;
}

/* --- a job that goes well --- */

static void test_whole_life(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 10, ann);
    struct step q = {.verb = QUOTE, .account = ann, .number = 2, .text = "event 1"}, w;
    run(db, &q);
    memcpy(id, q.id, UUID_TEXT);
    run(db, &q);
    assert_string_equal(q.id, id); /* the same press of a button */
    assert_int_equal(available(db, ann), 10);
    q.verb = REQUOTE;
    q.number = 4;
    q.text = "{\"a\":1}";
    run(db, &q);
    q.verb = START;
    run(db, &q);
    assert_int_equal(q.started, JOB_STARTED);
    run(db, &q);
    assert_int_equal(q.started, JOB_STARTED_BEFORE);
    assert_int_equal(available(db, ann), 6);
    q.verb = REQUOTE;
    assert_string_equal(refused(db, &q), "make.quote_gone"); /* the price is agreed now */

    w = (struct step){.verb = CLAIM, .worker = "w1"};
    run(db, &w);
    assert_string_equal(w.job.id, id);
    assert_string_equal(w.job.topic, "tides");
    assert_string_equal(w.job.story, "{\"a\":1}");
    assert_string_equal(w.job.addr.chat, "c1");
    assert_int_equal(w.job.attempt, 1);
    assert_int_equal(w.job.estimate_ms, 30000);
    struct step idle = {.verb = CLAIM, .worker = "w2"};
    run(db, &idle);
    assert_string_equal(idle.job.id, "");

    w.verb = BEAT;
    run(db, &w);
    assert_false(w.answer);
    w.verb = SAVE;
    w.text = "{\"scenes\":[]}";
    run(db, &w);
    w.verb = DONE;
    assert_string_equal(refused(db, &w), "error.internal"); /* nothing was delivered yet */
    w.verb = DELIVERING;
    run(db, &w);
    run(db, &w); /* its commit was in doubt */
    w.verb = DONE;
    w.number = 3;
    run(db, &w);
    assert_string_equal(refused(db, &w), "error.lease_lost"); /* it is over */
    assert_int_equal(available(db, ann), 7);                  /* charged for what was made */

    struct step g = {.verb = GET};
    memcpy(g.id, id, UUID_TEXT);
    run(db, &g);
    assert_int_equal(g.job.state, JOB_DONE);
    assert_string_equal(g.job.video_path, "/films/x.mp4");
    assert_int_equal(g.job.video_ms, 61000);
    assert_int_equal(g.job.video_bytes, 12345);
    assert_string_equal(g.job.story, "{\"scenes\":[]}");
    assert_string_equal(g.job.stage, "speak");
    assert_int_equal(strlen(g.job.ended_at), strlen("2026-11-22T14:57:58Z"));
    job_free(&g.job);
    job_free(&w.job);
    assert_int_equal(fixture_db_number(db, "select count(*) from videos v join users u on"
                                           " u.id = v.user_id where title = 'Tides'"),
                     1);
}

/* --- limits, order, fairness --- */

static void test_limits(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[6][UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    static const enum job_start want[] = {JOB_STARTED, JOB_STARTED, JOB_STARTED, JOB_STARTED,
                                          JOB_QUEUE_FULL};
    for (int i = 0; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof(key), "e%d", i);
        assert_int_equal(start(db, ann, 2, key, id[i]), want[i]);
    }
    assert_int_equal(state_of(db, id[0]), JOB_READY);
    for (int i = 1; i < 4; i++)
        assert_int_equal(state_of(db, id[i]), JOB_WAITING);
    assert_int_equal(state_of(db, id[4]), JOB_QUOTED); /* may be tried again */
    assert_int_equal(available(db, ann), 1);

    struct step c = {.verb = CANCEL};
    memcpy(c.id, id[0], UUID_TEXT);
    run(db, &c);
    assert_int_equal(c.state, JOB_CANCELLED);
    assert_int_equal(state_of(db, id[1]), JOB_READY); /* moved up */
    memcpy(c.id, id[3], UUID_TEXT);
    run(db, &c);
    assert_int_equal(available(db, ann), 5);
    assert_string_equal(refused(db, &c), "cancel.too_late");
    assert_int_equal(c.state, JOB_CANCELLED);
    struct step again = {.verb = START};
    memcpy(again.id, id[0], UUID_TEXT);
    assert_string_equal(refused(db, &again), "make.quote_gone");
    assert_int_equal(start(db, ann, 6, "dear", id[5]), JOB_NO_CREDITS);
    assert_int_equal(state_of(db, id[5]), JOB_QUOTED);
    assert_int_equal(start(db, ann, 0, "free", id[5]), JOB_STARTED); /* no hold at all */
}

static void test_quotes_are_bounded(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], first[UUID_TEXT] = "";
    fixture_db_account(db, "ann", 9, ann);
    struct step s = {.verb = QUOTE, .account = ann, .number = 1};
    for (int i = 0; i < JOB_QUOTES_MAX + 5; i++) {
        char key[8];
        snprintf(key, sizeof(key), "e%d", i);
        s.text = key;
        run(db, &s);
        if (i == 0)
            memcpy(first, s.id, UUID_TEXT);
    }
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where state = 'quoted'"),
                     JOB_QUOTES_MAX);
    assert_int_equal(state_of(db, first), JOB_CANCELLED);
    assert_int_equal(state_of(db, s.id), JOB_QUOTED);
    struct step l = {.verb = LIST, .account = ann};
    run(db, &l);
    assert_int_equal(l.count, 5); /* the dropped ones; quotes are not history */
    for (size_t i = 0; i < l.count; i++)
        job_free(&l.list[i]);
    free(l.list);
    /* The clock went back: the newest looks like the oldest. */
    fixture_db_sql(db, "update jobs set created_at = clock_timestamp() + interval '1 hour'");
    s.text = "late";
    run(db, &s);
    assert_int_equal(state_of(db, s.id), JOB_QUOTED);
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where state = 'quoted'"),
                     JOB_QUOTES_MAX);
}

/* One person's many videos do not keep others waiting, and each is told its true place. */
static void test_fair_order(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], bob[UUID_TEXT], a[3][UUID_TEXT], b[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    fixture_db_account(db, "bob", 9, bob);
    for (int i = 0; i < 3; i++) {
        char key[8];
        snprintf(key, sizeof(key), "e%d", i);
        start(db, ann, 1, key, a[i]);
    }
    start(db, bob, 1, "e", b);
    const struct {
        const char *id;
        int place;
    } want[] = {
        {a[0], 1},
        {b,    2},
        {a[1], 3},
        {a[2], 4},
    };
    for (size_t i = 0; i < COUNT(want); i++) {
        struct step g = {.verb = GET};
        memcpy(g.id, want[i].id, UUID_TEXT);
        run(db, &g);
        assert_int_equal(g.job.place, want[i].place);
        job_free(&g.job);
    }
    for (size_t i = 0; i < COUNT(want); i++) {
        struct step w = {.verb = CLAIM, .worker = "w"};
        run(db, &w);
        assert_string_equal(w.job.id, want[i].id);
        w.verb = DELIVERING;
        run(db, &w);
        w.verb = DONE;
        w.number = 1;
        run(db, &w);
        job_free(&w.job);
    }
}

static void test_find_and_list(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], bob[UUID_TEXT], id[UUID_TEXT], other[UUID_TEXT], short_id[JOB_SHORT];
    fixture_db_account(db, "ann", 9, ann);
    fixture_db_account(db, "bob", 9, bob);
    start(db, ann, 1, "e1", id);
    start(db, ann, 1, "e2", other);
    str_copy(short_id, sizeof(short_id), id + UUID_TEXT - JOB_SHORT);
    struct step f = {.verb = FIND, .account = ann, .text = short_id};
    run(db, &f);
    assert_string_equal(f.job.id, id);
    job_free(&f.job);
    f.text = id;
    run(db, &f);
    job_free(&f.job);
    f.account = bob; /* somebody else's job */
    assert_string_equal(refused(db, &f), "error.no_job");
    f.account = ann;
    static const char *const wrong[] = {"", "123", "zzzzzzzz", "%%%%%%%%", "'; drop--"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        f.text = wrong[i];
        assert_string_equal(refused(db, &f), "error.no_job");
    }
    struct step l = {.verb = LIST, .account = ann, .flag = true};
    run(db, &l);
    assert_int_equal(l.count, 2);
    assert_string_equal(l.list[0].id, other); /* newest first */
    for (size_t i = 0; i < l.count; i++)
        job_free(&l.list[i]);
    free(l.list);
    struct step n = {.verb = COUNT_LIVE, .text = "test"};
    run(db, &n);
    assert_int_equal(n.number, 2);
    n.text = "telegram";
    run(db, &n);
    assert_int_equal(n.number, 0);
    n.text = NULL;
    run(db, &n);
    assert_int_equal(n.number, 2);
}

/* --- leases --- */

static void claim(struct db *db, const char *worker, struct step *ret)
{
    *ret = (struct step){.verb = CLAIM, .worker = worker};
    run(db, ret);
    assert_string_not_equal(ret->job.id, "");
}

static void end_lease(struct db *db)
{
    fixture_db_sql(db, "update jobs set lease_until = now() - interval '1 s'"
                       " where state in ('running', 'delivering')");
}

static void due_now(struct db *db)
{
    fixture_db_sql(db, "update jobs set run_at = now() where state = 'ready'");
}

static void test_fence(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    start(db, ann, 2, "e", id);
    struct step slow, quick, rescue = {.verb = RESCUE};
    claim(db, "w1", &slow);
    run(db, &rescue);
    assert_int_equal(rescue.rescued, 0); /* the lease lives */
    end_lease(db);
    run(db, &rescue);
    assert_int_equal(rescue.rescued, 1);
    claim(db, "w1", &quick); /* even by the same worker: the attempt is another */
    assert_int_equal(quick.job.attempt, 2);
    static const int verbs[] = {BEAT, SAVE, DELIVERING, DONE, FAIL, RETRY};
    for (size_t i = 0; i < COUNT(verbs); i++) {
        slow.verb = verbs[i];
        slow.text = "x";
        assert_string_equal(refused(db, &slow), "error.lease_lost");
    }
    slow.job.attempt = 2;
    slow.worker = "w3"; /* the number alone is no right either */
    for (size_t i = 0; i < COUNT(verbs); i++) {
        slow.verb = verbs[i];
        assert_string_equal(refused(db, &slow), "error.lease_lost");
    }
    quick.verb = DELIVERING;
    run(db, &quick);
    quick.verb = DONE;
    quick.number = 2;
    run(db, &quick);
    assert_int_equal(available(db, ann), 7);
    job_free(&slow.job);
    job_free(&quick.job);
}

static void test_tries_run_out(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT], next[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    start(db, ann, 2, "e", id);
    start(db, ann, 2, "e2", next);
    struct step w, rescue = {.verb = RESCUE};
    for (int i = 1; i <= JOB_ATTEMPTS_MAX; i++) {
        claim(db, "w", &w);
        assert_string_equal(w.job.id, id);
        job_free(&w.job);
        end_lease(db); /* it killed its worker */
        run(db, &rescue);
        assert_int_equal(rescue.rescued, 1);
        assert_int_equal(rescue.told, i == JOB_ATTEMPTS_MAX);
        if (i == 1) /* the first time at once, then with a pause */
            assert_int_equal(fixture_db_number(db, "select count(*) from jobs where state ="
                                                   " 'ready' and run_at <= clock_timestamp()"),
                             1);
        due_now(db);
    }
    struct step g = {.verb = GET};
    memcpy(g.id, id, UUID_TEXT);
    run(db, &g);
    assert_int_equal(g.job.state, JOB_FAILED);
    assert_string_equal(g.job.fail_key, "fail.worker_lost");
    job_free(&g.job);
    assert_int_equal(available(db, ann), 7); /* given back; the other one is held */
    assert_int_equal(state_of(db, next), JOB_READY);
}

static void test_retry(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    start(db, ann, 2, "e", id);
    struct step w;
    for (int i = 0; i < 10; i++) { /* draining uses up nothing */
        claim(db, "w", &w);
        assert_int_equal(w.job.attempt, i + 1); /* but a fence is never used twice */
        w.verb = RETRY;
        w.flag = true;
        run(db, &w);
        assert_false(w.answer);
        job_free(&w.job);
    }
    for (int i = 1; i <= JOB_ATTEMPTS_MAX; i++) {
        claim(db, "w", &w);
        w.verb = RETRY;
        w.delay_ms = -1;
        run(db, &w);
        assert_int_equal(w.answer, i == JOB_ATTEMPTS_MAX);
        job_free(&w.job);
        int64_t wait = fixture_db_number(db, "select extract(epoch from run_at - now())::bigint"
                                             " from jobs where state = 'ready'");
        if (i < JOB_ATTEMPTS_MAX && (wait < 5 * (1 << i) * 6 / 10 || wait > 5 * (1 << i) * 14 / 10))
            fail_msg("try %d again in %d s", i, (int)wait);
        due_now(db);
    }
    struct step g = {.verb = GET};
    memcpy(g.id, id, UUID_TEXT);
    run(db, &g);
    assert_int_equal(g.job.state, JOB_FAILED);
    assert_string_equal(g.job.fail_key, "fail.voice");
    assert_string_equal(g.job.fail_arg, "espeak");
    job_free(&g.job);
    assert_int_equal(available(db, ann), 9);
}

static void test_cancel_while_running(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    start(db, ann, 2, "e", id);
    struct step w, c = {.verb = CANCEL};
    memcpy(c.id, id, UUID_TEXT);
    claim(db, "w", &w);
    run(db, &c);
    assert_int_equal(c.state, JOB_RUNNING); /* asked; the worker decides */
    w.verb = BEAT;
    run(db, &w);
    assert_true(w.answer);
    /* The worker died before it saw the wish: the next one is told at the claim. */
    job_free(&w.job);
    end_lease(db);
    struct step rescue = {.verb = RESCUE};
    run(db, &rescue);
    claim(db, "w2", &w);
    assert_true(w.job.cancel_asked);
    w.verb = FAIL;
    w.flag = true;
    w.text = "fail.cancelled";
    run(db, &w);
    job_free(&w.job);
    assert_int_equal(state_of(db, id), JOB_CANCELLED);
    assert_int_equal(available(db, ann), 9);

    /* Once it is on its way into the chat it is too late. */
    start(db, ann, 2, "e2", id);
    claim(db, "w", &w);
    w.verb = DELIVERING;
    run(db, &w);
    memcpy(c.id, id, UUID_TEXT);
    assert_string_equal(refused(db, &c), "cancel.too_late");
    w.verb = FAIL;
    run(db, &w);
    job_free(&w.job);
    assert_int_equal(state_of(db, id), JOB_FAILED);
}

/* A killed worker's film is found by the next attempt, which delivers it without a render. */
static void test_delivery_is_taken_over(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    start(db, ann, 2, "e", id);
    struct step w, expire = {.verb = EXPIRE, .worker = "w2"}, rescue = {.verb = RESCUE};
    claim(db, "w1", &w);
    w.verb = DELIVERING;
    run(db, &w);
    job_free(&w.job);
    expire.worker = "w1"; /* its own leases stay */
    run(db, &expire);
    run(db, &rescue);
    assert_int_equal(rescue.rescued, 0);
    expire.worker = "w2";
    run(db, &expire);
    run(db, &rescue);
    assert_int_equal(rescue.rescued, 1);
    claim(db, "w2", &w);
    assert_string_equal(w.job.video_path, "/films/x.mp4");
    w.verb = DELIVERING;
    run(db, &w);
    w.verb = DONE;
    w.number = 2;
    run(db, &w);
    job_free(&w.job);
    assert_int_equal(fixture_db_number(db, "select count(*) from transfers where verb ="
                                           " 'capture'"),
                     1);
}

static void test_janitor(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], bob[UUID_TEXT], id[UUID_TEXT], wait[UUID_TEXT], quoted[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    fixture_db_account(db, "bob", 0, bob);
    start(db, ann, 2, "e", id);
    start(db, ann, 2, "e2", wait);
    assert_int_equal(start(db, bob, 2, "e", quoted), JOB_NO_CREDITS);
    struct step rescue = {.verb = RESCUE};
    run(db, &rescue);
    assert_int_equal(rescue.rescued, 0);
    fixture_db_sql(db, "update jobs set started_at = started_at - interval '25 hours',"
                       " created_at = created_at - interval '25 hours'");
    run(db, &rescue);
    assert_int_equal(rescue.rescued, 2);
    assert_int_equal(rescue.told, 2);
    assert_int_equal(state_of(db, id), JOB_FAILED);
    assert_int_equal(state_of(db, wait), JOB_FAILED);
    assert_int_equal(state_of(db, quoted), JOB_CANCELLED);
    assert_int_equal(available(db, ann), 9);

    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where addr = ''"), 0);
    fixture_db_sql(db, "update jobs set media = 'sealed', ended_at = now() - interval '25 hours'");
    run(db, &rescue);
    assert_int_equal(
        fixture_db_number(db, "select count(*) from jobs where addr <> '' or media <> ''"), 0);

    /* Counters that went wrong heal, and a person whom they blocked goes on. */
    start(db, ann, 2, "e3", id);
    start(db, ann, 2, "e4", wait);
    fixture_db_sql(db, "update wallets set active = 3");
    run(db, &rescue);
    fixture_db_check(db);
    fixture_db_sql(db, "update jobs set state = 'waiting' where state = 'ready'");
    fixture_db_sql(db, "update wallets set active = 0");
    run(db, &rescue);
    assert_int_equal(state_of(db, id), JOB_READY);
    assert_int_equal(state_of(db, wait), JOB_WAITING);
}

/* --- only one function moves a job, and only along the table --- */

static void test_move(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(1);
    char ann[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ann", 9, ann);
    start(db, ann, 2, "e", id);
    struct step m = {.verb = MOVE, .from = JOB_READY, .to = JOB_DONE};
    memcpy(m.id, id, UUID_TEXT);
    assert_string_equal(refused(db, &m), "error.internal");
    m.from = JOB_RUNNING; /* a legal move of a job that is elsewhere */
    m.to = JOB_DELIVERING;
    assert_string_equal(refused(db, &m), "error.internal");
    assert_int_equal(state_of(db, id), JOB_READY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_life),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_quotes_are_bounded),
        cmocka_unit_test(test_fair_order),
        cmocka_unit_test(test_find_and_list),
        cmocka_unit_test(test_fence),
        cmocka_unit_test(test_tries_run_out),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_cancel_while_running),
        cmocka_unit_test(test_delivery_is_taken_over),
        cmocka_unit_test(test_janitor),
        cmocka_unit_test(test_move),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
