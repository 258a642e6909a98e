/* Films that are there, against a real database: sent again, kept, remixed, dubbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/db/store_job.h"
#include "tests/bot_world.h"

struct film {
    struct world *w;
    char folder[64], path[100];
    struct job job;
    bool keep; /* nobody could be reached */
};

static bool film_body(struct db_tx *tx, void *data, struct err *e)
{
    struct film *f = data;
    struct script_scene scenes[] = {{.narration = "How tides work."},
                                    {.narration = "The moon pulls the sea."}};
    const struct script script = {.scenes = scenes, .scene_count = COUNT(scenes), .title = "Tides"};
    AUTO(storyboard_free) struct storyboard story = {0};
    AUTO(storyboard_free) struct storyboard ordered = {0};
    AUTO(free_ptr) char *json = NULL;
    job_free(&f->job);
    if (!job_claim(tx, "test", &f->job, e) ||
        !storyboard_from_json(f->job.story, strlen(f->job.story), &ordered, e) ||
        !storyboard_from_script(&story, &script, &ordered.settings, e))
        return false;
    for (size_t i = 0; i < story.scene_count; i++) {
        story.scenes[i].footage.kind = FOOTAGE_CLIP;
        snprintf(story.scenes[i].footage.id, sizeof(story.scenes[i].footage.id), "clip%zu", i);
    }
    snprintf(f->path, sizeof(f->path), "%s/film.mp4", f->folder);
    return storyboard_to_json(&story, &json, e) && job_save_story(tx, &f->job, "test", json, e) &&
           job_delivering(tx, &f->job, "test", f->path, 7000, 1000, e) &&
           (f->keep ? job_keep(tx, &f->job, "test", 14, "deliver.unreachable", "", e)
                    : job_done(tx, &f->job, "test", "ref", 1, "Tides", e));
}

static void film_open(struct film *f, struct world *w, bool keep)
{
    struct err e = {0};
    *f = (struct film){.w = w, .keep = keep};
    str_copy(f->folder, sizeof(f->folder), "/tmp/nanotik-bot-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    const char *said = say(w, "/make How tides work. The moon pulls the sea.");
    const char *go = strstr(said, "|/go ");
    if (go) {
        AUTO(free_ptr) char *line = str_printf("%.40s", go + 1);
        say(w, line);
    }
    if (!db_run(w->bot.db, film_body, f, &e))
        fail_msg("%s", e.detail);
    AUTO(free_ptr) char *srt = str_printf("%s/film.srt", f->folder);
    assert_true(fs_write(f->path, "film", 4, &e) && fs_write(srt, "1\n", 2, &e));
}

static void film_close(struct film *f)
{
    job_free(&f->job);
    fs_remove(f->folder);
}

static void test_a_kept_film_is_offered_and_sent_once(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, true);
    AUTO(free_ptr) char *send = str_printf("/send %s", f.job.id);
    AUTO(free_ptr) char *button = str_printf("[Send it here|%s]", send);
    const char *said = say(&w, "/help");
    assert_int_equal(w.cards, 2);
    if (!strstr(said, button) || !strstr(said, "cannot be reached") || !strstr(said, "/cancel "))
        fail_msg("%s", said);
    say(&w, "/help");
    assert_int_equal(w.cards, 1); /* not with every word */
    expect(&w, "/history", "kept for you");
    /* Somebody else has no use for the button. */
    w.event.user_id = "u2";
    expect(&w, send, "no video");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'kept'"), 1);
    w.event.user_id = "u1";
    w.event.video_bytes_max = 4000000;
    expect(&w, send, "|/cancel ");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'ready'"), 1);
    assert_int_equal(number(&w, "select held from wallets where held > 0"), 1);
    assert_int_equal(number(&w, "select (story::json->'settings'->>'byte_limit')::bigint from"
                                " jobs where state = 'ready'"),
                     4000000);
    expect(&w, send, "on its way");
    film_close(&f);
    world_close(&w);
}

static void test_a_kept_film_is_offered_in_private_elsewhere(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, true);
    str_copy(w.event.addr.chat, sizeof(w.event.addr.chat), "a group");
    w.event.is_group = true;
    say(&w, "/help");
    assert_int_equal(w.cards, 2);
    assert_true(w.any_private);
    film_close(&f);
    world_close(&w);
}

static void test_a_film_is_sent_again(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, false);
    AUTO(free_ptr) char *send = str_printf("/send %s", f.job.id);
    expect(&w, "/history", send);
    expect(&w, send, "|/cancel ");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'ready' and price = 0 and"
                                " resend_of is not null"),
                     1);
    assert_int_equal(number(&w, "select count(*) from deliveries where state = 'sending'"), 1);
    film_close(&f);
    expect(&w, send, "not there any more");
    world_close(&w);
}

/* What found no room leaves nothing that a Go could start. */
static void test_a_full_queue_leaves_no_free_quote(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, false);
    AUTO(free_ptr) char *send = str_printf("/send %s", f.job.id);
    for (int i = 0; i < JOB_RUNNING_MAX + JOB_WAITING_MAX; i++)
        expect(&w, send, "|/cancel ");
    expect(&w, send, send); /* the command to try later */
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted'"), 0);
    film_close(&f);
    world_close(&w);
}

static void test_remix_keeps_the_words(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    w.bot.remix_percent = 50;
    w.bot.prices[TIER_BASIC] = 1;
    expect(&w, "/remix", "There is no finished video yet. /make TOPIC makes one");
    expect(&w, "/dub zh", "There is no finished video yet. /make TOPIC makes one");
    film_open(&f, &w, false);
    w.bot.prices[TIER_BASIC] = 4;
    AUTO(free_ptr) char *line = str_printf("/remix %s", f.job.id);
    expect(&w, line, "This needs 2 credits"); /* half of the price, in the message about credits */
    assert_int_equal(number(&w, "select json_array_length(story::json->'scenes') from jobs"
                                " where state = 'quoted'"),
                     2);
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " story like '%clip%'"),
                     0);
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " estimate_ms = 7000 and story like '%The moon pulls%'"),
                     1);
    expect(&w, "/remix ffffffff", "no video");
    film_close(&f);
    world_close(&w);
}

static void test_dub_keeps_the_pictures(void **state)
{
    (void)state;
    static const struct {
        const char *line; /* %s: the film */
        const char *says, *why;
    } rows[] = {
        {"/dub %s",     "In which language?",                        "languages as buttons"    },
        {"/dub %s en",  "in that language already",                  "nothing to do"           },
        {"/dub %s tlh", "en, zh, ar",                                "nobody speaks it"        },
        {"/dub %s ar",  "The same pictures, told in this language.", "a quote"                 },
        {"/dub zh",     "The same pictures, told in this language.", "the newest film is meant"},
    };
    struct world w;
    struct film f;
    world_open(&w, true);
    w.bot.dub_percent = 50;
    film_open(&f, &w, false);
    w.bot.own_words = false;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *line = NULL;
        const char *at = strstr(rows[i].line, "%s");
        line = at ? str_printf("/dub %s%s", f.job.id, at + 2) : str_dup(rows[i].line);
        const char *said = say(&w, line);
        if (!strstr(said, rows[i].says))
            fail_msg("%s: %s", rows[i].why, said);
    }
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " story like '%clip1%' and (story::json->>'dub')::int = 1"),
                     2);
    /* Without a writer the person translates. */
    w.bot.own_words = true;
    AUTO(free_ptr) char *bare = str_printf("/dub %s zh", f.job.id);
    expect(&w, bare, "Translate it yourself");
    AUTO(free_ptr) char *with = str_printf("%s 潮汐是怎么回事。月亮吸引海水。", bare);
    expect(&w, with, "The same pictures");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " topic like '潮汐%' and story like '%clip1%'"),
                     1);
    film_close(&f);
    world_close(&w);
}

static void test_subtitles_come_as_a_file(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, false);
    AUTO(free_ptr) char *line = str_printf("/subtitles %s", f.job.id);
    AUTO(free_ptr) char *file = str_printf("%s/film.srt", f.folder);
    expect(&w, line, "Subtitles");
    assert_int_equal(w.cards, 1);
    assert_string_equal(w.file, file);
    film_close(&f);
    expect(&w, line, "not there any more");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kept_film_is_offered_and_sent_once),
        cmocka_unit_test(test_a_kept_film_is_offered_in_private_elsewhere),
        cmocka_unit_test(test_a_film_is_sent_again),
        cmocka_unit_test(test_a_full_queue_leaves_no_free_quote),
        cmocka_unit_test(test_remix_keeps_the_words),
        cmocka_unit_test(test_dub_keeps_the_pictures),
        cmocka_unit_test(test_subtitles_come_as_a_file),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
