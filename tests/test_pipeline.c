/* The pipeline with fakes: overlap, resume, cache, length, size. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "tests/pipe.h"

static void a_topic_becomes_three_files(void **state)
{
    struct pipe *x = *state;
    char path[CACHE_PATH_MAX];
    pipe_must_run(x);
    assert_int_equal(x->story.scene_count, PIPE_SCENES);
    assert_int_equal(x->result.made, PIPE_SCENES);
    assert_int_equal(x->result.cached, 0);
    assert_int_equal(x->result.width, 720);
    assert_int_equal(x->result.bytes, fs_size(x->out));
    assert_int_equal(x->result.duration_ms,
                     (int64_t)storyboard_frames(&x->story) * 1000 / STORY_FPS);
    assert_true(pipeline_beside(x->out, "jpg", path, &x->err) && fs_exists(path));
    assert_true(pipeline_beside(x->out, "srt", path, &x->err) && fs_exists(path));
    assert_int_equal(pipe_out_files(x), 3);
    assert_int_equal(fake_files(x->f->folder, ".tmp."), 0);
    assert_true(x->saves >= 2);
    assert_int_equal(x->saved_scenes, PIPE_SCENES);
}

static void makers_of_the_clips_are_named_in_the_film(void **state)
{
    struct pipe *x = *state;
    char *film AUTO(free_ptr) = NULL;
    size_t len;
    pipe_must_run(x);
    assert_true(fs_read(x->out, 1 << 20, &film, &len, &x->err));
    assert_non_null(strstr(
        film, "comment Pictures: Author 0 (clips); Author 1 (clips); Author 2 (clips). Voice: "));
}

static void progress_never_falls_and_ends_at_100(void **state)
{
    struct pipe *x = *state;
    x->f->segment.ms = 250;
    pipe_must_run(x);
    assert_int_equal(x->falls, 0);
    assert_int_equal(x->last_percent, 100);
    assert_int_equal(x->last.left_ms, 0);
    assert_true(x->reports >= 4);
    for (int i = 0; i < PIPE_STAGES; i++)
        assert_int_equal(x->last.stages[i], PIPE_DONE);
}

static void scenes_are_encoded_while_later_ones_are_spoken(void **state)
{
    struct pipe *x = *state;
    x->f->speak[0].ms = 150;
    pipe_must_run(x);
    assert_in_range(fake_nth(x->f, "segment", '<', 0), 0, fake_nth(x->f, "speak0", '>', 3));
    /* Pictures are looked for without waiting for voices. */
    assert_in_range(fake_nth(x->f, "search0", '>', 3), 0, fake_nth(x->f, "speak0", '<', 1));
}

static void slow_parts_overlap(void **state)
{
    struct pipe *x = *state;
    x->f->speak[0].ms = 200;
    x->f->fetch.ms = 200;
    x->f->segment.ms = 200;
    int64_t begun = clock_mono_ms();
    pipe_must_run(x);
    int64_t took = clock_mono_ms() - begun;
    /* One after the other: 3 * 4 * 200. Perfect: 4 * 200 and the last segment. */
    assert_in_range(took, 4 * 200, 2200);
}

static void a_second_run_takes_all_from_the_cache(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    fake_forget(x->f);
    unlink(x->out);
    pipe_must_run(x);
    assert_int_equal(x->result.cached, PIPE_SCENES);
    assert_int_equal(x->result.made, 0);
    assert_int_equal(fake_count(x->f, "speak0", '>'), 0);
    assert_int_equal(fake_count(x->f, "sound", '>'), 0);
    assert_int_equal(fake_count(x->f, "fetch", '>'), 0);
    assert_int_equal(x->falls, 0);
}

static void from_the_topic_again_everything_is_the_same(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    pipe_story_reset(x);
    pipe_must_run(x);
    assert_int_equal(x->result.cached, PIPE_SCENES);
}

static void after_a_failure_only_the_rest_is_made(void **state)
{
    struct pipe *x = *state;
    x->f->segment = (struct fake_step){.code = ERR_DISK, .times = 1, .at = 3};
    assert_false(pipe_run(x));
    assert_int_equal(x->err.code, ERR_DISK);
    int made = fake_count(x->f, "segment", '<');
    assert_true(made >= 2);
    x->f->segment = (struct fake_step){0};
    pipe_must_run(x);
    assert_int_equal(x->result.cached, made);
    assert_int_equal(x->result.made, PIPE_SCENES - made);
}

static void one_edited_scene_is_one_new_segment(void **state)
{
    struct pipe *x = *state;
    for (int word_ms = 201; word_ms < 217; word_ms += 5) { /* no whole number of frames */
        x->f->word_ms = word_ms;
        pipe_story_reset(x);
        x->story.settings.seed = (uint64_t)word_ms;
        fs_remove(x->f->cache_folder);
        pipe_must_run(x);
        free(x->story.scenes[1].narration);
        x->story.scenes[1].narration = str_dup("It rises three times.");
        pipe_must_run(x);
        assert_int_equal(x->result.made, 1);
        assert_int_equal(x->result.cached, PIPE_SCENES - 1);
    }
}

/* Four cores: as many scenes at once, each with one, but two for whoever begins alone; a scene that
   is the only one gets them all. */
static void cores_are_shared_out_among_the_scenes_that_are_left(void **state)
{
    struct pipe *x = *state;
    pool_destroy(x->f->box.render);
    x->f->box.render = pool_create("render", PIPE_SCENES, 64);
    x->f->segment.ms = 300; /* all are begun before one is done */
    pipe_must_run(x);
    assert_in_range(atomic_load(&x->f->threads), 1, 2);
    atomic_store(&x->f->threads, 0);
    free(x->story.scenes[1].narration);
    x->story.scenes[1].narration = str_dup("It rises three times.");
    pipe_must_run(x);
    assert_int_equal(x->result.made, 1);
    assert_int_equal(atomic_load(&x->f->threads), PIPE_SCENES);
}

static void a_scene_that_becomes_the_last_one_is_encoded_anew(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    x->story.scene_count--; /* the third scene now carries the end of the film */
    pipe_must_run(x);
    assert_int_equal(x->result.made, 1);
    assert_int_equal(x->result.cached, PIPE_SCENES - 2);
    x->story.scene_count = PIPE_SCENES;
}

static void a_broken_cache_entry_is_made_again(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++) {
        char words[CACHE_PATH_MAX];
        assert_true(pipeline_beside(x->story.scenes[i].speech.file, "words", words, &x->err));
        assert_true(fs_write(words, "nanotik-words 1 99\n7 -1", 23, &x->err));
    }
    fake_forget(x->f);
    pipe_must_run(x);
    assert_int_equal(fake_count(x->f, "speak0", '<'), PIPE_SCENES);
}

static void another_seed_shows_other_moments(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    int64_t in_ms = x->story.scenes[0].footage.in_ms;
    assert_in_range(in_ms, 1, 60000 - 2000);
    pipe_story_reset(x);
    x->story.settings.seed = 8;
    pipe_must_run(x);
    assert_int_not_equal(x->story.scenes[0].footage.in_ms, in_ms);
}

static void another_speed_is_spoken_anew(void **state)
{
    struct pipe *x = *state;
    pipe_must_run(x);
    assert_int_equal(x->f->spoke_percent, 100);
    int64_t usual = pipeline_estimate_ms(&x->f->box, "Some words of my own.", &x->story.settings);
    fake_forget(x->f);
    pipe_story_reset(x);
    x->story.settings.speed = 130;
    pipe_must_run(x);
    assert_int_equal(fake_count(x->f, "speak0", '<'), PIPE_SCENES);
    assert_int_equal(x->f->spoke_percent, 130);
    int64_t fast = pipeline_estimate_ms(&x->f->box, "Some words of my own.", &x->story.settings);
    assert_true(fast <= usual);
}

/* Ten scenes of ten words for 45 s at 150 words a minute; the voice is faster or slower than its
   rate says. */
static void the_film_gets_the_length_that_was_asked_for(void **state)
{
    static const struct {
        int word_ms;   /* 400 is the rate */
        int pace;      /* of the last scene */
        int low, high; /* of the film, per cent of the 45 s */
        const char *why;
    } rows[] = {
        {380, 100, 93,  100, "nearly right: nothing is changed"   },
        {352, 90,  90,  100, "too fast: the rest is spoken slower"},
        {448, 110, 100, 110, "too slow: the rest is spoken faster"},
        {240, 90,  60,  75,  "far too fast: no more than a tenth" },
    };
    struct pipe *x = *state;
    struct strbuf text = STRBUF(1000);
    for (size_t i = 0; i < COUNT(rows); i++) {
        x->f->word_ms = rows[i].word_ms;
        strbuf_reset(&text); /* other words each time: the cache shall not speak */
        for (int k = 0; k < 10; k++)
            strbuf_addf(&text, "%zu two three four five six seven eight nine ten. ", i + 1);
        pipe_story_reset(x);
        x->story.settings.seconds = 45;
        x->topic = strbuf_text(&text);
        pipe_must_run(x);
        const struct scene *last = &x->story.scenes[x->story.scene_count - 1];
        int percent = (int)(x->result.duration_ms / 450);
        if (abs(last->pace - rows[i].pace) > 2 || percent < rows[i].low || percent > rows[i].high)
            fail_msg("%s: pace %d, %d %%", rows[i].why, last->pace, percent);
        assert_int_equal(x->story.scenes[0].pace, 0); /* what was heard first stays as it is */
    }
    /* Once decided it stays: the same storyboard again speaks nothing anew. */
    fake_forget(x->f);
    pipe_must_run(x);
    assert_int_equal(fake_count(x->f, "speak0", '<'), 0);
    strbuf_free(&text);
}

static void a_short_clip_starts_at_its_beginning(void **state)
{
    struct pipe *x = *state;
    x->f->clip_ms = 500;
    pipe_must_run(x);
    assert_int_equal(x->story.scenes[0].footage.in_ms, 0);
}

static void an_odd_segment_is_encoded_once_more(void **state)
{
    struct pipe *x = *state;
    x->f->odd_segment = 2;
    pipe_must_run(x);
    assert_int_equal(fake_count(x->f, "segment", '<'), PIPE_SCENES + 1);
    assert_int_equal(fake_count(x->f, "join", '<'), 2);
}

/* Whatever goes from the cache at the worst moment costs time only. */
static void what_is_lost_before_the_join_is_made_again(void **state)
{
    static const struct {
        const char *lost;
        bool at_once;
        int segments, sounds, spoken;
        const char *why;
    } rows[] = {
        {".mp4", true,  2 * PIPE_SCENES, 1, PIPE_SCENES,     "segments, in the same run"},
        {".m4a", false, PIPE_SCENES,     2, PIPE_SCENES,     "the sound"                },
        {"",     false, 2 * PIPE_SCENES, 2, 2 * PIPE_SCENES, "everything"               },
    };
    struct pipe *x = *state;
    x->f->clips_in_cache = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fs_remove(x->f->cache_folder);
        fake_forget(x->f);
        pipe_story_reset(x);
        x->f->lost = rows[i].lost;
        if (pipe_run(x) != rows[i].at_once || (!rows[i].at_once && x->err.code != ERR_RETRY))
            fail_msg("%s: %s", rows[i].why, x->err.detail);
        if (!rows[i].at_once)
            pipe_must_run(x);
        if (fake_count(x->f, "segment", '<') != rows[i].segments ||
            fake_count(x->f, "sound", '<') != rows[i].sounds ||
            fake_count(x->f, "speak0", '<') != rows[i].spoken)
            fail_msg("%s: %d segments, %d sounds, %d spoken", rows[i].why,
                     fake_count(x->f, "segment", '<'), fake_count(x->f, "sound", '<'),
                     fake_count(x->f, "speak0", '<'));
    }
}

static void a_film_that_gets_too_long_is_refused_early(void **state)
{
    struct pipe *x = *state;
    x->f->box.seconds_max = 3;
    assert_false(pipe_run(x));
    assert_int_equal(x->err.code, ERR_LIMIT);
    assert_string_equal(x->err.user_key, "make.too_long");
    assert_string_equal(x->err.arg, "3");
    assert_int_equal(fake_count(x->f, "join", '>'), 0);
}

/* Another language: the writer says it anew, the pictures of each scene stay. */
static void a_dub_keeps_the_pictures(void **state)
{
    struct pipe *x = *state;
    char pictures[PIPE_SCENES][sizeof(x->story.scenes[0].footage.id)];
    pipe_must_run(x);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        str_copy(pictures[i], sizeof pictures[i], x->story.scenes[i].footage.id);
    fake_forget(x->f);
    x->story.dub = true;
    str_copy(x->story.settings.lang, sizeof x->story.settings.lang, "zh");
    pipe_must_run(x);
    assert_false(x->story.dub);
    assert_int_equal(fake_count(x->f, "write0", '<'), 1);
    assert_int_equal(fake_count(x->f, "search0", '>'), 0);
    assert_int_equal(fake_count(x->f, "fetch", '>'), 0);
    assert_int_equal(x->story.scene_count, PIPE_SCENES);
    for (size_t i = 0; i < PIPE_SCENES; i++)
        assert_string_equal(x->story.scenes[i].footage.id, pictures[i]);
    assert_string_equal(x->story.settings.wish, ""); /* what was asked of the writer is not kept */
    /* With the writer away nobody may narrate the old language: it is tried again later. */
    x->story.dub = true;
    x->f->write[0] = (struct fake_step){.code = ERR_RETRY, .times = -1};
    x->f->write[1] = x->f->write[0];
    assert_false(pipe_run(x));
    assert_int_equal(x->err.code, ERR_RETRY);
    assert_true(x->story.dub && x->story.scene_count == PIPE_SCENES);
}

static void a_film_above_the_byte_limit_is_fitted_from_the_same_scenes(void **state)
{
    struct pipe *x = *state;
    x->f->film_bytes = 50000;
    x->story.settings.byte_limit = 60000;
    pipe_must_run(x);
    assert_int_equal(fake_count(x->f, "fit", '>'), 0);
    assert_int_equal(x->result.bytes, 50000);
    x->story.settings.byte_limit = 40000;
    pipe_must_run(x);
    assert_int_equal(x->result.made, 0);
    assert_int_equal(fake_count(x->f, "segment", '>'), PIPE_SCENES);
    assert_int_equal(fake_count(x->f, "fit", '>'), 1);
    assert_int_equal(x->result.bytes, 40000);
    assert_int_equal(x->result.width, 360);
    assert_int_equal(fs_size(x->out), 40000);
    assert_int_equal(pipe_out_files(x), 3);
    assert_int_equal(x->falls, 0);
}

static void a_film_that_cannot_be_fitted_is_refused(void **state)
{
    struct pipe *x = *state;
    x->f->film_bytes = 50000;
    x->story.settings.byte_limit = 40000;
    x->f->fit = (struct fake_step){.code = ERR_LIMIT, .times = 1};
    assert_false(pipe_run(x));
    assert_int_equal(x->err.code, ERR_LIMIT);
    assert_int_equal(pipe_out_files(x), 0);
    assert_int_equal(fake_files(x->f->folder, ".tmp."), 0);
    pipe_must_run(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPE_CASE(a_topic_becomes_three_files),
        PIPE_CASE(makers_of_the_clips_are_named_in_the_film),
        PIPE_CASE(progress_never_falls_and_ends_at_100),
        PIPE_CASE(scenes_are_encoded_while_later_ones_are_spoken),
        PIPE_CASE(slow_parts_overlap),
        PIPE_CASE(a_second_run_takes_all_from_the_cache),
        PIPE_CASE(from_the_topic_again_everything_is_the_same),
        PIPE_CASE(after_a_failure_only_the_rest_is_made),
        PIPE_CASE(one_edited_scene_is_one_new_segment),
        PIPE_CASE(cores_are_shared_out_among_the_scenes_that_are_left),
        PIPE_CASE(a_scene_that_becomes_the_last_one_is_encoded_anew),
        PIPE_CASE(a_broken_cache_entry_is_made_again),
        PIPE_CASE(another_seed_shows_other_moments),
        PIPE_CASE(another_speed_is_spoken_anew),
        PIPE_CASE(the_film_gets_the_length_that_was_asked_for),
        PIPE_CASE(a_short_clip_starts_at_its_beginning),
        PIPE_CASE(an_odd_segment_is_encoded_once_more),
        PIPE_CASE(what_is_lost_before_the_join_is_made_again),
        PIPE_CASE(a_film_that_gets_too_long_is_refused_early),
        PIPE_CASE(a_dub_keeps_the_pictures),
        PIPE_CASE(a_film_above_the_byte_limit_is_fitted_from_the_same_scenes),
        PIPE_CASE(a_film_that_cannot_be_fitted_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
