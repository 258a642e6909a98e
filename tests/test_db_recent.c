/* What a chat has seen lately, so that it does not see it again: per chat, whoever asks. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_job.h"
#include "core/db/store_move.h"
#include "tests/fixture_db.h"

#define STORY(scenes) "{\"scenes\":[" scenes "]}"
#define SCENE(p, i) "{\"footage\":{\"provider\":\"" p "\",\"id\":\"" i "\"}}"

static struct db *db;

struct ask {
    struct job job;
    size_t films;
    struct arena arena;
    const char *const *names;
    size_t count;
    char id[UUID_TEXT];
    const char *key;
};

static bool quote_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    return job_quote(tx, &a->job, a->key, a->id, e);
}

static bool recent_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    return job_recent_footage(tx, &a->job, a->films, &a->arena, &a->names, &a->count, e);
}

static bool move_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return chat_move(tx, "test", "group", "super", e);
}

static bool forget_body(struct db_tx *tx, void *ctx, struct err *e)
{
    return account_forget(tx, ctx, 0, NULL, NULL, e);
}

static bool rescue_body(struct db_tx *tx, void *ctx, struct err *e)
{
    (void)ctx;
    return job_rescue(tx, NULL, NULL, NULL, e);
}

static void must(bool (*body)(struct db_tx *tx, void *ctx, struct err *e), void *ctx)
{
    struct err e = {0};
    if (!db_run(db, body, ctx, &e))
        fail_msg("%s", e.detail);
}

/* A job of the account in this chat with this story, younger than those before; ret_id of 37
   bytes. */
static void add_film(const char *account, const char *chat, const char *story, const char *state,
                     char *ret_id)
{
    static int nth;
    char key[16], text[512];
    snprintf(key, sizeof(key), "k%d", nth++);
    struct ask a = {
        .key = key, .job = {.price = 0, .lang = "en"}
    };
    AUTO(free_ptr) char *copy = str_dup(story);
    a.job.story = copy;
    str_copy(a.job.account, sizeof(a.job.account), account);
    str_copy(a.job.addr.network, sizeof(a.job.addr.network), "test");
    str_copy(a.job.addr.chat, sizeof(a.job.addr.chat), chat);
    must(quote_body, &a);
    snprintf(text, sizeof(text),
             "update jobs set created_at = now() - interval '1 hour' + interval '1 second' * "
             "(select count(*) from jobs) where id = '%s'",
             a.id);
    fixture_db_sql(db, text);
    if (strcmp(state, "quoted") != 0) {
        snprintf(text, sizeof(text),
                 "update jobs set state = '%s', ended_at = now(), started_at = now(), fair_at = "
                 "now() where id = '%s'",
                 state, a.id);
        fixture_db_sql(db, text);
    }
    str_copy(ret_id, UUID_TEXT, a.id);
}

static void expect(const char *job, size_t films, const char *want, const char *why)
{
    struct ask a = {.films = films};
    struct err e = {0};
    str_copy(a.job.id, sizeof(a.job.id), job);
    if (!db_run_soft(db, recent_body, &a, &e))
        fail_msg("%s: %s", why, e.detail);
    AUTO(strbuf_free) struct strbuf got = STRBUF(1000);
    for (size_t i = 0; i < a.count; i++)
        strbuf_addf(&got, "%s ", a.names[i]);
    if (strcmp(strbuf_text(&got), want) != 0)
        fail_msg("%s: '%s', not '%s'", why, strbuf_text(&got), want);
    arena_free(&a.arena);
}

static int setup(void **state)
{
    (void)state;
    db = fixture_db_fresh(2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_db_sql(db, "delete from jobs"); /* made by hand: not for the fixture's invariants */
    fixture_db_done(&db);
    return 0;
}

static void clips_of_the_last_films(void **state)
{
    (void)state;
    char ana[UUID_TEXT], id[UUID_TEXT], own[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    add_film(ana, "a", STORY(SCENE("pexels", "1") "," SCENE("backdrop", "0")), "done", id);
    add_film(ana, "a", STORY(SCENE("pexels", "1") "," SCENE("pixabay", "2") ",{}"), "done", id);
    add_film(ana, "a", STORY(SCENE("pexels", "3")), "failed", id);
    add_film(ana, "a", STORY(SCENE("pexels", "4")), "cancelled", id);
    add_film(ana, "a", "{}", "done", id);
    add_film(ana, "a",
             STORY("{\"footage\":{\"provider\":\"chat\",\"id\":\"8\"},\"second\":{\"provider\":"
                   "\"pexels\",\"id\":\"9\"}}"),
             "done", id); /* the second picture of a scene counts, the person's own does not */
    add_film(ana, "a", STORY(SCENE("local", "sea.mp4")), "done", id);
    add_film(ana, "a", STORY(SCENE("pexels", "7")), "done", own);
    expect(own, 30, "local:sea.mp4 pexels:9 pexels:3 pexels:1 pixabay:2 ", "the last ones first");
    expect(own, 3, "local:sea.mp4 pexels:9 ", "three films, one without pictures");
}

static void a_clip_is_as_old_as_its_last_film(void **state)
{
    (void)state;
    char ana[UUID_TEXT], id[UUID_TEXT], own[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    add_film(ana, "a", STORY(SCENE("pexels", "1")), "done", id);
    add_film(ana, "a", STORY(SCENE("pexels", "2")), "done", id);
    add_film(ana, "a", STORY(SCENE("pexels", "1")), "done", id);
    add_film(ana, "a", "{}", "quoted", own);
    expect(own, 30, "pexels:1 pexels:2 ", "shown again since");
}

static void members_of_a_group_share_it(void **state)
{
    (void)state;
    char ana[UUID_TEXT], bo[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    fixture_db_account(db, "bo", 5, bo);
    add_film(ana, "group", STORY(SCENE("pexels", "1")), "done", id);
    add_film(bo, "group", "{}", "quoted", id);
    expect(id, 30, "pexels:1 ", "another member sees it");
    add_film(ana, "private", "{}", "quoted", id);
    expect(id, 30, "", "the same person, in a chat where it was not shown");
    /* Which chats there are is not to be read. */
    assert_int_equal(
        fixture_db_number(db, "select count(*) from jobs j where j::text ~ 'group|private'"), 0);
    assert_int_equal(fixture_db_number(db, "select count(distinct lane) from jobs"), 2);
}

static void a_moved_group_takes_it_along(void **state)
{
    (void)state;
    char ana[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    add_film(ana, "group", STORY(SCENE("pexels", "1")), "done", id);
    add_film(ana, "other", STORY(SCENE("pexels", "2")), "done", id);
    /* The address of the first is erased long since: the history does not hang on it. */
    fixture_db_sql(db, "update jobs set addr = ''");
    must(move_body, NULL);
    must(move_body, NULL);
    add_film(ana, "super", "{}", "quoted", id);
    expect(id, 30, "pexels:1 ", "the new id");
    add_film(ana, "group", "{}", "quoted", id);
    expect(id, 30, "", "nothing stays behind");
}

static void it_is_forgotten(void **state)
{
    (void)state;
    char ana[UUID_TEXT], bo[UUID_TEXT], id[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    fixture_db_account(db, "bo", 5, bo);
    add_film(ana, "group", STORY(SCENE("pexels", "1")), "done", id);
    add_film(bo, "group", STORY(SCENE("pexels", "2")), "done", id);
    fixture_db_sql(db, "update jobs set ended_at = now() - interval '91 days' where story ~ '2'");
    must(rescue_body, NULL);
    add_film(bo, "group", "{}", "quoted", id);
    expect(id, 30, "pexels:1 ", "old ones go by themselves");
    must(forget_body, ana);
    expect(id, 30, "", "/forget takes one's own");
    assert_int_equal(fixture_db_number(db, "select count(*) from jobs where lane is not null"), 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(clips_of_the_last_films),
        CASE(a_clip_is_as_old_as_its_last_film),
        CASE(members_of_a_group_share_it),
        CASE(a_moved_group_takes_it_along),
        CASE(it_is_forgotten),
    };
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
