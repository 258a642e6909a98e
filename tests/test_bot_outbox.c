/* What leaves the bot: the sender's order and retries, the status card, the end of a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "bot/bot.h"
#include "bot/outbox.h"
#include "bot/reply.h"
#include "bot/status.h"
#include "bot/worker_calls.h"
#include "core/base/strbuf.h"
#include "core/db/seal.h"
#include "core/db/store_account.h"
#include "core/db/store_chat.h"
#include "core/db/store_job.h"
#include "core/i18n/i18n.h"
#include "tests/fake_chat.h"
#include "tests/fixture_db.h"

struct world {
    struct bot bot;
    struct chat_adapter_ops ops; /* the fake chat's, with a group that listens */
    struct toolbox tools;
    struct fake_chat chat;
    struct chat_addr addr;
    char account[37], job[37];
};

static bool is_group(void *self, const struct chat_addr *where)
{
    (void)self;
    return strcmp(where->chat, "group") == 0;
}

static void world_open(struct world *w, bool buttons)
{
    struct err e = {0};
    memset(w, 0, sizeof(*w));
    fake_chat_init(&w->chat, buttons);
    w->bot = (struct bot){
        .db = fixture_db_fresh(4),
        .tools = &w->tools,
        .adapters = {fake_chat_adapter(&w->chat)},
        .adapter_count = 1,
        .prices = { 1, 2, 3},
        .own_words_percent = 50,
    };
    w->ops = *w->bot.adapters[0].ops;
    w->ops.is_overheard = is_group;
    w->bot.adapters[0].ops = &w->ops;
    str_copy(w->addr.network, sizeof(w->addr.network), "fake");
    str_copy(w->addr.chat, sizeof(w->addr.chat), "c1");
    fixture_db_account(w->bot.db, "u1", 10, w->account);
    assert_true(status_start(&w->bot, &w->bot.status, &e));
    assert_true(outbox_start(&w->bot, &w->bot.outbox, &e));
}

static void world_close(struct world *w)
{
    status_stop(TAKE(w->bot.status));
    outbox_stop(TAKE(w->bot.outbox), 1000);
    fixture_db_done(&w->bot.db);
    fake_chat_free(&w->chat);
}

/* --- transactions --- */

struct put {
    struct world *w;
    const char *text;
    const char *job;
    bool sets_card;
    const char *picture;
};

static bool put_body(struct db_tx *tx, void *data, struct err *e)
{
    struct put *p = data;
    AUTO(card_doc_free) struct card_doc doc;
    card_begin(&doc, "en");
    card_add_line(&doc, p->text);
    doc.card.picture = p->picture;
    return outbox_put(tx, &p->w->addr, &doc, p->job, NULL, p->sets_card, e);
}

static void put(struct world *w, const char *text, const char *job, bool sets_card)
{
    struct put p = {.w = w, .text = text, .job = job, .sets_card = sets_card};
    struct err e = {0};
    assert_true(db_run(w->bot.db, put_body, &p, &e));
    outbox_wake(w->bot.outbox);
}

static bool start_body(struct db_tx *tx, void *data, struct err *e)
{
    struct world *w = data;
    enum job_start result = JOB_NO_CREDITS;
    static char topic[] = "Tides", story[] = "{}";
    struct job spec = {
        .price = 2, .estimate_ms = 5000, .topic = topic, .story = story, .addr = w->addr};
    str_copy(spec.account, sizeof(spec.account), w->account);
    str_copy(spec.lang, sizeof(spec.lang), "en");
    return job_quote(tx, &spec, "k1", w->job, e) && job_start(tx, w->job, &result, e) &&
           result == JOB_STARTED;
}

static bool claim_body(struct db_tx *tx, void *job, struct err *e)
{
    job_free(job);
    return job_claim(tx, "worker", job, e);
}

static void start_job(struct world *w, struct job *ret)
{
    struct err e = {0};
    assert_true(db_run(w->bot.db, start_body, w, &e));
    assert_true(db_run(w->bot.db, claim_body, ret, &e));
    assert_string_equal(ret->id, w->job);
}

struct end {
    struct world *w;
    struct job *job;
    bool cancelled;
};

static bool fail_body(struct db_tx *tx, void *data, struct err *e)
{
    struct end *end = data;
    struct worker_calls calls = bot_worker_calls(&end->w->bot);
    if (!job_fail(tx, end->job, "worker", end->cancelled, "make.render_failed", "3", e))
        return false;
    AUTO(job_free) struct job now = {0};
    return job_get(tx, end->job->id, &now, e) && calls.on_failed(tx, calls.ctx, &now, e);
}

/* --- cases --- */

static void test_order(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    for (int i = 0; i < 30; i++) {
        AUTO(free_ptr) char *text = str_printf("card %d.", i);
        put(&w, text, NULL, false);
    }
    assert_true(fake_chat_wait(&w.chat, 30));
    for (int i = 0; i < 30; i++) {
        AUTO(free_ptr) char *text = str_printf("card %d.\n", i);
        assert_string_equal(w.chat.messages[i].text, text);
    }
    world_close(&w);
}

static void test_retry_then_sent_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    w.chat.fail_next_send = ERR_RETRY;
    w.chat.fail_sends = 1;
    put(&w, "first", NULL, false);
    put(&w, "second", NULL, false);
    assert_true(fake_chat_wait(&w.chat, 2));
    assert_string_equal(w.chat.messages[0].text, "first\n"); /* the lane waits for it */
    assert_string_equal(w.chat.messages[1].text, "second\n");
    world_close(&w);
}

static void test_permanent_failure_frees_the_lane(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    w.chat.fail_next_send = ERR_REFUSED;
    w.chat.fail_sends = 1;
    put(&w, "never", NULL, false);
    put(&w, "second", NULL, false);
    assert_true(fake_chat_wait(&w.chat, 1));
    assert_string_equal(w.chat.messages[0].text, "second\n");
    assert_int_equal(
        fixture_db_number(w.bot.db, "select count(*) from outbox where state = 'dead'"), 1);
    world_close(&w);
}

/* A payment that somebody else drew: address and amount are in its words. */
static void test_a_picture_of_another_machine_is_left_out(void **state)
{
    (void)state;
    struct world w;
    char here[] = "/tmp/test-outbox-XXXXXX";
    world_open(&w, true);
    int fd = mkstemp(here);
    assert_true(fd >= 0);
    close(fd);
    const char *const pictures[] = {here, "/nowhere/at/all.png"};
    for (int i = 0; i < 2; i++) {
        struct put p = {.w = &w, .text = "nano:address", .picture = pictures[i]};
        struct err e = {0};
        assert_true(db_run(w.bot.db, put_body, &p, &e));
        outbox_wake(w.bot.outbox);
        assert_true(fake_chat_wait(&w.chat, (size_t)i + 1));
        assert_string_equal(w.chat.messages[i].text, "nano:address\n");
        assert_int_equal(w.chat.messages[i].has_picture, i == 0);
    }
    unlink(here);
    world_close(&w);
}

/* Whoever took the order does not draw over the card of whoever makes the film. */
static void test_a_job_that_runs_elsewhere_is_shown_there(void **state)
{
    (void)state;
    struct world w;
    AUTO(job_free) struct job job = {0};
    world_open(&w, true);
    start_job(&w, &job);
    put(&w, "starting", w.job, true);
    assert_true(fake_chat_wait(&w.chat, 1));
    status_watch(w.bot.status, w.job);
    cancel_wait(NULL, 1000); /* it looks at the job every 300 ms */
    assert_int_equal(fake_chat_count(&w.chat), 1);
    world_close(&w);
}

static void test_status_card_moves(void **state)
{
    (void)state;
    struct world w;
    AUTO(job_free) struct job job = {0};
    world_open(&w, true);
    start_job(&w, &job);
    put(&w, "starting", w.job, true);
    assert_true(fake_chat_wait(&w.chat, 1));
    status_watch(w.bot.status, w.job);
    struct pipeline_progress p = {
        .stages = {PIPE_DONE, PIPE_RUNNING},
          .left_ms = 9000
    };
    for (p.percent = 1; p.percent <= 50; p.percent++)
        status_progress(w.bot.status, &job, &p);
    assert_true(fake_chat_wait_text(&w.chat, "/cancel") > 0);
    assert_true(fake_chat_count(&w.chat) < 40); /* fifty changes did not make fifty edits */
    p.percent = 77;
    status_progress(w.bot.status, &job, &p);
    assert_true(fake_chat_wait_percent(&w.chat, 77)); /* the newest wins in the end */
    status_end(w.bot.status, w.job);
    size_t after = fake_chat_count(&w.chat);
    status_end(w.bot.status, w.job);
    assert_int_equal(fake_chat_count(&w.chat), after);
    struct end end = {&w, &job, false};
    struct err e = {0};
    assert_true(db_run(w.bot.db, fail_body, &end, &e));
    outbox_wake(w.bot.outbox);
    int at = fake_chat_wait_text(&w.chat, "Reference: ");
    assert_true(at >= 0);
    const struct fake_message *last = &w.chat.messages[at];
    assert_int_equal(last->kind, FAKE_EDITED); /* in the same message */
    assert_string_equal(last->ref, "m1");
    assert_non_null(strstr(last->text, "could not be turned into a video"));
    assert_non_null(strstr(last->text, "2 credits came back"));
    assert_non_null(strstr(last->text, "/again "));
    assert_true(atomic_load(&w.bot.job_failed));
    world_close(&w);
}

static void test_lost_card_is_sent_anew(void **state)
{
    (void)state;
    struct world w;
    AUTO(job_free) struct job job = {0};
    world_open(&w, true);
    start_job(&w, &job);
    put(&w, "starting", w.job, true);
    assert_true(fake_chat_wait(&w.chat, 1));
    pthread_mutex_lock(&w.chat.lock);
    w.chat.cards_gone = true;
    pthread_mutex_unlock(&w.chat.lock);
    status_watch(w.bot.status, w.job);
    struct pipeline_progress p = {.percent = 5, .left_ms = -1};
    status_progress(w.bot.status, &job, &p);
    assert_true(fake_chat_wait(&w.chat, 2));
    assert_string_equal(w.chat.messages[1].ref, "m2");
    status_end(w.bot.status, w.job); /* after it the new card is known to the database */
    AUTO(free_ptr) char *sealed = seal_ref("m2");
    AUTO(free_ptr)
    char *sql = str_printf("select count(*) from jobs where card_ref = '%s'", sealed);
    assert_int_equal(fixture_db_number(w.bot.db, sql), 1);
    struct end end = {&w, &job, true};
    struct err e = {0};
    assert_true(db_run(w.bot.db, fail_body, &end, &e));
    outbox_wake(w.bot.outbox);
    assert_true(fake_chat_wait_text(&w.chat, "Cancelled.") >= 0);
    assert_false(atomic_load(&w.bot.job_failed)); /* a wish is no failure */
    world_close(&w);
}

static void test_card_of_an_ended_job_is_not_sent(void **state)
{
    (void)state;
    struct world w;
    AUTO(job_free) struct job job = {0};
    struct err e = {0};
    world_open(&w, true);
    start_job(&w, &job);
    struct end end = {&w, &job, true};
    assert_true(db_run(w.bot.db, fail_body, &end, &e));
    put(&w, "starting, too late", w.job, true);
    put(&w, "after it", NULL, false);
    assert_true(fake_chat_wait_text(&w.chat, "after it") >= 0);
    for (size_t i = 0; i < fake_chat_count(&w.chat); i++)
        assert_null(strstr(w.chat.messages[i].text, "too late"));
    world_close(&w);
}

struct done {
    struct world *w;
    struct job *job;
    struct chat_video *video;
};

static bool done_body(struct db_tx *tx, void *data, struct err *e)
{
    struct done *d = data;
    struct worker_calls calls = bot_worker_calls(&d->w->bot);
    return job_delivering(tx, d->job, "worker", d->video->path, d->video->duration_ms,
                          d->video->bytes, e) &&
           job_done(tx, d->job, "worker", "m1", 1, "Tides", e) &&
           calls.on_done(tx, calls.ctx, d->job, d->video, 1, e);
}

static bool told_body(struct db_tx *tx, void *data, struct err *e)
{
    struct done *d = data;
    struct worker_calls calls = bot_worker_calls(&d->w->bot);
    return calls.on_done(tx, calls.ctx, d->job, d->video, 1, e);
}

static void test_delivery(void **state)
{
    (void)state;
    struct world w;
    AUTO(job_free) struct job job = {0};
    struct err e = {0};
    char ref[CHAT_REF_MAX];
    world_open(&w, true);
    start_job(&w, &job);
    struct scene scenes[3] = {
        {.id = "s1"},
        {          .id = "s2"         },
        { .id = "s3",
         .footage = {.provider = "pexels_photo", .author = "Bo", .page = "https://x.example/7/"}}
    };
    str_copy(scenes[0].footage.author, sizeof(scenes[0].footage.author), "Ada");
    str_copy(scenes[1].footage.author, sizeof(scenes[1].footage.author), "Ada");
    struct storyboard story = {.scenes = scenes, .scene_count = 3};
    struct chat_video video = {.path = "/x/film.mp4",
                               .title = "Tides",
                               .width = 720,
                               .height = 1280,
                               .duration_ms = 65000,
                               .bytes = 4200000};
    struct worker_calls calls = bot_worker_calls(&w.bot);
    assert_int_equal(
        calls.price(calls.ctx, &(struct storyboard){.settings = {.tier = TIER_HD}}, 60001), 4);
    assert_int_equal(
        calls.price(calls.ctx, &(struct storyboard){.settings = {.tier = TIER_HD}}, 60000), 2);
    assert_int_equal(calls.price(calls.ctx, &(struct storyboard){0}, 0), 1);
    assert_int_equal(calls.price(calls.ctx, &(struct storyboard){.fell_back = true}, 60001), 1);
    assert_int_equal(calls.price(calls.ctx, &(struct storyboard){.fell_back = true}, 60000), 0);
    assert_true(calls.deliver(calls.ctx, &job, &story, &video, NULL, ref, &e));
    const struct fake_message *film = &w.chat.messages[0];
    assert_int_equal(film->kind, FAKE_DELIVERED);
    assert_non_null(strstr(film->text, "1:05 · 720×1280 · 4.2 MB"));
    assert_non_null(strstr(film->text, "Pictures: Ada, Bo / Pexels https://x.example/7/\n"));
    assert_non_null(strstr(film->text, "|/again "));
    struct done d = {&w, &job, &video};
    assert_true(db_run(w.bot.db, done_body, &d, &e));
    outbox_wake(w.bot.outbox);
    int ready = fake_chat_wait_text(&w.chat, "Ready: 1:05.");
    assert_true(ready > 0);
    assert_non_null(strstr(w.chat.messages[ready].text, "1 credit used. 9 credits left."));
    str_copy(job.addr.chat, sizeof(job.addr.chat), "group");
    video.duration_ms = 66000;
    assert_true(db_run(w.bot.db, told_body, &d, &e));
    outbox_wake(w.bot.outbox);
    ready = fake_chat_wait_text(&w.chat, "Ready: 1:06. 1 credit used.");
    assert_true(ready > 0);
    assert_null(strstr(w.chat.messages[ready].text, "used. "));
    assert_null(strstr(w.chat.messages[ready].text, "left"));
    world_close(&w);
}

static int setup(void **state)
{
    struct err e = {0};
    return i18n_setup(&e) ? fixture_db_start(state) : -1;
}

static int teardown(void **state)
{
    i18n_teardown();
    return fixture_db_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_retry_then_sent_once),
        cmocka_unit_test(test_permanent_failure_frees_the_lane),
        cmocka_unit_test(test_a_picture_of_another_machine_is_left_out),
        cmocka_unit_test(test_a_job_that_runs_elsewhere_is_shown_there),
        cmocka_unit_test(test_status_card_moves),
        cmocka_unit_test(test_lost_card_is_sent_anew),
        cmocka_unit_test(test_card_of_an_ended_job_is_not_sent),
        cmocka_unit_test(test_delivery),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
