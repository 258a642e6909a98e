/* What a chat has seen lately, so that it does not see it again. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/store_job.h"
#include "tests/fixture_db.h"

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

/* A job of the account with this story; ret_id of 37 bytes. */
static void add_film(struct db *db, const char *account, const char *key, const char *story,
                     const char *state, char *ret_id)
{
    char text[1024];
    struct ask a = {
        .key = key, .job = {.price = 0, .lang = "en"}
    };
    struct err e = {0};
    AUTO(free_ptr) char *copy = str_dup(story);
    a.job.story = copy;
    str_copy(a.job.account, sizeof(a.job.account), account);
    str_copy(a.job.addr.network, sizeof(a.job.addr.network), "test");
    if (!db_run(db, quote_body, &a, &e))
        fail_msg("%s", e.detail);
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

static void expect(struct db *db, const char *account, const char *job, size_t films,
                   const char *want)
{
    struct ask a = {.films = films};
    struct err e = {0};
    str_copy(a.job.account, sizeof(a.job.account), account);
    str_copy(a.job.id, sizeof(a.job.id), job);
    if (!db_run_soft(db, recent_body, &a, &e))
        fail_msg("%s", e.detail);
    AUTO(strbuf_free) struct strbuf got = STRBUF(1000);
    for (size_t i = 0; i < a.count; i++) /* distinct, in the order of the names */
        strbuf_addf(&got, "%s ", a.names[i]);
    if (strcmp(strbuf_text(&got), want) != 0)
        fail_msg("'%s', not '%s'", strbuf_text(&got), want);
    arena_free(&a.arena);
}

#define STORY(scenes) "{\"scenes\":[" scenes "]}"
#define SCENE(p, i) "{\"footage\":{\"provider\":\"" p "\",\"id\":\"" i "\"}}"

static void clips_of_the_last_films(void **state)
{
    (void)state;
    AUTO(fixture_db_done) struct db *db = fixture_db_fresh(2);
    char ana[UUID_TEXT], bo[UUID_TEXT], id[UUID_TEXT], own[UUID_TEXT];
    fixture_db_account(db, "ana", 5, ana);
    fixture_db_account(db, "bo", 5, bo);
    add_film(db, ana, "k1", STORY(SCENE("pexels", "1") "," SCENE("backdrop", "0")), "done", id);
    add_film(db, ana, "k2", STORY(SCENE("pexels", "1") "," SCENE("pixabay", "2") ",{}"), "done",
             id);
    add_film(db, ana, "k3", STORY(SCENE("pexels", "3")), "failed", id);
    add_film(db, ana, "k4", STORY(SCENE("pexels", "4")), "cancelled", id);
    add_film(db, ana, "k5", "{}", "done", id);
    add_film(db, ana, "k8",
             STORY("{\"footage\":{\"provider\":\"chat\",\"id\":\"8\"},\"second\":{\"provider\":"
                   "\"pexels\",\"id\":\"9\"}}"),
             "done", id); /* the second picture of a scene counts, the person's own does not */
    add_film(db, bo, "k6", STORY(SCENE("pexels", "6")), "done", id);
    add_film(db, ana, "k7", STORY(SCENE("pexels", "7")), "done", own);
    expect(db, ana, own, 30, "pexels:1 pexels:3 pexels:9 pixabay:2 ");
    expect(db, ana, own, 2, "pexels:9 "); /* k5 has none, k8 has one */
    expect(db, bo, own, 30, "pexels:6 ");
    fixture_db_sql(db, "delete from jobs"); /* made by hand: not for the fixture's invariants */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clips_of_the_last_films)};
    return cmocka_run_group_tests(tests, fixture_db_start, fixture_db_stop);
}
